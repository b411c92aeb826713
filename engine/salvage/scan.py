"""Every record of a table that can still be read, whatever is wrong with the rest of it.

Blocks are found as the layout of the file finds them: behind a damaged one by the index or the
block size, even where the footer is wrong. In what is left over, block starts are looked for byte by byte.
Of a damaged block there remain

    records damaged     those before, and those from the next restart point on
    frame damaged       the records from its beginning, as long as they are sound and their keys ascend
    log block cut off   what inflates of it, read likewise

Nothing is guessed: a record that is handed out has been read whole, in its place, and its key comes behind
the one before or is stored whole. What could not be read is handed out too, as a stretch of the file with
the reason.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from operator import lt
from typing import Any, Final

from engine.errors import FormatError
from engine.format import (
    BLOCK_HEADER_SIZE,
    LOG,
    MAGIC,
    REF,
    RESTART_COUNT_SIZE,
    Block,
    Header,
    LogRecord,
    RefRecord,
    encode_head,
    footer_size,
    get_u24,
    get_varint,
    log_order,
    ref_key,
)
from engine.layout import BlockSpan, Record, Records, TableLayout

_LARGEST_BLOCK: Final = 2**24
_ZLIB: Final = 0x78  # how every deflate stream of a log block begins: its window is of 32 KiB
_BLOCK_TYPE: Final = re.compile(b"[%c%c]" % (REF, LOG))
_OVERRUN: Final = 2**16
_MOST_EFFORT: Final = 2**30  # bytes read again and again in one stretch: hostile ones would never end


@dataclass(slots=True, frozen=True)
class Readable:
    """Records of one block (or of what is left of it), in key order: refs or logs, one list is empty.

    Where keys of a block are out of order, there are several of it, each in order.

    `offset` is where the block begins; up to `end` the file was looked at. `is_whole` when nothing of the
    block is missing. `is_certain` is False for a log block whose deflate stream is damaged: what comes out
    of one may be wrong for some bytes before that shows. `is_front` when all that is missing comes behind the
    last record.
    """

    offset: int
    end: int
    refs: list[RefRecord]
    logs: list[LogRecord]
    is_whole: bool
    is_certain: bool = True
    is_front: bool = False


@dataclass(slots=True, frozen=True)
class Unreadable:
    """Bytes [start, end) of the file in which records may have been, and why they cannot be read.

    `section` is the type of the blocks that were there, as far as that can be told.
    """

    start: int
    end: int
    reason: str
    section: int | None = None


def salvage(layout: TableLayout, header: Header, *, blind: bool = False) -> Iterator[Readable | Unreadable]:
    """What is in the ref and log blocks of a table, in the order of the file.

    `header` is the layout's own, or one made up for a file that has lost its header. `blind`
    looks for blocks at every byte instead of where footer, indexes and block size lead: for files in which
    these are wrong. Raises nothing for wrong bytes; `OSError` passes through. A block is in memory at a time.
    """
    limit = layout.footer.start if layout.footer is not None else layout.end
    if blind or layout.header is None:
        reason = "no block can be made out" if layout.header else "neither a header nor a footer"
        yield from _search(layout, header.size, limit, limit, header, reason)
        return
    done = 0
    # Without a footer that can be trusted, a section may go on with blocks of the next.
    is_certain = layout.footer is not None and not layout.footer.errors()
    for section in layout.sections:
        holds_records = not is_certain or (section.of in (REF, LOG, None) and not section.level)
        for span in section.children():
            if isinstance(span, BlockSpan):
                if span.type in (REF, LOG) and span.start >= done:
                    yield from _block(span, header)
                    yield from _hidden(layout, span, header)
                continue
            reason = span.error.reason if span.error else "bytes that are no block"
            for found in _search(layout, max(span.start, done), span.end, limit, header, reason):
                done = max(done, found.end)
                if isinstance(found, Readable):
                    yield found
                elif holds_records:
                    yield replace(found, section=found.section or (section.of if is_certain else None))


def _block(span: BlockSpan, header: Header) -> Iterator[Readable | Unreadable]:
    """A block whose frame is sound."""
    try:
        records = span.records()
    except FormatError as error:
        yield Unreadable(span.start, span.end, error.reason, span.type)
        return
    whole = _whole(records.block, header, span.end)
    if whole is not None:
        yield whole
        return
    runs, unread = _sound_records(records, span.start, span.end)
    for run in runs:
        found = _readable(records, run, span.end)
        if found.refs or found.logs:
            yield found
    yield from unread


def _hidden(layout: TableLayout, span: BlockSpan, header: Header) -> Iterator[Readable]:
    """The blocks in what seems to be padding, because the header states too large a block size."""
    rest = layout.read(span.next_offset - span.padding, span.padding).lstrip(b"\0") if span.padding else b""
    if rest[:1] in (b"r", b"g"):
        end = span.next_offset
        for found in _search(layout, end - len(rest), end, end, header, "bytes in padding"):
            if isinstance(found, Readable):
                yield found


def _whole(block: Block, header: Header, end: int) -> Readable | None:
    """A block of which nothing is damaged, as nearly all are: read by the table's own, fast decoders."""
    try:
        refs, logs = _decoded(block, header)
    except FormatError:
        return None
    keys: list[Any] = [*map(ref_key, refs), *map(log_order, logs)]
    ascends = all(map(lt, keys, islice(keys, 1, None)))
    return Readable(block.offset, end, refs, logs, is_whole=True) if ascends else None


def _decoded(block: Block, header: Header) -> tuple[list[RefRecord], list[LogRecord]]:
    if block.type == REF:
        return block.refs(header.hash_id.size, header.min_update_index), []
    return [], block.logs(header.hash_id.size)


def _sound_records(
    records: Records, start: int, end: int, *, stop: bool = False
) -> tuple[list[list[Record]], list[Unreadable]]:
    """The records of the block at [start, end) that can be read, in runs of ascending keys, and the others.

    A key that does not ascend begins a new run if it is stored whole; otherwise it is made of one that may
    have been altered. With `stop`, all up to the first that cannot be read or does not ascend. Where a
    record of a deflated block was in the file is not known: it is told as the whole block.
    """
    runs: list[list[Record]] = [[]]
    unread: list[Unreadable] = []
    for span in records.children():
        if not isinstance(span, Record):
            reason = span.error.reason if span.error else "a damaged record"
        elif not runs[-1] or span.key > runs[-1][-1].key:
            runs[-1].append(span)
            continue
        elif stop or next(iter(span.children())).value:
            reason = "a key that does not sort after the one before it"
        else:
            runs.append([span])
            continue
        where = (start, end) if span.inflated else (span.start, span.end)
        unread.append(Unreadable(*where, reason, records.block.type))
        if stop:
            break
    return [run for run in runs if run], unread


def _readable(records: Records, found: list[Record], end: int, *, stop: bool = False) -> Readable:
    """These records, but for symbolic refs to nothing, as zeros look; with `stop`, up to the first.

    The file was looked at up to `end`; with `stop`, up to the end of the last ref that is read.
    """
    block, header, data = records.block, records.header, records.block.data
    all_refs: list[RefRecord] = []
    all_logs: list[LogRecord] = []
    for record in found:
        # By itself, with its whole key, each is what the table's own decoders read.
        second, at = get_varint(data, get_varint(data, record.start - records.base)[1])
        tail = data[at + (second >> 3) : record.end - records.base]
        alone = encode_head(0, len(record.key), second & 7) + record.key + tail
        refs, logs = _decoded(replace(block, data=alone, records_start=0, records_end=len(alone)), header)
        if refs and refs[0].target == b"":
            if stop:
                break
            continue
        all_refs += refs
        all_logs += logs
        if stop and refs:
            end = record.end
    return Readable(block.offset, end, all_refs, all_logs, is_whole=False)


def _search(
    layout: TableLayout, start: int, end: int, limit: int, header: Header, reason: str
) -> Iterator[Readable | Unreadable]:
    """What can be found in a stretch of the file that the layout could make nothing of.

    It begins where a block should, so what is left of that one comes first; further on, only whole blocks
    count. The last one may run over the end, up to `limit`: where the stretch ends was a guess as well.
    """
    name = layout.name
    size = max(end - start, 0)
    data = layout.read(start, min(size + _OVERRUN, max(limit - start, 0)))
    effort = _MOST_EFFORT
    # Nothing but logs comes behind the first log block; two bytes of a deflate stream show one.
    section = LOG if data[:1] == b"g" and data[BLOCK_HEADER_SIZE : BLOCK_HEADER_SIZE + 1] == b"x" else None
    lost = at = 0
    while at < min(size, len(data)) and effort >= 0:
        # Restart offsets of a file's first block count from the start of the file.
        first = header.size if start + at == header.size else 0
        offset = start + at - first
        block, used, cost = _whole_block(name, data, at, offset, first)
        effort -= cost
        found, unread = (
            _parts(block, header, start + at, start + at + used) if block is not None else ([], [])
        )
        read_to = at + used
        if not found and at == 0:
            found = _cut_block(name, data[:size], offset, first, header)
            # What else lies in it may be read as well; of a deflated block it is not known where that is.
            used, read_to = 1, found[0].end - start if found and found[0].refs else 0
        if not found:
            following = _BLOCK_TYPE.search(data, at + 1)
            at = following.start() if following is not None else size
            continue
        if lost < at:
            yield Unreadable(start + lost, start + at, reason, section)
        if found[0].logs:
            section = LOG
        yield from found
        yield from unread
        at += used
        lost = read_to
    if lost < size and not _is_footer(data[lost:size]):
        yield Unreadable(start + lost, end, reason, section)


def _is_footer(rest: bytes) -> bool:
    """Whether these bytes at the end of a file are what is left of a footer: no block begins like one."""
    return 0 < len(rest) < footer_size(2) and MAGIC.startswith(rest[: len(MAGIC)])


def _whole_block(name: str, data: bytes, at: int, offset: int, first: int) -> tuple[Block | None, int, int]:
    """The block whose type is at `data[at]`, if there is a whole one; its length there, and the effort.

    `offset` is that of the block in the file, `first` the size of the file header that lies in front of it.
    """
    block_type = data[at]
    left = len(data) - at
    if block_type not in (REF, LOG) or left <= BLOCK_HEADER_SIZE + RESTART_COUNT_SIZE:
        return None, 0, 0
    stated = get_u24(data, at + 1) - first
    if block_type == LOG:
        # Two bytes of a deflate stream tell noise from it, nearly always.
        if data[at + BLOCK_HEADER_SIZE] != _ZLIB or int.from_bytes(data[at + 4 : at + 6], "big") % 31:
            return None, 0, 0
    elif stated > left:
        return None, 0, 0
    head = bytes(first) + data[at : at + BLOCK_HEADER_SIZE]
    # Deflating never makes a block much longer.
    body = data[at : at + stated + (stated >> 8) + 1024] if block_type == LOG else data[at : at + stated]
    try:
        block = Block.parse(name, head + body[BLOCK_HEADER_SIZE:], offset, first, 0)
    except FormatError:
        return None, 0, len(body)
    if get_u24(block.data, block.records_end) != block.records_start:
        return None, 0, len(body)
    return block, block.next_offset - block.offset - first, len(body)


def cut_block(name: str, data: bytes, offset: int, first: int) -> tuple[Block, bool] | None:
    """What is left of the ref or log block at the beginning of `data`, in a frame that is made up for it.

    All that follow are records, as far as they look like that. False with it for a damaged deflate stream,
    whose last bytes may be wrong.
    """
    if data[0] not in (REF, LOG):
        return None
    body, is_certain = data[BLOCK_HEADER_SIZE : BLOCK_HEADER_SIZE + _LARGEST_BLOCK], True
    if data[0] == LOG:
        body, is_certain = _inflated_part(body)
    head = bytes(first) + data[:BLOCK_HEADER_SIZE]
    end = len(head) + len(body)
    made = head + body + bytes(RESTART_COUNT_SIZE)
    return Block(name, offset, data[0], made, len(head), end, 0, 0, 0), is_certain


def _cut_block(name: str, data: bytes, offset: int, first: int, header: Header) -> list[Readable]:
    """What is left of the block at the beginning of `data`, up to the first record that cannot be read."""
    cut = cut_block(name, data, offset, first)
    if cut is None:
        return []
    block, is_certain = cut
    found, _ = _parts(block, header, offset + first, offset + first + 1, stop=True)
    return [replace(one, is_certain=is_certain, is_whole=False, is_front=True) for one in found]


def blocks_within(name: str, data: bytes, start: int, header: Header) -> Iterator[tuple[Block, int, int]]:
    """The whole ref and log blocks in `data`, a stretch from `start` on that the layout makes nothing of.

    Each with where it begins and ends in `data`. What looks like a block may be none.
    """
    at, effort = 0, _MOST_EFFORT
    while at < len(data) and effort >= 0:
        first = header.size if start + at == header.size else 0
        block, used, cost = _whole_block(name, data, at, start + at - first, first)
        effort -= cost
        if block is not None:
            yield block, at, at + used
            at += used
            continue
        following = _BLOCK_TYPE.search(data, at + 1)
        at = following.start() if following is not None else len(data)


def _parts(
    block: Block, header: Header, start: int, end: int, *, stop: bool = False
) -> tuple[list[Readable], list[Unreadable]]:
    """The records of a block that was found at [start, end), and what cannot be read of it.

    No records at all if they cannot be of this table.
    """
    whole = None if stop else _whole(block, header, end)
    unread: list[Unreadable] = []
    if whole is not None:
        found = [whole] if whole.refs or whole.logs else []
    else:
        records = Records(block, header)
        runs, unread = _sound_records(records, start, end, stop=stop)
        parts = [_readable(records, run, end, stop=stop) for run in runs]
        count = sum(len(one.refs) + len(one.logs) for one in parts)
        is_whole = not unread and len(runs) == 1 and count == len(runs[0])
        if not is_whole and not unread:
            unread = [Unreadable(start, end, "keys that do not ascend, or empty refs", block.type)]
        found = [replace(one, is_whole=is_whole) for one in parts if one.refs or one.logs]
    highest = max((ref.update_index for one in found for ref in one.refs), default=0)
    return (found, unread) if highest <= header.max_update_index else ([], [])


def _inflated_part(data: bytes) -> tuple[bytes, bool]:
    """What inflates of a stream: byte by byte, so that all in front of damage comes out.

    False with it when the stream does not just end too early, but is wrong somewhere.
    """
    inflater = zlib.decompressobj()
    parts: list[bytes] = []
    size = 0
    for at in range(len(data)):
        try:
            parts.append(inflater.decompress(data[at : at + 1], _LARGEST_BLOCK - size + 1))
        except zlib.error:
            return b"".join(parts), False
        size += len(parts[-1])
        if inflater.eof or size > _LARGEST_BLOCK:
            break
    return b"".join(parts)[:_LARGEST_BLOCK], True

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
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import chain, islice, takewhile
from typing import Final, NamedTuple, TypeVar

from engine.errors import FormatError
from engine.format import (
    BLOCK_HEADER_SIZE,
    LOG,
    MAGIC,
    PART_KEYS,
    REF,
    RESTART_COUNT_SIZE,
    RESTART_SIZE,
    SYMREF,
    Block,
    Encoded,
    Excessive,
    Header,
    IndexRecord,
    LogRecord,
    Read,
    RefRecord,
    add_up,
    encode_head,
    footer_size,
    get_u24,
    get_varint,
    is_refname,
    put_u24,
    read_size,
    split_logs,
    split_refs,
)
from engine.layout import BlockSpan, Record, Records, Section, TableLayout
from engine.salvage.items import ONE_BYTE, tightened, update_deltas

_LARGEST_BLOCK: Final = 2**24
# Behind type and length, a whole key, or a deflate stream with a window of 32 KiB and no dictionary.
_BLOCK_START: Final = re.compile(rb"r(?=...\0[^\0])|g(?=...x[\x01\x5e\x9c\xda])", re.DOTALL)
_START_SIZE: Final = 6
_OVERRUN: Final = 2**16
_WINDOW: Final = 2**20
_ZEROS: Final = bytes(_WINDOW + _START_SIZE - 1)
_MOST_EFFORT: Final = 2**27  # bytes read in vain in one stretch: hostile ones would never end
_LEAST_EFFORT: Final = 2**9
_MOST_KEPT: Final = 2
_MOST_IN_RUN: Final = 2**12
_INFLATED_AT_ONCE: Final = 2**9

_T = TypeVar("_T")


class Readable(NamedTuple):
    """Records of one block (or of what is left of it), in key order: refs or logs, as `type` says.

    `items` are the bytes that were stored, of a table that is read by `header`, and never none. Where keys of
    a block are out of order, there are several of it, each in order.

    `offset` is where the block begins; up to `end` the file was looked at. `is_whole` when nothing of the
    block is missing. `is_certain` is False for a log block whose deflate stream is damaged: what comes out
    of one may be wrong for some bytes before that shows. `is_front` when all that is missing comes behind the
    last record. `is_cut_off` when damage shows where the last ref ends, and may have begun inside of it.
    `is_misnamed` when the index has another name for the last ref of the block: one of the two was altered.
    """

    offset: int
    end: int
    type: int
    items: list[Encoded]
    header: Header
    is_whole: bool
    is_certain: bool = True
    is_front: bool = False
    is_cut_off: bool = False
    is_misnamed: bool = False

    @property
    def refs(self) -> list[RefRecord]:
        """The refs among the records: all, or none."""
        if self.type != REF:
            return []
        return _joined(self.items).refs(self.header.hash_id.size, self.header.min_update_index)

    @property
    def logs(self) -> list[LogRecord]:
        """The log entries likewise."""
        return [] if self.type != LOG else _joined(self.items).logs(self.header.hash_id.size)


class Unreadable(NamedTuple):
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
        last_keys = _LastKeys(section if section.of == REF else None)
        holds_records = not is_certain or (section.of in (REF, LOG, None) and not section.level)
        for span in section.children():
            if isinstance(span, BlockSpan):
                if span.type in (REF, LOG) and span.start >= done:
                    yield from _block(span, header, last_keys.of(span.offset))
                    yield from _hidden(layout, span, header)
                continue
            reason = span.error.reason if span.error else "bytes that are no block"
            for found in _search(layout, max(span.start, done), span.end, limit, header, reason):
                done = max(done, found.end)
                if isinstance(found, Readable):
                    yield found
                elif holds_records:
                    yield found._replace(section=found.section or (section.of if is_certain else None))


class _LastKeys:
    """The last keys of the blocks of a section as its index has them, asked for in the order of the file."""

    def __init__(self, section: Section | None) -> None:
        above = section.above if section is not None else None
        self._entries = self._read(above) if above is not None else iter(())
        self._next = next(self._entries, None)

    def of(self, offset: int) -> bytes | None:
        """That of the block at this offset; None if the index does not tell."""
        while self._next is not None and self._next.offset < offset:
            self._next = next(self._entries, None)
        found = self._next
        return found.last_key if found is not None and found.offset == offset else None

    @staticmethod
    def _read(index: Section) -> Iterator[IndexRecord]:
        for span in index.children():
            if isinstance(span, BlockSpan):
                with suppress(FormatError):
                    yield from span.block().index()


def _block(span: BlockSpan, header: Header, last_key: bytes | None) -> Iterator[Readable | Unreadable]:
    """A block whose frame is sound, and which has this last key by its index."""
    try:
        records = span.records()
    except FormatError as error:
        yield Unreadable(span.start, span.end, error.reason, span.type)
        return
    whole = _whole(records.block, header, span.end, last_key)
    yield from whole or _sound_records(records, span.start, span.end)


def _hidden(layout: TableLayout, span: BlockSpan, header: Header) -> Iterator[Readable]:
    """The blocks in what seems to be padding, because the header states too large a block size."""
    rest = layout.read(span.next_offset - span.padding, span.padding).lstrip(b"\0") if span.padding else b""
    if rest[:1] in (b"r", b"g"):
        end = span.next_offset
        for found in _search(layout, end - len(rest), end, end, header, "bytes in padding"):
            if isinstance(found, Readable):
                yield found


class _Kept(Collection[_T]):
    """What `make` gives, made to its end once, and kept if it is little: if not, made again each time."""

    def __init__(self, make: Callable[[], Iterator[_T]]) -> None:
        made = make()
        self._make = make
        self._some = list(islice(made, _MOST_KEPT + 1))
        self._size = len(self._some) + sum(1 for _ in made)

    def __iter__(self) -> Iterator[_T]:
        return iter(self._some) if self._size <= _MOST_KEPT else self._make()

    def __len__(self) -> int:
        return self._size

    def __contains__(self, one: object) -> bool:
        return any(other == one for other in self)


def _whole(
    block: Block, header: Header, end: int, last_key: bytes | None = None
) -> Collection[Readable | Unreadable] | None:
    """A block of which nothing is damaged, as nearly all are: cut up as a compaction does it.

    Or one that is sound as far as it is read: keys without end are read up to a limit. `last_key` is what the
    index has.
    """
    with suppress(FormatError):
        return _Kept(lambda: _lists(block, header, end, last_key))
    return None


def _lists(block: Block, header: Header, end: int, last_key: bytes | None) -> Iterator[Readable | Unreadable]:
    """The records of a block, cut out of it fast. Raises `FormatError`, for keys in disorder as well."""
    latest: list[Encoded] = []
    try:
        for items in _cut_out(block, header):
            if latest:
                yield Readable(block.offset, end, block.type, latest, header, is_whole=True)
            latest = items
    except FormatError as error:
        if not isinstance(error.__cause__, Excessive):
            raise
        if latest:
            yield Readable(block.offset, end, block.type, latest, header, is_whole=True)
        yield Unreadable(block.offset, end, error.reason, block.type)
        return
    if latest:
        is_misnamed = last_key not in (None, latest[-1][0])
        flags = {"is_cut_off": not _has_restarts(block), "is_misnamed": is_misnamed}
        yield Readable(block.offset, end, block.type, latest, header, is_whole=True, **flags)


def _has_restarts(block: Block) -> bool:
    """Whether the restart points look sound that follow the last ref. Logs have a checksum."""
    with suppress(FormatError):
        return block.type == LOG or not block.restart_count or bool(block.restart_key(0))
    return False


def _cut_out(block: Block, header: Header) -> Iterator[list[Encoded]]:
    """The records of a block, which have to be in order. Raises `FormatError`."""
    size = header.hash_id.size
    if block.type == REF:
        return map(tightened, block.parts(split_refs, size, header.min_update_index, 0))
    return map(tightened, block.parts(split_logs, size))


def _joined(items: Sequence[Encoded]) -> Block:
    """A block of these records, each with its whole key. It has no frame."""
    records = [
        encode_head(0, len(key), kind) + key + encoded[len(encoded) - tail_len :]
        for key, _, _, kind, tail_len, encoded in items
    ]
    data = b"".join(records)
    return Block("", 0, 0, data, 0, len(data), 0, 0, 0)


def _sound_records(
    records: Records, start: int, end: int, *, stop: bool = False
) -> Iterator[Readable | Unreadable]:
    """The records of the block at [start, end) that can be read, in runs of ascending keys, and the others.

    A key that does not ascend begins a new run if it is stored whole; otherwise it is made of one that may
    have been altered. With `stop`, all up to the first that cannot be read or does not ascend. Where a
    record of a deflated block was in the file is not known: it is told as the whole block.
    """
    run: list[Record] = []
    last: bytes | None = None
    spent = spent_before = 0
    block = records.block
    restarts = put_u24(block.records_start)
    for span in records.children():
        breaks = False
        if not isinstance(span, Record):
            reason = span.error.reason if span.error else "a damaged record"
        else:
            breaks = last is not None and span.key <= last
            reason = "a key that does not sort after the one before it"
            if not breaks or not (stop or next(iter(span.children())).value):
                reason = ""
        if reason or breaks or spent - spent_before > PART_KEYS or len(run) == _MOST_IN_RUN:
            spent_before = spent
            # Behind the last record of a block come its restart points.
            at = span.start - records.base
            is_cut_off = bool(reason or breaks) and block.data[at : at + RESTART_SIZE] != restarts
            yield from _readable(records, run, end, stop=stop, is_cut_off=is_cut_off)
            run = []
        if isinstance(span, Record) and not reason:
            run.append(span)
            last = span.key
            try:
                spent = add_up(spent, span.key, span.start)
            except Excessive as error:
                yield Unreadable(start, end, error.reason, block.type)
                break
            continue
        where = (start, end) if span.inflated else (span.start, span.end)
        yield Unreadable(*where, reason, block.type)
        if stop:
            break
    is_cut_off = not _has_restarts(block) and not stop
    yield from _readable(records, run, end, stop=stop, is_cut_off=is_cut_off)


def _readable(
    records: Records, run: list[Record], end: int, *, stop: bool, is_cut_off: bool
) -> Iterator[Readable]:
    """These records, which follow each other, but for symbolic refs to nothing, as zeros look.

    With `stop`, up to the first, or to one of an update that its table has not. The file was looked at up to
    `end`; with `stop`, up to the end of the last ref that is read.
    """
    if not run:
        return
    block, base, first = records.block, records.base, run[0]
    # The first with its whole key: then they are what the table's own decoders read.
    second, at = get_varint(block.data, get_varint(block.data, first.start - base)[1])
    tail = block.data[at + (second >> 3) : run[-1].end - base]
    alone = encode_head(0, len(first.key), second & 7) + first.key + tail
    block = replace(block, data=alone, records_start=0, records_end=len(alone))
    passed, most = 0, records.header.max_update_index - records.header.min_update_index
    for items in _cut_out(block, records.header):
        kept = items
        if block.type == REF and stop:
            kept = list(takewhile(lambda item: _leads_on(item) and update_deltas([item])[0] <= most, items))
        elif block.type == REF:
            kept = list(filter(_leads_on, items))
        last = passed + len(kept) - 1
        passed += len(items)
        if kept:
            upto = run[last].end if stop and block.type == REF else end
            ends = kept[-1] is not items[-1] or (is_cut_off and passed == len(run))
            found = Readable(block.offset, upto, block.type, kept, records.header, is_whole=False)
            yield found._replace(is_cut_off=ends)
        if stop and len(kept) < len(items):
            break


def _leads_on(item: Encoded) -> bool:
    """Whether a ref is none that names the empty ref."""
    *_, kind, tail_len, encoded = item
    if kind != SYMREF or encoded[-1]:
        return True
    return get_varint(encoded, len(encoded) - tail_len)[1] < len(encoded) - 1


def _search(
    layout: TableLayout, start: int, end: int, limit: int, header: Header, reason: str
) -> Iterator[Readable | Unreadable]:
    """What can be found in a stretch of the file that the layout could make nothing of.

    It begins where a block should, so what is left of that one comes first; further on, only whole blocks
    count. The last one may run over the end, up to `limit`: where the stretch ends was a guess as well.
    """
    if start >= end:
        return
    limit = min(end + _OVERRUN, limit)
    effort = _MOST_EFFORT
    begins = layout.read(start, BLOCK_HEADER_SIZE + 1)
    # Nothing but logs comes behind the first log block; two bytes of a deflate stream show one.
    section = LOG if begins[:1] == b"g" and begins[BLOCK_HEADER_SIZE:] == b"x" else None
    lost = done = start
    for at in chain([start], _candidates(layout.read, start + 1, end)):
        if at < done or effort < 0:
            continue
        # Restart offsets of a file's first block count from the start of the file.
        first = header.size if at == header.size else 0
        block, used, cost = _whole_block(layout.name, layout.read, at, limit, first)
        found = _parts(block, header, at, at + used) if block is not None else ()
        read_to = at + used
        if not found and at == start:
            rest = layout.read(at, min(end - at, _LARGEST_BLOCK))
            found = _cut_block(layout.name, rest, at, first, header, is_last=at + len(rest) == layout.end)
            # What else lies in it may be read as well; of a deflated block it is not known where that is.
            used, read_to = 1, max((one.end for one in found if one.type == REF), default=start)
        if not found:
            effort -= cost
            continue
        if lost < at:
            yield Unreadable(lost, at, reason, section)
        for one in found:
            if isinstance(one, Readable) and one.type == LOG:
                section = LOG
            yield one
        done, lost = at + used, read_to
    if lost < end and not _is_footer(layout.read(lost, min(end - lost, footer_size(2)))):
        yield Unreadable(lost, end, reason, section)


def _candidates(read: Read, start: int, end: int) -> Iterator[int]:
    """Where in a stretch blocks may begin. A file may have gigabytes of zeros, as a power cut leaves them."""
    while start < end:
        data = read(start, min(_WINDOW, end - start) + _START_SIZE - 1)
        if data != _ZEROS[: len(data)]:
            for found in _BLOCK_START.finditer(data):
                yield start + found.start()
        start += _WINDOW


def _is_footer(rest: bytes) -> bool:
    """Whether these bytes at the end of a file are what is left of a footer: no block begins like one."""
    return 0 < len(rest) < footer_size(2) and MAGIC.startswith(rest[: len(MAGIC)])


def _whole_block(name: str, read: Read, at: int, limit: int, first: int) -> tuple[Block | None, int, int]:
    """The block whose type byte is at `at`, if there is a whole one; its length there, and the effort.

    `first` is the size of the file header that lies in front of it.
    """
    head = read(at, _START_SIZE)
    if _BLOCK_START.match(head) is None:
        return None, 0, _LEAST_EFFORT
    block_type, stated = head[0], get_u24(head, 1) - first
    if block_type == LOG:
        size = min(read_size(max(stated, 0)), limit - at)
    elif BLOCK_HEADER_SIZE + RESTART_COUNT_SIZE < stated <= limit - at:
        size = stated
        count = int.from_bytes(read(at + stated - RESTART_COUNT_SIZE, RESTART_COUNT_SIZE), "big")
        restarts = stated - RESTART_COUNT_SIZE - RESTART_SIZE * count
        if restarts <= BLOCK_HEADER_SIZE or read(at + restarts, RESTART_SIZE) != put_u24(
            first + BLOCK_HEADER_SIZE
        ):
            return None, 0, _LEAST_EFFORT
    else:
        return None, 0, _LEAST_EFFORT
    try:
        block = Block.parse(name, bytes(first) + read(at, size), at - first, first, 0)
    except FormatError:
        return None, 0, size
    if get_u24(block.data, block.records_end) != block.records_start:
        return None, 0, len(block.data)
    return block, block.next_offset - at, len(block.data)


def cut_block(
    name: str, data: bytes, offset: int, first: int, *, is_last: bool = False
) -> tuple[Block, bool] | None:
    """What is left of the ref or log block at the beginning of `data`, in a frame that is made up for it.

    All that follow are records, as far as they look like that. False with it for a damaged deflate stream,
    whose last bytes may be wrong; one that has no end is that, too, unless it `is_last` in its file.
    """
    if data[:1] not in (b"r", b"g"):
        return None
    body, is_certain = data[BLOCK_HEADER_SIZE : BLOCK_HEADER_SIZE + _LARGEST_BLOCK], True
    if data[0] == LOG:
        body, is_certain = _inflated_part(body, is_last=is_last)
    head = bytes(first) + data[:BLOCK_HEADER_SIZE]
    end = len(head) + len(body)
    made = head + body + bytes(RESTART_COUNT_SIZE)
    return Block(name, offset, data[0], made, len(head), end, 0, 0, 0), is_certain


def _cut_block(
    name: str, data: bytes, at: int, first: int, header: Header, *, is_last: bool
) -> Collection[Readable]:
    """What is left of the block at the beginning of `data`, up to the first record that cannot be read.

    `is_last` when the file ends with it.
    """
    cut = cut_block(name, data, at - first, first, is_last=is_last)
    if cut is None:
        return ()
    block, is_certain = cut
    found = _parts(block, header, at, at + 1, stop=True)
    restarts = put_u24(first + BLOCK_HEADER_SIZE)

    def fronts() -> Iterator[Readable]:
        for one in found:
            if isinstance(one, Readable):
                rest = data[one.end - at :]
                is_short = is_last and (
                    restarts.startswith(rest[:RESTART_SIZE]) or _begins_a_ref(rest, one.items[-1][0])
                )
                is_cut_off = one.is_cut_off and not is_short
                yield one._replace(is_certain=is_certain, is_front=True, is_cut_off=is_cut_off)

    return _Kept(fronts)


def _begins_a_ref(rest: bytes, key: bytes) -> bool:
    """Whether the bytes behind the ref of this name begin the next one, so that a file was only cut short."""
    try:
        prefix, at = get_varint(rest, 0)
        second, at = get_varint(rest, at)
    except IndexError:
        # Two numbers below 128, or a little more where names are long.
        return not rest or (len(rest) < 4 and min(rest[0], ONE_BYTE) <= len(key))
    except ValueError:
        return False
    name = key[:prefix] + rest[at : at + (second >> 3)]
    is_cut = len(rest) - at < second >> 3
    if prefix > len(key) or second & 7 > SYMREF or not is_refname(name + b"a" * is_cut):
        return False
    return is_cut or name > key


def blocks_within(name: str, data: bytes, start: int, header: Header) -> Iterator[tuple[Block, int, int]]:
    """The whole ref and log blocks in `data`, a stretch from `start` on that the layout makes nothing of.

    Each with where it begins and ends in `data`. What looks like a block may be none.
    """

    def read(offset: int, size: int) -> bytes:
        return data[offset - start : offset - start + size]

    done, end, effort = start, start + len(data), _MOST_EFFORT
    for at in chain([start], _candidates(read, start + 1, end)):
        if at >= done and effort >= 0:
            block, used, cost = _whole_block(name, read, at, end, header.size if at == header.size else 0)
            effort -= 0 if block else cost
            if block is not None:
                yield block, at - start, at - start + used
                done = at + used


def _parts(
    block: Block, header: Header, start: int, end: int, *, stop: bool = False
) -> Collection[Readable | Unreadable]:
    """The records of a block that was found at [start, end), and what cannot be read of it.

    No records at all if they cannot be of this table.
    """
    found = None if stop else _whole(block, header, end)
    if found is None:
        records = Records(block, header)
        found = _Kept(
            lambda: _and_what_is_lost(_sound_records(records, start, end, stop=stop), block, start, end)
        )
    highest = -1
    for one in found:
        if isinstance(one, Readable):
            highest = max(highest, 0, *(ref.update_index for ref in one.refs))
    return found if 0 <= highest <= header.max_update_index else ()


def _and_what_is_lost(
    found: Iterator[Readable | Unreadable], block: Block, start: int, end: int
) -> Iterator[Readable | Unreadable]:
    """The same; where nothing of it tells of a loss, one that does: such a block is not whole."""
    is_told = False
    for one in found:
        is_told = is_told or isinstance(one, Unreadable)
        yield one
    if not is_told:
        yield Unreadable(start, end, "keys that do not ascend, or empty refs", block.type)


def _inflated_part(data: bytes, *, is_last: bool) -> tuple[bytes, bool]:
    """What inflates of a stream: at its end byte by byte, so that all in front of damage comes out.

    False with it when the stream is wrong somewhere. One without an end was cut short where it `is_last` in
    its file; elsewhere damage has taken the end, and the last bytes may be wrong.
    """
    inflater = zlib.decompressobj()
    parts: list[bytes] = []
    at = size = 0
    step = _INFLATED_AT_ONCE
    while at < len(data) and size <= _LARGEST_BLOCK and not inflater.eof:
        before = inflater.copy()
        try:
            parts.append(inflater.decompress(data[at : at + step], _LARGEST_BLOCK - size + 1))
        except zlib.error:
            if step == 1:
                return b"".join(parts), False
            inflater, step = before, 1
            continue
        size += len(parts[-1])
        at += step
    return b"".join(parts)[:_LARGEST_BLOCK], inflater.eof or is_last

"""The records of one block of refs or logs that can be read, and the stretches that cannot.

Of a block without damage these are all, cut up as a compaction does it. Of a damaged one they are those
before the damage, and those from the next restart point on.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from itertools import islice, takewhile
from typing import Final, NamedTuple, TypeVar

from engine.errors import FormatError
from engine.format import (
    LOG,
    PART_KEYS,
    REF,
    RESTART_SIZE,
    SYMREF,
    Block,
    Encoded,
    Excessive,
    Header,
    LogRecord,
    RefRecord,
    add_up,
    encode_head,
    get_varint,
    put_u24,
    split_logs,
    split_refs,
)
from engine.layout import Record, Records
from engine.salvage.items import tightened, update_deltas

_MOST_KEPT: Final = 2
_MOST_IN_RUN: Final = 2**12

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
        """The log entries among the records: all, or none."""
        return [] if self.type != LOG else _joined(self.items).logs(self.header.hash_id.size)


class Unreadable(NamedTuple):
    """Bytes [start, end) of the file in which records may have been, and why they cannot be read.

    `section` is the type of the blocks that were there, as far as that can be told.
    """

    start: int
    end: int
    reason: str
    section: int | None = None


class Kept(Collection[_T]):
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


def whole_records(
    block: Block, header: Header, end: int, last_key: bytes | None = None
) -> Collection[Readable | Unreadable] | None:
    """A block of which nothing is damaged, as nearly all are: cut up as a compaction does it.

    Or one that is sound as far as it is read: keys without end are read up to a limit. `last_key` is what the
    index has.
    """
    with suppress(FormatError):
        return Kept(lambda: _lists(block, header, end, last_key))
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
        flags = {"is_cut_off": not has_restarts(block), "is_misnamed": is_misnamed}
        yield Readable(block.offset, end, block.type, latest, header, is_whole=True, **flags)


def has_restarts(block: Block) -> bool:
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


def sound_records(
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
    is_cut_off = not has_restarts(block) and not stop
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
    places = block.restart_count, block.next_offset, block.padding
    block = Block(block.name, block.offset, block.type, alone, 0, len(alone), *places)
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

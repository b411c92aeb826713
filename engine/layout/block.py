"""The inside of a block as spans: records and their fields, restarts.

    contents     records, restarts, restart count
    record       prefix length; suffix length and type in one number; suffix; the fields of the
                 tail, which depend on the type (see `codec.py`)

A damaged record becomes a leaf up to the next restart point, where a whole key is, and records go
on from there. Nothing trusts a length or a count, and no key is kept longer than it is needed: a
few bytes may make thousands of long keys.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Generator, Iterator
from enum import Enum, auto
from typing import Final

from engine.errors import FormatError
from engine.format import (
    DELETION,
    INDEX,
    LOG,
    LOG_KEY_TAIL,
    LOG_UPDATE,
    OBJ,
    REF,
    RESTART_COUNT_SIZE,
    RESTART_SIZE,
    SECTION_NAMES,
    SYMREF,
    U64_MAX,
    VAL1,
    VAL2,
    Block,
    Header,
    Malformed,
    decode_log_key,
    get_u24,
    get_varint,
)
from engine.layout.span import Group, Span, SpanKind, Value


class Form(Enum):
    """How a field of a record's tail is stored."""

    DELTA = auto()  # varint above the table's lowest update index
    POSITION = auto()  # varint
    NUMBER = auto()  # varint
    ZONE = auto()  # i16
    HASH = auto()  # an object id
    STRING = auto()  # varint(length) bytes


Tail = tuple[tuple[str, Form], ...]

_UPDATE_INDEX: Final = ("update index", Form.DELTA)
_OBJECT_ID: Final = ("object id", Form.HASH)

# By type: its name, and the fields of the tail. Object records are not here: how many fields they have is in
# their type.
_TAILS: Final[dict[int, dict[int, tuple[str | None, Tail]]]] = {
    REF: {
        DELETION: ("deletion", (_UPDATE_INDEX,)),
        VAL1: ("val1", (_UPDATE_INDEX, _OBJECT_ID)),
        VAL2: ("val2", (_UPDATE_INDEX, _OBJECT_ID, ("peeled object id", Form.HASH))),
        SYMREF: ("symref", (_UPDATE_INDEX, ("target", Form.STRING))),
    },
    LOG: {
        DELETION: ("deletion", ()),
        LOG_UPDATE: (
            "update",
            (
                ("old object id", Form.HASH),
                ("new object id", Form.HASH),
                ("committer", Form.STRING),
                ("email", Form.STRING),
                ("time", Form.NUMBER),
                ("zone", Form.ZONE),
                ("message", Form.STRING),
            ),
        ),
    },
    INDEX: {0: (None, (("block offset", Form.POSITION),))},
    OBJ: {},
}
_TYPE_FIELDS: Final = {REF: "value type", LOG: "log type", OBJ: "offset count", INDEX: "type"}


def _head(data: bytes, pos: int) -> tuple[int, int, int, int]:
    """Prefix length, suffix length and type of the record at `pos`, and where its suffix begins."""
    prefix = data[pos]
    second = data[pos + 1]
    at = pos + 2
    if (prefix | second) >= 0x80:
        prefix, at = get_varint(data, pos)
        second, at = get_varint(data, at)
    return prefix, second >> 3, second & 7, at


class Records(Group):
    """The records of a block: `Record` spans, and a leaf for each damaged stretch.

    Records are numbered from 0, each damaged stretch counted as one. Where they begin is found out only as
    far as it is asked for. `base` is what to add to a position in the block.
    """

    __slots__ = ("_errors", "_resume", "_starts", "_walk", "base", "block", "hash_size", "header")

    def __init__(self, block: Block, header: Header) -> None:
        self.block = block
        self.header = header
        self.hash_size = header.hash_id.size
        is_log = block.type == LOG
        self.base = 0 if is_log else block.offset
        start, end = self.base + block.records_start, self.base + block.records_end
        super().__init__(start, end, "records", SpanKind.RECORDS, inflated=is_log)
        self._starts = array("I")  # a block is smaller than 2**24
        self._errors: dict[int, FormatError] = {}
        self._resume: list[int] | None = None
        self._walk = self._find_records()

    def parts(self) -> Iterator[Span]:
        """The contents of the block: records, restarts, and the number of restarts."""
        yield self
        yield Restarts(self)
        block = self.block
        at = block.block_len - RESTART_COUNT_SIZE
        yield self.leaf(at, block.block_len, "restart count", SpanKind.NUMBER, block.restart_count)

    def leaf(
        self,
        start: int,
        end: int,
        name: str,
        kind: SpanKind,
        value: Value = None,
        meaning: Value = None,
        error: FormatError | None = None,
    ) -> Span:
        """A leaf at these positions in the block."""
        base = self.base
        return Span(base + start, base + end, name, kind, value, meaning, error, inflated=self.inflated)

    def _has(self, number: int) -> bool:
        """Whether there is a record of this number; finds those before it."""
        while len(self._starts) <= number:
            start = next(self._walk, None)
            if start is None:
                return False
            self._starts.append(start)
        return True

    def count(self) -> int:
        """The number of records; finds all of them."""
        self._starts.extend(self._walk)
        return len(self._starts)

    def errors(self) -> list[FormatError]:
        """What is wrong with them, one error for each damaged stretch; finds all records."""
        self.count()
        return list(self._errors.values())

    def damaged(self) -> Iterator[Span]:
        """The damaged stretches, in order; finds all records."""
        self.count()
        for start in self._errors:
            yield next(self.children(bisect_right(self._starts, start) - 1))

    def start_of(self, number: int) -> int | None:
        """The position of the record of this number, or None if there are fewer; finds those before it."""
        return self.base + self._starts[number] if self._has(number) else None

    def number_at(self, position: int) -> int:
        """The number of the record that covers a position, which lies in the records."""
        starts, pos = self._starts, position - self.base
        while (not starts or starts[-1] <= pos) and self._has(len(starts)):
            pass
        return bisect_right(starts, pos) - 1

    def children(self, first: int = 0) -> Iterator[Span]:
        """The records from number `first` on; those before it are passed, but not made."""
        data = self.block.data
        key = self._key(first - 1) if first and self._has(first - 1) else b""
        number = first
        while self._has(number):
            start = self._starts[number]
            end = self._starts[number + 1] if self._has(number + 1) else self.block.records_end
            error = self._errors.get(start)
            if error is not None:
                yield self.leaf(start, end, "damaged record", SpanKind.RECORD, error=error)
            else:
                prefix, size, _, at = _head(data, start)
                key = key[:prefix] + data[at : at + size]
                yield Record(self, start, end, number, key)
            number += 1

    def fields(self, start: int) -> Iterator[Span]:
        """The fields of the sound record that begins at `start`."""
        data, block_type = self.block.data, self.block.type
        prefix, size, kind, suffix = _head(data, start)
        second = get_varint(data, start)[1]
        yield self.leaf(start, second, "prefix length", SpanKind.NUMBER, prefix)
        yield self.leaf(second, suffix, "suffix length", SpanKind.NUMBER, size)
        meaning, tail = _TAILS[block_type].get(kind, (None, ()))
        yield self.leaf(second, suffix, _TYPE_FIELDS[block_type], SpanKind.NUMBER, kind, meaning)
        at = suffix + size
        if size:
            text = SpanKind.HASH if block_type == OBJ else SpanKind.TEXT
            yield self.leaf(suffix, at, "suffix", text, data[suffix:at])
        if block_type == OBJ:
            yield from self._offsets(at, kind)
        else:
            for name, form in tail:
                at = yield from self._field(at, name, form)

    def index_offsets(self) -> Iterator[int]:
        """Where the sound records of an index block point to."""
        data = self.block.data
        number = 0
        while self._has(number):
            start = self._starts[number]
            if start not in self._errors:
                _, size, _, at = _head(data, start)
                yield get_varint(data, at + size)[0]
            number += 1

    def _field(self, at: int, name: str, form: Form) -> Generator[Span, None, int]:
        """The leaves of a field of a tail; returns where it ends."""
        data = self.block.data
        if form is Form.HASH:
            stop = at + self.hash_size
            yield self.leaf(at, stop, name, SpanKind.HASH, data[at:stop])
            return stop
        if form is Form.ZONE:
            zone = int.from_bytes(data[at : at + 2], "big", signed=True)
            yield self.leaf(at, at + 2, name, SpanKind.NUMBER, zone)
            return at + 2
        value, stop = get_varint(data, at)
        if form is Form.STRING:
            yield self.leaf(at, stop, f"{name} length", SpanKind.NUMBER, value)
            at, stop = stop, stop + value
            if value:
                yield self.leaf(at, stop, name, SpanKind.TEXT, data[at:stop])
            return stop
        kind = SpanKind.POSITION if form is Form.POSITION else SpanKind.NUMBER
        absolute = self.header.min_update_index + value if form is Form.DELTA else None
        yield self.leaf(at, stop, name, kind, value, absolute)
        return stop

    def _offsets(self, at: int, count: int) -> Iterator[Span]:
        data = self.block.data
        if count == 0:
            count, stop = get_varint(data, at)
            yield self.leaf(at, stop, "long offset count", SpanKind.NUMBER, count)
            at = stop
        offset = 0
        for _ in range(count):
            delta, stop = get_varint(data, at)
            offset += delta
            yield self.leaf(at, stop, "ref block offset", SpanKind.POSITION, delta, offset)
            at = stop

    def _find_records(self) -> Iterator[int]:
        """Where records begin. Damaged ones, up to the next restart point, are noted on the way."""
        block, end = self.block, self.block.records_end
        # Changed in place: to copy long keys that share almost everything would never end.
        key = bytearray()
        pos = block.records_start
        while pos < end:
            start = pos
            try:
                pos = self._skip(start, key)
            except Malformed as error:
                self._errors[start] = block.error(error.pos, error.reason)
            except (IndexError, ValueError):
                section = SECTION_NAMES[block.type]
                self._errors[start] = block.error(start, f"a {section} record runs over its block")
            else:
                if pos > end:
                    reason = f"the record runs {pos - end} bytes over the end of the records"
                    self._errors[start] = block.error(start, reason)
            if start in self._errors:
                pos = self._next_restart(start)
                key.clear()
            yield start

    def _skip(self, start: int, key: bytearray) -> int:
        """Make the key of the record before into that of the one at `start`; return where that one ends."""
        data, block_type = self.block.data, self.block.type
        prefix, size, kind, at = _head(data, start)
        if prefix > len(key):
            raise Malformed(start, f"shares {prefix} bytes with a key of {len(key)}")
        if not prefix + size:
            raise Malformed(start, "an empty key")
        del key[prefix:]
        key += data[at : at + size]
        at += size
        if block_type == OBJ:
            if kind == 0:
                kind, at = get_varint(data, at)
            for number in range(kind):
                delta, at = get_varint(data, at)
                if number and not delta:
                    raise Malformed(start, "offsets that do not ascend")
            return at
        if kind not in _TAILS[block_type]:
            raise Malformed(start, f"unknown {_TYPE_FIELDS[block_type]} {kind}")
        if block_type == LOG and (len(key) <= LOG_KEY_TAIL or key[-LOG_KEY_TAIL]):
            raise Malformed(start, "a log key without a name, NUL and update index")
        for _, form in _TAILS[block_type][kind][1]:
            if form is Form.HASH:
                at += self.hash_size
            elif form is Form.ZONE:
                at += 2
            else:
                value = data[at]
                at += 1
                if value >= 0x80:
                    value, at = get_varint(data, at - 1)
                if form is Form.STRING:
                    at += value
                elif form is Form.DELTA and value > U64_MAX - self.header.min_update_index:
                    raise Malformed(start, "an update index above 2**64-1")
        return at

    def _next_restart(self, pos: int) -> int:
        """The first restart point behind `pos`, or the end of the records."""
        block = self.block
        if self._resume is None:
            ends = range(block.records_end, block.block_len - RESTART_COUNT_SIZE, RESTART_SIZE)
            self._resume = sorted(get_u24(block.data, at) for at in ends)
        following = bisect_right(self._resume, pos)
        if following == len(self._resume):
            return block.records_end
        return min(self._resume[following], block.records_end)

    def _key(self, number: int) -> bytes:
        """The key of a record that was found; empty if it is damaged."""
        if self._starts[number] in self._errors:
            return b""
        data = self.block.data
        needed, size, _, at = _head(data, self._starts[number])
        pieces = [data[at : at + size]]
        # Backwards, each record before adds what it does not share with its own predecessor.
        while needed:
            number -= 1
            prefix, _, _, at = _head(data, self._starts[number])
            if prefix < needed:
                pieces.append(data[at : at + needed - prefix])
                needed = prefix
        return b"".join(reversed(pieces))


class Record(Group):
    """One record: `number` counts from 0 in its block, `key` is whole.

    `value` is the key as far as it is a name (or the beginning of an object id); in a log record,
    `meaning` is the update index that the key ends in.
    """

    __slots__ = ("_records", "key", "number", "type")

    def __init__(self, records: Records, start: int, end: int, number: int, key: bytes) -> None:
        block_type, base = records.block.type, records.base
        name, update_index = decode_log_key(key, start) if block_type == LOG else (key, None)
        title = f"{SECTION_NAMES[block_type]} record"
        super().__init__(
            base + start, base + end, title, SpanKind.RECORD, name, update_index, inflated=records.inflated
        )
        self.type = block_type
        self.number = number
        self.key = key
        self._records = records

    def children(self) -> Iterator[Span]:
        """The fields."""
        return self._records.fields(self.start - self._records.base)


class Restarts(Group):
    """The restart offsets of a block; the meaning of each is the key of the record it leads to."""

    __slots__ = ("_records",)

    def __init__(self, records: Records) -> None:
        block, base = records.block, records.base
        start, end = base + block.records_end, base + block.block_len - RESTART_COUNT_SIZE
        super().__init__(start, end, "restarts", SpanKind.RESTARTS, inflated=records.inflated)
        self._records = records

    def children(self, first: int = 0) -> Iterator[Span]:
        """The restart offsets from number `first` on."""
        return map(self._restart, range(first, self._records.block.restart_count))

    def _restart(self, index: int) -> Span:
        records = self._records
        block = records.block
        at = block.records_end + RESTART_SIZE * index
        offset = get_u24(block.data, at)
        key: bytes | None = None
        error: FormatError | None = None
        try:
            start = records.base + block.restart(index)
            if records.start_of(records.number_at(start)) != start:
                raise block.error(at, f"restart offset {offset} leads into the middle of a record")
            key = block.restart_key(index)
        except FormatError as found:
            error = found
        return records.leaf(at, at + RESTART_SIZE, "restart offset", SpanKind.NUMBER, offset, key, error)

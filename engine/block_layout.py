"""The meaning of each byte of a block: its frame, its records and their fields, restarts, padding.

A `Span` is a run of bytes with a name; one that is a field also has a value. A `Group` is a span
made of others, which are made when they are asked for and forgotten afterwards, so that a view may
hold a tree over a table of any size and open only what is looked at.

    block        type, block length, then the contents, then padding
    contents     records, restarts, restart count; in a log block below a span `deflated`
    record       prefix length, suffix length and type in one number, suffix, and the fields of
                 the tail (see `record.py`)

Below a group, leaves follow each other without gap or overlap; only two numbers that the format
packs into one are two leaves over the same bytes. Positions are those of the file. Below the
deflated bytes of a log block they are positions in the inflated block, counted as its restart
offsets are, and the spans say so (`inflated`).

Nothing here raises for wrong bytes: a span that cannot be understood carries its `FormatError`,
and what follows goes on at the next restart point. No key is kept longer than it is needed, so
that a few bytes which stand for many long keys take no more memory than others.

Where blocks lie in a table is `layout.py`'s.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from typing import Final

from engine.block import Block, read_size
from engine.errors import FormatError
from engine.format import (
    BLOCK_HEADER_SIZE,
    DEFAULT_BLOCK_SIZE,
    INDEX,
    LOG,
    OBJ,
    REF,
    RESTART_COUNT_SIZE,
    RESTART_SIZE,
    SECTION_NAMES,
    U64_MAX,
    Header,
    get_u24,
    get_varint,
)
from engine.record import DELETION, LOG_UPDATE, SYMREF, VAL1, VAL2, Malformed

Value = int | bytes | str | None
"""A field's value: bytes as they are stored, text only where it is ours."""

Read = Callable[[int, int], bytes]
"""read(offset, size): bytes of a file, fewer where it ends. May raise `OSError`."""


class Kind(StrEnum):
    """What a span is, for whoever draws it: groups first, then what the value of a leaf means."""

    TABLE = auto()
    HEADER = auto()
    SECTION = auto()
    BLOCK = auto()
    DEFLATED = auto()
    RECORDS = auto()
    RECORD = auto()
    RESTARTS = auto()
    FOOTER = auto()
    NUMBER = auto()
    POSITION = auto()  # of a block in the file
    TEXT = auto()  # bytes that somebody may read: a name, a message, a magic
    HASH = auto()  # an object id, or the beginning of one
    CHECKSUM = auto()
    PADDING = auto()
    UNKNOWN = auto()  # bytes of which nothing is known


@dataclass(slots=True)
class Span:
    """Bytes `start` to `end` (half-open) of a table, and what they are.

    `value` is what is stored; `meaning` is what that stands for where it is something else (an
    update index for a difference, the key for a restart offset, the CRC that should be there).
    A span with an `error` is damaged. With `inflated`, positions are those of an inflated log
    block instead of the file's.
    """

    start: int
    end: int
    name: str
    kind: Kind
    value: Value = None
    meaning: Value = None
    error: FormatError | None = None
    inflated: bool = False


class Group(Span, ABC):
    """A span that is made of others."""

    __slots__ = ()

    @abstractmethod
    def children(self) -> Iterator[Span]:
        """The spans that this one is made of, in order, made as they are asked for."""

    def child_at(self, position: int) -> Span | None:
        """The first child that covers `position`, or None if there is none."""
        return next((child for child in self.children() if child.start <= position < child.end), None)

    def path(self, position: int) -> list[Span]:
        """The spans that cover `position`, from this one down to a leaf.

        A position of the file leads no deeper than to the deflated bytes of a log block. Their
        own `path` takes positions in the inflated block.
        """
        spans: list[Span] = [self]
        group: Group = self
        while (child := group.child_at(position)) is not None:
            spans.append(child)
            if not isinstance(child, Group) or child.kind is Kind.DEFLATED:
                break
            group = child
        return spans


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

# Object records are not here: how many fields they have is in their type.
_TAILS: Final[dict[int, dict[int, Tail]]] = {
    REF: {
        DELETION: (_UPDATE_INDEX,),
        VAL1: (_UPDATE_INDEX, _OBJECT_ID),
        VAL2: (_UPDATE_INDEX, _OBJECT_ID, ("peeled object id", Form.HASH)),
        SYMREF: (_UPDATE_INDEX, ("target", Form.STRING)),
    },
    LOG: {
        DELETION: (),
        LOG_UPDATE: (
            ("old object id", Form.HASH),
            ("new object id", Form.HASH),
            ("committer", Form.STRING),
            ("email", Form.STRING),
            ("time", Form.NUMBER),
            ("zone", Form.ZONE),
            ("message", Form.STRING),
        ),
    },
    INDEX: {0: (("block offset", Form.POSITION),)},
}
_TYPE_NAMES: Final = {
    (REF, DELETION): "deletion",
    (REF, VAL1): "val1",
    (REF, VAL2): "val2",
    (REF, SYMREF): "symref",
    (LOG, DELETION): "deletion",
    (LOG, LOG_UPDATE): "update",
}
_TYPE_FIELDS: Final = {REF: "value type", LOG: "log type", OBJ: "offset count", INDEX: "type"}

# The NUL and the update index at the end of a log record's key.
_LOG_KEY_TAIL: Final = 9


def _head(data: bytes, pos: int) -> tuple[int, int, int, int]:
    """Prefix length, suffix length and type of the record at `pos`, and where its suffix begins."""
    prefix, at = get_varint(data, pos)
    second, at = get_varint(data, at)
    return prefix, second >> 3, second & 7, at


class Contents:
    """The inside of one block. Where records begin is found out as far as somebody asks."""

    __slots__ = ("_errors", "_resume", "_starts", "_walk", "base", "block", "hash_size", "header", "inflated")

    def __init__(self, block: Block, header: Header) -> None:
        self.block = block
        self.header = header
        self.hash_size = header.hash_id.size
        self.inflated = block.type == LOG
        self.base = 0 if self.inflated else block.offset
        self._starts = array("L")
        self._errors: dict[int, FormatError] = {}
        self._resume: list[int] | None = None
        self._walk = self._find_records()

    def parts(self) -> Iterator[Span]:
        """Records, restarts, and the number of restarts."""
        yield Records(self)
        yield Restarts(self)
        block = self.block
        at = block.block_len - RESTART_COUNT_SIZE
        yield self.span(at, block.block_len, "restart count", Kind.NUMBER, block.restart_count)

    def span(
        self,
        start: int,
        end: int,
        name: str,
        kind: Kind,
        value: Value = None,
        meaning: Value = None,
        error: FormatError | None = None,
    ) -> Span:
        """A leaf at these positions in the block."""
        base = self.base
        return Span(base + start, base + end, name, kind, value, meaning, error, self.inflated)

    def error(self, pos: int, reason: str) -> FormatError:
        """What is wrong at a position in the block."""
        return FormatError(self.block.name, self.block.offset + pos, reason)

    def has(self, number: int) -> bool:
        """Whether there is a record of this number; finds those before it."""
        while len(self._starts) <= number:
            start = next(self._walk, None)
            if start is None:
                return False
            self._starts.append(start)
        return True

    def count(self) -> int:
        """The number of records, damaged ones among them; finds all of them."""
        self._starts.extend(self._walk)
        return len(self._starts)

    def errors(self) -> list[FormatError]:
        """What is wrong with records, in their order; finds all of them."""
        self.count()
        return list(self._errors.values())

    def number_at(self, pos: int) -> int:
        """The number of the record that covers a position, which lies in the records."""
        starts = self._starts
        while (not starts or starts[-1] <= pos) and self.has(len(starts)):
            pass
        return bisect_right(starts, pos) - 1

    def begins_record(self, pos: int) -> bool:
        """Whether a record begins at a position, which lies in the records."""
        return self._starts[self.number_at(pos)] == pos

    def records(self, first: int) -> Iterator[Span]:
        """The records from this number on: `Record` spans, and leaves where they are damaged."""
        data = self.block.data
        key = self._key(first - 1) if first and self.has(first - 1) else b""
        number = first
        while self.has(number):
            start = self._starts[number]
            end = self._starts[number + 1] if self.has(number + 1) else self.block.records_end
            error = self._errors.get(start)
            if error is not None:
                key = b""
                yield self.span(start, end, "damaged record", Kind.RECORD, error=error)
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
        yield self.span(start, second, "prefix length", Kind.NUMBER, prefix)
        yield self.span(second, suffix, "suffix length", Kind.NUMBER, size)
        meaning = _TYPE_NAMES.get((block_type, kind))
        yield self.span(second, suffix, _TYPE_FIELDS[block_type], Kind.NUMBER, kind, meaning)
        at = suffix + size
        if size:
            text = Kind.HASH if block_type == OBJ else Kind.TEXT
            yield self.span(suffix, at, "suffix", text, data[suffix:at])
        if block_type == OBJ:
            yield from self._offsets(at, kind)
        else:
            for name, form in _TAILS[block_type][kind]:
                for field in self._field(at, name, form):
                    yield field
                    at = field.end - self.base

    def index_offsets(self) -> Iterator[int]:
        """Where the sound records of an index block point to."""
        data = self.block.data
        for number in range(self.count()):
            start = self._starts[number]
            if start not in self._errors:
                _, size, _, at = _head(data, start)
                yield get_varint(data, at + size)[0]

    def _field(self, at: int, name: str, form: Form) -> Iterator[Span]:
        data = self.block.data
        if form is Form.HASH:
            stop = at + self.hash_size
            yield self.span(at, stop, name, Kind.HASH, data[at:stop])
        elif form is Form.ZONE:
            zone = int.from_bytes(data[at : at + 2], "big", signed=True)
            yield self.span(at, at + 2, name, Kind.NUMBER, zone)
        else:
            value, stop = get_varint(data, at)
            if form is Form.STRING:
                yield self.span(at, stop, f"{name} length", Kind.NUMBER, value)
                if value:
                    text = data[stop : stop + value]
                    yield self.span(stop, stop + value, name, Kind.TEXT, text)
            elif form is Form.DELTA:
                absolute = self.header.min_update_index + value
                yield self.span(at, stop, name, Kind.NUMBER, value, absolute)
            else:
                kind = Kind.POSITION if form is Form.POSITION else Kind.NUMBER
                yield self.span(at, stop, name, kind, value)

    def _offsets(self, at: int, count: int) -> Iterator[Span]:
        data = self.block.data
        if count == 0:
            count, stop = get_varint(data, at)
            yield self.span(at, stop, "long offset count", Kind.NUMBER, count)
            at = stop
        offset = 0
        for _ in range(count):
            delta, stop = get_varint(data, at)
            offset += delta
            yield self.span(at, stop, "ref block offset", Kind.POSITION, delta, offset)
            at = stop

    def _find_records(self) -> Iterator[int]:
        """Where records begin. Damaged ones, up to the next restart point, are noted on the way."""
        end = self.block.records_end
        # Changed in place: to copy long keys that share almost everything would never end.
        key = bytearray()
        pos = self.block.records_start
        while pos < end:
            start = pos
            try:
                pos = self._skip(start, key)
                if pos > end:
                    raise Malformed(start, f"the record runs {pos - end} bytes over the end of the records")
            except Malformed as error:
                self._errors[start] = self.error(error.pos, error.reason)
            except (IndexError, ValueError):
                section = SECTION_NAMES[self.block.type]
                self._errors[start] = self.error(start, f"a {section} record runs over its block")
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
            for _ in range(kind):
                at = get_varint(data, at)[1]
            return at
        tail = _TAILS[block_type].get(kind)
        if tail is None:
            raise Malformed(start, f"unknown {_TYPE_FIELDS[block_type]} {kind}")
        if block_type == LOG and (len(key) <= _LOG_KEY_TAIL or key[-_LOG_KEY_TAIL]):
            raise Malformed(start, "a log key without a name, NUL and update index")
        for _, form in tail:
            if form is Form.HASH:
                at += self.hash_size
            elif form is Form.ZONE:
                at += 2
            else:
                value, at = get_varint(data, at)
                if form is Form.STRING:
                    at += value
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


class Records(Group):
    """The records of a block: `Record` spans, and a leaf for each stretch that is damaged."""

    __slots__ = ("_contents",)

    def __init__(self, contents: Contents) -> None:
        block, base = contents.block, contents.base
        start, end = base + block.records_start, base + block.records_end
        super().__init__(start, end, "records", Kind.RECORDS, inflated=contents.inflated)
        self._contents = contents

    def children(self, first: int = 0) -> Iterator[Span]:
        """The records from number `first` on; those before it are passed, but not made."""
        return self._contents.records(first)

    def child_at(self, position: int) -> Span | None:
        """The record that covers `position`."""
        if not self.start <= position < self.end:
            return None
        return next(self.children(self._contents.number_at(position - self._contents.base)))

    def number_at(self, position: int) -> int:
        """The number of the record that covers `position`, which lies in the records."""
        return self._contents.number_at(position - self._contents.base)

    def count(self) -> int:
        """The number of records, each damaged stretch counted as one; passes all of them."""
        return self._contents.count()

    def errors(self) -> list[FormatError]:
        """What is wrong with them, one error for each damaged stretch; passes all of them."""
        return self._contents.errors()


class Record(Group):
    """One record: `number` counts from 0 in its block, `key` is whole.

    `value` is the key as far as it is a name (or the beginning of an object id); in a log record,
    `meaning` is the update index that the key ends in.
    """

    __slots__ = ("_contents", "key", "number", "type")

    def __init__(self, contents: Contents, start: int, end: int, number: int, key: bytes) -> None:
        block_type, base = contents.block.type, contents.base
        name, update_index = key, None
        if block_type == LOG:
            name = key[:-_LOG_KEY_TAIL]
            update_index = U64_MAX - int.from_bytes(key[1 - _LOG_KEY_TAIL :], "big")
        title = f"{SECTION_NAMES[block_type]} record"
        super().__init__(base + start, base + end, title, Kind.RECORD, name, update_index)
        self.inflated = contents.inflated
        self.type = block_type
        self.number = number
        self.key = key
        self._contents = contents

    def children(self) -> Iterator[Span]:
        """The fields."""
        return self._contents.fields(self.start - self._contents.base)


class Restarts(Group):
    """The restart offsets of a block; the meaning of each is the key of the record it leads to."""

    __slots__ = ("_contents",)

    def __init__(self, contents: Contents) -> None:
        block, base = contents.block, contents.base
        start, end = base + block.records_end, base + block.block_len - RESTART_COUNT_SIZE
        super().__init__(start, end, "restarts", Kind.RESTARTS, inflated=contents.inflated)
        self._contents = contents

    def children(self, first: int = 0) -> Iterator[Span]:
        """The restart offsets from number `first` on."""
        return map(self._restart, range(first, self._contents.block.restart_count))

    def child_at(self, position: int) -> Span | None:
        """The restart offset that covers `position`."""
        if not self.start <= position < self.end:
            return None
        return self._restart((position - self.start) // RESTART_SIZE)

    def _restart(self, index: int) -> Span:
        contents = self._contents
        block = contents.block
        at = block.records_end + RESTART_SIZE * index
        offset = get_u24(block.data, at)
        key: bytes | None = None
        error: FormatError | None = None
        try:
            if not contents.begins_record(block.restart(index)):
                raise contents.error(at, f"restart offset {offset} leads into the middle of a record")
            key = block.restart_key(index)
        except FormatError as found:
            error = found
        return contents.span(at, at + RESTART_SIZE, "restart offset", Kind.NUMBER, offset, key, error)


class Deflated(Group):
    """The deflated bytes of a log block; what is below them has positions in the inflated block."""

    __slots__ = ("_block",)

    def __init__(self, start: int, end: int, block: BlockSpan) -> None:
        super().__init__(start, end, "deflated", Kind.DEFLATED)
        self._block = block

    def children(self) -> Iterator[Span]:
        """The contents of the block, in inflated positions."""
        return self._block.contents().parts()


class BlockSpan(Group):
    """One block whose frame is sound. Holds no bytes: they are read again when it is opened.

    `offset` is where the block begins for indexes and footer: 0 for the first, whose span begins
    behind the file header. `section` is the type of the section (for an index block of the one that
    it indexes), `level` how many index levels lie below and 0 for all other blocks; both are None
    where that cannot be told. `block_len`, `records_end` and `restart_count` are those of the
    block's own frame, `next_offset` is where the next block begins.
    """

    __slots__ = (
        "_reader",
        "block_len",
        "level",
        "next_offset",
        "offset",
        "padding",
        "records_end",
        "restart_count",
        "section",
        "type",
    )

    def __init__(
        self,
        reader: BlockReader,
        block: Block,
        end: int,
        section: int | None,
        level: int | None,
        error: FormatError | None,
    ) -> None:
        start = block.offset or reader.header.size
        super().__init__(start, end, f"{SECTION_NAMES[block.type]} block", Kind.BLOCK, error=error)
        self._reader = reader
        self.section = section
        self.level = level
        self.type = block.type
        self.offset = block.offset
        self.block_len = block.block_len
        self.records_end = block.records_end
        self.restart_count = block.restart_count
        self.next_offset = end
        self.padding = end - (block.next_offset - block.padding)

    @property
    def file_len(self) -> int:
        """Bytes that the block takes in the file, without padding: of a log block when deflated."""
        return self.next_offset - self.padding - self.offset

    def contents(self) -> Contents:
        """The block, read again."""
        return self._reader.contents(self.offset)

    def records(self) -> Records:
        """The group of its records."""
        return Records(self.contents())

    def data(self) -> bytes:
        """The block's bytes (of a log block inflated); positions in the block are indexes into these."""
        return self.contents().block.data

    def children(self) -> Iterator[Span]:
        """Type, length, contents, padding."""
        length_at = self.start + 1
        stop = self.start + BLOCK_HEADER_SIZE
        end = self.next_offset - self.padding
        yield Span(self.start, length_at, "type", Kind.TEXT, bytes((self.type,)))
        yield Span(length_at, stop, "block length", Kind.NUMBER, self.block_len)
        if self.type == LOG:
            yield Deflated(stop, end, self)
        else:
            yield from self.contents().parts()
        if self.padding:
            yield self._padding(end)

    def _padding(self, start: int) -> Span:
        raw = self._reader.read(start, self.padding)
        zeros = len(raw) - len(raw.lstrip(b"\0"))
        error = None
        if zeros < len(raw):
            error = FormatError(self._reader.name, start + zeros, "padding that is not zero")
        return Span(start, self.next_offset, "padding", Kind.PADDING, error=error)


class BlockReader:
    """Reads the blocks of one table by offset, and keeps the contents of the one last opened.

    `end` is where the table's blocks end.
    """

    __slots__ = ("_opened", "end", "header", "name", "read")

    def __init__(self, name: str, read: Read, header: Header, end: int) -> None:
        self.name = name
        self.read = read
        self.header = header
        self.end = end
        self._opened: Contents | None = None

    def block_at(self, offset: int) -> Block:
        """The block at `offset`, which may claim padding beyond the end. Raises `FormatError`."""
        first = 0 if offset else self.header.size
        block_size = self.header.block_size
        left = self.end - offset
        data = self.read(offset, min(read_size(block_size or DEFAULT_BLOCK_SIZE), left))
        if len(data) >= first + BLOCK_HEADER_SIZE:
            size = read_size(get_u24(data, first + 1))
            if size > len(data) and left > len(data):
                data = self.read(offset, min(size, left))
        return Block.parse(self.name, data, offset, first, block_size)

    def contents(self, offset: int) -> Contents:
        """The contents of a block that was there before. Raises `FormatError` if the file was changed."""
        if self._opened is None or self._opened.block.offset != offset:
            self._opened = Contents(self.block_at(offset), self.header)
        return self._opened

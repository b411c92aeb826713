"""The meaning of each byte of a table: header, sections, blocks, footer, as spans (see `span.py`).

    table      header, sections in the order of the file, footer
    section    the blocks of a section, then its index level by level from the lowest
               (see `section.py`, and `block.py` for what is in a block)

The file may be no sound table at all. What cannot be understood is a span with a `FormatError`, and
what follows is found again by footer, index or block size:

    footer with a valid CRC-32    its copy of the header is used, rather than the header
    footer without                its offsets are followed to blocks of the right type
    no footer                     the file was cut short: one section up to its end

To open a layout reads header, footer, and one block of each index level, whatever the size of the table.
Blocks are read when their section is opened, or when a position in them is looked up.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from engine.errors import ChecksumError, FormatError
from engine.format import (
    BLOCK_TYPES,
    CRC,
    FOOTER_FIELDS,
    INDEX,
    LOG,
    MAGIC,
    MAX_OBJECT_ID_LEN,
    NO_OBJECT_ID_LEN,
    OBJ,
    OBJ_OFFSET,
    OBJECT_ID_LEN_BITS,
    REF,
    SECTION_NAMES,
    Block,
    Footer,
    Header,
    Read,
    checksum_fault,
    checksums,
    footer_size,
    header_fields,
    header_size,
)
from engine.layout.block import Record
from engine.layout.section import BlockReader, Section
from engine.layout.span import Group, Span, SpanKind

_TEXT_FIELDS: Final = {"magic", "hash id"}

_Starts = dict[int, tuple[int, int | None, FormatError | None]]
"""Where sections and levels of indexes begin: type of the section, level, what is wrong with the index."""

_MOST_LEVELS: Final = 1000
"""An index may lose a single block from one level to the next, but no such table is of use."""


class Fields(Group):
    """Fields of fixed sizes: the header, the footer."""

    __slots__ = ("fields",)

    def __init__(self, name: str, kind: SpanKind, fields: list[Span]) -> None:
        super().__init__(fields[0].start, fields[-1].end, name, kind)
        self.fields = fields

    def children(self) -> Iterator[Span]:
        """The fields."""
        return iter(self.fields)

    def errors(self) -> list[FormatError]:
        """What is wrong with them."""
        return [field.error for field in self.fields if field.error is not None]


class TableLayout(Group):
    """The layout of one file. For one thread at a time.

    `header` and `footer` are None where there is none; `error` then says so. `read` is the function
    that the layout reads the file with, for views that show its bytes.
    """

    __slots__ = ("_reader", "footer", "header", "read", "sections")

    def __init__(self, name: str, size: int, read: Read) -> None:
        """The layout of a file `name` of `size` bytes. Raises what `read` raises and nothing else."""
        super().__init__(0, size, name, SpanKind.TABLE)
        self.read = read
        self.header: Fields | None = None
        self.footer: Fields | None = None
        self.sections: tuple[Section, ...] = ()
        header, end = _find_header(name, size, read)
        if header is None:
            self.error = FormatError(name, 0, "neither a header nor a footer: not a reftable")
            return
        self._reader = BlockReader(name, read, header, end)
        self.header = Fields("header", SpanKind.HEADER, self._header_fields(0, "differs from the footer's"))
        if end < size:
            fields, footer = self._footer_fields()
            self.footer = Fields("footer", SpanKind.FOOTER, fields)
            self.sections = self._find_sections(footer)
        else:
            self.error = FormatError(name, size, "no footer: the file was cut short")
            if header.size < end:
                self.sections = (Section(self._reader, 0, end, None, None, BLOCK_TYPES),)

    @property
    def used_header(self) -> Header | None:
        """The header that the layout was made by; None where there is none."""
        return None if self.header is None else self._reader.header

    def children(self) -> Iterator[Span]:
        """Header, sections, footer."""
        if self.header is not None:
            yield self.header
            yield from self.sections
        elif self.end:
            yield Span(0, self.end, "unknown", SpanKind.UNKNOWN, error=self.error)
        if self.footer is not None:
            yield self.footer

    def block_at(self, offset: int) -> Block:
        """The block at `offset`. Raises `FormatError`."""
        if self.header is None:
            raise FormatError(self.name, None, "there is no header")
        return self._reader.block(offset)

    def errors(self) -> list[FormatError]:
        """What is wrong with the file as a whole, header, footer and indexes; reads no blocks."""
        found = [] if self.error is None else [self.error]
        for fields in (self.header, self.footer):
            found += fields.errors() if fields is not None else []
        return found + [section.error for section in self.sections if section.error is not None]

    def _header_fields(self, start: int, reason: str) -> list[Span]:
        """The fields of the header, or of its copy at `start`; wrong where they differ from it."""
        right = self._reader.header.pack()
        raw = self.read(start, len(right))
        fields: list[Span] = []
        for field in header_fields(self._reader.header.version):
            is_text = field.name in _TEXT_FIELDS
            error = None
            if field.raw(raw) != field.raw(right):
                error = FormatError(self.name, start + field.offset, f"the {field.name} {reason}")
            value = field.raw(raw) if is_text else field.number(raw)
            kind = SpanKind.TEXT if is_text else SpanKind.NUMBER
            fields.append(Span(start + field.offset, start + field.end, field.name, kind, value, error=error))
        return fields

    def _footer_fields(self) -> tuple[list[Span], Footer]:
        """The fields of the footer, and its offsets as far as they lead to blocks."""
        end, first = self._reader.end, self._reader.header.size
        fields = self._header_fields(end, "differs from the header's")
        footer = self.read(end, self.end - end)
        values: list[int] = []
        for field in FOOTER_FIELDS:
            at, stop = end + first + field.offset, end + first + field.end
            value = field.number(footer[first:])
            if field is CRC:
                what = checksum_fault(footer)
                wrong = ChecksumError(self.name, at, what) if what is not None else None
                fields.append(Span(at, stop, field.name, SpanKind.CHECKSUM, *checksums(footer), wrong))
                break
            id_len = value & MAX_OBJECT_ID_LEN
            if field is OBJ_OFFSET:
                value >>= OBJECT_ID_LEN_BITS
            error = None
            if value and not first < value < end:
                error = FormatError(self.name, at, f"{field.name} {value} lies outside the table's blocks")
            fields.append(Span(at, stop, field.name, SpanKind.POSITION, value, error=error))
            values.append(0 if error else value)
            if field is OBJ_OFFSET:
                error = FormatError(self.name, at, NO_OBJECT_ID_LEN) if value and not id_len else None
                fields.append(Span(at, stop, "object id length", SpanKind.NUMBER, id_len, error=error))
                values.append(id_len)
        return fields, Footer(*values)

    def _find_sections(self, footer: Footer) -> tuple[Section, ...]:
        """The sections that footer and indexes name, in the order of the file."""
        reader = self._reader
        doubtful = self.footer is not None and bool(self.footer.errors())
        first = reader.type_at(0)
        if first is None:
            return ()

        def leads_to(offset: int, block_type: int) -> bool:
            return offset > 0 and (not doubtful or reader.type_at(offset) == block_type)

        starts: _Starts = {0: (LOG if first == LOG else REF, 0, None)}
        for of, start in ((OBJ, footer.obj_offset), (LOG, footer.log_offset)):
            if leads_to(start, of):
                starts.setdefault(start, (of, 0, None))
        for of, start, root in (
            (REF, 0, footer.ref_index_offset),
            (OBJ, footer.obj_offset, footer.obj_index_offset),
            (LOG, footer.log_offset, footer.log_index_offset),
        ):
            if leads_to(root, INDEX):
                try:
                    for level, offset in enumerate(self._index_levels(of, start, root), 1):
                        starts.setdefault(offset, (of, level, None))
                except FormatError as error:
                    starts.setdefault(root, (of, None, error))
        return self._make_sections(starts, doubtful)

    def _make_sections(self, starts: _Starts, doubtful: bool) -> tuple[Section, ...]:
        lost = {of for of, level, _ in starts.values() if level is None}
        made: list[Section] = []
        levels: dict[tuple[int, int | None], Section] = {}
        end = self._reader.end
        # From the end of the file, because an index comes behind what it lists.
        for start in sorted(starts, reverse=True):
            of, level, error = starts[start]
            own = {INDEX} if level != 0 else {of, INDEX} if of in lost else {of}
            above = levels.get((of, level + 1)) if level is not None else None
            admits = BLOCK_TYPES if doubtful else frozenset(own)
            made.append(Section(self._reader, start, end, of, level, admits, above, error))
            levels[of, level] = made[-1]
            end = start
        return tuple(reversed(made))

    def _index_levels(self, of: int, start: int, root: int) -> list[int]:
        """The offsets of the levels of an index over the section at `start`, the lowest first.

        Goes down from the first block of the root by the first record of each. Raises `FormatError`.
        """
        levels = [root]
        while len(levels) <= _MOST_LEVELS:
            at = levels[-1]
            records = self._reader.records(at)
            record = next(records.children())
            if records.block.type != INDEX or not isinstance(record, Record):
                raise record.error or FormatError(self.name, at, "no index block, where one should begin")
            offset = next(records.index_offsets())
            if offset != start and not max(start, self._reader.header.size) < offset < at:
                raise FormatError(self.name, at, f"an index entry leads to {offset}, out of the section")
            block_type = self._reader.type_at(offset)
            # The section's first block is where an index leads to, be it damaged or not.
            if offset == start or block_type == of:
                return levels[::-1]
            if block_type != INDEX:
                what = f"the {SECTION_NAMES[of]} index leads to {offset}, where no block of it begins"
                raise FormatError(self.name, at, what)
            levels.append(offset)
        raise FormatError(self.name, root, f"an index of more than {_MOST_LEVELS} levels")


def _find_header(name: str, size: int, read: Read) -> tuple[Header | None, int]:
    """The header to use, and where blocks end: at the footer, or where the file does."""
    copies: list[tuple[Header, int]] = []
    for version in (1, 2):
        end = size - footer_size(version)
        if end < header_size(version):
            continue
        raw = read(end, size - end)
        try:
            copy = Header.parse(name, raw, end)
        except FormatError:
            continue
        if copy.version == version:
            if checksum_fault(raw) is None:
                return copy, end
            copies.append((copy, end))
    try:
        header = Header.parse(name, read(0, header_size(2)))
    except FormatError:
        return copies[0] if copies else (None, size)
    end = size - footer_size(header.version)
    if end >= header.size:
        # A footer whose checksum fails is one all the same, if it begins like one.
        copied, right = read(end, header.size), header.pack()
        if copied[: len(MAGIC)] == MAGIC or copied[len(MAGIC) :] == right[len(MAGIC) :]:
            return header, end
    return header, size

"""The blocks of a table as spans, section by section.

    section    the blocks of one type, or one level of an index over them
    block      type, block length, then the contents (see `block.py`), then padding;
               the contents of a log block lie below a span `deflated`

Blocks are found one after the other, as a scan finds them. Behind one that cannot be read, the next is where
the section's index or the block size says; an index with entries missing costs no block that a scan can find.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

from engine.errors import FormatError
from engine.format import BLOCK_HEADER_SIZE, INDEX, LOG, SECTION_NAMES, Block, Header, Read, read_block
from engine.layout.block import Records
from engine.layout.span import Group, Span, SpanKind


class BlockReader:
    """Reads the blocks of one file by offset, and keeps the block last opened.

    `header` is the table's, or a copy that is used instead; `end` is where the blocks end.
    """

    __slots__ = ("_bytes", "_opened", "_records", "end", "header", "name", "read")

    def __init__(self, name: str, read: Read, header: Header, end: int) -> None:
        self.name = name
        self.read = read
        self.header = header
        self.end = end
        self._opened: Block | None = None
        self._bytes = b""
        self._records: Records | None = None

    def type_at(self, offset: int) -> int | None:
        """The type byte of the block at `offset`, whatever it is; None past the end."""
        at = offset or self.header.size
        raw = self.read(at, 1) if at < self.end else b""
        return raw[0] if raw else None

    def block(self, offset: int) -> Block:
        """The block at `offset`; padding may reach beyond the end. Raises `FormatError`."""
        if self._opened is None or self._opened.offset != offset:
            first, size = 0 if offset else self.header.size, self.header.block_size
            data = read_block(self.read, offset, self.end - offset, first, size)
            self._opened = Block.parse(self.name, data, offset, first, size)
            self._bytes, self._records = data, None
        return self._opened

    def behind(self, block: Block, size: int) -> bytes:
        """So many bytes behind a block that is not deflated, most often read with it."""
        at = block.block_len
        if block is self._opened and at + size <= len(self._bytes):
            return self._bytes[at : at + size]
        return self.read(block.offset + at, size)

    def records(self, offset: int) -> Records:
        """The records of that block. Raises `FormatError`."""
        block = self.block(offset)
        if self._records is None:
            self._records = Records(block, self.header)
        return self._records


class Deflated(Group):
    """The deflated bytes of a log block; what is below them has positions in the inflated block."""

    __slots__ = ("_block",)

    def __init__(self, start: int, end: int, block: BlockSpan) -> None:
        super().__init__(start, end, "deflated", SpanKind.DEFLATED)
        self._block = block

    def children(self) -> Iterator[Span]:
        """The contents of the block, in inflated positions."""
        return self._block.records().parts()


class BlockSpan(Group):
    """One block whose frame is sound. It keeps no bytes: they are read again when it is opened.

    `offset` is where the block begins for indexes and footer: 0 for the first, whose span begins
    behind the file header. `block_len`, `records_end` and `restart_count` are those of its frame,
    `padding` and `next_offset` tell where the next block begins. `section` is the type of the section
    (for an index block, of the one that it indexes), `level` counts index blocks from 1 upwards and
    is 0 for others; both are None where that cannot be told.

    Methods read the block and raise `FormatError` if the file has changed since.
    """

    def __init__(self, reader: BlockReader, block: Block, among: Section, error: FormatError | None) -> None:
        # The last block of a section may be without its padding.
        start, end = block.offset or reader.header.size, min(block.next_offset, among.end)
        super().__init__(start, end, f"{SECTION_NAMES[block.type]} block", SpanKind.BLOCK, error=error)
        self._reader = reader
        is_index = block.type == INDEX
        self.section = block.type if among.of is None and not is_index else among.of
        self.level = among.level or None if is_index else 0
        self.type = block.type
        self.offset = block.offset
        self.block_len = block.block_len
        self.records_end = block.records_end
        self.restart_count = block.restart_count
        self.next_offset = end
        self.padding = end - (block.next_offset - block.padding)

    @property
    def file_len(self) -> int:
        """Bytes from `offset` to the end of the block without padding: of a log block as deflated."""
        return self.next_offset - self.padding - self.offset

    def records(self) -> Records:
        """The group of its records."""
        return self._reader.records(self.offset)

    def block(self) -> Block:
        """The block itself."""
        return self._reader.block(self.offset)

    def padding_bytes(self) -> bytes:
        """What is between the block and the next one: zeros, if it is sound."""
        return self._reader.behind(self.block(), self.padding) if self.padding else b""

    def data(self) -> bytes:
        """The block's bytes, of a log block inflated; positions in the block are indexes into these."""
        return self.block().data

    def children(self) -> Iterator[Span]:
        """Type, length, contents, padding."""
        stop = self.start + BLOCK_HEADER_SIZE
        end = self.next_offset - self.padding
        yield Span(self.start, self.start + 1, "type", SpanKind.TEXT, bytes((self.type,)))
        yield Span(self.start + 1, stop, "block length", SpanKind.NUMBER, self.block_len)
        if self.type == LOG:
            yield Deflated(stop, end, self)
        else:
            yield from self.records().parts()
        if self.padding:
            raw = self.padding_bytes()
            zeros = len(raw) - len(raw.lstrip(b"\0"))
            error = None
            if zeros < len(raw):
                error = FormatError(self._reader.name, end + zeros, "padding that is not zero")
            yield Span(end, self.next_offset, "padding", SpanKind.PADDING, error=error)


class Section(Group):
    """Blocks of one type that follow each other: those of a section, or one level of its index.

    `of` is the type of the section, also for a level of its index; `level` is 0 for the section itself,
    and its index has levels from 1 upwards. Both are None where that cannot be told. `above` is the
    index level that lists these blocks. An `error` is what is wrong with the way that led here.
    """

    __slots__ = ("_admits", "_listed", "_reader", "above", "level", "of")

    def __init__(
        self,
        reader: BlockReader,
        start: int,
        end: int,
        of: int | None,
        level: int | None,
        admits: frozenset[int],
        above: Section | None = None,
        error: FormatError | None = None,
    ) -> None:
        if of is None:
            name = "blocks"
        elif level == 0:
            name = f"{SECTION_NAMES[of]} blocks"
        else:
            name = f"{SECTION_NAMES[of]} index" + (f", level {level}" if level else "")
        super().__init__(start or reader.header.size, end, name, SpanKind.SECTION, error=error)
        self._reader = reader
        self.above = above
        self._admits = admits
        self._listed: list[int] | None = None
        self.of = of
        self.level = level

    @property
    def first(self) -> int:
        """The offset of the first block."""
        return 0 if self.start == self._reader.header.size else self.start

    def children(self) -> Iterator[Span]:
        """The blocks: `BlockSpan`, and a leaf for each stretch in which none can be made out."""
        return self.blocks(self.first)

    def blocks(self, start: int) -> Iterator[Span]:
        """As `children`, from the block at offset `start` on."""
        while start < self.end:
            span = self._span_at(start)
            yield span
            start = span.end

    def child_at(self, position: int) -> Span | None:
        """The block that covers `position`; where there is an index, without reading those before it.

        An index that leads into the middle of a block may thus lead to what no scan takes for one.
        """
        if not self.start <= position < self.end:
            return None
        listed = self.listed()
        before = bisect_right(listed, position)
        blocks = self.blocks(listed[before - 1] if before else self.first)
        return next(span for span in blocks if span.end > position)

    def listed(self) -> list[int]:
        """The offsets of this section's blocks as its index has them, ascending; none without an index.

        Reads the levels above, once.
        """
        if self._listed is None:
            levels: list[Section] = []
            above = self.above
            while above is not None:
                levels.append(above)
                above = above.above
            # From the top, so that no level asks the one above while that is being read: a file may
            # have more levels than Python has frames.
            for section in reversed(levels):
                section.listed()
            self._listed = self._read_index()
        return self._listed

    def _read_index(self) -> list[int]:
        found: set[int] = set()
        for span in self.above.children() if self.above else ():
            if isinstance(span, BlockSpan) and span.type == INDEX:
                found.update(span.records().index_offsets())
        return sorted(offset for offset in found if offset == self.first or self.start < offset < self.end)

    def _span_at(self, offset: int) -> Span:
        try:
            block = self._reader.block(offset)
        except FormatError as error:
            # Without its frames, which would keep this section and its file in a circle.
            return self._damaged(offset, error.with_traceback(None))
        surplus = block.next_offset - block.padding - self.end
        if surplus > 0:
            reason = f"the block runs {surplus} bytes into the section that begins at {self.end}"
            return self._damaged(offset, FormatError(block.name, offset, reason))
        misplaced = None
        if block.type not in self._admits:
            reason = f"a block of type {SECTION_NAMES[block.type]} among the {self.name}"
            misplaced = FormatError(block.name, offset, reason)
        return BlockSpan(self._reader, block, self, misplaced)

    def _damaged(self, offset: int, error: FormatError) -> Span:
        """What cannot be read at `offset`, up to where the next block may begin."""
        listed, header = self.listed(), self._reader.header
        following = bisect_right(listed, offset)
        end = self.end
        if following < len(listed):
            end = listed[following]
        # Log blocks are not aligned, and no table with so small blocks is sound.
        elif (self.of, self.level) != (LOG, 0) and header.block_size > header.size:
            end = min(offset + header.block_size, end)
        return Span(max(offset, self.start), end, "damaged block", SpanKind.BLOCK, error=error)

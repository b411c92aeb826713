"""The blocks of one table file: by offset, by a scan of a section, and by a key through its index.

A lookup walks the index from its root down (the root may be several sibling blocks) and then reads one block;
without an index it goes from block to block, of which git leaves at most three. A scan goes block by block
and never through an index, so a damaged index hides no record from it; and a lookup whose index turns out to
be damaged (as that of logs written by the Go library of 2020) falls back to a scan.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final

from engine.errors import ApiError, FormatError
from engine.format.block import Block, read_block
from engine.format.codec import decode_index
from engine.format.header import BLOCK_HEADER_SIZE, INDEX, LOG, OBJ, REF, SECTION_NAMES, Footer, Header
from engine.format.record import LogRecord, ObjectRecord, RefRecord
from engine.format.search import find_index, find_log, find_object, find_ref
from engine.table.blocks import MOST_BYTES, KeptBlocks
from engine.table.file import RegularFile

_MOST_SMALL: Final = MOST_BYTES // 2
"""Bytes of a table of which all blocks are kept: those of a larger one would drive out its indexes."""


class Section:
    """Where a section and its index begin, and how its blocks are searched."""

    __slots__ = ("hash_size", "index_offset", "min_update_index", "offset", "type")

    def __init__(self, block_type: int, header: Header, footer: Footer) -> None:
        self.type = block_type
        self.hash_size: int = header.hash_id.size
        self.min_update_index: int = header.min_update_index
        self.offset, self.index_offset = 0, footer.ref_index_offset
        if block_type == LOG:
            self.offset, self.index_offset = footer.log_offset, footer.log_index_offset
        elif block_type == OBJ:
            self.offset, self.index_offset = footer.obj_offset, footer.obj_index_offset

    def seek(self, block: Block, key: bytes) -> RefRecord | LogRecord | ObjectRecord | None:
        """The first record of a block with a key >= `key`, if there is one. Raises `FormatError`."""
        if self.type == REF:
            return block.seek(key, find_ref, self.hash_size, self.min_update_index)
        if self.type == LOG:
            return block.seek(key, find_log, self.hash_size)
        return block.seek(key, find_object)


class TableBlocks:
    """The blocks of a file, of which some are kept. Safe to use from several threads.

    `first` is where the bytes of the first block begin, `end` where the last ones end; `reads` counts the
    reads from the file, which is None once it was let go of.
    """

    __slots__ = ("block_size", "end", "file", "first", "footer", "kept", "name", "reads", "size")

    def __init__(self, name: str, file: RegularFile | None, size: int) -> None:
        self.name = name
        self.file = file
        self.size = size
        self.reads = 0
        self.kept = KeptBlocks()
        self.first = self.end = self.block_size = 0
        self.footer = Footer()

    def lay_out(self, header: Header, footer: Footer, end: int) -> None:
        """Take note of what the file's header and footer say."""
        self.first, self.block_size, self.footer, self.end = header.size, header.block_size, footer, end

    def read(self, offset: int, size: int) -> bytes:
        """At most `size` bytes of the file, fewer at its end. Raises `OSError`, `ApiError` once closed."""
        file = self.file  # another thread may close the table at any moment
        if file is None:
            raise ApiError(f"{self.name} is read after it was closed")
        self.reads += 1
        # Its own method holds it while it reads: compiled code lets go of a local at its last use.
        return file.read(offset, size)

    def block_at(self, offset: int) -> Block:
        """The block that begins at `offset` (0 for the first). Raises `FormatError`."""
        return self._parse(offset, self._bytes_at(offset))

    def blocks(self) -> Iterator[Block]:
        """Every block in the order of the file. Raises `FormatError`."""
        offset = 0
        while (offset or self.first) < self.end:
            block = self.block_at(offset)
            yield block
            offset = block.next_offset

    def scan(self, section: Section, offset: int = -1) -> Iterator[Block]:
        """The blocks of a section without its index: all, or those from `offset` on."""
        at = section.offset if offset < 0 else offset
        while at < self.end or (at == section.offset and offset < 0):
            block = self.kept.blocks.get(at)
            if block is None or block.type != section.type:
                data = self._bytes_at(at)
                block_type = data[0 if at else self.first]
                if block_type != section.type:
                    # Not parsed: damage in the next section is no damage to this one.
                    self._check_section_end(section, at, block_type)
                    return
                block = self._parse(at, data)
            yield block
            at = block.next_offset

    def find(self, section: Section, key: bytes) -> tuple[Block, RefRecord | LogRecord | ObjectRecord] | None:
        """The first record with a key >= `key` and its block, or None if all keys are smaller."""
        if section.index_offset:
            try:
                return self._descend(section, key)
            except FormatError:
                pass  # and scan: what a damaged index hides can still be read
        for block in self.scan(section):
            self._keep(block)
            record = section.seek(block, key)
            if record is not None:
                return block, record
        return None

    def next_of_type(self, block_type: int, block: Block) -> Block | None:
        """The block behind this one if it is of a certain type; index blocks are siblings in a root then."""
        at = block.next_offset
        if at >= self.end:
            return None
        following = self.kept.blocks.get(at)
        if following is None:
            data = self._bytes_at(at)
            if data[0] != block_type:
                return None
            following = self._parse(at, data)
            self._keep(following)
        return following if following.type == block_type else None

    def _descend(
        self, section: Section, key: bytes
    ) -> tuple[Block, RefRecord | LogRecord | ObjectRecord] | None:
        """As `find`, by way of the index. Raises `FormatError`.

        Whether an index belongs to its section, and covers it, shows at the leaves only. So the
        answer that all keys are smaller is not given before the last leaf has been seen.
        """
        block = self._looked_up(section.index_offset)
        if block.type != INDEX:
            raise FormatError(self.name, block.offset, "no index block where the footer has one")
        below = block.seek(key, find_index)
        while below is None:
            sibling = self.next_of_type(INDEX, block)
            if sibling is None:
                break
            block = sibling
            below = block.seek(key, find_index)
        beyond = below is None
        while block.type == INDEX:
            if beyond:
                below = deque(block.records(decode_index), 1)[0].offset
            elif below is None:
                below = block.seek(key, find_index)
            if below is None:
                raise FormatError(self.name, block.offset, "an index block without the key promised above it")
            # Downwards is backwards in the file, so a damaged index cannot make a loop.
            if below >= block.offset:
                raise FormatError(self.name, block.offset, f"an index entry points ahead, to {below}")
            block = self._looked_up(below)
            below = None
        if block.type != section.type:
            what = f"the {SECTION_NAMES[section.type]} index leads to a block of another section"
            raise FormatError(self.name, block.offset, what)
        record = section.seek(block, key)
        if (record is None) != beyond or (beyond and self.next_of_type(section.type, block) is not None):
            what = "the index and this block do not agree on the block's last key"
            raise FormatError(self.name, block.offset, what)
        return None if record is None else (block, record)

    def _looked_up(self, offset: int) -> Block:
        """As `block_at`, from memory where lookups have been before."""
        block = self.kept.blocks.get(offset)
        if block is None:
            block = self.block_at(offset)
            self._keep(block)
        return block

    def _keep(self, block: Block) -> None:
        if block.offset not in self.kept.blocks and (block.type == INDEX or self.size <= _MOST_SMALL):
            self.kept.keep(block)

    def _bytes_at(self, offset: int) -> bytes:
        """The bytes from a block's beginning on, as many as it may have."""
        if not 0 <= offset < self.end:
            what = f"a block is said to be at {offset}, outside of the table's {self.end} bytes of blocks"
            raise FormatError(self.name, None, what)
        first = 0 if offset else self.first
        data = read_block(self.read, offset, self.end - offset, first, self.block_size)
        if len(data) < first + BLOCK_HEADER_SIZE:
            raise FormatError(self.name, offset, f"{len(data)} bytes are too few for a block")
        return data

    def _parse(self, offset: int, data: bytes) -> Block:
        first = 0 if offset else self.first
        return Block.parse(self.name, data, offset, first, self.block_size, self.end)

    def _check_section_end(self, section: Section, offset: int, block_type: int) -> None:
        """A section ends where the footer says another begins, or its type byte is damaged."""
        expected = {
            INDEX: section.index_offset > 0,
            OBJ: offset == self.footer.obj_offset,
            LOG: offset == self.footer.log_offset,
        }
        if offset == section.offset or not expected.get(block_type, False):
            what = f"a block of type 0x{block_type:02x} in the {SECTION_NAMES[section.type]} section"
            raise FormatError(self.name, offset, what)

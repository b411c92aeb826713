"""One immutable table file: opening, point lookups, scans, refs by object id.

Opening reads header and footer. A lookup walks the index from its root down (the root may be
several sibling blocks) and then reads one block; without an index it goes from block to block,
of which git leaves at most three. A scan goes block by block and never through an index, so a
damaged index hides no record from it; and a lookup whose index turns out to be damaged (as
that of logs written by the Go library of 2020) falls back to a scan.

A table returns tombstones like any other record: what they hide lies in other tables.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain
from typing import Generic, Self, TypeVar, cast

from engine.closing import Closing
from engine.errors import ApiError, FormatError, require_bytes, shown
from engine.format.block import Block, read_block
from engine.format.codec import Part, decode_index, decode_logs, decode_objects, decode_refs
from engine.format.header import (
    BLOCK_HEADER_SIZE,
    INDEX,
    LOG,
    OBJ,
    REF,
    SECTION_NAMES,
    SMALLEST_TABLE,
    Footer,
    Header,
    footer_size,
    header_size,
)
from engine.format.raw_record import Encoded, RawRefs, cut_refs, split_logs, split_refs
from engine.format.record import LogRecord, ObjectRecord, RefRecord, log_key
from engine.format.search import find_index, find_log, find_object, find_ref
from engine.format.typed import AnyLog, AnyRef, LiveRef
from engine.format.varint import U64_MAX
from engine.table.blocks import MOST_BYTES, KeptBlocks
from engine.table.file import RegularFile

_R = TypeVar("_R", RefRecord, LogRecord, ObjectRecord)


class _Section(Generic[_R]):
    """Where a section and its index begin, and how its blocks are searched and decoded."""

    __slots__ = ("index_offset", "offset", "type")

    def __init__(self, block_type: int, offset: int, index_offset: int) -> None:
        self.type = block_type
        self.offset = offset
        self.index_offset = index_offset

    def seek(self, block: Block, key: bytes) -> _R | None:
        """The first record of a block with a key >= `key`, if there is one. Raises `FormatError`."""
        raise NotImplementedError

    def parts(self, block: Block) -> Iterator[list[_R]]:
        """All records of a block. Raises `FormatError`."""
        raise NotImplementedError


class _Refs(_Section[RefRecord]):
    __slots__ = ("hash_size", "min_update_index")

    def __init__(self, footer: Footer, header: Header) -> None:
        super().__init__(REF, 0, footer.ref_index_offset)
        self.hash_size = header.hash_id.size
        self.min_update_index = header.min_update_index

    def seek(self, block: Block, key: bytes) -> RefRecord | None:
        return block.seek(key, find_ref, self.hash_size, self.min_update_index)

    def parts(self, block: Block) -> Iterator[list[RefRecord]]:
        return block.parts(decode_refs, self.hash_size, self.min_update_index)


class _Logs(_Section[LogRecord]):
    __slots__ = ("hash_size",)

    def __init__(self, footer: Footer, header: Header) -> None:
        super().__init__(LOG, footer.log_offset, footer.log_index_offset)
        self.hash_size = header.hash_id.size

    def seek(self, block: Block, key: bytes) -> LogRecord | None:
        return block.seek(key, find_log, self.hash_size)

    def parts(self, block: Block) -> Iterator[list[LogRecord]]:
        return block.parts(decode_logs, self.hash_size)


class _Objects(_Section[ObjectRecord]):
    __slots__ = ()

    def __init__(self, footer: Footer) -> None:
        super().__init__(OBJ, footer.obj_offset, footer.obj_index_offset)

    def seek(self, block: Block, key: bytes) -> ObjectRecord | None:
        return block.seek(key, find_object)

    def parts(self, block: Block) -> Iterator[list[ObjectRecord]]:
        return block.parts(decode_objects)


class Table(Closing):
    """An open table. Safe to read from several threads; immutable.

    `name` is the file's name in its directory, `size` that of the file, `reads` counts the reads from it.
    What its `header` says is here, too: `block_size` is 0 in an unaligned table, `min_update_index` holds for
    refs alone. The file stays readable after it was unlinked, until the last user of this object lets go
    of it or `close` is called.
    """

    def __init__(self, file: RegularFile, path: str) -> None:
        """A table over `file`, which lies at `path`. Raises `FormatError`, `OSError`."""
        self._file: RegularFile | None = file
        self.path = path
        self.name = name = file.name
        self.reads = 0
        self.size = file.size
        if self.size < SMALLEST_TABLE:
            raise FormatError(name, None, f"{self.size} bytes are too few for a table: cut short?")
        # One byte more than the larger header: the first block's type says what the file begins with.
        head = self.read(0, header_size(2) + 1)
        self._describe(Header.parse(name, head))
        self._end = self.size - footer_size(self.header.version)
        if self._end < self._first:
            raise FormatError(name, None, f"{self.size} bytes are too few for a table: cut short?")
        raw = self.read(self._end, self.size - self._end)
        if len(raw) < self.size - self._end:
            raise FormatError(name, self._end, "the footer could not be read: the file is being cut short")
        self.footer = Footer.parse(name, raw, self._end, head[: self._first])
        first_type = head[self._first] if self._end > self._first else None
        has_logs = first_type == LOG or self.footer.log_offset > 0
        self._refs = _Refs(self.footer, self.header) if first_type not in (LOG, None) else None
        self._logs = _Logs(self.footer, self.header) if has_logs else None

    def _describe(self, header: Header) -> None:
        self.header = header
        self._kept = KeptBlocks()
        self._first = header.size  # where the bytes of the first block begin
        self.version, self.hash_id, self.block_size = header.version, header.hash_id, header.block_size
        self.min_update_index, self.max_update_index = header.min_update_index, header.max_update_index

    @classmethod
    def open(cls, path: str | os.PathLike[str], name: str | None = None) -> Self:
        """Open the table at `path`. Raises `FormatError`, `OSError`."""
        path = os.fspath(path)
        return cls(RegularFile.open(path, name or os.path.basename(path)), path)

    def close(self) -> None:
        """Let go of the file; a read that is under way ends well, a later one raises `ApiError`."""
        self._file = None
        self._kept.clear()

    def __repr__(self) -> str:
        return f"Table({self.name!r})"

    @property
    def policy_size(self) -> int:
        """The size by which compaction policies judge a table: without footer and most of the header.

        As git computes it, so that a table with one record weighs little more than nothing.
        """
        return self._end - (self.header.size - 1)

    @property
    def has_logs(self) -> bool:
        """Whether there is a log section."""
        return self._logs is not None

    @property
    def has_several_roots(self) -> bool:
        """Whether the topmost level of an index has more blocks than one. Raises `FormatError`."""
        footer = self.footer
        roots = filter(None, (footer.ref_index_offset, footer.obj_index_offset, footer.log_index_offset))
        return any(self._next_of_type(INDEX, self.block_at(root)) is not None for root in roots)

    def read(self, offset: int, size: int) -> bytes:
        """At most `size` bytes of the file, fewer at its end. Raises `OSError`, `ApiError` once closed."""
        file = self._file  # another thread may close the table at any moment
        if file is None:
            raise ApiError(f"{self.name} is read after it was closed")
        self.reads += 1
        return os.pread(file.fd, size, offset)

    def read_ref(self, name: bytes) -> AnyRef | None:
        """The record of exactly this name, which may be a tombstone. Raises `FormatError`."""
        found = self._find(self._refs, name)
        return cast("AnyRef", found[1]) if found is not None and found[1].name == name else None

    def locate_ref(self, name: bytes) -> tuple[int, AnyRef] | None:
        """As `read_ref`, with the offset of the block that holds the record."""
        block, record = self._find(self._refs, name) or (None, None)
        return (block.offset, cast("AnyRef", record)) if block and record and record.name == name else None

    def read_log(self, name: bytes, update_index: int = U64_MAX) -> AnyLog | None:
        """The newest log record of this ref at or below `update_index`; may be a tombstone."""
        located = self.locate_log(name, update_index)
        return located[1] if located else None

    def locate_log(self, name: bytes, update_index: int = U64_MAX) -> tuple[int, AnyLog] | None:
        """As `read_log`, with the offset of the block that holds the record."""
        require_bytes(name)
        block, record = self._find(self._logs, log_key(name, update_index)) or (None, None)
        return (block.offset, cast("AnyLog", record)) if block and record and record.name == name else None

    def ref_blocks(self, start: bytes = b"") -> Iterator[list[RefRecord]]:
        """The refs from the first name >= `start` on, lists for each block. Raises `FormatError`."""
        return self._lists_from(self._refs, start)

    def log_blocks(self, start: bytes = b"", update_index: int = U64_MAX) -> Iterator[list[LogRecord]]:
        """The logs from the first key >= (`start`, `update_index`) on, lists for each block.

        The first list of this and of `ref_blocks` may begin with records before the start.
        """
        return self._lists_from(self._logs, log_key(start, update_index) if start else b"")

    def _lists_from(self, section: _Section[_R] | None, key: bytes) -> Iterator[list[_R]]:
        if section is None:
            return
        blocks = self._scan(section)
        if key:
            found = self._find(section, key)
            blocks = chain(found[:1], self._scan(section, found[0].next_offset)) if found else iter(())
        for block in blocks:
            yield from section.parts(block)

    def refs(self, prefix: bytes = b"") -> Iterator[AnyRef]:
        """The refs whose names begin with `prefix`, tombstones among them, in name order."""
        require_bytes(prefix)
        for records in cast("Iterator[list[AnyRef]]", self.ref_blocks(prefix)):
            for record in records:
                if record.name.startswith(prefix):
                    yield record
                elif record.name > prefix:
                    return

    def logs(self, name: bytes | None = None) -> Iterator[AnyLog]:
        """The log records of all refs or of one, by name and newest first, tombstones among them."""
        require_bytes(name or b"")
        for records in cast("Iterator[list[AnyLog]]", self.log_blocks(name or b"")):
            for record in records:
                if name is None or record.name == name:
                    yield record
                elif record.name > name:
                    return

    def refs_for(self, oid: bytes) -> Iterator[LiveRef]:
        """The refs of this table whose value or peeled value is `oid`, in name order.

        Through the object section where there is one, by a scan where there is none or where
        it is damaged: the answer is the same. Raises `ApiError` for an id of another length.
        """
        require_bytes(oid)
        if len(oid) != self.hash_id.size:
            raise ApiError(f"an object id of {len(oid)} bytes in a {self.hash_id} table")
        return self.refs_for_prefix(oid)

    def refs_for_prefix(self, prefix: bytes, *, scans: bool = True) -> Iterator[LiveRef]:
        """The refs whose value or peeled value begins with `prefix`, in name order.

        Not `scans` leaves out what only a scan can tell: what there is comes at once, and may not be all.
        """
        for block in self._blocks_mentioning(prefix, scans):
            for record in block.records(decode_refs, self.hash_id.size, self.min_update_index):
                ids = record.value, record.peeled
                if prefix in ids or any(oid is not None and oid.startswith(prefix) for oid in ids):
                    yield cast("LiveRef", record)

    def raw_ref_blocks(self, min_update_index: int) -> Iterator[tuple[int, RawRefs]]:
        """Refs cut out for a table with this lower limit, and how many bytes were read for each list of them.

        Raises `FormatError`, also where names do not ascend.
        """
        numbers = self.min_update_index, self.min_update_index - min_update_index
        last_key = b""
        for block in self._scan(self._refs):
            size = block.next_offset - block.offset
            for refs in block.parts(cut_refs, self.hash_id.size, *numbers):
                self._check_order(block, last_key, refs.keys[0])
                last_key = refs.keys[-1]
                yield size, refs
                size = 0

    def encoded_ref_blocks(self, min_update_index: int) -> Iterator[tuple[int, list[Encoded]]]:
        """The same refs one by one. Raises `FormatError`, also where names do not ascend."""
        shift = self.min_update_index - min_update_index
        return self._cut_out(self._refs, split_refs, self.min_update_index, shift)

    def encoded_log_blocks(self) -> Iterator[tuple[int, list[Encoded]]]:
        """The log records cut out, likewise. Raises `FormatError`, also for keys in disorder."""
        return self._cut_out(self._logs, split_logs)

    def _cut_out(
        self, section: _Section[_R] | None, split: Callable[..., Part[Encoded]], *numbers: int
    ) -> Iterator[tuple[int, list[Encoded]]]:
        last_key = b""
        for block in self._scan(section):
            size = block.next_offset - block.offset
            for items in block.parts(split, self.hash_id.size, *numbers):
                self._check_order(block, last_key, items[0][0])
                last_key = items[-1][0]
                yield size, items
                size = 0

    def _check_order(self, block: Block, last_key: bytes, key: bytes) -> None:
        if key <= last_key:
            what = f"{shown(key)} does not sort after {shown(last_key)} in the block before"
            raise FormatError(self.name, block.offset, what)

    def blocks(self) -> Iterator[Block]:
        """Every block of the file in the order of the file. Raises `FormatError`."""
        offset = 0
        while (offset or self._first) < self._end:
            block = self.block_at(offset)
            yield block
            offset = block.next_offset

    def block_at(self, offset: int) -> Block:
        """The block that begins at `offset` (0 for the first). Raises `FormatError`."""
        return self._parse(offset, self._bytes_at(offset))

    def _looked_up(self, offset: int) -> Block:
        """As `block_at`, from memory where lookups have been before."""
        block = self._kept.blocks.get(offset)
        if block is None:
            block = self.block_at(offset)
            self._keep(block)
        return block

    def _keep(self, block: Block) -> None:
        # In a larger table, blocks of records would drive out those of the indexes.
        if block.offset not in self._kept.blocks and (block.type == INDEX or self.size <= MOST_BYTES // 2):
            self._kept.keep(block)

    def _bytes_at(self, offset: int) -> bytes:
        """The bytes from a block's beginning on, as many as it may have."""
        if not 0 <= offset < self._end:
            what = f"a block is said to be at {offset}, outside of the table's {self._end} bytes of blocks"
            raise FormatError(self.name, None, what)
        first = 0 if offset else self._first
        data = read_block(self.read, offset, self._end - offset, first, self.block_size)
        if len(data) < first + BLOCK_HEADER_SIZE:
            raise FormatError(self.name, offset, f"{len(data)} bytes are too few for a block")
        return data

    def _parse(self, offset: int, data: bytes) -> Block:
        first = 0 if offset else self._first
        return Block.parse(self.name, data, offset, first, self.block_size, self._end)

    def _scan(self, section: _Section[_R] | None, offset: int | None = None) -> Iterator[Block]:
        """The blocks of a section, if there is one, without its index: all, or those from `offset` on."""
        if section is None:
            return
        at = section.offset if offset is None else offset
        while at < self._end or (at == section.offset and offset is None):
            block = self._kept.blocks.get(at)
            if block is None or block.type != section.type:
                data = self._bytes_at(at)
                block_type = data[0 if at else self._first]
                if block_type != section.type:
                    # Not parsed: damage in the next section is no damage to this one.
                    self._check_section_end(section, at, block_type)
                    return
                block = self._parse(at, data)
            yield block
            at = block.next_offset

    def _check_section_end(self, section: _Section[_R], offset: int, block_type: int) -> None:
        """A section ends where the footer says another begins, or its type byte is damaged."""
        expected = {
            INDEX: section.index_offset > 0,
            OBJ: offset == self.footer.obj_offset,
            LOG: offset == self.footer.log_offset,
        }
        if offset == section.offset or not expected.get(block_type, False):
            what = f"a block of type 0x{block_type:02x} in the {SECTION_NAMES[section.type]} section"
            raise FormatError(self.name, offset, what)

    def _find(self, section: _Section[_R] | None, key: bytes) -> tuple[Block, _R] | None:
        """The first record with a key >= `key` and its block, or None if all keys are smaller."""
        require_bytes(key)
        if section is None:
            return None
        if section.index_offset:
            try:
                return self._descend(section, key)
            except FormatError:
                pass  # and scan: what a damaged index hides can still be read
        for block in self._scan(section):
            self._keep(block)
            record = section.seek(block, key)
            if record is not None:
                return block, record
        return None

    def _descend(self, section: _Section[_R], key: bytes) -> tuple[Block, _R] | None:
        """As `_find`, by way of the index. Raises `FormatError`.

        Whether an index belongs to its section, and covers it, shows at the leaves only. So the
        answer that all keys are smaller is not given before the last leaf has been seen.
        """
        block = self._looked_up(section.index_offset)
        if block.type != INDEX:
            raise FormatError(self.name, block.offset, "no index block where the footer has one")
        below = block.seek(key, find_index)
        while below is None and (sibling := self._next_of_type(INDEX, block)) is not None:
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
        if (record is None) != beyond or (beyond and self._next_of_type(section.type, block) is not None):
            what = "the index and this block do not agree on the block's last key"
            raise FormatError(self.name, block.offset, what)
        return None if record is None else (block, record)

    def _next_of_type(self, block_type: int, block: Block) -> Block | None:
        """The block behind this one if it is of a certain type; index blocks are siblings in a root then."""
        at = block.next_offset
        if at >= self._end:
            return None
        following = self._kept.blocks.get(at)
        if following is None:
            data = self._bytes_at(at)
            if data[0] != block_type:
                return None
            following = self._parse(at, data)
            self._keep(following)
        return following if following.type == block_type else None

    def _blocks_mentioning(self, oid: bytes, scans: bool) -> Iterator[Block]:
        """The ref blocks that may hold refs with an id that begins so; without a scan perhaps not all."""
        if self._refs is None:
            return
        done = -1
        with suppress(FormatError):
            offsets = self._offsets_of(oid)
            for offset in offsets or ():
                block = self.block_at(offset)
                if block.type != REF:
                    break
                yield block
                done = offset
            else:
                if offsets is not None:
                    return
        if not scans:
            return
        # What the object section says cannot be followed, or it says that only a scan can tell.
        for block in self._scan(self._refs):
            if block.offset > done:
                yield block

    def _offsets_of(self, oid: bytes) -> list[int] | None:
        """Offsets of ref blocks by the object section; None if only a scan can tell."""
        footer = self.footer
        if not footer.obj_offset:
            return None
        prefix = oid[: footer.object_id_len]
        found: set[int] = set()
        for records in self._lists_from(_Objects(footer), prefix):
            for record in records:
                if record.prefix.startswith(prefix):
                    if not record.offsets:
                        return None
                    found.update(record.offsets)
                elif record.prefix > prefix:
                    return sorted(found)
        return sorted(found)

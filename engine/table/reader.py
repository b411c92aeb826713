"""One immutable table file: opening, point lookups, scans, refs by object id.

Opening reads header and footer. A table returns tombstones like any other record: what they hide lies in
other tables.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain
from typing import Any, Self, cast

from engine.closing import Closing
from engine.errors import ApiError, FormatError, require_bytes, shown
from engine.format.block import Block
from engine.format.codec import Part, decode_logs, decode_objects, decode_refs
from engine.format.header import (
    INDEX,
    LOG,
    OBJ,
    REF,
    SMALLEST_TABLE,
    Footer,
    Header,
    footer_size,
    header_size,
    policy_size,
)
from engine.format.raw_record import Encoded, RawRefs, cut_refs, split_logs, split_refs
from engine.format.record import LogRecord, RefRecord, log_key
from engine.format.typed import AnyLog, AnyRef, LiveRef
from engine.format.varint import U64_MAX
from engine.table.file import RegularFile
from engine.table.sections import Section, TableBlocks


class Table(Closing):
    """An open table. Safe to read from several threads; immutable.

    `name` is the file's name in its directory, `size` that of the file, `reads` counts the reads from it.
    What its `header` says is here, too: `block_size` is 0 in an unaligned table, `min_update_index` holds for
    refs alone. The file stays readable after it was unlinked, until the last user of this object lets go
    of it or `close` is called.
    """

    def __init__(self, file: RegularFile, path: str) -> None:
        """A table over `file`, which lies at `path`. Raises `FormatError`, `OSError`."""
        self.path = path
        self.name = name = file.name
        self.size = file.size
        self._blocks = TableBlocks(name, file, self.size)
        if self.size < SMALLEST_TABLE:
            raise FormatError(name, None, f"{self.size} bytes are too few for a table: cut short?")
        # One byte more than the larger header: the first block's type says what the file begins with.
        head = self.read(0, header_size(2) + 1)
        header = Header.parse(name, head)
        first, end = header.size, self.size - footer_size(header.version)
        if end < first:
            raise FormatError(name, None, f"{self.size} bytes are too few for a table: cut short?")
        raw = self.read(end, self.size - end)
        if len(raw) < self.size - end:
            raise FormatError(name, end, "the footer could not be read: the file is being cut short")
        footer = Footer.parse(name, raw, end, head[:first])
        self._describe(header, footer, end)
        first_type = head[first] if end > first else None
        has_logs = first_type == LOG or footer.log_offset > 0
        self._refs = Section(REF, header, footer) if first_type not in (LOG, None) else None
        self._logs = Section(LOG, header, footer) if has_logs else None

    def _describe(self, header: Header, footer: Footer, end: int) -> None:
        """Take note of what the file says; blocks end at `end`."""
        self.header, self.footer, self._end = header, footer, end
        self._blocks.lay_out(header, footer, end)
        self.version, self.hash_id, self.block_size = header.version, header.hash_id, header.block_size
        self.min_update_index, self.max_update_index = header.min_update_index, header.max_update_index

    @classmethod
    def open(cls, path: str | os.PathLike[str], name: str | None = None) -> Self:
        """Open the table at `path`. Raises `FormatError`, `OSError`."""
        path = os.fspath(path)
        return cls(RegularFile.open(path, name or os.path.basename(path)), path)

    def close(self) -> None:
        """Let go of the file; a read that is under way ends well, a later one raises `ApiError`."""
        self._blocks.file = None
        self._blocks.kept.clear()

    def __repr__(self) -> str:
        return f"Table({self.name!r})"

    @property
    def policy_size(self) -> int:
        """The size by which compaction policies judge the table."""
        return policy_size(self.size, self.version)

    @property
    def has_logs(self) -> bool:
        """Whether there is a log section."""
        return self._logs is not None

    @property
    def has_several_roots(self) -> bool:
        """Whether the topmost level of an index has more blocks than one. Raises `FormatError`."""
        footer = self.footer
        roots = filter(None, (footer.ref_index_offset, footer.obj_index_offset, footer.log_index_offset))
        blocks = self._blocks
        return any(blocks.next_of_type(INDEX, blocks.block_at(root)) is not None for root in roots)

    @property
    def reads(self) -> int:
        """How often the file was read."""
        return self._blocks.reads

    def read(self, offset: int, size: int) -> bytes:
        """At most `size` bytes of the file, fewer at its end. Raises `OSError`, `ApiError` once closed."""
        return self._blocks.read(offset, size)

    def read_ref(self, name: bytes) -> AnyRef | None:
        """The record of exactly this name, which may be a tombstone. Raises `FormatError`."""
        found = self._find(self._refs, name)
        return found[1] if found is not None and found[1].name == name else None

    def locate_ref(self, name: bytes) -> tuple[int, AnyRef] | None:
        """As `read_ref`, with the offset of the block that holds the record."""
        block, record = self._find(self._refs, name) or (None, None)
        return (block.offset, record) if block and record and record.name == name else None

    def read_log(self, name: bytes, update_index: int = U64_MAX) -> AnyLog | None:
        """The newest log record of this ref at or below `update_index`; may be a tombstone."""
        located = self.locate_log(name, update_index)
        return located[1] if located else None

    def locate_log(self, name: bytes, update_index: int = U64_MAX) -> tuple[int, AnyLog] | None:
        """As `read_log`, with the offset of the block that holds the record."""
        require_bytes(name)
        block, record = self._find(self._logs, log_key(name, update_index)) or (None, None)
        return (block.offset, record) if block and record and record.name == name else None

    def ref_blocks(self, start: bytes = b"") -> Iterator[list[RefRecord]]:
        """The refs from the first name >= `start` on, lists for each block. Raises `FormatError`."""
        return self._lists_from(self._refs, start)

    def log_blocks(self, start: bytes = b"", update_index: int = U64_MAX) -> Iterator[list[LogRecord]]:
        """The logs from the first key >= (`start`, `update_index`) on, lists for each block.

        The first list of this and of `ref_blocks` may begin with records before the start.
        """
        return self._lists_from(self._logs, log_key(start, update_index) if start else b"")

    def _lists_from(self, section: Section | None, key: bytes) -> Iterator[list[Any]]:
        """The records of a section from the first key >= `key` on, lists for each block."""
        if section is None:
            return
        blocks = self._blocks.scan(section)
        if key:
            found = self._find(section, key)
            blocks = iter(())
            if found is not None:
                blocks = chain(found[:1], self._blocks.scan(section, found[0].next_offset))
        for block in blocks:
            if section.type == REF:
                yield from block.parts(decode_refs, self.hash_id.size, self.min_update_index)
            elif section.type == LOG:
                yield from block.parts(decode_logs, self.hash_id.size)
            else:
                yield from block.parts(decode_objects)

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
        """Refs cut out one by one for such a table. Raises `FormatError`, also where names do not ascend."""
        shift = self.min_update_index - min_update_index
        return self._cut_out(self._refs, split_refs, self.min_update_index, shift)

    def encoded_log_blocks(self) -> Iterator[tuple[int, list[Encoded]]]:
        """Log records cut out one by one. Raises `FormatError`, also for keys in disorder."""
        return self._cut_out(self._logs, split_logs)

    def _cut_out(
        self, section: Section | None, split: Callable[..., Part[Encoded]], *numbers: int
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
        return self._blocks.blocks()

    def block_at(self, offset: int) -> Block:
        """The block that begins at `offset` (0 for the first). Raises `FormatError`."""
        return self._blocks.block_at(offset)

    def _scan(self, section: Section | None) -> Iterator[Block]:
        return iter(()) if section is None else self._blocks.scan(section)

    def _find(self, section: Section | None, key: bytes) -> tuple[Block, Any] | None:
        """The first record with a key >= `key` and its block, or None if all keys are smaller."""
        require_bytes(key)
        return None if section is None else self._blocks.find(section, key)

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
        for records in self._lists_from(Section(OBJ, self.header, footer), prefix):
            for record in records:
                if record.prefix.startswith(prefix):
                    if not record.offsets:
                        return None
                    found.update(record.offsets)
                elif record.prefix > prefix:
                    return sorted(found)
        return sorted(found)

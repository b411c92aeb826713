"""Writing one table, byte for byte as git does.

Sections come in the order refs, ref index, objects, object index, logs, log index, footer.
A section is indexed when it has more than 3 blocks (1 in unpadded tables); index levels are
added while the level below has more than that many, so the root may be several sibling blocks,
unless a single root is asked for: JGit reads the first block of a root and no other.
The object section exists only beside a ref index: it maps the shortest unique beginnings of
object ids (2 bytes or more) to the ref blocks that mention them.

Padding is written in front of what follows it: the last block of a file has none, and neither
has a block in front of the first log block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final, cast

from engine.errors import ApiError, EntryTooBigError, shown
from engine.format.block import BlockWriter
from engine.format.codec import encode_head, encode_log, encode_object, encode_ref
from engine.format.header import (
    INDEX,
    LOG,
    MAX_OBJECT_ID_LEN,
    MIN_OBJECT_ID_LEN,
    OBJ,
    REF,
    Footer,
    HashId,
    Header,
)
from engine.format.raw_record import Encoded, RawRefs
from engine.format.record import LOG_KEY_TAIL, LogRecord, RefRecord, log_key, log_order, ref_key
from engine.format.varint import U64_MAX, put_varint
from engine.table.options import WriteOptions

_INDEX_THRESHOLD: Final = 3
_INDEX_THRESHOLD_UNPADDED: Final = 1

_OBJECTS_AT_ONCE: Final = 1024
"""Object records that are encoded before they are written: all of them would be memory."""


@dataclass(slots=True)
class SectionStats:
    """What was written of one block type."""

    entries: int = 0
    restarts: int = 0
    blocks: int = 0
    index_blocks: int = 0
    max_index_level: int = 0
    offset: int = 0
    index_offset: int = 0


@dataclass(slots=True)
class TableStats:
    """What was written; `size` is that of the whole file, complete once the writer is closed."""

    ref: SectionStats = field(default_factory=SectionStats)
    obj: SectionStats = field(default_factory=SectionStats)
    log: SectionStats = field(default_factory=SectionStats)
    idx: SectionStats = field(default_factory=SectionStats)
    object_id_len: int = 0
    size: int = 0

    @property
    def blocks(self) -> int:
        """Blocks of all sections."""
        return self.ref.blocks + self.obj.blocks + self.log.blocks + self.idx.blocks

    @property
    def is_empty(self) -> bool:
        """Whether the table holds no record at all."""
        return not self.blocks


class TableWriter:
    """Writes a table's bytes, front to back, to `write`.

    Refs are added in name order, then logs in key order (name, newest first). `set_limits`
    comes first. Every method raises `ApiError` for input out of order or out of range (with
    nothing of it written), and `EntryTooBigError` for a record that no block can hold.
    """

    def __init__(self, write: Callable[[bytes], object], options: WriteOptions | None = None) -> None:
        self.options = options or WriteOptions()
        self.hash_id = self.options.hash_id or HashId.SHA1
        self.min_update_index = 0
        self.max_update_index = 0
        self.stats = TableStats()
        self._write = write
        self._hash_size = self.hash_id.size
        self._position = 0
        self._pending_padding = 0
        self._section = REF
        self._block: BlockWriter | None = None
        self._last_key = b""
        self._index: list[tuple[bytes, int]] = []
        # Object id -> offset of the only ref block that mentions it, or a list of several.
        # Most ids are mentioned by one block, and a list for each would be most of the memory.
        # The offset of a block is the same object for all of its ids: as an int, mypyc would make new ones.
        self._objects: dict[bytes | None, Any] = {}

    def set_limits(self, min_update_index: int, max_update_index: int) -> None:
        """State the update indexes that the table's records lie in; before the first record."""
        if self._position or self._last_key:
            raise ApiError("limits are set before the first record (git since 2.48)")
        if not 0 <= min_update_index <= max_update_index <= U64_MAX:
            raise ApiError(f"update index limits {min_update_index}..{max_update_index} are no range")
        self.min_update_index = min_update_index
        self.max_update_index = max_update_index

    def add_ref(self, record: RefRecord) -> None:
        """Append one ref record; names ascend strictly."""
        if self._section != REF:
            raise ApiError(f"ref {shown(record.name)} comes behind the first log record")
        if not self.min_update_index <= record.update_index <= self.max_update_index:
            raise ApiError(
                f"ref {shown(record.name)}: update index {record.update_index} is outside "
                f"{self.min_update_index}..{self.max_update_index}"
            )
        try:
            self._check_name(record.name)
            kind, tail = encode_ref(record, self.min_update_index, self._hash_size)
            self._add(record.name, kind, tail)
        except TypeError:
            record.require_bytes()
            raise
        if record.value is not None and not self.options.skip_index_objects:
            self._note_mentioned([record.value] if record.peeled is None else [record.value, record.peeled])

    def add_log(self, record: LogRecord) -> None:
        """Append one log record; keys (name, newest first) ascend strictly.

        Only the upper limit holds for its update index: an entry of an older transaction may
        be replaced. A tombstone may have any (git since 2.49).
        """
        try:
            message = record.message
            if not record.is_deletion:
                if not 0 <= record.update_index <= self.max_update_index:
                    index = record.update_index
                    raise ApiError(
                        f"log of {shown(record.name)}: update index {index} > {self.max_update_index}"
                    )
                if message and not self.options.exact_log_message:
                    message = message.rstrip(b"\n")
                    if b"\n" in message:
                        raise ApiError(f"log of {shown(record.name)}: the message has several lines")
                    message += b"\n"
            elif not 0 <= record.update_index <= U64_MAX:
                raise ApiError(
                    f"log of {shown(record.name)}: update index {record.update_index} is out of range"
                )
            kind, tail = encode_log(record, self._hash_size, message)
            self._check_name(record.name)
            self._begin_logs()
            self._add(log_key(record.name, record.update_index), kind, tail)
        except TypeError:
            record.require_bytes()
            raise

    def add_refs(self, records: Iterable[RefRecord]) -> None:
        """Append ref records in any order: they are sorted first."""
        for record in sorted(records, key=ref_key):
            self.add_ref(record)

    def add_logs(self, records: Iterable[LogRecord]) -> None:
        """Append log records in any order: they are sorted first."""
        for record in sorted(records, key=log_order):
            self.add_log(record)

    def add_encoded_refs(self, items: Sequence[Encoded]) -> None:
        """Append ref records that were cut out of blocks one by one; tails fit this table's limits."""
        self.add_raw_refs(RawRefs.of_items(items, self._hash_size))

    def add_raw_refs(self, refs: RawRefs) -> None:
        """Append ref records that were cut out of blocks; tails fit this table's limits."""
        count = len(refs.keys)
        done = 0
        while done < count:
            first = done
            if refs.keys[first] <= self._last_key:
                raise ApiError(f"{shown(refs.keys[first])} does not sort after {shown(self._last_key)}")
            done = self._take_over(REF, refs.keys, refs.encoded, first)
            self._last_key = refs.keys[done - 1]
            if not self.options.skip_index_objects:
                self._note_mentioned(refs.ids[first:done])

    def add_encoded_logs(self, items: Iterable[Encoded]) -> None:
        """Append log records that were cut out of blocks, messages as they are."""
        for key, _, _, kind, tail_len, encoded in items:
            self._begin_logs()
            self._add(key, kind, encoded[len(encoded) - tail_len :])

    def close(self) -> TableStats:
        """Write what is still to be written, and the footer; returns the statistics.

        A table without records is header and footer (92 bytes in version 1); whether such a
        table should exist is for the caller to decide (`stats.is_empty`).
        """
        if self._section == REF:
            self._finish_refs()
        else:
            self._finish_section(LOG)
        self._drop_padding()
        header = self._header()
        if not self._position:
            self._write_out(header.pack(), 0)
        stats = self.stats
        footer = Footer(
            ref_index_offset=stats.ref.index_offset,
            obj_offset=stats.obj.offset,
            object_id_len=stats.object_id_len,
            obj_index_offset=stats.obj.index_offset,
            log_offset=stats.log.offset,
            log_index_offset=stats.log.index_offset,
        )
        self._write_out(footer.pack(header), 0)
        stats.size = self._position
        return stats

    def _header(self) -> Header:
        # Unpadded tables state their block size too; readers see the lack of padding.
        limits = self.min_update_index, self.max_update_index
        return Header(self.hash_id.version, self.options.block_size, *limits, self.hash_id)

    def _section_stats(self, section: int) -> SectionStats:
        stats = self.stats
        return {REF: stats.ref, OBJ: stats.obj, LOG: stats.log, INDEX: stats.idx}[section]

    def _note_mentioned(self, mentioned: list[bytes | None]) -> None:
        """Take up what refs of the current block mention: `ids` as `RawRefs` has them."""
        offset: Any = self._position
        objects, size = self._objects, self._hash_size
        for text in mentioned:
            known = objects.get(text)
            if known is None:
                if text and len(text) > size:  # the ids of a tag and of its object
                    self._note_mentioned([text[:size], text[size:]])
                elif text:
                    objects[text] = offset
            elif isinstance(known, list):
                if known[-1] != offset:
                    known.append(offset)
            elif known != offset:
                objects[text] = [known, offset]

    def _new_block(self, section: int) -> BlockWriter:
        header_size = 0 if self._position else self._header().size
        self._block = BlockWriter(
            section, self.options.block_size, header_size, self.options.restart_interval
        )
        return self._block

    def _check_name(self, name: bytes) -> None:
        if not name:
            raise ApiError("a record without a name")
        if b"\0" in name:
            raise ApiError(f"a NUL in the name {shown(name)}")

    def _add(self, key: bytes, kind: int, tail: bytes) -> None:
        if key <= self._last_key:
            raise ApiError(f"{shown(key)} does not sort after {shown(self._last_key)}")
        self._append(self._section, key, kind, tail)
        self._last_key = key

    def _append(self, section: int, key: bytes, kind: int, tail: bytes) -> None:
        block = self._block or self._new_block(section)
        if block.add(key, kind, tail):
            return
        self._flush()
        if not self._new_block(section).add(key, kind, tail):
            raise self._too_big(key)

    def _take_over(self, section: int, keys: list[bytes], encoded: list[bytes], start: int) -> int:
        """Fill the current block, or a new one if it is full, with records from the number `start` on."""
        block = self._block or self._new_block(section)
        stop = block.take_over(keys, encoded, start)
        if stop == start:
            self._flush()
            stop = self._new_block(section).take_over(keys, encoded, start)
            if stop == start:
                raise self._too_big(keys[start])
        return stop

    def _too_big(self, key: bytes) -> EntryTooBigError:
        size = self.options.block_size
        what = f"the record {shown(key)}"
        if self._section == LOG:
            what = f"an entry in the reflog of {shown(key[:-LOG_KEY_TAIL])}"
        return EntryTooBigError(f"{what} does not fit into a block of {size} bytes")

    def _begin_logs(self) -> None:
        if self._section == REF:
            self._finish_refs()
            self._objects = {}
            self._section = LOG
            self._last_key = b""
            self._drop_padding()

    def _drop_padding(self) -> None:
        self._position -= self._pending_padding
        self._pending_padding = 0

    def _flush(self) -> None:
        """Write the current block, if it has entries, and note its last key for the index."""
        block, self._block = self._block, None
        if block is None or not block.entries:
            return
        stats = self._section_stats(block.type)
        if not stats.blocks:
            stats.offset = self._position
        stats.entries += block.entries
        stats.restarts += len(block.restarts)
        stats.blocks += 1
        raw = block.finish(b"" if self._position else self._header().pack())
        self._index.append((block.last_key, self._position))
        unpadded = self.options.unpadded or block.type == LOG
        self._write_out(raw, 0 if unpadded else self.options.block_size - len(raw))

    def _write_out(self, data: bytes, padding: int) -> None:
        if self._pending_padding:
            self._write(bytes(self._pending_padding))
        self._pending_padding = padding
        self._write(data)
        self._position += len(data) + padding

    def _finish_section(self, section: int) -> None:
        """Flush the section's last block and write the index levels over its blocks."""
        stats = self._section_stats(section)
        self._flush()
        threshold = _INDEX_THRESHOLD_UNPADDED if self.options.unpadded else _INDEX_THRESHOLD
        before = self.stats.idx.blocks
        while len(self._index) > threshold:
            level, self._index = self._index, []
            stats.max_index_level += 1
            stats.index_offset = self._position
            for key, offset in level:
                self._append(INDEX, key, 0, put_varint(offset))
            self._flush()
            if len(self._index) >= len(level):
                # Each block holds a single key: levels would be added for ever (git's are).
                raise EntryTooBigError(
                    f"the index over keys as long as {len(level[-1][0])} bytes does not converge "
                    f"in blocks of {self.options.block_size} bytes"
                )
            if self.options.single_root:
                threshold = 1
        self._index = []
        stats.index_blocks = self.stats.idx.blocks - before

    def _finish_refs(self) -> None:
        """Finish the ref section; write the object section if the refs have got an index."""
        self._finish_section(REF)
        if not self.stats.ref.index_blocks or self.options.skip_index_objects:
            return
        oids = sorted(cast("dict[bytes, Any]", self._objects))
        shared = _shared(oids)
        length = max(MIN_OBJECT_ID_LEN, max(shared) + 1)
        if length > MAX_OBJECT_ID_LEN:
            # The footer has five bits for the length: ids this alike cannot be indexed.
            return
        self.stats.object_id_len = length
        for first in range(0, len(oids), _OBJECTS_AT_ONCE):
            some = slice(first, first + _OBJECTS_AT_ONCE)
            self._write_objects(oids[some], shared[some], length)
        self._finish_section(OBJ)

    def _write_objects(self, oids: list[bytes], shared: list[int], length: int) -> None:
        varints: dict[int, bytes] = {}
        heads = [[encode_head(n, length - n, kind) for kind in range(8)] for n in range(length)]
        encoded: list[bytes] = []
        for oid, prefix in zip(oids, shared, strict=True):
            known = self._objects[oid]
            if isinstance(known, list):
                kind, tail = encode_object(known, varints)
            else:
                if known not in varints:
                    varints[known] = put_varint(known)
                kind, tail = 1, varints[known]
            encoded.append(heads[prefix][kind] + oid[prefix:length] + tail)
        keys = [oid[:length] for oid in oids]
        done = 0
        while done < len(keys):
            try:
                done = self._take_over(OBJ, keys, encoded, done)
            except EntryTooBigError:
                kind, tail = encode_object([], varints)
                encoded[done] = heads[shared[done]][kind] + keys[done][shared[done] :] + tail


def _shared(oids: list[bytes]) -> list[int]:
    """How many bytes each of some object ids in order shares with the one before it, of the first none."""
    shared = [0]
    at = 0
    for oid, following in pairwise(oids):
        if at and oid[:at] != following[:at]:
            at = 0
        while oid[at] == following[at]:
            at += 1
        shared.append(at)
    return shared

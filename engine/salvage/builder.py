"""Making a sound, temporary table of what a scan finds in a damaged file.

The table is a file without a name, outside of the stack. Records that come in key order are written as they
are found, block by block. A key in the wrong place was altered, or the file has more than one order: such a
block is put aside, sorted with others like it, and merged in at the end. Of one key, the record with the
highest update index remains.
"""

from __future__ import annotations

import os
import tempfile
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from typing import Final, Generic, TypeVar

from engine.closing import Closing
from engine.dataclass import replace
from engine.format import U64_MAX, HashId, LogRecord, RefRecord, log_order, ref_key
from engine.merge import merge_blocks
from engine.table import RegularFile, Table, TableWriter, WriteOptions

KEPT_BYTES: Final = 2**25
"""Bytes of records out of order that are in memory; of more, temporary tables are made and merged."""

_RECORD_BYTES: Final = 200
_WRITE_BUFFER: Final = 2**18

_R = TypeVar("_R", RefRecord, LogRecord)
_K = TypeVar("_K", bytes, tuple[bytes, int])


class Places(Generic[_K]):
    """Where in the damaged file blocks are, by their first keys, and those out of order by each key."""

    __slots__ = ("_firsts", "_misplaced", "_offsets")

    def __init__(self) -> None:
        self._firsts: list[_K] = []
        self._offsets: list[int] = []
        self._misplaced: dict[_K, int] = {}

    def add(self, first: _K, offset: int) -> None:
        """A block that follows the one before."""
        self._firsts.append(first)
        self._offsets.append(offset)

    def add_misplaced(self, keys: Iterable[_K], offset: int) -> None:
        """A block out of order."""
        self._misplaced.update(dict.fromkeys(keys, offset))

    def add_all(self, other: Places[_K]) -> None:
        """Those of another table, as if they were out of order."""
        for first, offset in zip(other._firsts, other._offsets, strict=True):
            self.add_misplaced([first], offset)
        self._misplaced.update(other._misplaced)

    def of(self, key: _K) -> int:
        """The offset of the block that a key was read in."""
        if key in self._misplaced:
            return self._misplaced[key]
        return self._offsets[max(bisect_right(self._firsts, key) - 1, 0)] if self._offsets else 0


class _Section(Generic[_R, _K]):
    """The records of one section on their way into a table: what is out of order is put `aside`.

    The latest block waits until the next one is seen: if that follows the one before it but not the latest,
    it is the latest that has the altered key.
    """

    def __init__(self, key_of: Callable[[_R], _K], write: Callable[[list[_R]], None]) -> None:
        self._key_of: Callable[[_R], _K] = key_of
        self._write: Callable[[list[_R]], None] = write
        self._last: _K | None = None  # of what is written
        self._waiting: list[_R] = []
        self._waiting_at = 0
        self.places: Places[_K] = Places()
        self.aside: list[_R] = []
        self.is_done = False

    def add(self, records: list[_R], offset: int) -> None:
        """Take up the records of the next block, which are in key order."""
        first, waiting = self._key_of(records[0]), self._waiting
        if waiting and self._key_of(waiting[-1]) < first:
            self.flush()
        elif self.is_done or (self._last is not None and not self._last < first):
            self._misplace(records, offset)
            return
        elif waiting:
            self._misplace(waiting, self._waiting_at)
        self._waiting, self._waiting_at = records, offset

    def flush(self) -> None:
        """Write what waits."""
        records, self._waiting = self._waiting, []
        if records:
            self.places.add(self._key_of(records[0]), self._waiting_at)
            self._last = self._key_of(records[-1])
            self._write(records)

    def _misplace(self, records: list[_R], offset: int) -> None:
        self.places.add_misplaced(map(self._key_of, records), offset)
        self.aside += records


class Builder(Closing):
    """Makes a sound table of records that may come in disorder."""

    def __init__(self, name: str, hash_id: HashId, block_size: int) -> None:
        self._made_like = (name, hash_id, block_size)
        self._main = _TemporaryTable(*self._made_like)
        self._refs: _Section[RefRecord, bytes] = _Section(ref_key, self._main.writer.add_refs)
        self._logs: _Section[LogRecord, tuple[bytes, int]] = _Section(log_order, self._main.writer.add_logs)
        self.refs_at, self.logs_at = self._refs.places, self._logs.places
        self._size_aside = 0
        self._sorted: list[Table] = []

    def close(self) -> None:
        """Close the file; a table that was made of it stays open."""
        self._main.close()

    def add_refs(self, refs: list[RefRecord], offset: int) -> None:
        """Take up the refs of a block, which are in key order."""
        before = len(self._refs.aside)
        self._refs.add(refs, offset)
        self._grow(sum(_RECORD_BYTES + len(ref.name) for ref in self._refs.aside[before:]))

    def add_logs(self, logs: list[LogRecord], offset: int) -> None:
        """Take up log entries likewise: refs behind them are out of order."""
        self._refs.flush()
        self._refs.is_done = True
        before = len(self._logs.aside)
        self._logs.add(logs, offset)
        entries = self._logs.aside[before:]
        self._grow(sum(_RECORD_BYTES + len(log.name) + len(log.message) for log in entries))

    def finish(self) -> tuple[Table, int, int]:
        """The table, and the numbers of refs and logs in it."""
        self._refs.flush()
        self._logs.flush()
        if self._refs.aside or self._logs.aside:
            self._sort_aside()
        main = self._main.finish()
        if not self._sorted:
            return main
        # Of equal records that of the newest stream remains: the one that was in its place.
        tables = [*self._sorted, main[0]]
        refs = merge_blocks([table.ref_blocks() for table in tables], _ref_version)
        return self._written(refs, merge_blocks([table.log_blocks() for table in tables], log_order))

    def _grow(self, size: int) -> None:
        self._size_aside += size
        if self._size_aside > KEPT_BYTES:
            self._sort_aside()

    def _sort_aside(self) -> None:
        refs, self._refs.aside = sorted(self._refs.aside, key=_ref_version), []
        logs, self._logs.aside = sorted(self._logs.aside, key=log_order), []
        self._sorted.append(self._written([refs], [logs])[0])
        self._size_aside = 0

    def _written(
        self, refs: Iterable[list[RefRecord]], logs: Iterable[list[LogRecord]]
    ) -> tuple[Table, int, int]:
        with _TemporaryTable(*self._made_like) as table:
            for some in _last_of_each(refs, ref_key):
                table.writer.add_refs(some)
            for entries in _last_of_each(logs, log_order):
                table.writer.add_logs(entries)
            return table.finish()


class _TemporaryTable(Closing):
    """A table that is written to a temporary file, which has no name and goes when it is closed."""

    def __init__(self, name: str, hash_id: HashId, block_size: int) -> None:
        self._name = name
        self._file = tempfile.TemporaryFile(buffering=_WRITE_BUFFER)  # noqa: SIM115 - closed by `close`
        options = WriteOptions(block_size, unpadded=True, skip_index_objects=True, exact_log_message=True)
        self.writer = TableWriter(self._file.write, replace(options, hash_id=hash_id))
        self.writer.set_limits(0, U64_MAX)

    def close(self) -> None:
        """Close the file; a table that was made of it stays open."""
        self._file.close()

    def finish(self) -> tuple[Table, int, int]:
        """The table, open, and the numbers of refs and logs in it."""
        stats = self.writer.close()
        self._file.flush()
        file = RegularFile(os.dup(self._file.fileno()), self._name)
        return Table(file, ""), stats.ref.entries, stats.log.entries


def _ref_version(ref: RefRecord) -> tuple[bytes, int]:
    return ref.name, ref.update_index


def _last_of_each(blocks: Iterable[list[_R]], key_of: Callable[[_R], _K]) -> Iterator[list[_R]]:
    """Of records in order, the last of each key."""
    latest: list[_R] = []
    for block in blocks:
        records = latest + block
        keys = list(map(key_of, records))
        yield [record for record, key, after in zip(records, keys, keys[1:], strict=False) if key != after]
        latest = records[-1:]
    yield latest

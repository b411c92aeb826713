"""Making a sound, temporary table of what a scan finds in a damaged file.

The table is a file without a name, outside of the stack. Records pass as the bytes they were stored as. Those
that come in key order are written as they are found, block by block. A key in the wrong place was altered, or
the file has more than one order: such a block is put aside, sorted with others like it, and merged in at the
end. Of one key, the record with the highest update index remains.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from engine.closing import Closing
from engine.format import DELETION, U64_MAX, Encoded, HashId, get_varint, is_unsafe_refname, may_be_refused
from engine.merge import merge_blocks
from engine.salvage.items import ONE_BYTE, item_key, newest_log, update_deltas
from engine.table import RegularFile, Table, TableWriter, WriteOptions

KEPT_BYTES: Final = 2**25
"""Bytes of records out of order that are in memory; of more, temporary tables are made and merged."""

_RECORD_BYTES: Final = 200
_WRITE_BUFFER: Final = 2**18


@dataclass(slots=True)
class Contents:
    """What is in a table: how many records, tombstones among them, and the update indexes that they have.

    `has_unsafe` when there is a ref whose name makes git fail.
    """

    refs: int = 0
    logs: int = 0
    lowest_ref: int = U64_MAX
    highest_ref: int = 0
    highest_log: int = 0
    has_unsafe: bool = False

    def take_refs(self, items: list[Encoded], min_update_index: int) -> None:
        """Add refs of a table with this lower limit."""
        deltas = update_deltas(items)
        self.refs += len(items)
        self.lowest_ref = min(self.lowest_ref, min_update_index + min(deltas))
        self.highest_ref = max(self.highest_ref, min_update_index + max(deltas))
        if not self.has_unsafe and may_be_refused([*map(item_key, items)]):
            self.has_unsafe = any(item[3] != DELETION and is_unsafe_refname(item[0]) for item in items)

    def take_logs(self, items: list[Encoded]) -> None:
        """Add log entries."""
        self.logs += len(items)
        self.highest_log = max(self.highest_log, newest_log(items))


class Places:
    """Where in the damaged file blocks are, by their first keys, and those out of order by each key."""

    __slots__ = ("_firsts", "_misplaced", "_offsets")

    def __init__(self) -> None:
        self._firsts: list[bytes] = []
        self._offsets: list[int] = []
        self._misplaced: dict[bytes, int] = {}

    def add(self, first: bytes, offset: int) -> None:
        """A block that follows the one before."""
        self._firsts.append(first)
        self._offsets.append(offset)

    def add_misplaced(self, keys: Iterable[bytes], offset: int) -> None:
        """A block out of order."""
        self._misplaced.update(dict.fromkeys(keys, offset))

    def add_all(self, other: Places) -> None:
        """Those of another table, as if they were out of order."""
        for first, offset in zip(other._firsts, other._offsets, strict=True):
            self.add_misplaced([first], offset)
        self._misplaced.update(other._misplaced)

    def of(self, key: bytes) -> int:
        """The offset of the block that a key was read in."""
        if key in self._misplaced:
            return self._misplaced[key]
        return self._offsets[max(bisect_right(self._firsts, key) - 1, 0)] if self._offsets else 0


class _Section:
    """The records of one section on their way into a table: what is out of order is put `aside`.

    The latest block waits until the next one is seen: if that follows the one before it but not the latest,
    it is the latest that has the altered key.
    """

    def __init__(self, write: Callable[[list[Encoded]], None]) -> None:
        self._write: Callable[[list[Encoded]], None] = write
        self._last: bytes | None = None  # of what is written
        self._waiting: list[Encoded] = []
        self._waiting_at = 0
        self.places = Places()
        self.aside: list[Encoded] = []
        self.is_done = False

    def add(self, items: list[Encoded], offset: int) -> int:
        """Take up the records of the next block, which are in key order; the size of what goes aside."""
        first, waiting, size = items[0][0], self._waiting, 0
        if waiting and waiting[-1][0] < first:
            self.flush()
        elif self.is_done or (self._last is not None and not self._last < first):
            return self._misplace(items, offset)
        elif waiting:
            size = self._misplace(waiting, self._waiting_at)
        self._waiting, self._waiting_at = items, offset
        return size

    def flush(self) -> None:
        """Write what waits."""
        items, self._waiting = self._waiting, []
        if items:
            self.places.add(items[0][0], self._waiting_at)
            self._last = items[-1][0]
            self._write(items)

    def _misplace(self, items: list[Encoded], offset: int) -> int:
        self.places.add_misplaced(map(item_key, items), offset)
        self.aside += items
        return sum(_RECORD_BYTES + len(item[0]) + len(item[5]) for item in items)


class Builder(Closing):
    """Makes a sound table of records that may come in disorder.

    Refs have update indexes from `min_update_index` on: those of a table with this lower limit.
    """

    def __init__(self, name: str, hash_id: HashId, block_size: int, min_update_index: int = 0) -> None:
        self.hash_id = hash_id
        self._made_like = (name, hash_id, block_size, min_update_index)
        self._min_update_index = min_update_index
        self._main = _TemporaryTable(*self._made_like)
        self._refs = _Section(self._main.add_refs)
        self._logs = _Section(self._main.add_logs)
        self.refs_at, self.logs_at = self._refs.places, self._logs.places
        self._size_aside = 0
        self._sorted: list[Table] = []

    def close(self) -> None:
        """Close the file; a table that was made of it stays open."""
        self._main.close()

    def add_refs(self, items: list[Encoded], offset: int) -> None:
        """Take up the refs of a block, which are in key order."""
        self._grow(self._refs.add(items, offset))

    def add_logs(self, items: list[Encoded], offset: int) -> None:
        """Take up the log entries of a block: refs behind them are out of order."""
        self._refs.flush()
        self._refs.is_done = True
        self._grow(self._logs.add(items, offset))

    def finish(self) -> tuple[Table, Contents]:
        """The table, and what is in it."""
        self._refs.flush()
        self._logs.flush()
        if self._refs.aside or self._logs.aside:
            self._sort_aside()
        main = self._main.finish()
        if not self._sorted:
            return main
        # Of equal records that of the newest stream remains: the one that was in its place.
        tables = [*self._sorted, main[0]]
        low = self._min_update_index
        refs = merge_blocks([_items(table.encoded_ref_blocks(low)) for table in tables], _ref_version)
        return self._written(
            refs, merge_blocks([_items(table.encoded_log_blocks()) for table in tables], item_key)
        )

    def _grow(self, size: int) -> None:
        self._size_aside += size
        if self._size_aside > KEPT_BYTES:
            self._sort_aside()

    def _sort_aside(self) -> None:
        refs, self._refs.aside = sorted(self._refs.aside, key=_ref_version), []
        logs, self._logs.aside = sorted(self._logs.aside, key=item_key), []
        self._sorted.append(self._written([refs], [logs])[0])
        self._size_aside = 0

    def _written(
        self, refs: Iterable[list[Encoded]], logs: Iterable[list[Encoded]]
    ) -> tuple[Table, Contents]:
        with _TemporaryTable(*self._made_like) as table:
            for some in _last_of_each(refs):
                table.add_refs(some)
            for entries in _last_of_each(logs):
                table.add_logs(entries)
            return table.finish()


class _TemporaryTable(Closing):
    """A table that is written to a temporary file, which has no name and goes when it is closed."""

    def __init__(self, name: str, hash_id: HashId, block_size: int, min_update_index: int) -> None:
        import tempfile

        self._name = name
        self._file = tempfile.TemporaryFile(buffering=_WRITE_BUFFER)  # noqa: SIM115 - closed by `close`
        self._min_update_index = min_update_index
        self._contents = Contents()
        options = WriteOptions(
            block_size, unpadded=True, skip_index_objects=True, exact_log_message=True, hash_id=hash_id
        )
        self._writer = TableWriter(self._file.write, options)
        self._writer.set_limits(min_update_index, U64_MAX)

    def close(self) -> None:
        """Close the file; a table that was made of it stays open."""
        self._file.close()

    def add_refs(self, items: list[Encoded]) -> None:
        """Write refs."""
        if items:
            self._writer.add_encoded_refs(items)
            self._contents.take_refs(items, self._min_update_index)

    def add_logs(self, items: list[Encoded]) -> None:
        """Write log entries."""
        self._writer.add_encoded_logs(items)
        self._contents.take_logs(items)

    def finish(self) -> tuple[Table, Contents]:
        """The table, open, and what is in it."""
        self._writer.close()
        self._file.flush()
        file = RegularFile(os.dup(self._file.fileno()), self._name)
        return Table(file, ""), self._contents


def _ref_version(ref: Encoded) -> tuple[bytes, int]:
    delta = ref[5][-ref[4]]
    return ref[0], delta if delta < ONE_BYTE else get_varint(ref[5], len(ref[5]) - ref[4])[0]


def _items(blocks: Iterable[tuple[int, list[Encoded]]]) -> Iterator[list[Encoded]]:
    return (items for _, items in blocks)


def _last_of_each(blocks: Iterable[list[Encoded]]) -> Iterator[list[Encoded]]:
    """Of records in order, the last of each key."""
    latest: list[Encoded] = []
    for block in blocks:
        items = latest + block
        keys = list(map(item_key, items))
        yield [item for item, key, after in zip(items, keys, keys[1:], strict=False) if key != after]
        latest = items[-1:]
    yield latest

"""Compaction: merging tables into one, and the plan of doing so.

`compact_tables` merges tables into a `TableWriter` and knows no directory, lock or list: that
is the stack's part. `plan_compaction` is the dry run, the same merge with a sink that only counts;
it needs nothing but the tables, so it may run in any thread. Records pass as the bytes they
were stored as, decoded as far as their keys. Git's rules:

  * the newest version of a key stays; tombstones go only when nothing older can be hidden by
    them, that is when the first table of the stack is part of the range;
  * an expired log entry goes; a log tombstone never expires, it may hide an older entry;
  * messages get exactly one newline at the end unless `exact_log_message` is set. A message
    with newlines inside stays as it is (git refuses to compact it; here nothing is lost).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from engine.errors import ApiError, FormatError
from engine.format.block import Block
from engine.format.header import MIN_UPDATE_INDEX
from engine.format.raw_record import Encoded, log_time, normalised
from engine.format.record import DELETION
from engine.format.varint import U64_MAX
from engine.merge.merged import MergedTable, merge_blocks
from engine.progress import Progress, ProgressCallback
from engine.table.reader import Table
from engine.table.writer import TableStats, TableWriter, WriteOptions


@dataclass(slots=True, frozen=True)
class Expiry:
    """Which log entries to drop: older than `time` (seconds since 1970), below an update index.

    0 means no limit of that kind.
    """

    time: int = 0
    min_update_index: int = 0


@dataclass(slots=True, frozen=True)
class Dropped:
    """Records of the merged tables that the result does not have."""

    shadowed: int = 0
    tombstones: int = 0
    expired: int = 0


@dataclass(slots=True, frozen=True)
class Compacted:
    """What a merge wrote and dropped; `table` describes the file."""

    table: TableStats
    dropped: Dropped

    @property
    def entries(self) -> int:
        """Ref and log records written."""
        return self.table.ref.entries + self.table.log.entries


class _Tally:
    """Counts what passes through the merge and reports progress."""

    def __init__(self, tables: Sequence[Table], progress: ProgressCallback | None) -> None:
        self.read = 0
        self.tombstones = 0
        self.expired = 0
        self._progress = progress
        self._done = 0
        self._total = sum(table.size for table in tables)

    def watch(self, phase: str, blocks: Iterator[tuple[Block, list[Encoded]]]) -> Iterator[list[Encoded]]:
        for block, items in blocks:
            self.read += len(items)
            self._done += block.next_offset - block.offset
            if self._progress is not None:
                self._progress(Progress(phase, self._done, self._total))
            yield items


def _key(item: Encoded) -> bytes:
    return item[0]


def compact_tables(
    tables: Sequence[Table],
    write: Callable[[bytes], object],
    options: WriteOptions,
    *,
    drop_tombstones: bool,
    expiry: Expiry | None = None,
    progress: ProgressCallback | None = None,
) -> Compacted:
    """Merge tables, oldest first, into one whose bytes go to `write`.

    `drop_tombstones` when no table lies below the first of them. The table's hash function is
    that of the tables. An empty result is written too (see `TableStats.is_empty`). Raises
    `FormatError` for a damaged table and whatever `write` and `progress` raise.
    """
    for table in tables:
        if table.min_update_index > table.max_update_index:
            what = f"the update index limits {table.min_update_index}..{table.max_update_index} are no range"
            raise FormatError(table.name, MIN_UPDATE_INDEX.offset, what)
    hash_size = tables[0].hash_id.size
    writer = TableWriter(write, options)
    low = min(table.min_update_index for table in tables)
    writer.set_limits(low, max(table.max_update_index for table in tables))
    tally = _Tally(tables, progress)
    for items in merge_blocks([tally.watch("refs", table.encoded_ref_blocks(low)) for table in tables], _key):
        writer.add_encoded_refs(_without_tombstones(items, tally) if drop_tombstones else items)
    for items in merge_blocks([tally.watch("logs", table.encoded_log_blocks()) for table in tables], _key):
        kept = _without_tombstones(items, tally) if drop_tombstones else items
        if expiry is not None:
            kept = _without_expired(kept, expiry, hash_size, tally)
        if not options.exact_log_message:
            kept = [normalised(item, hash_size) for item in kept]
        writer.add_encoded_logs(kept)
    stats = writer.close()
    dropped = tally.tombstones + tally.expired
    shadowed = tally.read - dropped - stats.ref.entries - stats.log.entries
    return Compacted(stats, Dropped(shadowed, tally.tombstones, tally.expired))


def _without_tombstones(items: list[Encoded], tally: _Tally) -> list[Encoded]:
    kept = [item for item in items if item[3] != DELETION]
    tally.tombstones += len(items) - len(kept)
    return kept


def _without_expired(items: list[Encoded], expiry: Expiry, hash_size: int, tally: _Tally) -> list[Encoded]:
    kept = [item for item in items if item[3] == DELETION or not _is_expired(item, expiry, hash_size)]
    tally.expired += len(items) - len(kept)
    return kept


def _is_expired(item: Encoded, expiry: Expiry, hash_size: int) -> bool:
    if U64_MAX - int.from_bytes(item[0][-8:], "big") < expiry.min_update_index:
        return True
    return expiry.time > 0 and log_time(item, hash_size) < expiry.time


@dataclass(slots=True, frozen=True)
class TableSummary:
    """A table of a plan: its name (None while it is not written yet) and file size."""

    name: str | None
    size: int
    min_update_index: int
    max_update_index: int


@dataclass(slots=True, frozen=True)
class CompactionPlan:
    """What a compaction of the tables [first, end) of exactly this stack would do.

    `bytes` is the size of the table that it would write, 0 when nothing would be left of it.
    """

    first: int
    end: int
    expiry: Expiry | None
    before: tuple[TableSummary, ...]
    after: tuple[TableSummary, ...]
    dropped: Dropped
    bytes: int

    @property
    def names(self) -> tuple[str, ...]:
        """The tables of the stack that was planned for, oldest first."""
        return tuple(table.name or "" for table in self.before)

    @property
    def is_noop(self) -> bool:
        """Whether there is nothing to merge or expire."""
        return is_noop(self.first, self.end, self.expiry)


def is_noop(first: int, end: int, expiry: Expiry | None) -> bool:
    """Whether compacting [first, end) would change nothing: one table alone is only expired."""
    return end - first < (2 if expiry is None else 1)


def summarise(table: Table) -> TableSummary:
    """A table as plans show it."""
    return TableSummary(table.name, table.size, table.min_update_index, table.max_update_index)


def plan_compaction(
    tables: Sequence[Table],
    first: int,
    end: int,
    options: WriteOptions,
    expiry: Expiry | None = None,
    progress: ProgressCallback | None = None,
) -> CompactionPlan:
    """What compacting the tables [first, end) of a stack of `tables` would do: exact sizes and counts.

    `tables` are all of the stack, oldest first: tombstones go only when none lies in front of the
    range. The hash function is the tables', whatever `options` says. Nothing is written and no
    lock taken. Raises `ApiError` for a range that the stack does not have, `FormatError` for a
    damaged table in it, and whatever `progress` raises.
    """
    check_range(tables, first, end)
    before = tuple(summarise(table) for table in tables)
    if is_noop(first, end, expiry):
        return CompactionPlan(first, end, expiry, before, before, Dropped(), 0)
    merged = tables[first:end]
    options = replace(options, hash_id=merged[0].hash_id)
    compacted = compact_tables(
        merged, len, options, drop_tombstones=first == 0, expiry=expiry, progress=progress
    )
    size = 0 if compacted.table.is_empty else compacted.table.size
    view = MergedTable(merged)
    result = (TableSummary(None, size, view.min_update_index, view.max_update_index),) if size else ()
    after = (*before[:first], *result, *before[end:])
    return CompactionPlan(first, end, expiry, before, after, compacted.dropped, size)


def check_range(tables: Sequence[Table], first: int, end: int) -> None:
    """Raise `ApiError` unless [first, end) is a range, perhaps an empty one, of a stack of `tables`."""
    if not 0 <= first <= end <= len(tables):
        raise ApiError(f"tables {first}..{end} of a stack of {len(tables)}")

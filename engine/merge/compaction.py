"""Compaction: merging tables into one, and the plan of doing so.

`compact_tables` merges tables into a `TableWriter` and knows no directory, lock or list: that
is the stack's part. `plan_compaction` is the dry run, the same merge with a sink that only counts;
it needs nothing but the tables, so it may run in any thread. Records pass as the bytes they
were stored as, decoded as far as their keys. Git's rules:

  * the newest version of a key stays; tombstones go only when nothing older can be hidden by
    them, that is when the first table of the stack is part of the range;
  * an expired log entry goes; a log tombstone never expires, it may hide an older entry;
  * where the last entry of a reflog expires, its marker stays or is written: git logs the updates of
    a ref that has a reflog, and a reflog without any record is none;
  * messages get exactly one newline at the end unless `exact_log_message` is set. A message
    with newlines inside stays as it is (git refuses to compact it; here nothing is lost).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from operator import itemgetter
from typing import Final, NamedTuple

from engine.errors import ApiError, FormatError
from engine.format.codec import DELETION
from engine.format.header import MIN_UPDATE_INDEX
from engine.format.raw_record import Encoded, RawRefs, is_marker, log_time, marker_for, normalised
from engine.format.record import LOG_KEY_TAIL
from engine.format.varint import U64_MAX
from engine.merge.merged import MergedTable, merge_blocks, merge_columns
from engine.merge.summary import TableSummary
from engine.progress import Progress, ProgressCallback
from engine.table.options import WriteOptions
from engine.table.reader import Table
from engine.table.writer import TableStats, TableWriter

STASH: Final = b"refs/stash"
"""The ref whose reflog is all there is of older stashes."""


class Expiry(NamedTuple):
    """Which log entries to drop: older than `time` (seconds since 1970), below an update index.

    0 means no limit of that kind. Patterns match whole names of refs, and `*` in them slashes as well.
    `times` are pairs of a pattern and the time that counts instead for the refs it matches; the first that
    does counts. With `only`, reflogs that none of its patterns matches stay as they are; those that one of
    `spared` matches always do. So does that of refs/stash, unless `only` has its very name or `times` a
    pattern that matches it.
    """

    time: int = 0
    min_update_index: int = 0
    times: tuple[tuple[bytes, int], ...] = ()
    only: tuple[bytes, ...] = ()
    spared: tuple[bytes, ...] = ()

    def limits(self, name: bytes) -> tuple[int, int]:
        """The time and the update index before which the entries of this ref go, 0 for none."""
        if (self.only and not _matches(name, self.only)) or _matches(name, self.spared):
            return 0, 0
        for pattern, time in self.times:
            if _matches(name, (pattern,)):
                return time, self.min_update_index
        if name == STASH and STASH not in self.only:
            return 0, 0
        return self.time, self.min_update_index


def _matches(name: bytes, patterns: tuple[bytes, ...]) -> bool:
    # git's wildmatch negates a set with ! or ^, fnmatch with ! alone.
    return any(fnmatchcase(name, pattern.replace(b"[^", b"[!")) for pattern in patterns)


class Dropped(NamedTuple):
    """Records of the merged tables that the result does not have."""

    shadowed: int = 0
    tombstones: int = 0
    expired: int = 0


class ExpiredLog(NamedTuple):
    """How many entries of a ref's reflog expire, and how many stay."""

    name: bytes
    expired: int
    kept: int


class Compacted(NamedTuple):
    """What a merge wrote and dropped; `table` describes the file, `logs` are those that lose entries."""

    table: TableStats
    dropped: Dropped
    logs: tuple[ExpiredLog, ...] = ()

    @property
    def entries(self) -> int:
        """Ref and log records written."""
        return self.table.ref.entries + self.table.log.entries


class _Tally:
    """Counts what passes through the merge and reports progress."""

    def __init__(self, tables: Sequence[Table], progress: ProgressCallback | None) -> None:
        self.read = 0
        self.tombstones = 0
        self._progress = progress
        self._done = 0
        self._total = sum(table.size for table in tables)

    def refs(self, blocks: Iterator[tuple[int, RawRefs]]) -> Iterator[RawRefs]:
        for size, refs in blocks:
            self._take("refs", size, len(refs.keys))
            yield refs

    def logs(self, blocks: Iterator[tuple[int, list[Encoded]]]) -> Iterator[list[Encoded]]:
        for size, logs in blocks:
            self._take("logs", size, len(logs))
            yield logs

    def _take(self, phase: str, size: int, count: int) -> None:
        self.read += count
        self._done += size
        if self._progress is not None:
            self._progress(Progress(phase, self._done, self._total))


_key: Callable[[Encoded], bytes] = itemgetter(0)


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
    expiring = None if expiry is None else _Expiring(expiry, hash_size)
    for refs in merge_columns([tally.refs(table.raw_ref_blocks(low)) for table in tables]):
        kept_refs = refs.without_tombstones() if drop_tombstones else refs
        tally.tombstones += len(refs.keys) - len(kept_refs.keys)
        if kept_refs.keys:
            writer.add_raw_refs(kept_refs)

    def add_logs(items: list[Encoded]) -> None:
        writer.add_encoded_logs(
            items if options.exact_log_message else [normalised(item, hash_size) for item in items]
        )

    for items in merge_blocks([tally.logs(table.encoded_log_blocks()) for table in tables], _key):
        kept = _without_tombstones(items, tally) if drop_tombstones else items
        add_logs(kept if expiring is None else expiring.without_expired(kept))
    if expiring is not None:
        add_logs(expiring.end())
    logs, markers = (tuple(expiring.logs), expiring.markers) if expiring is not None else ((), 0)
    stats = writer.close()
    expired = sum(log.expired for log in logs)
    written = stats.ref.entries + stats.log.entries - markers
    superseded = tally.read - tally.tombstones - expired - written
    return Compacted(stats, Dropped(superseded, tally.tombstones, expired), logs)


def _without_tombstones(items: list[Encoded], tally: _Tally) -> list[Encoded]:
    kept = [item for item in items if item[3] != DELETION]
    tally.tombstones += len(items) - len(kept)
    return kept


class _Expiring:
    """Leaves out expired log entries, and puts a marker in the place of a reflog's last one.

    That one is the newest which goes while nothing of its reflog has stayed. It waits until the next name
    tells that nothing does, and the tombstones behind it, which sort after it, wait with it.
    """

    def __init__(self, expiry: Expiry, hash_size: int) -> None:
        self.logs: list[ExpiredLog] = []
        self.markers = 0
        self._expiry = expiry
        self._hash_size = hash_size
        self._name = b""
        self._limits = 0, 0
        self._waiting: list[Encoded] = []
        self._expired = self._kept = 0
        self._stays = False

    def without_expired(self, items: list[Encoded]) -> list[Encoded]:
        """What stays of the next items."""
        kept: list[Encoded] = []
        for item in items:
            name = item[0][:-LOG_KEY_TAIL]
            if name != self._name:
                kept += self.end()
                self._name, self._limits = name, self._expiry.limits(name)
            if item[3] == DELETION:
                (self._waiting or kept).append(item)
            elif is_marker(item, self._hash_size):
                kept += self._stay(item)
            elif not self._is_expired(item):
                self._kept += 1
                kept += self._stay(item)
            else:
                self._expired += 1
                if not (self._stays or self._waiting):
                    self._waiting.append(item)
        return kept

    def end(self) -> list[Encoded]:
        """What is left to be written of the reflog whose items have come to an end."""
        if self._expired:
            self.logs.append(ExpiredLog(self._name, self._expired, self._kept))
        rest = self._waiting
        if rest:
            rest[0] = marker_for(rest[0], self._hash_size)
            self.markers += 1
        self._waiting, self._stays, self._expired, self._kept = [], False, 0, 0
        return rest

    def _stay(self, item: Encoded) -> list[Encoded]:
        tombstones, self._waiting, self._stays = self._waiting[1:], [], True
        return [*tombstones, item]

    def _is_expired(self, item: Encoded) -> bool:
        time, min_update_index = self._limits
        if U64_MAX - int.from_bytes(item[0][-8:], "big") < min_update_index:
            return True
        return time > 0 and log_time(item, self._hash_size)[0] < time


class CompactionPlan(NamedTuple):
    """What a compaction of the tables [first, end) of exactly this stack would do.

    `bytes` is the size of the table that it would write, 0 when nothing would be left of it. `logs` are the
    reflogs that lose entries by expiry, by name.
    """

    first: int
    end: int
    expiry: Expiry | None
    before: tuple[TableSummary, ...]
    after: tuple[TableSummary, ...]
    dropped: Dropped
    bytes: int
    logs: tuple[ExpiredLog, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The tables of the stack that was planned for, oldest first."""
        return tuple(table.name or "" for table in self.before)

    @property
    def is_noop(self) -> bool:
        """Whether there is nothing to merge or expire."""
        return self.after == self.before


def is_noop(tables: Sequence[Table], options: WriteOptions, expiry: Expiry | None) -> bool:
    """Whether compacting these tables would change nothing.

    One alone is written anew to expire entries, or to get the single root that the options ask for. Raises
    `FormatError` for one whose index is damaged.
    """
    if len(tables) != 1 or expiry is not None:
        return not tables
    return not (options.single_root and tables[0].has_several_roots)


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
    before = tuple(
        TableSummary(table.name, table.size, table.min_update_index, table.max_update_index)
        for table in tables
    )
    merged = tables[first:end]
    if is_noop(merged, options, expiry):
        return CompactionPlan(first, end, expiry, before, before, Dropped(), 0)
    options = replace(options, hash_id=merged[0].hash_id)
    compacted = compact_tables(
        merged, len, options, drop_tombstones=first == 0, expiry=expiry, progress=progress
    )
    size = 0 if compacted.table.is_empty else compacted.table.size
    view = MergedTable(merged)
    result = (TableSummary(None, size, view.min_update_index, view.max_update_index),) if size else ()
    after = (*before[:first], *result, *before[end:])
    return CompactionPlan(first, end, expiry, before, after, compacted.dropped, size, compacted.logs)


def check_range(tables: Sequence[Table], first: int, end: int) -> None:
    """Raise `ApiError` unless [first, end) is a range, perhaps an empty one, of a stack of `tables`."""
    if not 0 <= first <= end <= len(tables):
        raise ApiError(f"tables {first}..{end} of a stack of {len(tables)}")

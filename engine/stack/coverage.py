"""What the listed tables of a stack hold, against which a table that is not listed is judged.

Headers tell which update indexes are covered: a set of ranges, never a maximum, since a list that has lost a
line has a hole. A table whose range is covered may still be of another history (an older list was put back,
and git went on from there): then only its records tell. A ref is superseded if a listed table has a record of
that name which is as new or newer, a log entry if a listed table has it or its tombstone. As histories that
part have the same update indexes, the entry of the same key may be another one.

A compaction leaves more behind when its process dies before it has removed its tables: what it dropped. Such
tables lie within the update indexes of one listed table, which has more of them; or has just these, where one
table alone was written anew to expire log entries, and has the same refs then, and no entries but those.
Tombstones tell that a ref was deleted, and lie in one of these tables, since the oldest are removed first.
Log entries have expired, also where the marker of an empty reflog is in the place of the last one, unless an
older one has not, or those that follow them tell of another history.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import groupby, pairwise
from operator import attrgetter
from typing import Final, NamedTuple

from engine import merge
from engine.errors import FormatError
from engine.format import AnyRef, LogRecord, limits_in_name
from engine.merge import MergedTable
from engine.progress import ProgressCallback
from engine.table import Table

_MOST_COUNTED: Final = 10_000
"""Records that no listed table has, after which no more are looked for."""


class Missing(NamedTuple):
    """Numbers of records of a table: refs that the stack has not, or `differing`, and log entries."""

    refs: int = 0
    differing: int = 0
    logs: int = 0


class Coverage:
    """Tables of a stack, the listed ones or others, as far as they can be opened, from when this was made on.

    Of a table that does not open, the update indexes in its name count, of one that is missing, none. In both
    cases, `is_whole` is False.
    """

    __slots__ = ("_tables", "is_whole", "ranges")

    def __init__(self, directory: str, names: Iterable[str]) -> None:
        self._tables: list[Table] = []
        self.is_whole = True
        limits: list[tuple[int, int]] = []
        for name in dict.fromkeys(names):
            try:
                table = Table.open(os.path.join(directory, name), name)
            except FileNotFoundError:
                self.is_whole = False
            except (FormatError, OSError):
                self.is_whole = False
                stated = limits_in_name(name)
                limits += [stated] if stated else []
            else:
                self._tables.append(table)
                limits.append((table.min_update_index, table.max_update_index))
        self.ranges = merged_ranges(limits)

    @property
    def highest(self) -> int:
        """The highest update index that is covered, 0 if none is."""
        return self.ranges[-1][1] - 1 if self.ranges else 0

    def covers(self, low: int, high: int) -> bool:
        """Whether all update indexes from `low` to `high` are those of listed tables."""
        return covers(self.ranges, low, high)

    def compacted(self, table: Table) -> tuple[int, int] | None:
        """The limits of a listed table that may be what a compaction made of `table` and others."""
        low, high = table.min_update_index, table.max_update_index
        for listed in self._tables:
            limits = listed.min_update_index, listed.max_update_index
            has_these = limits[0] <= low and high <= limits[1]
            if has_these and (limits != (low, high) or _is_made_of(listed, table)):
                return limits
        return None

    def within(self, low: int, high: int) -> list[Table]:
        """The tables whose update indexes all lie from `low` to `high`."""
        return [one for one in self._tables if low <= one.min_update_index and one.max_update_index <= high]

    def contradicts(self, table: Table) -> bool:
        """Whether `table` lacks records of listed tables that have some of its update indexes.

        A compaction of these and of newer tables has them all, or newer ones; one of the oldest tables lacks
        what was deleted since. False where it cannot be told.
        """
        low, high = table.min_update_index, table.max_update_index
        # Tombstones are dropped, and entries expire, in what is made of the oldest tables.
        is_oldest = all(low <= listed.min_update_index for listed in self._tables)
        within = self.within(low, high) if is_oldest else []
        for listed in self._tables:
            if listed.min_update_index <= high and low <= listed.max_update_index:
                with suppress(FormatError):
                    missing = _missing((table,), listed, None)
                    if missing.differing or _other_logs((table,), listed, None, within):
                        return True
                    if not is_oldest and (any(missing) or _has_other_deletions(listed, (table,))):
                        return True
        return False

    def missing_from(
        self, table: Table, beside: Sequence[Table], progress: ProgressCallback | None
    ) -> Missing | None:
        """What records of `table` no listed table has as new or newer.

        `beside` are the tables that a compaction left together with this one. None if that cannot be told.
        Counted until there are many. Raises `FormatError` when `table` itself cannot be read.
        """
        tables = [listed for listed in self._tables if listed.hash_id is table.hash_id]
        # These alone can have something newer. Older ones, which may be damaged, are asked only if need be.
        newer = [listed for listed in tables if listed.max_update_index >= table.min_update_index]
        try:
            if not _has_other_deletions(table, newer) and not any(_missing(newer, table, progress)):
                return Missing()
            missing = _missing(tables, table, progress, beside)
        except FormatError as error:
            if error.name == table.name:
                raise
            return None
        is_whole = self.is_whole and len(tables) == len(self._tables)
        return missing if is_whole or not any(missing) else None


def _missing(
    listed: Sequence[Table], table: Table, progress: ProgressCallback | None, beside: Sequence[Table] = ()
) -> Missing:
    stack = MergedTable(listed)
    refs = differing = 0
    # On top of the stack, each ref of the table shows that is not the same as now.
    for changes in merge.ref_changes(stack, MergedTable((*listed, table)), progress=progress):
        newer = [change for change in changes if _is_newer(change, stack, table)]
        kept = [change for change in newer if not _is_deleted(change.name, table, beside)]
        refs += sum(change.before is None for change in kept)
        differing += sum(change.before is not None for change in kept)
        if refs + differing >= _MOST_COUNTED:
            break
    logs = _other_logs(listed, table, progress, beside)
    # Below the stack, each entry shows whose key no listed table has, not even as a tombstone.
    for entries in merge.added_logs(stack, MergedTable((table, *listed)), progress):
        logs += _not_expired(entries, stack, beside) if beside else len(entries)
        if logs >= _MOST_COUNTED:
            break
    return Missing(refs, differing, logs)


def _other_logs(
    listed: Sequence[Table], table: Table, progress: ProgressCallback | None, beside: Sequence[Table]
) -> int:
    """The number of log entries in whose place another update has its own in one of `listed`.

    Where `beside` has tables, markers are of reflogs that have expired, as for `_not_expired`.
    """
    found = 0
    # On top of each table, each such entry shows; its own may be deleted.
    for one in listed:
        if one.min_update_index <= table.max_update_index and table.min_update_index <= one.max_update_index:
            for others in merge.other_logs(MergedTable((one,)), MergedTable((one, table)), progress):
                marked = [entry for other, entry in others if beside and other.is_marker]
                found += len(others) - len(marked) + _not_expired(marked, MergedTable(listed), beside)
    return found


def _not_expired(entries: Sequence[LogRecord], stack: MergedTable, beside: Sequence[Table]) -> int:
    """How many of these log entries, which the stack has not, no compaction has expired.

    None expires in front of an older one. And each update begins with the value of the one before: where the
    next entry of a ref begins with another, the entry is of another history, and so is what leads to it.
    HEAD may be switched without an entry.
    """
    found = 0
    both = MergedTable((*stack.tables, *beside))  # so that a marker does not hide the entry in its place
    for name, group in groupby(entries, attrgetter("name")):
        missing = {entry.update_index: entry for entry in group}
        others: set[int] = set()
        if name.startswith(b"refs/"):
            held = {entry.update_index for entry in stack.logs(name) if not entry.is_marker}
            for following, entry in pairwise(one for one in both.logs(name) if not one.is_marker):
                leads_to_other = following.update_index in others
                if entry.update_index not in held and (leads_to_other or following.old != entry.new):
                    others.add(entry.update_index)
        found += sum(index in others or _has_older(stack, entry) for index, entry in missing.items())
    return found


def _has_older(stack: MergedTable, entry: LogRecord) -> bool:
    """Whether the reflog that the stack shows has an entry older than this one of the same ref."""
    older = next(stack.log_blocks(entry.name, entry.update_index - 1), []) if entry.update_index else []
    return any(one.name == entry.name and not one.is_marker for one in older[:1])


def _is_made_of(listed: Table, table: Table) -> bool:
    """Whether one table is another written anew: it has the same refs, and of the log entries those left.

    False where it cannot be told.
    """
    if listed.hash_id is not table.hash_id:
        return False
    before, after = MergedTable((table,)), MergedTable((listed,))
    try:
        return not (
            any(merge.ref_changes(before, after))
            or any(merge.added_logs(before, after))
            or any(merge.other_logs(before, after))
        )
    except FormatError:
        return False


def _is_newer(change: merge.RefChange, stack: MergedTable, table: Table) -> bool:
    """Whether `stack` has nothing of a ref that is newer than what `table` has, or the same."""
    record: AnyRef | None = change.before
    if record is None:
        found = stack.find_ref(change.name)  # a tombstone, or nothing
        record = None if found is None else found[1]
    own = change.after or table.read_ref(change.name)
    return record is None or own is None or own.update_index >= record.update_index


def _is_deleted(name: bytes, table: Table, beside: Sequence[Table]) -> bool:
    """Whether a table beside this one, or this itself, ends with the deletion of a ref."""
    found = [ref for one in (table, *beside) if (ref := one.read_ref(name)) is not None]
    return bool(beside) and max(found, key=lambda ref: ref.update_index).is_deletion


def _has_other_deletions(table: Table, newer: Sequence[Table]) -> bool:
    """Whether a tombstone of `table` may hide a ref that lies in tables older than `newer`."""
    stack = MergedTable(newer)
    return any(
        record.is_deletion and stack.find_ref(record.name) is None
        for records in table.ref_blocks()
        for record in records
    )


def merged_ranges(limits: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Ranges [first, end) of update indexes, in order and apart, from limits that belong to them both.

    Limits that are no range are none here, either.
    """
    merged: list[tuple[int, int]] = []
    for low, high in sorted(limits):
        if low > high:
            continue
        if merged and low <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], high + 1)
        else:
            merged.append((low, high + 1))
    return tuple(merged)


def covers(ranges: Iterable[tuple[int, int]], low: int, high: int) -> bool:
    """Whether one of these ranges has all update indexes from `low` to `high`."""
    return any(first <= low and high < end for first, end in ranges)

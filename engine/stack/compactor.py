"""Replacing a range of tables by their compaction while others go on writing.

The order of steps is git's, and each guards against other processes:

 1. lock `tables.list` and see that it is the one we know: the range is a range of its tables;
 2. lock the tables of the range, newest first: a process that compacts what it just added is
    not stopped by one that is busy with old tables, and may do with the newer part of its range;
 3. let go of the list, so that others can add while we merge;
 4. merge into a temporary file;
 5. lock the list again and read it again: tables may have been added behind our range, and
    others compacted in front of it. Find the range by name. If tombstones were dropped, it still has to be
    the bottom of the stack: an undo may have put a table below it;
 6. rename the new table into place, then the list that names it;
 7. load the new list, unlink the tables of the range, and let go of their locks.

A crash before the rename of the list leaves the old stack and clutter, after it the new one.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Final

from engine.errors import LockError, OutdatedError
from engine.format import footer_size
from engine.merge import Expiry, MergedTable, compact_tables, is_noop
from engine.progress import ProgressCallback
from engine.stack.directory import StackDirectory
from engine.stack.lock import LockFile, jitter
from engine.stack.stats import CompactionStats
from engine.stack.writable import require_writable

_HOLD_SECONDS: Final = 5.0
"""How long to try to lock all tables of a stack that others are merging."""


def compact_range(
    directory: StackDirectory,
    first: int,
    end: int,
    stats: CompactionStats,
    *,
    expiry: Expiry | None = None,
    best_effort: bool = False,
    follows: bool = False,
    progress: ProgressCallback | None = None,
) -> None:
    """Replace the tables [first, end) by one, and count it. What changes nothing (`is_noop`) is not done.

    `best_effort` makes do with the newer tables of the range, two or more, when an older one
    is locked. With `follows`, the tables are found again in a stack that has changed. Raises `LockError`,
    `OutdatedError`, `FormatError` for a damaged table, `OSError`, `CommittedError`.
    """
    if is_noop(directory.tables[first:end], directory.write_options, expiry):
        return
    stats.attempts += 1
    try:
        with directory.telling_of_commits(), ExitStack() as locks:
            start, end = _lock_range(directory, first, end, locks, best_effort=best_effort, follows=follows)
            merged = MergedTable(directory.tables[start:end])
            range_names = [table.name for table in merged.tables]
            limits = merged.min_update_index, merged.max_update_index
            with directory.temporary_table(*limits) as temporary:
                stats.bytes += sum(table.size - footer_size(table.version) for table in merged.tables)
                compacted = compact_tables(
                    merged.tables,
                    temporary.write,
                    directory.write_options,
                    drop_tombstones=start == 0,
                    expiry=expiry,
                    progress=progress,
                )
                del merged  # what is open may not be removable
                temporary.finish()
                stats.entries_written += compacted.entries
                with directory.lock_list() as lock:
                    names = directory.read_list()
                    at = find_range(names, range_names, directory.list_path, is_bottom=start == 0)
                    replacement = [] if compacted.table.is_empty else [directory.table_name(*limits)]
                    names[at : at + len(range_names)] = replacement
                    try:
                        for name in replacement:
                            temporary.rename(name)
                        directory.install(lock, names)
                    except BaseException:
                        directory.unlink(replacement)
                        raise
            directory.follow()
            # A table that a damaged list names twice may be needed still.
            directory.unlink(range_names)
    except LockError:
        stats.failures += 1
        raise


def find_range(names: Sequence[str], tables: Sequence[str], path: str, *, is_bottom: bool) -> int:
    """The position at which `tables` stand in `names`, one behind the other, and first if `is_bottom`.

    A merge that drops tombstones needs that: a table that came below would show again what they hide. Raises
    `OutdatedError` for the list at `path`.
    """
    start = names.index(tables[0]) if tables[0] in names else len(names)
    if list(names[start : start + len(tables)]) != list(tables) or (is_bottom and start):
        raise OutdatedError(path, "the tables to be merged do not stand in the list any more as they did")
    return start


def _lock_range(
    directory: StackDirectory, first: int, end: int, locks: ExitStack, *, best_effort: bool, follows: bool
) -> tuple[int, int]:
    """Lock the tables of the range, or those from the position on that is returned with their end."""
    with directory.lock_list():
        if follows and not directory.is_current():
            wanted = directory.names[first:end]
            directory.load()
            first = find_range(directory.names, wanted, directory.list_path, is_bottom=first == 0)
            end = first + len(wanted)
        directory.require_current()
        require_writable(directory)
        for position in reversed(range(first, end)):
            name = directory.tables[position].name
            if name in directory.held:
                continue
            try:
                _lock_table(directory, name, locks)
            except LockError:
                if best_effort and end - (position + 1) >= 2:
                    return position + 1, end
                raise
    return first, end


def _lock_table(directory: StackDirectory, name: str, locks: ExitStack) -> None:
    lock = locks.enter_context(LockFile(directory.file(name)))
    lock.close_file()


def hold_tables(directory: StackDirectory, locks: ExitStack) -> None:
    """Load the list, and lock all of its tables before another process merges any of them.

    One that is being merged is waited for, without holding any lock. Raises `LockError`.
    """
    deadline = time.monotonic() + _HOLD_SECONDS
    while True:
        try:
            with directory.lock_list(), ExitStack() as taken:
                if not directory.is_current():
                    directory.load()
                for name in reversed(directory.names):
                    _lock_table(directory, name, taken)
                locks.enter_context(taken.pop_all())
                return
        except LockError:
            if time.monotonic() > deadline:
                raise
        time.sleep(jitter(0.001, 0.02))

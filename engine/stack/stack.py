"""A stack of tables: the one object through which a program reads and changes refs and reflogs.

    with Stack.open(".git/reftable") as stack:
        head = stack.read_ref(b"HEAD")
        with stack.addition() as addition, addition.table() as writer:
            writer.add_ref(RefRecord(b"refs/heads/x", addition.update_index, value=oid))

A handle is a view of the stack as it was when it was opened or last reloaded; it changes only
by `reload` and by changes made through it. Tables and merged views taken from it stay good
for as long as they are used. One handle is for one thread at a time (views are for any).

The steps that make changes safe between processes are in `addition.py` and `compactor.py`. These, and what
cleans, are imported by the first change, or plan of one: most programs only read.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

from engine import merge
from engine.errors import OutdatedError, ReftableError
from engine.progress import ProgressCallback
from engine.stack.directory import StackDirectory
from engine.stack.options import StackOptions
from engine.stack.reading import ReadStack
from engine.stack.stats import CompactionStats

if TYPE_CHECKING:
    from engine.merge import CompactionPlan, Expiry, Segment
    from engine.stack.addition import Addition
    from engine.stack.cleaning import CleanPlan
    from engine.table import TableWriter


class Stack(StackDirectory, ReadStack):
    """An open stack; a context manager.

    A stack opened with `read_only` never locks and never unlinks; every change is refused with
    `ApiError`. Closing a writable one removes tables that others have compacted away; iterators that still
    read the tables cannot go on. `stats` is what compactions through this handle have done.
    """

    __slots__ = ("stats",)

    def __init__(self, path: str | os.PathLike[str], options: StackOptions, *, read_only: bool) -> None:
        self.stats = CompactionStats()
        super().__init__(path, options, read_only=read_only)

    @classmethod
    def open(
        cls,
        directory: str | os.PathLike[str],
        options: StackOptions | None = None,
        read_only: bool = False,
        before_change: Callable[[bytes], None] | None = None,
    ) -> Self:
        """Open the stack in `directory`; without `tables.list` and tables, it is an empty stack.

        `before_change` is called with what `tables.list` is about to hold, before each change through this
        handle, while that holds the lock on the list; what it raises stops the change.

        Raises `RepositoryError` for a directory of other things, a work tree or a git directory among them;
        `FormatError` (also for tables of another hash function than `options` states, and for a list
        that is missing or empty although there are tables, unless `read_only`),
        `MissingTableError`, and `OSError` when there is no such directory.
        """
        stack = cls(directory, options or StackOptions(), read_only=read_only)
        stack.require_stack()
        if before_change is not None:
            stack.before_change = before_change
        return stack

    @property
    def directory(self) -> Path:
        """Where the stack lies."""
        return Path(self.path)

    @property
    def next_update_index(self) -> int:
        """The update index at which the next table begins; 1 in an empty stack."""
        return self.merged.max_update_index + 1

    def reload(self) -> bool:
        """Take up changes by others; whether there were any. One `stat` if there were none.

        When it raises (as `open` does, and `ApiError` once closed), the handle stays as it was.
        """
        self.require_open()
        if self.is_current():
            return False
        self.load()
        return True

    @contextmanager
    def addition(self, *, reload: bool = False) -> Iterator[Addition]:
        """A transaction that adds tables; auto-compaction follows if the options say so.

        Holds the lock on the list. A clean exit commits, an exception leaves nothing behind.
        Raises `LockError`, and `OutdatedError` when the stack has changed since it was loaded,
        unless `reload` is set (git since 2.48).
        """
        from engine.stack.addition import Addition

        with Addition(self, reload=reload) as addition:
            yield addition
        if addition.has_changed_stack and self.options.auto_compact:
            self._tidy_up()

    def add(self, write: Callable[[TableWriter], object]) -> None:
        """Add one table, which `write(writer)` fills; an empty one is dropped.

        Raises as `addition` does; after an `OutdatedError` the handle has been reloaded, and
        the caller may try again.
        """
        try:
            with self.addition() as addition:
                addition.add(write)
        except OutdatedError:
            self.reload()
            raise

    def _tidy_up(self) -> None:
        """Auto-compact after a commit, which must not look like a failure when this fails."""
        failures = self.stats.failures
        try:
            self.auto_compact()
        except OutdatedError:
            pass  # another process is at it, or has been
        except (ReftableError, OSError):
            self.stats.failures = failures + 1

    @property
    def sizes(self) -> list[int]:
        """The sizes by which the policies judge the tables (see `Table.policy_size`)."""
        return [table.policy_size for table in self.tables]

    def suggestion(self) -> Segment:
        """The tables that auto-compaction would merge now; an empty segment for none."""
        return self.options.suggestion(self.sizes)

    def auto_compact(self, progress: ProgressCallback | None = None) -> None:
        """Merge the tables that the policy suggests; those that are not locked, if some are."""
        from engine.stack.compactor import compact_range

        segment = self.suggestion()
        compact_range(self, segment.start, segment.end, self.stats, best_effort=True, progress=progress)

    def compact_all(self, expiry: Expiry | None = None, progress: ProgressCallback | None = None) -> None:
        """Merge all tables into one, dropping tombstones and expired log entries.

        Raises `LockError` if any table is locked, `OutdatedError`, `FormatError`, `OSError`.
        """
        self.compact(0, len(self.tables), expiry, progress)

    def compact(
        self, first: int, end: int, expiry: Expiry | None = None, progress: ProgressCallback | None = None
    ) -> None:
        """Merge the tables [first, end) into one; one alone if there is a reason (`merge.is_noop`)."""
        from engine.stack.compactor import compact_range

        merge.check_range(self.tables, first, end)
        compact_range(self, first, end, self.stats, expiry=expiry, progress=progress)

    def plan_compaction(
        self, first: int, end: int, expiry: Expiry | None = None, progress: ProgressCallback | None = None
    ) -> CompactionPlan:
        """Compact the tables [first, end) into nothing: exact sizes and counts, no file touched."""
        from engine.stack.writable import require_writable

        if not self.tables:
            self.require_list()
        require_writable(self)
        return merge.plan_compaction(self.tables, first, end, self.write_options, expiry, progress)

    def apply(self, plan: CompactionPlan, progress: ProgressCallback | None = None) -> None:
        """Do what a plan says, whatever was added since behind the tables that it merges.

        Raises `OutdatedError` when these do not stand in the list any more as they did.
        """
        from engine.stack.compactor import compact_range, find_range

        self.reload()
        if plan.is_noop:
            return
        names = plan.names[plan.first : plan.end]
        path = self.list_path
        first = find_range(self.names, names, path, is_bottom=plan.first == 0)
        compact_range(
            self, first, first + len(names), self.stats, expiry=plan.expiry, follows=True, progress=progress
        )

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Load the list and lock all of its tables, so that a plan of them holds on a busy stack.

        No other process merges them meanwhile; others may go on adding tables. Raises `LockError` when that
        cannot be had for seconds.
        """
        from engine.stack.compactor import hold_tables

        with self.telling_of_commits(), ExitStack() as locks:
            hold_tables(self, locks)
            self.held = frozenset(self.names)
            try:
                yield
            finally:
                self.held = frozenset()

    def plan_clean(self) -> CleanPlan:
        """Which files in the directory are stale, and which are not and why; changes nothing."""
        from engine.stack.cleaning import plan_clean

        return plan_clean(self)

    def clean(self, plan: CleanPlan | None = None) -> list[str]:
        """Remove stale files, or those of them that a plan names; returns their names."""
        from engine.stack.cleaning import clean

        return clean(self, plan)

"""A transaction that puts new tables on top of a stack.

The lock on `tables.list` is held from the beginning, so no other process can add in the meantime.
Tables get their names as they are finished, and become part of the stack all together, when
the list that names them is renamed into place. Until then a failure removes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from engine.closing import Unfinished
from engine.errors import ApiError
from engine.format import RefRecord, check_conflicts, check_refname, may_be_refused
from engine.merge import MergedTable
from engine.stack.directory import StackDirectory
from engine.stack.lock import LockFile
from engine.stack.writable import require_writable
from engine.system import POSIX
from engine.table import Table, TableWriter


class Addition(Unfinished):
    """A held lock and the tables written under it so far.

    A context manager: a clean exit commits, an exception leaves the stack as it was. Raises `LockError` when
    another process holds the lock, and `OutdatedError` when the stack has changed since it was loaded, unless
    `reload` says to load it again under the lock. `update_index` is the lowest that the next table may begin
    with, `has_changed_stack` afterwards whether anything was added.
    """

    __slots__ = ("_added", "_directory", "_lock", "update_index")

    def __init__(self, directory: StackDirectory, *, reload: bool) -> None:
        self._directory = directory
        self._added: list[Table] = []
        self._lock: LockFile = directory.lock_list()
        super().__init__()
        if reload and not directory.is_current():
            directory.load()
        directory.require_current()
        require_writable(directory)
        self.update_index = directory.merged.max_update_index + 1

    @property
    def has_changed_stack(self) -> bool:
        """Whether the list has been renamed into place."""
        return self._lock.is_committed

    @contextmanager
    def table(self) -> Iterator[TableWriter]:
        """Write one table; its limits are `update_index` unless the writer is told otherwise.

        An empty table is dropped. On leaving, raises `ApiError` for limits that begin below
        `update_index`, `RefnameError` and `NameConflictError` unless names are not checked.
        """
        directory = self._directory
        with directory.temporary_table(self.update_index, self.update_index) as temporary:
            writer = TableWriter(temporary.write, directory.write_options)
            writer.set_limits(self.update_index, self.update_index)
            yield writer
            stats = writer.close()
            if stats.is_empty:
                return
            if writer.min_update_index < self.update_index:
                raise ApiError(
                    f"update index {writer.min_update_index} has been used: {self.update_index} is the next"
                )
            temporary.finish()
            name = directory.table_name(writer.min_update_index, writer.max_update_index)
            # Opened before it has its name, so that nothing can fail behind the rename.
            table = Table.open(temporary.path, name)
            table.path = directory.file(name)
            if not directory.options.skip_name_check:
                check_names(table.refs(), MergedTable((*directory.tables, *self._added)).ref_blocks)
            # Noted before it has its name: an interrupt may come just behind the rename.
            self._added.append(table)
            try:
                if not POSIX:
                    table.close()
                temporary.rename(name)
                if not POSIX:
                    self._added[-1] = Table.open(table.path, name)
            except BaseException:
                self._added.pop()
                directory.unlink([name])
                raise
            # Git lets tables of one transaction share an index; here ranges never overlap.
            self.update_index = writer.max_update_index + 1

    def add(self, write: Callable[[TableWriter], object]) -> None:
        """Write one table with a function, as `table` does."""
        with self.table() as writer:
            write(writer)

    def commit(self) -> None:
        """Make the new tables part of the stack and let go of the lock."""
        if not self._added:
            self._lock.close()
            return
        added = self._added
        names = [table.name for table in added]
        with self._directory.telling_of_commits():
            self._directory.install(self._lock, [*self._directory.names, *names])
            # From here on they are part of the stack, whatever happens.
            self._added = []
            try:
                self._directory.follow(added)
            finally:
                shown = self._directory.tables
                for table in added:
                    if table not in shown:
                        table.close()

    def close(self) -> None:
        """Remove the tables written so far and let go of the lock."""
        added, self._added = self._added, []
        for table in added:
            table.close()
        try:
            self._directory.unlink([table.name for table in added])
        finally:
            self._lock.close()

    def __exit__(self, kind: object = None, *_: object) -> None:
        try:
            if kind is None:
                self.commit()
        finally:
            self.close()


def check_names(
    records: Iterable[RefRecord], refs_from: Callable[[bytes], Iterator[list[RefRecord]]]
) -> None:
    """Raise unless these records of one transaction may be written where the refs are those of `refs_from`.

    `RefnameError` for a name that git would refuse, `NameConflictError` for one that is a directory of
    another, among the records or the refs. A deletion is never refused.
    """
    added: list[bytes] = []
    removed: set[bytes] = set()
    for record in records:
        if record.is_deletion:
            removed.add(record.name)
        else:
            added.append(record.name)
    for name in added if may_be_refused(added) else ():
        check_refname(name)
    check_conflicts(added, removed, refs_from)

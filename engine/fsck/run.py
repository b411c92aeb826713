"""Checks a stack from its list to its last byte: what is wrong, what git does with it, what helps.

    list      tables.list, line by line, however wrong it is
    files     the files that tables.list does not name (files.py, as the list)
    tables    header, footer, sections, blocks, indexes (frame.py, table.py), and all tables together: their
              headers (order.py) and their refs (whole_stack.py)

Nothing is written or locked. Bytes may be anything, files may be pipes, and another process may change the
stack meanwhile (the tables are opened at once, and stay readable). Memory does not grow with the number of
refs.

No check can find bytes that some writer could have written for other records: a letter of a name that leaves
names in order, or a byte of an object id, where no log entry of the same update has another, nor an object
section another id; the target of a symref other than HEAD, an update index within the limits. Blocks of refs
have no checksum.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable, Generator, Iterator
from functools import partial
from typing import TYPE_CHECKING

from engine.errors import FormatError
from engine.fsck.causes import Causes
from engine.fsck.files import ListedTables, files_beside, report_files
from engine.fsck.finding import Finding, Report
from engine.fsck.frame import CheckedTable
from engine.fsck.order import check_holes, check_repetitions, check_tables
from engine.fsck.table import check_table
from engine.fsck.values import has_symref
from engine.fsck.whole_stack import RefCheck
from engine.merge import MergedTable
from engine.progress import Progress, ProgressCallback
from engine.stack import StackOptions, is_of_repository, require_stack, unlisted_files

if TYPE_CHECKING:
    from engine.git import Repository
    from engine.stack import UnlistedFile


def fsck(
    directory: str | os.PathLike[str],
    options: StackOptions | None = None,
    progress: ProgressCallback | None = None,
    now: float | None = None,
    repository: Repository | None = None,
) -> Generator[Finding, None, list[str]]:
    """What is wrong with the stack in `directory`, phase by phase, as it is found.

    Of one cause, what follows from it comes behind it and says so. The generator returns the names of the
    tables that were read from end to end.

    `options` may state the hash function that the repository wants. `now` is the time, in seconds since 1970,
    that the age of locks counts up to. Where a value is in doubt, git is asked whether the `repository` has
    the object. Raises `RepositoryError` for a directory of other things, and `OSError` when there
    is none or it cannot be listed; while it runs, only what `progress` raises, and an `OSError` of the whole
    process (too many open files).
    """
    path = os.fspath(directory)
    if not stat.S_ISDIR(os.stat(path).st_mode):
        raise NotADirectoryError(errno.ENOTDIR, "a stack is a directory", path)
    require_stack(path)
    now = time.time() if now is None else now
    return _Run(path, options or StackOptions(), progress, now, repository).told()


class _Run:
    """One check of one stack."""

    def __init__(
        self,
        path: str,
        options: StackOptions,
        progress: ProgressCallback | None,
        now: float,
        repository: Repository | None,
    ) -> None:
        self._path = path
        self._options = options
        self._progress = progress
        self._now = now
        self._repository = repository
        self._tables: list[CheckedTable] = []
        self._done = 0

    def told(self) -> Generator[Finding, None, list[str]]:
        """The findings with their causes; returns what `fsck` does."""
        causes, unread = Causes(), set[str]()
        for finding in self._findings():
            if finding.code in ("table-unreadable", "table-not-permitted"):
                unread.add(finding.file)
            yield causes.told(finding)
        return [table.name for table in self._tables if table.name not in unread]

    def _findings(self) -> Iterator[Finding]:
        """Run the phases."""
        self._tell("list", 0, None)
        listed = ListedTables(self._path)
        check_repetitions(listed.lines, listed.tables, listed.report)
        yield from listed.report.close()
        self._tell("files", 0, None)
        report = Report()
        beside = files_beside(self._path, partial(self._look_beside, listed.names))
        report_files(beside, report)
        yield from report.close()
        self._tables, report = listed.tables, Report()
        total = sum(table.size for table in self._tables)
        self._tell("tables", 0, total)
        # The git directory of a linked worktree says where the common one is.
        of_worktree = os.path.isfile(os.path.join(self._path, os.pardir, "commondir"))
        is_whole = len(self._tables) == len(listed.names) and all(
            one.table is not None for one in self._tables
        )
        of_repository = is_of_repository(self._path)
        refs = RefCheck(
            self._tables,
            report,
            of_worktree=of_worktree,
            of_repository=of_repository,
            wants_head=is_whole and of_repository,
        )
        fitting = check_tables(self._tables, self._options.hash_id, report)
        if len(self._tables) == len(listed.names):
            check_holes(self._tables, [file.name for file in beside], report, of_repository=of_repository)
        checks = {
            table.name: check_table(
                table,
                report,
                self._tick(total),
                is_symref=self._is_symref,
                below=partial(self._below, at),
                lacking=self._lacking,
            )
            for at, table in enumerate(self._tables)
        }
        for _ in refs.check([checks[table.name] for table in fitting]):
            yield from report.drain()
        for table in self._tables:
            for _ in checks[table.name]:  # of tables that do not fit; all others are at their end
                yield from report.drain()
        yield from report.close()
        self._tell("tables", total, total)

    def _is_symref(self, name: bytes) -> bool:
        return any(one.table is not None and has_symref(one.table, name) for one in self._tables)

    def _lacking(self, oids: set[bytes]) -> set[bytes]:
        if self._repository is None or not oids:
            return set()
        found = self._repository.objects(oids)
        return {oid for oid, info in found.items() if info.type is None}

    def _below(self, position: int) -> MergedTable:
        """The tables that are older than the one at a position. Raises `FormatError` if one does not open."""
        for one in self._tables[:position]:
            if one.table is None:
                raise FormatError(one.name, None, "the table does not open")
        return MergedTable([one.table for one in self._tables[:position] if one.table is not None])

    def _look_beside(self, listed: list[str]) -> list[UnlistedFile]:
        return unlisted_files(
            self._path, self._now, listed, progress=lambda step: self._tell("files", step.done, None)
        )

    def _tell(self, phase: str, done: int, total: int | None) -> None:
        if self._progress is not None:
            self._progress(Progress(phase, done, total))

    def _tick(self, total: int) -> Callable[[int], None]:
        """What a table calls with the position that it has reached."""
        reached = 0

        def tick(position: int) -> None:
            nonlocal reached
            self._done += position - reached
            reached = position
            self._tell("tables", self._done, total)

        return tick

"""Checks a stack from its list to its last byte: what is wrong, what git does with it, what helps.

    list      tables.list, line by line, however wrong it is
    files     the files that tables.list does not name
    tables    header, footer, sections, blocks, indexes (table.py), and all tables together (whole_stack.py)

Nothing is written or locked. Bytes may be anything, files may be pipes, and another process may change the
stack meanwhile (the tables are opened at once, and stay readable). Memory does not grow with the number of
refs.

No check can find bytes that some writer could have written for other records: a letter of a name that leaves
names in order, a byte of an object id that no object section mentions, a symref's target, an update index
within the limits. Blocks of refs have no checksum.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from engine.errors import FormatError, reason_of, shown
from engine.format import TABLES_LIST, ListFault, ListLine, is_table_file, parse_table_list
from engine.fsck.faults import FAULTS
from engine.fsck.finding import Finding, Report
from engine.fsck.table import CheckedTable, check_table
from engine.fsck.whole_stack import RefCheck, check_repetitions, check_tables
from engine.progress import Progress, ProgressCallback
from engine.stack import (
    FileKind,
    StackOptions,
    UnlistedFile,
    is_of_repository,
    read_list_bytes,
    unlisted_files,
)

_ATTEMPTS: Final = 20
"""How often the list is read again because a compaction has replaced it meanwhile."""

_OPENED: Final = (None, ListFault.DUPLICATE)

_ORPHANS: Final = {
    FileKind.SUPERSEDED: "orphan-table",
    FileKind.DATA: "table-unlisted-data",
    FileKind.NEXT: "orphan-newer",
    FileKind.AHEAD: "orphan-ahead",
    FileKind.DOUBTFUL: "orphan-doubtful",
    FileKind.UNREADABLE: "orphan-damaged",
}
_CODES: Final = {
    **{kind: (code, "orphan-in-use") for kind, code in _ORPHANS.items()},
    FileKind.TEMPORARY: ("temporary-file", "temporary-in-use"),
    FileKind.TABLE_LOCK: ("lock-stale", "lock-held"),
    FileKind.LIST_LOCK: ("lock-stale", "lock-held"),
    FileKind.NOT_REGULAR: ("foreign-file", "foreign-file"),
    FileKind.OTHER: ("foreign-file", "foreign-file"),
}
"""The kinds of faults by what a file is: as it lies there, and while a process may be at work on it."""


def fsck(
    directory: str | os.PathLike[str],
    options: StackOptions | None = None,
    progress: ProgressCallback | None = None,
    now: float | None = None,
) -> Iterator[Finding]:
    """What is wrong with the stack in `directory`, phase by phase, as it is found.

    `options` may state the hash function that the repository wants. `now` is the time, in seconds since
    1970, that the age of locks counts up to. Raises `OSError` when there is no such directory or it cannot
    be listed; while it runs, only what `progress` raises, and an `OSError` of the whole process (too many
    open files).
    """
    path = os.fspath(directory)
    if not stat.S_ISDIR(os.stat(path).st_mode):
        raise NotADirectoryError(errno.ENOTDIR, "a stack is a directory", path)
    os.listdir(path)
    return _Run(path, options or StackOptions(), progress, time.time() if now is None else now).findings()


@dataclass(slots=True)
class _Run:
    """One check of one stack."""

    _path: str
    _options: StackOptions
    _progress: ProgressCallback | None
    _now: float
    _tables: list[CheckedTable] = field(default_factory=list)
    _done: int = 0

    def findings(self) -> Iterator[Finding]:
        """Run the phases."""
        self._tell("list", 0, None)
        listed, report = self._open_tables()
        yield from report.close()
        self._tell("files", 0, None)
        yield from self._check_files(listed).close()
        report = Report()
        total = sum(table.size for table in self._tables)
        self._tell("tables", 0, total)
        # The git directory of a linked worktree says where the common one is.
        of_worktree = os.path.isfile(os.path.join(self._path, os.pardir, "commondir"))
        is_whole = len(self._tables) == len(listed) and all(one.table is not None for one in self._tables)
        wants_head = is_whole and is_of_repository(self._path)
        refs = RefCheck(self._tables, report, of_worktree=of_worktree, wants_head=wants_head)
        fitting = check_tables(self._tables, self._options.hash_id, report)
        checks = {table.name: check_table(table, report, self._tick(total)) for table in self._tables}
        for _ in refs.check([checks[table.name] for table in fitting]):
            yield from report.drain()
        for table in self._tables:
            for _ in checks[table.name]:  # of tables that do not fit; all others are at their end
                yield from report.drain()
        yield from report.close()
        self._tell("tables", total, total)

    def _check_files(self, listed: list[str], attempts: int = _ATTEMPTS) -> Report:
        """What is wrong with the other files; looks again when the list was replaced meanwhile."""
        report, before = Report(), self._raw_list()
        for file in unlisted_files(
            self._path, self._now, listed, progress=lambda step: self._tell("files", step.done, None)
        ):
            report.take(finding_of(file))
        if attempts > 1 and self._raw_list() != before:
            return self._check_files(listed, attempts - 1)
        return report

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

    def _raw_list(self) -> bytes | None:
        with suppress(FormatError, OSError):
            return read_list_bytes(self._path)
        return None

    def _open_tables(self, attempts: int = _ATTEMPTS) -> tuple[list[str], Report]:
        """Check the list and open the tables that it names; again, when it was replaced meanwhile."""
        report, before = Report(), self._raw_list()
        lines = _check_list(self._path, report)
        listed = list(dict.fromkeys(line.name for line in lines if line.name is not None))
        missing = [name for name in listed if not self._open(name, report)]
        if missing and attempts > 1 and self._raw_list() != before:
            self._tables = []
            return self._open_tables(attempts - 1)
        for name in missing:
            code = "table-missing" if is_table_file(name) else "list-not-a-table"
            report.add(code, name, None, "listed in tables.list, but there is no such file")
        check_repetitions(lines, self._tables, report)
        return listed, report

    def _open(self, name: str, report: Report) -> bool:
        """Open a listed file, or report why that cannot be; False if it does not exist."""
        try:
            self._tables.append(CheckedTable(self._path, name))
            if os.path.islink(os.path.join(self._path, name)):
                report.add("table-link", name, None, "a symbolic link")
        except FileNotFoundError:
            return False
        except FormatError as error:
            report.add_error("not-a-file", error)
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                raise
            report.add_unreadable(name, error)
        return True


def _check_list(directory: str, report: Report) -> list[ListLine]:
    """Report what is wrong with the list, but for repetitions; returns the lines that may be opened."""
    tables = sum(map(is_table_file, os.listdir(directory)))
    present = "1 table is" if tables == 1 else f"{tables} tables are"
    try:
        raw = read_list_bytes(directory)
    except (FormatError, OSError) as error:
        report.add("list-unreadable", TABLES_LIST, None, reason_of(error))
        return []
    if not tables and not (raw or b"").strip(b"\n") and is_of_repository(directory):
        what = "no tables.list and" if raw is None else "a tables.list without a line, and"
        report.add("stack-lost", TABLES_LIST, None, f"there is {what} no table")
    elif raw is None:
        if tables:
            report.add("list-missing", TABLES_LIST, None, f"there is no tables.list, but {present} here")
        else:
            report.add("stack-empty", TABLES_LIST, None, "there is neither a list nor a table")
    if raw is None:
        return []
    listed = parse_table_list(raw)
    if not listed.is_whole:
        report.add("list-no-newline", TABLES_LIST, len(raw), "no newline at the end")
    for number, line in enumerate(listed.lines, 1):
        if line.fault not in _OPENED:
            what = shown(line.raw) if line.raw else "empty"
            report.add(f"list-{line.fault}", TABLES_LIST, line.offset, f"line {number} is {what}")
    if tables and not raw.strip(b"\n"):
        report.add("list-empty", TABLES_LIST, 0, f"the list names no table, but {present} here")
    return [line for line in listed.lines if line.fault in _OPENED]


def finding_of(file: UnlistedFile) -> Finding:
    """What is wrong with a file that tables.list does not name."""
    code = _CODES[file.kind][file.in_use]
    message = f"{file.reason}; {file.holder} has it open" if file.holder is not None else file.reason
    return Finding(FAULTS[code], file.name, file.offset, message)

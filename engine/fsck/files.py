"""`tables.list` line by line, the tables that it names, and the files that it does not name."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from engine.errors import FormatError, reason_of, shown
from engine.format import TABLES_LIST, ListFault, ListLine, is_table_file, parse_table_list
from engine.fsck.finding import Report
from engine.fsck.frame import CheckedTable
from engine.stack import is_of_repository, read_list_bytes
from engine.system import owner_may_read, user_id, user_name

if TYPE_CHECKING:
    from engine.stack import UnlistedFile

_ATTEMPTS: Final = 20
"""How often the list is read again because a compaction has replaced it meanwhile."""

_OPENED: Final = (None, ListFault.DUPLICATE)


class ListedTables:
    """What the list of a stack in `directory` names, read again where it was replaced meanwhile.

    `lines` are those that may be opened, `names` what they name, each once, oldest first. `tables` are open,
    and stay readable when another process replaces them. `report` has what is wrong with the list, but for
    repetitions. Raises an `OSError` of the whole process (too many open files).
    """

    __slots__ = ("lines", "names", "report", "tables")

    def __init__(self, directory: str) -> None:
        missing: list[str] = []
        for _ in range(_ATTEMPTS):
            before = _raw_list(directory)
            self.report, self.tables = Report(), list[CheckedTable]()
            self.lines = _check_list(directory, self.report)
            self.names = list(dict.fromkeys(line.name for line in self.lines if line.name is not None))
            missing = [name for name in self.names if not self._open(directory, name)]
            if not missing or _raw_list(directory) == before:
                break
        for name in missing:
            code = "table-missing" if is_table_file(name) else "list-not-a-table"
            self.report.add(code, name, None, "listed in tables.list, but there is no such file")
        _check_owner(directory, self.names, self.report)

    def _open(self, directory: str, name: str) -> bool:
        """Open a listed file, or report why that cannot be; False if it does not exist."""
        try:
            self.tables.append(CheckedTable(directory, name))
            if os.path.islink(os.path.join(directory, name)):
                self.report.add("table-link", name, None, "a symbolic link")
        except FileNotFoundError:
            return False
        except FormatError as error:
            self.report.add_error("not-a-file", error)
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                raise
            self.report.add_unreadable(name, error)
        return True


def _check_list(directory: str, report: Report) -> list[ListLine]:
    """Report what is wrong with the list, but for repetitions; returns the lines that may be opened."""
    tables = sum(map(is_table_file, os.listdir(directory)))
    present = "1 table is" if tables == 1 else f"{tables} tables are"
    try:
        raw = read_list_bytes(directory)
    except (FormatError, OSError) as error:
        code = "list-not-permitted" if isinstance(error, PermissionError) else "list-unreadable"
        report.add(code, TABLES_LIST, None, reason_of(error))
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


def _check_owner(directory: str, names: Sequence[str], report: Report) -> None:
    """Report files that this user may read, but not the owner of the stack: root may have left them."""
    stack = os.stat(directory)
    if stack.st_uid == user_id():
        return
    for name in (TABLES_LIST, *names):
        with suppress(OSError):
            found = os.stat(os.path.join(directory, name))
            if not owner_may_read(found, stack):
                of, by = user_name(stack.st_uid), user_name(found.st_uid)
                mode = f"{stat.S_IMODE(found.st_mode):03o}"
                what = f"it belongs to {by} and has the mode {mode}; the directory belongs to {of}"
                report.add("owner-not-permitted", name, None, what)


def _raw_list(directory: str) -> bytes | None:
    with suppress(FormatError, OSError):
        return read_list_bytes(directory)
    return None


def files_beside(directory: str, look: Callable[[], list[UnlistedFile]]) -> list[UnlistedFile]:
    """What `look` finds beside the tables; it looks again where the list was replaced meanwhile."""
    found: list[UnlistedFile] = []
    for _ in range(_ATTEMPTS):
        before = _raw_list(directory)
        found = look()
        if _raw_list(directory) == before:
            break
    return found


def report_files(files: Sequence[UnlistedFile], report: Report) -> None:
    """Report what is wrong with files that the list does not name."""
    if files:
        from engine.fsck.beside import finding_of

        for file in files:
            report.take(finding_of(file))

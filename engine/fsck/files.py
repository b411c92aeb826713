"""Checks of `tables.list`, and of the files beside the tables that it names.

The list is read line by line, however wrong it is: what can be a name in it is used, what cannot is
reported. The tables themselves are checked in `table.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from engine.errors import FormatError, shown
from engine.format import TABLES_LIST, ListFault, ListLine, is_table_file, parse_table_list
from engine.fsck.faults import FAULTS
from engine.fsck.finding import Finding, Report, reason_of
from engine.stack import FileKind, UnlistedFile, read_list_bytes

_OPENED: Final = (None, ListFault.DUPLICATE)


def check_list(directory: str, entries: Sequence[str], report: Report) -> list[ListLine]:
    """Report what is wrong with the list, but for repetitions; returns the lines that may be opened.

    `entries` are the names of the files in the directory.
    """
    tables = sum(map(is_table_file, entries))
    present = "1 table is" if tables == 1 else f"{tables} tables are"
    try:
        raw = read_list_bytes(directory)
    except (FormatError, OSError) as error:
        report.add("list-unreadable", TABLES_LIST, None, reason_of(error))
        return []
    if raw is None:
        if tables:
            report.add("list-missing", TABLES_LIST, None, f"there is no tables.list, but {present} here")
        else:
            report.add("stack-empty", TABLES_LIST, None, "there is neither a list nor a table")
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


def finding_of(file: UnlistedFile) -> Finding:
    """What is wrong with a file that tables.list does not name."""
    code = _CODES[file.kind][file.in_use]
    message = f"{file.reason}; {file.holder} has it open" if file.holder is not None else file.reason
    return Finding(FAULTS[code], file.name, file.offset, message)

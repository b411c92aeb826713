"""Checks of `tables.list`, and of the files beside the tables that it names.

The list is read line by line, however wrong it is: what can be a name in it is used, and what cannot is
named. The tables themselves are `fsck_table.py`'s.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from typing import Final

from engine.errors import FormatError, shown
from engine.format import TABLES_LIST, ListFault, is_table_file, parse_table_list
from engine.fsck.finding import Report
from engine.stack import TEMPORARY_MARK, read_list_bytes
from engine.table import Table

_LOCK_SUFFIX: Final = ".lock"

YOUNG_LOCK_SECONDS: Final = 60
"""How long a lock is taken for one that somebody holds: changes take milliseconds, compactions seconds."""


def check_list(directory: str, entries: Sequence[str], report: Report) -> list[str]:
    """Report what is wrong with the list; returns the names in it that may be opened, each once.

    `entries` are the names of the files in the directory.
    """
    tables = sum(map(is_table_file, entries))
    present = "1 table is" if tables == 1 else f"{tables} tables are"
    try:
        raw = read_list_bytes(directory)
    except FormatError as error:
        report.add("list-unreadable", TABLES_LIST, None, error.reason)
        return []
    except OSError as error:
        report.add("list-unreadable", TABLES_LIST, None, _reason(error))
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
        if line.fault is not None:
            again = " again" if line.fault is ListFault.DUPLICATE else ""
            what = f"{shown(line.raw)}{again}" if line.raw else "empty"
            report.add(f"list-{line.fault}", TABLES_LIST, line.offset, f"line {number} is {what}")
    if tables and not raw.strip(b"\n"):
        report.add("list-empty", TABLES_LIST, 0, f"the list names no table, but {present} here")
    return [line.name for line in listed.lines if line.name is not None and line.fault is None]


def check_files(directory: str, listed: Collection[str], highest: int, now: float, report: Report) -> None:
    """Report what lies in the directory and is not part of the stack.

    `listed` are the tables that are part of it, `highest` is its highest update index, `now` the time in
    seconds since 1970, by which the age of a lock is told. What is said holds if the list was the same before
    and after. Raises `OSError` when the directory cannot be read.
    """
    found: dict[str, os.stat_result] = {}
    for name in sorted(set(os.listdir(directory)).difference(listed, {TABLES_LIST})):
        with suppress(OSError):  # gone again
            found[name] = os.lstat(os.path.join(directory, name))
    ages = {name: now - entry.st_mtime for name, entry in found.items() if name.endswith(_LOCK_SUFFIX)}
    held = [name for name, age in ages.items() if age < YOUNG_LOCK_SECONDS]
    ahead: dict[str, tuple[int, int]] = {}
    for name, entry in found.items():
        if not stat.S_ISREG(entry.st_mode):
            report.add("foreign-file", name, None, f"{_kind(entry.st_mode)}: no writer of reftables made it")
        elif name in ages:
            code = "lock-held" if name in held else "lock-stale"
            locked = name.removesuffix(_LOCK_SUFFIX)
            report.add(code, name, None, f"a lock on {locked}, {_age(ages[name])} old")
        elif TEMPORARY_MARK in name:
            in_use = held or _is_held(directory, [TABLES_LIST, *listed], now)
            code = "temporary-in-use" if in_use else "temporary-file"
            report.add(code, name, None, f"a table that is not finished, {entry.st_size} bytes")
        elif not is_table_file(name):
            report.add("foreign-file", name, None, f"{entry.st_size} bytes: no file of a stack")
        elif held or _is_held(directory, [TABLES_LIST, name], now):
            report.add("orphan-in-use", name, None, f"{entry.st_size} bytes, while there is a lock")
        else:
            newer = _check_orphan(directory, name, highest, report)
            if newer is not None:
                ahead[name] = newer
    # One writer that dies leaves one table at most, and its update indexes are the next ones.
    is_next = len(ahead) == 1 and min(ahead.values())[0] == highest + 1
    for name, (low, high) in ahead.items():
        what = f"update indexes {low} to {high}, not listed; the stack reaches {highest}"
        report.add("orphan-newer" if is_next else "orphan-ahead", name, None, what)


def _is_held(directory: str, names: Iterable[str], now: float) -> bool:
    """Whether somebody holds the lock on one of these files; the directory may have been read too early.

    Who adds a table holds the lock on the list until the table is listed, who merges tables their locks until
    they are gone.
    """
    for locked in names:
        with suppress(OSError):
            if now - os.lstat(os.path.join(directory, locked + _LOCK_SUFFIX)).st_mtime < YOUNG_LOCK_SECONDS:
                return True
    return False


def _check_orphan(directory: str, name: str, highest: int, report: Report) -> tuple[int, int] | None:
    """Look at a table that is not listed; its update indexes, if the stack does not cover them."""
    try:
        with Table.open(os.path.join(directory, name), name) as table:
            low, high = table.min_update_index, table.max_update_index
    except FileNotFoundError:
        return None
    except FormatError as error:
        report.add("orphan-damaged", name, error.offset, error.reason)
        return None
    except OSError as error:
        report.add("orphan-damaged", name, None, _reason(error))
        return None
    if high > highest:
        return low, high
    what = f"update indexes {low} to {high}, not listed; the stack reaches {highest}"
    report.add("orphan-table", name, None, what)
    return None


def _reason(error: OSError) -> str:
    return error.strerror or str(error)


def _kind(mode: int) -> str:
    for is_kind, kind in (
        (stat.S_ISDIR, "a directory"),
        (stat.S_ISLNK, "a symbolic link"),
        (stat.S_ISFIFO, "a named pipe"),
        (stat.S_ISSOCK, "a socket"),
    ):
        if is_kind(mode):
            return kind
    return "a device"


def _age(seconds: float) -> str:
    """A duration in its largest unit; a time in the future is no age at all."""
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(seconds, 0):.0f} seconds"

"""What each file is worth that may be a table: read as it is, salvaged, or nothing at all.

The judgement goes by what fsck finds in the file. How its records are read is `repair_source.py`'s, and
whether the file becomes part of the repaired stack is for `repair_planner.py` to decide.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from engine.format import HashId, parse_table_name
from engine.fsck import REWRITE_TABLE, CheckedTable, Finding, Report, Severity, check_table
from engine.repair.choice import Candidate
from engine.salvage import Account, Reading, Source, examine, header_to_go_by

_MOST_REASONS: Final = 3

# These are about the name alone: the bytes stay as they are.
_OF_THE_NAME: Final = {"name-range", "dulwich-table"}
# What header or footer say leads astray.
_MISLED: Final = {
    "block-hidden",
    "block-too-long",
    "section-offset",
    "section-order",
    "header-damaged",
    "footer-damaged",
    "footer-checksum",
    "cut-short",
    "block-damaged",
    "table-given-up",
    "index-damaged",
}
# A table without these findings can be read as it is.
_OF_THE_STACK: Final = {"ref-name-unsafe", "tables-out-of-order", "ranges-overlap", "hash-mixed"}


@dataclass(slots=True)
class TableFile:
    """A file that may be a table, and what was made of it.

    `reading` is None if nothing can be read of it. `reasons` are what is wrong with it, in words, `severity`
    how bad that is; `rewrites` or `renames` when it cannot stay as it is.
    """

    file: str
    reading: Reading | None
    reasons: list[str]
    severity: Severity
    rewrites: bool
    renames: bool
    hash_id: HashId | None
    account: Account | None = None

    def candidate(self, *, is_listed: bool) -> Candidate:
        """It as one to choose from; it can be read."""
        assert self.reading is not None  # noqa: S101 - asked of readable files only
        return Candidate(self.file, *self.reading.limits, not self.rewrites, is_listed)


def look_at(
    path: Path, name: str, findings: Sequence[Finding], around: tuple[int, int] | None, hash_id: HashId
) -> TableFile:
    """What a file is worth, by what fsck has found in it.

    `around` are the update indexes that it may have if nothing of it tells, `hash_id` is the hash function in
    that case. Raises `OSError` where permission is wanting.
    """
    found = [finding for finding in findings if finding.severity is not Severity.INFO]
    reasons = [finding for finding in found if finding.code not in _OF_THE_STACK]
    codes = {finding.code for finding in reasons}
    severity = Severity.WARNING
    if any(finding.severity is Severity.ERROR for finding in found):
        severity = Severity.ERROR
    rewrites = any(
        (REWRITE_TABLE in one.fixes or one.code == "not-a-table") and one.code not in _OF_THE_NAME
        for one in reasons
    )
    file = TableFile(name, None, words_of(reasons), severity, rewrites, bool(codes & _OF_THE_NAME), hash_id)
    if not stat.S_ISREG(os.stat(path / name).st_mode):
        return file
    try:
        if rewrites or codes & {"table-unreadable", "orphan-damaged"}:
            _salvage(path, file, codes, around, hash_id)
        else:
            with _Opened(path, name) as table:
                header = table.header
                if header is not None:
                    file.reading = Reading(name, (header.min_update_index, header.max_update_index))
                    file.hash_id = header.hash_id
    except PermissionError:
        raise
    except OSError as error:
        file.reasons.append(error.strerror or str(error))
    return file


def _salvage(
    path: Path, file: TableFile, codes: set[str], around: tuple[int, int] | None, hash_id: HashId
) -> None:
    file.rewrites = True
    header, certain = header_to_go_by(path, file.file, hash_id, around)
    file.hash_id = header.hash_id
    if not certain:
        return
    account, blind = examine(path, file.file, header, blind=False), False
    if codes & _MISLED:
        other = examine(path, file.file, header, blind=True)
        if other.records > account.records:
            account, blind = other, True
    file.account = account
    if account.records:
        limits = header.min_update_index, header.max_update_index
        file.reading = Reading(file.file, limits, header, blind, account.is_ordered)


def correct_limits(path: Path, file: TableFile, hash_id: HashId) -> None:
    """Go by the update indexes in the name of a table, if its records fit: those in its header overlap."""
    parts = parse_table_name(file.file)
    if parts is None or file.reading is None:
        return
    limits = parts.min_update_index, parts.max_update_index
    if limits == file.reading.limits or limits[0] > limits[1]:
        return
    header, _ = header_to_go_by(path, file.file, hash_id, limits)
    header = replace(header, min_update_index=limits[0], max_update_index=limits[1])
    account = examine(path, file.file, header, blind=file.reading.is_blind)
    if max(account.highest_log, account.highest_ref) > limits[1] or not account.records:
        return
    file.reasons.append(
        f"its header states the update indexes {file.reading.limits[0]} to {file.reading.limits[1]}, "
        f"which overlap other tables; its records lie in those of its name, {limits[0]} to {limits[1]}"
    )
    file.rewrites, file.severity, file.account = True, Severity.ERROR, account
    file.reading = Reading(file.file, limits, header, file.reading.is_blind, account.is_ordered)


class _Opened:
    """A file opened as `CheckedTable`, closed at the end of the `with`."""

    def __init__(self, path: Path, name: str) -> None:
        self._table = CheckedTable(os.fspath(path), name)

    def __enter__(self) -> CheckedTable:
        return self._table

    def __exit__(self, *_: object) -> None:
        self._table.close()


def check_file(directory: str | os.PathLike[str], name: str) -> list[Finding]:
    """Everything that is wrong with one table. Raises `FormatError` for what is no file, `OSError`."""
    report = Report()
    with _Opened(Path(directory), name) as table:
        for _ in check_table(table, report, lambda _position: None):
            pass
    report.close()
    return report.drain()


def check_or_tell(path: Path, name: str) -> list[Finding]:
    """Likewise, and an error of the system is a finding. Raises `PermissionError`."""
    try:
        return check_file(path, name)
    except PermissionError:
        raise
    except OSError as error:
        report = Report()
        report.add("table-unreadable", name, None, error.strerror or str(error))
        return report.drain()


def count_records(path: Path, reading: Reading) -> tuple[int, int]:
    """How many refs and log entries a reading has, tombstones among them."""
    with Source(path, reading) as source:
        return sum(map(len, source.refs())), sum(map(len, source.logs()))


def limits_of(name: str) -> tuple[int, int] | None:
    """The update indexes that a name states."""
    parts = parse_table_name(name)
    return None if parts is None else (parts.min_update_index, parts.max_update_index)


def words_of(findings: Sequence[Finding]) -> list[str]:
    """Findings in short."""
    words = []
    for finding in findings:
        at = "" if finding.offset is None else f" at byte {finding.offset}"
        words.append(f"{finding.code}{at}: {finding.message}")
    return words


def joined(reasons: Sequence[str]) -> str:
    """The first few reasons as one."""
    more = len(reasons) - _MOST_REASONS
    return "; ".join(reasons[:_MOST_REASONS]) + (f"; and {more} more" if more > 0 else "")


def number_of(count: int, one: str, many: str | None = None) -> str:
    """A number of things in words."""
    return f"{count} {one if count == 1 else many or one + 's'}"

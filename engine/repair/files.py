"""What each file is worth that may be a table: read as it is, salvaged, or nothing at all.

The judgement goes by what fsck finds in the file. Whether it becomes part of the repaired stack is for the
planner to decide.
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
from engine.repair.inputs import Input, count_records
from engine.salvage import Losses, salvage_file

_MOST_REASONS: Final = 3

# These are about the name alone: the bytes stay as they are.
_OF_THE_NAME: Final = {"name-range", "dulwich-table"}
# A table without these findings can be read as it is.
_OF_THE_STACK: Final = {"ref-name-unsafe", "tables-out-of-order", "ranges-overlap", "hash-mixed"}


@dataclass(slots=True)
class TableFile:
    """A file that may be a table, of `size` bytes, and what was made of it.

    `input` is None if nothing can be read of it. `reasons` are what is wrong with it, in words, `severity`
    how bad that is; `rewrites` or `renames` when it cannot stay as it is.
    """

    file: str
    size: int
    input: Input | None
    reasons: list[str]
    severity: Severity
    rewrites: bool
    renames: bool
    hash_id: HashId | None
    losses: Losses | None = None

    @property
    def readable(self) -> Input:
        """How it is read; it can be."""
        assert self.input is not None  # noqa: S101 - asked of readable files only
        return self.input

    def candidate(self, *, is_listed: bool) -> Candidate:
        """It as one to choose from; it can be read."""
        return Candidate((self.file,), *self.readable.limits, not self.rewrites, is_listed, self.size)


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
    status, is_misnamed = os.stat(path / name), bool(codes & _OF_THE_NAME)
    file = TableFile(name, status.st_size, None, words_of(reasons), severity, rewrites, is_misnamed, hash_id)
    if not stat.S_ISREG(status.st_mode):
        return file
    try:
        if rewrites or codes & {"table-unreadable", "orphan-damaged"}:
            _salvage(path, file, around, hash_id)
        else:
            header = CheckedTable(path, name).header
            if header is not None:
                file.input = Input(name, (header.min_update_index, header.max_update_index))
                file.hash_id = header.hash_id
    except PermissionError:
        raise
    except OSError as error:
        file.reasons.append(error.strerror or str(error))
    return file


def _salvage(path: Path, file: TableFile, around: tuple[int, int] | None, hash_id: HashId) -> None:
    file.rewrites = True
    salvaged, is_known = salvage_file(os.fspath(path / file.file), file.file, hash_id)
    header = salvaged.header
    file.hash_id = header.hash_id
    limits = (header.min_update_index, header.max_update_index) if is_known else around
    if limits is None:
        return
    file.losses = salvaged.losses
    if salvaged.losses.refs or salvaged.losses.logs > salvaged.losses.uncertain_logs:
        file.input = Input(file.file, limits, salvaged)


def correct_limits(path: Path, file: TableFile) -> None:
    """Go by the update indexes in the name of a table, if its records fit: those in its header overlap."""
    parts, found = parse_table_name(file.file), file.readable
    if parts is None or parts.min_update_index > parts.max_update_index:
        return
    limits = parts.min_update_index, parts.max_update_index
    if limits == found.limits:
        return
    counts = count_records(path, [found])
    if not (counts.refs or counts.logs) or (counts.refs and counts.lowest_ref < limits[0]):
        return
    if max(counts.highest_ref, counts.highest_log) > limits[1]:
        return
    file.reasons.append(
        f"its header states the update indexes {found.limits[0]} to {found.limits[1]}, "
        f"which overlap other tables; its records lie in those of its name, {limits[0]} to {limits[1]}"
    )
    file.rewrites, file.severity = True, Severity.ERROR
    file.input = replace(found, limits=limits)


def check_file(directory: str | os.PathLike[str], name: str) -> list[Finding]:
    """Everything that is wrong with one table. Raises `FormatError` for what is no file, `OSError`."""
    report = Report()
    for _ in check_table(CheckedTable(directory, name), report, lambda _position: None):
        pass
    return report.close()


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

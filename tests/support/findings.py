"""What fsck finds, in short, and stacks of a table that a test has made."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from engine.format import LogRecord, RefRecord, format_table_name
from engine.fsck import Finding, Severity, fsck
from engine.stack import StackOptions
from engine.table import Table, WriteOptions
from tests.support.handmade import Handmade
from tests.support.tables import write_table

OF_VALUES = {"head-missing", "head-target", "symref-target", "ref-id-null"}
"""The errors in what refs hold, however soundly it is stored: the verb add mends them, and no repair does."""

NOW = 2_000_000_000.0
"""A time at which every file that a test makes is old."""


def findings(directory: Path, options: StackOptions | None = None, now: float = NOW) -> list[Finding]:
    """Return everything that fsck finds; each finding has words for all that it should say."""
    found = list(fsck(directory, options, now=now))
    for finding in found:
        assert finding.message
        assert finding.git
        assert finding.fault.meaning
        if finding.offset is not None and finding.file:
            assert 0 <= finding.offset <= (directory / finding.file).stat().st_size
    return found


def codes(directory: Path, options: StackOptions | None = None, now: float = NOW) -> list[str]:
    """Return the codes of what fsck finds, each once, in the order of their first findings."""
    return list(dict.fromkeys(finding.code for finding in findings(directory, options, now)))


def faults(directory: Path) -> list[str]:
    """Return the codes of errors and warnings."""
    found = findings(directory)
    return list(dict.fromkeys(finding.code for finding in found if finding.severity is not Severity.INFO))


def only(directory: Path, code: str) -> Finding:
    """Return the one finding of this kind."""
    found = [finding for finding in findings(directory) if finding.code == code]
    assert len(found) == 1, found
    return found[0]


def install(directory: Path, table: Handmade, **offsets: int) -> Path:
    """Make a stack of one handmade table with a footer of these fields; returns the table's path."""
    path = directory / f"{format_table_name(*_limits(table), 1)}.ref"
    table.write(path, **offsets)
    (directory / "tables.list").write_text(f"{path.name}\n")
    return path


def _limits(table: Handmade) -> tuple[int, int]:
    return table.header.min_update_index, table.header.max_update_index


def write_stack(
    directory: Path,
    refs: Iterable[RefRecord] = (),
    logs: Iterable[LogRecord] = (),
    options: WriteOptions | None = None,
) -> Path:
    """Make a stack of one table with these records; returns the table's path."""
    path = directory / "new.ref"
    write_table(path, refs, logs, options)
    with Table.open(path) as table:
        name = f"{format_table_name(table.min_update_index, table.max_update_index, 1)}.ref"
    (directory / "tables.list").write_text(f"{name}\n")
    return path.rename(directory / name)

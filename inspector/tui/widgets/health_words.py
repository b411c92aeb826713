"""What the Health tab says: cells and words of a finding and of the offer to check; how many there are."""

from __future__ import annotations

from typing import Final, NamedTuple

from textual.content import Content

from engine.fsck import Finding, Severity
from inspector.model import Counts
from inspector.text import counted, file_size, safe_name
from inspector.tui.widgets.virtual_list import Cell, Look

_LETTERS: Final = {Severity.ERROR: "X", Severity.WARNING: "!", Severity.INFO: "i"}
_LOOKS: Final[dict[Severity, Look]] = {
    Severity.ERROR: "error",
    Severity.WARNING: "warning",
    Severity.INFO: "muted",
}
_STYLES: Final = {
    Severity.ERROR: "bold $text-error",
    Severity.WARNING: "bold $text-warning",
    Severity.INFO: "bold",
}


class StartRow(NamedTuple):
    """The row that offers to check the stack."""

    tables: int
    size: int


HealthRow = StartRow | Finding


def row_words(row: HealthRow | None, position: int | None) -> Content:
    """The words for a row; `position` is where its table stands, None for another file."""
    match row:
        case StartRow(tables, size):
            return Content(
                f"Checks the list, the files beside it and {counted(tables, 'table')}, "
                f"{file_size(size)}, from end to end, and writes nothing. ? says what is looked at."
            )
        case Finding() as finding:
            where = f"{'' if position is None else f'#{position} '}{safe_name(finding.file)}"
            if finding.offset is not None:
                where += f", byte {finding.offset:,}"
            lines: list[tuple[str, str]] = [
                (f"{_LETTERS[finding.severity]} {finding.severity.value}", _STYLES[finding.severity]),
                (f"  {where}  ", ""),
                (f"({finding.code})", "$foreground-muted"),
                (f"\n{safe_name(finding.message)}", ""),
                (f"\n{finding.fault.meaning}", "$foreground-muted"),
            ]
            if finding.git:
                lines += [("\ngit    ", "$foreground-muted"), (safe_name(finding.git), "")]
            for number, fix in enumerate(finding.fixes):
                lines.append(("\n       " if number else "\nrepair ", "$foreground-muted"))
                lines.append((safe_name(fix), ""))
            return Content.assemble(*lines)
        case _:
            return Content("")


def severity_cell(row: HealthRow, _width: int) -> Cell:
    """Its severity, as a letter and a word."""
    if isinstance(row, StartRow):
        return Cell("v", "accent")
    return Cell(f"{_LETTERS[row.severity]} {row.severity.value}", _LOOKS[row.severity])


def offset_cell(row: HealthRow, _width: int) -> Cell:
    """The offset in its file, if it has one."""
    return Cell(f"{row.offset:,}" if isinstance(row, Finding) and row.offset is not None else "")


def what_cell(row: HealthRow, _width: int) -> Cell:
    """Its message in one line."""
    if isinstance(row, StartRow):
        what = f"enter or v checks {counted(row.tables, 'table')}, {file_size(row.size)}"
        return Cell(what, "accent")
    return Cell(safe_name(row.message))


def summary(counts: Counts) -> Content:
    """How many findings of each severity there are, and how much was checked."""
    parts: list[tuple[str, str]] = []
    for number, letter, noun, style in (
        (counts.errors, "X", "error", "bold $text-error"),
        (counts.warnings, "!", "warning", "bold $text-warning"),
        (counts.notes, "i", "note", ""),
    ):
        if number:
            parts += [(f"{letter} {counted(number, noun)}", style), ("  ", "")]
    if counts.checked:
        parts.append(
            (f"{counts.checked:,} of {counted(counts.tables, 'table')} checked", "$foreground-muted")
        )
    elif counts.tables:
        parts.append(("no table has been checked yet", "$foreground-muted"))
    return Content.assemble(*parts)

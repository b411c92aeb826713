"""The words of the Health tab: of a finding, of the offer to check, and of how many there are."""

from __future__ import annotations

from typing import Final, NamedTuple

from textual.content import Content

from engine.fsck import Finding, Severity
from inspector.model import Counts
from inspector.text import counted, safe_message, safe_name
from inspector.tui.widgets.virtual_list import Cell, Look

_LOOKS: Final[dict[Severity, tuple[str, Look, str]]] = {
    Severity.ERROR: ("X", "error", "bold $text-error"),
    Severity.WARNING: ("!", "warning", "bold $text-warning"),
    Severity.INFO: ("i", "muted", "bold"),
}
"""The letter of a severity, how its cells look, and the style of its words."""


class StartRow(NamedTuple):
    """The row that offers to check the stack: `what` is its number of tables and its size."""

    what: str


HealthRow = StartRow | Finding


def tab_label(counts: Counts) -> Content:
    """The name of the tab, with the errors that are known, or else the warnings."""
    severity, number = Severity.ERROR, counts.errors
    if not number:
        severity, number = Severity.WARNING, counts.warnings
    letter, _, style = _LOOKS[severity]
    return Content.assemble("Health", (f" {letter}{number}", style) if number else "")


def row_words(row: HealthRow | None, position: int | None) -> Content:
    """The words for a row; `position` is that of its table, None for another file."""
    match row:
        case StartRow(what):
            return Content(
                f"Checks the list, the files beside it and {what}, from end to end, and writes nothing. "
                "? says what is looked at."
            )
        case Finding() as finding:
            letter, _, style = _LOOKS[finding.severity]
            where = f"{'' if position is None else f'#{position} '}{safe_name(finding.file)}"
            if finding.offset is not None:
                where += f", byte {finding.offset:,}"
            lines: list[tuple[str, str]] = [
                (f"{letter} {finding.severity.value}", style),
                (f"  {where}  ", ""),
                (f"({finding.code})", "$foreground-muted"),
                (f"\n{safe_message(finding.message)}", ""),
                *_of_cause(finding),
            ]
            # What to do comes first: in a low terminal, the rest is reached by scrolling.
            for number, fix in enumerate(finding.fixes):
                lines.append(("\n       " if number else "\nrepair ", "$foreground-muted"))
                lines.append((safe_name(fix), ""))
            if finding.git:
                lines += [("\ngit    ", "$foreground-muted"), (safe_name(finding.git), "")]
            lines.append((f"\n{finding.fault.meaning}", "$foreground-muted"))
            return Content.assemble(*lines)
        case _:
            return Content("")


def _of_cause(finding: Finding) -> list[tuple[str, str]]:
    if (cause := finding.cause) is None:
        return []
    return [(f"\nfollows from {cause.code}: {safe_name(cause.file)}: {safe_message(cause.message)}", "")]


def severity_cell(row: HealthRow, _width: int) -> Cell:
    """Its severity, as a letter and a word."""
    if isinstance(row, StartRow):
        return Cell("v", "accent")
    if row.cause is not None:
        return Cell("  so also", "muted")
    letter, look, _ = _LOOKS[row.severity]
    return Cell(f"{letter} {row.severity.value}", look)


def offset_cell(row: HealthRow, _width: int) -> str:
    """The offset in its file, if it has one."""
    return f"{row.offset:,}" if isinstance(row, Finding) and row.offset is not None else ""


def what_cell(row: HealthRow, _width: int) -> Cell | str:
    """Its message in one line."""
    if isinstance(row, StartRow):
        return Cell(f"enter or v checks {row.what}", "accent")
    return safe_message(row.message)


def summary(counts: Counts, elsewhere: int = 0) -> Content:
    """How many causes of each severity there are, and how much was checked.

    `elsewhere` are tables that were read, and are not among those shown: the stack has another list by now.
    """
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
    if elsewhere:
        what = f"{counted(elsewhere, 'table')} read that this view has not: the stack has changed (R)"
        parts += [("  ", ""), (what, "$text-warning")]
    return Content.assemble(*parts)

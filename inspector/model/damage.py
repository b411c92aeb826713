"""What the main screen says of a stack that is broken, or of tables in which damage was met.

In few words: what is wrong with each file is said by the Health tab, and by the detail of a table.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.errors import FormatError, MissingTableError
from engine.readable import Fault, ReadableTable
from inspector.model.view import StackView
from inspector.text import error_text, loss_text

__all__ = ["broken_text", "damage_text"]

_LIST = "tables.list"


def broken_text(faults: Sequence[Fault]) -> str:
    """How much of a stack keeps it from being opened: `1 table damaged, 2 missing`; empty for nothing."""
    of_list = [fault for fault in faults if isinstance(fault, FormatError) and fault.name == _LIST]
    missing = sum(isinstance(fault, MissingTableError) for fault in faults)
    damaged = len(faults) - missing - len(of_list)
    parts = [f"{number} {word}" for number, word in ((damaged, "damaged"), (missing, "missing")) if number]
    if parts:
        noun = "table" if (damaged or missing) == 1 else "tables"
        number, _, word = parts[0].partition(" ")
        parts[0] = f"{number} {noun} {word}"
    return ", ".join([*parts, *([_LIST] if of_list else [])])


def damage_text(view: StackView) -> str:
    """The first fault of the stack, or the first damage met in a table, as a line; empty if there is none."""
    if view.faults:
        more = len(view.faults) - 1
        return error_text(view.faults[0]) + (f" (and {more} more: see Health)" if more else "")
    for table in view.tables:
        losses = table.losses if isinstance(table, ReadableTable) else None
        if losses is not None and (losses.size or losses.left_out):
            assert isinstance(table, ReadableTable)  # noqa: S101 - none other has losses
            return f"{error_text(table.loss())} ({loss_text(losses)})"
    return ""

"""What a repair does to refs, as a list."""

from __future__ import annotations

from typing import ClassVar, Final

from textual.binding import Binding, BindingType
from textual.content import Content

from engine.repair import Outcome, RefOutcome
from inspector.rows import ORDER, OutcomeRows
from inspector.tui.screens.list_dialog import ListDialog, ref_columns, ref_lines
from inspector.tui.widgets.virtual_list import Cell, VirtualList

_MARKS: Final = {
    Outcome.LOST: "-",
    Outcome.REVIVED: "<",
    Outcome.CHANGED: "~",
    Outcome.DOUBTFUL: "?",
    Outcome.RESTORED: "=",
    Outcome.RETURNED: "+",
}


class OutcomesScreen(ListDialog[None, RefOutcome]):
    """The refs that a repair touches, the worst outcome first."""

    HELP = """
    What the repair does to refs, the worst first: - lost, < revived with an older value, ~ changed,
    ? doubtful (a newer value may be lost), = restored from its reflog, + returned. Refs that simply
    stay are counted, not listed.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,d", "leave", "Back")]

    def __init__(self, outcomes: OutcomeRows) -> None:
        columns = ref_columns(_mark, "now", "repaired")
        rows = VirtualList(columns, outcomes, empty="no ref changes")
        super().__init__("What becomes of refs", rows, classes="-wide")
        self._counts = outcomes.counts

    def on_mount(self) -> None:
        """Say how many there are of each kind."""
        counts = self._counts
        parts = [f"{_MARKS[kind]} {counts[kind]:,} {kind}" for kind in ORDER if counts[kind]]
        self.say("   ".join([*parts, f"{counts[Outcome.KEPT]:,} kept"]))

    def detail(self, row: RefOutcome) -> list[Content]:
        """Why, and the values."""
        return ref_lines(row, f"{row.outcome}: {row.why}", "now", "repaired")


def _mark(row: RefOutcome) -> Cell:
    return Cell(_MARKS[row.outcome], "error" if row.outcome is Outcome.LOST else "warning")

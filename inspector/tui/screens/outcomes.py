"""What a repair does to refs, as a list."""

from __future__ import annotations

from typing import ClassVar, Final

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from engine.format import RefRecord
from engine.repair import Outcome, RefOutcome
from inspector.rows import ORDER, OutcomeRows
from inspector.text import shown, value_text
from inspector.tui.screens.dialog import Dialog, box
from inspector.tui.widgets.key_bar import KeyBar
from inspector.tui.widgets.virtual_list import Cell, Column, ListPane, Look, VirtualList

__all__ = ["OutcomesScreen"]

_MARKS: Final = {
    Outcome.LOST: "-",
    Outcome.REVIVED: "<",
    Outcome.CHANGED: "~",
    Outcome.DOUBTFUL: "?",
    Outcome.RETURNED: "+",
}


class OutcomesScreen(Dialog[None]):
    """The refs that a repair touches, the worst outcome first."""

    HELP = """
    What the repair does to refs, the worst first: - lost, < revived with an older value, ~ changed,
    ? doubtful (a newer value may have been lost), + returned. Refs that simply stay are counted, not listed.
    """

    DEFAULT_CSS = """
    OutcomesScreen {
        & > .box { max-width: 160; padding: 0; }
        & #outcome-counts { height: auto; padding: 0 1; }
        & #outcome { height: 6; padding: 0 1; border-top: solid $surface-lighten-3; }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Back"),
        Binding("q,d", "dismiss(None)", "Back", show=False),
    ]

    def __init__(self, outcomes: OutcomeRows) -> None:
        super().__init__()
        self._outcomes = outcomes
        self._list: VirtualList[RefOutcome] = VirtualList(_COLUMNS, outcomes, empty="no ref changes")

    def compose(self) -> ComposeResult:
        """How many of each kind, the list, and the one under the cursor in full."""
        counts = self._outcomes.counts
        parts = [f"{_MARKS[kind]} {counts[kind]:,} {kind}" for kind in ORDER if counts[kind]]
        with box("What becomes of refs", id="outcomes"):
            yield Static(
                "   ".join([*parts, f"{counts[Outcome.KEPT]:,} kept"]), id="outcome-counts", markup=False
            )
            yield ListPane(self._list)
            with VerticalScroll(id="outcome", can_focus=False):
                yield Static(id="outcome-text", markup=False)
        yield KeyBar()

    def on_mount(self) -> None:
        """Keys go to the list."""
        self._list.focus()
        self._list.source_changed()

    @on(VirtualList.Highlighted)
    def _show_outcome(self) -> None:
        one = self._list.current
        text = Content("") if one is None else Content("\n").join(_words(one))
        self.query_one("#outcome-text", Static).update(text)


def _look(one: RefOutcome) -> Look:
    return "error" if one.outcome is Outcome.LOST else "warning"


def _value_cell(record: RefRecord | None, width: int) -> Cell:
    return Cell("none", "muted") if record is None else Cell(value_text(record, width))


_COLUMNS: Final[list[Column[RefOutcome]]] = [
    Column("", lambda one, _width: Cell(_MARKS[one.outcome], _look(one)), width=1),
    Column("ref", lambda one, _width: Cell(shown(one.name)), width=24, flex=4),
    Column("now", lambda one, width: _value_cell(one.before, width), width=10, flex=1),
    Column("repaired", lambda one, width: _value_cell(one.after, width), width=10, flex=1),
]


def _words(one: RefOutcome) -> list[Content]:
    lines = [Content.assemble((shown(one.name), "bold"), f"  {one.outcome}: {one.why}")]
    for label, record in (("now", one.before), ("repaired", one.after)):
        if record is None:
            text = "none"
        elif record.target is not None:
            text = f"-> {shown(record.target)}  update {record.update_index}"
        else:
            text = f"{(record.value or b'').hex()}  update {record.update_index}"
        lines.append(Content.assemble((f"{label:<9}", "$foreground-muted"), text))
    return lines

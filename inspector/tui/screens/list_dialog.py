"""Dialogs that are a list: words above it, and below it what is under the cursor, in full."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from textual import on
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from engine.format import RefRecord
from engine.merge import RefChange
from engine.repair import RefOutcome
from inspector.text import shown, value_text
from inspector.tui.screens.dialog import Answer, Dialog
from inspector.tui.widgets.virtual_list import Cell, Column, ListPane, VirtualList

Row = TypeVar("Row")


class ListDialog(Dialog[Answer], Generic[Answer, Row]):
    """Shows the rows of one list."""

    DEFAULT_CSS = """
    ListDialog {
        & #words { display: none; height: auto; }
        & #detail { height: 6; padding: 0 1; border-top: solid $surface-lighten-3; }
        &.-wide > .box { max-width: 160; padding: 0; }
        &.-wide #words { padding: 0 1; }
        &.-small {
            & > .box { width: 90%; height: auto; max-height: 90%; }
            & ListPane { height: auto; max-height: 100%; }
            & VirtualList { height: auto; max-height: 60vh; }
        }
    }
    """

    def __init__(self, heading: str, rows: VirtualList[Row], *, classes: str = "") -> None:
        """Of class `-wide` the box is for long lines, of class `-small` as high as the list."""
        self._list = rows
        self._said = Static(id="words", markup=False)
        self._text = Static(id="detail-text", markup=False)
        detail = VerticalScroll(self._text, id="detail", can_focus=False)
        super().__init__(heading, self._said, ListPane(rows), detail)
        self.set_classes(classes)

    def detail(self, row: Row) -> Sequence[Content]:  # noqa: ARG002
        """The lines about the row under the cursor."""
        return ()

    def on_mount(self) -> None:
        """Keys go to the list."""
        self._list.focus()
        self._list.source_changed()

    def say(self, words: str | Content) -> None:
        """Show these words above the list; none take no room."""
        self._said.display = bool(words)
        self._said.update(words)

    @on(VirtualList.Highlighted)
    def show_detail(self) -> None:
        """Show what is under the cursor by now."""
        row = self._list.current
        lines = () if row is None else self.detail(row)
        self._text.update(Content("\n").join(lines))


RefRow = TypeVar("RefRow", RefChange, RefOutcome)


def ref_columns(mark: Callable[[RefRow], Cell], before: str, after: str) -> list[Column[RefRow]]:
    """A list of refs with their values in the states that are called `before` and `after`."""
    return [
        Column("", lambda row, _width: mark(row), width=1),
        Column("ref", lambda row, _width: Cell(shown(row.name)), width=24, flex=4),
        Column(before, lambda row, width: _value_cell(row.before, width), width=10, flex=1),
        Column(after, lambda row, width: _value_cell(row.after, width), width=10, flex=1),
    ]


def _value_cell(record: RefRecord | None, width: int) -> Cell:
    if record is None:
        return Cell("none", "muted")
    return Cell(value_text(record, width), "plain" if record.target is None else "accent")


def ref_lines(row: RefChange | RefOutcome, what: str, before: str, after: str) -> list[Content]:
    """The same of one ref, with its values in full; `what` says what has become of it."""
    lines = [Content.assemble((shown(row.name), "bold"), f"  {what}")]
    width = max(8, len(before) + 1, len(after) + 1)
    for label, record in ((before, row.before), (after, row.after)):
        if record is None:
            text = "none"
        else:
            value = f"-> {shown(record.target)}" if record.target is not None else (record.value or b"").hex()
            text = f"{value}  update {record.update_index}"
        lines.append(Content.assemble((f"{label:<{width}}", "$foreground-muted"), text))
        if record is not None and record.peeled is not None:
            lines.append(Content.assemble(("  peeled ", "$foreground-muted"), record.peeled.hex()))
    return lines

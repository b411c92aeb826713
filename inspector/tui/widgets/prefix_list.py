"""The tree of ref prefixes as a list: what is open, how many refs each has, and the refs in between."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from textual import on
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip

from inspector.rows import ROOT, PrefixRow, PrefixTree, RefRow, SequenceRows, TreeRow, prefixes_of
from inspector.text import shown
from inspector.tui.cells import fitted_value
from inspector.tui.keys import bindings
from inspector.tui.navigation import Follow
from inspector.tui.widgets.virtual_list import PLACEHOLDER, Cell, Column, VirtualList

_MOST_INDENT: Final = 24
_MOST_COUNTED: Final = 200
"""Rows whose refs are counted before they are drawn."""


class PrefixList(VirtualList[TreeRow]):
    """Prefixes and refs; a ref is a row as in the list of refs."""

    BINDINGS = bindings("prefixes")

    class LevelsWanted(Message):
        """A prefix was opened whose children are to be read."""

    @dataclass
    class RestWanted(Message):
        """The refs from this name on are to be seen, of which there are too many for a tree."""

        name: bytes

    def __init__(self) -> None:
        columns: list[Column[TreeRow]] = [
            Column("ref", self._prefix, 24, flex=3),
            Column("refs below", self._below, 10, align="right"),
            Column("value", _value, 10, flex=2, priority=3),
        ]
        super().__init__(columns, empty="no refs", id="prefixes")
        self.held = PrefixTree()

    @property
    def name_at_cursor(self) -> bytes | None:
        """The name of the ref or prefix under the cursor."""
        return _name_of(row) if (row := self.current) is not None else None

    def show_tree(self, tree: PrefixTree, name: bytes | None = None) -> None:
        """Draw a tree as it is now; the cursor goes to `name`, or stays, or goes to what is above it."""
        name = name if name is not None else self.name_at_cursor
        self.held = tree
        cursor = self.cursor
        if name is not None:
            rows = {_name_of(row): number for number, row in enumerate(tree.rows)}
            way = [name, *reversed(prefixes_of(name))]
            cursor = next((rows[one] for one in way if one in rows), 0)
        self.show(SequenceRows(tree.rows), cursor=cursor, above=self.above)
        for row in tree.rows[:_MOST_COUNTED]:
            if isinstance(row, PrefixRow) and not row.is_rest:
                tree.count(row.name)
        self._ask_for_counts()

    def _ask_for_counts(self) -> None:
        if self.held.asks:
            self.post_message(self.RowsWanted())

    def render_lines(self, crop: Region) -> list[Strip]:
        """Draw what is on screen, and ask for the counts that were missing."""
        lines = super().render_lines(crop)
        self._ask_for_counts()
        return lines

    @on(VirtualList.Opened)
    def _clicked_twice(self, event: VirtualList.Opened) -> None:
        event.stop()
        self.action_toggle_prefix()

    def action_toggle_prefix(self) -> None:
        """Open a prefix or close it; of a ref go where it leads."""
        match self.current:
            case PrefixRow(name=name, is_rest=True):
                self.post_message(self.RestWanted(name))
            case PrefixRow(name=name):
                self._toggle(name)
            case RefRow():
                self.post_message(Follow())

    def _toggle(self, prefix: bytes) -> None:
        self.held.toggle(prefix)
        if self.held.missing:
            self.post_message(self.LevelsWanted())
        self.show_tree(self.held, prefix)

    def action_unfold(self) -> None:
        """Open the prefix, or go to what is below it."""
        row = self.current
        if isinstance(row, PrefixRow) and not row.is_rest:
            if row.name in self.held.opened:
                self.action_move(1)
            else:
                self._toggle(row.name)

    def action_fold(self) -> None:
        """Close the prefix, or go to the one that the row is below."""
        row = self.current
        if isinstance(row, PrefixRow) and row.name in self.held.opened:
            self._toggle(row.name)
        elif row is not None:
            name = _name_of(row)
            above = [prefix for prefix in prefixes_of(name) if prefix not in (name, ROOT)]
            if above:
                self.show_tree(self.held, above[-1])

    def _prefix(self, row: TreeRow, width: int) -> Cell | str:
        if isinstance(row, RefRow):
            name = row.record.name
            cut = name.rfind(b"/") + 1
            return f"{_indent(name.count(b'/'), width)}  {shown(name[cut:]) or shown(name)}"
        indent = _indent(row.depth, width)
        if row.is_rest:
            return Cell(f"{indent}  … and more: enter lists them", "accent")
        mark = "▾" if row.name in self.held.opened else "▸"
        cut = row.name.rfind(b"/", 0, -1) + 1
        reading = "  reading…" if row.name in self.held.missing else ""
        return f"{indent}{mark} {shown(row.name[cut:])}{reading}"

    def _below(self, row: TreeRow, _width: int) -> Cell | str:
        if isinstance(row, RefRow) or row.is_rest:
            return ""
        count = self.held.count(row.name)
        return Cell(PLACEHOLDER, "muted") if count is None else f"{count:,}"


def _name_of(row: TreeRow) -> bytes:
    return row.name if isinstance(row, PrefixRow) else row.record.name


def _indent(depth: int, width: int) -> str:
    step = 1 if width < 40 else 2
    return " " * min(step * depth, _MOST_INDENT)


def _value(row: TreeRow, width: int) -> Cell | str:
    if not isinstance(row, RefRow):
        return ""
    return Cell(fitted_value(row.record, width), "warning" if row.record.is_deletion else "muted")

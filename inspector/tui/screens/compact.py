"""The form for compacting: all tables, what one of the rules suggests, or a range."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from textual.widgets import Input

from engine.merge import Segment
from engine.stack import Policy
from inspector.actions import CompactAction, TableRange, Workplace
from inspector.model import Journal, StackView
from inspector.text import counted, positions_text
from inspector.tui.screens.form import Choice, FormScreen, field

_Which = Literal["all", "range"] | Policy


def range_action(workplace: Workplace, view: StackView, first: int, end: int) -> CompactAction:
    """Compact the tables [first, end) of `view`: these, whatever happens to the stack until then."""
    names = tuple(table.name for table in view.tables[first:end])
    return CompactAction(workplace, TableRange(first, end, names))


class CompactScreen(FormScreen):
    """Which tables of `view` to merge."""

    HELP = """
    A compaction merges tables next to each other into a new one. Refs and reflogs stay what they are: only
    records that are superseded within the range are dropped. Tombstones, the records of deletions, are
    dropped only when the oldest table is among those merged, since below it there is nothing that
    they could hide.

    git compacts by itself after each transaction, by one of two rules. Merging everything makes the smallest
    stack and the fastest lookups, and rewrites all of it.
    """

    DEFAULT_CSS = """
    CompactScreen #said { display: none; }
    """

    def __init__(
        self, workplace: Workplace, journal: Journal, view: StackView, damage: Mapping[int, str] | None = None
    ) -> None:
        """`damage` is what is known to be wrong with tables of `view`, by position."""
        self._view = view
        self._damage = damage or {}
        sizes = [table.policy_size for table in view.tables]
        factor = workplace.options.factor
        rules: dict[Policy, str] = {"log2": "log2 rule", "geometric": f"geometric rule, factor {factor}"}
        self._ranges: dict[_Which, range] = {"all": range(len(sizes))}
        options: list[tuple[_Which, str]] = [("all", f"all: {counted(len(sizes), 'table')}")]
        for policy, name in rules.items():
            segment = replace(workplace.options, policy=policy).suggestion(sizes)
            own = " (this stack's)" if policy == workplace.options.policy else ""
            self._ranges[policy] = segment.positions
            options.append((policy, f"{name}{own}: {_suggestion(segment)}"))
        options.append(("range", "a range of tables, as numbered on the main screen"))
        self._which: Choice[_Which] = Choice(options, vertical=True, id="which")
        self._first = Input(placeholder="0 is the oldest", compact=True, id="first")
        self._last = Input(placeholder=str(max(len(sizes) - 1, 0)), compact=True, id="last")
        self._range_lines = field("from #", self._first), field("to #", self._last)
        self._root: Choice[bool] = Choice(
            [(False, "as git writes it"), (True, "one block, for JGit")], id="root"
        )
        fields = field("merge", self._which), *self._range_lines, field("index root", self._root)
        super().__init__("Compact: merge tables into one", workplace, journal, *fields)

    def show_fields(self) -> None:
        """Two more lines for a range."""
        for line in self._range_lines:
            line.display = self._which.value == "range"

    def _range(self) -> tuple[int, int]:
        """First and end of the range. Raises ValueError."""
        count = len(self._view.tables)
        numbers = []
        for text in (self._first.value.strip(), self._last.value.strip()):
            if not text:
                raise ValueError(f"from which table to which? They are numbered 0 to {count - 1}")
            if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) < count):
                raise ValueError(f"{text!r} is no table: they are numbered 0 to {count - 1}")
            numbers.append(int(text))
        first, last = numbers
        if first >= last:
            raise ValueError("a range needs two tables, the older one first")
        return first, last + 1

    def check(self) -> str:
        """Refuse a range that is none, or with a table that is known to be damaged."""
        which = self._which.value
        tables = range(*self._range()) if which == "range" else self._ranges[which]
        damage = next((self._damage[at] for at in tables if at in self._damage), None)
        if damage is not None and len(tables) > 1:
            raise ValueError(f"BLOCKED: {damage}\nEscape, then 5 and r, show what repairs it.")
        return ""

    def action(self) -> CompactAction:
        """Compact what was chosen. A rule is asked again by the plan, for the stack as it is by then."""
        which = self._which.value
        if which == "range":
            action = range_action(self._workplace, self._view, *self._range())
        else:
            action = CompactAction(self._workplace, which, self._workplace.options.factor)
        return replace(action, single_root=self._root.value)


def _suggestion(segment: Segment) -> str:
    if not len(segment):
        return "nothing to merge"
    return f"{positions_text(segment.positions)} ({counted(len(segment), 'table')})"

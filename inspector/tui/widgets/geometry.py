"""The tables of a stack as bars, with what a compaction rule makes of them: before a merge, and after it.

Rows are positions: cells are made of a `Study` when they are drawn, so that neither a step of a rule nor a
table marked costs anything for tables that are not on screen. Every mark is a character: brackets, letters
in the titles, `?`.
"""

from __future__ import annotations

from bisect import bisect_right
from operator import attrgetter
from typing import Any, ClassVar

from textual.binding import BindingType

from engine.merge import CompactionPlan
from inspector.model import Study
from inspector.text import bracket, file_size
from inspector.tui.widgets.stack_rows import bar
from inspector.tui.widgets.virtual_list import MOVES, Cell, Column, VirtualList


class Bars:
    """Rows and columns of a study at its step: bars are sizes as the rules count them, or of files."""

    def __init__(self, study: Study, *, file_sizes: bool) -> None:
        self._study = study
        self._sizes = [table.size for table in study.tables] if file_sizes else study.sizes
        self._target = study.target if study.mergeable else range(0)
        self._merged = study.merged_size(file_sizes=file_sizes) if self._target else None
        # A bar has one length per byte before and after the merge.
        self._largest = max([*self._sizes, self._merged or 0], default=0)
        self._marked = study.step.marked.positions
        self._last = max(len(self._sizes) - 1, 0)

    # Before the merge: a row is a position.

    def before(self) -> list[Column[int]]:
        """Columns for the tables as they are."""
        study, is_log2 = self._study, self._study.rule == "log2"
        note = self._segment if is_log2 else self._ratio
        columns: list[Column[int]] = [
            Column("#", lambda at, _: Cell(str(at), "muted"), len(str(self._last)), align="right"),
            Column("X", lambda at, _: Cell("X" if study.damage_of(at) else "", "error"), 1),
            Column("2^k" if is_log2 else "×next", note, 5, align="left" if is_log2 else "right", priority=2),
            Column("before", self._bar, 4, flex=1),
            Column("size", lambda at, _: file_size(self._sizes[at]), 7, align="right", priority=1),
            Column("?", self._asked, 1),
            Column("R", lambda at, _: Cell(bracket(at, self._marked), "accent"), 1),
            Column("L", lambda at, _: bracket(at, study.suggestion("log2")), 1, priority=3),
            Column("G", lambda at, _: bracket(at, study.suggestion("geometric")), 1, priority=3),
            Column("M", lambda at, _: Cell("*" if at in study.marked else "", "accent"), 1),
        ]
        if not study.knows_damage:
            del columns[1]
        return columns

    def _bar(self, position: int, width: int) -> Cell:
        drawn = bar(self._sizes[position], self._largest, width)
        if self._study.damage_of(position) is not None:
            return Cell(drawn, "error")
        is_marked = position in self._marked or position in self._study.marked
        return Cell(drawn, "accent" if is_marked else "plain")

    def _asked(self, position: int, _width: int) -> Cell:
        step = self._study.step
        if position in step.looked and step.kind != "result":
            return Cell("?", "warning")
        return Cell("=" if position in step.against else "", "warning")

    def _segment(self, position: int, _width: int) -> str:
        """The bracket of a segment and its magnitude, as far as the rule has cut the stack by now."""
        step = self._study.step
        cut = step.looked.stop if step.kind == "cut" else len(self._sizes)
        if position >= cut:
            return ""
        segments = self._study.segments
        segment = segments[bisect_right(segments, position, key=attrgetter("start")) - 1]
        drawn = bracket(position, range(segment.start, min(segment.end, cut)), " ┌│└")
        return f"{drawn}2^{segment.log}" if position == segment.start else drawn

    def _ratio(self, position: int, _width: int) -> str:
        """How many times as large as the table behind it."""
        sizes = self._study.sizes
        if position == self._last or not sizes[position + 1]:
            return ""
        ratio = sizes[position] / sizes[position + 1]
        # Cut, not rounded: 1.96 times is less than twice.
        return f"{int(ratio * 10) / 10:.1f}×" if ratio < 1000 else ">999×"

    # After it: a row is a position, or the range that is merged.

    def after_rows(self) -> list[int | range]:
        """The tables with the range merged; all of them as they are when there is no range."""
        rows: list[int | range] = [*range(len(self._sizes))]
        rows[self._target.start : self._target.stop] = [self._target] if self._merged is not None else []
        return rows

    def after(self) -> list[Column[int | range]]:
        """Columns for the tables after the merge."""
        return [
            Column("#", _label, 2 * len(str(self._last)) + 1, align="right"),
            Column("after", lambda row, width: self._after(row, width)[0], 4, flex=1),
            Column("size", lambda row, width: self._after(row, width)[1], 8, align="right"),
            Column("", lambda row, width: self._after(row, width)[2], 3, priority=1),
        ]

    def _after(self, row: int | range, width: int) -> tuple[Cell, Cell, Cell]:
        """Bar, size and note of a row."""
        if isinstance(row, int):
            size = self._sizes[row]
            return Cell(bar(size, self._largest, width)), Cell(file_size(size)), Cell("")
        if self._study.blocked is not None:
            return Cell(""), Cell("BLOCKED", "warning"), Cell("!", "warning")
        size, about = self._merged or 0, "" if isinstance(self._study.outcome, CompactionPlan) else "~"
        drawn = bar(size, self._largest, width)
        return Cell(drawn, "accent"), Cell(about + file_size(size), "accent"), Cell("new", "accent")

    def row_after(self, position: int) -> int:
        """The row after the merge of the table at `position`, or of the one it goes into."""
        target = self._target
        if position < target.start or not target:
            return position
        gone = len(target) - (self._merged is not None)
        return target.start if position in target else position - gone


def _label(row: int | range, _width: int) -> Cell:
    return Cell(str(row) if isinstance(row, int) else f"{row.start}-{row[-1]}", "muted")


class BarList(VirtualList[Any], inherit_bindings=False):
    """Bars under a cursor; `home` and `end` are left to the steps of the rule."""

    BINDINGS: ClassVar[list[BindingType]] = MOVES

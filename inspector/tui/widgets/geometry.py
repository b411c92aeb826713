"""The tables of a stack as bars, with what a compaction rule makes of them: before a merge, and after it.

Rows are made of a `Study` when they are drawn, so that neither a step of a rule nor a table marked costs
anything for tables that are not on screen. Every mark is a character: brackets, letters in the titles, `?`.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import ClassVar, NamedTuple

from textual.binding import BindingType

from inspector.model import MergeResult, Study
from inspector.text import file_size
from inspector.tui.widgets.stack_rows import bar, bracket
from inspector.tui.widgets.virtual_list import MOVES, Cell, Column, Look, VirtualList


class BarRow(NamedTuple):
    """A bar and the marks beside it."""

    label: str
    size: int
    size_text: str
    note: str = ""
    asked: str = ""
    step: str = ""
    log2: str = ""
    geometric: str = ""
    hand: str = ""
    damaged: str = ""
    look: Look = "plain"


class _Bars:
    """Bars that are made when they are drawn."""

    complete = True
    wanting = False

    def __init__(self, study: Study, *, file_sizes: bool) -> None:
        self._study = study
        self._sizes = [table.size for table in study.tables] if file_sizes else study.sizes


class BeforeBars(_Bars):
    """The tables as they are."""

    def __init__(self, study: Study, *, file_sizes: bool) -> None:
        super().__init__(study, file_sizes=file_sizes)
        self._starts = [segment.start for segment in study.segments]

    @property
    def count(self) -> int:
        """As many as the stack has."""
        return len(self._study.tables)

    def row(self, index: int) -> BarRow | None:
        """The bar of the table at position `index`."""
        study = self._study
        if not 0 <= index < self.count:
            return None
        step = study.step
        marked = range(step.marked.start, step.marked.end)
        damaged = study.damage_of(index) is not None
        look: Look = "accent" if index in marked or index in study.marked else "plain"
        asked = "?" if index in step.looked and step.kind != "result" else ""
        size = self._sizes[index]
        return BarRow(
            label=str(index),
            size=size,
            size_text=file_size(size),
            note=self._segment(index) if study.rule == "log2" else self._ratio(index),
            asked=asked or ("=" if index in step.against else ""),
            step=bracket(index, marked),
            log2=bracket(index, study.suggestion("log2")),
            geometric=bracket(index, study.suggestion("geometric")),
            hand="*" if index in study.marked else "",
            damaged="X" if damaged else "",
            look="error" if damaged else look,
        )

    def _segment(self, index: int) -> str:
        """The bracket of a segment and its magnitude, as far as the rule has cut the stack by now."""
        study = self._study
        cut = study.step.looked.stop if study.step.kind == "cut" else self.count
        if index >= cut:
            return ""
        segment = study.segments[bisect_right(self._starts, index) - 1]
        piece = bracket(index, range(segment.start, min(segment.end, cut)), " ┌│└")
        return f"{piece}2^{segment.log}" if index == segment.start else piece

    def _ratio(self, index: int) -> str:
        """How many times as large as the table behind it."""
        sizes = self._study.sizes
        if index + 1 >= len(sizes) or not sizes[index + 1]:
            return ""
        ratio = sizes[index] / sizes[index + 1]
        # Cut, not rounded: 1.96 times is less than twice.
        return f"{int(ratio * 10) / 10:.1f}×" if ratio < 1000 else ">999×"


class AfterBars(_Bars):
    """The tables as they would be, with the range merged; all of it as it is when there is no range."""

    def __init__(self, study: Study, *, file_sizes: bool) -> None:
        super().__init__(study, file_sizes=file_sizes)
        self._target = study.target if study.mergeable else range(0)
        self._blocked = study.blocked is not None
        self._merged = study.merged_size(file_sizes=file_sizes) if self._target else None
        self._new = 1 if self._merged is not None else 0

    @property
    def count(self) -> int:
        """The tables that are left."""
        return len(self._study.tables) - len(self._target) + self._new

    def where(self, position: int) -> int:
        """The row of the table that stands at `position` now, or of the one it goes into."""
        if position < self._target.start or not self._target:
            return position
        if position in self._target:
            return self._target.start
        return position - len(self._target) + self._new

    def row(self, index: int) -> BarRow | None:
        """Bar `index` of the stack after the merge."""
        if not 0 <= index < self.count:
            return None
        target = self._target
        if self._merged is not None and index == target.start:
            return self._merged_row(self._merged)
        position = index if index < target.start else index + len(target) - self._new
        return BarRow(str(position), self._sizes[position], file_size(self._sizes[position]))

    def _merged_row(self, size: int) -> BarRow:
        target = self._target
        label = f"{target.start}-{target[-1]}"
        if self._blocked:
            return BarRow(label, 0, "BLOCKED", note="!", look="warning")
        about = "" if isinstance(self._study.outcome, MergeResult) else "~"
        return BarRow(label, size, about + file_size(size), note="new", look="accent")


def before_columns(study: Study, largest: int) -> list[Column[BarRow]]:
    """Columns for the bars before: `largest` is the size of a bar as long as there is room."""
    damaged: Column[BarRow] = Column("X", lambda row, _width: Cell(row.damaged, "error"), width=1)
    return [
        Column(
            "#",
            lambda row, _width: Cell(row.label, "muted"),
            width=max(1, len(str(len(study.tables) - 1))),
            align="right",
        ),
        *([damaged] if study.knows_damage else []),
        Column(
            "2^k" if study.rule == "log2" else "×next",
            lambda row, _width: Cell(row.note),
            width=5,
            align="left" if study.rule == "log2" else "right",
            priority=2,
        ),
        Column("before", lambda row, width: Cell(bar(row.size, largest, width), row.look), width=4, flex=1),
        Column("size", lambda row, _width: Cell(row.size_text), width=7, align="right", priority=1),
        Column("?", lambda row, _width: Cell(row.asked, "warning"), width=1),
        Column("R", lambda row, _width: Cell(row.step, "accent"), width=1),
        Column("L", lambda row, _width: Cell(row.log2), width=1, priority=3),
        Column("G", lambda row, _width: Cell(row.geometric), width=1, priority=3),
        Column("M", lambda row, _width: Cell(row.hand, "accent"), width=1),
    ]


def after_columns(study: Study, largest: int) -> list[Column[BarRow]]:
    """Columns for the bars after a merge."""
    last = max(0, len(study.tables) - 1)
    return [
        Column(
            "#", lambda row, _width: Cell(row.label, "muted"), width=2 * len(str(last)) + 1, align="right"
        ),
        Column("after", lambda row, width: Cell(bar(row.size, largest, width), row.look), width=4, flex=1),
        Column("size", lambda row, _width: Cell(row.size_text, row.look), width=8, align="right"),
        Column("", lambda row, _width: Cell(row.note, row.look), width=3, priority=1),
    ]


class BarList(VirtualList[BarRow], inherit_bindings=False):
    """Bars under a cursor; `home` and `end` are left to the steps of the rule."""

    BINDINGS: ClassVar[list[BindingType]] = MOVES

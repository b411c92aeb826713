"""The tables of a stack as bars, with what a compaction rule makes of them: before a merge, and after it.

Rows are positions: cells are made of a `Study` when they are drawn, so that neither a step of a rule nor a
table marked costs anything for tables that are not on screen. Every mark is a character: brackets, letters
in the titles, `?`. What the rule has not come to yet is not drawn.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from operator import attrgetter
from typing import Any, Final

from engine.stack import Policy
from inspector.model import Study
from inspector.text import bracket, estimate, file_size
from inspector.tui.widgets.axis import Axis
from inspector.tui.widgets.virtual_list import Cell, Column, Look, VirtualList

FRAMES: Final = 10
"""Pictures of tables that slide into one, at most."""


def slide(target: range) -> list[list[range]]:
    """Pictures of tables that become one: in each, more of the newest have gone into an older one."""
    last = len(target) - 1
    tops = sorted({1 + (last - 1) * frame // (FRAMES - 1) for frame in range(FRAMES)}, reverse=True)
    return [
        [*(range(at, at + 1) for at in target[:top]), range(target[top], target.stop)]
        for top in (tops if last > 0 else ())
    ]


class Bars:
    """Rows and columns of a study at its step: bars are sizes as the rules count them, or of files."""

    def __init__(self, study: Study, *, file_sizes: bool, sliding: Sequence[range] = ()) -> None:
        """`sliding` is a picture of `slide`, while the tables are on their way into one."""
        self._study = study
        self._sizes = [table.size for table in study.tables] if file_sizes else study.sizes
        self._target = study.seen if study.mergeable else range(0)
        self._merged = study.merged_size(file_sizes=file_sizes) if self._target else None
        self._step = study.step
        self._marked = self._step.marked.positions if self._step is not None else range(0)
        self._last = max(len(self._sizes) - 1, 0)
        self._sliding = sliding
        self._axes: dict[int, Axis] = {}

    def _axis(self, width: int) -> Axis:
        if width not in self._axes:
            self._axes[width] = Axis.of(self._sizes, width)
        return self._axes[width]

    def _labels(self, width: int) -> str:
        return self._axis(width).labels

    def _drawn(self, size: int, width: int, look: Look = "plain", threshold: int | None = None) -> Cell:
        drawn, ruled = self._axis(width).row(size, threshold)
        return Cell(drawn, look, ruled)

    # Before the merge: a row is a position.

    def before(self) -> list[Column[int]]:
        """Columns for the tables as they are."""
        study, is_log2 = self._study, self._study.rule == "log2"
        note = self._segment if is_log2 else self._ratio
        columns: list[Column[int]] = [
            Column("#", lambda at, _: Cell(str(at), "muted"), len(str(self._last)), align="right"),
            Column("X", lambda at, _: Cell("X" if study.damage_of(at) else "", "error"), 1),
            Column("2^k" if is_log2 else "×next", note, 5, align="left" if is_log2 else "right", priority=2),
            Column("before", self._bar, 4, flex=1, heading=self._labels),
            Column("size", lambda at, _: file_size(self._sizes[at]), 7, align="right", priority=1),
            Column("?", self._asked, 1),
            Column("R", lambda at, _: Cell(bracket(at, self._marked), "accent"), 1),
            Column("L", lambda at, _: self._suggested(at, "log2"), 1, priority=3),
            Column("G", lambda at, _: self._suggested(at, "geometric"), 1, priority=3),
            Column("M", lambda at, _: Cell("*" if at in study.marked else "", "accent"), 1),
        ]
        if not study.knows_damage:
            del columns[1]
        return columns

    def _bar(self, position: int, width: int) -> Cell:
        study, step = self._study, self._step
        is_marked = position in self._marked or position in study.marked
        threshold = None
        is_measured = step is not None and position in step.looked and step.kind in ("grow", "end", "begin")
        if step is not None and is_measured and self._sizes is study.sizes:
            threshold = step.right if study.rule == "geometric" else 2 << step.right
        look: Look = "accent" if is_marked else "plain"
        if study.damage_of(position) is not None:
            look = "error"
        return self._drawn(self._sizes[position], width, look, threshold)

    def _suggested(self, position: int, rule: Policy) -> str:
        return "" if self._study.hides(rule) else bracket(position, self._study.suggestion(rule))

    def _asked(self, position: int, _width: int) -> Cell:
        step = self._step
        if step is None or step.kind == "result":
            return Cell("")
        return Cell("?" if position in step.looked else "=" if position in step.against else "", "warning")

    def _segment(self, position: int, _width: int) -> str:
        """The bracket of a segment and its magnitude, as far as the rule has cut the stack by now."""
        step = self._step
        cut = 0 if step is None else step.looked.stop if step.kind == "cut" else len(self._sizes)
        if position >= cut:
            return ""
        segments = self._study.segments
        segment = segments[bisect_right(segments, position, key=attrgetter("start")) - 1]
        drawn = bracket(position, range(segment.start, min(segment.end, cut)), " ┌│└")
        return f"{drawn}2^{segment.log}" if position == segment.start else drawn

    def _ratio(self, position: int, _width: int) -> str:
        """How many times as large as the next newer table."""
        sizes = self._study.sizes
        if position == self._last or not sizes[position + 1]:
            return ""
        ratio = sizes[position] / sizes[position + 1]
        # Cut, not rounded: 1.96 times is less than twice.
        return f"{int(ratio * 10) / 10:.1f}×" if ratio < 1000 else ">999×"

    # After it: a row is a position, or the range that is merged.

    def after_rows(self) -> list[int | range]:
        """The tables with the range merged, or on its way; none when there is no range, or none yet."""
        if not self._target:
            return []
        rows: list[int | range] = [*range(len(self._sizes))]
        into = [self._target] if self._merged is not None else []
        rows[self._target.start : self._target.stop] = self._sliding or into
        return rows

    def after(self) -> list[Column[int | range]]:
        """Columns for the tables after the merge."""
        return [
            Column("after", _label, max(5, 2 * len(str(self._last)) + 1), align="right"),
            Column("", lambda row, width: self._after(row, width)[0], 4, flex=1, heading=self._labels),
            Column("size", lambda row, width: self._after(row, width)[1], 8, align="right"),
        ]

    def _after(self, row: int | range, width: int) -> tuple[Cell, Cell]:
        """Bar and size of a row."""
        if isinstance(row, int):
            return self._drawn(self._sizes[row], width), Cell(file_size(self._sizes[row]))
        if self._study.blocked is not None:
            return Cell(""), Cell("BLOCKED!", "warning")
        size = sum(self._sizes[row.start : row.stop]) if self._sliding else self._merged or 0
        text = file_size(size)
        if not self._sliding and self._study.is_estimate:
            text = estimate(text)
        return self._drawn(size, width, "accent"), Cell(text, "accent")

    def row_after(self, position: int) -> int:
        """The row after the merge of the table at `position`, or of the one it goes into."""
        target = self._target
        if position < target.start or not target:
            return position
        gone = len(target) - (self._merged is not None)
        return target.start if position in target else position - gone


def _label(row: int | range, _width: int) -> Cell:
    if isinstance(row, range) and len(row) > 1:
        return Cell(f"{row.start}-{row[-1]}", "muted")
    return Cell(str(row.start if isinstance(row, range) else row), "muted")


class BarList(VirtualList[Any]):
    """Bars under a cursor."""

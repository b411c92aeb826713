"""A stack over time as a picture: transactions to the right, a row for each magnitude, each table a band.

A band covers the transactions whose records its table has. It ends with the transaction behind which it was
made, so that one axis serves for both. Tables that there are have heavy lines, those that were merged into
others light ones, those that this very moment has merged double ones: shapes tell what colours tell.

    ┏━━━━━━━━━━┓        a table of many transactions
                ┃       a table that is no wider than a cell
                 4      so many tables in one cell, from 10 on +
    ├────┤  ╞══╡        merged before; merged at this moment
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import accumulate
from typing import Final, Literal, NamedTuple

from engine.merge import fastlog2
from inspector.model import Band, Course

BandLook = Literal["gone", "joined", "there", "made", "now"]

_SHAPES: Final[dict[BandLook, str]] = {"gone": "├─┤│", "joined": "╞═╡║", "there": "┏━┓┃", "made": "┏━┓┃"}
_EIGHTHS: Final = " ▁▂▃▄▅▆▇█"


class Scale:
    """Which cell a transaction has, and which row a size."""

    def __init__(
        self, ends: Sequence[int], cells: Sequence[float], width: int, rows: Sequence[range]
    ) -> None:
        """The transactions up to each of `ends` have so many `cells` of `width`; `rows` are magnitudes."""
        self._ends = [0, *ends]
        self._cells = [0.0, *accumulate(cells)]
        self.width = width
        self.rows = rows
        self.cell = cache(self._cell)
        """The cell at which the transactions up to this one end."""
        self._row = {log: number for number, logs in enumerate(rows) for log in logs}

    def _cell(self, transaction: int) -> int:
        place = bisect_left(self._ends, transaction)
        if place == 0:
            return 0
        if place == len(self._ends):
            return int(self._cells[-1] + 1e-6)
        before, end = self._ends[place - 1 : place + 1]
        left, right = self._cells[place - 1 : place + 1]
        return int(left + (right - left) * (transaction - before) / (end - before) + 1e-6)

    def row(self, size: int) -> int:
        """The row of a table of this size, from 0 for the largest."""
        return self._row[fastlog2(size)]


def magnitudes(sizes: Iterable[int], rows: int) -> list[range]:
    """The magnitudes of all sizes in at most so many rows, the largest first."""
    logs = sorted({fastlog2(size) for size in sizes}, reverse=True)
    if len(logs) <= rows:
        return [range(log, log + 1) for log in logs]
    shared = [logs[len(logs) * row // rows : len(logs) * (row + 1) // rows] for row in range(max(rows, 1))]
    return [range(logs[-1], logs[0] + 1) for logs in shared]


class Run(NamedTuple):
    """Cells beside each other that look alike; `None` is nothing but background."""

    text: str
    look: BandLook | None


def picture(course: Course, moments: int, scale: Scale) -> list[list[Run]]:
    """The rows of the picture after so many moments of a course."""
    lines = [_Line(scale.width) for _ in scale.rows]
    now = course.moments[moments - 1] if moments else None
    made = now.made if now is not None else None
    before = reversed(course.moments[: max(0, moments - 1)])
    looks: list[tuple[BandLook, Iterable[Band]]] = [  # wide ones are drawn first, narrow ones over them
        ("gone", (band for moment in before for band in moment.merged)),
        ("joined", now.merged if now is not None else ()),
        ("there", sorted(course.stack(moments), key=_from_wide)),
        ("made", [made] if made is not None else ()),
    ]
    for look, bands in looks:
        for band in bands:
            lines[scale.row(band.size)].draw(scale.cell(band.first - 1), scale.cell(band.last), look)
    if now is not None:
        for line in lines:
            line.point(max(0, scale.cell(now.last) - 1))
    return [line.runs() for line in lines]


def _from_wide(band: Band) -> int:
    return band.first - band.last


class _Line:
    def __init__(self, width: int) -> None:
        self._text = [" "] * width
        self._looks: list[BandLook | None] = [None] * width
        self._counts: dict[tuple[int, BandLook], int] = {}

    def draw(self, start: int, end: int, look: BandLook) -> None:
        start = min(start, len(self._text) - 1)
        width = max(1, end - start)
        left, middle, right, alone = [*_SHAPES[look]]
        text = left + middle * (width - 2) + right if width > 1 else alone
        if width == 1:
            count = self._counts[start, look] = self._counts.get((start, look), 0) + 1
            if count > 1 and look != "gone":
                text = str(count) if count < 10 else "+"
        self._text[start : start + width] = list(text)
        self._looks[start : start + width] = [look] * width

    def point(self, cell: int) -> None:
        if self._looks[cell] is None:
            self._text[cell], self._looks[cell] = "┊", "now"

    def runs(self) -> list[Run]:
        found: list[Run] = []
        for char, look in zip(self._text, self._looks, strict=True):
            if found and found[-1].look == look:
                found[-1] = Run(found[-1].text + char, look)
            else:
                found.append(Run(char, look))
        return found


def counts_line(course: Course, moments: int, scale: Scale, most: int) -> str:
    """The number of tables behind each transaction, the most of each cell, as columns of an eighth to a cell.

    `most` fills a cell; what there is at all has an eighth.
    """
    values = [0] * scale.width
    filled = scale.cell(course.begin[-1].last) if course.begin else 0
    for moment in course.moments[:moments]:
        end = scale.cell(moment.last)
        for cell in range(min(filled, max(0, end - 1)), max(1, end)):
            values[cell] = max(values[cell], moment.tables)
        filled = end
    return "".join(_EIGHTHS[max(value > 0, value * 8 // max(most, 1))] for value in values)

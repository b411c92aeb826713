"""What if the next additions come: tables and bytes written under both rules, as plots side by side.

The replay (`inspector.model.what_if`) runs in a thread and is begun again whenever a number is changed; until
it has ended, the plots are those of the numbers before, and say so. Both plots of a line have one scale.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import ClassVar, Final, NamedTuple

from textual.app import RenderResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widget import Widget

from engine.merge import DEFAULT_FACTOR, Segment, suggest_compaction_segment, suggest_geometric_segment
from inspector.model import Moment, replay
from inspector.text import file_size
from inspector.tui.widgets.virtual_list import fit_text
from inspector.tui.work import Job, Jobs, failure_text

ADDITIONS: Final = (10, 20, 50, 100, 200, 500, 1000)
SMALLEST: Final = 64
LARGEST: Final = 1 << 30

_EIGHTHS: Final = " ▁▂▃▄▅▆▇█"
_SCALE: Final = 8
"""Cells left of a plot: the number at its top, and a space."""


def plot(values: Sequence[int], top: int, width: int, height: int) -> list[str]:
    """Lines of a column chart of `width` by `height` cells, the highest first; `top` fills a column.

    When there are more values than columns, a column is the largest of its values; when fewer, a value has
    several columns. A value above 0 has at least an eighth of a cell.
    """
    if not values or width < 1:
        return [" " * max(width, 0)] * height
    count = len(values)
    columns = [
        max(values[x * count // width : max(x * count // width + 1, (x + 1) * count // width)])
        for x in range(width)
    ]
    eighths = [max(value > 0, value * height * 8 // top) if top else 0 for value in columns]
    return [
        "".join(_EIGHTHS[max(0, min(8, filled - 8 * line))] for filled in eighths)
        for line in reversed(range(height))
    ]


class _Question(NamedTuple):
    """What is replayed."""

    sizes: tuple[int, ...]
    additions: int
    size: int
    factor: int


_Moments = tuple[tuple[Moment, ...], tuple[Moment, ...]]
"""The moments by the log2 and by the geometric rule."""


class WhatIf(Widget, can_focus=True):
    """The plots, and the keys for the number and size of the additions."""

    ALLOW_SELECT = False

    DEFAULT_CSS = """
    WhatIf { height: 1fr; width: 1fr; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right", "additions(1)", "Additions", key_display="←→"),
        Binding("left", "additions(-1)", "Fewer additions", show=False),
        Binding("up", "size(1)", "Bytes each", key_display="↑↓"),
        Binding("down", "size(-1)", "Fewer bytes each", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._table_sizes: tuple[int, ...] = ()
        self._factor = DEFAULT_FACTOR
        self._additions = ADDITIONS.index(100)
        self._addition_size: int | None = None
        self._asked: _Question | None = None
        self._answer: tuple[_Question, _Moments] | None = None
        self._error: Exception | None = None
        self._jobs = Jobs(self)

    @property
    def question(self) -> tuple[int, int]:
        """The number of additions, and the bytes of each."""
        return ADDITIONS[self._additions], self._addition_size or _first_size(self._table_sizes)

    @property
    def moments(self) -> _Moments | None:
        """The moments by the log2 and by the geometric rule; None until they are known."""
        return self._answer[1] if self._answer is not None and self._answer[0] == self._asked else None

    def ask(self, sizes: Sequence[int], factor: int) -> None:
        """Replay from tables of these sizes, with this factor, unless that is what is shown already."""
        self._table_sizes, self._factor = tuple(sizes), factor
        self._replay()

    def action_additions(self, by: int) -> None:
        """The next larger or smaller number of additions."""
        self._additions = max(0, min(self._additions + by, len(ADDITIONS) - 1))
        self._replay()

    def action_size(self, by: int) -> None:
        """Additions twice or half as large."""
        size = self.question[1]
        self._addition_size = max(SMALLEST, min(size * 2 if by > 0 else size // 2, LARGEST))
        self._replay()

    def _replay(self) -> None:
        question = _Question(self._table_sizes, *self.question, self._factor)
        if question != self._asked:
            self._asked, self._error = question, None
            self._jobs.start(
                "what-if", partial(_replayed, question), partial(self._take, question), self._fail
            )
        self.refresh()

    def _take(self, question: _Question, moments: _Moments) -> None:
        self._answer = question, moments
        self.refresh()

    def _fail(self, error: Exception) -> None:
        self._error = error
        self.refresh()

    def render(self) -> RenderResult:
        """The question, then for each measure a plot for each rule and its numbers in words."""
        additions, size = self.question
        asked = f"the next {additions:,} additions have {size:,} bytes each?"
        lines = [
            Content.assemble(("What if ", "$foreground-muted"), (asked, "bold")),
            Content.styled(
                "Estimate: a merge is as large as its inputs; nothing is superseded.", "$foreground-muted"
            ),
        ]
        if self._error is not None:
            lines.append(Content.styled(failure_text(self._error), "$text-error"))
        elif self._answer is None:
            lines.append(Content("…"))
        else:
            if self.moments is None:
                lines[1] = Content.styled(
                    "… the plots are still those of the numbers before.", "$text-warning"
                )
            lines += self._plots(*self._answer)
        return Content("\n").join(lines)

    def _plots(self, question: _Question, moments: _Moments) -> list[Content]:
        room = self.content_size
        width = max(1, (room.width - 2) // 2)
        height = max(1, (room.height - 6) // 2)
        before, added = len(question.sizes), question.additions * question.size
        tables = [[moment.tables for moment in by_rule] for by_rule in moments]
        written = [[moment.written for moment in by_rule] for by_rule in moments]
        ends = [f"{before} → {counts[-1]} tables, at most {max(counts)}" for counts in tables]
        sums = [
            f"{total[-1] / added:.1f}×: {file_size(total[-1])} for {file_size(added)} added"
            for total in written
        ]
        lines: list[Content] = []
        measures = (("tables", tables, str, ends), ("bytes written", written, file_size, sums))
        for measure, values, label, words in measures:
            titles = [f"{measure}, {rule}" for rule in ("log2", f"geometric ×{question.factor} (+ -)")]
            lines.append(_beside(titles, width, "bold"))
            lines += _charts(values, width, height, label)
            lines.append(_beside(words, width, ""))
        return lines


def _replayed(question: _Question, job: Job) -> _Moments:
    """Replay under both rules, in a thread."""

    def moments(suggest: Callable[[Sequence[int]], Segment]) -> Iterator[Moment]:
        for moment in replay(question.sizes, question.additions, question.size, suggest):
            job.check()
            yield moment

    geometric = partial(suggest_geometric_segment, factor=question.factor)
    return tuple(moments(suggest_compaction_segment)), tuple(moments(geometric))


def _first_size(sizes: Sequence[int]) -> int:
    """Additions as large as the newest table, roughly: the power of two below it."""
    return max(SMALLEST, 1 << max(0, sizes[-1].bit_length() - 1)) if sizes else 4 * SMALLEST


def _beside(texts: Sequence[str], width: int, style: str) -> Content:
    indent = " " * min(_SCALE, max(0, width - max(map(len, texts))))
    return Content.styled("  ".join(fit_text(indent + text, width) for text in texts), style)


def _charts(
    values: Sequence[Sequence[int]], width: int, height: int, label: Callable[[int], str]
) -> list[Content]:
    """A plot for each rule, beside each other, with the number at the top of their scale."""
    top = max(max(column) for column in values)
    plots = [plot(column, top, width - _SCALE, height) for column in values]
    scale = [label(top), *[""] * (height - 1)]
    if height > 1:
        scale[-1] = "0"
    lines = []
    for number in range(height):
        parts: list[tuple[str, str]] = []
        for chart in plots:
            parts += [
                (f"{scale[number]:>{_SCALE - 1}} ", "$foreground-muted"),
                (chart[number], "$text-accent"),
                ("  ", ""),
            ]
        lines.append(Content.assemble(*parts[:-1]))
    return lines

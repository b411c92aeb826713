"""A stack over time: how it came to be, or what becomes of it under a load, by one rule above the other.

The picture is that of `bands`. A cursor goes along time, and what happened at that transaction is said below.
A load is replayed (`inspector.model.what_if`) in a thread; until that has ended, the pictures are those of
before.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import Final, NamedTuple

from textual.app import RenderResult
from textual.content import Content
from textual.events import Click
from textual.widget import Widget

from engine.merge import DEFAULT_FACTOR
from engine.stack import POLICIES, Policy
from engine.table import Table
from inspector.model import (
    LOADS,
    Course,
    Event,
    Load,
    Moment,
    Shapes,
    begin,
    last_updates,
    past,
    replay,
    shapes_of,
)
from inspector.text import counted
from inspector.tui.keys import bindings
from inspector.tui.widgets.bands import BandLook, Scale, counts_line, magnitudes, picture
from inspector.tui.widgets.over_time_words import moment_line
from inspector.tui.widgets.player import Player
from inspector.tui.work import Job, Jobs, failure_text

ADDITIONS: Final = (10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)
SCALES: Final = tuple(2.0**power for power in range(-2, 15))
PAST: Final = Load(
    "how this stack came to be",
    (),
    "The tables of this stack, each where the transactions are that it has, and what has become of them "
    "since it was opened here. What was merged before is not kept: a wide band is all that is left of it.",
)

_LABEL: Final = 8
"""Cells left of a picture, for the magnitudes."""

_STYLES: Final[dict[BandLook, str]] = {
    "gone": "$foreground-muted",
    "joined": "$text-warning",
    "there": "$text-accent",
    "made": "bold $text-success",
    "now": "$foreground-muted",
}


class _Question(NamedTuple):
    """What is replayed, from tables of which sizes, with which factor of the geometric rule."""

    sizes: tuple[int, ...]
    load: Load
    additions: int
    scale: float
    factor: int
    events: tuple[Event, ...] = ()


class _Answer(NamedTuple):
    """What came of it: a course for each rule, or one alone that no rule has made."""

    question: _Question
    courses: tuple[Course, ...]

    @property
    def sizes(self) -> set[int]:
        """Those of all tables that there have been."""
        return {band.size for course in self.courses for band in course.bands(len(course.moments))}


class OverTime(Widget, can_focus=True):
    """The pictures, the cursor, and the keys for the load."""

    ALLOW_SELECT = False

    HELP = """\
A stack over time. Each table is a band: it covers the transactions whose records it has, older ones to the \
left, and lies in the row of its magnitude, the power of two below its size. A transaction adds a narrow \
band at the right; a merge joins neighbours into one as wide as all of them, which lies higher.

Heavy lines ┏━━┓ are the tables that there are at the cursor, ┃ one that is no wider than a cell, a digit so \
many in one cell (+ from ten on). Double lines ╞══╡ were merged at this very transaction, light ones ├──┤ \
before. So the stack is what is heavy: a staircase under the geometric rule. Two heavy bands beside each \
other in one row are what the log2 rule looks for. The columns below are the number of tables over time.

Below each picture: what happened at the cursor, and how many bytes were written by then for each one \
added: what was added once, and again with every merge, as is what was there before. More tables make \
reads slower, more bytes written make transactions slower: each rule is a trade between the two.

What comes is an estimate by sizes alone: a merge is as large as its inputs, and nothing is superseded."""

    DEFAULT_CSS = """
    OverTime { height: 1fr; width: 1fr; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
    """

    BINDINGS = bindings("over-time")

    def __init__(self, additions: int = 50) -> None:
        """So many transactions to begin with, one of ADDITIONS."""
        super().__init__()
        self._tables: Shapes = ()
        self._events: tuple[Event, ...] = ()
        self._factor = DEFAULT_FACTOR
        self._additions = ADDITIONS.index(additions)
        self._doubled = SCALES.index(1)
        self._load = LOADS[0]
        self._at: int | None = None
        self._asked: _Question | None = None
        self._answer: _Answer | None = None
        self._error: Exception | None = None
        self._scaled: tuple[tuple[int, int, int], Scale] | None = None
        self._jobs = Jobs(self)
        self._player = Player(self, self._advance, pace=0.3, longest=12.0)

    @property
    def loads(self) -> list[Load]:
        """What there is to choose from: this stack's past, and what may come."""
        own = last_updates(self._tables)
        return [PAST, *LOADS, *([own] if own is not None else [])]

    @property
    def question(self) -> _Question:
        """What is to be shown."""
        sizes = tuple(table.policy_size for table in self._tables)
        events = self._events if self._load is PAST else ()
        additions, scale = ADDITIONS[self._additions], SCALES[self._doubled]
        return _Question(sizes, self._load, additions, scale, self._factor, events)

    @property
    def courses(self) -> tuple[Course, ...]:
        """What came of the question, by log2 and geometric, or of the past alone; none until it is known."""
        known = self._answer is not None and self._answer.question == self._asked
        return self._answer.courses if self._answer is not None and known else ()

    @property
    def moments(self) -> int:
        """The moments up to the cursor."""
        return self._end if self._at is None else min(self._at, self._end)

    @property
    def _end(self) -> int:
        return len(self._answer.courses[0].moments) if self._answer is not None else 0

    def ask(self, tables: Sequence[Table], factor: int) -> None:
        """Begin with these tables, with this factor, unless that is what is shown already."""
        self._tables, self._factor = shapes_of(tables), factor
        self._load = next((load for load in self.loads if load.name == self._load.name), LOADS[0])
        self._replay()

    def show_events(self, events: Sequence[Event]) -> None:
        """These are the changes of the stack that were seen or made, from the first on."""
        self._events = tuple(events)
        if self._asked is not None and self._load is PAST:
            self._replay()

    # Keys.

    def action_load(self, by: int) -> None:
        """The next load, or the one before."""
        names = [load.name for load in self.loads]
        self._load = self.loads[(names.index(self._load.name) + by) % len(names)]
        self._at = None
        self._replay()

    def action_additions(self, by: int) -> None:
        """The next larger or smaller number of transactions."""
        self._additions = max(0, min(self._additions + by, len(ADDITIONS) - 1))
        self._at = None
        self._replay()

    def action_size(self, by: int) -> None:
        """Transactions twice or half as large."""
        self._doubled = max(0, min(self._doubled + by, len(SCALES) - 1))
        self._replay()

    def action_move(self, by: int) -> None:
        """So many transactions on, or back."""
        self._go(self.moments + by)

    def action_leap(self, by: int) -> None:
        """A tenth of all transactions on, or back."""
        self._go(self.moments + by * max(1, self._end // 10))

    def action_merge(self, by: int) -> None:
        """To the next merge of either rule, or the one before."""
        if self._answer is not None:
            found = [course.next_merge(self.moments, by) for course in self._answer.courses]
            self._go(min(found) if by > 0 else max(found))

    def action_play(self) -> None:
        """Let time go on from here to the end, or pause; from the end, begin again."""
        if self._player.stop() or self._answer is None:
            return
        if self.moments == self._end:
            self._go(1)
        self._player.play(self._end - self.moments)

    def _advance(self, moments: int) -> None:
        self._at = self.moments + moments
        self.refresh()

    def on_hide(self) -> None:
        """What is not seen does not move."""
        self._player.stop()

    def action_first(self) -> None:
        """To the first transaction."""
        self._go(1)

    def action_last(self) -> None:
        """To the last."""
        self._go(self._end)

    def _go(self, moments: int) -> None:
        self._player.stop()
        self._at = None if moments >= self._end else max(1, moments)
        self.refresh()

    def on_click(self, event: Click) -> None:
        """The cursor goes where the click is."""
        if self._answer is None or not (offset := event.get_content_offset(self)):
            return
        scale = self._scale(self._answer, 1)
        moments = self._answer.courses[0].moments
        ends = [scale.cell(moment.last) for moment in moments]
        cell = offset.x - _LABEL
        self._go(next((number for number, end in enumerate(ends, start=1) if end > cell), len(ends)))

    # The replay.

    def _replay(self) -> None:
        question = self.question
        if question != self._asked:
            self._player.stop()
            self._asked, self._error = question, None
            work = partial(_played, question, self._tables)
            self._jobs.start("over-time", work, self._take, self._fail)
        self.refresh()

    def _take(self, answer: _Answer) -> None:
        self._answer, self._scaled = answer, None
        self.refresh()

    def _fail(self, error: Exception) -> None:
        self._error = error
        self.refresh()

    # What is drawn.

    def render(self) -> RenderResult:
        """The load and what there is to see, then a picture for each rule with its words."""
        width, height = self.content_size
        lines = self._heading(width, height)
        if self._error is not None:
            lines.append(Content.styled(failure_text(self._error), "$text-error"))
        elif self._answer is None:
            lines.append(Content("…"))
        elif not self._answer.courses[0].moments:
            lines.append(Content("The stack is empty: it has no past."))
        else:
            room = (height - len(lines)) // len(self._answer.courses)
            for rule, course in zip(POLICIES, self._answer.courses, strict=False):
                lines += self._panel(self._answer, rule, course, room)
        return Content("\n").join(lines)

    def _heading(self, width: int, height: int) -> list[Content]:
        question = self.question
        name, text, numbers = question.load.name, question.load.to_see, ""
        if question.load is not PAST:
            sizes = [*dict.fromkeys(question.load.transactions(len(question.load.sizes), question.scale))]
            each = " and ".join(f"{size:,}" for size in sizes)
            if len(sizes) > 2:
                each = f"{min(sizes):,} to {max(sizes):,}"
            numbers = f"{question.additions:,} (⇧←→) of {each} bytes (⇧↑↓)"
            if len(name) + len(numbers) + 11 > width:
                numbers, text = "", f"{numbers}. {text}"
        shown = [
            ("past " if question.load is PAST else "load ", "$foreground-muted"),
            (name, "bold $text-accent"),
            (" ↑↓", "$foreground-muted"),
        ]
        load = Content.assemble(*shown, f" · {numbers}" if numbers else "")
        if self._answer is not None and not self.courses and self._error is None:
            return [load, Content.styled("… the pictures are still those of before.", "$text-warning")]
        most = 3 if height < 24 else 5
        words = textwrap.wrap(text, max(20, width), max_lines=most, placeholder=" …")
        return [load, *(Content.styled(line, "$foreground-muted") for line in words)]

    def _scale(self, answer: _Answer, rows: int) -> Scale:
        width = max(1, self.content_size.width - _LABEL)
        if self._scaled is None or self._scaled[0] != (id(answer), width, rows):
            self._scaled = (id(answer), width, rows), _scale(answer, width, rows)
        return self._scaled[1]

    def _panel(self, answer: _Answer, rule: Policy, course: Course, room: int) -> list[Content]:
        rows = max(1, room - 2 - (room > 5))
        scale = self._scale(answer, rows)
        end = course.moments[-1]
        question = answer.question
        if question.load is PAST:
            title, about = f"{counted(end.tables, 'table')} now", f"at most {course.most:,}"
        else:
            title = rule if rule == "log2" else f"geometric ×{question.factor} (+ -)"
            about = (
                f"{len(course.begin):,} → {counted(end.tables, 'table')}, at most {course.most:,}; "
                f"wrote {end.written / course.added:.1f}× what was added"
            )
        lines = [Content.assemble((f"{title}  ", "bold"), about)]
        for logs, runs in zip(scale.rows, picture(course, self.moments, scale), strict=True):
            label = f"2^{logs[0]}" if len(logs) == 1 else f"2^{logs[0]}-{logs[-1]}"
            parts = [(f"{label:<{_LABEL}}", "$foreground-muted")]
            parts += [(run.text, _STYLES[run.look] if run.look else "") for run in runs]
            lines.append(Content.assemble(*parts))
        if room > 5:
            most = max(course.most for course in answer.courses)
            counts = counts_line(course, self.moments, scale, most)
            lines.append(
                Content.assemble((f"{'tables':<{_LABEL}}", "$foreground-muted"), (counts, "$text-accent"))
            )
        lines.append(moment_line(course, self.moments, of_past=question.load is PAST))
        return lines


def _scale(answer: _Answer, width: int, rows: int) -> Scale:
    """One scale for all courses of an answer."""
    moments = answer.courses[0].moments
    logs = magnitudes(answer.sizes, rows)
    if answer.question.load is PAST:
        ends = sorted({band.last for band in answer.courses[0].bands(len(moments))})
        spans = [(end - before).bit_length() for before, end in pairwise([0, *ends])]
        return Scale(ends, [span * width / sum(spans) for span in spans], width, logs)
    # The tables that are there already have a quarter at most: what comes is what there is to see.
    there = len(answer.courses[0].begin)
    before = min(there, width // 4)
    each = (width - before) / len(moments)
    cells = int(each) * len(moments) if each >= 1 else width - before
    return Scale([there, there + len(moments)], [before, cells], width, logs)


def _played(question: _Question, tables: Shapes, job: Job) -> _Answer:
    """The courses of a question, in a thread."""
    if question.load is PAST:
        return _Answer(question, (past(tables, question.events),))
    there = begin(question.sizes)

    def moments(rule: Policy) -> Iterator[Moment]:
        sizes = question.load.transactions(question.additions, question.scale)
        for moment in replay(there, sizes, rule, question.factor):
            job.check()
            yield moment

    return _Answer(question, tuple(Course(there, moments(rule)) for rule in POLICIES))

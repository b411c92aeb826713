"""The guided tour of compaction: six small stacks, of each of which the user foretells what is merged.

A lesson (`inspector.demo.tour`) is asked, played and explained: the steps of its rule are those that the
compaction pane shows. The last one ends with a load that both rules have to do with.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.events import Resize
from textual.screen import Screen
from textual.widgets import Static

from engine.stack import StackOptions
from inspector.demo import FAREWELL, LESSONS, Lesson
from inspector.model import PastCompaction, Study, TableSize
from inspector.rows import SequenceRows
from inspector.tui.config import user_config
from inspector.tui.keys import bindings
from inspector.tui.terminal import TerminalApp, run_on_terminal
from inspector.tui.widgets.compaction_words import compared_lines, step_lines, tables_text
from inspector.tui.widgets.geometry import BarList, Bars
from inspector.tui.widgets.key_bar import KeyBar
from inspector.tui.widgets.over_time import OverTime
from inspector.tui.widgets.player import Player
from inspector.tui.widgets.virtual_list import Column, ListPane

_WIDEST: Final = 100
"""Cells beyond which a line is hard to read, and from which the tables after the merge have room."""
_LOW: Final = 22
"""Lines below which there is no room for what was to be known, when it is explained."""
_FRAME: Final = 91
"""Bytes of a file that the rules do not count: with SHA-1, 68 of the footer and 23 of the header."""


class TourScreen(Screen[None]):
    """One lesson after the other, then where to go on."""

    HELP = """\
Six small stacks, one after the other. Of each you say first which tables are merged, and see then.

space marks the table under the cursor, and all between it and those marked; A marks all. enter answers: \
with nothing marked, that nothing is merged. Then the rule goes through its steps: . and , go on and back in \
them, enter goes to their end, where the answer is explained.

The oldest table is on top. Bars stand on an axis of powers of two: from one line ┊ to the next, sizes \
double. 2^k is the magnitude of a table, ×next how many times it is as large as the next newer, ? the table \
that a step asks about, = those it is compared with, R the range so far, L and G what log2 and geometric \
merge, M what you have marked."""

    DEFAULT_CSS = """
    TourScreen {
        & > * { padding: 0 1; }
        & #title { height: 1; text-style: bold; color: $text-accent; }
        & #words, & #verdict { height: auto; max-width: 104; }
        & #bars { height: auto; padding: 0; margin-top: 1; }
        & #bars ListPane { height: auto; width: 1fr; }
        & #bars BarList { height: auto; max-height: 7; }
        & #after { margin-left: 1; }
        & #steps { height: auto; }
        & #steps, & #verdict { margin-top: 1; }
        & OverTime { display: none; height: 1fr; }
        &.-short #steps, &.-short #verdict, &.-short #bars { margin-top: 0; }
    }
    """

    BINDINGS = bindings("tour")

    def __init__(self) -> None:
        super().__init__()
        self.number = 0
        """The lesson, from 0; one more than there are is the farewell."""
        self.answers: dict[int, range] = {}
        """What the user has said, by the number of the lesson."""
        self._studies = [_study(lesson) for lesson in LESSONS]
        self._title = Static(id="title", markup=False)
        self._words = Static(id="words", markup=False)
        self._before = BarList(())
        self._after = BarList(())
        self._after.can_focus = False
        self._steps = Static(id="steps", markup=False)
        self._verdict = Static(id="verdict", markup=False)
        self._over_time = OverTime(additions=100)
        self._player = Player(self, self._advance, pace=1.0, longest=10.0)

    def compose(self) -> ComposeResult:
        """The lesson from top to bottom, and the keys."""
        yield self._title
        yield self._words
        after = ListPane(self._after)
        after.id = "after"
        yield Horizontal(ListPane(self._before), after, id="bars")
        yield self._steps
        yield self._verdict
        yield self._over_time
        yield KeyBar()

    def on_mount(self) -> None:
        """Begin."""
        self._turn_to(0)

    def on_resize(self, event: Resize) -> None:
        """Low terminals have no lines between the parts."""
        self.set_class(event.size.height < 30, "-short")
        self._draw()

    # Where the user is.

    @property
    def lesson(self) -> Lesson | None:
        """The lesson on screen."""
        return LESSONS[self.number] if self.number < len(LESSONS) else None

    @property
    def is_answered(self) -> bool:
        """Whether the user has said something."""
        return self.number in self.answers

    @property
    def is_explained(self) -> bool:
        """Whether the steps have led to the result."""
        return self.is_answered and not self._studies[self.number].hidden

    def _turn_to(self, number: int) -> None:
        self._player.stop()
        self.number = max(0, min(number, len(LESSONS)))
        self._before.cursor = 0
        self._before.focus()
        self._draw()

    # Keys.

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What is asked has marks; what is answered has steps."""
        if action in ("mark", "mark_all", "clear"):
            return self.lesson is not None and not self.is_answered
        if action == "step":
            return self.is_answered and LESSONS[self.number].has_steps
        if action in ("go_on", "end"):
            return (action == "end") == (self.lesson is None)
        if self.lesson is None and (action, parameters) == ("turn", (1,)):
            return False
        return not (action == "turn" and self._over_time.has_focus)

    def action_go_on(self) -> None:
        """Answer with what is marked; then to the end of the steps; then the next lesson."""
        if not self.is_answered:
            study = self._studies[self.number]
            self.answers[self.number] = study.marked
            study.mark(0, 0)
            if LESSONS[self.number].has_steps:
                self._player.play(len(study.steps))
            else:
                study.at = len(study.steps)
        elif not self.is_explained:
            self._player.stop()
            self._advance(len(self._studies[self.number].steps))
        else:
            self._turn_to(self.number + 1)
            return
        self._draw()

    def action_end(self) -> None:
        """Leave the tour, from its end."""
        self.app.exit()

    def action_turn(self, by: int) -> None:
        """The next lesson, or the one before, answered or not."""
        self._turn_to(self.number + by)

    def action_mark(self) -> None:
        """Mark the table under the cursor, with all up to those marked, or take it out."""
        self._studies[self.number].toggle(self._before.cursor)
        self._draw()

    def action_mark_all(self) -> None:
        """Mark every table."""
        study = self._studies[self.number]
        study.mark(0, len(study.tables))
        self._draw()

    def action_clear(self) -> None:
        """Mark nothing."""
        self._studies[self.number].mark(0, 0)
        self._draw()

    def action_step(self, by: int) -> None:
        """The next step of the rule, or the one before."""
        self._player.stop()
        self._advance(by)

    def _advance(self, steps: int) -> None:
        study = self._studies[self.number]
        study.at += steps
        self._draw()

    # What is drawn.

    @on(Resize)
    def _draw(self) -> None:
        lesson = self.lesson
        parts = (self.query_one("#bars"), self._steps, self._verdict)
        for part in parts:
            part.display = lesson is not None
        self._over_time.display = False
        if lesson is None:
            self._title.update("The end")
            self._words.display = True
            self._words.update(FAREWELL)
        else:
            self._draw_lesson(lesson, self._studies[self.number])
        self.refresh_bindings()

    def _draw_lesson(self, lesson: Lesson, study: Study) -> None:
        self._title.update(f"{self.number + 1} of {len(LESSONS)}  {lesson.title}")
        is_last = lesson is LESSONS[-1]
        ends = is_last and self.is_explained
        self._words.display = not ends and not (self.is_answered and self.app.size.height < _LOW)
        self._words.update(lesson.words)
        bars = Bars(study, file_sizes=False)
        self._before.show(SequenceRows(range(len(study.tables))), _in_bytes(bars.before(), study))
        self._after.show(SequenceRows(bars.after_rows()), _in_bytes(bars.after(), study))
        self.query_one("#after").display = (
            self._width == _WIDEST and self.is_explained and bool(lesson.answer)
        )
        self._steps.display = self.is_answered and lesson.has_steps and not ends
        self._steps.update(Content("\n").join([*step_lines(study), *self._compared(study)]))
        self._verdict.update(self._said(lesson, study))
        if ends:
            self.query_one("#bars").display = False
            self._over_time.display = True
            self._over_time.ask((), study.factor)

    def _compared(self, study: Study) -> list[Content]:
        if study.step is None or study.step.kind not in ("grow", "end", "begin"):
            return []
        return compared_lines(study, self._width)

    @property
    def _width(self) -> int:
        return max(20, min(self.app.size.width - 2, _WIDEST))

    def _said(self, lesson: Lesson, study: Study) -> Content:
        """The question, or whether the answer was right, and why it is as it is."""
        if not self.is_answered:
            marked = f"You say: {_merged_text(study.marked)}" if study.marked else "Nothing is marked yet."
            return Content.assemble(
                ("Which tables are merged now? ", "bold $text-warning"),
                "Mark them with space, then press enter; with none marked, nothing is merged.\n",
                (marked, "bold"),
            )
        if not self.is_explained:
            return Content("")
        said = self.answers[self.number]
        if said == lesson.answer:
            verdict = (f"Right: {_merged_text(lesson.answer)}.", "bold $text-success")
        else:
            verdict = (
                f"It is {_merged_text(lesson.answer)}; you said: {_merged_text(said)}.",
                "bold $text-warning",
            )
        return Content.assemble(verdict, f"\n{lesson.why}")


def _merged_text(tables: range) -> str:
    return tables_text(tables) if tables else "nothing"


def _in_bytes(columns: Sequence[Column[Any]], study: Study) -> list[Column[Any]]:
    """The columns with sizes in bytes, as one reckons with them."""

    def size(row: int | range, _width: int) -> str:
        return f"{sum(study.sizes[at] for at in ([row] if isinstance(row, int) else row)):,}"

    return [column._replace(cell=size) if column.title == "size" else column for column in columns]


def _study(lesson: Lesson) -> Study:
    """A study of the lesson's stack, at its start."""
    tables = tuple(TableSize(str(at), size + _FRAME, size) for at, size in enumerate(lesson.sizes))
    merged = sum(lesson.sizes[at] for at in lesson.answer)
    made = TableSize("merged", merged + _FRAME, merged)
    answer = lesson.answer
    after = (*tables[: answer.start], *([made] if answer else []), *tables[answer.stop :])
    study = Study()
    study.replay(PastCompaction(lesson.title, tables, answer, after), StackOptions(policy=lesson.rule))
    return study


class TourApp(TerminalApp):
    """The tour, and nothing else."""

    def on_mount(self) -> None:
        """Show the tour."""
        self.push_screen(TourScreen())


def run_tour(*, mouse: bool = True) -> int:
    """Run the tour until the user leaves it; the process's exit code. Raises as `run_on_terminal` does."""
    return run_on_terminal(TourApp(user_config()), mouse=mouse)

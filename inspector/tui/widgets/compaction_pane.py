"""The compaction pane: the tables as bars, a rule step by step, a range, and what merging it would do.

The tables, the rule and the range are those of a `Study`; this module gives it keys, has dry runs made in
a thread, plays the steps, and draws. `h` changes to the stack over time and back.

A compaction that has been (`replay`) has a study of its own, in front of that of the stack of now, which
goes on being kept in step behind it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from textual import on
from textual.actions import SkipAction
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.events import Mount, Resize
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from engine.stack import Policy
from inspector.model import Damage, Event, PastCompaction, StackView, Study
from inspector.rows import SequenceRows
from inspector.tui.keys import bindings
from inspector.tui.widgets.compaction_help import HELP
from inspector.tui.widgets.compaction_words import (
    DAMAGE_LEGEND,
    LEGEND,
    compared_lines,
    damage_text,
    merge_lines,
    past_line,
    rule_line,
    step_lines,
    tables_text,
)
from inspector.tui.widgets.dry_run import DryRun
from inspector.tui.widgets.geometry import BarList, Bars, slide
from inspector.tui.widgets.over_time import OverTime
from inspector.tui.widgets.player import Player
from inspector.tui.widgets.state_message import StateMessage, TellsState
from inspector.tui.widgets.virtual_list import ListPane, VirtualList

LOW: Final = 16
HIGH: Final = 24
"""Lines below which the words are cut short, so that bars are left, and from which they have all the room."""
SLIM: Final = 64
"""Cells below which the bars after a merge are left out."""


class CompactionPane(Vertical, TellsState):
    """What compaction would make of the stack, and why."""

    HELP = HELP

    DEFAULT_CSS = """
    CompactionPane {
        & > .compaction--what-if { display: none; }
        &.-what-if > .compaction--study { display: none; }
        &.-what-if > .compaction--what-if { display: block; }
        & .compaction--bars { min-height: 2; }
        & .compaction--bars > ListPane { width: 4fr; }
        & .compaction--bars > .compaction--after { width: 3fr; margin-left: 1; display: none; }
        &.-seen .compaction--after { display: block; }
        & .compaction--line { height: 1; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
        & .compaction--legend { color: $foreground-muted; }
        & .compaction--past { display: none; }
        &.-past .compaction--past { display: block; }
        &.-low .compaction--legend { display: none; }
        & .compaction--step { height: 4; padding: 0 1; }
        & .compaction--merge { height: 3; padding: 0 1; }
        &.-high .compaction--step { height: 6; border-top: solid $surface-lighten-3; }
        &.-high .compaction--merge { height: 6; border-top: solid $surface-lighten-3; }
        &.-low .compaction--step { height: 3; }
        &.-slim .compaction--after { display: none; }
    }
    """

    BINDINGS = bindings("compaction")

    @dataclass
    class CompactWanted(Message):
        """The user wants the tables at these positions merged, two at least."""

        tables: range

    class Revealed(StateMessage):
        """What the stack's own rule suggests is shown, or hidden again: see `hides_own`."""

    def __init__(self, rule: Policy | None = None) -> None:
        """`rule` is the one to begin with, if not the stack's own."""
        self._past = Static(classes="compaction--line compaction--past", markup=False)
        self._rule = Static(classes="compaction--line", markup=False)
        self._before = BarList((), empty="no tables")
        self._after = BarList((), empty="no table is left")
        self._after.can_focus = False
        self._legend = Static(classes="compaction--line compaction--legend", markup=False)
        self._step = Static(classes="compaction--step", markup=False)
        self._merge = Static(classes="compaction--merge", markup=False)
        self._what_if = OverTime()
        after = ListPane(self._after).add_class("compaction--after")
        bars = Horizontal(ListPane(self._before), after, classes="compaction--bars")
        parts = self._past, self._rule, bars, self._legend, self._step, self._merge
        study = Vertical(*parts, classes="compaction--study")
        super().__init__(study, Vertical(self._what_if, classes="compaction--what-if"))
        self.study = Study(rule)
        """Of the stack of now."""
        self._replay: Study | None = None
        self._told = False
        self._file_sizes = False
        self._anchor: int | None = None
        self._along = False
        self._dry_run = DryRun(self, self.study, self._draw)
        self._bars = Bars(self.study, file_sizes=False)
        self._player = Player(self, self._advance, pace=0.7, longest=3.0)
        self._slides: list[list[range]] = []
        self._slider = Player(self, self._slide_on, pace=0.25, longest=1.0)

    @property
    def shown(self) -> Study:
        """The study on screen: of the stack of now, or of a compaction that has been."""
        return self._replay or self.study

    @property
    def hides_own(self) -> bool:
        """Whether it is still to be found out on screen what the stack's own rule suggests now."""
        can_hide = self._replay is None and not self.has_class("-what-if") and not self.study.marked
        return can_hide and self.study.hides(self.study.options.policy)

    @property
    def focus_target(self) -> Widget:
        """What is to have the keys when the pane gets them."""
        return self._what_if if self.has_class("-what-if") else self._before

    @property
    def running(self) -> bool:
        """Whether a dry run is on its way."""
        return self._dry_run.key is not None

    def show(self, view: StackView) -> None:
        """Study this state of the stack; what the user set stays, marks and cursor by the tables' names."""
        tables, cursor = self.study.tables, self._before.cursor
        is_shown = self._replay is None
        if view.tables != tables and is_shown:  # a position is another table's now
            self._let_go()
            self._halt()
        self.study.show(view)
        if self._dry_run.key is not None and not self.study.find(self._dry_run.key.names):
            self._dry_run.stop()
        self._draw()
        if is_shown and cursor < len(tables):
            self._before.cursor = view.positions.get(tables[cursor].name, cursor)

    def show_events(self, events: Sequence[Event]) -> None:
        """These changes of the stack were seen or made, from the first on."""
        self._what_if.show_events(events)

    def show_damage(self, damage: Mapping[str, Damage]) -> None:
        """Ranges with these tables, by name, are blocked."""
        known = self.study.damage
        if {name: str(error) for name, error in damage.items()} != {name: str(known[name]) for name in known}:
            self.study.damage = damage
            self._draw()

    def replay(self, past: PastCompaction) -> None:
        """Show a compaction that was seen or made, on the sizes of then, up to `now`."""
        self._dry_run.stop()
        self._turn_to(Study())
        self.shown.replay(past, self.study.options)
        self.remove_class("-what-if")
        self._draw()

    def now(self) -> None:
        """Show the stack of now again, if another is shown."""
        if self._replay is not None:
            self._turn_to(None)
            self._draw()

    def _turn_to(self, study: Study | None) -> None:
        self._let_go()
        self._halt()
        self._replay = study
        self._before.cursor = 0

    def refuses(self, tables: range) -> bool:
        """Whether merging the tables at these positions is blocked; says why, and which key repairs."""
        blocked = self.study.blocked if tables == self.study.target else self.study.blocked_in(tables)
        if blocked is None:
            return False
        key = "enter" if self.has_focus_within and self._blocked else "w, then r"
        text = f"{damage_text(blocked)}\nPress {key} to see what repairs it."
        self.notify(text, title=f"BLOCKED: {tables_text(tables)}", severity="warning")
        return True

    def on_resize(self, event: Resize) -> None:
        """Low or narrow panes show less."""
        self.set_class(event.size.height < LOW, "-low")
        self.set_class(event.size.height >= HIGH, "-high")
        self.set_class(event.size.width < SLIM, "-slim")
        self._say()

    def on_hide(self) -> None:
        """What is not seen does not move."""
        self._halt()

    @property
    def _blocked(self) -> bool:
        study = self.study
        is_shown = self._replay is None and bool(study.seen)
        return is_shown and study.mergeable and study.blocked is not None

    @on(Mount)
    def _draw(self) -> None:
        """Everything, after any change of the study: only what is on screen is made."""
        study = self.shown
        sliding = self._slides[0] if self._slides else ()
        self._bars = Bars(study, file_sizes=self._file_sizes, sliding=sliding)
        self._before.show(SequenceRows(range(len(study.tables))), self._bars.before())
        self._after.show(SequenceRows(self._bars.after_rows()), self._bars.after())
        self.set_class(bool(study.seen) and study.mergeable, "-seen")
        self._follow_cursor()
        if self.has_class("-what-if"):
            self._what_if.ask(self.study.opened, self.study.factor)
        self._say()
        self.refresh_bindings()
        if self._told is not self.hides_own:
            self._told = self.hides_own
            self.post_message(self.Revealed())

    def _say(self) -> None:
        study = self.shown
        steps = step_lines(study)
        if self.has_class("-low"):  # without the rule in a sentence; at the start, this alone
            steps = [Content("  ").join([steps[0], steps[-1]])] if study.step is not None else steps[1:]
        if self._player.playing:
            steps[0] = Content.assemble(steps[0], ("  playing, > pauses", "$text-warning"))
        self._legend.update(DAMAGE_LEGEND if study.knows_damage else LEGEND)
        self._rule.update(rule_line(study, file_sizes=self._file_sizes))
        self._step.update(Content("\n").join(steps))
        self.set_class(study.past is not None, "-past")
        if study.past is not None:
            self._past.update(past_line(study.past))
        running = self._dry_run.lines() if study is self.study else []
        below = merge_lines(study) if study.seen else compared_lines(study, self._merge.content_size.width)
        self._merge.update(Content("\n").join([*running, *below]))

    @on(VirtualList.Highlighted)
    def _cursor_moved(self, event: VirtualList.Highlighted) -> None:
        event.stop()
        if self._along and self._anchor is not None:
            self._mark_from(self._anchor)
        self._follow_cursor()

    def _follow_cursor(self) -> None:
        """The cursor after the merge is on what becomes of the table under the cursor."""
        self._after.cursor = self._bars.row_after(self._before.cursor)

    # Keys: the rule and its steps.

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """What is not on screen has no keys; what needs two tables is dimmed without them."""
        if self.has_class("-what-if") and action not in ("factor", "other_view", "leave"):
            return False
        if self._replay is not None and action in ("dry_run", "compact", "repair"):
            return False
        if action in ("dry_run", "repair") and (action == "repair") != self._blocked:
            return False
        if action in ("dry_run", "compact") and not self.study.mergeable:
            return None
        if action == "say_why_not":
            return not self.study.mergeable
        return True

    def on_key(self) -> None:
        """Any key has the tables slide no further: they are one."""
        if self._slides:
            self._slider.stop()
            self._slides = []
            self._draw()

    def action_step(self, steps: int) -> None:
        """The next comparison, or the one before."""
        self._player.stop()
        self._go_to(self.shown.at + steps)

    def action_start(self) -> None:
        """Before the first comparison, where nothing is known."""
        self._player.stop()
        self._go_to(0)

    def action_result(self) -> None:
        """The last step: what the rule merges."""
        self._player.stop()
        self._go_to(len(self.shown.steps))

    def action_play(self) -> None:
        """Make steps up to the next answer that changes something; pause; from the result, begin again."""
        if self._player.stop():
            self._draw()
            return
        if not self.shown.hidden:
            self._go_to(0)
            return
        steps = self.shown.next_decision - self.shown.at
        self._advance()  # a key is answered at once
        self._player.play(steps - 1)
        self._say()

    def _advance(self, steps: int = 1) -> None:
        self._go_to(self.shown.at + steps)

    def _go_to(self, number: int) -> None:
        study = self.shown
        was_hidden, study.at = study.hidden, number
        self._slides = slide(study.target) if was_hidden and not study.hidden and not study.marked else []
        self._slider.play(len(self._slides))
        self._draw()
        if study.step is not None and (looked := study.step.looked):
            self._before.scroll_to_row(looked[-1])
            self._before.scroll_to_row(looked.start)

    def _slide_on(self, pictures: int = 1) -> None:
        self._slides = self._slides[pictures:]
        self._draw()

    def _halt(self) -> None:
        """Neither play nor slide any more."""
        self._player.stop()
        self._slider.stop()
        self._slides = []

    def action_switch_rule(self) -> None:
        """The other rule."""
        self._halt()
        self.shown.switch_rule()
        self._draw()

    def action_factor(self, by: int) -> None:
        """Another factor for the geometric rule."""
        self._halt()
        self.shown.change_factor(by)
        self._draw()

    def action_measure(self) -> None:
        """Bars of the sizes that the rules count, or of the files."""
        self._file_sizes = not self._file_sizes
        self._draw()

    def action_other_view(self) -> None:
        """To the stack over time, or back."""
        had_keys = self.has_focus_within
        self._halt()
        self.toggle_class("-what-if")
        if had_keys:
            self.focus_target.focus()
        self._draw()

    # Keys: the range.

    def _let_go(self) -> None:
        """The cursor moves alone again."""
        self._anchor, self._along = None, False

    def action_mark(self) -> None:
        """Mark the table under the cursor, with all up to those marked, or take it out."""
        self._let_go()
        if self.shown.tables:
            self.shown.toggle(self._before.cursor)
            self._draw()

    def action_mark_along(self) -> None:
        """Begin a range that follows the cursor, or end it."""
        if self._along:
            self._let_go()
        elif self.shown.tables:
            self._anchor, self._along = self._before.cursor, True
            self._mark_from(self._anchor)

    def action_extend(self, rows: int) -> None:
        """Move the cursor, and mark from where that began to where it is."""
        if not self.shown.tables:
            return
        if self._anchor is None:
            marked, cursor = self.shown.marked, self._before.cursor
            at_end = bool(marked) and cursor in (marked.start, marked[-1])
            self._anchor = (marked[-1] if cursor == marked.start else marked.start) if at_end else cursor
        self._before.action_move(rows)
        self._mark_from(self._anchor)

    def _mark_from(self, anchor: int) -> None:
        marked, cursor = self.shown.marked, self._before.cursor
        self.shown.mark(min(anchor, cursor), max(anchor, cursor) + 1)
        if self.shown.marked != marked:  # to draw is to be told of the cursor again
            self._draw()

    def action_mark_all(self) -> None:
        """Mark every table."""
        self._let_go()
        self.shown.mark(0, len(self.shown.tables))
        self._draw()

    def action_leave(self) -> None:
        """Pause, stop the dry run, go from over time, clear the marks, or go back to now; else skip."""
        if self._player.stop():
            self._draw()
        elif self.running:
            self._dry_run.stop()
            self._draw()
        elif self.has_class("-what-if"):
            self.action_other_view()
        elif self._along or (self.shown.marked and not self._is_past_by_hand):
            self._let_go()
            self.shown.mark(0, 0)
            self._draw()
        elif self._replay is not None:
            self.now()
        else:
            raise SkipAction

    @property
    def _is_past_by_hand(self) -> bool:
        past = self.shown.past
        return past is not None and self.shown.marked == past.merged

    def action_compact(self) -> None:
        """Ask for a compaction of the range, unless that is blocked."""
        target = self.study.target
        if not self.refuses(target):
            self.post_message(self.CompactWanted(target))

    def action_say_why_not(self) -> None:
        """Tell why the keys that merge a range are dimmed."""
        marked = self.study.marked
        self.notify(
            f"Table {marked.start} is marked; one table alone is not merged: mark another one."
            if marked
            else "There is nothing to merge: mark tables with space, or all with A."
            if len(self.study.tables) > 1
            else "There is nothing to merge."
        )

    async def action_repair(self) -> None:
        """Show what repairs the damage, as the screen does."""
        await self.run_action("screen.repair")

    def action_dry_run(self) -> None:
        """Merge the range into nothing, to know exactly; one at a time. What is suggested is told then."""
        if not self.study.seen:
            self.action_result()
        if self.study.outcome is None and not self._blocked and self._dry_run.key != self.study.key:
            self._dry_run.begin()
            self._draw()

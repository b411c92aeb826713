"""The compaction pane: the tables as bars, a rule step by step, a range, and what merging it would do.

The tables, the rule and the range are those of a `Study`; this module gives it keys, has dry runs made in
a thread, and draws. `h` changes to the stack over time and back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

from textual import on
from textual.actions import SkipAction
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.events import Mount, Resize
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from inspector.model import Damage, StackView, Study
from inspector.rows import SequenceRows
from inspector.tui.widgets.compaction_words import (
    DAMAGE_LEGEND,
    LEGEND,
    damage_text,
    merge_lines,
    rule_line,
    step_lines,
    tables_text,
)
from inspector.tui.widgets.dry_run import DryRun
from inspector.tui.widgets.geometry import BarList, Bars
from inspector.tui.widgets.over_time import OverTime
from inspector.tui.widgets.virtual_list import ListPane, VirtualList

LOW: Final = 16
HIGH: Final = 24
"""Lines below which the words are cut short, so that bars are left, and from which they have all the room."""
SLIM: Final = 64
"""Cells below which the bars after a merge are left out."""


class CompactionPane(Vertical):
    """What compaction would make of the stack, and why."""

    HELP: ClassVar[str] = """\
A reftable stack grows by a table with each transaction. Every read has to look into all of them, so now \
and then adjacent tables are merged into one: compaction. Merging everything each time would write the \
whole stack again and again; a rule decides which tables are worth it, from their sizes alone.

Sizes are as the rules count them: the file without its footer and without its header but for one byte, so \
that a table of one small record weighs little. F shows the sizes of the files instead.

The log2 rule (git before 2.45, JGit, the Go library): a table's magnitude is the power of two below its \
size. Adjacent tables of one magnitude form a segment, drawn as a bracket with its 2^k. The segment of the \
smallest magnitude that has two tables or more is merged, with all older tables that the result would \
outgrow.

The geometric rule (git since 2.45): each table should be at least FACTOR times as large as the one behind \
it; the column ×next shows how many times it is. The range ends with the newest table that breaks this, and \
begins with the oldest that is too small for all behind it put together.

Columns: ? the table that a step asks about, = those it is compared with, R the range of the rule so far, \
L and G what the log2 and the geometric rule suggest in the end, M (*) tables marked by hand, X tables \
that are known to be damaged.

Steps: . next, , back, { first, } result. X the other rule, + and - the factor.
A range of your own: space marks the table under the cursor and all between it and those marked (or takes it \
out), V marks along with the cursor, shift and the arrows likewise, A marks all, escape clears.
Before and after: sizes alone give an estimate at once (~). enter makes a dry run: the merge as it would be, \
written nowhere. It tells the exact size and what would drop out: superseded versions, for which a newer \
table has another, and tombstones, which say that something was deleted. Tombstones can only go when the \
range begins with table 0: else they may hide something in an older table. c goes on to compacting the range.
A range with a damaged table is BLOCKED as soon as reading, a check (v in Health) or a dry run has met the \
damage: a merge reads every record. enter then shows what repairs the stack, and c has nothing to offer.
h shows the stack over time: how it came to be, and what becomes of it, under both rules."""

    DEFAULT_CSS = """
    CompactionPane {
        & > .compaction--what-if { display: none; }
        &.-what-if > .compaction--study { display: none; }
        &.-what-if > .compaction--what-if { display: block; }
        & .compaction--bars { min-height: 2; }
        & .compaction--bars > ListPane { width: 4fr; }
        & .compaction--bars > .compaction--after { width: 3fr; margin-left: 1; }
        & .compaction--line { height: 1; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
        & .compaction--legend { color: $foreground-muted; }
        &.-low .compaction--legend { display: none; }
        & .compaction--step { height: 4; padding: 0 1; }
        & .compaction--merge { height: 3; padding: 0 1; }
        &.-high .compaction--step { height: 6; border-top: solid $surface-lighten-3; }
        &.-high .compaction--merge { height: 6; border-top: solid $surface-lighten-3; }
        &.-low .compaction--step { height: 3; }
        &.-slim .compaction--after { display: none; }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("full_stop", "step(1)", "Step", key_display=". ,"),
        Binding("comma", "step(-1)", "Step back", show=False),
        Binding("left_curly_bracket", "step_at(0)", "First step", show=False),
        Binding("right_curly_bracket", "step_at(-1)", "Result", show=False),
        Binding("X", "switch_rule", "Rule", key_display="X"),
        Binding("plus,equals_sign", "factor(1)", "Larger factor", show=False),
        Binding("minus", "factor(-1)", "Smaller factor", show=False),
        Binding("space", "mark", "Mark", show=False),
        Binding("V", "mark_along", "Mark along", show=False),
        Binding("shift+down", "extend(1)", "Mark on", show=False),
        Binding("shift+up", "extend(-1)", "Mark back", show=False),
        Binding("A", "mark_all", "Mark all", show=False, key_display="A"),
        Binding("enter", "dry_run", "Dry run"),
        Binding("enter,r", "repair", "Repair…"),
        Binding("c", "compact", "Compact…"),
        Binding("F", "measure", "File sizes", show=False),
        Binding("h", "what_if", "Over time"),
        Binding("escape", "leave", "Clear or stop", show=False),
    ]

    @dataclass
    class CompactWanted(Message):
        """The user wants the tables at these positions merged, two at least."""

        tables: range

    def __init__(self) -> None:
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
        parts = self._rule, bars, self._legend, self._step, self._merge
        study = Vertical(*parts, classes="compaction--study")
        super().__init__(study, Vertical(self._what_if, classes="compaction--what-if"))
        self.study = Study()
        self._file_sizes = False
        self._anchor: int | None = None
        self._along = False
        self._dry_run = DryRun(self, self.study, self._draw)
        self._bars = Bars(self.study, file_sizes=False)

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
        if view.tables != tables:  # a position is another table's now
            self._let_go()
        self.study.show(view)
        if self._dry_run.key is not None and not self.study.find(self._dry_run.key.names):
            self._dry_run.stop()
        self._draw()
        if cursor < len(tables):
            self._before.cursor = view.positions.get(tables[cursor].name, cursor)

    def show_damage(self, damage: Mapping[str, Damage]) -> None:
        """Ranges with these tables, by name, are blocked."""
        known = self.study.damage
        if {name: str(error) for name, error in damage.items()} != {name: str(known[name]) for name in known}:
            self.study.damage = damage
            self._draw()

    def refuses(self, tables: range) -> bool:
        """Whether merging the tables at these positions is blocked; says why, and which key repairs."""
        blocked = self.study.blocked if tables == self.study.target else self.study.blocked_in(tables)
        if blocked is None:
            return False
        key = "enter" if self.has_focus_within and self._blocked else "w, then r"
        text = f"{damage_text(blocked)}\nPress {key} to see what repairs it."
        self.notify(text, title=f"BLOCKED: {tables_text(tables)}", severity="warning", markup=False)
        return True

    def on_resize(self, event: Resize) -> None:
        """Low or narrow panes show less."""
        self.set_class(event.size.height < LOW, "-low")
        self.set_class(event.size.height >= HIGH, "-high")
        self.set_class(event.size.width < SLIM, "-slim")
        self._say()

    @property
    def _blocked(self) -> bool:
        return self.study.mergeable and self.study.blocked is not None

    @on(Mount)
    def _draw(self) -> None:
        """Everything, after any change of the study: only what is on screen is made."""
        study = self.study
        self._bars = Bars(study, file_sizes=self._file_sizes)
        self._before.show(SequenceRows(range(len(study.tables))), self._bars.before())
        self._after.show(SequenceRows(self._bars.after_rows()), self._bars.after())
        self._follow_cursor()
        if self.has_class("-what-if"):
            self._what_if.ask(study.tables, study.factor)
        self._say()
        self.refresh_bindings()

    def _say(self) -> None:
        study = self.study
        steps = step_lines(study)
        if self.has_class("-low"):  # without the rule in a sentence
            steps = [Content("  ").join([steps[0], steps[-1]])]
        self._legend.update(DAMAGE_LEGEND if study.knows_damage else LEGEND)
        self._rule.update(rule_line(study, file_sizes=self._file_sizes))
        self._step.update(Content("\n").join(steps))
        self._merge.update(Content("\n").join([*self._dry_run.lines(), *merge_lines(study)]))

    @on(VirtualList.Highlighted)
    def _cursor_moved(self) -> None:
        if self._along and self._anchor is not None:
            self._mark_from(self._anchor)
        self._follow_cursor()

    def _follow_cursor(self) -> None:
        """The cursor after the merge is on what becomes of the table under the cursor."""
        self._after.cursor = self._bars.row_after(self._before.cursor)

    def _show_step(self) -> None:
        self._draw()
        if looked := self.study.step.looked:
            self._before.scroll_to_row(looked[-1])
            self._before.scroll_to_row(looked.start)

    # Keys: the rule and its steps.

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """What is not on screen has no keys; what needs two tables is dimmed without them."""
        if self.has_class("-what-if") and action not in ("factor", "what_if", "leave"):
            return False
        if action in ("dry_run", "repair") and (action == "repair") != self._blocked:
            return False
        if action in ("dry_run", "compact") and not self.study.mergeable:
            return None
        return True

    def action_step(self, steps: int) -> None:
        """The next comparison, or the one before; round from the result to the first."""
        self.study.go(steps)
        self._show_step()

    def action_step_at(self, number: int) -> None:
        """This comparison; the last one, -1, is the result."""
        self.study.at = number % len(self.study.steps)
        self._show_step()

    def action_switch_rule(self) -> None:
        """The other rule."""
        self.study.switch_rule()
        self._show_step()

    def action_factor(self, by: int) -> None:
        """Another factor for the geometric rule."""
        self.study.change_factor(by)
        self._draw()

    def action_measure(self) -> None:
        """Bars of the sizes that the rules count, or of the files."""
        self._file_sizes = not self._file_sizes
        self._draw()

    def action_what_if(self) -> None:
        """To the plots of the next additions, or back."""
        had_keys = self.has_focus_within
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
        if self.study.tables:
            self.study.toggle(self._before.cursor)
            self._draw()

    def action_mark_along(self) -> None:
        """Begin a range that follows the cursor, or end it."""
        if self._along:
            self._let_go()
        elif self.study.tables:
            self._anchor, self._along = self._before.cursor, True
            self._mark_from(self._anchor)

    def action_extend(self, rows: int) -> None:
        """Move the cursor, and mark from where that began to where it is."""
        if not self.study.tables:
            return
        if self._anchor is None:
            marked, cursor = self.study.marked, self._before.cursor
            at_end = bool(marked) and cursor in (marked.start, marked[-1])
            self._anchor = (marked[-1] if cursor == marked.start else marked.start) if at_end else cursor
        self._before.action_move(rows)
        self._mark_from(self._anchor)

    def _mark_from(self, anchor: int) -> None:
        marked, cursor = self.study.marked, self._before.cursor
        self.study.mark(min(anchor, cursor), max(anchor, cursor) + 1)
        if self.study.marked != marked:  # to draw is to be told of the cursor again
            self._draw()

    def action_mark_all(self) -> None:
        """Mark every table."""
        self._let_go()
        self.study.mark(0, len(self.study.tables))
        self._draw()

    def action_leave(self) -> None:
        """Stop the dry run; or close the plots; or clear the marks. Else leave the key to others."""
        if self.running:
            self._dry_run.stop()
            self._draw()
        elif self.has_class("-what-if"):
            self.action_what_if()
        elif self.study.marked or self._along:
            self._let_go()
            self.study.mark(0, 0)
            self._draw()
        else:
            raise SkipAction

    def action_compact(self) -> None:
        """Ask for a compaction of the range, unless that is blocked."""
        target = self.study.target
        if not self.refuses(target):
            self.post_message(self.CompactWanted(target))

    async def action_repair(self) -> None:
        """Show what repairs the damage, as the screen does."""
        await self.run_action("screen.repair")

    def action_dry_run(self) -> None:
        """Merge the range into nothing, to know exactly; one at a time."""
        if self.study.outcome is None and self._dry_run.key != self.study.key:
            self._dry_run.begin()
            self._draw()

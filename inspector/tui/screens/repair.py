"""Repairing the stack: the screen of the action, and the refs that it touches as a list."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Final

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from engine.format import RefRecord
from engine.repair import Outcome, RefOutcome, RepairPlan, Step
from inspector.actions import Plan, RepairAction, Workplace, is_chosen, lines_of_step
from inspector.model import Journal
from inspector.rows import ORDER, OutcomeRows
from inspector.text import shown, value_text
from inspector.tui.screens.dialog import Dialog, box
from inspector.tui.screens.plan import ActionScreen, Phase
from inspector.tui.widgets.key_bar import KeyBar
from inspector.tui.widgets.line_list import Line, LineList
from inspector.tui.widgets.virtual_list import Cell, Column, ListPane, Look, VirtualList

__all__ = ["OutcomesScreen", "RepairScreen"]

_MARKS: Final = {
    Outcome.LOST: "-",
    Outcome.REVIVED: "<",
    Outcome.CHANGED: "~",
    Outcome.DOUBTFUL: "?",
    Outcome.RETURNED: "+",
}


class RepairScreen(ActionScreen):
    """A repair from its plan to its result."""

    HELP = """
    A repair, step by step. First the stack is checked, and the plan says what would be done to which file,
    and why; nothing is changed. d lists the refs that do not simply stay: lost (nothing of them can be read),
    revived (an older value is all that is left), changed, doubtful (the value stays, but a newer one may have
    been in what is lost) and returned.

    Of what can be done with a table, the safest is planned. Where a step names another option (or: …), o
    plans anew with that one. A lock that is young, or that a process has open, is left where it is: f plans
    its removal all the same, which you confirm by typing force. End the process first that may hold it.

    Enter asks for a confirmation; where refs are lost, you type how many. A snapshot is taken first, and
    tables that cannot be kept lie in it. Afterwards the stack is checked again, and z takes the repair back.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("d", "outcomes", "Refs"),
        Binding("o", "other_option", "Other option"),
        Binding("f", "force(True)", "Force…"),
        Binding("f", "force(False)", "No force"),
    ]

    def __init__(self, workplace: Workplace, journal: Journal, *, locks: tuple[str, ...] = ()) -> None:
        """With `locks`, names of lock files, these are removed, and nothing else is done."""
        self._outcomes = OutcomeRows()
        self._repair = RepairAction(workplace, self._outcomes, locks=locks)
        self._chosen: str | None = None
        super().__init__(self._repair, journal)

    def on_unmount(self) -> None:
        """Nobody looks at the refs any more."""
        self._outcomes.close()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The list is there once the plan is; options and force as far as the plan has a use for them."""
        match action:
            case "outcomes":
                return self.phase in (Phase.PLANNED, Phase.DONE) and self._outcomes.count > 0
            case "force":
                use = self._repair.force or any(step.needs_force for step in self._steps)
                return use and parameters[0] is not self._repair.force
            case "other_option":
                if not any(step.options for step in self._steps):
                    return False
                step = self._step
                return True if step is not None and step.options else None
            case "repair":
                return False
            case _:
                return super().check_action(action, parameters)

    @property
    def is_unlocking(self) -> bool:
        """Whether it is about locks alone."""
        return bool(self._repair.locks)

    @property
    def _steps(self) -> tuple[Step, ...]:
        """Those of the plan that is on screen."""
        if self.phase is not Phase.PLANNED or self._plan is None:
            return ()
        steps: tuple[Step, ...] = self._plan.made.steps
        return steps

    @property
    def _step(self) -> Step | None:
        """The step under the cursor."""
        line = self.query_one(LineList).current
        return self._steps[line.about] if line is not None and line.about is not None else None

    def plan_lines(self, plan: Plan[RepairPlan]) -> list[Line]:
        """The lines of a plan, which know of which step they are."""
        lines = []
        for number, step in enumerate(plan.made.steps):
            look: Look = "accent" if is_chosen(step) else "plain"
            texts = lines_of_step(number + 1, step, self._repair.forced)
            lines += [Line(text, look, number) for text in texts]
        return lines + [Line(text) for text in plan.lines[len(lines) :]]

    def _enter(self, phase: Phase, sentence: str, lines: list[Line], warnings: tuple[str, ...] = ()) -> None:
        super()._enter(phase, sentence, lines, warnings)
        # Another option is another step, maybe at another place: the cursor stays with the file.
        numbers = [number for number, step in enumerate(self._steps) if step.file == self._chosen]
        if numbers:
            self.query_one(LineList).go_to(numbers[0])

    @on(VirtualList.Highlighted)
    def _cursor_moved(self) -> None:
        self.refresh_bindings()

    def action_other_option(self) -> None:
        """Plan again, with another option for the step under the cursor."""
        if (step := self._step) is not None and step.options:
            self._chosen = step.file
            self._plan_anew(self._repair.with_other_option(step))

    def action_force(self, force: bool) -> None:
        """Plan again, with or without the steps that need force."""
        self._plan_anew(replace(self._repair, force=force))

    def _plan_anew(self, action: RepairAction) -> None:
        self._action = self._repair = action
        self.action_plan_again()

    def action_unlock(self) -> None:
        """Plan again: with a lock that has come in between, the plan of a repair begins with that."""
        if self.is_unlocking:
            super().action_unlock()
        else:
            self.action_plan_again()

    def action_outcomes(self) -> None:
        """List the refs that do not simply stay."""
        self.app.push_screen(OutcomesScreen(self._outcomes))


class OutcomesScreen(Dialog[None]):
    """The refs that a repair touches, the worst outcome first."""

    HELP = """
    What the repair does to refs, the worst first: - lost, < revived with an older value, ~ changed,
    ? doubtful (a newer value may have been lost), + returned. Refs that simply stay are counted, not listed.
    """

    DEFAULT_CSS = """
    OutcomesScreen {
        & > .box { max-width: 160; padding: 0; }
        & #outcome-counts { height: auto; padding: 0 1; }
        & #outcome { height: 6; padding: 0 1; border-top: solid $surface-lighten-3; }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Back"),
        Binding("q,d", "dismiss(None)", "Back", show=False),
    ]

    def __init__(self, outcomes: OutcomeRows) -> None:
        super().__init__()
        self._outcomes = outcomes
        self._list: VirtualList[RefOutcome] = VirtualList(_COLUMNS, outcomes, empty="no ref changes")

    def compose(self) -> ComposeResult:
        """How many of each kind, the list, and the one under the cursor in full."""
        counts = self._outcomes.counts
        parts = [f"{_MARKS[kind]} {counts[kind]:,} {kind}" for kind in ORDER if counts[kind]]
        with box("What becomes of refs", id="outcomes"):
            yield Static(
                "   ".join([*parts, f"{counts[Outcome.KEPT]:,} kept"]), id="outcome-counts", markup=False
            )
            yield ListPane(self._list)
            with VerticalScroll(id="outcome", can_focus=False):
                yield Static(id="outcome-text", markup=False)
        yield KeyBar()

    def on_mount(self) -> None:
        """Keys go to the list."""
        self._list.focus()
        self._list.source_changed()

    @on(VirtualList.Highlighted)
    def _show_outcome(self) -> None:
        one = self._list.current
        text = Content("") if one is None else Content("\n").join(_words(one))
        self.query_one("#outcome-text", Static).update(text)


def _look(one: RefOutcome) -> Look:
    return "error" if one.outcome is Outcome.LOST else "warning"


def _value_cell(record: RefRecord | None, width: int) -> Cell:
    return Cell("none", "muted") if record is None else Cell(value_text(record, width))


_COLUMNS: Final[list[Column[RefOutcome]]] = [
    Column("", lambda one, _width: Cell(_MARKS[one.outcome], _look(one)), width=1),
    Column("ref", lambda one, _width: Cell(shown(one.name)), width=24, flex=4),
    Column("now", lambda one, width: _value_cell(one.before, width), width=10, flex=1),
    Column("repaired", lambda one, width: _value_cell(one.after, width), width=10, flex=1),
]


def _words(one: RefOutcome) -> list[Content]:
    lines = [Content.assemble((shown(one.name), "bold"), f"  {one.outcome}: {one.why}")]
    for label, record in (("now", one.before), ("repaired", one.after)):
        if record is None:
            text = "none"
        elif record.target is not None:
            text = f"-> {shown(record.target)}  update {record.update_index}"
        else:
            text = f"{(record.value or b'').hex()}  update {record.update_index}"
        lines.append(Content.assemble((f"{label:<9}", "$foreground-muted"), text))
    return lines

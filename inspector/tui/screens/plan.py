"""An action from its plan to its result: plan, confirm, apply, and what came of it.

One screen, in phases. Planning and applying are jobs (`attempt.py`) that can be stopped; the engine then
leaves nothing behind. A repair is an action whose plan leaves choices, and what other actions lead to when
something is in their way.
"""

from __future__ import annotations

import traceback
from dataclasses import replace
from enum import Enum
from functools import partial
from typing import Any, Final

from textual import on
from textual.content import Content
from textual.widgets import Static

from engine.repair import Step
from engine.stack import UnlistedFile
from inspector.actions import (
    Action,
    Plan,
    PlannedRepair,
    RepairAction,
    Result,
    UndoAction,
    Workplace,
    explain,
    lock_words,
)
from inspector.model import Journal, OwnChange, Place, places_of
from inspector.rows import OutcomeRows
from inspector.text import is_chosen, step_lines
from inspector.tui.keys import bindings
from inspector.tui.screens.attempt import NotDone, Planned, apply_plan, make_plan
from inspector.tui.screens.changes import OutcomesScreen
from inspector.tui.screens.dialog import ConfirmScreen, Dialog
from inspector.tui.widgets.line_list import Line, LineList
from inspector.tui.widgets.virtual_list import Look, VirtualList

_SHOWN_COMMAND_LINES: Final = 4
_SHOWN_LOCKS: Final = 2


class Phase(Enum):
    """Where an action is."""

    PLANNING = "planning"
    PLANNED = "plan"
    APPLYING = "applying"
    DONE = "result"
    FAILED = "not done"
    MADE = "done, but something failed"


class ActionScreen(Dialog[bool]):
    """Carries out one action; the answer says whether the stack may have been changed."""

    answer = False

    HELP = """
    A change of the stack, step by step. First the plan: what would be written, merged or removed, worked out
    exactly, without touching anything. Enter asks for a confirmation, and then just this plan is applied, if
    the stack is still the one that it was made for.

    Escape stops planning and applying. What was stopped leaves nothing behind. What was done can be undone:
    z shows how, here or in the menu of changes (w) on the main screen.

    At the bottom is the command line that does the same; y copies it. The journal (@ on the main screen)
    keeps it for each change.
    """

    DEFAULT_CSS = """
    ActionScreen {
        & #sentence { height: auto; max-height: 5; margin-bottom: 1; text-style: bold; }
        & #warnings { height: auto; max-height: 5; margin-bottom: 1; color: $text-warning; }
        & #progress { height: 1; color: $text-accent; }
        & #command { height: auto; margin-top: 1; color: $foreground-muted; }
        & .-failed { color: $text-error; }
    }
    """

    BINDINGS = bindings("plan")

    def __init__(self, action: Action[Any], journal: Journal) -> None:
        self._sentence = Static(id="sentence", markup=False)
        self._warnings = Static(id="warnings", markup=False)
        self._lines = LineList()
        self._progress = Static(id="progress", markup=False)
        self._shell = Static(id="command", markup=False)
        parts = self._sentence, self._warnings, self._lines, self._progress, self._shell
        super().__init__(action.title, *parts)
        self._action = action
        self._journal = journal
        self.phase = Phase.PLANNING
        """Where the action is."""
        self._plan: Plan[Any] | None = None
        self._in_the_way: tuple[str, ...] = ()  # the names of locks
        self._remedy = ""
        self._refused = ""
        self._undone_by: str | None = None

    def on_mount(self) -> None:
        """Begin with the plan."""
        self._lines.focus()
        self.action_plan_again()

    def _enter(self, phase: Phase, sentence: str, lines: list[Line], warnings: tuple[str, ...] = ()) -> None:
        self.phase = phase
        self.query_one(".box").border_subtitle = Content(phase.value)
        self._sentence.update(Content(sentence))
        self._sentence.set_class(phase in (Phase.FAILED, Phase.MADE), "-failed")
        self._warnings.display = bool(warnings)
        self._warnings.update(Content("\n".join(f"! {text}" for text in warnings)))
        self._progress.display = phase in (Phase.PLANNING, Phase.APPLYING)
        self._progress.update(Content(""))
        self._lines.show_lines(lines)
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """The keys of this phase."""
        planned, remedy = self.phase is Phase.PLANNED, self.phase is Phase.FAILED and self._remedy
        offered = {
            "proceed": planned and self._plan is not None and not self._plan.is_noop and not self._refused,
            "again": remedy == "again" and self._plan is not None,
            "undo": self.phase is Phase.DONE and self._undone_by is not None,
            "repair": remedy == "repair",
            "unlock": remedy == "again" or (planned and bool(self._in_the_way)),
            "leads_to": bool(self.places),
            "go_back": not self.is_busy,
            "plan_again": remedy in ("plan", "repair") or (remedy == "again" and self._plan is None),
        }
        return offered.get(action, True)

    # Planning and applying.

    def action_plan_again(self) -> None:
        """Make a plan for the stack as it is now."""
        self._plan = None
        self._show_command()
        self._enter(Phase.PLANNING, "Planning; nothing is changed yet. Escape stops it.", [])
        self._jobs.start(
            "action", partial(make_plan, self._action, self._show_progress), self._show_plan, self._fail
        )

    @property
    def is_busy(self) -> bool:
        """Whether the plan is being applied."""
        return self.phase is Phase.APPLYING

    @property
    def _command(self) -> str:
        """What does the same in a shell, as far as the plan is made."""
        return self._action.command_line if self._plan is None else self._action.command_for(self._plan)

    def _show_command(self) -> None:
        lines = self._command.split("\n")
        more = ["…"] if len(lines) > _SHOWN_COMMAND_LINES else []
        shown = "\n".join(lines[:_SHOWN_COMMAND_LINES] + more)
        self._shell.update(Content(f"$ {shown}"))

    def action_again(self) -> None:
        """Apply the plan, which was confirmed before."""
        if self._plan is not None:
            self._enter(Phase.APPLYING, "Working; escape stops it and leaves the stack as it was.", [])
            apply = partial(apply_plan, self._action, self._plan, self._show_progress)
            self._jobs.start("action", apply, self._show_result, self._fail)

    def _fail(self, error: Exception) -> None:
        """Show an error that is a defect of this program."""
        untouched = False if self.phase is Phase.APPLYING else None
        details = "".join(traceback.format_exception(error))
        self._show_trouble(NotDone(explain(error), "failed", untouched, details))

    def _show_progress(self, text: str) -> None:
        self._progress.update(Content(text))

    def _show_plan(self, made: Planned | NotDone) -> None:
        if isinstance(made, NotDone):
            self._show_trouble(made)
            return
        plan, locks, self._refused = made
        self._plan, self._in_the_way = plan, tuple(lock.name for lock in locks)
        self._show_command()
        refused = (f"Nothing can be applied: {self._refused}",) if self._refused else ()
        warnings = (*refused, *map(_lock_warning, locks[:_SHOWN_LOCKS]), *plan.warnings)
        self._enter(Phase.PLANNED, plan.sentence, self.plan_lines(plan), warnings)

    def plan_lines(self, plan: Plan[Any]) -> list[Line]:
        """The lines of a plan, as they are shown."""
        return [Line(text) for text in plan.lines]

    def _show_result(self, result: Result | NotDone) -> None:
        if isinstance(result, NotDone):
            self._show_trouble(result)
            return
        self.answer = True
        self._undone_by = None if result.snapshot is None else result.snapshot.id
        kept = self._undone_by or ""
        self._journal.note(self._action.title, "done", result.sentence, self._command, snapshot=kept)
        if (snapshot := result.snapshot) is not None and snapshot.after is not None:
            operation, command = self._action.operation, self._command
            self._journal.made(OwnChange(operation, command, snapshot.tables, snapshot.after))
        self._enter(Phase.DONE, result.sentence, [Line(text) for text in result.lines], result.warnings)

    def _show_trouble(self, not_done: NotDone) -> None:
        trouble, ending, untouched, details = not_done
        self.phase, self._remedy = Phase.FAILED, trouble.remedy
        self._in_the_way = (trouble.lock,) if trouble.lock else ()
        paragraphs = list(trouble.paragraphs)
        if untouched is not None:
            self.answer = self.answer or not untouched
            paragraphs.append(_UNTOUCHED if untouched else _UNSURE)
        if untouched is not None or details:
            command = self._command
            self._journal.note(self._action.title, ending, trouble.sentence, command, details)
        if self.check_action("repair", ()):
            paragraphs.append(_REPAIR)
        lines = [line for text in paragraphs for line in (Line(text), Line(""))]
        self._enter(Phase.MADE if trouble.is_made else Phase.FAILED, trouble.sentence, lines[:-1])

    def action_proceed(self) -> None:
        """Ask before anything is changed."""
        if self._plan is not None:
            title, verb = self._action.title, self._action.verb
            question = ConfirmScreen(title, self._plan.sentence, verb, self._plan.typed)
            self.ask(question, self.action_again)

    def action_undo(self) -> None:
        """Show how to go back to what was before, and leave once that is done."""
        action = UndoAction(self._action.workplace, self._undone_by)
        self.ask(ActionScreen(action, self._journal), self.action_leave)

    def action_repair(self, locks: tuple[str, ...] = ()) -> None:
        """Show what repairs the stack, or removes just these locks, and plan again once that is done."""

        def repaired() -> None:
            self.answer = True
            self.action_plan_again()

        self.ask(RepairScreen(self._action.workplace, self._journal, locks), repaired)

    def action_unlock(self) -> None:
        """Show what removes the locks that are in the way, and plan again once that is done."""
        self.action_repair(self._in_the_way)

    def action_copy(self) -> None:
        """Copy the command line."""
        self.copy_command(self._command)

    def action_go_back(self) -> None:
        """Leave; what is being applied goes on."""
        self.action_leave()

    def action_leave(self) -> None:
        """Stop what is being applied; otherwise close."""
        if self.phase is Phase.APPLYING:
            self._jobs.stop("action")
            self._sentence.update(Content("Stopping…"))
        else:
            super().action_leave()


class RepairScreen(ActionScreen):
    """A repair from its plan to its result."""

    HELP = """
    A repair, step by step. First the stack is checked, and the plan says what would be done to which file,
    and why; nothing is changed. d lists the refs that do not simply stay: lost (nothing of them can be read),
    revived (an older value is all that is left), changed, doubtful (it may have had another value than the
    one it gets), restored (its record is lost, its reflog tells the value) and returned.

    Of what can be done with a table, the safest is planned. Where a step names another option (or: …), X
    plans anew with that one. A lock that is young, or that a process has open, is left where it is: ! plans
    its removal all the same, which you confirm by typing force. End the process first that may hold it.

    Enter asks for a confirmation; where refs are lost, you type how many. A snapshot is taken first, and
    tables that cannot be kept lie in it. Afterwards the stack is checked again, and z takes the repair back.
    """

    BINDINGS = bindings("repair")

    def __init__(self, workplace: Workplace, journal: Journal, locks: tuple[str, ...] = ()) -> None:
        """With `locks`, names of lock files, these are removed, and nothing else is done."""
        self._outcomes = OutcomeRows()
        self._repair = RepairAction(workplace, self._outcomes, only=locks)
        self._chosen: str | None = None
        super().__init__(self._repair, journal)

    def on_unmount(self) -> None:
        """Close the list of refs."""
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
                step = self._step
                return step is not None and bool(step.options)
            case "repair":
                return False
            case _:
                return super().check_action(action, parameters)

    @property
    def is_unlocking(self) -> bool:
        """Whether it is about locks alone."""
        return self._repair.is_unlocking

    @property
    def places(self) -> tuple[Place, ...]:
        """Where the step under the cursor leads."""
        return () if (step := self._step) is None else places_of(step)

    @property
    def _steps(self) -> tuple[Step, ...]:
        """Those of the plan that is on screen."""
        if self.phase is not Phase.PLANNED or self._plan is None:
            return ()
        steps: tuple[Step, ...] = self._plan.made.plan.steps
        return steps

    @property
    def _step(self) -> Step | None:
        """The step under the cursor."""
        line = self._lines.current
        return self._steps[line.about] if line is not None and line.about is not None else None

    def plan_lines(self, plan: Plan[PlannedRepair]) -> list[Line]:
        """The lines of a plan, each with the number of its step."""
        lines = []
        for number, step in enumerate(plan.made.plan.steps):
            look: Look = "accent" if is_chosen(step) else "plain"
            texts = step_lines(number + 1, step, self._repair.forced)
            lines += [Line(text, look, number) for text in texts]
        return lines + [Line(text) for text in plan.lines[len(lines) :]]

    def _enter(self, phase: Phase, sentence: str, lines: list[Line], warnings: tuple[str, ...] = ()) -> None:
        super()._enter(phase, sentence, lines, warnings)
        # Another option is another step, maybe at another place: the cursor stays with the file.
        numbers = [number for number, step in enumerate(self._steps) if step.file == self._chosen]
        if numbers:
            self._lines.go_to(numbers[0])

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
        self._repair = action
        self.action_plan_again()

    def action_plan_again(self) -> None:
        """Make a plan for the stack as it is now; one that is still being made has a list of its own."""
        self._outcomes.close()
        self._outcomes = OutcomeRows()
        self._action = self._repair = replace(self._repair, store=self._outcomes)
        super().action_plan_again()

    def action_unlock(self) -> None:
        """Plan again: with a lock that has come in between, the plan of a repair begins with that."""
        if self.is_unlocking:
            super().action_unlock()
        else:
            self.action_plan_again()

    def action_outcomes(self) -> None:
        """List the refs that do not simply stay."""
        self.app.push_screen(OutcomesScreen(self._outcomes))


_REPAIR: Final = (
    "Press r to see what repairs the stack: nothing is changed until you confirm that plan. "
    "Afterwards this one can be made again."
)
_UNTOUCHED: Final = "The stack is as it was: nothing was written."
_UNSURE: Final = "The stack is not as it was when the plan was made; what it is now is on the main screen."


def _lock_warning(lock: UnlistedFile) -> str:
    return f"{lock_words(lock)}. Nothing can be applied while it is there: u shows a plan that removes it."

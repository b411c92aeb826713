"""An action from its plan to its result: plan, confirm, apply, and what came of it.

One screen, in phases. Planning and applying run in a worker thread, which reports how far it is; a report is
also where it is stopped, and the engine then leaves nothing behind. All changes go through `run` of actions.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, ClassVar, Final, TypeVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.widgets import Button, Input, Static
from textual.worker import Worker, WorkerState, get_current_worker

from engine.errors import Cancelled, ReftableError
from engine.progress import Progress
from engine.snapshot import list_snapshots
from engine.stack import UnlistedFile
from inspector.actions import (
    Action,
    Plan,
    RefusedError,
    Result,
    Trouble,
    Typed,
    UndoAction,
    explain,
    is_as_planned_for,
    lock_words,
    run,
    seen_locks,
)
from inspector.model import Ending, Journal
from inspector.tui.screens.dialog import Dialog, box
from inspector.tui.widgets.key_bar import KeyBar
from inspector.tui.widgets.line_list import Line, LineList

__all__ = ["ActionScreen", "ConfirmScreen"]

Made = TypeVar("Made")

_SHOWN_COMMAND_LINES: Final = 4
_SHOWN_LOCKS: Final = 2
_BAR_WIDTH: Final = 24


class Phase(Enum):
    """Where an action is."""

    PLANNING = "planning"
    PLANNED = "plan"
    APPLYING = "applying"
    DONE = "result"
    FAILED = "not done"


class ConfirmScreen(Dialog[bool]):
    """One sentence and two buttons, the harmless one under the keys; True when the other was pressed."""

    HELP = """
    The last question before the stack is changed. Enter on Cancel, and escape, change nothing.

    The plan is applied as a whole or not at all. Other processes may read and write meanwhile: locks see
    to it that nobody's change is lost, and if the stack is another one by then, nothing is done.
    """

    DEFAULT_CSS = """
    ConfirmScreen {
        & > .box {
            width: 66;
            max-width: 100%;
            height: auto;
            padding: 1 2;
            border: heavy $warning;
        }
        & Static { margin-bottom: 1; }
        & Horizontal { height: auto; align-horizontal: right; }
        & Button { margin-left: 2; }
        & Input { margin-bottom: 1; background: $boost; }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(False)", "Cancel"),
        Binding("left,right,tab", "app.focus_next", "Next"),
        Binding("shift+tab", "app.focus_previous", "Before", show=False),
    ]

    def __init__(self, title: str, sentence: str, verb: str, typed: Typed | None = None) -> None:
        """With `typed`, the button works once that has been typed."""
        super().__init__()
        self._title = title
        self._sentence = sentence
        self._verb = verb
        self._typed = typed

    def compose(self) -> ComposeResult:
        """The question, then Cancel before what it asks for."""
        with box(self._title, id="question"):
            yield Static(self._sentence, markup=False)
            yield Static(
                "Other processes may go on working on the stack; if one of them changes it first, "
                "nothing is done.",
                markup=False,
            )
            if self._typed is not None:
                yield Static(
                    Content.assemble(
                        (f"! {self._typed.why}\n", "$text-warning"),
                        "To go on, type: ",
                        (self._typed.text, "bold"),
                    ),
                    id="why",
                )
                yield Input(id="typed", compact=True)
            with Horizontal():
                yield Button("Cancel", id="cancel")
                yield Button(Content(self._verb), id="go", disabled=self._typed is not None)
        yield KeyBar()

    def on_mount(self) -> None:
        """Whoever presses enter without reading changes nothing."""
        self.query_one("#cancel").focus()

    @on(Input.Changed)
    def _note_typed(self, event: Input.Changed) -> None:
        is_right = self._typed is not None and event.value.strip() == self._typed.text
        self.query_one("#go", Button).disabled = not is_right

    @on(Input.Submitted)
    def _go_on(self, event: Input.Submitted) -> None:
        """To the button, if it works: what is typed is one step, to press it another."""
        event.stop()
        self.query_one("#go").focus()

    @on(Button.Pressed)
    def _answer(self, event: Button.Pressed) -> None:
        event.stop()
        self.dismiss(event.button.id == "go")


class ActionScreen(Dialog[bool]):
    """Carries out one action; the answer says whether the stack may have been changed."""

    HELP = """
    A change of the stack, step by step. First the plan: what would be written, merged or removed, worked out
    exactly, without touching anything. Enter asks for a confirmation, and then just this plan is applied, if
    the stack is still the one that it was made for.

    Escape stops planning and applying. What was stopped leaves nothing behind. What was done can be undone:
    z shows how, here or on the main screen.

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

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "proceed", "Apply…"),
        Binding("t", "again", "Try again"),
        Binding("p", "plan_again", "Plan again"),
        Binding("r", "repair", "Repair…"),
        Binding("u", "unlock", "Unlock…"),
        Binding("z", "undo", "Undo this"),
        Binding("y", "copy", "Copy command"),
        Binding("escape", "leave", "Back"),
        Binding("q", "leave", "Back", show=False),
    ]

    class Progressed(Message):
        """The worker is further."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Planned(Message):
        """There is a plan; `locks` are in its way as yet."""

        def __init__(self, plan: Plan[Any], locks: list[UnlistedFile]) -> None:
            super().__init__()
            self.plan = plan
            self.locks = locks

    class Applied(Message):
        """The plan was applied; `undone_by` is the snapshot that was taken before, None if there is none."""

        def __init__(self, result: Result, undone_by: str | None) -> None:
            super().__init__()
            self.result = result
            self.undone_by = undone_by

    class Failed(Message):
        """Something kept the plan from being made or applied; `untouched` is None where nothing was tried."""

        def __init__(self, trouble: Trouble, *, stopped: bool, untouched: bool | None) -> None:
            super().__init__()
            self.trouble = trouble
            self.stopped = stopped
            self.untouched = untouched

    def __init__(self, action: Action[Any], journal: Journal) -> None:
        super().__init__()
        self._action = action
        self._journal = journal
        self._phase = Phase.PLANNING
        self._plan: Plan[Any] | None = None
        self._in_the_way: tuple[str, ...] = ()  # the names of locks
        self._remedy = ""
        self._worker: Worker[None] | None = None
        self._reported = ""
        self._changed = False
        self._undone_by: str | None = None

    @property
    def phase(self) -> Phase:
        """Where the action is."""
        return self._phase

    def compose(self) -> ComposeResult:
        """The gist, the lines, how far it is, and the command line."""
        with box(self._action.title, id="action"):
            yield Static(id="sentence", markup=False)
            yield Static(id="warnings", markup=False)
            yield LineList(id="lines")
            yield Static(id="progress", markup=False)
            yield Static(id="command", markup=False)
        yield KeyBar()

    def on_mount(self) -> None:
        """Begin with the plan."""
        self.query_one(LineList).focus()
        self.action_plan_again()

    def _enter(self, phase: Phase, sentence: str, lines: list[Line], warnings: tuple[str, ...] = ()) -> None:
        self._phase = phase
        self.query_one("#action").border_subtitle = Content(phase.value)
        shown = self.query_one("#sentence", Static)
        shown.update(Content(sentence))
        shown.set_class(phase is Phase.FAILED, "-failed")
        self.query_one("#warnings").display = bool(warnings)
        self.query_one("#warnings", Static).update(Content("\n".join(f"! {text}" for text in warnings)))
        self.query_one("#progress").display = phase in (Phase.PLANNING, Phase.APPLYING)
        self.query_one("#progress", Static).update(Content(""))
        self.query_one(LineList).show_lines(lines)
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """The keys of this phase."""
        match action:
            case "proceed":
                return self._phase is Phase.PLANNED and self._plan is not None and not self._plan.is_noop
            case "again":
                return self._phase is Phase.FAILED and self._remedy == "again" and self._plan is not None
            case "undo":
                return self._phase is Phase.DONE and self._undone_by is not None
            case "repair":
                return self._phase is Phase.FAILED and self._remedy == "repair"
            case "unlock":
                is_locked = self._phase is Phase.FAILED and self._remedy == "again"
                return is_locked or (self._phase is Phase.PLANNED and bool(self._in_the_way))
            case "plan_again":
                return self._phase is Phase.FAILED and self._remedy != "none"
            case _:
                return True

    # The worker.

    def _work(self, phase: Phase, sentence: str) -> None:
        self._reported = ""
        self._enter(phase, sentence, [])
        work = self._make_plan if phase is Phase.PLANNING else self._apply_plan
        self._worker = self.run_worker(work, thread=True, exit_on_error=False)

    def _report(self, progress: Progress) -> None:
        """For the engine to call, in the worker thread."""
        if get_current_worker().is_cancelled:
            raise Cancelled
        text = _progress_text(progress)
        if text != self._reported:
            self._reported = text
            self.post_message(self.Progressed(text))

    def _make_plan(self) -> None:
        try:
            self._action.workplace.require_writable()
            plan = self._action.plan(self._report)
            locks = [] if plan.is_noop else seen_locks(self._action.workplace.directory, plan.locked)
        except (ReftableError, OSError, RefusedError) as error:
            self._fail(error, None)
        else:
            self.post_message(self.Planned(plan, locks))

    def _apply_plan(self) -> None:
        plan = self._plan
        if plan is None:
            return
        try:
            before = self._snapshots()
            result = run(self._action, plan, self._report)
            taken = sorted(self._snapshots() - before)
        except (ReftableError, OSError, RefusedError) as error:
            self._fail(error, is_as_planned_for(self._action.workplace, plan.names))
        else:
            self.post_message(self.Applied(result, taken[-1] if taken else None))

    def _snapshots(self) -> set[str]:
        return {snapshot.id for snapshot in list_snapshots(self._action.workplace.directory)}

    def _fail(self, error: Exception, untouched: bool | None) -> None:
        stopped = isinstance(error, Cancelled)
        self.post_message(self.Failed(explain(error), stopped=stopped, untouched=untouched))

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """An error that nobody expected is shown like any other."""
        event.stop()
        error = event.worker.error
        if event.state is WorkerState.ERROR and isinstance(error, Exception):
            self._fail(error, False if self._phase is Phase.APPLYING else None)

    @on(Progressed)
    def _show_progress(self, event: Progressed) -> None:
        self.query_one("#progress", Static).update(Content(event.text))

    @on(Planned)
    def _show_plan(self, event: Planned) -> None:
        plan, locks = event.plan, event.locks
        self._plan, self._in_the_way = plan, tuple(lock.name for lock in locks)
        warnings = (*map(_lock_warning, locks[:_SHOWN_LOCKS]), *plan.warnings)
        self._enter(Phase.PLANNED, plan.sentence, self.plan_lines(plan), warnings)

    def plan_lines(self, plan: Plan[Any]) -> list[Line]:
        """The lines of a plan, as they are shown."""
        return [Line(text) for text in plan.lines]

    @on(Applied)
    def _show_result(self, event: Applied) -> None:
        result = event.result
        self._undone_by = event.undone_by
        self._changed = True
        self._journal.note(self._action.title, "done", result.sentence, self._action.command_line)
        self._enter(Phase.DONE, result.sentence, [Line(text) for text in result.lines], result.warnings)

    @on(Failed)
    def _show_trouble(self, event: Failed) -> None:
        trouble = event.trouble
        self._phase, self._remedy = Phase.FAILED, trouble.remedy
        self._in_the_way = (trouble.lock,) if trouble.lock else ()
        paragraphs = list(trouble.paragraphs)
        if event.untouched is not None:
            self._changed |= not event.untouched
            paragraphs.append(_UNTOUCHED if event.untouched else _UNSURE)
            outcome: Ending = "stopped" if event.stopped else "failed"
            self._journal.note(self._action.title, outcome, trouble.sentence, self._action.command_line)
        if self.check_action("repair", ()):
            paragraphs.append(_REPAIR)
        lines = [line for text in paragraphs for line in (Line(text), Line(""))]
        self._enter(Phase.FAILED, trouble.sentence, lines[:-1])

    # Keys.

    def action_plan_again(self) -> None:
        """Make a plan for the stack as it is now."""
        lines = self._action.command_line.split("\n")
        more = ["…"] if len(lines) > _SHOWN_COMMAND_LINES else []
        shown = "\n".join(lines[:_SHOWN_COMMAND_LINES] + more)
        self.query_one("#command", Static).update(Content(f"$ {shown}"))
        self._plan = None
        self._work(Phase.PLANNING, "Planning; nothing is changed yet. Escape stops it.")

    def action_again(self) -> None:
        """Apply the plan, which was confirmed before."""
        self._work(Phase.APPLYING, "Working; escape stops it and leaves the stack as it was.")

    def action_proceed(self) -> None:
        """Ask before anything is changed."""
        if self._plan is not None:
            question = ConfirmScreen(
                self._action.title, self._plan.sentence, self._action.verb, self._plan.typed
            )
            self.app.push_screen(question, self._confirmed)

    def _confirmed(self, yes: bool | None) -> None:
        if yes:
            self.action_again()

    def action_undo(self) -> None:
        """Show how to go back to what was before, and leave once that is done."""
        action = UndoAction(self._action.workplace, self._undone_by)
        self.app.push_screen(ActionScreen(action, self._journal), self._undone)

    def _undone(self, undone: bool | None) -> None:
        if undone:
            self.dismiss(True)

    def action_repair(self) -> None:
        """Show what repairs the stack, and plan again once that is done."""
        self._show_repair()

    def _show_repair(self, locks: tuple[str, ...] = ()) -> None:
        from inspector.tui.screens.repair import RepairScreen  # noqa: PLC0415 - it is such a screen itself

        self.app.push_screen(RepairScreen(self._action.workplace, self._journal, locks=locks), self._repaired)

    def action_unlock(self) -> None:
        """Show what removes the locks that are in the way, and plan again once that is done."""
        self._show_repair(self._in_the_way)

    def _repaired(self, repaired: bool | None) -> None:
        if repaired:
            self._changed = True
            self.action_plan_again()

    def action_copy(self) -> None:
        """Copy the command line."""
        self.app.copy_to_clipboard(self._action.command_line)
        self.notify("Copied the command line.", markup=False)

    def action_leave(self) -> None:
        """Stop what is being applied; otherwise close."""
        if self._phase is Phase.APPLYING and self._worker is not None:
            self._worker.cancel()
            self.query_one("#sentence", Static).update(Content("Stopping…"))
        else:
            self.dismiss(self._changed)


_REPAIR: Final = (
    "Press r to see what repairs the stack: nothing is changed until you confirm that plan. "
    "Afterwards this one can be made again."
)
_UNTOUCHED: Final = "The stack is as it was: nothing was written."
_UNSURE: Final = "The stack is not as it was when the plan was made; what it is now is on the main screen."


def _lock_warning(lock: UnlistedFile) -> str:
    return f"{lock_words(lock)}. Nothing can be applied while it is there: u shows a plan that removes it."


def _progress_text(progress: Progress) -> str:
    """`refs  61 %  ██████████████░░░░░░░░░░`, or the phase alone when nobody knows how long it is."""
    if not progress.total:
        return f"{progress.phase}…"
    done = min(progress.done, progress.total)
    full = _BAR_WIDTH * done // progress.total
    percent = 100 * done // progress.total
    return f"{progress.phase}  {percent:>3} %  {'█' * full}{'░' * (_BAR_WIDTH - full)}"

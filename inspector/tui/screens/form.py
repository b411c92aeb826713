"""A form that becomes an action: fields, what is wrong with them, and the way on to the plan."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Button, Input, RadioSet, Static, TextArea

from inspector.actions import Action, Workplace
from inspector.model import Journal
from inspector.text import safe_name
from inspector.tui.screens.dialog import Dialog
from inspector.tui.screens.plan import ActionScreen, Phase
from inspector.tui.work import failure_text


def field(label: str, widget: Widget) -> Horizontal:
    """A line of a form: what it is, and where it is typed or chosen."""
    return Horizontal(Static(label, classes="label", markup=False), widget, classes="field")


class FormScreen(Dialog[bool]):
    """The answer says whether the stack may have been changed."""

    answer = False

    DEFAULT_CSS = """
    FormScreen {
        & > .box { max-width: 100; height: auto; max-height: 1fr; padding: 1 1 0 1; }
        & #fields { height: auto; max-height: 1fr; }
        & .field { height: auto; }
        & .label { width: 14; color: $foreground-muted; }
        & #said { height: auto; margin: 1 0 0 0; color: $foreground-muted; }
        & #problem { height: auto; min-height: 1; margin: 1 0; }
        & #problem.-wrong { color: $text-warning; }
        & Input { width: 1fr; }
        & Input:focus { background: $surface-lighten-1; }
        & #plan { margin: 0 0 1 0; }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "plan", "Plan"),
        Binding("ctrl+g", "plan", "Plan", show=False),
        Binding("tab", "app.focus_next", "Next field"),
        Binding("shift+tab", "app.focus_previous", "Field before", show=False),
        Binding("escape", "leave", "Cancel"),
    ]

    def __init__(self, heading: str, workplace: Workplace, journal: Journal, *fields: Widget) -> None:
        """`fields` are the lines of the form."""
        self._said = Static(id="said", markup=False)
        self._wrong = Static(id="problem", markup=False)
        self._button = Button("Plan…", id="plan", compact=True)
        form = VerticalScroll(*fields, self._said, id="fields", can_focus=False)
        super().__init__(heading, form, self._wrong, self._button)
        self._workplace = workplace
        self._journal = journal
        self._refused: str | None = None
        self._problem: str | None = None

    @property
    def hint(self) -> str:
        """How it goes on once nothing is wrong."""
        return "Enter makes a plan; nothing is changed yet."

    def show_fields(self) -> None:
        """Show the fields that count, and hide the others."""

    @abstractmethod
    def check(self) -> str:
        """What the form comes to, in words. Raises ValueError for what keeps it from becoming an action."""

    @abstractmethod
    def action(self) -> Action[Any]:
        """What the form says to do. Called when there is no problem."""

    def on_mount(self) -> None:
        """Say at once if it is of no use to fill it in."""
        look = self._workplace.require_writable
        self._jobs.start("refusal", lambda _job: look(), lambda _nothing: None, self._refuse)
        self.refresh_form()

    def _refuse(self, error: Exception) -> None:
        self._refused = failure_text(error)
        self.refresh_form()

    @on(Input.Changed)
    @on(RadioSet.Changed)
    @on(TextArea.Changed)
    def refresh_form(self) -> None:
        """Show what the fields come to by now, or what is wrong with them."""
        self.show_fields()
        said, problem = "", self._refused
        try:
            said = safe_name(self.check())
        except ValueError as error:
            problem = problem or "\n".join(map(safe_name, str(error).splitlines()))
        self._problem = problem
        self._said.update(Content(said))
        self._wrong.set_class(problem is not None, "-wrong")
        self._wrong.update(Content(f"! {problem}" if problem is not None else self.hint))
        self._button.disabled = problem is not None

    @on(Input.Submitted)
    @on(Button.Pressed, "#plan")
    def action_plan(self) -> None:
        """Go on to the plan, if the form makes one."""
        self.refresh_form()
        if self._problem is None:
            screen = ActionScreen(self.action(), self._journal)
            self.app.push_screen(screen, lambda changed: self._back_from(screen, changed=bool(changed)))

    def _back_from(self, screen: ActionScreen, *, changed: bool) -> None:
        self.answer = self.answer or changed
        if screen.phase in (Phase.DONE, Phase.MADE):
            self.action_leave()

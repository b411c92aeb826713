"""A form that becomes an action: fields, what is wrong with them, and the way on to the plan."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from rich.cells import cell_len
from textual import on
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.events import Resize
from textual.geometry import Size
from textual.widget import Widget
from textual.widgets import Button, Input, RadioButton, RadioSet, Static, TextArea

from inspector.actions import Action, Workplace
from inspector.model import Journal
from inspector.text import safe_name
from inspector.tui.keys import bindings
from inspector.tui.screens.dialog import Dialog
from inspector.tui.screens.plan import ActionScreen, Phase
from inspector.tui.work import failure_text

Value = TypeVar("Value")


class _Option(RadioButton):
    """A radio button with a mark that is a letter, not a colour."""

    def render(self) -> Content:
        """The mark and the label, which alone is lit."""
        style = self.get_visual_style("toggle--label")
        return Content.assemble(f"({'*' if self.value else ' '}) ", self.label.stylize_before(style))

    def get_content_width(self, container: Size, viewport: Size) -> int:  # noqa: ARG002
        """As wide as that is."""
        return cell_len(self.label.plain) + 4


class Choice(RadioSet, Generic[Value], inherit_bindings=False):
    """One of a few options: `(*) this  ( ) that`.

    They are beside each other where there is room, or else, or if `vertical`, one above the other.

    Arrows choose at once, since enter is the form's.

    `options` are pairs of a value and its label, which is fit for a terminal. `chosen` is chosen at first.
    """

    DEFAULT_CSS = """
    Choice {
        width: 1fr;
        & > _Option { width: auto; max-width: 100%; text-wrap: nowrap; text-overflow: ellipsis; }
        & > _Option.-on > .toggle--label { text-style: bold; }
        &.-beside { layout: horizontal; height: 1; }
        &.-beside > _Option { margin-right: 2; }
    }
    """

    BINDINGS = bindings("choice")

    def __init__(
        self,
        options: Sequence[tuple[Value, str]],
        *,
        chosen: Value | None = None,
        vertical: bool = False,
        id: str | None = None,  # noqa: A002 - Textual's name
    ) -> None:
        self._values = [value for value, _label in options]
        self._chosen = self._values.index(chosen) if chosen is not None else 0
        labels = (Content(label) for _value, label in options)
        self._buttons = [_Option(label, number == self._chosen) for number, label in enumerate(labels)]
        self._vertical = vertical
        super().__init__(*self._buttons, id=id, classes="" if vertical else "-beside", compact=True)

    def on_resize(self, event: Resize) -> None:
        """Beside each other as long as all are seen."""
        needed = sum(cell_len(button.label.plain) + 6 for button in self._buttons) - 2
        self.set_class(not self._vertical and needed <= event.size.width, "-beside")

    @property
    def value(self) -> Value:
        """The value of the chosen option."""
        return self._values[self._chosen]

    @value.setter
    def value(self, value: Value) -> None:
        self._choose(self._values.index(value))

    def _choose(self, number: int) -> None:
        self._chosen = number
        self._buttons[number].value = True

    def on_radio_set_changed(self, event: RadioSet.Changed) -> None:
        """Another option was chosen, maybe by a click."""
        self._chosen = event.index

    def action_choose(self, step: int) -> None:
        """Choose the next option, or the one before; after the last comes the first."""
        self._choose((self._chosen + step) % len(self._values))


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

    BINDINGS = bindings("form")

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
        """Say at once if it can come to no more than a plan."""
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
        said, problem = "", None
        try:
            said = safe_name(self.check())
        except ValueError as error:
            problem = "\n".join(map(safe_name, str(error).splitlines()))
        self._problem = problem
        self._said.update(Content(said))
        warnings = [text for text in (self._refused, problem) if text is not None]
        self._wrong.set_class(bool(warnings), "-wrong")
        self._wrong.update(Content("\n".join(f"! {text}" for text in warnings) or self.hint))
        self._button.disabled = problem is not None

    @on(Input.Submitted)
    @on(Button.Pressed, "#plan")
    def action_plan(self) -> None:
        """Go on to the plan, if the form makes one."""
        self.refresh_form()
        if self._problem is None:
            screen = ActionScreen(self.action(), self._journal)
            self.app.push_screen(screen, lambda changed: self._back_from(screen, changed=bool(changed)))

    def action_submit(self) -> None:
        """Go on to the plan, by the key that does so in fields of one line."""
        self.action_plan()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """In a text of several lines the key is a new one, and not offered for the plan."""
        if action == "submit":
            return not isinstance(self.focused, TextArea)
        return super().check_action(action, parameters)

    def _back_from(self, screen: ActionScreen, *, changed: bool) -> None:
        self.answer = self.answer or changed
        if screen.phase in (Phase.DONE, Phase.MADE):
            self.action_leave()

"""The last question before the stack is changed."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Button, Input, Static

from inspector.actions import Typed
from inspector.tui.screens.dialog import Dialog


class ConfirmScreen(Dialog[bool]):
    """One sentence and two buttons, the harmless one under the keys; True when the other was pressed."""

    HELP = """
    The last question before the stack is changed. Enter on Cancel, and escape, change nothing.

    The plan is applied as a whole or not at all. Other processes may read and write meanwhile: locks see
    to it that no change of theirs is lost, and if the stack has changed by then, nothing is done.
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
        & Input { margin-bottom: 1; }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(False)", "Cancel"),
        Binding("left,right,tab", "app.focus_next", "Next"),
        Binding("shift+tab", "app.focus_previous", "Before", show=False),
    ]

    def __init__(self, title: str, sentence: str, verb: str, typed: Typed | None = None) -> None:
        """With `typed`, the button works once that has been typed."""
        self._typed = typed
        others = (
            "Other processes may go on working on the stack; if one of them changes it first, "
            "nothing is done."
        )
        parts: list[Widget] = [Static(sentence, markup=False), Static(others)]
        if typed is not None:
            why = Content.styled(f"! {typed.why}\n", "$text-warning")
            ask = Content.assemble(why, "To go on, type: ", (typed.text, "bold"))
            parts += [Static(ask, id="why"), Input(id="typed")]
        go = Button(Content(verb), id="go", disabled=typed is not None)
        super().__init__(title, *parts, Horizontal(Button("Cancel", id="cancel"), go))

    def on_mount(self) -> None:
        """Enter alone changes nothing: Cancel has the keys, or the field for what is to be typed."""
        self.query_one("#cancel" if self._typed is None else "#typed").focus()

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

"""What screens on top of the main screen have in common: a box with a title, a footer, and help."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import ClassVar, Generic, TypeVar

from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen

from inspector.tui.screens.help import HelpScreen, subject_of

__all__ = ["Dialog", "box"]

Answer = TypeVar("Answer")


def box(title: str, *, id: str) -> Vertical:  # noqa: A002 - Textual's name
    """The frame of a dialog; the title is fit for a terminal."""
    frame = Vertical(id=id, classes="box")
    frame.border_title = Content(title)
    return frame


class Dialog(ModalScreen[Answer], Generic[Answer]):
    """As large as the terminal allows, up to a width at which lines can still be read."""

    DEFAULT_CSS = """
    Dialog {
        align: center middle;
        & > .box {
            width: 100%;
            max-width: 110;
            height: 1fr;
            padding: 0 1;
            border: heavy $accent;
            border-title-style: bold;
            background: $surface;
        }
        & Button:focus { text-style: bold reverse; }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        # A question mark can also be typed into a field.
        Binding("f1,question_mark", "explain", "Help", key_display="f1"),
    ]

    _parting: Callable[[], AwaitComplete] | None = None

    def dismiss(self, result: Answer | None = None) -> AwaitComplete:
        """Close the dialog; what lies over it is closed first, by the user."""
        if self.is_active:
            return super().dismiss(result)
        self._parting = partial(super().dismiss, result)
        return AwaitComplete()

    def on_screen_resume(self) -> None:
        """Close now what could not be closed below another screen."""
        if self._parting is not None:
            self._parting()

    def action_explain(self) -> None:
        """Explain what has the keys."""
        self.app.push_screen(HelpScreen(subject_of(self)))

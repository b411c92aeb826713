"""What screens on top of the main screen have in common: a box with a title, a footer, jobs, and help."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import ClassVar, Generic, TypeVar

from textual.app import ComposeResult
from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widget import Widget

from inspector.tui.screens.help import HelpScreen, subject_of
from inspector.tui.widgets.key_bar import KeyBar
from inspector.tui.work import Jobs

Answer = TypeVar("Answer")


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

    def __init__(self, heading: str = "") -> None:
        """`heading` is the title of the box, fit for a terminal."""
        super().__init__()
        self._heading = heading
        self._jobs = Jobs(self)

    def parts(self) -> Iterable[Widget]:
        """What is in the box."""
        return ()

    def compose(self) -> ComposeResult:
        """The box, and the keys below it."""
        with Vertical(classes="box") as box:
            box.border_title = Content(self._heading)
            yield from self.parts()
        yield KeyBar()

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

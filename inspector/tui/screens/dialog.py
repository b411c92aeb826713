"""What screens on top of the main screen have in common: a box with a title, a key bar, jobs, and help."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, Generic, TypeVar

from textual.app import ComposeResult
from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.events import ScreenResume
from textual.screen import ModalScreen, Screen
from textual.widget import Widget
from textual.widgets import Static

from inspector.tui.help import help_lines
from inspector.tui.widgets.key_bar import KeyBar
from inspector.tui.widgets.virtual_list import VirtualList
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

    answer: Answer | None = None
    """What the dialog is closed with when the user leaves it."""

    _parting: Callable[[], AwaitComplete] | None = None

    def __init__(self, heading: str, *parts: Widget) -> None:
        """`heading` is the title of the box, fit for a terminal; `parts` is what is in it."""
        super().__init__()
        self._heading = heading
        self._parts = parts
        self._jobs = Jobs(self)

    def compose(self) -> ComposeResult:
        """The box, and the keys below it."""
        box = Vertical(*self._parts, classes="box")
        box.border_title = Content(self._heading)
        return [box, KeyBar()]

    def dismiss(self, result: Answer | None = None) -> AwaitComplete:
        """Close the dialog; what lies over it is closed first, by the user."""
        if self.is_active:
            return super().dismiss(result)
        self._parting = partial(super().dismiss, result)
        return AwaitComplete()

    def on_screen_resume(self, event: ScreenResume) -> None:
        """Close now what could not be closed below another screen."""
        event.refresh_styles = False  # everything has been styled since it was made
        if self._parting is not None:
            self._parting()

    def action_leave(self) -> None:
        """Close the dialog."""
        self.dismiss(self.answer)

    def ask(self, screen: Screen[bool], go_on: Callable[[], None]) -> None:
        """Show a screen on top of this one, and go on if its answer is yes."""
        self.app.push_screen(screen, lambda yes: go_on() if yes else None)

    def action_explain(self) -> None:
        """Explain what has the keys."""
        self.app.push_screen(HelpScreen(self))


class HelpScreen(Dialog[None]):
    """A text to scroll through, above the screen it is about."""

    DEFAULT_CSS = """
    HelpScreen {
        & > .box { max-width: 84; height: auto; max-height: 1fr; border: round $accent; }
        & VerticalScroll { height: auto; max-height: 1fr; scrollbar-size-vertical: 1; }
    }
    """

    # The keys are the screen's, so that they work wherever the focus is.
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f1,escape,question_mark,q", "leave", "Close", key_display="esc"),
        *VirtualList.BINDINGS,
        Binding("space", "page(1)", "Page down"),
    ]

    def __init__(self, screen: Screen[Any]) -> None:
        self._text = VerticalScroll(Static(Content("\n").join(help_lines(screen))), can_focus=False)
        super().__init__("Help", self._text)

    def action_move(self, lines: int) -> None:
        """Scroll by `lines`."""
        self._text.scroll_relative(y=lines, animate=False)

    def action_page(self, pages: float) -> None:
        """Scroll by so many pages."""
        self.action_move(int(pages * max(1, self._text.size.height - 1)))

    def action_first(self) -> None:
        """Scroll to the beginning."""
        self._text.scroll_home(animate=False)

    def action_last(self) -> None:
        """Scroll to the end, which is the glossary."""
        self._text.scroll_end(animate=False)

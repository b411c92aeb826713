"""What screens on top of the main screen have in common: a box with a title, a key bar, jobs, and help.

Some are a list, with words above it, and below it what is under the cursor, in full.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Generic, TypeVar

from textual import on
from textual.app import App, ComposeResult
from textual.await_complete import AwaitComplete
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.events import ScreenResume
from textual.screen import ModalScreen, Screen
from textual.widget import Widget
from textual.widgets import Button, Input, Static

from inspector.actions import Typed
from inspector.model import Place, is_placed, place_words, places_of
from inspector.rows import SequenceRows
from inspector.tui.help import help_text, help_words, key_columns, matching
from inspector.tui.key_actions import KeyAction, key_actions
from inspector.tui.keys import bindings
from inspector.tui.navigation import Go
from inspector.tui.widgets.key_bar import KeyBar
from inspector.tui.widgets.virtual_list import Column, ListPane, VirtualList
from inspector.tui.work import Jobs

Answer = TypeVar("Answer")
Row = TypeVar("Row")


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

    BINDINGS = bindings("dialog")

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

    def copy_command(self, command: str) -> None:
        """Copy a command line."""
        self.app.copy_to_clipboard(command)
        self.notify("Copied the command line.")

    @property
    def is_busy(self) -> bool:
        """Whether something is being changed, so that the user cannot go elsewhere."""
        return False

    @property
    def places(self) -> tuple[Place, ...]:
        """Where the row under the cursor leads, the first destination first."""
        return ()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Without a row that leads somewhere there is nowhere to go."""
        if action in ("follow", "leads_to"):
            return bool(self.places)
        return super().check_action(action, parameters)

    def action_follow(self) -> None:
        """Go where the row leads first."""
        if places := self.places:
            self.go(places[0])

    def action_leads_to(self) -> None:
        """List all places that the row leads to."""
        if places := self.places:
            choose_place(self.app, places, self.go)

    def go(self, place: Place) -> None:
        """Go to a place: the main screen does, and puts this dialog away."""
        self.post_message(Go(place))


class _HelpFilter(Input):
    """Leaves the key that has opened help to it."""

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Take all other characters."""
        return character != "?" and super().check_consume_key(key, character)


class HelpScreen(Dialog[KeyAction | None]):
    """The keys that work on a screen, which typing filters, and the words below; closed with one to run."""

    DEFAULT_CSS = """
    HelpScreen {
        overflow: hidden;
        & > .box { max-width: 160; border: round $accent; }
        & #hint { height: 1; color: $foreground-muted; text-wrap: nowrap; text-overflow: ellipsis; }
        & VerticalScroll { height: 1fr; scrollbar-size-vertical: 1; scrollbar-gutter: stable; }
        & #text { max-width: 96; }
    }
    """

    BINDINGS = bindings("help")

    def __init__(self, screen: Screen[Any]) -> None:
        self._actions = key_actions(screen)
        self._about = help_text(screen)
        self._shown: list[KeyAction] = []
        self._chosen = -1
        self._filter = _HelpFilter(placeholder="type to filter; enter runs the marked one", compact=True)
        self._filter.cursor_blink = False
        self._hint = Static(id="hint", markup=False)
        self._keys = Static(id="keys")
        self._words = Static(id="text")
        self._text = VerticalScroll(self._keys, self._words, can_focus=False)
        super().__init__("Help", self._filter, self._hint, self._text)

    def on_mount(self) -> None:
        """What is typed filters."""
        self._filter.focus()
        self._draw()

    def on_resize(self) -> None:
        """Another width, other columns."""
        self._draw()

    @on(Input.Changed)
    def _filter_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._chosen = 0 if event.value.strip() else -1
        self._draw()
        self._text.scroll_home(animate=False)

    def _draw(self) -> None:
        query = self._filter.value
        self._shown = matching(self._actions, query)
        self._chosen = min(self._chosen, len(self._shown) - 1)
        width = max(20, min(self.app.size.width, 160) - 6)
        lines, line = key_columns(self._shown, self._chosen, width)
        self._keys.update(Content("\n").join(lines))
        self._words.update(Content("\n").join(help_words(self._about, query)))
        self._hint.update(self._shown[self._chosen].hint if self._chosen >= 0 else "")
        if not self._text.scroll_y <= line < self._text.scroll_y + self._text.size.height - 1:
            self._text.scroll_to(y=max(0, line - 1), animate=False)

    def action_move(self, lines: int) -> None:
        """Mark the next key, or the one before."""
        if self._shown:
            self._chosen = max(0, min(self._chosen + lines, len(self._shown) - 1))
            self._draw()

    def action_page(self, pages: float) -> None:
        """Scroll by so many pages."""
        self._text.scroll_relative(y=int(pages * max(1, self._text.size.height - 1)), animate=False)

    def action_run(self) -> None:
        """Close, and do what the key that is marked does."""
        if self._chosen >= 0:
            self.dismiss(self._shown[self._chosen])


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
            max-height: 100%;
            padding: 0 2;
            border: heavy $warning;
        }
        & #asked { height: auto; max-height: 1fr; scrollbar-size-vertical: 1; }
        & Static { margin-bottom: 1; }
        & Horizontal { height: auto; align-horizontal: right; }
        & Button { margin-left: 2; }
    }
    """

    BINDINGS = bindings("confirm")

    def __init__(self, title: str, sentence: str, verb: str, typed: Typed | None = None) -> None:
        """With `typed`, the button works once that has been typed."""
        self._typed = typed
        others = (
            "Other processes may go on working on the stack; if one of them changes it first, "
            "nothing is done."
        )
        asked = VerticalScroll(Static(sentence, markup=False), Static(others), id="asked", can_focus=False)
        parts: list[Widget] = [asked]
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


class ListDialog(Dialog[Answer], Generic[Answer, Row]):
    """Shows the rows of one list."""

    DEFAULT_CSS = """
    ListDialog {
        & #words { display: none; height: auto; }
        & #detail { height: 6; padding: 0 1; border-top: solid $surface-lighten-3; }
        &.-wide > .box { max-width: 160; padding: 0; }
        &.-wide #words { padding: 0 1; }
        &.-small {
            & > .box { width: 90%; height: auto; max-height: 90%; }
            & ListPane { height: auto; max-height: 100%; }
            & VirtualList { height: auto; max-height: 60vh; }
        }
        &.-alone #detail { display: none; }
    }
    """

    def __init__(self, heading: str, rows: VirtualList[Row], *, classes: str = "") -> None:
        """Of class `-wide` it is for long lines, `-small` as high as the list, `-alone` without a detail."""
        self._list = rows
        self._leads = False
        self._said = Static(id="words", markup=False)
        self._text = Static(id="detail-text", markup=False)
        detail = VerticalScroll(self._text, id="detail", can_focus=False)
        super().__init__(heading, self._said, ListPane(rows), detail)
        self.set_classes(classes)

    def detail(self, row: Row) -> Sequence[Content]:  # noqa: ARG002
        """The lines about the row under the cursor."""
        return ()

    def on_mount(self) -> None:
        """Keys go to the list."""
        self._list.focus()
        self._list.source_changed()

    @property
    def places(self) -> tuple[Place, ...]:
        """Where the row under the cursor leads."""
        row = self._list.current
        return places_of(row) if is_placed(row) else ()

    def say(self, words: str | Content) -> None:
        """Show these words above the list; none take no room."""
        self._said.display = bool(words)
        self._said.update(words)

    @on(VirtualList.Highlighted)
    def show_detail(self) -> None:
        """Show what is under the cursor by now."""
        row = self._list.current
        lines = () if row is None else self.detail(row)
        self._text.update(Content("\n").join(lines))
        if bool(self.places) != self._leads:  # other keys work then
            self._leads = not self._leads
            self.refresh_bindings()


class LeadsToScreen(ListDialog[Place, Place]):
    """The places that one row leads to; it is closed with the one that was chosen, or with None."""

    HELP = """
    What the row leads to. Enter goes there; the first one is where enter on the row itself goes. Afterwards
    backspace goes back to where you are now.
    """

    BINDINGS = bindings("leads")

    def __init__(self, places: Sequence[Place]) -> None:
        column: Column[Place] = Column("", lambda place, _: place_words(place), width=24, flex=1)
        rows: VirtualList[Place] = VirtualList([column], SequenceRows(places))
        super().__init__("Leads to", rows, classes="-small -alone")

    @on(VirtualList.Opened)
    def action_choose(self) -> None:
        """Go to the place under the cursor."""
        if (place := self._list.current) is not None:
            self.dismiss(place)


def choose_place(app: App[Any], places: Sequence[Place], go: Callable[[Place], None]) -> None:
    """List these places, and `go` to the one that is chosen."""
    app.push_screen(LeadsToScreen(places), lambda place: go(place) if place is not None else None)

"""A small application with panes, tabs, and all kinds of bindings, for the habits that every screen has."""

from __future__ import annotations

from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Input, Static

from inspector.tui.palette import InspectorCommands
from inspector.tui.terminal import TerminalApp
from inspector.tui.widgets.tab_line import TabLine


class Pane(Vertical):
    """A pane that explains itself; what has the keys is inside."""

    HELP = """
    The tables of the stack, oldest first: one line each, with the size as a bar.

    A table is a file that is never changed. Each transaction
    adds one; compactions
    write several anew as one.

      #  position, 0 for the oldest
    """


class Tables(Static, can_focus=True):
    """Something with keys of its own."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "move(1)", "Move", key_display="j/k"),
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("b", "block", "Block", tooltip="See the bytes [of] the block"),
        Binding("h", "hidden", "Hidden"),
        Binding("d", "dimmed", "Dimmed"),
        Binding("n", "nameless"),
    ]

    done: ClassVar[list[str]] = []

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        return {"hidden": False, "dimmed": None}.get(action, True)

    def action_move(self, rows: int) -> None:
        self.done.append(f"move {rows}")

    def action_block(self) -> None:
        self.done.append("block")


class Habits(Screen[None]):
    """Two tabs: a pane with an explanation, and one without."""

    # In one column Textual's screen shows its scroll bar and hides it again, for ever.
    DEFAULT_CSS = "Habits { overflow: hidden; }"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("R", "reload", "Reload"),
        Binding("q", "app.quit", "Quit"),
    ]

    def compose(self) -> ComposeResult:
        yield TabLine({"refs": Content("Refs"), "logs": Content("Logs")})
        with Pane():
            yield Tables("tables", id="tables")
        with Vertical(id="logs"):
            yield Input(id="input")
            yield VerticalScroll(id="scroll")

    def on_mount(self) -> None:
        self.show_tab("refs")
        self.query_one(Tables).focus()

    @on(TabLine.Chosen)
    def _tab_chosen(self, event: TabLine.Chosen) -> None:
        self.show_tab(event.tab)

    def show_tab(self, tab: str) -> None:
        self.query_one(TabLine).active = tab
        self.query_one(Pane).display = tab == "refs"
        self.query_one("#logs").display = tab == "logs"

    def action_reload(self) -> None:
        Tables.done.append("reload")


class HabitsApp(TerminalApp):
    """That screen, with help, palette and themes."""

    TITLE = CSS_PATH = None  # it is not the inspector
    COMMANDS: ClassVar[set[Any]] = {InspectorCommands}
    BINDINGS: ClassVar[list[BindingType]] = [Binding("question_mark", "explain", "Help")]

    def __init__(self) -> None:
        super().__init__()
        Tables.done.clear()

    def get_default_screen(self) -> Screen[Any]:
        return Habits()

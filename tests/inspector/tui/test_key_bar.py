"""The keys in the last line: those that do something now, each of which can be clicked."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.pilot import Pilot

from inspector.tui import MainScreen
from inspector.tui.widgets.key_bar import KeyBar
from tests.support.screens import branches, drive, inspect, make_stack, press, shown_lines


class Host(App[None]):
    """Has three keys, and a fourth that does the same as the third."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "take('a')", "Add"),
        Binding("b", "take('b')", "Blocks"),
        Binding("c", "take('c')", "Compact"),
        Binding("d", "take('c')", "Compact"),
        Binding("h", "take('h')", "Hidden", show=False),
    ]
    ENABLE_COMMAND_PALETTE = False

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[str] = []
        self.refused = ""

    def compose(self) -> ComposeResult:
        yield KeyBar()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return None if action == "take" and parameters[0] == self.refused else True

    def action_take(self, key: str) -> None:
        self.taken.append(key)


def last_line(app: App[Any]) -> str:
    return shown_lines(app)[-1].rstrip()


def test_each_action_is_shown_once_and_a_click_presses_its_key() -> None:
    app = Host()

    async def steps(pilot: Pilot[Any]) -> None:
        assert last_line(app) == "a Add b Blocks c Compact"
        for column in (0, 4, 5, 6, 13, 14, 15, 23, 24, 70):  # at the ends of each, between them, and behind
            await pilot.click(KeyBar, offset=(column, 0))
        assert app.taken == ["a", "a", "b", "b", "c", "c"]

    drive(app, steps)


def test_a_key_that_does_nothing_now_is_dim_and_not_pressed() -> None:
    app = Host()

    async def steps(pilot: Pilot[Any]) -> None:
        app.refused = "b"
        app.refresh_bindings()
        await pilot.pause()
        await pilot.click(KeyBar, offset=(7, 0))
        assert app.taken == []
        assert any(
            segment.text == "b" and segment.style is not None and segment.style.dim
            for segment in app.query_one(KeyBar).render_line(0)
        )

    drive(app, steps)


def test_what_has_no_room_is_left_out_whole() -> None:
    app = Host()

    async def steps(pilot: Pilot[Any]) -> None:
        for width, line in ((24, "a Add b Blocks c Compact"), (23, "a Add b Blocks"), (13, "a Add"), (4, "")):
            await pilot.resize_terminal(width, 5)
            assert last_line(app) == line

    drive(app, steps)


def test_nothing_is_drawn_anew_while_the_keys_stay() -> None:
    app = Host()

    async def steps(pilot: Pilot[Any]) -> None:
        bar, before = app.query_one(KeyBar), len(app.query("*"))
        drawn = bar._keys
        for _ in range(3):
            app.refresh_bindings()
            await pilot.pause()
        assert bar._keys is drawn
        assert len(app.query("*")) == before

    drive(app, steps)


def test_a_pair_of_keys_is_shown_where_both_do_something(tmp_path: Path) -> None:
    async def steps(pilot: Pilot[Any], _screen: MainScreen) -> None:
        await pilot.resize_terminal(250, 30)
        for tab, label in (("1", "y Copy"), ("3", "y/Y Copy"), ("5", "y Copy")):
            await press(pilot, tab)
            await pilot.pause()
            assert f" {label} " in shown_lines(pilot.app)[-1], tab

    inspect(make_stack(tmp_path / "reftable", (branches(2), [])), steps)

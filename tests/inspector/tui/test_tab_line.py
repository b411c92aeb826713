"""The row of tabs: drawn as Textual draws its own, in one widget."""

from __future__ import annotations

from typing import Any

import pytest
from rich.console import Console
from textual.app import App, ComposeResult
from textual.content import Content
from textual.pilot import Pilot
from textual.renderables.bar import Bar

from inspector.tui.themes import register_themes
from inspector.tui.widgets.tab_line import TabLine, _line
from tests.support.screens import drive

WIDTH = 20


class Host(App[None]):
    """Has two tabs, and notes which are clicked."""

    def __init__(self) -> None:
        super().__init__()
        register_themes(self)
        self.chosen: list[str] = []

    def compose(self) -> ComposeResult:
        yield TabLine({"one": Content("First"), "two": Content("2nd")})

    def on_mount(self) -> None:
        self.query_one(TabLine).active = "one"

    def on_tab_line_chosen(self, event: TabLine.Chosen) -> None:
        self.chosen.append(event.tab)


@pytest.mark.parametrize("start", [0, 1, 1.5, 6])
@pytest.mark.parametrize("end", [7, 7.5, 19.5, 20, 23])
def test_the_line_is_that_of_textual(start: float, end: float) -> None:
    console = Console(width=WIDTH, color_system="truecolor")
    bar = console.render(Bar((start, end), "red", "blue"))
    parts = [(text, style) for text, style in _line(start, end, WIDTH, "blue", "red") if text]
    assert parts == [(part.text, str(part.style)) for part in bar if part.text.strip("\n")]


def test_a_click_on_a_name_or_below_it_says_which_tab_it_is() -> None:
    app = Host()

    async def steps(pilot: Pilot[Any]) -> None:
        for x in range(WIDTH):
            for y in range(2):
                await pilot.click(TabLine, offset=(x, y))
        assert app.chosen == ["one"] * 14 + ["two"] * 10

    drive(app, steps)


def test_a_name_under_the_mouse_is_as_bright_as_that_of_the_tab_which_is_shown() -> None:
    app = Host()

    async def steps(pilot: Pilot[Any]) -> None:
        tabs = app.query_one(TabLine)

        def colours() -> list[Any]:
            return [one.style.color for one in tabs.render_line(0) if one.style and one.text.strip()]

        assert colours()[0] != colours()[1]
        await pilot.hover(TabLine, offset=(8, 0))
        assert colours()[0] == colours()[1]
        assert tabs.styles.pointer == "pointer"
        await pilot.hover(TabLine, offset=(8, 1))
        assert colours()[0] != colours()[1]
        assert tabs.styles.pointer == "default"
        await pilot.hover(TabLine, offset=(8, 0))
        await pilot.hover(offset=(8, 5))
        assert colours()[0] != colours()[1]

    drive(app, steps)


def test_the_heavy_part_slides_below_the_tab_that_is_shown() -> None:
    app = Host()

    async def steps(pilot: Pilot[Any]) -> None:
        app.animation_level = "full"
        tabs = app.query_one(TabLine)
        assert tabs.render_line(1).text[:8] == "╸━━━━━╺━"
        tabs.active = "two"
        await pilot.pause()
        assert tabs.render_line(1).text.index("╺") < 8
        await pilot.wait_for_scheduled_animations()
        assert tabs.render_line(1).text[:13] == "━━━━━━━╸━━━╺━"

    drive(app, steps)


def test_a_longer_label_moves_the_tabs_behind_it() -> None:
    app = Host()

    async def steps(_pilot: Pilot[Any]) -> None:
        tabs = app.query_one(TabLine)
        tabs.relabel("one", Content("Number one"))
        assert tabs._labels["one"].plain == "Number one"
        assert tabs.render_line(0).text.rstrip() == " Number one  2nd"
        assert tabs.render_line(1).text[:13] == "╸━━━━━━━━━━╺━"

    drive(app, steps)

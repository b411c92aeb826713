"""What can be clicked: tabs, rows, panes, the keys in the footer; and the wheel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from textual.pilot import Pilot

from inspector.tui import MainScreen
from inspector.tui.screens.dialog import HelpScreen
from inspector.tui.widgets.key_bar import KeyBar
from inspector.tui.widgets.record_pane import RefsPane
from inspector.tui.widgets.tab_line import TabLine
from inspector.tui.widgets.virtual_list import VirtualList
from tests.support.screens import branches, log, make_stack, settle, shown_lines
from tests.support.shared_screen import SharedScreen, shared_screen


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedScreen]:
    """Two tables: 300 refs, and a few log entries."""
    stack = make_stack(
        tmp_path_factory.mktemp("shared") / "reftable",
        (branches(300), [log(b"HEAD", 1)]),
        ([], [log(b"HEAD", 2)]),
    )
    with shared_screen(stack) as screen:
        yield screen


async def click_text(pilot: Pilot[Any], text: str) -> None:
    """Click the first place on screen that has this text, as a reader does."""
    await pilot.wait_for_animation()
    await settle(pilot)
    for y, line in enumerate(shown_lines(pilot.app)):
        if (x := line.find(text)) >= 0:
            await pilot.click(offset=(x + 1, y))
            await settle(pilot)
            return
    raise AssertionError(f"{text!r} is not on screen:\n" + "\n".join(shown_lines(pilot.app)))


def test_each_tab_can_be_clicked(shared: SharedScreen) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        tabs = screen.query_one(TabLine)
        for tab in tabs.names[::-1]:
            for line in range(2):
                await screen.action_tab(1)
                await pilot.click(TabLine, offset=(tabs.render_line(0).text.index(tab.capitalize()), line))
                await settle(pilot)
                assert tabs.active == tab
                assert screen.focused is not None
                assert screen._panes[tab] in screen.focused.ancestors

    shared(steps)


def test_a_click_on_the_tab_that_is_shown_leaves_the_keys_where_they_are(shared: SharedScreen) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        await pilot.press("tab")
        focused = screen.focused
        await pilot.click(TabLine, offset=(2, 0))
        await settle(pilot)
        assert screen.query_one(TabLine).active == "refs"
        assert screen.focused is focused is not screen.query_one(RefsPane).rows

    shared(steps)


def test_a_click_on_a_row_goes_there(shared: SharedScreen) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        await click_text(pilot, "branch-0000004")
        assert isinstance(screen.focused, VirtualList)
        assert screen.focused.current.record.name.endswith(b"branch-0000004")
        await click_text(pilot, "1 …00005eed")
        assert any(">  1 …00005eed" in line for line in shown_lines(pilot.app))

    shared(steps)


def test_a_click_on_a_key_in_the_footer_presses_it(shared: SharedScreen) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        assert screen.query(KeyBar)
        await click_text(pilot, "? Help")
        assert isinstance(pilot.app.screen, HelpScreen)

    shared(steps)

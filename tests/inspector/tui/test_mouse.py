"""What can be clicked: tabs, rows, panes, the keys in the footer; and the wheel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import TabbedContent, TabPane

from inspector.tui import MainScreen
from inspector.tui.screens.dialog import HelpScreen
from inspector.tui.widgets.key_bar import KeyBar
from inspector.tui.widgets.virtual_list import VirtualList
from tests.support.screens import branches, inspect, log, make_stack, settle, shown_lines


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """Two tables: 300 refs, and a few log entries."""
    return make_stack(tmp_path / "reftable", (branches(300), [log(b"HEAD", 1)]), ([], [log(b"HEAD", 2)]))


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


def test_each_tab_can_be_clicked(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        tabs = screen.query_one(TabbedContent)
        for pane in [*tabs.query(TabPane)][::-1]:
            await pilot.click(tabs.get_tab(pane.id or ""))
            await settle(pilot)
            assert tabs.active == pane.id
            assert screen.focused is not None
            assert pane in screen.focused.ancestors

    inspect(stack, steps)


def test_a_click_on_a_row_goes_there(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        await click_text(pilot, "branch-0000004")
        assert isinstance(screen.focused, VirtualList)
        assert screen.focused.current.record.name.endswith(b"branch-0000004")
        await click_text(pilot, "1 …00005eed")
        assert any(">  1 …00005eed" in line for line in shown_lines(pilot.app))

    inspect(stack, steps)


def test_a_click_on_a_key_in_the_footer_presses_it(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        assert screen.query(KeyBar)
        await click_text(pilot, "? Help")
        assert isinstance(pilot.app.screen, HelpScreen)

    inspect(stack, steps)

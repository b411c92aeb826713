"""A tab's pane is put on screen when it is first shown; until then it only follows the session."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from textual.css.stylesheet import Stylesheet
from textual.dom import DOMNode
from textual.pilot import Pilot
from textual.widget import Widget

from inspector.tui import MainScreen
from inspector.tui.screens.plan import RepairScreen
from inspector.tui.widgets.block_pane import BlockPane
from inspector.tui.widgets.block_tree import BlockTree
from inspector.tui.widgets.compaction_pane import CompactionPane
from inspector.tui.widgets.health_pane import HealthPane
from inspector.tui.widgets.hex_view import HexView
from inspector.tui.widgets.prefix_list import PrefixList
from inspector.tui.widgets.record_bar import Prompt, RecordBar
from inspector.tui.widgets.record_pane import LogsPane, RefsPane
from inspector.tui.widgets.status_line import StatusLine
from inspector.tui.widgets.tab_line import TabLine
from tests.support.screens import branches, inspect, log, make_stack, press, settle, shown_lines
from tests.support.stacks import listed

PANES: list[type[Widget]] = [RefsPane, LogsPane, BlockPane, CompactionPane, HealthPane]


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """Two tables: 30 refs, and two log entries."""
    return make_stack(tmp_path / "reftable", (branches(30), [log(b"HEAD", 1)]), ([], [log(b"HEAD", 2)]))


def made(screen: MainScreen) -> list[type[Widget]]:
    return [pane for pane in PANES if screen.query(pane)]


def test_a_pane_is_not_made_before_it_is_shown(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        assert made(screen) == [RefsPane]
        assert list(screen._panes) == ["refs", "logs"]
        await press(pilot, "3")
        assert made(screen) == [RefsPane, BlockPane]
        assert list(screen._panes) == ["refs", "logs", "blocks"]
        await press(pilot, "1", "3", "left_square_bracket", "5", "left_square_bracket")
        assert made(screen) == PANES
        assert all(len(screen.query(pane)) == 1 for pane in PANES)

    inspect(stack, steps)


def test_the_first_screen_is_made_of_few_widgets(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        # A screen below would be drawn as well, and have all of this one drawn again.
        assert pilot.app.screen_stack == [screen]
        # Each is styled, laid out and told a dozen things before anything is on screen.
        assert len(list(screen.walk_children())) <= 17

    inspect(stack, steps)


def test_a_prompt_and_the_tree_are_not_made_before_they_are_asked_for(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        pane = screen.query_one("#records-pane")
        assert not screen.query(Prompt)
        assert not screen.query(RecordBar)
        assert not screen.query(PrefixList)
        await press(pilot, "slash", "2")
        prompt = screen.query_one(RefsPane).query_one(".filter", Prompt)
        assert screen.focused is prompt
        assert prompt.value == "2"
        assert pane.has_class("-with-keys")
        await press(pilot, "escape", "f", "r")
        assert screen.focused is screen.query_one(RefsPane).query_one(".jump", Prompt)
        await press(pilot, "escape", "t")
        assert screen.focused is screen.query_one(PrefixList)
        assert pane.has_class("-with-keys")
        assert len(screen.query(Prompt)) == 2

    inspect(stack, steps)


def test_words_of_trouble_and_of_too_little_room_are_not_made_before_they_are_needed(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        assert not screen.query("#trouble, #too-small")
        await pilot.resize_terminal(50, 24)
        await settle(pilot)
        assert any("terminal too small" in line for line in shown_lines(pilot.app))
        await pilot.resize_terminal(100, 30)
        (stack / "tables.list").unlink()
        await press(pilot, "R")
        assert not any("terminal too small" in line for line in shown_lines(pilot.app))
        assert any(line.startswith(" ! tables.list") for line in shown_lines(pilot.app))
        assert len(screen.query("#trouble, #too-small")) == 2

    inspect(stack, steps)


def test_no_style_is_worked_out_again_for_the_theme_of_the_start(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], _screen: MainScreen) -> None:
        assert pilot.app.has_class("-theme-inspector-dark", "-dark-mode")
        assert pilot.app._css_update_count == 0

    inspect(stack, steps)


def test_no_style_is_worked_out_again_but_of_what_gets_the_keys(
    stack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again: list[DOMNode] = []
    update_nodes = Stylesheet.update_nodes

    def update(stylesheet: Stylesheet, nodes: Iterable[DOMNode], *, animate: bool = False) -> None:
        again.extend(nodes := list(nodes))
        update_nodes(stylesheet, nodes, animate=animate)

    monkeypatch.setattr(Stylesheet, "update_nodes", update)

    async def steps(_pilot: Pilot[Any], screen: MainScreen) -> None:
        assert again == [screen.query_one(RefsPane).rows]

    inspect(stack, steps)


def test_what_is_said_of_a_list_that_was_not_shown_yet_is_there_with_it(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        await press(pilot, "shift+tab", "enter")  # the refs of one table alone, and its logs as well
        assert made(screen) == [RefsPane]
        await press(pilot, "2")
        assert any("1 reflog entries · tombstones" in line for line in shown_lines(pilot.app))

    inspect(stack, steps)


def test_nothing_but_what_is_shown_first_is_given_the_keys(
    stack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Widget | None] = []
    set_focus = MainScreen.set_focus

    def give(screen: MainScreen, widget: Widget | None, *args: bool, **options: bool) -> None:
        given.append(widget)
        set_focus(screen, widget, *args, **options)

    monkeypatch.setattr(MainScreen, "set_focus", give)

    async def steps(_pilot: Pilot[Any], screen: MainScreen) -> None:
        assert screen.focused is screen.query_one(RefsPane).rows
        assert set(given) == {screen.focused}

    inspect(stack, steps)


def test_of_a_broken_stack_health_is_made_alone(stack: Path) -> None:
    (stack / listed(stack)[0]).unlink()

    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        assert HealthPane in made(screen)
        assert LogsPane not in made(screen)
        assert screen.query_one(HealthPane).known.is_checked
        await press(pilot, "1")
        assert RefsPane in made(screen)

    inspect(stack, steps)


@pytest.mark.parametrize(("key", "target"), [("j", BlockTree), ("h", HexView)])
def test_a_key_typed_right_after_that_of_a_tab_is_for_its_pane(
    stack: Path, key: str, target: type[Widget]
) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        refs = screen.query_one(RefsPane)
        pilot.app.simulate_key("3")
        pilot.app.simulate_key(key)
        await settle(pilot)
        assert isinstance(screen.focused, target)
        assert refs.rows.cursor == 0

    inspect(stack, steps)


def test_a_tab_that_takes_long_to_be_made_does_not_take_who_has_gone_on_back(
    stack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = MainScreen._build

    async def slowly(screen: MainScreen, tab: str) -> Widget:
        await asyncio.sleep(0.2 * (tab == "logs"))
        return await build(screen, tab)

    monkeypatch.setattr(MainScreen, "_build", slowly)

    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        pilot.app.simulate_key("2")
        await asyncio.sleep(0.05)
        await pilot.click(TabLine, offset=(15, 0))
        await asyncio.sleep(0.2)
        await settle(pilot)
        assert screen.query_one(TabLine).active == "blocks"
        assert isinstance(screen.focused, BlockTree)
        assert [pane for pane in made(screen) if screen.query_one(pane).display] == [BlockPane]

    inspect(stack, steps)


def test_keys_typed_right_after_that_of_the_logs_move_in_the_logs(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        for key in ("2", "j", "4", "A", "2"):
            pilot.app.simulate_key(key)
        await settle(pilot)
        assert screen.query_one(LogsPane).rows.cursor == 1
        assert screen.query_one(RefsPane).rows.cursor == 0
        assert screen.query_one(CompactionPane).study.marked == range(2)

    inspect(stack, steps)


def test_a_click_makes_the_pane_before_the_tab_is_shown(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        tabs = screen.query_one(TabLine)
        seen = []
        screen.watch(
            tabs, "active", lambda name: seen.append((name, bool(screen.query(LogsPane)))), init=False
        )
        await pilot.click(TabLine, offset=(8, 0))
        await settle(pilot)
        assert seen == [("logs", True)]
        assert screen.focused is screen.query_one(LogsPane).rows

    inspect(stack, steps)


def test_changes_before_a_pane_was_made_are_seen_in_it(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        make_stack(stack, ([], [log(b"HEAD", 3)]))
        await press(pilot, "R")
        assert made(screen) == [RefsPane]
        await press(pilot, "2")
        assert screen.query_one(LogsPane).rows.source.count == 3
        await press(pilot, "4")
        assert screen.query_one(CompactionPane).study.tables == screen._session.view.tables

    inspect(stack, steps)


def test_what_health_knows_at_once_is_counted_before_it_was_shown(stack: Path) -> None:
    (stack / "tables.list.lock").touch()
    os.utime(stack / "tables.list.lock", (0, 0))

    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        assert HealthPane not in made(screen)
        assert sum(screen.query_one(StatusLine).findings) == 1
        await press(pilot, "5")
        assert screen.query_one(HealthPane).known.counts().warnings == 1
        assert any("lock" in line[50:] for line in shown_lines(pilot.app))

    inspect(stack, steps)


def test_the_scope_chosen_before_the_logs_were_made_is_theirs(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        await press(pilot, "shift+tab", "enter", "2")
        assert screen.query_one(LogsPane).scope == screen.query_one(RefsPane).scope
        shown = screen.query_one(LogsPane).rows.source
        assert shown.count == 1

    inspect(stack, steps)


def test_a_repair_is_checked_even_if_health_was_never_shown(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        screen._act(RepairScreen(screen._workplace, screen._journal))
        await settle(pilot)
        pilot.app.screen.dismiss(True)
        await settle(pilot)
        assert pilot.app.screen is screen
        assert screen.query_one(HealthPane).known.is_checked
        assert screen.query_one(TabLine).active == "refs"

    inspect(stack, steps)

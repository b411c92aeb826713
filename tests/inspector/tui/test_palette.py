"""The command palette has every action that is possible, and does what it says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from textual.command import CommandPalette, DiscoveryHit, Hit
from textual.pilot import Pilot
from textual.widgets import OptionList

from inspector.tui.palette import InspectorCommands
from inspector.tui.terminal import Palette
from inspector.tui.widgets.tab_line import TabLine
from tests.support.habits import HabitsApp, Tables
from tests.support.screens import drive


def with_commands(steps: Callable[[Pilot[Any], InspectorCommands], Awaitable[None]]) -> None:
    """Run `steps` with what the palette would be made of."""
    app = HabitsApp()

    async def run(pilot: Pilot[Any]) -> None:
        commands = InspectorCommands(app.screen)
        await commands.startup()
        await steps(pilot, commands)

    drive(app, run)


async def listed(commands: InspectorCommands) -> dict[str, DiscoveryHit | Hit]:
    return {str(hit.text): hit async for hit in commands.discover()}


async def found(commands: InspectorCommands, query: str) -> dict[str, DiscoveryHit | Hit]:
    return {str(hit.text): hit async for hit in commands.search(query)}


def test_what_is_more_than_a_movement_is_listed_with_its_keys() -> None:
    async def steps(_pilot: Pilot[Any], commands: InspectorCommands) -> None:
        hits = await listed(commands)
        keyed = ["Block", "Reload", "Quit", "Suspend", "Help"]
        assert list(hits) == [*keyed, "Go to tab: Logs", "Theme…", "Screenshot"]
        assert str(hits["Quit"].prompt) == "Quit  q ctrl+q"
        assert str(hits["Help"].prompt) == "Help  ?"

    with_commands(steps)


def test_movements_and_themes_are_found_by_their_letters() -> None:
    async def steps(_pilot: Pilot[Any], commands: InspectorCommands) -> None:
        assert str((await found(commands, "mve"))["Move"].prompt) == "Move  ↓ j"
        assert "Reload" in await found(commands, "rld")
        assert "Theme: inspector-colour-blind" in await found(commands, "colour blind")
        assert await found(commands, "zzz") == {}

    with_commands(steps)


@pytest.mark.parametrize("query", ["hidden", "dimmed", "palette"])
def test_what_cannot_be_done_now_is_not_offered(query: str) -> None:
    async def steps(_pilot: Pilot[Any], commands: InspectorCommands) -> None:
        assert await found(commands, query) == {}
        assert query.title() not in await listed(commands)

    with_commands(steps)


def test_commands_do_what_they_say() -> None:
    async def steps(pilot: Pilot[Any], commands: InspectorCommands) -> None:
        async def run(title: str) -> None:
            result = (await found(commands, title))[title].command()
            if asyncio.iscoroutine(result):
                await result
            await pilot.pause()

        await run("Block")
        await run("Up")
        await run("Reload")
        assert Tables.done == ["block", "move -1", "reload"]
        await run("Go to tab: Logs")
        assert pilot.app.screen.query_one(TabLine).active == "logs"
        await run("Theme: inspector-light")
        assert pilot.app.theme == "inspector-light"
        await run("Quit")
        assert pilot.app.return_code == 0

    with_commands(steps)


def test_the_palette_opens_searches_and_runs() -> None:
    app = HabitsApp()

    async def steps(pilot: Pilot[Any]) -> None:
        await pilot.press("ctrl+p")
        assert CommandPalette.is_open(app)
        for _ in range(100):
            await app.workers.wait_for_complete()
            await pilot.pause()
            if app.screen.query_one(OptionList).option_count:
                break
        await pilot.press(*"bloc")
        await app.workers.wait_for_complete()
        await pilot.pause()
        options = app.screen.query_one(OptionList)
        prompt = str(options.get_option_at_index(0).prompt)
        assert prompt == "Block  b\nSee the bytes [of] the block"
        await pilot.press("enter")
        await pilot.pause()
        assert not CommandPalette.is_open(app)
        assert Tables.done == ["block"]

    drive(app, steps)


@pytest.mark.parametrize("size", [(120, 36), (1, 500), (16, 2)])
def test_keys_for_the_rows_do_nothing_where_there_are_none(size: tuple[int, int]) -> None:
    app = HabitsApp()

    async def steps(pilot: Pilot[Any]) -> None:
        app.simulate_key("ctrl+p")
        for key in ("pagedown", "pageup", "ctrl+end", "down"):  # before the search has found anything
            app.simulate_key(key)
        await pilot.pause(0.3)
        assert CommandPalette.is_open(app)
        await pilot.press("pagedown", "pageup", "escape", "b")
        assert Tables.done == ["block"]

    drive(app, steps, size)


def test_the_palette_of_themes_takes_no_keys_for_rows_that_are_not_there_either() -> None:
    app = HabitsApp()

    async def steps(pilot: Pilot[Any]) -> None:
        app.action_change_theme()
        for key in ("pagedown", "pageup", "down"):
            app.simulate_key(key)
        await pilot.pause(0.3)
        assert isinstance(app.screen, Palette)
        await pilot.press("pagedown", "pageup", "escape", "b")
        assert Tables.done == ["block"]

    drive(app, steps)


@pytest.mark.parametrize("turns", [0, 3, 30])
def test_a_palette_that_is_closed_while_it_searches_does_no_harm(turns: int) -> None:
    app = HabitsApp()

    async def steps(pilot: Pilot[Any]) -> None:
        app.simulate_key("ctrl+p")
        for _ in range(turns):
            await asyncio.sleep(0)
        app.simulate_key("escape")
        await pilot.pause(0.3)
        await pilot.press("b")
        assert Tables.done == ["block"]

    drive(app, steps)

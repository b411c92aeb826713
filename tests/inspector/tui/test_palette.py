"""The command palette has every action that is possible, and does what it says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from textual.command import CommandPalette, DiscoveryHit, Hit
from textual.css.query import NoMatches
from textual.pilot import Pilot
from textual.widgets import OptionList, TabbedContent
from textual.worker import WorkerFailed

from inspector.tui.palette import InspectorCommands
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
        assert pilot.app.screen.query_one(TabbedContent).active == "logs-tab"
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


def test_a_palette_that_is_closed_while_it_searches_does_no_harm() -> None:
    app = HabitsApp()

    async def steps(pilot: Pilot[Any]) -> None:
        await pilot.press("ctrl+p")
        palette = app.screen
        assert isinstance(palette, CommandPalette)
        await pilot.press("escape")
        # What its search does when it comes to an end only now.
        with pytest.raises(NoMatches) as late:
            palette._watch__list_visible()
        app._handle_exception(WorkerFailed(late.value))
        await pilot.press("b")
        assert Tables.done == ["block"]
        assert app.crash is None

    drive(app, steps)


def test_a_screen_that_is_left_before_it_is_built_does_no_harm() -> None:
    app = HabitsApp()

    async def steps(pilot: Pilot[Any]) -> None:
        await pilot.press("question_mark")
        left = app.screen
        await pilot.press("escape")
        with pytest.raises(NoMatches) as late:
            left.query_one("#something")
        app._handle_exception(late.value)
        await pilot.press("b")
        assert Tables.done == ["block"]
        assert app.crash is None

    drive(app, steps)


def test_any_other_search_in_vain_is_a_fault_as_ever() -> None:
    app = HabitsApp()

    async def steps(pilot: Pilot[Any]) -> None:
        with pytest.raises(NoMatches) as error:
            app.screen.query_one("#nowhere")
        app._handle_exception(error.value)
        await pilot.pause()

    with pytest.raises(NoMatches):
        drive(app, steps)
    assert isinstance(app.crash, NoMatches)

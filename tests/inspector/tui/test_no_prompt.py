"""What is typed behind a key that asks for a prompt is never a command, also where there is no prompt."""

from __future__ import annotations

import string
from collections.abc import Iterator
from typing import Any

import pytest
from textual.events import Key
from textual.keys import _character_to_key
from textual.pilot import Pilot
from textual.screen import Screen

from inspector.tui import MainScreen
from inspector.tui.screens import NoPromptScreen
from inspector.tui.screens.tour import TourApp
from inspector.tui.widgets.record_bar import Prompt
from inspector.tui.widgets.tab_line import TabLine
from tests.support.screens import branches, drive, log, make_stack, press, settle
from tests.support.shared_screen import SharedScreen, shared_screen

_COMMANDS = "maqrwcB5/f"
"""Keys that do something on the main screen, or leave it."""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedScreen]:
    directory = tmp_path_factory.mktemp("shared") / "reftable"
    stack = make_stack(directory, (branches(30), [log(b"HEAD", 1)]), (branches(2, 2), [log(b"HEAD", 2)]))
    with shared_screen(stack) as screen:
        yield screen


async def _type(pilot: Pilot[Any], keys: str) -> Screen[Any]:
    """What is on top once all of them, typed as fast as they can be, have been carried out."""
    for key in keys:
        pilot.app.simulate_key({"/": "slash"}.get(key, key))
    await settle(pilot)
    await pilot.pause()
    return pilot.app.screen


@pytest.mark.parametrize("asked", ["/", "f"])
@pytest.mark.parametrize("page", ["4", "5", "B", "L", "T", "@", "w"])
def test_where_nothing_can_be_typed_for_it_says_so_and_takes_what_is_typed(
    shared: SharedScreen, page: str, asked: str
) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        below = await _type(pilot, {"@": ["at"]}.get(page, page))
        on_top = await _type(pilot, asked + _COMMANDS)
        assert isinstance(on_top, NoPromptScreen)
        assert pilot.app.screen_stack[-2] is below
        await press(pilot, "enter")
        assert pilot.app.screen is below
        assert screen.query_one(TabLine).active == {"4": "compaction", "5": "health"}.get(page, "refs")

    shared(steps)


@pytest.mark.parametrize("pane", ["stack", "detail"])
@pytest.mark.parametrize(("asked", "prompt"), [("/", "filter"), ("f", "jump")])
def test_beside_a_list_it_is_the_prompt_of_the_list(
    shared: SharedScreen, pane: str, asked: str, prompt: str
) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        await press(pilot, "shift+tab" if pane == "stack" else "tab")
        assert screen.focused is not None
        assert any(node.id in ("stack-pane", "detail") for node in screen.focused.ancestors_with_self)
        assert await _type(pilot, f"{asked}maq") is screen
        assert isinstance(screen.focused, Prompt)
        assert screen.focused.has_class(prompt)
        assert screen.focused.value == "maq"

    shared(steps)


@pytest.mark.parametrize("asked", ["/", "f"])
def test_every_character_can_be_typed_into_a_prompt(shared: SharedScreen, asked: str) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        await _type(pilot, asked)
        prompt = screen.focused
        assert isinstance(prompt, Prompt)
        characters = " " + string.ascii_letters + string.digits + string.punctuation
        for character in characters:
            pilot.app.post_message(Key(_character_to_key(character), character))
        await settle(pilot)
        assert pilot.app.screen is screen
        assert pilot.app.screen is screen
        assert prompt.value == characters
        await press(pilot, "down")
        assert not isinstance(screen.focused, Prompt)

    shared(steps)


def test_beside_blocks_it_asks_for_an_offset(shared: SharedScreen) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        await press(pilot, "3", "shift+tab")
        assert await _type(pilot, "f24") is screen
        assert isinstance(screen.focused, Prompt)
        assert screen.focused.value == "24"

    shared(steps)


def test_the_tour_takes_it_as_text_too() -> None:
    app = TourApp()

    async def steps(pilot: Pilot[Any]) -> None:
        below = app.screen
        assert isinstance(await _type(pilot, "/Aq"), NoPromptScreen)
        await press(pilot, "escape")
        assert app.screen is below

    drive(app, steps)

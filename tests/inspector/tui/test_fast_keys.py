"""Keys that come faster than the screen: each acts on what the keys before it have led to."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from textual.events import Key, Paste
from textual.pilot import Pilot
from textual.widgets import Input

from engine.format import RefRecord
from engine.table import Table
from inspector.tui import MainScreen
from inspector.tui.screens.journal import JournalScreen
from inspector.tui.widgets.record_bar import Prompt
from inspector.tui.widgets.record_pane import RefsPane
from inspector.tui.widgets.tab_line import TabLine
from tests.support.screens import branches, log, make_stack, press, settle
from tests.support.shared_screen import SharedScreen, shared_screen
from tests.support.thinning import thinned


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedScreen]:
    stack = make_stack(
        tmp_path_factory.mktemp("shared") / "reftable",
        (branches(30), [log(b"HEAD", 1)]),
        ([], [log(b"HEAD", 2)]),
    )
    with shared_screen(stack) as screen:
        yield screen


async def turns(count: int) -> None:
    """Let everything that can go on go one step further, so many times."""
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("keys", "tab"),
    thinned([("34512", "logs"), ("345", "health"), ("543215", "health"), ("54321", "refs")], 2),
)
def test_the_last_of_many_tabs_is_where_the_focus_is(shared: SharedScreen, keys: str, tab: str) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        for key in keys:
            pilot.app.simulate_key(key)
        await settle(pilot)
        await pilot.pause()
        tabs = screen.query_one(TabLine)
        assert tabs.active == tab
        assert screen.focused is not None
        assert screen._panes[tab] in screen.focused.ancestors

    shared(steps)


def test_a_tab_that_tells_late_that_it_is_shown_takes_no_keys_from_a_prompt(shared: SharedScreen) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        await pilot.press("2")
        pilot.app.simulate_key("1")
        pilot.app.simulate_key("slash")
        await settle(pilot)
        await pilot.press("x")
        prompt = screen.query_one(RefsPane).query_one(".filter", Prompt)
        assert screen.focused is prompt
        assert prompt.value == "x"

    shared(steps)


@pytest.mark.parametrize(("key", "prompt"), [("slash", ".filter"), ("f", ".jump")])
def test_what_is_typed_after_a_prompt_is_asked_for_is_for_the_prompt(
    shared: SharedScreen, key: str, prompt: str
) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        await pilot.press("2")
        for letter in ["1", key, *"cf1pax", "left_square_bracket"]:
            pilot.app.simulate_key(letter)
        pilot.app.post_message(Key("slash", "/"))
        await settle(pilot)
        assert pilot.app.screen is screen
        assert screen.query_one(RefsPane).query_one(prompt, Prompt).value == "cf1pax/"

    shared(steps)


@pytest.mark.parametrize(("leaving", "kept"), [("enter", "branch"), ("down", "branch"), ("escape", "")])
def test_what_is_typed_after_a_prompt_is_for_the_list(shared: SharedScreen, leaving: str, kept: str) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        await pilot.press("slash")
        prompt = screen.query_one(RefsPane).query_one(".filter", Prompt)
        for key in [*"branch", leaving, "G"]:
            pilot.app.simulate_key(key)
        await settle(pilot)
        assert screen.focused is screen.query_one(RefsPane).rows
        assert prompt.value == kept

    shared(steps)


@pytest.mark.parametrize("key", thinned(["at", "T", "w", "question_mark", "y", "E"], 3))
def test_what_is_opened_can_be_left_at_once(shared: SharedScreen, key: str) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        for _ in range(3):
            pilot.app.simulate_key(key)
            pilot.app.simulate_key("escape")
        await settle(pilot)
        for _ in range(4):
            if pilot.app.screen is not screen:
                await pilot.press("escape")
        assert pilot.app.screen is screen
        await pilot.press("j")
        assert pilot.app.is_running

    shared(steps)


@pytest.mark.parametrize("key", thinned(["T", "w"], 2))
def test_a_key_after_a_dialog_is_left_is_for_the_screen_below(shared: SharedScreen, key: str) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        for count in range(7):  # until the dialog is between having the keys and being gone
            await press(pilot, key)
            assert pilot.app.screen is not screen
            pilot.app.simulate_key("escape")
            await turns(count)
            pilot.app.simulate_key("at")
            await settle(pilot)
            assert isinstance(pilot.app.screen, JournalScreen), count
            await press(pilot, "escape")
            assert pilot.app.screen is screen

    shared(steps)


def test_a_key_on_its_way_through_a_dialog_that_is_closed_is_for_the_screen_below(
    shared: SharedScreen,
) -> None:
    async def steps(pilot: Pilot[Any], _screen: MainScreen) -> None:
        await press(pilot, "T")
        dialog = pilot.app.screen
        taker = dialog.focused
        assert taker is not None
        is_free = asyncio.Event()
        taker.call_later(is_free.wait)
        pilot.app.simulate_key("at")
        await turns(100)
        assert not taker._message_queue.empty()
        dialog.dismiss()
        await turns(100)
        is_free.set()
        await settle(pilot)
        assert isinstance(pilot.app.screen, JournalScreen)

    shared(steps)


@pytest.mark.parametrize(("key", "field"), [("e", "#time"), ("a", "#new")])
def test_what_is_typed_after_a_dialog_is_asked_for_is_for_its_field(
    shared: SharedScreen, key: str, field: str
) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        pilot.app.simulate_key("w")
        pilot.app.simulate_key(key)
        pilot.app.post_message(Key("n", "n"))
        pilot.app.post_message(Paste("o"))
        pilot.app.post_message(Key("w", "w"))
        await settle(pilot)
        assert pilot.app.screen is not screen
        assert pilot.app.screen.query_one(field, Input).value == "now"

    shared(steps)


def test_a_block_that_is_found_late_does_not_take_the_user_back(
    shared: SharedScreen, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, goes_on = threading.Event(), threading.Event()
    locate = Table.locate_ref

    def slow(table: Table, name: bytes) -> tuple[int, RefRecord] | None:
        begun.set()
        assert goes_on.wait(60)
        return locate(table, name)

    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        monkeypatch.setattr(Table, "locate_ref", slow)
        await pilot.press("b")
        while not begun.is_set():
            await pilot.pause(0.01)
        await pilot.press("5")
        goes_on.set()
        await settle(pilot)
        assert screen.query_one(TabLine).active == "health"

    shared(steps)

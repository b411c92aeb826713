"""Whatever stops git is what is seen first: the Health tab, which says how much there is of it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.widgets import TabbedContent

from engine.stack import Stack
from inspector.tui import InspectorApp, MainScreen
from inspector.tui.screens import RepairScreen
from tests.support.handmade import change_byte
from tests.support.screens import branches, log, make_stack, names, open_session, press, settle

_WATCH = 3600.0  # seconds: watched, but no look comes


def _damage_footer(stack: Path) -> None:
    change_byte(stack / names(stack)[0], -1)


def _damage_log_block(stack: Path) -> None:
    with Stack.open(stack, read_only=True) as opened:
        offset = opened.tables[1].footer.log_offset
    change_byte(stack / names(stack)[1], offset + 20)


def _lock(stack: Path) -> None:
    lock = stack / "tables.list.lock"
    lock.touch()
    os.utime(lock, (1, 1))


def _lose_list(stack: Path) -> None:
    (stack / "tables.list").unlink()


def _lose_line(stack: Path) -> None:
    lines = (stack / "tables.list").read_text().splitlines(keepends=True)
    (stack / "tables.list").write_text(lines[1])


def _open(stack: Path, *keys: str) -> tuple[str, str]:
    """The tab that is shown after the first moments and these keys, and what the tab of Health is called."""

    async def run() -> tuple[str, str]:
        with open_session(stack) as session:
            app = InspectorApp(session, watch=_WATCH)
            async with app.run_test(size=(100, 30)) as pilot:
                for key in keys:
                    await pilot.press(key)
                await settle(pilot)
                main = app.screen
                assert isinstance(main, MainScreen)
                tabs = main.query_one(TabbedContent)
                return tabs.active, tabs.get_tab("health-tab").label_text

    return asyncio.run(run())


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    return make_stack(tmp_path / "reftable", (branches(9), []), (branches(1, 2), [log(b"refs/heads/x", 2)]))


@pytest.mark.parametrize("harm", [_damage_footer, _damage_log_block, _lock, _lose_list, _lose_line])
def test_what_stops_git_is_shown_first_and_counted(stack: Path, harm: Callable[[Path], None]) -> None:
    harm(stack)
    tab, label = _open(stack)
    assert tab == "health-tab"
    assert label.startswith(("Health X", "Health !"))


def test_a_sound_stack_is_checked_and_opens_on_its_refs(stack: Path) -> None:
    assert _open(stack) == ("refs-tab", "Health")


def test_who_has_gone_elsewhere_by_then_is_left_there(stack: Path) -> None:
    _damage_log_block(stack)
    tab, label = _open(stack, "2")
    assert (tab, label[:8]) == ("logs-tab", "Health X")


def test_a_repair_is_planned_for_who_asks_before_it_is_known_what_is_wrong(stack: Path) -> None:
    _damage_log_block(stack)

    async def run() -> None:
        with open_session(stack) as session:
            app = InspectorApp(session, watch=_WATCH)
            async with app.run_test(size=(100, 30)) as pilot:
                app.simulate_key("r")
                await settle(pilot)
                assert isinstance(app.screen, RepairScreen)

    asyncio.run(run())


def test_where_nothing_is_known_to_be_wrong_the_key_of_a_repair_says_how_one_is_planned(stack: Path) -> None:
    async def run() -> None:
        with open_session(stack) as session:
            app = InspectorApp(session, watch=_WATCH)
            async with app.run_test(size=(100, 30), notifications=True) as pilot:
                await settle(pilot)
                await press(pilot, "r")
                assert isinstance(app.screen, MainScreen)
                assert any("w, then r" in note.message for note in app._notifications)

    asyncio.run(run())

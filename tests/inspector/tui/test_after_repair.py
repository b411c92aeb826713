"""What the Health tab says once a stack was repaired from the screen: the result of another check."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from inspector.tui import MainScreen
from inspector.tui.screens.plan import Phase
from inspector.tui.widgets.health_pane import HealthPane
from tests.support.actions import confirm, phase, until
from tests.support.handmade import change_byte
from tests.support.screens import branches, inspect, make_stack, press
from tests.support.stacks import listed


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    return make_stack(tmp_path / "reftable", *((branches(200, index), []) for index in range(1, 3)))


def state(screen: MainScreen) -> str:
    return str(screen.query_one(HealthPane).query_one("#health-state", Static).content)


async def back_from_repair(pilot: Pilot[Any], screen: MainScreen) -> None:
    await phase(pilot, Phase.PLANNED)
    await confirm(pilot)
    await phase(pilot, Phase.DONE)
    await pilot.press("escape")
    await until(pilot, lambda: pilot.app.screen is screen and screen.idle)


def test_damage_is_gone_from_the_state_line_once_it_is_repaired(stack: Path) -> None:
    change_byte(stack / listed(stack)[0], 28)

    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        await press(pilot, "5", "v")
        assert "X 1 error" in state(screen)
        await press(pilot, "r")
        await back_from_repair(pilot, screen)
        assert "error" not in state(screen)
        assert "2 of 2 tables checked" in state(screen)

    inspect(stack, steps)


def test_leftovers_are_gone_from_the_state_line_and_all_tables_checked(stack: Path) -> None:
    lock = stack / "tables.list.lock"
    lock.touch()
    os.utime(lock, (time.time() - 10000,) * 2)

    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        await press(pilot, "5")
        assert "! 1 warning" in state(screen)
        assert "no table has been checked yet" in state(screen)
        await press(pilot, "r")
        await back_from_repair(pilot, screen)
        assert "warning" not in state(screen)
        assert "2 of 2 tables checked" in state(screen)

    inspect(stack, steps)


def test_damage_that_undo_brings_back_is_in_the_state_line_again(stack: Path) -> None:
    change_byte(stack / listed(stack)[0], 28)

    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        await press(pilot, "5", "v", "r")
        await phase(pilot, Phase.PLANNED)
        await confirm(pilot)
        await phase(pilot, Phase.DONE)
        await pilot.press("z")
        await phase(pilot, Phase.PLANNED)
        await confirm(pilot)
        await phase(pilot, Phase.DONE)
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is screen and screen.idle)
        assert "X 1 error" in state(screen)
        assert "2 of 2 tables checked" in state(screen)

    inspect(stack, steps)

"""Removing one lock from the screen: this one and nothing else, a held one by force alone."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Button, Input

from inspector.actions import CompactAction
from inspector.tui import MainScreen
from inspector.tui.screens.dialog import ConfirmScreen
from inspector.tui.screens.plan import ActionScreen, Phase, RepairScreen
from tests.support import cli
from tests.support.actions import (
    ActionApp,
    act,
    confirm,
    held_lock,
    journal,
    leave,
    lines,
    phase,
    planned_repair,
    sentence,
    until,
    warnings,
    workplace,
)
from tests.support.handmade import change_byte
from tests.support.screens import (
    NARROW,
    WIDE,
    branches,
    footer,
    inspect,
    make_stack,
    press,
)
from tests.support.stacks import listed
from tests.support.tables import stack_files
from tests.support.thinning import thinned

LOCK = "tables.list.lock"


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """Four tables, and a temporary file that a repair would remove."""
    directory = make_stack(
        tmp_path / "reftable", *((branches(count, at), []) for at, count in enumerate((3, 500, 3, 3), 1))
    )
    leave(directory, "0x000000000005-0x000000000005-00c0ffee.temp.abc123")
    return directory


def damage(stack: Path) -> None:
    """Make the stack one that does not open: the footer of a table has another checksum than its bytes."""
    table = stack / listed(stack)[1]
    change_byte(table, table.stat().st_size - 1)


def steps_of(screen: ActionScreen) -> list[str]:
    return [line for line in lines(screen) if line[:1].isdigit()]


@pytest.mark.parametrize("size", thinned([WIDE, NARROW], 2))
@pytest.mark.parametrize("file", ["tables.list", "table"])
def test_u_removes_the_lock_under_the_cursor_and_nothing_else(
    stack: Path, file: str, size: tuple[int, int]
) -> None:
    damage(stack)
    lock = leave(stack, LOCK if file == "tables.list" else f"{listed(stack)[0]}.lock")
    before = stack_files(stack)

    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        await press(pilot, "shift+tab", "G", "k")
        assert "Unlock…" in footer(pilot)
        await press(pilot, "u")
        shown = await planned_repair(pilot)
        assert steps_of(shown) == [f"1. remove-lock: {lock.name}"]
        assert f"{sum((3, 500, 3, 3)) - 9:,} kept, 0 lost" in sentence(shown)
        assert stack_files(stack) == before
        await confirm(pilot)
        shown = await phase(pilot, Phase.DONE)
        assert sentence(shown) == "Done. Checked again: 1 error."
        assert lines(shown) == [f"removed: {lock.name}"]
        await press(pilot, "escape")
        assert pilot.app.screen is screen

    inspect(stack, steps, size)
    del before[lock.name]
    assert stack_files(stack) == before


def test_the_command_on_screen_removes_the_same_lock(stack: Path) -> None:
    damage(stack)
    leave(stack, LOCK)
    before = stack_files(stack)

    async def steps(pilot: Pilot[Any], app: ActionApp) -> None:
        shown = await planned_repair(pilot)
        await pilot.press("y")
        command = shlex.split(app.copied[-1])
        told = cli.ok(*[one for one in command[1:] if one != "--apply"]).out.decode().splitlines()
        assert set(lines(shown)) <= {*told, ""}
        cli.run(*command[1:])

    act(RepairScreen(workplace(stack), journal(), locks=(LOCK,)), steps)
    del before[LOCK]
    assert stack_files(stack) == before


def test_a_held_lock_is_removed_by_force_alone(stack: Path) -> None:
    before = stack_files(stack)

    async def steps(pilot: Pilot[Any], _app: ActionApp) -> None:
        shown = await planned_repair(pilot)
        assert "Nothing can be done now" in sentence(shown)
        assert steps_of(shown) == [f"1. remove-lock (only with --force: press !): {LOCK}"]
        assert f"process {holder} (" in warnings(shown)
        assert "! adds it" in warnings(shown), "the key that is pressed below"
        await pilot.press("enter")
        assert pilot.app.screen is shown
        await pilot.press("!")
        shown = await planned_repair(pilot)
        assert steps_of(shown) == [f"1. remove-lock (by force): {LOCK}"]
        assert f"process {holder} (" in warnings(shown)
        assert "--force" in shown._action.command_line
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmScreen))
        asked = pilot.app.screen
        assert asked.query_one("#go", Button).disabled
        assert (stack / LOCK).exists()
        asked.query_one(Input).value = "force"
        await pilot.pause()
        asked.query_one("#go", Button).press()
        assert lines(await phase(pilot, Phase.DONE)) == [f"removed: {LOCK}"]

    with held_lock(stack / "tables.list") as holder:
        act(RepairScreen(workplace(stack), journal(), locks=(LOCK,)), steps)
    assert stack_files(stack) == before


def test_a_lock_on_the_list_is_not_in_the_way_of_removing_another_one(stack: Path) -> None:
    """That changes no list: who adds to the stack, or has died of it, has nothing to do with it."""
    table = leave(stack, f"{listed(stack)[0]}.lock")
    leave(stack, LOCK)
    before = stack_files(stack)

    async def steps(pilot: Pilot[Any], _app: ActionApp) -> None:
        assert not warnings(await planned_repair(pilot))
        await confirm(pilot)
        assert lines(await phase(pilot, Phase.DONE)) == [f"removed: {table.name}"]

    act(RepairScreen(workplace(stack), journal(), locks=(table.name,)), steps)
    del before[table.name]
    assert stack_files(stack) == before


def test_a_lock_that_is_gone_by_now_leaves_nothing_to_do(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], _app: ActionApp) -> None:
        assert "the lock is gone by now" in sentence(await planned_repair(pilot))
        assert "Apply…" not in footer(pilot)

    act(RepairScreen(workplace(stack), journal(), locks=(LOCK,)), steps)


def test_a_plan_with_a_lock_in_its_way_leads_to_the_removal_of_that_lock_alone(stack: Path) -> None:
    leave(stack, LOCK)
    temporary = next(stack.glob("*.temp.*"))

    async def steps(pilot: Pilot[Any], _app: ActionApp) -> None:
        await phase(pilot, Phase.PLANNED)
        await pilot.press("u")
        shown = await planned_repair(pilot)
        assert steps_of(shown) == [f"1. remove-lock: {LOCK}"]
        await confirm(pilot)
        await phase(pilot, Phase.DONE)
        assert temporary.exists()

    act(ActionScreen(CompactAction(workplace(stack), "all"), journal()), steps)

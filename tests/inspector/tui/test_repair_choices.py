"""What can be chosen on the repair screen: steps by force, and other options than the safest."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Button, Input

from engine.format import LogRecord
from engine.fsck import fsck
from engine.repair import plan_repair
from engine.stack import LockFile
from inspector.actions import RepairAction
from inspector.rows import OutcomeRows
from inspector.text import lost_sentence
from inspector.tui.screens.dialog import ConfirmScreen
from inspector.tui.screens.plan import Phase, RepairScreen
from inspector.tui.widgets.line_list import LineList
from tests.support import cli
from tests.support.actions import (
    ActionApp,
    act,
    confirm,
    held_lock,
    journal,
    lines,
    phase,
    planned_repair,
    sentence,
    until,
    warnings,
    workplace,
)
from tests.support.screens import (
    NARROW,
    WIDE,
    branches,
    damage_block,
    footer,
    log,
    make_stack,
)
from tests.support.stacks import listed
from tests.support.tables import stack_files

LOCK = "tables.list.lock"


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """Two tables, of which the older one has a block of refs that cannot be read."""
    return damaged(tmp_path, [])


def damaged(path: Path, logs: Sequence[LogRecord]) -> Path:
    """Make such a stack; where there are logs, they tell which refs are lost."""
    directory = make_stack(path / "reftable", (branches(500), logs), (branches(3, 2), []))
    damage_block(directory)
    return directory


def codes(stack: Path) -> set[str]:
    return {one.code for one in fsck(stack)}


def screen(stack: Path) -> RepairScreen:
    return RepairScreen(workplace(stack), journal())


async def confirmation(pilot: Pilot[Any]) -> ConfirmScreen:
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmScreen))
    assert isinstance(pilot.app.screen, ConfirmScreen)
    return pilot.app.screen


async def type_and_go(pilot: Pilot[Any], asked: ConfirmScreen, text: str) -> None:
    asked.query_one(Input).value = text
    await pilot.pause()
    asked.query_one("#go", Button).press()


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_a_held_lock_goes_only_once_force_is_typed(tmp_path: Path, size: tuple[int, int]) -> None:
    stack = make_stack(tmp_path / "reftable", (branches(3), []))
    lock = stack / LOCK

    async def steps(pilot: Pilot[Any], app: ActionApp) -> None:
        shown = await planned_repair(pilot)
        assert "Nothing can be done now" in sentence(shown)
        assert f"process {holder} (" in warnings(shown)
        assert "Force…" in footer(pilot)
        await pilot.press("enter")
        assert app.screen is shown, "there is nothing to confirm"
        await pilot.press("!")
        shown = await planned_repair(pilot)
        assert "No force" in footer(pilot)
        assert sentence(shown).startswith("1 step;")
        assert "may lose what that process writes" in warnings(shown)
        assert "end that process first" in warnings(shown)
        await pilot.press("y")
        assert "--force" in shlex.split(app.copied[-1])
        asked = await confirmation(pilot)
        assert asked.query_one("#go", Button).disabled
        await pilot.press("tab")
        asked.query_one(Input).value = "yes"
        await pilot.pause()
        assert asked.query_one("#go", Button).disabled
        assert lock.exists()
        await type_and_go(pilot, asked, "force")
        shown = await planned_or_done(pilot)
        assert "Checked again: no errors" in sentence(shown)
        assert f"removed: {LOCK}" in lines(shown)
        assert not lock.exists()

    with held_lock(stack / "tables.list") as holder:
        act(screen(stack), steps, size)
    assert codes(stack) == set()


async def planned_or_done(pilot: Pilot[Any]) -> RepairScreen:
    shown = await phase(pilot, Phase.DONE, Phase.FAILED)
    assert isinstance(shown, RepairScreen)
    assert shown.phase is Phase.DONE
    return shown


def test_where_refs_are_lost_as_well_their_number_is_typed_behind_force(tmp_path: Path) -> None:
    stack = damaged(tmp_path, [log(ref.name, 0) for ref in branches(500)])
    before = stack_files(stack)

    async def steps(pilot: Pilot[Any], _app: ActionApp) -> None:
        await planned_repair(pilot)
        await pilot.press("!")
        shown = await planned_repair(pilot)
        plan = shown._plan
        assert plan is not None
        assert plan.typed is not None
        word, number = plan.typed.text.split()
        assert word == "force"
        assert f"at least {int(number)} lost" in sentence(shown)
        assert f"At least {int(number)} refs will be lost: nothing of them can be read." in plan.typed.why
        one = lost_sentence(1, plan.made.plan)
        assert one == "At least 1 ref will be lost: nothing of it can be read."
        asked = await confirmation(pilot)
        asked.query_one(Input).value = "force"
        await pilot.pause()
        assert asked.query_one("#go", Button).disabled
        assert stack_files(stack).items() >= before.items()
        await type_and_go(pilot, asked, plan.typed.text)
        await planned_or_done(pilot)

    with held_lock(stack / "tables.list"):
        act(screen(stack), steps)
    assert not codes(stack) & {"lock-held", "lock-stale"}


def test_without_locks_in_the_way_force_is_not_offered(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], _app: ActionApp) -> None:
        shown = await planned_repair(pilot)
        assert "orce" not in footer(pilot)
        await pilot.press("!")
        assert shown.phase is Phase.PLANNED
        assert "--force" not in shown._action.command_line

    act(screen(stack), steps)


def test_another_option_is_planned_marked_and_named_in_the_command(stack: Path) -> None:
    table = listed(stack)[0]

    async def steps(pilot: Pilot[Any], app: ActionApp) -> None:
        shown = await planned_repair(pilot)
        assert f"1. rewrite-table: {table}" in lines(shown)
        assert "    or: set-aside, with --set-aside NAME" in lines(shown)
        assert "Other option" in footer(pilot)
        await pilot.press("G")
        assert "Other option" not in footer(pilot), "it is of no step"
        await pilot.press("g")
        await pilot.press("X")
        shown = await planned_repair(pilot)
        assert f"1. set-aside (as chosen): {table}" in lines(shown)
        await pilot.press("y")
        command = shlex.split(app.copied[-1])
        assert command[command.index("--set-aside") + 1] == table
        # The verb makes the same plan of it.
        told = cli.ok(*[one for one in command[1:] if one != "--apply"]).out.decode().splitlines()
        assert set(lines(shown)) <= {*told, ""}
        await pilot.press("X")
        shown = await planned_repair(pilot)
        assert f"1. rewrite-table: {table}" in lines(shown)
        assert "--set-aside" not in shown._action.command_line

    act(screen(stack), steps)


@pytest.mark.parametrize("option", ["set_aside", "take_up", "only"])
def test_a_chosen_table_that_is_gone_by_now_is_told(stack: Path, option: str) -> None:
    table = listed(stack)[0]
    (stack / table).unlink()
    with OutcomeRows() as store:
        action = replace(RepairAction(workplace(stack), store), **{option: (table,)})
        plan = action.plan(lambda _: None)
    assert plan.warnings[0] == f"{table} was chosen, but is gone by now: nothing is done with it."
    assert plan.made.gone == (table,)


def test_the_option_is_that_of_the_step_under_the_cursor(stack: Path) -> None:
    orphan = "0x000000000003-0x000000000003-0badcafe.ref"
    other = make_stack(stack.parent / "other", (branches(3), []), (branches(3, 2), []), (branches(4, 3), []))
    (stack / orphan).write_bytes((other / listed(other)[2]).read_bytes())
    old = time.time() - 3600
    os.utime(stack / orphan, (old, old))

    async def steps(pilot: Pilot[Any], _app: ActionApp) -> None:
        shown = await planned_repair(pilot)
        aside = next(line for line in lines(shown) if line.endswith(f"set-aside: {orphan}"))
        rows = shown.query_one(LineList)
        rows.go_to(int(aside.partition(".")[0]) - 1)
        await pilot.pause()
        await pilot.press("X")
        shown = await planned_repair(pilot)
        assert rows.current is not None
        assert rows.current.text.endswith(f"take-up (as chosen): {orphan}"), "the cursor stays with the file"
        assert f"--take-up {orphan}" in shown._action.command_line
        assert any("rewrite-table" in line for line in lines(shown)), "the other step is as it was"
        await pilot.press("end")
        await pilot.pause()
        await pilot.press("X")
        assert shown.phase is Phase.PLANNED, "the last lines are about no step"
        shown.action_again()
        await planned_or_done(pilot)
        # As the newest table, but under another name.
        assert listed(stack)[-1][:-12] == orphan[:-12]
        assert orphan not in listed(stack)

    act(screen(stack), steps)


def test_gaps_are_told_on_the_screen_as_by_the_verb(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], _app: ActionApp) -> None:
        shown = await planned_repair(pilot)
        assert "refs may be lost without trace:" in lines(shown)
        assert any(line.startswith("  between refs/heads/branch-") for line in lines(shown))
        assert "the last lines say where" in warnings(shown)

    act(screen(stack), steps)


def test_a_lock_that_comes_in_between_is_planned_for_with_u(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], _app: ActionApp) -> None:
        shown = await planned_repair(pilot)
        with LockFile(str(stack / "tables.list")):
            if shown._plan is not None and shown._plan.typed is None:
                await confirm(pilot)
            else:
                shown.action_again()
            failed = await phase(pilot, Phase.FAILED)
            assert "locked" in sentence(failed)
            assert "Unlock…" in footer(pilot)
            await pilot.press("u")
            shown = await planned_repair(pilot)
            assert any("remove-lock (only with --force: press !)" in line for line in lines(shown))

    act(screen(stack), steps)


def test_of_a_plan_that_knows_all_that_is_lost_no_more_is_said(tmp_path: Path) -> None:
    sound = make_stack(tmp_path / "reftable", (branches(2), []))
    one = lost_sentence(1, plan_repair(sound))
    assert one == "1 ref will be lost: nothing of it can be read."

"""From an action that cannot be done to what repairs the stack, and back: damage met, locks in the way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from engine.errors import CommittedError, LockError
from engine.stack import Stack
from inspector.actions import (
    CompactAction,
    ExpireAction,
    TableRange,
    UndoAction,
    explain,
    lock_words,
    seen_locks,
)
from inspector.tui import MainScreen
from inspector.tui.screens.plan import ActionScreen, Phase
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
from tests.support.thinning import thinned


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    return make_stack(tmp_path / "reftable", *((branches(3, index), []) for index in range(1, 5)))


def damage(stack: Path) -> None:
    with Stack.open(stack, read_only=True) as opened:
        table = opened.tables[1]
    change_byte(stack / table.name, 28)


async def repaired(pilot: Pilot[Any]) -> None:
    """Carry out the repair whose screen was asked for, and leave it."""
    (await planned_repair(pilot)).action_again()
    await phase(pilot, Phase.DONE)
    await pilot.press("escape")


@pytest.mark.parametrize("make", [lambda place: CompactAction(place, "all"), ExpireAction])
def test_a_plan_that_meets_damage_leads_to_the_repair_and_is_made_again(make: Any, stack: Path) -> None:  # noqa: ANN401
    damage(stack)

    async def steps(pilot: Pilot[Any], app: ActionApp) -> None:
        failed = await phase(pilot, Phase.FAILED)
        assert sentence(failed) == "A file of the stack is damaged."
        assert "Press r to see what repairs the stack" in "\n".join(lines(failed))
        assert "Repair…" in footer(pilot)
        await pilot.press("r")
        await repaired(pilot)
        assert app.screen is failed
        await phase(pilot, Phase.PLANNED)
        assert "3 tables" in sentence(failed)
        assert "Repair…" not in footer(pilot)
        await pilot.press("escape")

    app = act(ActionScreen(make(workplace(stack)), journal()), steps)
    assert app.answers == [True], "the stack was changed, though not by this action"


def test_a_range_is_known_again_by_a_table_that_was_written_anew(stack: Path) -> None:
    before = listed(stack)
    change_byte(stack / before[1], (stack / before[1]).stat().st_size - 1)
    action = CompactAction(workplace(stack), TableRange(0, 3, tuple(before[:3])))

    async def steps(pilot: Pilot[Any], _app: ActionApp) -> None:
        failed = await phase(pilot, Phase.FAILED)
        await pilot.press("r")
        await repaired(pilot)
        await phase(pilot, Phase.PLANNED)
        assert listed(stack)[1] != before[1]
        assert "3 tables" in sentence(failed)

    act(ActionScreen(action, journal()), steps)


def test_a_repair_that_was_not_made_leaves_the_plan_failed(stack: Path) -> None:
    damage(stack)

    async def steps(pilot: Pilot[Any], app: ActionApp) -> None:
        failed = await phase(pilot, Phase.FAILED)
        await pilot.press("r")
        await phase(pilot, Phase.PLANNED)
        await pilot.press("escape")
        assert app.screen is failed
        assert failed.phase is Phase.FAILED
        await pilot.press("R")
        await phase(pilot, Phase.FAILED)
        await pilot.press("escape")

    assert act(ActionScreen(CompactAction(workplace(stack), "all"), journal()), steps).answers == [False]


def test_a_plan_warns_of_a_lock_in_its_way_which_u_removes(stack: Path) -> None:
    lock = leave(stack, "tables.list.lock")

    async def steps(pilot: Pilot[Any], _app: ActionApp) -> None:
        shown = await phase(pilot, Phase.PLANNED)
        assert "tables.list.lock, 3h old: no process that can be seen has it open" in warnings(shown)
        assert "Unlock…" in footer(pilot)
        await pilot.press("u")
        await repaired(pilot)
        shown = await phase(pilot, Phase.PLANNED)
        assert not lock.exists()
        assert "lock" not in warnings(shown)
        assert "Unlock…" not in footer(pilot)
        await confirm(pilot)
        await phase(pilot, Phase.DONE)

    act(ActionScreen(CompactAction(workplace(stack), "all"), journal()), steps)
    assert len(listed(stack)) == 1


def test_a_plan_names_the_process_that_holds_the_lock(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], _app: ActionApp) -> None:
        shown = await phase(pilot, Phase.PLANNED)
        assert f"process {holder} (" in warnings(shown)

    with held_lock(stack / "tables.list") as holder:
        act(ActionScreen(CompactAction(workplace(stack), "all"), journal()), steps)


def test_a_compaction_needs_the_locks_of_its_own_tables_only(stack: Path) -> None:
    lock = leave(stack, f"{listed(stack)[1]}.lock")

    def plan_warnings(first: int, end: int) -> str:
        told: list[str] = []

        async def steps(pilot: Pilot[Any], _app: ActionApp) -> None:
            told.append(warnings(await phase(pilot, Phase.PLANNED)))

        tables = TableRange(first, end, tuple(listed(stack)[first:end]))
        act(ActionScreen(CompactAction(workplace(stack), tables), journal()), steps)
        return told[0]

    assert lock.name in plan_warnings(0, 2)
    assert lock.name not in plan_warnings(2, 4)


def test_a_change_that_is_made_is_not_called_not_done(stack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Something fails behind the commit: the snapshot cannot be finished."""

    def fail(*_: object, **__: object) -> None:
        raise CommittedError("tables.list", "No space left on device")

    async def steps(pilot: Pilot[Any], _app: ActionApp) -> None:
        await phase(pilot, Phase.PLANNED)
        monkeypatch.setattr("engine.snapshot.snapshot.settle", fail)
        await confirm(pilot)
        shown = await phase(pilot, Phase.MADE)
        assert sentence(shown) == "The change is made; something failed behind it."
        assert "not done" not in str(shown.query_one(".box").border_subtitle)
        assert "Try again" not in footer(pilot)
        assert shown.answer

    act(ActionScreen(CompactAction(workplace(stack), "all"), journal()), steps)
    assert len(listed(stack)) == 1


def test_a_plan_with_nothing_to_do_needs_no_lock(stack: Path) -> None:
    leave(stack, "tables.list.lock")

    async def steps(pilot: Pilot[Any], _app: ActionApp) -> None:
        shown = await phase(pilot, Phase.PLANNED)
        assert "Nothing to undo" in sentence(shown)
        assert not warnings(shown)

    act(ActionScreen(UndoAction(workplace(stack)), journal()), steps)


def test_a_lock_that_keeps_a_plan_from_being_applied_is_explained_with_the_way_out(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], app: ActionApp) -> None:
        await phase(pilot, Phase.PLANNED)
        leave(stack, "tables.list.lock")
        await confirm(pilot)
        failed = await phase(pilot, Phase.FAILED)
        told = "\n".join(lines(failed))
        assert "There is a file tables.list.lock, 3h old." in told
        assert f"u shows a plan that removes {stack}" in told
        await pilot.press("u")
        await repaired(pilot)
        assert app.screen is failed
        await phase(pilot, Phase.PLANNED)
        await confirm(pilot)
        await phase(pilot, Phase.DONE)

    act(ActionScreen(CompactAction(workplace(stack), "all"), journal()), steps)


def test_a_lock_that_is_gone_by_the_time_it_is_explained(stack: Path) -> None:
    trouble = explain(LockError(str(stack / "tables.list.lock"), "has existed for 3 s"))
    assert "gone by now" in trouble.paragraphs[0]
    assert not any("has it open" in one for one in trouble.paragraphs)


def test_locks_are_seen_with_age_and_holder(stack: Path) -> None:
    leave(stack, "b\x1b.ref.lock", 90)
    assert [lock_words(lock) for lock in seen_locks(stack, ["a.ref", "b\x1b.ref"])] == [
        r"b\x1b.ref.lock, 90s old: no process that can be seen has it open"
    ]
    with held_lock(stack / "a.ref") as holder:
        (lock,) = seen_locks(stack, ["a.ref"])
        assert lock.holder is not None
        assert lock.holder.pid == holder


@pytest.mark.parametrize("size", thinned([WIDE, NARROW], 2))
def test_u_on_a_lock_in_the_stack_pane_leads_to_its_removal(stack: Path, size: tuple[int, int]) -> None:
    lock = leave(stack, "tables.list.lock")

    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        await press(pilot, "shift+tab", "g")
        assert "Unlock…" not in footer(pilot)
        await press(pilot, "u")
        assert pilot.app.screen is screen, "a table has no lock to remove"
        await press(pilot, "G")
        assert "Unlock…" in footer(pilot)
        await press(pilot, "u")
        shown = await phase(pilot, Phase.PLANNED)
        assert lines(shown)[0] == "1. remove-lock: tables.list.lock"
        assert "3 hours old" in lines(shown)[1]
        assert sentence(shown).startswith("1 step;")
        await confirm(pilot)
        await phase(pilot, Phase.DONE)
        assert not lock.exists()
        await press(pilot, "escape", "R")
        assert "Unlock…" not in footer(pilot)

    inspect(stack, steps, size)

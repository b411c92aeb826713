"""Pictures of repair and what belongs to it, on the damaged demo; `--snapshot-update` accepts new ones."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from textual.pilot import Pilot

from engine.snapshot import keep, settle, take_snapshot
from engine.stack import StackOptions
from inspector.actions import CompactAction, Workplace
from inspector.model import Session
from inspector.tui import InspectorApp
from inspector.tui.screens.changes import OutcomesScreen
from inspector.tui.screens.plan import ActionScreen, Phase, RepairScreen
from inspector.tui.screens.snapshots import SnapshotsScreen
from tests.support.actions import NOW, journal, phase, until
from tests.support.demo import copy_damaged_demo, copy_demo
from tests.support.handmade import change_byte
from tests.support.pictures import SIZES, Compare, Somewhere, comparing
from tests.support.screens import WIDE, branches, log, make_stack, open_session, press, settle as settled
from tests.support.stacks import listed

CLOCKS = ("engine.repair.execute", "engine.repair.planner", "engine.fsck.run", "inspector.actions.trouble")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Somewhere:
    """The damaged demo, at a moment that does not pass."""
    monkeypatch.chdir(tmp_path)
    for module in CLOCKS:
        monkeypatch.setattr(f"{module}.time", SimpleNamespace(time=lambda: NOW))
    copy_damaged_demo(Path("reftable"), NOW)
    return Somewhere(Path("reftable"), StackOptions(suffix=lambda: 0xC0FFEE))


@pytest.fixture
def picture(snap_compare: Compare) -> Compare:
    """Compare a screen, after some steps, with the picture accepted before."""
    return comparing(snap_compare)


def repair(place: Workplace) -> RepairScreen:
    return RepairScreen(place, journal())


def make_lock_young(place: Workplace) -> None:
    os.utime(place.directory / "tables.list.lock", (NOW - 7, NOW - 7))


async def planned(pilot: Pilot[Any]) -> None:
    await phase(pilot, Phase.PLANNED)


async def by_force(pilot: Pilot[Any]) -> None:
    await planned(pilot)
    await pilot.press("!")
    await planned(pilot)


async def done(pilot: Pilot[Any]) -> None:
    shown = await phase(pilot, Phase.PLANNED)
    shown.action_again()
    await phase(pilot, Phase.DONE)


@SIZES
def test_plan_of_a_repair(picture: Compare, place: Somewhere, size: tuple[int, int]) -> None:
    assert picture(repair(place), planned, size=size)


def test_another_option_chosen(picture: Compare, place: Somewhere) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        await planned(pilot)
        await pilot.press("j", "j", "j", "j", "j", "j", "X")
        await planned(pilot)

    assert picture(repair(place), steps)


def test_outcomes(picture: Compare, place: Somewhere) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        await planned(pilot)
        await pilot.press("d")
        await until(pilot, lambda: isinstance(pilot.app.screen, OutcomesScreen))
        await pilot.pause()

    assert picture(repair(place), steps)


def test_confirmation_by_typing(picture: Compare, place: Somewhere) -> None:
    make_lock_young(place)
    assert picture(repair(place), by_force, keys=["enter"])


def test_result_of_a_repair(picture: Compare, place: Somewhere) -> None:
    assert picture(repair(place), done)


def test_plan_with_a_lock_in_its_way(picture: Compare, place: Somewhere) -> None:
    copy_demo(Path("sound"))
    lock = Path("sound", "tables.list.lock")
    lock.touch()
    os.utime(lock, (NOW - 3 * 3600, NOW - 3 * 3600))
    sound = Somewhere(Path("sound"), place.options)
    assert picture(ActionScreen(CompactAction(sound, "all"), journal()), planned)


def test_snapshots(picture: Compare, place: Somewhere) -> None:
    stack = place.directory
    names = listed(stack)

    def change(count: int) -> None:
        (stack / "tables.list").write_text("".join(f"{name}\n" for name in names[:count]))

    change(7)
    for hours, operation, count in ((50, "add", 8), (26, "undo", 6), (3, "compact", 7), (1, "add", 8)):
        snapshot = take_snapshot(stack, operation, NOW - hours * 3600)
        change(count)
        settle(stack, snapshot, NOW - hours * 3600, (stack / "tables.list").read_bytes())
        if operation == "undo":
            keep(snapshot, kept=True)
    with Session.open(stack, label="demo", options=place.options) as session:
        assert picture(SnapshotsScreen(place, journal(), session.view), keys=["j"])


def test_blocked_range(snap_compare: Compare, place: Somewhere) -> None:
    with open_session(place.directory, "demo") as session:
        app = InspectorApp(session, clock=lambda: NOW)

        async def before(pilot: Pilot[Any]) -> None:
            await settled(pilot)
            await press(pilot, "4", "A")

        assert snap_compare(app, terminal_size=WIDE, run_before=before)


def unlock(place: Workplace) -> RepairScreen:
    return RepairScreen(place, journal(), locks=("tables.list.lock",))


def test_plan_of_unlocking(picture: Compare, place: Somewhere) -> None:
    assert picture(unlock(place), planned)


def test_confirmation_with_lost_refs(picture: Compare, place: Somewhere) -> None:
    """Logs of older updates tell of refs that no table holds any more."""
    stack = make_stack(Path("lost"), (branches(500), [log(ref.name, 0) for ref in branches(500)]))
    [table] = (stack / "tables.list").read_text().split()
    change_byte(stack / table, 4096)
    lock = stack / "tables.list.lock"
    lock.touch()
    os.utime(lock, (NOW - 7, NOW - 7))
    assert picture(repair(Somewhere(stack, place.options)), by_force, keys=["enter"])


def sound_demo(monkeypatch: pytest.MonkeyPatch, path: Path) -> Path:
    monkeypatch.chdir(path)
    copy_demo(Path("reftable"))
    return Path("reftable")


def test_form_with_a_blocked_range(
    snap_compare: Compare, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stack = sound_demo(monkeypatch, tmp_path)
    change_byte(stack / (stack / "tables.list").read_text().split()[1], 4096)
    with open_session(stack, "demo") as session:
        app = InspectorApp(session, clock=lambda: NOW)

        async def before(pilot: Pilot[Any]) -> None:
            await settled(pilot)
            await press(pilot, "5", "v", "w", "c")

        assert snap_compare(app, terminal_size=WIDE, run_before=before)


def test_health_of_a_stack_with_a_lock_left_behind(
    snap_compare: Compare, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stack = sound_demo(monkeypatch, tmp_path)
    lock = stack / "tables.list.lock"
    lock.touch()
    os.utime(lock, (NOW - 3 * 3600, NOW - 3 * 3600))
    with open_session(stack, "demo") as session:
        app = InspectorApp(session, clock=lambda: NOW)

        async def before(pilot: Pilot[Any]) -> None:
            await settled(pilot)
            await press(pilot, "5", "v")

        assert snap_compare(app, terminal_size=WIDE, run_before=before)

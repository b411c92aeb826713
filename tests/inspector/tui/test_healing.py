"""Undo and snapshots in the terminal, on real stacks: what is gone back to, what is refused, what is kept."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Button, Input

from engine.errors import OutdatedError
from engine.format import RefRecord
from engine.readable import open_readable
from engine.repair import plan_repair, repair
from engine.snapshot import drop, keep, list_snapshots
from inspector.actions import CompactAction, DropAction, UndoAction, Workplace, run
from inspector.actions.undoing import FORCE
from inspector.model import StackView
from inspector.tui import MainScreen
from inspector.tui.screens.changes import ChangesScreen
from inspector.tui.screens.dialog import ConfirmScreen
from inspector.tui.screens.plan import ActionScreen, Phase
from inspector.tui.screens.snapshots import SnapshotsScreen
from tests.support.actions import ActionApp, act, confirm, journal, lines, phase, sentence, until, warnings
from tests.support.screens import OPTIONS, branches, inspect, make_stack, press, shown_lines
from tests.support.stacks import listed
from tests.support.tables import oid, stack_contents


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    return make_stack(tmp_path / "reftable", *((branches(5, at), []) for at in (1, 2, 3)))


def place(stack: Path, *, read_only: bool = False) -> Workplace:
    return Workplace(stack, OPTIONS, read_only=read_only)


def compact(stack: Path) -> None:
    action = CompactAction(place(stack), "all")
    run(action, action.plan(lambda _: None), lambda _: None)


def files(stack: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in stack.iterdir()}


def view(stack: Path) -> StackView:
    return StackView(open_readable(stack))


def test_undo_takes_back_the_last_change_and_can_be_undone(stack: Path) -> None:
    before = stack_contents(stack)
    compact(stack)
    after = stack_contents(stack)

    async def steps(pilot: Pilot[Any], _main: MainScreen) -> None:
        await pilot.press("w", "z")
        screen = await phase(pilot, Phase.PLANNED)
        assert "before the compact of" in sentence(screen)
        assert [line[0] for line in lines(screen)] == ["-", "+", "+", "+"]
        assert stack_contents(stack) == after
        await confirm(pilot)
        await phase(pilot, Phase.DONE)
        assert stack_contents(stack) == before
        await pilot.press("z")
        await phase(pilot, Phase.PLANNED)
        await confirm(pilot)
        await phase(pilot, Phase.DONE)
        assert stack_contents(stack) == after

    inspect(stack, steps)


def test_without_a_snapshot_there_is_nothing_to_undo(stack: Path) -> None:
    before = files(stack)

    async def steps(pilot: Pilot[Any], _app: ActionApp) -> None:
        screen = await phase(pilot, Phase.PLANNED)
        assert sentence(screen).startswith("Nothing to undo")
        await pilot.press("enter")
        assert pilot.app.screen is screen

    act(ActionScreen(UndoAction(place(stack)), journal()), steps)
    assert files(stack) == before


def test_what_others_have_changed_since_is_undone_only_by_who_types_it(stack: Path) -> None:
    compact(stack)
    make_stack(stack, ([RefRecord(b"refs/heads/theirs", 4, oid(9))], []))
    after = files(stack)

    async def steps(pilot: Pilot[Any], app: ActionApp) -> None:
        screen = await phase(pilot, Phase.PLANNED)
        assert "has been changed since" in warnings(screen)
        # What is taken back is named.
        told = lines(screen)
        assert (
            told[told.index("1 ref would change by it:") + 1]
            == f"deleted  refs/heads/theirs {oid(9).hex()} -> none"
        )
        # The verb refuses it without force.
        assert any("$ reftable-inspector undo --force " in line for line in shown_lines(app))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmScreen))
        question = pilot.app.screen
        field, go = question.query_one(Input), question.query_one("#go", Button)
        assert field.has_focus
        assert field.content_size.height == 1
        await pilot.press(*FORCE.replace(" ", "")[:-1], "enter", "enter")
        assert (field.value, field.has_focus, go.disabled) == (FORCE.replace(" ", "")[:-1], True, True)
        assert pilot.app.screen is question
        assert files(stack) == after
        field.value = ""
        await pilot.press(*("space" if letter == " " else letter for letter in FORCE), "enter")
        assert go.has_focus
        await pilot.press("enter")
        await phase(pilot, Phase.DONE)
        assert len(listed(stack)) == 3

    act(ActionScreen(UndoAction(place(stack)), journal()), steps)


def test_a_change_after_the_plan_keeps_undo_from_being_done(stack: Path) -> None:
    compact(stack)
    action = UndoAction(place(stack))
    plan = action.plan(lambda _: None)
    make_stack(stack, (branches(1, 4), []))
    after = files(stack)
    with pytest.raises(OutdatedError):
        run(action, plan, lambda _: None)
    assert files(stack) == after


def test_a_change_can_be_undone_from_its_result(stack: Path) -> None:
    before = stack_contents(stack)

    async def steps(pilot: Pilot[Any], app: ActionApp) -> None:
        await phase(pilot, Phase.PLANNED)
        await confirm(pilot)
        screen = await phase(pilot, Phase.DONE)
        assert stack_contents(stack) != before
        assert screen.check_action("undo", ())
        await pilot.press("z")
        await until(pilot, lambda: pilot.app.screen is not screen)
        await phase(pilot, Phase.PLANNED)
        await confirm(pilot)
        await phase(pilot, Phase.DONE)
        await pilot.press("escape")
        await until(pilot, lambda: bool(app.answers))

    assert act(ActionScreen(CompactAction(place(stack), "all"), journal()), steps).answers == [True]
    assert stack_contents(stack) == before


async def listed_snapshots(pilot: Pilot[Any]) -> SnapshotsScreen:
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()
    assert isinstance(pilot.app.screen, SnapshotsScreen)
    return pilot.app.screen


def test_snapshots_are_listed_with_what_differs_and_gone_back_to(stack: Path) -> None:
    before = stack_contents(stack)
    compact(stack)
    screen = SnapshotsScreen(place(stack), journal(), view(stack))

    async def steps(pilot: Pilot[Any], app: ActionApp) -> None:
        await listed_snapshots(pilot)
        text = "\n".join(shown_lines(app))
        assert "compact" in text
        assert "+ 3 tables would come back" in text
        assert "- 1 table would go" in text
        await pilot.press("enter")
        await phase(pilot, Phase.PLANNED)
        await confirm(pilot)
        await phase(pilot, Phase.DONE)
        assert stack_contents(stack) == before
        await pilot.press("escape")
        await listed_snapshots(pilot)
        assert [one.operation for one in list_snapshots(stack)] == ["undo", "compact"]
        await pilot.press("escape")
        await until(pilot, lambda: bool(app.answers))

    assert act(screen, steps).answers == [True]


@pytest.mark.parametrize("was", ["sound", "broken"])
def test_refs_of_then_and_now_are_compared(stack: Path, was: str) -> None:
    """Of a stack that was broken, as far as they can be read."""
    if was == "broken":
        path = stack / listed(stack)[0]
        os.truncate(path, path.stat().st_size - 40)
        repair(stack, plan_repair(stack))
    else:
        compact(stack)
    make_stack(stack, (branches(7, 4), []))
    screen = SnapshotsScreen(place(stack), journal(), view(stack))

    async def steps(pilot: Pilot[Any], app: ActionApp) -> None:
        await listed_snapshots(pilot)
        await pilot.press("d")
        await until(pilot, lambda: isinstance(app.screen, ChangesScreen))
        changes = app.screen
        assert isinstance(changes, ChangesScreen)
        await until(pilot, lambda: changes.idle)
        await pilot.pause()
        assert "+ 2 created" in "\n".join(shown_lines(app))

    act(screen, steps)


def test_kept_snapshots_stay_when_older_ones_are_removed(stack: Path) -> None:
    for at in (4, 5, 6):
        compact(stack)
        make_stack(stack, (branches(5, at), []))
    oldest, middle, newest = sorted(one.id for one in list_snapshots(stack))
    before = files(stack)

    async def steps(pilot: Pilot[Any], _app: ActionApp) -> None:
        await listed_snapshots(pilot)
        await pilot.press("G", "K")
        await listed_snapshots(pilot)
        assert [one.id for one in list_snapshots(stack) if one.kept] == [oldest]
        await pilot.press("g", "P")
        screen = await phase(pilot, Phase.PLANNED)
        assert lines(screen) == [middle]
        assert screen._action.command_line == f"reftable-inspector snapshots --drop {middle} {stack}"
        await confirm(pilot)
        await phase(pilot, Phase.DONE)

    act(SnapshotsScreen(place(stack), journal(), view(stack)), steps)
    assert sorted(one.id for one in list_snapshots(stack)) == [oldest, newest]
    assert files(stack) == before


def test_what_a_repair_has_lost_is_shown_with_its_snapshot(stack: Path) -> None:
    compact(stack)
    (taken,) = list_snapshots(stack)
    keep(taken._replace(losses="refs: at least 3 lost\x1b[2J"), kept=True)

    async def steps(pilot: Pilot[Any], _app: ActionApp) -> None:
        screen = await listed_snapshots(pilot)
        assert "! what the compact lost or may have lost: refs: at least 3 lost" in "\n".join(
            shown_lines(screen.app)
        )

    act(SnapshotsScreen(place(stack), journal(), view(stack)), steps)


def test_a_snapshot_that_is_kept_or_gone_meanwhile_is_not_removed(stack: Path) -> None:
    compact(stack)
    make_stack(stack, (branches(5, 4), []))
    compact(stack)
    newest, oldest = list_snapshots(stack)
    assert DropAction(place(stack), ()).plan(lambda _: None).is_noop
    action = DropAction(place(stack), (newest.id, oldest.id))
    plan = action.plan(lambda _: None)
    keep(oldest, kept=True)
    with pytest.raises(OutdatedError):
        run(action, plan, lambda _: None)
    assert len(list_snapshots(stack)) == 2
    keep(oldest, kept=False)
    drop(stack, [newest.id], 0)
    with pytest.raises(OutdatedError):
        run(action, plan, lambda _: None)
    assert len(list_snapshots(stack)) == 1


def test_read_only_keeps_snapshots_as_they_are(stack: Path) -> None:
    compact(stack)
    screen = SnapshotsScreen(place(stack, read_only=True), journal(), view(stack))

    async def steps(pilot: Pilot[Any], _app: ActionApp) -> None:
        await listed_snapshots(pilot)
        await pilot.press("K")
        await listed_snapshots(pilot)
        assert not any(one.kept for one in list_snapshots(stack))
        # The plan is shown, and why it is not carried out; enter carries out nothing.
        await pilot.press("enter")
        planned = await phase(pilot, Phase.PLANNED)
        assert "read-only" in warnings(planned) + sentence(planned)
        await confirm(pilot)
        assert planned.phase is Phase.PLANNED
        assert files(stack) == before

    before = files(stack)
    act(screen, steps)


def test_the_main_screen_shows_snapshots(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], _main: MainScreen) -> None:
        await press(pilot, "B")
        assert isinstance(pilot.app.screen, SnapshotsScreen)
        assert "no snapshot" in "\n".join(shown_lines(pilot.app))
        await press(pilot, "escape")
        assert isinstance(pilot.app.screen, MainScreen)

    inspect(stack, steps)

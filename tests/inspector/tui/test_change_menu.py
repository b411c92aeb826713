"""The menu of changes: what can do nothing now is dimmed, says why, and is not gone to."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from engine.stack import StackOptions
from inspector.actions import CompactAction, UndoAction, Workplace, run
from inspector.tui import MainScreen
from inspector.tui.palette import InspectorCommands
from inspector.tui.screens.change_menu import ChangeMenu
from inspector.tui.screens.plan import ActionScreen
from tests.support.screens import branches, inspect, make_stack, press, settle, shown_lines


def row(pilot: Pilot[Any], change: str = "Undo…") -> str:
    """The line of a change."""
    return next(line for line in shown_lines(pilot.app) if f" {change}" in line)


def test_undo_says_what_it_takes_back_or_why_there_is_nothing(tmp_path: Path) -> None:
    stack = make_stack(tmp_path / "reftable", (branches(2), []), (branches(3, 2), []))
    place = Workplace(stack, StackOptions())

    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        async def menu() -> str:
            await press(pilot, "w")
            await settle(pilot)
            return row(pilot)

        assert "nothing was changed through this program yet" in await menu()
        await press(pilot, "z")
        assert isinstance(pilot.app.screen, ChangeMenu)
        assert "Undo…: nothing was changed through this program yet" in "\n".join(shown_lines(pilot.app))
        await press(pilot, "escape")

        compact = CompactAction(place, "all")
        run(compact, compact.plan(lambda _: None), lambda _: None)
        assert "take back the compact of " in await menu()
        await press(pilot, "z")
        assert isinstance(pilot.app.screen, ActionScreen)
        await press(pilot, "escape")
        commands = InspectorCommands(screen)
        await commands.startup()
        assert "Undo…" in {str(hit.text) async for hit in commands.discover()}

        undo = UndoAction(place)
        run(undo, undo.plan(lambda _: None), lambda _: None)
        assert "take back the undo of " in await menu()

    inspect(stack, steps)


def test_clean_counts_what_it_removes_and_not_what_it_leaves_alone(tmp_path: Path) -> None:
    stack = make_stack(tmp_path / "reftable", (branches(2), []), (branches(3, 2), []))
    lock = stack / "tables.list.lock"
    told: list[str] = []

    async def steps(pilot: Pilot[Any], _screen: MainScreen) -> None:
        await press(pilot, "w")
        told.append(row(pilot, "Clean…"))

    inspect(stack, steps)
    with lock.open("xb"):
        inspect(stack, steps)
    (stack / "0x000000000003-0x000000000003-5eedbed5.temp.a1b2c3").write_bytes(b"REFT")
    lock.unlink()
    os.utime(stack / "0x000000000003-0x000000000003-5eedbed5.temp.a1b2c3", (0, 0))
    inspect(stack, steps)
    for said, wanted in zip(told, ("nothing beside", "no file is known", "1 file beside"), strict=True):
        assert f"remove what crashes left: {wanted}" in said

"""The menu of changes: what can do nothing now is dimmed, says why, and is not gone to."""

from __future__ import annotations

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


def row(pilot: Pilot[Any]) -> str:
    """The line of undo."""
    return next(line for line in shown_lines(pilot.app) if " Undo…" in line)


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

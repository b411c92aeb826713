"""What changes the stack is found in the palette by its name, too, as far as it can be done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from inspector.tui import MainScreen
from inspector.tui.palette import InspectorCommands
from inspector.tui.screens.expire import ExpireScreen
from tests.support.screens import branches, inspect, make_stack, press, settle


def test_changes_that_can_be_made_are_in_the_palette_and_lead_to_their_plans(tmp_path: Path) -> None:
    stack = make_stack(tmp_path / "reftable", (branches(2), []))

    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        commands = InspectorCommands(screen)
        await commands.startup()
        names = {str(hit.text) async for hit in commands.discover()}
        assert {"Add…", "Expire…", "Clean…", "Repair…"} <= names
        assert not {"Compact…", "Unlock…", "Undo…"} & names  # one table; no lock; nothing was changed
        await press(pilot, "ctrl+p", *"expire")
        await settle(pilot)
        await press(pilot, "enter")
        await settle(pilot)
        assert isinstance(pilot.app.screen, ExpireScreen)

    inspect(stack, steps)

"""A picture of the choice between stacks; `--snapshot-update` accepts new ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from textual.app import App
from textual.pilot import Pilot

from engine.stack import StackOptions
from inspector.tui.screens.picker import PickerScreen
from tests.inspector.tui.test_picker import Host, locations
from tests.support.pictures import Compare
from tests.support.screens import WIDE


def test_picker(snap_compare: Compare, tmp_path: Path) -> None:
    app: App[Any] = Host(PickerScreen(locations(tmp_path), StackOptions(), base=tmp_path))

    async def before(pilot: Pilot[Any]) -> None:
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()
        await pilot.press("j")

    assert snap_compare(app, terminal_size=WIDE, run_before=before)

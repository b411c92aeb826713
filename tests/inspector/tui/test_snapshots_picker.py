"""Pictures of the choice between stacks, wide and narrow; `--snapshot-update` accepts new ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.app import App
from textual.pilot import Pilot

from engine.stack import StackOptions
from inspector.tui.screens.picker import PickerScreen
from tests.inspector.tui.test_picker import Host, locations
from tests.support.screens import NARROW, WIDE

Compare = Callable[..., bool]


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["120x36", "80x24"])
def test_picker(snap_compare: Compare, tmp_path: Path, size: tuple[int, int]) -> None:
    app: App[Any] = Host(PickerScreen(locations(tmp_path), StackOptions(), base=tmp_path))

    async def before(pilot: Pilot[Any]) -> None:
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()
        await pilot.press("j")

    assert snap_compare(app, terminal_size=size, run_before=before)

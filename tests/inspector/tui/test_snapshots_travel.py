"""Pictures of time travel over the demo stack; `--snapshot-update` accepts new ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from inspector.tui.screens.moments import MomentsScreen
from tests.support.demo import copy_demo
from tests.support.pictures import Compare
from tests.support.screens import WIDE
from tests.support.travel import ScreenApp, open_view, press_keys, settle_screen


@pytest.fixture
def picture(snap_compare: Compare, tmp_path: Path) -> Compare:
    """Compare the moments of the demo stack, after some keys, with the picture accepted before."""
    copy_demo(tmp_path / "reftable")

    def compare(*keys: str) -> bool:
        async def before(pilot: Pilot[Any]) -> None:
            await settle_screen(pilot)
            await press_keys(pilot, *keys)

        with open_view(tmp_path / "reftable") as view:
            app = ScreenApp(MomentsScreen(view))
            return snap_compare(app, terminal_size=WIDE, run_before=before)

    return compare


def test_moments(picture: Compare) -> None:
    assert picture("j")


def test_changes(picture: Compare) -> None:
    assert picture("space", "j", "j", "j", "j", "d", "j", "j")

"""Pictures of the dialogs of the record panes, wide and narrow; `--snapshot-update` accepts new ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from tests.support.demo import copy_demo
from tests.support.panes import PaneApp, enter, press, settle
from tests.support.screens import NARROW, WIDE, open_session

Compare = Callable[..., bool]
SIZES = pytest.mark.parametrize("size", [WIDE, NARROW], ids=["120x36", "80x24"])


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    directory = tmp_path / "reftable"
    copy_demo(directory)
    return directory


def picture(compare: Compare, directory: Path, size: tuple[int, int], *keys: str, typed: str = "") -> bool:
    with open_session(directory, "demo") as session:
        app = PaneApp(session)

        async def before(pilot: Pilot[Any]) -> None:
            await settle(pilot)
            await press(pilot, "slash")
            await enter(pilot, "topic" if not keys else "heads/anna")
            await press(pilot, "enter", *keys)
            await app.workers.wait_for_complete()
            await pilot.pause()
            if typed:
                app.screen.query_one(Input).value = typed
                await press(pilot, "enter")

        return compare(app, terminal_size=size, run_before=before)


@SIZES
def test_copy(snap_compare: Compare, demo: Path, size: tuple[int, int]) -> None:
    assert picture(snap_compare, demo, size, "y")


@SIZES
def test_export(snap_compare: Compare, demo: Path, size: tuple[int, int]) -> None:
    assert picture(snap_compare, demo, size, "E")


@SIZES
def test_export_refused(snap_compare: Compare, demo: Path, size: tuple[int, int]) -> None:
    assert picture(snap_compare, demo, size, "E", typed="refs.txt")

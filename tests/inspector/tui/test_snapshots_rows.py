"""Pictures of the dialogs of the record panes; `--snapshot-update` accepts new ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.support.demo import copy_demo
from tests.support.panes import PaneApp, enter
from tests.support.pictures import Compare
from tests.support.screens import WIDE, open_session, press, settle


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    directory = tmp_path / "reftable"
    copy_demo(directory)
    return directory


def picture(compare: Compare, directory: Path, key: str) -> bool:
    with open_session(directory, "demo") as session:
        app = PaneApp(session)

        async def before(pilot: Pilot[Any]) -> None:
            await settle(pilot)
            await press(pilot, "slash")
            await enter(pilot, "heads/anna")
            await press(pilot, "enter", key)

        return compare(app, terminal_size=WIDE, run_before=before)


def test_copy(snap_compare: Compare, demo: Path) -> None:
    assert picture(snap_compare, demo, "y")


def test_export(snap_compare: Compare, demo: Path) -> None:
    assert picture(snap_compare, demo, "E")

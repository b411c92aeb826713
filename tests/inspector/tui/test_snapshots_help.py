"""Pictures of help and palette; `--snapshot-update` accepts new ones."""

from __future__ import annotations

from typing import Any

from textual.pilot import Pilot

from tests.support.habits import HabitsApp
from tests.support.pictures import Compare
from tests.support.screens import WIDE


def test_help(snap_compare: Compare) -> None:
    assert snap_compare(HabitsApp(), terminal_size=WIDE, press=["question_mark"])


def test_glossary(snap_compare: Compare) -> None:
    assert snap_compare(HabitsApp(), terminal_size=WIDE, press=["question_mark", "G"])


def test_palette(snap_compare: Compare) -> None:
    app = HabitsApp()
    app.animation_level = "full"  # without it Textual's tabs do not mark the first of them

    async def before(pilot: Pilot[Any]) -> None:
        await pilot.wait_for_scheduled_animations()
        await pilot.press("ctrl+p", *"theme")
        await app.workers.wait_for_complete()
        await pilot.pause()

    assert snap_compare(app, terminal_size=WIDE, run_before=before)

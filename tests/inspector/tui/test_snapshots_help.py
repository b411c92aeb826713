"""Pictures of help and palette, wide and narrow; `--snapshot-update` accepts new ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from textual.pilot import Pilot

from inspector.tui.themes import THEMES
from tests.support.habits import HabitsApp
from tests.support.screens import NARROW, WIDE

Compare = Callable[..., bool]
SIZES = pytest.mark.parametrize("size", [WIDE, NARROW], ids=["120x36", "80x24"])


@SIZES
def test_help(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert snap_compare(HabitsApp(), terminal_size=size, press=["question_mark"])


def test_glossary(snap_compare: Compare) -> None:
    assert snap_compare(HabitsApp(), terminal_size=WIDE, press=["question_mark", "G"])


@pytest.mark.parametrize("theme", [theme.name for theme in THEMES])
def test_help_in_each_theme(snap_compare: Compare, theme: str) -> None:
    app = HabitsApp()

    async def before(pilot: Pilot[Any]) -> None:
        app.theme = theme
        await pilot.pause()

    assert snap_compare(app, terminal_size=NARROW, run_before=before, press=["question_mark"])


@SIZES
def test_palette(snap_compare: Compare, size: tuple[int, int]) -> None:
    app = HabitsApp()
    app.animation_level = "full"  # without it Textual's tabs do not mark the first of them

    async def before(pilot: Pilot[Any]) -> None:
        await pilot.press("ctrl+p", *"theme")
        await app.workers.wait_for_complete()
        await pilot.pause()

    assert snap_compare(app, terminal_size=size, run_before=before)

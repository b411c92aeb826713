"""While nothing changes nothing is drawn, also under a dialog: a program that waits uses no processor."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import textual.screen
from textual.pilot import Pilot
from textual.screen import Screen

from inspector.tui import MainScreen
from tests.support.quick_pilot import draw_at_once
from tests.support.screens import branches, inspect, log, make_stack, settle
from tests.support.thinning import thinned

LOOKS = 20


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    return make_stack(tmp_path / "reftable", (branches(30), [log(b"HEAD", 1)]), ([], [log(b"HEAD", 2)]))


@pytest.mark.parametrize("key", thinned(["question_mark", "wc", "B", "wr"], 4))
def test_looks_at_a_stack_that_does_not_change_draw_nothing_under_a_dialog(
    stack: Path, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Screen[Any]] = []

    def draw(screen: Screen[Any]) -> None:
        drawn.append(screen)
        draw_at_once(screen)

    monkeypatch.setattr(textual.screen, "UPDATE_PERIOD", 0.01)
    monkeypatch.setattr(Screen, "_compositor_refresh", draw)

    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        for one in (key,) if key == "question_mark" else key:
            pilot.app.simulate_key(one)
        await settle(pilot)
        assert pilot.app.screen is not screen
        await asyncio.sleep(0.2)  # until it is drawn
        drawn.clear()
        screen._watching = True
        for _ in range(LOOKS):
            screen._look()
            await settle(pilot)
            await asyncio.sleep(0.02)
        assert len(drawn) < LOOKS / 4

    inspect(stack, steps)

"""The inspector on a stack, without what only POSIX has: a work of `tests.support.without_posix`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from inspector.tui import MainScreen
from tests.support.screens import inspect, press, settle


def screen(directory: str) -> None:
    """Look at every tab, and print what stands there."""

    async def look(pilot: Pilot[Any], shown: MainScreen) -> None:
        for key in "12345":
            await press(pilot, key)
            await settle(pilot)
            for strip in shown._compositor.render_strips():
                print(strip.text.rstrip())  # noqa: T201 - read by the test at the other end of a pipe

    inspect(Path(directory), look)

"""An app with nothing but one screen of time travel on it, over a real stack."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from textual import on
from textual.pilot import Pilot
from textual.screen import Screen

from engine.readable import open_readable
from inspector.model import StackView
from inspector.tui.navigation import Go
from inspector.tui.notices import NoticesApp
from inspector.tui.screens.changes import ChangesScreen
from tests.support.screens import WIDE, drive


class ScreenApp(NoticesApp[None]):
    """Shows one screen, and keeps what it was dismissed with, and where it leads."""

    def __init__(self, screen: Screen[Any]) -> None:
        super().__init__()
        self.first = screen
        self.results: list[object] = []

    def on_mount(self) -> None:
        """Begin with the screen."""
        self.push_screen(self.first, self.results.append)

    @on(Go)
    def note_place(self, event: Go) -> None:
        """Keep where the screen leads, too."""
        self.results.append(event.place)


@contextmanager
def open_view(directory: Path) -> Iterator[StackView]:
    """Open a stack for as long as its view is needed."""
    with open_readable(directory) as stack:
        yield StackView(stack)


async def settle_screen(pilot: Pilot[Any]) -> None:
    """Wait until the screen on top shows all that it has asked for."""
    for _ in range(1000):
        await pilot.pause()
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()
        screen = pilot.app.screen
        if not isinstance(screen, ChangesScreen) or screen.idle:
            return
    raise AssertionError("the screen waits for something that is never read")


async def press_keys(pilot: Pilot[Any], *keys: str) -> None:
    """Press keys one after the other, each when the one before has had its effect."""
    for key in keys:
        await pilot.press(key)
        await settle_screen(pilot)


def drive_screen(
    screen: Screen[Any],
    steps: Callable[[Pilot[Any], ScreenApp], Awaitable[None]],
    size: tuple[int, int] = WIDE,
) -> list[object]:
    """Run `steps` on an app that shows `screen`, and return what it was dismissed with."""
    app = ScreenApp(screen)

    async def run(pilot: Pilot[Any]) -> None:
        await settle_screen(pilot)
        await steps(pilot, app)

    drive(app, run, size)
    return app.results

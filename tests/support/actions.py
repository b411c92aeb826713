"""An app for the screens that change a stack, and what tests do with them."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from textual.app import App
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Static

from engine.git import find_repository
from inspector.actions import Workplace
from inspector.model import Journal
from inspector.tui.screens.plan import ActionScreen, Phase, RepairScreen
from inspector.tui.widgets.line_list import LineList
from tests.support.screens import WIDE

NOW = 1_700_500_000.0


class ActionApp(App[None]):
    """Shows one screen of actions on top of nothing; `answers` are what screens were dismissed with."""

    ENABLE_COMMAND_PALETTE = False

    def __init__(self, first: Screen[Any]) -> None:
        super().__init__()
        self._first = first
        self.answers: list[Any] = []
        self.copied: list[str] = []

    def on_mount(self) -> None:
        self.push_screen(self._first, self.answers.append)

    def copy_to_clipboard(self, text: str) -> None:
        self.copied.append(text)
        super().copy_to_clipboard(text)


def journal() -> Journal:
    """Return a journal whose clock stands still."""
    return Journal(lambda: NOW)


def workplace(path: Path, *, read_only: bool = False) -> Workplace:
    """Return the stack behind a path as the inspector finds it."""
    repository = find_repository(path)
    return Workplace(
        repository.current.directory, repository.stack_options(), repository, read_only=read_only
    )


def act(
    first: Screen[Any],
    steps: Callable[[Pilot[Any], ActionApp], Awaitable[None]],
    size: tuple[int, int] = WIDE,
) -> ActionApp:
    """Show a screen and run `steps` on it; return the app, which has ended."""
    app = ActionApp(first)

    async def run() -> None:
        async with app.run_test(size=size, notifications=True) as pilot:
            await pilot.pause()
            await steps(pilot, app)

    asyncio.run(run())
    return app


async def until(pilot: Pilot[Any], condition: Callable[[], bool]) -> None:
    """Let the app go on until a condition holds, which a thread may take a while to bring about."""
    for _ in range(1000):
        await pilot.pause(0.01)
        if condition():
            return
    raise AssertionError("it never came to that")


async def phase(pilot: Pilot[Any], *phases: Phase) -> ActionScreen:
    """Wait until the action on screen is in one of these phases, and return its screen."""

    def reached() -> bool:
        screen = pilot.app.screen
        return isinstance(screen, ActionScreen) and screen.phase in phases

    await until(pilot, reached)
    await pilot.pause()
    assert isinstance(pilot.app.screen, ActionScreen)
    return pilot.app.screen


async def planned_repair(pilot: Pilot[Any]) -> RepairScreen:
    """Wait until a repair is planned, and return its screen."""
    screen = await phase(pilot, Phase.PLANNED)
    assert isinstance(screen, RepairScreen)
    return screen


async def confirm(pilot: Pilot[Any]) -> None:
    """From the plan on: ask for it, go to the button that is not Cancel, and press it."""
    await pilot.press("enter", "right", "enter")


def sentence(screen: ActionScreen) -> str:
    """Return what stands above the lines."""
    return str(screen.query_one("#sentence", Static).content)


def warnings(screen: ActionScreen) -> str:
    """Return the warnings."""
    return str(screen.query_one("#warnings", Static).content)


def lines(screen: ActionScreen) -> list[str]:
    """Return the lines of a plan, a result or an explanation, as they are before they are wrapped."""
    return [line.text for line in screen.query_one(LineList)._all]


def leave(stack: Path, name: str, age: float = 3 * 3600) -> Path:
    """Leave an empty file that was last touched `age` seconds ago."""
    path = stack / name
    path.touch()
    os.utime(path, (time.time() - age,) * 2)
    return path


@contextmanager
def held_lock(path: Path) -> Iterator[int]:
    """Have another process hold the lock on a file for as long as the block runs; its id."""
    program = (
        "import sys; from engine.stack.lock import LockFile\n"
        "with LockFile(sys.argv[1]):\n"
        "    print('held', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, os.fspath(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        try:
            yield process.pid
        finally:
            process.stdin.close()
            process.wait()

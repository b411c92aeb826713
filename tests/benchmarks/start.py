"""How long each verb takes to start: the processor time of a whole run on a small stack, beside git's.

And how long the inspector takes until its main screen is drawn and waits for nothing, without a terminal and
behind the imports: first once in a process, which is what a user waits for, then again, which is what a test
waits for. An application with an empty screen is Textual's share; what is more is what this inspector puts on
the screen.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.support.git import Git

RUNS = 20
VERBS = ["tables", "segments", "refs", "logs", "print", "layout", "fsck", "repair", "snapshots", "survey"]
PLANS = ["compact", "expire", "clean"]


def milliseconds(command: list[str]) -> list[float]:
    """The processor time of each of some runs, that of its own children included."""
    times = []
    # What is installed has its bytecode, and what is read from a checkout gets it in the first run.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    for _ in range(RUNS):
        child = os.posix_spawnp(
            command[0],
            command,
            environment,
            file_actions=[(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in range(3)],
        )
        _, _, used = os.wait4(child, 0)
        times.append((used.ru_utime + used.ru_stime) * 1000)
    return times


_FIRST_SCREEN = """
import asyncio, sys, time
from textual.app import App
from textual.screen import Screen
from engine.stack import StackOptions
from inspector.model import Session
from inspector.tui import InspectorApp
from inspector.tui.terminal import collect_garbage_seldom

collect_garbage_seldom()  # as the program does: a look at all that was imported takes as long as a screen

class Empty(App):
    def on_mount(self):
        self.push_screen(Screen())

async def show(app):
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        while not (getattr(app.screen, "idle", True) and not list(app.workers)):
            await app.workers.wait_for_complete()
            await pilot.pause()
        return time.process_time()

def one(directory):
    started = time.process_time()
    if directory is None:
        return asyncio.run(show(Empty())) - started
    with Session.open(directory, label="", options=StackOptions()) as session:
        return asyncio.run(show(InspectorApp(session))) - started

times = [1000 * one(sys.argv[1] if sys.argv[1:] else None) for _ in range(8)]
print(times[0], min(times))
"""


def first_screen(*arguments: str) -> tuple[float, float]:
    """The first time in a process, and the best one, each the best of some processes, in milliseconds."""
    runs = [
        subprocess.run(
            [sys.executable, "-c", _FIRST_SCREEN, *arguments], capture_output=True, check=True, text=True
        ).stdout.split()
        for _ in range(RUNS // 4)
    ]
    return min(float(run[0]) for run in runs), min(float(run[1]) for run in runs)


def measure_start(git: Git) -> None:
    """Print the best and the median of each verb, of Python alone, of click, of the engine, and of git.

    Then the first screen, and that of an application which shows nothing.
    """
    with tempfile.TemporaryDirectory() as place:
        repo = git.init(Path(place) / "repo").path
        verb = [sys.executable, "-m", "inspector"]
        commands = {
            "python alone": [sys.executable, "-I", "-c", "pass"],
            "import click": [sys.executable, "-c", "import click"],
            "import engine": [sys.executable, "-c", "import engine"],
            "import textual.app": [sys.executable, "-c", "import textual.app"],
            "import inspector.tui.app": [sys.executable, "-c", "import inspector.tui.app"],
            "git for-each-ref": [git.program, "-C", str(repo), "for-each-ref"],
            "--version": [*verb, "--version"],
            **{name: [*verb, name, str(repo)] for name in VERBS},
            "trace": [*verb, "trace", "HEAD", str(repo)],
            "resolve": [*verb, "resolve", "-C", str(repo), "HEAD"],
            **{f"{name} --dry-run": [*verb, name, "--dry-run", str(repo)] for name in PLANS},
        }
        for name, command in commands.items():
            times = milliseconds(command)
            print(f"start of {name}: {min(times):.0f} ms, median {statistics.median(times):.0f}")
        for name, arguments in (("empty", []), ("first", [str(repo / ".git" / "reftable")])):
            once, again = first_screen(*arguments)
            print(f"the {name} screen: {once:.0f} ms, again {again:.0f}")

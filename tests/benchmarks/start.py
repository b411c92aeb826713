"""How long each verb takes to start: the processor time of a whole run on a small stack, beside git's."""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from pathlib import Path

from tests.support.git import Git

RUNS = 20
VERBS = ["tables", "segments", "refs", "logs", "print", "layout", "fsck", "snapshots", "survey"]
PLANS = ["repair", "compact", "expire", "clean"]


def milliseconds(command: list[str]) -> list[float]:
    """The processor time of each of some runs, that of its own children included."""
    times = []
    for _ in range(RUNS):
        child = os.posix_spawnp(
            command[0],
            command,
            os.environ,
            file_actions=[(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in range(3)],
        )
        _, _, used = os.wait4(child, 0)
        times.append((used.ru_utime + used.ru_stime) * 1000)
    return times


def measure_start(git: Git) -> None:
    """Print the best and the median of each verb, of Python alone, of click, of the engine, and of git."""
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
            **{f"{name} --dry-run": [*verb, name, "--dry-run", str(repo)] for name in PLANS},
        }
        for name, command in commands.items():
            times = milliseconds(command)
            print(f"start of {name}: {min(times):.0f} ms, median {statistics.median(times):.0f}")

# ruff: noqa: INP001 - a script, not a package
"""Makes the pictures that the README shows: `python screenshots/take.py` writes them next to this file.

They are the real screens, drawn without a terminal: stills of the demo stack, and a recording of git at work
in a repository whose stack the inspector watches. All are the same on every machine: clocks stand still, and
the random part of git's table names is drawn as another. `tests/inspector/tui/test_screenshots.py` fails when
the pictures in the repository are not these. The recording needs a git that knows reftables, in PATH or named
by REFTABLE_GIT.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]  # runs from a checkout, installed or not

from recording import Recording  # noqa: E402
from rich.segment import Segment  # noqa: E402
from rich.style import Style  # noqa: E402
from textual.pilot import Pilot  # noqa: E402

from engine.git import find_repository  # noqa: E402
from engine.stack import StackOptions  # noqa: E402
from inspector.actions import Workplace  # noqa: E402
from inspector.demo import build_damaged_demo, build_demo  # noqa: E402
from inspector.model import Session  # noqa: E402
from inspector.tui import InspectorApp, MainScreen  # noqa: E402

SIZE: Final = (120, 36)
NOW: Final = 1_790_000_000.0


@dataclass(frozen=True, slots=True)
class Picture:
    """A still of a demo stack: the keys that lead to it."""

    keys: Sequence[str] = ()
    damaged: bool = False


PICTURES: Final = {
    "main.svg": Picture(),
    "blocks.svg": Picture(["j", "j", "b", "m"]),
    "compaction.svg": Picture(["4", "m", *["full_stop"] * 12]),
    "over-time.svg": Picture(["4", "h", "m"]),
    "repair.svg": Picture(["w", "r"], damaged=True),
}


async def _settle(app: InspectorApp, pilot: Pilot[int]) -> None:
    await pilot.pause()
    while (
        list(app.workers)
        or not app.screen_stack
        or (isinstance(app.screen, MainScreen) and not app.screen.idle)
    ):
        await app.workers.wait_for_complete()
        await pilot.pause()


class _Demo(Workplace):
    """A demo stack, wherever it lies."""

    @property
    def arguments(self) -> tuple[str, ...]:
        return ("/srv/lantern.git",)


async def _still(session: Session, workplace: Workplace, keys: Sequence[str]) -> str:
    app = InspectorApp(session, workplace, clock=lambda: NOW)
    async with app.run_test(size=SIZE) as pilot:
        await _settle(app, pilot)
        for key in keys:
            await pilot.press(key)
            await _settle(app, pilot)
        # What follows a change (the line of keys follows the focus) is drawn a moment after it.
        drawing, before = _drawn(app), ""
        while drawing != before:
            await pilot.pause(0.1)
            drawing, before = _drawn(app), drawing
        return drawing


def _drawn(app: InspectorApp) -> str:
    return app.export_screenshot(title="reftable-inspector --demo", simplify=False)


# Git at work.

RECORDING: Final = "git-at-work.svg"
_SCREEN: Final = (100, 26)
_SHELL_LINES: Final = 6
_DATE: Final = 1_790_000_000
_PROMPT: Final = Style(color="#7fbf7f", bold=True)
_COMMAND: Final = Style(color="#f0f0f0")
_SHELL: Final = Style(color="#a0a0a0")
_SUFFIX: Final = re.compile(r"(?<=…)[0-9a-f]{8}\b")

_WORK: Final = (
    "git commit -qm 'Draw ferries at night' --allow-empty",
    "git branch topic/harbour-lights",
    "git tag v1.1",
    "git commit -qm 'Name the harbours' --allow-empty",
    "git branch -d topic/harbour-lights",
    "git commit -qm 'Fix the tide tables' --allow-empty",
    "git pack-refs --all",
)


@dataclass(slots=True)
class _Shell:
    """A shell beside the inspector: what was typed, and what git answered."""

    directory: Path
    lines: list[list[Segment]] = field(default_factory=list)
    commands: int = 0

    def type(self, command: str) -> None:
        self.lines.append([Segment("$ ", _PROMPT), Segment(command, _COMMAND)])

    def run(self, command: str) -> None:
        self.commands += 1
        date = f"{_DATE + 60 * self.commands} +0000"
        environment = {
            "PATH": f"{self.directory.parent / 'bin'}:{os.environ['PATH']}",
            "HOME": str(self.directory.parent),
            "LC_ALL": "C.UTF-8",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TEMPLATE_DIR": "",
            "GIT_AUTHOR_NAME": "Anna Lindqvist",
            "GIT_AUTHOR_EMAIL": "anna@lantern.example",
            "GIT_COMMITTER_NAME": "Anna Lindqvist",
            "GIT_COMMITTER_EMAIL": "anna@lantern.example",
            "GIT_AUTHOR_DATE": date,
            "GIT_COMMITTER_DATE": date,
        }
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            cwd=self.directory,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        self.lines += [[Segment(line, _SHELL)] for line in (done.stdout + done.stderr).splitlines()]

    def shown(self, width: int) -> list[list[Segment]]:
        shown = self.lines[-_SHELL_LINES:]
        shown = [*shown, *[[] for _ in range(_SHELL_LINES - len(shown))]]
        return [Segment.adjust_line_length(line, width) for line in shown]


def _make_repository(git: str, parent: Path) -> _Shell:
    """A repository with some history; `git` by that name in the shell's PATH."""
    (parent / "bin").mkdir()
    (parent / "bin" / "git").symlink_to(git)
    shell = _Shell(parent / "lantern")
    shell.directory.mkdir()
    shell.run("git init -q --ref-format=reftable --initial-branch=main .")
    shell.run("git commit -qm 'Begin' --allow-empty")
    branches = "".join(f"create refs/heads/area/{number:03} HEAD\\n" for number in range(120))
    shell.run(f"printf '{branches}' | git update-ref --stdin")
    for number in range(1, 6):
        shell.run(f"git commit -qm 'Chart {number}' --allow-empty && git tag v0.{number}")
    shell.lines.clear()
    return shell


async def _record(session: Session, workplace: Workplace, shell: _Shell) -> Recording:
    width, height = _SCREEN
    recording = Recording(width, height + _SHELL_LINES + 1, "git at work beside the stack that is watched")
    names = _Names()
    app = InspectorApp(session, workplace, clock=lambda: _DATE + 60.0 * shell.commands, watch=3600.0)

    def frame(seconds: float) -> None:
        screen = [names.replace(strip) for strip in app.screen._compositor.render_strips()]  # noqa: SLF001 - as export_screenshot
        rule = [[Segment("─" * width, _SHELL)]]
        recording.add([*shell.shown(width), *rule, *screen], seconds)

    async with app.run_test(size=_SCREEN, notifications=True) as pilot:
        await _settle(app, pilot)
        main = app.screen
        if not isinstance(main, MainScreen):
            raise TypeError(f"the screen is {main}")
        while not main._health.known.is_checked:  # noqa: SLF001 - it begins by itself, a moment later
            await pilot.pause(0.05)
        await _settle(app, pilot)
        frame(2.0)
        for command in _WORK:
            app.clear_notifications()
            await _settle(app, pilot)
            shell.type(command)
            frame(0.8)
            shell.run(command)
            await pilot.press("R")  # the watch would look by itself, sooner or later
            await _settle(app, pilot)
            frame(2.4)
        app.clear_notifications()
        await pilot.press("L")
        await _settle(app, pilot)
        frame(4.0)
    return recording


class _Names:
    """The random part of table names, by which git's tables would be other ones each time."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}
        self._random = random.Random("names of tables")  # noqa: S311 - reproducible on purpose

    def replace(self, line: Iterable[Segment]) -> list[Segment]:
        """The line with names that are the same each time."""
        return [Segment(_SUFFIX.sub(self._name, part.text), part.style) for part in line]

    def _name(self, found: re.Match[str]) -> str:
        return self._known.setdefault(found[0], f"{self._random.getrandbits(32):08x}")


def record(target: Path, git: str) -> Path:
    """Write the recording of `git` at work into `target`, and return the file."""
    _look_the_same()
    with tempfile.TemporaryDirectory() as parent:
        shell = _make_repository(git, Path(parent))
        # Nothing of it depends on how fast a git answers: it is not asked for commits.
        repository = find_repository(shell.directory, git=None)
        stack = repository.stacks[0]
        options = StackOptions(policy="geometric")
        workplace = Workplace(stack.directory, options, repository)
        with Session.open(stack.directory, label="lantern", options=options) as session:
            recording = asyncio.run(_record(session, workplace, shell))
    path = target / RECORDING
    path.write_text(recording.svg(), "utf-8")
    return path


def _look_the_same() -> None:
    # The pictures are of a terminal with colours and without animations, whatever this one is.
    os.environ["TEXTUAL_ANIMATIONS"] = "none"
    os.environ.pop("NO_COLOR", None)


def take(target: Path, names: Iterable[str] = PICTURES) -> list[Path]:
    """Write stills into `target`, and return the files."""
    _look_the_same()
    taken = []
    for name in names:
        picture = PICTURES[name]
        with tempfile.TemporaryDirectory() as parent:
            directory = Path(parent, "reftable")
            (build_damaged_demo if picture.damaged else build_demo)(directory)
            options = StackOptions(suffix=partial(random.Random(name).getrandbits, 32))  # noqa: S311
            with Session.open(directory, label="demo", options=options) as session:
                drawing = asyncio.run(_still(session, _Demo(directory, options), picture.keys))
        taken.append(target / name)
        taken[-1].write_text(drawing, "utf-8")
    return taken


if __name__ == "__main__":
    for path in take(HERE):
        sys.stdout.write(f"{path}\n")
    program = os.environ.get("REFTABLE_GIT") or shutil.which("git")
    if program is None:
        sys.exit("no git: the recording is left as it is")
    sys.stdout.write(f"{record(HERE, program)}\n")

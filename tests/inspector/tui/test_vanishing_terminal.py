"""However and whenever the terminal goes, the process goes too, whatever it and its threads are at.

What is stuck here is so for far longer than a test waits: a process that waits for it does not end in time.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.screens import branches, log, make_stack
from tests.support.terminal import PATIENCE, Terminal, inspector
from tests.support.thinning import ALL


class Moment(NamedTuple):
    """Code that runs before the program, and the keys that lead to the moment, each with what is then shown.

    With `here`, the code says so on the terminal when it is reached.
    """

    prelude: str = ""
    keys: tuple[tuple[bytes, str], ...] = ()
    here: bool = False


def stuck(module: str, name: str) -> str:
    """Code that has a function say that it is reached, and hear of nothing from then on."""
    return (
        f"import os, time\nimport {module} as module\n"
        "def wait(*arguments, **options):\n"
        "    os.write(2, b'HERE')\n"
        "    end = time.monotonic() + 300\n"
        "    while time.monotonic() < end:\n"
        "        time.sleep(0.01)\n"
        f"module.{name} = wait"
    )


def slow(module: str, name: str) -> str:
    """Code that has a function say that it is reached, and go on a little later."""
    return (
        f"import os, time\nimport {module} as module\n"
        f"real = module.{name}\n"
        "def wait(*arguments, **options):\n"
        "    os.write(2, b'HERE')\n"
        "    time.sleep(0.3)\n"
        "    return real(*arguments, **options)\n"
        f"module.{name} = wait"
    )


CHANGE = """
import os, time, inspector.tui.screens.attempt as module
from engine.progress import Progress
from engine.stack import LockFile
def run(action, plan, report):
    with LockFile(str(action.workplace.directory / 'tables.list')):
        os.write(2, b'HERE')
        try:
            for _ in range(30_000):
                report(Progress('merge', 0, 1))
                time.sleep(0.01)
        finally:
            time.sleep(1)  # on a slow disk
module.run = run
"""
"""Has a change go on until it is stopped, and take its time then to remove its lock."""

JOB_OF_ALL = "inspector.model.session", "Session.work"

MOMENTS = {
    "at the list": Moment(),
    "before the terminal is taken": Moment(slow("inspector.tui.app", "run_on_terminal"), here=True),
    "while the driver begins": Moment(
        slow("textual.drivers.linux_driver", "LinuxDriver.start_application_mode"), here=True
    ),
    "before the first screen": Moment(slow("inspector.tui.app", "MainScreen.compose"), here=True),
    "in the palette": Moment(keys=((b"\x10", "Search"),)),
    "typing in the palette": Moment(keys=((b":", "Search"), (b"comp", "Compact"))),
    "in help": Moment(keys=((b"?", "Help"),)),
    "at a plan": Moment(keys=((b"w", "Repair"), (b"r", "othing"))),
    "in a job that hears of nothing": Moment(stuck(*JOB_OF_ALL), here=True),
    "in a screen that hears of nothing": Moment(
        stuck("inspector.tui.screens.main", "MainScreen.action_reload"), ((b"R", "HERE"),)
    ),
    "in a change": Moment(
        CHANGE,
        (
            (b"w", "Compact"),
            (b"c", "ompact"),
            (b"\r", "Apply"),
            (b"\r", "Cancel"),
            (b"\x1b[C\r", "HERE"),
        ),
    ),
    "left, with a job that hears of nothing": Moment(stuck(*JOB_OF_ALL), ((b"q", ""),), here=True),
    "behind a crash, with a job that hears of nothing": Moment(
        stuck(*JOB_OF_ALL) + "\nmodule_ = __import__('inspector.tui.screens.main', fromlist=['main'])\n"
        "module_.MainScreen.action_reload = lambda self: {}['crash']",
        ((b"R", ""),),
        here=True,
    ),
}


def window_closed(terminal: Terminal) -> None:
    terminal.close()


def hung_up(terminal: Terminal) -> None:
    terminal.signal(signal.SIGHUP)


def reach(terminal: Terminal, moment: Moment) -> None:
    """Wait for the moment."""
    terminal.until("HERE" if moment.here else "300 refs")
    for keys, wanted in moment.keys:
        if wanted:
            terminal.press(keys, wanted)
        else:
            terminal.send(keys)
            terminal.read(0.2)


# For each way to go, whether the kernel tells the program.
WAYS: dict[str, tuple[Callable[[Terminal], None], bool]] = {
    "window closed": (window_closed, True),
    "hung up": (hung_up, True),
    "window closed, and not told": (window_closed, False),
}
CASES = [(way, moment) for way in WAYS for moment in MOMENTS]
ONCE = [
    ("window closed, and not told", "at the list"),
    ("window closed", "left, with a job that hears of nothing"),
    ("hung up", "in a screen that hears of nothing"),
    ("window closed", "in a change"),
]


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    return make_stack(tmp_path / "reftable", (branches(300), [log(b"HEAD", 1)]), ([], [log(b"HEAD", 2)]))


@pytest.mark.parametrize(("way", "moment"), CASES if ALL else ONCE)
def test_the_process_goes_with_its_terminal(stack: Path, way: str, moment: str) -> None:
    go, is_told = WAYS[way]
    with inspector(stack, prelude=MOMENTS[moment].prelude, is_told=is_told) as terminal:
        reach(terminal, MOMENTS[moment])
        go(terminal)
        if way == "hung up":
            assert terminal.end() == 130
            assert terminal.faults() == []
        else:
            terminal.process.wait(PATIENCE)
    assert not list(stack.glob("*.lock"))


@pytest.mark.whole
def test_it_ends_when_others_have_stopped_and_continued_it(stack: Path) -> None:
    with inspector(stack) as terminal:
        terminal.until("300 refs")
        terminal.quiet()
        for numbers in ([signal.SIGCONT], [signal.SIGSTOP, signal.SIGCONT]):
            since = len(terminal.written)
            for number in numbers:
                terminal.signal(number)
            terminal.until("300 refs", since)
        terminal.send(b"q")
        assert terminal.end() == 0
        assert terminal.faults() == []

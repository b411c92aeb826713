"""The inspector in a real pseudo-terminal: what it says instead of an empty screen, and how it leaves."""

from __future__ import annotations

import gc
import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from inspector.tui.lasting_driver import _Lasting
from inspector.tui.terminal import collect_garbage_seldom
from tests.support.git import Git
from tests.support.screens import branches, log, make_stack, make_tall_stack
from tests.support.terminal import MODES, Gone, Terminal, inspector
from tests.support.thinning import thinned


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """300 refs in one table."""
    return make_stack(tmp_path / "reftable", (branches(300), [log(b"HEAD", 1)]))


def shown(terminal: Terminal) -> Terminal:
    """Wait for the first whole screen."""
    terminal.until("300 refs")
    terminal.quiet()
    return terminal


def assert_refused(terminal: Terminal, code: int, message: str) -> None:
    """It has ended with this code and one line, and has not touched the terminal."""
    assert terminal.end() == code
    assert b"\x1b" not in terminal.written
    assert message in terminal.text
    assert terminal.faults() == []


def files_backend(git: Git, place: Path) -> Path:
    git.run("init", "-q", "--ref-format=files", place)
    return place


def empty_directory(place: Path) -> Path:
    place.mkdir()
    return place


UNREADABLE = {
    "missing path": (lambda place: place, "no such"),
    "no repository": (empty_directory, "reftable"),
}


@pytest.mark.parametrize(("make", "message"), thinned(UNREADABLE.values(), 2), ids=thinned(UNREADABLE, 2))
def test_what_cannot_be_opened_is_a_line_and_no_screen(
    tmp_path: Path, make: Callable[[Path], Path], message: str
) -> None:
    with inspector(make(tmp_path / "place")) as terminal:
        assert_refused(terminal, 3, message)
        assert terminal.text.startswith("reftable-inspector: ")
        assert terminal.text.count("\n") == 1


@pytest.mark.whole
def test_a_repository_with_loose_refs_is_named_as_such(git: Git, tmp_path: Path) -> None:
    with inspector(files_backend(git, tmp_path / "place")) as terminal:
        assert_refused(terminal, 3, "files")


@pytest.mark.whole
def test_more_tables_than_a_process_may_open_is_said_with_what_to_do(tmp_path: Path) -> None:
    place = make_tall_stack(tmp_path / "reftable", 60)
    limit = "import resource, inspector.tui.app; resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))"
    with inspector(place, prelude=limit) as terminal:
        assert_refused(terminal, 3, "ulimit -n")


@pytest.mark.parametrize("redirection", thinned(["</dev/null", ">/dev/null", "2>$NOTES", "<&-"], 4))
def test_without_a_terminal_there_is_no_screen_but_a_message(
    stack: Path, tmp_path: Path, redirection: str
) -> None:
    notes = tmp_path / "notes"
    command = ["sh", "-c", f'exec "$@" {redirection}', "sh", sys.executable, "-m", "inspector", str(stack)]
    with Terminal(command, env={"NOTES": str(notes)}) as terminal:
        assert terminal.end() == 2
        assert b"\x1b" not in terminal.written
        text = notes.read_text() if notes.exists() else terminal.text
        assert "needs a terminal" in text
        assert "--help" in text


@pytest.mark.whole
def test_a_terminal_that_cannot_move_its_cursor_is_refused(stack: Path) -> None:
    with inspector(stack, env={"TERM": "dumb"}) as terminal:
        assert_refused(terminal, 2, "TERM")


def test_q_leaves_the_terminal_as_it_was_after_another_size_too(stack: Path) -> None:
    with inspector(stack) as terminal:
        shown(terminal)
        since = len(terminal.written)
        terminal.resize(140, 40)
        terminal.until("300 refs", since)
        terminal.send(b"q")
        assert terminal.end() == 0
        for name, (on, _off) in MODES.items():
            assert on in terminal.written, name
        assert terminal.faults() == []
        assert terminal.after_screen == ""


def test_what_is_typed_before_the_program_has_the_terminal_does_what_it_does_later(stack: Path) -> None:
    with inspector(stack) as terminal:
        terminal.send(b"/0299\rr")
        terminal.until("1 of 300")
        terminal.until("Nothing is known to be wrong")
        terminal.send(b"q")
        assert terminal.end() == 0


@pytest.mark.whole
def test_ctrl_c_says_how_to_leave_and_leaves_nothing_to_guess(stack: Path) -> None:
    with inspector(stack) as terminal:
        shown(terminal)
        terminal.press(b"\x03", "Press q to quit")
        terminal.send(b"q")
        assert terminal.end() == 0
        assert terminal.faults() == []


@pytest.mark.whole
@pytest.mark.parametrize("in_a_dialog", [False, True])
def test_ctrl_z_gives_the_terminal_to_the_shell_until_it_is_continued(stack: Path, in_a_dialog: bool) -> None:
    with inspector(stack) as terminal:
        shown(terminal)
        if in_a_dialog:
            terminal.press(b"w", "Compact…")
        terminal.send(b"\x1a")
        _, status = os.waitpid(terminal.process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        terminal.quiet()
        assert terminal.faults() == []
        since = len(terminal.written)
        terminal.signal(signal.SIGCONT)
        terminal.until("Compact…" if in_a_dialog else "300 refs", since)
        terminal.send(b"qq" if in_a_dialog else b"q")
        assert terminal.end() == 0
        assert terminal.faults() == []


@pytest.mark.parametrize(
    "number", thinned([signal.SIGTERM, signal.SIGINT, signal.SIGHUP], 3), ids=lambda n: n.name
)
def test_a_signal_ends_it_and_the_terminal_is_as_it_was(stack: Path, number: signal.Signals) -> None:
    with inspector(stack) as terminal:
        shown(terminal)
        terminal.signal(number)
        assert terminal.end() == 130
        assert terminal.faults() == []
        assert terminal.after_screen == "reftable-inspector: interrupted\r\n"


@pytest.mark.whole
def test_a_signal_before_the_first_screen_ends_it_too(stack: Path) -> None:
    early = (
        "import os, signal, inspector.tui.app as app\n"
        "real = app.run_on_terminal\n"
        "def run(*args, **options):\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    return real(*args, **options)\n"
        "app.run_on_terminal = run"
    )
    with inspector(stack, prelude=early) as terminal:
        assert terminal.end() == 130
        assert terminal.faults() == []
        assert "Traceback" not in terminal.text


@pytest.mark.whole
def test_a_window_that_is_closed_ends_it(stack: Path) -> None:
    with inspector(stack) as terminal:
        shown(terminal)
        terminal.close()
        assert terminal.process.wait(60) == 130


CRASHES = {
    "in a key": "from inspector.tui import MainScreen as M\nM.action_reload = lambda self: {}[%r]",
    "in a worker": "from inspector.model.session import Session as S\nS.work = lambda self: {}[%r]",
    "before the first screen": "from inspector.tui.screens.main import MainScreen as M\n"
    "M.compose = lambda self: {}[%r]",
}


@pytest.mark.parametrize("place", thinned(CRASHES, 3))
def test_a_crash_gives_the_terminal_back_and_says_whose_fault_it_is(stack: Path, place: str) -> None:
    class_ = "class Hostile(Exception): __str__ = lambda self: chr(27) + '[2J' + 'boom'\n"
    raising = CRASHES[place].replace("{}[%r]", "(_ for _ in ()).throw(Hostile())")
    with inspector(stack, prelude=class_ + raising) as terminal:
        if place == "in a key":
            shown(terminal)
            terminal.send(b"R")
        assert terminal.end() == 70
        assert terminal.faults() == []
        assert terminal.after_screen.splitlines()[-2:] == [
            r"Hostile: \x1b[2Jboom",
            "reftable-inspector: the program failed: the fault is in it, and not in your repository",
        ]
        assert "locals" not in terminal.after_screen


@pytest.mark.whole
def test_no_mouse_leaves_the_mouse_to_the_terminal(stack: Path) -> None:
    with inspector("--no-mouse", stack) as terminal:
        shown(terminal)
        terminal.send(b"q")
        assert terminal.end() == 0
        for name, (on, _off) in MODES.items():
            assert (on in terminal.written) == ("mouse" not in name), name


@pytest.mark.whole
def test_resizing_while_it_works_does_no_harm(stack: Path) -> None:
    with inspector(stack) as terminal:
        shown(terminal)
        for width, height in ((200, 60), (60, 16), (20, 5), (1, 1), (120, 36)):
            terminal.resize(width, height)
            terminal.send(b"j\tj\t")
            terminal.quiet(0.1)
        since = len(terminal.written)
        terminal.resize(140, 40)
        terminal.until("300 refs", since)
        terminal.send(b"q")
        assert terminal.end() == 0
        assert terminal.faults() == []


@pytest.mark.whole
def test_with_no_color_there_are_greys_and_nothing_else(stack: Path) -> None:
    painted = re.compile(rb"[34]8;2;(\d+);(\d+);(\d+)")
    for no_color in (False, True):
        with inspector(stack, env={"NO_COLOR": "1"} if no_color else {}) as terminal:
            shown(terminal)
            terminal.send(b"q")
            assert terminal.end() == 0
        colours = set(painted.findall(terminal.written))
        assert colours
        assert all(len(set(colour)) == 1 for colour in colours) == no_color


def test_what_is_written_when_the_terminal_has_gone_is_forgotten() -> None:
    lasting = _Lasting(Gone())
    assert lasting.write("text") == 4
    lasting.flush()


def test_garbage_is_looked_for_again_from_when_the_screens_are_imported() -> None:
    gc.disable()  # as `main` does
    try:
        collect_garbage_seldom()
        assert gc.isenabled()
    finally:
        gc.enable()

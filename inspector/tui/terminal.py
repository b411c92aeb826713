"""The inspector and its terminal: what has to be there before a screen, and how every end leaves it.

A program that has a terminal in raw mode may end in four ways: the user leaves; a signal ends it (SIGINT,
SIGTERM); the terminal goes away (SIGHUP); it fails. In each the terminal is given back as it was, work
in progress is cancelled and cleans up after itself, and the exit code says which it was.

`TerminalApp` is the part that has to be in the application, `run_on_terminal` the part around it.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import termios
import traceback
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import IO, Any, ClassVar, Final, cast

import click
from textual import on
from textual.app import App
from textual.binding import Binding, BindingType
from textual.command import CommandPalette
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver
from textual.worker import WorkerFailed

from inspector.exit_codes import ExitCode, note
from inspector.text import safe_name
from inspector.tui.keys_in_turn import KeysInTurnApp
from inspector.tui.palette import Palette
from inspector.tui.work import Defect

_ENDINGS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _Lasting:
    """A file for the thread that draws: when the terminal has gone, what is written is forgotten.

    The thread would die of the error, its queue run full, and the program wait for room in it for ever.
    """

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def fileno(self) -> int:
        return self._file.fileno()

    def write(self, text: str) -> int:
        try:
            return self._file.write(text)
        except OSError:
            return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._file.flush()


class _LastingDriver(LinuxDriver):
    """Textual's driver, which goes on without a terminal until the application has ended."""

    def __init__(self, app: App[Any], **options: Any) -> None:  # noqa: ANN401 - Textual's own
        super().__init__(app, **options)
        self._file = cast("Any", _Lasting(cast("IO[str]", self._file)))


class TerminalApp(KeysInTurnApp[None]):
    """An application that keeps the error it died of, instead of printing it with its local variables."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+z", "suspend_process", "Suspend", show=False, tooltip="Back to the shell; fg returns"),
    ]

    crash: Exception | None = None
    """The first error that ended the program."""

    def __init__(self) -> None:
        super().__init__()
        self.defects: deque[Exception] = deque(maxlen=10)
        """Errors of jobs that are defects of this program: it goes on, and reports them at its end."""

    @on(Defect)
    def _keep_defect(self, event: Defect) -> None:
        self.defects.append(event.error)

    @on(Driver.SignalResume)
    def _draw_again(self) -> None:
        # What was drawn went away with the alternate screen, and Textual draws only what has changed.
        self.refresh(layout=True)

    def action_command_palette(self) -> None:
        """Show the palette."""
        if not isinstance(self.screen, CommandPalette):
            self.push_screen(Palette(id="--command-palette"))

    def get_driver_class(self) -> type[Driver]:
        """The usual driver, made to outlast its terminal."""
        driver = super().get_driver_class()
        return _LastingDriver if driver is LinuxDriver else driver

    def _handle_exception(self, error: Exception) -> None:
        if self.crash is None:
            self.crash = error
        super()._handle_exception(error)
        # What Textual would print has local variables in it: bytes of the stack, as they are.
        self._exit_renderables.clear()


def terminal_trouble() -> str | None:
    """Why there can be no screen here, or None: there is a terminal that can show one."""
    for name, stream in (("input", sys.stdin), ("output", sys.stdout), ("error", sys.stderr)):
        try:
            there = stream.isatty()
        except (AttributeError, ValueError):  # none at all, or closed
            there = False
        if not there:
            return f"the inspector needs a terminal, and standard {name} is none"
    if os.environ.get("TERM") == "dumb":
        return "the inspector needs a terminal that can move its cursor, and TERM says dumb"
    return None


def collect_garbage_seldom() -> None:
    """Look for garbage after ten thousand new objects, not hundreds, and not in what is there by now.

    Textual makes and drops objects by the thousand for each frame, few of which are in cycles. Looking
    through the program's code and every widget again and again took a third of the time until
    a key is answered.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)


def run_on_terminal(app: TerminalApp, *, mouse: bool = True) -> int:
    """Run `app` until it ends, whatever ends it; the process's exit code.

    Raises `click.UsageError` before anything is drawn when there is no terminal, and `KeyboardInterrupt`
    after the screen is left when a signal ended it.
    """
    if trouble := terminal_trouble():
        raise click.UsageError(f"{trouble}. The verbs need none: refs, logs, tables and others (--help).")
    collect_garbage_seldom()
    with _ended_by_signals(app) as received:
        app.run(mouse=mouse)
    if received:
        raise KeyboardInterrupt
    for defect in app.defects:
        if defect is not app.crash:
            _report(defect, "a part of the program failed: the fault is in it, and not in your repository")
    if app.crash is not None:
        _report(app.crash, "the program failed: the fault is in it, and not in your repository")
        return ExitCode.INTERNAL
    return app.return_code or ExitCode.OK


@contextmanager
def _ended_by_signals(app: App[None]) -> Iterator[list[int]]:
    """Have signals end `app` from within its loop, where nothing is half done; yields those that came."""
    received: list[int] = []

    def end(number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            _let_go_of_terminal()
        received.append(number)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # not yet begun, or already over
            raise KeyboardInterrupt from None
        loop.call_soon_threadsafe(app.exit)

    before = {number: signal.signal(number, end) for number in _ENDINGS}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _let_go_of_terminal() -> None:
    """When the terminal has gone, put the null device in its place: what writes to it later does not fail."""
    try:
        termios.tcgetattr(sys.__stdin__.fileno() if sys.__stdin__ else 0)
    except (OSError, termios.error):
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor in range(3):
            os.dup2(nothing, descriptor)
        os.close(nothing)


def _report(error: Exception, what: str) -> None:
    """Say on standard error what happened and where, without what the variables held."""
    if isinstance(error, WorkerFailed) and isinstance(error.error, Exception):
        error = error.error
    for line in "".join(traceback.format_exception(error)).splitlines():
        click.echo(safe_name(line), err=True)
    note(what)

"""The inspector and its terminal: what has to be there before a screen, and how every end leaves it.

A program that has a terminal in raw mode may end in four ways: the user leaves; a signal ends it (SIGINT,
SIGTERM); the terminal goes away (SIGHUP); it fails. In each the terminal is given back as it was, work
in progress is cancelled and cleans up after itself, and the exit code says which it was.

`TerminalApp` is the part that has to be in the application, `run_on_terminal` the part around it.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import click
from textual import on
from textual.command import CommandPalette
from textual.driver import Driver
from textual.theme import ThemeProvider
from textual.widgets import OptionList
from textual.worker import WorkerFailed

from engine.system import POSIX
from inspector.exit_codes import ExitCode, report_defect
from inspector.tui import screens
from inspector.tui.config import Config
from inspector.tui.key_actions import KeyAction
from inspector.tui.keys import bindings
from inspector.tui.notices import NoticesApp
from inspector.tui.themes import register_themes


class Palette(CommandPalette):
    """Textual's palette, without keys for a list that has no rows."""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Textual turns a page of the list, which fails before that has rows, and where it has no room."""
        if action == "command_list":
            rows = self.query_one_optional(OptionList)  # none once the palette is closed
            # Lines that are as high as they were told before, but not made yet, are none either.
            return rows is not None and (rows.highlighted or 0) in rows._index_to_line  # noqa: SLF001
        return super().check_action(action, parameters)


class TerminalApp(NoticesApp[None]):
    """An application that keeps the error it died of, instead of printing it with its local variables."""

    TITLE = "reftable-inspector"
    CSS_PATH = Path(__file__).with_name("main.tcss")
    BINDINGS = bindings("app")

    crash: Exception | None = None
    """The first error that ended the program."""

    def __init__(self, config: Config | None = None, clock: Callable[[], float] = time.time) -> None:
        """`config` is what the user has chosen, if anything."""
        super().__init__(clock)
        self.config = config or Config()
        register_themes(self, self.config.theme)
        self.set_keymap(self.config.keymap)
        self.defects: deque[Exception] = deque(maxlen=10)
        """Errors of jobs that are defects of this program: it goes on, and reports them at its end."""

    @on(Driver.SignalResume)
    def _draw_again(self) -> None:
        # What was drawn went away with the alternate screen, and Textual draws only what has changed.
        self.refresh(layout=True)

    def action_command_palette(self) -> None:
        """Show the palette."""
        if not isinstance(self.screen, CommandPalette):
            self.push_screen(Palette(id="--command-palette"))

    def action_explain(self) -> None:
        """Explain what has the keys; what is chosen there is done where it belongs."""

        def run(chosen: KeyAction | None) -> None:
            if chosen is not None:
                self.call_next(self.run_action, chosen.action, chosen.node)

        self.push_screen(screens.HelpScreen(self.screen), run)

    def action_no_prompt(self, which: Literal["filter", "jump"]) -> None:
        """Say that there is nothing to type here, and take what is typed."""
        if not isinstance(self.screen, screens.NoPromptScreen):
            self.push_screen(screens.NoPromptScreen(which))

    def search_themes(self) -> None:
        """Show the palette with the themes alone."""
        self.push_screen(Palette(providers=[ThemeProvider], placeholder="Search for themes…"))

    def let_terminal_go(self) -> None:
        """Have no key read any more: there is none to come."""
        from inspector.tui.lasting_driver import LastingDriver

        if isinstance(self._driver, LastingDriver):
            self._driver.exit_event.set()

    def get_driver_class(self) -> type[Driver]:
        """The usual driver, made to outlast its terminal where that can go away."""
        driver = super().get_driver_class()
        if not POSIX:
            return driver
        from inspector.tui.lasting_driver import lasting

        return lasting(driver)

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
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)
    gc.enable()


def run_on_terminal(app: TerminalApp, *, mouse: bool = True) -> int:
    """Run `app` until it ends, whatever ends it; the process's exit code.

    Raises `click.UsageError` before anything is drawn when there is no terminal, and `KeyboardInterrupt`
    after the screen is left when a signal ended it.
    """
    if trouble := terminal_trouble():
        raise click.UsageError(f"{trouble}. The verbs need none: refs, logs, tables and others (--help).")
    collect_garbage_seldom()
    if _run(app, mouse=mouse):
        raise KeyboardInterrupt
    for defect in app.defects:
        if defect is not app.crash:
            report_defect(_cause(defect), "a part of the program")
    if app.crash is not None:
        report_defect(_cause(app.crash), "the program")
        return ExitCode.INTERNAL
    return app.return_code or ExitCode.OK


def _run(app: TerminalApp, *, mouse: bool) -> bool:
    """Run `app` until it ends; whether a signal ended it, or its terminal went away."""
    if not POSIX:
        app.run(mouse=mouse)
        return False
    from inspector.tui.ending import Ending

    ending = Ending(app.exit, app.let_terminal_go)
    with ending.expected():
        app.run(mouse=mouse)
    return bool(ending.received)


def _cause(error: Exception) -> BaseException:
    return error.error if isinstance(error, WorkerFailed) else error

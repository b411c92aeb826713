"""`git show` of an object in the user's pager, which has the terminal meanwhile.

The terminal is given to the pager as it was before the inspector began, and taken back when the pager ends.
Meanwhile ctrl+c and ctrl+z are for the pager, and what ends the inspector ends the pager too.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, Final

from textual.app import App, SuspendNotSupported

from engine.git import GitProgram
from inspector.exit_codes import ENDINGS
from inspector.text import error_text

_SOON: Final = 0.5
"""Seconds: a pager that ends sooner, such as `less -F` with a short text, was not there to read in."""

_GLANCE: Final = 0.2
"""Seconds between two looks at whether the pager has to end."""

_SIMPLE: Final = r"[^|&;<>()=`]+"
"""A command that can take the shell's place, and then is ended by what the shell is sent."""

# As git sets them when the user has not. Without F, with which less would be gone at once after a short text.
_DEFAULTS: Final = {"LESS": "R", "LV": "-c"}


def show_object(app: App[Any], program: GitProgram, git_dir: str, oid: bytes, pager: str) -> str | None:
    """Show an object until the user leaves the pager; what kept it from being shown, or None."""
    arguments, environment = program.show_command(git_dir, oid, color="NO_COLOR" not in os.environ)
    trouble = None
    try:
        with app.suspend():
            try:
                _page(arguments, _DEFAULTS | environment, pager)
            except OSError as error:  # told after the screen is back, which it would not be behind an error
                trouble = error_text(error)
    except SuspendNotSupported:
        trouble = "this terminal cannot be given to a pager"
    return trouble


def _page(arguments: list[str], environment: dict[str, str], pager: str) -> None:
    """Run git and the pager; wait for a key if there was no time to read."""
    begun = time.monotonic()
    with (
        _signals_for_pager() as received,
        subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=environment) as git,
    ):
        try:
            command = ["sh", "-c", f"exec {pager}" if re.fullmatch(_SIMPLE, pager) else pager]
            with subprocess.Popen(command, stdin=git.stdout, env=environment) as viewer:
                if git.stdout is not None:
                    git.stdout.close()  # so that git learns when the pager has ended
                # One that comes while the pager starts ends it as well.
                while not received:
                    with suppress(subprocess.TimeoutExpired):
                        viewer.wait(_GLANCE)
                        break
                viewer.terminate()
        finally:
            git.terminate()
    if not received and (pager.strip() == "cat" or time.monotonic() - begun < _SOON):
        _wait_for_enter()


@contextmanager
def _signals_for_pager() -> Iterator[list[int]]:
    """Leave ctrl+c to the pager, and keep back what ends this process until the pager has ended too."""
    received: list[int] = []

    def keep(number: int, _frame: FrameType | None) -> None:
        received.append(number)

    before = {number: signal.signal(number, keep) for number in ENDINGS}
    # A handler, since the children would inherit that it is ignored.
    before[signal.SIGINT] = signal.signal(signal.SIGINT, lambda _number, _frame: None)
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for came in received:
            os.kill(os.getpid(), came)


def _wait_for_enter() -> None:
    with suppress(OSError):  # the terminal may be gone
        os.write(2, b"\n(enter: back to the inspector) ")
        os.read(sys.__stdin__.fileno() if sys.__stdin__ else 0, 1024)

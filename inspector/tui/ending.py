"""How the inspector ends from outside: a signal, or a terminal that goes away, with a signal or without one.

The application is asked to end, which cancels what is at work and has it clean up after itself. It has a
moment for that. Then the process ends whatever its threads do: one may read a large table without looking up,
and Python waits for each of them. Only a change of the stack that is at work has longer, since it would leave
its locks behind.

The kernel sends SIGHUP to the processes of the terminal's session. One that is in another session (started by
setsid, or by some services) is never told: reading then gives nothing, again and again. So a thread waits
until the terminal has gone, which costs nothing. All of this is for terminals of POSIX.
"""

from __future__ import annotations

import asyncio
import os
import select
import signal
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, Final

from inspector.exit_codes import ENDINGS, ExitCode
from inspector.tui.work import CHANGING

_SIGNALS: Final = (signal.SIGINT, *ENDINGS)

_MOMENT: Final = 0.6
"""Seconds that the application has to end."""

_CHANGE_SECONDS: Final = 10.0
"""Seconds that a change at work has besides, to take back its locks and temporary files."""

_STANDARD: Final = range(3)

# What leaves the screen, for when Textual does not come to it: its modes, in the order in which it does.
_LEAVE: Final = "".join(
    f"\x1b[{mode}"
    for mode in (
        "?2004l",
        "?7h",
        "?2048l",
        "?1000l",
        "?1003l",
        "?1015l",
        "?1006l",
        "<u",
        "?1049l",
        "?25h",
        "?1004l",
    )
).encode()


class Ending:
    """Waits for what ends the program from outside, from before there is a screen until the process ends."""

    def __init__(self, leave: Callable[[], object], terminal_gone: Callable[[], object]) -> None:
        """`leave` is called in the running event loop, `terminal_gone` from any thread."""
        self._leave = leave
        self._terminal_gone = terminal_gone
        self._woken, self._waker = os.pipe()
        self.received: list[int] = []
        """The signals that came."""
        self._settings: list[Any] | None = termios.tcgetattr(0)  # until the screen is left

    @contextmanager
    def expected(self) -> Iterator[None]:
        """Have signals end the application from within its loop, where nothing is half done."""
        threading.Thread(target=self._wait, name="ending", daemon=True).start()
        before = {number: signal.signal(number, self._end) for number in _SIGNALS}
        try:
            yield
        finally:
            self._settings = None
            for number, handler in before.items():
                signal.signal(number, handler)

    def _end(self, number: int, _frame: FrameType | None) -> None:
        self.received.append(number)
        os.write(self._waker, b".")
        if number == signal.SIGHUP and _is_gone():
            self._let_go()
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # not yet begun, or already over
            raise KeyboardInterrupt from None
        loop.call_soon_threadsafe(self._leave)

    def _wait(self) -> None:
        """Wait for a signal, or for the terminal to go; then see to it that the process ends."""
        poll = select.poll()
        poll.register(self._woken, select.POLLIN)
        for number in _STANDARD:
            poll.register(number, 0)  # being hung up is always told
        if all(number != self._woken for number, _ in poll.poll()):
            self._let_go()
            os.kill(os.getpid(), signal.SIGHUP)  # as if the kernel had told
        threading.Event().wait(_MOMENT)
        CHANGING.acquire(timeout=_CHANGE_SECONDS)
        self._give_back()
        os._exit(ExitCode.INTERRUPTED)

    def _let_go(self) -> None:
        """Put the null device in the terminal's place: what writes to it later does not fail."""
        self._terminal_gone()
        self._settings = None
        nothing = os.open(os.devnull, os.O_RDWR)
        for number in _STANDARD:
            os.dup2(nothing, number)
        os.close(nothing)

    def _give_back(self) -> None:
        """Leave the screen, if that was not done."""
        if self._settings is not None:
            writable = select.poll()
            writable.register(2, select.POLLOUT)
            with suppress(OSError, termios.error):
                if writable.poll(0):  # output may be stopped, and would be waited for
                    os.write(2, _LEAVE)
                termios.tcsetattr(0, termios.TCSANOW, self._settings)


def _is_gone() -> bool:
    try:
        termios.tcgetattr(sys.__stdin__.fileno() if sys.__stdin__ else 0)
    except (OSError, termios.error):
        return True
    return False

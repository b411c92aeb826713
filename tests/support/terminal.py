"""The real program in a real pseudo-terminal: what it writes, how it ends, and what it leaves behind."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0
"""Seconds after which a test gives up: far beyond what anything takes on a busy machine."""

SEQUENCE = re.compile(
    rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[PX^_].*?\x1b\\|[ -/]*[0-~])", re.DOTALL
)
"""A control sequence of any kind: CSI, OSC, DCS and the like, or two characters."""

# What leaving a screen means: its modes, each switched on by a driver and to be off at the end.
MODES = {
    "alternate screen": (b"\x1b[?1049h", b"\x1b[?1049l"),
    "hidden cursor": (b"\x1b[?25l", b"\x1b[?25h"),
    "mouse clicks": (b"\x1b[?1000h", b"\x1b[?1000l"),
    "mouse moves": (b"\x1b[?1003h", b"\x1b[?1003l"),
    "mouse, extended": (b"\x1b[?1006h", b"\x1b[?1006l"),
    "bracketed paste": (b"\x1b[?2004h", b"\x1b[?2004l"),
    "focus events": (b"\x1b[?1004h", b"\x1b[?1004l"),
    "no line wrap": (b"\x1b[?7l", b"\x1b[?7h"),
}


class Terminal:
    """A program with a terminal of its own as standard input, output and error."""

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        size: tuple[int, int] = (120, 36),
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        is_told: bool = True,
    ) -> None:
        """Where it is not told, the terminal is not that of its session, and its end sends it no signal."""
        self._master, self._slave = pty.openpty()
        self.resize(*size)
        self.before = termios.tcgetattr(self._slave)
        self.written = b""
        ours = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "PYTHONPATH": str(ROOT)}
        environment = {**os.environ, **ours, **(env or {})}
        for name in ("COLUMNS", "LINES", "NO_COLOR", "TEXTUAL"):
            if name not in (env or {}):
                environment.pop(name, None)
        self.process = subprocess.Popen(
            [os.fspath(part) for part in command],
            stdin=self._slave,
            stdout=self._slave,
            stderr=self._slave,
            env=environment,
            cwd=cwd,
            start_new_session=True,
            # It is not safe where threads hold locks; this process has none by then.
            preexec_fn=(lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0)) if is_told else None,  # noqa: PLW1509
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for descriptor in (self._master, self._slave):
            if descriptor >= 0:
                os.close(descriptor)

    def resize(self, width: int, height: int) -> None:
        """Give the terminal another size; the kernel tells the program."""
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def send(self, data: bytes) -> None:
        """Type."""
        os.write(self._master, data)

    def close(self) -> None:
        """Close the window while the program runs."""
        os.close(self._slave)
        os.close(self._master)
        self._master = self._slave = -1

    @property
    def text(self) -> str:
        """All that was written so far but for control sequences."""
        return SEQUENCE.sub(b"", self.written).decode("utf-8", "replace")

    def read(self, seconds: float = 0.0) -> bool:
        """Take what the program has written, waiting for it so long; whether there was anything."""
        if not select.select([self._master], [], [], seconds)[0]:
            return False
        try:
            self.written += os.read(self._master, 65536)
        except OSError:  # no process has the other side open any more
            return False
        return True

    def until(self, wanted: str, since: int = 0) -> None:
        """Wait until the text that was written after `since` bytes has a match of `wanted`."""
        deadline = time.monotonic() + PATIENCE
        while not re.search(wanted, SEQUENCE.sub(b"", self.written[since:]).decode("utf-8", "replace")):
            if not self.read(0.1) and self.process.poll() is not None and not self.read():
                raise AssertionError(f"ended with {self.process.returncode} before {wanted!r}:\n{self.text}")
            assert time.monotonic() < deadline, f"no {wanted!r} in:\n{self.text}"

    def press(self, key: bytes, wanted: str = "") -> None:
        """Type, and wait for an answer: for `wanted`, or for anything that is drawn."""
        self.read()
        since = len(self.written)
        self.send(key)
        self.until(wanted or r"\S", since)

    def quiet(self, seconds: float = 0.3) -> None:
        """Wait until nothing was written for so long."""
        while self.read(seconds):
            pass

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the program alone."""
        self.process.send_signal(number)

    def end(self) -> int:
        """Wait for the end and take all that was written; the exit code."""
        deadline = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            self.read(0.05)
            assert time.monotonic() < deadline, f"it does not end:\n{self.text}"
        while self.read():
            pass
        return self.process.returncode

    def faults(self) -> list[str]:
        """What of the terminal is not as it was before: modes that are still on, settings that are others."""
        found = []
        for name, (on, off) in MODES.items():
            if on in self.written and self.written.rfind(off) < self.written.rfind(on):
                found.append(name)
        after: list[Any] = termios.tcgetattr(self._slave)
        if after != self.before:
            found.append(f"settings {after} instead of {self.before}")
        return found

    @property
    def after_screen(self) -> str:
        """What was written, as text, after the screen was left; everything when there was none."""
        leave = MODES["alternate screen"][1]
        return SEQUENCE.sub(b"", self.written.rpartition(leave)[2]).decode("utf-8", "replace")


def inspector(*arguments: str | Path, prelude: str = "", **options: Any) -> Terminal:  # noqa: ANN401
    """Start `reftable-inspector ARGUMENTS` in a terminal, after the Python code `prelude`."""
    code = f"{prelude}\nfrom inspector.cli import main\nmain()"
    return Terminal([sys.executable, "-c", code, *arguments], **options)


class Gone(io.StringIO):
    """A terminal that is not there any more."""

    def write(self, _text: str) -> int:
        raise OSError(5, "Input/output error")

    def flush(self) -> None:
        raise OSError(5, "Input/output error")

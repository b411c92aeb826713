"""Where a verb's output goes.

Standard output carries data only; notes, warnings and progress go to standard error, progress only
when that is a terminal.

Plain text is made of the bytes of the stack. A terminal gets them through `safe_text`; a pipe or a file gets
them as they are, as git gives them, so that `cut` and `xargs` see real names. A batch of lines is one write.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable
from typing import Any, BinaryIO

import click

from engine.closing import Closing
from engine.progress import Progress
from inspector import text
from inspector.exit_codes import note
from inspector.text import safe_text


class Output:
    """Standard output for one verb: lines of bytes, and how names are shown on it."""

    def __init__(self, stream: BinaryIO, *, terminal: bool, encoding: str = "utf-8") -> None:
        self._stream = stream
        self._terminal = terminal
        self._encoding = encoding

    @classmethod
    def standard(cls) -> Output:
        """The process's standard output, a terminal or not."""
        return cls(sys.stdout.buffer, terminal=sys.stdout.isatty(), encoding=sys.stdout.encoding)

    def show(self, data: bytes) -> bytes:
        """`data` of the stack as it goes into a line of text: safe on a terminal, else unchanged."""
        return safe_text(data).encode(self._encoding, "backslashreplace") if self._terminal else data

    def text(self, lines: Iterable[str]) -> None:
        """Write lines of our own making, from `columns` for example; names in them are safe already."""
        self.lines(line.encode(self._encoding, "backslashreplace") for line in lines)

    def lines(self, lines: Iterable[bytes], end: bytes = b"\n") -> None:
        """Write a batch of lines, given without their newlines; each gets `end`."""
        if joined := [*lines]:
            joined.append(b"")
            self._stream.write(end.join(joined))

    def pairs(self, firsts: list[bytes], names: list[bytes], end: bytes) -> None:
        """Write a batch of lines of something, a space and a name of the stack; each gets `end`."""
        parts = [b" "] * (4 * len(names))
        parts[::4] = firsts
        parts[2::4] = map(self.show, names) if self._terminal else names
        parts[3::4] = [end] * len(names)
        self._stream.write(b"".join(parts))

    def json(self, lines: Iterable[str]) -> None:
        """Write a batch of JSON documents, each a line."""
        if joined := [*lines]:
            joined.append("")
            self._stream.write("\n".join(joined).encode("ascii"))

    def objects(self, objects: Iterable[dict[str, Any]]) -> None:
        """Write a batch of JSON objects, given by their fields, each a line."""
        self.json(map(text.json_line, objects))

    def flush(self) -> None:
        """Hand everything to the system: an error of writing shows here, not after the verb."""
        self._stream.flush()


def note_sentence(sentence: str) -> None:
    """A sentence of a screen as a note."""
    note(sentence[:1].lower() + sentence[1:].removesuffix("."))


class ProgressLine(Closing):
    """A progress callback for the engine: one line on standard error that rewrites itself.

    Silent when standard error is no terminal, or one that cannot take a line back. The line is gone when the
    `with` ends, also by an error.
    """

    _INTERVAL = 0.1  # seconds between two paints; the engine reports far more often

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._painted = 0.0

    def __call__(self, progress: Progress) -> None:
        """Show how far the operation is, unless that was done a moment ago."""
        now = time.monotonic()
        if not self._terminal or now - self._painted < self._INTERVAL:
            return
        self._painted = now
        share = f"{progress.done:,}" if progress.percent is None else f"{progress.percent}%"
        click.echo(f"\r\x1b[K{progress.phase}: {share}", err=True, nl=False)

    def close(self) -> None:
        """Clear the line."""
        if self._painted:
            click.echo("\r\x1b[K", err=True, nl=False)

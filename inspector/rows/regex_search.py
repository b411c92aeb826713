"""Regular expressions over bytes that anybody may have written, in a process that can be ended.

Python's `re` backtracks: `(a+)+$` over thirty letters takes minutes, and holds the interpreter's lock as
long, so in a thread it would freeze the whole program. Here it runs in a child, which gets batches of
texts through a pipe and answers with a byte for each. The kernel ends the child when it has spent
CPU_SECONDS of its own time on one batch; the program itself never waits for more than that, and
not even so long when nobody wants the answer any more.

This file is also the child's program (`python -I -S regex_search.py`): it imports the standard library only.

    request   u32 count, count u32 lengths, the texts one after the other; the first is the expression alone
    answer    count bytes: 1 where the expression was found
"""

from __future__ import annotations

import re
import select
import signal
import subprocess
import sys
from array import array
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import accumulate, pairwise
from typing import BinaryIO, Final

__all__ = ["RegexSearch", "TooSlowError"]

CPU_SECONDS: Final = 2.0
TEXT_BYTES: Final = 4096
"""What is searched of one text: its beginning. The rest of a longer one is not looked at."""

_LOOK_UP: Final = 50  # milliseconds between two looks at whether the answer is still wanted
_WORD: Final = array("I").itemsize


class TooSlowError(Exception):
    """The expression needs more time for some text of the stack than anybody would wait."""

    def __init__(self) -> None:
        super().__init__(f"the expression took over {CPU_SECONDS:g} s on some of these records: given up")


class RegexSearch:
    """One expression at work. For one thread at a time; the child is started when it is first needed."""

    def __init__(self, pattern: bytes) -> None:
        self._pattern = pattern
        self._child: subprocess.Popen[bytes] | None = None

    def found(self, texts: Sequence[bytes], stopped: Callable[[], bool]) -> list[bool] | None:
        """Whether each text has the expression in its first TEXT_BYTES; None once `stopped()` is true.

        Raises `TooSlowError`; the next call begins with another child.
        """
        if not texts:
            return []
        child = self._child or self._start()
        _send(child, [text[:TEXT_BYTES] for text in texts])
        answer = _answer(child, len(texts), stopped)
        if answer is None or len(answer) < len(texts):
            self.close()
        if answer is not None and len(answer) < len(texts):
            raise TooSlowError
        return None if answer is None else list(map(bool, answer))

    def close(self) -> None:
        """End the child."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            with suppress(BrokenPipeError):
                child.communicate()

    def _start(self) -> subprocess.Popen[bytes]:
        # The interpreter that runs this program, on this very file: nothing of it comes from outside.
        self._child = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        _send(self._child, [self._pattern])
        return self._child


def _send(child: subprocess.Popen[bytes], texts: Sequence[bytes]) -> None:
    lengths = array("I", [len(texts), *map(len, texts)])
    # That a child has ended shows when its answer is read.
    with suppress(BrokenPipeError):
        if child.stdin is not None:
            child.stdin.write(b"".join((lengths.tobytes(), *texts)))
            child.stdin.flush()


def _answer(child: subprocess.Popen[bytes], count: int, stopped: Callable[[], bool]) -> bytes | None:
    """The child's next `count` bytes, or as many as it wrote before it ended; None when stopped."""
    if child.stdout is None:
        return b""
    poll = select.poll()
    poll.register(child.stdout, select.POLLIN)
    while not poll.poll(_LOOK_UP):
        if stopped():
            return None
    return child.stdout.read(count)


def _read_texts(stream: BinaryIO) -> list[bytes]:
    lengths = array("I")
    lengths.frombytes(stream.read(_WORD))
    count = lengths.pop()
    lengths.frombytes(stream.read(count * _WORD))
    data = stream.read(sum(lengths))
    return [data[start:end] for start, end in pairwise(accumulate(lengths, initial=0))]


def _serve(requests: BinaryIO, answers: BinaryIO) -> None:
    (pattern,) = _read_texts(requests)
    search = re.compile(pattern).search
    while True:
        texts = _read_texts(requests)
        # The default action of SIGPROF ends the process, whatever the interpreter is busy with.
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
        answer = bytes(search(text) is not None for text in texts)
        signal.setitimer(signal.ITIMER_PROF, 0)
        answers.write(answer)
        answers.flush()


if __name__ == "__main__":
    with suppress(IndexError, BrokenPipeError):  # no more requests
        _serve(sys.stdin.buffer, sys.stdout.buffer)

"""Bytes of a file for a view that draws a few hundred of them: never the whole file.

The thread that draws calls `bytes_at` and `wanting`, which answer at once; the one that reads runs `work`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

CHUNK: Final = 65536


class HeldBytes(NamedTuple):
    """Bytes in memory, such as those of an inflated block."""

    data: bytes

    @property
    def size(self) -> int:
        """All of them."""
        return len(self.data)

    def bytes_at(self, start: int, end: int) -> bytes | None:
        """Bytes `start` to `end`."""
        return self.data[start:end]


class FileBytes:
    """The bytes of a file, of which CHUNK are kept: those around what was wanted last."""

    def __init__(self, size: int, read: Callable[[int, int], bytes]) -> None:
        """`read(offset, size)` gives the bytes there; it is called by `work` only."""
        self.size = size
        self._read = read
        self._chunk = -CHUNK, b""  # where it begins, and its bytes
        self._wanted: int | None = None

    @property
    def wanting(self) -> bool:
        """Whether bytes were asked for that have yet to be read."""
        return self._wanted is not None

    def bytes_at(self, start: int, end: int) -> bytes | None:
        """Bytes `start` to `end`; None if they are not at hand, and are wanted from then on.

        Fewer bytes than asked for are all that can be read.
        """
        begin, data = self._chunk
        if begin <= start and end <= begin + CHUNK:
            return data[start - begin : end - begin]
        self._wanted = start
        return None

    def work(self) -> Iterator[bool]:
        """Read what is wanted, and yield after each piece. What raises `OSError` counts as empty."""
        while self._wanted is not None:
            # What is wanted during the read, by a view that is drawn meanwhile, stays wanted.
            begin, self._wanted = max(0, self._wanted - CHUNK // 2), None
            data = b""
            try:
                data = self._read(begin, CHUNK)
            finally:
                self._chunk = begin, data
            yield True


ByteSource = HeldBytes | FileBytes
"""What a hex view draws from. No method waits for anything."""

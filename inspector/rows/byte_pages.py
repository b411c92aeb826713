"""Bytes of a file for a view that draws a few hundred of them: read a page at a time, never the whole file.

Two threads meet here. The one that draws calls `bytes_at` and `wanting`, which answer at once; the one that
reads the file calls `read_page`. They share pages and wants under a lock that is never held during
a read. Bytes that are in memory anyway (an inflated block) are a `HeldBytes`.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

PAGE_BYTES: Final = 4096
MAX_PAGES: Final = 32
MAX_WANTS: Final = 4


@dataclass(frozen=True, slots=True)
class HeldBytes:
    """Bytes in memory."""

    data: bytes

    @property
    def size(self) -> int:
        """All of them."""
        return len(self.data)

    def bytes_at(self, start: int, end: int) -> bytes | None:
        """Bytes `start` to `end`."""
        return self.data[start:end]


class BytePages:
    """The bytes of a file, of which MAX_PAGES pages are kept."""

    def __init__(self, size: int, read: Callable[[int, int], bytes]) -> None:
        """`read(offset, size)` gives the bytes there; it is called by `read_page` only."""
        self.size = size
        self._read = read
        self._lock = threading.Lock()
        self._pages: OrderedDict[int, bytes] = OrderedDict()
        self._wants: deque[int] = deque(maxlen=MAX_WANTS)

    @property
    def wanting(self) -> bool:
        """Whether bytes were asked for that have yet to be read."""
        return bool(self._wants)

    def bytes_at(self, start: int, end: int) -> bytes | None:
        """Bytes `start` to `end`, within one multiple of PAGE_BYTES; None if they are not at hand.

        Those are wanted from then on. Fewer bytes than asked for are all that can be read.
        """
        number, at = divmod(start, PAGE_BYTES)
        with self._lock:
            page = self._pages.get(number)
            if page is not None:
                self._pages.move_to_end(number)
                return page[at : at + end - start]
            if number not in self._wants:
                self._wants.append(number)
            return None

    def work(self) -> Iterator[bool]:
        """Read the pages that are wanted, one after the other."""
        while self.read_page():
            yield True

    def read_page(self) -> bool:
        """Read the page wanted last; False if none is. A page that raises `OSError` counts as empty."""
        with self._lock:
            if not self._wants:
                return False
            number = self._wants[-1]
        page = b""
        try:
            page = self._read(number * PAGE_BYTES, PAGE_BYTES)
        finally:
            with self._lock:
                self._pages[number] = page
                if number in self._wants:
                    self._wants.remove(number)
                while len(self._pages) > MAX_PAGES:
                    self._pages.popitem(last=False)
        return True


ByteSource = HeldBytes | BytePages
"""What a hex view draws from. No method waits for anything."""

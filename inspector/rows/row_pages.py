"""Rows that are read a page at a time: a million records as a list that is never built.

A list on screen draws a few dozen rows, so a row source hands out rows by number and reads them when they
are asked for. `SequenceRows` has its rows in memory. A `RowPages` holds a few things, none of which grows
with the stack beyond a bound:

    pages     the PAGE_ROWS rows around those drawn last, MAX_PAGES of them
    wants     the pages that were drawn as placeholders, MAX_WANTS of them, the latest first
    anchors   where to seek for any row (see `Anchors`)

All rows are known after a scan. It is done in pieces of about SCAN_RECORDS, so that the thread that does them
can stop, or read a page that is wanted more.

Two threads meet here. The one that draws calls `count`, `complete`, `row`, `wanting`, `progress`, `stop`:
they answer at once and never read the stack. The one that works calls `read_page`, `scan`, `rank`, the only
methods that touch the engine, the anchors and the scan. They share pages and wants under a lock that is held
for a few dictionary operations, never during a read.

A view is immutable, so a row that was read once stays right. Another state of the stack is another view, and
another source.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Final, Generic, Protocol, TypeVar

from engine.errors import ReftableError
from engine.progress import Progress
from inspector.rows.row_filter import TooSlowError

PAGE_ROWS: Final = 128
MAX_PAGES: Final = 32
MAX_WANTS: Final = 8
ANCHOR_BYTES: Final = 16 * 2**20
SCAN_RECORDS: Final = 4096
"""Records that are looked at in one piece of a scan, about."""

Row = TypeVar("Row")
Row_co = TypeVar("Row_co", covariant=True)
Key = TypeVar("Key")
Anchor = TypeVar("Anchor")

RowError = ReftableError | OSError | TooSlowError
"""What may keep rows from being read."""

READ_ERRORS: Final = (ReftableError, OSError, TooSlowError)


class RowSource(Protocol[Row_co]):
    """What a virtual list draws from. No method waits for anything."""

    @property
    def count(self) -> int:
        """Rows known so far; it only grows."""

    @property
    def complete(self) -> bool:
        """Whether `count` is all there are."""

    @property
    def wanting(self) -> bool:
        """Whether rows were asked for that are not at hand and have yet to be read."""

    def row(self, index: int) -> Row_co | None:
        """Row `index` (0-based), or None when it is not at hand, and is wanted from now on."""


class SequenceRows(Generic[Row]):
    """The rows of a sequence in memory."""

    wanting: bool = False

    def __init__(self, rows: Sequence[Row] = (), *, complete: bool = True) -> None:
        self._rows = rows
        self.complete = complete

    @property
    def count(self) -> int:
        """All of them."""
        return len(self._rows)

    def row(self, index: int) -> Row | None:
        """Row `index`, or None outside the sequence."""
        return self._rows[index] if 0 <= index < len(self._rows) else None


class RowPages(ABC, Generic[Row, Key]):
    """A source whose rows are read in pages by another thread than draws them."""

    def __init__(self) -> None:
        self.told = 0
        """How far the scan had come when the session last told of it."""
        self._count = 0
        self._complete = False
        self._stopped = False
        self._error: RowError | None = None
        self._lock = threading.Lock()
        self._pages: OrderedDict[int, tuple[Row, ...]] = OrderedDict()
        self._growing: set[int] = set()  # pages that were read when the scan had not passed their end
        self._wants: deque[int] = deque(maxlen=MAX_WANTS)

    # For the thread that draws.

    @property
    def count(self) -> int:
        """Rows known so far; all when the scan has ended."""
        return self._count

    @property
    def complete(self) -> bool:
        """Whether `count` is all there are. Never so for a view that cannot be read to its end."""
        return self._complete

    @property
    def error(self) -> RowError | None:
        """Why the rows cannot be read (any further), or None."""
        return self._error

    @property
    def ended(self) -> bool:
        """Whether no more rows will be known: complete, broken off by an error, or stopped."""
        return self.complete or self.error is not None or self._stopped

    @property
    def stopped(self) -> bool:
        """Whether `stop` kept the scan from its end."""
        return self._stopped

    @property
    def wanting(self) -> bool:
        """Whether there is a page for `read_page` to read."""
        return bool(self._wants)

    @property
    @abstractmethod
    def progress(self) -> Progress:
        """How far the scan is: records of how many (None: not known yet)."""

    def stop(self) -> None:
        """Scan no further; what is known stays."""
        self._stopped = True

    def row(self, index: int) -> Row | None:
        """Row `index`, if its page is at hand; otherwise None, and its page is wanted.

        None as well from `count` on. The page that scrolling on would reach is wanted ahead of time.
        """
        if not 0 <= index < self._reachable:
            return None
        number, offset = divmod(index, PAGE_ROWS)
        with self._lock:
            page = self._pages.get(number)
            if page is None or (offset >= len(page) and number in self._growing):
                if number in self._wants:
                    self._wants.remove(number)
                self._wants.append(number)
                return None
            self._pages.move_to_end(number)
            if offset < PAGE_ROWS // 4 and number:
                self._want_later(number - 1)
            elif offset >= PAGE_ROWS - PAGE_ROWS // 4 and (number + 1) * PAGE_ROWS < self.count:
                self._want_later(number + 1)
        return page[offset] if offset < len(page) else None

    @property
    def _reachable(self) -> int:
        """How many rows can be asked for."""
        return self.count

    def _want_later(self, number: int) -> None:
        if number not in self._pages and number not in self._wants and len(self._wants) < MAX_WANTS:
            self._wants.appendleft(number)

    # For the thread that works.

    def scan(self) -> bool:
        """Do a piece of what has to be done to know all rows; False when nothing is left to do."""
        if self.ended:
            return False
        try:
            self._scan_on()
        except READ_ERRORS as error:
            self._error = error
        return True

    @abstractmethod
    def _scan_on(self) -> None:
        """Do the next piece."""

    @abstractmethod
    def rank(self, key: Key) -> int | None:
        """The number of the row with this key, or of the one that comes instead; None until that is known.

        May be `count`, when all rows come before.
        """

    @abstractmethod
    def _rows_from(self, start: int) -> Iterator[Row]:
        """The rows from number `start` on, as many as are known, or more."""

    def read_page(self) -> bool:
        """Read the page that was wanted last; False when none is.

        An error is kept in `error`, and the page with what could be read of it: nothing is gained
        by trying again.
        """
        with self._lock:
            if not self._wants:
                return False
            number = self._wants[-1]
            rows = list(self._pages.get(number, ()))
        growing = not self.ended
        try:
            for row in islice(self._rows_from(number * PAGE_ROWS + len(rows)), PAGE_ROWS - len(rows)):
                rows.append(row)  # noqa: PERF402 - what came before an error is kept
        except READ_ERRORS as error:
            self._error = error
            growing = False
        with self._lock:
            if number in self._wants:  # else newer wants have pushed it out meanwhile
                self._wants.remove(number)
            self._pages[number] = tuple(rows)
            self._growing.discard(number)
            if growing and len(rows) < PAGE_ROWS:
                self._growing.add(number)
            while len(self._pages) > MAX_PAGES:
                self._growing.discard(self._pages.popitem(last=False)[0])
        self._page_read(number, len(rows))
        return True

    def _page_read(self, number: int, rows: int) -> None:
        """Take note of a page that was read."""


class Anchors(Generic[Anchor]):
    """What finds every n-th row, so that any row is one seek and at most n records away.

    n is `spacing`. When there would be more than `most` anchors, or more than ANCHOR_BYTES of them, every
    second one is dropped and n doubles.
    """

    def __init__(self, most: int, spacing: int, weigh: Callable[[Anchor], int]) -> None:
        """`weigh` gives about how many bytes an anchor takes."""
        self.kept: list[Anchor] = []
        self.spacing = spacing
        self._most = most
        self._weigh = weigh
        self._bytes = 0

    @property
    def next_row(self) -> int:
        """The number of the row whose anchor is to be added next."""
        return len(self.kept) * self.spacing

    def add(self, anchor: Anchor) -> None:
        """Keep the anchor of row `next_row`."""
        self.kept.append(anchor)
        self._bytes += self._weigh(anchor)
        if len(self.kept) > self._most or (self._bytes > ANCHOR_BYTES and len(self.kept) > 1):
            del self.kept[1::2]
            self.spacing *= 2
            self._bytes = sum(map(self._weigh, self.kept))

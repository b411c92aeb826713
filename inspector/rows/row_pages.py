"""Rows that are read a page at a time: what the sources of records have in common.

A source holds a few things, none of which grows with the stack beyond a bound:

    anchors   the key of every n-th row, so that any row is one seek and at most n records away.
              Never more than MAX_ANCHORS keys (MAX_KEYS of a filtered source) nor ANCHOR_BYTES of them:
              when there are more, every second one is dropped and n doubles
    pages     the PAGE_ROWS rows around those drawn last, MAX_PAGES of them
    wants     the pages that were drawn as placeholders, MAX_WANTS of them, the latest first

Without a filter n begins at PAGE_ROWS. Anchors come from a scan of the whole view, which also counts the
rows; the first page needs none. With a filter n begins at 1, so the keys of up to MAX_KEYS matches are
known and each of their rows is one lookup, however far apart they lie; rows are known as the scan finds
them. Beyond that matches are found again from the anchor before them.

The scan is done in pieces of about SCAN_RECORDS, so that whoever does them can stop, or read a page
that is wanted more.

Two threads meet here. The one that draws calls `count`, `complete`, `row`, `wanting`, `progress`, `stop`:
they answer at once and never read the stack. The one that works for the session calls `read_page`, `scan`,
`rank`, the only methods that touch the engine, the anchors and the scan. They share pages and
wants under a lock that is held for a few dictionary operations, never during a read.

A view is immutable, so a row that was read once stays right. Another state of the stack
is another view, and another source.
"""

from __future__ import annotations

import sys
import threading
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain, compress, islice
from typing import Any, Final, Generic, TypeVar

from engine.errors import ReftableError
from engine.format import LogRecord, RefRecord
from engine.merge import MergedTable
from engine.progress import Progress
from engine.table import Table
from inspector.rows.row_filter import RowFilter, TooSlowError

__all__ = ["PAGE_ROWS", "READ_ERRORS", "SCAN_RECORDS", "PagedRows", "RowError", "RowPages"]

PAGE_ROWS: Final = 128
MAX_PAGES: Final = 32
MAX_WANTS: Final = 8
MAX_ANCHORS: Final = 8192
MAX_KEYS: Final = 65536
ANCHOR_BYTES: Final = 16 * 2**20
SCAN_RECORDS: Final = 4096

Row = TypeVar("Row")
Record = TypeVar("Record", RefRecord, LogRecord)
Key = TypeVar("Key")

RowError = ReftableError | OSError | TooSlowError
"""What may keep rows from being read."""

READ_ERRORS: Final = (ReftableError, OSError, TooSlowError)


class RowPages(ABC, Generic[Row, Key]):
    """A source whose rows are read in pages by another thread than draws them."""

    def __init__(self) -> None:
        self.told = 0
        """How far the scan had come when the session last told of it; the session's own note."""
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
        return self._complete or self._error is not None or self._stopped

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
                self._want(number)
                return None
            self._pages.move_to_end(number)
            if offset < PAGE_ROWS // 4 and number:
                self._want_later(number - 1)
            elif offset >= PAGE_ROWS - PAGE_ROWS // 4 and (number + 1) * PAGE_ROWS < self._count:
                self._want_later(number + 1)
        return page[offset] if offset < len(page) else None

    @property
    def _reachable(self) -> int:
        return self._count

    def _want(self, number: int) -> None:
        if number in self._wants:
            self._wants.remove(number)
        self._wants.append(number)

    def _want_later(self, number: int) -> None:
        if number not in self._pages and number not in self._wants and len(self._wants) < MAX_WANTS:
            self._wants.appendleft(number)

    # For the thread that works.

    @abstractmethod
    def scan(self) -> bool:
        """Do a piece of what has to be done to know all rows; False when nothing is left to do."""

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
        growing = not self._complete
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


class PagedRows(RowPages[Row, Key], Generic[Row, Record, Key]):
    """Rows of a merged view in its order; see the module's text for who may call what."""

    texts_per_row = 1
    """How many texts of a record a filter looks at."""

    def __init__(
        self,
        view: MergedTable,
        first: Key,
        *,
        positions: Mapping[str, int] | None = None,
        row_filter: RowFilter | None = None,
    ) -> None:
        """`first` is a key that no row comes before.

        `positions` are those of the tables in the stack, by name, if they are others than in `view`. Only
        records that `row_filter` admits are rows.
        """
        super().__init__()
        self._view = view
        if positions is None:
            positions = {table.name: position for position, table in enumerate(view.tables)}
        self.positions = positions
        """The position in the stack of each table, by its name."""
        self._first = first
        self._filter = row_filter
        self._anchors: list[Key] = [] if row_filter else [first]
        self._anchor_bytes = 0
        self._spacing = 1 if row_filter else PAGE_ROWS
        self._looked = 0
        self._scanned = 0
        self._passed: Any = None  # the order of the last record that the scan has seen
        self._scanning: Iterator[list[Record]] | None = None
        if row_filter is None:
            self._wants.append(0)

    @abstractmethod
    def _blocks(self, start: Key) -> Iterator[list[Record]]:
        """The records of the view from the first key that is not before `start`."""

    @abstractmethod
    def _origins(self, start: Key) -> Iterator[list[tuple[Record, Table]]]:
        """The same, each with its table."""

    @abstractmethod
    def _key(self, record: Record) -> Key:
        """The key to start from to get `record` first."""

    @abstractmethod
    def _row(self, record: Record, position: int) -> Row:
        """`record` as a row, of bounded size."""

    def _order(self, key: Key) -> Any:  # noqa: ANN401 - whatever keys are compared by
        """What keys compare by."""
        return key

    def _weight(self, key: Key) -> int:
        """About how many bytes a key takes."""
        return sys.getsizeof(key)

    def _texts(self, records: Iterable[Record]) -> list[bytes]:
        """The texts that a filter looks at, `texts_per_row` for each record."""
        raise NotImplementedError

    def _lookup(self, key: Key) -> tuple[Record, Table] | None:
        """The one record of this key, and its table."""
        raise NotImplementedError

    # For the thread that draws.

    @property
    def progress(self) -> Progress:
        """Records looked at so far."""
        return Progress("scanning" if self._filter else "counting", self._looked, None)

    @property
    def _reachable(self) -> int:
        return self._count if self._filter else max(self._count, 1)

    # For the thread that works.

    def _page_read(self, number: int, rows: int) -> None:
        self._count = max(self._count, number * PAGE_ROWS + rows)
        if not self._filter and number == 0 and rows < PAGE_ROWS and self._error is None:
            self._complete = True

    def _rows_from(self, start: int) -> Iterator[Row]:
        return map(self.row_of, self.entries(start))

    def row_of(self, entry: tuple[Record, Table]) -> Row:
        """A record and its table as a row."""
        return self._row(entry[0], self.positions[entry[1].name])

    def entries(self, start: int) -> Iterator[tuple[Record, Table]]:
        """The records of the rows from number `start` on, and their tables.

        With a filter, as far as rows are known. Raises what reading raises. When the source is complete,
        this may be called from any thread.
        """
        anchor, skip = divmod(start, self._spacing)
        if self._filter is None:
            yield from islice(chain.from_iterable(self._origins(self._anchors[anchor])), skip, None)
        elif self._spacing == 1:
            for number in range(start, len(self._anchors)):
                entry = self._lookup(self._anchors[number])
                if entry is not None:
                    yield entry
        else:
            for number in range(anchor, len(self._anchors)):
                yield from islice(self._admitted(self._anchors[number]), skip, self._spacing)
                skip = 0

    def entries_at(self, numbers: Sequence[int]) -> dict[int, tuple[Record, Table]]:
        """The entries of these rows by number, which ascend; what `entries` says goes for them too."""
        found: dict[int, tuple[Record, Table]] = {}
        for stretch in self._stretches(numbers):
            first, last = stretch[0], stretch[-1]
            found.update(zip(range(first, last + 1), self.entries(first), strict=False))
        return found

    def _stretches(self, numbers: Sequence[int]) -> Iterator[list[int]]:
        """Ascending numbers in parts between which it pays to seek."""
        near = 1 if self._filter is not None and self._spacing == 1 else PAGE_ROWS // 4
        part: list[int] = []
        for number in numbers:
            if part and number - part[-1] > near and number // self._spacing > part[-1] // self._spacing:
                yield part
                part = []
            part.append(number)
        if part:
            yield part

    def all_entries(self) -> Iterator[list[tuple[Record, Table]]]:
        """The records of all rows and their tables, from any thread, without what is known of them.

        Lists may be empty, so that whoever reads them can stop even where nothing passes the filter.
        """
        for origins in self._origins(self._first):
            yield self._sift_origins(origins) if self._filter else origins

    def rows_at(self, key: Key, count: int) -> tuple[Row, ...]:
        """Up to `count` rows from the first one on that is not before `key`, by a seek.

        None with a filter, since what passes may be far away, or where the view cannot be read.
        """
        rows: list[Row] = []
        if self._filter is None:
            with suppress(*READ_ERRORS):  # whoever reads the page itself tells of it
                rows.extend(map(self.row_of, islice(chain.from_iterable(self._origins(key)), count)))
        return tuple(rows)

    def _admitted(self, start: Key) -> Iterator[tuple[Record, Table]]:
        for origins in self._origins(start):
            yield from self._sift_origins(origins)

    def _sift_origins(self, origins: list[tuple[Record, Table]]) -> list[tuple[Record, Table]]:
        return list(compress(origins, self._admits([record for record, _ in origins])))

    def _admits(self, records: list[Record], stopped: Callable[[], bool] = lambda: False) -> list[bool]:
        if self._filter is None:
            return [True] * len(records)
        return self._filter.admits(self._texts(records), self.texts_per_row, stopped) or []

    def scan(self) -> bool:
        """Look at about SCAN_RECORDS more records; False when there is nothing left to look at."""
        if self.ended:
            self._scanning = None
            return False
        if self._scanning is None:
            self._scanning = self._blocks(self._first)
        until = self._looked + SCAN_RECORDS
        blocks: list[list[Record]] = []
        complete = False
        try:
            try:
                while self._looked < until:
                    block = next(self._scanning, None)
                    if block is None:
                        complete = True
                        break
                    self._looked += len(block)
                    blocks.append(block)
            finally:  # what was read before an error counts
                self._take(blocks)
        except READ_ERRORS as error:
            self._error = error
        self._count = max(self._count, self._scanned)
        self._complete = complete and not self._stopped and self._error is None
        return True

    def _take(self, blocks: list[list[Record]]) -> None:
        if not blocks:
            return
        if self._filter is None:
            for block in blocks:
                self._remember(block)
        else:
            records = list(chain.from_iterable(blocks))
            self._remember(list(compress(records, self._admits(records, lambda: self._stopped))))
        self._passed = self._order(self._key(blocks[-1][-1]))

    def _remember(self, records: list[Record]) -> None:
        base = self._scanned
        self._scanned += len(records)
        while (row := len(self._anchors) * self._spacing) < self._scanned:
            key = self._key(records[row - base])
            self._anchors.append(key)
            self._anchor_bytes += self._weight(key)
            most = MAX_KEYS if self._filter else MAX_ANCHORS
            if len(self._anchors) > most or (self._anchor_bytes > ANCHOR_BYTES and len(self._anchors) > 1):
                del self._anchors[1::2]
                self._spacing *= 2
                self._anchor_bytes = sum(map(self._weight, self._anchors))

    def rank(self, key: Key) -> int | None:
        """The number of the first row that is not before `key`.

        None until the scan has come that far. One seek, and the records from the anchor before it.
        """
        order = self._order(key)
        if not self._complete and (self._passed is None or self._passed < order):
            return self._count if self.ended else None
        anchor = max(0, bisect_right(self._anchors, order, key=self._order) - 1)
        row = anchor * self._spacing
        try:
            for record, _table in islice(self.entries(row), self._spacing):
                if self._order(self._key(record)) >= order:
                    break
                row += 1
        except READ_ERRORS as error:
            self._error = error
        return row

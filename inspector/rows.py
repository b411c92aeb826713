"""Row sources: a million records as a list that is never built.

A list on screen draws a few dozen rows, so a row source hands out rows by number and reads
them when they are asked for. `SequenceRows` has its rows in memory (tables: few). `RefRows` and
`LogRows` read a `MergedTable`, and hold three things, none of which grows with the stack:

    anchors   the key of every n-th row, so that any row is one seek and at most n records away.
              Never more than MAX_ANCHORS keys: when there are more, every second one is dropped and
              n doubles (128 rows apart up to a million rows, 1,024 apart at eight million)
    pages     the PAGE_ROWS rows around those drawn last, MAX_PAGES of them
    wants     the pages that were drawn as placeholders, MAX_WANTS of them, the latest first

Anchors come from a scan of the whole view, which also counts the rows. It is done in
pieces of SCAN_RECORDS, so that whoever does them can stop, or read a page that is wanted more.

Two threads meet here. The one that draws calls `count`, `complete`, `row` and `wanting`: they answer at once
and never read the stack. The one that works for the session calls `read_page` and `scan`, the only
methods that touch the engine, the anchors and the scan. They share pages and wants under a lock
that is held for a few dictionary operations, never during a read.

A view is immutable, so a row that was read once stays right. Another state of the stack
is another view, and another source.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import OrderedDict, deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final, Generic, NamedTuple, Protocol, TypeVar

from engine.errors import ReftableError
from engine.format import U64_MAX
from engine.merged import MergedTable
from engine.record import LogRecord, RefRecord
from engine.table import Table

__all__ = ["LogRow", "LogRows", "PagedRows", "RefRow", "RefRows", "RowSource", "SequenceRows"]

PAGE_ROWS: Final = 128
MAX_PAGES: Final = 32
MAX_WANTS: Final = 8
MAX_ANCHORS: Final = 8192
SCAN_RECORDS: Final = 4096

TEXT_LIMIT: Final = 1024
"""Bytes of a log entry's committer, email and message that a row keeps; a block may hold 16 MiB of them."""

Row = TypeVar("Row")
Row_co = TypeVar("Row_co", covariant=True)
Record = TypeVar("Record", RefRecord, LogRecord)
Key = TypeVar("Key")


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

    complete: bool = True
    wanting: bool = False

    def __init__(self, rows: Sequence[Row] = ()) -> None:
        self._rows = rows

    @property
    def count(self) -> int:
        """All of them."""
        return len(self._rows)

    def row(self, index: int) -> Row | None:
        """Row `index`, or None outside the sequence."""
        return self._rows[index] if 0 <= index < len(self._rows) else None


class RefRow(NamedTuple):
    """A ref of the merged view, and the position in the stack of the table it comes from."""

    record: RefRecord
    position: int


class LogRow(NamedTuple):
    """A reflog entry likewise; its texts are cut at TEXT_LIMIT bytes."""

    record: LogRecord
    position: int


class PagedRows(ABC, Generic[Row, Record, Key]):
    """Rows of a merged view, read a page at a time; see the module's text for who may call what."""

    def __init__(self, view: MergedTable, first: Key) -> None:
        """`first` is a key that no row comes before."""
        self._view = view
        self._positions = {table.name: position for position, table in enumerate(view.tables)}
        self._anchors: list[Key] = [first]
        self._spacing = PAGE_ROWS
        self._scanned = 0
        self._scanning: Iterator[list[Record]] | None = None
        self._count = 0
        self._complete = False
        self._error: ReftableError | OSError | None = None
        self._lock = threading.Lock()
        self._pages: OrderedDict[int, tuple[Row, ...]] = OrderedDict()
        self._wants: deque[int] = deque([0], MAX_WANTS)

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

    # For the thread that draws.

    @property
    def count(self) -> int:
        """Rows known so far: as many as the first page holds at once, all when the scan has ended."""
        return self._count

    @property
    def complete(self) -> bool:
        """Whether `count` is all there are. Never so for a view that cannot be read to its end."""
        return self._complete

    @property
    def error(self) -> ReftableError | OSError | None:
        """Why the view cannot be read (any further), or None."""
        return self._error

    @property
    def wanting(self) -> bool:
        """Whether there is a page for `read_page` to read."""
        return bool(self._wants)

    def row(self, index: int) -> Row | None:
        """Row `index`, if its page is at hand; otherwise None, and its page is wanted.

        None as well from `count` on. The page that scrolling on would reach is wanted ahead of time.
        """
        if not 0 <= index < max(self._count, 1):
            return None
        number, offset = divmod(index, PAGE_ROWS)
        with self._lock:
            page = self._pages.get(number)
            if page is None:
                self._want(number)
                return None
            self._pages.move_to_end(number)
            if offset < PAGE_ROWS // 4 and number:
                self._want_later(number - 1)
            elif offset >= PAGE_ROWS - PAGE_ROWS // 4 and (number + 1) * PAGE_ROWS < self._count:
                self._want_later(number + 1)
        return page[offset] if offset < len(page) else None

    def _want(self, number: int) -> None:
        if number in self._wants:
            self._wants.remove(number)
        self._wants.append(number)

    def _want_later(self, number: int) -> None:
        if number not in self._pages and number not in self._wants and len(self._wants) < MAX_WANTS:
            self._wants.appendleft(number)

    # For the thread that works.

    def read_page(self) -> bool:
        """Read the page that was wanted last; False when none is.

        One seek, and the records from the anchor before the page to the page's end. An error is kept in
        `error`, and the page with what could be read of it: nothing is gained by trying again.
        """
        with self._lock:
            if not self._wants:
                return False
            number = self._wants[-1]
        rows: list[Row] = []
        try:
            for row in self._read(number * PAGE_ROWS):
                rows.append(row)  # noqa: PERF402 - what came before an error is kept
        except (ReftableError, OSError) as error:
            self._error = error
        with self._lock:
            if number in self._wants:  # else newer wants have pushed it out meanwhile
                self._wants.remove(number)
            self._pages[number] = tuple(rows)
            while len(self._pages) > MAX_PAGES:
                self._pages.popitem(last=False)
        self._count = max(self._count, number * PAGE_ROWS + len(rows))
        if number == 0 and len(rows) < PAGE_ROWS and self._error is None:
            self._complete = True
        return True

    def _read(self, start: int) -> Iterator[Row]:
        anchor, skip = divmod(start, self._spacing)
        wanted = PAGE_ROWS
        for block in self._origins(self._anchors[anchor]):
            if skip >= len(block):
                skip -= len(block)
                continue
            for record, table in block[skip : skip + wanted]:
                yield self._row(record, self._positions[table.name])
            wanted -= min(wanted, len(block) - skip)
            skip = 0
            if not wanted:
                return

    def scan(self) -> bool:
        """Count on by about SCAN_RECORDS records; False when there is nothing left to count."""
        if self._complete or self._error is not None:
            return False
        if self._scanning is None:
            self._scanning = self._blocks(self._anchors[0])
        until = self._scanned + SCAN_RECORDS
        try:
            while self._scanned < until:
                block = next(self._scanning, None)
                if block is None:
                    self._complete = True
                    break
                self._remember(block)
        except (ReftableError, OSError) as error:
            self._error = error
        if self._complete or self._error is not None:
            self._scanning = None
        self._count = max(self._count, self._scanned)
        return True

    def _remember(self, block: list[Record]) -> None:
        base = self._scanned
        self._scanned += len(block)
        while (row := len(self._anchors) * self._spacing) < self._scanned:
            self._anchors.append(self._key(block[row - base]))
            if len(self._anchors) > MAX_ANCHORS:
                del self._anchors[1::2]
                self._spacing *= 2


class RefRows(PagedRows[RefRow, RefRecord, bytes]):
    """The refs of a merged view, by name; with tombstones when `deletions` is set."""

    def __init__(self, view: MergedTable, *, deletions: bool = False) -> None:
        super().__init__(view, b"")
        self._deletions = deletions

    def _blocks(self, start: bytes) -> Iterator[list[RefRecord]]:
        return self._view.ref_blocks(start, deletions=self._deletions)

    def _origins(self, start: bytes) -> Iterator[list[tuple[RefRecord, Table]]]:
        return self._view.ref_origins(start, deletions=self._deletions)

    def _key(self, record: RefRecord) -> bytes:
        return record.name

    def _row(self, record: RefRecord, position: int) -> RefRow:
        return RefRow(record, position)


class LogRows(PagedRows[LogRow, LogRecord, tuple[bytes, int]]):
    """The reflogs of a merged view, by ref name and newest first; with tombstones likewise."""

    def __init__(self, view: MergedTable, *, deletions: bool = False) -> None:
        super().__init__(view, (b"", U64_MAX))
        self._deletions = deletions

    def _blocks(self, start: tuple[bytes, int]) -> Iterator[list[LogRecord]]:
        return self._view.log_blocks(*start, deletions=self._deletions)

    def _origins(self, start: tuple[bytes, int]) -> Iterator[list[tuple[LogRecord, Table]]]:
        return self._view.log_origins(*start, deletions=self._deletions)

    def _key(self, record: LogRecord) -> tuple[bytes, int]:
        return record.name, record.update_index

    def _row(self, record: LogRecord, position: int) -> LogRow:
        if max(len(record.committer), len(record.email), len(record.message)) > TEXT_LIMIT:
            record = replace(
                record,
                committer=record.committer[:TEXT_LIMIT],
                email=record.email[:TEXT_LIMIT],
                message=record.message[:TEXT_LIMIT],
            )
        return LogRow(record, position)

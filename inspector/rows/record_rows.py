"""Refs and reflog entries of a merged view as rows: all of them, or those that a filter admits.

Without a filter, anchors are the keys of every PAGE_ROWS-th row. They come from a scan of the whole view,
which also counts the rows; the first page needs none. With a filter, they are the keys of all rows as long as
there are no more than MAX_KEYS: each row is one lookup then, however far apart rows lie, and rows are known
as the scan finds them. Beyond that rows are found again from the anchor before them.

`row_pages` says which thread may call what. Other orders are made by `sorted_rows`.
"""

from __future__ import annotations

import sys
from abc import abstractmethod
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain, compress, groupby, islice
from operator import attrgetter
from typing import Final, Generic, NamedTuple, TypeVar

from engine.format import U64_MAX, LogRecord, RefRecord, log_order, ref_key
from engine.merge import MergedTable
from engine.progress import Progress
from engine.table import Table
from inspector.rows.row_filter import RowFilter
from inspector.rows.row_pages import PAGE_ROWS, READ_ERRORS, SCAN_RECORDS, Anchors, RowPages

MAX_ANCHORS: Final = 8192
MAX_KEYS: Final = 65536
MAX_AHEAD: Final = 256
"""Refs of an object id that are shown before a scan has come to them."""

TEXT_LIMIT: Final = 1024
"""Bytes of a reflog entry's committer, email and message that a row keeps; a block may hold 16 MiB."""

_value = attrgetter("value")

Row = TypeVar("Row")
Record = TypeVar("Record", RefRecord, LogRecord)
Key = TypeVar("Key", bytes, tuple[bytes, int])


class RefRow(NamedTuple):
    """A ref of the merged view, and the position in the stack of the table it comes from."""

    record: RefRecord
    position: int

    @property
    def key(self) -> bytes:
        """What finds this row again in another source."""
        return self.record.name

    def locate(self, table: Table) -> tuple[int, RefRecord] | None:
        """The record in its table, whole, and where its block begins. Raises `FormatError`, `OSError`."""
        return table.locate_ref(self.record.name)


class LogRow(NamedTuple):
    """A reflog entry, and the position of its table in the stack; its texts are cut at TEXT_LIMIT bytes."""

    record: LogRecord
    position: int

    @property
    def key(self) -> tuple[bytes, int]:
        """What finds this row again in another source, and orders rows: the newest entry comes first."""
        return log_order(self.record)

    def locate(self, table: Table) -> tuple[int, LogRecord] | None:
        """The entry in its table, whole, and where its block begins. Raises `FormatError`, `OSError`."""
        return table.locate_log(self.record.name, self.record.update_index)


def log_row(record: LogRecord, position: int) -> LogRow:
    """A reflog entry as a row, of bounded size."""
    texts = record.committer, record.email, record.message
    if max(map(len, texts)) > TEXT_LIMIT:
        committer, email, message = (text[:TEXT_LIMIT] for text in texts)
        record = record.replace(committer=committer, email=email, message=message)
    return LogRow(record, position)


class PagedRows(RowPages[Row, Key], Generic[Row, Record, Key]):
    """The records of a merged view in its order, with tombstones when `deletions` is set."""

    _first: Key
    """A key that no row comes before."""
    _key: Callable[[Record], Key]
    """The key to start from to get a record first."""
    _row: Callable[[Record, int], Row]
    """A record and the position of its table as a row, of bounded size."""
    texts_per_row = 1
    """How many texts of a record a filter looks at."""

    def __init__(
        self,
        view: MergedTable,
        *,
        deletions: bool = False,
        positions: Mapping[str, int] | None = None,
        row_filter: RowFilter | None = None,
    ) -> None:
        """Only records that `row_filter` admits are rows.

        `positions` are those of the tables in the stack, by name, if they are others than in `view`.
        """
        super().__init__()
        self._view = view
        if positions is None:
            positions = {table.name: position for position, table in enumerate(view.tables)}
        self.positions = positions
        """The position in the stack of each table, by its name."""
        self._deletions = deletions
        self._filter = row_filter
        self._anchors: Anchors[Key] = (
            Anchors(MAX_KEYS, 1, self._weight)
            if row_filter
            else Anchors(MAX_ANCHORS, PAGE_ROWS, self._weight)
        )
        self._ahead: list[Key] = []
        self.edition = 0
        """How often rows have got other numbers, since some that were found later come before them."""
        self._looked = 0
        self._scanned = 0
        self._passed: Key | None = None  # the key of the last record that the scan has seen
        self._scanning: Iterator[list[Record]] | None = None
        if row_filter is None:
            self._anchors.add(self._first)
            self._wants.append(0)

    @abstractmethod
    def _blocks(self, start: Key) -> Iterator[list[Record]]:
        """The records of the view from the first key that is not before `start`."""

    @abstractmethod
    def _origins(self, start: Key) -> Iterator[list[tuple[Record, Table]]]:
        """The records of the view from that key on, each with its table."""

    @staticmethod
    def _weight(key: Key) -> int:
        """About how many bytes a key takes.

        Static, or the anchors would keep the rows, and files open, until the garbage is collected.
        """
        return sys.getsizeof(key)

    @abstractmethod
    def _texts(self, records: Sequence[Record]) -> list[bytes]:
        """The texts that a filter looks at, `texts_per_row` for each record."""

    @abstractmethod
    def _ids(self, records: Sequence[Record]) -> list[bytes | None]:
        """The two ids of each record by which it can be found."""

    def _passing(
        self, records: list[Record], row_filter: RowFilter, stopped: Callable[[], bool] = lambda: False
    ) -> list[bool]:
        """Which of them the filter admits."""
        ids = self._ids(records) if row_filter.digits else ()
        return row_filter.admits(self._texts(records), self.texts_per_row, stopped, ids)

    def _at_hand(self, row_filter: RowFilter) -> list[Key]:  # noqa: ARG002 - see RefRows
        """Keys in order that an index finds at once; the scan will find them too, and all others."""
        return []

    @abstractmethod
    def _lookup(self, key: Key) -> tuple[Record, Table] | None:
        """The one record of this key, and its table."""

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
        keys, spacing = self._anchors.kept, self._anchors.spacing
        if self._filter is not None and spacing == 1:
            yield from filter(None, map(self._lookup, islice(chain(keys, self._ahead), start, None)))
            return
        anchor, skip = divmod(start, spacing)
        known = None if self._filter is None else max(skip, self._count - anchor * spacing)
        yield from islice(chain.from_iterable(self._batches(keys[anchor])), skip, known)

    def entries_at(self, numbers: Sequence[int]) -> dict[int, tuple[Record, Table]]:
        """The entries of these rows by number, which ascend; what `entries` says goes for them too."""
        found: dict[int, tuple[Record, Table]] = {}
        for _, group in groupby(numbers, lambda number: number // self._anchors.spacing):
            first, *rest = group
            last = rest[-1] if rest else first
            found.update(zip(range(first, last + 1), self.entries(first), strict=False))
        return found

    def all_entries(self) -> Iterator[list[tuple[Record, Table]]]:
        """The records of all rows and their tables, from any thread, without what is known of them.

        Lists may be empty, so that reading can stop even where nothing passes the filter.
        """
        return self._batches(self._first)

    def rows_at(self, key: Key, count: int) -> tuple[Row, ...]:
        """Up to `count` rows from the first one on that is not before `key`, by a seek.

        No rows with a filter, since what passes may be far away, nor where the view cannot be read.
        """
        rows: list[Row] = []
        if self._filter is None:
            with suppress(*READ_ERRORS):  # reading the page itself reports it
                rows.extend(map(self.row_of, islice(chain.from_iterable(self._origins(key)), count)))
        return tuple(rows)

    def _batches(self, start: Key) -> Iterator[list[tuple[Record, Table]]]:
        """The records that pass, from the first key that is not before `start`, and their tables."""
        for origins in self._origins(start):
            if self._filter is None:
                yield origins
            else:
                passing = self._passing([record for record, _ in origins], self._filter)
                yield list(compress(origins, passing))

    def _scan_on(self) -> None:
        """Look at about SCAN_RECORDS more records."""
        if self._scanning is None:
            self._scanning = self._blocks(self._first)
            if self._filter is not None and (at_hand := self._at_hand(self._filter)):
                self._ahead, self._count = at_hand, len(at_hand)
                return
        until = self._looked + SCAN_RECORDS
        blocks: list[list[Record]] = []
        block: list[Record] | None = []
        try:
            while self._looked < until and (block := next(self._scanning, None)) is not None:
                self._looked += len(block)
                blocks.append(block)
        finally:  # what was read before an error counts
            self._take(blocks)
        if block is None:
            self._scanning = None
            self._complete = not self._stopped and self._error is None

    def _take(self, blocks: list[list[Record]]) -> None:
        if not blocks:
            return
        if self._filter is None:
            for block in blocks:
                self._remember(block)
        else:
            records = list(chain.from_iterable(blocks))
            self._remember(
                list(compress(records, self._passing(records, self._filter, lambda: self._stopped)))
            )
        self._passed = passed = self._key(blocks[-1][-1])
        if self._ahead:
            self._pass_ahead(passed)
        self._count = (
            max(self._count, self._scanned) if self._filter is None else self._scanned + len(self._ahead)
        )

    def _pass_ahead(self, passed: Key) -> None:
        """Take what the scan has passed out of what was known ahead of it."""
        come, known = bisect_right(self._ahead, passed), self._count
        self._ahead = self._ahead[come:] if self._anchors.spacing == 1 else []
        if self._scanned + len(self._ahead) != known:
            # Others have come between, so what was read ahead has other numbers now.
            with self._lock:
                self._pages.clear()
                self._growing.clear()
            self.edition += 1

    def place(self, key: Key) -> int:
        """The number by now of a row that a filter has found, or of the one that comes instead."""
        return sum(bisect_left(keys, key) for keys in (self._anchors.kept, self._ahead))

    def _remember(self, records: list[Record]) -> None:
        base = self._scanned
        self._scanned += len(records)
        while (row := self._anchors.next_row) < self._scanned:
            self._anchors.add(self._key(records[row - base]))

    def rank(self, key: Key) -> int | None:
        """The number of the first row that is not before `key`.

        None until the scan has come that far. One seek, and the records from the anchor before it.
        """
        if not self._complete and (self._passed is None or self._passed < key):
            return self._count if self.ended else None
        spacing = self._anchors.spacing
        row = spacing * max(0, bisect_right(self._anchors.kept, key) - 1)
        try:
            for record, _table in islice(self.entries(row), spacing):
                if self._key(record) >= key:
                    break
                row += 1
        except READ_ERRORS as error:
            self._error = error
        return row


class RefRows(PagedRows[RefRow, RefRecord, bytes]):
    """The refs of a merged view, by name; with tombstones when `deletions` is set."""

    _first = b""
    _key = staticmethod(ref_key)
    _row = staticmethod(RefRow)

    def _blocks(self, start: bytes) -> Iterator[list[RefRecord]]:
        return self._view.ref_blocks(start, deletions=self._deletions)

    def _origins(self, start: bytes) -> Iterator[list[tuple[RefRecord, Table]]]:
        return self._view.ref_origins(start, deletions=self._deletions)

    def _texts(self, records: Sequence[RefRecord]) -> list[bytes]:
        names = [record.name for record in records]
        if self._filter is not None and self._filter.is_plain and None in map(_value, records):
            for number, record in enumerate(records):
                if record.target is not None:
                    names[number] += b"\0" + record.target
        return names

    def _ids(self, records: Sequence[RefRecord]) -> list[bytes | None]:
        return [oid for record in records for oid in (record.value, record.peeled)]

    def _at_hand(self, row_filter: RowFilter) -> list[bytes]:
        prefix = bytes.fromhex(row_filter.digits[: len(row_filter.digits) // 2 * 2])
        if not prefix or row_filter.inverted:
            return []
        names: set[bytes] = set()
        with suppress(*READ_ERRORS):  # the scan reports it
            for table in self._view.tables:
                names.update(
                    record.name for record in islice(table.refs_for_prefix(prefix, scans=False), MAX_AHEAD)
                )
        # What a table says may be superseded in a newer one.
        found = [entry[0] for entry in map(self._lookup, sorted(names)[:MAX_AHEAD]) if entry is not None]
        return [record.name for record in compress(found, self._passing(found, row_filter))]

    def _lookup(self, key: bytes) -> tuple[RefRecord, Table] | None:
        found = self._view.find_ref(key)
        return None if found is None else (found[1], found[0])


class LogRows(PagedRows[LogRow, LogRecord, tuple[bytes, int]]):
    """The reflogs of a merged view, by ref name and newest first; with tombstones and markers on request."""

    _first = b"", -U64_MAX
    _key = staticmethod(log_order)
    _row = staticmethod(log_row)
    texts_per_row = 4

    def _blocks(self, start: tuple[bytes, int]) -> Iterator[list[LogRecord]]:
        return self._view.log_blocks(start[0], -start[1], deletions=self._deletions, markers=False)

    def _origins(self, start: tuple[bytes, int]) -> Iterator[list[tuple[LogRecord, Table]]]:
        return self._view.log_origins(start[0], -start[1], deletions=self._deletions, markers=False)

    @staticmethod
    def _weight(key: tuple[bytes, int]) -> int:
        return len(key[0]) + 128

    def _texts(self, records: Sequence[LogRecord]) -> list[bytes]:
        return [
            text
            for record in records
            for text in (record.name, record.committer, record.email, record.message)
        ]

    def _ids(self, records: Sequence[LogRecord]) -> list[bytes | None]:
        return [oid for record in records for oid in (record.old, record.new)]

    def _lookup(self, key: tuple[bytes, int]) -> tuple[LogRecord, Table] | None:
        for table in reversed(self._view.tables):
            record = table.read_log(key[0], -key[1])
            if record is not None and log_order(record) == key:
                return record, table
        return None

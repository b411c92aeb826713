"""Rows in another order than that of their names: by update index, table, value or time, or backwards.

`SortedRows` stands on the source whose rows it orders, and needs that one to be counted. It holds the
number of each row in sorted order, four bytes a row, and while it sorts twelve bytes more: what they are
sorted by, and the numbers once again. The records themselves are read again for each page. Rows of equal
rank are in the order of their names.

Sorting goes in pieces as counting does: the source is read, RUN_ROWS at a time are sorted, and the runs
are merged. Until that is done there are no rows.

Backwards by name is no sorting: rows are counted from the end.
"""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Callable, Iterator, Sequence
from itertools import islice, starmap
from typing import Final, Generic, NamedTuple, TypeVar

from engine.format import LogRecord, RefRecord
from engine.progress import Progress
from engine.table import Table
from inspector.rows.record_rows import PagedRows
from inspector.rows.row_pages import PAGE_ROWS, SCAN_RECORDS, RowPages

RUN_ROWS: Final = 16384
SCAN_LISTS: Final = 32
"""Lists of entries read at a time, however few of a filtered source are left in them."""

_ROW_BITS: Final = 32
_ROW: Final = 2**_ROW_BITS - 1

Row = TypeVar("Row")
Record = TypeVar("Record", RefRecord, LogRecord)
Key = TypeVar("Key", bytes, tuple[bytes, int])


class Order(NamedTuple, Generic[Record]):
    """What rows can be sorted by; `column` is the title under which it is shown.

    `rank` makes a number of 64 bits of a record and its table's position; None is the order of names.
    """

    name: str
    column: str
    rank: Callable[[Record, int], int] | None = None


def _value_rank(record: RefRecord, _position: int) -> int:
    # Seven bytes of an object id tell ids apart well enough for an order; symrefs stay in that of names.
    if record.target is not None:
        return 0
    return 1 << 56 | int.from_bytes(record.value[:7], "big") if record.value is not None else 2 << 56


BY_NAME: Final = "name"
REF_ORDERS: Final[tuple[Order[RefRecord], ...]] = (
    Order(BY_NAME, "ref"),
    Order("update index", "index", lambda record, _position: record.update_index),
    Order("table", "table", lambda _record, position: position),
    Order("value", "value", _value_rank),
)
LOG_ORDERS: Final[tuple[Order[LogRecord], ...]] = (
    Order(BY_NAME, "ref"),
    Order("update index", "index", lambda record, _position: record.update_index),
    Order("time", "time", lambda record, _position: record.time),
    Order("table", "table", lambda _record, position: position),
)


def _packed(ranks: array[int], rows: array[int]) -> Iterator[int]:
    """Ranks and rows as one number each, so that whole numbers are all that is compared."""
    return (rank << _ROW_BITS | row for rank, row in zip(ranks, rows, strict=True))


class SortedRows(RowPages[Row, Key], Generic[Row, Record, Key]):
    """The rows of `base` in an order; see `row_pages.py` for who may call what."""

    def __init__(
        self,
        base: PagedRows[Row, Record, Key],
        order: Order[Record],
        *,
        backwards: bool = False,
        numbers: array[int] | None = None,
    ) -> None:
        """`backwards` is that order from its end, rows of equal rank among them.

        `numbers` are those of the rows of `base`, which is complete, in this order, when they are known.
        """
        super().__init__()
        self.base: PagedRows[Row, Record, Key] = base
        self._order: Order[Record] = order
        self._backwards = backwards
        self._numbers = array("I") if numbers is None else numbers
        self._reading: Iterator[list[tuple[Record, Table]]] | None = None
        self._read = 0
        self._unsorted: list[int] = []
        self._runs: list[tuple[array[int], array[int]]] = []  # what rows are sorted by, and their numbers
        self._merging: Iterator[int] | None = None

    @property
    def progress(self) -> Progress:
        """What is being done of counting, reading and merging, each as a number of rows."""
        if not self.base.complete:
            return self.base.progress
        if self._merging is None:
            return Progress("reading", self._read, self.base.count)
        return Progress("sorting", len(self._numbers), self.base.count)

    def turned(self) -> SortedRows[Row, Record, Key]:
        """These rows the other way round, without sorting them again."""
        numbers = self._numbers if self._complete else None
        return SortedRows(self.base, self._order, backwards=not self._backwards, numbers=numbers)

    def _scan_on(self) -> None:
        """Count, read, sort or merge about SCAN_RECORDS rows more."""
        if self.base.scan():
            return
        if not self.base.complete:
            self._error = self.base.error
            self._stopped = True
        elif self._order.rank is None or len(self._numbers) == self.base.count:
            self._merging = None
            self._runs.clear()
            self._count = self.base.count
            self._complete = True
        elif self._merging is None:
            self._read_ranks(self._order.rank)
        else:
            self._numbers.extend(islice(self._merging, SCAN_RECORDS))

    def _read_ranks(self, rank: Callable[[Record, int], int]) -> None:
        if self._reading is None:
            self._reading = self.base.all_entries()
        positions = self.base.positions
        until = self._read + SCAN_RECORDS
        lists = 0
        while self._read < until and lists < SCAN_LISTS:
            entries = next(self._reading, None)
            if entries is None:
                self._sort_run()
                self._merging = map(_ROW.__and__, heapq.merge(*starmap(_packed, self._runs)))
                return
            lists += 1
            for record, table in entries:
                self._unsorted.append(rank(record, positions[table.name]) << _ROW_BITS | self._read)
                self._read += 1
        if len(self._unsorted) >= RUN_ROWS:
            self._sort_run()

    def _sort_run(self) -> None:
        self._unsorted.sort()
        ranks = array("Q", [packed >> _ROW_BITS for packed in self._unsorted])
        rows = array("I", [packed & _ROW for packed in self._unsorted])
        self._runs.append((ranks, rows))
        self._unsorted = []

    def rank(self, key: Key) -> int | None:
        """Where the row with this key is, or else the one that follows it by name; None while sorting."""
        if not self._complete:
            return self._count if self.ended else None
        number = self.base.rank(key)
        if number is None or not self._count:
            return number
        number = min(number, self._count - 1)
        index = number if self._order.rank is None else self._numbers.index(number)
        return self._count - 1 - index if self._backwards else index

    def _rows_from(self, start: int) -> Iterator[Row]:
        return map(self.base.row_of, self.entries(start))

    def entries(self, start: int) -> Iterator[tuple[Record, Table]]:
        """The records of the rows from number `start` on, and their tables; any thread, when complete."""
        while start < self._count:
            numbers = self._numbers_from(start)
            found = self.base.entries_at(sorted(numbers))
            for number in numbers:
                if number in found:
                    yield found[number]
            start += len(numbers)

    def _numbers_from(self, start: int) -> Sequence[int]:
        end = min(start + PAGE_ROWS, self._count)
        if self._backwards:
            start, end = self._count - end, self._count - start
        numbers = range(start, end) if self._order.rank is None else self._numbers[start:end]
        return numbers[::-1] if self._backwards else numbers

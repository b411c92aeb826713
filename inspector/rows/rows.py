"""Row sources: a million records as a list that is never built.

A list on screen draws a few dozen rows, so a row source hands out rows by number and reads
them when they are asked for. `SequenceRows` has its rows in memory (tables: few). `RefRows` and
`LogRows` read a `MergedTable`, all of it or what a filter admits, a page at a time: how, is told in
`row_pages.py`. Other orders than that of the names are made by `sorted_rows.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, Generic, NamedTuple, Protocol, TypeVar

from engine.format import U64_MAX, LogRecord, RefRecord
from engine.merge import MergedTable
from engine.table import Table
from inspector.rows.row_filter import RowFilter
from inspector.rows.row_pages import PAGE_ROWS, PagedRows

__all__ = ["PAGE_ROWS", "LogRow", "LogRows", "PagedRows", "RefRow", "RefRows", "RowSource", "SequenceRows"]

TEXT_LIMIT: Final = 1024
"""Bytes of a log entry's committer, email and message that a row keeps; a block may hold 16 MiB of them."""

Row = TypeVar("Row")
Row_co = TypeVar("Row_co", covariant=True)


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


class RefRow(NamedTuple):
    """A ref of the merged view, and the position in the stack of the table it comes from."""

    record: RefRecord
    position: int

    @property
    def key(self) -> bytes:
        """What finds this row again in another source."""
        return self.record.name


class LogRow(NamedTuple):
    """A reflog entry likewise; its texts are cut at TEXT_LIMIT bytes."""

    record: LogRecord
    position: int

    @property
    def key(self) -> tuple[bytes, int]:
        """What finds this row again in another source."""
        return self.record.name, self.record.update_index


class RefRows(PagedRows[RefRow, RefRecord, bytes]):
    """The refs of a merged view, by name; with tombstones when `deletions` is set."""

    def __init__(
        self,
        view: MergedTable,
        *,
        deletions: bool = False,
        positions: Mapping[str, int] | None = None,
        row_filter: RowFilter | None = None,
    ) -> None:
        super().__init__(view, b"", positions=positions, row_filter=row_filter)
        self._deletions = deletions

    def _blocks(self, start: bytes) -> Iterator[list[RefRecord]]:
        return self._view.ref_blocks(start, deletions=self._deletions)

    def _origins(self, start: bytes) -> Iterator[list[tuple[RefRecord, Table]]]:
        return self._view.ref_origins(start, deletions=self._deletions)

    def _key(self, record: RefRecord) -> bytes:
        return record.name

    def _row(self, record: RefRecord, position: int) -> RefRow:
        return RefRow(record, position)

    def _texts(self, records: Iterable[RefRecord]) -> list[bytes]:
        return [record.name for record in records]

    def _lookup(self, key: bytes) -> tuple[RefRecord, Table] | None:
        found = self._view.find_ref(key)
        return None if found is None else (found[1], found[0])


class LogRows(PagedRows[LogRow, LogRecord, tuple[bytes, int]]):
    """The reflogs of a merged view, by ref name and newest first; with tombstones likewise."""

    texts_per_row = 4

    def __init__(
        self,
        view: MergedTable,
        *,
        deletions: bool = False,
        positions: Mapping[str, int] | None = None,
        row_filter: RowFilter | None = None,
    ) -> None:
        super().__init__(view, (b"", U64_MAX), positions=positions, row_filter=row_filter)
        self._deletions = deletions

    def _blocks(self, start: tuple[bytes, int]) -> Iterator[list[LogRecord]]:
        return self._view.log_blocks(*start, deletions=self._deletions)

    def _origins(self, start: tuple[bytes, int]) -> Iterator[list[tuple[LogRecord, Table]]]:
        return self._view.log_origins(*start, deletions=self._deletions)

    def _key(self, record: LogRecord) -> tuple[bytes, int]:
        return record.name, record.update_index

    def _order(self, key: tuple[bytes, int]) -> tuple[bytes, int]:
        return key[0], -key[1]

    def _weight(self, key: tuple[bytes, int]) -> int:
        return len(key[0]) + 128

    def _row(self, record: LogRecord, position: int) -> LogRow:
        if max(len(record.committer), len(record.email), len(record.message)) > TEXT_LIMIT:
            record = replace(
                record,
                committer=record.committer[:TEXT_LIMIT],
                email=record.email[:TEXT_LIMIT],
                message=record.message[:TEXT_LIMIT],
            )
        return LogRow(record, position)

    def _texts(self, records: Iterable[LogRecord]) -> list[bytes]:
        return [
            text
            for record in records
            for text in (record.name, record.committer, record.email, record.message)
        ]

    def _lookup(self, key: tuple[bytes, int]) -> tuple[LogRecord, Table] | None:
        for table in reversed(self._view.tables):
            record = table.read_log(*key)
            if record is not None and record.update_index == key[1]:
                return record, table
        return None

"""The records of one file as a repair takes them: read as a table, or salvaged.

A `Reading` says how to read a file, and an `Account` what came of it. Both are data, so that a plan made of
them can be kept, shown, and carried out on the same bytes later. `Source` is a file open for reading in that
way; what it hands out is in key order, fit for a `TableWriter`, and a block is in memory at a time unless the
file's blocks are out of order.

Which files are read, and what is made of them, is decided by `repair_plan.py`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Final, Self, TypeVar

from engine.format import (
    LOG,
    U64_MAX,
    HashId,
    Header,
    LogRecord,
    RefRecord,
    is_refname,
    is_unsafe_refname,
    log_order,
    parse_table_name,
    ref_key,
)
from engine.layout import Kind, TableLayout
from engine.salvage.scan import Readable, Unreadable, salvage
from engine.table import Table, open_regular

_R = TypeVar("_R", RefRecord, LogRecord)
_K = TypeVar("_K", bytes, tuple[bytes, int])

MOST_GAPS: Final = 1000
"""Gaps that are told apart in one table; those behind them become one."""


@dataclass(slots=True, frozen=True)
class Gap:
    """Refs may have been lost whose names lie between two names; None is the end of the table."""

    low: bytes
    high: bytes | None

    def holds(self, name: bytes) -> bool:
        """Whether a ref of this name may have been among the lost."""
        return self.low < name and (self.high is None or name < self.high)


@dataclass(slots=True, frozen=True)
class Reading:
    """How a file is read.

    `header` is what to salvage by, None for a file that can be read as a table. `is_blind` looks for blocks
    at every byte, because header or footer lead astray. `is_ordered` when the file's blocks come in key
    order. `limits` are the update indexes that the records are brought into. `drops_unsafe_names` leaves out
    refs whose names git dies of.
    """

    file: str
    limits: tuple[int, int]
    header: Header | None = None
    is_blind: bool = False
    is_ordered: bool = True
    drops_unsafe_names: bool = False


@dataclass(slots=True, frozen=True)
class Account:
    """What can be read of a file: numbers of records, tombstones among them, and what cannot.

    `uncertain_logs` come from damaged deflate streams. `unreadable` are the stretches of the file that may
    have held records; of refs, `gaps` says between which names these were, of log entries `lost_logs` that
    there may have been some. `lowest_log`, `highest_log` and `highest_ref` are update indexes of records.
    """

    refs: int = 0
    logs: int = 0
    uncertain_logs: int = 0
    unreadable: tuple[Unreadable, ...] = ()
    gaps: tuple[Gap, ...] = ()
    lost_logs: bool = False
    is_ordered: bool = True
    lowest_log: int = U64_MAX
    highest_log: int = 0
    highest_ref: int = 0

    @property
    def records(self) -> int:
        """Records that can be read."""
        return self.refs + self.logs

    @property
    def unreadable_bytes(self) -> int:
        """Bytes of the stretches that cannot be read."""
        return sum(stretch.end - stretch.start for stretch in self.unreadable)


class Source:
    """A file of a stack, open to be read as a `Reading` says; a context manager.

    Raises `OSError`, and `FormatError` when the file is no longer what it was.
    """

    __slots__ = ("_fd", "_table", "reading")

    def __init__(self, directory: str | os.PathLike[str], reading: Reading) -> None:
        path = os.path.join(os.fspath(directory), reading.file)
        self.reading = reading
        self._table = Table.open(path, reading.file) if reading.header is None else None
        self._fd = open_regular(path, reading.file) if self._table is None else -1

    def close(self) -> None:
        """Close the file."""
        if self._table is not None:
            self._table.close()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def refs(self) -> Iterator[list[RefRecord]]:
        """The refs in name order, tombstones among them."""
        if self._table is not None:
            blocks = self._table.ref_blocks()
        else:
            parts = (found.refs for found in self._parts() if found.refs)
            blocks = parts if self.reading.is_ordered else _sorted(parts, ref_key)
        for refs in blocks:
            kept = [ref for ref in map(self._fitted_ref, refs) if ref is not None]
            if kept:
                yield kept

    def logs(self, *, certain: bool = False) -> Iterator[list[LogRecord]]:
        """The log entries by name, newest first, tombstones among them; `certain` ones alone on request."""
        if self._table is not None:
            blocks = self._table.log_blocks()
        else:
            found = (one for one in self._parts() if one.logs and (one.is_certain or not certain))
            parts = (one.logs if one.is_certain else _plausible(one.logs) for one in found)
            blocks = parts if self.reading.is_ordered else _sorted(parts, log_order)
        highest = self.reading.limits[1]
        for logs in blocks:
            kept = [
                log
                for log in logs
                if b"\0" not in log.name and (log.update_index <= highest or log.is_deletion)
            ]
            if kept:
                yield kept

    def _parts(self) -> Iterator[Readable]:
        header = self.reading.header
        if header is not None:
            layout = _layout(self.reading.file, self._fd)
            for found in salvage(layout, header, blind=self.reading.is_blind):
                if isinstance(found, Readable):
                    yield found

    def _fitted_ref(self, ref: RefRecord) -> RefRecord | None:
        if b"\0" in ref.name:
            return None
        if self.reading.drops_unsafe_names and not ref.is_deletion and is_unsafe_refname(ref.name):
            return None
        low, high = self.reading.limits
        if low <= ref.update_index <= high:
            return ref
        return replace(ref, update_index=min(max(ref.update_index, low), high))


def examine(directory: str | os.PathLike[str], file: str, header: Header, *, blind: bool) -> Account:
    """Salvage a file and account for it. Raises `OSError`, and `FormatError` for what is no file."""
    fd = open_regular(os.path.join(os.fspath(directory), file), file)
    try:
        tally = _Tally()
        layout = _layout(file, fd)
        for found in salvage(layout, header, blind=blind):
            tally.take(found)
        if layout.footer is None:
            tally.take_cut()
        return tally.account()
    finally:
        os.close(fd)


def header_to_go_by(
    directory: str | os.PathLike[str], file: str, hash_id: HashId, limits: tuple[int, int] | None
) -> tuple[Header, bool]:
    """The header to read a damaged file by, and whether its limits are certain.

    Where header and footer are lost or contradict each other, the file's name tells the limits, and where
    that does not, `limits` does. Raises `OSError`, and `FormatError` for what is no file.
    """
    fd = open_regular(os.path.join(os.fspath(directory), file), file)
    try:
        layout = _layout(file, fd)
    finally:
        os.close(fd)
    name = parse_table_name(file)
    stated = (name.min_update_index, name.max_update_index) if name is not None else limits
    believed = layout.believed
    if believed is None:
        low, high = stated if stated is not None and stated[0] <= stated[1] else (0, U64_MAX)
        return Header(hash_id.version, 0, low, high, hash_id), stated is not None
    if believed.min_update_index <= believed.max_update_index and (stated is None or _is_confirmed(layout)):
        return believed, True
    if stated is None or stated[0] > stated[1]:
        low, high = sorted((believed.min_update_index, believed.max_update_index))
    else:
        low, high = stated
    return replace(believed, min_update_index=low, max_update_index=high), True


def _is_confirmed(layout: TableLayout) -> bool:
    """Whether the header stands in the file twice, or under a checksum that holds."""
    if layout.header is None or layout.footer is None:
        return False
    if not any(field.error for field in layout.footer.fields if field.kind is Kind.CHECKSUM):
        return True
    copied = [field for field in layout.footer.fields[: len(layout.header.fields)] if field.error]
    return not layout.header.errors() and not copied


def _layout(file: str, fd: int) -> TableLayout:
    return TableLayout(file, os.fstat(fd).st_size, lambda offset, size: os.pread(fd, size, offset))


@dataclass(slots=True)
class _Tally:
    """Adds up what `salvage` finds."""

    refs: int = 0
    logs: int = 0
    uncertain: int = 0
    is_ordered: bool = True
    lost_logs: bool = False
    lowest_log: int = U64_MAX
    highest_log: int = 0
    highest_ref: int = 0
    unreadable: list[Unreadable] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    open_gap: bytes | None = None
    # The latest block with refs: the last name in front of its first gap, its last name, where it ends.
    before: bytes = b""
    last: bytes = b""
    last_end: int = -1
    last_log: tuple[bytes, int] = (b"", 0)

    def take(self, found: Readable | Unreadable) -> None:
        """Take up what was found next."""
        if isinstance(found, Unreadable):
            self.unreadable.append(found)
            if self.logs or found.section == LOG:
                self.lost_logs = True
            elif self.open_gap is None:
                # Of a block that could be read in part, anything between its neighbours may be lost.
                self.open_gap = self.before if found.start < self.last_end else self.last
            return
        self._take_refs(found)
        self._take_logs(found)

    def take_cut(self) -> None:
        """Nothing shows where the file ended: cut off between two blocks, it looks whole and is not."""
        if self.logs:
            self.lost_logs = True
        elif self.open_gap is None:
            self.open_gap = self.last

    def _take_refs(self, found: Readable) -> None:
        if not found.refs:
            return
        first = found.refs[0].name
        if self.open_gap is not None and found.is_whole:
            self._close_gap(first)
        if first <= self.last and self.refs:
            self.is_ordered = False
        if self.logs:
            self.is_ordered = False
        self.before = found.refs[-1].name if found.is_front else self.last
        self.last = found.refs[-1].name
        self.last_end = found.end
        self.refs += len(found.refs)
        self.highest_ref = max(self.highest_ref, *(ref.update_index for ref in found.refs))

    def _take_logs(self, found: Readable) -> None:
        if not found.logs:
            return
        if self.open_gap is not None:
            self.lost_logs = self.lost_logs or self.unreadable[-1].section is None
            self._close_gap(None)
        first = log_order(found.logs[0])
        if self.logs and first <= self.last_log:
            self.is_ordered = False
        self.last_log = log_order(found.logs[-1])
        self.logs += len(found.logs)
        if not found.is_certain:
            self.uncertain += len(found.logs)
        indexes = [log.update_index for log in found.logs if not log.is_deletion]
        self.highest_log = max([self.highest_log, *indexes])
        self.lowest_log = min([self.lowest_log, *indexes])

    def _close_gap(self, high: bytes | None) -> None:
        if self.open_gap is None:
            return
        if len(self.gaps) < MOST_GAPS:
            self.gaps.append(Gap(self.open_gap, high))
        else:
            self.gaps[-1] = Gap(self.gaps[-1].low, high)
        self.open_gap = None

    def account(self) -> Account:
        """What it comes to."""
        if self.open_gap is not None:
            # The file may have gone on with logs.
            self.lost_logs = True
            self._close_gap(None)
        return Account(
            self.refs,
            self.logs,
            self.uncertain,
            tuple(self.unreadable),
            # A key in the wrong place is one that was altered: some ref is lost under its own name.
            tuple(self.gaps) if self.is_ordered else (Gap(b"", None),),
            self.lost_logs,
            self.is_ordered,
            self.lowest_log,
            self.highest_log,
            self.highest_ref,
        )


def _plausible(logs: list[LogRecord]) -> list[LogRecord]:
    """Out of damaged bytes: without what cannot be."""
    return [log for log in logs if is_refname(log.name)]


def _sorted(parts: Iterator[list[_R]], key_of: Callable[[_R], _K]) -> Iterator[list[_R]]:
    """All records in key order; of several with one key, that with the highest update index."""
    records: list[_R] = [record for part in parts for record in part]
    if not records:
        return
    records.sort(key=lambda record: (key_of(record), record.update_index))
    following = [*(key_of(record) for record in records[1:]), None]
    yield [record for record, after in zip(records, following, strict=True) if key_of(record) != after]

"""Salvaging a damaged file, once, into a sound table that everybody reads who needs its records.

The table is a temporary file without a name, outside of the stack. Records that the file has in key order are
written as they are found, block by block. A key in the wrong place was altered, or the file has more than one
order: such a block is put aside, sorted with others like it, and merged in at the end. Of one key, the record
with the highest update index remains.

Entries of damaged deflate streams may be wrong, and lie in a table of their own.
"""

from __future__ import annotations

import os
import tempfile
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from operator import attrgetter
from typing import Final, Generic, Self, TypeVar

from engine.errors import EntryTooBigError
from engine.format import (
    MAX_BLOCK_SIZE,
    U64_MAX,
    HashId,
    Header,
    LogRecord,
    Read,
    RefRecord,
    is_refname,
    log_order,
    parse_table_name,
    ref_key,
)
from engine.layout import SpanKind, TableLayout
from engine.merge import merge_blocks
from engine.salvage.gaps import Losses, LossTally
from engine.salvage.scan import Readable, Unreadable, salvage
from engine.table import Table, TableWriter, WriteOptions, open_regular

KEPT_BYTES: Final = 2**25
"""Bytes of records out of order that are in memory; of more, temporary tables are made and merged."""

_RECORD_BYTES: Final = 200
_BLOCK_SIZES: Final = (2**16, MAX_BLOCK_SIZE)
_WRITE_BUFFER: Final = 2**18

_R = TypeVar("_R", RefRecord, LogRecord)
_K = TypeVar("_K", bytes, tuple[bytes, int])

_update_index: Callable[[RefRecord | LogRecord], int] = attrgetter("update_index")


class Salvaged:
    """The readable records of a damaged file, and what may be lost of it. Safe to read from several threads.

    `table` is sound and holds all of them but those log entries that come from damaged deflate streams: these
    are in `uncertain`, None if there are none. Both are closed when nobody reads them any more. `header` is
    what the file was read by.
    """

    __slots__ = ("_logs_at", "_refs_at", "header", "losses", "table", "uncertain")

    def __init__(
        self,
        header: Header,
        losses: Losses,
        table: Table,
        uncertain: Table | None,
        refs_at: _Places[bytes],
        logs_at: _Places[tuple[bytes, int]],
    ) -> None:
        self.header = header
        self.losses = losses
        self.table = table
        self.uncertain = uncertain
        self._refs_at = refs_at
        self._logs_at = logs_at

    def locate_ref(self, name: bytes) -> tuple[int, RefRecord] | None:
        """The ref of this name, and the offset of the block of the damaged file that it was read in."""
        found = self.table.read_ref(name)
        return (self._refs_at.of(name), found) if found is not None else None

    def locate_log(self, name: bytes, update_index: int) -> tuple[int, LogRecord] | None:
        """The newest log entry of a ref at or below an update index, and its block likewise."""
        tables = [table for table in (self.uncertain, self.table) if table is not None]
        found = [log for table in tables if (log := table.read_log(name, update_index)) is not None]
        # Of one update index, the certain entry, which comes last.
        newest = max(reversed(found), key=_update_index, default=None)
        return (self._logs_at.of(log_order(newest)), newest) if newest is not None else None

    def log_blocks(self, start: bytes = b"", update_index: int = U64_MAX) -> Iterator[list[LogRecord]]:
        """All log entries from a key on, the uncertain ones among them."""
        certain = self.table.log_blocks(start, update_index)
        if self.uncertain is None:
            return certain
        return merge_blocks([self.uncertain.log_blocks(start, update_index), certain], log_order)


def salvage_table(name: str, size: int, read: Read, header: Header) -> Salvaged:
    """Salvage a file of `size` bytes that `read` reads, by `header`. Raises `OSError`."""
    layout = TableLayout(name, size, read)
    salvaged = _salvage(layout, header, blind=False)
    leads_astray = layout.header is None or layout.header.errors() or layout.footer is None
    leads_astray = leads_astray or bool(layout.footer is not None and layout.footer.errors())
    if salvaged.losses.stretches and leads_astray:
        other = _salvage(layout, header, blind=True)
        if _count(other) > _count(salvaged):
            return other
    return salvaged


def salvage_file(path: str, name: str, hash_id: HashId) -> tuple[Salvaged, bool]:
    """Salvage the file at `path`; with it, whether its update indexes are known.

    Raises `OSError`, and `FormatError` for what is no regular file.
    """
    fd = open_regular(path, name)
    try:

        def read(offset: int, size: int) -> bytes:
            return os.pread(fd, size, offset)

        size = os.fstat(fd).st_size
        header, is_known = assumed_header(TableLayout(name, size, read), name, hash_id)
        return salvage_table(name, size, read, header), is_known
    finally:
        os.close(fd)


def assumed_header(layout: TableLayout, name: str, hash_id: HashId) -> tuple[Header, bool]:
    """The header to read a damaged file by, and whether its update indexes are known.

    Where header and footer are lost or contradict each other, the file's name tells the update indexes.
    """
    parts = parse_table_name(name)
    stated = (parts.min_update_index, parts.max_update_index) if parts is not None else None
    if stated is not None and stated[0] > stated[1]:
        stated = None
    found = layout.used_header
    if found is None:
        low, high = stated or (0, U64_MAX)
        return Header(hash_id.version, 0, low, high, hash_id), parts is not None
    if found.min_update_index <= found.max_update_index and (parts is None or _is_confirmed(layout)):
        return found, True
    low, high = stated or sorted((found.min_update_index, found.max_update_index))
    return replace(found, min_update_index=low, max_update_index=high), True


def _is_confirmed(layout: TableLayout) -> bool:
    """Whether the header stands in the file twice, or under a checksum that holds."""
    if layout.header is None or layout.footer is None:
        return False
    if not any(field.error for field in layout.footer.fields if field.kind is SpanKind.CHECKSUM):
        return True
    copied = [field for field in layout.footer.fields[: len(layout.header.fields)] if field.error]
    return not layout.header.errors() and not copied


def _count(salvaged: Salvaged) -> int:
    return salvaged.losses.refs + salvaged.losses.logs


def _salvage(layout: TableLayout, header: Header, *, blind: bool) -> Salvaged:
    for block_size in _BLOCK_SIZES[:-1]:
        try:
            return _salvage_into(layout, header, block_size, blind=blind)
        except EntryTooBigError:
            continue
    return _salvage_into(layout, header, _BLOCK_SIZES[-1], blind=blind)


def _salvage_into(layout: TableLayout, header: Header, block_size: int, *, blind: bool) -> Salvaged:
    tally = LossTally()
    found = 0
    with ExitStack() as stack:

        def builder() -> _Builder:
            return stack.enter_context(_Builder(layout.name, header.hash_id, block_size))

        certain = builder()
        doubtful: _Builder | None = None
        for one in salvage(layout, header, blind=blind):
            tally.take(one)
            if isinstance(one, Unreadable):
                continue
            found += len(one.refs) + len(one.logs)
            possible = _possible(one)
            if possible.refs:
                certain.refs.add(possible.refs, one.offset)
            if possible.logs:
                certain.end_refs()
                doubtful = doubtful or (None if one.is_certain else builder())
                target = certain if one.is_certain or doubtful is None else doubtful
                target.logs.add(possible.logs, one.offset)
        tally.end(is_cut=layout.footer is None)
        table, refs, logs = certain.finish()
        uncertain_table, _, uncertain = doubtful.finish() if doubtful is not None else (None, 0, 0)
        logs_at = certain.logs.places
        if doubtful is not None:
            logs_at.add_all(doubtful.logs.places)
        losses = Losses(
            refs,
            logs + uncertain,
            uncertain,
            found - refs - logs - uncertain,
            tally.stretches,
            tally.size,
            tally.first,
            tuple(tally.gaps),
            tally.lost_logs,
        )
        if blind:
            header = replace(header, block_size=0)  # which led astray
        return Salvaged(header, losses, table, uncertain_table, certain.refs.places, logs_at)


def _possible(found: Readable) -> Readable:
    """The same without records that no table can hold, and out of damaged bytes without what cannot be."""
    refs, logs = found.refs, found.logs
    names = [ref.name for ref in refs] or [log.name for log in logs]
    # Names ascend, so that the first one alone may be empty.
    if b"\0" in b"".join(names) or not names[0]:
        refs = [ref for ref in refs if ref.name and b"\0" not in ref.name]
        logs = [log for log in logs if log.name and b"\0" not in log.name]
    if max(map(_update_index, refs), default=0) > U64_MAX:
        refs = [ref for ref in refs if ref.update_index <= U64_MAX]
    if not found.is_certain:
        logs = [log for log in logs if is_refname(log.name)]
    return found if (refs, logs) == (found.refs, found.logs) else replace(found, refs=refs, logs=logs)


class _Places(Generic[_K]):
    """Where in the damaged file blocks are, by their first keys, and those out of order by each key."""

    __slots__ = ("_firsts", "_misplaced", "_offsets")

    def __init__(self) -> None:
        self._firsts: list[_K] = []
        self._offsets: list[int] = []
        self._misplaced: dict[_K, int] = {}

    def add(self, first: _K, offset: int) -> None:
        """A block that follows the one before."""
        self._firsts.append(first)
        self._offsets.append(offset)

    def add_misplaced(self, keys: Iterable[_K], offset: int) -> None:
        """A block out of order."""
        self._misplaced.update(dict.fromkeys(keys, offset))

    def add_all(self, other: _Places[_K]) -> None:
        """Those of another table, as if they were out of order."""
        for first, offset in zip(other._firsts, other._offsets, strict=True):
            self.add_misplaced([first], offset)
        self._misplaced.update(other._misplaced)

    def of(self, key: _K) -> int:
        """The offset of the block that a key was read in."""
        if key in self._misplaced:
            return self._misplaced[key]
        return self._offsets[max(bisect_right(self._firsts, key) - 1, 0)] if self._offsets else 0


class _Section(Generic[_R, _K]):
    """The records of one section on their way into a table: what is out of order is put aside.

    The latest block waits until the next one is seen: if that follows the one before it but not the latest,
    it is the latest that has the altered key.
    """

    __slots__ = ("_key_of", "_last", "_put_aside", "_waiting", "_waiting_at", "_write", "places")

    def __init__(
        self,
        key_of: Callable[[_R], _K],
        write: Callable[[list[_R]], None],
        put_aside: Callable[[list[_R]], None],
    ) -> None:
        self._key_of: Callable[[_R], _K] = key_of
        self._write: Callable[[list[_R]], None] = write
        self._put_aside: Callable[[list[_R]], None] = put_aside
        self._last: _K | None = None  # of what is written
        self._waiting: list[_R] = []
        self._waiting_at = 0
        self.places: _Places[_K] = _Places()

    def add(self, records: list[_R], offset: int) -> None:
        """Take up the records of the next block, which are in key order."""
        first, waiting = self._key_of(records[0]), self._waiting
        if waiting and self._key_of(waiting[-1]) < first:
            self.flush()
        elif self._last is not None and not self._last < first:
            self._misplace(records, offset)
            return
        elif waiting:
            self._misplace(waiting, self._waiting_at)
        self._waiting, self._waiting_at = records, offset

    def flush(self) -> None:
        """Write what waits."""
        records, self._waiting = self._waiting, []
        if records:
            self.places.add(self._key_of(records[0]), self._waiting_at)
            self._last = self._key_of(records[-1])
            self._write(records)

    def _misplace(self, records: list[_R], offset: int) -> None:
        self.places.add_misplaced(map(self._key_of, records), offset)
        self._put_aside(records)


class _Builder:
    """Makes a sound table of records that may come in disorder."""

    def __init__(self, name: str, hash_id: HashId, block_size: int) -> None:
        self._made_like = (name, hash_id, block_size)
        self._main = _TemporaryTable(*self._made_like)
        self._refs_aside: list[RefRecord] = []
        self._logs_aside: list[LogRecord] = []
        self._size_aside = 0
        self._sorted: list[Table] = []
        self._are_refs_done = False
        self.refs: _Section[RefRecord, bytes] = _Section(ref_key, self._write_refs, self._put_refs_aside)
        self.logs: _Section[LogRecord, tuple[bytes, int]] = _Section(
            log_order, self._main.add_logs, self._put_logs_aside
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._main.discard()

    def end_refs(self) -> None:
        """Logs begin: refs behind them are out of order."""
        if not self._are_refs_done:
            self.refs.flush()
            self._are_refs_done = True

    def finish(self) -> tuple[Table, int, int]:
        """The table, and the numbers of refs and logs in it."""
        self.refs.flush()
        self.logs.flush()
        if self._refs_aside or self._logs_aside:
            self._sort_aside()
        main = self._main.finish()
        if not self._sorted:
            return main
        # Of equal records that of the newest stream remains: the one that was in its place.
        tables = [*self._sorted, main[0]]
        refs = merge_blocks([table.ref_blocks() for table in tables], _ref_version)
        return self._written(refs, merge_blocks([table.log_blocks() for table in tables], log_order))

    def _write_refs(self, refs: list[RefRecord]) -> None:
        (self._put_refs_aside if self._are_refs_done else self._main.add_refs)(refs)

    def _put_refs_aside(self, refs: list[RefRecord]) -> None:
        self._refs_aside += refs
        self._grow(sum(_RECORD_BYTES + len(ref.name) for ref in refs))

    def _put_logs_aside(self, logs: list[LogRecord]) -> None:
        self._logs_aside += logs
        self._grow(sum(_RECORD_BYTES + len(log.name) + len(log.message) for log in logs))

    def _grow(self, size: int) -> None:
        self._size_aside += size
        if self._size_aside > KEPT_BYTES:
            self._sort_aside()

    def _sort_aside(self) -> None:
        self._refs_aside.sort(key=_ref_version)
        self._logs_aside.sort(key=log_order)
        self._sorted.append(self._written([self._refs_aside], [self._logs_aside])[0])
        self._refs_aside, self._logs_aside, self._size_aside = [], [], 0

    def _written(
        self, refs: Iterable[list[RefRecord]], logs: Iterable[list[LogRecord]]
    ) -> tuple[Table, int, int]:
        with _TemporaryTable(*self._made_like) as table:
            for some in _last_of_each(refs, ref_key):
                table.add_refs(some)
            for entries in _last_of_each(logs, log_order):
                table.add_logs(entries)
            return table.finish()


class _TemporaryTable:
    """A table that is written to a temporary file, which has no name and goes when it is closed."""

    def __init__(self, name: str, hash_id: HashId, block_size: int) -> None:
        self._name = name
        self._file = tempfile.TemporaryFile(buffering=_WRITE_BUFFER)  # noqa: SIM115 - closed by `discard`
        options = WriteOptions(block_size, unpadded=True, skip_index_objects=True, exact_log_message=True)
        self._writer = TableWriter(self._file.write, replace(options, hash_id=hash_id))
        self._writer.set_limits(0, U64_MAX)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()

    def discard(self) -> None:
        """Close the file; a table that was made of it stays open."""
        self._file.close()

    def add_refs(self, refs: list[RefRecord]) -> None:
        """Append refs, which are in order."""
        add = self._writer.add_ref
        for ref in refs:
            add(ref)

    def add_logs(self, logs: list[LogRecord]) -> None:
        """Append log entries, which are in order."""
        add = self._writer.add_log
        for log in logs:
            add(log)

    def finish(self) -> tuple[Table, int, int]:
        """The table, open, and the numbers of refs and logs in it."""
        stats = self._writer.close()
        self._file.flush()
        fd = os.dup(self._file.fileno())
        try:
            return Table(fd, "", self._name), stats.ref.entries, stats.log.entries
        except BaseException:
            os.close(fd)
            raise


def _ref_version(ref: RefRecord) -> tuple[bytes, int]:
    return ref.name, ref.update_index


def _last_of_each(blocks: Iterable[list[_R]], key_of: Callable[[_R], _K]) -> Iterator[list[_R]]:
    """Of records in order, those of one key being neighbours, the last of each key."""
    latest: list[_R] = []
    for block in blocks:
        records = latest + block
        keys = list(map(key_of, records))
        yield [record for record, key, after in zip(records, keys, keys[1:], strict=False) if key != after]
        latest = records[-1:]
    yield latest

"""Many tables as one: the newest version of a key wins, and a tombstone hides older ones.

A point lookup asks the newest table first and stops at the first answer, tombstone or not. A scan merges
block by block: all keys up to the smallest last key of the blocks at hand are settled at once, and where only
one table has keys in that stretch (most of a large base table) its records pass without being looked at.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Final, Literal, NamedTuple, TypeVar, cast, overload

from engine.errors import ApiError, FormatError, require_bytes
from engine.format.record import LogRecord, RefRecord, log_order, ref_key
from engine.format.typed import AnyLog, AnyRef, LiveRef, LogEntry
from engine.format.varint import U64_MAX
from engine.format.walk import Walk
from engine.table.reader import Table

_T = TypeVar("_T")
_R = TypeVar("_R", RefRecord, LogRecord)
_K = TypeVar("_K", bytes, tuple[bytes, int])
"""What orders records: a name, or a log's (name, -update index)."""


_LARGEST_WINDOW: Final = 256
"""Items of a stream at hand at a time, once a merge has gone on for a while."""


def merge_blocks(sources: Sequence[Iterable[list[_T]]], key_of: Callable[[_T], _K]) -> Iterator[list[_T]]:
    """Merge streams of lists, each in key order, oldest stream first, into lists in key order.

    Of several items with one key the one of the newest stream remains. `key_of` returns
    whatever orders the items. Empty lists are allowed and none is returned. The first list
    takes one of each stream; the more are asked for, the more are merged at a time.
    """
    streams = [iter(source) for source in sources]
    keys: list[list[_K]] = [[] for _ in streams]
    blocks: list[list[_T]] = [[] for _ in streams]
    starts = [0] * len(streams)
    active = list(range(len(streams)))
    window = 1
    while True:
        for stream in active:
            if starts[stream] == len(blocks[stream]):
                blocks[stream], starts[stream] = _next_items(streams[stream], window), 0
                keys[stream] = list(map(key_of, blocks[stream]))
        active = [stream for stream in active if blocks[stream]]
        if len(active) < 2:
            break
        window = min(2 * window, _LARGEST_WINDOW)
        limit = min([keys[stream][-1] for stream in active])
        merged: list[_T] = []
        merged_keys: list[_K] = []
        for stream in active:
            start = starts[stream]
            stop = bisect_right(keys[stream], limit, start)
            if stop > start:
                starts[stream] = stop
                if merged:
                    _overlay(merged_keys, merged, keys[stream][start:stop], blocks[stream][start:stop])
                else:
                    merged_keys, merged = keys[stream][start:stop], blocks[stream][start:stop]
        if not merged:
            # Only keys in disorder come here; what they cost is order, not a loop without end.
            stream = min(active, key=lambda stream: keys[stream][-1])
            merged = blocks[stream][starts[stream] :]
            starts[stream] = len(blocks[stream])
        yield merged
    for stream in active:
        yield blocks[stream][starts[stream] :]
        yield from filter(None, streams[stream])


def _next_items(stream: Iterator[list[_T]], count: int) -> list[_T]:
    """The next lists of a stream as one, until they have `count` items; empty at its end."""
    items: list[_T] = []
    for following in stream:
        items = items + following if items else following
        if len(items) >= count:
            break
    return items


def _overlay(keys: list[_K], items: list[_T], newer_keys: list[_K], newer_items: list[_T]) -> None:
    """Lay newer items over older ones, both in key order; of one key the newer remains."""
    if len(newer_keys) > len(keys) // 2:
        both = dict(zip(keys, items, strict=True))
        both.update(zip(newer_keys, newer_items, strict=True))
        # Sorting takes up runs that are in order and gallops through the long ones.
        keys[:] = sorted(both)
        items[:] = [both[key] for key in keys]
        return
    at = 0
    for key, item in zip(newer_keys, newer_items, strict=True):
        at = bisect_left(keys, key, at)
        if at < len(keys) and keys[at] == key:
            items[at] = item
        else:
            keys.insert(at, key)
            items.insert(at, item)


class Version(NamedTuple):
    """One version of a ref: the table it lies in and where, and whether it is the one that counts.

    `position` is the table's place in the stack (0 is the oldest), `offset` that of the block
    which holds the record. A tombstone that wins hides the ref.
    """

    table: Table
    position: int
    offset: int
    record: AnyRef
    wins: bool


_value = attrgetter("value")


def _live_refs(records: list[RefRecord]) -> list[RefRecord]:
    # Few blocks hold a record without an object id; asking for one costs less than asking each.
    if None not in map(_value, records):
        return records
    return [record for record in records if record.value is not None or record.target is not None]


class MergedTable:
    """An immutable view of some tables of one hash function, oldest first.

    Raises `FormatError` when the tables have different hash functions. Views stay valid when
    the stack they came from is reloaded.
    """

    __slots__ = ("tables",)

    def __init__(self, tables: Sequence[Table]) -> None:
        self.tables = tuple(tables)
        for table in self.tables:
            if table.hash_id is not self.tables[0].hash_id:
                what = f"a {table.hash_id} table in a stack of {self.tables[0].hash_id} tables"
                raise FormatError(table.name, None, what)

    @property
    def min_update_index(self) -> int:
        """The lowest update index of the tables, 0 if there are none."""
        return min((table.min_update_index for table in self.tables), default=0)

    @property
    def max_update_index(self) -> int:
        """The highest update index of the tables, 0 if there are none."""
        return max((table.max_update_index for table in self.tables), default=0)

    def as_of(self, count: int) -> MergedTable:
        """The view as it was when the stack had only its first `count` tables: a number, no update index."""
        if not 0 <= count <= len(self.tables):
            raise ApiError(f"{count} of {len(self.tables)} tables")
        return MergedTable(self.tables[:count])

    def find_ref(self, name: bytes) -> tuple[Table, AnyRef] | None:
        """The record that counts for this name, be it a tombstone, and its table."""
        for table in reversed(self.tables):
            record = table.read_ref(name)
            if record is not None:
                return table, record
        return None

    def read_ref(self, name: bytes) -> LiveRef | None:
        """The ref of this name, or None if there is none or it was deleted."""
        for table in reversed(self.tables):
            record = table.read_ref(name)
            if record is not None:
                return None if record.is_deletion else cast("LiveRef", record)
        return None

    def read_log(self, name: bytes) -> LogEntry | None:
        """The newest log record of this ref that was not deleted, or None."""
        return next(self.logs(name), None)

    def versions(self, name: bytes) -> list[Version]:
        """Every version of a ref in every table, newest first."""
        found: list[Version] = []
        for position in reversed(range(len(self.tables))):
            table = self.tables[position]
            located = table.locate_ref(name)
            if located is not None:
                found.append(Version(table, position, *located, wins=not found))
        return found

    def ref_blocks(self, start: bytes = b"", *, deletions: bool = False) -> Iterator[list[RefRecord]]:
        """The refs from the first name >= `start` on, in lists of no particular length."""
        merged = merge_blocks(self._ref_sources(start), ref_key)
        return merged if deletions else filter(None, map(_live_refs, merged))

    def log_blocks(
        self,
        start: bytes = b"",
        update_index: int = U64_MAX,
        *,
        deletions: bool = False,
        markers: bool = True,
    ) -> Iterator[list[LogRecord]]:
        """The log entries from (`start`, `update_index`) on: by name, newest first.

        The markers of reflogs without entries are among them, unless `markers` is false; with `deletions`,
        all that is stored is.
        """
        merged = merge_blocks(self._log_sources(start, update_index), log_order)
        if deletions:
            return merged
        # Tombstones and markers have twice the same id, which costs less to see than what each of them is.
        live = (
            [
                record
                for record in records
                if record.old != record.new or not (record.is_deletion or (record.is_marker and not markers))
            ]
            for records in merged
        )
        return filter(None, live)

    @overload
    def refs(self, prefix: bytes = b"", *, deletions: Literal[False] = False) -> Iterator[LiveRef]: ...
    @overload
    def refs(self, prefix: bytes = b"", *, deletions: bool) -> Iterator[AnyRef]: ...
    def refs(self, prefix: bytes = b"", *, deletions: bool = False) -> Iterator[AnyRef]:
        """The refs whose names begin with `prefix`, in name order; tombstones on request."""
        require_bytes(prefix)
        for records in cast("Iterator[list[AnyRef]]", self.ref_blocks(prefix, deletions=deletions)):
            if not records[-1].name.startswith(prefix):
                yield from (record for record in records if record.name.startswith(prefix))
                return
            yield from records

    @overload
    def logs(self, name: bytes | None = None, *, deletions: Literal[False] = False) -> Iterator[LogEntry]: ...
    @overload
    def logs(self, name: bytes | None = None, *, deletions: bool) -> Iterator[AnyLog]: ...
    def logs(self, name: bytes | None = None, *, deletions: bool = False) -> Iterator[AnyLog]:
        """The log entries of all refs or of one, by name and newest first; tombstones on request."""
        require_bytes(name or b"")
        blocks = cast("Iterator[list[AnyLog]]", self.log_blocks(name or b"", deletions=deletions))
        for records in blocks:
            if name is not None and records[-1].name != name:
                yield from (record for record in records if record.name == name)
                return
            yield from records

    def ref_origins(
        self, start: bytes = b"", *, deletions: bool = False
    ) -> Iterator[list[tuple[RefRecord, Table]]]:
        """As `ref_blocks`, each record with the table it came from."""
        return self._origins(self._ref_sources(start), ref_key, deletions)

    def log_origins(
        self,
        start: bytes = b"",
        update_index: int = U64_MAX,
        *,
        deletions: bool = False,
        markers: bool = True,
    ) -> Iterator[list[tuple[LogRecord, Table]]]:
        """As `log_blocks`, each record with the table it came from."""
        live = self._origins(self._log_sources(start, update_index), log_order, deletions)
        if deletions or markers:
            return live
        return filter(None, ([origin for origin in origins if not origin[0].is_marker] for origins in live))

    def refs_for(self, oid: bytes) -> Iterator[LiveRef]:
        """The refs whose value or peeled value is `oid`, in name order.

        A newer table may supersede what a table answers, so each candidate is looked up. In one walk: to find
        a name in a table without an index takes a scan.
        """
        require_bytes(oid)
        names = {record.name for table in self.tables for record in table.refs_for(oid)}
        walk = Walk(self.ref_blocks, ref_key)
        for name in sorted(names):
            record = walk.to(name)
            if record is not None and record.name == name and oid in (record.value, record.peeled):
                yield cast("LiveRef", record)

    def _ref_sources(self, start: bytes) -> list[Iterator[list[RefRecord]]]:
        return [_from(start, table.ref_blocks(start), ref_key) for table in self.tables]

    def _log_sources(self, start: bytes, update_index: int) -> list[Iterator[list[LogRecord]]]:
        first = (start, -update_index)
        return [_from(first, table.log_blocks(start, update_index), log_order) for table in self.tables]

    def _origins(
        self, sources: Sequence[Iterable[list[_R]]], key_of: Callable[[_R], _K], deletions: bool
    ) -> Iterator[list[tuple[_R, Table]]]:
        """Merge the records of each table, tagged with it; tombstones on request."""
        tagged = map(_tagged, sources, self.tables)
        merged = merge_blocks(list(tagged), lambda origin: key_of(origin[0]))
        if deletions:
            return merged
        live = ([origin for origin in origins if not origin[0].is_deletion] for origins in merged)
        return filter(None, live)


def _from(first: _K, blocks: Iterable[list[_T]], key_of: Callable[[_T], _K]) -> Iterator[list[_T]]:
    """The same blocks without the records in front of the first key."""
    stream = iter(blocks)
    for records in stream:
        at = bisect_left(records, first, key=key_of)
        yield records[at:] if at else records
        break
    yield from stream


def _tagged(blocks: Iterable[list[_T]], table: Table) -> Iterator[list[tuple[_T, Table]]]:
    for records in blocks:
        yield [(record, table) for record in records]

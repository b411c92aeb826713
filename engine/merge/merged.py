"""Many tables as one: the newest version of a key wins, and a tombstone hides older ones.

A point lookup asks the newest table first and stops at the first answer, tombstone or not. A scan merges
block by block: all keys up to the smallest last key of the blocks at hand are settled at once, and where only
one table has keys in that stretch (most of a large base table) its records pass without being looked at.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Final, Literal, NamedTuple, Protocol, Self, TypeVar, cast, overload

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


class _Columns(Protocol):
    """Records as columns of the same length, in the order of `keys`."""

    @property
    def keys(self) -> Sequence[Any]: ...
    def between(self, start: int, stop: int) -> Self:
        """Those from the number `start` on in front of the number `stop`."""

    def followed_by(self, others: Self) -> Self:
        """These and `others`, which sort after them."""

    def lay_over(self, newer: Self) -> None:
        """Take in newer records; of one key the newer remains."""


_C = TypeVar("_C", bound=_Columns)


class _Listed:
    """A list of records, and of their keys once they are asked for."""

    __slots__ = ("_keys", "_keys_of", "items")

    def __init__(
        self, items: list[Any], keys_of: Callable[[list[Any]], list[Any]], keys: list[Any] | None = None
    ) -> None:
        self.items = items
        self._keys_of: Callable[[list[Any]], list[Any]] = keys_of
        self._keys: list[Any] | None = keys

    @property
    def keys(self) -> list[Any]:
        if self._keys is None:
            self._keys = self._keys_of(self.items)
        return self._keys

    def between(self, start: int, stop: int) -> _Listed:
        return _Listed(self.items[start:stop], self._keys_of, self.keys[start:stop])

    def followed_by(self, others: _Listed) -> _Listed:
        return _Listed(self.items + others.items, self._keys_of)

    def lay_over(self, newer: _Listed) -> None:
        keys, items = self.keys, self.items
        if len(newer.items) > len(items) // 2:
            both = dict(zip(keys, items, strict=True))
            both.update(zip(newer.keys, newer.items, strict=True))
            # Sorting takes up runs that are in order and gallops through the long ones.
            keys[:] = sorted(both)
            items[:] = [both[key] for key in keys]
            return
        at = 0
        for key, item in zip(newer.keys, newer.items, strict=True):
            at = bisect_left(keys, key, at)
            if at < len(keys) and keys[at] == key:
                items[at] = item
            else:
                keys.insert(at, key)
                items.insert(at, item)


def merge_blocks(sources: Sequence[Iterable[list[_T]]], key_of: Callable[[_T], _K]) -> Iterator[list[_T]]:
    """Merge streams of lists as `merge_columns` does; `key_of` returns whatever orders the items.

    A single stream is given as it is, without its empty lists: no key is asked for.
    """
    if len(sources) == 1:
        return filter(None, sources[0])

    def keys_of(items: list[_T]) -> list[_K]:
        return list(map(key_of, items))

    return _merge_lists(sources, keys_of)


def _merge_lists(
    sources: Sequence[Iterable[list[_T]]], keys_of: Callable[[list[_T]], list[_K]]
) -> Iterator[list[_T]]:
    listed = [map(partial(_Listed, keys_of=keys_of), source) for source in sources]
    for merged in merge_columns(listed):
        yield merged.items


def _names(refs: list[RefRecord]) -> list[bytes]:
    # Faster than `map`, and far faster where it is compiled.
    return [ref.name for ref in refs]


def merge_columns(sources: Sequence[Iterable[_C]]) -> Iterator[_C]:
    """Merge streams of columns, each in key order, oldest stream first, into columns in key order.

    Of several records with one key the one of the newest stream remains. Empty columns are allowed and none
    are returned. The first columns take one of each stream; the more are asked for, the more are merged at
    a time.
    """
    streams = [iter(source) for source in sources]
    at_hand: list[_C | None] = [None for _ in streams]
    keys: list[Sequence[Any]] = [() for _ in streams]
    starts = [0] * len(streams)
    active = list(range(len(streams)))
    window = 1
    while True:
        for stream in active:
            if starts[stream] == len(keys[stream]):
                following = _next_columns(streams[stream], window)
                at_hand[stream], starts[stream] = following, 0
                keys[stream] = following.keys if following is not None else ()
        active = [stream for stream in active if keys[stream]]
        if len(active) < 2:
            break
        window = min(2 * window, _LARGEST_WINDOW)
        limit = min([keys[stream][-1] for stream in active])
        merged: _C | None = None
        for stream in active:
            columns, start = at_hand[stream], starts[stream]
            stop = bisect_right(keys[stream], limit, start)
            if columns is not None and stop > start:
                starts[stream] = stop
                if merged is None:
                    merged = columns.between(start, stop)
                else:
                    merged.lay_over(columns.between(start, stop))
        if merged is None:
            # Only of damaged tables, whose keys do not ascend: taken as they are, lest this never ends.
            stream = min(active, key=lambda stream: keys[stream][-1])
            columns, start = at_hand[stream], starts[stream]
            starts[stream] = len(keys[stream])
            if columns is not None:
                yield columns.between(start, starts[stream])
        else:
            yield merged
    for stream in active:
        columns = at_hand[stream]
        if columns is not None:
            yield columns.between(starts[stream], len(keys[stream]))
        for columns in streams[stream]:
            if columns.keys:
                yield columns


def _next_columns(stream: Iterator[_C], count: int) -> _C | None:
    """The next columns of a stream as one, until they have `count` records; None at its end."""
    columns: _C | None = None
    for following in stream:
        columns = following if columns is None else columns.followed_by(following)
        if len(columns.keys) >= count:
            break
    return columns


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


def _live_refs(records: list[RefRecord]) -> list[RefRecord]:
    # Few blocks hold a record without an object id; asking for one costs less than asking each.
    values = [record.value for record in records]
    if all(values):
        return records
    return [record for record in records if record.value is not None or record.target is not None]


def _live_logs(records: list[LogRecord], markers: bool) -> list[LogRecord]:
    # The two ids of a tombstone or a marker are the same: to compare them costs less than to ask what it is.
    return [
        record
        for record in records
        if record.old != record.new or not (record.is_deletion or (record.is_marker and not markers))
    ]


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
        merged = _merge_lists(self._ref_sources(start), _names)
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
        return merged if deletions else filter(None, map(partial(_live_logs, markers=markers), merged))

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
        return filter(None, map(_without_markers, live))

    def refs_for(self, oid: bytes) -> Iterator[LiveRef]:
        """The refs whose value or peeled value is `oid`, in name order.

        A newer table may supersede what a table answers, so each candidate is looked up. In one walk: to find
        a name in a table without an index takes a scan.
        """
        require_bytes(oid)
        names = {record.name for table in self.tables for record in table.refs_for(oid)}
        walk = Walk(self.ref_blocks, ref_key)
        for name in sorted(names):
            record = walk.find(name)
            if record is not None and oid in (record.value, record.peeled):
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
        return filter(None, map(_live_origins, merged))


def _live_origins(origins: list[tuple[_R, Table]]) -> list[tuple[_R, Table]]:
    return [origin for origin in origins if not origin[0].is_deletion]


def _without_markers(origins: list[tuple[LogRecord, Table]]) -> list[tuple[LogRecord, Table]]:
    return [origin for origin in origins if not origin[0].is_marker]


def _from(first: _K, blocks: Iterable[list[_T]], key_of: Callable[[_T], _K]) -> Iterator[list[_T]]:
    """Blocks without the records in front of the first key."""
    stream = iter(blocks)
    for records in stream:
        at = bisect_left(records, first, key=key_of)
        yield records[at:] if at else records
        break
    yield from stream


def _tagged(blocks: Iterable[list[_T]], table: Table) -> Iterator[list[tuple[_T, Table]]]:
    for records in blocks:
        yield [(record, table) for record in records]

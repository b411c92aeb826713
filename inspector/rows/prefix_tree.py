"""The refs of a view as a tree of prefixes, `refs/heads/` and what is below it, read a level at a time.

A level is found by seeking: behind the first name of `refs/heads/` the next one that can begin with something
else is sought, `refs/heads0`, since `0` is the byte after the slash. So a level costs a seek for each of its
children, however many refs lie below them, or reading on where that is nearer.

How many refs are below a prefix is the difference of two row numbers, which the scan that counts all rows
knows (`PagedRows.rank`): of the prefix, and of what comes behind all that begins with it.

`PrefixTree` holds what is open. It reads nothing: `read_level` is for a worker.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator
from typing import Final, NamedTuple

from engine.format import RefRecord
from engine.merge import MergedTable
from engine.table import Table
from inspector.rows.record_rows import RefRow

MAX_CHILDREN: Final = 5000
"""Children of a level that are read; what comes behind them is better looked at as a list."""

ROOT: Final = b""


class PrefixRow(NamedTuple):
    """What names begin with, up to a slash; with `is_rest` the first name of a level that was not read."""

    name: bytes
    depth: int
    is_rest: bool = False

    @property
    def prefix(self) -> bytes:
        """The prefix that it is, or that the rest is of."""
        return (
            b"".join(part + b"/" for part in self.name.split(b"/")[: self.depth])
            if self.is_rest
            else self.name
        )


TreeRow = PrefixRow | RefRow


class Level(NamedTuple):
    """The children of a prefix: prefixes and refs in name order, and the first name that was left out."""

    children: tuple[TreeRow, ...]
    rest: bytes | None = None


def behind(prefix: bytes) -> bytes:
    """The first name that comes after all that begin with this prefix, which ends in a slash."""
    return prefix[:-1] + b"0"


def prefixes_of(name: bytes) -> list[bytes]:
    """The prefixes that a ref lies below, from the root on."""
    return [ROOT, *(name[: at + 1] for at, byte in enumerate(name) if byte == ord("/"))]


def read_level(
    view: MergedTable,
    prefix: bytes,
    positions: dict[str, int],
    *,
    deletions: bool = False,
    check: Callable[[], object] = lambda: None,
) -> Level:
    """The children of a prefix. Raises what reading raises; calls `check` now and then, which may raise."""
    children: list[TreeRow] = []
    start = prefix
    while True:
        sought = start
        for origins in view.ref_origins(start, deletions=deletions):
            check()
            at = bisect_left(origins, start, key=_name)
            is_passed = at == len(origins)
            while at < len(origins):
                record, table = origins[at]
                if record.name < start:  # in a damaged table
                    at += 1
                    continue
                if not record.name.startswith(prefix):
                    return Level(tuple(children))
                if len(children) == MAX_CHILDREN:
                    return Level(tuple(children), record.name)
                cut = record.name.find(b"/", len(prefix))
                if cut < 0:
                    children.append(RefRow(record, positions[table.name]))
                    at += 1
                    continue
                child = record.name[: cut + 1]
                children.append(PrefixRow(child, child.count(b"/") - 1))
                start = behind(child)
                at = bisect_left(origins, start, at, key=_name)
            if is_passed and start != sought:
                break  # what comes next is further away: seek
        else:
            return Level(tuple(children))


def _name(origin: tuple[RefRecord, Table]) -> bytes:
    return origin[0].name


class PrefixTree:
    """Which prefixes are open, and the rows that are to be seen."""

    def __init__(self, opened: Collection[bytes] = ()) -> None:
        self.opened = {ROOT, *opened}
        self.levels: dict[bytes, Level] = {}
        self.counts: dict[bytes, list[int | None]] = {}
        """Of a prefix whose count was asked for: the numbers of its first row, and of the first behind it."""
        self.rows: list[TreeRow] = []
        self._asked: set[bytes] = set()

    @property
    def missing(self) -> list[bytes]:
        """Open prefixes whose level was not read."""
        return sorted(self.opened - self.levels.keys())

    def put(self, levels: dict[bytes, Level]) -> None:
        """Take levels that were read; an open prefix that is not there any more is forgotten."""
        self.levels |= levels
        self.flatten()

    def toggle(self, prefix: bytes) -> None:
        """Open a prefix, or close it."""
        self.opened ^= {prefix}
        if prefix not in self.opened:
            self.levels.pop(prefix, None)
        self.flatten()

    def open_way(self, name: bytes) -> None:
        """Open all that a name lies below."""
        self.opened.update(prefixes_of(name))

    def flatten(self) -> None:
        """Lay the open levels out as rows."""
        self.rows = list(self._opened())

    def _opened(self) -> Iterator[TreeRow]:
        # No recursion: names may have thousands of slashes.
        left: list[Iterator[TreeRow]] = [self._level(ROOT)]
        while left:
            row = next(left[-1], None)
            if row is None:
                left.pop()
                continue
            yield row
            if isinstance(row, PrefixRow) and not row.is_rest and row.name in self.opened:
                left.append(self._level(row.name))

    def _level(self, prefix: bytes) -> Iterator[TreeRow]:
        level = self.levels.get(prefix, Level(()))
        yield from level.children
        if level.rest is not None:
            yield PrefixRow(level.rest, prefix.count(b"/"), is_rest=True)

    def count(self, prefix: bytes) -> int | None:
        """How many refs are below a prefix, once that is known; it is asked for by this."""
        first, end = self.counts.setdefault(prefix, [None, None])
        return end - first if first is not None and end is not None else None

    @property
    def asks(self) -> bool:
        """Whether counts were asked for that were not wanted of anything yet."""
        return len(self._asked) < len(self.counts)

    def take_asked(self) -> list[bytes]:
        """The names whose row numbers are to be found, each told once."""
        asked = self.counts.keys() - self._asked
        self._asked |= asked
        return sorted({name for prefix in asked for name in (prefix, behind(prefix))})

    def found(self, name: bytes, row: int) -> None:
        """Take the number of the first row that is not before a name: a prefix, or what is behind one."""
        for prefix, ends in self.counts.items():
            if name == prefix:
                ends[0] = row
            if name == behind(prefix):
                ends[1] = row

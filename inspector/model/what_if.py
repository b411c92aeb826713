"""A stack over time: what each of a row of transactions adds, and what a rule merges behind it.

A `Load` says how large the next transactions are; `replay` adds them to a stack of which only the sizes of
its tables are known, asks the rule after each, as auto-compaction does, and merges what it suggests. One
thing is taken to be so that need not be: that a merge is as large as the records that go into it, with
nothing superseded, dropped or packed more tightly. Only the FRAME that each table has goes once for every
table that is one less. As little as that is, it decides what becomes of tables of equal size: two of them
merged are a little less than twice as large as a third.

A `Course` is what came of it, and likewise what the tables of a stack and its events tell of its past.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Iterator, Sequence
from itertools import cycle, islice
from typing import Final, NamedTuple

from engine.stack import Policy, StackOptions
from inspector.model.event import Event, Shapes, TableShape

FRAME: Final = 7
"""Bytes of a table's policy size around its records: one of the header, and of its only block the head (4)
and the number of restart points (2)."""

MOST_UPDATES: Final = 100
"""Of a stack's last updates, so many are played again."""

_NEAR: Final = 32
"""Tables looked at before those that are new."""


class Band(NamedTuple):
    """A table as a band over time: the transactions `first` to `last` in `size` bytes, as the rules count."""

    first: int
    last: int
    size: int


class Moment(NamedTuple):
    """A change of a stack: what was `added` on top, and what was merged behind it, if anything was.

    `last` is the newest transaction by then. The tables `merged` stand at `start`, and the table `made` takes
    their place; without one they were only left out. There are so many `tables` then. `written` are the bytes
    so far, of additions and merges; what is never merged is written once.
    """

    last: int
    added: Band | None
    start: int
    merged: tuple[Band, ...]
    made: Band | None
    tables: int
    written: int


class Load(NamedTuple):
    """Transactions of these `sizes`, again and again, and what there is `to_see` when they come."""

    name: str
    sizes: tuple[int, ...]
    to_see: str

    def transactions(self, count: int, scale: float = 1) -> Iterator[int]:
        """The sizes of the next `count`, each so many times as large."""
        return (max(1, int(size * scale)) for size in islice(cycle(self.sizes), count))


LOADS: Final = (
    # As git writes them: the branch's value and the entry of its reflog; a tombstone for each of the two.
    Load(
        "git creates and deletes a branch",
        (180, 65),
        "What creates a branch and what deletes it differ in magnitude. log2 merges only neighbours of one "
        "magnitude: it keeps every table. geometric merges what is too small for all behind it. For this "
        "case git changed its rule.",
    ),
    Load(
        "commits, all of one size",
        (220,),
        "Where neighbours are alike, both rules keep few tables. geometric merges as soon as a table is not "
        "twice as large as the one behind it; log2 waits for two of one magnitude, and writes less.",
    ),
    Load(
        "300 and 200 bytes in turn",
        (300, 200),
        "The two are nearly alike, but a power of two lies between them: log2 never finds two neighbours of "
        "one magnitude, and keeps every table. geometric merges them at once.",
    ),
    Load(
        "300 and 60 bytes in turn",
        (300, 60),
        "In geometric the small table stays: the large one in front is more than twice its size. The next "
        "large one takes both along. log2 finds no two neighbours of one magnitude, and keeps every table.",
    ),
    Load(
        "small ones, now and then a big one",
        (*[200] * 19, 20_000),
        "log2 merges the small ones among themselves; what is left of them parts the big ones, say of two "
        "fetches, which never meet. In geometric a big one takes along all small ones in front of it.",
    ),
)


def last_updates(tables: Shapes) -> Load | None:
    """The newest transactions of a stack as a load; None if it has no tables.

    Of a table with several, only their sum is known: each is taken to be an equal part of it.
    """
    sizes: list[int] = []
    for table in reversed(tables):
        count = table.most_transactions
        sizes += [max(1, table.policy_size // count)] * min(count, MOST_UPDATES - len(sizes))
        if len(sizes) >= MOST_UPDATES:
            break
    if not sizes:
        return None
    return Load(
        "this stack's own last updates",
        tuple(reversed(sizes)),
        f"The last {len(sizes):,} transactions of this stack, again and again. Of a table with several, only "
        "the sum is known: each is taken to be an equal part of it.",
    )


class Course:
    """What became of a stack: its tables at the beginning, and the moments since."""

    def __init__(self, tables: Iterable[Band], moments: Iterable[Moment]) -> None:
        self.begin = tuple(tables)
        self.moments = tuple(moments)
        self.last = self.moments[-1].last if self.moments else len(self.begin)
        """The last transaction."""
        self.most = max(len(self.begin), *(moment.tables for moment in self.moments), 0)
        """The most tables that there were, at the beginning or behind a transaction."""
        self.added = self.added_by(len(self.moments))

    def added_by(self, moments: int) -> int:
        """The bytes added in so many moments."""
        return sum(moment.added.size for moment in self.moments[:moments] if moment.added is not None)

    def stack(self, moments: int) -> list[Band]:
        """The tables after so many moments, oldest first."""
        stack = list(self.begin)
        for moment in self.moments[:moments]:
            if moment.added is not None:
                insort(stack, moment.added, key=_first)
            made = [moment.made] if moment.made is not None else []
            stack[moment.start : moment.start + len(moment.merged)] = made
        return stack

    def bands(self, moments: int) -> Iterator[Band]:
        """All tables that there have been after so many moments, as they came."""
        yield from self.begin
        for moment in self.moments[:moments]:
            if moment.added is not None:
                yield moment.added
            if moment.made is not None:
                yield moment.made

    def next_merge(self, moments: int, by: int) -> int:
        """The moments up to the next merge, or (`by` below 0) the one before; the last or first if none."""
        end = len(self.moments)
        found = range(moments + 1, end + 1) if by > 0 else range(moments - 1, 0, -1)
        for number in found:
            if self.moments[number - 1].merged:
                return number
        return end if by > 0 else min(1, end)


def begin(sizes: Iterable[int]) -> list[Band]:
    """Tables that are there already, as if each were of one transaction."""
    return [Band(number, number, size) for number, size in enumerate(sizes, start=1)]


def replay(tables: Sequence[Band], sizes: Iterable[int], rule: Policy, factor: int) -> Iterator[Moment]:
    """The moment after each transaction of `sizes` on top of `tables`, under a rule."""
    suggest = StackOptions(policy=rule, factor=factor).suggestion
    stack = list(tables)
    settled = written = 0
    for number, size in enumerate(sizes, start=stack[-1].last + 1 if stack else 1):
        added = Band(number, number, size)
        stack.append(added)
        written += size
        # Both rules begin with two neighbours that do not suit each other, and there are none among those
        # settled: a rule that keeps thousands of tables need not look through them each time. How far back
        # the range goes from there, log2 knows as soon as it has met a table that it leaves alone.
        offset = max(0, settled - _NEAR)
        segment = suggest([band.size for band in stack[offset:]])
        if offset and len(segment) > 1 and (rule != "log2" or not segment.start):
            offset, segment = 0, suggest([band.size for band in stack])
        start = offset + segment.start
        merged: tuple[Band, ...] = ()
        made = None
        if len(segment) < 2:
            settled = len(stack)
        else:
            merged = tuple(stack[start : start + len(segment)])
            made_size = max(1, segment.bytes - FRAME * (len(merged) - 1))
            made = Band(merged[0].first, merged[-1].last, made_size)
            stack[start : start + len(segment)] = [made]
            written += made_size
            settled = min(start, settled)
        yield Moment(number, added, start, merged, made, len(stack), written)


def past(tables: Shapes, events: Sequence[Event] = ()) -> Course:
    """The past of a stack as far as it is known: its tables when it was opened, and its `events` since.

    The events are told from the first on. What was merged into a table before is not told: it is there from
    its last transaction on.
    """
    stack: list[Band] = []
    moments: list[Moment] = []
    bands: dict[str, Band] = {}

    def band(table: TableShape) -> Band:
        return bands.setdefault(table.name, Band(table.first, table.last, max(1, table.policy_size)))

    def note(added: Band | None, merged: Sequence[Band], made: Band | None) -> None:
        if added is not None:
            insort(stack, added, key=_first)
        merged = [one for one in merged if one in stack]
        start = stack.index(merged[0]) if merged else 0
        stack[start : start + len(merged)] = [made] if made is not None else []
        written = (moments[-1].written if moments else 0) + sum(one.size for one in (added, made) if one)
        last = max(stack[-1].last if stack else 0, moments[-1].last if moments else 0)
        moments.append(Moment(last, added, start, tuple(merged), made, len(stack), written))

    for table in events[0].before if events else tables:
        note(band(table), (), None)
    for event in events:
        for result, inputs in event.difference.merges:
            note(None, [band(table) for table in inputs], band(result))
        for table in event.difference.dropped:
            note(None, [band(table)], None)
        for table in event.difference.added:
            note(band(table), (), None)
    return Course((), moments)


def _first(band: Band) -> int:
    return band.first

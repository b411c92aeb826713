"""Which tables to merge, judged by their sizes alone: two rules, each as the sequence of its comparisons.

The log2 rule (the first one: JGit, the Go library and git before 2.45) cuts the stack into segments of tables
of like magnitude and merges the smallest magnitude that occurs twice in a row, with all older tables that the
result would outgrow. The geometric rule (git since 2.45) restores a sequence in which each table is at least
`factor` times the one behind it: its range ends with the newest table that is too large for the one in front
of it, and begins with the oldest table that is too small for all behind it, up to that end, put together.

A rule is a generator of `Comparison`s, the last of which is its result: what is shown step by step is what
runs. Sizes are in bytes, oldest table first. Words for the steps are left to the views.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from engine.merge.factor import DEFAULT_FACTOR, check_factor

ComparisonKind = Literal["cut", "choose", "grow", "end", "begin", "result"]


@dataclass(slots=True, frozen=True)
class Segment:
    """Tables [start, end) of a stack: `bytes` in all, `log` the magnitude of each (log2 rule)."""

    start: int
    end: int
    log: int
    bytes: int

    def __len__(self) -> int:
        return self.end - self.start

    @property
    def positions(self) -> range:
        """The positions of its tables."""
        return range(self.start, self.end)


class Comparison(NamedTuple):
    """One question of a rule.

    `looked` are the positions of the tables in question, `against` those that they are compared with
    (empty where there is nothing yet to compare with), `left` and `right` the numbers of both, `yes` the
    answer. `marked` is what the rule would merge after this step, empty while nothing is.

    The log2 rule, whose numbers are magnitudes (see `fastlog2`):
      cut     is `left`, of one table, the magnitude `right` of the segment in front? It joins that one then,
              and in any case one of nothing but tables without a byte;
      choose  has a segment two tables or more, and is `left`, its magnitude, below `right`, that of the best
              segment so far?
      grow    is `left`, of the table in front, not above `right`, that of all that is marked?
    The geometric rule, whose numbers are bytes:
      end     is `left`, of a table, below `right`, the factor times the table behind it? The range ends
              behind that one then, and no older pair is looked at;
      begin   is `left`, of a table, below `right`, the factor times all tables behind it up to the end of
              the range? The range begins at the table then.
    Both end with `result`, which compares nothing: `yes` when there is something to merge.
    """

    kind: ComparisonKind
    looked: range
    against: range
    left: int
    right: int
    yes: bool
    marked: Segment


def fastlog2(size: int) -> int:
    """The magnitude of a size: floor(log2), and 0 for 0."""
    return max(size.bit_length() - 1, 0)


_Marked = tuple[int, int, int, int]
_Numbers = tuple[ComparisonKind, tuple[int, int], tuple[int, int], int, int, bool, _Marked]
"""A `Comparison` and its `Segment` as bare numbers: a stack of ten thousand tables takes as many to judge."""

_NOTHING: Final = (0, 0, 0, 0)


def log2_steps(sizes: Sequence[int]) -> Iterator[Comparison]:
    """The comparisons of the log2 rule."""
    return map(_comparison, _log2(sizes))


def geometric_steps(sizes: Sequence[int], factor: int = DEFAULT_FACTOR) -> Iterator[Comparison]:
    """The comparisons of the geometric rule. Raises `ApiError` for a `factor` outside 1..255."""
    return map(_comparison, _geometric(sizes, check_factor(factor)))


def suggest_compaction_segment(sizes: Sequence[int]) -> Segment:
    """The tables that the log2 rule would merge; an empty segment when there are none."""
    return _result(_log2(sizes))


def suggest_geometric_segment(sizes: Sequence[int], factor: int = DEFAULT_FACTOR) -> Segment:
    """The tables that the geometric rule would merge, maybe none. Raises as `geometric_steps` does."""
    return _result(_geometric(sizes, check_factor(factor)))


def sizes_to_segments(sizes: Sequence[int]) -> list[Segment]:
    """Runs of adjacent tables of the same magnitude."""
    segments: list[_Marked] = []
    deque(_cut(sizes, segments), maxlen=0)
    return [Segment(*segment) for segment in segments]


def _comparison(numbers: _Numbers) -> Comparison:
    kind, looked, against, left, right, yes, marked = numbers
    return Comparison(kind, range(*looked), range(*against), left, right, yes, Segment(*marked))


def _result(steps: Iterator[_Numbers]) -> Segment:
    return Segment(*deque(steps, maxlen=1)[0][-1])


def _log2(sizes: Sequence[int]) -> Iterator[_Numbers]:
    segments: list[_Marked] = []
    yield from _cut(sizes, segments)
    marked = _NOTHING
    for segment in segments:
        start, end, log, _ = segment
        best = marked
        better = end - start > 1 and (not best[1] or log < best[2])
        marked = segment if better else best
        yield "choose", (start, end), best[:2], log, best[2], better, marked
    start, end, log, size = marked
    for position in reversed(range(start)):
        left, right = fastlog2(sizes[position]), fastlog2(size)
        against = start, end
        if left <= right:
            start, size = position, size + sizes[position]
        marked = start, end, log, size
        yield "grow", (position, position + 1), against, left, right, left <= right, marked
        if left > right:
            break
    yield "result", (start, end), (0, 0), 0, 0, end > start, (start, end, log, size)


def _cut(sizes: Sequence[int], segments: list[_Marked]) -> Iterator[_Numbers]:
    """The comparisons that make `segments`."""
    start, log, total = 0, 0, 0
    for position, size in enumerate(sizes):
        against, left, right = (start, position), fastlog2(size), log
        joins = position > 0 and (left == right or not total)
        if joins:
            total += size
            segments[-1] = (start, position + 1, left, total)
        else:
            start, total = position, size
            segments.append((start, position + 1, left, total))
        log = left
        yield "cut", (position, position + 1), against, left, right, joins, _NOTHING


def _geometric(sizes: Sequence[int], factor: int) -> Iterator[_Numbers]:
    start, end, size = 0, 0, 0
    for position in reversed(range(len(sizes) - 1)):
        left, right = sizes[position], sizes[position + 1] * factor
        if left < right:
            start, end, size = position + 1, position + 2, sizes[position + 1]
        marked = start, end, fastlog2(size), size
        yield "end", (position, position + 1), (position + 1, position + 2), left, right, left < right, marked
        if end:
            break
    total = size
    for position in reversed(range(end - 1)):
        left, right = sizes[position], total * factor
        total += left
        if left < right:
            start, size = position, total
        marked = start, end, fastlog2(size), size
        yield "begin", (position, position + 1), (position + 1, end), left, right, left < right, marked
    yield "result", (start, end), (0, 0), 0, 0, end > start, (start, end, fastlog2(size), size)

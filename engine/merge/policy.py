"""The two compaction rules as the sequence of their comparisons, for whoever wants to watch them decide.

`compaction.py` holds the rules as they are run; here they are taken apart. Each `Step` is one question:
the tables looked at, those they are held against, the two numbers compared, the answer, and what the rule
has marked for merging after it. The last step is the result, the segment that the rule itself returns.
Words for the steps are left to whoever shows them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from engine.merge.compaction import DEFAULT_FACTOR, Segment, check_factor, fastlog2, sizes_to_segments

StepKind = Literal["cut", "choose", "grow", "end", "begin", "result"]

_NOTHING: Final = Segment(0, 0, 0, 0)


@dataclass(slots=True, frozen=True)
class Step:
    """One comparison of a rule.

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

    kind: StepKind
    looked: range
    against: range
    left: int
    right: int
    yes: bool
    marked: Segment


def log2_steps(sizes: Sequence[int]) -> list[Step]:
    """The comparisons of the log2 rule for tables of these sizes (bytes, oldest first)."""
    return _with_result(_log2_steps(sizes))


def geometric_steps(sizes: Sequence[int], factor: int = DEFAULT_FACTOR) -> list[Step]:
    """The comparisons of the geometric rule; raises `ApiError` for a `factor` outside 1..255."""
    check_factor(factor)
    return _with_result(_geometric_steps(sizes, factor))


def _with_result(comparisons: Iterator[Step]) -> list[Step]:
    steps = list(comparisons)
    marked = steps[-1].marked if steps else _NOTHING
    steps.append(Step("result", range(marked.start, marked.end), range(0), 0, 0, len(marked) > 0, marked))
    return steps


def _log2_steps(sizes: Sequence[int]) -> Iterator[Step]:
    segments = sizes_to_segments(sizes)
    front = range(0)
    for segment in segments:
        for position in range(segment.start, segment.end):
            left = fastlog2(sizes[position])
            right = fastlog2(sizes[position - 1]) if position else 0
            joins = position > segment.start
            yield Step("cut", range(position, position + 1), front, left, right, joins, _NOTHING)
            front = range(segment.start, position + 1)
    best = _NOTHING
    for segment in segments:
        better = len(segment) > 1 and (not len(best) or segment.log < best.log)
        looked, against = range(segment.start, segment.end), range(best.start, best.end)
        right = best.log
        if better:
            best = segment
        yield Step("choose", looked, against, segment.log, right, better, best)
    yield from _grown(sizes, best)


def _grown(sizes: Sequence[int], marked: Segment) -> Iterator[Step]:
    while marked.start:
        position = marked.start - 1
        left, right = fastlog2(sizes[position]), fastlog2(marked.bytes)
        against = range(marked.start, marked.end)
        taken = left <= right
        if taken:
            marked = Segment(position, marked.end, marked.log, marked.bytes + sizes[position])
        yield Step("grow", range(position, position + 1), against, left, right, taken, marked)
        if not taken:
            return


def _geometric_steps(sizes: Sequence[int], factor: int) -> Iterator[Step]:
    marked, end = _NOTHING, 0
    for position in reversed(range(len(sizes) - 1)):
        left, right = sizes[position], sizes[position + 1] * factor
        looked, against = range(position, position + 1), range(position + 1, position + 2)
        if left < right:
            end = position + 2
            marked = _segment(position + 1, end, sizes[position + 1])
        yield Step("end", looked, against, left, right, left < right, marked)
        if end:
            break
    total = marked.bytes
    for position in reversed(range(end - 1)):
        left, right = sizes[position], total * factor
        total += left
        if left < right:
            marked = _segment(position, end, total)
        looked, against = range(position, position + 1), range(position + 1, end)
        yield Step("begin", looked, against, left, right, left < right, marked)


def _segment(start: int, end: int, size: int) -> Segment:
    return Segment(start, end, fastlog2(size), size)

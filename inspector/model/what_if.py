"""What if: the next additions to a stack, replayed on the sizes of its tables alone.

After each addition the rule in question is asked, as auto-compaction asks it, and what it suggests is
merged. Two things are taken to be so that need not be: that all additions are of one size, and that a merge
is as large as the records that go into it, with nothing superseded, dropped or packed more tightly. Only the
FRAME that each table has goes once for every table that is one less. As little as that is, it decides what
becomes of tables of equal size: two of them merged are a little less than twice as large as a third.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from engine.merge import Segment

FRAME: Final = 7
"""Bytes of a table's policy size around its records: one of the header, and of its only block the head (4)
and the number of restart points (2)."""


@dataclass(slots=True, frozen=True)
class Moment:
    """The stack after an addition and what followed it: its tables, and the bytes `written` so far.

    Written is what was added and what was merged; an addition that is never merged is written once.
    """

    tables: int
    written: int


def replay(
    sizes: Sequence[int], additions: int, size: int, suggest: Callable[[Sequence[int]], Segment]
) -> Iterator[Moment]:
    """The moment after each of so many `additions` of `size` bytes to a stack of tables of `sizes`.

    Sizes are as the rules count them, the oldest table's first; `suggest` is the rule.
    """
    stack = list(sizes)
    written = 0
    for _ in range(additions):
        stack.append(size)
        written += size
        segment = suggest(stack)
        if len(segment) > 1:
            merged = max(1, segment.bytes - FRAME * (len(segment) - 1))
            stack[segment.start : segment.end] = [merged]
            written += merged
        yield Moment(len(stack), written)

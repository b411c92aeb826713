"""The states of a stack that its tables still tell apart: a moment is the end of a table."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from engine.table import Table
from inspector.text import update_range


class StackMoment(NamedTuple):
    """The stack up to `update_index`: how many of its tables end there or before, and their size in bytes.

    `table` is the one that ends there, at `position` in the stack.
    """

    update_index: int
    tables: int
    size: int
    table: Table
    position: int

    @property
    def updates(self) -> str:
        """The update indexes of that table."""
        return update_range(self.table.min_update_index, self.table.max_update_index)


def moments_of(tables: Sequence[Table]) -> list[StackMoment]:
    """A moment for each table, that of the newest first."""
    ends = sorted((table.max_update_index, table.size) for table in tables)
    sizes = [0, *accumulate(size for _, size in ends)]
    found = []
    for position, table in reversed(list(enumerate(tables))):
        count = bisect_right(ends, table.max_update_index, key=lambda end: end[0])
        found.append(StackMoment(table.max_update_index, count, sizes[count], table, position))
    return found

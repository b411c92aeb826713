"""The records that can be read now, and those of the repaired stack, side by side.

Both pass as streams. Where both have the same records, the tables are read once.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from operator import itemgetter
from typing import Final, TypeVar

from engine.format import Encoded
from engine.progress import Progress, ProgressCallback
from engine.repair.inputs import Located, OpenInputs, all_logs, located_refs
from engine.repair.plan import RepairPlan

_BATCH: Final = 1024

_Keyed = TypeVar("_Keyed", Located, Encoded)

_key = itemgetter(0)


def opened_views(plan: RepairPlan) -> tuple[list[OpenInputs], list[OpenInputs]]:
    """The tables of both views, oldest first."""
    before = [OpenInputs(plan.directory, [one]) for one in plan.before]
    return before, [OpenInputs(plan.directory, table.inputs) for table in plan.tables]


def ref_stretches(
    plan: RepairPlan, before: list[OpenInputs], after: list[OpenInputs]
) -> Iterator[tuple[list[Located], list[Located]]]:
    """The refs of both views side by side, a stretch of names at a time; of equal views, one list twice."""
    if are_same(plan):
        return ((located, located) for located in located_refs(after))
    return side_by_side(located_refs(before), located_refs(after))


def log_stretches(
    plan: RepairPlan, before: list[OpenInputs], after: list[OpenInputs]
) -> Iterator[tuple[list[Encoded], list[Encoded]]]:
    """The log entries likewise."""
    if are_same(plan, logs=True):
        return ((items, items) for items in all_logs(after))
    return side_by_side(all_logs(before), all_logs(after))


def side_by_side(
    before: Iterator[list[_Keyed]], after: Iterator[list[_Keyed]]
) -> Iterator[tuple[list[_Keyed], list[_Keyed]]]:
    """Records in the order of their keys, which come first in each, a stretch of keys at a time."""
    was, will = next(before, []), next(after, [])
    while was or will:
        limit = min(records[-1][0] for records in (was, will) if records)
        ends = [bisect_right(records, limit, key=_key) for records in (was, will)]
        if not any(ends):
            # Only keys in disorder come here; what they cost is order, not a loop without end.
            ends = [len(was), 0 if was else len(will)]
        yield was[: ends[0]], will[: ends[1]]
        was = was[ends[0] :] or next(before, [])
        will = will[ends[1] :] or next(after, [])


def are_same(plan: RepairPlan, *, logs: bool = False) -> bool:
    """Whether the tables hold the same refs before and afterwards, or the same log entries."""
    pairs = zip(plan.tables, plan.before, strict=False)
    return len(plan.tables) == len(plan.before) and all(
        len(table.inputs) == 1 and table.inputs[0].comes_as(one, logs=logs) for table, one in pairs
    )


class Telling:
    """Tells how many records were compared, now and then."""

    def __init__(self, phase: str, progress: ProgressCallback | None) -> None:
        self._phase = phase
        self._progress = progress
        self._done = self._told = 0

    def more(self, count: int) -> None:
        """So many more were."""
        self._done += count
        if self._progress is not None and self._done - self._told >= _BATCH:
            self._told = self._done
            self._progress(Progress(self._phase, self._done, None))

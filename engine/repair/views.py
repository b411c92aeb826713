"""The records that can be read now, and those of the repaired stack, side by side.

Both pass as streams. Where both have the same records, the tables are read once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from engine.format import Encoded
from engine.merge import side_by_side
from engine.progress import Progress, ProgressCallback
from engine.repair.inputs import Located, OpenInputs, all_logs, located_name, located_refs
from engine.repair.plan import RepairPlan
from engine.salvage import item_key

_BATCH: Final = 1024


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
    return side_by_side(located_refs(before), located_refs(after), located_name)


def log_stretches(
    plan: RepairPlan, before: list[OpenInputs], after: list[OpenInputs]
) -> Iterator[tuple[list[Encoded], list[Encoded]]]:
    """The log entries of both views side by side, a stretch at a time; of equal views, one list twice."""
    if are_same(plan, logs=True):
        return ((items, items) for items in all_logs(after))
    return side_by_side(all_logs(before), all_logs(after), item_key)


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
        """So many more were compared."""
        self._done += count
        if self._progress is not None and self._done - self._told >= _BATCH:
            self._told = self._done
            self._progress(Progress(self._phase, self._done, None))

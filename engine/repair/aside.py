"""What tables would change that a repair does not take up although they are newer than the stack."""

from __future__ import annotations

from typing import Final, NamedTuple

from engine.merge import side_by_side
from engine.progress import ProgressCallback
from engine.repair.inputs import Located, OpenInputs, located_name, located_refs
from engine.repair.plan import RepairPlan
from engine.repair.views import Telling

MOST_NAMED: Final = 3


class Aside(NamedTuple):
    """Tables, how many refs they would change, the names of the first ones, and how many log entries."""

    files: tuple[str, ...]
    refs: int
    names: tuple[bytes, ...]
    logs: int


def changes_aside(plan: RepairPlan, progress: ProgressCallback | None = None) -> Aside:
    """What the tables that `plan` leaves aside would change in the repaired stack.

    Raises `OSError`, `FormatError` when the files have changed since, and what `progress` raises.
    """
    found = Aside(tuple(one.file for one in plan.newer), 0, (), 0)
    if not plan.newer:
        return found
    newer = [OpenInputs(plan.directory, [one]) for one in plan.newer]
    stack = [OpenInputs(plan.directory, table.inputs) for table in plan.tables]
    refs, names = 0, list[bytes]()
    tell = Telling("compare refs", progress)
    for was, will in side_by_side(located_refs(stack), located_refs(newer), located_name):
        changed = _changed(was, will)
        refs += len(changed)
        names += changed[: MOST_NAMED - len(names)]
        tell.more(len(was))
    logs = sum(len(items) for one in newer for items in one.encoded_logs())
    return found._replace(refs=refs, names=tuple(names), logs=logs)


def _changed(was: list[Located], will: list[Located]) -> list[bytes]:
    """The names of `will` that show something else in `was`."""
    before = {name: record for name, record, _ in was if not record.is_deletion}
    return [
        name
        for name, record, _ in will
        if (name in before or not record.is_deletion)
        and not (name in before and before[name].has_value_of(record))
    ]

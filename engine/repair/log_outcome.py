"""What becomes of log entries: how many stay, come back, are deleted or lost."""

from __future__ import annotations

from dataclasses import dataclass

from engine.format import DELETION
from engine.progress import ProgressCallback
from engine.repair.plan import RepairPlan, damages
from engine.repair.views import Telling, log_stretches, opened_views


@dataclass(slots=True, frozen=True)
class LogOutcomes:
    """Numbers of log entries: in both views, in one alone; `uncertain` ones may be wrong and stay out.

    `may_be_lost` when there may have been others, in what cannot be read: about so many `unknown`, None if
    that cannot be told. `deleted` ones are to be seen now, and deleted by a table that counts afterwards.
    """

    kept: int
    lost: int
    returned: int
    uncertain: int
    may_be_lost: bool
    unknown: int | None = 0
    deleted: int = 0


def log_outcomes(plan: RepairPlan, progress: ProgressCallback | None = None) -> LogOutcomes:
    """What becomes of the log entries. Raises as `ref_outcomes` does."""
    kept = lost = returned = deleted = 0
    before, after = opened_views(plan)
    tell = Telling("compare logs", progress)
    for were, will in log_stretches(plan, before, after):
        are = {item[0]: item[3] for item in will}
        for key in (item[0] for item in were if item[3] != DELETION):
            kind = are.pop(key, None)
            lost += kind is None
            deleted += kind == DELETION
            kept += kind not in (None, DELETION)
        returned += sum(kind != DELETION for kind in are.values())
        tell.more(max(len(were), len(will)))
    losses = [one for table in plan.tables for one in table.losses.values()]
    uncertain = sum(one.uncertain_logs for one in losses)
    about = [one.about_logs for one in damages(plan) if one.lost_logs]
    known = [number for number in about if number is not None]
    unknown = sum(known) if len(known) == len(about) else None
    return LogOutcomes(kept, lost, returned, uncertain, bool(about), unknown, deleted)

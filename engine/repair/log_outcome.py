"""Counting what becomes of log entries: how many stay, come back, are deleted or lost."""

from __future__ import annotations

from bisect import bisect_left

from engine.format import DELETION, U64_MAX
from engine.progress import ProgressCallback
from engine.repair.outcome import LogOutcomes
from engine.repair.plan import Damage, RepairPlan, damages
from engine.repair.views import Telling, log_stretches, opened_views


def log_outcomes(plan: RepairPlan, progress: ProgressCallback | None = None) -> LogOutcomes:
    """What becomes of the log entries. Raises as `ref_outcomes` does."""
    kept = lost = returned = deleted = doubtful = 0
    lossy = [one for one in damages(plan) if one.losses.lost_logs]
    doubts = [*map(_Doubt, lossy)]
    before, after = opened_views(plan)
    tell = Telling("compare logs", progress)
    for were, will in log_stretches(plan, before, after):
        are = {item[0]: item[3] for item in will}
        for key in (item[0] for item in were if item[3] != DELETION):
            kind = are.pop(key, None)
            lost += kind is None
            deleted += kind == DELETION
            if kind not in (None, DELETION):
                kept += 1
                doubtful += any(doubt.holds(key) for doubt in doubts)
        returned += sum(kind != DELETION for kind in are.values())
        tell.more(max(len(were), len(will)))
    losses = [one for table in plan.tables for one in table.losses.values()]
    uncertain = sum(one.uncertain_logs for one in losses)
    about = [one.losses.about_logs for one in lossy]
    known = [number for number in about if number is not None]
    unknown = sum(known) if len(known) == len(about) else None
    return LogOutcomes(kept, lost, returned, uncertain, bool(lossy), unknown, deleted, doubtful)


class _Doubt:
    """Whether an entry may have been deleted by what is lost of one table."""

    def __init__(self, damage: Damage) -> None:
        self._gaps = damage.losses.log_gaps
        self._lows = [gap.low for gap in self._gaps]
        # The last bytes of a key are the higher, the older the update is: a table has no older ones itself.
        self._oldest = (U64_MAX - damage.low).to_bytes(8, "big")

    def holds(self, key: bytes) -> bool:
        """Whether the entry with this key is older than the table, and its tombstone may be in a gap."""
        if key[-8:] <= self._oldest:
            return False
        before = bisect_left(self._lows, key)
        return before > 0 and self._gaps[before - 1].holds(key)

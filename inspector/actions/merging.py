"""What compacting and expiring have in common: tables are merged, as a plan says."""

from __future__ import annotations

from abc import abstractmethod

from engine import snapshot as snapshots
from engine.merge import CompactionPlan, Expiry
from engine.progress import ProgressCallback
from engine.stack import TABLES_LIST, Stack, StackOptions
from inspector.actions.base import Action, Plan, Result
from inspector.text import compaction_lines, counted


class Compaction(Action[CompactionPlan]):
    """What compacting and expiring have in common."""

    @property
    def rule(self) -> StackOptions:
        """The options of the stack, with the rule that suggests what to merge, and how to write it."""
        return self.workplace.options

    @abstractmethod
    def planned(self, stack: Stack, progress: ProgressCallback) -> Plan[CompactionPlan]:
        """Merge into nothing, to see the exact outcome. Raises OutdatedError for a range that is gone."""

    def plan(self, progress: ProgressCallback) -> Plan[CompactionPlan]:
        """See the exact outcome for the stack as it is now."""
        with self.workplace.opened(options=self.rule) as stack:
            return self.planned(stack, progress)

    def apply(self, plan: Plan[CompactionPlan], progress: ProgressCallback) -> Result:
        """Merge the tables of the plan."""
        with self.workplace.changing(self.operation, options=self.rule) as (stack, record):
            made = _merge(stack, plan.made, progress)
        return _result(made, record.snapshot)

    def insist(self, progress: ProgressCallback) -> tuple[Plan[CompactionPlan], Result | None]:
        """Lock the tables before planning: on a busy stack, git merges them in every other commit."""
        made = None
        with self.workplace.changing(self.operation, options=self.rule) as (stack, record), stack.hold():
            plan = self.planned(stack, progress)
            if not plan.is_noop:
                made = _merge(stack, plan.made, progress)
        return plan, None if made is None else _result(made, record.snapshot)


def _merge(stack: Stack, plan: CompactionPlan, progress: ProgressCallback) -> CompactionPlan:
    stack.apply(plan, progress)
    # A new table has its name only now; none if it was merged once more.
    names = {(table.min_update_index, table.max_update_index): table.name for table in stack.tables}
    after = (
        table._replace(name=table.name or names.get((table.min_update_index, table.max_update_index)))
        for table in plan.after
    )
    return plan._replace(after=tuple(after))


def _result(made: CompactionPlan, snapshot: snapshots.Snapshot | None) -> Result:
    saved = sum(table.size for table in made.before) - sum(table.size for table in made.after)
    size = f"{abs(saved):,} bytes {'less' if saved >= 0 else 'more'}"
    merged = f"{counted(made.end - made.first, 'table')} became {'one' if made.bytes else 'none'}"
    sentence = f"Done: {merged}, {size} than before."
    return Result(sentence, tuple(compaction_lines(made)), made=made, snapshot=snapshot)


def plan_of(
    stack: Stack, first: int, end: int, progress: ProgressCallback, expiry: Expiry | None = None
) -> Plan[CompactionPlan]:
    """What merging the tables [first, end) does, in words."""
    made = stack.plan_compaction(first, end, expiry, progress)
    if made.is_noop:
        return Plan(made, made.names, "Nothing to merge: the stack stays as it is.", is_noop=True)
    before = sum(table.size for table in made.before[first:end])
    outcome = f"one of {made.bytes:,} bytes" if made.bytes else "none, since no record is left"
    sentence = f"{counted(end - first, 'table')} of {before:,} bytes become {outcome}"
    warnings = []
    if expiry is not None:
        sentence += (
            f", without {counted(made.dropped.expired, 'reflog entry', 'reflog entries')} that expired"
        )
        if not made.dropped.expired:
            warnings.append("No reflog entry is old enough: all that is left to do is to merge the tables.")
    elif first:
        warnings.append("Tombstones stay: older tables, which are not merged, may hold what they delete.")
    return Plan(
        made,
        made.names,
        sentence + ".",
        tuple(compaction_lines(made)),
        tuple(warnings),
        locked=(TABLES_LIST, *made.names[first:end]),
    )

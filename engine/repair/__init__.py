"""Repairing a stack: a plan, what it means for each ref, and carrying it out.

May import all wings but `update`.

    plan          a repair as data, and what it cannot bring back
    inputs        files, and their records as they come into the repaired stack
    choice        which tables make up a stack when its list does not say, or says what cannot be
    files         what is known of the stack, each file looked at once
    originals     what a table was made of, where that is still beside it, and one of both is damaged
    copies        tables that were copied over others
    restoring     refs that their reflogs restore
    draft         a plan in the making
    tables        the tables of the repaired stack
    damaged       what others tell of the records of damaged ones
    repository    the files by which git knows a repository
    planner       making the plan
    objects       what doubtful refs hold: values that have objects, and what can be none
    repaired      the repaired stack, to be read without a change
    views         what can be read now and the repaired stack, side by side
    outcome       what may become of a ref, and of log entries, and
    judging, log_outcome
                  what does become of them
    aside         what tables would change that are not taken up
    digest        what tells whether two tables have the same records
    execute       carrying out a plan: `repair`
"""

from typing import TYPE_CHECKING

from engine.lazy import lazily

if TYPE_CHECKING:
    from engine.repair.aside import Aside as Aside, changes_aside as changes_aside
    from engine.repair.execute import RepairResult as RepairResult, repair as repair
    from engine.repair.judging import judged_refs as judged_refs, ref_outcomes as ref_outcomes
    from engine.repair.log_outcome import log_outcomes as log_outcomes
    from engine.repair.outcome import (
        LogOutcomes as LogOutcomes,
        Outcome as Outcome,
        RefOutcome as RefOutcome,
    )
    from engine.repair.plan import (
        RepairPlan as RepairPlan,
        Step as Step,
        StepKind as StepKind,
        damages as damages,
        lock_files as lock_files,
        room_for_refs as room_for_refs,
        table_files as table_files,
    )
    from engine.repair.planner import plan_repair as plan_repair
    from engine.repair.repaired import RepairedStack as RepairedStack, RepairedView as RepairedView
else:
    __getattr__, __dir__, __all__ = lazily(
        __name__,
        {
            "aside": "Aside changes_aside",
            "execute": "RepairResult repair",
            "judging": "judged_refs ref_outcomes",
            "log_outcome": "log_outcomes",
            "outcome": "LogOutcomes Outcome RefOutcome",
            "plan": "RepairPlan Step StepKind damages lock_files room_for_refs table_files",
            "planner": "plan_repair",
            "repaired": "RepairedStack RepairedView",
        },
    )

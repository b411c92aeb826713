"""What can be done to a stack. Each change is an action: it makes a plan, and applies exactly that plan.

The only way to change a stack, for screens and verbs alike. Nothing here knows a screen. Planning and
applying take as long as they take: callers run them in a thread. May import `model`.

    base          what plans, results and actions are; `run`, through which every change goes
    compacting    compact, expire, clean
    adding, ref_form
                  update-ref commands as one transaction; one change of a ref as a form has it
    repairing     repairing, and removing locks
    undoing       going back to a snapshot, and removing old ones
    trouble       what an error means, and what to do about it; locks in the way
"""

from inspector.actions.adding import AddAction as AddAction
from inspector.actions.base import (
    Action as Action,
    Plan as Plan,
    RefusedError as RefusedError,
    Result as Result,
    Typed as Typed,
    Workplace as Workplace,
    is_as_planned_for as is_as_planned_for,
    plan_and_run as plan_and_run,
    rehearse as rehearse,
    run as run,
)
from inspector.actions.compacting import (
    CleanAction as CleanAction,
    CompactAction as CompactAction,
    ExpireAction as ExpireAction,
    TableRange as TableRange,
)
from inspector.actions.ref_form import (
    FormKind as FormKind,
    RefForm as RefForm,
    name_field as name_field,
    value_field as value_field,
)
from inspector.actions.repairing import PlannedRepair as PlannedRepair, RepairAction as RepairAction
from inspector.actions.trouble import (
    Trouble as Trouble,
    explain as explain,
    lock_words as lock_words,
    seen_locks as seen_locks,
)
from inspector.actions.undoing import PruneAction as PruneAction, UndoAction as UndoAction

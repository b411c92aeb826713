"""What can be done to a stack. Each change is an action: it makes a plan, and applies exactly that plan.

The only way to change a stack, for screens and verbs alike. Nothing here knows a screen. Planning and
applying take as long as they take: callers run them in a thread. May import `model`.

    base          what plans, results and actions are; `run`, through which every change goes
    compacting    compact, expire, clean
    adding, ref_form
                  update-ref commands as one transaction; one change of a ref as a form has it
    healing, undoing
                  going back to a snapshot, and taking one
    repairing, repair_words
                  repairing, and the words of its plan
    words         plans in words, the same on screen and from the verbs
    shell         the command line that does the same
    locks, trouble
                  locks in the way; what an error means for the stack, and what to do about it
"""

from inspector.actions.adding import AddAction, peel_tags, shared_refs
from inspector.actions.base import (
    Action,
    Plan,
    RefusedError,
    Result,
    Typed,
    Workplace,
    is_as_planned_for,
    run,
)
from inspector.actions.compacting import CleanAction, CompactAction, ExpireAction, TableRange, utc_time
from inspector.actions.healing import PruneAction, UndoAction
from inspector.actions.locks import lock_words, seen_locks
from inspector.actions.ref_form import Kind, RefForm, name_field, value_field
from inspector.actions.repair_words import (
    gap_lines,
    is_chosen,
    lines_of_step,
    log_words,
    ref_words,
    step_lines,
)
from inspector.actions.repairing import RepairAction
from inspector.actions.trouble import Trouble, explain
from inspector.actions.undoing import undoable
from inspector.actions.words import clean_lines, compaction_lines, counted

__all__ = [
    "Action",
    "AddAction",
    "CleanAction",
    "CompactAction",
    "ExpireAction",
    "Kind",
    "Plan",
    "PruneAction",
    "RefForm",
    "RefusedError",
    "RepairAction",
    "Result",
    "TableRange",
    "Trouble",
    "Typed",
    "UndoAction",
    "Workplace",
    "clean_lines",
    "compaction_lines",
    "counted",
    "explain",
    "gap_lines",
    "is_as_planned_for",
    "is_chosen",
    "lines_of_step",
    "lock_words",
    "log_words",
    "name_field",
    "peel_tags",
    "ref_words",
    "run",
    "seen_locks",
    "shared_refs",
    "step_lines",
    "undoable",
    "utc_time",
    "value_field",
]

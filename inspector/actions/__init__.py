"""What can be done to a stack. Each change is an action: it makes a plan, and applies exactly that plan.

The only way to change a stack, for screens and verbs alike. Nothing here knows a screen. Planning and
applying take as long as they take: callers run them in a thread. May import `model`.

    workplace     the stack that actions work on, and how a shell names it
    base          what plans, results and actions are; `run`, through which every change goes
    merging       what compacting and expiring have in common
    compacting    compact
    expiring      expire
    cleaning      clean
    adding, ref_form
                  update-ref commands as one transaction; one change of a ref as a form has it
    head          the branch that HEAD most likely named, and the command that writes it
    repairing     repairing, and removing locks
    undoing       going back to a snapshot; keeping and removing snapshots
    trouble       what an error means, and what to do about it; locks in the way
"""

from typing import TYPE_CHECKING

from engine.lazy import lazily

if TYPE_CHECKING:
    from inspector.actions.adding import AddAction
    from inspector.actions.base import (
        Action,
        Plan,
        Result,
        Typed,
        is_as_planned_for,
        plan_and_run,
        rehearse,
        run,
    )
    from inspector.actions.cleaning import CleanAction
    from inspector.actions.compacting import CompactAction, TableRange
    from inspector.actions.expiring import ExpireAction
    from inspector.actions.head import branch_for_head, command_for_head
    from inspector.actions.ref_form import FormKind, RefForm, name_field, value_field
    from inspector.actions.repairing import PlannedRepair, RepairAction
    from inspector.actions.trouble import Trouble, explain, lock_words, seen_locks
    from inspector.actions.undoing import DropAction, KeepAction, LastChange, UndoAction, last_change
    from inspector.actions.workplace import RefusedError, Workplace, command
else:
    __getattr__, __dir__, __all__ = lazily(
        __name__,
        {
            "adding": "AddAction",
            "base": "Action Plan Result Typed is_as_planned_for plan_and_run rehearse run",
            "cleaning": "CleanAction",
            "compacting": "CompactAction TableRange",
            "expiring": "ExpireAction",
            "head": "branch_for_head command_for_head",
            "ref_form": "FormKind RefForm name_field value_field",
            "repairing": "PlannedRepair RepairAction",
            "trouble": "Trouble explain lock_words seen_locks",
            "undoing": "DropAction KeepAction LastChange UndoAction last_change",
            "workplace": "RefusedError Workplace command",
        },
    )

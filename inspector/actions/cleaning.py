"""Removing the files that nothing needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from engine.progress import ProgressCallback
from engine.stack import CleanPlan
from inspector.actions.base import Action, Plan, Result
from inspector.actions.workplace import Workplace
from inspector.text import clean_lines, counted


@dataclass(frozen=True, slots=True)
class CleanAction(Action[CleanPlan]):
    """Remove the files that a crash left in the directory of the stack."""

    workplace: Workplace
    applies_noop: ClassVar[bool] = True
    title: ClassVar[str] = "Clean: remove files that nothing needs"
    verb: ClassVar[str] = "Remove"
    operation: ClassVar[str] = "clean"

    def plan(self, progress: ProgressCallback) -> Plan[CleanPlan]:  # noqa: ARG002 - it takes no time
        """Look at every file that is no part of the stack."""
        with self.workplace.opened() as stack:
            made = stack.plan_clean()
            names = tuple(table.name for table in stack.tables)
        if made.removed:
            size = sum(file.size for file in made.removed)
            sentence = f"{counted(len(made.removed), 'file')} of {size:,} bytes will be removed."
        elif made.kept:
            sentence = "Nothing to clean: each file that is not part of the stack has a reason to stay."
        else:
            sentence = "Nothing to clean: there is no file that is not part of the stack."
        return Plan(made, names, sentence, tuple(clean_lines(made)), is_noop=not made.removed)

    def apply(self, plan: Plan[CleanPlan], progress: ProgressCallback) -> Result:  # noqa: ARG002 - likewise
        """Remove the files of the plan that are stale still."""
        removed = [file.name for file in plan.made.removed]
        with self.workplace.changing(self.operation, removed) as (stack, record):
            gone = set(stack.clean(plan.made))
        done = plan.made._replace(removed=tuple(file for file in plan.made.removed if file.name in gone))
        left = len(plan.made.removed) - len(done.removed)
        warnings = (
            (f"{counted(left, 'file')} of the plan stayed: by now something needs them.",) if left else ()
        )
        sentence = f"Done: {counted(len(gone), 'file')} removed."
        return Result(sentence, tuple(clean_lines(done)), warnings, done, record.snapshot)

"""Planning and applying an action, as jobs: each ends with what it made, or with why it did not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from engine.errors import Cancelled
from engine.progress import Progress, ProgressCallback
from engine.stack import UnlistedFile
from inspector.actions import (
    Action,
    Plan,
    RefusedError,
    Result,
    Trouble,
    Workplace,
    explain,
    is_as_planned_for,
    run,
    seen_locks,
)
from inspector.model import Ending
from inspector.tui.work import CHANGING, FORESEEN, Job

_BAR_WIDTH: Final = 24

Show = Callable[[str], None]
"""Shows how far a job is, on the thread that draws."""


class NotDone(NamedTuple):
    """Something kept the plan from being made or applied.

    `untouched` says whether the stack is as it was, None where nothing was tried. `details` is the traceback
    of a defect of this program.
    """

    trouble: Trouble
    ending: Ending
    untouched: bool | None
    details: str = ""


class Planned(NamedTuple):
    """A plan for the stack as it is now, the locks in its way as yet, and why nothing may be applied."""

    plan: Plan[Any]
    locks: list[UnlistedFile]
    refused: str


def make_plan(action: Action[Any], show: Show, job: Job) -> Planned | NotDone:
    """Make a plan, also where nothing can be changed: it is worth reading."""
    try:
        plan = action.plan(_report(job, show))
        locks = [] if plan.is_noop else seen_locks(action.workplace.directory, plan.locked)
        return Planned(plan, locks, _refusal(action.workplace))
    except FORESEEN as error:
        return _not_done(error, None)


def apply_plan(action: Action[Any], plan: Plan[Any], show: Show, job: Job) -> Result | NotDone:
    """Apply just this plan."""
    try:
        with CHANGING:
            return run(action, plan, _report(job, show))
    except FORESEEN as error:
        return _not_done(error, is_as_planned_for(action.workplace, plan.names))


def _refusal(workplace: Workplace) -> str:
    try:
        workplace.require_writable()
    except RefusedError as error:
        return str(error)
    return ""


def _not_done(error: Exception, untouched: bool | None) -> NotDone:
    return NotDone(explain(error), "stopped" if isinstance(error, Cancelled) else "failed", untouched)


def _report(job: Job, show: Show) -> ProgressCallback:
    return job.paced(lambda progress: job.report(show, _progress_text(progress)))


def _progress_text(progress: Progress) -> str:
    """`refs  61 %  ██████████████░░░░░░░░░░`, or the phase alone when it is not known how long it is."""
    percent = progress.percent
    if percent is None:
        return f"{progress.phase}…"
    full = _BAR_WIDTH * percent // 100
    return f"{progress.phase}  {percent:>3} %  {'█' * full}{'░' * (_BAR_WIDTH - full)}"

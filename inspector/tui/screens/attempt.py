"""Planning and applying an action, as jobs: each ends with what it made, or with why it did not."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from engine.errors import Cancelled, ReftableError
from engine.progress import Progress, ProgressCallback
from engine.stack import UnlistedFile
from inspector.actions import (
    Action,
    Plan,
    RefusedError,
    Result,
    Trouble,
    explain,
    is_as_planned_for,
    run,
    seen_locks,
)
from inspector.tui.work import Job

_BAR_WIDTH: Final = 24

Show = Callable[[str], None]
"""Shows how far a job is, on the thread that draws."""


class Planned(NamedTuple):
    """There is a plan; `locks` are in its way as yet."""

    plan: Plan[Any]
    locks: list[UnlistedFile]


class Applied(NamedTuple):
    """The plan was applied; `undone_by` is the snapshot that was taken before, None if there is none."""

    result: Result
    undone_by: str | None


class NotDone(NamedTuple):
    """Something kept the plan from being made or applied.

    `untouched` says whether the stack is as it was, None where nothing was tried. `details` is the traceback
    of a defect of this program.
    """

    trouble: Trouble
    stopped: bool
    untouched: bool | None
    details: str = ""


def make_plan(action: Action[Any], show: Show, job: Job) -> Planned | NotDone:
    """Make a plan for the stack as it is now."""
    try:
        action.workplace.require_writable()
        plan = action.plan(_report(job, show))
        locks = [] if plan.is_noop else seen_locks(action.workplace.directory, plan.locked)
    except (ReftableError, OSError, RefusedError) as error:
        return NotDone(explain(error), isinstance(error, Cancelled), None)
    return Planned(plan, locks)


def apply_plan(action: Action[Any], plan: Plan[Any], show: Show, job: Job) -> Applied | NotDone:
    """Apply just this plan."""
    try:
        result = run(action, plan, _report(job, show))
    except (ReftableError, OSError, RefusedError) as error:
        untouched = is_as_planned_for(action.workplace, plan.names)
        return NotDone(explain(error), isinstance(error, Cancelled), untouched)
    return Applied(result, None if result.snapshot is None else result.snapshot.id)


def defect(error: Exception, *, applying: bool) -> NotDone:
    """What to say of an error that is a defect of this program."""
    details = "".join(traceback.format_exception(error))
    return NotDone(explain(error), stopped=False, untouched=False if applying else None, details=details)


def _report(job: Job, show: Show) -> ProgressCallback:
    return job.paced(lambda progress: job.report(show, _progress_text(progress)))


def _progress_text(progress: Progress) -> str:
    """`refs  61 %  ██████████████░░░░░░░░░░`, or the phase alone when it is not known how long it is."""
    percent = progress.percent
    if percent is None:
        return f"{progress.phase}…"
    full = _BAR_WIDTH * percent // 100
    return f"{progress.phase}  {percent:>3} %  {'█' * full}{'░' * (_BAR_WIDTH - full)}"

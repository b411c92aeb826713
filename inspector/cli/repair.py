"""The verb that repairs a stack: repair. Without --apply, it shows the plan in the same words.

It opens no stack, so that one which git and most other verbs refuse can be repaired.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any, Final

import click

from engine.format import RefRecord
from engine.fsck import Severity, fsck
from engine.repair import (
    LogOutcomes,
    Outcome,
    RefOutcome,
    RepairPlan,
    RepairResult,
    damages,
    lock_files,
    log_outcomes,
    plan_repair,
    ref_outcomes,
    table_files,
)
from engine.repair import repair as apply_repair
from inspector.actions import gap_lines, log_words, ref_words, step_lines
from inspector.cli.opening import FoundStack, find_stack, stack_verb
from inspector.cli.output import Output, ProgressLine
from inspector.exit_codes import ExitCode, note
from inspector.rows import OutcomeRows
from inspector.text import json_line, json_text, safe_name, safe_text

__all__ = ["VERBS"]

_BATCH: Final = 1024


@click.command()
@click.option("--apply", "applies", is_flag=True, help="Do it. Without, the plan is shown and that is all.")
@click.option(
    "--table",
    "names",
    multiple=True,
    metavar="NAME",
    help="Repair only this table: its name or a part of it; may be given several times. "
    "The whole name of a lock: remove only that.",
)
@click.option(
    "--set-aside",
    "aside",
    multiple=True,
    metavar="NAME",
    help="Take this table out of the stack, whatever is in it.",
)
@click.option(
    "--take-up",
    "up",
    multiple=True,
    metavar="NAME",
    help="Take this table, which is not listed, into the stack.",
)
@click.option(
    "--force", is_flag=True, help="Remove locks as well that are young, or that a process has open."
)
@stack_verb
@click.pass_context
def repair(
    ctx: click.Context,
    path: Path | None,
    worktree: str | None,
    as_json: bool,
    applies: bool,
    names: tuple[str, ...],
    aside: tuple[str, ...],
    up: tuple[str, ...],
    force: bool,
) -> None:
    """Repair a damaged stack; without --apply, show how.

    Prints the steps, and what becomes of each ref that does not simply stay, the worst first. Refs are lost
    when nothing of them can be read; revived when an older value is all that is left; doubtful when the value
    stays, but a newer one may have been in what is lost; changed or returned when other tables count than
    before. Of what can be done with a table, the safest is done; `or` names what else can be.

    Before anything is changed, a snapshot is taken: `undo` takes the repair back. Tables that cannot be kept
    are not deleted, but lie in the snapshot.

    With --json: one object with steps, tables and left_out; one for each such ref, with name, outcome,
    before, after, why; one with the numbers of refs and logs, and the gaps, between whose names refs may be
    lost without trace. The exit code is 1 when errors remain after --apply.
    """
    found = find_stack(path, worktree)
    directory = found.location.directory
    locks = lock_files(directory)
    chosen = [name if name in locks else _table_of(directory, name, "--table") for name in names] or None
    set_aside = [_table_of(directory, name, "--set-aside") for name in aside]
    take_up = [_table_of(directory, name, "--take-up") for name in up]
    out = Output.standard()
    with ProgressLine() as progress:
        plan = plan_repair(
            directory, found.options, chosen, progress=progress, set_aside=set_aside, take_up=take_up
        )
    if as_json:
        out.json([json_line(_plan_fields(plan))])
    else:
        out.text(step_lines(plan, "only with --force"))
        out.text([""] if plan.steps else [])
    # Told before anything is changed: afterwards, the files that they are read from are gone.
    with closing(OutcomeRows()) as store:
        with ProgressLine() as progress:
            for outcomes in ref_outcomes(plan, progress, kept=True):
                store.add(outcomes)
            logs = log_outcomes(plan, progress)
        counts, rows = store.counts, iter(store)
        while told := list(islice(rows, _BATCH)):
            if as_json:
                out.json(json_line(_outcome_fields(one)) for one in told)
            else:
                out.text(map(_outcome_line, told))
    if not as_json and plan.steps:
        out.text([ref_words(counts), log_words(logs), *gap_lines(plan)])
    result = None
    if applies and any(step.is_done(force=force) for step in plan.steps):
        out.flush()
        with ProgressLine() as progress:
            result = apply_repair(directory, plan, force=force, progress=progress)
    if as_json:
        out.json([json_line(_summary_fields(plan, counts, logs, result))])
    note(_conclusion(plan, result))
    if result is not None:
        _tell_errors(ctx, found)


def _table_of(directory: Path, part: str, option: str) -> str:
    names = [name for name in table_files(directory) if part in name]
    if len(names) != 1:
        what = "no table here" if not names else f"{len(names)} tables here, not one"
        raise click.BadParameter(f"{part!r} is {what}", param_hint=option)
    return names[0]


# Words


def _outcome_line(one: RefOutcome) -> str:
    value = one.after or one.before
    shown = f" {_value(value)}" if value is not None else ""
    why = f" ({safe_name(one.why)})" if one.why else ""
    return f"{one.outcome:8} {safe_text(one.name)}{shown}{why}"


def _value(record: RefRecord) -> str:
    if record.target is not None:
        return f"-> {safe_text(record.target)}"
    return record.value.hex() if record.value is not None else "deleted"


def _conclusion(plan: RepairPlan, result: RepairResult | None) -> str:
    if result is None:
        if not plan.steps:
            return "nothing to repair"
        if plan.is_noop and not any(step.needs_force for step in plan.steps):
            return "nothing was changed, and nothing would be: see the steps"
        if plan.is_noop:
            return "nothing can be done without --force: somebody may be at work"
        return "nothing was changed: --apply does this"
    if result.snapshot is None:
        return f"done: {', '.join(result.removed)} removed"
    return f"done; to take it back: undo {safe_name(result.snapshot.id)}"


def _tell_errors(ctx: click.Context, found: FoundStack) -> None:
    """Verify the repaired stack."""
    with ProgressLine() as progress:
        findings = fsck(found.location.directory, found.options, progress)
        errors = sum(finding.severity is Severity.ERROR for finding in findings)
    if errors:
        note(f"{errors} error{'' if errors == 1 else 's'} left: see the verb fsck")
        ctx.exit(ExitCode.FINDINGS)
    note("checked again: no errors")


# JSON


def _plan_fields(plan: RepairPlan) -> dict[str, Any]:
    return {
        "steps": [
            {
                "kind": step.kind.value,
                "file": step.file,
                "why": step.why,
                "result": step.result,
                "severity": step.severity.value,
                "needs_force": step.needs_force,
                "options": [option.value for option in step.options],
            }
            for step in plan.steps
        ],
        "tables": [
            {
                "name": table.name,
                "source": table.source,
                "rewritten": table.is_rewritten,
                "min_update_index": table.limits[0],
                "max_update_index": table.limits[1],
            }
            for table in plan.tables
        ],
        "left_out": [
            {
                "file": left.file,
                "why": left.why,
                "refs": left.refs,
                "logs": left.logs,
                "listed": left.is_listed,
                "missing": left.is_missing,
            }
            for left in plan.left_out
        ],
    }


def _outcome_fields(one: RefOutcome) -> dict[str, Any]:
    return {
        "name": json_text(one.name),
        "outcome": one.outcome.value,
        "before": _record_fields(one.before),
        "after": _record_fields(one.after),
        "why": one.why,
    }


def _record_fields(record: RefRecord | None) -> dict[str, Any] | None:
    if record is None:
        return None
    return {
        "update_index": record.update_index,
        "type": record.type,
        "value": record.value.hex() if record.value is not None else None,
        "peeled": record.peeled.hex() if record.peeled is not None else None,
        "target": json_text(record.target) if record.target is not None else None,
    }


def _summary_fields(
    plan: RepairPlan, counts: Mapping[Outcome, int], logs: LogOutcomes, result: RepairResult | None
) -> dict[str, Any]:
    snapshot = result.snapshot if result is not None else None
    return {
        "refs": {outcome.value: counts[outcome] for outcome in Outcome},
        "logs": {
            "kept": logs.kept,
            "returned": logs.returned,
            "lost": logs.lost,
            "uncertain": logs.uncertain,
            "may_be_lost": logs.may_be_lost,
        },
        "gaps": [
            {
                "table": damage.file,
                "after": json_text(gap.low),
                "before": json_text(gap.high) if gap.high is not None else None,
            }
            for damage in damages(plan)
            for gap in damage.gaps
        ],
        "applied": result is not None,
        "snapshot": snapshot.id if snapshot is not None else None,
    }


VERBS = (repair,)

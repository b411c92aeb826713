"""The verb that repairs a stack: repair. Without --apply, it shows the plan in the same words.

It opens no stack, so that one which git and most other verbs refuse can be repaired.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any, Final

import click

from engine.errors import OutdatedError
from engine.repair import Outcome, RepairPlan, damages, lock_files, table_files
from inspector.actions import RepairAction, Result, plan_and_run, run
from inspector.cli.opening import Call, completes, stack_verb, the_one
from inspector.cli.output import ProgressLine, note_sentence
from inspector.exit_codes import WRITES, ExitCode, note
from inspector.rows import OutcomeRows
from inspector.text import (
    counted,
    gap_fields,
    gap_lines,
    log_counts,
    outcome_fields,
    outcome_line,
    picked,
    ref_counts,
    step_lines,
    unknown_refs,
)

_BATCH: Final = 1024
_LOG_FIELDS: Final = [
    "kept",
    "returned",
    "lost",
    "uncertain",
    "may_be_lost",
    "unknown",
    "deleted",
    "doubtful",
]


@click.command()
@click.option("--apply", "applies", is_flag=True, help="Do it. Without, the plan is shown and that is all.")
@click.option(
    "--table",
    "names",
    multiple=True,
    metavar="NAME",
    shell_complete=completes("tables"),
    help="Repair only this table: its name or a part of it; may be given several times. "
    "The whole name of a lock: remove only that.",
)
@click.option(
    "--set-aside",
    "aside",
    multiple=True,
    metavar="NAME",
    shell_complete=completes("tables"),
    help="Take this table out of the stack, whatever is in it.",
)
@click.option(
    "--take-up",
    "up",
    multiple=True,
    metavar="NAME",
    shell_complete=completes("tables"),
    help="Take this table, which is not listed, into the stack.",
)
@click.option(
    "--force",
    is_flag=True,
    help="Remove locks as well that are young, or that a process has open or may have.",
)
@stack_verb
def repair(
    call: Call,
    applies: bool,
    names: tuple[str, ...],
    aside: tuple[str, ...],
    up: tuple[str, ...],
    force: bool,
) -> None:
    """Repair a damaged stack, and the repository around it; without --apply, show how.

    Prints the steps, and what becomes of each ref that does not simply stay, the worst first. Refs are lost
    when nothing of them can be read; revived when an older value is all that is left; doubtful when the value
    may have been another, since a newer one may be lost, damage may have reached into its record, or the
    reflog that tells it may lack entries, or be that of a symbolic ref; restored when only the reflog tells
    it; changed or returned when other tables count than before. Of what can be done with a table, the safest
    is done; `or` names what else can be. A ref that changes is shown with its value before and after
    (OLD -> NEW).

    Of the repository, git's stubs are written (HEAD, refs/heads), and git sets the variables without which it
    does not find the refs. A stack that is named by its own directory, or with --worktree, is repaired alone.

    Before anything is changed, a snapshot is taken: `undo` takes the repair of the stack back. Tables that
    cannot be kept are not deleted, but lie in the snapshot.

    With --json: one object with steps, tables and left_out; one for each such ref, with name, outcome,
    before, after, changes, why; one with the numbers of refs and logs, the gaps, between whose names refs may
    be lost without trace, and about how many, and `gc`, a warning where refs are lost or changed. With
    --apply, the exit code is 1 when errors remain, when something is lost or may be, or a ref is revived or
    doubtful: `losses` says what; it is 4 when nothing is done, since that takes --force.
    """
    click.get_current_context().meta[WRITES] = applies
    directory, out = call.workplace.directory, call.out
    locks = lock_files(directory)
    with OutcomeRows() as store:
        action = RepairAction(
            call.workplace,
            store,
            force,
            tuple(_table_of(directory, name, "--set-aside") for name in aside),
            tuple(_table_of(directory, name, "--take-up") for name in up),
            tuple(name if name in locks else _table_of(directory, name, "--table") for name in names),
            is_alone=call.worktree is not None,
            counts_kept=call.as_json,
        )
        with ProgressLine() as progress:
            plan, _ = plan_and_run(action, progress, dry_run=True)
        if plan.made.gone:
            raise OutdatedError(str(directory / plan.made.gone[0]), "was named, but is gone by now")
        made, logs = plan.made.plan, plan.made.logs
        # Told before anything is changed: afterwards, the files that they are read from are gone.
        if call.as_json:
            out.objects([{"kind": "plan", **_plan_fields(made)}])
        else:
            for number, step in enumerate(made.steps, 1):
                out.text(step_lines(number, step, "only with --force"))
            out.text([""] if made.steps else [])
        rows = iter(store)
        while told := list(islice(rows, _BATCH)):
            if call.as_json:
                out.objects({"kind": "outcome", **outcome_fields(one)} for one in told)
            else:
                out.text(map(outcome_line, told))
        if not call.as_json and made.steps:
            gc = [plan.made.gc] if plan.made.gc else []
            newer = [plan.made.aside] if plan.made.aside else []
            refs = ref_counts(store.counts, store.traced, made)
            out.text([refs, log_counts(logs, made), *gc, *gap_lines(made), *newer])
        result = None
        if applies and not plan.is_noop:
            out.flush()
            with ProgressLine() as progress:
                result = run(action, plan, progress)
        if call.as_json:
            did = None if result is None else result.made
            fields = {
                "kind": "result",
                "refs": {outcome.value: store.counts[outcome] for outcome in Outcome},
                "logs": picked(logs, *_LOG_FIELDS),
                "gaps": gap_fields(
                    (damage.file, gap) for damage in damages(made) for gap in damage.losses.gaps
                ),
                "unknown": unknown_refs(store.traced, made),
                "losses": plan.made.losses,
                "gc": plan.made.gc or None,
                "applied": result is not None,
                "snapshot": None if result is None or result.snapshot is None else result.snapshot.id,
                "errors": did and did.errors,
                "mended": did.mended if did else (),
                "replaced": did.kept or None if did else None,
            }
            out.objects([fields])
    if result is not None:
        _tell_result(call, result)
    elif plan.is_noop:
        note_sentence(plan.sentence)
        if applies:
            _end_undone(made)
    else:
        note("nothing was changed: --apply does this")


def _table_of(directory: Path, part: str, option: str) -> str:
    return the_one([name for name in table_files(directory) if part in name], part, "here", option)


def _tell_result(call: Call, result: Result) -> None:
    made = result.made
    done = ", ".join(made.removed) + " removed" if made.removed else "the repository is mended"
    if result.snapshot is not None:
        done = f"to take it back: {call.workplace.undo_command(result.snapshot.id)}"
    note(f"done{': ' if result.snapshot is None else '; '}{done}")
    for line in made.mended_lines:
        note(line)
    if made.losses:
        note(f"what is lost or may be: {made.losses}")
    if made.gc:
        note_sentence(made.gc)
    if made.errors:
        note(f"checked again: {counted(made.errors, 'error')} left: see the verb fsck")
        raise click.exceptions.Exit(ExitCode.FINDINGS)
    note("checked again: no errors")
    if made.losses:
        raise click.exceptions.Exit(ExitCode.FINDINGS)


def _end_undone(made: RepairPlan) -> None:
    """End --apply that had nothing to do: fine if all is sound, not if steps or errors are left."""
    if any(step.needs_force for step in made.steps):
        raise click.exceptions.Exit(ExitCode.LOCKED)
    if made.errors:
        note(f"{counted(made.errors, 'error')} left: see the verb fsck")
        raise click.exceptions.Exit(ExitCode.FINDINGS)


def _plan_fields(plan: RepairPlan) -> dict[str, Any]:
    step = ("kind", "file", "why", "result", "severity", "needs_force", "options", "setting")
    return {
        "steps": [picked(one, *step) for one in plan.steps],
        "tables": [
            {
                **picked(table, "name", "source", "files", rewritten="is_rewritten"),
                "min_update_index": table.limits[0],
                "max_update_index": table.limits[1],
            }
            for table in plan.tables
        ],
        "left_out": [
            picked(left, "file", "why", "refs", "logs", listed="is_listed", missing="is_missing")
            for left in plan.left_out
        ],
    }

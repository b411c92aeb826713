"""The verbs that go back: undo, and snapshots, which lists, keeps and removes what was kept before changes.

Neither opens the stack, so that a change which broke it can be undone.
"""

from __future__ import annotations

import os
from pathlib import Path

import click

from engine.errors import ApiError
from engine.snapshot import SNAPSHOTS_KEPT, Snapshot, is_snapshot_id, list_snapshots, unusable_snapshots
from inspector import actions
from inspector.cli.opening import Call, completes, dry_run_option, json_option, stack_verb, worktree_option
from inspector.cli.output import ProgressLine, note_sentence
from inspector.exit_codes import WRITES, ExitCode, note
from inspector.text import columns, counted, picked, safe_message, safe_name, utc_time


@click.command()
@click.option(
    "--keep",
    multiple=True,
    metavar="ID",
    shell_complete=completes("snapshots"),
    help="Keep this one whatever its age; as often as needed.",
)
@click.option(
    "--drop",
    multiple=True,
    metavar="ID",
    shell_complete=completes("snapshots"),
    help="Remove this one; as often as needed.",
)
@click.option("--prune", is_flag=True, help="Remove all but the newest ones, and those that are kept.")
@click.option("--newest", type=click.IntRange(min=0), metavar="N", help="How many --prune leaves (20).")
@click.option("--force", is_flag=True, help="Remove also what is kept, or, with --drop, cannot be used.")
@dry_run_option
@stack_verb
def snapshots(
    call: Call,
    keep: tuple[str, ...],
    drop: tuple[str, ...],
    prune: bool,
    newest: int | None,
    force: bool,
    dry_run: bool,
) -> None:
    """List the snapshots of a stack, newest first, or keep or remove some.

    One is taken before each change that is made through this program, and lies beside the stack. It holds the
    list and the tables as they were. The newest 20 stay, and those that are kept: by --keep, or since a
    repair set tables aside, lost something or removed a lock. Only --force removes these.
    """
    removes = bool(drop) or prune
    if bool(keep) + bool(drop) + prune > 1:
        raise click.UsageError("--keep, --drop and --prune exclude each other")
    if (force and not removes) or (newest is not None and not prune) or (dry_run and not (keep or removes)):
        raise click.UsageError("--newest belongs to --prune, --force to what removes, --dry-run to a change")
    if removes:
        count = SNAPSHOTS_KEPT if newest is None else newest
        _change(
            call,
            actions.DropAction(call.workplace, None if prune else drop, count, force),
            "dropped",
            dry_run,
        )
        return
    if keep:
        _change(call, actions.KeepAction(call.workplace, keep), "kept", dry_run)
        return
    click.get_current_context().meta[WRITES] = False
    found = list_snapshots(call.workplace.directory)
    for name, reason in unusable_snapshots(call.workplace.directory).items():
        note(f"left out, as it cannot be used: {safe_name(name)}: {safe_message(reason)}")
    if call.as_json:
        fields = ("id", "time", "operation", "tables", "missing", "kept", "losses", "unlocked")
        call.out.objects(picked(snapshot, *fields) for snapshot in found)
    elif found:
        rows = [
            (
                _time(one),
                str(len(one.tables)),
                "*" if one.kept else "",
                safe_name(one.id),
                safe_name(_given_up(one)),
            )
            for one in found
        ]
        headings = ("time", "tables", "kept", "id", "lost" if any(map(_given_up, found)) else "")
        call.out.text(columns(headings, rows, "<><<<"))
    else:
        note("no snapshot: nothing was changed through this program yet")
    if call.workplace.change_elsewhere():
        note("the last change is one of the stack that all worktrees share: --worktree main lists it")


def _change(call: Call, action: actions.KeepAction | actions.DropAction, field: str, dry_run: bool) -> None:
    """Plan, apply the plan unless this is a dry run or takes force, and print it."""
    with ProgressLine() as progress:
        plan = actions.rehearse(action, progress) if dry_run else action.plan(progress)
        if plan.needs_force and "--force" not in action.options:
            note_sentence(plan.warnings[0])
            note("nothing was removed; --force removes all of them")
            raise click.exceptions.Exit(ExitCode.CHANGED)
        is_applied = not dry_run and not plan.is_noop
        done = actions.run(action, plan, progress) if is_applied else plan
    if call.as_json:
        call.out.objects([{field: plan.made, "applied": is_applied}])
        return
    if is_applied:
        call.out.text(done.lines)
        return
    for warning in plan.warnings:
        note_sentence(warning)
    if plan.is_noop:
        note_sentence(plan.sentence)
    else:
        call.out.text([plan.sentence, *plan.lines])


def _given_up(snapshot: Snapshot) -> str:
    """What a change has lost or removed that going back does not bring back."""
    unlocked = ", ".join(snapshot.unlocked)
    return "; ".join(filter(None, [snapshot.losses, unlocked and f"removed: {unlocked}"]))


def _time(snapshot: Snapshot) -> str:
    return utc_time(int(snapshot.time)).replace(" UTC", "Z")


@click.command()
@click.argument(
    "words", nargs=-1, metavar="[ID] [PATH]", shell_complete=completes("snapshots_and_directories")
)
@worktree_option
@click.option("--force", is_flag=True, help="Undo also what has been changed since.")
@dry_run_option
@json_option
def undo(words: tuple[str, ...], worktree: str | None, force: bool, dry_run: bool, as_json: bool) -> None:
    """Make the stack what it was before a change.

    ID is that of a snapshot (the verb `snapshots` lists them); without one, it is the newest. Going back is a
    change like others: the next undo takes it back. When the stack has been changed since, nothing happens
    without --force.
    """
    ids = [word for word in words if is_snapshot_id(word)]
    paths = [word for word in words if word not in ids]
    if not ids and len(paths) == 2 and not os.path.exists(paths[0]) and os.path.exists(paths[1]):
        ids, paths = paths[:1], paths[1:]  # an ID that is none: which is what has to be said
    if len(ids) > 1 or len(paths) > 1:
        raise click.UsageError("give one ID and one PATH at most")
    call = Call(Path(paths[0]) if paths else None, worktree, as_json)
    if not ids and (elsewhere := call.workplace.change_elsewhere()):
        raise ApiError(
            f"the last change, the {safe_name(elsewhere.operation)} of {_time(elsewhere)}, is one of the "
            "stack that all worktrees share: --worktree main takes it back, or name one of this worktree's "
            "own (snapshots)"
        )
    action = actions.UndoAction(call.workplace, ids[0] if ids else None, force)
    with ProgressLine() as progress:
        plan = actions.rehearse(action, progress) if dry_run else action.plan(progress)
        if plan.made is None:
            raise ApiError(plan.sentence)
        if plan.needs_force and not force:
            note_sentence(plan.warnings[0])
            note(f"{'' if dry_run else 'nothing was written; '}--force undoes all of it")
            raise click.exceptions.Exit(ExitCode.CHANGED)
        done = None if dry_run else actions.run(action, plan, progress)
    before = None if done is None else done.snapshot
    snapshot = plan.made
    if as_json:
        fields = picked(snapshot, "operation", "tables", "missing", "unlocked")
        # Tables that came back have other names.
        listed = None if dry_run else plan.names if before is None else before.after
        more = {"listed": listed, "snapshot": before and before.id, "applied": before is not None}
        call.out.objects([{"restored": snapshot.id, **fields, **more}])
        return
    if dry_run:
        for warning in plan.warnings:
            note_sentence(warning)
        call.out.text([plan.sentence, *plan.lines])
        return
    for warning in () if done is None else done.warnings:
        note_sentence(warning)
    if plan.is_noop:
        note_sentence(plan.sentence)
        return
    tables = counted(len(snapshot.tables), "table")
    call.out.text([f"as before the {snapshot.operation} of {_time(snapshot)}: {tables}"])
    if before is not None:
        note(f"to take this back: {actions.UndoAction(call.workplace, before.id).command_line}")

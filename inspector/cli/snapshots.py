"""The verbs that go back: snapshots, which lists what was kept before each change, and undo.

Neither opens the stack, so that a change which broke it can be undone.
"""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from engine.errors import OutdatedError
from engine.snapshot import Snapshot, find_snapshot, list_snapshots, restore
from inspector.cli.opening import find_stack, stack_verb
from inspector.cli.output import Output
from inspector.exit_codes import ExitCode, note
from inspector.text import columns, json_line, safe_name

__all__ = ["VERBS"]

# What an id begins with: 20261123T214512.034561Z-compact
_ID = re.compile(r"[0-9]{8}T[0-9]{6}\.[0-9]+Z.*")


@click.command()
@stack_verb
def snapshots(path: Path | None, worktree: str | None, as_json: bool) -> None:
    """List the snapshots of a stack, newest first.

    One is taken before each change that is made through this program, and lies beside the stack. It holds the
    list and the tables as they were. The newest 20 stay, and those that hold tables which a repair set aside.
    """
    found = find_stack(path, worktree)
    kept = list_snapshots(found.location.directory)
    out = Output.standard()
    if as_json:
        out.json([json_line(_fields(snapshot)) for snapshot in kept])
    elif kept:
        rows = [
            (_time(snapshot.time), str(len(snapshot.tables)), "*" if snapshot.kept else "", _id(snapshot))
            for snapshot in kept
        ]
        out.text(columns(("time", "tables", "kept", "id"), rows, "<><<"))
    else:
        note("no snapshot: nothing was changed through this program yet")


def _fields(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "id": snapshot.id,
        "time": snapshot.time,
        "operation": snapshot.operation,
        "tables": list(snapshot.tables),
        "missing": list(snapshot.missing),
        "kept": snapshot.kept,
    }


def _id(snapshot: Snapshot) -> str:
    return safe_name(snapshot.id)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


@click.command()
@click.argument("words", nargs=-1, metavar="[ID] [PATH]")
@click.option("--worktree", metavar="NAME", help="The stack of this worktree (main: the main one).")
@click.option("--force", is_flag=True, help="Undo also what others have changed since.")
@click.option("--json", "as_json", is_flag=True, help="JSON Lines: one object a line.")
@click.pass_context
def undo(
    ctx: click.Context, words: tuple[str, ...], worktree: str | None, force: bool, as_json: bool
) -> None:
    """Make the stack what it was before a change.

    ID is that of a snapshot (the verb `snapshots` lists them); without one, it is the newest. Going back is a
    change like others: the next undo takes it back. When somebody else has changed the stack since, nothing
    happens without --force.
    """
    ids = [word for word in words if _ID.fullmatch(word)]
    paths = [word for word in words if word not in ids]
    if len(ids) > 1 or len(paths) > 1:
        raise click.UsageError("give one ID and one PATH at most")
    found = find_stack(Path(paths[0]) if paths else None, worktree)
    directory = found.location.directory
    snapshot = find_snapshot(directory, ids[0] if ids else None)
    try:
        before = restore(
            directory,
            snapshot,
            time.time(),
            force=force,
            lock_timeout_ms=found.options.lock_timeout_ms,
        )
    except OutdatedError as error:
        note(f"{error}; nothing was written, --force undoes that as well")
        ctx.exit(ExitCode.CHANGED)
    out = Output.standard()
    if as_json:
        fields = {
            "restored": snapshot.id,
            "operation": snapshot.operation,
            "tables": list(snapshot.tables),
            "missing": list(snapshot.missing),
            "snapshot": before.id,
        }
        out.json([json_line(fields)])
        return
    count = len(snapshot.tables)
    tables = f"{count} table{'' if count == 1 else 's'}"
    out.text([f"as before the {snapshot.operation} of {_time(snapshot.time)}: {tables}"])
    note(f"to take this back: undo {_id(before)}")


VERBS = (snapshots, undo)

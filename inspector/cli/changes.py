"""The verbs that change a stack: add, compact, expire, clean; and demo, which makes one.

Compacting, expiring and cleaning are plans first. The plan is what `--dry-run` prints; without it, exactly
that plan is applied, if the stack is still the one it was made for, and printed in the same words.
"""

from __future__ import annotations

import errno
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, replace
from io import BufferedReader
from pathlib import Path
from typing import Any, Final, cast

import click

from engine.merge import CompactionPlan, Expiry
from engine.progress import ProgressCallback
from engine.stack import CleanPlan, Policy
from engine.update import Control, RefUpdate, TransactionResult, read_commands
from inspector import demo as demos
from inspector.actions import (
    Action,
    AddAction,
    CleanAction,
    CompactAction,
    ExpireAction,
    TableRange,
    plan_and_run,
    rehearse,
)
from inspector.cli.opening import Call, completes, dry_run_option, json_option, stack_verb
from inspector.cli.output import Output, ProgressLine, note_sentence
from inspector.exit_codes import note
from inspector.text import (
    json_line,
    json_text,
    log_json,
    log_line,
    parse_time,
    picked,
    ref_json,
    ref_line,
    safe_name,
)

_CHUNK: Final = 65536


def _range_of_tables(text: str) -> tuple[int, int]:
    match = re.fullmatch("([0-9]{1,9}):([0-9]{1,9})", text)
    if match is None or int(match[1]) >= int(match[2]):
        raise click.BadParameter(f"{text!r} is no range: A:B means the tables A to B-1, and 0 is the oldest")
    return int(match[1]), int(match[2])


def _point_in_time(text: str) -> int:
    try:
        return parse_time(text, int(time.time()))
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command()
@click.option("-m", "message", metavar="MESSAGE", help="What the reflogs say about it; not empty.")
@click.option("-z", "nul_terminated", is_flag=True, help="The commands come in the form with NULs.")
@click.option("--force", is_flag=True, help="Write object ids that git would refuse for the ref.")
@dry_run_option
@stack_verb
def add(call: Call, message: str | None, nul_terminated: bool, force: bool, dry_run: bool) -> None:
    """Apply `git update-ref --stdin` commands.

    They are read from standard input and make one transaction, or several: start, prepare, commit and abort
    are answered at once, as by git ("start: ok"), and between prepare and commit the stack is locked. In
    the end prints what was written, refs and then reflog entries, tombstones among both; of a dry run, for
    one transaction only, the plan, and with --json the same records.
    Names of objects like HEAD~1 are resolved by git; full ids need none.

    Without --force it is refused, as by git, to write an object that the repository does not have, or
    another one than a commit to a branch or HEAD; to delete a ref and create one in its place whose name it
    is a directory of, or the other way round; and what git cannot be asked about.
    """
    if message == "":
        raise click.UsageError("git refuses an update with an empty message, too; leave -m out for none")
    written: list[TransactionResult] = []
    # What is there is read, without waiting for more: a program at the other end may wait for an answer.
    chunks = iter(lambda: cast("BufferedReader", sys.stdin.buffer).read1(_CHUNK), b"")
    data = b"".join(chunks) if dry_run else b""
    action = AddAction(call.workplace, data, message or "", nul_terminated, force)
    plan = None
    with ProgressLine() as progress:
        if dry_run:
            plan = rehearse(action, progress)
            for warning in plan.warnings:
                _warn(warning)
            written.append(plan.made.result)
        else:
            with call.workplace.opened() as stack:
                hash_id = stack.hash_id
            with action.names() as resolve:
                commands = read_commands(chunks, hash_id, nul_terminated=nul_terminated, resolve=resolve)
                try:
                    _make_transactions(call, action, commands, written, progress)
                except BaseException:
                    _print_written(call, written)
                    raise
    if not any(result.refs or result.logs for result in written):
        note("nothing had to change")
    elif plan is not None and not call.as_json:
        call.out.text([plan.sentence, *plan.lines])
    else:
        _print_written(call, written)


class _AbortedError(Exception):
    """Raised into a prepared transaction, so that it is not committed."""


def _make_transactions(
    call: Call,
    action: AddAction,
    commands: Iterator[RefUpdate | Control],
    written: list[TransactionResult],
    progress: ProgressCallback,
) -> None:
    """Make each transaction when its commands say so, and answer them as git does. Fills `written`."""
    updates: list[RefUpdate] = []
    for command in commands:
        if isinstance(command, RefUpdate):
            updates.append(command)
            continue
        end = command
        if command.verb == "abort":
            action.abort(updates, note)
        elif command.verb != "start":
            with suppress(_AbortedError), action.transaction(updates, progress, _warn, note) as result:
                if command.verb == "prepare":
                    _answer(call, command)
                    end = cast("Control", next(commands))
                    if end.verb == "abort":
                        raise _AbortedError
            if end.verb == "commit":
                written.append(result)
        if command.verb != "start":
            updates = []
        _answer(call, end)


def _answer(call: Call, command: Control) -> None:
    """Say at once that a command is carried out; the end of the input gets no answer."""
    if not command.place:
        return
    try:
        if call.as_json:
            call.out.json([json_line({"kind": "answer", "command": command.verb, "answer": "ok"})])
        else:
            call.out.text([f"{command.verb}: ok"])
        call.out.flush()
    except BrokenPipeError:  # not the end of a reader that has all it wants: the transaction is aborted
        raise OSError(errno.EBADF, os.strerror(errno.EBADF)) from None


def _print_written(call: Call, written: list[TransactionResult]) -> None:
    out = call.out
    refs = [record for result in written for record in result.refs]
    logs = [record for result in written for record in result.logs]
    if call.as_json:
        out.json(ref_json(record, None, '"kind":"ref",') for record in refs)
        out.json(log_json(record, None, '"kind":"log",') for record in logs)
    else:
        out.lines(ref_line(record, out.show) for record in refs)
        null_id = bytes(max((len(record.new or record.old or b"") for record in logs), default=0))
        out.lines(log_line(record, null_id, out.show) for record in logs)


def _warn(warning: str) -> None:
    note(f"warning: {warning}")


@click.command()
@click.option("--all", "everything", is_flag=True, help="All tables into one; tombstones go (the default).")
@click.option("--auto", is_flag=True, help="What the policy suggests, if it suggests anything.")
@click.option(
    "--range", "chosen", type=_range_of_tables, metavar="A:B", help="Tables A to B-1; 0 is the oldest."
)
@click.option("--policy", type=click.Choice(["log2", "geometric"]), help="The rule that --auto goes by.")
@click.option("--factor", type=click.IntRange(1, 255), help="Of the geometric rule, for --auto.")
@click.option(
    "--single-root",
    is_flag=True,
    help="Write indexes with a root of one block: JGit reads no other. A table alone is written anew for it.",
)
@dry_run_option
@stack_verb
def compact(
    call: Call,
    everything: bool,
    auto: bool,
    chosen: tuple[int, int] | None,
    policy: Policy | None,
    factor: int | None,
    single_root: bool,
    dry_run: bool,
) -> None:
    """Merge tables into one.

    All of them, those that a rule suggests (with --auto; by default the one that is configured), or a
    range. Prints the stack before and after, and what drops out: superseded versions, and
    tombstones when the oldest table is among those merged.
    """
    if everything + auto + (chosen is not None) > 1:
        raise click.UsageError("--all, --auto and --range exclude each other")
    if (policy is not None or factor is not None) and not auto:
        raise click.UsageError("--policy and --factor belong to --auto")
    workplace, configured = call.workplace, call.workplace.options
    action = CompactAction(workplace, "all")
    if auto:
        action = CompactAction(workplace, policy or configured.policy, factor or configured.factor)
    elif chosen is not None:
        # The numbers mean the tables of now: where they are others before the plan is made, nothing is done.
        with workplace.opened() as stack:
            names = tuple(table.name for table in stack.tables[slice(*chosen)])
        action = CompactAction(workplace, TableRange(*chosen, names))
    action = replace(action, single_root=single_root)
    _change(call, action, _compaction_fields, dry_run=dry_run)


@click.command()
@click.option(
    "--before",
    type=_point_in_time,
    metavar="TIME",
    help="Drop older entries: seconds since 1970, 2023-11-14[T22:13[:20]][+01:00], or 90.days.ago.",
)
@click.option(
    "--min-update-index", type=click.IntRange(min=0), metavar="N", help="Drop entries below update index N."
)
@click.option(
    "--ref",
    "refs",
    multiple=True,
    metavar="PATTERN",
    shell_complete=completes("full_refs"),
    help="Only the reflogs of these refs: a name or a pattern (refs/heads/*); may be given several times.",
)
@click.option(
    "--except",
    "spared",
    multiple=True,
    metavar="PATTERN",
    shell_complete=completes("full_refs"),
    help="Not the reflogs of these refs; likewise.",
)
@dry_run_option
@stack_verb
def expire(
    call: Call,
    before: int | None,
    min_update_index: int | None,
    refs: tuple[str, ...],
    spared: tuple[str, ...],
    dry_run: bool,
) -> None:
    """Drop old reflog entries.

    Merges all tables into one without them. Prints the stack before and after, and how much drops out, of
    which reflogs. Without --before and --min-update-index, git's configuration says what is old:
    gc.<pattern>.reflogExpire and gc.reflogExpire, or else 90 days. gc.reflogExpireUnreachable does not count,
    since it takes a look at the objects.

    Stashes, the reflog of refs/stash, stay unless --ref names it or a configured pattern matches it. A reflog
    that loses its last entry stays as an empty one, as with git.
    """
    action = ExpireAction(call.workplace, before, min_update_index, refs, spared)
    _change(call, action, _expiry_fields, dry_run=dry_run)


@click.command()
@dry_run_option
@stack_verb
def clean(call: Call, dry_run: bool) -> None:
    """Remove what a crash left behind.

    Prints what goes, and what stays although it is not part of the stack, and why. Locks always stay.
    """
    action = CleanAction(call.workplace)
    _change(call, action, _clean_fields, dry_run=dry_run)


def _change(
    call: Call, action: Action[Any], fields: Callable[[Any], dict[str, Any]], *, dry_run: bool
) -> None:
    """Plan, apply the plan unless this is a dry run, and print it: as it was carried out, if it was."""
    with ProgressLine() as progress:
        plan, result = plan_and_run(action, progress, dry_run=dry_run)
    done = result or plan
    if call.as_json:
        snapshot = None if result is None or result.snapshot is None else result.snapshot.id
        more = {"applied": result is not None and not plan.is_noop, "snapshot": snapshot}
        call.out.json([json_line({**fields(done.made), **more})])
        return
    if plan.is_noop:
        note_sentence(plan.sentence)
    call.out.text(done.lines)


def _compaction_fields(plan: CompactionPlan) -> dict[str, Any]:
    return {
        "before": [asdict(table) for table in plan.before],
        "after": [asdict(table) for table in plan.after],
        "dropped": asdict(plan.dropped),
        "bytes": plan.bytes,
    }


def _expiry_fields(plan: CompactionPlan) -> dict[str, Any]:
    logs = [{**asdict(log), "name": json_text(log.name)} for log in plan.logs]
    expiry = plan.expiry or Expiry()
    times = [{"pattern": json_text(pattern), "time": time or None} for pattern, time in expiry.times]
    limits = {
        "times": times,
        "time": expiry.time or None,
        "min_update_index": expiry.min_update_index or None,
    }
    return {**_compaction_fields(plan), "reflogs": logs, "expiry": limits}


def _clean_fields(plan: CleanPlan) -> dict[str, Any]:
    files = {"removed": plan.removed, "kept": plan.kept}
    return {what: [picked(file, "name", "size", "reason") for file in of] for what, of in files.items()}


@click.command()
@click.argument(
    "directory", metavar="DIR", type=click.Path(path_type=Path), shell_complete=completes("directories")
)
@click.option("--damaged", is_flag=True, help="With several kinds of damage, to try fsck and repair on.")
@json_option
def demo(directory: Path, damaged: bool, as_json: bool) -> None:
    """Make a stack to play with.

    DIR must be empty or not exist. Prints the path of the stack.
    """
    (demos.build_damaged_demo if damaged else demos.build_demo)(directory)
    out = Output.standard()
    if as_json:
        out.json([json_line({"path": str(directory)})])
    else:
        out.text([safe_name(str(directory))])

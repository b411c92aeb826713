"""The verbs that change a stack: add, compact, expire, clean; and demo, which makes one.

Compacting, expiring and cleaning are plans first. The plan is what `--dry-run` prints; without it, exactly
that plan is applied, if the stack is still the one it was made for, and printed in the same words.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from engine.merge import CompactionPlan, Expiry, TableSummary
from engine.stack import Policy, Stack, StaleFile
from engine.update import apply_updates, parse_commands
from inspector.actions import clean_lines, compaction_lines, peel_tags, shared_refs, undoable
from inspector.cli.opening import find_stack, stack_verb
from inspector.cli.output import Output, ProgressLine
from inspector.demo import build_damaged_demo, build_demo
from inspector.exit_codes import note
from inspector.text import json_line, log_json, log_line, parse_time, ref_json, ref_line, safe_name

__all__ = ["VERBS"]

_dry_run_option = click.option("--dry-run", is_flag=True, help="Print the plan and write nothing.")


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
@click.option("-m", "message", default="", metavar="MESSAGE", help="What the reflogs say about it.")
@click.option("-z", "nul_terminated", is_flag=True, help="The commands come in the form with NULs.")
@stack_verb
def add(path: Path | None, worktree: str | None, as_json: bool, message: str, nul_terminated: bool) -> None:
    """Apply `git update-ref --stdin` commands.

    They are read from standard input and make one transaction. Prints what was written, refs and
    then reflog entries, tombstones among both.
    """
    out = Output.standard()
    found = find_stack(path, worktree)
    repository = found.repository
    with (
        found.opened(read_only=False) as stack,
        shared_refs(repository, found.location.directory, found.options) as shared,
    ):
        updates = parse_commands(sys.stdin.buffer.read(), stack.hash_id, nul_terminated=nul_terminated)
        with undoable(found.location.directory, "add"):
            written = apply_updates(
                stack,
                updates,
                committer=repository.committer(),
                message=os.fsencode(message),
                autocreates_reflog=repository.autocreates_reflog,
                peel=lambda oids: peel_tags(repository, oids, lambda text: note(f"warning: {text}")),
                shared=shared,
            )
        null_id = bytes(stack.hash_id.size)
    if as_json:
        out.json(ref_json(record, None, '"kind":"ref",') for record in written.refs)
        out.json(log_json(record, None, '"kind":"log",') for record in written.logs)
    else:
        out.lines(ref_line(record, out.show) for record in written.refs)
        out.lines(log_line(record, null_id, out.show) for record in written.logs)
    if not written.refs and not written.logs:
        note("nothing had to change")


@click.command()
@click.option("--all", "everything", is_flag=True, help="All tables into one; tombstones go (the default).")
@click.option("--auto", is_flag=True, help="What the policy suggests, if it suggests anything.")
@click.option(
    "--range", "chosen", type=_range_of_tables, metavar="A:B", help="Tables A to B-1; 0 is the oldest."
)
@click.option("--policy", type=click.Choice(["log2", "geometric"]), help="The rule that --auto goes by.")
@click.option("--factor", type=click.IntRange(1, 255), help="Of the geometric rule, for --auto.")
@_dry_run_option
@stack_verb
def compact(
    path: Path | None,
    worktree: str | None,
    as_json: bool,
    everything: bool,
    auto: bool,
    chosen: tuple[int, int] | None,
    policy: Policy | None,
    factor: int | None,
    dry_run: bool,
) -> None:
    """Merge tables into one.

    All of them, those that a rule suggests (with --auto; by default the one that is configured), or a
    range. Prints the stack before and after, and what drops out: versions that newer ones shadow, and
    tombstones when the oldest table is among those merged.
    """
    if everything + auto + (chosen is not None) > 1:
        raise click.UsageError("--all, --auto and --range exclude each other")
    if (policy is not None or factor is not None) and not auto:
        raise click.UsageError("--policy and --factor belong to --auto")
    found = find_stack(path, worktree)
    options = replace(
        found.options, policy=policy or found.options.policy, factor=factor or found.options.factor
    )
    with Stack.open(found.location.directory, options, read_only=dry_run) as stack:
        if auto:
            segment = stack.suggestion()
            chosen = (segment.start, segment.end)
        first, end = chosen or (0, len(stack.tables))
        _compact(stack, first, end, None, as_json=as_json, dry_run=dry_run)


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
@_dry_run_option
@stack_verb
def expire(
    path: Path | None,
    worktree: str | None,
    as_json: bool,
    before: int | None,
    min_update_index: int | None,
    dry_run: bool,
) -> None:
    """Drop old reflog entries.

    Merges all tables into one without them. Prints the stack before and after, and how much drops out.
    """
    if before is None and min_update_index is None:
        raise click.UsageError("what is old? Give --before, --min-update-index, or both")
    found = find_stack(path, worktree)
    with found.opened(read_only=dry_run) as stack:
        expiry = Expiry(before or 0, min_update_index or 0)
        _compact(stack, 0, len(stack.tables), expiry, as_json=as_json, dry_run=dry_run)


def _compact(
    stack: Stack, first: int, end: int, expiry: Expiry | None, *, as_json: bool, dry_run: bool
) -> None:
    """Plan, apply the plan unless this is a dry run, and print it."""
    with ProgressLine() as progress:
        plan = stack.plan_compaction(first, end, expiry, progress)
        if not dry_run and not plan.is_noop:
            with undoable(stack.directory, "compact" if expiry is None else "expire"):
                stack.apply(plan, progress)
    if not dry_run and plan.bytes:
        # Only now has the new table a name.
        named = replace(plan.after[first], name=stack.tables[first].name)
        plan = replace(plan, after=(*plan.after[:first], named, *plan.after[first + 1 :]))
    out = Output.standard()
    if as_json:
        out.json([json_line(_plan_fields(plan))])
    elif plan.is_noop:
        note("nothing to merge: the stack stays as it is")
    else:
        out.text(compaction_lines(plan))


def _plan_fields(plan: CompactionPlan) -> dict[str, Any]:
    dropped = plan.dropped
    return {
        "before": [_summary_fields(table) for table in plan.before],
        "after": [_summary_fields(table) for table in plan.after],
        "dropped": {
            "shadowed": dropped.shadowed,
            "tombstones": dropped.tombstones,
            "expired": dropped.expired,
        },
        "bytes": plan.bytes,
    }


def _summary_fields(table: TableSummary) -> dict[str, Any]:
    return {
        "name": table.name,
        "size": table.size,
        "min_update_index": table.min_update_index,
        "max_update_index": table.max_update_index,
    }


@click.command()
@_dry_run_option
@stack_verb
def clean(path: Path | None, worktree: str | None, as_json: bool, dry_run: bool) -> None:
    """Remove what a crash left behind.

    Prints what goes, and what stays although it is not part of the stack, and why. Locks always stay.
    """
    found = find_stack(path, worktree)
    with found.opened(read_only=dry_run) as stack:
        plan = stack.plan_clean()
        if not dry_run:
            with undoable(stack.directory, "clean", [file.name for file in plan.removed]):
                names = set(stack.clean(plan))
            plan = replace(plan, removed=tuple(file for file in plan.removed if file.name in names))
    out = Output.standard()
    if as_json:
        fields = {"removed": _file_fields(plan.removed), "kept": _file_fields(plan.kept)}
        out.json([json_line(fields)])
    elif plan.removed or plan.kept:
        out.text(clean_lines(plan))
    else:
        note("nothing to clean: there is no file that is not part of the stack")


def _file_fields(files: Iterable[StaleFile]) -> list[dict[str, Any]]:
    return [{"name": file.name, "size": file.size, "reason": file.reason} for file in files]


@click.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--damaged", is_flag=True, help="With several kinds of damage, to try fsck and repair on.")
@click.option("--json", "as_json", is_flag=True, help="JSON Lines: one object a line.")
def demo(directory: Path, damaged: bool, as_json: bool) -> None:
    """Make a stack to play with.

    DIR must be empty or not exist. Prints the path of the stack.
    """
    if damaged:
        build_damaged_demo(directory, time.time())
    else:
        build_demo(directory)
    out = Output.standard()
    if as_json:
        out.json([json_line({"path": str(directory)})])
    else:
        out.text([safe_name(str(directory))])


VERBS = (add, compact, expire, clean, demo)

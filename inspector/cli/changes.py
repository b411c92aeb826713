"""The verbs that tidy a stack: compact, expire, clean.

Compacting, expiring and cleaning are plans first. The plan is what `--dry-run` prints; without it, exactly
that plan is applied, if the stack is still the one it was made for, and printed in the same words.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import click

from engine import merge, stack
from inspector import actions
from inspector.cli.opening import Call, completes, dry_run_option, stack_verb
from inspector.cli.output import ProgressLine, note_sentence
from inspector.text import (
    json_text,
    parse_time,
    picked,
)


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
@click.option("--all", "everything", is_flag=True, help="All tables into one; tombstones go (the default).")
@click.option("--auto", is_flag=True, help="What the policy suggests, if it suggests anything.")
@click.option(
    "--range", "chosen", type=_range_of_tables, metavar="A:B", help="Tables A to B-1; 0 is the oldest."
)
@click.option("--policy", type=click.Choice(stack.POLICIES), help="The rule that --auto goes by.")
@click.option("--factor", type=click.IntRange(1, merge.MAX_FACTOR), help="Of the geometric rule, for --auto.")
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
    policy: stack.Policy | None,
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
    action = actions.CompactAction(workplace, "all")
    if auto:
        action = actions.CompactAction(workplace, policy or configured.policy, factor or configured.factor)
    elif chosen is not None:
        # The numbers mean the tables of now: where they are others before the plan is made, nothing is done.
        with workplace.opened() as stack:
            names = tuple(table.name for table in stack.tables[slice(*chosen)])
        action = actions.CompactAction(workplace, actions.TableRange(*chosen, names))
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
    action = actions.ExpireAction(call.workplace, before, min_update_index, refs, spared)
    _change(call, action, _expiry_fields, dry_run=dry_run)


@click.command()
@dry_run_option
@stack_verb
def clean(call: Call, dry_run: bool) -> None:
    """Remove what a crash left behind.

    Prints what goes, and what stays although it is not part of the stack, and why. Locks always stay.
    """
    action = actions.CleanAction(call.workplace)
    _change(call, action, _clean_fields, dry_run=dry_run)


def _change(
    call: Call, action: actions.Action[Any], fields: Callable[[Any], dict[str, Any]], *, dry_run: bool
) -> None:
    """Plan, apply the plan unless this is a dry run, and print it: as it was carried out, if it was."""
    with ProgressLine() as progress:
        plan, result = actions.plan_and_run(action, progress, dry_run=dry_run)
    done = result or plan
    if call.as_json:
        snapshot = None if result is None or result.snapshot is None else result.snapshot.id
        more = {"applied": result is not None and not plan.is_noop, "snapshot": snapshot}
        call.out.objects([{**fields(done.made), **more}])
        return
    if plan.is_noop:
        note_sentence(plan.sentence)
    call.out.text(done.lines)


def _compaction_fields(plan: merge.CompactionPlan) -> dict[str, Any]:
    return {
        "before": [table._asdict() for table in plan.before],
        "after": [table._asdict() for table in plan.after],
        "dropped": plan.dropped._asdict(),
        "bytes": plan.bytes,
    }


def _expiry_fields(plan: merge.CompactionPlan) -> dict[str, Any]:
    logs = [{**log._asdict(), "name": json_text(log.name)} for log in plan.logs]
    expiry = plan.expiry or merge.Expiry()
    times = [{"pattern": json_text(pattern), "time": time or None} for pattern, time in expiry.times]
    limits = {
        "times": times,
        "time": expiry.time or None,
        "min_update_index": expiry.min_update_index or None,
    }
    return {**_compaction_fields(plan), "reflogs": logs, "expiry": limits}


def _clean_fields(plan: stack.CleanPlan) -> dict[str, Any]:
    files = {"removed": plan.removed, "kept": plan.kept}
    return {what: [picked(file, "name", "size", "reason") for file in of] for what, of in files.items()}

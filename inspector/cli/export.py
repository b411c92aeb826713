"""The verb that writes a stack as something else, into a new directory: export."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import click

from engine import repair, salvage, stack as stacks
from engine.errors import OutdatedError, ReftableError, in_words
from engine.export import Exportable, Skeleton, doubtful_refs, write_skeleton
from engine.readable import ReadableStack, ReadableTable
from engine.repair import (
    Outcome,
    RefOutcome,
    RepairedStack,
    RepairPlan,
    StepKind,
    damages,
    plan_repair,
)
from engine.stack import unlisted_files
from inspector.cli.opening import Call, completes, json_option, worktree_option
from inspector.cli.output import ProgressLine
from inspector.exit_codes import WRITES, ExitCode, note
from inspector.rows import OutcomeRows
from inspector.text import (
    counted,
    gap_fields,
    gaps_in_words,
    json_text,
    loss_text,
    outcome_fields,
    picked,
    safe_message,
    safe_name,
    safe_text,
    whole_value,
)

_MOST_PLANS: Final = 4
"""Plans that are made for a stack which other processes change meanwhile."""


@click.command()
@click.argument("words", nargs=-1, metavar="[PATH] DIR", shell_complete=completes("directories"))
@click.option("--anonymize", is_flag=True, help="A copy of the stack without its names, to show to others.")
@worktree_option
@json_option
def export(words: tuple[str, ...], anonymize: bool, worktree: str | None, as_json: bool) -> None:
    """Write whatever can be read of a stack to DIR, as files that git opens without reftables.

    DIR is new or empty, and becomes a repository without objects: HEAD, packed-refs, refs, logs, config. Copy
    `objects` into it, or name those of the repository in GIT_OBJECT_DIRECTORY. The stack may be damaged in
    any way, and stays as it is. Of several worktrees, --worktree chooses one; the files of a linked one
    belong into its directory below .git/worktrees.

    What is written of a damaged stack is what `repair` would make of it: records past the damage, values that
    only the reflog tells, tables that the list has lost; nothing that can be no ref. What becomes of each ref
    that is not simply kept is told on standard error in the words of `repair`, with what cannot be read, what
    has no place among files, and tables that are left out although they hold what no listed one does. The
    exit code is 3 when the stack is damaged, a ref is lost, revived or doubtful, or a table is left out, or
    else 1 when something else was left out.

    With --anonymize, DIR becomes a copy of the stack's directory to attach to a report: file by file of the
    same size, damage and all, in which components of names, object ids, persons and messages are replaced
    by others of the same length, names and ids in the same order. What stays: the number, order and length of
    names and what they share, punctuation, capitals, components that git knows (refs, heads, HEAD and
    the like), times, zones, update indexes, sizes. Where every letter or byte that may follow does follow,
    order leaves no other choice, and it stays. The exit code is 3 when a file may not be read, or else 1 when
    one could not be made alike, or fsck does not find the same in the copy.
    """
    if not 1 <= len(words) <= 2:
        raise click.UsageError("give [PATH] and DIR")
    click.get_current_context().meta[WRITES] = True
    call = Call(Path(words[0]) if len(words) == 2 else None, worktree, as_json)
    target = Path(words[-1])
    if anonymize:
        from inspector.cli.anonymize import anonymize_stack

        anonymize_stack(call, target)
        return
    repository = call.workplace.surroundings
    main = next((one.directory for one in repository.stacks if one.name == "main"), call.workplace.directory)
    is_linked = main != call.workplace.directory
    with call.opened() as stack, OutcomeRows() as outcomes:
        with ProgressLine() as progress:
            planned = _planned_repair(call, outcomes, progress)
            plan, source = planned or (None, stack)
            made = write_skeleton(source, target, is_linked=is_linked, progress=progress)
            names = [table.name for table in stack.tables]
            names += [file for table in plan.tables for file in table.files] if plan is not None else []
            beside = unlisted_files(stack.directory, time.time(), names, progress=progress)
        found = _seen_of(stack) if plan is None else _planned_for(plan, stack, outcomes)
        _tell(call, target, made, found)
        unread = [file for file in beside if _is_missed(file, plan)]
        for file in unread:
            note(f"{safe_name(file.name)} is left out: {safe_message(file.reason)}")
    is_doubted = any(outcomes.counts[kind] for kind in (Outcome.LOST, Outcome.REVIVED, Outcome.DOUBTFUL))
    if found.faults or unread or is_doubted:
        raise click.exceptions.Exit(ExitCode.UNREADABLE)
    if made.left_out:
        raise click.exceptions.Exit(ExitCode.FINDINGS)


def _planned_repair(
    call: Call, outcomes: OutcomeRows, progress: ProgressLine
) -> tuple[RepairPlan, Exportable] | None:
    """How the stack would be repaired, and what that makes of it, be it the same; refs go into `outcomes`.

    None where no repair can be planned: what can be read is exported all the same.
    """
    place = call.workplace
    attempts = _MOST_PLANS
    while True:
        try:
            # Nothing is written to the stack: of its options, the hash function is all that is asked for.
            plan = plan_repair(
                place.directory,
                call.to_read,
                progress=progress,
                repository=place.home,
                mends_around=False,
            )
            for kept, changed in repair.judged_refs(plan, progress) if plan.steps else ():
                outcomes.add(changed, kept)
            return plan, RepairedStack(plan)
        except (ReftableError, OSError) as error:
            outcomes.clear()
            attempts -= 1
            if not attempts or not isinstance(error, OutdatedError):
                note(f"no repair can be planned: {safe_message(in_words(error))}")
                return None


class _Found(NamedTuple):
    """What is to be told of a damaged stack: faults, what is doubtful of which refs, and what may be lost.

    `outcomes` are what a repair makes of refs, as the export does; where none can be planned, it is only
    known which refs are `doubtful`.
    """

    faults: Sequence[str]
    losses: Mapping[str, salvage.Losses]
    gaps: Sequence[tuple[str, salvage.Gap]]
    doubtful: Sequence[bytes]
    outcomes: Iterable[RefOutcome] | None = None


def _planned_for(plan: RepairPlan, stack: ReadableStack, outcomes: OutcomeRows) -> _Found:
    """What a plan says of the stack that it is for: the same as `repair` does."""
    losses = {file: one for table in plan.tables for file, one in table.losses.items()}
    about = losses.keys() | {left.file for left in plan.left_out if left.is_listed}
    about |= {step.file for step in plan.of(StepKind.TAKE_UP)}
    faults = [*map(in_words, stack.faults)]
    told = [step for step in plan.steps if step.file in about and not any(step.file in one for one in faults)]
    return _Found(
        [*faults, *(f"{safe_name(step.file)}: {safe_message(step.why)}" for step in told)],
        losses,
        [(damage.file, gap) for damage in damages(plan) for gap in damage.losses.gaps],
        [one.name for one in outcomes if one.outcome is Outcome.DOUBTFUL],
        outcomes,
    )


def _seen_of(stack: ReadableStack) -> _Found:
    """What reading a stack has met, for which no repair can be planned."""
    tables = [table for table in stack.tables if isinstance(table, ReadableTable)]
    lossy = {table.name: table.losses for table in tables if table.losses is not None}
    gaps = [(name, gap) for name, losses in lossy.items() for gap in losses.gaps]
    gaps += [
        (table.name, salvage.EVERYWHERE[0]) for table in tables if table.fault and table.name not in lossy
    ]
    return _Found([*map(in_words, stack.damage_met())], lossy, gaps, [*doubtful_refs(stack)])


def _is_missed(file: stacks.UnlistedFile, plan: RepairPlan | None) -> bool:
    """Whether a table beside those that were read holds what none of them does, or may.

    One that a process is about to list, or to remove, is not missed; nor is one that would be the next, if
    the plan knows that it should not be there.
    """
    kinds = stacks.FileKind
    if file.kind is kinds.DATA:
        return True
    if file.kind is kinds.NEXT and plan is not None and plan.steps:
        return file.name in [one.file for one in plan.newer]
    return file.kind in (kinds.NEXT, kinds.AHEAD, kinds.DOUBTFUL) and not file.in_use


def _tell(call: Call, target: Path, made: Skeleton, found: _Found) -> None:
    """Say what was written, and everything about it that asks for attention."""
    others = found.outcomes or ()
    if call.as_json:
        fields = {
            "directory": os.fsdecode(target),
            **picked(made, "refs", "logs", "entries", "unseen"),
            "head": json_text(made.head) if made.head is not None else None,
            "left_out": [
                {**picked(one, "what", "why"), "name": json_text(one.name)} for one in made.left_out
            ],
            "conflicts": [[json_text(one.name), json_text(one.other)] for one in made.conflicts],
            "doubtful": [json_text(name) for name in found.doubtful],
            "outcomes": [outcome_fields(one) for one in others if one.outcome is not Outcome.DOUBTFUL],
            "gaps": gap_fields(found.gaps),
        }
        call.out.objects([fields])
    else:
        entries = counted(made.entries, "entry", "entries")
        call.out.text([f"{counted(made.refs, 'ref')}, {counted(made.logs, 'reflog')} with {entries}"])
        call.out.flush()
    if made.head is not None:
        note(f"no HEAD can be used: it leads to {safe_text(made.head)} now")
    for one in made.left_out:
        note(f"{one.what} {safe_text(one.name)} is left out: {one.why}")
    for pair in made.conflicts:
        note(f"refs {safe_text(pair.name)} and {safe_text(pair.other)}: one is a directory of the other")
    if made.unseen:
        note(f"{counted(made.unseen, 'reflog entry', 'reflog entries')} of the time 0, which git leaves out")
    for outcome in others:
        note(_outcome_text(outcome))
    for name in found.doubtful if found.outcomes is None else ():
        note(f"ref {safe_text(name)} is doubtful: a newer version may be lost, or damage may be part of it")
    for fault in found.faults:
        note(fault)
    for table, losses in found.losses.items():
        note(f"{safe_name(table)}: {loss_text(losses)} of it")
    for line in gaps_in_words(found.gaps):
        note(line)


def _outcome_text(one: RefOutcome) -> str:
    """`ref refs/heads/x is revived, NEW -> OLD: why`; without values where the same one is to be seen."""
    before, after = (whole_value(ref, target="ref: ", deleted="none") for ref in (one.before, one.after))
    changed = f", {before} -> {after}" if one.changes else ""
    return f"ref {safe_text(one.name)} is {one.outcome}{changed}: {safe_message(one.why)}"

"""Plans in words: the lines that the verbs print and the screens show before and after a change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any, Final

from engine import merge, repair, salvage, stack, update
from engine.format import U64_MAX, LogRecord
from inspector.text.facts import columns, counted, whole_value
from inspector.text.fields import value_fields
from inspector.text.safe import json_text, safe_message, safe_name, safe_text
from inspector.text.times import log_zone, utc_time

_MOST_REFLOGS: Final = 1000
"""Reflogs whose entries are counted on lines of their own; of more, the number is told."""

GC_WARNING: Final = (
    "Do not run git gc before the refs are back: objects that only lost refs name would be pruned."
)

_MOST_GAPS: Final = 5
"""Gaps that are told apart; of more, the number is told."""


def compaction_lines(plan: merge.CompactionPlan) -> Iterator[str]:
    """The stack before and after, and what drops out: merged tables are marked `-`, the new one `+`."""
    merged = range(plan.first, plan.end)
    written = range(plan.first, plan.first + (plan.bytes > 0))
    stacks = (("before", plan.before, merged, "-"), ("after", plan.after, written, "+"))
    for title, tables, marked, mark in stacks:
        yield f"{title}: {counted(len(tables), 'table')}, {sum(table.size for table in tables):,} bytes"
        rows = [
            (
                mark if position in marked else "",
                str(position),
                safe_name(table.name) if table.name is not None else "(new)",
                f"{table.size:,}",
                f"{table.min_update_index}-{table.max_update_index}",
            )
            for position, table in enumerate(tables)
        ]
        yield from columns(("", "#", "name", "bytes", "update indexes"), rows, "<><><")
        yield ""
    yield from expiry_lines(plan)
    gone = plan.dropped
    yield f"dropped: {gone.shadowed:,} superseded, {gone.tombstones:,} tombstones, {gone.expired:,} expired"


def expiry_lines(plan: merge.CompactionPlan) -> Iterator[str]:
    """By which times entries expire if those are not the same for all, and how many of which reflogs do."""
    expiry = plan.expiry
    if expiry is not None and expiry.times:
        limits = [*((safe_text(pattern), time) for pattern, time in expiry.times), ("others", expiry.time)]
        rows = [(name, _limit(time)) for name, time in limits]
        yield from columns(("refs", "entries expire"), rows, "<<")
        yield ""
    if plan.logs:
        counts = [
            (f"{log.expired:,}", f"{log.kept:,}", safe_text(log.name)) for log in plan.logs[:_MOST_REFLOGS]
        ]
        yield from columns(("expired", "kept", "reflog"), counts, ">><")
        if len(plan.logs) > _MOST_REFLOGS:
            yield f"and of {counted(len(plan.logs) - _MOST_REFLOGS, 'other reflog')}"
        yield ""


def _limit(time: int) -> str:
    if not time:
        return "never"
    return "always" if time == U64_MAX else f"if older than {utc_time(time)}"


def clean_lines(plan: stack.CleanPlan) -> list[str]:
    """The files that go and those that stay although they are no part of the stack, and why."""
    rows = [
        (what, safe_name(file.name), f"{file.size:,}", safe_message(file.reason))
        for what, files in (("removed", plan.removed), ("kept", plan.kept))
        for file in files
    ]
    return columns(("", "name", "bytes", "reason"), rows, "<<><") if rows else []


def update_lines(plan: update.UpdatePlan) -> Iterator[str]:
    """Each ref before and after, then the reflog entries, in as few cells as whole object ids allow."""
    for before, after in zip(plan.before, plan.result.refs, strict=True):
        kind = "delete" if after.is_deletion else "create" if before is None else "update"
        yield f"{kind} {safe_text(after.name)}"
        for what, ref in (("old", before), ("new", after)):
            yield f"  {what} {whole_value(ref, peeled=', tag of {}', deleted='none')}"
    for name, group in groupby(plan.result.logs, attrgetter("name")):
        logs: list[LogRecord] = list(group)
        deleted = sum(log.is_deletion for log in logs)
        if deleted:
            yield f"reflog of {safe_text(name)}: {counted(deleted, 'entry', 'entries')} deleted"
        for log in logs:
            if not log.is_deletion:
                yield f"reflog of {safe_text(name)}"
                yield f"  old {(log.old or b'').hex()}"
                yield f"  new {(log.new or b'').hex()}"
                when = f"{log.time} {log_zone(log.tz)}"
                yield f"  by  {safe_text(log.committer)} <{safe_text(log.email)}> {when}"
                if message := log.message.rstrip(b"\n"):
                    yield f"  msg {safe_text(message)}"


def step_lines(number: int, step: repair.Step, forced: str) -> Iterator[str]:
    """What the `number`th step of a repair does to which file, why, and what comes of it.

    `forced` says what gets it done if it needs force.
    """
    force = f" ({forced})" if step.needs_force else ""
    chosen = " (as chosen)" if is_chosen(step) else ""
    yield f"{number}. {step.kind}{force}{chosen}: {safe_name(step.file)}"
    yield f"    {safe_message(step.why)}"
    yield f"    {safe_message(step.result)}"
    for other in step.options:
        if other is not step.kind:
            how = f"without --{step.kind}" if other is step.options[0] else f"with --{other} NAME"
            yield f"    or: {other}, {how}"


def is_chosen(step: repair.Step) -> bool:
    """Whether the user asked for this: the first option is what is done unasked."""
    return bool(step.options) and step.kind is not step.options[0]


def ref_counts(counts: Mapping[repair.Outcome, int], traced: int, plan: repair.RepairPlan) -> str:
    """`refs: 2,059 kept, 3 doubtful, 0 lost`: what becomes of how many; `traced` as in `unknown_refs`."""
    told = {
        kind: f"{counts[kind]:,} {kind}"
        for kind in repair.Outcome
        if counts[kind] or kind is repair.Outcome.KEPT
    }
    told.pop(repair.Outcome.LOST, None)
    room = repair.room_for_refs(plan)
    if room and room < counts[repair.Outcome.DOUBTFUL]:
        told[repair.Outcome.DOUBTFUL] += f" (the bytes there that cannot be read have room for {room:,})"
    return f"refs: {', '.join(told.values())}, {ref_losses(counts[repair.Outcome.LOST], traced, plan)}"


def ref_losses(lost: int, traced: int, plan: repair.RepairPlan) -> str:
    """`at least 3 lost, about 139 unknown between refs/heads/a and refs/heads/b`: the refs that are gone."""
    gaps = [gap for damage in repair.damages(plan) for gap in damage.losses.gaps]
    if not gaps:
        return _lost_of_all(lost, plan)
    where = _within(gaps[0].low, gaps[0].high) if len(gaps) == 1 else f"in {counted(len(gaps), 'place')}"
    return f"{_lost(lost, unknown_refs(traced, plan))} {where}"


def lost_sentence(lost: int, plan: repair.RepairPlan) -> str:
    """`At least 1 ref will be lost: nothing of it can be read.`: of `lost` refs, at least one."""
    is_least = plan.has_lost_names or any(damage.losses.gaps for damage in repair.damages(plan))
    refs = counted(lost, "ref")
    one = "it" if lost == 1 else "them"
    return f"{'At least ' if is_least else ''}{refs} will be lost: nothing of {one} can be read."


def _lost_of_all(known: int, plan: repair.RepairPlan) -> str:
    """`0 lost`, or what is known of that where the list may have named newer tables than are there."""
    if not plan.has_lost_names:
        return f"{known:,} lost"
    return f"at least {known:,} lost" if known else "none known to be lost"


def _lost(known: int, unknown: int | None) -> str:
    """`none known to be lost, about 6 unknown`: where there may be others than those known to be lost."""
    least = f"at least {known:,} lost" if known else "none known to be lost"
    if unknown is None:
        return f"{least}, {'others' if known else 'some'} may be"
    return f"{least}, {f'about {unknown:,}' if unknown else 'few if any'} unknown"


def unknown_refs(traced: int, plan: repair.RepairPlan) -> int | None:
    """About how many refs may be lost without trace; None if nothing tells.

    Of so many lost ones, `traced`, a reflog tells, and no record: they were in what cannot be read. What was
    read of a table, and is lost with it, was not.
    """
    held = [gap.about for damage in repair.damages(plan) for gap in damage.losses.gaps]
    known = [about for about in held if about is not None]
    # Of some that were there, the reflogs tell.
    traced += sum(one.regained for table in plan.tables for one in table.inputs)
    return max(0, sum(known) - traced) if len(known) == len(held) else None


def change_line(change: merge.RefChange) -> str:
    """`deleted  refs/heads/x OLD -> none`."""
    before, after = (whole_value(ref, target="ref: ", deleted="none") for ref in change[1:])
    return f"{change.kind:8} {safe_text(change.name)} {before} -> {after}"


def outcome_line(one: repair.RefOutcome) -> str:
    """`changed  refs/heads/x OLD -> NEW (why)`; one value where it stays, none where there is none."""
    before, after = (whole_value(ref, target="ref: ", deleted="none") for ref in (one.before, one.after))
    shown = f" {before} -> {after}" if one.changes else ""
    if not one.changes and one.after is not None:
        shown = f" {whole_value(one.after)}"
    why = f" ({safe_message(one.why)})" if one.why else ""
    return f"{one.outcome:8} {safe_text(one.name)}{shown}{why}"


def outcome_fields(one: repair.RefOutcome) -> dict[str, Any]:
    """What becomes of a ref, as JSON."""
    return {
        "name": json_text(one.name),
        "outcome": one.outcome.value,
        "before": value_fields(one.before) if one.before is not None else None,
        "after": value_fields(one.after) if one.after is not None else None,
        "changes": one.changes,
        "why": one.why,
    }


def log_counts(logs: repair.LogOutcomes, plan: repair.RepairPlan) -> str:
    """What becomes of reflog entries in numbers, with what is not known of them."""
    returned = f", {logs.returned:,} returned" if logs.returned else ""
    deleted = f", {logs.deleted:,} deleted by a newer table" if logs.deleted else ""
    uncertain = f"; {logs.uncertain:,} stay out, they come from damaged bytes" if logs.uncertain else ""
    doubtful = f" ({logs.doubtful:,} may have been deleted in what is lost)" if logs.doubtful else ""
    lost = _lost(logs.lost, logs.unknown) if logs.may_be_lost else _lost_of_all(logs.lost, plan)
    return f"reflog entries: {logs.kept:,} kept{doubtful}{returned}{deleted}, {lost}{uncertain}"


def aside_text(aside: repair.Aside) -> str:
    """`not taken up, though newer: X.ref, in which 1 ref differs (refs/tags/x)`; empty where nothing does."""
    names = ", ".join(map(safe_text, aside.names)) + (", ..." if aside.refs > len(aside.names) else "")
    held = []
    if aside.refs:
        held.append(f"{counted(aside.refs, 'ref')} {'differs' if aside.refs == 1 else 'differ'} ({names})")
    if aside.logs:
        entries = counted(aside.logs, "reflog entry", "reflog entries")
        held.append(f"{entries} {'is' if aside.logs == 1 else 'are'} new")
    files = " and ".join(map(safe_name, aside.files))
    return f"not taken up, though newer: {files}, in which {' and '.join(held)}" if held else ""


def gap_lines(plan: repair.RepairPlan) -> list[str]:
    """Where refs may be lost without trace: they are in none of the numbers."""
    return gaps_in_words(
        [(damage.file, gap) for damage in repair.damages(plan) for gap in damage.losses.gaps]
    )


def gaps_in_words(found: Sequence[tuple[str, salvage.Gap]]) -> list[str]:
    """Where refs may be lost without trace, each gap with the table it is in."""
    if not found:
        return []
    lines = [f"  {_within(gap.low, gap.high)}, in {safe_name(file)}" for file, gap in found[:_MOST_GAPS]]
    more = len(found) - _MOST_GAPS
    if more > 0:
        lines.append(f"  and in {counted(more, 'other place')}")
    return ["refs may be lost without trace:", *lines]


def gap_fields(found: Iterable[tuple[str, salvage.Gap]]) -> list[dict[str, Any]]:
    """Gaps, each with the table it is in, as JSON."""
    return [
        {
            "table": file,
            "after": json_text(gap.low),
            "before": json_text(gap.high) if gap.high is not None else None,
            "about": gap.about,
        }
        for file, gap in found
    ]


def _within(low: bytes, high: bytes | None) -> str:
    if not low and high is None:
        return "under any name"
    if high is None:
        return f"after {safe_text(low)}"
    return f"between {safe_text(low)} and {safe_text(high)}" if low else f"before {safe_text(high)}"

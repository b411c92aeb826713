"""Plans of repairs in words: the lines that the verb prints and the screen shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from engine.repair import LogOutcomes, Outcome, RepairPlan, Step, damages
from inspector.actions.words import counted
from inspector.text import safe_name, safe_text

__all__ = ["gap_lines", "is_chosen", "lines_of_step", "log_words", "ref_words", "step_lines"]

_MOST_GAPS: Final = 5
"""Gaps that are told apart; of more, the number is told."""


def step_lines(plan: RepairPlan, forced: str) -> Iterator[str]:
    """What is done to which file, why, and what comes of it; `forced` says what gets it done if needed."""
    for number, step in enumerate(plan.steps, 1):
        yield from lines_of_step(number, step, forced)


def lines_of_step(number: int, step: Step, forced: str) -> Iterator[str]:
    """The lines of one step of a plan, which is the `number`th."""
    force = f" ({forced})" if step.needs_force else ""
    chosen = " (as chosen)" if is_chosen(step) else ""
    yield f"{number}. {step.kind}{force}{chosen}: {safe_name(step.file)}"
    yield f"    {safe_name(step.why)}"
    yield f"    {safe_name(step.result)}"
    for other in step.options:
        if other is not step.kind:
            how = f"without --{step.kind}" if other is step.options[0] else f"with --{other} NAME"
            yield f"    or: {other}, {how}"


def is_chosen(step: Step) -> bool:
    """Whether somebody asked for this: the first option is what is done when nobody does."""
    return bool(step.options) and step.kind is not step.options[0]


def ref_words(counts: Mapping[Outcome, int]) -> str:
    """`refs: 2,059 kept, 3 doubtful, 0 lost`: what becomes of how many refs."""
    told = [kind for kind in Outcome if counts[kind] or kind in (Outcome.KEPT, Outcome.LOST)]
    return f"refs: {', '.join(f'{counts[kind]:,} {kind}' for kind in told)}"


def log_words(logs: LogOutcomes) -> str:
    """The same for log entries, with what is not known of them."""
    returned = f", {logs.returned:,} returned" if logs.returned else ""
    uncertain = f"; {logs.uncertain:,} stay out, they come from damaged bytes" if logs.uncertain else ""
    unknown = "; others may be lost without trace" if logs.may_be_lost else ""
    return f"log entries: {logs.kept:,} kept{returned}, {logs.lost:,} lost{uncertain}{unknown}"


def gap_lines(plan: RepairPlan) -> list[str]:
    """Where refs may be lost without trace: they are in none of the numbers."""
    found = [(damage.file, gap) for damage in damages(plan) for gap in damage.gaps]
    if not found:
        return []
    lines = [f"  {_within(gap.low, gap.high)}, in {safe_name(file)}" for file, gap in found[:_MOST_GAPS]]
    more = len(found) - _MOST_GAPS
    if more > 0:
        lines.append(f"  and in {counted(more, 'other place')}")
    return ["refs may be lost without trace:", *lines]


def _within(low: bytes, high: bytes | None) -> str:
    if not low and high is None:
        return "of any name"
    if high is None:
        return f"behind {safe_text(low)}"
    return f"between {safe_text(low)} and {safe_text(high)}" if low else f"in front of {safe_text(high)}"

"""Repairing the stack: the engine's plan in words, carried out, and checked again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from engine.faults import Severity
from engine.fsck import fsck
from engine.progress import ProgressCallback
from engine.repair import (
    LogOutcomes,
    Outcome,
    RepairPlan,
    log_outcomes,
    plan_repair,
    ref_outcomes,
    repair,
)
from inspector.actions.base import Plan, Result, Typed, Workplace, listed_names
from inspector.actions.shell import command
from inspector.actions.words import counted
from inspector.outcome_rows import OutcomeStore
from inspector.safe_text import safe_name

__all__ = ["RepairAction"]


@dataclass(frozen=True, slots=True)
class RepairAction:
    """Do what repairs the stack. What becomes of refs is put into `store`, when the plan is made."""

    workplace: Workplace
    store: OutcomeStore
    title: ClassVar[str] = "Repair the stack"
    verb: ClassVar[str] = "Repair"
    operation: ClassVar[str | None] = None

    @property
    def command_line(self) -> str:
        """The verb `repair`, which makes its own plan."""
        return command("repair", ("--apply",), self.workplace.arguments)

    def plan(self, progress: ProgressCallback) -> Plan[RepairPlan]:
        """Check everything, decide, and see what becomes of each ref."""
        directory = self.workplace.directory
        names = listed_names(directory)
        made = plan_repair(directory, self.workplace.options, progress=progress)
        self.store.clear()
        for outcomes in ref_outcomes(made, progress, kept=True):
            for one in outcomes:
                self.store.add(one)
        logs = log_outcomes(made, progress)
        lines = tuple(_step_lines(made))
        if not made.steps:
            nothing = "Nothing to repair: the check finds no fault that has a repair."
            return Plan(made, names, nothing, (), is_noop=True)
        counts = self.store.counts
        lost = counts[Outcome.LOST]
        sentence = f"{counted(len(made.steps), 'step')}. Refs: {_counts(counts)}."
        if made.is_noop:
            sentence = "Nothing can be done now: somebody may be at work (see the steps)."
        typed = None
        if lost:
            typed = Typed(str(lost), f"{counted(lost, 'ref')} will be lost: nothing of them can be read.")
        return Plan(
            made,
            names,
            sentence,
            (*lines, "", _log_words(logs)),
            tuple(_warnings(made, counts, logs)),
            is_noop=made.is_noop,
            typed=typed,
        )

    def apply(self, plan: Plan[RepairPlan], progress: ProgressCallback) -> Result:
        """Carry out the plan, then check the whole stack once more."""
        directory = self.workplace.directory
        done = repair(directory, plan.made, progress=progress)
        # Nobody can stop it any more: what is done is done, and has to be told.
        found = list(fsck(directory, self.workplace.options))
        errors = [one for one in found if one.severity is Severity.ERROR]
        left = counted(len(errors), "error") if errors else "no errors"
        lines = [f"{counted(len(done.tables), 'table')}: the repaired stack"]
        lines += [f"  {safe_name(name)}" for name in done.tables]
        lines += [f"removed: {safe_name(name)}" for name in done.removed]
        warnings = tuple(f"left: {safe_name(one.file)}: {safe_name(one.message)}" for one in errors[:3])
        return Result(f"Done. Checked again: {left}.", tuple(lines), warnings)


def _step_lines(plan: RepairPlan) -> Iterator[str]:
    for number, step in enumerate(plan.steps, 1):
        force = " (only with --force)" if step.needs_force else ""
        yield f"{number}. {step.kind}{force}: {safe_name(step.file)}"
        yield f"    {safe_name(step.why)}"
        yield f"    {safe_name(step.result)}"


def _counts(counts: dict[Outcome, int]) -> str:
    return ", ".join(f"{counts[kind]:,} {kind}" for kind in Outcome if counts[kind]) or "none"


def _log_words(logs: LogOutcomes) -> str:
    return f"log entries: {logs.kept:,} kept, {logs.returned:,} returned, {logs.lost:,} lost"


def _warnings(plan: RepairPlan, counts: dict[Outcome, int], logs: LogOutcomes) -> Iterator[str]:
    told = [
        f"{counted(counts[kind], 'ref')} {what}"
        for kind, what in (
            (Outcome.LOST, "lost"),
            (Outcome.REVIVED, "with an older value"),
            (Outcome.DOUBTFUL, "that may have had a newer value"),
        )
        if counts[kind]
    ]
    if told:
        yield f"{', '.join(told)}: d lists them."
    if logs.uncertain:
        yield f"{counted(logs.uncertain, 'log entry', 'log entries')} come from damaged bytes."
    if logs.may_be_lost:
        yield "Log entries may be lost that nothing tells of."
    if any(step.needs_force for step in plan.steps):
        yield "Steps that need --force are left out: somebody may be at work."

"""Repairing the stack: the engine's plan in words, carried out, and checked again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Final

from engine.fsck import Severity, fsck
from engine.progress import ProgressCallback
from engine.repair import (
    LogOutcomes,
    Outcome,
    RepairPlan,
    Step,
    StepKind,
    log_outcomes,
    plan_repair,
    ref_outcomes,
    repair,
    table_files,
)
from engine.stack import LOCK_SUFFIX, TABLES_LIST
from inspector.actions.base import Plan, Result, Typed, Workplace, listed_names
from inspector.actions.repair_words import gap_lines, log_words, ref_words, step_lines
from inspector.actions.shell import command, word
from inspector.actions.words import counted
from inspector.rows import OutcomeRows
from inspector.text import safe_name

__all__ = ["RepairAction"]

_LIST_LOCK: Final = TABLES_LIST + LOCK_SUFFIX


@dataclass(frozen=True, slots=True)
class RepairAction:
    """Do what repairs the stack. What becomes of refs is put into `store`, when the plan is made.

    With `force`, locks are removed that somebody may hold. Tables in `set_aside` and `take_up` get these
    instead of the safest option. With `locks`, these are removed, and nothing else is done.
    """

    workplace: Workplace
    store: OutcomeRows
    force: bool = False
    set_aside: tuple[str, ...] = ()
    take_up: tuple[str, ...] = ()
    locks: tuple[str, ...] = ()
    operation: ClassVar[str | None] = None

    @property
    def title(self) -> str:
        """What is done."""
        return "Remove a lock" if self.locks else "Repair the stack"

    @property
    def verb(self) -> str:
        """The same in a word."""
        return "Remove" if self.locks else "Repair"

    @property
    def command_line(self) -> str:
        """The verb `repair`, which makes its own plan."""
        options = ["--apply", *(["--force"] if self.force else [])]
        choices = (
            ("table", self.locks),
            (StepKind.SET_ASIDE, self.set_aside),
            (StepKind.TAKE_UP, self.take_up),
        )
        for option, names in choices:
            options += [text for name in names for text in (f"--{option}", word(name))]
        return command("repair", options, self.workplace.arguments)

    @property
    def forced(self) -> str:
        """What is said of a step that needs force."""
        return "by force" if self.force else "only with --force: press f"

    def with_other_option(self, step: Step) -> RepairAction:
        """The same repair, but with the next of the options that `step` has."""
        other = step.options[(step.options.index(step.kind) + 1) % len(step.options)]
        # What comes first is done unasked.
        asked = other if other is not step.options[0] else None

        def chosen(kind: StepKind, names: tuple[str, ...]) -> tuple[str, ...]:
            rest = tuple(name for name in names if name != step.file)
            return (*rest, step.file) if kind is asked else rest

        return replace(
            self,
            set_aside=chosen(StepKind.SET_ASIDE, self.set_aside),
            take_up=chosen(StepKind.TAKE_UP, self.take_up),
        )

    def plan(self, progress: ProgressCallback) -> Plan[RepairPlan]:
        """Check everything, decide, and see what becomes of each ref."""
        directory = self.workplace.directory
        names = listed_names(directory)
        there = set(table_files(directory))
        made = plan_repair(
            directory,
            self.workplace.options,
            self.locks or None,
            progress=progress,
            set_aside=there.intersection(self.set_aside),
            take_up=there.intersection(self.take_up),
        )
        self.store.clear()
        for outcomes in ref_outcomes(made, progress, kept=True):
            self.store.add(outcomes)
        logs = log_outcomes(made, progress)
        if not made.steps:
            nothing = "Nothing to repair: the check finds no fault that has a repair."
            if self.locks:
                nothing = "Nothing to remove: the lock is gone by now, or it is no regular file."
            return Plan(made, names, nothing, (), is_noop=True, locked=())
        counts, gaps = self.store.counts, gap_lines(made)
        return Plan(
            made,
            names,
            self._sentence(made, counts),
            (*step_lines(made, self.forced), "", log_words(logs), *gaps),
            (*self._force_warnings(made), *_warnings(counts, logs, gaps)),
            is_noop=not any(step.is_done(force=self.force) for step in made.steps),
            typed=self._typed(made, counts[Outcome.LOST]),
            locked=() if not self.locks or _LIST_LOCK in self.locks else (TABLES_LIST,),
        )

    def apply(self, plan: Plan[RepairPlan], progress: ProgressCallback) -> Result:
        """Carry out the plan, then check the whole stack once more."""
        directory = self.workplace.directory
        force = self.force and bool(_forced(plan.made))
        done = repair(directory, plan.made, force=force, progress=progress)
        # Nobody can stop it any more: what is done is done, and has to be told.
        found = list(fsck(directory, self.workplace.options))
        errors = [one for one in found if one.severity is Severity.ERROR]
        left = counted(len(errors), "error") if errors else "no errors"
        lines = []
        if not self.locks:
            lines.append(f"{counted(len(done.tables), 'table')}: the repaired stack")
            lines += [f"  {safe_name(name)}" for name in done.tables]
        lines += [f"removed: {safe_name(name)}" for name in done.removed]
        warnings = tuple(f"left: {safe_name(one.file)}: {safe_name(one.message)}" for one in errors[:3])
        return Result(f"Done. Checked again: {left}.", tuple(lines), warnings)

    def _sentence(self, made: RepairPlan, counts: Mapping[Outcome, int]) -> str:
        if made.is_noop and not any(step.needs_force for step in made.steps):
            return "Nothing would be changed: see the steps."
        if made.is_noop and not self.force:
            return "Nothing can be done now: somebody may be at work (see the steps)."
        steps = [step for step in made.steps if step.is_done(force=self.force)]
        return f"{counted(len(steps), 'step')}; {ref_words(counts)}."

    def _typed(self, made: RepairPlan, lost: int) -> Typed | None:
        """What has to be typed: `force`, the number of refs that are lost, or both."""
        words, why = [], []
        if self.force and _forced(made):
            words.append("force")
            why.append("A lock is removed that somebody may hold.")
        if lost:
            words.append(str(lost))
            why.append(f"{counted(lost, 'ref')} will be lost: nothing of them can be read.")
        return Typed(" ".join(words), " ".join(why)) if words else None

    def _force_warnings(self, made: RepairPlan) -> Iterator[str]:
        for step in _forced(made):
            held = f"{safe_name(step.file)}: {safe_name(step.result)}"
            if self.force:
                yield (
                    f"{held}. Removing it may cost its holder what it writes, or undo this repair: "
                    "end that process first."
                )
            else:
                yield f"{held}. That step is left out; f adds it."


def _forced(made: RepairPlan) -> list[Step]:
    return [step for step in made.steps if step.needs_force]


def _warnings(counts: Mapping[Outcome, int], logs: LogOutcomes, gaps: list[str]) -> Iterator[str]:
    told = [
        f"{counts[kind]:,} {what}"
        for kind, what in (
            (Outcome.LOST, "lost"),
            (Outcome.REVIVED, "with an older value"),
            (Outcome.DOUBTFUL, "in doubt"),
        )
        if counts[kind]
    ]
    if told:
        yield f"Refs: {', '.join(told)}. d lists them."
    if gaps:
        yield "Refs may be lost without trace: the last lines say where."
    if logs.uncertain:
        yield f"{counted(logs.uncertain, 'log entry', 'log entries')} come from damaged bytes and stay out."

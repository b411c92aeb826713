"""Repairing the stack: the engine's plan in words, carried out, and checked again."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from typing import ClassVar, Final, NamedTuple

from engine import repair
from engine.errors import Cancelled
from engine.format import is_table_file
from engine.fsck import Finding, Severity, check_repository, fsck
from engine.git import Repository, find_repository
from engine.progress import Progress, ProgressCallback
from engine.readable import open_readable
from engine.repair import LogOutcomes, Outcome, RepairPlan, Step, StepKind, plan_repair, table_files
from engine.stack import LOCK_SUFFIX
from inspector.actions.base import Action, Plan, Result, Typed, listed_names
from inspector.actions.workplace import Workplace, word
from inspector.rows import OutcomeRows
from inspector.text import (
    GC_WARNING,
    aside_text,
    counted,
    gap_lines,
    log_counts,
    lost_sentence,
    outcome_line,
    ref_counts,
    ref_losses,
    safe_message,
    safe_name,
    step_lines,
)

_MOST_CHANGES: Final = 10
_MOST_NAMED: Final = 3
_MOST_LOOKED_AT: Final = 10_000
"""Refs among which those are looked for that a plan shows by themselves, the worst first."""


class PlannedRepair(NamedTuple):
    """The engine's plan, and what becomes of reflog entries; what becomes of refs is in the action's store.

    `losses` says in words what is lost, and what may be; empty if that is nothing. `gone` are tables that
    were chosen, but have been removed since: for them, nothing is planned. `gc` warns of git's garbage
    collection where refs are lost or changed; empty otherwise. `aside` says what tables would change that are
    newer and not taken up, which `losses` says, too.
    """

    plan: RepairPlan
    logs: LogOutcomes
    losses: str = ""
    gone: tuple[str, ...] = ()
    gc: str = ""
    aside: str = ""


class Repaired(NamedTuple):
    """The files that a repair has removed, the number of errors found afterwards, and what its plan said.

    `mended` are files of the repository; `kept` is the directory that has what they held before, if any.
    """

    removed: tuple[str, ...]
    errors: int
    losses: str
    gc: str
    mended: tuple[str, ...] = ()
    kept: str = ""

    @property
    def mended_lines(self) -> list[str]:
        """What was done to the repository around the stack."""
        kept = [f"what was replaced is kept in {safe_name(self.kept)}"] if self.kept else []
        return [*(f"mended: {safe_name(name)}" for name in self.mended), *kept]


@dataclass(frozen=True, slots=True)
class RepairAction(Action[PlannedRepair]):
    """Do what repairs the stack. What becomes of refs is put into `store`, when the plan is made.

    With `force`, locks in use are removed as well. Tables in `set_aside` and `take_up` get these
    instead of the safest option. With `only`, tables and locks, only these are repaired and removed.
    Otherwise the repository around the stack is mended as well, unless it `is_alone`. Where there is nothing
    to repair, what there is need not be counted: all of it is read for that unless `counts_kept` is False.
    """

    workplace: Workplace
    store: OutcomeRows
    force: bool = False
    set_aside: tuple[str, ...] = ()
    take_up: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    is_alone: bool = False
    counts_kept: bool = True
    operation: ClassVar[str] = "repair"

    @property
    def is_unlocking(self) -> bool:
        """Whether it is about locks alone."""
        return bool(self.only) and all(name.endswith(LOCK_SUFFIX) for name in self.only)

    @property
    def title(self) -> str:
        """What is done."""
        return "Remove a lock" if self.is_unlocking else "Repair the stack"

    @property
    def verb(self) -> str:
        """What is done, in a word."""
        return "Remove" if self.is_unlocking else "Repair"

    @property
    def options(self) -> list[str]:
        """What was chosen: the verb makes its own plan."""
        options = ["--apply", *(["--force"] if self.force else [])]
        choices = (
            ("table", self.only),
            (StepKind.SET_ASIDE, self.set_aside),
            (StepKind.TAKE_UP, self.take_up),
        )
        for option, names in choices:
            options += [text for name in names for text in (f"--{option}", word(name))]
        return options

    @property
    def forced(self) -> str:
        """What is said of a step that needs force."""
        return "by force" if self.force else "only with --force: press !"

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

    def plan(self, progress: ProgressCallback) -> Plan[PlannedRepair]:
        """Check everything, decide, and see what becomes of each ref."""
        directory = self.workplace.directory
        names = listed_names(directory)
        there, chosen = set(table_files(directory)), {*self.set_aside, *self.take_up, *self.only}
        gone = tuple(sorted(name for name in chosen - there if is_table_file(name)))
        removed = tuple(
            f"{safe_name(name)} was chosen, but is gone by now: nothing is done with it." for name in gone
        )
        plan = plan_repair(
            directory,
            self.workplace.options,
            self.only or None,
            progress=progress,
            set_aside=there.intersection(self.set_aside),
            take_up=there.intersection(self.take_up),
            repository=self.workplace.home,
            mends_around=self._around is not None,
        )
        self.store.clear()
        if not plan.steps:
            logs = LogOutcomes(0, 0, 0, 0, may_be_lost=False)
            if self.counts_kept:
                logs = self._all_kept(progress)
            made = PlannedRepair(plan, logs, gone=gone)
            nothing = f"Nothing to repair: the check finds no fault that has a repair.{self._others}"
            if self.is_unlocking:
                nothing = "Nothing to remove: the lock is gone by now, or it is no regular file."
            return Plan(made, names, nothing, warnings=removed, is_noop=True, locked=())
        if self.is_unlocking:  # others may go on meanwhile, with tables that the plan does not know
            logs = self._all_kept(progress)
        else:
            for kept, outcomes in repair.judged_refs(plan, progress):
                self.store.add(outcomes, kept)
            logs = repair.log_outcomes(plan, progress)
        counts, traced, gaps = self.store.counts, self.store.traced, gap_lines(plan)
        refs = [ref_losses(counts[Outcome.LOST], traced, plan)] if counts[Outcome.LOST] or gaps else []
        # Of these, too, a value is lost, or may be.
        refs += [f"{counts[kind]:,} {kind}" for kind in (Outcome.REVIVED, Outcome.DOUBTFUL) if counts[kind]]
        losses = [f"refs: {', '.join(refs)}"] if refs else []
        losses += [log_counts(logs, plan)] if logs.lost or logs.may_be_lost else []
        aside = "" if self.is_unlocking else aside_text(repair.changes_aside(plan, progress))
        losses += [aside] if aside else []
        endangers = gaps or any(counts[kind] for kind in (Outcome.LOST, Outcome.REVIVED, Outcome.CHANGED))
        made = PlannedRepair(plan, logs, "; ".join(losses), gone, GC_WARNING if endangers else "", aside)
        steps = [step for step in plan.steps if step.is_done(force=self.force)]
        sentence = f"{counted(len(steps), 'step')}; {ref_counts(counts, traced, plan)}."
        if not steps:
            sentence = "Nothing would be changed: see the steps."
            if any(step.needs_force for step in plan.steps):
                sentence = (
                    "Nothing can be done now without force: another process may be at work (see the steps)."
                )
        lines = [line for at, step in enumerate(plan.steps, 1) for line in step_lines(at, step, self.forced)]
        return Plan(
            made,
            names,
            sentence,
            (*lines, "", *self._change_lines(), log_counts(made.logs, plan), *gaps, *filter(None, [aside])),
            (
                *removed,
                *self._force_warnings(plan),
                *_warnings(counts, made.logs, gaps),
                *filter(None, [made.gc]),
            ),
            is_noop=not steps,
            typed=self._typed(plan, counts[Outcome.LOST]),
            locked=(),
        )

    def _all_kept(self, progress: ProgressCallback) -> LogOutcomes:
        """Count what there is where nothing is to be done: all of it stays.

        The tables are open for as long as that takes: others may go on with the stack.
        """
        logs = 0
        with open_readable(self.workplace.directory, self.workplace.options) as stack:
            for refs in stack.merged.ref_blocks():
                self.store.add((), len(refs))
                progress(Progress("count refs", self.store.counts[Outcome.KEPT], None))
            for entries in stack.merged.log_blocks():
                logs += len(entries)
                progress(Progress("count logs", logs, None))
        return LogOutcomes(logs, 0, 0, 0, may_be_lost=False)

    def apply(self, plan: Plan[PlannedRepair], progress: ProgressCallback) -> Result:
        """Carry out the plan, then check the whole stack once more."""
        directory = self.workplace.directory
        force = self.force and bool(_forced(plan.made.plan))
        losses = plan.made.losses
        done = repair.repair(directory, plan.made.plan, force=force, losses=losses, progress=progress)

        def told(far: Progress) -> None:
            # It cannot be stopped any more: what is done is done, and has to be told.
            with suppress(Cancelled):
                progress(far)

        mended = tuple(dict.fromkeys(step.file for step in plan.made.plan.steps if step.kind.is_around))
        errors = self.errors(told, is_mended=bool(mended))
        left = counted(len(errors), "error") if errors else "no errors"
        lines = []
        if not self.is_unlocking:
            lines.append(f"{counted(len(done.tables), 'table')}: the repaired stack")
            lines += [f"  {safe_name(name)}" for name in done.tables]
        lines += [f"removed: {safe_name(name)}" for name in done.removed]
        warnings = tuple(f"left: {_where(one)}{safe_message(one.message)}" for one in errors[:3])
        warnings += (plan.made.gc,) if plan.made.gc else ()
        kept = done.snapshot.lost if done.snapshot is not None and mended else None
        is_kept = kept is not None and any(kept.glob("HEAD-*"))
        made = Repaired(
            done.removed,
            len(errors),
            losses,
            plan.made.gc,
            mended,
            os.fspath(kept) if kept and is_kept else "",
        )
        lines += made.mended_lines
        left += f". What is lost or may be: {losses}" if losses else ""
        # Locks are not brought back: their snapshot only says what was there then.
        undoable = any(
            step.kind is not StepKind.REMOVE_LOCK and not step.kind.is_around for step in plan.made.plan.steps
        )
        snapshot = done.snapshot if undoable else None
        return Result(f"Done. Checked again: {left}.", tuple(lines), warnings, made, snapshot)

    def errors(self, progress: ProgressCallback, *, is_mended: bool = False) -> list[Finding]:
        """Check the whole stack: the errors in it as it is now, and in a repository that `is_mended`."""
        around = self._around
        if around is not None and is_mended:  # what it states is another by now
            around = find_repository(around.path)
        options = self.workplace.options if around is None else around.stack_options()
        found = [] if around is None else [*check_repository(around)]
        found += fsck(self.workplace.directory, options, progress, repository=self.workplace.home)
        return [one for one in found if one.severity is Severity.ERROR]

    @property
    def _around(self) -> Repository | None:
        """The repository that is mended as well."""
        return None if self.is_alone or self.only else self.workplace.around

    @property
    def _others(self) -> str:
        """Which stacks of the repository were not looked at."""
        around = self._around
        others = [one.name for one in around.stacks if one.name != around.current.name] if around else []
        if not others:
            return ""
        names = ", ".join(map(safe_name, others[:_MOST_NAMED])) + (
            ", ..." if len(others) > _MOST_NAMED else ""
        )
        return f" Other stacks of the repository were not checked (--worktree): {names}."

    def _change_lines(self) -> list[str]:
        """The first refs that will show another value, with both."""
        shown = [one for one in islice(self.store, _MOST_LOOKED_AT) if one.changes][:_MOST_CHANGES]
        return [*map(outcome_line, shown), *([""] if shown else [])]

    def _typed(self, made: RepairPlan, lost: int) -> Typed | None:
        """What has to be typed: `force`, the number of refs that are lost, or both."""
        words, why = [], []
        if self.force and _forced(made):
            words.append("force")
            why.append("Another process may hold a lock that is removed.")
        if lost:
            words.append(str(lost))
            why.append(lost_sentence(lost, made))
        return Typed(" ".join(words), " ".join(why)) if words else None

    def _force_warnings(self, made: RepairPlan) -> Iterator[str]:
        for step in _forced(made):
            held = f"{safe_name(step.file)}: {safe_message(step.result)}"
            if self.force:
                yield (
                    f"{held}. Removing it may lose what that process writes, or undo this repair: "
                    "end that process first."
                )
            else:
                yield f"{held}. That step is left out; ! adds it."


def _where(finding: Finding) -> str:
    """The file of a finding; nothing for one that is of the whole stack."""
    return f"{safe_name(finding.file)}: " if finding.file else ""


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
        entries = counted(logs.uncertain, "reflog entry", "reflog entries")
        yield f"{entries} come from damaged bytes and stay out."

"""Compacting all tables, a range or what a rule suggests; expiring reflog entries."""

from __future__ import annotations

import os
import time
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar, Literal, NamedTuple

from engine import snapshot as snapshots
from engine.errors import OutdatedError
from engine.format import limits_in_name
from engine.merge import CompactionPlan, Expiry
from engine.progress import ProgressCallback
from engine.stack import TABLES_LIST, Policy, Stack, StackOptions
from inspector.actions.base import Action, Plan, Result
from inspector.actions.workplace import Workplace, word
from inspector.text import compaction_lines, counted, parse_time


class TableRange(NamedTuple):
    """The tables [first, end) of a stack, and their names at the time they were chosen."""

    first: int
    end: int
    names: tuple[str, ...]

    def is_of(self, names: Sequence[str]) -> bool:
        """Whether a stack of these tables has them still; a repair may have given one another name."""
        return [limits_in_name(name) or name for name in names[self.first : self.end]] == [
            limits_in_name(name) or name for name in self.names
        ]

    def __str__(self) -> str:
        last = self.end - 1
        return f"table #{self.first}" if self.first == last else f"tables #{self.first} to #{last}"


class _Compaction(Action[CompactionPlan]):
    """What compacting and expiring have in common."""

    @property
    def rule(self) -> StackOptions:
        """The options of the stack, with the rule that suggests what to merge, and how to write it."""
        return self.workplace.options

    @abstractmethod
    def planned(self, stack: Stack, progress: ProgressCallback) -> Plan[CompactionPlan]:
        """Merge into nothing, to see the exact outcome. Raises OutdatedError for a range that is gone."""

    def plan(self, progress: ProgressCallback) -> Plan[CompactionPlan]:
        """See the exact outcome for the stack as it is now."""
        with self.workplace.opened(options=self.rule) as stack:
            return self.planned(stack, progress)

    def apply(self, plan: Plan[CompactionPlan], progress: ProgressCallback) -> Result:
        """Merge the tables of the plan."""
        with self.workplace.changing(self.operation, options=self.rule) as (stack, record):
            made = _merge(stack, plan.made, progress)
        return _result(made, record.snapshot)

    def insist(self, progress: ProgressCallback) -> tuple[Plan[CompactionPlan], Result | None]:
        """Lock the tables before planning: on a busy stack, git merges them in every other commit."""
        made = None
        with self.workplace.changing(self.operation, options=self.rule) as (stack, record), stack.hold():
            plan = self.planned(stack, progress)
            if not plan.is_noop:
                made = _merge(stack, plan.made, progress)
        return plan, None if made is None else _result(made, record.snapshot)


def _merge(stack: Stack, plan: CompactionPlan, progress: ProgressCallback) -> CompactionPlan:
    stack.apply(plan, progress)
    # A new table has its name only now; none if it was merged once more.
    names = {(table.min_update_index, table.max_update_index): table.name for table in stack.tables}
    after = (
        table._replace(name=table.name or names.get((table.min_update_index, table.max_update_index)))
        for table in plan.after
    )
    return plan._replace(after=tuple(after))


def _result(made: CompactionPlan, snapshot: snapshots.Snapshot | None) -> Result:
    saved = sum(table.size for table in made.before) - sum(table.size for table in made.after)
    size = f"{abs(saved):,} bytes {'less' if saved >= 0 else 'more'}"
    merged = f"{counted(made.end - made.first, 'table')} became {'one' if made.bytes else 'none'}"
    sentence = f"Done: {merged}, {size} than before."
    return Result(sentence, tuple(compaction_lines(made)), made=made, snapshot=snapshot)


def _plan(
    stack: Stack, first: int, end: int, progress: ProgressCallback, expiry: Expiry | None = None
) -> Plan[CompactionPlan]:
    made = stack.plan_compaction(first, end, expiry, progress)
    if made.is_noop:
        return Plan(made, made.names, "Nothing to merge: the stack stays as it is.", is_noop=True)
    before = sum(table.size for table in made.before[first:end])
    outcome = f"one of {made.bytes:,} bytes" if made.bytes else "none, since no record is left"
    sentence = f"{counted(end - first, 'table')} of {before:,} bytes become {outcome}"
    warnings = []
    if expiry is not None:
        sentence += (
            f", without {counted(made.dropped.expired, 'reflog entry', 'reflog entries')} that expired"
        )
        if not made.dropped.expired:
            warnings.append("No reflog entry is old enough: all that is left to do is to merge the tables.")
    elif first:
        warnings.append("Tombstones stay: older tables, which are not merged, may hold what they delete.")
    return Plan(
        made,
        made.names,
        sentence + ".",
        tuple(compaction_lines(made)),
        tuple(warnings),
        locked=(TABLES_LIST, *made.names[first:end]),
    )


@dataclass(frozen=True, slots=True)
class CompactAction(_Compaction):
    """Merge tables into one: all of them, those of a range, or those that a rule suggests.

    `factor` is that of the geometric rule, 1..255. With `single_root`, indexes have a root of one block, for
    JGit; a table alone is written anew for it.
    """

    workplace: Workplace
    tables: TableRange | Literal["all"] | Policy
    factor: int = 2
    single_root: bool = False
    verb: ClassVar[str] = "Compact"
    operation: ClassVar[str] = "compact"

    @property
    def title(self) -> str:
        """Which tables, or by which rule."""
        match self.tables:
            case TableRange():
                return f"Compact {self.tables}"
            case "all":
                return "Compact all tables"
            case "log2":
                return "Compact what the log2 rule suggests"
            case "geometric":
                return f"Compact what the geometric rule suggests, factor {self.factor}"

    @property
    def options(self) -> list[str]:
        """Those of the rule only where they differ from what is configured."""
        configured = self.workplace.options
        root = ["--single-root"] if self.single_root else []
        match self.tables:
            case TableRange(first=first, end=end):
                return ["--range", f"{first}:{end}", *root]
            case "all":
                return ["--all", *root]
            case policy:
                options = ["--auto", *(["--policy", policy] if policy != configured.policy else [])]
                if policy == "geometric" and self.factor != configured.factor:
                    options += ["--factor", str(self.factor)]
                return options + root

    @property
    def rule(self) -> StackOptions:
        """The options of the stack, but for what was asked for."""
        options = replace(self.workplace.options, single_root=self.single_root)
        if self.tables in ("log2", "geometric"):
            return replace(options, policy=self.tables, factor=self.factor)
        return options

    def planned(self, stack: Stack, progress: ProgressCallback) -> Plan[CompactionPlan]:
        """Merge the chosen tables into nothing."""
        match self.tables:
            case TableRange(first=first, end=end):
                if not self.tables.is_of([table.name for table in stack.tables]):
                    raise OutdatedError(str(stack.directory), f"{self.tables} are others by now")
            case "all":
                first, end = 0, len(stack.tables)
            case _:
                segment = stack.suggestion()
                first, end = segment.start, segment.end
        return _plan(stack, first, end, progress)


@dataclass(frozen=True, slots=True)
class ExpireAction(_Compaction):
    """Drop reflog entries from before a time (seconds since 1970) and below an update index; 0: no limit.

    Without both (None) the times of git's configuration count. `refs` are names or patterns of the refs whose
    reflogs expire, all if there are none; those that one of `spared` matches never do.
    """

    workplace: Workplace
    before: int | None = None
    min_update_index: int | None = None
    refs: tuple[str, ...] = ()
    spared: tuple[str, ...] = ()
    title: ClassVar[str] = "Expire reflog entries"
    verb: ClassVar[str] = "Expire"
    operation: ClassVar[str] = "expire"

    @property
    def options(self) -> list[str]:
        """The limits, the time in seconds: relative ones mean another time later."""
        options = []
        if self.before is not None:
            options += ["--before", str(self.before)]
        if self.min_update_index is not None:
            options += ["--min-update-index", str(self.min_update_index)]
        for option, patterns in (("--ref", self.refs), ("--except", self.spared)):
            options += [part for pattern in patterns for part in (option, word(pattern))]
        return options

    def planned(self, stack: Stack, progress: ProgressCallback) -> Plan[CompactionPlan]:
        """Merge all tables into nothing, to see how many entries go."""
        if self.before is None and self.min_update_index is None:
            expiry = self.workplace.surroundings.reflog_expiry(partial(parse_time, now=int(time.time())))
        else:
            expiry = Expiry(self.before or 0, self.min_update_index or 0)
        only, spared = (tuple(map(os.fsencode, patterns)) for patterns in (self.refs, self.spared))
        expiry = expiry._replace(only=only, spared=spared)
        return _plan(stack, 0, len(stack.tables), progress, expiry)

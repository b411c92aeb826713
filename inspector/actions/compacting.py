"""Compacting all tables, a range or what a rule suggests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, NamedTuple

from engine.errors import OutdatedError
from engine.format import limits_in_name
from engine.merge import CompactionPlan
from engine.progress import ProgressCallback
from engine.stack import Policy, Stack, StackOptions
from inspector.actions.base import Plan
from inspector.actions.merging import Compaction, plan_of
from inspector.actions.workplace import Workplace
from inspector.text import positions_text


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
        tables = range(self.first, self.end)
        return f"{'table' if len(tables) == 1 else 'tables'} {positions_text(tables)}"


@dataclass(frozen=True, slots=True)
class CompactAction(Compaction):
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
        return plan_of(stack, first, end, progress)

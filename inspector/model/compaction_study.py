"""A stack's compaction as it is studied: a rule at one of its steps, a range, and what merging it would do.

A `Study` holds no widget and does no work that grows with the records of a stack: it judges tables by their
sizes. What needs their records, the plan of a merge, is made elsewhere, in a thread, and kept here by the
names of the tables, which never change: it stays right when the stack grows.

The range in question, `target`, is the one that was marked by hand, or what the rule suggests.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from engine.errors import FormatError, MissingTableError, ReftableError
from engine.merge import (
    DEFAULT_FACTOR,
    CompactionPlan,
    Comparison,
    Segment,
    geometric_steps,
    log2_steps,
    sizes_to_segments,
)
from engine.stack import Policy, StackOptions
from engine.table import Table
from inspector.model.view import StackView

Damage = ReftableError | OSError
"""What is wrong with a table."""

MAX_FACTOR: Final = 255
MAX_OUTCOMES: Final = 32


@dataclass(slots=True, frozen=True)
class MergeKey:
    """What the result of a merge depends on: its tables, and whether none of the stack is older."""

    names: tuple[str, ...]
    from_oldest: bool


@dataclass(slots=True, frozen=True)
class Blocked:
    """A merge that cannot be made, the error that it would meet, and where the table stands, if known."""

    error: Damage
    position: int | None = None


class Study:
    """Tables, a rule and its steps, a range of tables."""

    def __init__(self) -> None:
        self.tables: tuple[Table, ...] = ()
        self.sizes: list[int] = []
        self.options = StackOptions()
        """Those of the stack, with the rule that it is kept with."""
        self.rule: Policy = "log2"
        self.factor = DEFAULT_FACTOR
        self.at = 0
        self.marked = range(0)
        self.segments: list[Segment] = []
        self.damage: Mapping[str, Damage] = {}
        """The tables that others found damaged, by name."""
        self._met: dict[str, Damage] = {}
        self._steps: dict[Policy, list[Comparison]] = {}
        self._outcomes: OrderedDict[MergeKey, CompactionPlan | Blocked] = OrderedDict()
        self._opened = False
        self._judge()

    def show(self, view: StackView) -> None:
        """Study another state of the stack; rule, factor, step and the tables marked stay, if they can."""
        marked = [self.tables[position].name for position in self.marked]
        self.options = view.options
        if not self._opened:
            self._opened = True
            self.rule, self.factor = self.options.policy, self.options.factor
        # Comparison 5 of other comparisons is another question: then the result is what there is to see.
        finished = self.at == len(self.steps) - 1 or view.tables != self.tables
        if view.tables != self.tables:  # a file that was damaged may have been put right under its name
            self._met.clear()
            for key in [key for key, outcome in self._outcomes.items() if isinstance(outcome, Blocked)]:
                del self._outcomes[key]
        self.tables = view.tables
        self.sizes = [table.policy_size for table in self.tables]
        self.marked = self.find(marked)
        self._judge(at_result=finished)

    def _judge(self, *, at_result: bool = True) -> None:
        self._steps = {
            "log2": list(log2_steps(self.sizes)),
            "geometric": list(geometric_steps(self.sizes, self.factor)),
        }
        self.segments = sizes_to_segments(self.sizes)
        if at_result:
            self.at = len(self.steps) - 1

    # The rule and its steps.

    @property
    def steps(self) -> list[Comparison]:
        """Every comparison of the rule, the result last."""
        return self._steps[self.rule]

    @property
    def step(self) -> Comparison:
        """The step in question."""
        return self.steps[self.at]

    def go(self, steps: int) -> None:
        """So many steps on or back; from the result on to the first step, from that back to the result."""
        self.at = (self.at + steps) % len(self.steps)

    def switch_rule(self) -> None:
        """The other rule, at its result."""
        self.rule = "geometric" if self.rule == "log2" else "log2"
        self._judge()

    def change_factor(self, by: int) -> None:
        """Another factor of the geometric rule, within 1..255."""
        self.factor = max(1, min(self.factor + by, MAX_FACTOR))
        self._judge(at_result=self.rule == "geometric")

    def suggestion(self, rule: Policy) -> range:
        """The positions that `rule` would merge."""
        return self._steps[rule][-1].looked

    # The range.

    def find(self, names: Sequence[str]) -> range:
        """Where tables of these names stand, one behind the other; an empty range if they do not."""
        among = [table.name for table in self.tables]
        if names and names[0] in among:
            start = among.index(names[0])
            if among[start : start + len(names)] == list(names):
                return range(start, start + len(names))
        return range(0)

    @property
    def target(self) -> range:
        """The positions in question: marked by hand, or else suggested by the rule; maybe none."""
        return self.marked or self.suggestion(self.rule)

    def mark(self, first: int, end: int) -> None:
        """Mark the positions [first, end), as far as there are tables, instead of those marked."""
        first = max(0, first)
        self.marked = range(first, max(first, min(end, len(self.tables))))

    def toggle(self, position: int) -> None:
        """Mark one more table, with all between, or take one out: a range stays in one piece.

        Taking out one from the middle leaves the older part.
        """
        marked = self.marked
        if not marked:
            self.mark(position, position + 1)
        elif position not in marked:
            self.mark(min(marked.start, position), max(marked.stop, position + 1))
        elif position == marked.start:
            self.mark(position + 1, marked.stop)
        else:
            self.mark(marked.start, position)

    @property
    def mergeable(self) -> bool:
        """Whether the range has two tables or more: one alone is left as it is."""
        return len(self.target) > 1

    # What merging the range would do.

    @property
    def key(self) -> MergeKey:
        """What the outcome for the range is kept under."""
        target = self.target
        return MergeKey(
            tuple(table.name for table in self.tables[target.start : target.stop]), not target.start
        )

    def blocked_in(self, target: range) -> Blocked | None:
        """Why the tables of `target` cannot be merged: one of them is damaged, as far as is known."""
        for position in target:
            error = self.damage_of(position)
            if error is not None:
                return Blocked(error, position)
        return None

    def damage_of(self, position: int) -> Damage | None:
        """What is wrong with the table at this position, as far as is known."""
        name = self.tables[position].name
        return self.damage.get(name) or self._met.get(name)

    @property
    def knows_damage(self) -> bool:
        """Whether any table is known to be damaged."""
        return self.blocked_in(range(len(self.tables))) is not None

    @property
    def blocked(self) -> Blocked | None:
        """Why the range cannot be merged, as far as is known."""
        if isinstance(self.outcome, Blocked):
            return self.blocked_in(self.target) or self.outcome
        return self.blocked_in(self.target)

    @property
    def outcome(self) -> CompactionPlan | Blocked | None:
        """The exact result for the range, if it has been made."""
        return self._outcomes.get(self.key)

    def keep(self, key: MergeKey, outcome: CompactionPlan | Blocked) -> None:
        """Keep a result; the oldest of MAX_OUTCOMES goes."""
        self._outcomes[key] = outcome
        if isinstance(outcome, Blocked) and isinstance(outcome.error, FormatError | MissingTableError):
            self._met[outcome.error.name] = outcome.error
        while len(self._outcomes) > MAX_OUTCOMES:
            self._outcomes.popitem(last=False)

    def merged_size(self, *, file_sizes: bool) -> int | None:
        """The size of the merged table, exact or estimated, in either measure; None if nothing is left."""
        target, outcome = self.target, self.outcome
        oldest = self.tables[target.start]
        frame = oldest.size - oldest.policy_size  # header and footer, which a merge has once
        size = frame + sum(self.sizes[target.start : target.stop])
        if isinstance(outcome, CompactionPlan):
            size = outcome.bytes
        if not size:
            return None
        return size if file_sizes else size - frame

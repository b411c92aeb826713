"""A stack's compaction as it is studied: a rule at one of its steps, a range, and what merging it would do.

A `Study` holds no widget and does no work that grows with the records of a stack: it judges tables by their
sizes. What needs their records, the plan of a merge, is made elsewhere, in a thread, and kept here by the
names of the tables, which never change: it stays right when the stack grows.

The range in question, `target`, is the one that was marked by hand, or what the rule suggests. What the rule
suggests is `hidden` until its steps have led there: whoever looks can answer first.

A study of a compaction that has been is made of the names and sizes that the tables had (`replay`): the
tables themselves may be gone.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from engine import merge
from engine.errors import FormatError, MissingTableError, ReftableError
from engine.merge import (
    DEFAULT_FACTOR,
    MAX_FACTOR,
    Comparison,
    Segment,
    fastlog2,
    geometric_steps,
    log2_steps,
    sizes_to_segments,
)
from engine.stack import POLICIES, Policy, StackOptions
from engine.table import Table
from inspector.model.view import StackView

Damage = ReftableError | OSError
"""What is wrong with a table."""

MAX_OUTCOMES: Final = 32


MOST_DECISIONS: Final = 8
"""Decisions of one kind; if a stack of hundreds of tables has more, only the first and the last count."""


class TableSize(NamedTuple):
    """What is known of a table that may be gone: its file's size, and its size as the rules count it.

    `is_least` if it was never seen: it was as large as that, or larger.
    """

    name: str
    size: int
    policy_size: int
    is_least: bool = False


class PastCompaction(NamedTuple):
    """A compaction that was seen or made: the tables `before` and `after`, and the positions it `merged`."""

    title: str
    before: tuple[TableSize, ...]
    merged: range
    after: tuple[TableSize, ...]

    @property
    def result(self) -> TableSize | None:
        """The merged table; None if nothing was left to write."""
        known = {table.name for table in self.before}
        new = (table for table in self.after[self.merged.start :] if table.name not in known)
        return next(new, None)


class MergeKey(NamedTuple):
    """What the result of a merge depends on: its tables, and whether none of the stack is older."""

    names: tuple[str, ...]
    from_oldest: bool


class Blocked(NamedTuple):
    """A merge that cannot be made, the error that it would meet, and where the table stands, if known."""

    error: Damage
    position: int | None = None


class Study:
    """Tables, a rule and its steps, a range of tables."""

    def __init__(self, rule: Policy | None = None) -> None:
        """`rule` is the one to begin with, at its result; without it, the stack's own is hidden at first."""
        self._first_rule = rule
        self.tables: Sequence[Table | TableSize] = ()
        self.sizes: list[int] = []
        self.options = StackOptions()
        """Those of the stack, with the rule that it is kept with."""
        self.rule: Policy = "log2"
        self.factor = DEFAULT_FACTOR
        self.marked = range(0)
        self.segments: list[Segment] = []
        self.damage: Mapping[str, Damage] = {}
        """The tables that others found damaged, by name."""
        self.past: PastCompaction | None = None
        """The compaction that is looked at again; None for the stack of now."""
        self._met: dict[str, Damage] = {}
        self._at: dict[Policy, int] = {"log2": 0, "geometric": 0}
        self._steps: dict[Policy, list[Comparison]] = {}
        self._decisions: dict[Policy, list[int]] = {}
        self._outcomes: OrderedDict[MergeKey, merge.CompactionPlan | Blocked] = OrderedDict()
        self._opened = False
        self._is_trivial = True
        self._judge()

    def show(self, view: StackView) -> None:
        """Study another state of the stack; rule, factor, step and the tables marked stay, if they can."""
        marked = [self.tables[position].name for position in self.marked]
        self.options = view.options
        if is_first := not self._opened:
            self._opened = True
            self.rule = self._first_rule or self.options.policy
            self.factor = self.options.factor
        if view.tables != self.tables:  # a file that was damaged may have been put right under its name
            self._met.clear()
            for key in [key for key, outcome in self._outcomes.items() if isinstance(outcome, Blocked)]:
                del self._outcomes[key]
            self.tables = view.tables
            self.sizes = [table.policy_size for table in self.tables]
            self._judge()
        if is_first and self._first_rule is not None:
            self.at = len(self.steps)
        self.marked = self.find(marked)

    def replay(self, past: PastCompaction, options: StackOptions) -> None:
        """Study a compaction that has been, of a stack with these options.

        The rule is the one that merges these tables: the stack's own, if both do. If neither does, they count
        as marked by hand. A newest table that was never seen is taken to be no larger than a rule needs.
        """
        past = _fitted(past, options)
        self.past, self.tables, self.options = past, past.before, options
        self.rule, self.factor, self.marked = options.policy, options.factor, range(0)
        self.sizes = [table.policy_size for table in past.before]
        self._judge()
        merging = [rule for rule in (options.policy, *POLICIES) if self.suggestion(rule) == past.merged]
        if merging:
            self.rule = merging[0]
        else:
            self.mark(past.merged.start, past.merged.stop)

    def _judge(self, *rules: Policy) -> None:
        """Make the steps of these rules, or of both, anew: who was at a result stays at it, others begin."""
        # With fewer than two tables there is nothing to find out.
        knew, self._is_trivial = not self._is_trivial, len(self.sizes) < 2
        for rule in rules or POLICIES:
            hidden = not self._is_trivial and (self.hides(rule) or not knew)
            steps = list(
                log2_steps(self.sizes) if rule == "log2" else geometric_steps(self.sizes, self.factor)
            )
            self._steps[rule], self._decisions[rule] = steps, _decisions(steps)
            self._at[rule] = 0 if hidden else len(steps)
        self.segments = sizes_to_segments(self.sizes)

    @property
    def opened(self) -> list[Table]:
        """The tables themselves; none of a compaction that has been."""
        return [table for table in self.tables if isinstance(table, Table)]

    # The rule and its steps.

    @property
    def steps(self) -> list[Comparison]:
        """Every comparison of the rule, the result last."""
        return self._steps[self.rule]

    @property
    def at(self) -> int:
        """How many steps have been made: 0 at the start, where nothing has been compared yet."""
        return self._at[self.rule]

    @at.setter
    def at(self, number: int) -> None:
        self._at[self.rule] = max(0, min(number, len(self.steps)))

    @property
    def step(self) -> Comparison | None:
        """The step made last; None at the start."""
        return self.steps[self.at - 1] if self.at else None

    def hides(self, rule: Policy) -> bool:
        """Whether the steps of `rule` have not led to its result yet."""
        return rule not in self._steps or self._at[rule] < len(self._steps[rule])

    @property
    def hidden(self) -> bool:
        """Whether what the rule shown suggests is still to be found out."""
        return self.hides(self.rule)

    @property
    def next_decision(self) -> int:
        """The step on which the next answer changes something; at the result, that."""
        return next((number for number in self._decisions[self.rule] if number > self.at), len(self.steps))

    def switch_rule(self) -> None:
        """The other rule, at the step where it was left."""
        self.rule = "geometric" if self.rule == "log2" else "log2"

    def change_factor(self, by: int) -> None:
        """Another factor of the geometric rule, within 1..MAX_FACTOR."""
        factor = max(1, min(self.factor + by, MAX_FACTOR))
        if factor != self.factor:
            self.factor = factor
            self._judge("geometric")

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

    @property
    def seen(self) -> range:
        """The positions in question that are shown: what the rule suggests is, from its result on."""
        return self.marked or (range(0) if self.hidden else self.suggestion(self.rule))

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
    def outcome(self) -> merge.CompactionPlan | Blocked | None:
        """The exact result for the range, if it has been made."""
        return self._outcomes.get(self.key)

    def keep(self, key: MergeKey, outcome: merge.CompactionPlan | Blocked) -> None:
        """Keep a result; the oldest of MAX_OUTCOMES goes."""
        self._outcomes[key] = outcome
        if isinstance(outcome, Blocked) and isinstance(outcome.error, FormatError | MissingTableError):
            self._met[outcome.error.name] = outcome.error
        while len(self._outcomes) > MAX_OUTCOMES:
            self._outcomes.popitem(last=False)

    @property
    def is_estimate(self) -> bool:
        """Whether what the merged table has is only known by the sizes of what goes into it."""
        is_past = self.past is not None and self.target == self.past.merged
        return not is_past and (self.outcome is None or isinstance(self.outcome, Blocked))

    def merged_size(self, *, file_sizes: bool) -> int | None:
        """The size of the merged table, exact or estimated, in either measure; None if nothing is left."""
        target, outcome = self.target, self.outcome
        if self.past is not None and target == self.past.merged:
            result = self.past.result
            return None if result is None else result.size if file_sizes else result.policy_size
        oldest = self.tables[target.start]
        frame = oldest.size - oldest.policy_size  # header and footer, which a merge has once
        size = frame + sum(self.sizes[target.start : target.stop])
        if outcome is not None and not isinstance(outcome, Blocked):
            size = outcome.bytes
        if not size:
            return None
        return size if file_sizes else size - frame


def _fitted(past: PastCompaction, options: StackOptions) -> PastCompaction:
    """It with a newest table, if that was never seen, as large as it must be for a rule to merge these.

    A transaction's table that was merged at once was judged by its size all the same, and the merge tells
    less of it the more it superseded. The stack's own rule is asked first; if neither fits, it stays.
    """
    if not past.before or not past.before[-1].is_least:
        return past
    *seen, unseen = past.before
    sizes = [table.policy_size for table in seen]
    # Only where an answer changes: what both rules compare a table with, less what is known of it.
    least, newer = {unseen.policy_size}, 0
    for size in reversed(sizes):
        least |= {size // options.factor + 1 - newer, (1 << fastlog2(size)) - newer, 1 << fastlog2(size)}
        newer += size
    for rule in dict.fromkeys((options.policy, *POLICIES)):
        suggestion = replace(options, policy=rule).suggestion
        for size in sorted(size for size in least if size >= unseen.policy_size):
            if suggestion([*sizes, size]).positions == past.merged:
                frame = unseen.size - unseen.policy_size
                fitted = TableSize(unseen.name, size + frame, size, is_least=True)
                return past._replace(before=(*seen, fitted))
    return past


def _decisions(steps: Sequence[Comparison]) -> list[int]:
    """The numbers, from 1, of the steps whose answers change something, and of the result."""
    found: dict[str, list[int]] = {}
    for number, step in enumerate(steps, start=1):
        if step.yes or step.kind == "result" or (step.kind == "grow" and not step.yes):
            found.setdefault(step.kind, []).append(number)
    kept = (run if len(run) <= MOST_DECISIONS else [run[0], run[-1]] for run in found.values())
    return sorted(number for run in kept for number in run)

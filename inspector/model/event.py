"""A change of the stack as an event: what became of which tables, as far as their names and ranges tell.

Between two looks there may be several changes. What is told of them then is one event, and no more than what
can be known: a new table whose range of update indexes covers tables that are gone was merged from them, and
update indexes beyond the highest of before are of new transactions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Final, NamedTuple

from engine.table import Table
from inspector.model.compaction_study import PastCompaction, TableSize
from inspector.model.newest_log import NewestEntry
from inspector.text import counted, safe_name, shown, update_range, utc_time


class TableShape(NamedTuple):
    """A table without its records: a band from update index `first` to `last`, both included.

    `policy_size` is the size by which the rules of compaction judge it, `size` that of the file. Both are 0
    for a table of which nothing but the name was seen.
    """

    name: str
    first: int
    last: int
    policy_size: int
    size: int

    @classmethod
    def of(cls, table: Table) -> TableShape:
        """What is kept of a table."""
        first, last = table.min_update_index, table.max_update_index
        return cls(table.name, first, last, table.policy_size, table.size)

    @property
    def most_transactions(self) -> int:
        """How many transactions it holds at most: each takes an update index of its own, or some.

        One with more than one index is a merge, or a transaction that took several, as a rename in git does.
        Through how many merges its records went before cannot be told from it.
        """
        return max(1, self.last - self.first + 1)


Shapes = tuple[TableShape, ...]
"""The tables of a stack, oldest first."""


def shapes_of(tables: Iterable[Table]) -> Shapes:
    """What is kept of the tables of a stack; reads nothing."""
    return tuple(map(TableShape.of, tables))


class EventKind(Enum):
    """What happened, in one word or two."""

    ADDED = "added"
    COMPACTED = "compacted"
    ADDED_AND_COMPACTED = "added, compacted"
    EXPIRED = "expired"
    REPAIRED = "repaired"
    RESTORED = "went back"
    CLEANED = "cleaned"
    UNKNOWN = "changed"


class Merge(NamedTuple):
    """Tables that became one: it, and those of before that its range covers, which are gone."""

    made: TableShape
    inputs: Shapes


class Difference(NamedTuple):
    """What became of the tables: those that are new and no merge of old ones, merges, and those that went.

    `transactions` is how many update indexes there are beyond the highest of before, and so how many
    transactions there were at most.
    """

    added: Shapes
    merges: tuple[Merge, ...]
    dropped: Shapes
    transactions: int


def difference(before: Shapes, after: Shapes) -> Difference:
    """What became of the tables `before`, by names and ranges."""
    old, new = ({table.name for table in tables} for tables in (before, after))
    gone = [table for table in before if table.name not in new]
    added, merges = [], []
    for table in after:
        if table.name in old:
            continue
        inputs = tuple(one for one in gone if table.first <= one.first and one.last <= table.last)
        if inputs:
            merges.append(Merge(table, inputs))
            gone = [one for one in gone if one not in inputs]
        else:
            added.append(table)
    transactions = max(0, highest(after) - highest(before))
    return Difference(tuple(added), tuple(merges), tuple(gone), transactions)


def highest(tables: Iterable[TableShape]) -> int:
    """The highest update index of these tables, 0 for none."""
    return max((table.last for table in tables), default=0)


class OwnChange(NamedTuple):
    """What an action of this program did: its verb, its command line, and the tables before and after.

    The names are those that it has seen under its own lock.
    """

    operation: str
    command: str
    before: tuple[str, ...]
    after: tuple[str, ...]


_KINDS: Final = {
    "expire": EventKind.EXPIRED,
    "repair": EventKind.REPAIRED,
    "undo": EventKind.RESTORED,
    "clean": EventKind.CLEANED,
}


class Event(NamedTuple):
    """A change of the stack: when it was seen or made (seconds since 1970), and what it was.

    `summary` is what became of refs and reflogs, None while that is not known; `entry` the newest reflog
    entry that it brought, if there is one; `own` is set for what was done here, `verb` where that or another
    process of this program did it.
    """

    number: int
    time: float
    kind: EventKind
    before: Shapes
    after: Shapes
    difference: Difference
    own: OwnChange | None = None
    verb: str = ""
    summary: str | None = None
    entry: NewestEntry | None = None

    @property
    def what(self) -> str:
        """What became of the tables, as a short sentence."""
        added, merges, dropped, transactions = self.difference
        parts = []
        inputs = sum(len(merge.inputs) for merge in merges)
        if merges and transactions:
            made = len(merges) + len(added)
            new = _transactions_at_most(transactions)
            parts.append(f"{counted(inputs, 'table')} and {new} became {made:,}")
        elif merges:
            became = "written anew" if inputs == len(merges) else f"became {len(merges):,}"
            span = _span([merge.made for merge in merges])
            parts.append(f"{counted(inputs, 'table')} {became}{span}")
        if added and not (merges and transactions):
            text = f": {_transactions_at_most(transactions)}" if transactions > len(added) else ""
            came = "added" if transactions or not self.before else "came back"
            parts.append(f"{counted(len(added), 'table')} {came}{_span(added)}{text}")
        if dropped:
            parts.append(f"{counted(len(dropped), 'table')} dropped{_span(dropped)}")
        if parts:
            return ", ".join(parts)
        return "files beside the tables removed" if self.own else "the same tables, with other bytes in them"

    @property
    def by(self) -> str:
        """What made it, as far as that is known."""
        if self.own is not None:
            return "this program"
        return f"reftable-inspector {safe_name(self.verb)}" if self.verb else "another process"

    @property
    def who(self) -> str:
        """What made it, in a word; of another process rather the committer of its newest reflog entry."""
        if self.own is None and self.verb:
            return f"verb {safe_name(self.verb)}"
        return self.by if self.own is not None or self.entry is None else shown(self.entry.record.committer)

    @property
    def clock(self) -> str:
        """The time of day, in UTC."""
        return utc_time(int(self.time))[11:19]

    @property
    def replay(self) -> PastCompaction | None:
        """The compaction, if it was one alone, or one behind one transaction; None otherwise.

        The table of that transaction was never seen. It is taken to be as large as what the merge has more
        than the other tables, and so a little too small where it supersedes records of them.
        """
        added, merges, dropped, transactions = self.difference
        if len(merges) != 1 or added or dropped or transactions > 1:
            return None
        made, inputs = merges[0]
        first = self.before.index(inputs[0])
        end = first + len(inputs)
        if self.before[first:end] != inputs or (transactions and end < len(self.before)):
            return None
        if len(inputs) + transactions < 2:
            return None
        before, after = (
            [TableSize(table.name, table.size, table.policy_size) for table in tables]
            for tables in (self.before, self.after)
        )
        if transactions:
            frame = made.size - made.policy_size
            more = max(1, made.policy_size - sum(table.policy_size for table in inputs))
            before.append(TableSize(f"update {made.last}, not seen", more + frame, more, is_least=True))
            end += 1
        return PastCompaction(f"{self.clock}, {self.who}", tuple(before), range(first, end), tuple(after))


def kind_of(before: Shapes, after: Shapes, found: Difference, verb: str = "") -> EventKind:
    """What happened, as far as the verb or the ranges tell."""
    if verb in _KINDS:
        return _KINDS[verb]
    top = highest(before)
    if after and (highest(after) < top or any(table.last <= top for table in found.added)):
        return EventKind.RESTORED
    if found.dropped:
        return EventKind.UNKNOWN
    if found.merges:
        return EventKind.ADDED_AND_COMPACTED if found.transactions else EventKind.COMPACTED
    return EventKind.ADDED if found.added else EventKind.UNKNOWN


def _transactions_at_most(count: int) -> str:
    return f"{'up to ' if count > 1 else ''}{counted(count, 'transaction')}"


def _span(tables: Sequence[TableShape]) -> str:
    low, high = min(table.first for table in tables), highest(tables)
    return f" ({'update' if low == high else 'updates'} {update_range(low, high)})"

"""What has become of a stack: what its tables tell of its past, and the changes that were seen or made."""

from __future__ import annotations

from typing import NamedTuple

from inspector.model.view import StackView


class TableShape(NamedTuple):
    """A table without its records: a band from update index `first` to `last`, both included.

    `policy_size` is the size by which the rules of compaction judge it, `size` that of the file.
    """

    name: str
    first: int
    last: int
    policy_size: int
    size: int

    @property
    def most_transactions(self) -> int:
        """How many transactions it holds at most: each takes an update index of its own, or some.

        One with more than one index is a merge, or a transaction that took several, as a rename in git does.
        Through how many merges its records went before cannot be told from it.
        """
        return max(1, self.last - self.first + 1)


def history_of_tables(view: StackView) -> tuple[TableShape, ...]:
    """The tables of a stack as bands over its update indexes, oldest first.

    In a sound stack each band begins behind the one before; what lies between two was written and is
    gone, or never was. Reads nothing.
    """
    return tuple(
        TableShape(table.name, table.min_update_index, table.max_update_index, table.policy_size, table.size)
        for table in view.tables
    )

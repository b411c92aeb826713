"""One state of a stack, as the panes draw it, and what the lists of refs and logs are about.

A scope (the whole stack, one of its tables, an earlier state of it) is a value that outlives any one view of
the stack: it names a table or a moment, and is resolved anew against each view.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from engine.merge import MergedTable
from engine.readable import OpenError, ReadableStack, ReadableTable
from engine.table import Table
from inspector.rows import LogRows, RefRows
from inspector.text import error_text, loss_text, short_table_name


class StackView:
    """One state of the stack: its tables (oldest first), its merged view, and what was read of it so far.

    `faults` are why it cannot be opened as a stack, in which case it shows what can be read all the same.
    """

    def __init__(self, stack: ReadableStack) -> None:
        self.directory = stack.directory
        self.options = stack.options
        self.merged = stack.merged
        self.hash_id = stack.hash_id
        self.faults: tuple[OpenError, ...] = stack.faults
        self.tables: tuple[Table, ...] = self.merged.tables
        self.positions = {table.name: position for position, table in enumerate(self.tables)}
        """The position of each table, by its name."""
        self.size = sum(table.size for table in self.tables)
        self.suggested = self.options.suggestion([table.policy_size for table in self.tables]).positions
        """The positions that auto-compaction would merge; empty for none."""
        self.refs = RefRows(self.merged)
        self.logs = LogRows(self.merged)


@dataclass(frozen=True, slots=True)
class WholeStack:
    """The merged view of all tables."""

    shows_deletions = False

    def resolve(self, view: StackView) -> MergedTable:
        """The merged view of `view`."""
        return view.merged

    def label(self, view: StackView) -> str:  # noqa: ARG002 - the same for every view
        """What a breadcrumb says."""
        return "merged view"


class OneTable(NamedTuple):
    """The records of the table of this file name, tombstones among them."""

    name: str

    @property
    def shows_deletions(self) -> bool:
        """All records count."""
        return True

    def resolve(self, view: StackView) -> MergedTable | None:
        """The table as a view of its own, or None when the stack has it no more."""
        position = view.positions.get(self.name)
        return None if position is None else MergedTable([view.tables[position]])

    def label(self, view: StackView) -> str:
        """`#3 …5eed1234`: its position and the part of its name that tells it apart."""
        name, position = short_table_name(self.name), view.positions.get(self.name)
        return f"{name} (gone)" if position is None else f"#{position} {name}"


class AsOf(NamedTuple):
    """The stack as of an update index: the tables that end at or before it, as `refs --as-of` has them."""

    update_index: int

    @property
    def shows_deletions(self) -> bool:
        """As in the whole stack."""
        return False

    def resolve(self, view: StackView) -> MergedTable:
        """The merged view of those tables; it may have none."""
        return MergedTable([table for table in view.tables if table.max_update_index <= self.update_index])

    def label(self, view: StackView) -> str:
        """`as of 1930 (3 of 7 tables)`; says what is shown when a compaction has merged that moment away."""
        shown = self.resolve(view)
        moment = f"{self.update_index}"
        if any(table.min_update_index <= self.update_index < table.max_update_index for table in view.tables):
            moment = f"{shown.max_update_index}, {self.update_index} is inside a table"
        return f"as of {moment} ({len(shown.tables)} of {len(view.tables)} tables)"


class Elsewhere(NamedTuple):
    """Tables that are not the stack's, opened read-only: a file that is not listed, or those of a snapshot.

    `words` say which these are.
    """

    view: StackView
    words: str

    @property
    def shows_deletions(self) -> bool:
        """Of one table all records count."""
        return len(self.view.tables) == 1

    def resolve(self, _view: StackView) -> MergedTable:
        """The merged view of these tables, whatever the stack is."""
        return self.view.merged

    def label(self, _view: StackView) -> str:
        """What they are, and that they are damaged if they are."""
        return f"{self.words}, damaged" if self.view.faults else self.words


Scope = WholeStack | OneTable | AsOf | Elsewhere


def view_of(scope: Scope, view: StackView) -> StackView:
    """The view whose tables a scope is of, which may be another one than that of the stack."""
    return scope.view if isinstance(scope, Elsewhere) else view


def damage_text(view: StackView) -> str:
    """The first fault of the stack, or the first damage met in a table, as a line; empty if there is none."""
    if view.faults:
        more = len(view.faults) - 1
        return error_text(view.faults[0]) + (f" (and {more} more: see Health)" if more else "")
    for table in view.tables:
        losses = table.losses if isinstance(table, ReadableTable) else None
        if isinstance(table, ReadableTable) and losses is not None and (losses.size or losses.left_out):
            return f"{error_text(table.loss())} ({loss_text(losses)})"
    return ""

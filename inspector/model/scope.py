"""What the lists of refs and logs are about: the whole stack, one of its tables, or an earlier state of it.

A scope is a value that outlives any one view of the stack: it names a table or a moment, and is resolved
anew against each view. How it came to be chosen, and what is drawn of it, is left to the screens.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.merge import MergedTable
from inspector.model.view import StackView
from inspector.text import short_table_name

__all__ = ["AsOf", "OneTable", "Scope", "WholeStack"]


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


@dataclass(frozen=True, slots=True)
class OneTable:
    """The records of the table of this file name, tombstones among them."""

    name: str
    shows_deletions = True

    def resolve(self, view: StackView) -> MergedTable | None:
        """The table as a view of its own, or None when the stack has it no more."""
        for table in view.tables:
            if table.name == self.name:
                return MergedTable([table])
        return None

    def label(self, view: StackView) -> str:
        """`#3 …5eed1234`: its position and the part of its name that tells it apart."""
        for position, table in enumerate(view.tables):
            if table.name == self.name:
                return f"#{position} {short_table_name(self.name)}"
        return f"{short_table_name(self.name)} (gone)"


@dataclass(frozen=True, slots=True)
class AsOf:
    """The stack as of an update index: the tables that end at or before it, as `refs --as-of` has them."""

    update_index: int
    shows_deletions = False

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


Scope = WholeStack | OneTable | AsOf

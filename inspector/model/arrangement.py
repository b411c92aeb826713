"""From what a user has set (scope, tombstones, filter, order) to the source whose rows are drawn.

An arrangement is made for one view of the stack. It stands on up to three sources, each on the one before:

    natural    every row of the scope, by name: for the count, and for jumping to a name
    base       those that the filter admits; the same one without a filter
    source     the same in the order that is wanted; what the list draws

Whatever the arrangement before can lend is taken over: a count is not counted again because the filter has
changed, and turning an order round sorts nothing. The functions here read nothing of the stack.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Generic, TypeVar

from engine.format import U64_MAX
from engine.merge import MergedTable
from inspector.model.scope import Scope, WholeStack
from inspector.model.view import StackView
from inspector.rows import (
    LOG_ORDERS,
    REF_ORDERS,
    LogRow,
    LogRows,
    Order,
    PagedRows,
    RefRow,
    RefRows,
    RowFilter,
    RowPages,
    SortedRows,
)

__all__ = ["LOGS", "REFS", "Arrangement", "Kind", "Shape", "arrange"]

Row = TypeVar("Row", RefRow, LogRow)


@dataclass(frozen=True, slots=True)
class Shape:
    """What a user can set. `order` counts through the orders of the kind, 0 is by name."""

    scope: Scope = field(default_factory=WholeStack)
    row_filter: RowFilter | None = None
    order: int = 0
    backwards: bool = False
    deletions: bool = False

    @property
    def shows_deletions(self) -> bool:
        """Whether tombstones are rows: when asked for, and of a single table always."""
        return self.deletions or self.scope.shows_deletions


class Kind(ABC, Generic[Row]):
    """What refs and log entries differ in; keys are whatever `Row.key` is."""

    noun: ClassVar[str]
    orders: ClassVar[Sequence[Order[Any]]]

    @abstractmethod
    def of_view(self, view: StackView) -> PagedRows[Row, Any, Any]:
        """The rows of the whole stack, which the view itself has."""

    @abstractmethod
    def of_tables(
        self, merged: MergedTable, deletions: bool, positions: Mapping[str, int], row_filter: RowFilter | None
    ) -> PagedRows[Row, Any, Any]:
        """Rows of some tables, those that `row_filter` admits."""

    @abstractmethod
    def first_key(self, name: bytes) -> Any:  # noqa: ANN401 - the key of whichever kind
        """The key of the first row that a name can have."""


class _Refs(Kind[RefRow]):
    noun = "refs"
    orders = REF_ORDERS

    def of_view(self, view: StackView) -> PagedRows[RefRow, Any, Any]:
        return view.refs

    def of_tables(
        self, merged: MergedTable, deletions: bool, positions: Mapping[str, int], row_filter: RowFilter | None
    ) -> PagedRows[RefRow, Any, Any]:
        return RefRows(merged, deletions=deletions, positions=positions, row_filter=row_filter)

    def first_key(self, name: bytes) -> bytes:
        return name


class _Logs(Kind[LogRow]):
    noun = "reflog entries"
    orders = LOG_ORDERS

    def of_view(self, view: StackView) -> PagedRows[LogRow, Any, Any]:
        return view.logs

    def of_tables(
        self, merged: MergedTable, deletions: bool, positions: Mapping[str, int], row_filter: RowFilter | None
    ) -> PagedRows[LogRow, Any, Any]:
        return LogRows(merged, deletions=deletions, positions=positions, row_filter=row_filter)

    def first_key(self, name: bytes) -> tuple[bytes, int]:
        return name, U64_MAX


REFS = _Refs()
LOGS = _Logs()


@dataclass(frozen=True, slots=True)
class Arrangement(Generic[Row]):
    """The sources for one view and shape."""

    view: StackView
    shape: Shape
    merged: MergedTable
    natural: PagedRows[Row, Any, Any]
    base: PagedRows[Row, Any, Any]
    source: RowPages[Row, Any]

    @property
    def sources(self) -> list[RowPages[Row, Any]]:
        """All of them, the most urgent first."""
        return [self.source, self.base, self.natural]


def arrange(
    kind: Kind[Row], view: StackView, shape: Shape, before: Arrangement[Row] | None
) -> Arrangement[Row] | None:
    """The arrangement for a view and a shape; None when the scope's table has gone from the stack."""
    merged = shape.scope.resolve(view)
    if merged is None:
        return None
    if before is not None and before.view is not view:
        before = None
    natural = _natural(kind, view, merged, shape, before)
    if before is not None and before.natural is not natural:
        before = None
    base = _base(kind, natural, merged, shape, before)
    if before is not None and before.base is not base:
        before = None
    return Arrangement(view, shape, merged, natural, base, _ordered(kind, base, shape, before))


def _natural(
    kind: Kind[Row],
    view: StackView,
    merged: MergedTable,
    shape: Shape,
    before: Arrangement[Row] | None,
) -> PagedRows[Row, Any, Any]:
    if (
        before is not None
        and before.shape.scope == shape.scope
        and before.shape.shows_deletions == shape.shows_deletions
    ):
        return before.natural
    if merged is view.merged and not shape.shows_deletions:
        return kind.of_view(view)
    return kind.of_tables(merged, shape.shows_deletions, _positions(view), None)


def _base(
    kind: Kind[Row],
    natural: PagedRows[Row, Any, Any],
    merged: MergedTable,
    shape: Shape,
    before: Arrangement[Row] | None,
) -> PagedRows[Row, Any, Any]:
    if shape.row_filter is None:
        return natural
    if before is not None and before.shape.row_filter == shape.row_filter and not before.base.stopped:
        return before.base
    return kind.of_tables(merged, shape.shows_deletions, natural.positions, shape.row_filter)


def _ordered(
    kind: Kind[Row], base: PagedRows[Row, Any, Any], shape: Shape, before: Arrangement[Row] | None
) -> RowPages[Row, Any]:
    if not shape.order and not shape.backwards:
        return base
    if before is not None and isinstance(before.source, SortedRows) and before.source.complete:
        if before.shape == shape:
            return before.source
        if before.shape == replace(shape, backwards=not shape.backwards):
            return before.source.turned()
    return SortedRows(base, kind.orders[shape.order], backwards=shape.backwards)


def _positions(view: StackView) -> dict[str, int]:
    return {table.name: position for position, table in enumerate(view.tables)}

"""From what a user has set (scope, tombstones, filter, order) to the source whose rows are drawn.

An arrangement is made for one view of the stack. It stands on up to three sources, each on the one before:

    natural    every row of the scope, by name: for the count, and for jumping to a name
    base       those that the filter admits; the same one without a filter
    source     the same in the order that is wanted; what the list draws

Whatever the arrangement before can lend is taken over: a count is not counted again because the filter has
changed, and turning an order round sorts nothing. The functions here read nothing of the stack.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Generic, NamedTuple, TypeVar

from engine.format import U64_MAX
from engine.merge import MergedTable
from inspector.model.view import Scope, StackView, WholeStack, view_of
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


class RecordKind(NamedTuple, Generic[Row]):
    """What refs and reflog entries differ in; keys are whatever `Row.key` is."""

    noun: str
    orders: Sequence[Order[Any]]
    rows: Callable[..., PagedRows[Row, Any, Any]]
    """Makes the rows of a merged view."""
    of_view: Callable[[StackView], PagedRows[Row, Any, Any]]
    """The rows of the whole stack, which the view itself has."""
    first_key: Callable[[bytes], Any]
    """The key of the first row that a name can have."""
    texts: tuple[str, str]
    """What a filter looks at, in words: for a text, and for an expression."""
    ids: str
    """What it compares with an object id."""


REFS: Final[RecordKind[RefRow]] = RecordKind(
    "refs",
    REF_ORDERS,
    RefRows,
    lambda view: view.refs,
    lambda name: name,
    ("name or target", "name"),
    "value or peeled value",
)
LOGS: Final[RecordKind[LogRow]] = RecordKind(
    "reflog entries",
    LOG_ORDERS,
    LogRows,
    lambda view: view.logs,
    lambda name: (name, -U64_MAX),
    ("ref, committer, email or message",) * 2,
    "old or new id",
)


class Arrangement(NamedTuple, Generic[Row]):
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
    kind: RecordKind[Row], view: StackView, shape: Shape, before: Arrangement[Row] | None
) -> Arrangement[Row] | None:
    """The arrangement for a view and a shape; None when the scope's table has gone from the stack.

    Its view is that of the scope.
    """
    merged = shape.scope.resolve(view)
    if merged is None:
        return None
    view = view_of(shape.scope, view)
    if before is not None and before.view is not view:
        before = None
    deletions, row_filter = shape.shows_deletions, shape.row_filter
    if before and before.shape.scope == shape.scope and before.shape.shows_deletions == deletions:
        natural = before.natural
    elif merged is view.merged and not deletions:
        natural = kind.of_view(view)
    else:
        natural = kind.rows(merged, deletions=deletions, positions=view.positions)
    if before and before.natural is not natural:
        before = None
    if row_filter is None:
        base = natural
    elif before and before.shape.row_filter == row_filter and not before.base.stopped:
        base = before.base
    else:
        base = kind.rows(merged, deletions=deletions, positions=view.positions, row_filter=row_filter)
    if before and before.base is not base:
        before = None
    return Arrangement(view, shape, merged, natural, base, _ordered(kind, base, shape, before))


def _ordered(
    kind: RecordKind[Row], base: PagedRows[Row, Any, Any], shape: Shape, before: Arrangement[Row] | None
) -> RowPages[Row, Any]:
    if not shape.order and not shape.backwards:
        return base
    if before is not None and isinstance(before.source, SortedRows) and before.source.complete:
        if before.shape == shape:
            return before.source
        if before.shape == replace(shape, backwards=not shape.backwards):
            return before.source.turned()
    return SortedRows(base, kind.orders[shape.order], backwards=shape.backwards)

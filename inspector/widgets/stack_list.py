"""The tables of a stack as rows of a list, oldest first: position, name, size as a bar, update indices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from engine.table import Table
from inspector.rows import SequenceRows
from inspector.widgets.facts import file_size, short_table_name, update_range
from inspector.widgets.virtual_list import Cell, Column, VirtualList

__all__ = ["StackList", "StackRow", "bar"]

_EIGHTHS: Final = " ▏▎▍▌▋▊▉█"


class StackRow(NamedTuple):
    """A table and its position in the stack, from 0 for the oldest."""

    position: int
    table: Table


def bar(size: int, largest: int, width: int) -> str:
    """A bar of `width` cells for `largest`, in eighths of a cell; what is not empty has at least one."""
    eighths = size * width * 8 // largest if largest else 0
    if size > 0:
        eighths = max(1, eighths)
    full, rest = divmod(eighths, 8)
    return "█" * full + (_EIGHTHS[rest] if rest else "")


class StackList(VirtualList[StackRow]):
    """The list of tables."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__((), empty="no tables", id=id)

    def show_tables(self, tables: Sequence[Table]) -> None:
        """Show these tables; bars are relative to the largest of them."""
        rows = [StackRow(position, table) for position, table in enumerate(tables)]
        self.show(SequenceRows(rows), _columns(rows))


def _columns(rows: Sequence[StackRow]) -> list[Column[StackRow]]:
    largest = max((row.table.size for row in rows), default=0)
    ranges = [update_range(row.table.min_update_index, row.table.max_update_index) for row in rows]
    return [
        Column(
            "#",
            lambda row, _width: Cell(str(row.position), "muted"),
            width=max(len(str(len(rows) - 1)), 1),
            align="right",
        ),
        Column("table", lambda row, _width: Cell(short_table_name(row.table.name)), width=9, flex=2),
        Column("size", lambda row, _width: Cell(file_size(row.table.size)), width=7, align="right"),
        Column(
            "",
            lambda row, width: Cell(bar(row.table.size, largest, width), "accent"),
            width=4,
            flex=3,
            priority=1,
        ),
        Column(
            "updates",
            lambda row, _width: Cell(update_range(row.table.min_update_index, row.table.max_update_index)),
            width=max(len(text) for text in [*ranges, "updates"]),
            align="right",
            priority=2,
        ),
    ]

"""What the lists of refs and of reflog entries show of a row, column by column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Final, TypeVar

from engine.readable import in_doubt
from engine.table import Table
from inspector.rows import LogRow, RefRow
from inspector.text import log_time, short_id, shown, value_text
from inspector.tui.widgets.virtual_list import Cell, Column, Look

Row = TypeVar("Row")


MARKS: Final = ("v", "^")
"""Behind the title of the column that rows are sorted by: downwards, and backwards."""


def ref_columns(tables: Sequence[Table], counting: Sequence[Table]) -> list[Column[RefRow]]:
    """Name, value, update index and table of a ref, the last two as wide as `tables` ask for.

    A `?` behind the table means that a newer one, of those `counting`, may have lost a newer version.
    """
    among = set(counting)
    asked = [table if table in among else None for table in tables]
    return [
        Column("ref", lambda row, _width: Cell(shown(row.record.name)), width=24, flex=3),
        Column("value", _ref_value, width=10, flex=2),
        _index_column(tables),
        replace(_table_column(tables), cell=partial(_ref_table, asked)),
    ]


def log_columns(tables: Sequence[Table], counting: Sequence[Table]) -> list[Column[LogRow]]:  # noqa: ARG001
    """Ref, update index, new id, message, time, author and table of a reflog entry."""
    return [
        Column("ref", lambda row, _width: Cell(shown(row.record.name)), width=18, flex=2),
        _index_column(tables),
        Column("new", _log_new, width=7),
        Column(
            "message", lambda row, _width: Cell(shown(row.record.message.rstrip(b"\n"))), width=20, flex=5
        ),
        Column("time", lambda row, _width: Cell(log_time(row.record), "muted"), width=16, priority=5),
        Column(
            "who",
            lambda row, _width: Cell(shown(row.record.committer), "muted"),
            width=10,
            flex=1,
            priority=2,
        ),
        _table_column(tables),
    ]


def with_mark(columns: Sequence[Column[Row]], title: str, *, backwards: bool) -> list[Column[Row]]:
    """The columns, that of this title marked as the one which orders the rows."""
    return [
        replace(column, mark=MARKS[backwards], width=max(column.width, len(title) + 2))
        if column.title == title
        else column
        for column in columns
    ]


def _ref_value(row: RefRow, width: int) -> Cell:
    look: Look = (
        "warning" if row.record.is_deletion else "accent" if row.record.target is not None else "plain"
    )
    return Cell(value_text(row.record, width), look)


def _ref_table(asked: Sequence[Table | None], row: RefRow, _width: int) -> Cell:
    if in_doubt(asked, row.position, row.record.name):
        return Cell(f"#{row.position}?", "warning")
    return Cell(f"#{row.position}", "muted")


def _log_new(row: LogRow, _width: int) -> Cell:
    if row.record.is_deletion:
        return Cell("deleted", "warning")
    return Cell(short_id(row.record.new))


def _index_column(tables: Sequence[Table]) -> Column[RefRow | LogRow]:
    highest = max((table.max_update_index for table in tables), default=0)
    return Column(
        "index",
        lambda row, _width: Cell(str(row.record.update_index)),
        width=max(len(str(highest)), len("index")),
        align="right",
        priority=4,
    )


def _table_column(tables: Sequence[Table]) -> Column[RefRow | LogRow]:
    return Column(
        "table",
        lambda row, _width: Cell(f"#{row.position}", "muted"),
        width=max(len(str(len(tables))) + 2, len("table")),
        align="right",
        priority=3,
    )

"""What the list of the stack shows of a table, and of a file that is not listed, column by column.

Brackets are drawn as characters of rows below each other: `╭ │ ╰` around tables of one log2 segment,
`┏ ┃ ┗` around those that auto-compaction would merge. Tables and files have columns of their own, since they
have little in common.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from engine.merge import sizes_to_segments
from engine.stack import FileKind, UnlistedFile
from inspector.model import HealthMark, StackRow, StackView
from inspector.text import (
    age_text,
    bar,
    bracket,
    file_size,
    safe_name,
    short_table_name,
    update_range,
)
from inspector.tui.cells import shorten_middle
from inspector.tui.widgets.virtual_list import Cell, Column, Look

_MARK_LOOKS: Final[dict[HealthMark, Look]] = {
    HealthMark.UNCHECKED: "muted",
    HealthMark.SOUND: "plain",
    HealthMark.DOUBTFUL: "warning",
    HealthMark.DAMAGED: "error",
}


HEADING: Final = "not in tables.list"
"""The line above the files that are not in the list; it goes across all columns."""

ListedRow = StackRow | str | UnlistedFile
"""A table, the heading, or a file that is not in the list."""


def stack_columns(
    view: StackView, marks: Mapping[str, HealthMark], marked: Sequence[int], *, brackets: bool
) -> list[Column[StackRow]]:
    """Position, name, size, bar, update indices, health as far as it is known, and `brackets` of a table.

    `marks` is what is known of the health of tables by name, `marked` the positions marked by hand, in order.
    """
    tables = view.tables
    largest = max((table.size for table in tables), default=0)
    ranges = [len(update_range(table.min_update_index, table.max_update_index)) for table in tables]
    columns: list[Column[StackRow]] = [
        Column("#", partial(_position, marked), len(str(max(len(tables) - 1, 0))) + 1, align="right"),
        Column("table", lambda row, _: short_table_name(row.table.name), 9, flex=2),
        Column("size", lambda row, _: file_size(row.table.size), 7, align="right"),
        Column("", lambda row, width: Cell(bar(row.table.size, largest, width), "accent"), 3, 3, priority=1),
        Column("updates", _updates, max([*ranges, len("updates")]), align="right", priority=2),
    ]
    if any(mark is not HealthMark.UNCHECKED for mark in marks.values()):
        columns.append(Column("st", partial(_health, marks), 2, priority=4))
    segments: list[range] = []
    if view.options.policy == "log2":
        found = sizes_to_segments([table.policy_size for table in tables])
        segments = [segment.positions for segment in found if len(segment) > 1]
    if brackets and (segments or view.suggested):
        drawn = partial(_brackets, segments, view.suggested)
        columns.append(Column("seg" if segments else "auto", drawn, 3 if segments else 4, priority=3))
    return columns


def unlisted_columns(now: float) -> list[Column[UnlistedFile]]:
    """Kind, name, size, the process that has it open, and age of a file that is not in the list."""

    def age(file: UnlistedFile, _width: int) -> Cell:
        return Cell(f"{age_text(now - file.modified)} old", "muted")

    return [
        Column("", lambda file, _: Cell(_letter(file.kind), "warning"), 2, align="right"),
        Column("", _unlisted_name, 12, flex=1),
        Column("", lambda file, _: Cell(file_size(file.size), "muted"), 7, align="right", priority=1),
        Column("", _kind_or_holder, 12, priority=2),
        Column("", age, 8, align="right", priority=3),
    ]


def _position(marked: Sequence[int], row: StackRow, _width: int) -> Cell:
    if marked and marked[0] <= row.position <= marked[-1]:
        return Cell(f"{'*' if row.position in marked else '|'}{row.position}", "accent")
    return Cell(str(row.position), "muted")


def _updates(row: StackRow, _width: int) -> str:
    return update_range(row.table.min_update_index, row.table.max_update_index)


def _health(marks: Mapping[str, HealthMark], row: StackRow, _width: int) -> Cell:
    mark = marks.get(row.table.name, HealthMark.UNCHECKED)
    return Cell(mark.value, _MARK_LOOKS[mark])


def _brackets(segments: Sequence[range], suggested: range, row: StackRow, _width: int) -> Cell:
    text = " " if segments else ""
    for segment in segments:
        if row.position in segment:
            text = bracket(row.position, segment, "╭╭│╰")
    merged = bracket(row.position, suggested, "┏┏┃┗")
    return Cell(text + merged, "accent" if merged else "muted")


def _letter(kind: FileKind) -> str:
    if kind.is_lock:
        return "L"
    if kind is FileKind.TEMPORARY:
        return "t"
    return "~" if kind.is_table else "?"


def _unlisted_name(file: UnlistedFile, width: int) -> str:
    name = short_table_name(file.name) if file.kind.is_table else safe_name(file.name)
    return shorten_middle(name, width)


def _kind_or_holder(file: UnlistedFile, _width: int) -> Cell:
    if file.holder is None:
        return Cell(file.kind.value, "muted")
    return Cell(f"{file.holder.pid} {safe_name(file.holder.command)}", "warning")

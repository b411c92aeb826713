"""What the list of the stack shows of a table, and of a file beside the tables, column by column.

Brackets are drawn as characters of rows below each other: `╭ │ ╰` around tables of one log2 segment,
`┏ ┃ ┗` around those that auto-compaction would merge. Tables and files have columns of their own, since they
have little in common.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from engine.merge import Segment, sizes_to_segments, suggest_compaction_segment, suggest_geometric_segment
from engine.stack import FileKind, StackOptions, UnlistedFile
from engine.table import Table
from inspector.model import HealthMark
from inspector.text import age_text, file_size, safe_name, short_table_name, shorten_middle, update_range
from inspector.tui.widgets.virtual_list import Cell, Column, Look

_EIGHTHS: Final = " ▏▎▍▌▋▊▉█"

_MARK_LOOKS: Final[dict[HealthMark, Look]] = {
    HealthMark.UNCHECKED: "muted",
    HealthMark.SOUND: "plain",
    HealthMark.DOUBTFUL: "warning",
    HealthMark.DAMAGED: "error",
}


class StackRow(NamedTuple):
    """A table and its position in the stack, from 0 for the oldest."""

    position: int
    table: Table


class HeadingRow(NamedTuple):
    """The line above the files that are not in the list; the list writes it across all columns."""

    text: str


class UnlistedRow(NamedTuple):
    """A file that is not in the list."""

    file: UnlistedFile


ListedRow = StackRow | HeadingRow | UnlistedRow


class Geometry(NamedTuple):
    """How the policy of a stack sees its tables: log2 segments (by that policy only), what it would merge."""

    segments: tuple[Segment, ...]
    suggestion: Segment

    def segment_at(self, position: int) -> Segment | None:
        """The segment of more than one table that this table belongs to."""
        for segment in self.segments:
            if segment.start <= position < segment.end:
                return segment
        return None


def geometry(tables: Sequence[Table], options: StackOptions) -> Geometry:
    """The segments of more than one table, and the range that the stack's own policy would merge."""
    sizes = [table.policy_size for table in tables]
    if options.policy == "geometric":
        return Geometry((), suggest_geometric_segment(sizes, options.factor))
    segments = tuple(segment for segment in sizes_to_segments(sizes) if len(segment) > 1)
    return Geometry(segments, suggest_compaction_segment(sizes))


@dataclass(frozen=True, slots=True)
class StackShape:
    """All that columns have to know of a stack besides the row that they show.

    `marks` is what is known of the health of tables by name, `marked` the range marked by hand (empty for
    none), `ends` the positions in it that are marked themselves.
    """

    tables: Sequence[Table]
    geometry: Geometry
    marks: Mapping[str, HealthMark]
    marked: range
    ends: frozenset[int]


def bar(size: int, largest: int, width: int) -> str:
    """A bar of `width` cells for `largest`, in eighths of a cell; what is not empty has at least one."""
    eighths = size * width * 8 // largest if largest else 0
    if size > 0:
        eighths = max(1, eighths)
    full, rest = divmod(eighths, 8)
    return "█" * full + (_EIGHTHS[rest] if rest else "")


def bracket(position: int, among: range, glyphs: str = "╴┐│┘") -> str:
    """What a bracket around the positions `among` shows in the row of one; nothing outside.

    `glyphs` are for a bracket of one row, and for the first, a middle and the last row of a longer one.
    """
    if position not in among:
        return ""
    if position == among.start:
        return glyphs[len(among) > 1]
    return glyphs[3] if position == among[-1] else glyphs[2]


def stack_columns(shape: StackShape) -> list[Column[StackRow]]:
    """Position, name, size, bar, update indices, health as far as it is known, and brackets of a table."""
    tables = shape.tables
    largest = max((table.size for table in tables), default=0)
    ranges = [len(update_range(table.min_update_index, table.max_update_index)) for table in tables]
    columns: list[Column[StackRow]] = [
        Column(
            "#",
            lambda row, _width: _position(row, shape),
            width=len(str(max(len(tables) - 1, 0))) + 1,
            align="right",
        ),
        Column("table", lambda row, _width: Cell(short_table_name(row.table.name)), width=9, flex=2),
        Column("size", lambda row, _width: Cell(file_size(row.table.size)), width=7, align="right"),
        Column(
            "",
            lambda row, width: Cell(bar(row.table.size, largest, width), "accent"),
            width=3,
            flex=3,
            priority=1,
        ),
        Column(
            "updates",
            lambda row, _width: Cell(update_range(row.table.min_update_index, row.table.max_update_index)),
            width=max([*ranges, len("updates")]),
            align="right",
            priority=2,
        ),
    ]
    if any(mark is not HealthMark.UNCHECKED for mark in shape.marks.values()):
        columns.append(Column("st", lambda row, _width: _health(row, shape.marks), width=2, priority=4))
    if shape.geometry.segments or len(shape.geometry.suggestion):
        title = "seg" if shape.geometry.segments else "auto"
        columns.append(
            Column(title, lambda row, _width: _brackets(row, shape.geometry), width=len(title), priority=3),
        )
    return columns


def unlisted_columns(now: float) -> list[Column[UnlistedRow]]:
    """Kind, name, size, the process that has it open, and age of a file that is not in the list."""
    return [
        Column("", lambda row, _width: Cell(_letter(row.file.kind), "warning"), width=2, align="right"),
        Column("", lambda row, width: Cell(_beside_name(row.file, width)), width=12, flex=1),
        Column(
            "",
            lambda row, _width: Cell(file_size(row.file.size), "muted"),
            width=7,
            align="right",
            priority=1,
        ),
        Column("", lambda row, _width: _kind_or_holder(row.file), width=12, priority=2),
        Column(
            "",
            lambda row, _width: Cell(f"{age_text(now - row.file.modified)} old", "muted"),
            width=8,
            align="right",
            priority=3,
        ),
    ]


def _position(row: StackRow, shape: StackShape) -> Cell:
    if row.position in shape.marked:
        return Cell(f"{'*' if row.position in shape.ends else '|'}{row.position}", "accent")
    return Cell(str(row.position), "muted")


def _health(row: StackRow, marks: Mapping[str, HealthMark]) -> Cell:
    mark = marks.get(row.table.name, HealthMark.UNCHECKED)
    return Cell(mark.value, _MARK_LOOKS[mark])


def _brackets(row: StackRow, shape: Geometry) -> Cell:
    segment, suggestion = shape.segment_at(row.position), shape.suggestion
    text = " " if shape.segments else ""
    if segment is not None:
        text = bracket(row.position, range(segment.start, segment.end), "╭╭│╰")
    merged = bracket(row.position, range(suggestion.start, suggestion.end), "┏┏┃┗")
    return Cell(text + merged, "accent" if merged else "muted")


def _letter(kind: FileKind) -> str:
    if kind.is_lock:
        return "L"
    if kind is FileKind.TEMPORARY:
        return "t"
    return "~" if kind.is_table else "?"


def _beside_name(file: UnlistedFile, width: int) -> str:
    if file.kind.is_table:
        return shorten_middle(short_table_name(file.name), width)
    return shorten_middle(safe_name(file.name), width)


def _kind_or_holder(file: UnlistedFile) -> Cell:
    if file.holder is None:
        return Cell(file.kind.value, "muted")
    return Cell(f"{file.holder.pid} {safe_name(file.holder.command)}", "warning")

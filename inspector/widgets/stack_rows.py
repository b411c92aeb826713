"""What the list of the stack shows of a table, and of a file beside the tables, column by column.

Brackets are drawn as characters of rows below each other: `╭ │ ╰` around tables of one log2 segment,
`┏ ┃ ┗` around those that auto-compaction would merge.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from engine.clean import FileKind
from engine.compaction import (
    Segment,
    sizes_to_segments,
    suggest_compaction_segment,
    suggest_geometric_segment,
)
from engine.holders import Holder
from engine.neighbours import Neighbour
from engine.options import StackOptions
from engine.table import Table
from inspector.health import HealthMark
from inspector.safe_text import safe_name
from inspector.widgets.facts import age_text, file_size, short_table_name, shorten_middle, update_range
from inspector.widgets.virtual_list import Cell, Column, Look

__all__ = [
    "Geometry",
    "HeadingRow",
    "NeighbourRow",
    "StackRow",
    "StackShape",
    "bar",
    "geometry",
    "neighbour_facts",
    "stack_columns",
]

_EIGHTHS: Final = " ▏▎▍▌▋▊▉█"

KIND_LETTERS: Final = {
    FileKind.ORPHAN: "~",
    FileKind.TEMPORARY: "t",
    FileKind.LOCK: "L",
    FileKind.OTHER: "?",
}
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


class NeighbourRow(NamedTuple):
    """A file that is not in the list."""

    neighbour: Neighbour


ListedRow = StackRow | HeadingRow | NeighbourRow


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

    `marked` is the range marked by hand (half-open, empty for none), `marks` what is known of the health
    of tables by name, `now` the time that ages count to, in seconds since 1970.
    """

    tables: Sequence[Table]
    geometry: Geometry
    marks: Mapping[str, HealthMark]
    marked: range
    ends: frozenset[int]
    now: float
    beside: Sequence[Neighbour]


def bar(size: int, largest: int, width: int) -> str:
    """A bar of `width` cells for `largest`, in eighths of a cell; what is not empty has at least one."""
    eighths = size * width * 8 // largest if largest else 0
    if size > 0:
        eighths = max(1, eighths)
    full, rest = divmod(eighths, 8)
    return "█" * full + (_EIGHTHS[rest] if rest else "")


def neighbour_facts(neighbour: Neighbour, now: float) -> list[tuple[str, str]]:
    """What is known of a file that is not in the list, as names and texts fit for a terminal."""
    age = age_text(max(0.0, now - neighbour.modified))
    cleaned = "would be removed" if neighbour.removable else "would be left"
    facts = [
        ("file", safe_name(neighbour.name)),
        ("kind", neighbour.kind.value),
        ("size", f"{neighbour.size:,} bytes"),
        ("changed", f"{age} ago"),
        ("why", safe_name(neighbour.reason)),
        ("clean", cleaned),
    ]
    if neighbour.holding:
        facts.append(("holder", safe_name(neighbour.holding)))
    return facts


def stack_columns(shape: StackShape) -> list[Column[ListedRow]]:
    """Position, name, size, bar, update indices, health, and the brackets of segments and suggestion."""
    tables = shape.tables
    largest = max((table.size for table in tables), default=0)
    ranges = [len(update_range(table.min_update_index, table.max_update_index)) for table in tables]
    named = [file for file in shape.beside if file.kind is not FileKind.ORPHAN]
    held = [min(12, len(_held_by(file.holder))) for file in shape.beside if file.holder is not None]
    columns: list[Column[ListedRow]] = [
        Column(
            "#",
            lambda row, _width: _position(row, shape),
            width=len(str(max(len(tables) - 1, 0))) + 1,
            align="right",
        ),
        Column("table", _name, width=max([9, *(min(16, len(file.name)) for file in named)]), flex=2),
        Column("size", _size, width=7, align="right"),
        Column("", lambda row, width: _bar(row, largest, width), width=max([4, *held]), flex=3, priority=2),
        Column(
            "updates",
            lambda row, _width: _updates(row, shape.now),
            width=max([*ranges, len("updates"), len("4000d old") if shape.beside else 0]),
            align="right",
            priority=3,
        ),
        Column("st", lambda row, _width: _health(row, shape.marks), width=2, priority=5),
    ]
    if shape.geometry.segments:
        columns.append(
            Column("seg", lambda row, _width: _segment(row, shape.geometry), width=3, priority=1),
        )
    if len(shape.geometry.suggestion):
        columns.append(
            Column("auto", lambda row, _width: _suggested(row, shape.geometry), width=4, priority=4),
        )
    return columns


def _position(row: ListedRow, shape: StackShape) -> Cell:
    match row:
        case StackRow(position, _):
            if position in shape.marked:
                return Cell(f"{'*' if position in shape.ends else '|'}{position}", "accent")
            return Cell(str(position), "muted")
        case NeighbourRow(neighbour):
            return Cell(KIND_LETTERS[neighbour.kind], "warning")
        case HeadingRow():
            return Cell("")


def _name(row: ListedRow, width: int) -> Cell:
    match row:
        case StackRow(_, table):
            return Cell(short_table_name(table.name))
        case HeadingRow():
            return Cell("")
        case NeighbourRow(neighbour):
            if neighbour.kind is FileKind.ORPHAN:
                return Cell(shorten_middle(short_table_name(neighbour.name), width), "muted")
            return Cell(shorten_middle(safe_name(neighbour.name), width), "muted")


def _size(row: ListedRow, _width: int) -> Cell:
    match row:
        case StackRow(_, table):
            return Cell(file_size(table.size))
        case NeighbourRow(neighbour):
            return Cell(file_size(neighbour.size), "muted")
        case HeadingRow():
            return Cell("")


def _bar(row: ListedRow, largest: int, width: int) -> Cell:
    match row:
        case StackRow(_, table):
            return Cell(bar(table.size, largest, width), "accent")
        case NeighbourRow(neighbour):
            if neighbour.holder is not None:
                return Cell(_held_by(neighbour.holder), "warning")
            return Cell(neighbour.kind.value, "muted")
        case HeadingRow():
            return Cell("")


def _held_by(holder: Holder) -> str:
    return f"{holder.pid} {safe_name(holder.command)}"


def _updates(row: ListedRow, now: float) -> Cell:
    match row:
        case StackRow(_, table):
            return Cell(update_range(table.min_update_index, table.max_update_index))
        case NeighbourRow(neighbour):
            return Cell(f"{age_text(now - neighbour.modified)} old", "muted")
        case HeadingRow():
            return Cell("")


def _health(row: ListedRow, marks: Mapping[str, HealthMark]) -> Cell:
    if not isinstance(row, StackRow):
        return Cell("")
    mark = marks.get(row.table.name, HealthMark.UNCHECKED)
    return Cell(mark.value, _MARK_LOOKS[mark])


def _segment(row: ListedRow, shape: Geometry) -> Cell:
    segment = shape.segment_at(row.position) if isinstance(row, StackRow) else None
    if segment is None or not isinstance(row, StackRow):
        return Cell("")
    return Cell(_bracket(row.position, segment, "╭│╰"), "muted")


def _suggested(row: ListedRow, shape: Geometry) -> Cell:
    if not isinstance(row, StackRow) or not shape.suggestion.start <= row.position < shape.suggestion.end:
        return Cell("")
    return Cell(_bracket(row.position, shape.suggestion, "┏┃┗"), "accent")


def _bracket(position: int, segment: Segment, characters: str) -> str:
    """The character of `characters` (top, middle, bottom) that stands in row `position` of a bracket."""
    if position == segment.start:
        return characters[0]
    return characters[2] if position == segment.end - 1 else characters[1]

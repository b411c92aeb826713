"""The left pane: the tables of the stack, oldest at the top, and below them the files that no list names.

One list holds both, so that one cursor goes through everything in the directory. The pane is shown a
view, the files beside its tables, and what is known of the health of its tables; each time, the
cursor, the scroll offset and the marks stay with the tables they were on.

What a row looks like is in `stack_rows.py`. Nothing here reads the stack.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from rich.segment import Segment as Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.strip import Strip

from engine.stack import FileKind, UnlistedFile
from engine.table import Table
from inspector.model import HealthMark, StackView
from inspector.rows import SequenceRows
from inspector.tui.widgets.stack_rows import (
    Geometry,
    HeadingRow,
    ListedRow,
    StackRow,
    StackShape,
    UnlistedRow,
    geometry,
    stack_columns,
    unlisted_columns,
)
from inspector.tui.widgets.virtual_list import (
    MARK_WIDTH,
    Column,
    ListPane,
    VirtualList,
    fit_columns,
    fit_text,
)

_NOT_LISTED: Final = "not in tables.list"
_TITLE: Final = "Stack, oldest first"


class _Listing(VirtualList[Any]):
    """Tables, a heading that the cursor passes over, and the files that are not listed."""

    def __init__(self) -> None:
        super().__init__((), empty="no tables", id="tables")
        self._heading = -1
        self._beside: Sequence[Column[UnlistedRow]] = ()

    def show_rows(
        self,
        rows: Sequence[ListedRow],
        columns: Sequence[Column[StackRow]],
        beside: Sequence[Column[UnlistedRow]],
        *,
        cursor: int,
    ) -> None:
        """Draw these rows, files in columns of their own, with the cursor on one as far down as it is now."""
        self._beside = beside
        self._heading = next((at for at, row in enumerate(rows) if isinstance(row, HeadingRow)), -1)
        self.show(SequenceRows(rows), columns, cursor=cursor, above=self.above)

    def validate_cursor(self, cursor: int) -> int:
        """Keep the cursor on a row, and off the heading: it goes on in the direction it came from."""
        row = super().validate_cursor(cursor)
        if row != self._heading:
            return row
        return row - 1 if row < self.cursor and row else row + 1

    def _line(self, columns: list[tuple[Column[Any], int]], row: ListedRow, *, cursor: bool) -> Strip:
        if isinstance(row, UnlistedRow):
            columns = fit_columns(self._beside, self._fitted_width - MARK_WIDTH)
        return super()._line(columns, row, cursor=cursor)

    def render_line(self, y: int) -> Strip:
        """Line `y` of the screen; the heading goes across all columns."""
        if y + self.scroll_offset.y != self._heading:
            return super().render_line(y)
        style = self.get_component_rich_style("virtual-list--title")
        text = fit_text(f"  {_NOT_LISTED}", self.scrollable_content_region.width)
        return Strip([Text(text, style)])


class StackPane(Vertical):
    """The stack and what lies beside it."""

    HELP: ClassVar[str] = """\
The stack: every line is one table, a file that is never changed once it is written. Each change of \
refs adds a table at the bottom; where two tables hold the same ref, the lower one wins. Bars are \
file sizes. "updates" are the update indexes that a table covers: each transaction has one, and they grow \
by one.

So that the stack does not grow with every transaction, adjacent tables are merged (compaction). \
┏ ┃ ┗ on the right are the tables that auto-compaction would merge now, by the rule that this stack is kept \
with; it is BLOCKED while one of them is damaged. Under the log2 rule, ╭ │ ╰ before them are segments: \
adjacent tables whose sizes lie between the same two powers of two. The Compaction tab shows the rules step \
by step.

"st" is what is known of a table's health, once something is (the Health tab checks it): . nothing yet, \
ok, ! doubtful, X damaged.

Below, "not in tables.list": files in the directory that are not part of the stack, with age and with the \
process that has them open, where the system tells. ~ is a table without a place in the list (an orphan), \
t a temporary file, L a lock, ? anything else. Clean (x) says which of them can go. u on a lock shows \
a plan that removes just this one, if it was left behind; a young or held one stays unless you insist.

enter shows the refs of one table alone. space marks tables for a compaction by hand: the range goes from \
the first to the last one marked (*), with all between them (|). escape takes the marks away."""

    DEFAULT_CSS = """
    StackPane > ListPane { height: 1fr; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Only this table"),
        Binding("space", "mark", "Mark", key_display="space"),
        Binding("u", "unlock", "Unlock…"),
        Binding("escape", "unmark", "Take marks away", show=False),
    ]

    @dataclass
    class TableChosen(Message):
        """The cursor is on another table (or the same one at another position)."""

        table: Table
        position: int

    class TableOpened(TableChosen):
        """The user wants to see this table alone."""

    @dataclass
    class UnlistedChosen(Message):
        """The cursor is on another file that is not in the list."""

        file: UnlistedFile

    @dataclass
    class UnlockWanted(Message):
        """The user wants to see whether the lock of this name can be removed."""

        name: str

    def __init__(self, clock: Callable[[], float], *, id: str | None = None, classes: str = "") -> None:  # noqa: A002
        """`clock` tells the time that ages count to, in seconds since 1970."""
        super().__init__(id=id, classes=classes or None)
        self._clock = clock
        self._list = _Listing()
        self._tables: tuple[Table, ...] = ()
        self._beside: tuple[UnlistedFile, ...] = ()
        self._marks: Mapping[str, HealthMark] = {}
        self._geometry: Geometry | None = None
        self._marked: set[str] = set()
        self._told: tuple[str, int] | None = None
        self.border_title = _TITLE

    def compose(self) -> ComposeResult:
        """The list under its titles."""
        yield ListPane(self._list)

    def show(self, view: StackView, beside: Sequence[UnlistedFile], marks: Mapping[str, HealthMark]) -> None:
        """Show the tables of `view`, the files beside them, and the health of tables by name."""
        if view.tables is not self._tables or self._geometry is None:
            self._tables = view.tables
            self._geometry = geometry(view.tables, view.options)
            self._marked.intersection_update(table.name for table in view.tables)
        self._beside = tuple(sorted(beside, key=_order))
        self._marks = marks
        self._draw()

    @property
    def current(self) -> StackRow | UnlistedRow | None:
        """What the cursor is on."""
        row = self._list.current
        return None if isinstance(row, HeadingRow) else row

    @property
    def marked(self) -> range:
        """The positions marked by hand, with all between them; empty when none is."""
        positions = [at for at, table in enumerate(self._tables) if table.name in self._marked]
        return range(positions[0], positions[-1] + 1) if positions else range(0)

    @property
    def suggested(self) -> range:
        """The positions that auto-compaction would merge; empty for none."""
        if self._geometry is None:
            return range(0)
        return range(self._geometry.suggestion.start, self._geometry.suggestion.end)

    def choose(self, position: int) -> None:
        """Move the cursor to the table at this position."""
        self._list.cursor = position

    def _draw(self) -> None:
        if self._geometry is None:
            return
        key = _key(self.current)
        rows: list[ListedRow] = [StackRow(at, table) for at, table in enumerate(self._tables)]
        if self._beside:
            rows.append(HeadingRow(_NOT_LISTED))
            rows += [UnlistedRow(file) for file in self._beside]
        shape = StackShape(
            self._tables,
            self._geometry,
            self._marks,
            self.marked,
            frozenset(at for at, table in enumerate(self._tables) if table.name in self._marked),
        )
        found = next((at for at, row in enumerate(rows) if key is not None and _key(row) == key), None)
        cursor = self._list.cursor if found is None else found
        self._list.show_rows(rows, stack_columns(shape), unlisted_columns(self._clock()), cursor=cursor)
        self._retitle()
        self.refresh_bindings()

    def on_resize(self) -> None:
        """Without a lower border, what stands in it goes to the upper one."""
        self._retitle()

    def _retitle(self) -> None:
        parts = []
        if marked := self.marked:
            parts.append(f"marked {_positions(marked)}")
        if suggested := self.suggested:
            marks = {self._marks.get(table.name) for table in self._tables[suggested.start : suggested.stop]}
            where = _positions(suggested)
            blocked = HealthMark.DAMAGED in marks
            parts.append(
                f"auto-compaction of {where} is BLOCKED"
                if blocked
                else f"auto-compaction would merge {where}"
            )
        subtitle = " · ".join(parts)
        has_lower_border = bool(self.styles.border_bottom[0])
        self.border_subtitle = subtitle if has_lower_border else ""
        self.border_title = _TITLE if has_lower_border or not subtitle else f"{_TITLE} · {subtitle}"

    @on(VirtualList.Highlighted)
    def _cursor_moved(self, event: VirtualList.Highlighted) -> None:
        event.stop()
        self.refresh_bindings()
        match self.current:
            case StackRow(position, table) if (table.name, position) != self._told:
                self._told = table.name, position
                self.post_message(self.TableChosen(table, position))
            case UnlistedRow(file) if (file.name, -1) != self._told:
                self._told = file.name, -1
                self.post_message(self.UnlistedChosen(file))

    @on(VirtualList.Opened)
    def _row_opened(self, event: VirtualList.Opened) -> None:
        event.stop()
        self.action_open()

    def action_open(self) -> None:
        """Ask for the table under the cursor alone."""
        if isinstance(row := self.current, StackRow):
            self.post_message(self.TableOpened(row.table, row.position))
        elif row is not None:
            self.notify("That file is no table of the stack.", markup=False)

    def action_mark(self) -> None:
        """Mark the table under the cursor, or take its mark away, and go on to the next."""
        if isinstance(row := self.current, StackRow):
            self._marked ^= {row.table.name}
            self._draw()
            self.choose(min(row.position + 1, len(self._tables) - 1))

    def action_unmark(self) -> None:
        """Take all marks away."""
        self._marked.clear()
        self._draw()

    def action_unlock(self) -> None:
        """Ask for a plan that removes the lock, if no process holds it."""
        if isinstance(row := self.current, UnlistedRow):
            self.post_message(self.UnlockWanted(row.file.name))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """`escape` means something else while nothing is marked; only locks can be removed."""
        match action:
            case "unmark":
                return bool(self._marked)
            case "unlock":
                row = self.current
                return isinstance(row, UnlistedRow) and row.file.kind.is_lock
            case _:
                return True


def _key(row: ListedRow | None) -> tuple[str, str] | None:
    match row:
        case StackRow(_, table):
            return "table", table.name
        case UnlistedRow(file):
            return "beside", file.name
        case _:
            return None


def _order(file: UnlistedFile) -> tuple[bool, bool, bool, str]:
    """What is in the way of work comes first: locks, temporary files, tables, everything else."""
    kind = file.kind
    return not kind.is_lock, kind is not FileKind.TEMPORARY, not kind.is_table, file.name


def _positions(marked: range) -> str:
    return f"#{marked.start}" if len(marked) == 1 else f"#{marked.start}..#{marked.stop - 1}"

"""The left pane: the tables of the stack, oldest at the top, and below them the files that are not listed.

One list holds both, so that one cursor goes through everything in the directory. Whatever the pane is given
to show, the cursor, the scroll offset and the marks stay with the files they were on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from rich.segment import Segment
from textual import on
from textual.events import Resize
from textual.message import Message
from textual.strip import Strip

from engine.stack import FileKind, UnlistedFile
from inspector.model import HealthMark, StackView
from inspector.rows import SequenceRows
from inspector.tui.keys import bindings
from inspector.tui.navigation import Follow
from inspector.tui.widgets.even_lines import EvenLines
from inspector.tui.widgets.stack_rows import HEADING, ListedRow, StackRow, stack_columns, unlisted_columns
from inspector.tui.widgets.virtual_list import (
    MARK_WIDTH,
    Column,
    ListPane,
    VirtualList,
    fit_columns,
    fit_text,
)

_TITLE: Final = "Stack, oldest first"


class _Listing(VirtualList[Any]):
    """Tables, a heading that the cursor passes over, and the files that are not listed."""

    heading = -1
    """The row of the heading."""
    unlisted_columns: Sequence[Column[UnlistedFile]] = ()

    def validate_cursor(self, cursor: int) -> int:
        """Keep the cursor on a row, and off the heading: it goes on in the direction it came from."""
        row = super().validate_cursor(cursor)
        if row != self.heading:
            return row
        return row - 1 if row < self.cursor and row else row + 1

    def _line(self, columns: list[tuple[Column[Any], int]], row: ListedRow, *, cursor: bool) -> Strip:
        if isinstance(row, str):  # the heading goes across all columns
            style = self.get_component_rich_style("virtual-list--title")
            return Strip([Segment(fit_text(" " * MARK_WIDTH + row, self._fitted_width), style)])
        if isinstance(row, UnlistedFile):
            columns = fit_columns(self.unlisted_columns, self._fitted_width - MARK_WIDTH)
        return super()._line(columns, row, cursor=cursor)


class StackPane(ListPane[Any], EvenLines):
    """The tables of the stack, and the files that are not listed."""

    BLANK = False  # it has a border

    HELP = """\
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
t a temporary file, L a lock, ? anything else. Clean (w, then x) says which of them can go. u on a lock \
shows a plan that removes just this one, if it was left behind; a young or held one stays unless you insist.

enter shows the refs of one table alone, also of one that the list does not name; of a lock, the plan that \
removes it. l lists all that a row leads to. space marks tables for a compaction by hand: the range goes \
from the first to the last one marked (*), with all between them (|). escape takes the marks away."""

    BINDINGS = bindings("stack")

    class Chosen(Message):
        """The cursor is on another row: `current` is another one, or a table at another position."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock` tells the time that ages count to, in seconds since 1970."""
        self._list = _Listing((), empty="no tables", id="tables")
        super().__init__(self._list, id="stack-pane")
        self.add_class("pane", update=False)
        self._clock = clock
        self._view: StackView | None = None
        self._unlisted: list[UnlistedFile] = []
        self._marks: Mapping[str, HealthMark] = {}
        self._marked: set[str] = set()
        self._chosen: tuple[str, int] | None = None
        self._hides = False
        self.border_title = _TITLE

    def show(
        self, view: StackView, unlisted: Sequence[UnlistedFile], marks: Mapping[str, HealthMark]
    ) -> None:
        """Show the tables of `view`, the files beside them, and the health of tables by name."""
        self._view = view
        self._marked &= view.positions.keys()
        self._unlisted = sorted(unlisted, key=_order)
        self._marks = marks
        self._draw()

    def hide_suggestion(self, hides: bool) -> None:
        """Do not tell what compaction would merge, while the user is to find it out beside."""
        if hides is not self._hides:
            self._hides = hides
            self._draw()

    @property
    def current(self) -> StackRow | UnlistedFile | None:
        """What the cursor is on."""
        row = self._list.current
        return None if isinstance(row, str) else row

    @property
    def marked(self) -> range:
        """The positions marked by hand, with all between them; empty when none is."""
        positions = self._marked_positions()
        return range(positions[0], positions[-1] + 1) if positions else range(0)

    def _marked_positions(self) -> list[int]:
        return sorted(self._view.positions[name] for name in self._marked) if self._view is not None else []

    def choose(self, position: int) -> None:
        """Move the cursor to the table at this position."""
        self._list.cursor = position

    @property
    def current_name(self) -> str:
        """The name of the file under the cursor; empty for none."""
        return _name(self._list.current)

    def choose_file(self, name: str) -> None:
        """Move the cursor to the file of this name; it stays if that is not shown."""
        rows = (self._list.source.row(number) for number in range(self._list.source.count))
        self._list.cursor = next((at for at, row in enumerate(rows) if _name(row) == name), self._list.cursor)

    def _draw(self) -> None:
        view, listing = self._view, self._list
        if view is None:
            return
        rows: list[ListedRow] = [StackRow(at, table) for at, table in enumerate(view.tables)]
        if self._unlisted:
            rows += [HEADING, *self._unlisted]
        name = _name(listing.current)
        cursor = next((at for at, row in enumerate(rows) if name and _name(row) == name), listing.cursor)
        listing.heading = len(view.tables) if self._unlisted else -1
        listing.unlisted_columns = unlisted_columns(self._clock())
        columns = stack_columns(view, self._marks, self._marked_positions(), brackets=not self._hides)
        listing.show(SequenceRows(rows), columns, cursor=cursor, above=listing.above)
        self._retitle()
        self.refresh_bindings()

    @on(Resize)
    def _retitle(self) -> None:
        """Name the ranges in the lower border; without one, in the upper one."""
        parts = [f"marked {_positions(marked)}"] if (marked := self.marked) else []
        suggested = self._view.suggested if self._view is not None and not self._hides else range(0)
        if self._view is not None and suggested:
            tables = self._view.tables[suggested.start : suggested.stop]
            blocked = any(self._marks.get(table.name) is HealthMark.DAMAGED for table in tables)
            where = _positions(suggested)
            what = f"of {where} is BLOCKED" if blocked else f"would merge {where}"
            parts.append(f"auto-compaction {what}")
        has_lower_border = bool(self.styles.border_bottom[0])
        self.border_subtitle = " · ".join(parts) if has_lower_border else ""
        self.border_title = _TITLE if has_lower_border else " · ".join([_TITLE, *parts])

    @on(VirtualList.Highlighted)
    def _cursor_moved(self, event: VirtualList.Highlighted) -> None:
        event.stop()
        self.refresh_bindings()
        row = self.current
        chosen = (_name(row), row.position if isinstance(row, StackRow) else -1)
        if row is not None and chosen != self._chosen:
            self._chosen = chosen
            self.post_message(self.Chosen())

    @on(VirtualList.Opened)
    def action_open(self) -> None:
        """Go where the file under the cursor leads."""
        self.post_message(Follow())

    def action_mark(self) -> None:
        """Mark the table under the cursor, or take its mark away, and go on to the next."""
        if isinstance(row := self.current, StackRow) and self._view is not None:
            self._marked ^= {row.table.name}
            self._draw()
            self.choose(min(row.position + 1, len(self._view.tables) - 1))

    def action_unmark(self) -> None:
        """Take all marks away."""
        self._marked.clear()
        self._draw()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """`escape` means something else while nothing is marked."""
        return bool(self._marked) if action == "unmark" else True


def _name(row: ListedRow | None) -> str:
    """The name of the file; none for the heading."""
    if isinstance(row, StackRow):
        return row.table.name
    return row.name if isinstance(row, UnlistedFile) else ""


def _order(file: UnlistedFile) -> tuple[bool, bool, bool, str]:
    """What is in the way of work comes first: locks, temporary files, tables, everything else."""
    kind = file.kind
    return not kind.is_lock, kind is not FileKind.TEMPORARY, not kind.is_table, file.name


def _positions(tables: range) -> str:
    return f"#{tables.start}" if len(tables) == 1 else f"#{tables.start}..#{tables[-1]}"

"""A list of any length with a cursor, of which only the lines on screen are ever made.

`VirtualList` draws rows of a `RowSource` in columns and knows nothing of what they are: a `Column` makes
a cell of a row. A row that is not at hand is drawn as a placeholder and wanted from then on; the
list posts `RowsWanted` to have it read, and is told by `source_changed` when rows have come
or the count has grown. A line is made once and kept (MAX_LINES of them) as long as source,
width, cursor and focus stay: rows of one source never change.

Columns are given widths here, once for the titles and all lines: those of least priority are left out until
the rest fits, what is left over goes to the flexible ones. Widths are counted in terminal cells; a text that
is too wide ends in an ellipsis. Texts come from `safe_text` or from this program, never as markup.

`ListPane` puts the column titles above a list.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Generic, Literal, NamedTuple, TypeVar, get_args

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.cache import LRUCache
from textual.containers import Vertical
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import var
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from inspector.rows import RowSource, SequenceRows
from inspector.tui.keys import bindings
from inspector.tui.widgets.state_message import StateMessage, TellsState

MAX_LINES: Final = 1000
PLACEHOLDER: Final = "…"
MARK_WIDTH: Final = 2
"""Cells left of the columns: the cursor's mark, for terminals without colour, and a space."""

Row = TypeVar("Row")
Row_contra = TypeVar("Row_contra", contravariant=True)

Look = Literal["plain", "muted", "accent", "warning", "error"]


class Cell(NamedTuple):
    """What a column shows of a row: text on one line, and how it looks. A plain one may be just the text.

    A drawing has `ruled`: from this character on it is muted, and the cursor's colours leave all of it alone.
    """

    text: str
    look: Look = "plain"
    ruled: int | None = None


class Column(NamedTuple, Generic[Row_contra]):
    """One column: `cell` makes a cell of a row and the column's width in terminal cells.

    `width` is the least width; `flex` the share of what is left over (0: fixed). When the list
    is too narrow for all columns, the one of the least `priority` goes first. `mark` comes behind the title.
    `heading` makes what stands there instead of the title, for the column's width.
    """

    title: str
    cell: Callable[[Row_contra, int], Cell | str]
    width: int
    flex: int = 0
    align: Literal["left", "right"] = "left"
    priority: int = 9
    mark: str = ""
    heading: Callable[[int], str] | None = None

    def heading_at(self, width: int) -> str:
        """What stands above the column at this width."""
        return self.heading(width) if self.heading is not None else f"{self.title} {self.mark}".rstrip()


def fit_columns(columns: Sequence[Column[Row]], width: int) -> list[tuple[Column[Row], int]]:
    """The columns that fit into `width` cells with one cell between them, and the width of each.

    At least one is left; it is cut when even that does not fit.
    """
    kept = list(columns)
    while len(kept) > 1 and sum(column.width + 1 for column in kept) - 1 > width:
        least = min(column.priority for column in kept)
        kept.remove([column for column in kept if column.priority == least][-1])
    spare = max(0, width - sum(column.width + 1 for column in kept) + 1)
    shares = sum(column.flex for column in kept)
    fitted: list[tuple[Column[Row], int]] = []
    for column in kept:
        more = spare * column.flex // shares if column.flex else 0
        spare, shares = spare - more, shares - column.flex
        fitted.append((column, min(column.width + more, max(width, 0))))
    return fitted


def fit_text(text: str, width: int, align: Literal["left", "right"] = "left") -> str:
    """`text` as exactly `width` cells: padded, or cut with an ellipsis as its last cell."""
    if len(text) > 8 * width:  # combining marks have no width, so the length in cells is not known yet
        text = text[: 8 * width] + PLACEHOLDER
    cells = cell_len(text)
    if cells > width:
        return set_cell_size(text, width - 1) + PLACEHOLDER if width else ""
    padding = " " * (width - cells)
    return padding + text if align == "right" else text + padding


class VirtualList(ScrollView, TellsState, Generic[Row], can_focus=True):
    """Rows of a source under a cursor that keys, wheel and clicks move."""

    ALLOW_SELECT = False

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        f"virtual-list--{name}" for name in (*get_args(Look), "cursor", "title")
    }

    DEFAULT_CSS = """
    VirtualList {
        height: 1fr;
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-size-vertical: 1;
        background: transparent;
        & > .virtual-list--muted { color: $foreground-muted; }
        & > .virtual-list--accent { color: $text-accent; }
        & > .virtual-list--warning { color: $text-warning; }
        & > .virtual-list--error { color: $text-error; }
        & > .virtual-list--cursor { background: $surface-lighten-2; }
        & > .virtual-list--title { color: $foreground-muted; text-style: bold; }
        &:focus > .virtual-list--cursor {
            background: $block-cursor-background;
            color: $block-cursor-foreground;
        }
    }
    """

    BINDINGS = bindings("list")

    cursor: var[int] = var(0, init=False)
    """The row that keys act on; 0 in an empty list."""

    class Highlighted(StateMessage):
        """The row under the cursor (`VirtualList.current`) is another one, or has just been read."""

    class Opened(Message):
        """The row under the cursor was clicked twice."""

    class RowsWanted(StateMessage):
        """Rows were asked for that are not at hand: the source is to read them."""

    class ColumnsFitted(Message):
        """Columns have other widths than before: titles above them are to be drawn again."""

    def __init__(
        self,
        columns: Sequence[Column[Row]],
        source: RowSource[Row] | None = None,
        *,
        empty: str = "",
        id: str | None = None,  # noqa: A002 - Textual's name
    ) -> None:
        """`empty` is shown when there are no rows."""
        super().__init__(id=id)
        self._columns = columns
        self._fitted: list[tuple[Column[Row], int]] = []
        self._fitted_width = -1
        self.source: RowSource[Row] = source if source is not None else SequenceRows()
        """Where the rows come from; `show` sets another one."""
        self.empty = empty
        self._lines: LRUCache[tuple[int, bool, bool], Strip] = LRUCache(MAX_LINES)
        self._announced = False
        self._follow_end = False

    @property
    def current(self) -> Row | None:
        """The row under the cursor, or None when there is none or it is not read yet."""
        return self.source.row(self.cursor) if self.cursor < self.source.count else None

    @property
    def above(self) -> int:
        """How many rows of the screen are above the cursor; less than 0 when the wheel has moved it there."""
        return self.cursor - self.scroll_offset.y

    def show(
        self,
        source: RowSource[Row],
        columns: Sequence[Column[Row]] | None = None,
        *,
        cursor: int | None = None,
        above: int = 0,
    ) -> None:
        """Draw another source (and other columns).

        The cursor stays at its row number if there is one, or goes to row `cursor`, with `above` rows
        of the screen above it.
        """
        self.source = source
        if columns is not None:
            self._columns = columns
            self._fitted_width = -1
        self._lines.clear()
        self._announced = False
        if cursor is not None:
            self._follow_end = False
            self.virtual_size = Size(0, source.count)
            self.set_reactive(VirtualList.cursor, self.validate_cursor(cursor))
            self.scroll_to(y=self.cursor - above, animate=False, force=True)
            self.scroll_to_row(self.cursor)
        self.source_changed()
        if source.count == 0:
            self._announce()

    def source_changed(self) -> None:
        """Take up what is new in the source: more rows, or rows that were wanted."""
        count = self.source.count
        if count != self.virtual_size.height:
            self.virtual_size = Size(0, count)
        last = max(0, count - 1)
        if self.cursor > last or self._follow_end:
            self.cursor = last
        self._follow_end = self._follow_end and not self.source.complete
        if not self._announced and self.current is not None:
            self._announce()
        self.refresh()

    def _announce(self) -> None:
        self._announced = self.current is not None
        self.post_message(self.Highlighted())
        self._ask_for_rows()

    def _ask_for_rows(self) -> None:
        if self.source.wanting:
            self.post_message(self.RowsWanted())

    def validate_cursor(self, cursor: int) -> int:
        """Keep the cursor on a row."""
        return max(0, min(cursor, self.source.count - 1))

    def watch_cursor(self, old: int, new: int) -> None:
        """Draw the two lines that changed, keep the cursor on screen, post the change."""
        self.refresh_line(old)
        self.refresh_line(new)
        self.scroll_to_row(self.cursor)
        self._announce()

    def scroll_to_row(self, row: int) -> None:
        """Scroll so that a row is on screen; the cursor stays."""
        if self.size.height:
            self.scroll_to_region(Region(0, row, 1, 1), animate=False, force=True, x_axis=False)

    def on_resize(self) -> None:
        """A lower list keeps its cursor on screen."""
        self.scroll_to_row(self.cursor)

    def watch_show_vertical_scrollbar(self, shown: bool) -> None:
        """A scrollbar that appears after the list was scrolled shows where that has led."""
        if shown:
            self.vertical_scrollbar.position = self.scroll_y

    def notify_style_update(self) -> None:
        """Lines carry colours: other styles, other lines."""
        super().notify_style_update()
        self._lines.clear()

    def _move_to(self, row: int) -> None:
        self._follow_end = False
        self.cursor = row
        self.scroll_to_row(self.cursor)  # also when the cursor stays but the wheel has scrolled it away

    def action_move(self, rows: int) -> None:
        """Move the cursor by `rows`."""
        self._move_to(self.cursor + rows)

    def action_page(self, pages: float) -> None:
        """Move the cursor by so many screens of the list."""
        self._move_to(self.cursor + int(pages * max(1, self.size.height - 1)))

    def action_first(self) -> None:
        """Move to the first row."""
        self._move_to(0)

    def action_last(self) -> None:
        """Move to the last row known, and on with it while rows are still being counted."""
        self._move_to(self.source.count - 1)
        self._follow_end = not self.source.complete

    def on_click(self, event: events.Click) -> None:
        """Move the cursor to the row that was clicked."""
        offset = event.get_content_offset(self)
        if offset is not None and (row := offset.y + self.scroll_offset.y) < self.source.count:
            self._move_to(row)
            if event.chain == 2:
                self.post_message(self.Opened())

    def fitted(self) -> list[tuple[Column[Row], int]]:
        """The columns that are shown now, each with its width."""
        width = self.scrollable_content_region.width
        if width != self._fitted_width:
            self._fitted_width = width
            self._fitted = fit_columns(self._columns, width - MARK_WIDTH)
            self._lines.clear()
            self.post_message(self.ColumnsFitted())
        return self._fitted

    def render_lines(self, crop: Region) -> list[Strip]:
        """Draw what is on screen, and ask for rows that were missing."""
        # Lines without a row are as many as there is room for, and look all the same.
        end = max(1, self.source.count - self.scroll_offset.y) + 1
        more = crop.bottom - max(end, crop.y + 1) if self.gutter == (0, 0, 0, 0) else 0
        lines = super().render_lines(crop.shrink((0, 0, max(0, more), 0)))
        lines += lines[-1:] * more
        self._ask_for_rows()
        return lines

    def render_line(self, y: int) -> Strip:
        """Line `y` of the screen, from what is kept or from the source."""
        columns = self.fitted()
        row = y + self.scroll_offset.y
        count = self.source.count
        if row >= count:
            if y == 0 and self.source.complete and self.empty:
                return self._message(self.empty)
            return Strip.blank(self._fitted_width, self.rich_style)
        # The cursor looks different in the list that has the keys.
        key = (row, row == self.cursor, self.has_focus)
        line = self._lines.get(key)
        if line is None:
            content = self.source.row(row)
            if content is None:
                return self._message(PLACEHOLDER)
            line = self._line(columns, content, cursor=row == self.cursor)
            self._lines[key] = line
        return line

    def _message(self, text: str) -> Strip:
        style = self.get_component_rich_style("virtual-list--muted")
        return Strip([Segment(fit_text(" " * MARK_WIDTH + text, self._fitted_width), style)])

    def _line(self, columns: list[tuple[Column[Row], int]], row: Row, *, cursor: bool) -> Strip:
        base = self.rich_style
        over = self.get_component_rich_style("virtual-list--cursor", partial=True) if cursor else Style()
        segments = [Segment((">" if cursor else " ").ljust(MARK_WIDTH), base + over)]
        for column, width in columns:
            if len(segments) > 1:
                segments.append(Segment(" ", base + over))
            cell = column.cell(row, width)
            text, look, ruled = (cell, "plain", None) if isinstance(cell, str) else cell
            style = self.get_component_rich_style(f"virtual-list--{look}")
            if ruled is None:
                segments.append(Segment(fit_text(text, width, column.align), style + over))
            else:
                rules = self.get_component_rich_style("virtual-list--muted")
                segments += [Segment(text[:ruled], style), Segment(text[ruled:].ljust(width - ruled), rules)]
        strip = Strip(segments)
        return strip.crop_extend(0, self._fitted_width, base + over)


class ColumnTitles(Widget):
    """The line above a list that names its columns."""

    ALLOW_SELECT = False

    DEFAULT_CSS = """
    ColumnTitles { height: 1; width: 1fr; }
    """

    @dataclass
    class Clicked(Message):
        """The title of a column was clicked."""

        title: str

    def __init__(self, rows: VirtualList[Row]) -> None:
        super().__init__()
        self._rows: VirtualList[Any] = rows

    def render_line(self, y: int) -> Strip:  # noqa: ARG002 - there is one line
        """The titles, as wide as the columns below them."""
        titles = [
            fit_text(column.heading_at(width), width, column.align) for column, width in self._rows.fitted()
        ]
        text = fit_text(" " * MARK_WIDTH + " ".join(titles), self.size.width)
        return Strip([Segment(text, self._rows.get_component_rich_style("virtual-list--title"))])

    def on_click(self, event: events.Click) -> None:
        """Say which title it was."""
        at = MARK_WIDTH
        for column, width in self._rows.fitted():
            if at <= event.x < at + width + 1:
                self.post_message(self.Clicked(column.title))
            at += width + 1


class ListPane(Vertical, Generic[Row]):
    """A list under the titles of its columns."""

    BLANK = True

    def __init__(self, rows: VirtualList[Row], *, id: str | None = None) -> None:  # noqa: A002
        self.rows = rows
        self._titles = ColumnTitles(rows)
        super().__init__(self._titles, rows, id=id)

    def on_virtual_list_columns_fitted(self) -> None:
        """Titles follow the columns."""
        self._titles.refresh()

"""A list of records, and how another state, scope, filter or order comes into it.

What is drawn comes from an arrangement of sources (`inspector.model.arrange`). Whenever the stack, the scope,
the filter or the order change, the pane makes another one, has the session work on it, and goes on drawing
the one before until the new one has something to draw at the row where the cursor belongs. So nothing
flashes, and the cursor stays with its ref or reflog entry, or goes to the next one when that is gone.

The pane reads what the session has at hand, and tells it what is wanted; it never calls the engine.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Generic, TypeVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical

from engine.table import Table
from inspector.model import (
    Arrangement,
    KeyFound,
    News,
    RecordKind,
    RowsRead,
    Scope,
    Session,
    Shape,
    StackView,
    arrange,
)
from inspector.rows import LogRow, PagedRows, RefRow, RowFilter, SequenceRows
from inspector.text import error_text
from inspector.tui.navigation import ListSpot
from inspector.tui.widgets.record_bar import MARKS, RecordBar, nothing_text, state_text
from inspector.tui.widgets.state_message import StateMessage, TellsState
from inspector.tui.widgets.virtual_list import Column, ListPane, VirtualList

Row = TypeVar("Row", RefRow, LogRow)


@dataclass(slots=True)
class _Coming(Generic[Row]):
    """What is to be drawn as soon as it can be, and where the cursor goes then.

    `key` is what the cursor is to be on, None for the first row; `row` its number once that is known.
    """

    arrangement: Arrangement[Row]
    key: Any
    above: int
    row: int | None


class ArrangedPane(Vertical, TellsState, Generic[Row]):
    """Refs or reflog entries, as they are arranged."""

    BLANK = True

    KIND: ClassVar[RecordKind[Any]]
    """What the records are."""

    LIST_ID: ClassVar[str]
    """The id of the list, and the name under which the session serves it."""

    @dataclass
    class RowChosen(StateMessage):
        """The cursor of `pane` is on another row, or on none; also when it has only now been read."""

        pane: ArrangedPane[Any]

    def __init__(self, session: Session) -> None:
        self.rows: VirtualList[Row] = VirtualList((), empty=f"no {self.KIND.noun}", id=self.LIST_ID)
        self._list_pane: ListPane[Row] = ListPane(self.rows)
        super().__init__()
        self._bar = RecordBar(self, self.rows)
        self._session = session
        self._view: StackView | None = None
        self._later: StackView | None = None
        self._shape = Shape()
        self._typed_wrong = ""
        self.arrangement: Arrangement[Row] | None = None
        """What is drawn: its view, its scope, the tables that count, its sources."""
        self._coming: _Coming[Row] | None = None
        self._allowed: tuple[bool | None, ...] = ()
        self._on: Any = None  # the key of the row that was last under the cursor
        self._edition = 0
        self._sought: Any = None  # the key that the cursor is to jump to

    def compose(self) -> ComposeResult:
        """The list, and above it what was to be said before that was shown."""
        if self._bar.is_made:
            yield self._bar
        yield self._list_pane

    # What others ask of the pane.

    @property
    def current(self) -> Row | None:
        """The row under the cursor, or None when there is none or it is not read yet."""
        return self.rows.current

    @property
    def scope(self) -> Scope:
        """What the rows are of."""
        return self._shape.scope

    @scope.setter
    def scope(self, scope: Scope) -> None:
        self._reshape(replace(self._shape, scope=scope), keep=True)

    @property
    def error(self) -> Exception | None:
        """What keeps the rows from being read (any further)."""
        now = self._now
        return now.source.error if now is not None else None

    @property
    def _now(self) -> Arrangement[Row] | None:
        """What is drawn, or on its way to it."""
        return self._coming.arrangement if self._coming is not None else self.arrangement

    def show(self, view: StackView) -> None:
        """Show this state of the stack; all that the user has set stays.

        While the state before has yet to be drawn, this one waits for it: when a stack changes
        without pause, rows come a little late, but they come.
        """
        if self._coming is not None and self.arrangement is not None:
            self._later = view
        else:
            self._view = view
            self._arrange(keep=True)

    def take(self, news: News) -> None:
        """Take up news of the session, if it is for this pane."""
        match news:
            case RowsRead():
                self._renumber()
                self.rows.source_changed()
                self._land()
                self._say()
            case KeyFound(source=source, key=key) as found:
                coming, drawn = self._coming, self.arrangement
                if coming is not None and source is coming.arrangement.source and key == coming.key:
                    coming.row = found.row
                    self._land()
                elif drawn is not None and source is drawn.source and key == self._sought:
                    self._jumped(found, drawn)

    @property
    def spot(self) -> ListSpot:
        """What is set, and where the cursor is."""
        return ListSpot(self._shape, self._bar.typed, self._current_key(), self.rows.above)

    def go_to(self, key: Any) -> None:  # noqa: ANN401
        """Go to the row with this key, or to the first, without a filter that might hide it."""
        self._filter_by("")
        if self._shape.row_filter is not None or self._coming is not None or key is None:
            self._shape = replace(self._shape, row_filter=None)
            self._arrange(keep=key is not None, key=key)
        else:
            self._seek(key)  # which need not wait until rows are counted that far

    def restore(self, spot: ListSpot) -> None:
        """Go back to what was set then, and to the row where the cursor was."""
        self._filter_by(spot.typed)
        self._shape = spot.shape
        self._arrange(keep=True, key=spot.key, above=spot.above)

    def go_to_first(self, row_filter: str) -> None:
        """Go to the first row that a filter admits, which is written as one types it."""
        self._filter_by(row_filter)
        self._shape = replace(self._shape, row_filter=RowFilter.parse(row_filter))
        self._arrange(keep=False)

    def _filter_by(self, typed: str) -> None:
        self._typed_wrong = ""
        self._bar.typed = typed
        self._bar.show_prompt("filter" if typed else None)

    # From what is set to what is drawn.

    def _reshape(self, shape: Shape, *, keep: bool) -> None:
        if shape != self._shape:
            self._shape = shape
            self._arrange(keep=keep)

    def _current_key(self) -> Any:  # noqa: ANN401 - of whichever kind
        if (row := self.rows.current) is not None:
            return row.key
        return self._coming.key if self._coming is not None else None

    def _arrange(self, *, keep: bool, key: Any = None, above: int | None = None) -> None:  # noqa: ANN401
        """Have what is set drawn; with `keep` the cursor stays with its row, else it goes to the first.

        With a `key` it goes to that row, with so many rows `above` it.
        """
        if self._view is None:
            return
        if key is None and keep:
            key = self._current_key()
        if above is None:
            above = self.rows.above
        self._give_up_jump()
        before = self._now
        arrangement = arrange(self.KIND, self._view, self._shape, before)
        if arrangement is None:
            self._coming = self.arrangement = None
            self._serve()
            self.rows.show(SequenceRows(), cursor=0)
            self._say()
            return
        self._coming = _Coming(arrangement, key, above if key is not None else 0, None)
        if key is not None:
            self._session.want_key(self.LIST_ID, arrangement.source, key)
        else:
            self._session.forget_key(self.LIST_ID)
        if self.arrangement is None:
            self._draw(arrangement, 0, 0)
            if key is None:
                self._coming = None
        self._serve()
        self._land()
        self._say()

    def _serve(self) -> None:
        coming = self._coming.arrangement if self._coming is not None else None
        wanted = [arrangement for arrangement in (coming, self.arrangement) if arrangement is not None]
        sources = [source for arrangement in wanted for source in arrangement.sources]
        self._session.serve(self.LIST_ID, *dict.fromkeys(sources))
        self.post_message(VirtualList.RowsWanted())

    def _renumber(self) -> None:
        """Stay on the same row where others that were found later have come before it."""
        source = self.rows.source
        if isinstance(source, PagedRows) and source.edition != self._edition:
            self._edition = source.edition
            row = self.rows.cursor if self._on is None else source.place(self._on)
            self.rows.show(source, cursor=row, above=self.rows.above)

    def _land(self) -> None:
        """Draw what is coming, if it has something to draw where the cursor goes."""
        coming = self._coming
        if coming is None:
            return
        source = coming.arrangement.source
        if coming.key is not None and coming.row is None:
            return
        row = max(0, min(coming.row or 0, source.count - 1))
        if source.count == 0:
            if not source.ended:
                return
        elif source.row(row) is None and source.error is None:
            self.post_message(VirtualList.RowsWanted())
            return
        self._coming = None
        self._draw(coming.arrangement, row, coming.above)
        self._serve()
        self._say()
        if self._later is not None:
            self._view, self._later = self._later, None
            self._arrange(keep=True)

    def _draw(self, arrangement: Arrangement[Row], row: int, above: int) -> None:
        self.arrangement = arrangement
        columns = self._columns(arrangement.view.tables, arrangement.merged.tables)
        shape = arrangement.shape
        if shape.order or shape.backwards:
            title = self.KIND.orders[shape.order].column
            mark, width = MARKS[shape.backwards], len(title) + 2
            columns = [
                one._replace(mark=mark, width=max(one.width, width)) if one.title == title else one
                for one in columns
            ]
        self._on, self._edition = None, 0
        self.rows.show(arrangement.source, columns, cursor=row, above=above)

    @staticmethod
    @abstractmethod
    def _columns(tables: Sequence[Table], counting: Sequence[Table]) -> list[Column[Any]]:
        """The columns for the tables of the stack, and those of them that count."""

    def _say(self) -> None:
        state = state_text(self.KIND, self._now, self.arrangement, seeking=self._sought is not None)
        if self._view is not None and self._now is None:
            state = "this table is not in the stack any more"
        wrong = "" if self.error is None else error_text(self.error)
        self._bar.say(state, self._typed_wrong or wrong)
        self.rows.empty = nothing_text(self.KIND, self._now)
        allowed = tuple(self.check_action(action, ()) for action in ("back", "deletions", "follow"))
        if allowed != self._allowed:  # the footer is made anew then
            self._allowed = allowed
            self.refresh_bindings()

    # The row under the cursor.

    @on(VirtualList.Highlighted)
    def _highlighted(self, event: VirtualList.Highlighted) -> None:
        event.stop()  # or it would climb through all that is around the pane, at each key
        row = self.rows.current
        coming = self._coming
        self._on = row.key if row is not None else self._on
        if coming is not None and coming.key is not None and row is not None and row.key != coming.key:
            # The cursor has moved on meanwhile, and what is coming follows it.
            coming.key, coming.row, coming.above = row.key, None, self.rows.above
            self._session.want_key(self.LIST_ID, coming.arrangement.source, row.key)
            self.post_message(VirtualList.RowsWanted())
        self.post_message(self.RowChosen(self))

    # Going to a row that may not be counted yet.

    def _seek(self, key: Any) -> None:  # noqa: ANN401
        if self.arrangement is None:
            return
        if self._coming is not None:
            self._coming.key, self._coming.row = key, None
            self._session.want_key(self.LIST_ID, self._coming.arrangement.source, key)
        self._sought = key
        self._session.want_key(f"{self.LIST_ID} jump", self.arrangement.source, key, ahead=True)
        self.post_message(VirtualList.RowsWanted())
        self._say()

    def _jumped(self, found: KeyFound, drawn: Arrangement[Row]) -> None:
        rows = self.rows
        if found.row is None:
            # Not counted that far: these rows are drawn by themselves until their numbers are known.
            rows.show(SequenceRows(found.ahead, complete=False), cursor=0)
        else:
            self._sought = None
            is_ahead = rows.source is not drawn.source  # the cursor may have moved in those rows
            row, above = (rows.cursor, rows.above) if is_ahead else (0, rows.size.height // 3)
            rows.show(drawn.source, cursor=found.row + row, above=above)
        self._say()

    def _give_up_jump(self) -> None:
        if self._sought is not None:
            self._sought = None
            self._session.forget_key(f"{self.LIST_ID} jump")

"""What is done to a list of records: filter, sort, jump, tombstones, copy, export.

What is copied and exported is read in workers, by those who are told that it is wanted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final, Literal, TypeVar

from textual import on
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Input

from engine.table import Table
from inspector.model import Arrangement, Session
from inspector.rows import FilterError, LogRow, RefRow, RowFilter, SortedRows
from inspector.text import error_text
from inspector.tui.keys import bindings
from inspector.tui.navigation import Follow
from inspector.tui.widgets.arranged_pane import ArrangedPane
from inspector.tui.widgets.record_bar import Prompt
from inspector.tui.widgets.virtual_list import ColumnTitles, VirtualList

DEBOUNCE: Final = 0.12
"""Seconds after a letter in which another one may come before the filter is applied."""

Row = TypeVar("Row", RefRow, LogRow)


class RecordPane(ArrangedPane[Row]):
    """Refs or reflog entries, with the keys for them."""

    BINDINGS = bindings("records")

    @dataclass
    class RowWanted(Message):
        """Of this row: its block in `table`, something to copy, or its object."""

        what: Literal["block", "copy", "object"]
        row: RefRow | LogRow
        table: Table

    @dataclass
    class ExportWanted(Message):
        """These rows are to be written to a file."""

        arrangement: Arrangement[Any]
        noun: str

    def __init__(self, session: Session, *, debounce: float = DEBOUNCE) -> None:
        """`debounce` of 0 applies a filter with each letter."""
        super().__init__(session)
        self._debounce = debounce
        self._typing: Timer | None = None
        self._offers_objects = False
        self._origin: Any = None  # the key that the cursor was on before a jump

    def offer_objects(self, can_show: bool) -> None:
        """Offer to show the object of a row, if there is a git that can."""
        if can_show != self._offers_objects:
            self._offers_objects = can_show
            self.refresh_bindings()

    @on(VirtualList.Opened)
    def action_follow(self) -> None:
        """Go where the row leads."""
        self.post_message(Follow())

    def action_want(self, what: Literal["block", "copy", "object"]) -> None:
        """Post what of it is wanted."""
        if (row := self.current) is not None and self.arrangement is not None:
            self.post_message(self.RowWanted(what, row, self.arrangement.view.tables[row.position]))

    # The filter.

    async def action_filter(self) -> None:
        """Type a filter, or change the one that is set."""
        await self._bar.ask("filter")

    @on(Input.Changed, ".filter")
    def _filter_typed(self, event: Input.Changed) -> None:
        self._stop_timer()
        if self._debounce and event.value:
            self._typing = self.set_timer(self._debounce, self.apply_filter)
        else:
            self.apply_filter()

    def apply_filter(self) -> None:
        """Filter by what is typed now."""
        self._stop_timer()
        try:
            row_filter = RowFilter.parse(self._bar.typed)
        except FilterError as error:
            self._typed_wrong = error_text(error)
            self._say()
            return
        self._typed_wrong = ""
        # With a filter the cursor goes to the first row found; without one it stays with what was found.
        self._reshape(replace(self._shape, row_filter=row_filter), keep=row_filter is None)
        self._say()

    def _stop_timer(self) -> None:
        if self._typing is not None:
            self._typing.stop()
            self._typing = None

    @on(Prompt.Left, ".filter")
    def _filter_left(self, event: Prompt.Left) -> None:
        if not event.kept:
            self._bar.typed = ""
        self.apply_filter()
        if not self._bar.typed:
            self._bar.show_prompt(None)

    # Jumping to a name.

    async def action_jump(self) -> None:
        """Type the beginning of a name, and go there."""
        self._origin = self._current_key()
        await self._bar.ask("jump")

    @on(Input.Changed, ".jump")
    def _jump_typed(self, event: Input.Changed) -> None:
        if event.value:
            name = event.value.encode("utf-8", "surrogateescape")
            self._seek(self.KIND.first_key(name))

    @on(Prompt.Left, ".jump")
    def _jump_left(self, event: Prompt.Left) -> None:
        if not event.kept and self._origin is not None:
            self._seek(self._origin)
        self._bar.show_prompt("filter" if self._bar.typed else None)

    # Order and tombstones.

    def action_sort(self) -> None:
        """Sort by what comes next."""
        order = (self._shape.order + 1) % len(self.KIND.orders)
        self._reshape(replace(self._shape, order=order), keep=False)

    def action_turn(self) -> None:
        """Turn the order round."""
        self._reshape(replace(self._shape, backwards=not self._shape.backwards), keep=False)

    @on(ColumnTitles.Clicked)
    def _title_clicked(self, event: ColumnTitles.Clicked) -> None:
        for number, order in enumerate(self.KIND.orders):
            if order.column == event.title:
                turned = number == self._shape.order and not self._shape.backwards
                self._reshape(replace(self._shape, order=number, backwards=turned), keep=False)

    def action_deletions(self) -> None:
        """Show tombstones, or leave them out."""
        self._reshape(replace(self._shape, deletions=not self._shape.deletions), keep=True)

    # Stopping.

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """`escape` is the pane's only while there is something to stop or to drop; letters are a prompt's."""
        if action in ("filter", "jump"):
            return not isinstance(self.screen.focused, Prompt)
        if action == "back":
            return self._stoppable() or self._shape.row_filter is not None or bool(self._typed_wrong)
        if action in ("want", "follow", "export", "sort", "turn") and self._is_empty():
            return False
        if action == "want" and parameters == ("object",):
            return self._offers_objects
        if action == "deletions" and self._shape.scope.shows_deletions:
            return None
        return True

    def _is_empty(self) -> bool:
        now = self._now
        return now is None or (now.source.ended and not now.source.count)

    def _stoppable(self) -> bool:
        now = self._now
        return now is not None and not now.source.ended and now.source is not now.natural

    def action_back(self) -> None:
        """Stop filtering or sorting; when nothing is going on, drop the filter."""
        now = self._now
        if now is None or not self._stoppable():
            self._bar.typed = ""
            self.apply_filter()
            self._bar.show_prompt(None)
        elif self._coming is not None and self.arrangement is not None and isinstance(now.source, SortedRows):
            # An order that is not known yet cannot be shown in part: back to the one before.
            drawn = self.arrangement.shape
            self._reshape(replace(self._shape, order=drawn.order, backwards=drawn.backwards), keep=True)
        else:
            now.source.stop()
            self._land()
            self._say()

    def action_export(self) -> None:
        """Post that the rows are to be written to a file."""
        if self.arrangement is not None:
            self.post_message(self.ExportWanted(self.arrangement, self.KIND.noun))

"""Time travel: the states of the stack that its tables still tell apart, to be looked at or compared.

A moment is the end of a table: the stack as it was when that table was the newest. The screen lists them
newest first, and leads to the one that is chosen; two of them are compared on a
`ChangesScreen`. When each moment was is read by a job, from the reflog entries of its table.
"""

from __future__ import annotations

from typing import Final

from textual import on

from engine.errors import ReftableError
from engine.merge import MergedTable
from inspector.model import AsOf, NewestEntry, StackMoment, StackView, moments_of, newest_entry
from inspector.rows import SequenceRows
from inspector.text import file_size, log_time, short_table_name
from inspector.tui.keys import bindings
from inspector.tui.screens.changes import ChangesScreen
from inspector.tui.screens.dialog import ListDialog
from inspector.tui.widgets.virtual_list import Cell, Column, VirtualList
from inspector.tui.work import Job

TABLES_TOLD: Final = 64
"""Tables whose times are read before they are shown."""


_Times = dict[int, NewestEntry | ReftableError | OSError | None]
"""What is known of the time of each table, by its position."""


class MomentsScreen(ListDialog[None, StackMoment]):
    """The moments of a stack."""

    HELP = """\
Time travel: each row is the stack as it was when the table of that row was its newest.

Tables are only ever added on top or merged, never changed, so an older state is simply the stack without \
its newest tables. But a compaction merges tables, keeps the newest record of each ref and drops the \
others: what was between the ends of the tables that are there now cannot be seen any more. The update \
index counts transactions; the time is that of the newest reflog entry in the table. Where a table has so \
many that only HEAD's were looked at, it was then or later.

enter shows refs and logs as of that moment; the newest row leads back to now. d shows what the table of \
the row changed. space marks a moment: d and enter on another row then show what changed between the two.
"""

    DEFAULT_CSS = """
    MomentsScreen {
        & > .box { padding: 0; }
        & #words { padding: 0 1 1 1; }
    }
    """

    BINDINGS = bindings("moments")

    def __init__(self, view: StackView, at: int | None = None) -> None:
        """`at` is the update index that is shown now, if it is not the newest: the cursor begins there."""
        empty = "no tables: there is nothing to go back to"
        self._moments = moments_of(view.tables)
        rows = VirtualList((), SequenceRows(self._moments), empty=empty)
        super().__init__("Time travel", rows, classes="-alone")
        self._view = view
        self._at = at
        self._marked: int | None = None
        self._entries: _Times = {}

    def on_mount(self) -> None:
        """Show the moments, and have their times read."""
        self._redraw()
        if self._at is not None:
            rows = [row for row, moment in enumerate(self._moments) if moment.update_index <= self._at]
            self._list.cursor = rows[0] if rows else len(self._moments) - 1
        # If it fails, the moments can be used all the same.
        self._jobs.start("times", self._read_times, self._take)

    def _read_times(self, job: Job) -> _Times:
        found: _Times = {}
        for number, moment in enumerate(self._moments, start=1):
            try:
                found[moment.position] = newest_entry(moment.table, lambda: job.is_cancelled)
            except (ReftableError, OSError) as error:
                found[moment.position] = error
            job.check()
            if number % TABLES_TOLD == 0:
                job.report(self._take, found)
                found = {}
        return found

    def _take(self, found: _Times) -> None:
        self._entries |= found
        self._redraw()

    def _redraw(self) -> None:
        self._list.show(self._list.source, self._columns())
        if self._marked is None:
            self.say(
                "Each row is the stack when that table was its newest. States between two rows are gone: "
                "a compaction has merged them."
            )
        else:
            self.say(
                f"* as of {self._moments[self._marked].update_index} is marked. On another row, d or enter "
                "shows what changed between the two; space on the marked row takes the mark away."
            )

    def _columns(self) -> list[Column[StackMoment]]:
        marked = None if self._marked is None else self._moments[self._marked]
        highest = max((moment.update_index for moment in self._moments), default=0)
        longest = max((len(moment.updates) for moment in self._moments), default=0)
        return [
            Column("", lambda moment, _width: Cell("*" if moment is marked else "", "accent"), width=1),
            Column(
                "as of", lambda moment, _: str(moment.update_index), max(len(str(highest)), 5), align="right"
            ),
            Column("tables", lambda moment, _: Cell(f"{moment.tables:,}", "muted"), 6, align="right"),
            Column("size", lambda moment, _width: file_size(moment.size), width=7, align="right", priority=3),
            Column("newest table", _newest_table, width=13, flex=1, priority=2),
            Column(
                "its updates", lambda moment, _: moment.updates, max(longest, 11), align="right", priority=1
            ),
            Column("newest reflog entry", self._time_cell, width=25, flex=1),
        ]

    def _time_cell(self, moment: StackMoment, _width: int) -> Cell:
        now = "  now" if moment is self._moments[0] else ""
        if moment.position not in self._entries:
            return Cell("…" + now, "muted")
        entry = self._entries[moment.position]
        if entry is None:
            return Cell("none" + now, "muted")
        if not isinstance(entry, NewestEntry):
            return Cell("! cannot be read" + now, "error")
        return Cell(log_time(entry.record) + ("" if entry.exact else " or later") + now)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Without a moment there is nothing to do but to leave."""
        if action in {"choose", "mark", "compare"}:
            return bool(self._moments)
        return super().check_action(action, parameters)

    @on(VirtualList.Opened)
    def action_choose(self) -> None:
        """Go to the moment under the cursor; with another one marked, compare the two."""
        if self._marked not in (None, self._list.cursor):
            self.action_compare()
        else:
            self.action_follow()

    def action_mark(self) -> None:
        """Mark the moment under the cursor, or take its mark away."""
        if self._moments:
            self._marked = None if self._marked == self._list.cursor else self._list.cursor
            self._redraw()

    def action_compare(self) -> None:
        """Show what changed between the mark and the cursor, or what the table under the cursor changed."""
        if not self._moments:
            return
        row = self._list.cursor
        newer, older = sorted((row, row + 1 if self._marked in (None, row) else self._marked))
        then, now = self._tables_until(older), self._tables_until(newer)
        title = f"What changed from {self._label(older)} to {self._label(newer)}"
        self.app.push_screen(ChangesScreen(then, now, title, self._view.hash_id.size))

    def _tables_until(self, row: int) -> MergedTable:
        if row == len(self._moments):
            return MergedTable(())
        return AsOf(self._moments[row].update_index).resolve(self._view)

    def _label(self, row: int) -> str:
        if row == len(self._moments):
            return "the empty stack"
        return f"{self._moments[row].update_index}" + (" (now)" if row == 0 else "")


def _newest_table(moment: StackMoment, _width: int) -> Cell:
    return Cell(f"#{moment.position} {short_table_name(moment.table.name)}", "muted")

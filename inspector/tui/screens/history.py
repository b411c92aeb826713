"""The history of the stack on screen: each change that was seen or made, newest first."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import Final

from textual import on
from textual.content import Content
from textual.events import ScreenResume

from engine.merge import MergedTable
from inspector.model import Event, EventKind, History, Shapes, reopen
from inspector.rows import SequenceRows
from inspector.text import (
    counted,
    file_size,
    log_time,
    short_table_name,
    shown,
    update_range,
    utc_time,
)
from inspector.tui.keys import bindings
from inspector.tui.screens.changes import ChangesScreen
from inspector.tui.screens.dialog import ListDialog
from inspector.tui.widgets.virtual_list import Cell, Column, Look, VirtualList
from inspector.tui.work import failure_text

_MOST_TABLES: Final = 50
"""Tables that the detail lists of those that came, and of those that went."""

_LOOKS: Final[dict[EventKind, Look]] = {
    EventKind.ADDED: "plain",
    EventKind.COMPACTED: "accent",
    EventKind.ADDED_AND_COMPACTED: "accent",
    EventKind.EXPIRED: "accent",
}


class HistoryScreen(ListDialog[None, Event]):
    """The events of a history, as long as it is open also those that come."""

    HELP = """
    Every change of the stack since it was opened here, newest first, whichever process made it: what became
    of the tables, what became of refs, and who wrote, as the newest reflog entry of the change says.

    The stack is looked at twice a second. Several changes between two looks are one row, which says no more
    than the tables tell: a new table whose update indexes cover those of tables that are gone was merged from
    them, and update indexes that are higher than all before are new transactions.

    enter replays a compaction: the Compaction tab shows it step by step, on the sizes of then. A table that a
    transaction wrote and a compaction merged at once was not seen: it is taken to be as large as the rule
    needs. On another change, enter does what d does.

    d lists the refs that changed. The tables of the newest changes are kept open for this; those of older
    ones are looked for in the stack and in its snapshots, and may be gone. y copies the command line of a
    change that this program made. The journal (@) has what was tried and failed as well; time travel (T)
    shows states of the stack from before it was opened.
    """

    DEFAULT_CSS = """
    HistoryScreen #detail { height: auto; min-height: 6; max-height: 50%; }
    """

    BINDINGS = bindings("history")

    def __init__(self, history: History, hash_size: int) -> None:
        """`hash_size` is the bytes of an object id."""
        columns: list[Column[Event]] = [
            Column("UTC", lambda event, _: Cell(event.clock, "muted"), 8, priority=4),
            Column("", _kind_cell, width=16, priority=2),
            Column("tables", lambda event, _width: event.what, width=26, flex=4),
            Column("refs", lambda event, _width: Cell(self._of_refs(event)), width=24, flex=4, priority=5),
            Column("by", lambda event, _width: Cell(event.who, "muted"), 12, flex=1, priority=3),
        ]
        rows = VirtualList(columns, empty="nothing has changed since the stack was opened here")
        super().__init__("History, newest first", rows, classes="-wide")
        self._history = history
        self._hash_size = hash_size

    def on_mount(self) -> None:
        """The newest event is under the cursor."""
        self.query_one("#detail").can_focus = True
        self.show_events()

    def on_screen_resume(self, event: ScreenResume) -> None:
        """Show what has come while it was put away."""
        super().on_screen_resume(event)
        self.show_events()

    def show_events(self) -> None:
        """Show the events there are by now; the cursor stays on its event."""
        current, above = self._list.current, self._list.above
        events = self._history.events
        rows = range(len(events))
        at = next((row for row in rows if current and events[row].number == current.number), None)
        if at is None:  # it has become part of another one: that of the same time
            at = next((row for row in rows if current and events[row].time <= current.time), 0)
        self._list.show(SequenceRows(events), cursor=at, above=above)
        self.query_one("#detail").display = bool(events)
        self.show_detail()
        self.refresh_bindings()

    @on(VirtualList.Highlighted)
    def _moved(self) -> None:
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What the event under the cursor has."""
        event = self._list.current
        if action == "copy":
            return event is not None and event.own is not None
        if action == "follow":
            return event is not None and event.replay is not None
        if action == "differs":
            return event is not None
        return super().check_action(action, parameters)

    def detail(self, row: Event) -> list[Content]:
        """What happened, when, by which process, and which tables came and went."""
        lines = [
            Content.styled(f"{row.what[0].upper()}{row.what[1:]}.", "bold"),
            Content(f"refs: {self._of_refs(row)}"),
            Content(f"{utc_time(int(row.time))}, by {row.by}"),
        ]
        if row.own is not None:
            lines += [Content(f"$ {line}") for line in row.own.command.splitlines()[:1]]
        if row.entry is not None:
            record, exact = row.entry
            who = f"{shown(record.committer)} <{shown(record.email)}>"
            newest = "newest reflog entry" if exact else "a reflog entry"
            text = shown(record.message.removesuffix(b"\n"))
            lines.append(Content(f"{newest}: {shown(record.name)}  {log_time(record)}  {who}  {text}"))
        if self._history.views(row) is None:
            lines.append(Content.styled(_CLOSED, "$foreground-muted"))
        old, new = ({table.name for table in tables} for tables in (row.before, row.after))
        lines += _tables("+", tuple(table for table in row.after if table.name not in old), "$text-accent")
        lines += _tables("-", tuple(table for table in row.before if table.name not in new), "$text-warning")
        stay = len(old & new)
        if stay and old != new:
            lines.append(Content.styled(f"  {counted(stay, 'table')} stayed", "$foreground-muted"))
        return lines

    def _of_refs(self, event: Event) -> str:
        if event.summary is not None:
            return event.summary
        return "…" if self._history.views(event) is not None else "not compared: changes came too fast"

    @on(VirtualList.Opened)
    def _opened(self) -> None:
        if self.check_action("follow", ()):
            self.action_follow()
        else:
            self.action_differs()

    def action_differs(self) -> None:
        """Show what became of refs; the tables of an old event are looked for."""
        event = self._list.current
        if event is None:
            return
        if (views := self._history.views(event)) is not None:
            self._show_changes(event, views)
        else:
            look = partial(reopen, event, self._history.directory)
            show = partial(self._show_changes, event)
            self._jobs.start("reopen", lambda _job: look(), show, self._fail, on_top=True)

    def _show_changes(self, event: Event, views: tuple[MergedTable, MergedTable]) -> None:
        old, new = views
        span = f"{old.max_update_index} to {new.max_update_index}"
        title = f"What changed at {event.clock}: update index {span}"
        self.app.push_screen(ChangesScreen(old, new, title, self._hash_size))

    def _fail(self, error: Exception) -> None:
        text = _GONE if isinstance(error, FileNotFoundError) else failure_text(error)
        self.notify(text, severity="warning")

    def action_copy(self) -> None:
        """Copy the command line of what this program did."""
        event = self._list.current
        if event is not None and event.own is not None:
            self.copy_command(event.own.command)


_CLOSED: Final = "Its tables are not open any more: d looks for them, in the stack and in snapshots."
_GONE: Final = "What differed cannot be read any more: tables of then are gone."


def _kind_cell(event: Event, _width: int) -> Cell:
    return Cell(event.kind.value, _LOOKS.get(event.kind, "warning"))


def _tables(mark: str, tables: Shapes, style: str) -> Iterator[Content]:
    for table in islice(tables, _MOST_TABLES):
        updates = update_range(table.first, table.last)
        size = f"{file_size(table.size):>7}" if table.size else "      ?"
        yield Content.styled(f"{mark} {short_table_name(table.name)}  {size}  updates {updates}", style)
    if len(tables) > _MOST_TABLES:
        yield Content.styled(f"{mark} and {counted(len(tables) - _MOST_TABLES, 'table')} more", style)

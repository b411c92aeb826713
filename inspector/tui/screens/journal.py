"""The journal on screen, newest first: what was changed, and how to do it from a shell; what went wrong."""

from __future__ import annotations

from collections.abc import Iterable

from textual import on
from textual.content import Content

from inspector.model import Entry, Journal
from inspector.rows import SequenceRows
from inspector.text import safe_name, utc_time
from inspector.tui.keys import bindings
from inspector.tui.notices import Notice
from inspector.tui.screens.dialog import ListDialog
from inspector.tui.widgets.virtual_list import Cell, Column, VirtualList


class JournalScreen(ListDialog[None, Entry]):
    """Each change that was tried, with the command line that does it, and each warning that was shown."""

    HELP = """
    The journal has every change that was tried since the inspector was started: when, how it ended, and the
    command line that does the same from a shell, for scripts and for reports. y copies it. Where a defect of
    this program was in the way, it has the traceback as well.

    Warnings and errors that were shown for a few seconds are here as well. The journal is in memory: it ends
    with the program.
    """

    DEFAULT_CSS = """
    JournalScreen #detail { height: auto; max-height: 50%; padding: 0; }
    """

    BINDINGS = bindings("journal")

    def __init__(self, journal: Journal, warned: Iterable[Notice] = ()) -> None:
        """`warned` are the warnings and errors that were shown."""
        columns: list[Column[Entry]] = [
            Column("time", lambda row, _width: Cell(utc_time(int(row.time)), "muted"), width=23, priority=1),
            Column("", lambda row, _: Cell(row.ending, "plain" if row.ending == "done" else "warning"), 7),
            Column("change", lambda row, _width: row.title, width=16, flex=1),
        ]
        entries = sorted([*journal.entries, *map(_entry, warned)], key=lambda entry: entry.time)
        rows = SequenceRows(entries[::-1])
        super().__init__(
            "Journal, newest first", VirtualList(columns, rows, empty="nothing was changed or went wrong yet")
        )

    def on_mount(self) -> None:
        """Tracebacks are long: they can be scrolled with the keys."""
        detail = self.query_one("#detail")
        detail.can_focus = True
        detail.display = self._list.source.count > 0

    def detail(self, row: Entry) -> list[Content]:
        """What came of it, the command line, and the traceback if there is one."""
        traceback = [Content(safe_name(line)) for line in row.details.splitlines()]
        command = [Content(f"$ {row.command}")] if row.command else []
        return [Content.styled(row.sentence, "bold"), *command, *traceback]

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What the entry under the cursor has."""
        if action == "copy":
            entry = self._list.current
            return entry is not None and bool(entry.command)
        return super().check_action(action, parameters)

    @on(VirtualList.Highlighted)
    def _moved(self) -> None:
        self.refresh_bindings()

    def action_copy(self) -> None:
        """Copy the command line of the entry under the cursor."""
        if (entry := self._list.current) is not None:
            self.copy_command(entry.command)


def _entry(notice: Notice) -> Entry:
    """A notice as an entry of the journal: its title, or else its beginning, is what it is about."""
    words = " ".join(notice.message.split())
    return Entry(notice.time, notice.title or words, notice.severity, words, "")

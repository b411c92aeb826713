"""The journal on screen: what was changed in this session, newest first, and how to do it from a shell."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from inspector.model import Entry, Journal
from inspector.rows import SequenceRows
from inspector.text import safe_name, utc_time
from inspector.tui.screens.dialog import Dialog, box
from inspector.tui.widgets.key_bar import KeyBar
from inspector.tui.widgets.virtual_list import Cell, Column, ListPane, VirtualList

__all__ = ["JournalScreen"]


class JournalScreen(Dialog[None]):
    """Every change that was tried, with the command line that does the same."""

    HELP = """
    The journal has every change that was tried since the inspector was started: when, how it ended, and the
    command line that does the same from a shell, for scripts and for reports. y copies it. Where a defect of
    this program was in the way, it has the traceback as well.

    The journal is in memory: it ends with the program.
    """

    DEFAULT_CSS = """
    JournalScreen {
        & #entry {
            height: auto;
            max-height: 50%;
            border-top: solid $surface-lighten-3;
        }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "copy", "Copy command"),
        Binding("escape", "dismiss(None)", "Back"),
        Binding("q,at", "dismiss(None)", "Back", show=False),
    ]

    def __init__(self, journal: Journal) -> None:
        super().__init__()
        columns: list[Column[Entry]] = [
            Column(
                "time", lambda entry, _width: Cell(utc_time(int(entry.time)), "muted"), width=23, priority=1
            ),
            Column("", lambda entry, _width: _outcome(entry), width=7),
            Column("change", lambda entry, _width: Cell(entry.title), width=16, flex=1),
        ]
        rows = SequenceRows(journal.entries[::-1])
        self._entries: VirtualList[Entry] = VirtualList(columns, rows, empty="nothing was changed yet")

    def compose(self) -> ComposeResult:
        """The list, and the entry under the cursor in full."""
        with box("Journal, newest first", id="journal"):
            yield ListPane(self._entries)
            with VerticalScroll(id="entry"):
                yield Static(id="sentence", markup=False)
                yield Static(id="command", markup=False)
                yield Static(id="details", markup=False)
        yield KeyBar()

    def on_mount(self) -> None:
        """Keys go to the list."""
        self._entries.source_changed()
        self._entries.focus()
        self._show_entry()

    @on(VirtualList.Highlighted)
    def _show_entry(self) -> None:
        entry = self._entries.current
        self.query_one("#entry").display = entry is not None
        if entry is not None:
            self.query_one("#sentence", Static).update(Content.styled(entry.sentence, "bold"))
            self.query_one("#command", Static).update(Content(f"$ {entry.command}"))
            details = self.query_one("#details", Static)
            details.display = bool(entry.details)
            details.update(Content("\n".join(map(safe_name, entry.details.splitlines()))))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """There is nothing to copy in an empty journal."""
        return action != "copy" or self._entries.source.count > 0

    def action_copy(self) -> None:
        """Copy the command line of the entry under the cursor."""
        entry = self._entries.current
        if entry is not None:
            self.app.copy_to_clipboard(entry.command)
            self.notify("Copied the command line.", markup=False)


def _outcome(entry: Entry) -> Cell:
    return Cell(entry.ending, "plain" if entry.ending == "done" else "warning")

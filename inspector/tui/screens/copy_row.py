"""A choice of what to copy of a row: its name, its object id, all of it as JSON, where it lies.

Goes to the clipboard by OSC 52, which most terminals obey, also from afar. What a terminal could be made to
obey in turn, when it is pasted there, is escaped as it is on screen.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from textual import on

from engine.format import LogRecord
from engine.table import Table
from inspector.rows import LogRow, RefRow, SequenceRows, entry_json
from inspector.text import safe_name, safe_text
from inspector.tui.keys import bindings
from inspector.tui.screens.dialog import ListDialog
from inspector.tui.widgets.virtual_list import Column, VirtualList, fit_text
from inspector.tui.work import failure_text

SHOWN_CHARACTERS: Final = 60


class CopyChoice(NamedTuple):
    """Something to copy: what it is called, and the text that goes to the clipboard, fit for a terminal."""

    label: str
    text: str


def copy_choices(row: RefRow | LogRow, table: Table) -> list[CopyChoice]:
    """What can be copied of `row` of `table`. Reads the record whole; raises `ReftableError`, `OSError`."""
    name = row.record.name
    choices = [CopyChoice("name", safe_text(name))]
    if isinstance(row, RefRow):
        ids = [("object id", row.record.value), ("peeled id", row.record.peeled)]
        if row.record.target is not None:
            choices.append(CopyChoice("target", safe_text(row.record.target)))
    else:
        ids = [("new id", row.record.new), ("old id", row.record.old)]
    choices += [CopyChoice(label, oid.hex()) for label, oid in ids if oid is not None]
    if (located := row.locate(table)) is not None:
        offset, record = located
        if isinstance(record, LogRecord) and not record.is_deletion:
            choices.append(CopyChoice("message", safe_text(record.message.rstrip(b"\n"))))
        choices.append(CopyChoice("row as JSON", entry_json(record, table)))
        choices.append(CopyChoice("table:offset", f"{safe_name(table.name)}:{offset}"))
    return choices


class CopyScreen(ListDialog[None, CopyChoice]):
    """The choice; what is chosen is copied, and said to be."""

    HELP = """
    What can be copied of the row. It goes to the clipboard of your terminal by the escape sequence OSC 52;
    a terminal or multiplexer that does not know it, or has it switched off, ignores it.

    table:offset names the file and the byte at which the block begins that holds the record.
    """

    BINDINGS = bindings("copy")

    def __init__(self, row: RefRow | LogRow, table: Table) -> None:
        columns: list[Column[CopyChoice]] = [
            Column("what", lambda choice, _width: choice.label, width=12),
            Column("text", lambda choice, _width: choice.text, width=16, flex=1),
        ]
        super().__init__("Copy", VirtualList(columns), classes="-small -alone")
        self._row = row
        self._table = table

    def on_mount(self) -> None:
        """Have the record read."""
        self.say("reading …")
        row, table = self._row, self._table
        self._jobs.start("read", lambda _job: copy_choices(row, table), self._show, self._fail)

    def _show(self, choices: list[CopyChoice]) -> None:
        self.say("")
        self._list.show(SequenceRows(choices))

    def _fail(self, error: Exception) -> None:
        self.say(failure_text(error))

    @on(VirtualList.Opened)
    def action_choose(self) -> None:
        """Copy the choice under the cursor."""
        if (choice := self._list.current) is not None:
            self.app.copy_to_clipboard(choice.text)
            what = fit_text(choice.text, SHOWN_CHARACTERS).rstrip()
            self.app.notify(what, title=f"Copied: {choice.label}")
            self.dismiss(None)

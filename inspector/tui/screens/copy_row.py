"""A choice of what to copy of a row: its name, its object id, all of it as JSON, where it lies.

Goes to the clipboard by OSC 52, which most terminals obey, also from afar. What a terminal could be made to
obey in turn, when it is pasted there, is escaped as it is on screen.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Final, NamedTuple

from textual import on
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import OptionList, Static

from engine.format import LogRecord, RefRecord
from engine.table import Table
from inspector.rows import LogRow, RefRow, entry_json
from inspector.text import safe_name, safe_text
from inspector.tui.screens.dialog import Dialog
from inspector.tui.work import failure_text

SHOWN_CHARACTERS: Final = 60


class CopyChoice(NamedTuple):
    """Something to copy: what it is called, and the text that goes to the clipboard, fit for a terminal."""

    label: str
    text: str


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…"


def copy_choices(row: RefRow | LogRow, table: Table) -> list[CopyChoice]:
    """What can be copied of `row` of `table`. Reads the record whole; raises `ReftableError`, `OSError`."""
    name = row.record.name
    choices = [CopyChoice("name", safe_text(name))]
    located: tuple[int, RefRecord] | tuple[int, LogRecord] | None
    if isinstance(row, RefRow):
        located = table.locate_ref(name)
        ids = [("object id", row.record.value), ("peeled id", row.record.peeled)]
        if row.record.target is not None:
            choices.append(CopyChoice("target", safe_text(row.record.target)))
    else:
        located = table.locate_log(name, row.record.update_index)
        ids = [("new id", row.record.new), ("old id", row.record.old)]
    choices += [CopyChoice(label, oid.hex()) for label, oid in ids if oid is not None]
    if located is not None:
        offset, record = located
        if isinstance(record, LogRecord) and not record.is_deletion:
            choices.append(CopyChoice("message", safe_text(record.message.rstrip(b"\n"))))
        choices.append(CopyChoice("row as JSON", entry_json(record, table)))
        choices.append(CopyChoice("table:offset", f"{safe_name(table.name)}:{offset}"))
    return choices


class CopyScreen(Dialog[None]):
    """The choice; what is chosen is copied, and said to be."""

    HELP = """
    What can be copied of the row. It goes to the clipboard of your terminal by the escape sequence OSC 52;
    a terminal or multiplexer that does not know it, or has it switched off, ignores it.

    table:offset names the file and the byte at which the block begins that holds the record.
    """

    DEFAULT_CSS = """
    CopyScreen {
        & > .box { width: 90%; max-width: 90; height: auto; max-height: 80%; }
        & OptionList {
            height: auto;
            max-height: 12;
            border: none;
            padding: 0;
            background: $surface;
            text-wrap: nowrap;
            text-overflow: ellipsis;
            & > .option-list--option-highlighted { text-style: reverse; }
        }
        & OptionList:focus { border: none; }
        & #said { height: auto; color: $foreground-muted; }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "Copy", priority=True),
        Binding("escape", "dismiss(None)", "Back"),
        Binding("q,y", "dismiss(None)", "Back", show=False),
        Binding("j", "move(1)", "Down", show=False),
        Binding("k", "move(-1)", "Up", show=False),
    ]

    def __init__(self, row: RefRow | LogRow, table: Table) -> None:
        super().__init__("Copy")
        self._row = row
        self._table = table
        self._choices: list[CopyChoice] = []

    def parts(self) -> Iterator[Widget]:
        """A list of few lines."""
        yield OptionList(markup=False)
        yield Static("", id="said", markup=False)

    def on_mount(self) -> None:
        """Have the record read."""
        self._say("reading …")
        row, table = self._row, self._table
        self._jobs.start("read", lambda _job: copy_choices(row, table), self._take, self._fail)

    def _fail(self, error: Exception) -> None:
        self._say(failure_text(error))

    def _say(self, text: str) -> None:
        said = self.query_one("#said", Static)
        said.display = bool(text)
        said.update(Content(text))

    def _take(self, choices: list[CopyChoice]) -> None:
        self._choices = choices
        self._say("")
        options = self.query_one(OptionList)
        width = max(len(choice.label) for choice in choices)
        for choice in choices:
            options.add_option(Content.assemble((f"{choice.label:<{width}}  ", "bold"), _cut(choice.text)))
        options.highlighted = 0
        options.focus()

    def action_choose(self) -> None:
        """Copy the choice under the cursor."""
        self.query_one(OptionList).action_select()

    def action_move(self, rows: int) -> None:
        """Move among the choices."""
        options = self.query_one(OptionList)
        if rows > 0:
            options.action_cursor_down()
        else:
            options.action_cursor_up()

    @on(OptionList.OptionSelected)
    def _copy(self, event: OptionList.OptionSelected) -> None:
        choice = self._choices[event.option_index]
        self.app.copy_to_clipboard(choice.text)
        self.app.notify(_cut(choice.text), title=f"Copied: {choice.label}", markup=False)
        self.dismiss(None)

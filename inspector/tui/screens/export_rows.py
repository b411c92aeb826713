"""Asks for a path and writes the rows of a list to it, as they are filtered and sorted."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, Final

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Input, Static
from textual.worker import Worker, WorkerState, get_current_worker

from engine.errors import Cancelled
from inspector.model import Arrangement
from inspector.rows import Entries, ExportError, SortedRows, check_export_path, export_rows
from inspector.text import error_text, safe_name

__all__ = ["ExportScreen"]

BATCH: Final = 1024
TELL_ROWS: Final = 16384


class ExportScreen(ModalScreen[Path | None]):
    """A path, the progress of writing, and what became of it; answers with the file that was made."""

    HELP = """
    Writes every row of the list to a file, filtered and in the order shown, with the whole record: one JSON
    object a line (.jsonl), as the verbs refs and logs print them, or CSV with the same fields (.csv).

    A file that exists is never written to, and nothing goes into the directory of the stack. Rows are read
    from the stack as it was when the list was drawn, even if it changes meanwhile. Escape stops and removes
    what was written so far.
    """

    DEFAULT_CSS = """
    ExportScreen {
        align: center middle;
        & > #export {
            width: 90%;
            max-width: 90;
            height: auto;
            border: heavy $accent;
            border-title-style: bold;
            background: $surface;
            padding: 0 1;
        }
        & Input { margin: 1 0; }
        & .hint { color: $foreground-muted; }
        & #said { height: auto; }
        & #said.-wrong { color: $text-error; }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Cancel")]

    class Written(Message):
        """So many rows are in the file; `path` once they are all."""

        def __init__(self, rows: int, path: Path | None = None) -> None:
            super().__init__()
            self.rows = rows
            self.path = path

    def __init__(self, arrangement: Arrangement[Any], noun: str) -> None:
        """`noun` is what the rows are."""
        super().__init__()
        self._arrangement = arrangement
        self._noun = noun
        self._worker: Worker[None] | None = None

    def compose(self) -> ComposeResult:
        """Where to, and what becomes of it."""
        with Vertical(id="export"):
            yield Input(placeholder="refs.jsonl or refs.csv", compact=True, select_on_focus=False)
            yield Static("", id="said", markup=False)
            yield Static("enter writes   esc leaves", classes="hint", markup=False)

    def on_mount(self) -> None:
        """Ask."""
        source = self._arrangement.source
        self.query_one("#export").border_title = f"Export {self._noun} to a new file"
        prompt = self.query_one(Input)
        prompt.cursor_blink = False
        prompt.focus()
        count = f"{source.count:,}{'' if source.complete else '+'}"
        self._say(f"{count} {self._noun}; the format is told by the ending of the name")

    def _say(self, text: str, *, wrong: bool = False) -> None:
        said = self.query_one("#said", Static)
        said.set_class(wrong, "-wrong")
        said.update(Content(f"! {text}" if wrong else text))

    @on(Input.Submitted)
    def _begin(self, event: Input.Submitted) -> None:
        event.stop()
        if self._worker is not None:
            return
        source = self._arrangement.source
        if isinstance(source, SortedRows) and not source.complete:
            self._say("the rows are still being sorted: wait for it, or leave and press s", wrong=True)
            return
        try:
            path = check_export_path(event.value, self._arrangement.view.directory)
        except ExportError as error:
            self._say(str(error), wrong=True)
            return
        self._say("writing …")
        self._worker = self.run_worker(lambda: self._write(path), thread=True, exit_on_error=False)

    def _batches(self) -> Iterator[Entries]:
        source = self._arrangement.source
        if not isinstance(source, SortedRows):
            yield from self._arrangement.base.all_entries()
            return
        entries = source.entries(0)
        while batch := list(islice(entries, BATCH)):
            yield batch

    def _write(self, path: Path) -> None:
        worker = get_current_worker()
        written = told = 0

        def progress(rows: int) -> None:
            nonlocal written, told
            if worker.is_cancelled:
                raise Cancelled
            written = rows
            if written - told >= TELL_ROWS:
                told = written
                self.post_message(self.Written(written))

        rows = export_rows(path, self._batches(), progress)
        self.post_message(self.Written(rows, path))

    @on(Written)
    def _told(self, event: Written) -> None:
        if event.path is None:
            if self._worker is not None:
                self._say(f"writing … {event.rows:,}")
            return
        self.app.notify(
            f"{event.rows:,} {self._noun} in {safe_name(str(event.path))}", title="Exported", markup=False
        )
        self.dismiss(event.path)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Say what went wrong; the user may give another path."""
        if event.state is WorkerState.ERROR and event.worker.error is not None:
            self._worker = None
            error = event.worker.error
            if isinstance(error, FileExistsError):
                self._say("there is such a file already, and it stays as it is", wrong=True)
            else:
                self._say(error_text(error), wrong=True)

    def action_leave(self) -> None:
        """Stop writing, or leave."""
        if self._worker is not None and not self._worker.is_finished:
            self._worker.cancel()
        self.dismiss(None)

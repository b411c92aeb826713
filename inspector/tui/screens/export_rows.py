"""Asks for a path and writes the rows of a list to it, as they are filtered and sorted."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final

from textual.content import Content
from textual.widgets import Input, Static

from inspector.model import Arrangement
from inspector.rows import Entries, ExportError, SortedRows, check_export_path, export_rows
from inspector.text import safe_name
from inspector.tui.keys import bindings
from inspector.tui.screens.dialog import Dialog
from inspector.tui.widgets.record_bar import count_text
from inspector.tui.work import Job, failure_text

BATCH: Final = 1024
TELL_ROWS: Final = 16384


class ExportScreen(Dialog[Path | None]):
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
        & > .box { width: 90%; max-width: 90; height: auto; }
        & Input { margin: 1 0; }
        & #said { height: auto; }
        & #said.-wrong { color: $text-error; }
    }
    """

    BINDINGS = bindings("export")

    def __init__(self, arrangement: Arrangement[Any], noun: str) -> None:
        """`noun` is what the rows are."""
        self._path = Input(placeholder="refs.jsonl or refs.csv", compact=True, select_on_focus=False)
        self._said = Static("", id="said", markup=False)
        super().__init__(f"Export {noun} to a new file", self._path, self._said)
        self._arrangement = arrangement
        self._noun = noun

    def on_mount(self) -> None:
        """Ask."""
        source = self._arrangement.source
        self._path.cursor_blink = False
        self._path.focus()
        self._say(f"{count_text(source)} {self._noun}; the format is told by the ending of the name")

    def _say(self, text: str, *, wrong: bool = False) -> None:
        self._said.set_class(wrong, "-wrong")
        self._said.update(Content(f"! {text}" if wrong else text))

    def action_write(self) -> None:
        """Write to the path that was typed."""
        if self._jobs.running("export"):
            return
        source = self._arrangement.source
        if isinstance(source, SortedRows) and not source.complete:
            self._say("the rows are still being sorted: wait for it, or leave and press s", wrong=True)
            return
        try:
            path = check_export_path(self._path.value, self._arrangement.view.directory)
        except ExportError as error:
            self._say(str(error), wrong=True)
            return
        self._say("writing …")
        self._jobs.start("export", partial(self._write, path), partial(self._end, path), self._fail)

    def _batches(self) -> Iterator[Entries]:
        source = self._arrangement.source
        if not isinstance(source, SortedRows):
            yield from self._arrangement.base.all_entries()
            return
        entries = source.entries(0)
        while batch := list(islice(entries, BATCH)):
            yield batch

    def _write(self, path: Path, job: Job) -> int:
        told = 0

        def progress(rows: int) -> None:
            nonlocal told
            job.check()
            if rows - told >= TELL_ROWS:
                told = rows
                job.report(self._say, f"writing … {rows:,}")

        return export_rows(path, self._batches(), progress)

    def _end(self, path: Path, rows: int) -> None:
        what = f"{rows:,} {self._noun} in {safe_name(str(path))}"
        self.app.notify(what, title="Exported")
        self.dismiss(path)

    def _fail(self, error: Exception) -> None:
        """Say what went wrong; the user may give another path."""
        is_there = isinstance(error, FileExistsError)
        what = "there is such a file already, and it stays as it is" if is_there else failure_text(error)
        self._say(what, wrong=True)

    def action_leave(self) -> None:
        """Stop writing, or leave."""
        self._jobs.drop("export")
        self.dismiss(None)

"""The choice between several stacks: a repository has one of its own, and one for each linked worktree.

A job opens each stack, read-only and one after the other, for the number and the size of its tables. Of a
stack that cannot be opened the list says why. It can be chosen all the same, and then more is said of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from textual import on
from textual.content import Content

from engine.errors import ReftableError
from engine.git import StackLocation
from engine.stack import Stack, StackOptions
from inspector.rows import SequenceRows
from inspector.text import error_text, file_size, safe_name
from inspector.tui.cells import shorten_middle
from inspector.tui.keys import bindings
from inspector.tui.screens.dialog import ListDialog
from inspector.tui.widgets.virtual_list import Cell, Column, VirtualList
from inspector.tui.work import Job


class StackSummary(NamedTuple):
    """How many tables a stack has, and their size in bytes; or why it cannot be opened."""

    tables: int = 0
    size: int = 0
    error: str | None = None


class PickerScreen(ListDialog[StackLocation | None, StackLocation]):
    """Asks which stack; the answer is its location, or None when the user wants none."""

    HELP = """\
A repository keeps its refs in one stack, which all its worktrees share. Each linked worktree (git \
worktree add) has a second one, for what is its own: HEAD, refs/bisect, refs/worktree, refs/rewritten. They \
are independent: choose the one to look at. "main" is the one that all share.

enter opens the stack under the cursor, escape leaves."""

    DEFAULT_CSS = """
    PickerScreen {
        & #detail { margin: 1 0 0 0; height: auto; max-height: 4; padding: 0; border: none; }
        & #detail-text { color: $foreground-muted; }
    }
    """

    BINDINGS = bindings("picker")

    def __init__(
        self, locations: Sequence[StackLocation], options: StackOptions, *, base: Path | None = None
    ) -> None:
        """`options` are those to open the stacks with; paths below `base` are shown relative to it."""
        self._locations = locations
        self._options = options
        self._base = base
        self._summaries: dict[Path, StackSummary] = {}
        names = max((len(_name(location, 0).text) for location in locations), default=0)
        columns: list[Column[StackLocation]] = [
            Column("stack", _name, width=max(5, min(names, 24)), flex=1),
            Column("path", self._path, width=16, flex=3),
            Column("tables", self._tables, width=7, align="right"),
            Column("size", self._bytes, width=7, align="right"),
        ]
        rows = VirtualList(columns, SequenceRows(locations), empty="no stacks")
        super().__init__("Which stack?", rows, classes="-small")

    def on_mount(self) -> None:
        """Begin at the stack of the path that was given, and have the tables of each read."""
        current = [number for number, location in enumerate(self._locations) if location.is_current]
        self._list.cursor = current[0] if current else 0
        self._jobs.start("summaries", self._read, lambda _nothing: None)

    def _read(self, job: Job) -> None:
        for location in self._locations:
            job.check()
            job.report(self._take_summary, location.directory, self._summarise(location.directory))

    def _summarise(self, directory: Path) -> StackSummary:
        try:
            with Stack.open(directory, self._options, read_only=True) as stack:
                return StackSummary(len(stack.tables), sum(table.size for table in stack.tables))
        except (ReftableError, OSError) as error:
            return StackSummary(error=error_text(error))

    def _take_summary(self, directory: Path, summary: StackSummary) -> None:
        self._summaries[directory] = summary
        self._list.show(self._list.source)
        self.show_detail()

    def detail(self, row: StackLocation) -> list[Content]:
        """Which stack it is, or why it cannot be opened."""
        here = "the stack of this path" if row.is_current else "another stack of this repository"
        summary = self._summaries.get(row.directory)
        error = summary.error if summary is not None else None
        return [Content(here if error is None else f"! cannot be opened: {error}")]

    def _path(self, row: StackLocation, width: int) -> Cell:
        path = row.directory
        if self._base is not None and path.is_relative_to(self._base):
            path = path.relative_to(self._base)
        return Cell(shorten_middle(safe_name(str(path)), width), "muted")

    def _tables(self, row: StackLocation, _width: int) -> Cell:
        if (summary := self._summaries.get(row.directory)) is None:
            return Cell("…", "muted")
        return Cell("! error", "error") if summary.error is not None else Cell(f"{summary.tables:,}")

    def _bytes(self, row: StackLocation, _width: int) -> str:
        summary = self._summaries.get(row.directory)
        return "" if summary is None or summary.error is not None else file_size(summary.size)

    @on(VirtualList.Opened)
    def action_choose(self) -> None:
        """Answer with the stack under the cursor."""
        if (location := self._list.current) is not None:
            self.dismiss(location)


def _name(row: StackLocation, _width: int) -> Cell:
    name = safe_name(row.name)
    return Cell(f"{name} (here)", "accent") if row.is_current else Cell(name)

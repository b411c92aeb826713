"""The choice between several stacks: a repository has one of its own, and one for each linked worktree.

A job opens each stack, read-only and one after the other, for the number and the size of its tables. Of a
stack that cannot be opened the list says why. It can be chosen all the same, and then more is said of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.content import Content

from engine.errors import ReftableError
from engine.git import StackLocation
from engine.stack import Stack, StackOptions
from inspector.rows import SequenceRows
from inspector.text import error_text, file_size, safe_name, shorten_middle
from inspector.tui.screens.list_dialog import ListDialog
from inspector.tui.widgets.virtual_list import Cell, Column, VirtualList
from inspector.tui.work import Job


@dataclass(frozen=True, slots=True)
class StackSummary:
    """How many tables a stack has, and their size in bytes; or why it cannot be opened."""

    tables: int = 0
    size: int = 0
    error: str | None = None


@dataclass(frozen=True, slots=True)
class _Choice:
    location: StackLocation
    path: str
    summary: StackSummary | None


class PickerScreen(ListDialog[StackLocation | None, _Choice]):
    """Asks which stack; the answer is its location, or None when the user wants none."""

    HELP: ClassVar[str] = """\
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

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "Open"),
        Binding("escape,q", "dismiss(None)", "Leave"),
    ]

    def __init__(
        self, choices: Sequence[StackLocation], options: StackOptions, *, base: Path | None = None
    ) -> None:
        """`options` are those to open the stacks with; paths below `base` are shown relative to it."""
        super().__init__("Which stack?", VirtualList((), empty="no stacks"), classes="-small")
        self._options = options
        self._choices = [
            _Choice(location, _shown_path(location.directory, base), None) for location in choices
        ]

    def on_mount(self) -> None:
        """Show the names, with the cursor on the stack that the path stands for, and have the rest read."""
        self._draw()
        current = [number for number, choice in enumerate(self._choices) if choice.location.is_current]
        self._list.cursor = current[0] if current else 0
        self._jobs.start("summaries", self._read, lambda _nothing: None)

    def _draw(self) -> None:
        self._list.show(SequenceRows(self._choices), self._columns())
        self.show_detail()

    def _columns(self) -> list[Column[_Choice]]:
        names = max((len(_name(choice, 0).text) for choice in self._choices), default=0)
        return [
            Column("stack", _name, width=max(5, min(names, 24)), flex=1),
            Column(
                "path", lambda row, width: Cell(shorten_middle(row.path, width), "muted"), width=16, flex=3
            ),
            Column("tables", _tables, width=7, align="right"),
            Column("size", _size, width=7, align="right"),
        ]

    def _read(self, job: Job) -> None:
        for number, choice in enumerate(self._choices):
            job.check()
            job.report(self._take_summary, number, self._summarise(choice.location.directory))

    def _summarise(self, directory: Path) -> StackSummary:
        try:
            with Stack.open(directory, self._options, read_only=True) as stack:
                return StackSummary(len(stack.tables), sum(table.size for table in stack.tables))
        except (ReftableError, OSError) as error:
            return StackSummary(error=error_text(error))

    def _take_summary(self, number: int, summary: StackSummary) -> None:
        choice = self._choices[number]
        self._choices[number] = _Choice(choice.location, choice.path, summary)
        self._draw()

    def detail(self, row: _Choice) -> list[Content]:
        """Which stack it is, or why it cannot be opened."""
        here = "the stack of this path" if row.location.is_current else "another stack of this repository"
        error = row.summary.error if row.summary is not None else None
        return [Content(here if error is None else f"! cannot be opened: {error}")]

    @on(VirtualList.Opened)
    def action_choose(self) -> None:
        """Answer with the stack under the cursor."""
        if (choice := self._list.current) is not None:
            self.dismiss(choice.location)


def _shown_path(directory: Path, base: Path | None) -> str:
    if base is not None and directory.is_relative_to(base):
        directory = directory.relative_to(base)
    return safe_name(str(directory))


def _name(row: _Choice, _width: int) -> Cell:
    name = safe_name(row.location.name)
    return Cell(f"{name} (here)", "accent") if row.location.is_current else Cell(name)


def _tables(row: _Choice, _width: int) -> Cell:
    if row.summary is None:
        return Cell("…", "muted")
    return Cell("! error", "error") if row.summary.error is not None else Cell(f"{row.summary.tables:,}")


def _size(row: _Choice, _width: int) -> Cell:
    if row.summary is None or row.summary.error is not None:
        return Cell("")
    return Cell(file_size(row.summary.size))

"""The menu of what changes the stack: one key on the main screen, and then a letter for each change.

None of them changes anything at once: each shows a plan first. What can do nothing now says why.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from textual import on

from inspector.rows import SequenceRows
from inspector.tui.keys import bindings, key_of
from inspector.tui.screens.dialog import ListDialog
from inspector.tui.widgets.virtual_list import Cell, Column, VirtualList


class Change(NamedTuple):
    """A line of the menu: what is done, what that would do now, or why it can do nothing."""

    action: str
    """The screen's action, and the meaning of its key."""
    title: str
    does: str
    refused: str = ""


class ChangeMenu(ListDialog[str | None, Change]):
    """The changes; dismissed with the action that was chosen, or None."""

    HELP = """
    Everything that changes the stack. Each shows first what it would do, and asks before anything is written;
    z takes the last change back, whichever it was. What is dimmed can do nothing now, and says why.
    """

    BINDINGS = bindings("change")

    def __init__(self, changes: Sequence[Change], undo: Callable[[], Change]) -> None:
        """`undo` finds out what undo would do, which has to be read; until then it is that of `changes`."""
        columns: list[Column[Change]] = [
            Column("key", lambda change, _width: _cell(change, key_of(self, change.action)), width=3),
            Column("change", lambda change, _width: _cell(change, change.title), width=8),
            Column(
                "now", lambda change, _width: _cell(change, change.refused or change.does), width=20, flex=1
            ),
        ]
        rows = VirtualList(columns, SequenceRows(changes))
        super().__init__("Change the stack", rows, classes="-small -alone")
        self._changes = changes
        self._undo = undo

    def on_mount(self) -> None:
        """Find out whether there is something to undo."""
        # Where that cannot be read, the plan says why.
        self._jobs.start("undo", lambda _job: self._undo(), self._show_undo, lambda _error: None)

    def _show_undo(self, undo: Change) -> None:
        self._changes = [undo if change.action == undo.action else change for change in self._changes]
        self._list.show(SequenceRows(self._changes), cursor=self._list.cursor)

    def action_pick(self, action: str) -> None:
        """Go on with this change."""
        self._list.cursor = [change.action for change in self._changes].index(action)
        self.action_choose()

    @on(VirtualList.Opened)
    def action_choose(self) -> None:
        """Go on with the change under the cursor, unless it can do nothing."""
        if (change := self._list.current) is None:
            return
        if change.refused:
            self.say(f"{change.title}: {change.refused}")
        else:
            self.dismiss(change.action)


def _cell(change: Change, text: str) -> Cell:
    return Cell(text, "muted" if change.refused else "plain")

"""A screen from which its stack is changed: each change has a screen of its own, which asks first.

Nothing but a repair, or going back to a snapshot, can change a stack that is broken. Changes begin with the
ref under the cursor, and with the tables that are marked.
"""

from __future__ import annotations

from textual import on
from textual.screen import Screen

from inspector.actions import CleanAction, UndoAction
from inspector.tui.screens.add import AddScreen
from inspector.tui.screens.compact import CompactScreen, range_action
from inspector.tui.screens.expire import ExpireScreen
from inspector.tui.screens.journal import JournalScreen
from inspector.tui.screens.live import LiveScreen
from inspector.tui.screens.plan import ActionScreen, RepairScreen
from inspector.tui.screens.snapshots import SnapshotsScreen
from inspector.tui.widgets.compaction_words import damage_texts
from inspector.tui.widgets.stack_list import StackPane


class ChangingScreen(LiveScreen):
    """Leads to each change of the stack."""

    def action_add(self) -> None:
        """Write a transaction; the form begins with the ref under the cursor."""
        hash_id, row = self._session.view.hash_id, self._refs.current
        ref = row.record if row is not None and self._detail_of is self._refs else None
        self._change(AddScreen(self._workplace, self._journal, hash_id, ref=ref))

    def action_compact(self) -> None:
        """Merge tables: those that are marked, or which the next screen asks for."""
        marked = self._stack.marked
        if len(marked) < 2:
            damage = damage_texts(self._compaction.study)
            self._change(CompactScreen(self._workplace, self._journal, self._session.view, damage))
        elif not self._compaction.refuses(marked):
            self.compact(marked)

    def compact(self, tables: range) -> None:
        """Show what merging the tables at these positions would do."""
        action = range_action(self._workplace, self._session.view, tables.start, tables.stop)
        self._change(ActionScreen(action, self._journal))

    def action_expire(self) -> None:
        """Drop old reflog entries."""
        self._change(ExpireScreen(self._workplace, self._journal))

    def action_clean(self) -> None:
        """Remove what crashes left behind."""
        self._change(ActionScreen(CleanAction(self._workplace), self._journal))

    def action_repair(self) -> None:
        """Check the stack and show what repairs it."""
        self.app.clear_notifications()  # one that led here names keys which mean something else there
        self._act(RepairScreen(self._workplace, self._journal))

    @on(StackPane.UnlockWanted)
    def _unlock_wanted(self, event: StackPane.UnlockWanted) -> None:
        self._act(RepairScreen(self._workplace, self._journal, locks=(event.name,)))

    def action_undo(self) -> None:
        """Go back to the newest snapshot."""
        self._act(ActionScreen(UndoAction(self._workplace), self._journal))

    def action_snapshots(self) -> None:
        """Show what was kept before each change."""
        self._act(SnapshotsScreen(self._workplace, self._journal, self._session.view))

    def action_journal(self) -> None:
        """Show what was done, and the command lines for it."""
        self.app.push_screen(JournalScreen(self._journal))

    def _change(self, screen: Screen[bool]) -> None:
        """Show a screen that changes the stack, unless nothing but a repair can."""
        if self._session.view.faults:
            self.notify(
                "Nothing but a repair can change it: r shows a plan, as does reftable-inspector repair.",
                title="The stack is broken",
                severity="warning",
                markup=False,
            )
        else:
            self._act(screen)

    def _act(self, screen: Screen[bool]) -> None:
        def done(changed: bool | None) -> None:
            if changed:
                # What was wrong may be right by now, and the other way round.
                is_repair = isinstance(screen, RepairScreen) and not screen.is_unlocking
                self._check_is_due |= is_repair or bool(self._compaction.study.damage)
                self.look_again()

        self.app.push_screen(screen, done)

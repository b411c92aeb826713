"""The main screen: the stack on the left; on the right its refs, logs, blocks, compaction and health.

Panes do not know each other: what one says (a table was opened, a block is wanted, a range is to be
compacted) becomes here what another shows, or a screen on top of this one. The panes themselves, which
show what the session reads, and changes by other processes, are those of `live.py`.

Each change of the stack has a screen of its own, which asks first. Nothing but a repair, or going back to a
snapshot, can change a stack that is broken.
"""

from __future__ import annotations

from typing import Final

from textual import on
from textual.events import DescendantFocus
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input

from engine.stack import UnlistedFile
from inspector import actions
from inspector.model import AsOf, PlanPlace, RecordPlace, WholeStack, object_of
from inspector.rows import LogRow, RefRow
from inspector.text import age_text, counted, positions_text, safe_name
from inspector.tui import screens, widgets
from inspector.tui.keys import bindings
from inspector.tui.notices import NoticesApp
from inspector.tui.screens.navigable import NavigableScreen
from inspector.tui.widgets.record_bar import Which
from inspector.tui.widgets.record_pane_base import RecordPane
from inspector.tui.widgets.stack_list import StackPane
from inspector.tui.widgets.status_line import Breadcrumbs
from inspector.tui.widgets.virtual_list import ColumnTitles

_UNDO: Final = "Undo…"

_FIRST_LOOKS: Final = 10
"""Looks at the stack, twice a second, up to which what stops git is shown by itself, if not longer."""


class MainScreen(NavigableScreen):
    """Everything about one stack."""

    # Not the first that can have it: that is the stack, which would get the keys, and lose them, each time.
    AUTO_FOCUS = "#refs"
    BINDINGS = bindings("main")

    _awaits_first_check = False
    """Whether the check that comes unasked, when the stack is opened, is still to tell what is wrong."""

    _asked_early: screens.RepairScreen | None = None
    """The plan that was asked for until then."""

    _is_opening = True
    """Whether these are the first moments: at least until all refs and logs are read, which meets damage."""

    async def on_mount(self) -> None:
        """Give the keys to what matters first."""
        await self._show_tab(self._shown_first)
        self.begin()
        if self._session.view.faults:
            self._health.action_check()
        elif self.checks_unasked:
            self._awaits_first_check = True
            self.call_after_refresh(self.check_again)

    def _look(self) -> None:
        view = self._session.view
        is_read = view.refs.complete and view.logs.complete and not self._jobs.running("session")
        self._is_opening &= self._ticks < _FIRST_LOOKS or not is_read
        super()._look()

    async def on_health_pane_changed(self) -> None:
        """Do what waits for something to be known."""
        await self._lead_to_health()
        self._answer_who_asked_early()

    async def _lead_to_health(self) -> None:
        """Show first what stops git, when that is found in the first moments and nothing was pressed."""
        if not (self._is_opening and self._health_known.stops_git):
            return
        is_as_opened = (
            self.app.screen is self
            and not self._has_gone
            and self._refs.rows.cursor == self._logs.rows.cursor == 0
            and self._refs.scope == WholeStack()
            and not isinstance(self.focused, Input)
        )
        if self._watch is not None and is_as_opened:
            await self._show_tab("health")

    def _answer_who_asked_early(self) -> None:
        """What was to be repaired before it was known what is wrong gets the answer of a moment later."""
        if not (self._awaits_first_check and self._health_known.is_checked):
            return
        self._awaits_first_check = False
        page, self._asked_early = self._asked_early, None
        if page is not None and page is self.app.screen and not self._health_known.stops_git:
            page.action_leave()
            self._say_nothing_is_wrong()

    def watch_focused(self, before: Widget | None, focused: Widget | None) -> None:
        """Show which pane has the keys."""
        if before is focused:
            return  # Textual asks once before anything has them
        for pane in self._beside_each_other:
            has_keys = focused is not None and pane in focused.ancestors
            if has_keys != pane.has_class("-with-keys"):
                # Only these: nothing else in a pane looks different for it.
                pane.set_class(has_keys, "-with-keys", update=False)
                self.app.stylesheet.update_nodes([pane, *pane.query(ColumnTitles)])

    @on(RecordPane.RowChosen)
    def _row_chosen(self, event: RecordPane.RowChosen) -> None:
        if event.pane is self._detail_of:
            self._show_detail()

    @on(StackPane.Chosen)
    def _file_chosen(self) -> None:
        if self._detail_of is self._stack:
            self._show_detail()
        if self._beside_shown is not None and self._beside_shown[0].name != self._stack.current_name:
            self._beside_shown = None
        self._show_blocks()

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        """The detail is that of the pane which has the keys."""
        if event.widget is not self.focused:
            return  # it comes late: the keys have gone on to another pane
        for pane in (self._stack, self._refs, self._logs):
            if pane in event.widget.ancestors and pane is not self._detail_of:
                self._detail_of = pane
                self._show_detail()

    def _show_detail(self) -> None:
        row = self._detail_of.current
        self._trace = None
        # The first ref that is shown is not drawn before its versions are known: they come at once.
        if not (isinstance(row, RefRow) and self._detail.is_empty):
            self._draw_detail()
        if isinstance(row, RefRow):
            arrangement = self._refs.arrangement
            within = arrangement.merged if arrangement is not None else None
            view = arrangement.view if arrangement is not None else None
            self._session.want_versions(row.record.name, within, view)
            self._work()

    @on(RecordPane.RowWanted)
    def _row_wanted(self, event: RecordPane.RowWanted) -> None:
        match event.what:
            case "block":
                update_index = event.row.record.update_index if isinstance(event.row, LogRow) else None
                self.go(RecordPlace(event.table.name, event.row.record.name, update_index))
            case "copy":
                self.app.push_screen(screens.CopyScreen(event.row, event.table))
            case "object":
                if (oid := object_of(event.row, self._trace)) is not None:
                    self.show_object(oid)

    @on(RecordPane.ExportWanted)
    def _export_wanted(self, event: RecordPane.ExportWanted) -> None:
        self.app.push_screen(screens.ExportScreen(event.arrangement, event.noun))

    # What the panes want of each other.

    def on_compaction_pane_compact_wanted(self, event: widgets.CompactionPane.CompactWanted) -> None:
        """Show what merging these tables would do."""
        self.compact(event.tables)

    @on(Breadcrumbs.NewsChosen)
    def _news_chosen(self) -> None:
        self.action_history()

    @on(Breadcrumbs.Chosen)
    def _part_chosen(self, event: Breadcrumbs.Chosen) -> None:
        if event.number == 0:
            self._set_scope(WholeStack())

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """What would do nothing is not offered, and where text is typed no letter is taken from it."""
        if action in ("tab", "show_tab"):
            return not isinstance(self.focused, Input)
        if action == "back":
            return self._refs.scope != WholeStack() or self.has_class("-maximised")
        if action == "go_back":
            return bool(self._trail)
        if action == "unlock":
            return self._lock is not None and self._lock == self._stack.current
        if action == "pause":
            return self._watch is not None
        return True

    def action_back(self) -> None:
        """Show both panes again, or the whole stack."""
        if self.has_class("-maximised"):
            self.action_maximise()
        else:
            self._set_scope(WholeStack())

    def action_maximise(self) -> None:
        """Give the pane that has the keys the whole screen, or show both again."""
        on_the_left = self.focused is not None and self._stack in self.focused.ancestors
        maximised = not self.has_class("-maximised")
        self.set_class(maximised, "-maximised")
        self.set_class(maximised and on_the_left, "-stack-only")
        self.set_class(maximised and not on_the_left, "-records-only")

    async def action_prompt(self, which: Which) -> None:
        """Ask for it in the list that is shown; where that has no such prompt, say so."""
        shown = self._tabs.active
        for pane in (self._refs, self._logs):
            if pane.is_attached and shown == pane.LIST_ID:
                await (pane.action_filter() if which == "filter" else pane.action_jump())
                return
        if shown == "blocks" and which == "jump":
            self._blocks.action_ask_offset()
            return
        await self.run_action(f"app.no_prompt('{which}')")

    def action_moments(self) -> None:
        """Choose an earlier state of the stack, or compare two."""
        scope = self._refs.scope
        at = scope.update_index if isinstance(scope, AsOf) else None
        self.app.push_screen(screens.MomentsScreen(self._session.view, at))

    def action_history(self) -> None:
        """Show what has changed, whichever process made it."""
        self.app.push_screen(screens.HistoryScreen(self._history, self._session.view.hash_id.size))

    # Changes of the stack.

    def action_change(self) -> None:
        """Choose one of the changes."""

        def chosen(action: str | None) -> None:
            if action is not None:
                getattr(self, f"action_{action}")()

        self.app.push_screen(screens.ChangeMenu(self.changes(), self.undo), chosen)

    def undo(self) -> screens.Change:
        """What undo would do now; for a worker, since it reads the snapshots."""
        what, nothing = actions.last_change(self._workplace.directory)
        return screens.Change("undo", _UNDO, f"take back {what}, with a plan first", nothing)

    def changes(self) -> list[screens.Change]:
        """What can be changed, and what each change would do now, as far as that is known without reading."""
        tables, marked = len(self._session.view.tables), self._stack.marked
        broken = "the stack is broken: r plans what repairs it" if self._session.view.faults else ""
        few = "" if tables > 1 else "there is nothing to merge"
        merged = f"merge {counted(tables, 'table')}, or some of them, into one"
        if len(marked) > 1:
            merged = f"merge the marked tables, {positions_text(marked)}, into one"
        left = sum(file.is_removable for file in self._unlisted)
        beside = f"{counted(left, 'file')} beside the tables" if left else "nothing beside the tables"
        if self._unlisted and not left:  # not all are compared before it is planned
            beside = "no file is known to be"
        errors = self._health_known.counts().errors
        known = f"{counted(errors, 'error')}: check all and " if errors else "check all, and "
        lock, what = self._lock, "no lock lies beside the tables"
        if lock is not None:
            what = f"remove {safe_name(lock.name)}, {age_text(lock.age)} old"
        elif any(file.kind.is_lock for file in self._unlisted):
            what = "choose one of the locks in the stack first"
        return [
            screens.Change("add", "Add…", "write a transaction: create, move and delete refs", broken),
            screens.Change("compact", "Compact…", merged, broken or few),
            screens.Change("expire", "Expire…", "drop old reflog entries", broken),
            screens.Change("clean", "Clean…", f"remove what crashes left: {beside}", broken),
            screens.Change("repair", "Repair…", f"{known}plan what repairs it"),
            screens.Change("unlock", "Unlock…", what, "" if lock is not None else what),
            screens.Change("undo", _UNDO, "go back to what was before the last change"),
        ]

    @property
    def _lock(self) -> UnlistedFile | None:
        """The lock under the cursor, or the only one there is."""
        file = self._stack.current
        if isinstance(file, UnlistedFile) and file.kind.is_lock:
            return file
        locks = [file for file in self._unlisted if file.kind.is_lock]
        return locks[0] if len(locks) == 1 else None

    def action_add(self) -> None:
        """Write a transaction; the form begins with the ref under the cursor."""
        hash_id, row = self._session.view.hash_id, self._refs.current
        ref = row.record if row is not None and self._detail_of is self._refs else None
        self._change(screens.AddScreen(self._workplace, self._journal, hash_id, ref=ref))

    def action_compact(self) -> None:
        """Merge tables: those that are marked, or which the next screen asks for."""
        marked = self._stack.marked
        if len(marked) < 2:
            damage = widgets.damage_texts(self._compaction.study)
            self._change(screens.CompactScreen(self._workplace, self._journal, self._session.view, damage))
        elif not self._compaction.refuses(marked):
            self.compact(marked)

    def compact(self, tables: range) -> None:
        """Show what merging the tables at these positions would do."""
        action = screens.range_action(self._workplace, self._session.view, tables.start, tables.stop)
        self._change(screens.ActionScreen(action, self._journal))

    def action_expire(self) -> None:
        """Drop old reflog entries."""
        self._change(screens.ExpireScreen(self._workplace, self._journal))

    def action_clean(self) -> None:
        """Remove what crashes left behind."""
        self._change(screens.ActionScreen(actions.CleanAction(self._workplace), self._journal))

    def action_repair(self) -> None:
        """Check the stack and show what repairs it."""
        self.app.clear_notifications()  # one that led here names keys which mean something else there
        self._act(screens.RepairScreen(self._workplace, self._journal))

    def action_repair_damage(self) -> None:
        """Plan a repair where something is wrong, or that is about to be known; else say how it is done.

        Health, which has this key, comes to be shown by itself when something is wrong; until then, what is
        typed for it gets here.
        """
        if self._health_known.stops_git or self._session.view.faults:
            self.action_repair()
        elif self._awaits_first_check:
            self._asked_early = screens.RepairScreen(self._workplace, self._journal)
            self._act(self._asked_early)
        else:
            self._say_nothing_is_wrong()

    def _say_nothing_is_wrong(self) -> None:
        self.notify("Nothing is known to be wrong. w, then r checks everything, and plans what repairs it.")

    def action_unlock(self) -> None:
        """Show whether the lock under the cursor can be removed."""
        if (lock := self._lock) is not None:
            self._act(screens.RepairScreen(self._workplace, self._journal, locks=(lock.name,)))

    def action_undo(self) -> None:
        """Go back to the newest snapshot."""
        self._act(screens.ActionScreen(actions.UndoAction(self._workplace), self._journal))

    def action_snapshots(self) -> None:
        """Show what was kept before each change."""
        self._act(screens.SnapshotsScreen(self._workplace, self._journal, self._session.view))

    def _plan(self, place: PlanPlace) -> None:
        match place.change:
            case "repair":
                self.action_repair()
            case "unlock":
                self._act(screens.RepairScreen(self._workplace, self._journal, locks=place.files))
            case "clean":
                self.action_clean()
            case "head":
                self._jobs.start(
                    "head", lambda _job: actions.branch_for_head(self._workplace), self._write_head
                )
            case "undo":
                self._act(
                    screens.ActionScreen(
                        actions.UndoAction(self._workplace, place.snapshot or None), self._journal
                    )
                )
            case "compact":
                positions = [self._session.view.positions.get(name) for name in place.files]
                found = [position for position in positions if position is not None]
                if len(found) < 2 or len(found) < len(positions):
                    self.notify("These tables are not there any more.", severity="warning")
                else:
                    self.compact(range(found[0], found[-1] + 1))

    def _write_head(self, branch: bytes | None) -> None:
        hash_id = self._session.view.hash_id
        self._change(screens.AddScreen(self._workplace, self._journal, hash_id, head=branch or b""))

    def action_journal(self) -> None:
        """Show what was done, and the command lines for it."""
        said = self.app.warned if isinstance(self.app, NoticesApp) else ()
        self.app.push_screen(screens.JournalScreen(self._journal, said))

    def _change(self, screen: Screen[bool]) -> None:
        if self._session.view.faults:
            self.notify(
                "Nothing but a repair can change it. r plans one, as does reftable-inspector repair.",
                title="The stack is broken",
                severity="warning",
            )
        else:
            self._act(screen)

    def _act(self, screen: Screen[bool]) -> None:
        def done(changed: bool | None) -> None:
            if changed:
                # What was wrong may be right by now, and the other way round.
                is_repair = isinstance(screen, screens.RepairScreen) and not screen.is_unlocking
                self._check_is_due |= is_repair or bool(self._compaction.study.damage)
                self.look_again()

        self.app.push_screen(screen, done)

"""A screen on which one goes from place to place: tabs, destinations of rows, and the way back.

A place is looked for by a job before anything moves (`inspector.model.find`); if it is not there, words say
so. Going somewhere from a dialog puts the dialog away: it comes back as it was, on the way back.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, Final

from textual import on
from textual.screen import Screen

from inspector.model import (
    CommitPlace,
    CompactionPlace,
    FilePlace,
    InBytes,
    InList,
    MomentPlace,
    PastCompaction,
    Place,
    PlacedRow,
    PlanPlace,
    ReadPlace,
    Scope,
    StackRow,
    find,
    is_at_hand,
    is_placed,
    places_of,
)
from inspector.rows import node_place
from inspector.tui import screens, widgets
from inspector.tui.navigation import Follow, Go, Held, Spot, Trail
from inspector.tui.pager import show_object
from inspector.tui.screens.live import LiveScreen
from inspector.tui.widgets.detail import Detail
from inspector.tui.widgets.tab_line import TabLine
from inspector.tui.widgets.virtual_list import VirtualList

_BUSY: Final = "A change is being made: wait for its end, or stop it with escape, before you go elsewhere."


class NavigableScreen(LiveScreen):
    """Has tabs to go to, and goes where rows lead."""

    _tab_with_keys = "refs"
    _has_gone = False
    """Whether the user has gone to a tab."""

    @cached_property
    def _trail(self) -> Trail:
        return Trail(self._forget)

    def on_unmount(self) -> None:
        """Let go of the dialogs that were put away."""
        self._trail.clear()

    # Tabs.

    async def action_tab(self, step: int) -> None:
        """Go to the tab beside, and round at the end."""
        names = self._tabs.names
        self._has_gone = True
        await self._show_tab(names[(names.index(self._tabs.active) + step) % len(names)])

    async def action_show_tab(self, number: int) -> None:
        """Go to this tab."""
        self._has_gone = True
        await self._show_tab(self._tabs.names[number])

    @on(TabLine.Chosen)
    async def _tab_chosen(self, event: TabLine.Chosen) -> None:
        self._has_gone = True
        if event.tab != self._tabs.active:
            await self._show_tab(event.tab)

    async def _show_tab(self, name: str) -> None:
        self._jobs.drop("locate")  # the user has gone elsewhere
        self._tab_with_keys = name
        pane = await self._build(name)
        if self._tab_with_keys != name:
            return  # the user has gone on meanwhile
        if self._tabs.active != name:
            self._tabs.active = name
            for other in self._panes.values():
                if other.is_attached and other.display != (other is pane):
                    other.display = other is pane
            self._show_blocks()
            self._show_way()
            self._hide_suggestion()
        if name == "compaction":
            self.set_focus(self._compaction.focus_target)
        else:
            shown = (
                rows for rows in pane.query(VirtualList) if rows.parent is not None and rows.parent.display
            )
            # On a low screen bytes are shown in place of the list of blocks.
            self.set_focus(next(shown, None) or pane.query("HexView").first())

    def on_compaction_pane_revealed(self) -> None:
        """The stack says what is known there by now."""
        self._hide_suggestion()

    def _hide_suggestion(self) -> None:
        self._stack.hide_suggestion(self._tabs.active == "compaction" and self._compaction.hides_own)

    # Where the row under the cursor leads.

    @property
    def places(self) -> tuple[Place, ...]:
        """Where the row under the cursor of what has the keys leads, the first destination first."""
        row, view, trace = self._current_row(), self._session.view, None
        if row is None:
            return ()
        for pane in (self._refs, self._logs):
            if row is pane.current and pane.arrangement is not None:
                view = pane.arrangement.view
        if row is self._refs.current:
            trace = self._trace
        found = places_of(row, view, trace)
        if self._objects.repository is None:  # there is no git that can show them
            found = tuple(place for place in found if not isinstance(place, CommitPlace))
        if found and isinstance(found[0], FilePlace) and row is self._stack.current:
            # A table leads first to what the tab shows of it.
            shown = self._tabs.active if self._tabs.active in ("refs", "logs") else "blocks"
            return tuple(sorted(found, key=lambda at: not (isinstance(at, FilePlace) and at.shows == shown)))
        return found

    def _current_row(self) -> PlacedRow | None:
        focused = self.focused
        if isinstance(focused, Detail):
            return self._detail_of.current
        row = focused.current if isinstance(focused, VirtualList) else None
        tables = self._session.view.tables
        if (
            self._tabs.active == "compaction"
            and isinstance(focused, widgets.BarList)
            and self._compaction.shown.past is None
            and focused.cursor < len(tables)
        ):
            return StackRow(focused.cursor, tables[focused.cursor])
        if row is None and self._tabs.active == "blocks" and self._blocks.has_focus_within:
            row = self._blocks.selected
        return row if is_placed(row) else None

    @on(Follow)
    def action_follow(self) -> None:
        """Go where the row leads first."""
        if places := self.places:
            self.go(places[0])
        elif self._current_row() is not None:
            self.notify("This leads nowhere else.")

    def action_leads_to(self) -> None:
        """List all places that the row leads to."""
        if places := self.places:
            screens.choose_place(self.app, places, self.go)
        else:
            self.notify("This leads nowhere else.")

    @on(Go)
    def _go_wanted(self, event: Go) -> None:
        event.stop()
        self.go(event.place)

    # Going there.

    def go(self, place: Place) -> None:
        """Go to a place from wherever the user is; not while a change is being made."""
        if any(isinstance(screen, screens.Dialog) and screen.is_busy for screen in self.app.screen_stack):
            self.notify(_BUSY, severity="warning")
            return
        match place:
            case PlanPlace():
                self._plan(place)
            case CompactionPlace() | PastCompaction():
                self.call_next(self._arrive, self._spot(), self.app.screen, place)
            case CommitPlace():
                self.show_object(place.oid)
            case _:
                self._look_for(place)

    def _plan(self, place: PlanPlace) -> None:
        """Show the plan of a change."""
        raise NotImplementedError

    def show_object(self, oid: bytes) -> None:
        """Have git show an object in the user's pager."""
        repository = self._objects.repository
        if repository is None or (git := repository.git) is None:
            if self._objects.trouble is not None:
                self.notify(self._objects.trouble, severity="warning")
            return
        git_dir = str(repository.git_dir)

        def show(pager: str) -> None:
            if trouble := show_object(self.app, git, git_dir, oid, pager):
                self.notify(trouble, severity="error")

        self._jobs.start("pager", lambda _job: git.pager(git_dir), show, on_top=True)

    def _look_for(self, place: ReadPlace) -> None:
        view, scope, spot, origin = self._session.view, self._refs.scope, self._spot(), self.app.screen

        active = self._tabs.active

        def found(at: InList | InBytes | str) -> None:
            if self.app.screen is not origin:
                return  # the user has gone elsewhere
            if isinstance(at, str):
                self.notify(f"{at}.", severity="warning")
            else:
                if isinstance(place, MomentPlace) and isinstance(at, InList) and active == "logs":
                    at = at._replace(kind="logs")  # the list stays that the user was at
                self.call_next(self._arrive, spot, origin, at)

        self._jobs.drop("locate")
        if is_at_hand(place, view):
            found(find(place, view, scope))
        else:
            self._jobs.start("locate", lambda _job: find(place, view, scope), found)

    async def _arrive(
        self, spot: Spot, origin: Screen[Any], at: InList | InBytes | CompactionPlace | PastCompaction
    ) -> None:
        if self.app.screen is not origin:
            return
        self._trail.push(self._put_away(spot))
        self._has_gone = True
        match at:
            case InList(kind, scope, key, row_filter):
                pane = self._refs if kind == "refs" else self._logs
                await self._show_tab(kind)
                self._set_scope(scope)
                if row_filter:
                    pane.go_to_first(row_filter)
                else:
                    pane.go_to(key)
            case InBytes():
                await self._show_bytes(at)
            case CompactionPlace():
                self._compaction.now()
                await self._show_tab("compaction")
            case PastCompaction():
                await self._show_tab("compaction")
                self._compaction.replay(at)
        self.refresh_bindings()

    def on_block_tree_followed(self, event: widgets.BlockTree.Followed) -> None:
        """The pane goes there by itself: remember where it was."""
        spot = self._spot()
        at = self._blocks.spot._replace(place=node_place(event.node))
        self._trail.push(spot._replace(blocks=(self._beside_shown, at)))
        self.refresh_bindings()

    async def _show_bytes(self, at: InBytes) -> None:
        self._beside_shown = None if at.table in self._session.view.tables else (at.table, at.words)
        self._stack.choose_file(at.table.name)
        await self._show_tab("blocks")
        self._blocks.show_table(at.table)
        if at.offset is not None:
            self._blocks.reveal(at.offset, at.key)
        self._show_way()

    def _set_scope(self, scope: Scope) -> None:
        self._refs.scope = scope
        self._logs.scope = scope
        self._show_way()
        self._work()

    # The way back.

    def _spot(self) -> Spot:
        focused = self.focused
        return Spot(
            tab=self._tabs.active,
            focused=focused,
            cursor=focused.cursor if isinstance(focused, VirtualList) and focused.id == "findings" else None,
            refs=self._refs.spot,
            logs=self._logs.spot,
            file=self._stack.current_name,
            blocks=(self._beside_shown, self._blocks.spot),
            replayed=self._compaction.shown.past,
        )

    def _put_away(self, spot: Spot) -> Spot:
        """Put the dialogs away that are over this screen; the spot with them."""
        held: list[Held] = []
        app = self.app
        while (screen := app.screen) is not self:
            answered = screen._result_callbacks[-1].callback if screen._result_callbacks else None  # noqa: SLF001 - there is no other way to keep it
            if isinstance(screen, screens.Dialog):
                app.install_screen(screen, f"held-{id(screen)}")  # so that it is not taken apart
                held.append(Held(screen, answered))
                if screen.answer is True:
                    self.look_again()  # which is otherwise done when it is answered
            app.pop_screen()
        return spot._replace(held=tuple(reversed(held)))

    def _forget(self, spot: Spot) -> None:
        for held in spot.held:
            self.app.uninstall_screen(held.screen)
            held.screen.remove()

    async def action_go_back(self) -> None:
        """Go back where one came from."""
        spot = self._trail.pop()
        if spot is None:
            return
        self._refs.restore(spot.refs)
        self._logs.restore(spot.logs)
        self._beside_shown, blocks = spot.blocks
        if spot.replayed is None:
            self._compaction.now()
        elif self._compaction.shown.past != spot.replayed:
            self._compaction.replay(spot.replayed)
        self._stack.choose_file(spot.file)
        self._blocks.restore(blocks)
        self._work()
        await self._show_tab(spot.tab)
        if spot.focused is not None and spot.focused.is_attached:
            self.set_focus(spot.focused)
            if isinstance(spot.focused, VirtualList) and spot.cursor is not None:
                spot.focused.cursor = spot.cursor
        self._show_way()
        self.refresh_bindings()
        for held in spot.held:
            self.app.uninstall_screen(held.screen)
            self.app.push_screen(held.screen, held.answered)

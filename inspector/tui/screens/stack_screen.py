"""The screen of a stack: panes beside each other, and what they show of the session's view.

Panes are made when they are first shown or asked for something, and know then what the others know. The
screen holds no data of the stack. It hands each pane the session's view, and what else is known of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Final, TypeVar

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.events import Resize
from textual.screen import Screen
from textual.widget import AwaitMount, Widget
from textual.widgets import Static

from engine.readable import damage_met
from engine.stack import Policy, UnlistedFile
from engine.table import Table
from inspector.actions import Workplace
from inspector.model import (
    Damage,
    Health,
    HealthMark,
    History,
    OneTable,
    RefTrace,
    RepositoryObjects,
    Session,
    broken_text,
    damage_text,
    object_of,
)
from inspector.text import error_text
from inspector.tui import widgets
from inspector.tui.config import TABS
from inspector.tui.widgets.detail import Detail
from inspector.tui.widgets.even_lines import EvenLines
from inspector.tui.widgets.health_words import tab_label
from inspector.tui.widgets.key_bar import KeyBar
from inspector.tui.widgets.record_pane import LogsPane, RefsPane
from inspector.tui.widgets.stack_list import StackPane
from inspector.tui.widgets.stack_rows import StackRow
from inspector.tui.widgets.status_line import Breadcrumbs, StatusLine
from inspector.tui.widgets.tab_line import TabLine
from inspector.tui.work import Jobs

_Pane = TypeVar("_Pane", bound=Widget)

# The least columns and lines for which the style sheet has a layout, and the layout's name.
_WIDTHS: Final = [(0, "-cramped"), (60, "-narrow"), (100, "-wide")]
_HEIGHTS: Final = [(0, "-tiny"), (16, "-short"), (30, "-tall")]


class _Panes(Horizontal):
    """What is beside each other."""

    BLANK = True  # as all containers in which there is no place that something else does not cover


class _RecordsPane(Vertical, EvenLines):
    """The tabs, and below them the detail."""


class StackScreen(Screen[None], EvenLines):
    """Has the panes show what is known of a stack."""

    HORIZONTAL_BREAKPOINTS = _WIDTHS
    VERTICAL_BREAKPOINTS = _HEIGHTS

    def __init__(
        self,
        session: Session,
        workplace: Workplace,
        *,
        clock: Callable[[], float] = time.time,
        tab: str = "",
        rule: Policy | None = None,
    ) -> None:
        """`tab` is the first if nothing is wrong, `rule` that of Compaction, if not the stack's."""
        super().__init__()
        self._session = session
        self._workplace = workplace
        self._history = History(session.view, clock)
        self._clock = clock
        self._jobs = Jobs(self)
        self._beside_shown: tuple[Table, str] | None = None  # in Blocks, and what to call it
        self._reload_error: Exception | None = None
        self._beside_error: Exception | None = None
        self._unlisted: Sequence[UnlistedFile] = []
        self._damage: dict[str, Damage] = {}
        self._stack = StackPane(clock)
        self._refs = RefsPane(session)
        self._logs = LogsPane(session)
        self._rule = rule
        self._health_known = Health()
        self._first_tab = tab or "refs"
        self._panes: dict[str, Widget] = {"refs": self._refs, "logs": self._logs}
        self._mounting: dict[str, AwaitMount] = {}
        self._tabs = TabLine({name: Content(name.capitalize()) for name in TABS})
        self._detail = Detail()
        self._detail_of: StackPane | RefsPane | LogsPane = self._refs
        self._trace: RefTrace | None = None
        self._records = _RecordsPane(id="records-pane", classes="pane -with-keys")  # as `AUTO_FOCUS` has it
        self._beside_each_other = self._stack, self._records
        self._trouble = Static(id="trouble", markup=False)
        self._too_small = Static(
            f"terminal too small: {_WIDTHS[1][0]}x{_HEIGHTS[1][0]} needed", id="too-small"
        )
        self._objects = RepositoryObjects(lambda: workplace.surroundings)

    def compose(self) -> ComposeResult:
        """Status on top; stack and tabs beside each other; keys at the bottom."""
        # Textual sets these classes too, but has drawn a first frame without them by then. And there is
        # nothing yet that would be styled again because of them: the screen itself looks the same with each.
        width, height = self.app.size
        for extent, breakpoints in ((width, _WIDTHS), (height, _HEIGHTS)):
            self.add_class([name for least, name in breakpoints if extent >= least][-1], update=False)
        yield StatusLine(self._session.label)
        yield Breadcrumbs()
        with _Panes(id="panes"):
            yield self._stack
            with self._records:
                yield self._tabs
                yield self._pane(self._shown_first)
                yield self._detail
        yield KeyBar()

    @property
    def _shown_first(self) -> str:
        """The tab to begin with: the one that was asked for, unless the stack is broken."""
        return "health" if self._session.view.faults else self._first_tab

    # Panes, when they are wanted. Refs is shown first, and Logs has nothing of its own to be imported.

    @cached_property
    def _blocks(self) -> widgets.BlockPane:
        return self._made("blocks", widgets.BlockPane())

    @cached_property
    def _compaction(self) -> widgets.CompactionPane:
        pane = self._made("compaction", widgets.CompactionPane(self._rule))
        pane.show(self._session.view)
        pane.show_damage(self._damage | self._health_known.damage())
        pane.show_events(self._history.events[::-1])
        return pane

    @cached_property
    def _health(self) -> widgets.HealthPane:
        known, place = self._health_known, self._workplace
        made = widgets.HealthPane(
            known=known, clock=self._clock, repository=place.around, home=lambda: place.home
        )
        pane = self._made("health", made)
        pane.show(self._session.view, self._unlisted)
        return pane

    def _made(self, tab: str, pane: _Pane) -> _Pane:
        self._panes[tab] = pane
        return pane

    def _pane(self, tab: str) -> Widget:
        pane: Widget = getattr(self, f"_{tab}")
        return pane

    async def _build(self, tab: str) -> Widget:
        """Have the pane of a tab with all its parts, so that it can take keys and do jobs."""
        pane = self._pane(tab)
        if not pane.is_attached:
            pane.display = False
            self._mounting[tab] = self._records.mount(pane, before=self._detail)
        if tab in self._mounting and not pane.is_mounted:
            await self._mounting[tab]
        return pane

    async def on_resize(self, event: Resize) -> None:
        """Say when there is no room."""
        (least_width, _), (least_height, _) = _WIDTHS[1], _HEIGHTS[1]
        is_small = event.size.width < least_width or event.size.height < least_height
        if is_small and not self._too_small.is_attached:
            await self.mount(self._too_small)

    def on_idle(self) -> None:
        """Have what lies under a dialog drawn once when it has changed.

        Textual 8.2 then notes once more that it is to be drawn, and draws both screens behind each message to
        this one: each look at the stack among them. So it does when a widget has changed that is not to be
        seen, such as one in another tab, which leaves nothing to draw.
        """
        if self.app.screen is not self:
            self._repaint_required = False
            self._dirty_widgets &= self._compositor.visible_widgets.keys()

    # Showing the session's view.

    def _show_view(self) -> None:
        view = self._session.view
        self.query_one(StatusLine).broken = broken_text(view.faults)
        self._refs.show(view)
        self._logs.show(view)
        if "compaction" in self._panes:
            self._compaction.show(view)
        self._show_beside()
        self._show_progress()
        self._show_way()

    def _show_beside(self) -> None:
        view = self._session.view
        if "health" in self._panes:
            self._health.show(view, self._unlisted)
        else:
            self._health_known.look(view, self._unlisted)
            counts = self._health_known.counts()
            if counts.errors or counts.warnings:
                self._pane("health")  # which tells of them where it is shown
                self.post_message(widgets.HealthPane.Changed())
        self._damage = dict(damage_met(view.tables))
        self._show_marks()

    async def on_health_pane_changed(self) -> None:
        """Show what is known by now."""
        self._show_marks()

    def _show_marks(self) -> None:
        known = self._health_known
        counts = known.counts()
        self.query_one(StatusLine).findings = counts.errors, counts.warnings
        self._tabs.relabel("health", tab_label(counts))
        marks = known.marks() | dict.fromkeys(self._damage, HealthMark.DAMAGED)
        self._stack.show(self._session.view, self._unlisted, marks)
        if "compaction" in self._panes:
            self._compaction.show_damage(self._damage | known.damage())

    def _show_progress(self) -> None:
        self.query_one(StatusLine).show(self._session.view)
        error = self._reload_error or self._refs.error or self._logs.error or self._beside_error
        text = error_text(error) if error is not None else damage_text(self._session.view)
        if self._reload_error is not None:
            text += " (shown as it was before: R reads what is left)"
        if text:
            self._trouble.update(f"! {text}")
            if not self._trouble.is_attached:
                self.mount(self._trouble, before="#panes")
        if self._trouble.is_attached:
            self._trouble.display = bool(text)
        if damage_met(self._session.view.tables).keys() != self._damage.keys():  # reading has met damage
            self._show_beside()

    def _show_way(self) -> None:
        """What the breadcrumbs say: the stack, what of it the lists show, and which list."""
        view, scope, tab = self._session.view, self._refs.scope, self._tabs.active
        parts = ["stack"]
        if tab in ("refs", "logs"):
            parts.append(scope.label(view))
        elif tab == "blocks" and self._beside_shown is not None:
            parts.append(self._beside_shown[1])
        elif tab == "blocks" and isinstance(row := self._stack.current, StackRow):
            parts.append(OneTable(row.table.name).label(view))
        if tab:
            parts.append(tab)
        self.query_one(Breadcrumbs).parts = tuple(parts)
        self._detail.set_class(tab not in ("refs", "logs"), "-unused")
        self._records.border_title = Content(parts[1] if len(parts) > 2 else "")

    def _show_blocks(self) -> None:
        """The table under the cursor, once the tab is shown."""
        if self._tabs.active == "blocks":
            row = self._stack.current
            if self._beside_shown is not None:
                self._blocks.show_table(self._beside_shown[0])
            elif isinstance(row, StackRow):
                self._blocks.show_table(row.table)
            elif row is None:
                self._blocks.show_table(None)
            self._show_way()

    # The detail.

    def _draw_detail(self, *, anew: bool = True) -> None:
        """What is known of the selected row by now; git is asked for the object that it leads to."""
        row = self._detail_of.current
        oid = object_of(row, self._trace)
        known = self._objects.chain(oid) if oid is not None else []
        self._detail.show(row, self._trace, known, anew=anew)
        self._objects.want(oid)
        # Without an answer there is nothing to say: the detail is whole without it.
        self._jobs.drive("objects", self._objects, self._object_read, lambda _error: None)

    def _object_read(self, oid: bytes) -> None:
        can_show = self._objects.repository is not None or self._objects.trouble is not None
        for pane in (self._refs, self._logs):
            pane.offer_objects(can_show)
        if oid == object_of(self._detail_of.current, self._trace):
            self._draw_detail(anew=False)

    def on_unmount(self) -> None:
        """Ask git no more."""
        self._objects.close()

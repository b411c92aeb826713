"""A screen that shows a stack and keeps in step with it: the panes, reading what they want, and changes.

Three jobs in threads, each at most once at a time:

    session     reads whatever the panes want to draw (`inspector.model.Session`)
    beside      finds the files beside the tables, for which it reads the directory
    compare     finds what a change of the stack has changed

Twice a second the stack is looked at (`watch`), which is one stat. The screen holds no data of the stack. It
hands each pane the session's view, and what the session says is new.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from typing import Final, TypeVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.events import Resize, ScreenResume
from textual.screen import Screen
from textual.widget import AwaitMount, Widget
from textual.widgets import Static

from engine.readable import damage_met
from engine.stack import Policy, UnlistedFile, Verdicts, unlisted_files
from engine.table import Table
from inspector.actions import Workplace
from inspector.model import (
    Damage,
    Event,
    Health,
    HealthMark,
    History,
    Journal,
    News,
    OneTable,
    OwnChange,
    RefTrace,
    Reloaded,
    RepositoryObjects,
    Session,
    Told,
    broken_text,
    compare,
    damage_text,
    object_of,
)
from inspector.text import age_text, error_text
from inspector.tui import screens, widgets
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
from inspector.tui.widgets.virtual_list import VirtualList
from inspector.tui.work import Job, Jobs

_WATCH_TICKS: Final = 4
"""Looks at the stack for each look at the files beside it, which reads the directory."""

_LEAST_TOAST_SECONDS, _TOAST_SECONDS = 2.0, 5.0

_MOST_COMPARED: Final = 2**20
"""Bytes of a table that is not listed, up to which its records are compared with those of the stack."""

_Pane = TypeVar("_Pane", bound=Widget)

# The least columns and lines for which the style sheet has a layout, and the layout's name.
_WIDTHS: Final = [(0, "-cramped"), (60, "-narrow"), (100, "-wide")]
_HEIGHTS: Final = [(0, "-tiny"), (16, "-short"), (30, "-tall")]


class _Panes(Horizontal):
    """What is beside each other."""

    BLANK = True  # as all containers in which there is no place that something else does not cover


class _RecordsPane(Vertical, EvenLines):
    """The tabs, and below them the detail."""


class LiveScreen(Screen[None], EvenLines):
    """Has the session work, looks for changes, and has the panes show what comes of it."""

    HORIZONTAL_BREAKPOINTS = _WIDTHS
    VERTICAL_BREAKPOINTS = _HEIGHTS

    def __init__(
        self,
        session: Session,
        workplace: Workplace,
        *,
        clock: Callable[[], float] = time.time,
        watch: float | None = None,
        tab: str = "",
        rule: Policy | None = None,
    ) -> None:
        """`watch` is the number of seconds between two looks at the stack; None never looks unasked.

        `tab` is the one to begin with if nothing is wrong, `rule` that of Compaction, if not the stack's.
        """
        super().__init__()
        self._session = session
        self._workplace = workplace
        self._journal = Journal(clock, self._note_own)
        self._history = History(session.view, clock)
        self._clock = clock
        self._watch = watch
        self._watching = watch is not None
        self._beside_is_late = False
        self._ticks = 0
        self._verdicts: Verdicts = {}
        self._jobs = Jobs(self)
        self._beside_shown: tuple[Table, str] | None = None  # in Blocks, and what to call it
        self._check_is_due = False
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

    # Panes are made when they are first shown or asked for something, and know then what the others know.
    # Refs is shown first, and Logs has nothing of its own that would have to be imported.

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
        known, repository = self._health_known, self._workplace.around
        pane = self._made("health", widgets.HealthPane(known=known, clock=self._clock, repository=repository))
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

    def on_screen_resume(self, event: ScreenResume) -> None:
        """Show it as it is styled, since all of it is since it was made, and what has waited for it."""
        event.refresh_styles = False
        if self._beside_is_late:
            self._beside_is_late = False
            self._show_beside()
            self._show_progress()

    def on_idle(self) -> None:
        """Have what lies under a dialog drawn once when it has changed.

        Textual 8.2 then notes once more that it is to be drawn, and draws both screens behind each message to
        this one: each look at the stack among them. So it does when a widget has changed that is not to be
        seen, such as one in another tab, which leaves nothing to draw.
        """
        if self.app.screen is not self:
            self._repaint_required = False
            self._dirty_widgets &= self._compositor.visible_widgets.keys()

    def begin(self) -> None:
        """Show what is at hand, and begin to work and to watch."""
        self.query_one(StatusLine).read_only = self._workplace.read_only
        self._show_view()
        if self._watch is not None:
            self.query_one(StatusLine).watching = True
            self.set_interval(self._watch, self._look)
        self._work()
        self._look_beside()

    @property
    def idle(self) -> bool:
        """Whether nothing that was asked for is still to come."""
        return not (
            self._session.wanting
            or not self._jobs.idle
            or ("health" in self._panes and self._health.running)
            or ("blocks" in self._panes and not self._blocks.idle)
        )

    def look_again(self) -> None:
        """See what the stack is now, even if it is broken, without a word if it is the same."""
        self._session.want_check(takes_broken=True)
        self._work()
        self._look_beside()

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
                self._pane("health")  # which tells of them
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

    # The session's work.

    @on(VirtualList.RowsWanted)
    def _work(self) -> None:
        self._jobs.drive("session", self._session, self._take_news, _fail)

    def _take_news(self, news: News) -> None:
        match news:
            case Reloaded():
                self._take_reload(news)
            case RefTrace():
                row = self._refs.current
                if self._detail_of is self._refs and row is not None and row.record.name == news.name:
                    self._trace = news
                    self._draw_detail()
            case _:
                self._refs.take(news)
                self._logs.take(news)
                self._show_progress()

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

    def _take_reload(self, news: Reloaded) -> None:
        self._reload_error = news.error
        if news.changed:
            self._show_view()
            self._show_blocks()
            # Files of a broken stack change under the same names, so what was found is worth nothing.
            old_faults = news.old_view.faults if news.old_view is not None else ()
            self._check_is_due |= bool(old_faults or self._session.view.faults)
        else:
            self._show_progress()
        if self._check_is_due:
            self._check_is_due = False
            self.call_next(self.check_again)
        if news.changed:
            self._look_beside()
            self._history.saw(self._session.view)
            self._tell_history()
        elif news.asked and news.error is None:
            self.notify("Nothing has changed.", markup=False)

    async def check_again(self) -> None:
        """Begin a check, in place of one that is going on."""
        await self._build("health")
        self._health.action_stop()
        self._health.action_check()

    # Watching.

    def _look(self) -> None:
        if not self._watching:
            return
        self._session.want_check()
        self._work()
        self._ticks += 1
        if self._ticks % _WATCH_TICKS == 0:
            self._look_beside()

    def _look_beside(self) -> None:
        if not self._jobs.running("beside"):
            self._jobs.start("beside", self._find_beside, self._take_beside, _fail)

    def _find_beside(self, _job: Job) -> tuple[Sequence[UnlistedFile], OSError | None]:
        view = self._session.view
        names = [table.name for table in view.tables]
        try:
            found = unlisted_files(
                view.directory, self._clock(), names, most_bytes=_MOST_COMPARED, verdicts=self._verdicts
            )
        except OSError as error:
            return (), error
        return found, None

    def _take_beside(self, found: tuple[Sequence[UnlistedFile], OSError | None]) -> None:
        before = self._unlisted, self._beside_error
        self._unlisted, self._beside_error = found
        changed = _with_ages_in_words(*before) != _with_ages_in_words(*found)
        if self.app.screen is not self:
            self._beside_is_late |= changed
        elif changed:
            self._show_beside()
            self._show_progress()

    def action_pause(self) -> None:
        """Stop watching the stack, or go on with it."""
        if self._watch is not None:
            self._watching = not self._watching
            self.query_one(StatusLine).watching = self._watching
            self._look()

    def action_reload(self) -> None:
        """Look at the stack again."""
        self._session.want_reload()
        self._work()
        self._look_beside()

    # What has changed.

    def _note_own(self, change: OwnChange) -> None:
        self._history.made(change)
        self._tell_history()

    def _tell_history(self) -> None:
        """Show the events there are, and find what became of refs: first in the newest one."""
        for screen in self.app.screen_stack:
            if isinstance(screen, screens.HistoryScreen):
                screen.show_events()
        if "compaction" in self._panes:
            self._compaction.show_events(self._history.events[::-1])
        event = None if self._jobs.running("compare") else self._history.untold()
        views = self._history.views(event) if event is not None else None
        if event is not None and views is not None:
            self._jobs.start(
                "compare",
                lambda job: compare(event, views, self._session.view.directory, lambda: job.is_cancelled),
                partial(self._tell_change, event),
                _fail,
            )

    def _tell_change(self, event: Event, told: Told) -> None:
        now, on_top = self._history.tell(event, told), self.app.screen
        # A result says itself what was made, the history what has changed; either would be covered.
        is_said = isinstance(on_top, screens.HistoryScreen) or (
            isinstance(on_top, screens.ActionScreen)
            and on_top.phase in (screens.Phase.APPLYING, screens.Phase.MADE)
        )
        if now is not None and now is self._history.newest and now.own is None and not is_said:
            # In a busy repository they must not pile up.
            since = min((now.time - one.time for one in self._history.events[1:2]), default=_TOAST_SECONDS)
            timeout = max(_LEAST_TOAST_SECONDS, min(since, _TOAST_SECONDS))
            title = "The stack has changed (L: what)"
            self.notify(told.summary.line, title=title, timeout=timeout, markup=False)
        self._tell_history()


def _fail(error: Exception) -> None:
    """What keeps the whole screen from being right ends the program."""
    raise error


def _with_ages_in_words(
    files: Sequence[UnlistedFile], error: Exception | None
) -> tuple[list[tuple[UnlistedFile, str]], Exception | None]:
    """What was found beside the tables as it is shown: ages grow all the time, and their words seldom."""
    return [(file._replace(age=0.0), age_text(file.age)) for file in files], error

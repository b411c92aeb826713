"""The screen of a stack, kept in step with it: what the panes want is read, and changes are looked for.

Three jobs in threads, each at most once at a time:

    session     reads whatever the panes want to draw (`inspector.model.Session`)
    beside      finds the files beside the tables, for which it reads the directory
    compare     finds what a change of the stack has changed

Twice a second the stack is looked at (`watch`), which is one stat.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from textual import on
from textual.events import ScreenResume

from engine.stack import Policy, UnlistedFile, Verdicts, unlisted_files
from inspector.actions import Workplace
from inspector.model import (
    Event,
    Journal,
    News,
    OwnChange,
    RefTrace,
    Reloaded,
    Session,
    Told,
    compare,
)
from inspector.text import age_text
from inspector.tui import screens
from inspector.tui.keys import key_of
from inspector.tui.screens.stack_screen import StackScreen
from inspector.tui.widgets.status_line import Breadcrumbs, StatusLine
from inspector.tui.widgets.virtual_list import VirtualList
from inspector.tui.work import Job

_WATCH_TICKS: Final = 4
"""Looks at the stack for each look at the files beside it, which reads the directory."""

_SMALL: Final = 2**20
"""Bytes of a stack up to which it is checked unasked, when it is opened and after changes."""

_CHECK_TICKS: Final = 4
"""Looks from a change to that check: where others work, there are many changes at a time."""

_MOST_COMPARED: Final = 2**20
"""Bytes of a table that is not listed, up to which its records are compared with those of the stack."""


class LiveScreen(StackScreen):
    """Has the session work, looks for changes, and shows what comes of it."""

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
        """`watch` is the number of seconds between two looks at the stack; None never looks unasked."""
        super().__init__(session, workplace, clock=clock, tab=tab, rule=rule)
        self._journal = Journal(clock, self._note_own)
        self._watch = watch
        self._watching = watch is not None
        self._beside_is_late = False
        self._ticks = 0
        self._verdicts: Verdicts = {}
        self._news_of = 0.0  # the time of the change that is told of
        self._check_is_due = False
        self._check_at: int | None = None  # the look at which a stack that has changed is checked again

    def on_screen_resume(self, event: ScreenResume) -> None:
        """Show it as it is styled, since all of it is since it was made, and what has waited for it."""
        event.refresh_styles = False
        if self._beside_is_late:
            self._beside_is_late = False
            self._show_beside()
            self._show_progress()

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

    @property
    def checks_unasked(self) -> bool:
        """Whether the stack is watched, and so small that to check it takes a moment."""
        return self._watch is not None and self._session.view.size <= _SMALL

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
            if self._check_at is None and self.checks_unasked:
                # What is told of tables that have gone is forgotten, and those in their place are not known.
                self._check_at = self._ticks + _CHECK_TICKS
            self._look_beside()
            self._history.saw(self._session.view)
            self._tell_history()
        elif news.asked and news.error is None:
            self.notify("Nothing has changed.")

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
        if self._check_at is not None and self._ticks >= self._check_at:
            self._check_at = None
            self.call_next(self.check_again)
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
        now = self._history.tell(event, told)
        if now is not None and now.time >= self._news_of:  # the newest are compared first
            self._news_of = now.time
            key = key_of(self, "history")
            self.query_one(Breadcrumbs).tell(f"{now.clock} UTC", told.summary.line, key)
        self._tell_history()


def _fail(error: Exception) -> None:
    """What keeps the whole screen from being right ends the program."""
    raise error


def _with_ages_in_words(
    files: Sequence[UnlistedFile], error: Exception | None
) -> tuple[list[tuple[UnlistedFile, str]], Exception | None]:
    """What was found beside the tables as it is shown: ages grow all the time, and their words seldom."""
    return [(file._replace(age=0.0), age_text(file.age)) for file in files], error

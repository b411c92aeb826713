"""A screen that keeps in step with a stack: it reads what is wanted, and notices changes by other processes.

Three jobs in threads, each at most once at a time:

    session     reads whatever the panes want to draw (`inspector.model.Session`)
    beside      finds the files beside the tables, for which it reads the directory
    compare     finds what a change of the stack has changed

Twice a second the stack is looked at (`watch`), which is one stat. What comes of all this is shown by the
screen that is built on this one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from textual import on
from textual.events import ScreenResume
from textual.screen import Screen

from engine.stack import UnlistedFile, Verdicts, unlisted_files
from inspector.model import DifferenceSummary, News, Reloaded, Session, StackView, summarise
from inspector.tui.screens.plan import ActionScreen, Phase
from inspector.tui.widgets.virtual_list import VirtualList
from inspector.tui.work import Job, Jobs

_WATCH_TICKS: Final = 4
"""Looks at the stack for each look at the files beside it, which reads the directory."""

_MOST_COMPARED: Final = 2**20
"""Bytes of a table that is not listed, up to which its records are compared with those of the stack."""


class LiveScreen(Screen[None]):
    """Has the session work, looks for changes, and tells of them."""

    def __init__(
        self, session: Session, *, clock: Callable[[], float] = time.time, watch: float | None = None
    ) -> None:
        """`watch` is the number of seconds between two looks at the stack; None never looks unasked."""
        super().__init__()
        self._session = session
        self._clock = clock
        self._watch = watch
        self._ticks = 0
        self._verdicts: Verdicts = {}
        self._jobs = Jobs(self)
        self._told_view: StackView = session.view
        self._latest: tuple[StackView, StackView] | None = None

    def on_screen_resume(self, event: ScreenResume) -> None:
        """Show it as it is styled: all of it is, since it was made."""
        event.refresh_styles = False

    # For the screen that shows it.

    def take_news(self, news: News) -> None:
        """Show what the session has brought; not for a `Reloaded`."""
        raise NotImplementedError

    def take_reload(self, news: Reloaded) -> None:
        """Show that the stack was looked at again, and its new state if it has one."""
        raise NotImplementedError

    def take_beside(self, found: Sequence[UnlistedFile], error: OSError | None) -> None:
        """Show the files beside the tables."""
        raise NotImplementedError

    def take_watching(self, *, watching: bool) -> None:
        """Show whether changes are noticed as they come."""
        raise NotImplementedError

    def begin(self) -> None:
        """Begin to work and to watch; once, when everything is on screen."""
        self._watching = self._watch is not None
        if self._watch is not None:
            self.take_watching(watching=True)
            self.set_interval(self._watch, self._look)
        self._work()
        self._look_beside()

    @property
    def working(self) -> bool:
        """Whether something that was asked for is still to come."""
        return self._session.wanting or not self._jobs.idle

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
        if not isinstance(news, Reloaded):
            self.take_news(news)
            return
        self.take_reload(news)
        if news.changed:
            self._look_beside()
            self._compare()
        elif news.asked and news.error is None:
            self.notify("Nothing has changed.", markup=False)

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
            self._jobs.start("beside", self._find_beside, lambda found: self.take_beside(*found), _fail)

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

    def action_pause(self) -> None:
        """Stop watching the stack, or go on with it."""
        if self._watch is not None:
            self._watching = not self._watching
            self.take_watching(watching=self._watching)
            self._look()

    def action_reload(self) -> None:
        """Look at the stack again."""
        self._session.want_reload()
        self._work()
        self._look_beside()

    # What has changed.

    def _compare(self) -> None:
        old, new = self._told_view, self._session.view

        def summary(job: Job) -> DifferenceSummary:
            return summarise(old.merged, new.merged, cancelled=lambda: job.is_cancelled)

        self._jobs.start("compare", summary, partial(self._tell_changes, old, new), _fail)

    def _tell_changes(self, old: StackView, new: StackView, summary: DifferenceSummary) -> None:
        self._told_view = new
        # A compaction that follows a change is no reason to forget the change.
        if summary.is_of_refs or self._latest is None:
            self._latest = old, new
        on_top: Screen[Any] = self.app.screen
        if isinstance(on_top, ActionScreen) and on_top.phase in (Phase.APPLYING, Phase.DONE):
            return  # its result says so, and would be covered
        self.notify(summary.line, title="The stack has changed (L: what)", markup=False)


def _fail(error: Exception) -> None:
    """What keeps the whole screen from being right ends the program."""
    raise error

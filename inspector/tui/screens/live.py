"""A screen that keeps in step with a stack: what is wanted of it is read, and changes by others are noticed.

Three kinds of work, each in a thread, each at most once at a time:

    the session's       whatever the panes want to draw (`session.py`); it ends when nothing is wanted, and is
                        begun again when something is
    the files beside    what lies beside the tables, which reads the directory
    the comparison      what a change of the stack has changed, to tell it

Twice a second the stack is looked at (`watch`), which is one stat. What comes of all this is shown by the
screen that is built on this one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from textual import on
from textual.message import Message
from textual.screen import Screen
from textual.worker import Worker, WorkerState, get_current_worker

from engine.stack import UnlistedFile, Verdicts, unlisted_files
from inspector.model import DifferenceSummary, News, Reloaded, Session, StackView, summarise
from inspector.tui.screens.plan import ActionScreen, Phase
from inspector.tui.widgets.virtual_list import VirtualList

__all__ = ["LiveScreen"]

_WATCH_TICKS: Final = 4
"""Looks at the stack for each look at the files beside it, which reads the directory."""

_MOST_COMPARED: Final = 2**20
"""Bytes of a table that is not listed, up to which its records are compared with those of the stack."""


class LiveScreen(Screen[None]):
    """Has the session work, looks for changes, and tells of them."""

    class SessionNews(Message):
        """What the session's work brought, from the worker thread to the screen."""

        def __init__(self, news: News) -> None:
            super().__init__()
            self.news = news

    class Beside(Message):
        """The files that lie beside the tables now, or why they cannot be seen."""

        def __init__(self, found: Sequence[UnlistedFile], error: OSError | None) -> None:
            super().__init__()
            self.found = found
            self.error = error

    class Compared(Message):
        """What has changed from one view of the stack to another."""

        def __init__(self, old: StackView, new: StackView, summary: DifferenceSummary) -> None:
            super().__init__()
            self.old = old
            self.new = new
            self.summary = summary

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
        self._worker: Worker[None] | None = None
        self._beside_worker: Worker[None] | None = None
        self._compare_worker: Worker[None] | None = None
        self._told_view: StackView = session.view
        self._latest: tuple[StackView, StackView] | None = None

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
        workers = (self._worker, self._beside_worker, self._compare_worker)
        return self._session.wanting or any(worker and not worker.is_finished for worker in workers)

    def look_again(self) -> None:
        """See what the stack is now, even if it is broken, without a word if it is the same."""
        self._session.want_check(takes_broken=True)
        self._work()
        self._look_beside()

    # The session's work.

    def _work(self) -> None:
        if self._worker is None or self._worker.is_finished:
            self._worker = self.run_worker(self._drive_session, thread=True, group="session")

    def _drive_session(self) -> None:
        worker = get_current_worker()
        for news in self._session.work():
            if worker.is_cancelled:
                return
            if news is not None:
                self.post_message(self.SessionNews(news))

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """What was wanted while the worker was about to end is not forgotten."""
        if event.state is WorkerState.SUCCESS and self._session.wanting:
            self._work()

    @on(VirtualList.RowsWanted)
    def _read_wanted_rows(self) -> None:
        self._work()

    @on(SessionNews)
    def _take_news(self, event: SessionNews) -> None:
        if not isinstance(event.news, Reloaded):
            self.take_news(event.news)
            return
        self.take_reload(event.news)
        if event.news.changed:
            self._look_beside()
            self._compare()
        elif event.news.asked and event.news.error is None:
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
        if self._beside_worker is None or self._beside_worker.is_finished:
            self._beside_worker = self.run_worker(self._find_beside, thread=True, group="beside")

    def _find_beside(self) -> None:
        view = self._session.view
        names = [table.name for table in view.tables]
        try:
            found = unlisted_files(
                view.directory, self._clock(), names, most_bytes=_MOST_COMPARED, verdicts=self._verdicts
            )
        except OSError as error:
            self.post_message(self.Beside((), error))
        else:
            self.post_message(self.Beside(found, None))

    @on(Beside)
    def _take_beside(self, event: Beside) -> None:
        self.take_beside(event.found, event.error)

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
        if self._compare_worker is not None:
            self._compare_worker.cancel()
        work = partial(self._summarise, self._told_view, self._session.view)
        self._compare_worker = self.run_worker(work, thread=True, group="compare")

    def _summarise(self, old: StackView, new: StackView) -> None:
        worker = get_current_worker()
        summary = summarise(old.merged, new.merged, cancelled=lambda: worker.is_cancelled)
        if not worker.is_cancelled:
            self.post_message(self.Compared(old, new, summary))

    @on(Compared)
    def _tell_changes(self, event: Compared) -> None:
        self._told_view = event.new
        # A compaction that follows a change is no reason to forget the change.
        if event.summary.refs or self._latest is None:
            self._latest = event.old, event.new
        on_top: Screen[Any] = self.app.screen
        if isinstance(on_top, ActionScreen) and on_top.phase in (Phase.APPLYING, Phase.DONE):
            return  # its result says so, and would be covered
        self.notify(f"{event.summary}", title="The stack has changed (L: what)", markup=False)

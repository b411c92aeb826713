"""The panes of refs and logs by themselves, on a session that works for them as on the main screen."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from textual import on
from textual.app import App, ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.pilot import Pilot

from inspector.model import News, Reloaded, Session
from inspector.tui.navigation import Follow
from inspector.tui.screens.copy_row import CopyScreen
from inspector.tui.screens.export_rows import ExportScreen
from inspector.tui.widgets.key_bar import KeyBar
from inspector.tui.widgets.record_pane import LogsPane, RecordPane, RefsPane
from inspector.tui.widgets.virtual_list import VirtualList
from inspector.tui.work import Jobs
from tests.support.screens import drive, open_session, settle


class PaneApp(App[None]):
    """Refs on the left, logs on the right; what they posted is kept in `posted`."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.refs = RefsPane(session, debounce=0)
        self.logs = LogsPane(session, debounce=0)
        self.posted: list[Message] = []
        self.jobs = Jobs(self)

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield self.refs
            yield self.logs
        yield KeyBar()

    def on_mount(self) -> None:
        for pane in (self.refs, self.logs):
            pane.show(self.session.view)
        self.refs.rows.focus()
        self.work()

    @property
    def idle(self) -> bool:
        """Whether nothing is wanted of the session any more."""
        return self.jobs.idle and not self.session.wanting

    @on(VirtualList.RowsWanted)
    def work(self) -> None:
        self.jobs.drive("session", self.session, self._take)

    def _take(self, news: News) -> None:
        for pane in (self.refs, self.logs):
            pane.take(news)
            if isinstance(news, Reloaded) and news.changed:
                pane.show(self.session.view)

    @on(RecordPane.RowWanted)
    def _wanted(self, event: RecordPane.RowWanted) -> None:
        if event.what == "copy":
            self.push_screen(CopyScreen(event.row, event.table))
        else:
            self.posted.append(event)

    @on(RecordPane.ExportWanted)
    def _export(self, event: RecordPane.ExportWanted) -> None:
        self.push_screen(ExportScreen(event.arrangement, event.noun))

    @on(Follow)
    @on(RecordPane.RowChosen)
    def _keep(self, event: Message) -> None:
        self.posted.append(event)

    def reload(self) -> None:
        """Look at the stack again."""
        self.session.want_reload()
        self.work()


async def enter(pilot: Pilot[Any], text: str) -> None:
    """Put `text` into the prompt that has the keys."""
    app = pilot.app
    app.focused.value = text  # type: ignore[union-attr]
    await settle(pilot)


def with_panes(
    directory: Path,
    steps: Callable[[Pilot[Any], PaneApp], Awaitable[None]],
    size: tuple[int, int] = (180, 24),
) -> None:
    """Run `steps` on the panes over a stack."""
    with open_session(directory) as session:
        app = PaneApp(session)
        drive(app, lambda pilot: steps(pilot, app), size)

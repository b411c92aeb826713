"""The panes of refs and logs by themselves, on a session that works for them as on the main screen."""

from __future__ import annotations

import asyncio
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
from tests.support.screens import open_session


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


async def settle(pilot: Pilot[Any]) -> None:
    """Wait until the panes show all that they have asked for."""
    app = pilot.app
    assert isinstance(app, PaneApp)
    await pilot.pause()
    for _ in range(1000):
        if app.idle:
            await pilot.pause()
            if app.idle:
                return
        await app.workers.wait_for_complete()
        await pilot.pause()
    raise AssertionError("a pane waits for something that is never read")


async def press(pilot: Pilot[Any], *keys: str) -> None:
    """Press keys one after the other, each when the one before has had its effect."""
    for key in keys:
        await pilot.press(key)
        await settle(pilot)


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

    async def run() -> None:
        with open_session(directory) as session:
            app = PaneApp(session)
            async with app.run_test(size=size, notifications=True) as pilot:
                await settle(pilot)
                await steps(pilot, app)

    asyncio.run(run())

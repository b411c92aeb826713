"""One inspector for many tests that only look: opening it costs more than most of them do.

It stays open from test to test, and is brought back to its first screen after each. A test that leaves it so
that it cannot be brought back fails; what follows a failure begins with a new one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from inspector.model import WholeStack
from inspector.tui import InspectorApp, MainScreen
from inspector.tui.widgets.record_bar import Prompt
from inspector.tui.widgets.record_pane import RecordPane
from inspector.tui.widgets.stack_list import StackPane
from tests.support.screens import WIDE, open_session, settle, shown_lines
from tests.support.tables import stack_files

Steps = Callable[[Pilot[Any], MainScreen], Awaitable[None]]


class SharedScreen:
    """Runs steps on the main screen over a stack, each time as if it had just been opened."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._opened: _Opened | None = None

    def __call__(self, steps: Steps) -> None:
        """Run `steps`, and bring the screen back; `AssertionError` if that cannot be done."""
        opened = self._opened or _Opened(self._directory)
        self._opened = None  # unless all goes well
        try:
            opened.run(steps)
        except BaseException:
            opened.close(failed=True)
            raise
        self._opened = opened

    def close(self) -> None:
        """Close the screen, if one is open."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None


@contextmanager
def shared_screen(directory: Path) -> Iterator[SharedScreen]:
    """Share one screen over a stack until the end of the block."""
    shared = SharedScreen(directory)
    try:
        yield shared
    finally:
        shared.close()


class _Opened:
    """An application that is open, in an event loop that stands still between two tests."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._files = stack_files(directory)
        with ExitStack() as opening:
            session = opening.enter_context(open_session(directory))
            self._runner = opening.enter_context(asyncio.Runner())
            self._app = InspectorApp(session)
            self._running: AbstractAsyncContextManager[Pilot[Any]] = self._app.run_test(
                size=WIDE, notifications=True
            )
            self._runner.run(self._open())
            self._closing = opening.pop_all()

    async def _open(self) -> None:
        self._pilot = await self._running.__aenter__()
        await settle(self._pilot)
        assert isinstance(self._app.screen, MainScreen)
        self._main = self._app.screen
        self._first = self._state()

    def run(self, steps: Steps) -> None:
        async def run() -> None:
            await steps(self._pilot, self._main)
            await self._bring_back()

        self._runner.run(run())
        if self._app._exception is not None:
            raise self._app._exception

    def close(self, *, failed: bool = False) -> None:
        with self._closing:
            try:
                self._runner.run(self._running.__aexit__(None, None, None))
            except Exception:
                if not failed:  # the first failure tells more
                    raise

    def _state(self) -> tuple[object, ...]:
        refs, logs = self._main._refs, self._main._logs
        rows = refs.rows
        return (
            shown_lines(self._app),
            self._main.focused,
            (rows.source.count, rows.cursor),
            (refs.scope, logs.scope),
        )

    async def _bring_back(self) -> None:
        app, main = self._app, self._main
        assert main in app.screen_stack, "the main screen is not there any more"
        while app.screen is not main:
            await app.pop_screen()
        app.clear_notifications()
        if app.size != WIDE:
            await self._pilot.resize_terminal(*WIDE)
        if main.has_class("-maximised"):
            main.action_maximise()
        if isinstance(main.focused, Prompt):
            await self._pilot.press("escape")
        await self._pilot.press("1")
        await settle(self._pilot)
        for pane in main.query(RecordPane):
            if pane.check_action("back", ()):
                pane.action_back()
        main._set_scope(WholeStack())
        main._trail.clear()
        main.refresh_bindings()
        await settle(self._pilot)
        for pane in main.query(RecordPane):
            pane.rows.cursor = 0
        main.query_one(StackPane).choose(0)
        main._refs.rows.focus()
        await settle(self._pilot)
        assert self._state() == self._first, "the screen cannot be brought back to what it was at first"
        assert stack_files(self._directory) == self._files, "a test that only looks has changed the stack"

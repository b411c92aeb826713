"""The terminal inspector as an application: which stack, its session, its screens, its style."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any, ClassVar, Final

from textual import on
from textual.screen import Screen

from engine.git import StackLocation
from inspector.actions import Workplace
from inspector.model import Session
from inspector.tui import screens
from inspector.tui.config import Config, user_config
from inspector.tui.navigation import Go
from inspector.tui.palette import InspectorCommands
from inspector.tui.screens.main import MainScreen
from inspector.tui.terminal import TerminalApp, run_on_terminal
from inspector.tui.work import Job, Jobs, failure_text

WATCH_SECONDS: Final = 0.5


class InspectorApp(TerminalApp):
    """Shows one stack at a time, and lets the user choose where there are several."""

    COMMANDS: ClassVar = {InspectorCommands}

    def __init__(
        self,
        session: Session | None,
        workplace: Workplace | None = None,
        *,
        label: str = "",
        clock: Callable[[], float] = time.time,
        watch: float | None = None,
        config: Config | None = None,
    ) -> None:
        """Without a `session`, the user is asked for one of the stacks of the workplace's repository.

        `workplace` is where changes are made, by default the session's stack; `label` is what the user
        calls the repository, `watch` as for `MainScreen`. A session that the application opens belongs to
        `sessions`, which the caller closes when it has ended.
        """
        super().__init__(config, clock)
        self.sessions = ExitStack()
        self._jobs = Jobs(self)
        self._session = session
        if workplace is None:
            if session is None:
                raise ValueError("an application without a stack")
            workplace = Workplace(session.view.directory, session.view.options)
        self._workplace = workplace
        self._label = label
        self._watch = watch

    def on_mount(self) -> None:
        """Show the stack, or ask which one if none was named; and say what is wrong in the configuration."""
        if self.config.wrong:
            text = "\n".join(sorted(self.config.wrong, key=len))  # a long one would hide the others
            self.notify(text, title="config.toml", severity="warning", timeout=20)
        if self._session is None:
            self.action_pick()
        elif not isinstance(self.screen, MainScreen):
            self._show((self._session, self._workplace))

    def get_default_screen(self) -> Screen[Any]:
        """The stack, if there is no other one to choose: the screen at the bottom cannot be replaced."""
        if self._session is None or len(self._locations()) > 1:
            return super().get_default_screen()
        return self._main_screen(self._session, self._workplace)

    def _main_screen(self, session: Session, workplace: Workplace) -> MainScreen:
        tab, rule = self.config.tab, self.config.rule
        return MainScreen(session, workplace, clock=self._clock, watch=self._watch, tab=tab, rule=rule)

    def _show(self, opened: tuple[Session, Workplace]) -> None:
        """Put the main screen of this stack in the place of the one there is."""
        self._session, self._workplace = session, workplace = opened
        screen = self._main_screen(session, workplace)
        if isinstance(self.screen, MainScreen):
            self.switch_screen(screen)
        else:
            self.push_screen(screen)

    @on(Go)
    def _go(self, event: Go) -> None:
        """A dialog leads somewhere: the main screen below it goes there."""
        for screen in self.screen_stack:
            if isinstance(screen, MainScreen):
                screen.go(event.place)

    def _locations(self) -> tuple[StackLocation, ...]:
        repository = self._workplace.repository
        return repository.stacks if repository is not None else ()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Where there is one stack there is no choice."""
        if action == "pick":
            return len(self._locations()) > 1
        return super().check_action(action, parameters)

    def action_pick(self) -> None:
        """Choose among the stacks of the repository."""
        repository = self._workplace.repository
        base = repository.common_dir if repository is not None else None
        self.push_screen(
            screens.PickerScreen(self._locations(), self._workplace.options, base=base), self._picked
        )

    def _picked(self, location: StackLocation | None) -> None:
        if location is not None:
            self._jobs.start("open", partial(self._open, location), self._show, self._fail_to_open)
        elif self._session is None:
            self.exit()

    def _open(self, location: StackLocation, _job: Job) -> tuple[Session, Workplace]:
        workplace = self._workplace.at(location.directory)
        label = f"{self._label} ({location.name})"
        session = Session.open(location.directory, label=label, options=workplace.options)
        # Closed at the end: a job of the screen that is left may read until then.
        self.sessions.push(session)
        return session, workplace

    def _fail_to_open(self, error: Exception) -> None:
        self.notify(failure_text(error), severity="error", timeout=20)
        if self._session is None:
            self.action_pick()


def run_inspector(workplace: Workplace, *, label: str, ask: bool = False, mouse: bool = True) -> int:
    """Show a stack until the user leaves; the process's exit code.

    `label` is what the user calls the repository. With `ask`, the user chooses among its stacks. Raises
    `ReftableError` or `OSError` when the stack cannot be opened, before the terminal is touched, and what
    `run_on_terminal` raises.
    """
    with ExitStack() as sessions:
        session = None
        if not ask:
            opened = Session.open(workplace.directory, label=label, options=workplace.options)
            session = sessions.enter_context(opened)
        app = InspectorApp(session, workplace, label=label, watch=WATCH_SECONDS, config=user_config())
        sessions.enter_context(app.sessions)
        return run_on_terminal(app, mouse=mouse)

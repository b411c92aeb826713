"""The terminal inspector as an application: one session, its screens, its style."""

from __future__ import annotations

from pathlib import Path

from engine.options import StackOptions
from inspector.screens.main import MainScreen
from inspector.session import Session
from inspector.terminal import TerminalApp, run_on_terminal

__all__ = ["InspectorApp", "run_inspector"]


class InspectorApp(TerminalApp):
    """Shows one stack."""

    TITLE = "reftable-inspector"
    CSS_PATH = "styles/main.tcss"
    ENABLE_COMMAND_PALETTE = False

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session

    def get_default_screen(self) -> MainScreen:
        """The inspector begins with the stack."""
        return MainScreen(self._session)


def run_inspector(directory: Path, *, label: str, options: StackOptions, mouse: bool = True) -> int:
    """Show the stack in `directory` until the user leaves; the process's exit code.

    `label` is what the user calls the stack. Raises `ReftableError` or `OSError` when the
    stack cannot be opened, before the terminal is touched, and what `run_on_terminal` raises.
    """
    with Session.open(directory, label=label, options=options) as session:
        return run_on_terminal(InspectorApp(session), mouse=mouse)

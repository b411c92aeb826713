"""What the program says in passing: one notice at a time, and a list of the warnings among them.

Whoever has something to say calls `notify`, as everywhere in Textual. Textual would pile the notices up, and
leave an empty box behind for each that it takes away before its time. Here a notice takes the place of the
one before: that was the answer to an earlier key. What became of the stack is no notice, but stands in the
line of the breadcrumbs.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Final, Generic, Literal, NamedTuple

from textual import on
from textual.app import ReturnType
from textual.events import DeliveryComplete
from textual.notifications import Notification, SeverityLevel
from textual.widgets._toast import ToastHolder

from inspector.tui.keys import key_label
from inspector.tui.keys_in_turn import KeysInTurnApp

MOST_KEPT: Final = 100


class Notice(NamedTuple):
    """A warning or an error that was said: when, in seconds since 1970, and its words."""

    time: float
    severity: Literal["warning", "error"]
    title: str
    message: str


class NoticesApp(KeysInTurnApp[ReturnType], Generic[ReturnType]):
    """An application that shows one notice, the newest."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        """`clock` returns seconds since 1970."""
        super().__init__()
        self._clock = clock
        self.warned: deque[Notice] = deque(maxlen=MOST_KEPT)
        """The warnings and errors that were said, oldest first."""

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = False,  # noqa: ARG002 - Textual's interface
    ) -> None:
        """Say something in place of what was said before; for the thread that draws.

        There is no markup in it, whoever says it: words may be those of the stack.
        """
        if severity != "information":
            self.warned.append(Notice(self._clock(), severity, title, message))
        self.clear_notifications()
        seconds = self.NOTIFICATION_TIMEOUT if timeout is None else timeout
        # At once, not by a message: the next one could not take its place before it is there.
        self._notifications.add(Notification(message, title, severity, seconds, markup=False))
        self._refresh_notifications()

    def action_help_quit(self) -> None:
        """Say how one leaves: ctrl+c copies, or does nothing. What Textual would say has markup in it."""
        actions = {active.binding.action: key for key, active in reversed(self.active_bindings.items())}
        key = actions.get("app.quit") or actions.get("quit")
        if key is not None:
            self.notify(f"Press {key_label(key)} to quit.", title="Do you want to quit?")

    @on(DeliveryComplete)
    def _picture_saved(self, event: DeliveryComplete) -> None:
        event.prevent_default()  # Textual's words have markup in them, too
        if event.name == "screenshot":
            self.notify(str(event.path or "saved"), title="Screenshot")

    def clear_notifications(self) -> None:
        """Take away what was said, with the boxes around it."""
        for screen in self.screen_stack:
            screen.query(ToastHolder).remove()
        super().clear_notifications()

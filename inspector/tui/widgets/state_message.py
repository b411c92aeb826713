"""Messages that say that something is not as it was, from widgets that may not be shown for hours.

A pane whose tab has not been shown yet has no parts and takes no messages, but is told of every change of the
stack. What it says of these itself would wait until then, and pile up. So of each kind only the newest does.
"""

from __future__ import annotations

from textual.message import Message
from textual.widget import Widget


class StateMessage(Message):
    """Says that something has changed: of several that wait, the newest says it all."""


class TellsState(Widget):
    """Keeps messages about its state, of each kind the newest, until it is in the tree of widgets.

    It is not the first base of a class: from that one Textual takes the styles.
    """

    _untold: dict[type[Message], Message] | None = None

    def post_message(self, message: Message) -> bool:
        """Post it, or keep it until then."""
        if not isinstance(message, StateMessage) or self.is_attached:
            return super().post_message(message)
        self._untold = {**(self._untold or {}), type(message): message}
        return True

    def on_mount(self) -> None:
        """Tell what was kept."""
        for message in (self._untold or {}).values():
            self.post_message(message)
        self._untold = None

"""A line that asks for an offset, decimal or hexadecimal."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar, Final

from textual import on
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input

__all__ = ["OffsetInput"]

_OFFSET: Final = re.compile(r"0[xX]([0-9a-fA-F]{1,16})|([0-9]{1,20})")


class OffsetInput(Input):
    """Hidden until it is asked; escape hides it again, and so does an answer."""

    DEFAULT_CSS = """
    OffsetInput { display: none; }
    OffsetInput.-asking { display: block; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "give_up", "Cancel")]

    @dataclass
    class Given(Message):
        """The answer."""

        offset: int

    class Refused(Message):
        """What was typed is no offset; the question stays."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id, compact=True, restrict=r"[0-9a-fA-FxX]*")
        self._back_to: Widget | None = None

    def ask(self, question: str) -> None:
        """Show the line, with `question` in it until something is typed, and give it the keys."""
        if not self.has_class("-asking"):
            self._back_to = self.screen.focused
        self.placeholder = question
        self.value = ""
        self.add_class("-asking")
        self.focus()

    def action_give_up(self) -> None:
        """Hide the line, and give the keys back to what had them."""
        self.remove_class("-asking")
        if self._back_to is not None:
            self._back_to.focus()

    @on(Input.Submitted)
    def _answer(self, event: Input.Submitted) -> None:
        event.stop()
        match = _OFFSET.fullmatch(event.value)
        if match is None:
            self.post_message(self.Refused())
            return
        self.action_give_up()
        self.post_message(self.Given(int(match[1], 16) if match[1] else int(match[2])))

"""The line that says what the lists show, from the stack down to the refs of one moment.

It is given the parts as texts that are fit for a terminal, and posts the number of the part that was
clicked. What does not fit is left out from the left, where one came from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from rich.cells import cell_len
from textual import events
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

_BETWEEN: Final = " > "
_LEFT_OUT: Final = "…"


class Breadcrumbs(Widget):
    """One line of parts, the last of which is where one is."""

    ALLOW_SELECT = False

    DEFAULT_CSS: ClassVar[str] = """
    Breadcrumbs {
        height: 1;
        padding: 0 1;
        color: $foreground-muted;
        text-wrap: nowrap;
        text-overflow: ellipsis;
    }
    """

    parts: reactive[tuple[str, ...]] = reactive(())

    @dataclass
    class Chosen(Message):
        """The part of this number was clicked: the user wants to go back there."""

        number: int

    def show(self, parts: Sequence[str]) -> None:
        """Show this way."""
        self.parts = tuple(parts)

    def _first(self) -> int:
        """The number of the first part that is shown."""
        first = 0
        while first < len(self.parts) - 1 and self._width(first) > self.size.width:
            first += 1
        return first

    def _width(self, first: int) -> int:
        shown = self.parts[first:]
        left_out = cell_len(_LEFT_OUT + _BETWEEN) if first else 0
        return left_out + sum(map(cell_len, shown)) + cell_len(_BETWEEN) * (len(shown) - 1)

    def render(self) -> Content:
        """As many parts as there is room for."""
        first = self._first()
        pieces: list[tuple[str, str]] = [(_LEFT_OUT, "")] if first else []
        for number, part in enumerate(self.parts[first:], first):
            if pieces:
                pieces.append((_BETWEEN, ""))
            pieces.append((part, "bold $foreground" if number == len(self.parts) - 1 else ""))
        return Content.assemble(*pieces)

    def on_click(self, event: events.Click) -> None:
        """Say which part it was."""
        offset = event.get_content_offset(self)
        if offset is None:
            return
        first = self._first()
        at = cell_len(_LEFT_OUT + _BETWEEN) if first else 0
        for number, part in enumerate(self.parts[first:], first):
            if at <= offset.x < at + cell_len(part):
                self.post_message(self.Chosen(number))
                return
            at += cell_len(part) + cell_len(_BETWEEN)

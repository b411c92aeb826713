"""The line that says what the lists show, from the stack down to the refs of one moment.

What does not fit is left out from the left, where one came from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from rich.cells import cell_len
from textual import events
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

_BETWEEN: Final = " > "


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
    """The texts, which are fit for a terminal."""

    @dataclass
    class Chosen(Message):
        """The part of this number was clicked: the user wants to go back there."""

        number: int

    def _shown(self) -> list[tuple[int, str]]:
        """Number and text of the parts that there is room for, behind an ellipsis if some are left out."""
        parts = list(enumerate(self.parts))
        shown = parts
        while len(parts) > 1 and cell_len(_BETWEEN.join(text for _, text in shown)) > self.size.width:
            parts = parts[1:]
            shown = [(-1, "…"), *parts]
        return shown

    def render(self) -> Content:
        """As many parts as there is room for."""
        pieces: list[tuple[str, str]] = []
        for number, text in self._shown():
            pieces += [(_BETWEEN, ""), (text, "bold $foreground" if number == len(self.parts) - 1 else "")]
        return Content.assemble(*pieces[1:])

    def on_click(self, event: events.Click) -> None:
        """Say which part it was."""
        if (offset := event.get_content_offset(self)) is None:
            return
        at = 0
        for number, text in self._shown():
            if number >= 0 and at <= offset.x < at + cell_len(text):
                self.post_message(self.Chosen(number))
            at += cell_len(text + _BETWEEN)

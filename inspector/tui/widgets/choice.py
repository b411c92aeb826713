"""One of a few options, all of them on screen; the chosen one shows without colour: `(*) this  ( ) that`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Generic, TypeVar

from rich.cells import cell_len
from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

__all__ = ["Choice"]

Value = TypeVar("Value")


class Choice(Widget, Generic[Value], can_focus=True):
    """Options beside each other, or one above the other; arrows and clicks choose.

    `options` are pairs of a value and its label, which is fit for a terminal. The first is chosen.
    """

    ALLOW_SELECT = False

    DEFAULT_CSS = """
    Choice {
        height: auto;
        width: 1fr;
        &:focus { background: $surface-lighten-1; }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,down,space", "choose(1)", "Choose", key_display="arrows"),
        Binding("left,up", "choose(-1)", "Choose the one before", show=False),
    ]

    chosen: reactive[int] = reactive(0, init=False)
    """The position of the chosen option."""

    class Changed(Message):
        """Another option was chosen."""

        def __init__(self, choice: Choice[Value]) -> None:
            super().__init__()
            self.choice = choice

        @property
        def control(self) -> Widget:
            """The widget."""
            return self.choice

    def __init__(
        self,
        options: Sequence[tuple[Value, str]],
        *,
        vertical: bool = False,
        id: str | None = None,  # noqa: A002 - Textual's name
    ) -> None:
        super().__init__(id=id)
        self._options = list(options)
        self._vertical = vertical

    @property
    def value(self) -> Value:
        """The value of the chosen option."""
        return self._options[self.chosen][0]

    @value.setter
    def value(self, value: Value) -> None:
        self.chosen = [option[0] for option in self._options].index(value)

    def show_options(self, options: Sequence[tuple[Value, str]]) -> None:
        """Offer others; as many of them, in the same order, keep the one that is chosen."""
        self._options = list(options)
        self.chosen = min(self.chosen, len(self._options) - 1)
        self.refresh(layout=True)

    def validate_chosen(self, chosen: int) -> int:
        """After the last option comes the first."""
        return chosen % len(self._options)

    def watch_chosen(self) -> None:
        """Tell others."""
        self.post_message(self.Changed(self))

    def action_choose(self, step: int) -> None:
        """Choose a neighbour."""
        self.chosen += step

    def on_click(self, event: events.Click) -> None:
        """Choose what was clicked."""
        offset = event.get_content_offset(self)
        if offset is None:
            return
        if self._vertical:
            if offset.y < len(self._options):
                self.chosen = offset.y
            return
        end = 0
        for position, label in enumerate(self._labels()):
            end += cell_len(label) + 2
            if offset.x < end:
                self.chosen = position
                return

    def _labels(self) -> list[str]:
        return [
            f"({'*' if position == self.chosen else ' '}) {label}"
            for position, (_value, label) in enumerate(self._options)
        ]

    def render(self) -> Content:
        """All options; the chosen one is bold, and more than that under the keys."""
        style = "bold $text-accent" if self.has_focus else "bold"
        parts = [
            Content.styled(label, style if position == self.chosen else "")
            for position, label in enumerate(self._labels())
        ]
        return Content("\n" if self._vertical else "  ").join(parts)

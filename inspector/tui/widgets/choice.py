"""One of a few options, all of them on screen; the chosen one shows without colour: `(*) this  ( ) that`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Generic, TypeVar

from rich.cells import cell_len
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Size
from textual.widgets import RadioButton, RadioSet

Value = TypeVar("Value")


class _Option(RadioButton):
    """A radio button with a mark that is a letter, not a colour."""

    def render(self) -> Content:
        """The mark and the label, which alone is lit."""
        style = self.get_visual_style("toggle--label")
        return Content.assemble(f"({'*' if self.value else ' '}) ", self.label.stylize_before(style))

    def get_content_width(self, container: Size, viewport: Size) -> int:  # noqa: ARG002
        """As wide as that is."""
        return cell_len(self.label.plain) + 4


class Choice(RadioSet, Generic[Value], inherit_bindings=False):
    """Options beside each other, or one above the other. Arrows choose at once: enter is the form's.

    `options` are pairs of a value and its label, which is fit for a terminal. `chosen` is chosen at first.
    """

    DEFAULT_CSS = """
    Choice {
        & > _Option { width: auto; margin-right: 2; }
        & > _Option.-on > .toggle--label { text-style: bold; }
        &.-beside { layout: horizontal; height: 1; }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,down,space", "choose(1)", "Choose", key_display="arrows"),
        Binding("left,up", "choose(-1)", "Choose the one before", show=False),
    ]

    def __init__(
        self,
        options: Sequence[tuple[Value, str]],
        *,
        chosen: Value | None = None,
        vertical: bool = False,
        id: str | None = None,  # noqa: A002 - Textual's name
    ) -> None:
        self._values = [value for value, _label in options]
        self._chosen = self._values.index(chosen) if chosen is not None else 0
        labels = (Content(label) for _value, label in options)
        self._buttons = [_Option(label, number == self._chosen) for number, label in enumerate(labels)]
        super().__init__(*self._buttons, id=id, classes="" if vertical else "-beside", compact=True)

    @property
    def value(self) -> Value:
        """The value of the chosen option."""
        return self._values[self._chosen]

    @value.setter
    def value(self, value: Value) -> None:
        self._choose(self._values.index(value))

    def _choose(self, number: int) -> None:
        self._chosen = number
        self._buttons[number].value = True

    def on_radio_set_changed(self, event: RadioSet.Changed) -> None:
        """Another option was chosen, maybe by a click."""
        self._chosen = event.index

    def action_choose(self, step: int) -> None:
        """Choose the next option, or the one before; after the last comes the first."""
        self._choose((self._chosen + step) % len(self._values))

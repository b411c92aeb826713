"""The names of tabs side by side, over a line that is heavy under the tab that is shown.

Textual's own row of tabs is a widget for each name in four around them: with what else they need, half of the
widgets of the main screen. Here they are one, which only says what was clicked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from rich.segment import Segment
from textual import events
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive, var
from textual.strip import Strip
from textual.style import Style
from textual.widget import Widget

_SLIDE_SECONDS: Final = 0.3


class TabLine(Widget):
    """Two lines: the names, and how far below them the tab that is shown reaches."""

    ALLOW_SELECT = False

    DEFAULT_CSS = "TabLine { height: 2; }"

    active: var[str] = var("", init=False)
    """The tab that is shown; none at first."""

    _start: reactive[float] = reactive(0.0)
    _end: reactive[float] = reactive(0.0)
    """Between which cells the line is heavy."""

    _hovered: reactive[str] = reactive("")

    @dataclass
    class Chosen(Message):
        """A tab was clicked."""

        tab: str

    def __init__(self, labels: Mapping[str, Content]) -> None:
        """`labels` are what the tabs are called on screen, by their names."""
        super().__init__()
        self._labels = dict(labels)

    @property
    def names(self) -> list[str]:
        """The names of all tabs, from left to right."""
        return list(self._labels)

    def relabel(self, tab: str, label: Content) -> None:
        """Call it something else from now on."""
        if label != self._labels[tab]:
            self._labels[tab] = label
            self._reach(slowly=True)
            self.refresh()

    def _spans(self) -> Iterator[tuple[str, int, int]]:
        """Each tab, and the cells that its label is between."""
        start = 1
        for tab, label in self._labels.items():
            end = start + label.cell_length
            yield tab, start, end
            start = end + 2

    def at(self, x: int) -> str:
        """The tab at this cell; empty where there is none."""
        return next((tab for tab, start, end in self._spans() if start - 1 <= x <= end), "")

    def watch_active(self, before: str, _active: str) -> None:
        """Have the heavy line go there."""
        self._reach(slowly=bool(before))
        self.refresh()

    def _reach(self, *, slowly: bool) -> None:
        slowly = slowly and self.app.animation_level != "none"
        for tab, start, end in self._spans():
            if tab == self.active and slowly:
                self.animate("_start", float(start), duration=_SLIDE_SECONDS, level="basic")
                self.animate("_end", float(end), duration=_SLIDE_SECONDS, level="basic")
            elif tab == self.active:
                self._start, self._end = start, end

    def render_line(self, y: int) -> Strip:
        """The names, or the line below them."""
        is_ansi, base = self.app.current_theme.ansi, self.visual_style
        blank = base.background_style.rich_style
        room = Segment(" ", blank)
        if y:
            light = "$border-blurred" if is_ansi else "$foreground 10%"
            parts = _line(self._start, self._end, self.size.width, light, "$block-cursor-background")
            segments = [one for text, style in parts for one in _drawn(Content(text), style, base)]
        else:
            segments = []
            for tab, label in self._labels.items():
                style = "$foreground" if tab in (self.active, self._hovered) else "$foreground 50%"
                if is_ansi:
                    style += " not dim bold" if tab == self.active else " dim"
                segments += [room, *_drawn(label, style, base), room]
        return Strip(segments).adjust_cell_length(self.size.width, blank)

    def on_click(self, event: events.Click) -> None:
        """Say which tab it was; what is below a name belongs to it."""
        if tab := self.at(event.x):
            self.post_message(self.Chosen(tab))

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Show what a click is for."""
        self._hovered = self.at(event.x) if event.y == 0 else ""
        self.styles.pointer = "pointer" if self._hovered else "default"
        self.screen.update_pointer_shape()

    def on_leave(self) -> None:
        """The mouse is elsewhere."""
        self._hovered = ""


def _drawn(text: Content, style: str, base: Style) -> list[Segment]:
    return text.stylize_before(style).render_segments(base) if text else []


def _line(start: float, end: float, width: int, light: str, heavy: str) -> list[tuple[str, str]]:
    """The parts of a line of this width, and their styles: heavy in between, to half a cell."""
    first, last = round(start * 2), min(round(end * 2), width * 2)
    return [
        ("━" * ((first - 1) // 2), light),
        ("╸" if first and not first % 2 else "", light),
        ("╺" * (first % 2) + "━" * (last // 2 - (first + 1) // 2), heavy),
        ("╸" if last % 2 else "", heavy),
        ("╺" if not last % 2 and last < width * 2 else "", light),
        ("━" * (width - last // 2 - 1), light),
    ]

"""The last line of a screen: the keys that do something now, and what they do.

Textual's own footer is a row of widgets, one for each key, which are made anew whenever the focus moves: they
were two thirds of the widgets of the main screen, and each left something behind. Here they are one line.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from rich.text import Text
from textual.events import MouseDown
from textual.screen import Screen
from textual.widget import Widget

from inspector.tui.keys import ALWAYS, active_bindings, footer_label, rank


class _Key(NamedTuple):
    """A key as it is shown, what to press for it, and how useful it is."""

    shown: str
    words: str
    key: str
    enabled: bool
    rank: int

    @property
    def width(self) -> int:
        return len(self.shown) + 1 + len(self.words)


class KeyBar(Widget):
    """As many of the screen's keys as have room, the most useful first; a click on one presses it."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {"key-bar--key", "key-bar--words"}
    DEFAULT_CSS = """
    KeyBar {
        dock: bottom;
        height: 1;
        text-wrap: nowrap;
        color: $footer-foreground;
        background: $footer-background;
        & > .key-bar--key {
            color: $footer-key-foreground;
            background: $footer-key-background;
            text-style: bold;
        }
        & > .key-bar--words {
            color: $footer-description-foreground;
            background: $footer-description-background;
        }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._keys: list[_Key] = []
        self._is_due = False

    def on_mount(self) -> None:
        """Begin to follow the keys of the screen."""
        self.screen.bindings_updated_signal.subscribe(self, self._follow)

    def _follow(self, screen: Screen[object]) -> None:
        # Much has its say in what keys do: what it comes to is looked at once, when all is done.
        if screen.app.app_focus and screen is self.screen and not self._is_due:
            self._is_due = True
            self.call_later(self._look)

    def _look(self) -> None:
        self._is_due = False
        screen = self.screen
        keys: dict[str, _Key] = {}
        active = list(active_bindings(screen))
        meanings = {one.binding.id for one in active if one.enabled}
        for _, binding, enabled, _ in active:
            if binding.show and binding.action not in keys:
                label, words = footer_label(binding, meanings), binding.description
                keys[binding.action] = _Key(label, words, binding.key, enabled, rank(binding))
        ranked = sorted(keys.values(), key=lambda key: key.rank)
        if self._keys != ranked:
            self._keys = ranked
            self.refresh()

    def _fitting(self) -> list[_Key]:
        """The keys that have room, in the order in which they are shown."""
        fitting, left = [], self.size.width + 1
        for key in self._keys:
            if key.width < left:
                fitting.append(key)
                left -= key.width + 1
        others = [key for key in fitting if key.rank >= ALWAYS]
        return others + [key for key in reversed(fitting) if key.rank < ALWAYS]

    def render(self) -> Text:
        """Draw the keys side by side."""
        key_style = self.get_component_rich_style("key-bar--key")
        words_style = self.get_component_rich_style("key-bar--words")
        parts = []
        for key in self._fitting():
            part = Text.assemble((key.shown, key_style), (f" {key.words}", words_style))
            if not key.enabled:
                part.stylize("dim")
            parts.append(part)
        return Text(" ").join(parts)

    def on_mouse_down(self, event: MouseDown) -> None:
        """Press the key that is there."""
        start = 0
        for key in self._fitting():
            if start <= event.x < start + key.width:
                if key.enabled:
                    self.app.simulate_key(key.key)
                else:
                    self.app.bell()
            start += key.width + 1

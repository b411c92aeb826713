"""The last line of a screen: the keys that do something now, and what they do.

Textual's own footer is a row of widgets, one for each key, which are made anew whenever the focus moves: they
were two thirds of the widgets of the main screen, and each left something behind. Here they are one line.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from rich.text import Text
from textual import on
from textual.events import MouseDown, MouseScrollDown, MouseScrollUp
from textual.screen import Screen
from textual.widget import Widget


class _Key(NamedTuple):
    """A key as it is shown, and what to press for it."""

    shown: str
    words: str
    key: str
    enabled: bool

    @property
    def width(self) -> int:
        return len(self.shown) + 1 + len(self.words)


class KeyBar(Widget):
    """The keys of the screen; a click on one presses it, the wheel moves a line that is too long."""

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
        self._skipped = 0

    def on_mount(self) -> None:
        """Begin to follow the keys of the screen."""
        self.screen.bindings_updated_signal.subscribe(self, self._follow)

    def _follow(self, screen: Screen[object]) -> None:
        if not screen.app.app_focus or screen is not self.screen:
            return
        keys: dict[str, _Key] = {}
        for _, binding, enabled, _ in screen.active_bindings.values():
            if binding.show and binding.action not in keys:
                shown = screen.app.get_key_display(binding)
                keys[binding.action] = _Key(shown, binding.description, binding.key, enabled)
        if self._keys != [*keys.values()]:
            self._keys = [*keys.values()]
            self._skipped = 0
            self.refresh()

    def render(self) -> Text:
        """Draw the keys side by side."""
        key_style = self.get_component_rich_style("key-bar--key")
        words_style = self.get_component_rich_style("key-bar--words")
        parts = []
        for key in self._keys:
            part = Text.assemble((key.shown, key_style), (f" {key.words}", words_style))
            if not key.enabled:
                part.stylize("dim")
            parts.append(part)
        return Text(" ").join(parts)[self._skipped :]

    def on_mouse_down(self, event: MouseDown) -> None:
        """Press the key that is there."""
        start = -self._skipped
        for key in self._keys:
            if start <= event.x < start + key.width:
                if key.enabled:
                    self.app.simulate_key(key.key)
                else:
                    self.app.bell()
            start += key.width + 1

    @on(MouseScrollDown)
    @on(MouseScrollUp)
    def _move(self, event: MouseScrollDown | MouseScrollUp) -> None:
        columns = 4 if isinstance(event, MouseScrollDown) else -4
        hidden = sum(key.width + 1 for key in self._keys) - self.size.width
        skipped = max(0, min(self._skipped + columns, hidden))
        if skipped != self._skipped:
            event.stop()
            event.prevent_default()
            self._skipped = skipped
            self.refresh()

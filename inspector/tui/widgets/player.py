"""Something played step by step: a timer that runs only while there is a step to come.

Where the terminal is not to move by itself (TEXTUAL_ANIMATIONS=none), the last step comes at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from textual.timer import Timer
from textual.widget import Widget

_LEAST: Final = 0.05
"""Seconds between two pictures: faster, several steps are made for one."""


class Player:
    """Calls `advance` with a number of steps, in time, until so many have been made."""

    def __init__(
        self, widget: Widget, advance: Callable[[int], None], *, pace: float, longest: float
    ) -> None:
        """`pace` is how many seconds a step takes if they are few, `longest` how many all take if not."""
        self._widget = widget
        self._pace, self._longest = pace, longest
        self._advance = advance
        self._left = 0
        self._stride = 1
        self._timer: Timer | None = None

    def play(self, steps: int) -> None:
        """Make so many steps from now on, in place of those still to come."""
        self.stop()
        if steps < 1:
            return
        self._left = steps
        if self._widget.app.animation_level == "none":
            self._stride = steps
            self._tick()
            return
        each = max(_LEAST, min(self._pace, self._longest / steps))
        self._stride = max(1, round(steps * each / self._longest))
        self._timer = self._widget.set_interval(each, self._tick)

    @property
    def playing(self) -> bool:
        """Whether a step is to come."""
        return self._left > 0

    def stop(self) -> bool:
        """Make no more steps; False if none were to come."""
        was_playing = self.playing
        self._left = 0
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        return was_playing

    def _tick(self) -> None:
        steps = min(self._stride, self._left)
        left = self._left - steps
        if not left:
            self.stop()
        self._left = left
        if steps:
            self._advance(steps)

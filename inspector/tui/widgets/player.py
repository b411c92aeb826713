"""Something played step by step: a timer that runs only while there is a step to come.

Where the terminal is not to move by itself (TEXTUAL_ANIMATIONS=none), the last step comes at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from textual.timer import Timer
from textual.widget import Widget

PACE: Final = 0.7
"""Seconds for a step, if they are few."""
SLIDE: Final = 0.08
"""Seconds for a picture of tables that slide into one."""
_LONGEST: Final = 3.0
"""Seconds for all steps, if they are many."""
_LEAST: Final = 0.05
"""Seconds between two pictures: faster, several steps are made for one."""


class Player:
    """Calls `advance` with a number of steps, in time, until so many have been made."""

    def __init__(self, widget: Widget, advance: Callable[[int], None]) -> None:
        self._widget = widget
        self._advance = advance
        self._left = 0
        self._stride = 1
        self._timer: Timer | None = None

    def play(self, steps: int, pace: float = PACE) -> None:
        """Make so many steps from now on, in place of those still to come."""
        self.stop()
        if steps < 1:
            return
        self._left = steps
        if self._widget.app.animation_level == "none":
            self._stride = steps
            self._tick()
            return
        self._left -= 1
        self._advance(1)  # a key is answered at once
        if not self._left:
            return
        each = max(_LEAST, min(pace, _LONGEST / self._left))
        self._stride = max(1, round(self._left * each / _LONGEST))
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

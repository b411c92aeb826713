"""Sizes on an axis of powers of two: each power is ruled, and as far from the next as any other.

A bar covers the rule of the power below its size and never that of the next one: tables of one magnitude end
between the same two rules. Nothing here knows a widget.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from engine.merge import fastlog2
from inspector.text import eighths_bar

SHADES: Final = "█▓▒"
"""Tables that are put together in one bar, in turn."""

_LABEL: Final = 5
"""Cells of a label, and a space."""


class Axis(NamedTuple):
    """The powers of two from 2^`first` up to, but without, 2^`end`, in `width` cells."""

    first: int
    end: int
    width: int

    @classmethod
    def of(cls, sizes: Sequence[int], width: int) -> Axis:
        """The axis for these sizes and for any put together; with room, one power more on the left."""
        first = min((fastlog2(size) for size in sizes if size), default=0)
        end = fastlog2(sum(sizes)) + 1
        return cls(first - (first > 0 and width > end - first), end, width)

    @property
    def step(self) -> int:
        """Cells from one power to the next; 0 if there are more powers than cells."""
        return self.width // (self.end - self.first)

    def rule(self, power: int) -> int:
        """The cell in which 2^`power` is ruled."""
        cell = (power - self.first) * (self.step or 1)
        return cell if self.step else cell * self.width // (self.end - self.first)

    def eighths(self, size: int) -> int:
        """How long a bar is: at least the cell of the rule of its power, if it has a byte at all."""
        if not size:
            return 0
        power = fastlog2(size)
        within = max(0, self.step - 1) * 8 * (size - (1 << power)) >> power
        return min(8 * (self.rule(power) + 1) + within, 8 * self.width)

    def bar(self, size: int) -> str:
        """The bar of a size, without the rules behind it."""
        return eighths_bar(self.eighths(size))

    def row(self, size: int, threshold: int | None = None) -> tuple[str, int]:
        """A bar and the rules behind it, as wide as the axis, and where these begin.

        A size that is a `threshold` is marked: the bar of a smaller one ends before it.
        """
        drawn = self.bar(size)
        cells = list(drawn + self._rules[len(drawn) :])
        if threshold is not None and cells:
            at = self.eighths(threshold) // 8
            at = max(at, len(drawn)) if size < threshold else min(at, len(drawn) - 1)
            cells[max(0, min(at, self.width - 1))] = "┃" if at < self.width else "▸"
        return "".join(cells), len(drawn)

    @property
    def _rules(self) -> str:
        cells = [" "] * self.width
        marked = self._labelled
        for power in range(self.first, self.end):
            # A rule in every cell would be a wall.
            cells[self.rule(power)] = "┊" if self.step > 1 or power % marked == 0 else "·"
        return "".join(cells)

    @property
    def _labelled(self) -> int:
        """Every how many powers there is room for a label."""
        spans = (1, 2, 5, 10, 20, 30, 60)
        return next((span for span in spans if self.rule(self.first + span) >= _LABEL), 60)

    @property
    def labels(self) -> str:
        """The line above: `512  1K   2K`, each label where its power is ruled."""
        cells = [" "] * (self.width + _LABEL)
        for power in range(self.first, self.end):
            if power % self._labelled == 0:
                at = self.rule(power)
                cells[at : at + _LABEL] = power_text(power).ljust(_LABEL)
        return "".join(cells)[: self.width].rstrip()


def power_text(power: int) -> str:
    """`512`, `4K`, `1M`: 2^`power` in bytes."""
    return f"{1 << power % 10}{('', *'KMGTPE')[power // 10]}"


def stacked(sizes: Sequence[int], times: int, largest: int, width: int) -> str:
    """Sizes end to end in one bar, `times` times, on a linear scale on which `largest` fills `width` cells.

    Each has another shade than the one before, and the whole is as long as its sum says.
    """
    cells, total, shade = "", 0, 0
    for size in [*sizes] * times:
        total += size
        end = -(-total * width // largest) if largest else 0
        cells += SHADES[shade] * (end - len(cells))
        shade = (shade + 1) % len(SHADES)
    return cells

"""How one finds one's way: what widgets say to go somewhere, and the trail of where one was.

A widget says `Follow` (where its current row leads first) or `Go`. The main screen goes there, from any
dialog too, and keeps a `Spot` of where one was, which `backspace` goes back to. The trail is bounded: what
it holds (rows, an open table, a dialog that was put away) must not add up in a week.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from textual.message import Message
from textual.screen import Screen
from textual.widget import Widget

from inspector.model import PastCompaction, Place, Shape

MOST_SPOTS: Final = 32


class Follow(Message):
    """The user wants to go where the row under the cursor leads first."""


@dataclass
class Go(Message):
    """The user wants to go to this place."""

    place: Place


class ListSpot(NamedTuple):
    """What a list of records showed: its shape, the filter as it was typed, the row and the rows above it.

    `in_tree` is the name under the cursor of the tree of prefixes, if that was shown.
    """

    shape: Shape
    typed: str
    key: Any
    above: int
    in_tree: bytes | None = None


class Held(NamedTuple):
    """A dialog that was put away, to come back as it was, and what is called when it is answered."""

    screen: Screen[Any]
    answered: Callable[[Any], None] | Callable[[Any], Awaitable[None]] | None


class Spot(NamedTuple):
    """Where one was on the main screen, and in dialogs over it, the lowest first.

    `cursor` is the row of a list that does not know its rows by name, `file` the one under the cursor of the
    stack.
    """

    tab: str
    focused: Widget | None
    cursor: int | None
    refs: ListSpot
    logs: ListSpot
    file: str
    blocks: Any
    replayed: PastCompaction | None
    held: tuple[Held, ...] = ()


class Trail:
    """The spots that one has come from, the last one last."""

    def __init__(self, drop: Callable[[Spot], object]) -> None:
        """`drop` is called with a spot that is forgotten."""
        self._spots: deque[Spot] = deque()
        self._drop = drop

    def __len__(self) -> int:
        return len(self._spots)

    def push(self, spot: Spot) -> None:
        """Remember a spot; the oldest one is forgotten when there are too many."""
        self._spots.append(spot)
        if len(self._spots) > MOST_SPOTS:
            self._drop(self._spots.popleft())

    def pop(self) -> Spot | None:
        """The last spot, which is not on the trail any more."""
        return self._spots.pop() if self._spots else None

    def clear(self) -> None:
        """Forget all of them."""
        while (spot := self.pop()) is not None:
            self._drop(spot)

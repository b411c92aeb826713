"""The journal of a session: each change that was tried, how it ended, and the command line that does it.

In memory, and gone with the program: it is for learning the command line, and for repeating or reporting
what was done.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from inspector.model.event import OwnChange

Ending = Literal["done", "stopped", "failed", "warning", "error"]
"""How a change ended; the last two are no change, but something that was said to be wrong."""


class Entry(NamedTuple):
    """A change that was tried: when (seconds since 1970), what, how it ended, and the command line, if any.

    `details` is the traceback, if a defect of this program ended it; `snapshot` is the id of the one that was
    taken before it.
    """

    time: float
    title: str
    ending: Ending
    sentence: str
    command: str
    details: str = ""
    snapshot: str = ""


class Journal:
    """The entries of one session, oldest first. `clock` returns seconds since 1970.

    `made` is called with each change that was made of the stack.
    """

    def __init__(
        self, clock: Callable[[], float], made: Callable[[OwnChange], object] = lambda _change: None
    ) -> None:
        self.entries: list[Entry] = []
        self.clock = clock
        self.made = made

    def note(
        self,
        title: str,
        ending: Ending,
        sentence: str,
        command: str,
        details: str = "",
        snapshot: str = "",
    ) -> None:
        """Add an entry of now."""
        self.entries.append(Entry(self.clock(), title, ending, sentence, command, details, snapshot))

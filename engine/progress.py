"""How a long operation says how far it is, and how its caller stops it.

Every long operation of the engine takes one optional callback. It is called now and then with a `Progress`;
raising `Cancelled` from it stops the operation, which then leaves no file behind and the stack as it was.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Progress(NamedTuple):
    """One report: `done` of `total` bytes of the tables read, in the phase named.

    Where an operation says so, they are records instead.
    `total` is None where the amount of work is not known beforehand.
    """

    phase: str
    done: int
    total: int | None

    @property
    def percent(self) -> int | None:
        """How much of it is done, in whole percent; None where `total` is not known."""
        return min(100 * self.done // self.total, 100) if self.total else None


ProgressCallback = Callable[[Progress], None]

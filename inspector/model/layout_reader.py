"""One table as the block view reads it, in worker threads: its layout, children of nodes, bytes."""

from __future__ import annotations

from bisect import bisect
from functools import partial
from itertools import islice
from threading import Lock
from typing import Final

from engine.errors import MissingTableError
from engine.format import Read
from engine.layout import TableLayout
from engine.progress import Progress, ProgressCallback
from engine.readable import ReadableTable
from engine.table import Table
from inspector.rows import (
    Check,
    FileBytes,
    Node,
    NodePlace,
    PathRead,
    damages,
    read_children,
    read_path,
    read_record_place,
    root_node,
)

MAX_DAMAGES: Final = 10_000


def reading(table: Table) -> Read:
    """What reads the bytes of a table, for a `LayoutReader`; of one that is not there, it raises why."""
    fault = table.fault if isinstance(table, ReadableTable) else None
    if not isinstance(fault, MissingTableError):
        return table.read

    def refuse(_offset: int, _size: int) -> bytes:
        raise fault.with_traceback(None)

    return refuse


class LayoutReader:
    """One file, opened. Its methods read, and end early by what `check` or `progress` raises.

    Each waits for the one before in another thread, which is to end by its next `check`.
    """

    def __init__(self, name: str, size: int, read: Read) -> None:
        """Raises `OSError`, and what `read` raises."""
        self.read = read
        self.bytes = FileBytes(size, read)
        self._layout = TableLayout(name, size, read)
        self.root = root_node(self._layout)
        self._damages: list[NodePlace] | None = None
        self._lock = Lock()

    def children(self, node: Node, check: Check) -> list[Node]:
        """What is below a node."""
        with self._lock:
            return read_children(node, check)

    def path(self, place: NodePlace, check: Check) -> PathRead:
        """The way to the node at `place`."""
        with self._lock:
            return read_path(self.root, place, check)

    def record(self, offset: int, key: bytes | None, check: Check) -> PathRead:
        """The way to the block at `offset`, or to the record of this key in it."""
        with self._lock:
            place = read_record_place(self._layout, offset, key, check)
            return read_path(self.root, place, check)

    def damage(
        self, step: int, current: NodePlace, progress: ProgressCallback
    ) -> tuple[PathRead, int, int] | None:
        """The way to the next damaged place behind `current` (`step` 1), or to the one before it (-1).

        With its number from 1, of how many; None if nothing is damaged.
        """
        with self._lock:
            if self._damages is None:
                self._damages = list(islice(damages(self._layout, progress), MAX_DAMAGES))
            known = self._damages
            if not known:
                return None
            if current in known:
                index = known.index(current) + step
            else:
                index = bisect(known, current.order, key=lambda place: place.order) - (step < 0)
            index %= len(known)
            check = partial(progress, Progress("reading", 0, None))
            return read_path(self.root, known[index], check), index + 1, len(known)

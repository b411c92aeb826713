"""Reads one table for the block view, in a worker thread: its layout, children of nodes, bytes.

The view says what it wants and has `work` run in a thread until nothing is left. Bytes on screen come
first; then what the view asked for last, in bounded pieces: what it asked for before and has not got is
forgotten, as when another node was chosen meanwhile. One thread at a time may run `work`.
"""

from __future__ import annotations

from bisect import bisect
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from engine.errors import ReftableError
from engine.format import Read
from engine.layout import TableLayout
from inspector.rows import (
    BytePages,
    Node,
    Place,
    damages,
    read_children,
    read_path,
    read_record_place,
    root_node,
)

MAX_DAMAGES: Final = 10_000
COPY_LIMIT: Final = 65536
"""The most bytes that are copied at a time."""


@dataclass(frozen=True, slots=True)
class LayoutOpened:
    """The table's layout is there: its root, with children."""

    root: Node


@dataclass(frozen=True, slots=True)
class ChildrenRead:
    """What is below a node."""

    node: Node
    children: list[Node]


@dataclass(frozen=True, slots=True)
class PathRead:
    """The node at a place, and what was read on the way to it: children of nodes, from the top."""

    place: Place
    target: Node
    read: list[tuple[Node, list[Node]]]


@dataclass(frozen=True, slots=True)
class DamageFound:
    """Which of all damaged places the way was read to: `number` of `count`, from 1; 0 of 0 if none is."""

    number: int
    count: int


@dataclass(frozen=True, slots=True)
class Looking:
    """How far a search for damage has come, in percent."""

    percent: int


@dataclass(frozen=True, slots=True)
class Copied:
    """Bytes that are to be copied; `whole` unless there were too many of them."""

    data: bytes
    whole: bool


@dataclass(frozen=True, slots=True)
class BytesRead:
    """Bytes can be drawn that could not be before."""


@dataclass(frozen=True, slots=True)
class ReadFailed:
    """What was wanted could not be read."""

    error: ReftableError | OSError


LayoutNews = LayoutOpened | ChildrenRead | PathRead | DamageFound | Looking | Copied | BytesRead | ReadFailed
Task = Iterator[LayoutNews | None]


class LayoutReader:
    """One file, read as its view wants it."""

    def __init__(self, name: str, size: int, read: Read) -> None:
        self.name = name
        self.size = size
        self.bytes = BytePages(size, read)
        self._read = read
        self._opened: tuple[TableLayout, Node] | None = None
        self._failed = False
        self._damages: list[Place] | None = None
        self._tasks: deque[Callable[[TableLayout, Node], Task]] = deque(maxlen=1)
        self._doing: Task | None = None

    # What the view wants.

    def want_children(self, node: Node) -> None:
        """Have the children of `node` read."""
        self._tasks.append(lambda _layout, _root: self._read_children(node))

    def want_place(self, place: Place) -> None:
        """Have the way to the node at `place` read."""
        self._tasks.append(lambda _layout, root: self._read_path(root, place))

    def want_record(self, offset: int, key: bytes | None) -> None:
        """Have the way to the block at `offset` read, or to the record of this key in it."""
        self._tasks.append(lambda layout, root: self._read_record(layout, root, offset, key))

    def want_damage(self, step: int, current: Place) -> None:
        """Have the next damaged place behind `current` found (`step` 1), or the one before it (-1)."""
        self._tasks.append(lambda layout, root: self._find_damage(layout, root, step, current))

    def want_copy(self, start: int, end: int) -> None:
        """Have bytes of the file read that are to be copied."""
        self._tasks.append(lambda _layout, _root: self._read_copy(start, end))

    def forget(self) -> None:
        """Nothing is wanted any more but the bytes on screen."""
        self._tasks.append(lambda _layout, _root: iter(()))

    @property
    def wanting(self) -> bool:
        """Whether `work` has something to do."""
        if self._failed:
            return False
        return bool(self._tasks) or self._doing is not None or self._opened is None or self.bytes.wanting

    # What is done about it.

    def work(self) -> Iterator[LayoutNews | None]:
        """Do everything that is wanted; between two pieces, yield what is new, or None if that is nothing.

        It may be left there, and begun again later.
        """
        if self._opened is None:
            try:
                layout = TableLayout(self.name, self.size, self._read)
                self._opened = layout, root_node(layout)
            except (ReftableError, OSError) as error:
                self._failed = True
                yield ReadFailed(error)
                return
            yield LayoutOpened(self._opened[1])
        while True:
            try:
                if self.bytes.read_page():
                    yield BytesRead()
                elif self._tasks:
                    self._doing = self._tasks.pop()(*self._opened)
                elif self._doing is not None:
                    yield next(self._doing)
                else:
                    return
            except StopIteration:
                self._doing = None
            except (ReftableError, OSError) as error:
                self._doing = None
                yield ReadFailed(error)

    def _read_children(self, node: Node) -> Task:
        yield ChildrenRead(node, (yield from read_children(node)))

    def _read_path(self, root: Node, place: Place) -> Task:
        yield PathRead(place, *(yield from read_path(root, place)))

    def _read_record(self, layout: TableLayout, root: Node, offset: int, key: bytes | None) -> Task:
        place = yield from read_record_place(layout, offset, key)
        yield from self._read_path(root, place)

    def _read_copy(self, start: int, end: int) -> Task:
        yield Copied(self._read(start, min(end - start, COPY_LIMIT)), end - start <= COPY_LIMIT)

    def _find_damage(self, layout: TableLayout, root: Node, step: int, current: Place) -> Task:
        if self._damages is None:
            found: list[Place] = []
            told = 0
            for place in damages(layout):
                if isinstance(place, Place):
                    found.append(place)
                    if len(found) == MAX_DAMAGES:
                        break
                elif (percent := 100 * place // self.size) > told:
                    told = percent
                    yield Looking(percent)
                else:
                    yield None
            self._damages = found
        known = self._damages
        if not known:
            yield DamageFound(0, 0)
            return
        if current in known:
            index = known.index(current) + step
        else:
            index = bisect(known, current.order, key=lambda place: place.order) - (step < 0)
        index %= len(known)
        yield from self._read_path(root, known[index])
        yield DamageFound(index + 1, len(known))

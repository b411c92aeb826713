"""The changes of a stack that were seen or made since it was opened, each as one event.

Two tell of changes: whoever watches the stack hands over each view that is new (`saw`), and an action tells
what it did between which lists, seen under its own lock (`made`). Either may come first, and other processes
may have changed the stack in between: the states of the stack are kept in their order, and each change is the
step from one to the next.

Memory is bounded: only the tables of the newest states are kept open; of older ones there are names and
sizes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Final, NamedTuple

from engine import snapshot
from engine.errors import ReftableError
from engine.format import limits_in_name, policy_size
from engine.merge import MergedTable
from engine.table import Table
from inspector.model.difference_summary import DifferenceSummary, summarise
from inspector.model.event import (
    Event,
    EventKind,
    OwnChange,
    Shapes,
    TableShape,
    difference,
    highest,
    kind_of,
    shapes_of,
)
from inspector.model.newest_log import NewestEntry, newest_entry
from inspector.model.view import StackView

MOST_EVENTS: Final = 1000
MOST_OPEN: Final = 4
"""States of the stack, besides the present one, whose tables are kept open."""


@dataclass(slots=True)
class _State:
    """The stack at a moment: its tables as shapes, and as they were opened, as long as they are."""

    shapes: Shapes
    tables: tuple[Table, ...] | None = None
    is_seen: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(table.name for table in self.shapes)


class Told(NamedTuple):
    """What comparing the two states of an event has found, as `Event` has it."""

    summary: DifferenceSummary
    entry: NewestEntry | None
    verb: str


class History:
    """The events of one stack, all of them or the newest MOST_EVENTS. For one thread.

    `clock` returns seconds since 1970.
    """

    def __init__(self, view: StackView, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._numbers = count(1)
        self.directory, self._hash_id = view.directory, view.hash_id
        self._view = view
        self._states = [_State(shapes_of(view.tables), view.tables)]  # one more than there are events
        self._events: list[Event] = []

    @property
    def events(self) -> Sequence[Event]:
        """Newest first."""
        return self._events[::-1]

    @property
    def newest(self) -> Event | None:
        """The event that was last."""
        return self._events[-1] if self._events else None

    def saw(self, view: StackView) -> None:
        """Note that this is what the stack is now."""
        if view is self._view:
            return
        self._view = view
        known = {table: table for table in self._states[-1].shapes}  # one object for each, in all events
        shapes = tuple(known.get(table, table) for table in shapes_of(view.tables))
        state = _State(shapes, view.tables)
        at = len(self._states) - 1
        while not self._states[at].is_seen:
            if self._states[at].names == state.names:  # an action has told of it
                self._states[at] = state
                for number in range(max(0, at - 1), min(at + 1, len(self._events))):
                    event = self._events[number]
                    self._events[number] = self._event(number, event.own, event.time, event.number)
                self._forget()
                return
            at -= 1
        last = self._states[-1]
        if state.tables == last.tables:  # the list was written anew with the names that it had
            return
        if last.is_seen or not _is_before(state.shapes, self._states[-2].shapes, last.shapes):
            self._put(len(self._events), [state])
        # Otherwise it is what was there before an action that has told of more by now.

    def made(self, change: OwnChange) -> None:
        """Note what an action has done, be it seen already, as a whole or in part, or not yet."""
        names = [state.names for state in self._states]
        newest = len(names) - 1
        # What an action does comes behind what actions did before it.
        floor = next((at for at in range(newest, 0, -1) if self._events[at - 1].own is not None), 0)
        first = next((at for at in range(newest, floor - 1, -1) if names[at] == change.before), None)
        if change.before == change.after:
            at = newest if first is None else first
            self._put(at, [replace(self._states[at])], own=change, step=0)
            return
        before, after = self._unseen(change.before), self._unseen(change.after)
        lowest = floor if first is None else first
        last = next((at for at in range(newest, lowest, -1) if names[at] == after.names), None)
        if first is not None:
            start = first
        elif last is not None:
            start = last - 1
        else:
            start = newest
            while start > floor and not _is_before(self._states[start].shapes, before.shapes, after.shapes):
                start -= 1
        path = [] if first is not None else [before]
        step = len(path)
        if last is not None:
            path.append(self._states[last])
        else:
            path.append(after)
            if start < newest:  # another process has changed it before anything was seen
                last = start + 1
                path.append(self._states[last])
        self._put(start, path, own=change, step=step, replaced=0 if last is None else last - start)

    def _put(
        self, at: int, path: list[_State], *, own: OwnChange | None = None, step: int = -1, replaced: int = 0
    ) -> None:
        """Put events behind the state `at`, one to each state of `path`, in place of so many others.

        That of number `step` among them is what `own` has done.
        """
        time = self._events[at + replaced - 1].time if replaced else self._clock()
        self._states[at + 1 : at + 1 + replaced] = path
        events = [self._event(at + n, own if n == step else None, time) for n in range(len(path))]
        self._events[at : at + replaced] = events
        self._forget()

    def _event(self, at: int, own: OwnChange | None, time: float, number: int = 0) -> Event:
        before, after = self._states[at].shapes, self._states[at + 1].shapes
        found = difference(before, after)
        verb = "" if own is None else own.operation
        kind = kind_of(before, after, found, verb)
        return Event(number or next(self._numbers), time, kind, before, after, found, own, verb)

    def _unseen(self, names: tuple[str, ...]) -> _State:
        """A state that an action tells of."""
        known = {table.name: table for state in self._states[-2 * MOST_OPEN :] for table in state.shapes}
        return _State(tuple(known.get(name) or self._shape(name) for name in names), is_seen=False)

    def _shape(self, name: str) -> TableShape:
        """A table that was not opened, by its name and the size of its file, if that is there still."""
        first, last = limits_in_name(name) or (0, 0)
        with suppress(OSError):
            size = os.stat(self.directory / name).st_size
            return TableShape(name, first, last, policy_size(size, self._hash_id.version), size)
        return TableShape(name, first, last, 0, 0)

    def _forget(self) -> None:
        """Let go of what is too old."""
        surplus = len(self._events) - MOST_EVENTS
        if surplus > 0:
            del self._events[:surplus], self._states[:surplus]
        for state in self._states[: -1 - MOST_OPEN]:
            state.tables = None
            state.is_seen = True

    # What has changed.

    def views(self, event: Event) -> tuple[MergedTable, MergedTable] | None:
        """The stack before and after; None if tables of it are not open any more."""
        at = self._number_of(event)
        if at is None:
            return None
        newest = self._states[-1 - MOST_OPEN :]
        opened = {table.name: table for state in newest for table in state.tables or ()}
        found = []
        for state in self._states[at : at + 2]:
            tables = state.tables or tuple(opened[name] for name in state.names if name in opened)
            if len(tables) < len(state.names):
                return None
            found.append(MergedTable(tables))
        return found[0], found[1]

    def _number_of(self, event: Event) -> int | None:
        numbers = range(len(self._events) - 1, -1, -1)
        return next((at for at in numbers if self._events[at].number == event.number), None)

    def untold(self) -> Event | None:
        """The newest event of which it is not known what became of refs, but can be."""
        for event in reversed(self._events[-1 - MOST_OPEN :]):
            if event.summary is None and self.views(event) is not None:
                return event
        return None

    def tell(self, event: Event, told: Told) -> Event | None:
        """Note what was found of an event; the event as it is now, or None if it is none any more."""
        at = self._number_of(event)
        if at is None:
            return None
        event = self._events[at]
        kind = kind_of(event.before, event.after, event.difference, told.verb or event.verb)
        is_plain = kind in (EventKind.ADDED, EventKind.COMPACTED, EventKind.ADDED_AND_COMPACTED)
        if told.summary.only_drops_logs and is_plain:
            kind = EventKind.EXPIRED
        verb, summary = told.verb or event.verb, told.summary.refs
        self._events[at] = event._replace(kind=kind, summary=summary, entry=told.entry, verb=verb)
        return self._events[at]


def compare(
    event: Event,
    views: tuple[MergedTable, MergedTable],
    directory: Path,
    cancelled: Callable[[], bool] = lambda: False,
) -> Told:
    """Find what became of refs, the newest reflog entry that came, and the verb, if there was one.

    The verb is told by a snapshot in the stack's `directory`. For a worker; never raises.
    """
    before, after = views
    summary = summarise(before, after, cancelled=cancelled)
    old = {table.name for table in event.before}
    entry = None
    for table in reversed(after.tables):
        if table.name in old or table.max_update_index <= highest(event.before):
            continue
        with suppress(ReftableError, OSError):
            entry = newest_entry(table, cancelled)
        break
    if entry is not None and entry.record.update_index <= highest(event.before):
        entry = None
    verb = event.verb
    if not verb:
        lists = tuple(tuple(table.name for table in tables) for tables in (event.before, event.after))
        with suppress(OSError):
            made = (one for one in snapshot.list_snapshots(directory) if (one.tables, one.after) == lists)
            verb = next((one.operation for one in made), "")
    return Told(summary, entry, verb)


def reopen(event: Event, directory: Path) -> tuple[MergedTable, MergedTable]:
    """The stack before and after an old event, from tables that are in the stack or in a snapshot still.

    For a worker. Raises `FileNotFoundError` if one is in neither, `ReftableError`, other `OSError`.
    """
    names = {table.name for table in (*event.before, *event.after)}
    snapshots = snapshot.list_snapshots(directory)
    places = {name: one.file(name) for one in snapshots for name in names.intersection(one.files)}
    opened = {}
    for name in names:
        try:
            opened[name] = Table.open(directory / name)
        except FileNotFoundError:
            if name not in places:
                raise
            opened[name] = Table.open(places[name], name)
    before, after = ([opened[table.name] for table in tables] for tables in (event.before, event.after))
    return MergedTable(before), MergedTable(after)


def _is_before(shapes: Shapes, before: Shapes, after: Shapes) -> bool:
    """Whether a stack of these tables was there before a change from `before` to `after`, not behind it.

    What has none of the tables that came or went with it is behind it if it covers their updates: it has
    merged them since.
    """
    names, old, new = ({table.name for table in tables} for tables in (shapes, before, after))
    if names & (new - old):
        return False
    if names & (old - new):
        return True
    came = [table for table in after if table.name not in old]
    return not any(one.first <= table.first and table.last <= one.last for one in shapes for table in came)

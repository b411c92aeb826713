"""The inspector's one door to the engine: one stack, opened read-only, and the work that is done on it.

A screen never calls the engine. It reads what a `Session` has at hand (tables, rows, how far they are
counted), says what it wants (`want_versions`, `want_reload`; rows say it themselves when they are drawn),
and has `work` run in a worker thread until nothing is left. It does one bounded piece after the other,
always the most urgent one, and tells what there is to show:

    reload     first, since reading on in a view about to be replaced is work for nothing
    pages      rows that are on screen as placeholders
    versions   every version of the selected ref
    scan       counting on, a few thousand records at a time

One thread at a time may run `work`: nothing else touches the stack's handle, so nothing here needs a
lock. What the screen sees is replaced whole, never changed: `view` is one `StackView` until a reload
makes another, and what was read of the old one can be drawn until then.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from engine.errors import ReftableError
from engine.merged import Version
from engine.options import StackOptions
from engine.stack import Stack
from engine.table import Table
from inspector.rows import LogRows, RefRows
from inspector.trace import RefTrace, trace_ref

__all__ = ["News", "Reloaded", "RowsRead", "Session", "StackView", "VersionsRead"]


TELL_RECORDS: Final = 65536


class StackView:
    """One state of the stack: its tables (oldest first), its merged view, and what was read of it so far."""

    def __init__(self, stack: Stack) -> None:
        self.directory = stack.directory
        self.options = stack.options
        self.merged = stack.merged
        self.hash_id = stack.hash_id
        self.tables: tuple[Table, ...] = self.merged.tables
        self.size = sum(table.size for table in self.tables)
        self.refs = RefRows(self.merged)
        self.logs = LogRows(self.merged)


@dataclass(frozen=True, slots=True)
class RowsRead:
    """Rows can be drawn, or are counted, that were not before."""


@dataclass(frozen=True, slots=True)
class VersionsRead:
    """What was found about a ref: its versions, newest first, and the rest of its trace."""

    name: bytes
    trace: RefTrace

    @property
    def versions(self) -> tuple[Version, ...]:
        """Every version that could be read."""
        return self.trace.versions

    @property
    def error(self) -> ReftableError | OSError | None:
        """What kept the newest of the others from being read, or None."""
        return self.trace.unread[0].error if self.trace.unread else None


@dataclass(frozen=True, slots=True)
class Reloaded:
    """The stack was looked at again; `changed` when there is a new view."""

    changed: bool
    error: ReftableError | OSError | None


News = RowsRead | VersionsRead | Reloaded


class Session:
    """One stack as the inspector sees it. Never locks, never writes; `with` closes its files."""

    def __init__(self, stack: Stack, label: str) -> None:
        """Takes over `stack`, a read-only handle; `label` is how the user knows it (a path)."""
        self._stack = stack
        self.label = label
        self.view = StackView(stack)
        self._told = 0
        self._wants_reload = False
        self._wanted_names: deque[bytes] = deque(maxlen=1)

    @classmethod
    def open(cls, directory: Path, *, label: str, options: StackOptions) -> Session:
        """The session on the stack in `directory`.

        Raises what `Stack.open` raises: `ReftableError` for a stack that cannot be read, `OSError`.
        """
        return cls(Stack.open(directory, options, read_only=True), label)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def want_versions(self, name: bytes) -> None:
        """Have every version of the ref `name` read; a name wanted before and not yet read is forgotten."""
        self._wanted_names.append(name)

    def want_reload(self) -> None:
        """Have the stack looked at again."""
        self._wants_reload = True

    @property
    def wanting(self) -> bool:
        """Whether a screen waits for something that `work` would do next."""
        view = self.view
        return self._wants_reload or bool(self._wanted_names) or view.refs.wanting or view.logs.wanting

    def work(self) -> Iterator[News | None]:
        """Do everything that is wanted; between two pieces, yield what is new, or None if that is nothing.

        Whoever runs it may stop there, and begin again later.
        """
        while True:
            view = self.view
            if self._wants_reload:
                self._wants_reload = False
                yield self._reload()
            elif view.refs.read_page() or view.logs.read_page():
                yield RowsRead()
            elif self._wanted_names:
                yield self._read_versions(self._wanted_names.pop())
            elif view.refs.scan():
                yield self._scanned(view.refs)
            elif view.logs.scan():
                yield self._scanned(view.logs)
            else:
                return

    def _scanned(self, rows: RefRows | LogRows) -> RowsRead | None:
        # To draw a new count costs as much as to count thousands of records, so it is told seldom.
        ended = rows.complete or rows.error is not None
        if not ended and rows.count < min(2 * self._told, self._told + TELL_RECORDS):
            return None
        self._told = 0 if ended else rows.count
        return RowsRead()

    def _reload(self) -> Reloaded:
        try:
            changed = self._stack.reload()
        except (ReftableError, OSError) as error:
            return Reloaded(False, error)
        if changed:
            self.view = StackView(self._stack)
            self._told = 0
        return Reloaded(changed, None)

    def _read_versions(self, name: bytes) -> VersionsRead:
        return VersionsRead(name, trace_ref(self.view, name))

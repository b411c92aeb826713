"""The inspector's one door to the engine: one stack, opened read-only, and the work that is done on it.

A screen never calls the engine. It reads what a `Session` has at hand (tables, rows, how far they are
counted), says what it wants, and has `work` run in a worker thread until nothing is left. It does one
bounded piece after the other, always the most urgent one, and tells what there is to show:

    reload     first, since reading on in a view about to be replaced is work for nothing
    pages      rows that are on screen as placeholders
    versions   every version of the selected ref, its newest reflog entries, where it leads
    places     at which row of a source a key is, as far as the source is counted
    scan       filtering, sorting and counting on, a few thousand records at a time

The sources worked on are those that the panes have put up with `serve`, each pane under a name of its own,
and then the two of the view.

One thread at a time may run `work`: nothing else touches the stack's handle. What is wanted is put down under
a lock that is held for a moment only. What the screen sees is replaced whole, never changed: `view` is one
`StackView` until a reload makes another, and what was read of the old one can be drawn until then.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from engine.closing import Closing
from engine.errors import ReftableError
from engine.merge import MergedTable
from engine.readable import ReadableStack, open_readable
from engine.stack import StackOptions
from inspector.model.trace import RefTrace, trace_ref
from inspector.model.view import StackView
from inspector.rows import PAGE_ROWS, PagedRows, RowPages

Source = RowPages[Any, Any]

TELL_RECORDS: Final = 65536


@dataclass(frozen=True, slots=True)
class RowsRead:
    """Rows can be drawn, or are counted, that were not before."""


class KeyFound(NamedTuple):
    """The row of `source` with the key that was asked for is `row`, or the one that comes instead.

    It may be `source.count` when all rows come before. While it is not known, `row` is None and `ahead` has
    the rows from the key on, told once.
    """

    source: Source
    key: Any
    row: int | None
    ahead: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Reloaded:
    """The stack was looked at again; `changed` when there is a new view in place of `old_view`.

    `asked` is False when it was the watch that looked, and found a change or (no) trouble anew.
    """

    changed: bool
    error: ReftableError | OSError | None
    old_view: StackView | None = field(default=None, compare=False)
    asked: bool = True


class _WantedKey(NamedTuple):
    source: Source
    key: Any
    ahead: bool


News = RowsRead | RefTrace | KeyFound | Reloaded


class Session(Closing):
    """One stack as the inspector sees it. Never locks, never writes."""

    def __init__(self, stack: ReadableStack, label: str) -> None:
        """Takes over `stack`, a read-only handle; `label` is how the user knows it (a path)."""
        self._stack = stack
        self.label = label
        self.view = StackView(stack)
        self._wants_reload = False
        self._wants_check = False
        self._takes_broken = False
        self._trouble: str | None = None
        self._wanted_names: deque[tuple[bytes, MergedTable | None, StackView | None]] = deque(maxlen=1)
        self._lock = threading.RLock()  # over the two that follow
        self._wanted_keys: dict[str, _WantedKey] = {}
        self._served: dict[str, tuple[Source, ...]] = {}
        self._anew = True

    @classmethod
    def open(cls, directory: Path, *, label: str, options: StackOptions) -> Session:
        """The session on the stack in `directory`; on what can be read of it, if it is broken.

        That may be nothing: what to do then is shown as well. Raises `OSError`.
        """
        return cls(open_readable(directory, options), label)

    def close(self) -> None:
        """Close the stack."""
        self._stack.close()

    # For the thread of the screen.

    def serve(self, name: str, *sources: Source) -> None:
        """Have the rows of these sources read, and those that are to be counted, filtered or sorted scanned.

        The first is the most urgent. They take the place of those served under this `name` before.
        """
        with self._lock:
            self._served[name] = sources
        self._anew = True

    def want_versions(
        self, name: bytes, within: MergedTable | None = None, view: StackView | None = None
    ) -> None:
        """Have every version of the ref `name` read; a name wanted before and not yet read is forgotten.

        `within` has the tables that count, when those are not all (see `trace_ref`); `view` is where they
        are, when that is not the view of the stack.
        """
        self._wanted_names.append((name, within, view))

    def want_key(self, name: str, source: Source, key: Any, *, ahead: bool = False) -> None:  # noqa: ANN401
        """Have the row with `key` looked for in a served source; what `name` wanted before is forgotten.

        The answer comes as soon as `source` is counted that far. With `ahead`, rows from there on are
        told at once, if a seek can find them.
        """
        with self._lock:
            self._wanted_keys[name] = _WantedKey(source, key, ahead)
        self._anew = True

    def forget_key(self, name: str) -> None:
        """What `name` wanted by `want_key` is not wanted any more."""
        with self._lock:
            self._wanted_keys.pop(name, None)

    def want_reload(self) -> None:
        """Have the stack looked at again; if it is broken by now, what can be read of it takes its place."""
        self._wants_reload = self._takes_broken = True

    def want_check(self, *, takes_broken: bool = False) -> None:
        """Have the stack looked at for a watch: nothing is told when nothing has changed. One stat then.

        A stack that others have broken stays on screen as it was: there may be more to see of it. With
        `takes_broken`, what can be read of it takes its place, and what the stack is now is always told.
        """
        self._wants_check = True
        self._takes_broken = self._takes_broken or takes_broken

    @property
    def wanting(self) -> bool:
        """Whether a screen waits for something that `work` would do next."""
        return (
            self._wants_reload
            or self._wants_check
            or self._anew
            or bool(self._wanted_names)
            or any(source.wanting for source in self._sources())
        )

    def _sources(self) -> list[Source]:
        view = self.view
        with self._lock:
            served = [source for sources in self._served.values() for source in sources]
        return list(dict.fromkeys([*served, view.refs, view.logs]))

    # For the thread that works.

    def work(self) -> Iterator[News | None]:
        """Do everything that is wanted; between two pieces, yield what is new, or None if that is nothing.

        It may be left there, and begun again later.
        """
        while True:
            self._anew = False
            sources = self._sources()
            if self._wants_reload or self._wants_check:
                yield self._reload()
            elif any(source.read_page() for source in sources):
                yield RowsRead()
            elif self._wanted_names:
                name, within, view = self._wanted_names.pop()
                yield trace_ref(view or self.view, name, within)
            elif (found := self._find_key()) is not None:
                yield found
            elif (scanned := next((source for source in sources if source.scan()), None)) is not None:
                yield _told(scanned)
            else:
                return

    def _reload(self) -> Reloaded | None:
        asked = self._wants_reload
        is_told = asked or self._takes_broken
        self._wants_reload = self._wants_check = False
        trouble, old_view = self._trouble, self.view
        try:
            takes_broken, self._takes_broken = self._takes_broken, False
            changed = self._stack.reload(accept_broken=takes_broken)
        except (ReftableError, OSError) as error:
            self._trouble = str(error)
            return Reloaded(False, error, asked=asked) if is_told or trouble != self._trouble else None
        self._trouble = None
        if changed:
            self.view = StackView(self._stack)
            self._anew = True
            return Reloaded(True, None, old_view, asked)
        return Reloaded(False, None, asked=asked) if is_told or trouble is not None else None

    def _find_key(self) -> KeyFound | None:
        with self._lock:
            sources = self._sources()
            wanted = [(name, want) for name, want in self._wanted_keys.items() if want.source in sources]
            self._wanted_keys = dict(wanted)
        for name, want in wanted:
            source, key = want.source, want.key
            row = source.rank(key)
            rows: tuple[Any, ...] = ()
            if want.ahead and row is None and isinstance(source, PagedRows):
                rows = source.rows_at(key, PAGE_ROWS)
            with self._lock:
                if self._wanted_keys.get(name) is want:  # else something else is wanted by now
                    if row is not None:
                        del self._wanted_keys[name]
                    elif want.ahead:
                        self._wanted_keys[name] = _WantedKey(source, key, ahead=False)
            if row is not None or rows:
                return KeyFound(source, key, row, rows)
        return None


def _told(source: Source) -> RowsRead | None:
    # To draw a new count costs as much as to count thousands of records, so it is told seldom.
    done = source.progress.done
    if not source.ended and source.told <= done < min(2 * source.told, source.told + TELL_RECORDS):
        return None
    source.told = done
    return RowsRead()

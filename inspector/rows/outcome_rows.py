"""What a repair does to refs, as rows: a million outcomes as a list that is never in memory.

The outcomes come as one stream that cannot be asked for its middle, from files that the repair removes. So
they go into a temporary database as they come: the worst kind first, names in order within each. The first
of them makes it: most stacks need no repair.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from engine.closing import Closing
from engine.errors import Cancelled
from engine.format import RefRecord
from engine.repair import Outcome, RefOutcome

if TYPE_CHECKING:
    import sqlite3

ORDER: Final = (
    Outcome.LOST,
    Outcome.REVIVED,
    Outcome.CHANGED,
    Outcome.DOUBTFUL,
    Outcome.RESTORED,
    Outcome.RETURNED,
)
"""The kinds that are listed, the worst first; what is simply kept is counted and no more."""


class OutcomeRows(Closing):
    """The outcomes of one plan, a `RowSource` once all are in. Written, then read; `close` frees the disk.

    Any thread may close it. One that is still writing is stopped by `Cancelled` then.
    """

    wanting = False
    complete = True

    def __init__(self) -> None:
        self._db: sqlite3.Connection | None = None
        self._is_closed = False
        self._writing = threading.Lock()
        self.counts: dict[Outcome, int] = dict.fromkeys(Outcome, 0)
        """How many outcomes of each kind there are."""
        self.traced = 0
        """How many of the lost refs nothing but a reflog tells of: no record of them can be read."""

    def clear(self) -> None:
        """Begin anew, for another plan."""
        with self._written():
            if self._db is not None:
                self._db.execute("DELETE FROM outcome")
        self.counts, self.traced = dict.fromkeys(Outcome, 0), 0

    def add(self, outcomes: Iterable[RefOutcome], kept: int = 0) -> None:
        """Take up outcomes, which come in the order of names, and the number of refs that are simply kept.

        Raises `OSError` when the disk is full.
        """
        rows = []
        self.counts[Outcome.KEPT] += kept
        for one in outcomes:
            kind = one.outcome
            if kind is not Outcome.KEPT:
                # A reason may name a file, whose name may be no UTF-8, which sqlite takes as bytes only.
                fields = (*_fields(one.before), *_fields(one.after))
                rows.append((ORDER.index(kind), self.counts[kind], one.name, *fields, os.fsencode(one.why)))
            self.counts[kind] += 1
            self.traced += kind is Outcome.LOST and one.before is None
        with self._written():  # also for none: nobody may be there any more
            if rows:
                self._insert(rows)

    def _insert(self, rows: Iterable[tuple[Any, ...]]) -> None:
        import sqlite3

        try:
            if self._db is None:
                # No name: sqlite keeps a few pages in memory and the rest in a file that is gone when it is
                # closed.
                self._db = sqlite3.connect("", check_same_thread=False)
                self._db.execute(
                    "CREATE TABLE outcome (kind, number, name, index0, value0, peeled0, target0, "
                    "index1, value1, peeled1, target1, why, PRIMARY KEY (kind, number)) WITHOUT ROWID"
                )
            self._db.executemany("INSERT INTO outcome VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        except sqlite3.Error as error:
            raise OSError(f"a temporary file cannot be written: {error}") from error

    @contextmanager
    def _written(self) -> Iterator[None]:
        with self._writing:
            if self._is_closed:
                raise Cancelled
            yield

    @property
    def count(self) -> int:
        """How many there are but for the refs that are simply kept."""
        return sum(self.counts[kind] for kind in ORDER)

    def row(self, index: int) -> RefOutcome | None:
        """Outcome number `index`, or None outside of them."""
        for rank, kind in enumerate(ORDER):
            if self._db is not None and 0 <= index < self.counts[kind]:
                found = self._db.execute("SELECT * FROM outcome WHERE kind = ? AND number = ?", (rank, index))
                return next(map(_outcome, found), None)
            index -= self.counts[kind]
        return None

    def __iter__(self) -> Iterator[RefOutcome]:
        if self._db is not None:
            yield from map(_outcome, self._db.execute("SELECT * FROM outcome ORDER BY kind, number"))

    def close(self) -> None:
        """Remove the temporary database."""
        with self._writing:
            self._is_closed = True
            if self._db is not None:
                self._db.close()


def _outcome(row: tuple[Any, ...]) -> RefOutcome:
    rank, _, name, *fields, why = row
    return RefOutcome(
        name, ORDER[rank], _record(name, *fields[:4]), _record(name, *fields[4:]), os.fsdecode(why)
    )


def _fields(record: RefRecord | None) -> tuple[str | bytes | None, ...]:
    if record is None:
        return (None,) * 4
    # An update index may be too large for an integer of sqlite.
    return str(record.update_index), record.value, record.peeled, record.target


def _record(name: bytes, update_index: str | None, *values: Any) -> RefRecord | None:  # noqa: ANN401
    return None if update_index is None else RefRecord(name, int(update_index), *values)

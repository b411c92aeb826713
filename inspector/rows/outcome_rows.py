"""What a repair does to refs, as rows: a million outcomes as a list that is never in memory.

The outcomes come as one stream that cannot be asked for its middle, from files that the repair removes. So
they are put into a temporary file as they come, one file for each kind, and rows are read from there: the
worst kind first, names in order within each.
"""

from __future__ import annotations

import json
import tempfile
from array import array
from collections.abc import Iterator
from typing import Any, Final

from engine.format import RefRecord
from engine.progress import Progress
from engine.repair import Outcome, RefOutcome
from inspector.rows.row_pages import RowPages

__all__ = ["OutcomeRows", "OutcomeStore"]

ORDER: Final = (Outcome.LOST, Outcome.REVIVED, Outcome.CHANGED, Outcome.DOUBTFUL, Outcome.RETURNED)
"""The kinds that are listed, the worst first; what is simply kept is counted and no more."""

_STRIDE: Final = 64


class _File:
    """Outcomes of one kind, in a temporary file; of every 64th the place is known."""

    def __init__(self) -> None:
        self.count = 0
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        self._places = array("Q")

    def add(self, outcome: RefOutcome) -> None:
        if self.count % _STRIDE == 0:
            self._places.append(self._file.tell())
        self.count += 1
        self._file.write(json.dumps(_packed(outcome)).encode("ascii") + b"\n")

    def rows(self, start: int) -> Iterator[RefOutcome]:
        """The outcomes from number `start` on, none from the end on."""
        if start >= self.count:
            return
        self._file.seek(self._places[start // _STRIDE])
        for number, line in enumerate(iter(self._file.readline, b""), start - start % _STRIDE):
            if number >= start:
                yield _unpacked(json.loads(line))

    def close(self) -> None:
        self._file.close()


class OutcomeStore:
    """The outcomes of one plan. Written by one thread, then read by one at a time; `close` frees the disk."""

    def __init__(self) -> None:
        self.counts: dict[Outcome, int] = dict.fromkeys(Outcome, 0)
        """How many outcomes of each kind there are."""
        self._files = {kind: _File() for kind in ORDER}

    def clear(self) -> None:
        """Begin anew, for another plan."""
        self.close()
        self.counts = dict.fromkeys(Outcome, 0)
        self._files = {kind: _File() for kind in ORDER}

    def add(self, outcome: RefOutcome) -> None:
        """Take up an outcome; they come in the order of names."""
        self.counts[outcome.outcome] += 1
        if outcome.outcome in self._files:
            self._files[outcome.outcome].add(outcome)

    @property
    def listed(self) -> int:
        """How many there are but for the refs that are simply kept."""
        return sum(file.count for file in self._files.values())

    def rows(self, start: int) -> Iterator[RefOutcome]:
        """The outcomes from number `start` on."""
        for kind in ORDER:
            file = self._files[kind]
            yield from file.rows(start)
            start = max(start - file.count, 0)

    def close(self) -> None:
        """Remove the temporary files."""
        for file in self._files.values():
            file.close()


class OutcomeRows(RowPages[RefOutcome, int]):
    """The outcomes of a store, which is complete, as a source for a list."""

    def __init__(self, store: OutcomeStore) -> None:
        super().__init__()
        self._store = store
        self._count = store.listed
        self._complete = True

    @property
    def progress(self) -> Progress:
        """All of them are known."""
        return Progress("refs", self._count, self._count)

    def scan(self) -> bool:
        """There is nothing to look for."""
        return False

    def rank(self, key: int) -> int | None:
        """Rows have no key but their number."""
        return key

    def _rows_from(self, start: int) -> Iterator[RefOutcome]:
        return self._store.rows(start)


def _packed(one: RefOutcome) -> list[Any]:
    return [one.name.hex(), one.outcome.value, _packed_ref(one.before), _packed_ref(one.after), one.why]


def _packed_ref(record: RefRecord | None) -> list[Any] | None:
    if record is None:
        return None
    values = (record.value, record.peeled, record.target)
    return [record.update_index, *(value.hex() if value is not None else None for value in values)]


def _unpacked(fields: list[Any]) -> RefOutcome:
    name, outcome, before, after, why = fields
    name = bytes.fromhex(name)
    return RefOutcome(name, Outcome(outcome), _unpacked_ref(name, before), _unpacked_ref(name, after), why)


def _unpacked_ref(name: bytes, fields: list[Any] | None) -> RefRecord | None:
    if fields is None:
        return None
    index, *values = fields
    return RefRecord(name, index, *(bytes.fromhex(value) if value is not None else None for value in values))

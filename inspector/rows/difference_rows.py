"""What changed between two views, as rows: a million changes as a list that is never built.

`Changes` goes once through the difference, a stretch at a time, and counts what it finds by kind. An anchor
is the name of a change with the counts before it. As long as there are no more than MAX_NAMES changes, each
has its anchor, and each row is a look-up in both views; then rows are found again from the anchor before.

`ChangeRows` are the changes of some kinds as a source for a list; any number of them can share one `Changes`.
All reading is for one worker thread; counts may be asked from the thread that draws.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from itertools import chain, islice, takewhile
from typing import Final, NamedTuple

from engine.merge import ChangeKind, MergedTable, RefChange, ref_changes
from engine.progress import Progress
from inspector.rows.row_pages import READ_ERRORS, SCAN_RECORDS, Anchors, RowError, RowPages

MAX_NAMES: Final = 32768

KINDS: Final[tuple[ChangeKind, ...]] = ("created", "updated", "deleted")


class _Anchor(NamedTuple):
    name: bytes
    before: dict[ChangeKind, int]
    """How many changes of each kind come before this one."""


class Changes:
    """The difference of two views, as far as it is known by now."""

    def __init__(self, old: MergedTable, new: MergedTable) -> None:
        self.old = old
        self.new = new
        self.counts: dict[ChangeKind, int] = dict.fromkeys(KINDS, 0)
        """How many changes of each kind are known."""
        self.compared = 0
        """Records of the tables that are not shared that were compared."""
        self.complete = False
        """Whether these are all."""
        self.error: RowError | None = None
        """Why the views cannot be compared (any further), or None."""
        self._stretches: Iterator[list[RefChange]] | None = None
        self.anchors: Anchors[_Anchor] = Anchors(MAX_NAMES, 1, lambda anchor: len(anchor.name) + 400)
        self.passed = b""
        """The name of the last change that is known."""

    @property
    def ended(self) -> bool:
        """Whether no more changes will be known."""
        return self.complete or self.error is not None

    def scan(self) -> bool:
        """Compare about SCAN_RECORDS more records; False when there is nothing left to compare."""
        if self.ended:
            return False
        if self._stretches is None:
            self._stretches = ref_changes(self.old, self.new, progress=self._note)
        until = self.compared + SCAN_RECORDS
        try:
            while self.compared < until:
                changes = next(self._stretches, None)
                if changes is None:
                    self.complete = True
                    break
                for change in changes:
                    self._remember(change)
        except READ_ERRORS as error:
            self.error = error
        return True

    def _note(self, progress: Progress) -> None:
        self.compared = progress.done

    def _remember(self, change: RefChange) -> None:
        if sum(self.counts.values()) == self.anchors.next_row:
            self.anchors.add(_Anchor(change.name, self.counts.copy()))
        self.counts[change.kind] += 1
        self.passed = change.name


class ChangeRows(RowPages[RefChange, bytes]):
    """The changes of some kinds, in name order."""

    def __init__(self, changes: Changes, kinds: frozenset[ChangeKind]) -> None:
        super().__init__()
        self.changes = changes
        self.kinds = kinds

    @property
    def count(self) -> int:
        """Changes known so far."""
        return self._sum(self.changes.counts)

    def _sum(self, counts: dict[ChangeKind, int]) -> int:
        return sum(counts[kind] for kind in self.kinds)

    @property
    def complete(self) -> bool:
        """Whether these are all."""
        return self.changes.complete

    @property
    def error(self) -> RowError | None:
        """Why the changes cannot be read (any further), or None."""
        return self.changes.error or self._error

    @property
    def progress(self) -> Progress:
        """Records compared so far."""
        return Progress("comparing", self.changes.compared, None)

    def _scan_on(self) -> None:
        self.changes.scan()

    def rank(self, key: bytes) -> int | None:
        """The number of the first change that is not before the name `key`; None until it is known."""
        if not self.changes.ended and self.changes.passed < key:
            return None
        place = bisect_right(self.changes.anchors.kept, key, key=lambda anchor: anchor.name) - 1
        if place < 0:
            return 0
        try:
            earlier = takewhile(lambda change: change.name < key, self._changes_at(place))
            return self._counted_before(place) + sum(1 for _ in earlier)
        except READ_ERRORS as error:
            self._error = error
            return None

    # `place` is that of an anchor.

    def _counted_before(self, place: int) -> int:
        anchors = self.changes.anchors.kept
        return self._sum(anchors[place].before) if place < len(anchors) else self.count

    def _rows_from(self, start: int) -> Iterator[RefChange]:
        number = start
        while number < self.count:
            places = range(len(self.changes.anchors.kept))
            place = bisect_right(places, number, key=self._counted_before) - 1
            skip = number - self._counted_before(place)
            for change in islice(self._changes_at(place), skip, None):
                yield change
                number += 1
            if number < self._counted_before(place + 1):
                return  # what was there cannot be found again

    def _changes_at(self, place: int) -> Iterator[RefChange]:
        """The changes of these kinds from one anchor to the next."""
        old, new = self.changes.old, self.changes.new
        name = self.changes.anchors.kept[place].name
        if self.changes.anchors.spacing == 1:
            change = RefChange(name, old.read_ref(name), new.read_ref(name))
            if change.kind in self.kinds and (change.before or change.after):
                yield change
            return
        if left := self._counted_before(place + 1) - self._counted_before(place):
            found = chain.from_iterable(ref_changes(old, new, name))
            yield from islice((change for change in found if change.kind in self.kinds), left)

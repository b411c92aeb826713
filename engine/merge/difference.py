"""What changed between two views: the refs that were created, updated and deleted, in name order.

Only what can differ is read. Tables that both views have at the bottom or at the top hold the same
records for both; between these lie tables of one view alone, and only a name that they mention can have
changed. So the two middles are merged side by side, and only where they disagree are the shared
tables asked: one above, which hides both, or one below, which shows where a middle has no record.

Nothing is kept but the blocks at hand: the difference of two views of millions of refs is a stream. Two views
are told apart by their `Table` objects, which a reload of one handle keeps; the same file opened
twice is read and found equal.

Values are compared, not records: a ref rewritten with the value that it had has not
changed, and a tombstone is no ref. Log entries are only counted.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from operator import attrgetter
from typing import Final, Generic, Literal, NamedTuple, TypeVar, cast

from engine.format.record import LogRecord, RefRecord, log_order, ref_key
from engine.format.typed import LiveRef
from engine.format.varint import U64_MAX
from engine.format.walk import Walk
from engine.merge.merged import MergedTable
from engine.progress import Progress, ProgressCallback
from engine.table.reader import Table

_T = TypeVar("_T")
_R = TypeVar("_R", RefRecord, LogRecord)
_K = TypeVar("_K", bytes, tuple[bytes, int])
"""What orders records: a name, or a log's (name, -update index)."""

ChangeKind = Literal["created", "updated", "deleted"]


class RefChange(NamedTuple):
    """A ref that is not what it was: its record before and after, None where there was or is none.

    At least one of them is given, and neither is a tombstone.
    """

    name: bytes
    before: LiveRef | None
    after: LiveRef | None

    @property
    def kind(self) -> ChangeKind:
        """What happened to the ref; a symref with another target was updated."""
        if self.before is None:
            return "created"
        return "deleted" if self.after is None else "updated"


class LogChanges(NamedTuple):
    """Numbers of log entries that one view has and the other has not; a replaced one is in both."""

    added: int
    dropped: int


class _Kind(NamedTuple, Generic[_R, _K]):
    """How records of one kind are read, tombstones among them, and what orders them."""

    phase: str
    blocks: Callable[[MergedTable, _K], Iterator[list[_R]]]
    key_of: Callable[[_R], _K]


_REFS: Final[_Kind[RefRecord, bytes]] = _Kind(
    "compare refs", lambda view, start: view.ref_blocks(start, deletions=True), ref_key
)

_LOGS: Final[_Kind[LogRecord, tuple[bytes, int]]] = _Kind(
    "compare logs", lambda view, start: view.log_blocks(start[0], -start[1], deletions=True), log_order
)

_but_old = attrgetter("new", "committer", "email", "time", "tz", "message")


def ref_changes(
    old: MergedTable, new: MergedTable, start: bytes = b"", progress: ProgressCallback | None = None
) -> Iterator[list[RefChange]]:
    """The refs from the first name >= `start` on that differ between two views, in name order.

    A list for each stretch that was compared, empty where nothing changed, so that the caller can
    stop anywhere. `progress` hears how many records of the tables that are not shared were compared;
    their total is not known. Raises `FormatError`.
    """
    for pairs in _changes(_REFS, old, new, start, progress):
        found: list[RefChange] = []
        for before, after in pairs:
            record = before or after
            if record is not None and not (before and after and before.has_value_of(after)):
                shown = cast("tuple[LiveRef | None, LiveRef | None]", (before, after))
                found.append(RefChange(record.name, *shown))
        yield found


def log_changes(
    old: MergedTable, new: MergedTable, progress: ProgressCallback | None = None
) -> Iterator[LogChanges]:
    """How many log entries differ, stretch by stretch as above, to be added up. Raises `FormatError`."""
    for pairs in _changes(_LOGS, old, new, (b"", -U64_MAX), progress):
        differing = [(before, after) for before, after in pairs if before != after]
        yield LogChanges(
            sum(after is not None and not after.is_marker for _, after in differing),
            sum(before is not None and not before.is_marker for before, _ in differing),
        )


def added_logs(
    old: MergedTable, new: MergedTable, progress: ProgressCallback | None = None
) -> Iterator[list[LogRecord]]:
    """The log entries that `new` shows and `old` does not, stretch by stretch as above."""
    for pairs in _changes(_LOGS, old, new, (b"", -U64_MAX), progress):
        yield [after for before, after in pairs if before is None and after and not after.is_marker]


def other_logs(
    old: MergedTable, new: MergedTable, progress: ProgressCallback | None = None
) -> Iterator[list[tuple[LogRecord, LogRecord]]]:
    """What `old` has in the places of log entries of `new`, and these, stretch by stretch as above.

    `git reflog expire --rewrite` gives an entry another old id: that is the same entry.
    """
    for pairs in _changes(_LOGS, old, new, (b"", -U64_MAX), progress):
        yield [
            (before, after)
            for before, after in pairs
            if before and after and not after.is_marker and _but_old(before) != _but_old(after)
        ]


def _changes(
    kind: _Kind[_R, _K], old: MergedTable, new: MergedTable, start: _K, progress: ProgressCallback | None
) -> Iterator[list[tuple[_R | None, _R | None]]]:
    """Stretch by stretch, what may have changed: the records that both views show for a key."""
    below, above = _shared(old.tables, new.tables)
    beneath = Walk(partial(kind.blocks, MergedTable(old.tables[:below])), kind.key_of)
    over = Walk(partial(kind.blocks, MergedTable(old.tables[len(old.tables) - above :])), kind.key_of)

    left, right = (MergedTable(view.tables[below : len(view.tables) - above]) for view in (old, new))
    compared = 0
    both = kind.blocks(left, start), kind.blocks(right, start)
    for older, newer in side_by_side(*both, kind.key_of):
        compared += len(older) + len(newer)
        found: list[tuple[_R | None, _R | None]] = []
        for key, before, after in _differing(kind, older, newer):
            if over.find(key) is None:
                # Where a middle has no record, what lies beneath shows through.
                found.append((_live(before or beneath.find(key)), _live(after or beneath.find(key))))
        if progress is not None:
            progress(Progress(kind.phase, compared, None))
        yield found


def _live(record: _R | None) -> _R | None:
    return None if record is None or record.is_deletion else record


def _shared(old: Sequence[Table], new: Sequence[Table]) -> tuple[int, int]:
    """How many tables both have at the bottom, and how many of the others at the top."""
    fewest = min(len(old), len(new))
    below = 0
    while below < fewest and old[below] is new[below]:
        below += 1
    above = 0
    while above < fewest - below and old[-1 - above] is new[-1 - above]:
        above += 1
    return below, above


def side_by_side(
    before: Iterator[list[_T]], after: Iterator[list[_T]], key_of: Callable[[_T], _K]
) -> Iterator[tuple[list[_T], list[_T]]]:
    """What two streams of lists have, each in the order of its keys: a stretch of keys at a time."""
    left, right = next(before, []), next(after, [])
    while left or right:
        limit = min(key_of(records[-1]) for records in (left, right) if records)
        ends = [bisect_right(records, limit, key=key_of) for records in (left, right)]
        if not any(ends):
            # Only of damaged tables, whose keys do not ascend: taken as they are, lest this never ends.
            ends = [len(left), 0 if left else len(right)]
        yield left[: ends[0]], right[: ends[1]]
        left = left[ends[0] :] or next(before, [])
        right = right[ends[1] :] or next(after, [])


def _differing(
    kind: _Kind[_R, _K], older: list[_R], newer: list[_R]
) -> Iterator[tuple[_K, _R | None, _R | None]]:
    """The keys, in order, for which two lists do not have the same record."""
    if older == newer:
        return
    before = {kind.key_of(record): record for record in older}
    after = {kind.key_of(record): record for record in newer}
    for key in sorted(before.keys() | after.keys()):
        left, right = before.get(key), after.get(key)
        if left != right:
            yield key, left, right

"""What salvaging a table leaves, kept so that it can be searched and read in key order.

`salvage.py` hands out what it finds in the order of the file. `Salvaged` remembers of it where the sound
blocks are, at most MOST_PIECES of them, and the records of damaged ones, at most KEPT_BYTES; sound blocks are
read again when they are wanted. What is beyond that counts as lost.

A key in the wrong place was altered, or the file has more than one order: its block's records are strays,
which are sorted and merged with those that are in their places. `gaps` tells between which names refs may
have been lost.

`readable_table.py` makes a table of this.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Generic, TypeVar

from engine.format import LOG, LogRecord, RefRecord, is_refname, log_order, ref_key
from engine.merge import merge_blocks
from engine.salvage.scan import Readable, Unreadable
from engine.salvage.source import MOST_GAPS, Gap

MOST_PIECES: Final = 2**16
"""Blocks of a damaged table whose places are remembered."""

KEPT_BYTES: Final = 2**25
"""Bytes of records of damaged blocks that are kept, in one table."""

_RECORD_BYTES: Final = 200

_R = TypeVar("_R", RefRecord, LogRecord)
_K = TypeVar("_K", bytes, tuple[bytes, int])


@dataclass(slots=True, frozen=True)
class Piece(Generic[_R, _K]):
    """Records in key order: those of the sound block at `offset`, or `kept` ones."""

    first: _K
    last: _K
    offset: int
    kept: list[_R] | None


class Room:
    """How much may be kept in memory of one table, all in all."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = KEPT_BYTES

    def take(self, records: Sequence[RefRecord] | Sequence[LogRecord]) -> bool:
        """Whether there is room for these records, which is taken then."""
        size = sum(
            _RECORD_BYTES + len(record.name) + (len(record.message) if isinstance(record, LogRecord) else 0)
            for record in records
        )
        if size > self._left:
            return False
        self._left -= size
        return True


@dataclass(slots=True)
class Records(Generic[_R, _K]):
    """The readable records of one section, as pieces that follow each other, and those out of place.

    `origins` are the offsets of the blocks of the latter, by key.
    """

    key_of: Callable[[_R], _K]
    read: Callable[[int], list[_R]]
    room: Room
    pieces: list[Piece[_R, _K]] = field(default_factory=list)
    strays: list[_R] = field(default_factory=list)
    origins: dict[_K, int] = field(default_factory=dict)
    count: int = 0

    def add(self, records: list[_R], offset: int, *, is_whole: bool) -> int:
        """Take up what was found next in the file; the number of records for which there is no room."""
        key_of = self.key_of
        if len(self.pieces) == MOST_PIECES or not (is_whole or self.room.take(records)):
            return len(records)
        piece = Piece(key_of(records[0]), key_of(records[-1]), offset, None if is_whole else records)
        self.count += len(records)
        pieces = self.pieces
        if not pieces or pieces[-1].last < piece.first:
            pieces.append(piece)
            return 0
        if len(pieces) == 1 or pieces[-2].last < piece.first:
            # Without the piece before it is in its place: that one has the altered key.
            piece, pieces[-1] = pieces[-1], piece
        return self._stray(piece)

    def _stray(self, piece: Piece[_R, _K]) -> int:
        records = self.records_of(piece)
        if piece.kept is None and not self.room.take(records):
            self.count -= len(records)
            return len(records)
        self.strays += records
        self.origins.update((self.key_of(record), piece.offset) for record in records)
        return 0

    def records_of(self, piece: Piece[_R, _K]) -> list[_R]:
        """The records of a piece."""
        return self.read(piece.offset) if piece.kept is None else piece.kept

    def settle(self) -> None:
        """Bring the strays into order, when all is found; of one key that with the highest update index."""
        key_of: Callable[[_R], _K] = self.key_of
        self.strays.sort(key=lambda record: (key_of(record), record.update_index))
        keys = [*map(key_of, self.strays), None]
        pairs = zip(self.strays, keys, keys[1:], strict=False)
        self.strays = [record for record, key, after in pairs if key != after]

    def blocks(self, first: _K | None) -> Iterator[list[_R]]:
        """The records from the first key that is not before `first` on."""
        if not self.strays:
            return self._ordered(first)
        at = 0 if first is None else bisect_left(self.strays, first, key=self.key_of)
        return merge_blocks([[self.strays[at:]], self._ordered(first)], self.key_of)

    def _ordered(self, first: _K | None) -> Iterator[list[_R]]:
        at = 0
        if first is not None:
            at = bisect_left(self.pieces, first, key=lambda piece: piece.last)
        for number in range(at, len(self.pieces)):
            records = self.records_of(self.pieces[number])
            skip = 0
            if first is not None and number == at:
                skip = bisect_left(records, first, key=self.key_of)
            yield records[skip:] if skip else records

    def find(self, key: _K) -> tuple[int, _R] | None:
        """The first record whose key is not before `key`, and the offset of its block."""
        key_of = self.key_of
        found: list[tuple[int, _R]] = []
        at = bisect_left(self.strays, key, key=key_of)
        if at < len(self.strays):
            stray = self.strays[at]
            found.append((self.origins[key_of(stray)], stray))
        at = bisect_left(self.pieces, key, key=lambda piece: piece.last)
        if at < len(self.pieces):
            records = self.records_of(self.pieces[at])
            found.append((self.pieces[at].offset, records[bisect_left(records, key, key=key_of)]))
        # Of one key, the record in its place comes before the stray one, as in `blocks`.
        return min(reversed(found), key=lambda one: key_of(one[1]), default=None)


class Salvaged:
    """What is left of a table.

    Refs may have been lost between the names of `gaps`, and log entries if `lost_logs`. `stretches` are what
    cannot be read, the first MOST_GAPS of them, and `size` the bytes of all. `uncertain` log entries come
    from damaged deflate streams; `left_out` records are readable, but too many to be kept.
    """

    __slots__ = ("_opened", "gaps", "left_out", "logs", "lost_logs", "refs", "size", "stretches", "uncertain")

    def __init__(
        self, refs_at: Callable[[int], list[RefRecord]], logs_at: Callable[[int], list[LogRecord]]
    ) -> None:
        """These read the records of the sound block at an offset."""
        room = Room()
        self.refs: Records[RefRecord, bytes] = Records(ref_key, refs_at, room)
        self.logs: Records[LogRecord, tuple[bytes, int]] = Records(log_order, logs_at, room)
        self.gaps: list[Gap] = []
        self.lost_logs = False
        self.stretches: list[Unreadable] = []
        self.size = 0
        self.uncertain = 0
        self.left_out = 0
        self._opened: bytes | None = None  # where a gap begins that has not ended yet

    @property
    def count(self) -> int:
        """Records that can be read."""
        return self.refs.count + self.logs.count

    def take(self, found: Iterator[Readable | Unreadable], *, is_cut: bool) -> None:
        """Take up all that is found in the file, in its order; `is_cut` if nothing shows where it ended."""
        safe = b""  # up to this name, no ref can be missing that is not in a gap
        for one in found:
            if isinstance(one, Unreadable):
                self.size += one.end - one.start
                if len(self.stretches) < MOST_GAPS:
                    self.stretches.append(one)
                self._lose(safe, is_log=one.section == LOG or (one.section is None and self.logs.count > 0))
                continue
            if one.refs:
                safe = self._take_refs(one, safe)
            if one.logs:
                self._take_logs(one)
        if is_cut:
            self._lose(safe, is_log=self.logs.count > 0)
        if self._opened is not None:
            self._end_gap(None)
            self.lost_logs = True  # the file may have gone on with logs
        if self.refs.strays:
            # A key in the wrong place was altered: some ref is lost under its own name.
            self.gaps = [Gap(b"", None)]
        self.refs.settle()
        self.logs.settle()

    def _take_refs(self, one: Readable, safe: bytes) -> bytes:
        left_out = self.refs.add(one.refs, one.offset, is_whole=one.is_whole)
        if left_out:
            self.left_out += left_out
            self._lose(safe, is_log=False)
            return safe
        if one.is_whole:
            self._end_gap(one.refs[0].name)
        return one.refs[-1].name if one.is_whole or one.is_front else safe

    def _take_logs(self, one: Readable) -> None:
        logs = one.logs if one.is_certain else [log for log in one.logs if is_refname(log.name)]
        if self._opened is not None:
            self._end_gap(None)
            self.lost_logs = True
        left_out = self.logs.add(logs, one.offset, is_whole=one.is_whole) if logs else 0
        self.left_out += left_out
        self.uncertain += 0 if one.is_certain else len(logs) - left_out
        self.lost_logs = self.lost_logs or left_out > 0

    def _lose(self, safe: bytes, *, is_log: bool) -> None:
        if is_log:
            self.lost_logs = True
        elif self._opened is None:
            self._opened = safe

    def _end_gap(self, high: bytes | None) -> None:
        if self._opened is None:
            return
        if len(self.gaps) < MOST_GAPS:
            self.gaps.append(Gap(self._opened, high))
        else:
            self.gaps[-1] = replace(self.gaps[-1], high=high)
        self._opened = None

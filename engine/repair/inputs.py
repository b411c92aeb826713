"""The files that tables of the repaired stack are made of, and their records as they come into it.

A sound file is read as it is, a damaged one through the table that it was salvaged into when the plan was
made. Log entries that may be wrong stay out.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from heapq import merge
from itertools import chain, count, groupby
from operator import attrgetter, itemgetter
from typing import Any

from engine.dataclass import dataclass
from engine.errors import OutdatedError
from engine.format import LogRecord, RefRecord, is_unsafe_refname, log_order, ref_key
from engine.merge import merge_blocks
from engine.salvage import Losses, Salvaged
from engine.table import Table

_name = attrgetter("name")
_update_index = attrgetter("update_index")


@dataclass(slots=True, frozen=True)
class Input:
    """A file and how it is read.

    `limits` are the update indexes that the records are brought into. `salvaged` is what a damaged file was
    salvaged into. `drops_unsafe_names` leaves out refs whose names make git fail. `restored` are refs whose
    records are lost or damaged, with the values that their reflogs tell; of `regained` of them, no record
    was read.
    """

    file: str
    limits: tuple[int, int]
    salvaged: Salvaged | None = None
    drops_unsafe_names: bool = False
    restored: Table | None = None
    regained: int = 0

    @property
    def losses(self) -> Losses | None:
        """What may be lost of the file, None for a sound one."""
        return self.salvaged.losses if self.salvaged is not None else None

    def fitted_refs(self, blocks: Iterator[list[RefRecord]]) -> Iterator[list[RefRecord]]:
        """The refs that the repaired stack takes, with update indexes in the limits."""
        low, high = self.limits
        for refs in blocks:
            indexes = [*map(_update_index, refs)]
            fits = low <= min(indexes) and max(indexes) <= high and b"\0" not in b"".join(map(_name, refs))
            kept = refs
            if not fits or self.drops_unsafe_names:
                kept = [self._fitted(ref) for ref in refs if self._takes(ref)]
            if kept:
                yield kept

    def _takes(self, ref: RefRecord) -> bool:
        is_unsafe = self.drops_unsafe_names and not ref.is_deletion and is_unsafe_refname(ref.name)
        return b"\0" not in ref.name and not is_unsafe

    def _fitted(self, ref: RefRecord) -> RefRecord:
        low, high = self.limits
        fitted = min(max(ref.update_index, low), high)
        return ref if ref.update_index == fitted else ref.replace(update_index=fitted)

    def fitted_logs(self, blocks: Iterator[list[LogRecord]]) -> Iterator[list[LogRecord]]:
        """The log entries that the repaired stack takes."""
        high = self.limits[1]
        for logs in blocks:
            kept = [
                log for log in logs if b"\0" not in log.name and (log.update_index <= high or log.is_deletion)
            ]
            if kept:
                yield kept


@dataclass(slots=True, frozen=True)
class Counts:
    """How many records there are, tombstones among them, and their update indexes, which may be none."""

    refs: int
    logs: int
    lowest_ref: int
    highest_ref: int
    highest_log: int


class OpenInputs:
    """Inputs open to be read as one table, in which a later one wins.

    Raises `OSError`, `OutdatedError` when a file is gone, and `FormatError` when it is no longer what it was.
    """

    def __init__(self, directory: str | os.PathLike[str], inputs: Sequence[Input]) -> None:
        self._opened = [
            (one, one.salvaged.table if one.salvaged else _open(os.path.join(directory, one.file), one.file))
            for one in inputs
        ]

    def refs(self) -> Iterator[list[RefRecord]]:
        """The refs in name order, tombstones among them."""
        streams = [
            one.fitted_refs(source.ref_blocks())
            for one, table in self._opened
            for source in (table, one.restored)
            if source is not None
        ]
        return streams[0] if len(streams) == 1 else merge_blocks(streams, ref_key)

    def logs(self) -> Iterator[list[LogRecord]]:
        """The log entries by name, newest first, tombstones among them."""
        streams = [one.fitted_logs(table.log_blocks()) for one, table in self._opened]
        return streams[0] if len(streams) == 1 else merge_blocks(streams, log_order)


def _open(path: str, name: str) -> Table:
    try:
        return Table.open(path, name)
    except FileNotFoundError:
        raise OutdatedError(path, "another process has removed it since the plan was made") from None


def count_records(directory: str | os.PathLike[str], inputs: Sequence[Input]) -> Counts:
    """Read all records of some inputs, and count them."""
    refs = logs = highest_ref = highest_log = 0
    lowest_ref: int | None = None
    opened = OpenInputs(directory, inputs)
    for records in opened.refs():
        refs += len(records)
        indexes = [*map(_update_index, records)]
        highest_ref = max(highest_ref, *indexes)
        lowest_ref = min(indexes if lowest_ref is None else (lowest_ref, *indexes))
    for entries in opened.logs():
        logs += len(entries)
        indexes = [log.update_index for log in entries if not log.is_deletion]
        highest_log = max(highest_log, *indexes, 0)
    return Counts(refs, logs, lowest_ref or 0, highest_ref, highest_log)


Located = tuple[RefRecord, int]
"""A record and the number of the table that it is in."""


def located_refs(sources: Sequence[OpenInputs]) -> Iterator[tuple[bytes, Located]]:
    """The record that counts for each name, with its table's place."""
    streams = [_tagged(source.refs(), number) for number, source in enumerate(sources)]
    for refs in merge_blocks(streams, lambda located: located[0].name):
        for located in refs:
            yield located[0].name, located


def _tagged(blocks: Iterator[list[RefRecord]], number: int) -> Iterator[list[Located]]:
    for refs in blocks:
        yield [(ref, number) for ref in refs]


def all_logs(sources: Sequence[OpenInputs]) -> Iterator[LogRecord]:
    """The log entry that counts for each key, tombstones among them."""
    return chain.from_iterable(merge_blocks([source.logs() for source in sources], log_order))


def live_logs(sources: Sequence[OpenInputs]) -> Iterator[LogRecord]:
    """The same without tombstones."""
    return (log for log in all_logs(sources) if not log.is_deletion)


def newest_logs(sources: Sequence[OpenInputs]) -> Iterator[tuple[bytes, LogRecord]]:
    """The newest log entry of each ref, by its name."""
    entries = (log for log in live_logs(sources) if not log.is_marker)
    for name, logs in groupby(entries, attrgetter("name")):
        yield name, next(logs)


def side_by_side(*streams: Iterator[tuple[Any, Any]]) -> Iterator[tuple[Any, list[Any]]]:
    """Streams in key order as rows: a key, and what each stream has for it, None for nothing."""

    def numbered(number: int, stream: Iterator[tuple[Any, Any]]) -> Iterator[tuple[Any, int, Any]]:
        for key, value in stream:
            yield key, number, value

    for key, found in groupby(merge(*map(numbered, count(), streams), key=itemgetter(0)), itemgetter(0)):
        row = [None] * len(streams)
        for _, number, value in found:
            row[number] = value
        yield key, row

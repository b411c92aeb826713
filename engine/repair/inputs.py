"""The files that tables of the repaired stack are made of, and their records as they come into it.

A sound file is read as it is, a damaged one through the table that it was salvaged into when the plan was
made. Log entries that may be wrong stay out.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from heapq import merge
from itertools import chain, count, groupby, repeat
from operator import attrgetter, itemgetter
from typing import Any

from engine.errors import OutdatedError
from engine.format import (
    DELETION,
    LOG_KEY_TAIL,
    Encoded,
    LogRecord,
    RefRecord,
    is_unsafe_refname,
    log_order,
    may_be_refused,
    ref_key,
)
from engine.merge import merge_blocks
from engine.salvage import (
    Contents,
    Losses,
    Salvaged,
    item_key,
    newest_log,
    ref_item,
    update_deltas,
    with_delta,
)
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

    @property
    def contents(self) -> Contents | None:
        """What is known to come into the repaired stack, None where the file has to be read to know that.

        Refs that are restored do not count.
        """
        found = self.salvaged.contents if self.salvaged is not None else None
        if found is None or (found.has_unsafe and self.drops_unsafe_names):
            return None
        low, high = self.limits
        if found.highest_log > high:
            return None
        highest, lowest = (min(max(index, low), high) for index in (found.highest_ref, found.lowest_ref))
        return replace(found, highest_ref=highest if found.refs else 0, lowest_ref=lowest)

    @property
    def comes_as_it_is(self) -> bool:
        """Whether the repaired stack is known to take the records of the file without a change."""
        return (
            self.contents is not None
            and self.salvaged is not None
            and self.contents == self.salvaged.contents
        )

    def comes_as(self, other: Input) -> bool:
        """Whether the repaired stack gets the same records of this one as of the other."""
        if (self.file, self.drops_unsafe_names) != (other.file, other.drops_unsafe_names):
            return False
        if self.salvaged is not other.salvaged or self.restored is not other.restored:
            return False
        return self.limits == other.limits or (self.comes_as_it_is and other.comes_as_it_is)

    def fitted_refs(self, blocks: Iterator[list[RefRecord]]) -> Iterator[list[RefRecord]]:
        """The refs that the repaired stack takes, with update indexes in the limits."""
        if self.comes_as_it_is and self.restored is None:
            yield from blocks
            return
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

    def encoded_refs(self, table: Table, min_update_index: int) -> Iterator[list[Encoded]]:
        """The same of a table, as they are stored in one with this lower limit."""
        if table.min_update_index < min_update_index:
            for refs in self.fitted_refs(table.ref_blocks()):
                yield [ref_item(ref, min_update_index, table.hash_id.size) for ref in refs]
            return
        stays = self.comes_as_it_is and table is not self.restored
        least, most = (limit - min_update_index for limit in self.limits)
        for _, items in table.encoded_ref_blocks(min_update_index):
            kept = items if stays else self._fitted_items(items, least, most)
            if kept:
                yield kept

    def _fitted_items(self, items: list[Encoded], least: int, most: int) -> list[Encoded]:
        deltas, names = update_deltas(items), [*map(item_key, items)]
        fits = least <= min(deltas) and max(deltas) <= most and b"\0" not in b"".join(names)
        if fits and not (self.drops_unsafe_names and may_be_refused(names)):
            return items
        kept: list[Encoded] = []
        for item, delta in zip(items, deltas, strict=True):
            is_unsafe = self.drops_unsafe_names and item[3] != DELETION and is_unsafe_refname(item[0])
            if b"\0" not in item[0] and not is_unsafe:
                fitted = min(max(delta, least), most)
                kept.append(item if fitted == delta else with_delta(item, fitted))
        return kept

    def encoded_logs(self, table: Table) -> Iterator[list[Encoded]]:
        """The log entries of a table that the repaired stack takes, as they are stored."""
        stays, high = self.comes_as_it_is, self.limits[1]
        for _, items in table.encoded_log_blocks():
            kept = items
            if not stays:
                # A tombstone is no entry: none is too new.
                kept = [item for item in items if newest_log([item]) <= high]
                kept = [item for item in kept if b"\0" not in item[0][:-LOG_KEY_TAIL]]
            if kept:
                yield kept

    def fitted_logs(self, blocks: Iterator[list[LogRecord]]) -> Iterator[list[LogRecord]]:
        """The log entries that the repaired stack takes."""
        high = self.limits[1]
        for logs in blocks:
            kept = [
                log for log in logs if b"\0" not in log.name and (log.update_index <= high or log.is_deletion)
            ]
            if kept:
                yield kept


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

    def encoded_refs(self, min_update_index: int) -> Iterator[list[Encoded]]:
        """The refs as they are stored in a table with this lower limit."""
        streams = [
            one.encoded_refs(source, min_update_index)
            for one, table in self._opened
            for source in (table, one.restored)
            if source is not None
        ]
        return streams[0] if len(streams) == 1 else merge_blocks(streams, item_key)

    def encoded_logs(self) -> Iterator[list[Encoded]]:
        """The log entries likewise."""
        streams = [one.encoded_logs(table) for one, table in self._opened]
        return streams[0] if len(streams) == 1 else merge_blocks(streams, item_key)


def _open(path: str, name: str) -> Table:
    try:
        return Table.open(path, name)
    except FileNotFoundError:
        raise OutdatedError(path, "another process has removed it since the plan was made") from None


def contents_of(directory: str | os.PathLike[str], inputs: Sequence[Input]) -> Contents:
    """What some inputs have together: known of one that was salvaged, of others all records are read."""
    [*others, newest] = inputs
    known = newest.contents if not others else None
    restored = [] if newest.restored is None else list(chain(*newest.restored.ref_blocks()))
    if known is not None and not (newest.drops_unsafe_names and has_unsafe(restored)):
        found = replace(known, refs=known.refs + newest.regained)
        found.highest_ref = max(found.highest_ref, *map(_update_index, restored), 0)
        found.has_unsafe = found.has_unsafe or has_unsafe(restored)
        return found
    found = Contents()
    opened = OpenInputs(directory, inputs)
    for records in opened.refs():
        indexes = [*map(_update_index, records)]
        found.refs += len(records)
        found.highest_ref = max(found.highest_ref, *indexes)
        found.lowest_ref = min(found.lowest_ref, *indexes)
        found.has_unsafe = found.has_unsafe or has_unsafe(records)
    for entries in opened.logs():
        indexes = [log.update_index for log in entries if not log.is_deletion]
        found.logs += len(entries)
        found.highest_log = max(found.highest_log, *indexes, 0)
    return found


def has_unsafe(refs: Sequence[RefRecord]) -> bool:
    """Whether one of these is shown by a name that makes git fail."""
    if not may_be_refused([*map(_name, refs)]):
        return False
    return any(is_unsafe_refname(ref.name) and not ref.is_deletion for ref in refs)


Located = tuple[bytes, RefRecord, int]
"""A name, its record, and the number of the table that this is in."""


def located_refs(sources: Sequence[OpenInputs]) -> Iterator[list[Located]]:
    """The record that counts for each name, with its table's place."""
    streams = [_tagged(source.refs(), number) for number, source in enumerate(sources)]
    return merge_blocks(streams, itemgetter(0))


def _tagged(blocks: Iterator[list[RefRecord]], number: int) -> Iterator[list[Located]]:
    for refs in blocks:
        yield list(zip(map(_name, refs), refs, repeat(number)))


def logged_refs(sources: Sequence[OpenInputs]) -> Iterator[tuple[bytes, Located | None, LogRecord]]:
    """The newest log entry of each ref that has one, with the record that counts for its name, if any.

    Reads no ref behind the last of these, and none at all if there are no logs.
    """
    logs = newest_logs(sources)
    log = next(logs, None)
    blocks = located_refs(sources) if log is not None else iter(())
    for refs in blocks:
        last, by_name = refs[-1][0], dict[bytes, Located]()
        while log is not None and log.name <= last:
            by_name = by_name or {located[0]: located for located in refs}
            yield log.name, by_name.get(log.name), log
            log = next(logs, None)
        if log is None:
            return
    while log is not None:
        yield log.name, None, log
        log = next(logs, None)


def all_logs(sources: Sequence[OpenInputs]) -> Iterator[LogRecord]:
    """The log entry that counts for each key, tombstones among them."""
    return chain.from_iterable(merge_blocks([source.logs() for source in sources], log_order))


def live_logs(sources: Sequence[OpenInputs]) -> Iterator[LogRecord]:
    """The same without tombstones."""
    return (log for log in all_logs(sources) if not log.is_deletion)


def newest_logs(sources: Sequence[OpenInputs]) -> Iterator[LogRecord]:
    """The newest log entry of each ref."""
    entries = (log for log in live_logs(sources) if not log.is_marker)
    for _, logs in groupby(entries, _name):
        yield next(logs)


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

"""The files that tables of the repaired stack are made of, and their records as they come into it.

A sound file is read as it is, a damaged one through the table that it was salvaged into when the plan was
made. Log entries that may be wrong stay out.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import repeat
from operator import attrgetter, itemgetter
from typing import NamedTuple

from engine import salvage
from engine.errors import OutdatedError
from engine.format import (
    DELETION,
    LOG_KEY_TAIL,
    U64_MAX,
    Encoded,
    LogRecord,
    RawRefs,
    RefRecord,
    is_unsafe_refname,
    log_order,
    may_be_refused,
    ref_key,
)
from engine.merge import merge_blocks
from engine.salvage import item_key, newest_log, ref_item, update_deltas, with_delta
from engine.stack import HIGHEST_LIMIT
from engine.table import Table

_name = attrgetter("name")
_update_index = attrgetter("update_index")


class Input(NamedTuple):
    """A file and how it is read.

    `limits` are the update indexes that the records are brought into. `salvaged` is what a damaged file was
    salvaged into. `drops_unsafe_names` leaves out refs whose names make git fail. `restored` are refs whose
    records are lost or damaged, with the values that their reflogs tell; of `regained` of them, no record
    was read. Those of `supposed`, which are among them, may have been something else. Those `left_out`,
    in name order, were read of damaged bytes, and are no refs. `own_limits` are those that
    the file was read with, where others have to fit in as well. Those `objectless` have the id of no object.
    """

    file: str
    limits: tuple[int, int]
    salvaged: salvage.Salvaged | None = None
    drops_unsafe_names: bool = False
    restored: Table | None = None
    supposed: Table | None = None
    regained: int = 0
    left_out: tuple[RefRecord, ...] = ()
    own_limits: tuple[int, int] | None = None
    objectless: frozenset[bytes] = frozenset()

    @property
    def covered(self) -> tuple[int, int]:
        """The update indexes of the table that was read, whatever its file is called."""
        return self.own_limits or self.limits

    @property
    def losses(self) -> salvage.Losses | None:
        """What may be lost of the file, None for a sound one."""
        return self.salvaged.losses if self.salvaged is not None else None

    @property
    def contents(self) -> salvage.Contents | None:
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

    def comes_as(self, other: Input, *, logs: bool = False) -> bool:
        """Whether the repaired stack gets the same refs of this one as of the other, or log entries."""
        if self.file != other.file or self.salvaged is not other.salvaged:
            return False
        changes = [(one.drops_unsafe_names, one.restored) for one in (self, other)]
        if not logs and changes != [(False, None), (False, None)]:
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
            kept = refs
            if min(indexes) < low or high < max(indexes) or self.drops_unsafe_names:
                kept = [self._fitted(ref) for ref in refs if self._takes(ref)]
            if kept:
                yield kept

    def _takes(self, ref: RefRecord) -> bool:
        return not (self.drops_unsafe_names and not ref.is_deletion and is_unsafe_refname(ref.name))

    def _fitted(self, ref: RefRecord) -> RefRecord:
        low, high = self.limits
        fitted = min(max(ref.update_index, low), high)
        return ref if ref.update_index == fitted else ref.replace(update_index=fitted)

    def encoded_refs(self, table: Table, min_update_index: int) -> Iterator[list[Encoded]]:
        """The refs of a table that the repaired stack takes, as they are stored with this lower limit."""
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
        deltas = update_deltas(items)
        drops = self.drops_unsafe_names and may_be_refused([*map(item_key, items)])
        if least <= min(deltas) and max(deltas) <= most and not drops:
            return items
        kept: list[Encoded] = []
        for item, delta in zip(items, deltas, strict=True):
            if not (drops and item[3] != DELETION and is_unsafe_refname(item[0])):
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
            if kept:
                yield kept

    def fitted_logs(self, blocks: Iterator[list[LogRecord]]) -> Iterator[list[LogRecord]]:
        """The log entries that the repaired stack takes."""
        if self.comes_as_it_is:
            yield from blocks
            return
        for logs in blocks:
            # A tombstone is no entry: none is too new.
            if kept := [log for log in logs if log.is_deletion or log.update_index <= self.limits[1]]:
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
        self.hash_size = max(table.hash_id.size for _, table in self._opened)

    @property
    def tables(self) -> list[Table]:
        """Them as they are read, or were salvaged, oldest first."""
        return [table for _, table in self._opened]

    @property
    def counts_on(self) -> bool:
        """Whether a file claims all update indexes there are: git counts on behind it, perhaps at 0."""
        headers = (one.salvaged.header if one.salvaged is not None else table for one, table in self._opened)
        return any(header.max_update_index >= HIGHEST_LIMIT for header in headers)

    def refs(self) -> Iterator[list[RefRecord]]:
        """The refs in name order, tombstones among them."""
        streams = [
            one.fitted_refs(source.ref_blocks())
            for one, table in self._opened
            for source in (table, one.restored)
            if source is not None
        ]
        return merge_blocks(streams, ref_key)

    def logs(self) -> Iterator[list[LogRecord]]:
        """The log entries by name and newest first, tombstones among them."""
        streams = [one.fitted_logs(table.log_blocks()) for one, table in self._opened]
        return merge_blocks(streams, log_order)

    def refs_of_each(self) -> list[Iterator[list[RefRecord]]]:
        """The refs of each file, as they come into the repaired stack if no later one has the name."""
        return [one.fitted_refs(table.ref_blocks()) for one, table in self._opened]

    def encoded_refs(self, min_update_index: int) -> Iterator[list[Encoded]]:
        """The refs as they are stored in a table with this lower limit."""
        streams = [
            one.encoded_refs(source, min_update_index)
            for one, table in self._opened
            for source in (table, one.restored)
            if source is not None
        ]
        return merge_blocks(streams, item_key)

    def raw_refs(self, min_update_index: int) -> Iterator[RawRefs]:
        """The refs as columns: of one input that comes as it is, no ref is looked at."""
        one, table = self._opened[0]
        is_one = len(self._opened) == 1 and one.restored is None and one.comes_as_it_is
        if is_one and table.min_update_index >= min_update_index:
            return (refs for _, refs in table.raw_ref_blocks(min_update_index))
        return (RawRefs.of_items(items, self.hash_size) for items in self.encoded_refs(min_update_index))

    def encoded_logs(self) -> Iterator[list[Encoded]]:
        """The log entries as they are stored."""
        streams = [one.encoded_logs(table) for one, table in self._opened]
        return merge_blocks(streams, item_key)


def _open(path: str, name: str) -> Table:
    try:
        return Table.open(path, name)
    except FileNotFoundError:
        raise OutdatedError(path, "another process has removed it since the plan was made") from None


def contents_of(directory: str | os.PathLike[str], inputs: Sequence[Input]) -> salvage.Contents:
    """What some inputs have together: known of one that was salvaged, of others all records are read."""
    [*others, newest] = inputs
    known, restored = newest.contents if not others else None, salvage.Contents()
    for _, items in newest.restored.encoded_ref_blocks(0) if newest.restored is not None else ():
        restored.take_refs(items, 0)
    if known is not None and not (newest.drops_unsafe_names and restored.has_unsafe):
        return replace(
            known,
            refs=known.refs + newest.regained,
            highest_ref=max(known.highest_ref, restored.highest_ref),
            has_unsafe=known.has_unsafe or restored.has_unsafe,
        )
    found, low = salvage.Contents(), min(one.limits[0] for one in inputs)
    opened = OpenInputs(directory, inputs)
    for items in opened.encoded_refs(low):
        found.take_refs(items, low)
    for items in opened.encoded_logs():
        found.take_logs(items)
    return found


Located = tuple[bytes, RefRecord, int]
"""A name, its record, and the number of the table that this is in."""

located_name: Callable[[Located], bytes] = itemgetter(0)


def located_refs(sources: Sequence[OpenInputs]) -> Iterator[list[Located]]:
    """The record that counts for each name, with its table's place."""
    streams = [_tagged(source.refs(), number) for number, source in enumerate(sources)]
    return merge_blocks(streams, located_name)


def _tagged(blocks: Iterator[list[RefRecord]], number: int) -> Iterator[list[Located]]:
    for refs in blocks:
        yield list(zip(map(_name, refs), refs, repeat(number)))


def logged_refs(sources: Sequence[OpenInputs]) -> Iterator[tuple[bytes, Located | None, LastEntry]]:
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


def all_logs(sources: Sequence[OpenInputs]) -> Iterator[list[Encoded]]:
    """The log entry that counts for each key, tombstones among them."""
    return merge_blocks([source.encoded_logs() for source in sources], item_key)


class LastEntry(NamedTuple):
    """The newest entry in a reflog: the value that it tells, and all that is stored of it but the key."""

    name: bytes
    update_index: int
    new: bytes
    tail: bytes


def newest_logs(sources: Sequence[OpenInputs]) -> Iterator[LastEntry]:
    """The newest log entry of each ref."""
    size = max((source.hash_size for source in sources), default=0)
    marker, last = bytes(2 * size), b""
    for items in all_logs(sources):
        for key, _, _, kind, tail_len, encoded in items:
            name = key[:-LOG_KEY_TAIL]
            if kind == DELETION or name == last:
                continue
            tail = encoded[len(encoded) - tail_len :]
            if not tail.startswith(marker):
                last = name
                yield LastEntry(name, U64_MAX - int.from_bytes(key[-8:], "big"), tail[size : 2 * size], tail)

"""How a stack is repaired, as data: the steps, the tables afterwards, and what is left out.

A plan remembers what the files were when it was made, and is carried out on exactly these. It holds what
damaged files were salvaged into, which is not done again.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from enum import StrEnum
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Final, NamedTuple

from engine import salvage
from engine.format import (
    U64_MAX,
    HashId,
    footer_size,
    header_size,
    is_table_file,
    limits_in_name,
    pack_table_list,
)
from engine.fsck import Limits, Severity
from engine.git import Repository
from engine.repair.inputs import Input
from engine.stack import HIGHEST_LIMIT, LOCK_SUFFIX, TABLES_LIST, StackOptions, covers, merged_ranges

_LEAST_RECORD: Final = 4
"""Bytes of the shortest record of a ref: a tombstone that shares its name but for one letter."""


class StepKind(StrEnum):
    """What a step does; they are done in this order."""

    REMOVE_LOCK = "remove-lock"
    REWRITE_TABLE = "rewrite-table"
    MERGE_TABLE = "merge-table"
    RENAME_TABLE = "rename-table"
    TAKE_UP = "take-up"
    SET_ASIDE = "set-aside"
    LEAVE_OUT = "leave-out"
    WRITE_LIST = "write-list"
    REMOVE_FILE = "remove-file"
    MAKE_DIRECTORY = "make-directory"
    WRITE_STUB = "write-stub"
    SET_CONFIG = "set-config"

    @property
    def is_around(self) -> bool:
        """Whether it is about the repository around the stack."""
        return self in (StepKind.MAKE_DIRECTORY, StepKind.WRITE_STUB, StepKind.SET_CONFIG)


class Step(NamedTuple):
    """One step: what is done to which file, why, and how bad that is which it repairs.

    `result` says what comes of it. One that `needs_force` is done only on demand: another process may be at
    work. `options` are all that can be done with the file, this among them, the safest first; empty where
    there is no choice. A file of the repository around the stack has its whole path; `setting` is the
    variable of the configuration that is set, and its value.
    """

    kind: StepKind
    file: str
    why: str
    result: str
    severity: Severity
    needs_force: bool = False
    options: tuple[StepKind, ...] = ()
    setting: tuple[str, str] | None = None

    def is_done(self, *, force: bool) -> bool:
        """Whether carrying out the plan does this: leaving a file out changes nothing by itself."""
        return self.kind is not StepKind.LEAVE_OUT and (force or not self.needs_force)


class PlannedTable(NamedTuple):
    """A table of the repaired stack.

    `name` is what it will be called, `limits` are its update indexes, and `inputs` the files that it is made
    of: of one key, the record of the last one counts. `is_rewritten` when it is made from their records; a
    table whose name alone changes is not. Of a table that is rewritten, `refs` and `logs` are written, and
    each index with a `single_root` if that is asked for.
    """

    name: str
    limits: tuple[int, int]
    inputs: tuple[Input, ...]
    is_rewritten: bool
    refs: int = 0
    logs: int = 0
    single_root: bool = False

    @property
    def files(self) -> tuple[str, ...]:
        """The files that it is made of."""
        return tuple(one.file for one in self.inputs)

    @property
    def source(self) -> str:
        """The file that it is made of, or the newest of several."""
        return self.inputs[-1].file

    @property
    def losses(self) -> dict[str, salvage.Losses]:
        """What a rewritten table lacks of its files, by their names; one that stays lacks nothing it had."""
        inputs = self.inputs if self.is_rewritten else ()
        return {one.file: one.losses for one in inputs if one.losses is not None}

    @property
    def is_kept(self) -> bool:
        """Whether the file stays what it is."""
        return not self.is_rewritten and self.name == self.source


class LeftOut(NamedTuple):
    """A file that is not part of the repaired stack, or a listed one that is not there.

    `limits` are its update indexes as far as they are known. `refs` and `logs` are the records that can be
    read of it, tombstones among them; `losses` say what cannot be, if it is damaged. `is_listed` when it
    should have been part of the stack. Where other tables hold all that a damaged one held, it has no losses.
    """

    file: str
    why: str
    limits: tuple[int, int] | None
    refs: int
    logs: int
    is_listed: bool
    is_missing: bool = False
    losses: salvage.Losses | None = None


Trace = tuple[str, int, int, int]
"""A file as it was: name, size, time of modification in ns, inode."""


class RepairPlan(NamedTuple):
    """How a stack is repaired.

    `steps` in the order in which they are done; `tables` are those of the repaired stack, and `before` how
    those of the damaged one are read, oldest first. `left_out` names everything else that may hold records.
    `list_before` are the bytes of the list (None if there is none), `files` all files that the plan is
    about: it is good for these and no others. `repository` is the one that has the objects, if any, and whose
    files are mended as well where steps say so.
    `newer` are tables that were never listed as far as is known, and are left out although they are newer
    than the repaired stack, oldest first; not those of a transaction that is known never to have been
    committed, since its lock on the list is still there. `beside` are tables that are left out although they
    may be of this stack, oldest first: what they have that is newer may be what counts. `has_lost_names` when
    the list has not all the names that it had: a table that is missing may have been one of them, and behind
    the last one that is there, nothing tells of any.
    `errors` is how many errors were found, those around the stack among them where that is mended.
    """

    directory: Path
    options: StackOptions
    hash_id: HashId
    steps: tuple[Step, ...]
    tables: tuple[PlannedTable, ...]
    before: tuple[Input, ...]
    left_out: tuple[LeftOut, ...]
    list_before: bytes | None
    files: tuple[Trace, ...]
    repository: Repository | None = None
    newer: tuple[Input, ...] = ()
    beside: tuple[Input, ...] = ()
    has_lost_names: bool = False
    errors: int = 0

    @property
    def is_noop(self) -> bool:
        """Whether there is nothing to do without force."""
        return not any(step.is_done(force=False) for step in self.steps)

    @property
    def is_unlocking(self) -> bool:
        """Whether locks are all that goes: what others do with the stack meanwhile is nothing to that."""
        return bool(self.steps) and all(step.kind is StepKind.REMOVE_LOCK for step in self.steps)

    @property
    def replaced(self) -> list[str]:
        """The files whose records come into tables of other names or bytes."""
        return [name for table in self.tables if not table.is_kept for name in table.files]

    @property
    def list_after(self) -> bytes:
        """The bytes of the list of the repaired stack."""
        return pack_table_list([table.name for table in self.tables])

    def of(self, kind: StepKind) -> tuple[Step, ...]:
        """The steps of one kind."""
        return tuple(step for step in self.steps if step.kind is kind)


class Damage(NamedTuple):
    """What a table of update indexes from `low` to `high` may have held that cannot be read.

    `position` is that of the table in the repaired stack, None for one that is not in it. `file` is the list
    where that alone had its name.
    """

    file: str
    position: int | None
    low: int
    high: int
    losses: salvage.Losses

    def may_have_lost_newer_log(self, name: bytes, update_index: int) -> bool:
        """Whether a log entry may be lost, of a ref that may be, that is newer than one of this update."""
        return self.losses.lost_logs and self.high > update_index and self.losses.may_have_lost(name)


def damages(plan: RepairPlan) -> list[Damage]:
    """What may be lost without trace, for each table, the oldest first; then of those left out."""
    found = [
        Damage(file, position, *table.limits, losses)
        for position, table in enumerate(plan.tables)
        for file, losses in table.losses.items()
    ]
    inputs = [one for table in plan.tables for one in table.inputs]
    covered = merged_ranges(one.covered for one in inputs)
    others = [(left.file, left.limits) for left in plan.left_out]
    found += displaced(inputs, others, () if plan.has_lost_names else plan.before)
    for left in plan.left_out:
        low, high = left.limits or (0, U64_MAX)
        if not left.is_listed:
            continue
        is_missed = low <= high and not covers(covered, low, high)
        if left.refs or left.logs:  # it can be read, but for its losses
            is_missed = left.losses is not None
        if is_missed:
            found.append(Damage(left.file, None, low, high, left.losses or salvage.UNKNOWN))
    is_incomplete = plan.has_lost_names or any(left.is_missing for left in plan.left_out)
    if is_incomplete and covered:
        known = [one.covered for one in inputs] + [(one.low, one.high) for one in found]
        # No table comes before the first update index; behind the last one, nothing tells of any.
        ranges = [(0, 1), *merged_ranges(limits for limits in known if limits[1] < HIGHEST_LIMIT)]
        holes = [(end, first - 1) for (_, end), (first, _) in pairwise(ranges) if end < first]
        found += [Damage(TABLES_LIST, None, low, high, salvage.UNKNOWN) for low, high in holes]
    return [damage for damage in found if damage.losses.gaps or damage.losses.lost_logs]


def displaced(
    inputs: Sequence[Input], others: Sequence[tuple[str, Limits | None]], listed: Sequence[Input]
) -> list[Damage]:
    """The tables in whose files other tables lie, and which no file has, by the names of the files.

    `inputs` are the files of the repaired stack, `others` those that are no part of it or missing, with the
    update indexes read of them, or of their names. A file that has those of its place among the `listed`
    ones, which are in the order of the list, has a wrong name, and nothing was lost by that: unless its name
    is that of an older table, or another name tells its update indexes.
    """
    covered, in_place = merged_ranges(one.covered for one in inputs), _in_place(listed)
    found = [(one.file, one.covered) for one in inputs]
    told = {limits_in_name(file) for file, _ in (*found, *others)}
    found += [(file, limits) for file, limits in others if limits and covers(covered, *limits)]
    end = covered[-1][1] if covered else 0
    return [
        Damage(file, None, low, high, salvage.UNKNOWN)
        for file, limits in found
        for low, high in (limits_in_name(file) or limits,)
        if low <= high < HIGHEST_LIMIT
        and not covers(covered, low, high)
        and not (file in in_place and end <= low and limits not in told)
    ]


def _in_place(listed: Sequence[Input]) -> set[str]:
    """The files whose update indexes are above those of all files before them, and below all behind."""
    limits = [one.covered for one in listed]
    highest = [-1, *accumulate((high for _, high in limits), max)]
    lowest = [U64_MAX, *accumulate((low for low, _ in reversed(limits)), min)]
    rows = zip(listed, limits, highest, lowest[-2::-1], strict=False)
    return {one.file for one, (low, high), below, above in rows if below < low and high < above}


def room_for_refs(plan: RepairPlan) -> int | None:
    """How many refs at most the bytes can hold that cannot be read, of files of which none can be.

    A file may have been longer once. None where a file is not there, or is damaged in part.
    """
    room, read = 0, {file for table in plan.tables for file in table.files}
    read.update(left.file for left in plan.left_out if left.refs or left.logs)
    for damage in damages(plan):
        is_unread = damage.position is None and is_table_file(damage.file) and damage.file not in read
        if damage.losses.gaps == salvage.EVERYWHERE and is_unread:
            try:
                size = os.stat(plan.directory / damage.file).st_size - header_size(1) - footer_size(1)
                room += max(0, size) // _LEAST_RECORD
            except OSError:
                return None
        elif damage.losses.gaps:
            return None
    return room


def table_files(directory: str | os.PathLike[str]) -> list[str]:
    """The files of a directory that are named like tables. Raises `OSError`."""
    return sorted(filter(is_table_file, os.listdir(directory)))


def lock_files(directory: str | os.PathLike[str]) -> list[str]:
    """The files of a directory that are named like locks. Raises `OSError`."""
    return sorted(name for name in os.listdir(directory) if name.endswith(LOCK_SUFFIX))


def trace(directory: Path, name: str) -> Trace:
    """A file as it is now, by its name or whole path; of one that is not there, -1. Raises `OSError`."""
    try:
        found = os.lstat(directory / name)
    except FileNotFoundError:
        return name, -1, -1, -1
    return name, found.st_size, found.st_mtime_ns, found.st_ino

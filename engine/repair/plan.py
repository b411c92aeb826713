"""How a stack is repaired, as data: the steps, the tables afterwards, and what is left out.

A plan remembers what the files were when it was made: `repair.py` carries it out on exactly these. It is
made by `repair_planner.py`; what it means ref by ref is told by `repair_outcome.py`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from engine.format import HashId, is_table_file, pack_table_list
from engine.fsck import Severity
from engine.salvage import Account, Reading
from engine.stack import StackOptions


class StepKind(StrEnum):
    """What a step does; they are done in this order."""

    REMOVE_LOCK = "remove-lock"
    REWRITE_TABLE = "rewrite-table"
    RENAME_TABLE = "rename-table"
    TAKE_UP = "take-up"
    SET_ASIDE = "set-aside"
    LEAVE_OUT = "leave-out"
    WRITE_LIST = "write-list"
    REMOVE_FILE = "remove-file"


@dataclass(slots=True, frozen=True)
class Step:
    """One step: what is done to which file, why, and how bad that is which it repairs.

    `result` says what comes of it. One that `needs_force` is done only on demand: somebody may be at work.
    `options` are all that can be done with the file, this among them, the safest first; empty where there is
    no choice.
    """

    kind: StepKind
    file: str
    why: str
    result: str
    severity: Severity
    needs_force: bool = False
    options: tuple[StepKind, ...] = ()


@dataclass(slots=True, frozen=True)
class PlannedTable:
    """A table of the repaired stack.

    `name` is what it will be called, `reading` how its records are read now. `is_rewritten` when it is
    made from these records; a table whose name alone changes is not. `account` is what can be read of a
    damaged one, None for a sound one; of a table that is rewritten, `refs` and `logs` are written.
    """

    name: str
    reading: Reading
    is_rewritten: bool
    account: Account | None = None
    refs: int = 0
    logs: int = 0

    @property
    def source(self) -> str:
        """The file that it is made of."""
        return self.reading.file

    @property
    def is_kept(self) -> bool:
        """Whether the file stays what it is."""
        return not self.is_rewritten and self.name == self.source


@dataclass(slots=True, frozen=True)
class LeftOut:
    """A file that is not part of the repaired stack, or a listed one that is not there.

    `limits` are its update indexes as far as they are known. `refs` and `logs` are the records that can be
    read of it, tombstones among them; `account` says what cannot be, if it is damaged. `is_listed` when it
    should have been part of the stack.
    """

    file: str
    why: str
    limits: tuple[int, int] | None
    refs: int
    logs: int
    is_listed: bool
    is_missing: bool = False
    account: Account | None = None


Trace = tuple[str, int, int, int]
"""A file as it was: name, size, time of modification in ns, inode."""


@dataclass(slots=True, frozen=True)
class RepairPlan:
    """How a stack is repaired.

    `steps` in the order in which they are done; `tables` are those of the repaired stack, and `before` how
    those of the damaged one are read, oldest first. `left_out` names everything else that may hold records.
    `list_before` are the bytes of the list (None if there is none), `files` all files that the plan is
    about: it is good for these and no others.
    """

    directory: Path
    options: StackOptions
    hash_id: HashId
    steps: tuple[Step, ...]
    tables: tuple[PlannedTable, ...]
    before: tuple[Reading, ...]
    left_out: tuple[LeftOut, ...]
    list_before: bytes | None
    files: tuple[Trace, ...]

    @property
    def is_noop(self) -> bool:
        """Whether there is nothing to do without force."""
        return all(step.needs_force for step in self.steps)

    @property
    def list_after(self) -> bytes:
        """The bytes of the list of the repaired stack."""
        return pack_table_list([table.name for table in self.tables])

    @property
    def changes_records(self) -> bool:
        """Whether other records may be seen afterwards than before."""
        kept = [table.reading for table in self.tables if not table.is_rewritten]
        return any(table.is_rewritten for table in self.tables) or tuple(kept) != self.before

    def of(self, kind: StepKind) -> tuple[Step, ...]:
        """The steps of one kind."""
        return tuple(step for step in self.steps if step.kind is kind)


def table_files(directory: str | os.PathLike[str]) -> list[str]:
    """The files of a directory that are named like tables. Raises `OSError`."""
    return sorted(filter(is_table_file, os.listdir(directory)))


def trace(directory: Path, name: str) -> Trace:
    """A file as it is now; of one that is not there, -1. Raises `OSError`."""
    try:
        found = os.lstat(directory / name)
    except FileNotFoundError:
        return name, -1, -1, -1
    return name, found.st_size, found.st_mtime_ns, found.st_ino

"""Files in a stack's directory that nothing needs: what they are, and removing them.

Stale are tables that are not listed although the stack has moved past their update indexes
(left behind by a crash, or by a process that still had them open), as git's `clean` has it;
and, beyond git, temporary tables once no lock is held: every writer holds the lock on the list
or on the tables it compacts for as long as its temporary file lives.

Everything else stays and is named with the reason. Locks are never removed here: whether
their holder is alive cannot be known from the file alone.

`judge` is that rule, for one file. Whoever shows such files (see `neighbours.py`) asks it too.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from engine.errors import FormatError
from engine.format import TABLES_LIST, is_table_file
from engine.stack.directory import TEMPORARY_MARK, StackDirectory
from engine.table import Table

LOCK_SUFFIX: Final = ".lock"


class FileKind(StrEnum):
    """What a file that is not listed seems to be, by its name."""

    ORPHAN = "orphan"  # a table
    TEMPORARY = "temporary"
    LOCK = "lock"
    OTHER = "other"


@dataclass(slots=True, frozen=True)
class Judgement:
    """What a file is, whether `clean` removes it, and why or why not."""

    kind: FileKind
    is_stale: bool
    reason: str


@dataclass(slots=True, frozen=True)
class StaleFile:
    """A file that is not part of the stack: its name, size in bytes, and why it goes or stays."""

    name: str
    size: int
    reason: str


@dataclass(slots=True, frozen=True)
class CleanPlan:
    """Which files `clean` would remove and which it would leave."""

    removed: tuple[StaleFile, ...]
    kept: tuple[StaleFile, ...]


def plan_clean(directory: StackDirectory, *, locked: bool = False) -> CleanPlan:
    """Look at every file that is not part of the stack; changes nothing.

    `locked` when the caller holds the lock on the list, which then stops nobody. Raises
    `FormatError` for a damaged list, `OSError` for a directory that cannot be read.
    """
    # The list as it is now, too: the handle may be older than a compaction.
    listed = {*directory.names, *directory.read_list()}
    names = set(os.listdir(directory.path)).difference(listed, {TABLES_LIST})
    if locked:
        names.discard(TABLES_LIST + LOCK_SUFFIX)
    locks = sorted(name for name in names if file_kind(name) is FileKind.LOCK)
    covered = directory.merged.max_update_index
    removed: list[StaleFile] = []
    kept: list[StaleFile] = []
    for name in sorted(names):
        try:
            found = os.stat(directory.file(name), follow_symlinks=False)
        except FileNotFoundError:
            continue
        verdict = judge(directory.path, name, found.st_mode, locks, covered)
        (removed if verdict.is_stale else kept).append(StaleFile(name, found.st_size, verdict.reason))
    return CleanPlan(tuple(removed), tuple(kept))


def file_kind(name: str) -> FileKind:
    """What the name of an unlisted file says that it is."""
    if name.endswith(LOCK_SUFFIX):
        return FileKind.LOCK
    if TEMPORARY_MARK in name:
        return FileKind.TEMPORARY
    return FileKind.ORPHAN if is_table_file(name) else FileKind.OTHER


def judge(directory: str, name: str, mode: int, locks: Sequence[str], covered: int | None) -> Judgement:
    """What to do with the unlisted file `name` of a directory, whose mode (without following links) is given.

    `locks` are the names of the locks in the directory, `covered` is the highest update index of
    the stack, None where that cannot be told. Opens the file when it is a table, and nothing else.
    """
    kind = file_kind(name)
    is_stale = False
    if kind is FileKind.LOCK:
        reason = "a lock: its holder may be at work"
    elif kind is FileKind.OTHER:
        reason = "no file of a reftable stack"
    elif not stat.S_ISREG(mode):
        reason = "no regular file: no writer of reftables made it"
    elif kind is FileKind.ORPHAN:
        is_stale, reason = _judge_table(directory, name, covered)
    elif locks:
        reason = f"a temporary table that may be in use: there is {locks[0]}"
    else:
        is_stale, reason = True, "a temporary table that its writer left behind: no lock is held"
    return Judgement(kind, is_stale, reason)


def _judge_table(directory: str, name: str, covered: int | None) -> tuple[bool, str]:
    try:
        with Table.open(os.path.join(directory, name), name) as table:
            newest = table.max_update_index
    except (FormatError, OSError) as error:
        return False, f"not in {TABLES_LIST}, but cannot be read: {error}"
    if covered is None:
        return (
            False,
            f"not in {TABLES_LIST}, and how far the stack goes cannot be told: update index {newest}",
        )
    if newest > covered:
        return False, f"not in {TABLES_LIST}, but newer than the stack: update index {newest}"
    return True, f"not in {TABLES_LIST}, and the stack covers its update indexes (up to {newest})"


def clean(directory: StackDirectory, plan: CleanPlan | None = None) -> list[str]:
    """Remove what is stale, under the lock on the list; returns the names removed.

    With a plan, only files that it names are removed, and those only if they are stale still.
    Raises `LockError`, `OSError`.
    """
    with directory.lock_list():
        if not directory.is_current():
            directory.load()
        names = [file.name for file in plan_clean(directory, locked=True).removed]
        if plan is not None:
            planned = {file.name for file in plan.removed}
            names = [name for name in names if name in planned]
        for name in names:
            os.unlink(directory.file(name))
    return names

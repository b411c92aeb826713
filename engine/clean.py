"""Files in a stack's directory that nothing needs: what they are, and removing them.

Stale are tables that are not listed although the stack has moved past their update indexes
(left behind by a crash, or by a process that still had them open), as git's `clean` has it;
and, beyond git, temporary tables once no lock is held: every writer holds the lock on the list
or on the tables it compacts for as long as its temporary file lives.

Everything else stays and is named with the reason. Locks are never removed here: whether
their holder is alive cannot be known from the file alone.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import Final

from engine.directory import TABLES_LIST, TEMPORARY_MARK, StackDirectory
from engine.errors import FormatError, MissingTableError
from engine.format import is_table_file

_LOCK_SUFFIX: Final = ".lock"


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
        names.discard(TABLES_LIST + _LOCK_SUFFIX)
    locks = sorted(name for name in names if name.endswith(_LOCK_SUFFIX))
    removed: list[StaleFile] = []
    kept: list[StaleFile] = []
    for name in sorted(names):
        try:
            found = os.stat(directory.file(name), follow_symlinks=False)
        except FileNotFoundError:
            continue
        is_stale, reason = _judge(directory, name, locks)
        if is_stale and not stat.S_ISREG(found.st_mode):
            is_stale, reason = False, "no regular file: no writer of reftables made it"
        (removed if is_stale else kept).append(StaleFile(name, found.st_size, reason))
    return CleanPlan(tuple(removed), tuple(kept))


def _judge(directory: StackDirectory, name: str, locks: list[str]) -> tuple[bool, str]:
    """Whether a file is stale, and why or why not."""
    if name in locks:
        return False, "a lock: its holder may be at work"
    if TEMPORARY_MARK in name:
        if locks:
            return False, f"a temporary table that may be in use: there is {locks[0]}"
        return True, "a temporary table that its writer left behind: no lock is held"
    if not is_table_file(name):
        return False, "no file of a reftable stack"
    try:
        with directory.open_table(name) as table:
            newest = table.max_update_index
    except (FormatError, MissingTableError, OSError) as error:
        return False, f"not in {TABLES_LIST}, but cannot be read: {error}"
    if newest > directory.merged.max_update_index:
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

"""Removing files in a stack's directory that nothing needs: superseded tables, and what killed writers left.

What each file is, `unlisted.py` says. Locks are never removed here: whether their holder is alive cannot be
known from the file alone.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

from engine.format import pack_table_list
from engine.stack.directory import StackDirectory
from engine.stack.unlisted import LIST_LOCK, unlisted_files


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

    `locked` when the caller holds the lock on the list, which then stops none. Raises `FormatError` for a
    damaged or lost list, `OSError` for a directory that cannot be read.
    """
    # The list as it is now, too: the handle may be older than a compaction.
    listed = [*directory.names, *directory.read_list()]
    if not listed:
        directory.require_list(locked=locked)
    found = unlisted_files(directory.path, time.time(), listed, held=[LIST_LOCK] if locked else [])
    removed, kept = (
        tuple(StaleFile(file.name, file.size, file.reason) for file in found if file.is_removable is goes)
        for goes in (True, False)
    )
    return CleanPlan(removed, kept)


def clean(directory: StackDirectory, plan: CleanPlan | None = None) -> list[str]:
    """Remove what nothing needs, under the lock on the list; returns the names removed.

    With a plan, only files that it names are removed, and those only if nothing needs them still.
    Raises `LockError`, `OSError`.
    """
    removed: list[str] = []
    with directory.lock_list():
        if not directory.is_current():
            directory.load()
        planned = None if plan is None else {file.name for file in plan.removed}
        found = [file.name for file in plan_clean(directory, locked=True).removed]
        directory.before_change(pack_table_list(directory.names))
        for name in found:
            if planned is None or name in planned:
                try:
                    os.unlink(directory.file(name))
                except FileNotFoundError:
                    continue  # a handle that knew the table has removed it
                removed.append(name)
    return removed

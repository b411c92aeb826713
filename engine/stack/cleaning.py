"""Removing what nothing needs in the directory of a stack: superseded tables, leftovers of dead processes.

What each file is, `unlisted.py` says. Locks are no part of cleaning: whether their holder is alive cannot be
known from the file alone. A lock that a process left behind when it died is removed by itself, and no other.
It may be taken, released and taken again at any moment, also while this looks at it:

 1. see that the lock is the one that was judged: device, inode, time of change, time of modification;
 2. ask which processes use it, last of all that is asked: its holder keeps it open, or has a temporary
    file of the stack open while it merges tables;
 3. open the file, which reads nothing. While it is open, no other file can get its inode number, which a
    file system gives away at once when a file is gone;
 4. see that what is open is still the lock of step 1: it was not exchanged while processes were asked;
 5. rename it out of the way. From now on others can take the lock;
 6. see that what was renamed is what is open, by device and inode, for renaming changes the time of change:
    it may have been exchanged between the last two steps. If so, put it back;
 7. unlink it.
"""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from typing import Final, NamedTuple

from engine.errors import LockError, OutdatedError
from engine.format import pack_table_list
from engine.stack.beside import unlisted_files
from engine.stack.directory import StackDirectory
from engine.stack.lock import LIST_LOCK
from engine.stack.temporary import TEMPORARY_MARK
from engine.system import O_NOFOLLOW, O_NONBLOCK, POSIX, remove_unless_open

# Where there is no O_PATH, what is opened may be a pipe.
_NO_ACCESS: Final = getattr(os, "O_PATH", os.O_RDONLY | O_NONBLOCK) | O_NOFOLLOW


class StaleFile(NamedTuple):
    """A file that is not part of the stack: its name, size in bytes, and why it goes or stays."""

    name: str
    size: int
    reason: str


class CleanPlan(NamedTuple):
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
                    if not remove_unless_open(directory.file(name)):
                        break  # none behind it, as in `StackDirectory.unlink`
                except FileNotFoundError:
                    continue  # a handle that knew the table has removed it
                removed.append(name)
    return removed


# Locks


def lock_identity(found: os.stat_result) -> tuple[int, int, int, int]:
    """What tells a lock of this status from another of the same name."""
    return found.st_dev, found.st_ino, found.st_ctime_ns, found.st_mtime_ns


def remove_stale_lock(path: str, *, now: float | None = None, force: bool = False) -> bool:
    """Remove the lock at `path`; False if there is none.

    Without `force`, raises `LockError` when it is young, a process may be at work, or its user has processes
    that could not be looked into. `now` is the time in seconds since 1970 that its age counts to. Raises
    `OutdatedError` when it is another lock than a moment ago, `OSError`.
    """
    try:
        judged = lock_identity(os.lstat(path))
        if not force:
            _require_unused(path, time.time() if now is None else now)
        fd = os.open(path, _NO_ACCESS)
    except FileNotFoundError:
        return False
    with ExitStack() as opened:
        opened.callback(os.close, fd)
        found = os.fstat(fd)
        if lock_identity(found) != judged:
            raise OutdatedError(path, "is another lock than a moment ago")
        if not POSIX:  # it could not be renamed; its number is not given away that soon there
            opened.close()
        aside = f"{path}{TEMPORARY_MARK}{os.urandom(3).hex()}"
        os.rename(path, aside)
        if not os.path.samestat(os.lstat(aside), found):
            _put_back(aside, path)
            raise OutdatedError(path, "is another lock than a moment ago")
        os.unlink(aside)
    return True


def _require_unused(path: str, now: float) -> None:
    directory, name = os.path.split(path)
    for file in unlisted_files(directory, now):
        if file.name == name and file.may_be_held:
            what = f"{file.holder} has it open" if file.holder is not None else "a process may be at work"
            what += "" if file.in_use else f": {file.holding}"
            raise LockError(path, f"{file.reason}: {what}")


def _put_back(aside: str, path: str) -> None:
    """Give a lock back its name, unless there is yet another one by now, which a rename would replace."""
    try:
        os.link(aside, path)
    finally:
        os.unlink(aside)

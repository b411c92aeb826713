"""What an error means, in plain words and with what to do about it; locks, their age and their holders.

Looks at processes, which may take a moment: not for the thread that draws.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, Literal, NamedTuple

from engine import errors
from engine.stack import LIST_LOCK, LOCK_SUFFIX, TABLES_LIST, UnlistedFile, unlisted_files
from inspector.actions.workplace import RefusedError
from inspector.text import age_text, safe_message, safe_name

Remedy = Literal["again", "plan", "repair", "none"]
"""What may help: the same once more, another plan, a repair and then another plan, or nothing."""


class Trouble(NamedTuple):
    """Why something was not done: one line, then paragraphs; all of it is fit for a terminal.

    `lock` is the name of the lock file that was in the way, empty if none was. `is_made` when the change is
    made all the same.
    """

    sentence: str
    paragraphs: tuple[str, ...]
    remedy: Remedy
    lock: str = ""
    is_made: bool = False


def lock_words(lock: UnlistedFile) -> str:
    """`tables.list.lock, 3h old: process 4711 (git) has it open`, fit for a terminal."""
    holder = lock.holder or "no process that can be seen"
    return f"{safe_name(lock.name)}, {age_text(lock.age)} old: {holder} has it open"


def seen_locks(directory: Path, files: Iterable[str]) -> list[UnlistedFile]:
    """The locks on these files of `directory` that are there now. Never raises."""
    wanted = {file + LOCK_SUFFIX for file in files}
    try:
        return [file for file in unlisted_files(directory, time.time()) if file.name in wanted]
    except OSError:
        return []  # they cannot be seen, which comes to the same


def explain(error: Exception) -> Trouble:
    """An error of planning or applying an action."""
    text = safe_message(errors.in_words(error))
    match error:
        case RefusedError():
            return Trouble("Nothing can be changed here.", (text,), "none")
        case errors.Cancelled():
            return Trouble("Stopped before anything was changed.", (), "plan")
        case errors.OutdatedError():
            return Trouble("The stack has changed since the plan was made.", (_OUTDATED, text), "plan")
        case errors.LockError():
            name = os.path.basename(error.path)
            return Trouble("The stack is locked.", tuple(_lock(error)), "again", name)
        case errors.ExpectationError():
            return Trouble("A ref does not hold the value that was expected.", (text,), "plan")
        case errors.HookError():
            return Trouble("A hook of the repository refuses it.", (text,), "plan")
        case errors.RefnameError() | errors.NameConflictError() | errors.EntryTooBigError():
            return Trouble("git would refuse this.", (text,), "none")
        case errors.PartlyCommittedError():
            sentence = "Part of the change is made, and part of it is not."
            return Trouble(sentence, (text, _COMMITTED), "none", is_made=True)
        case errors.CommittedError():
            sentence = "The change is made; something failed behind it."
            return Trouble(sentence, (text, _COMMITTED), "none", is_made=True)
        case errors.SnapshotError():
            return Trouble(
                "The snapshot is not as it was taken: there is no going back to it.", (text,), "none"
            )
        case errors.FormatError(name=name) if name == TABLES_LIST:
            return Trouble("The stack is to be repaired first.", (text,), "repair")
        case errors.FormatError() | errors.MissingTableError():
            return Trouble("A file of the stack is damaged.", (text, _DAMAGED), "repair")
        case errors.ReftableError():
            return Trouble("This cannot be done.", (text,), "none")
        case OSError():
            return Trouble(*_system(error), "plan")
        case _:
            reason = f"{type(error).__name__}: {text}"
            return Trouble("A defect of this program kept it from being done.", (reason,), "plan")


_OUTDATED: Final = (
    "Another process added to the stack or compacted it in the meantime. "
    "A plan is applied only to the stack that it was made for: press R to plan again."
)
_DAMAGED: Final = (
    "What this action has to read cannot be read. A table in that state stops git's own compactions as well."
)
_COMMITTED: Final = "It must not be made again: go back, and look at the stack as it is now."
_LOCK: Final = (
    "A lock is a file that a process creates for as long as it works. This one is taken to {what}, "
    "which takes milliseconds as a rule, and seconds on a large stack. While it is there, "
    "no other process may."
)
_NO_HOLDER: Final = (
    "No process that can be seen from here has it open. That alone does not make it stale: "
    "git closes some locks while it works, and other users' or machines' processes may not be visible."
)
_STALE: Final = (
    "If it stays: look for a git process that works in this repository. Only if there is none, "
    "on any machine that has the repository mounted, the lock is stale: "
    "u shows a plan that removes {path}"
)


def _lock(error: errors.LockError) -> Iterator[str]:
    directory, name = os.path.split(error.path)
    seen = seen_locks(Path(directory), [name.removesuffix(LOCK_SUFFIX)])
    if seen:
        yield f"There is a file {safe_name(name)}, {age_text(seen[0].age)} old."
    else:
        yield f"There was a file {safe_name(name)}, which is gone by now."
    adding = "add to the stack, or to put a compacted table into its place"
    yield _LOCK.format(what=adding if name == LIST_LOCK else "compact this table")
    holder = seen[0].holder if seen else None
    if holder is not None:
        yield f"{str(holder).capitalize()} has it open."
    elif seen:
        yield _NO_HOLDER
    yield "Wait a moment, then press R to try again."
    yield _STALE.format(path=safe_name(error.path))


def _system(error: OSError) -> tuple[str, tuple[str, ...]]:
    where = safe_name(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else ""
    reason = safe_name(error.strerror or str(error))
    place = (f"{reason}: {where}" if where else reason,)
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return "There is no room left on the disk.", (
                *place,
                "A compaction needs room for the new table beside the old ones. Make room, then plan again.",
            )
        case errno.EACCES | errno.EPERM:
            return "The system does not permit it.", place
        case errno.EROFS:
            return "The file system is mounted read-only.", place
        case _:
            return "The system reports an error.", place

"""What a repair does about files that are no tables: locks, and what writers left behind that were killed.

A lock says that somebody is at work. Whether that is so is told by its age and by the processes that have it
open, as far as these can be seen; in doubt it stays, unless who repairs knows better.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from engine.errors import shown
from engine.fsck import Finding, Severity
from engine.repair.plan import Step, StepKind
from engine.stack import LOCK_SUFFIX, find_holders


def lock_files(directory: str | os.PathLike[str]) -> list[str]:
    """The files of a directory that are named like locks. Raises `OSError`."""
    return sorted(name for name in os.listdir(directory) if name.endswith(LOCK_SUFFIX))


def lock_steps(directory: Path, locks: Sequence[Finding]) -> Iterator[Step]:
    """The removal of each lock; of one that is young or held, with force only. Looks at processes."""
    real = os.path.realpath(directory)
    paths = {lock.file: os.path.join(real, lock.file) for lock in locks}
    holders = find_holders(list(paths.values())).found if paths else {}
    for lock in locks:
        holder = holders.get(paths[lock.file])
        is_young = lock.code == "lock-held"
        if holder is not None:
            result = f"process {holder.pid} ({shown(os.fsencode(holder.command))}) has it open"
        elif is_young:
            result = "it is young: somebody may be at work"
        else:
            result = "no process that can be looked into has it open"
        force = holder is not None or is_young
        yield Step(StepKind.REMOVE_LOCK, lock.file, lock.message, result, Severity.WARNING, force)


def leftover_steps(leftovers: Sequence[Finding]) -> Iterator[Step]:
    """The removal of each temporary file."""
    for one in leftovers:
        yield Step(StepKind.REMOVE_FILE, one.file, one.message, "the snapshot keeps it", Severity.WARNING)

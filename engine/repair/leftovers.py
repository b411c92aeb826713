"""What a repair does about files that are no tables: locks, and temporary files of writers that were killed.

Which of them are in use, `engine.stack` judges; in doubt they stay, unless force is used.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from engine.fsck import Severity
from engine.repair.plan import Step, StepKind
from engine.stack import LOCK_SUFFIX, FileKind, UnlistedFile


def lock_files(directory: str | os.PathLike[str]) -> list[str]:
    """The files of a directory that are named like locks. Raises `OSError`."""
    return sorted(name for name in os.listdir(directory) if name.endswith(LOCK_SUFFIX))


def lock_step(lock: UnlistedFile) -> Step:
    """The removal of a lock; of one that may be in use, with force only."""
    result = lock.holding if lock.holder or not lock.in_use else f"a process may be at work; {lock.holding}"
    return Step(StepKind.REMOVE_LOCK, lock.name, lock.reason, result, Severity.WARNING, lock.in_use)


def temporary_steps(files: list[UnlistedFile]) -> Iterator[Step]:
    """The removal of each temporary file that no process may be at work on."""
    for file in files:
        if file.kind is FileKind.TEMPORARY and not file.in_use:
            result = "the snapshot keeps it"
            yield Step(StepKind.REMOVE_FILE, file.name, file.reason, result, Severity.WARNING)

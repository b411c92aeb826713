"""Locks that are there already: how old they are, and who has them open.

Looks at processes, which may take a moment: not for the thread that draws.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from engine.stack import LOCK_SUFFIX, Holder, find_holders
from inspector.text import age_text, safe_name

__all__ = ["SeenLock", "seen_locks"]


@dataclass(frozen=True, slots=True)
class SeenLock:
    """A lock file: its name, its age in seconds, and a process that has it open, None if none is seen."""

    name: str
    age: float
    holder: Holder | None

    def __str__(self) -> str:
        """`tables.list.lock, 3h old: process 4711 (git) has it open`, fit for a terminal."""
        who = "no process that can be seen has it open"
        if self.holder is not None:
            who = f"process {self.holder.pid} ({safe_name(self.holder.command)}) has it open"
        return f"{safe_name(self.name)}, {age_text(self.age)} old: {who}"


def seen_locks(directory: Path, files: Iterable[str]) -> list[SeenLock]:
    """The locks on these files of `directory` that are there now. Never raises."""
    real = os.path.realpath(directory)
    now = time.time()
    ages: dict[str, float] = {}
    for file in files:
        path = os.path.join(real, file + LOCK_SUFFIX)
        try:
            ages[path] = max(now - os.lstat(path).st_mtime, 0.0)
        except OSError:
            continue  # it is not there, or cannot be seen, which comes to the same
    holders = find_holders(list(ages)).found if ages else {}
    return [SeenLock(os.path.basename(path), age, holders.get(path)) for path, age in ages.items()]

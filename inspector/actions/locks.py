"""Locks that are there already: how old they are, and which processes have them open.

Looks at processes, which may take a moment: not for the thread that draws.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

from engine.stack import LOCK_SUFFIX, UnlistedFile, unlisted_files
from inspector.text import age_text, safe_name

__all__ = ["lock_words", "seen_locks"]


def lock_words(lock: UnlistedFile) -> str:
    """`tables.list.lock, 3h old: process 4711 (git) has it open`, fit for a terminal."""
    who = lock.holder or "no process that can be seen"
    return f"{safe_name(lock.name)}, {age_text(lock.age)} old: {who} has it open"


def seen_locks(directory: Path, files: Iterable[str]) -> list[UnlistedFile]:
    """The locks on these files of `directory` that are there now. Never raises."""
    wanted = {file + LOCK_SUFFIX for file in files}
    try:
        return [file for file in unlisted_files(directory, time.time()) if file.name in wanted]
    except OSError:
        return []  # they cannot be seen, which comes to the same

"""The damaged demo: the demo stack after a bad night, to see fsck and repair at work.

    table 1         bytes in the middle of it are overwritten, as by a bad sector: a block of refs is lost
    table 3         the last byte of its footer is wrong, so its checksum is
    an orphan       a table that a compaction did not get to remove
    a lock          on tables.list, hours old, and no process has it open
    half a table    the temporary file of a writer that was killed

Git shows no ref at all of such a stack, and says nothing. All of it is the same on every machine, but for
the age of the lock.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

from inspector.demo.sound import build_demo

_DAMAGED_BLOCK: Final = 4096
_LOCK_AGE: Final = 3 * 3600  # seconds
_ORPHAN: Final = "0x0000000007a1-0x0000000007a5-0badcafe.ref"
_LEFT_BEHIND: Final = "0x0000000007ae-0x0000000007ae-5eedbed5.temp.a1b2c3"


def build_damaged_demo(directory: Path, now: float | None = None) -> None:
    """Make the demo stack in `directory` and damage it; `now` is in seconds since 1970, None for the clock.

    Raises what `build_demo` raises, and `OSError`.
    """
    build_demo(directory)
    now = time.time() if now is None else now
    names = (directory / "tables.list").read_text("ascii").split()
    _overwrite(directory / names[1], _DAMAGED_BLOCK + 40, b"\xff" * 400)
    footer = directory / names[3]
    _overwrite(footer, footer.stat().st_size - 1, b"\0")
    recent = (directory / names[5]).read_bytes()
    (directory / _ORPHAN).write_bytes(recent)
    (directory / _LEFT_BEHIND).write_bytes(recent[: len(recent) // 2])
    lock = directory / "tables.list.lock"
    lock.touch()
    os.utime(lock, (now - _LOCK_AGE, now - _LOCK_AGE))


def _overwrite(path: Path, offset: int, data: bytes) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:offset] + data + content[offset + len(data) :])

"""The demo stacks for tests, made once each and copied: making one is the larger part of a small test."""

from __future__ import annotations

import functools
import os
import shutil
import tempfile
from pathlib import Path

from inspector.demo import build_damaged_demo, build_demo

_MADE_AT = 1_000_000_000.0


@functools.cache
def _made(*, damaged: bool) -> tuple[tempfile.TemporaryDirectory[str], Path]:
    holder = tempfile.TemporaryDirectory()
    directory = Path(holder.name) / "reftable"
    if damaged:
        build_damaged_demo(directory, _MADE_AT)
    else:
        build_demo(directory)
    return holder, directory


def copy_demo(directory: Path) -> None:
    """Make a copy of the demo stack at `directory`, for the test to do with what it wants."""
    _holder, made = _made(damaged=False)
    shutil.copytree(made, directory, copy_function=shutil.copyfile, dirs_exist_ok=True)


def copy_damaged_demo(directory: Path, now: float) -> None:
    """Make a copy of the damaged demo at `directory`, as if it was made at `now`."""
    _holder, made = _made(damaged=True)
    shutil.copytree(made, directory, copy_function=shutil.copyfile, dirs_exist_ok=True)
    lock = directory / "tables.list.lock"
    touched = now + (made / lock.name).stat().st_mtime - _MADE_AT
    os.utime(lock, (touched, touched))

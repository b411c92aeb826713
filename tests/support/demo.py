"""The demo stack for tests, which is made once and copied: making it is the larger part of a small test."""

from __future__ import annotations

import functools
import shutil
import tempfile
from pathlib import Path

from inspector.demo import build_demo


@functools.cache
def _made() -> tuple[tempfile.TemporaryDirectory[str], Path]:
    holder = tempfile.TemporaryDirectory()
    directory = Path(holder.name) / "reftable"
    build_demo(directory)
    return holder, directory


def copy_demo(directory: Path) -> None:
    """Make a copy of the demo stack at `directory`, for the test to do with what it wants."""
    _holder, made = _made()
    shutil.copytree(made, directory, copy_function=shutil.copyfile, dirs_exist_ok=True)

"""The new directory that an export fills: it is there whole, or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from engine.errors import ApiError
from engine.system import POSIX


@contextmanager
def new_directory(path: Path, stack: Path) -> Iterator[Path]:
    """A directory to fill beside `path`, which takes its name at the end, or is removed if the block fails.

    Raises `ApiError` if `path` lies in the directory of the stack, or is there and no empty directory.
    """
    target = Path(os.path.realpath(path))
    if Path(os.path.realpath(stack)) in (target, *target.parents):
        raise ApiError(f"{path} lies in the directory of the stack")
    if os.path.lexists(target) and not (target.is_dir() and not os.listdir(target)):
        raise ApiError(f"{path} is there already, and is no empty directory")
    made = target.with_name(f"{target.name[:200]}.{os.urandom(4).hex()}")
    os.mkdir(made)
    try:
        yield made
        # Refused by the system if another process has put something there meanwhile.
        if not POSIX:  # a directory does not take the place of another, be that empty
            with suppress(FileNotFoundError):
                os.rmdir(target)
        os.rename(made, target)
    except BaseException:
        import shutil

        shutil.rmtree(made, ignore_errors=True)
        raise

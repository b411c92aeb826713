"""A snapshot around each change, so that it can be undone: the same for the verbs and for the terminal."""

from __future__ import annotations

import os
import time
from collections.abc import Collection
from contextlib import AbstractContextManager

from engine.snapshot import Snapshot, snapshot_before

__all__ = ["undoable"]


def undoable(
    directory: str | os.PathLike[str], operation: str, removed: Collection[str] = ()
) -> AbstractContextManager[Snapshot]:
    """Take a snapshot of the stack in `directory` before `operation`, which the `with` is around.

    `removed` are files outside the list that the operation removes. Nothing is left of it where nothing was
    changed. Raises `OSError`.
    """
    return snapshot_before(directory, operation, time.time(), extra=removed)

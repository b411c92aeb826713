"""Opening what is no sound stack: it is refused, whatever opens it, and nothing is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import ReftableError
from engine.stack import Stack
from tests.support.stacks import LOOSE


def traces(directory: Path) -> dict[str, tuple[int, ...]]:
    """Return what a change to the directory or to a file in it would change; links are not followed."""
    found = {}
    for path in [directory, *directory.iterdir()]:
        status = path.lstat()
        found[path.name] = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    return found


def refuse(directory: Path, *, named: str) -> Exception:
    """See that the stack opens neither to read nor to write; return the error, which names the culprit."""
    before = traces(directory)
    errors = []
    for read_only in (True, False):
        with pytest.raises((ReftableError, OSError)) as caught:
            Stack.open(directory, LOOSE, read_only)
        errors.append(caught.value)
    assert traces(directory) == before
    assert named in str(errors[0])
    assert [type(error) for error in errors[1:]] == [type(errors[0])]
    return errors[0]

"""What systems differ in: the one place that knows what only POSIX has.

On a system of another kind (Windows), flags of `os.open` that are absent are 0, and bytes are asked for; of
whose a file is nothing is known; permissions are left alone; and a directory cannot be opened to be made
durable. Above all, a file that a process has open can be neither removed nor renamed, nor can another one
take its name. So it is closed first, and a table that another handle reads stays where it is for `clean` to
find, as it does with git there.
"""

from __future__ import annotations

import os
import stat
import sys
import time
from contextlib import suppress
from typing import Final

POSIX: Final = "posix" in sys.builtin_module_names  # by which `os` goes, too

O_BINARY: Final[int] = getattr(os, "O_BINARY", 0)
"""Without it, Windows would change the ends of lines, in tables as well."""
O_NOCTTY: Final[int] = getattr(os, "O_NOCTTY", 0)
O_NONBLOCK: Final[int] = getattr(os, "O_NONBLOCK", 0)
O_NOFOLLOW: Final[int] = getattr(os, "O_NOFOLLOW", 0)

_PAUSES: Final = (0.001, 0.01, 0.02, 0.04, 0.08, 0.16)
"""Seconds in which a reader of a small file, such as the list, is done with it."""


def user_id() -> int | None:
    """The user that files belong to which this process makes; None where files belong to no number."""
    return os.geteuid() if POSIX else None


def heir(path: str) -> tuple[int, int] | None:
    """User and group that a new file at `path`, or for its place, is to belong to; None for its maker's.

    Root alone can give files away. It has to: a table that its owner may not read makes the repository look
    empty. A file gets the owner of the one that it replaces, or else that of the directory. One of root's in
    the directory of another is no model: it was left by a tool that did not care. Raises `OSError`.
    """
    if user_id() != 0:
        return None
    directory = os.stat(os.path.dirname(path) or os.curdir)
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        found = directory
    if found.st_uid == 0:
        found = found if directory.st_uid == 0 else directory
    return found.st_uid, found.st_gid


def owner_may_read(found: os.stat_result, directory: os.stat_result) -> bool:
    """Whether the owner of a directory may read a file in it, by its owner and its mode."""
    owner = directory.st_uid
    if not POSIX or owner in {0, found.st_uid}:
        return owner == 0 or bool(found.st_mode & stat.S_IRUSR)
    import pwd

    groups = {directory.st_gid}
    with suppress(KeyError):
        groups.update(os.getgrouplist(user_name(owner), pwd.getpwuid(owner).pw_gid))
    return bool(found.st_mode & (stat.S_IRGRP if found.st_gid in groups else stat.S_IROTH))


def user_name(number: int) -> str:
    """What the user of this number is called."""
    if POSIX:
        import pwd

        try:
            return pwd.getpwuid(number).pw_name
        except KeyError:
            pass
    return f"user {number}"


def file_name(raw: bytes) -> str:
    """What file these bytes name: as `os.fsdecode` says, but of any bytes, where that takes only UTF-8."""
    return os.fsdecode(raw) if POSIX else raw.decode("utf-8", "surrogateescape")


def name_bytes(name: str) -> bytes:
    """The bytes that `file_name` has made a name of."""
    return os.fsencode(name) if POSIX else name.encode("utf-8", "surrogateescape")


def is_beside(name: str) -> bool:
    """Whether a name is that of a file in the same directory, as far as what leads out of it tells."""
    is_posix = name not in {"", ".", ".."} and "/" not in name
    return is_posix and (POSIX or not {"\\", ":"}.intersection(name))


def replace_waiting(source: str | os.PathLike[str], target: str | os.PathLike[str]) -> None:
    """Rename a file onto another, as soon as no process has that open. Raises `OSError`."""
    for pause in () if POSIX else _PAUSES:
        try:
            os.replace(source, target)
        except PermissionError:
            time.sleep(pause)
        else:
            return
    os.replace(source, target)


def remove_unless_open(path: str | os.PathLike[str]) -> bool:
    """Remove a file that nothing needs; False for one that stays since a process has it open.

    Raises `FileNotFoundError`, and `OSError` for any other reason.
    """
    try:
        os.unlink(path)
    except PermissionError:
        if POSIX:
            raise
        return False
    return True

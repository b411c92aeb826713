"""The files of a snapshot: putting them there durably, and telling whether they are what they were."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from engine.errors import SnapshotError
from engine.format import TABLES_LIST, parse_table_list
from engine.snapshot.manifest import FILES, Snapshot
from engine.stack import hand_over, read_list_bytes, sync_file
from engine.system import O_BINARY, O_NOFOLLOW, O_NONBLOCK, heir
from engine.table import RegularFile

_READ: Final = 2**20
# What link(2) says where there are no hard links, or no more of them.
_NO_LINK: Final = {errno.EPERM, errno.EXDEV, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EACCES}


def link(source: Path, target: Path) -> bool:
    """Link a file, or copy it where there are no links; False if there is none."""
    try:
        try:
            os.link(source, target, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _NO_LINK:
                raise
            if not stat.S_ISREG(source.stat().st_mode):
                return False  # a directory in the place of a table
            import shutil

            owner = heir(os.fspath(source))
            with source.open("rb") as there, target.open("xb") as here:
                shutil.copyfileobj(there, here)
                here.flush()  # which changes the time of the last write
                shutil.copystat(source, target)
                hand_over(here.fileno(), os.fspath(target), owner)
    except FileNotFoundError:
        return False
    return True


def put_file(source: Path, target: Path) -> bool:
    """As `link`, durably."""
    if is_there := link(source, target):
        sync(target)
    return is_there


def sync(path: Path) -> None:
    """Make a file durable, also a table of git's: git writes the footer behind its last fsync."""
    if stat.S_ISREG(path.lstat().st_mode):  # a pipe would be waited for
        with suppress(PermissionError):
            sync_file(path)


def known_digests(snapshots: Sequence[Snapshot]) -> dict[str, tuple[Path, int, tuple[int, str]]]:
    """What the newest snapshot with each name has: the file, which is durable, its time and its digest.

    Only the time of the last write tells whether the bytes are the same still: that of the last change of the
    inode is another with each link. A table that has changed with its time kept is noticed when it is to come
    back: its bytes are compared then (`verify`).
    """
    known: dict[str, tuple[Path, int, tuple[int, str]]] = {}
    for one in reversed(snapshots):
        digests = {name: (size, found) for name, size, found in one.digests}
        known |= {
            name: (one.file(name), time, digests[name]) for name, time in one.modified if name in digests
        }
    return known


def is_same_inode(path: Path, status: os.stat_result) -> bool:
    """Whether the file with this status is at this path itself."""
    try:
        return os.path.samestat(path.lstat(), status)
    except OSError:
        return False


def digest(path: Path) -> tuple[int, str] | None:
    """Size and SHA-256 of a file; None for what is no regular file, which could be waited for."""
    if not stat.S_ISREG(path.lstat().st_mode):
        return None
    try:
        fd = os.open(path, os.O_RDONLY | O_BINARY | O_NOFOLLOW | O_NONBLOCK)
    except PermissionError:
        return None
    import hashlib

    file, found, size = RegularFile(fd, path.name), hashlib.sha256(), 0
    while data := file.read(size, _READ):
        found.update(data)
        size += len(data)
    return size, found.hexdigest()


def sha256(data: bytes) -> str:
    """The SHA-256 of something at hand."""
    import hashlib

    return hashlib.sha256(data).hexdigest()


def verify(snapshot: Snapshot, stack: Path) -> None:
    """See that a snapshot holds what it took. Raises `SnapshotError` where it does not, `OSError`.

    Going back leaves a table that is listed by this name, whatever has become of its bytes.
    """
    listed = {*names_in(read_list_bytes(stack))}
    known = {name: (size, found) for name, size, found in snapshot.digests}
    if snapshot.directory.is_symlink():
        raise SnapshotError(FILES, None, f"is a symbolic link in the snapshot {snapshot.id}")
    paths = [snapshot.file(name) for name in snapshot.files]
    if TABLES_LIST in known or os.path.lexists(snapshot.path / TABLES_LIST):
        paths.append(snapshot.path / TABLES_LIST)
    elif snapshot.tables:
        raise SnapshotError(TABLES_LIST, None, f"is gone from the snapshot {snapshot.id}")
    for path in paths:
        try:
            status = path.lstat()
            if path.name in listed and is_same_inode(stack / path.name, status):
                continue
            size = known.get(path.name, (status.st_size,))[0]
            found = digest(path) if size == status.st_size else None  # which may be far too large to be read
        except FileNotFoundError:
            raise SnapshotError(path.name, None, f"is gone from the snapshot {snapshot.id}") from None
        # Older snapshots know nothing of their files. What was no regular file then, still is none.
        if found != known.get(path.name, None if known else found) or not (found or known):
            raise SnapshotError(path.name, None, f"is not what the snapshot {snapshot.id} took")


def is_same_file(one: Path, other: Path) -> bool:
    """Whether two files are there, and are one or hold the same bytes."""
    try:
        if os.path.samestat(one.lstat(), other.lstat()):
            return True
        if one.lstat().st_size != other.lstat().st_size or (found := digest(one)) is None:
            return False
        return found == digest(other)
    except FileNotFoundError:  # other processes remove what nothing needs, at any time
        return False


def names_in(data: bytes | None) -> list[str]:
    """The tables that a list names, also one that is damaged."""
    return parse_table_list(data or b"").names

"""Writing to the disk, and making it stay there. What goes wrong names the file.

The system names no file in the error of a call that takes a descriptor; "no space left on device" alone
does not tell which device.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from engine.system import O_BINARY, O_NOFOLLOW, POSIX, heir, user_id, user_name


def write_all(fd: int, data: bytes | bytearray, path: str) -> None:
    """Write all of `data`, in as many calls as it takes, to the file at `path`. Raises `OSError`."""
    with _naming(path), memoryview(data) as view:
        written = 0
        while written < len(view):
            written += os.write(fd, view[written:])


def sync(fd: int, path: str) -> None:
    """Make what was written to the file at `path` durable. Raises `OSError`."""
    with _naming(path):
        os.fsync(fd)


def change_mode(fd: int, mode: int, path: str) -> None:
    """Set the permissions of the file at `path`, where files have any. Raises `OSError`."""
    if POSIX:
        with _naming(path):
            os.fchmod(fd, mode)


def hand_over(fd: int, path: str, owner: tuple[int, int] | None) -> None:
    """Give what is open, and lies at `path`, to a user and a group, as `heir` names them.

    Not even root may do so everywhere, as on a share or in a container. There it stays root's if all may read
    it, and `OSError` is raised if not.
    """
    status = os.fstat(fd)
    if owner in {None, (status.st_uid, status.st_gid)}:
        return
    try:
        os.fchown(fd, *owner)
    except OSError as error:
        if not status.st_mode & stat.S_IROTH:
            what = f"it cannot be given to {user_name(owner[0])}, who could not read it then"
            raise OSError(error.errno, what, path) from error


def sync_file(path: str | os.PathLike[str], flags: int = 0) -> None:
    """Make a file durable that was written before. Raises `OSError`."""
    # Windows has no way to it from a file that is open to be read.
    fd = os.open(path, (os.O_RDONLY if POSIX else os.O_RDWR) | flags)
    try:
        sync(fd, os.fspath(path))
    finally:
        os.close(fd)


def sync_directory(path: str | os.PathLike[str]) -> None:
    """Make the entries of a directory durable, where it can be opened. Raises `OSError`."""
    if POSIX:
        sync_file(path, os.O_DIRECTORY)


def write_file(path: str, data: bytes, mode: int) -> None:
    """Make `data` the content of a file with these permissions, durably; others may see a part of it.

    What another process left there under this name goes first: it may be a link. Raises `OSError`.
    """
    with suppress(FileNotFoundError):
        os.unlink(path)
    owner = heir(path)
    flags = os.O_CREAT | os.O_TRUNC | os.O_WRONLY | O_BINARY | O_NOFOLLOW
    fd = os.open(path, flags, mode)
    try:
        change_mode(fd, mode, path)
        hand_over(fd, path, owner)
        write_all(fd, data, path)
        sync(fd, path)
    finally:
        os.close(fd)


def make_directory(path: str | os.PathLike[str], like: str | os.PathLike[str]) -> None:
    """Make a directory with the permissions of another, whatever the umask, and as if its owner had made it.

    Raises `OSError`.
    """
    os.mkdir(path, stat.S_IMODE(os.stat(like).st_mode))
    make_alike(path, like)


def make_alike(path: str | os.PathLike[str], like: str | os.PathLike[str]) -> None:
    """Give a directory the permissions of another, and one that root has made the owner. Raises `OSError`.

    One of another owner that is not empty stays as it is: who may write here may have moved it here, to get
    at what is in it.
    """
    if not POSIX:
        return
    model = os.stat(like)
    # Nor may it be a link.
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | O_NOFOLLOW)
    try:
        status = os.fstat(fd)
        if status.st_uid != model.st_uid and os.listdir(fd):
            return
        if status.st_mode != model.st_mode:
            change_mode(fd, stat.S_IMODE(model.st_mode), os.fspath(path))
        if status.st_uid == user_id() == 0:
            hand_over(fd, os.fspath(path), (model.st_uid, model.st_gid))
    finally:
        os.close(fd)


@contextmanager
def _naming(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        error.filename = path
        raise

"""A file that is read at any place, and whose descriptor has one owner."""

from __future__ import annotations

import os
import stat
from _thread import allocate_lock
from typing import Final, Self

from engine.errors import FormatError
from engine.system import O_BINARY, O_NONBLOCK, POSIX

_SEEKING: Final = allocate_lock()
"""Held between a seek and its read: a descriptor may have been duplicated, and then has one place with it."""


class RegularFile:
    """An open file: its descriptor, its name in errors, and what the system said of it when it was opened.

    It is closed when nothing refers to it any more, and by nothing else. A reader that has taken hold of it
    therefore never reads another file that has got the same descriptor since, whatever other threads close.
    """

    __slots__ = ("fd", "name", "status")

    def __init__(self, fd: int, name: str) -> None:
        """Take over `fd`. Raises `FormatError` if that is no regular file, `OSError`."""
        self.fd = fd
        self.name = name
        self.status = os.fstat(fd)
        if not stat.S_ISREG(self.status.st_mode):
            raise FormatError(name, None, "is no regular file")

    @classmethod
    def open(cls, path: str | os.PathLike[str], name: str) -> Self:
        """Open a file. Raises `FormatError` for what is no regular file, `OSError`."""
        # Not blocking, so that a named pipe in the place of a file is an error and no hang.
        return cls(os.open(path, os.O_RDONLY | O_BINARY | O_NONBLOCK), name)

    def __del__(self) -> None:
        os.close(self.fd)

    @property
    def size(self) -> int:
        """The number of bytes that it had."""
        return self.status.st_size

    if POSIX:

        def read(self, offset: int, size: int) -> bytes:
            """At most `size` bytes, fewer at the file's end. Raises `OSError`."""
            return os.pread(self.fd, size, offset)

    else:

        def read(self, offset: int, size: int) -> bytes:
            """At most `size` bytes, fewer at the file's end. Raises `OSError`."""
            with _SEEKING:
                os.lseek(self.fd, offset, os.SEEK_SET)
                return os.read(self.fd, size)

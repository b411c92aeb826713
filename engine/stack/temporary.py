"""New tables of a stack before they are part of it: the temporary file, and the name.

A name never returns: its suffix is random, and no file of the directory has it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from engine.closing import Unfinished
from engine.errors import ApiError
from engine.format import TABLES_LIST, format_table_name
from engine.stack.durable import change_mode, hand_over, sync, write_all
from engine.system import O_BINARY, POSIX, heir

TEMPORARY_MARK: Final = ".temp."

_WRITE_BUFFER: Final = 2**18
_NAME_ATTEMPTS: Final = 1000


class TemporaryTable(Unfinished):
    """A file that a table is written to before it has its name; unlinked unless renamed."""

    __slots__ = ("_directory", "_fd", "_path", "_pending")

    def __init__(self, directory: str | os.PathLike[str], name: str, mode: int | None) -> None:
        self._directory = directory
        self._pending = bytearray()
        # Noted before it is made: an interrupt may come just behind that.
        self._path: str | None = os.path.join(directory, f"{name}{TEMPORARY_MARK}{os.urandom(3).hex()}")
        self._fd = -1
        super().__init__()
        self._fd = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | O_BINARY, 0o666)
        if mode is not None:
            change_mode(self._fd, mode, self._path)
        hand_over(self._fd, self._path, heir(os.path.join(directory, TABLES_LIST)))

    @property
    def path(self) -> str:
        """Where the bytes are now."""
        if self._path is None:
            raise ApiError("the table has its name already")
        return self._path

    def write(self, data: bytes) -> None:
        """Append; bytes gather until there are enough to be worth a system call."""
        self._pending += data
        if len(self._pending) >= _WRITE_BUFFER:
            self._drain()

    def finish(self) -> None:
        """Make everything written durable. Unlike git's, this covers the footer too."""
        self._drain()
        sync(self._fd, self.path)
        self._close_file()

    def rename(self, name: str) -> None:
        """Give the table its name in the directory."""
        os.rename(self.path, os.path.join(self._directory, name))
        self._path = None

    def close(self) -> None:
        """Close, and unlink the file unless it was renamed."""
        if not POSIX:
            self._close_file()
        if self._path is not None:
            # Gone already when an interrupt came just behind the rename.
            with suppress(FileNotFoundError):
                os.unlink(self._path)
        self._path = None
        self._close_file()

    def _drain(self) -> None:
        write_all(self._fd, self._pending, self.path)
        self._pending.clear()

    def _close_file(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def unused_table_name(
    limits: tuple[int, int], suffix: Callable[[], int], is_taken: Callable[[str], bool]
) -> str:
    """A name for a new table of these update indexes that `is_taken` knows nothing of.

    A table renamed onto another one would change a stack whose list still names that. Raises `ApiError` when
    `suffix` gives nothing but names that are taken.
    """
    name = ""
    for _ in range(_NAME_ATTEMPTS):
        name = format_table_name(*limits, suffix()) + ".ref"
        if not is_taken(name):
            return name
    raise ApiError(f"{name} and all other names tried for a new table are taken: suffixes must differ")

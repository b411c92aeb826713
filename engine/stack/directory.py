"""The directory of a stack: `tables.list`, the tables it names, temporary files, durability.

`tables.list` holds the names of the tables, oldest first, a line each. It is only ever
replaced as a whole, by renaming its lock onto it, so whoever reads it sees one stack or the
next and nothing between. Tables never change. A reader that finds a listed table missing has
been overtaken by a compaction: it reads the list again.

What to write, and when, is decided by `addition.py`, `compactor.py` and `clean.py`.
"""

from __future__ import annotations

import os
import random
import secrets
import stat
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from types import TracebackType
from typing import Final, Protocol, Self

from engine.errors import ApiError, FormatError, MissingTableError, OutdatedError
from engine.format import (
    TABLES_LIST,
    HashId,
    check_list_size,
    format_table_name,
    pack_table_list,
    parse_table_list,
)
from engine.merge import MergedTable
from engine.stack.durable import change_mode, sync, sync_directory, write_all
from engine.stack.lock import LockFile
from engine.stack.options import StackOptions
from engine.table import Table, WriteOptions, open_regular

TEMPORARY_MARK: Final = ".temp."

_RELOAD_SECONDS: Final = 3.0
_WRITE_BUFFER: Final = 2**18
_NAME_ATTEMPTS: Final = 1000


class StackDirectory:
    """The tables that `tables.list` named when it was last read, and the files they lie in."""

    __slots__ = ("_list_fd", "_list_id", "merged", "options", "path", "read_only", "tables")

    def __init__(self, path: str | os.PathLike[str], options: StackOptions, *, read_only: bool) -> None:
        self.path = os.fspath(path)
        self.options = options
        self.read_only = read_only
        self.tables: tuple[Table, ...] = ()
        self.merged = MergedTable(())
        self._list_fd = -1
        self._list_id: tuple[int, ...] | None = None
        if not stat.S_ISDIR(os.stat(self.path).st_mode):
            raise NotADirectoryError(20, "a stack is a directory", self.path)
        self.load()

    @property
    def list_path(self) -> str:
        """The path of `tables.list`."""
        return self.file(TABLES_LIST)

    @property
    def names(self) -> list[str]:
        """The names of the tables, oldest first."""
        return [table.name for table in self.tables]

    @property
    def hash_id(self) -> HashId:
        """The hash function of the tables: stated, or found in them, or SHA-1."""
        if self.options.hash_id is not None:
            return self.options.hash_id
        return self.tables[0].hash_id if self.tables else HashId.SHA1

    @property
    def write_options(self) -> WriteOptions:
        """The options for a table of this stack."""
        return replace(self.options, hash_id=self.hash_id)

    def file(self, name: str) -> str:
        """The path of a file of this directory."""
        return os.path.join(self.path, name)

    def read_list(self) -> list[str]:
        """The names that `tables.list` holds now; none if there is no such file."""
        return read_table_list(self.path)

    def is_current(self) -> bool:
        """Whether `tables.list` is still the one that was loaded: one stat, as a rule."""
        if self._list_id is not None:
            try:
                now = os.stat(self.list_path)
            except FileNotFoundError:
                return not self.tables
            # The file is replaced as a whole, and its inode cannot be used again while we hold it
            # open: the same inode is the same file. Size and time are for whoever repairs a list
            # in place, with an editor.
            if _identity(now) == self._list_id:
                return True
        return self.read_list() == self.names

    def require_current(self) -> None:
        """Raise `OutdatedError` unless `tables.list` is still the one that was loaded."""
        if not self.is_current():
            raise OutdatedError(self.list_path, "the stack has changed since it was read: reload it")

    def load(self) -> None:
        """Read the list and open what it names, keeping tables that are open already.

        When that fails, what was loaded before stays usable. Raises `FormatError`,
        `MissingTableError`, `OSError`.
        """
        deadline = time.monotonic() + _RELOAD_SECONDS
        pause = 0.001
        while True:
            try:
                fd = open_regular(self.list_path, TABLES_LIST)
            except FileNotFoundError:
                fd = -1
            names: list[str] = []
            try:
                names = parse_table_list(_list_bytes(fd)).require_names() if fd >= 0 else []
                tables = self._open_tables(names)
                merged = MergedTable(tables)
            except BaseException as error:
                if fd >= 0:
                    os.close(fd)
                if not isinstance(error, MissingTableError):
                    raise
                # A compaction may have unlinked it after we read the list: then the list differs.
                if self.read_list() == names or time.monotonic() > deadline:
                    raise
            else:
                self._replace(fd, tables, merged)
                return
            time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - jitter, not a secret
            pause *= 2

    def _open_tables(self, names: Sequence[str]) -> tuple[Table, ...]:
        known = {table.name: table for table in self.tables}
        tables: list[Table] = []
        for name in names:
            table = known.get(name) or self.open_table(name)
            if self.options.hash_id not in (None, table.hash_id):
                raise FormatError(name, None, f"a {table.hash_id} table, {self.options.hash_id} is wanted")
            tables.append(table)
        return tuple(tables)

    def open_table(self, name: str) -> Table:
        """Open a file of this directory as a table.

        Raises `FormatError`, `MissingTableError`, `OSError`.
        """
        try:
            return Table.open(self.file(name), name)
        except FileNotFoundError:
            raise MissingTableError(name) from None

    def _replace(self, list_fd: int, tables: tuple[Table, ...], merged: MergedTable) -> None:
        dropped = self._replaced(tables)
        self._forget_list()
        if list_fd >= 0:
            self._list_fd, self._list_id = list_fd, _identity(os.fstat(list_fd))
        self.tables = tables
        self.merged = merged
        # Their files stay open for the iterators that still read them.
        self.unlink(dropped)

    def _replaced(self, listed: Sequence[Table]) -> set[str]:
        """The tables at hand that are listed no more because a compaction replaced them.

        A list that is gone, or an older one that somebody put back, does not name them either.
        What a compaction replaced, a listed table covers.
        """
        names = {table.name for table in listed}
        covered = max((table.max_update_index for table in listed), default=0)
        return {
            table.name
            for table in self.tables
            if table.name not in names and table.max_update_index <= covered
        }

    def _forget_list(self) -> None:
        if self._list_fd >= 0:
            os.close(self._list_fd)
        self._list_fd, self._list_id = -1, None

    def unlink(self, names: set[str]) -> None:
        """Remove tables that are listed no more; the process that compacted them may be faster."""
        if self.read_only:
            return
        for name in names:
            try:
                os.unlink(self.file(name))
            except OSError:
                # What stays behind is clutter, for `clean` to find, and no reason to fail now.
                continue

    def discard(self, names: Iterable[str]) -> None:
        """Remove tables that were meant to be listed, after a failure.

        The list has the last word: an interrupt may arrive just behind the rename that made
        them part of the stack.
        """
        self.unlink(set(names).difference(self.read_list()))

    def close(self) -> None:
        """Close all files; remove tables that somebody else's compaction has replaced."""
        if not self.read_only and self.tables:
            with suppress(FormatError, MissingTableError, OSError):
                self.unlink(self._replaced(self._open_tables(self.read_list())))
        for table in self.tables:
            table.close()
        self.tables = ()
        self._forget_list()

    def lock_list(self) -> LockFile:
        """Lock `tables.list`. Raises `LockError`, and `ApiError` on a stack opened read-only."""
        if self.read_only:
            raise ApiError(f"{self.path} was opened read-only")
        return LockFile(self.list_path, timeout_ms=self.options.lock_timeout_ms, mode=self._mode())

    def _mode(self) -> int | None:
        if self.options.default_permissions is not None:
            return self.options.default_permissions
        try:
            return stat.S_IMODE(os.stat(self.list_path).st_mode)
        except FileNotFoundError:
            return None

    def temporary_table(self, min_update_index: int, max_update_index: int) -> TemporaryTable:
        """A new file for a table that is being written."""
        name = format_table_name(min_update_index, max_update_index, self.options.suffix())
        return TemporaryTable(self, name, self._mode())

    def table_name(self, min_update_index: int, max_update_index: int) -> str:
        """A name for a new table of this range, which no file has yet. Raises `ApiError` if there is none."""
        return unused_table_name(
            (min_update_index, max_update_index),
            self.options.suffix,
            lambda name: os.path.lexists(self.file(name)),
        )

    def install(self, lock: LockFile, names: Sequence[str]) -> None:
        """Make `names` the content of `tables.list`. When this returns, it has happened.

        The directory is made durable first: a list must not outlive a crash that the tables
        it names did not.
        """
        lock.write(pack_table_list(list(names)))
        self.sync()
        lock.commit()

    def sync(self) -> None:
        """Make the directory's entries durable."""
        sync_directory(self.path)


class HasFiles(Protocol):
    """A directory that knows the paths of its files."""

    def file(self, name: str) -> str:
        """The path of a file of this directory."""


class TemporaryTable:
    """A file that a table is written to before it has its name; unlinked unless renamed."""

    __slots__ = ("_directory", "_fd", "_path", "_pending")

    def __init__(self, directory: HasFiles, name: str, mode: int | None) -> None:
        self._directory = directory
        self._pending = bytearray()
        self._path: str | None = directory.file(f"{name}{TEMPORARY_MARK}{secrets.token_hex(3)}")
        self._fd = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o666)
        if mode is not None:
            try:
                change_mode(self._fd, mode, self._path)
            except BaseException:
                self.discard()
                raise

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
        self._close()

    def rename(self, name: str) -> None:
        """Give the table its name in the directory."""
        os.rename(self.path, self._directory.file(name))
        self._path = None

    def discard(self) -> None:
        """Close, and unlink the file unless it was renamed."""
        self._close()
        path, self._path = self._path, None
        if path is not None:
            # Gone already when an interrupt came just behind the rename.
            with suppress(FileNotFoundError):
                os.unlink(path)

    def _drain(self) -> None:
        write_all(self._fd, self._pending, self.path)
        self._pending.clear()

    def _close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.discard()


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


def read_list_bytes(directory: str | os.PathLike[str]) -> bytes | None:
    """The bytes of the `tables.list` in `directory`, or None if there is none.

    Raises `FormatError` for what is no regular file, or larger than any stack needs, and `OSError`.
    """
    try:
        fd = open_regular(os.path.join(directory, TABLES_LIST), TABLES_LIST)
    except FileNotFoundError:
        return None
    try:
        return _list_bytes(fd)
    finally:
        os.close(fd)


def read_table_list(directory: str | os.PathLike[str]) -> list[str]:
    """The names in the `tables.list` in `directory`, oldest first; none if there is no such file.

    Raises `FormatError`, `OSError`.
    """
    return parse_table_list(read_list_bytes(directory) or b"").require_names()


def _identity(found: os.stat_result) -> tuple[int, ...]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _list_bytes(fd: int) -> bytes:
    size = os.fstat(fd).st_size
    check_list_size(size, 0)
    data = os.pread(fd, size, 0)
    check_list_size(len(data), data.count(b"\n"))
    return data

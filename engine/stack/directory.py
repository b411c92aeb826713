"""The directory of a stack: `tables.list`, and the tables that it names.

`tables.list` holds the names of the tables, oldest first, a line each. It is only ever replaced as a whole,
by renaming its lock onto it, so a reader sees one stack or the next and nothing between. Tables never change.

Reading it races with writers (`load`):

 1. open the list and read it. While it is open, no other file can get its inode number, so that one
    `stat` tells later whether the list is still the same;
 2. open the tables that it names, but those that are open already. One that is missing was removed by a
    compaction that came behind step 1: then the list is another one by now, and is read again. If it is
    the same list still, the table is lost;
 3. take over list and tables. Tables that are not listed any more stay open for their readers;
 4. remove the files of those that a compaction has replaced, as git does: the process that compacted them may
    have died before it could. None of them is listed again behind step 1, since a name never returns: what
    puts a table back, an undo or a repair, gives it another one.

What to write, and when, is decided in `addition.py`, `compactor.py` and `cleaning.py`.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import ClassVar, Final

from engine.closing import Closing
from engine.errors import (
    ApiError,
    Cancelled,
    CommittedError,
    FormatError,
    MissingTableError,
    OutdatedError,
    ReftableError,
    RepositoryError,
    in_words,
)
from engine.format import (
    TABLES_LIST,
    HashId,
    check_list_size,
    format_table_name,
    is_table_file,
    pack_table_list,
    parse_table_list,
)
from engine.merge import MergedTable
from engine.stack.durable import sync_directory
from engine.stack.lock import LOCK_SUFFIX, LockFile, jitter
from engine.stack.options import StackOptions
from engine.stack.temporary import TemporaryTable, unused_table_name
from engine.system import POSIX
from engine.table import RegularFile, Table, WriteOptions

_RELOAD_SECONDS: Final = 3.0

HOW_TO_BEGIN_ANEW: Final = (
    "put back a copy of the directory, or begin anew with `git symbolic-ref HEAD refs/heads/main`"
)
LOST_WITH_ALL_TABLES: Final = f"there is no table, not even one with HEAD: {HOW_TO_BEGIN_ANEW}"
"""What is wrong with an empty stack of a repository, since git writes at least HEAD into each."""


class StackDirectory(Closing):
    """The tables that `tables.list` named when it was last read, and the files they lie in.

    `tables`, oldest first, are replaced as a whole; `merged` is all of them as one. `held` are the tables
    that it has locked for longer than one change (see `Stack.hold`).
    """

    __slots__ = (
        "_commits",
        "_is_closed",
        "_list",
        "_list_status",
        "before_change",
        "held",
        "merged",
        "options",
        "path",
        "read_only",
        "tables",
    )
    table_type: ClassVar[type[Table]] = Table

    def __init__(self, path: str | os.PathLike[str], options: StackOptions, *, read_only: bool) -> None:
        self.path = os.fspath(path)
        self.options = options
        self.read_only = read_only
        self.tables: tuple[Table, ...] = ()
        self.merged = MergedTable(())
        self.held: frozenset[str] = frozenset()
        self.before_change: Callable[[bytes], None] = lambda _: None
        self._list: RegularFile | None = None
        self._list_status: os.stat_result | None = None
        self._commits = 0
        self._is_closed = False
        if not stat.S_ISDIR(os.stat(self.path).st_mode):
            raise NotADirectoryError(20, "a stack is a directory", self.path)
        self.load()
        if not read_only and not self.names:
            self.require_list()

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
        """What `tables.list` names now; nothing if there is no such file. Raises `FormatError`, `OSError`."""
        return parse_table_list(read_list_bytes(self.path) or b"").require_names()

    def require_open(self) -> None:
        """Raise `ApiError` for a handle that is closed: what it opened now, nothing would close."""
        if self._is_closed:
            raise ApiError(f"{self.path} is used after it was closed")

    def is_current(self) -> bool:
        """Whether `tables.list` is still the one that was loaded: one stat, as a rule."""
        if self._list_status is not None:
            try:
                now = os.stat(self.list_path)
            except FileNotFoundError:
                return not self.tables
            # The file is replaced as a whole, and its inode cannot be used again while we hold it
            # open: the same inode is the same file. Size and time are for a list that is
            # changed in place, with an editor.
            if _identity(now) == _identity(self._list_status):
                return True
        return self.read_list() == self.names

    def require_current(self) -> None:
        """Raise `OutdatedError` unless `tables.list` is still the one that was loaded."""
        if not self.is_current():
            raise OutdatedError(self.list_path, "the stack has changed since it was read: reload it")

    def load(self, opened: Iterable[Table] = ()) -> None:
        """Read the list and open what it names, but tables that are open already, here or as `opened`.

        When that fails, what was loaded before stays usable. Raises `FormatError`,
        `MissingTableError`, `OSError`, `ApiError` once closed.
        """
        self.require_open()
        deadline = time.monotonic() + _RELOAD_SECONDS
        pause = 0.001
        while True:
            try:
                file = RegularFile.open(self.list_path, TABLES_LIST)
            except FileNotFoundError:
                file = None
            names = parse_table_list(_list_bytes(file)).require_names() if file is not None else []
            try:
                tables = self._open_tables(names, opened)
            except MissingTableError:
                # A compaction may have unlinked it after we read the list: then the list differs.
                if self.read_list() == names or time.monotonic() > deadline:
                    raise
            else:
                merged, replaced = MergedTable(tables), self._replaced(tables)
                self._list_status = None if file is None else file.status
                # Held open it could not be replaced there; no other file gets its number that soon.
                self._list = file if POSIX else None
                self.tables, self.merged = tables, merged
                # Their files stay open for the iterators that still read them.
                self.unlink(replaced)
                return
            time.sleep(pause * jitter(0.5, 1.5))
            pause *= 2

    def _open_tables(self, names: Sequence[str], opened: Iterable[Table] = ()) -> tuple[Table, ...]:
        known = {table.name: table for table in (*self.tables, *opened)}
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
            return self.table_type.open(self.file(name), name)
        except FileNotFoundError:
            raise MissingTableError(name) from None

    def _replaced(self, listed: Sequence[Table]) -> set[str]:
        """The tables at hand that are listed no more because a compaction replaced them.

        A list that is gone, has lost a line, or is an older one that was put back, does not name them either.
        What a compaction replaced, a larger one covers that has come since.
        """
        before = {table.name for table in self.tables}
        names = {table.name for table in listed}
        new = [(one.min_update_index, one.max_update_index) for one in listed if one.name not in before]
        return {
            table.name
            for table in self.tables
            if table.name not in names
            for low, high in new
            if low <= table.min_update_index <= table.max_update_index <= high
            and (low, high) != (table.min_update_index, table.max_update_index)
        }

    def unlink(self, names: Iterable[str]) -> None:
        """Remove tables, but those that the list names: it has the last word.

        An interrupt may have come just behind the rename that made them part of the stack; and an older list
        that was put back by hand may name what a compaction has replaced.
        """
        names = set(names)
        if self.read_only or not names:
            return
        try:
            names -= set(self.read_list())
        except (FormatError, OSError):
            return
        # The oldest first, and none behind one that stays: a tombstone lies in a newer table than what it
        # hides, and tells what becomes of an orphan. What stays is for `clean` to find: no failure now.
        with suppress(OSError):
            for name in sorted(names):
                with suppress(FileNotFoundError):
                    os.unlink(self.file(name))

    def close(self) -> None:
        """Close all files; remove tables that the compaction of another process has replaced."""
        self._is_closed = True
        if not self.read_only and self.tables:
            with suppress(FormatError, MissingTableError, OSError):
                replaced = self._replaced(self._open_tables(self.read_list()))
                for table in () if POSIX else self.tables:
                    table.close()
                self.unlink(replaced)
        for table in self.tables:
            table.close()
        self._list, self._list_status, self.tables = None, None, ()

    def lock_list(self) -> LockFile:
        """Lock `tables.list`. Raises `LockError`, and `ApiError` on a stack opened read-only, or closed."""
        self.require_open()
        if self.read_only:
            raise ApiError(f"{self.path} was opened read-only")
        lock = LockFile(self.list_path, timeout_ms=self.options.lock_timeout_ms, mode=self._mode())
        self.require_list(locked=True)
        return lock

    def require_stack(self) -> None:
        """As the function, which is not asked where a list was read."""
        if self._list_status is None:
            require_stack(self.path)

    def require_list(self, *, locked: bool = False) -> None:
        """Raise `FormatError` for a list that is missing or empty although there are tables, or should be.

        What is added to a stack that has lost its list would hide all that it held. Unless the caller has
        `locked` the list, other processes may be at work:

         1. a list that names a table is no loss; no table in the directory is one in a repository alone;
         2. a table that is locked is none either: a compaction that left nothing is about to remove it;
         3. while the list is locked, its first table may be there already. Once it is not, the list names it.
        """
        if self.read_list():
            return
        has_tables = any(map(self._is_left, os.listdir(self.path)))
        if not has_tables and not is_of_repository(self.path):
            return
        if not locked and (os.path.lexists(self.list_path + LOCK_SUFFIX) or self.read_list()):
            return
        what = "names no table" if os.path.lexists(self.list_path) else "is missing"
        if has_tables:
            raise FormatError(TABLES_LIST, None, f"{what}, but there are tables")
        self.require_stack()  # or another directory of the repository
        raise FormatError(TABLES_LIST, None, LOST_WITH_ALL_TABLES)

    def _is_left(self, name: str) -> bool:
        """Whether a file is a table that is not locked, looking for the lock first: it outlives the table."""
        path = self.file(name)
        return is_table_file(name) and not os.path.lexists(path + LOCK_SUFFIX) and os.path.lexists(path)

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
        return TemporaryTable(self.path, name, self._mode())

    def table_name(self, min_update_index: int, max_update_index: int) -> str:
        """A name for a new table of this range, which no file has yet. Raises `ApiError` if there is none."""
        return unused_table_name(
            (min_update_index, max_update_index),
            self.options.suffix,
            lambda name: os.path.lexists(self.file(name)),
        )

    def install(self, lock: LockFile, names: Sequence[str]) -> None:
        """Make `names` the content of `tables.list`. When this returns, it has happened.

        The directory is made durable first: a list must not outlive a crash that the tables it names did not.
        """
        data = pack_table_list(list(names))
        lock.write(data)
        sync_directory(self.path)
        self.before_change(data)
        lock.commit()
        self._commits += 1

    @contextmanager
    def telling_of_commits(self) -> Iterator[None]:
        """Raise what fails in it behind a commit, such as removing a lock, as `CommittedError`."""
        before = self._commits
        try:
            yield
        except (ReftableError, OSError, Cancelled) as error:
            if self._commits == before or isinstance(error, CommittedError):
                raise
            raise CommittedError(self.list_path, in_words(error) or "it was stopped") from error

    def follow(self, added: Iterable[Table] = ()) -> None:
        """Load the list that was just installed, with tables that are open already."""
        sync_directory(self.path)
        self.load(added)


def require_stack(directory: str | os.PathLike[str]) -> None:
    """Raise `RepositoryError` for a directory that has files, but none of a stack; and `OSError`.

    Taken for an empty stack, it would hide all that the stack which was meant holds. That of a repository has
    lost its files.
    """
    path, inside = os.fspath(directory), os.listdir(directory)
    if not inside or any(name.startswith((TABLES_LIST, "0x")) or name.endswith(".ref") for name in inside):
        return
    if os.path.basename(os.path.abspath(path)) == "reftable" and is_of_repository(path):
        return
    for stack in ("reftable", ".git/reftable", "../reftable"):
        meant = os.path.normpath(os.path.join(path, stack))
        if os.path.isdir(meant) and not os.path.samefile(meant, path):
            raise RepositoryError(f"{path} is no stack: the stack of its repository is {meant}")
    raise RepositoryError(f"{path} is no stack; `find_repository` finds that of a repository")


def is_of_repository(directory: str | os.PathLike[str]) -> bool:
    """Whether this is the stack of a repository or of a linked worktree: git writes at least HEAD into it."""
    # A link may lead out of the repository, or into it.
    parents = {os.path.dirname(of(directory)) for of in (os.path.abspath, os.path.realpath)}
    return any(map(_is_git_directory, parents))


def _is_git_directory(path: str) -> bool:
    has_head, *others = (
        os.path.lexists(os.path.join(path, name)) for name in ("HEAD", "objects", "commondir")
    )
    return has_head and any(others)


def read_list_bytes(directory: str | os.PathLike[str], name: str = TABLES_LIST) -> bytes | None:
    """The bytes of the `tables.list` in `directory`, or of another list there, or None if there is none.

    Raises `FormatError` for what is no regular file, or larger than any stack needs, and `OSError`.
    """
    try:
        return _list_bytes(RegularFile.open(os.path.join(directory, name), name))
    except FileNotFoundError:
        return None


def _identity(found: os.stat_result) -> tuple[int, ...]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _list_bytes(file: RegularFile) -> bytes:
    check_list_size(file.size, 0)
    data = file.read(0, file.size)
    check_list_size(len(data), data.count(b"\n"))
    return data

"""A stack of which everything readable is shown, whatever is wrong with it.

`open_readable` opens anything that is a directory. What git would open is opened as git would, and its tables
are read past damaged blocks. Otherwise

    tables.list     counts line by line; where it names no file that is there, or nothing at all, all table
                    files of the directory are shown, in the order of their update indexes
    a listed table  keeps its place in the order, and is salvaged if there is a file

A table that cannot be read whole may hold a newer version of what older tables hold, or one of which a part
is damaged: `in_doubt` says when.

Nothing here writes, locks, or repairs.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from engine.closing import Closing
from engine.errors import ApiError, FormatError, ReftableError, in_words
from engine.format import (
    TABLES_LIST,
    HashId,
    ListFault,
    is_table_file,
    limits_in_name,
    parse_table_list,
)
from engine.merge import MergedTable
from engine.readable.table import BrokenTable, OpenError, ReadableTable, no_shortage, open_table
from engine.stack import (
    LOST_WITH_ALL_TABLES,
    ReadStack,
    StackDirectory,
    StackOptions,
    is_of_repository,
    read_list_bytes,
    require_stack,
)
from engine.table import Table


class _TolerantDirectory(StackDirectory):
    """A stack's directory whose tables are read past damaged blocks."""

    __slots__ = ()
    table_type = ReadableTable


def damage_met(tables: Sequence[Table]) -> dict[str, OpenError]:
    """What is wrong with those of these tables that are damaged, by name: as far as reading has met it."""
    readable = [table for table in tables if isinstance(table, ReadableTable)]
    return {table.name: table.loss() for table in readable if table.fault is not None or table.losses}


def in_doubt(tables: Sequence[Table | None], position: int, name: bytes) -> bool:
    """Whether a table newer than the one at `position` may have lost a version of the ref `name`.

    Or damage may have reached into the one of that table. As far as damage is known (see
    `ReadableTable.may_have_lost`); reads nothing. -1 asks all tables; None is a table that is not asked.
    """
    own = tables[position] if position >= 0 else None
    losses = own.losses if isinstance(own, ReadableTable) else None
    if losses is not None and losses.doubts(name):
        return True
    newer = (table for table in tables[position + 1 :] if isinstance(table, ReadableTable))
    return any(table.may_have_lost(name) for table in newer)


class _Contents(NamedTuple):
    """What a stack shows, as `ReadableStack` has it; `seen` is the state of a directory that has faults."""

    tables: tuple[Table, ...]
    merged: MergedTable
    hash_id: HashId
    faults: tuple[OpenError, ...] = ()
    is_guessed: bool = False
    seen: tuple[object, ...] = ()


class ReadableStack(Closing, ReadStack):
    """What can be read of a stack, read-only; a context manager that closes its files.

    `tables`, oldest first, are `merged` into one; `hash_id` is their hash function. `faults` keep it from
    being opened as a stack, that of the list first. `is_guessed` when the list does not say which tables
    there are, or not all of them could be found by it.

    Tables and merged views taken from it stay good when it is reloaded, for as long as they are used.
    One object is for one thread at a time; its tables are for any.
    """

    def __init__(
        self, directory: str | os.PathLike[str], options: StackOptions, names: Sequence[str] | None = None
    ) -> None:
        """As `open_readable`."""
        self.directory = Path(directory)
        self.options = options
        self._names = names
        self._directory: _TolerantDirectory | None = None
        self._is_closed = False
        self._show(self._opened())

    def _show(self, now: _Contents) -> None:
        self.tables, self.merged, self._hash_id, self.faults, self.is_guessed, self._seen = now

    @property
    def hash_id(self) -> HashId:
        """The hash function of its tables; of a stack without any, that of the options, or SHA-1."""
        return self._hash_id

    def damage_met(self) -> list[OpenError]:
        """The faults, and the damage that reading has met in tables that open."""
        tables = [table for table in self.tables if isinstance(table, ReadableTable) and table.fault is None]
        return [*self.faults, *damage_met(tables).values()]

    def meet_damage(self) -> None:
        """Read until all damage is met: what is read of the tables does not change any more behind this."""
        for table in self.tables:
            if isinstance(table, ReadableTable):
                table.meet_damage()

    def require_tables(self) -> None:
        """Raise the first fault of a stack of which there is no table to read."""
        if self.faults and not self.tables:
            raise self.faults[0]

    def reload(self, *, accept_broken: bool = True) -> bool:
        """Look at the stack again; whether there is anything else to see now.

        Raises `ReftableError` for a stack that was sound and is broken now, unless `accept_broken`, or no
        table of it is missing; `OSError`; and `ApiError` once closed. Then, it stays as it was.
        """
        if self._is_closed:
            raise ApiError(f"{self.directory} is used after it was closed")
        if self.faults:
            if _signature(os.fspath(self.directory)) == self._seen:
                return False
        elif (
            self._directory is not None
            and self._directory.is_current()
            and self._directory.tables == self.tables  # after an error it may have loaded what is not shown
        ):
            return False
        now = self._opened(accept_broken=accept_broken)
        if now.faults and not (self.faults or accept_broken) and _names(now.tables) < _names(self.tables):
            for table in now.tables:
                table.close()
            raise now.faults[0]
        self._show(now)
        return True

    def close(self) -> None:
        """Close the tables."""
        self._is_closed = True
        for table in self.tables:
            table.close()
        if self._directory is not None:
            self._directory.close()

    def _opened(self, *, accept_broken: bool = True) -> _Contents:
        """What git would open, if there is a table in it; otherwise what can be read."""
        if self._names is not None:
            return _whatever_is_there(os.fspath(self.directory), self.options, self._names)
        empty: _Contents | None = None
        try:
            if self._directory is None:
                self._directory = _TolerantDirectory(self.directory, self.options, read_only=True)
            else:
                self._directory.load()
            opened = self._directory
            sound = _Contents(opened.tables, opened.merged, opened.hash_id)
            if sound.tables:
                return sound
            empty = sound
        except (ReftableError, OSError) as error:
            if not accept_broken:
                raise
            if isinstance(error, OSError):
                no_shortage(error)
        found = _whatever_is_there(os.fspath(self.directory), self.options)
        if found.tables or empty is None:
            return found
        if is_of_repository(self.directory):
            return found._replace(faults=(FormatError(TABLES_LIST, None, LOST_WITH_ALL_TABLES),))
        return empty


def open_readable(
    directory: str | os.PathLike[str],
    options: StackOptions | None = None,
    *,
    names: Sequence[str] | None = None,
) -> ReadableStack:
    """Open what can be read of the stack in `directory`, whatever its files hold.

    With `names`, these are its tables, whatever lists them: those of a snapshot. Raises `RepositoryError` for
    a directory of other things; `OSError` when there is no such directory, when it cannot be listed, or when
    no more files can be opened; and nothing else.
    """
    stack = ReadableStack(directory, options or StackOptions(), names)
    if names is None and not stack.tables:
        require_stack(directory)
    return stack


def _whatever_is_there(path: str, options: StackOptions, names: Sequence[str] | None = None) -> _Contents:
    """What can be read of the tables that are listed, or of these. Raises `OSError`."""
    seen = _signature(path)
    list_fault: OpenError | None = None
    is_guessed = False
    files: list[str] = []
    if names is None:
        files = sorted(filter(is_table_file, os.listdir(path)))
        names, list_fault = _listed(path)
    if files and not set(files).intersection(names):
        why = "names no table that is there" if names else "names no table"
        if not names and list_fault is not None:
            why = list_fault.reason if isinstance(list_fault, FormatError) else in_words(list_fault)
        what = f"{why}; the {len(files)} table files of the directory are shown, by their update indexes"
        list_fault, is_guessed = FormatError(TABLES_LIST, None, what), True
    looked_at = chain(names, files) if is_guessed else names
    assumed = options.hash_id or HashId.SHA1
    opened = {name: open_table(os.path.join(path, name), name, assumed) for name in looked_at}
    if is_guessed:
        names = sorted({*names, *files}, key=lambda name: _by_update_index(opened[name]))
    hash_id = _common_hash(options, opened)
    tables = _all_tables(names, opened, hash_id)
    faults = [table.fault for table in tables if table.fault is not None]
    if options.hash_id not in (None, hash_id):
        what = f"a {hash_id} table, {options.hash_id} is wanted; so are all that can be read"
        faults.insert(0, FormatError(next(iter(opened)), None, what))
    if list_fault is not None:
        faults.insert(0, list_fault)
    return _Contents(tables, MergedTable(tables), hash_id, tuple(faults), is_guessed, seen)


def _names(tables: Sequence[Table]) -> set[str]:
    return {table.name for table in tables}


def _signature(path: str) -> tuple[object, ...]:
    """What tells one state of the directory from another: the list and the tables. Raises `OSError`."""
    names = [TABLES_LIST, *sorted(filter(is_table_file, os.listdir(path)))]
    found: list[object] = []
    for name in names:
        with suppress(FileNotFoundError):
            status = os.lstat(os.path.join(path, name))
            found.append((name, status.st_ino, status.st_size, status.st_mtime_ns, status.st_mode))
    return tuple(found)


def _listed(path: str) -> tuple[list[str], OpenError | None]:
    """The names in `tables.list`, each line for itself, and the first thing that is wrong with it."""
    try:
        data = read_list_bytes(path)
    except (FormatError, OSError) as error:
        return [], no_shortage(error)
    if data is None:
        return [], FormatError(TABLES_LIST, None, "there is no such file")
    listed = parse_table_list(data)
    return listed.names, listed.first_error(frozenset(ListFault) - {ListFault.BLANK_LINE})


def _by_update_index(table: ReadableTable) -> tuple[int, int, str]:
    """What orders the tables of a directory: newest last, and behind them those of unknown update index."""
    if table.fault is None:
        return table.max_update_index, -table.min_update_index, table.name
    limits = limits_in_name(table.name)
    return (limits[1], -limits[0], table.name) if limits else (2**64, 0, table.name)


def _common_hash(options: StackOptions, opened: dict[str, ReadableTable]) -> HashId:
    """The hash function that is stated, if any table has it; otherwise that of most tables."""
    stated = options.hash_id
    hashes = [one.hash_id for one in opened.values() if one.fault is None]
    if stated is not None and (stated in hashes or not hashes):
        return stated
    return max(hashes, key=hashes.count, default=HashId.SHA1)


def _all_tables(
    names: Sequence[str], opened: dict[str, ReadableTable], hash_id: HashId
) -> tuple[ReadableTable, ...]:
    """These tables; those that do not open, or are of another hash function, are described by the others."""
    tables: list[ReadableTable] = []
    for name in names:
        one = opened[name]
        before = tables[-1].max_update_index if tables else 0
        fault = one.fault
        if fault is not None:
            one = BrokenTable(one.path, name, fault, hash_id, before)
        if one.hash_id is not hash_id:
            fault = fault or FormatError(name, None, f"a {one.hash_id} table among tables of {hash_id}")
            one = BrokenTable(one.path, name, fault, hash_id, before, is_read=False)
        tables.append(one)
    return tuple(tables)

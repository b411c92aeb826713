"""A stack of which everything readable is shown, whatever is wrong with it.

Two ways lead to `ReadableTable`s, and `open_best` takes the right one. `open_tolerant` opens what git would
open, and reads past damaged blocks. `open_readable` opens anything that is a directory:

    tables.list     each line that can be a name; where it names no file that is there, or nothing at all, the
                    table files of the directory stand in, in the order of their update indexes
    a listed table  as itself where it opens; otherwise something stands in for it, which is salvaged
                    where there is a file, and keeps its place in the order

A table that cannot be read whole may hold a newer version of what older tables hold: `in_doubt` says when.

Nothing here writes, locks, or repairs: that is `repair.py`'s.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from engine.errors import FormatError, MissingTableError, ReftableError
from engine.format import (
    TABLES_LIST,
    HashId,
    Header,
    ListFault,
    is_table_file,
    parse_table_list,
    parse_table_name,
)
from engine.merge import MergedTable
from engine.readable.table import Fault, ReadableTable, StandIn
from engine.salvage import header_to_go_by
from engine.stack import Stack, StackDirectory, StackOptions, read_list_bytes
from engine.table import Table, open_regular

__all__ = [
    "Fault",
    "ReadableStack",
    "damage_met",
    "in_doubt",
    "open_best",
    "open_readable",
    "open_tolerant",
    "readable_tables",
]

_OUT_OF_FILES: Final = {errno.EMFILE, errno.ENFILE}


class _TolerantDirectory(StackDirectory):
    """A stack's directory whose tables are read past damaged blocks."""

    __slots__ = ()

    def open_table(self, name: str) -> Table:
        try:
            return ReadableTable.open(self.file(name), name)
        except FileNotFoundError:
            raise MissingTableError(name) from None


def open_tolerant(directory: str | os.PathLike[str], options: StackOptions) -> Stack:
    """A read-only stack whose tables show what is readable of damaged blocks. Raises as `Stack.open` does."""
    return Stack(_TolerantDirectory(directory, options, read_only=True))


def open_best(directory: str | os.PathLike[str], options: StackOptions) -> Stack | ReadableStack:
    """The stack, or what can be read of one that is broken or whose list has lost all of its tables.

    Raises `ReftableError` for a stack of which there is no table to read, and `OSError`.
    """
    stack: Stack | None = None
    broken: ReftableError | None = None
    try:
        stack = open_tolerant(directory, options)
    except ReftableError as error:
        broken = error
    if stack is not None and stack.tables:
        return stack
    readable = open_readable(directory, options)
    if stack is not None and not readable.tables:
        readable.close()
        return stack
    if broken is not None and not readable.tables:
        readable.close()
        raise broken
    return readable


def damage_met(tables: Sequence[Table]) -> dict[str, Fault]:
    """What is wrong with those of these tables that are damaged, by name: as far as reading has met it."""
    readable = [table for table in tables if isinstance(table, ReadableTable)]
    return {table.name: table.loss() for table in readable if table.fault is not None or table.losses}


def in_doubt(tables: Sequence[Table | None], position: int, name: bytes) -> bool:
    """Whether a table newer than the one at `position` may have lost a version of the ref `name`.

    As far as damage is known (see `ReadableTable.may_have_lost`); reads nothing. -1 asks all tables; None
    stands for one that is not to be asked.
    """
    for number in range(position + 1, len(tables)):
        table = tables[number]
        if isinstance(table, ReadableTable) and table.may_have_lost(name):
            return True
    return False


@dataclass(slots=True)
class ReadableStack:
    """What can be read of a stack; a context manager that closes its files.

    `faults` are what keeps it from being opened as one, the list's first, then those of the tables. With
    `is_guessed` the list did not say which tables there are, or not all of them could be found by it.
    """

    directory: Path
    options: StackOptions
    hash_id: HashId
    tables: tuple[ReadableTable, ...]
    merged: MergedTable
    faults: tuple[Fault, ...]
    is_guessed: bool
    _seen: tuple[object, ...]

    def has_changed(self) -> bool:
        """Whether the list, or a file of a table, differs from when the stack was opened; a stat for each."""
        return _signature(os.fspath(self.directory)) != self._seen

    def in_doubt(self, position: int, name: bytes) -> bool:
        """Whether the version of the ref `name` in the table at `position` may not be the newest."""
        return in_doubt(self.tables, position, name)

    def close(self) -> None:
        """Close the tables."""
        for table in self.tables:
            table.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_readable(directory: str | os.PathLike[str], options: StackOptions | None = None) -> ReadableStack:
    """Open what can be read of the stack in `directory`, whatever its files hold.

    Raises `OSError` when there is no such directory, when it cannot be listed, or when no more files
    can be opened, and nothing else.
    """
    path = os.fspath(directory)
    seen = _signature(path)
    files = sorted(filter(is_table_file, os.listdir(path)))
    names, list_fault = _listed(path)
    present = set(files)
    is_guessed = False
    if not present.intersection(names) and files:
        why = "names no table that is there" if names else "names no table"
        if not names and list_fault is not None:
            why = list_fault.reason if isinstance(list_fault, FormatError) else str(list_fault)
        what = f"{why}; the {len(files)} table files of the directory are shown, by their update indexes"
        list_fault, is_guessed = FormatError(TABLES_LIST, None, what), True
    opened: dict[str, Table | Fault] = {}
    try:
        for name in chain(names, files) if is_guessed else names:
            opened[name] = _opened(path, name)
        if is_guessed:
            names = sorted({*names, *files}, key=lambda name: _age(name, opened[name]))
        hash_id = _common_hash(options, opened)
        tables = _all_tables(path, names, opened, hash_id)
    except BaseException:
        _close(opened)
        raise
    faults = [table.fault for table in tables if table.fault is not None]
    if options is not None and options.hash_id not in (None, hash_id):
        what = f"a {hash_id} table, {options.hash_id} is wanted; so are all that can be read"
        faults.insert(0, FormatError(next(iter(opened)), None, what))
    return ReadableStack(
        Path(path),
        options or StackOptions(),
        hash_id,
        tables,
        MergedTable(tables),
        (*([list_fault] if list_fault is not None else []), *faults),
        is_guessed,
        seen,
    )


def readable_tables(directory: str | os.PathLike[str], names: Sequence[str]) -> tuple[ReadableTable, ...]:
    """The tables of these names, each as far as it can be read, whatever lists them: those of a snapshot.

    What is missing, or of another hash function than most, is stood in for. Whoever asks for them closes
    them. Raises `OSError` when no more files can be opened.
    """
    path = os.fspath(directory)
    opened: dict[str, Table | Fault] = {}
    try:
        for name in names:
            opened[name] = _opened(path, name)
        return _all_tables(path, names, opened, _common_hash(None, opened))
    except BaseException:
        _close(opened)
        raise


def _close(opened: dict[str, Table | Fault]) -> None:
    for one in opened.values():
        if isinstance(one, Table):
            one.close()


def _signature(path: str) -> tuple[object, ...]:
    """What tells one state of the directory from another: the list and the tables. Raises `OSError`."""
    names = [TABLES_LIST, *sorted(filter(is_table_file, os.listdir(path)))]
    found: list[object] = []
    for name in names:
        with suppress(FileNotFoundError):
            status = os.lstat(os.path.join(path, name))
            found.append((name, status.st_ino, status.st_size, status.st_mtime_ns, status.st_mode))
    return tuple(found)


def _listed(path: str) -> tuple[list[str], Fault | None]:
    """The names in `tables.list`, each line for itself, and the first thing that is wrong with it."""
    try:
        data = read_list_bytes(path)
    except FormatError as error:
        return [], error
    except OSError as error:
        _require_descriptors(error)
        return [], error
    if data is None:
        return [], FormatError(TABLES_LIST, None, "there is no such file")
    listed = parse_table_list(data)
    return listed.names, listed.first_error(frozenset(ListFault) - {ListFault.BLANK_LINE})


def _require_descriptors(error: OSError) -> None:
    """That no more files can be opened is no fault of any of them."""
    if error.errno in _OUT_OF_FILES:
        raise error


def _opened(path: str, name: str) -> Table | Fault:
    try:
        return ReadableTable.open(os.path.join(path, name), name)
    except FileNotFoundError:
        return MissingTableError(name)
    except FormatError as error:
        return error
    except OSError as error:
        _require_descriptors(error)
        return error


def _age(name: str, opened: Table | Fault) -> tuple[int, int, str]:
    """What orders the tables of a directory: newest last. What tells no update index comes last."""
    if isinstance(opened, Table):
        return opened.max_update_index, -opened.min_update_index, name
    parts = parse_table_name(name)
    return (parts.max_update_index, -parts.min_update_index, name) if parts else (2**64, 0, name)


def _common_hash(options: StackOptions | None, opened: dict[str, Table | Fault]) -> HashId:
    """The hash function that is stated, if any table has it; otherwise that of most tables."""
    stated = options.hash_id if options is not None else None
    hashes = [one.hash_id for one in opened.values() if isinstance(one, Table)]
    if stated is not None and (stated in hashes or not hashes):
        return stated
    return max(hashes, key=hashes.count, default=HashId.SHA1)


def _all_tables(
    path: str, names: Sequence[str], opened: dict[str, Table | Fault], hash_id: HashId
) -> tuple[ReadableTable, ...]:
    tables: list[ReadableTable] = []
    for name in names:
        one = opened[name]
        if isinstance(one, ReadableTable) and one.hash_id is hash_id:
            tables.append(one)
            continue
        if isinstance(one, ReadableTable):
            fault: Fault = FormatError(name, None, f"a {one.hash_id} table among tables of {hash_id}")
            one.close()
        else:
            assert not isinstance(one, Table)  # noqa: S101 - only readable ones are opened
            fault = one
        before = tables[-1].max_update_index if tables else 0
        tables.append(_stand_in(path, name, fault, hash_id, before))
    return tuple(tables)


def _stand_in(path: str, name: str, fault: Fault, hash_id: HashId, before: int) -> StandIn:
    """What stands for a table that does not open; `before` is the highest update index of those older."""
    parts = parse_table_name(name)
    low, high = (parts.min_update_index, parts.max_update_index) if parts else (before, before)
    shown = Header(hash_id.version, 0, min(low, high), max(low, high), hash_id)
    file = os.path.join(path, name)
    try:
        header, is_certain = header_to_go_by(path, name, hash_id, None)
        fd = open_regular(file, name)
    except OSError as error:
        _require_descriptors(error)
        return StandIn(-1, file, name, fault, shown, None)
    except FormatError:
        return StandIn(-1, file, name, fault, shown, None)
    if header.hash_id is not hash_id:
        return StandIn(fd, file, name, fault, shown, None)
    if is_certain:
        shown = replace(header, version=header.hash_id.version)
        return StandIn(fd, file, name, fault, shown, header)
    # Nothing tells the update indexes: names and values can be read all the same.
    return StandIn(fd, file, name, fault, shown, replace(header, min_update_index=shown.min_update_index))

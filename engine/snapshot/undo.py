"""Going back to a snapshot: a change like any other, with an older list.

 1. lock `tables.list`: no other process changes the list from here on;
 2. see that the stack is as the change left it that is undone; a change of another process is not taken back
    unless that is asked for;
 3. give the tables that come back names that no table has had, and take a snapshot of the stack as it is now,
    which undoes this and holds these names. Under the lock, so that it holds just what is replaced;
 4. put back the files that are missing or differ, the newest first, each in one rename. A process that reads
    the list in force does not look at them. A crash leaves tombstones with what they hide: what a compaction
    has dropped is then not taken for records that the list has lost (see `stack/coverage.py`);
 5. rename the lock, which has the older list in it, onto the list. Before this the one stack is there, behind
    it the other, and other processes may change it again;
 6. remove what the list named before, as far as a snapshot holds it, or what was put back in vain, the oldest
    first. The list is read again for this: others may name these tables, and an interrupt may have come on
    either side of 5;
 7. note in the new snapshot what the list names now.

A crash before 7 leaves a snapshot that does not know how its change ended: `left_by_undo` tells by that which
tables are left over from 6.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Final

from engine.errors import FormatError, OutdatedError
from engine.format import TABLES_LIST, limits_in_name, parse_table_list
from engine.snapshot.files import is_same_file, names_in, put_file, sha256, verify
from engine.snapshot.manifest import Snapshot, first_names, list_snapshots, names_known
from engine.snapshot.snapshot import settle, take_snapshot
from engine.stack import (
    DEFAULT_LOCK_TIMEOUT_MS,
    LockFile,
    StackOptions,
    read_list_bytes,
    sync_directory,
    unused_table_name,
)
from engine.system import POSIX, file_name, name_bytes, remove_unless_open, replace_waiting

_UNDO: Final = "undo"


class _History:
    """What the snapshots of a stack tell of the names of its tables.

    A name never returns, so that an undo gives a table another one: states of the stack are compared by the
    names that the tables had at first.
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self.stack = Path(directory)
        self.snapshots = list_snapshots(directory)
        self._first = first_names(self.snapshots)

    def first(self, name: str) -> str:
        """The name that a table had at first."""
        return self._first.get(name, name)

    def names_of(self, name: str) -> set[str]:
        """All names that a table has had."""
        return {name, *(new for new in self._first if self.first(new) == self.first(name))}

    @cached_property
    def _now(self) -> bytes | None:
        return self._state(read_list_bytes(self.stack))

    def _state(self, data: bytes | None) -> bytes | None:
        return None if data is None else _with_names(data, self._first)

    def is_at(self, snapshot: Snapshot) -> bool:
        """Whether the list is that of the snapshot, by the first names; not if that cannot be read."""
        now = self._now
        with suppress(FormatError, OSError):
            return self._state(snapshot.list_bytes()) == now
        return False

    def held_as(self, snapshot: Snapshot, name: str, candidates: Iterable[str]) -> str | None:
        """The first of the files in the stack that is the table which a snapshot holds by this name."""
        for one in candidates:
            if self.first(one) == self.first(name) and _is_there(self.stack / one, snapshot.file(name)):
                return one
        return None


def _with_names(data: bytes, names: Mapping[str, str]) -> bytes:
    """A list with other names in it; a damaged line stays as it is."""
    lines = (file_name(line) for line in data.split(b"\n"))
    return b"\n".join(name_bytes(names.get(line, line)) for line in lines)


def _is_there(path: Path, source: Path) -> bool:
    with suppress(OSError):  # the snapshot may not hold what it took
        return is_same_file(source, path)
    return False


def changes_since(directory: str | os.PathLike[str], snapshot: Snapshot) -> str:
    """What has become of the list since the change behind this snapshot, in words; empty for nothing."""
    history = _History(directory)
    data = read_list_bytes(directory) or b""
    digest = sha256(data)
    if snapshot.after is None:
        # Interrupted before its commit, or behind it: no other list has these bytes, as no name returns.
        if history.is_at(snapshot) or digest in snapshot.intended:
            return ""
        return "it was interrupted, and the list is neither what it was before nor what it was to be"
    names = names_in(data)
    if (*names,) == snapshot.after and snapshot.list_after not in {"", digest}:
        return "the list names the same tables in other bytes"
    now, then = [[history.first(name) for name in some] for some in (names, snapshot.after)]
    if now == then:
        return ""
    new = [name for name in names if history.first(name) not in then]
    gone = [name for name in snapshot.after if history.first(name) not in now]
    parts = [f"{', '.join(names)} {what}" for names, what in ((new, "came since"), (gone, "went")) if names]
    return "; ".join(parts) or "the list names its tables in another order"


def is_as_before(directory: str | os.PathLike[str], snapshot: Snapshot) -> bool:
    """Whether the stack is what it was when the snapshot was taken: going back would change nothing."""
    history = _History(directory)
    if not history.is_at(snapshot):
        return False
    listed = names_in(read_list_bytes(directory))
    return all(history.held_as(snapshot, name, [name, *listed]) for name in snapshot.files)


def left_by_undo(directory: str | os.PathLike[str]) -> frozenset[str]:
    """Tables that an undo which was interrupted has left beside the list; a snapshot holds each of them.

    Those of the list before, if the undo has replaced it: they may reach further than the list in force,
    which therefore looks too old. Otherwise those that it has put back in vain.
    """
    history = _History(directory)
    if not history.snapshots or history.snapshots[0].operation != _UNDO:
        return frozenset()
    undo, *others = history.snapshots
    if undo.after is not None:
        return frozenset()
    listed = names_in(read_list_bytes(directory))
    if history.is_at(undo):
        found = {
            history.held_as(one, name, history.names_of(name).difference(listed))
            for one in others
            for name in one.files
        }
        return frozenset(name for name in found if name is not None)
    if not any(map(history.is_at, others)):
        return frozenset()  # the stack has changed since
    return frozenset(undo.tables).difference(listed)


def left_by_repair(directory: str | os.PathLike[str]) -> frozenset[str]:
    """Files beside the list that a repair has set aside, but could not remove: a snapshot holds each.

    So it does where an undo has put back such a file in vain, under another name. Where the list is what it
    was before the repair, that may be undone: the file then has its place again.
    """
    history = _History(directory)
    listed = names_in(read_list_bytes(directory))
    return frozenset(
        name
        for one in history.snapshots
        if not history.is_at(one)
        for path in _entries(one.lost)
        for name in history.names_of(path.name)
        if name not in listed and _is_there(history.stack / name, path)
    )


def _entries(directory: Path) -> list[Path]:
    """What is in a directory; nothing where it cannot be looked into, or is a link."""
    with suppress(OSError):
        return [] if directory.is_symlink() else [*directory.iterdir()]
    return []


def restore(
    directory: str | os.PathLike[str],
    snapshot: Snapshot,
    now: float,
    *,
    force: bool = False,
    lock_timeout_ms: int = DEFAULT_LOCK_TIMEOUT_MS,
) -> Snapshot | None:
    """Make the stack what it was when `snapshot` was taken; returns the snapshot that undoes this.

    None if only files beside the list came back, which no snapshot takes away again.

    Raises `OutdatedError` when another process has changed the stack since the change that is undone, unless
    `force` is set, `LockError`, `SnapshotError` when the snapshot does not hold what it took, `OSError`.
    The stack is then as it was.
    """
    stack = Path(directory)
    list_path = stack / TABLES_LIST
    verify(snapshot, stack)
    mode = list_path.stat().st_mode & 0o7777 if list_path.exists() else None
    with LockFile(os.fspath(list_path), timeout_ms=lock_timeout_ms, mode=mode) as lock:
        if not force and (changes := changes_since(stack, snapshot)):
            reason = f"the stack has changed since the {snapshot.operation} that is to be undone: {changes}"
            raise OutdatedError(os.fspath(list_path), reason)
        data, history = snapshot.list_bytes(), _History(stack)
        places = _places(history, snapshot, data or b"")
        absent = [name for name, place in places.items() if not _is_there(stack / place, snapshot.file(name))]
        moved = {name for name, place in places.items() if place != name}
        replaced = [name for name in places if name in moved.union(absent) and (stack / name).exists()]
        renamed = {places[name]: history.first(name) for name in moved}
        after = _with_names(data or b"", places)
        before = take_snapshot(stack, _UNDO, now, extra=replaced, renamed=renamed, intended=after)
        installed: list[str] = []
        try:
            for name in sorted(absent, reverse=True):
                target = stack / places[name]
                if not target.exists():
                    installed.append(target.name)
                _install(snapshot.file(name), target)
            if data is not None:
                lock.write(after)
            sync_directory(stack)
            if data is None:
                lock.remove()  # the stack had lost its list, and has lost it again
            else:
                lock.commit()
            installed = []
        finally:
            try:
                sync_directory(stack)
            finally:
                _drop_unlisted(stack, before, places, installed)
                settled = settle(stack, before, now, after)
    return settled


def _places(history: _History, snapshot: Snapshot, data: bytes) -> dict[str, str]:
    """The name that each file of the snapshot is to have in the stack, whose list becomes `data`.

    A table that is listed keeps its name, and so does a file that the list did not name, or not by an exact
    line. Any other table gets a name that no table has had: a process that loads the list in force removes
    what the one that it had loaded before names, even behind the moment in which this undo lists it again.
    """
    listed = names_in(read_list_bytes(history.stack))
    lines = parse_table_list(data).lines
    inexact = {line.name for line in lines if line.name and name_bytes(line.name) != line.raw}
    wanted = {line.name for line in lines} - inexact
    known = names_known(history.snapshots)
    places: dict[str, str] = {}
    for name in snapshot.files:
        place: str | None = name
        if name in wanted:
            place = history.held_as(snapshot, name, [one for one in listed if one not in places.values()])
        places[name] = place or _fresh_name(
            name, lambda one: one in known or one in places.values() or os.path.lexists(history.stack / one)
        )
    return places


def _fresh_name(name: str, is_taken: Callable[[str], bool]) -> str:
    """A name that no table has had, for the table that had this one."""
    suffix = StackOptions().suffix
    limits = limits_in_name(name)
    if limits is not None:
        return unused_table_name(limits, suffix, is_taken)
    while is_taken(fresh := f"{name[:100].removesuffix('.ref')}-{suffix():08x}.ref"):
        pass
    return fresh


def _drop_unlisted(
    stack: Path, before: Snapshot, places: Mapping[str, str], installed: Collection[str]
) -> None:
    """Remove what going back has taken from the list, or has put there in vain.

    Of the list, only what a snapshot holds: other files are not ours, and some were there before without
    being listed. So was a table that is listed now under another name. The list has the last word, as an
    interrupt may come just behind its rename.
    """
    listed = names_in(read_list_bytes(stack))
    taken = [name for name in before.tables if name in before.files and name not in places.values()]
    taken += [name for name in places if name in before.files and places[name] in listed]
    for name in sorted({*taken, *installed}.difference(listed)):
        with suppress(FileNotFoundError):
            remove_unless_open(stack / name)


def _install(source: Path, target: Path) -> None:
    """Put a file of a snapshot back: in one rename, so that no process ever reads half of it."""
    if not POSIX and not os.path.lexists(target):
        put_file(source, target)  # of a file that is open, a link can be made there, but not renamed
        return
    temporary = target.with_name(f"{target.name}.temp.undo")
    temporary.unlink(missing_ok=True)
    try:
        put_file(source, temporary)
        replace_waiting(temporary, target)
    finally:
        # Renaming one link of a file onto another does nothing, and leaves both.
        temporary.unlink(missing_ok=True)

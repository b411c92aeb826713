"""Going back to a snapshot: a change like any other, with an older list.

 1. lock `tables.list`: no other process changes the list from here on;
 2. see that the stack is as the change left it that is undone; a change of another process is not taken back
    unless that is asked for;
 3. take a snapshot of the stack as it is now, which undoes this. Under the lock, so that it holds just what
    is replaced;
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
from collections.abc import Collection
from pathlib import Path
from typing import Final

from engine.errors import FormatError, OutdatedError
from engine.format import TABLES_LIST
from engine.snapshot.manifest import Snapshot, list_snapshots
from engine.snapshot.snapshot import is_same_file, names_in, put_file, settle, take_snapshot
from engine.stack import DEFAULT_LOCK_TIMEOUT_MS, LockFile, read_list_bytes, sync_directory

_UNDO: Final = "undo"


def changes_since(directory: str | os.PathLike[str], snapshot: Snapshot) -> str:
    """What has become of the list since the change behind this snapshot, in words; empty for nothing."""
    data = read_list_bytes(directory)
    now, then = tuple(names_in(data)), snapshot.after
    if now == then or (then is None and data == read_list_bytes(snapshot.path)):
        return ""
    if then is None:
        return "it was interrupted, and the list is not what it was before"
    new, gone = [name for name in now if name not in then], [name for name in then if name not in now]
    parts = [f"{', '.join(names)} {what}" for names, what in ((new, "came since"), (gone, "went")) if names]
    return "; ".join(parts) or "the list names its tables in another order"


def left_by_undo(directory: str | os.PathLike[str]) -> frozenset[str]:
    """Tables that an undo which was interrupted has left beside the list; a snapshot holds each of them.

    Those of the list before, if the undo has replaced it: they may reach further than the list in force,
    which therefore looks too old. Otherwise those that it has put back in vain.
    """
    stack, snapshots = Path(directory), list_snapshots(directory)
    if not snapshots or snapshots[0].operation != _UNDO or snapshots[0].after is not None:
        return frozenset()
    data = read_list_bytes(stack)
    listed, others = names_in(data), snapshots[1:]
    if data == read_list_bytes(snapshots[0].path):
        return frozenset(
            name
            for one in others
            for name in one.files
            if name not in listed and (stack / name).exists() and is_same_file(one.file(name), stack / name)
        )
    if all(read_list_bytes(one.path) != data for one in others):
        return frozenset()  # the stack has changed since
    return frozenset(snapshots[0].tables).difference(listed)


def left_by_repair(directory: str | os.PathLike[str]) -> frozenset[str]:
    """Files beside the list that a repair has set aside, but could not remove: a snapshot holds each."""
    stack = Path(directory)
    listed = names_in(read_list_bytes(stack))
    return frozenset(
        path.name
        for one in list_snapshots(directory)
        for path in (one.lost.iterdir() if one.lost.is_dir() else ())
        if path.name not in listed and (stack / path.name).exists() and is_same_file(path, stack / path.name)
    )


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
    `force` is set, `LockError`, `FormatError` when the snapshot has lost one of its tables, `OSError`.
    The stack is then as it was.
    """
    stack = Path(directory)
    list_path = stack / TABLES_LIST
    for name in snapshot.tables:
        if name not in snapshot.missing and not snapshot.file(name).is_file():
            raise FormatError(name, None, f"is gone from the snapshot {snapshot.id}")
    mode = list_path.stat().st_mode & 0o7777 if list_path.exists() else None
    with LockFile(os.fspath(list_path), timeout_ms=lock_timeout_ms, mode=mode) as lock:
        if not force and (changes := changes_since(stack, snapshot)):
            reason = f"the stack has changed since the {snapshot.operation} that is to be undone: {changes}"
            raise OutdatedError(os.fspath(list_path), reason)
        replaced = [
            name
            for name in snapshot.files
            if (stack / name).exists() and not is_same_file(snapshot.file(name), stack / name)
        ]
        before = take_snapshot(stack, _UNDO, now, extra=replaced)
        installed: list[str] = []
        after = read_list_bytes(snapshot.path)
        try:
            for name in sorted(snapshot.files, reverse=True):
                if not (stack / name).exists():
                    installed.append(name)
                    _install(snapshot.file(name), stack / name)
                elif name in replaced:
                    _install(snapshot.file(name), stack / name)
            if after is not None:
                lock.write(after)
            sync_directory(stack)
            if after is None:
                list_path.unlink(missing_ok=True)  # the stack had lost its list, and has lost it again
            else:
                lock.commit()
            installed = []
        finally:
            try:
                sync_directory(stack)
            finally:
                _drop_unlisted(stack, snapshot, before, installed)
                settled = settle(stack, before, now, after or b"")
    return settled


def _drop_unlisted(stack: Path, snapshot: Snapshot, before: Snapshot, installed: Collection[str]) -> None:
    """Remove what going back has taken from the list, or has put there in vain.

    Of the list, only what a snapshot holds: other files are not ours, and some were there before without
    being listed. The list has the last word, as an interrupt may come just behind its rename.
    """
    taken = [name for name in before.tables if name in before.files and name not in snapshot.files]
    for name in sorted({*taken, *installed}.difference(names_in(read_list_bytes(stack)))):
        (stack / name).unlink(missing_ok=True)


def _install(source: Path, target: Path) -> None:
    """Put a file of a snapshot back: in one rename, so that no process ever reads half of it."""
    temporary = target.with_name(f"{target.name}.temp.undo")
    temporary.unlink(missing_ok=True)
    try:
        put_file(source, temporary)
        temporary.rename(target)
    finally:
        # Renaming one link of a file onto another does nothing, and leaves both.
        temporary.unlink(missing_ok=True)

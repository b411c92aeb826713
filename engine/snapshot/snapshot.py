"""Snapshots of a stack, taken before a change, and going back to one.

Nothing here ever edits a table in place, not even a repair, so a snapshot is a directory of hard links to
them next to a copy of the list. It costs no space until the tables are compacted away. They lie beside the
stack:

    <directory>-snapshots/
        20261123T214512.034561Z-compact/    when, and before what; this name is its id
            manifest.json                   which files, and the list after the change (`manifest.py`)
            tables.list                     the list, byte for byte; absent if there was none
            files/                          the tables listed, and whatever else the change removes
            lost/                           tables that a repair set aside

A snapshot is made under another name and renamed when it is whole and durable, and gets that name again to
be removed, so a crash leaves none that is half of one. Nothing here parses a table: a snapshot of a damaged
stack holds what is there.

Going back takes the lock on the list, takes a snapshot itself, puts missing files back, and replaces the
list in one rename: what `directory.py` does for a change, with an older list. It is therefore
undone like any other change.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from engine.errors import ApiError, FormatError, OutdatedError
from engine.format import TABLES_LIST, parse_table_list
from engine.snapshot.manifest import (
    FILES,
    MANIFEST,
    PARTIAL,
    Snapshot,
    find_snapshot,
    list_snapshots,
    save_snapshot,
    snapshots_directory,
)
from engine.stack import (
    DEFAULT_LOCK_TIMEOUT_MS,
    LockFile,
    read_list_bytes,
    sync_directory,
    sync_file,
    write_file,
)

__all__ = [
    "SNAPSHOTS_KEPT",
    "Snapshot",
    "find_snapshot",
    "is_last_change",
    "keep",
    "left_by_undo",
    "list_snapshots",
    "prune",
    "restore",
    "set_aside",
    "settle",
    "snapshot_before",
    "snapshots_directory",
    "take_snapshot",
]

SNAPSHOTS_KEPT: Final = 20
"""How many snapshots `prune` leaves, besides those that are kept on purpose."""

_UNDO: Final = "undo"
_PARTIAL_SECONDS: Final = 24 * 3600
# What link(2) says where there are no hard links, or no more of them.
_NO_LINK: Final = {errno.EPERM, errno.EXDEV, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EACCES}


def take_snapshot(
    directory: str | os.PathLike[str],
    operation: str,
    now: float,
    *,
    extra: Collection[str] = (),
) -> Snapshot:
    """Make a snapshot of the stack in `directory`, before `operation` (a word of letters and dashes).

    `extra` are further files of the directory that the operation removes. `now` is in seconds since 1970.
    Raises `OSError`, and nothing is left then.
    """
    if not operation.replace("-", "").isalpha():
        raise ApiError(f"{operation!r} is no name of an operation")
    stack = Path(directory)
    parent = snapshots_directory(stack)
    parent.mkdir(mode=stack.stat().st_mode & 0o7777, exist_ok=True)
    path = _reserve(parent, operation, now)
    made = partial = path.with_name(path.name + PARTIAL)
    try:
        (partial / FILES).mkdir()
        while True:
            data = read_list_bytes(stack)
            tables = _names(data)
            files = sorted({*tables, *extra})
            missing = [name for name in files if not _put(stack / name, partial / FILES / name)]
            # A table that is not there may have been compacted away since; then the list has changed as well.
            if not missing or read_list_bytes(stack) == data:
                break
            shutil.rmtree(partial / FILES)
            (partial / FILES).mkdir()
        if data is not None:
            write_file(os.fspath(partial / TABLES_LIST), data)
        snapshot = Snapshot(
            path.name,
            path,
            now,
            operation,
            tuple(tables),
            tuple(name for name in files if name not in missing),
            tuple(name for name in missing if name in tables),
            None,
            kept=False,
        )
        save_snapshot(snapshot, partial)
        sync_directory(partial / FILES)
        sync_directory(partial)
        partial.rename(path)
        made = path
        sync_directory(parent)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise
    return snapshot


@contextmanager
def snapshot_before(
    directory: str | os.PathLike[str],
    operation: str,
    now: float,
    *,
    extra: Collection[str] = (),
) -> Iterator[Snapshot]:
    """A snapshot around a change: what the list is afterwards is noted in it, older ones are pruned.

    Gone again when the change, done or not, has changed nothing.
    """
    snapshot = take_snapshot(directory, operation, now, extra=extra)
    try:
        yield snapshot
    finally:
        settle(directory, snapshot, now)


def settle(directory: str | os.PathLike[str], snapshot: Snapshot, now: float) -> None:
    """Note what the list names now that the change is over; without a change, remove the snapshot."""
    stack = Path(directory)
    if _is_unchanged(stack, snapshot):
        _remove(snapshot)
        return
    save_snapshot(replace(snapshot, after=tuple(_names(read_list_bytes(stack)))), snapshot.path)
    prune(stack, now)


def keep(snapshot: Snapshot, *, kept: bool) -> Snapshot:
    """Except a snapshot from pruning, or no longer."""
    changed = replace(snapshot, kept=kept)
    save_snapshot(changed, snapshot.path)
    return changed


def set_aside(directory: str | os.PathLike[str], snapshot: Snapshot, names: Collection[str]) -> None:
    """Put files of the stack into the `lost/` of a snapshot too, durably; they stay where they are.

    Whoever does this keeps the snapshot. Raises `OSError`.
    """
    if not names:
        return
    snapshot.lost.mkdir(exist_ok=True)
    for name in names:
        _put(Path(directory) / name, snapshot.lost / name)
    sync_directory(snapshot.lost)
    sync_directory(snapshot.path)


def prune(directory: str | os.PathLike[str], now: float, count: int = SNAPSHOTS_KEPT) -> list[str]:
    """Remove all snapshots but those that are kept and the newest `count` others; returns their ids.

    What a crash left unfinished, or half removed, goes too, once it is a day old.
    """
    others = [snapshot for snapshot in list_snapshots(directory) if not snapshot.kept]
    for snapshot in others[count:]:
        _remove(snapshot)
    with suppress(FileNotFoundError), os.scandir(snapshots_directory(directory)) as entries:
        for entry in entries:
            if entry.name.endswith(PARTIAL) and _is_left(entry.path, now):
                shutil.rmtree(entry.path, ignore_errors=True)
    for snapshot in list_snapshots(directory):
        manifest = snapshot.path / (MANIFEST + PARTIAL)
        if _is_left(manifest, now):
            manifest.unlink(missing_ok=True)
    return [snapshot.id for snapshot in others[count:]]


def is_last_change(directory: str | os.PathLike[str], snapshot: Snapshot) -> bool:
    """Whether the stack is as the change behind this snapshot left it: undoing it undoes nobody else's."""
    data = read_list_bytes(directory)
    if snapshot.after is None:
        return data == read_list_bytes(snapshot.path)
    return tuple(_names(data)) == snapshot.after


def left_by_undo(directory: str | os.PathLike[str]) -> frozenset[str]:
    """Tables that an undo has taken from the list and, being interrupted, has not removed.

    They may reach further than the list that it has put in their place, which therefore looks too old.
    """
    stack, snapshots = Path(directory), list_snapshots(directory)
    if not snapshots or snapshots[0].operation != _UNDO or snapshots[0].after is not None:
        return frozenset()
    data = read_list_bytes(stack)
    if all((read_list_bytes(one.path) or b"") != data for one in snapshots[1:]):
        return frozenset()  # it did not come as far, or somebody has changed the stack since
    return frozenset(snapshots[0].tables).difference(_names(data))


def restore(
    directory: str | os.PathLike[str],
    snapshot: Snapshot,
    now: float,
    *,
    force: bool = False,
    lock_timeout_ms: int = DEFAULT_LOCK_TIMEOUT_MS,
) -> Snapshot:
    """Make the stack what it was when `snapshot` was taken; returns the snapshot that undoes this.

    Raises `OutdatedError` when somebody else has changed the stack since the change that is undone, unless
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
        if not force and not is_last_change(stack, snapshot):
            reason = f"the stack has changed since the {snapshot.operation} that is to be undone"
            raise OutdatedError(os.fspath(list_path), reason)
        replaced = [
            name
            for name in snapshot.files
            if (stack / name).exists() and not _is_same(snapshot.file(name), stack / name)
        ]
        before = take_snapshot(stack, _UNDO, now, extra=replaced)
        installed: list[str] = []
        try:
            for name in snapshot.files:
                if not (stack / name).exists():
                    installed.append(name)
                    _install(snapshot.file(name), stack / name)
                elif name in replaced:
                    _install(snapshot.file(name), stack / name)
            lock.write(read_list_bytes(snapshot.path) or b"")
            sync_directory(stack)
            lock.commit()
            installed = []
        finally:
            try:
                sync_directory(stack)
            finally:
                _drop_unlisted(stack, snapshot, before, installed)
                settle(stack, before, now)
    return before


def _drop_unlisted(stack: Path, snapshot: Snapshot, before: Snapshot, installed: Collection[str]) -> None:
    """Remove what going back has taken from the list, or has put there in vain.

    Of the list, only what a snapshot holds: other files are not ours, and some were there before without
    being listed. The list has the last word, as an interrupt may come just behind its rename.
    """
    taken = [name for name in before.tables if name in before.files and name not in snapshot.files]
    for name in {*taken, *installed}.difference(_names(read_list_bytes(stack))):
        (stack / name).unlink(missing_ok=True)


def _reserve(parent: Path, operation: str, now: float) -> Path:
    """The path of a new snapshot, whose partial directory is made. Several may be taken at one time."""
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    number = 1
    while True:
        path = parent / f"{stamp}{f'.{number}' if number > 1 else ''}-{operation}"
        if not path.exists():
            with suppress(FileExistsError):
                path.with_name(path.name + PARTIAL).mkdir()
                return path
        number += 1


def _remove(snapshot: Snapshot) -> None:
    """Remove a snapshot, under the name of an unfinished one: a crash must not leave half as whole."""
    going = snapshot.path.with_name(snapshot.id + PARTIAL)
    with suppress(FileNotFoundError):  # somebody else does the same
        snapshot.path.rename(going)
        shutil.rmtree(going)


def _is_left(path: str | Path, now: float) -> bool:
    """Whether an unfinished file or directory is there, and so old that nobody is at work on it."""
    try:
        return now - os.lstat(path).st_mtime > _PARTIAL_SECONDS
    except FileNotFoundError:
        return False


def _put(source: Path, target: Path) -> bool:
    """Link a file, or copy it where there are no links; False if there is none."""
    try:
        try:
            os.link(source, target, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _NO_LINK:
                raise
            if not stat.S_ISREG(source.stat().st_mode):
                return False  # a directory in the place of a table
            _copy(source, target)
    except FileNotFoundError:
        return False
    return True


def _copy(source: Path, target: Path) -> None:
    shutil.copy2(source, target)
    sync_file(target)


def _install(source: Path, target: Path) -> None:
    """Put a file of a snapshot back: in one rename, so that nobody ever reads half of it."""
    temporary = target.with_name(f"{target.name}.temp.undo")
    temporary.unlink(missing_ok=True)
    try:
        _put(source, temporary)
        temporary.rename(target)
    finally:
        # Renaming one link of a file onto another does nothing, and leaves both.
        temporary.unlink(missing_ok=True)


def _is_same(one: Path, other: Path) -> bool:
    if os.path.samestat(one.lstat(), other.lstat()):
        return True
    # Reading anything but a regular file could wait for ever.
    return all(stat.S_ISREG(path.lstat().st_mode) for path in (one, other)) and (
        one.read_bytes() == other.read_bytes()
    )


def _is_unchanged(stack: Path, snapshot: Snapshot) -> bool:
    return read_list_bytes(stack) == read_list_bytes(snapshot.path) and all(
        (stack / name).exists() and _is_same(stack / name, snapshot.file(name)) for name in snapshot.files
    )


def _names(data: bytes | None) -> list[str]:
    """The tables that a list names, also one that is damaged."""
    return parse_table_list(data or b"").names

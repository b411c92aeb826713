"""Snapshots of a stack, taken before a change.

Nothing here ever edits a table in place, not even a repair, so a snapshot is a directory of hard links to
them next to a copy of the list. It costs no space until the tables are compacted away. They lie beside the
stack:

    <directory>-snapshots/
        20261123T214512.034561Z-compact/    when, and before what; this name is its id
            manifest.json                   which files, and the list after the change
            tables.list                     the list, byte for byte; absent if there was none
            files/                          the tables listed, and whatever else the change removes
            lost/                           tables that a repair set aside

Nothing here parses a table: a snapshot of a damaged stack holds what is there. Taking one waits for no lock:

 1. make a directory with a name that ends in `.partial`: of several processes, one gets that name;
 2. read the list and link the tables that it names. Tables never change, so the links hold what it means;
 3. a table that is not there was removed by a compaction that came behind the reading of the list: then the
    list is another one by now, and 2 begins again. If it is the same still, the stack lacks the table;
 4. write list and manifest, make everything durable, and rename the directory: now it is a snapshot;
 5. once the change has locked the list, see that this is the list of 2, or take another snapshot: what
    another process did meanwhile is not to be undone with the change (`ChangeRecord`). Note in the manifest
    which list the change is about to write;
 6. when the change is over, note in the manifest what it made of the list.

A crash before 4 leaves a directory that is removed when it is a day old, one before 6 a snapshot that does
not know how its change ended; what 5 has noted tells whether the list is that of the change. To be removed, a
snapshot first gets its unfinished name back: none is half.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial as bound
from itertools import count
from pathlib import Path
from typing import Final, Self

from engine.errors import ApiError, CommittedError, ReftableError, in_words
from engine.format import TABLES_LIST
from engine.snapshot.files import (
    digest,
    is_same_file,
    is_same_inode,
    known_digests,
    link,
    names_in,
    put_file,
    sha256,
    sync,
)
from engine.snapshot.manifest import (
    FILES,
    LARGEST_NUMBER,
    MANIFEST,
    PARTIAL,
    Snapshot,
    file_mode,
    is_operation,
    is_taken,
    list_snapshots,
    save_snapshot,
    snapshots_directory,
)
from engine.stack import make_alike, make_directory, read_list_bytes, sync_directory, write_file
from engine.system import POSIX

SNAPSHOTS_KEPT: Final = 20
"""How many snapshots `prune` leaves, besides those that are kept on purpose."""

# These leave the tables where they are; the others read them all, and then their snapshot alone has them.
_LEAVING: Final = frozenset({"add", "clean"})
_PARTIAL_SECONDS: Final = 24 * 3600


def take_snapshot(
    directory: str | os.PathLike[str],
    operation: str,
    now: float,
    *,
    extra: Collection[str] = (),
    renamed: Mapping[str, str] | None = None,
    kept: bool = False,
    intended: bytes | None = None,
) -> Snapshot:
    """Make a snapshot of the stack in `directory`, before `operation` (a word of letters and dashes).

    `extra` are further files of the directory that the operation removes, `renamed` tables that it puts
    back, as in `Snapshot`; `kept` excepts it from pruning. `intended` is the list that it is about to write,
    where that is known already. `now` is in seconds since 1970.
    Raises `OSError`, and nothing is left then.
    """
    if not is_operation(operation):
        raise ApiError(f"{operation!r} is no name of an operation")
    stack = Path(directory)
    parent = snapshots_directory(stack)
    try:
        make_directory(parent, stack)
        sync_directory(parent.parent)
    except FileExistsError:
        with suppress(PermissionError):  # it belongs to another user
            make_alike(parent, stack)
    snapshots = list_snapshots(stack)
    number = min(1 + max((one.number for one in snapshots), default=0), LARGEST_NUMBER)
    known = known_digests(snapshots) if operation in _LEAVING else {}
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    path = parent / f"{stamp}-{operation}"
    partial = parent / f"{path.name}.{os.urandom(4).hex()}{PARTIAL}"
    made: os.stat_result | None = None
    try:
        make_directory(partial, stack)
        made = partial.stat()
        make_directory(partial / FILES, stack)
        while True:
            data = read_list_bytes(stack)
            tables = names_in(data)
            files = sorted(filter(is_taken, {*tables, *extra}))
            missing = [name for name in files if not link(stack / name, partial / FILES / name)]
            if not missing or read_list_bytes(stack) == data:
                break
            _delete(partial / FILES)
            make_directory(partial / FILES, stack)
        if data is not None:
            write_file(os.fspath(partial / TABLES_LIST), data, file_mode(partial))
        held = tuple(name for name in files if name not in missing)
        digests, modified = [], []
        for place in [partial / FILES / name for name in held]:
            status = place.lstat()
            modified.append((place.name, status.st_mtime_ns))
            source, time, found = known.get(place.name, (place, 0, None))
            was = (time, *(found or ())[:1])
            if was != (status.st_mtime_ns, status.st_size) or not is_same_inode(source, status):
                sync(place)
                found = digest(place)
            if found is not None:
                digests.append((place.name, *found))
        if data is not None:
            digests.append((TABLES_LIST, len(data), sha256(data)))
        snapshot = Snapshot(
            path.name,
            path,
            now,
            operation,
            tuple(tables),
            held,
            tuple(name for name in missing if name in tables),
            None,
            kept,
            renamed=tuple((renamed or {}).items()),
            digests=tuple(digests),
            modified=tuple(modified),
            number=number,
            intended=() if intended is None else (sha256(intended),),
        )
        save_snapshot(snapshot, partial)
        sync_directory(partial / FILES)
        sync_directory(partial)
        others = count(2)
        while not _rename(partial, path):
            path = parent / f"{stamp}.{next(others)}-{operation}"  # several were taken at one time
        sync_directory(parent)
        return snapshot._replace(id=path.name, path=path)
    except BaseException:
        # An interrupt may come on either side of the rename; another process may have a snapshot of the name.
        for place in (partial, path):
            with suppress(FileNotFoundError):
                if place is partial or (made is not None and os.path.samestat(place.lstat(), made)):
                    _delete(place)
        raise


def _rename(partial: Path, path: Path) -> bool:
    """Give a snapshot its name; False if another has it.

    A function of its own, as Python does not protect the line of a `try` within another one from interrupts.
    """
    try:
        partial.rename(path)
    except OSError as error:
        if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
            raise
        return False
    return True


class ChangeRecord:
    """What a change does to a stack, seen under its own lock: a snapshot, and what came of it.

    A context manager around the change. Arguments and errors are those of `take_snapshot`; the handle that
    makes the change has `before_change`. Older snapshots are pruned.

    The snapshot is taken before the stack is locked, so that other processes do not wait for it, and again
    under the lock if they were faster (step 5 above). If they come between two changes that are recorded
    as one (an addition and the compaction behind it), another snapshot begins with the second: going back
    takes away nothing that they wrote.
    """

    def __init__(
        self, directory: str | os.PathLike[str], operation: str, now: float, *, extra: Collection[str] = ()
    ) -> None:
        self._take = bound(take_snapshot, directory, now=now, extra=extra)
        self._operation = operation
        self._directory, self._now = Path(directory), now
        self._after: bytes | None = None
        self._taken: Snapshot | None = None
        self.snapshot: Snapshot | None = None
        """The snapshot that undoes the change, once it is over; None if nothing was changed."""

    def __enter__(self) -> Self:
        self._taken = self._take(self._operation)
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            self._settle()
        except (ReftableError, OSError):
            if error is None:  # else that tells more of the change
                raise

    def before_change(self, after: bytes) -> None:
        """Make sure of the snapshot, when `tables.list` is locked and about to hold `after`."""
        before = self._after
        if before is None and self._taken is not None:
            before = self._taken.list_bytes()
        now = read_list_bytes(self._directory)
        if now != before:
            self._settle()
            # What follows an addition is its compaction: going back to before that leaves what was added.
            self._taken = self._take(self._operation if self._after is None else "compact")
        if self._taken is not None and now != after:
            intended = (*self._taken.intended, sha256(after))
            self._taken = self._taken._replace(intended=intended)
            save_snapshot(self._taken, self._taken.path)
        self._after = after

    def _settle(self) -> None:
        """Keep the snapshot if the change was made."""
        if self._taken is not None:
            self.snapshot = settle(self._directory, self._taken, self._now, self._after)
            self._taken = None


def settle(
    directory: str | os.PathLike[str],
    snapshot: Snapshot,
    now: float,
    after: bytes | None,
    *,
    when_unchanged: bool = False,
) -> Snapshot | None:
    """Note in a snapshot that its change has made `tables.list` hold `after`, and prune older ones.

    Or what an earlier commit of the change has made of it, if the list still holds that: the last one has
    failed then.

    The snapshot is removed, and None returned, if the change was not made: `after` is None, or the stack is
    what it was before, unless it is to stay `when_unchanged`, since the change was none of list and files.
    Raises `CommittedError` when it cannot be noted: the change is made all the same.
    """
    stack = Path(directory)
    if after is None or (not when_unchanged and _is_unchanged(stack, snapshot)):
        _remove(snapshot.path)
        return None
    now_listed = read_list_bytes(stack) or b""
    if sha256(now_listed) in snapshot.intended:
        after = now_listed
    digest_after = sha256(after)
    settled = snapshot._replace(after=tuple(names_in(after)), list_after=digest_after, intended=())
    try:
        save_snapshot(settled, snapshot.path)
    except OSError as error:
        raise CommittedError(os.fspath(stack / TABLES_LIST), in_words(error)) from error
    with suppress(OSError):  # the change has happened
        prune(stack, now, spared=snapshot.id)
    return settled


def keep(snapshot: Snapshot, *, kept: bool) -> Snapshot:
    """Except a snapshot from pruning, or no longer."""
    changed = snapshot._replace(kept=kept)
    save_snapshot(changed, snapshot.path)
    return changed


def set_aside(directory: str | os.PathLike[str], snapshot: Snapshot, names: Collection[str]) -> None:
    """Put files of the stack into the `lost/` of a snapshot too, durably; they stay where they are.

    One of the repository, given by its path, is named after its directory as well (`HEAD-.git`). The snapshot
    is to be kept then. Raises `OSError`.
    """
    if not names:
        return
    with suppress(FileExistsError):
        make_directory(snapshot.lost, snapshot.path)
    for name in names:
        put_file(Path(directory) / name, snapshot.lost / "-".join(Path(name).parts[:-3:-1]))
    sync_directory(snapshot.lost)
    sync_directory(snapshot.path)


def prune(
    directory: str | os.PathLike[str], now: float, count: int = SNAPSHOTS_KEPT, *, spared: str = ""
) -> list[str]:
    """Remove all snapshots but those that are kept, the one `spared`, and the newest `count` others.

    Returns their ids. Raises as `drop` does.
    """
    gone = [one.id for one in older(list_snapshots(directory), count) if one.id != spared]
    drop(directory, gone, now)
    return gone


def older(snapshots: Iterable[Snapshot], count: int, *, kept: bool = False) -> list[Snapshot]:
    """What is left of these, which are sorted from new to old, behind the first `count`.

    Those that are kept do not count, and are not among them, unless they are to be treated as others.
    """
    return [one for one in snapshots if kept or not one.kept][count:]


def drop(directory: str | os.PathLike[str], ids: Iterable[str], now: float) -> None:
    """Remove snapshots, also those that cannot be used; each that can be, before an `OSError` is raised.

    What a crash left unfinished, or half removed, goes too, once it is a day old.
    """
    parent, faults = snapshots_directory(directory), []
    for one in ids:
        try:
            _remove(parent / one)
        except OSError as error:
            faults.append(error)
    with suppress(FileNotFoundError), os.scandir(parent) as entries:
        for entry in entries:
            is_directory = entry.is_dir(follow_symlinks=False)
            with suppress(OSError):
                if entry.name.endswith(PARTIAL) and _is_left(entry.path, now):
                    _delete(Path(entry.path))
                elif is_directory and _is_left(manifest := Path(entry.path, MANIFEST + PARTIAL), now):
                    manifest.unlink()
    if faults:
        raise faults[0]


def _remove(path: Path) -> None:
    """Remove a snapshot, under the name of an unfinished one: a crash must not leave half as whole."""
    going = path.with_name(f"{path.name}.{os.urandom(4).hex()}{PARTIAL}")
    try:
        with suppress(FileNotFoundError):  # another process does the same
            path.rename(going)
            sync_directory(going.parent)  # a power cut must not bring the name back without the files
            _delete_unless_open(going)
    except BaseException:
        with suppress(OSError):
            _delete(going)
        raise


def _delete_unless_open(path: Path) -> None:
    """As `_delete`; what a process has open, and therefore stays, goes when it is a day old."""
    try:
        _delete(path)
    except PermissionError:
        if POSIX:
            raise


def _delete(path: Path) -> None:
    """Remove a directory with all that is in it, or whatever else is there. Raises `OSError`."""
    if not stat.S_ISDIR(path.lstat().st_mode):
        path.unlink()
        return
    import shutil

    try:
        shutil.rmtree(path)
    except RecursionError:
        raise OSError(errno.ELOOP, "directories too deep in each other", os.fspath(path)) from None
    except OSError as error:
        error.strerror = f"{error.strerror} (in {path})"  # it has the last part of the name alone
        raise


def _is_left(path: str | Path, now: float) -> bool:
    """Whether an unfinished file or directory is there, and so old that no process is at work on it."""
    try:
        return now - os.lstat(path).st_mtime > _PARTIAL_SECONDS
    except OSError:  # or it cannot be seen
        return False


def _is_unchanged(stack: Path, snapshot: Snapshot) -> bool:
    return read_list_bytes(stack) == snapshot.list_bytes() and all(
        is_same_file(stack / name, snapshot.file(name)) for name in snapshot.files
    )

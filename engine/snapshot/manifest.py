"""What a snapshot is: a directory with a manifest, beside the stack that it was taken of.

    manifest.json       the fields of `Snapshot`
    files/, lost/       files of the stack

How one is taken is in `snapshot.py`, going back to it in `undo.py`.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterable
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any, Final, NamedTuple

from engine.errors import ApiError, FormatError, SnapshotError, in_words
from engine.stack import LOCK_SUFFIX, TABLES_LIST, read_list_bytes, write_file
from engine.system import is_beside, name_bytes, replace_waiting

MANIFEST: Final = "manifest.json"
FILES: Final = "files"
_FIELDS: Final = ("time", "operation", "tables", "files", "missing", "after", "kept")
_LATER: Final[dict[str, Any]] = {
    "number": 0,
    "renamed": {},
    "digests": {},
    "list_after": "",
    "modified": {},
    "losses": "",
    "intended": [],
    "unlocked": [],
}
"""Fields that manifests have got since, with what they mean where they are not."""
_SAME: Final = ("number", "list_after", "losses", "intended", "unlocked")
"""Those of them that a snapshot has in the same form."""

_ID: Final = re.compile(r"[0-9]{8}T[0-9]{6}\.[0-9]+Z.*", re.DOTALL)
# A stack may have 65,536 tables, each of which is named some times.
_LARGEST_MANIFEST: Final = 32 * 2**20
_LONGEST_NAME: Final = 255
LARGEST_NUMBER: Final = 2**53 - 1
_LATEST: Final = 253_402_300_800  # the year 10000, which no date can be in
PARTIAL: Final = ".partial"
"""What the names of unfinished snapshots, and of unfinished manifests, end in."""


class Snapshot(NamedTuple):
    """A stack as it was before a change.

    `time` is in seconds since 1970, `tables` what the list named (empty where it could not be
    parsed), `files` what is in the snapshot, `missing` listed tables that were not there. `after` is what
    the list named when the change was done: None when that is not known, because the change was interrupted.
    `renamed` are the tables that an undo has put back: the name that each got, and the one that it had at
    first. `digests` has name, size and SHA-256 of the list and of each regular file; `number` grows from
    snapshot to snapshot, whatever the clock does; `list_after` is the SHA-256 of the list when the change was
    done; `modified` has the nanoseconds at which the files were written; `losses` says what the change, a
    repair, could not save; `intended` are the SHA-256 of the lists that an interrupted change was about
    to write, one for each commit; `unlocked` are the locks that the change has removed, which going back does
    not bring back. Older snapshots have none of these.
    """

    id: str
    path: Path
    time: float
    operation: str
    tables: tuple[str, ...]
    files: tuple[str, ...]
    missing: tuple[str, ...]
    after: tuple[str, ...] | None
    kept: bool
    renamed: tuple[tuple[str, str], ...] = ()
    digests: tuple[tuple[str, int, str], ...] = ()
    number: int = 0
    list_after: str = ""
    modified: tuple[tuple[str, int], ...] = ()
    losses: str = ""
    intended: tuple[str, ...] = ()
    unlocked: tuple[str, ...] = ()

    @property
    def lost(self) -> Path:
        """Where a repair puts tables that it sets aside."""
        return self.path / "lost"

    @property
    def directory(self) -> Path:
        """Where its files lie."""
        return self.path / FILES

    def file(self, name: str) -> Path:
        """The path of a file of the snapshot."""
        return self.directory / name

    def list_bytes(self) -> bytes | None:
        """Its list, None if there was none. Raises `SnapshotError` for what is no list, `OSError`."""
        name = f"{TABLES_LIST} in the snapshot {self.id}"
        if (self.path / TABLES_LIST).is_symlink():
            raise SnapshotError(name, None, "is a symbolic link, which is not followed")
        try:
            return read_list_bytes(self.path)
        except FormatError as error:
            raise SnapshotError(name, None, error.reason) from None


def snapshots_directory(directory: str | os.PathLike[str]) -> Path:
    """Where the snapshots of the stack in `directory` lie. Raises `OSError` if a symbolic link is there.

    No link is followed: what it leads to is not what was taken.
    """
    path = Path(directory).resolve()
    snapshots = path.with_name(path.name + "-snapshots")
    if snapshots.is_symlink():
        raise OSError(errno.ELOOP, "a symbolic link, which is not followed", os.fspath(snapshots))
    return snapshots


def list_snapshots(directory: str | os.PathLike[str]) -> list[Snapshot]:
    """The snapshots of a stack, newest first; `unusable_snapshots` are not among them."""
    return sorted(_read_all(directory)[0], key=lambda one: (one.number, one.id), reverse=True)


def unusable_snapshots(directory: str | os.PathLike[str]) -> dict[str, str]:
    """What is wrong with each directory that has the name of a snapshot, and is none that can be used."""
    return _read_all(directory)[1]


def _read_all(directory: str | os.PathLike[str]) -> tuple[list[Snapshot], dict[str, str]]:
    parent = snapshots_directory(directory)
    try:
        names = sorted(os.listdir(parent))
    except FileNotFoundError:
        return [], {}
    found, wrong = [], {}
    for name in names:
        if not is_snapshot_id(name) or name.endswith(PARTIAL):
            continue
        try:
            found.append(load_snapshot(parent / name))
        except FileNotFoundError as error:
            if os.path.lexists(parent / name):  # it is not being removed
                wrong[name] = in_words(error)
        except (OSError, ValueError) as error:
            wrong[name] = in_words(error)
    return found, wrong


def first_names(snapshots: Iterable[Snapshot]) -> dict[str, str]:
    """The names that tables had before an undo gave them others, by the names that they got."""
    return {name: first for one in snapshots for name, first in one.renamed}


def names_known(snapshots: Iterable[Snapshot]) -> set[str]:
    """All names of tables that snapshots know: none of them returns, not even for the same table."""
    return {
        name
        for one in snapshots
        for name in (*one.tables, *one.files, *(one.after or ()), *chain.from_iterable(one.renamed))
    }


def find_snapshot(directory: str | os.PathLike[str], id: str | None = None) -> Snapshot:  # noqa: A002 - its name
    """The snapshot with this id, or the newest one. Raises `ApiError` when there is none."""
    snapshots = list_snapshots(directory)
    for snapshot in snapshots:
        if id in (None, snapshot.id):
            return snapshot
    if id is not None and (reason := unusable_snapshots(directory).get(id)):
        raise ApiError(f"the snapshot {id!r} cannot be used: {reason}")
    what = "no snapshot of this stack" if id is None else f"no snapshot {id!r} of this stack"
    raise ApiError(f"{what}: nothing was changed through this program, or it was pruned")


def save_snapshot(snapshot: Snapshot, path: Path) -> None:
    """Make `snapshot` what the manifest in `path` says, in one rename. Raises `OSError`."""
    import json

    fields = {name: getattr(snapshot, name) for name in (*_FIELDS, *_SAME)}
    fields |= {"renamed": dict(snapshot.renamed), "digests": {name: rest for name, *rest in snapshot.digests}}
    fields["modified"] = dict(snapshot.modified)
    temporary = path / (MANIFEST + PARTIAL)
    write_file(os.fspath(temporary), json.dumps(fields, indent=1).encode("ascii"), file_mode(path))
    replace_waiting(temporary, path / MANIFEST)


def load_snapshot(path: Path) -> Snapshot:
    """The snapshot in `path`. Any byte of it may be wrong: raises `OSError`, `ValueError`."""
    if not stat.S_ISDIR(path.lstat().st_mode):
        raise ValueError("it is no directory")
    status = (path / MANIFEST).lstat()
    if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST_MANIFEST:
        raise ValueError(f"{MANIFEST} is no regular file, or too large")
    return _parse(path, status.st_ino, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=32)  # a change asks several times, and a rename is what replaces a manifest
def _parse(path: Path, *_identity: int) -> Snapshot:
    import json

    try:
        fields: Any = json.loads((path / MANIFEST).read_bytes())
        time, operation, *lists, after, kept = (fields[name] for name in _FIELDS)
        number, renamed, digests, list_after, modified, losses, intended, unlocked = (
            fields.get(name, default) for name, default in _LATER.items()
        )
        _require(_is_number(time, _LATEST), "the time is out of range")
        _require(_is_number(number, LARGEST_NUMBER + 1), "the number is out of range")
        _require(isinstance(operation, str) and is_operation(operation), "what was done is no word")
        _require(isinstance(kept, bool), "kept is neither true nor false")
        name_bytes(losses)  # raises for what is no text that could be shown
        tables, files, missing = map(_file_names, lists)
        _require(all(map(is_taken, files)), "the list or a lock is among the files")
        pairs = zip(_file_names([*renamed]), _file_names([*renamed.values()]), strict=True)
        known = zip(_file_names([*digests]), digests.values(), strict=True)
        return Snapshot(
            path.name,
            path,
            float(time),
            operation,
            tables,
            files,
            missing,
            None if after is None else _file_names(after),
            kept,
            tuple(pairs),
            tuple((name, int(size), str(digest)) for name, (size, digest) in known),
            int(number),
            str(list_after),
            tuple((name, int(time)) for name, time in modified.items()),
            losses,
            tuple(map(str, intended)),
            _file_names(unlocked),
        )
    except (LookupError, ArithmeticError, TypeError, AttributeError, RecursionError, ValueError) as error:
        raise ValueError(f"{MANIFEST} is not as it was written: {error}") from None


def is_snapshot_id(name: str) -> bool:
    """Whether this has the form of an id: `20261123T214512.034561Z-compact`."""
    return _ID.fullmatch(name) is not None


def is_taken(name: str) -> bool:
    """Whether a snapshot takes files of this name: going back must not put any over the list or a lock."""
    return name != TABLES_LIST and not name.endswith(LOCK_SUFFIX)


def is_operation(name: str) -> bool:
    """Whether this names an operation: letters and dashes."""
    return len(name) < _LONGEST_NAME and name.replace("-", "").isalpha() and name.isascii()


def file_mode(directory: Path) -> int:
    """The permissions of a file in a directory: whoever may change what is in that may read and write it."""
    return directory.stat().st_mode & 0o666


def _require(is_so: bool, what: str) -> None:
    if not is_so:
        raise ValueError(what)


def _is_number(value: object, end: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < end


def _file_names(names: list[str]) -> tuple[str, ...]:
    """The names of a manifest. Raises `ValueError` for one that leads out of a directory."""
    if not isinstance(names, list):
        raise TypeError("no list of names")
    for name in names:
        if not is_beside(name) or "\0" in name or len(name_bytes(name)) > _LONGEST_NAME:
            raise ValueError(f"{name!r} is no name of a file")
    return tuple(names)

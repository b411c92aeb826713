"""What a snapshot is: a directory with a manifest, beside the stack that it was taken of.

    manifest.json       the fields of `Snapshot`
    files/, lost/       files of the stack

How one is taken is in `snapshot.py`, going back to it in `undo.py`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Final

from engine.errors import ApiError
from engine.stack import write_file

MANIFEST: Final = "manifest.json"
FILES: Final = "files"
_FIELDS: Final = ("time", "operation", "tables", "files", "missing", "after", "kept")
PARTIAL: Final = ".partial"
"""What the names of unfinished snapshots, and of unfinished manifests, end in."""


@dataclass(slots=True, frozen=True)
class Snapshot:
    """A stack as it was before a change.

    `time` is in seconds since 1970, `tables` what the list named (empty where it could not be
    parsed), `files` what is in the snapshot, `missing` listed tables that were not there. `after` is what
    the list named when the change was done: None when that is not known, because the change was interrupted.
    `renamed` are the tables that an undo has put back: the name that each got, and the one that it had at
    first.
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


def snapshots_directory(directory: str | os.PathLike[str]) -> Path:
    """Where the snapshots of the stack in `directory` lie."""
    path = Path(directory).resolve()
    return path.with_name(path.name + "-snapshots")


def list_snapshots(directory: str | os.PathLike[str]) -> list[Snapshot]:
    """The snapshots of a stack, newest first."""
    parent = snapshots_directory(directory)
    try:
        with os.scandir(parent) as entries:
            names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []
    found = [load_snapshot(parent / name) for name in names if not name.endswith(PARTIAL)]
    return sorted((snapshot for snapshot in found if snapshot), key=lambda one: one.id, reverse=True)


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
    what = "no snapshot of this stack" if id is None else f"no snapshot {id!r} of this stack"
    raise ApiError(f"{what}: nothing was changed through this tool, or it was pruned")


def save_snapshot(snapshot: Snapshot, path: Path) -> None:
    """Make `snapshot` what the manifest in `path` says, in one rename. Raises `OSError`."""
    fields = {name: getattr(snapshot, name) for name in _FIELDS} | {"renamed": dict(snapshot.renamed)}
    temporary = path / (MANIFEST + PARTIAL)
    write_file(os.fspath(temporary), json.dumps(fields, indent=1).encode("ascii"))
    temporary.rename(path / MANIFEST)


def load_snapshot(path: Path) -> Snapshot | None:
    """The snapshot in `path`; None for a directory that is none."""
    try:
        fields: Any = json.loads((path / MANIFEST).read_bytes())
        time, operation, *lists, after, kept = (fields[name] for name in _FIELDS)
        after = None if after is None else _file_names(after)
        tables, files, missing = map(_file_names, lists)
        renamed = fields.get("renamed", {})
        pairs = zip(_file_names(renamed), _file_names(renamed.values()), strict=True)
        return Snapshot(
            path.name,
            path,
            float(time),
            str(operation),
            tables,
            files,
            missing,
            after,
            bool(kept),
            tuple(pairs),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _file_names(names: Iterable[str]) -> tuple[str, ...]:
    """The names of a manifest. Raises `ValueError` for one that leads out of a directory."""
    for name in names:
        if not name or "/" in name or "\0" in name or name in {".", ".."}:
            raise ValueError(name)
    return tuple(names)

"""The files beside the tables of a stack: what `tables.list` does not name, what it is, and who has it open.

    orphan       a table that no list names: left behind, not listed yet, or lost by a list
    temporary    a table that is being written, or was
    lock         on the list or on a table, held or left behind
    other        whatever else somebody put there

Whether `clean` would remove a file is asked of `clean.py`. Looking writes nothing, follows no link, and
opens nothing but regular files that are called like tables.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from engine.errors import FormatError
from engine.format import TABLES_LIST
from engine.stack.clean import LOCK_SUFFIX, FileKind, file_kind, judge
from engine.stack.directory import read_table_list
from engine.stack.holders import Holder, Holders, find_holders
from engine.table import Table

MOST_NEIGHBOURS: Final = 10_000
"""Files that are looked at; of a directory with more, any so many."""


@dataclass(slots=True, frozen=True)
class Neighbour:
    """A file in a stack's directory that is not part of the stack.

    `size` is in bytes, `modified` in seconds since 1970, `age` in seconds before the look (0 for a time in
    the future). `reason` says why it is there and `removable` whether `clean` would remove it. `holder` is
    a process that has it open; `holding` says in words what that, or its absence, tells.
    """

    name: str
    kind: FileKind
    size: int
    modified: float
    age: float = field(compare=False)
    removable: bool
    reason: str
    holder: Holder | None
    holding: str


def neighbours(
    directory: str | os.PathLike[str],
    listed: Collection[str],
    now: float,
    *,
    covered: int | None = None,
) -> list[Neighbour]:
    """What lies in `directory` beside the tables `listed`, by name; at most MOST_NEIGHBOURS files.

    Tables that the list names by now count as listed, too. `now` is in seconds since 1970. `covered` is the
    highest update index of the listed tables; without it, they are opened as soon as an orphan is to be
    judged. Raises `OSError` when the directory cannot be read, and nothing else.
    """
    path = os.path.realpath(directory)
    with os.scandir(path) as entries:
        known = {TABLES_LIST, *listed, *_listed_now(path)}
        names = sorted(islice((entry.name for entry in entries if entry.name not in known), MOST_NEIGHBOURS))
    kinds = {name: file_kind(name) for name in names}
    locks = [name for name, kind in kinds.items() if kind is FileKind.LOCK]
    if covered is None and FileKind.ORPHAN in kinds.values():
        covered = _highest_update_index(path, listed)
    # Who reads or writes a file that is no reftable's is nobody's business here.
    ours = [os.path.join(path, name) for name, kind in kinds.items() if kind is not FileKind.OTHER]
    holders = find_holders(ours) if ours else Holders({}, complete=True)
    found: list[Neighbour] = []
    for name in names:
        try:
            status = os.stat(os.path.join(path, name), follow_symlinks=False)
        except OSError:
            continue  # gone again, as locks and temporary tables are
        verdict = judge(path, name, status.st_mode, locks, covered)
        holder = holders.found.get(os.path.join(path, name))
        found.append(
            Neighbour(
                name,
                verdict.kind,
                status.st_size,
                status.st_mtime,
                max(0.0, now - status.st_mtime),
                verdict.is_stale,
                verdict.reason,
                holder,
                _holding(name, verdict.kind, holder, holders.complete),
            )
        )
    return found


def _listed_now(path: str) -> list[str]:
    try:
        return read_table_list(path)
    except (FormatError, OSError):
        return []


def _highest_update_index(path: str, listed: Iterable[str]) -> int | None:
    """The highest update index of the listed tables; None when one of them cannot be read."""
    highest = 0
    for name in listed:
        try:
            with Table.open(os.path.join(path, name), name) as table:
                highest = max(highest, table.max_update_index)
        except (FormatError, OSError):
            return None
    return highest


def _holding(name: str, kind: FileKind, holder: Holder | None, complete: bool) -> str:
    if kind is FileKind.OTHER:
        return ""
    if holder is not None:
        return f"process {holder.pid} ({holder.command}) has it open"
    seen = "no process here has it open" if complete else "no process that can be looked into has it open"
    if kind is not FileKind.LOCK:
        return seen
    if name == TABLES_LIST + LOCK_SUFFIX:
        return (
            f"{seen}; git keeps this lock open while it holds it, so it was probably left behind, "
            "unless its holder runs in another container or on another machine"
        )
    return f"{seen}; that tells nothing: git closes the locks on tables as soon as it has made them"

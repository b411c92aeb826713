"""The one judge of the files beside the tables: what `tables.list` does not name, and what may become of it.

    superseded     an orphan: listed tables hold all its records as new or newer (see `coverage.py`)
    data           a table whose loss from the list loses records: it fills a hole, or has what no other has
    next           a table that would be the next of the stack: its writer may have died before it committed
    ahead          a table that is newer than that, or than one transaction: the list is older than its tables
    doubtful       a table of which none of this can be told
    unreadable     a file that is named like a table, and is none; by its name it may be one of the others
    temporary      a table that is being written, or was
    locks          on the list or on a table, held or left behind

Whether a process is at work is told by age, and by the processes that have a file open, as far as these can
be seen. Writers hold the lock on the list, or locks on the tables that they merge, for as long as their
temporary file lives; git closes the locks on tables as soon as it has made them, but not the temporary file.

Looking writes nothing, follows no link, and opens nothing but regular files that are named like tables.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from enum import StrEnum
from typing import Final, NamedTuple

from engine.errors import FormatError, counted, reason_of
from engine.format import TABLES_LIST, is_table_file, limits_in_name
from engine.progress import ProgressCallback
from engine.stack.coverage import Coverage
from engine.stack.holders import Holder, Holders, find_holders
from engine.stack.lock import LIST_LOCK, LOCK_SUFFIX
from engine.stack.temporary import TEMPORARY_MARK
from engine.table import Table

YOUNG_LOCK_SECONDS: Final = 60
"""How long a lock is taken for one that is held: changes take milliseconds, compactions seconds."""


class FileKind(StrEnum):
    """What a file is that is not listed."""

    SUPERSEDED = "orphan"
    DATA = "data"
    NEXT = "next table"
    AHEAD = "newer table"
    DOUBTFUL = "orphan?"
    UNREADABLE = "unreadable"
    TEMPORARY = "temporary"
    TABLE_LOCK = "table lock"
    LIST_LOCK = "list lock"
    NOT_REGULAR = "no file"
    OTHER = "other"

    @property
    def is_table(self) -> bool:
        """Whether the file is named like a table."""
        return not self.is_lock and self not in (FileKind.TEMPORARY, FileKind.NOT_REGULAR, FileKind.OTHER)

    @property
    def is_lock(self) -> bool:
        """Whether the file is a lock."""
        return self in (FileKind.TABLE_LOCK, FileKind.LIST_LOCK)


class UnlistedFile(NamedTuple):
    """A file in a stack's directory that is not part of the stack.

    `size` is in bytes, `modified` in seconds since 1970, `age` in seconds before the look (0 for a time in
    the future). `reason` says why it is there, with `offset` the place of what is wrong with it.
    `is_removable` when nothing needs it: `clean` removes it. `in_use` when a process may be at work on it;
    `may_be_held` when that is so, or its user has processes that could not be looked into: nothing but force
    removes such a lock.
    `holder` is a process that has it open; `holding` says in words what that, or its absence, tells.
    """

    name: str
    kind: FileKind
    size: int
    modified: float
    age: float
    reason: str
    is_removable: bool = False
    in_use: bool = False
    may_be_held: bool = False
    holder: Holder | None = None
    holding: str = ""
    offset: int | None = None
    at_stake: int = 0
    """Records that are lost to the stack without this table, as far as they were counted."""


class Verdict(NamedTuple):
    """What a table is, why, the place in it that tells, and how many records the stack lacks without it."""

    kind: FileKind
    reason: str
    offset: int | None = None
    at_stake: int = 0


Verdicts = dict[tuple[object, ...], Verdict]
"""Verdicts on tables by what they depend on, for a caller that looks at a directory again and again."""

_NOT_READ: Final = f"not in {TABLES_LIST}, and cannot be read"

_Found = dict[str, tuple[FileKind, os.stat_result]]


def judged_files(
    path: str,
    beside: Collection[str],
    known: Collection[str],
    now: float,
    *,
    with_tables: bool,
    held: Collection[str],
    most_bytes: int | None,
    verdicts: Verdicts | None,
    progress: ProgressCallback | None,
) -> list[UnlistedFile]:
    """What the files `beside` the listed ones are: steps 2 and 3 of `unlisted_files`, which says the rest.

    The directory, whose `path` has no symbolic link in it, was read before the list, which names the `known`.
    """
    found: _Found = {}
    for name in sorted(beside):
        with suppress(OSError):  # gone again, as locks and temporary files are
            status = os.lstat(os.path.join(path, name))
            kind = _kind_of(name, status.st_mode)
            if with_tables or not kind.is_table:
                found[name] = kind, status
    tables = {name: status for name, (kind, status) in found.items() if kind.is_table}
    judged = _judged(path, tables, list(known), most_bytes, verdicts, progress) if tables else {}
    # A file that is none of a stack may be open in any process.
    ours = [os.path.join(path, name) for name, (kind, _) in found.items() if kind is not FileKind.OTHER]
    holders = find_holders(ours) if ours else Holders({}, complete=True)
    held_by = {name: holders.found.get(os.path.join(path, name)) for name in found}
    used = _locks_in_use(found, held_by, now)
    late_locks = {name + LOCK_SUFFIX for name in (TABLES_LIST, *known, *tables)}.difference(found, held)
    is_locked = bool(used) or any(_is_young(path, name, now) for name in late_locks)
    locks = [name for name in found if name.endswith(LOCK_SUFFIX)]
    files: list[UnlistedFile] = []
    for name, (named, status) in found.items():
        kind, reason, offset, at_stake = named, "", None, 0
        holder, in_use, may_hide = held_by[name], name in used, holders.may_hide(status.st_uid)
        # Of a temporary file without any lock, the writer is dead: it would hold one.
        is_hidden = may_hide and (named.is_lock or (named is FileKind.TEMPORARY and bool(locks)))
        if named.is_table:
            if name not in judged:
                continue  # gone again
            kind, reason, offset, at_stake = judged[name]
            in_use = is_locked
            if holder is not None and holder.pid == os.getpid():
                holder = None  # a thread of ours reads the table, to judge or to show it
        elif named is FileKind.TEMPORARY:
            in_use = is_locked or holder is not None
        files.append(
            UnlistedFile(
                name,
                kind,
                status.st_size,
                status.st_mtime,
                max(0.0, now - status.st_mtime),
                reason or _words(name, kind, status, now, locks),
                is_removable=kind is FileKind.SUPERSEDED
                or (kind is FileKind.TEMPORARY and not locks and not in_use),
                in_use=in_use,
                may_be_held=in_use or is_hidden,
                holder=holder,
                holding=_holding(kind, holder, may_hide),
                offset=offset,
                at_stake=at_stake,
            )
        )
    return files


def holding_data(directory: str, names: Sequence[str], listed: Iterable[str], most_bytes: int) -> list[str]:
    """Those of some unlisted tables that are known to hold what no listed table holds as new or newer.

    Of one with more than `most_bytes` it is not known. Raises `OSError`.
    """
    coverage = Coverage(directory, listed)
    found: list[str] = []
    for name in names:
        with suppress(FileNotFoundError):
            is_small = os.stat(os.path.join(directory, name)).st_size <= most_bytes
            if _judge(directory, name, names, coverage, None, compares=is_small).kind is FileKind.DATA:
                found.append(name)
    return found


def _kind_of(name: str, mode: int) -> FileKind:
    """What name and type of a file tell; a table may turn out to be anything."""
    if not stat.S_ISREG(mode):
        return FileKind.NOT_REGULAR
    if name == LIST_LOCK:
        return FileKind.LIST_LOCK
    if name.endswith(LOCK_SUFFIX):
        return FileKind.TABLE_LOCK
    if TEMPORARY_MARK in name:
        return FileKind.TEMPORARY
    return FileKind.DOUBTFUL if is_table_file(name) else FileKind.OTHER


# Locks and temporary files


def _locks_in_use(found: _Found, held_by: dict[str, Holder | None], now: float) -> set[str]:
    """The locks that a process may hold.

    A lock on a table says nothing by being open to none: git closes it at once. But its holder writes to a
    temporary file all the time.
    """
    young = {name for name, (_, status) in found.items() if now - status.st_mtime < YOUNG_LOCK_SECONDS}
    is_merging = any(
        kind is FileKind.TEMPORARY and (name in young or held_by[name] is not None)
        for name, (kind, _) in found.items()
    )
    return {
        name
        for name, (kind, _) in found.items()
        if kind.is_lock
        and (name in young or held_by[name] is not None or (kind is FileKind.TABLE_LOCK and is_merging))
    }


def _is_young(path: str, lock: str, now: float) -> bool:
    """Whether there is such a lock, made since the directory was read.

    A process that adds a table holds the lock on the list until the table is listed, one that merges tables
    their locks until they are gone.
    """
    try:
        return now - os.lstat(os.path.join(path, lock)).st_mtime < YOUNG_LOCK_SECONDS
    except OSError:
        return False


# Tables


def _judged(
    path: str,
    tables: dict[str, os.stat_result],
    listed: Sequence[str],
    most_bytes: int | None,
    verdicts: Verdicts | None,
    progress: ProgressCallback | None,
) -> dict[str, Verdict]:
    """What each of these tables is; nothing of those that are gone."""
    before = verdicts if verdicts is not None else {}
    keys = {
        name: (name, one.st_dev, one.st_ino, one.st_size, one.st_mtime_ns, tuple(listed))
        for name, one in tables.items()
    }
    judged = {name: before[key] for name, key in keys.items() if key in before}
    if len(judged) < len(tables):
        coverage = Coverage(path, listed)
        for name, status in tables.items():
            if name not in judged:
                with suppress(FileNotFoundError):
                    is_small = most_bytes is None or status.st_size <= most_bytes
                    judged[name] = _judge(path, name, tables, coverage, progress, compares=is_small)
    before.clear()
    before.update({keys[name]: verdict for name, verdict in judged.items()})
    # One writer that dies leaves one table at most, and its update indexes are the next ones.
    newer = [name for name, (kind, *_) in judged.items() if kind in (FileKind.NEXT, FileKind.AHEAD)]
    if len(newer) > 1:
        judged |= {name: judged[name]._replace(kind=FileKind.AHEAD) for name in newer}
    elif newer and judged[newer[0]].kind is FileKind.NEXT and judged[newer[0]].reason.startswith(_NOT_READ):
        judged[newer[0]] = judged[newer[0]]._replace(kind=FileKind.UNREADABLE)
    return judged


def _judge(
    path: str,
    name: str,
    unlisted: Iterable[str],
    coverage: Coverage,
    progress: ProgressCallback | None,
    *,
    compares: bool,
) -> Verdict:
    """What one table is. Raises `FileNotFoundError`."""
    try:
        with Table.open(os.path.join(path, name), name) as table:
            low, high = table.min_update_index, table.max_update_index
            indexes = f"index {low}" if low == high else f"indexes {low} to {high}"
            what = f"not in {TABLES_LIST}, update {indexes}"
            if low > high:
                return Verdict(FileKind.UNREADABLE, f"{what}, which is no range")
            kind = _kind_by_limits(low, high, coverage)
            if kind is FileKind.NEXT and _is_compacted(table):
                kind = FileKind.AHEAD
            if kind is not None:
                held, number = _records_in(table) if compares else ("", 0)
                why = f"newer than the stack, which reaches {coverage.highest}"
                if kind is FileKind.DATA:
                    why = "no listed table has all of these"
                elif low <= coverage.highest and compares and coverage.contradicts(table):
                    kind, why = FileKind.DATA, "another history: listed tables of these hold what it does not"
                return Verdict(kind, f"{what}: {why}{held}", None, number)
            if not compares:
                return Verdict(FileKind.DOUBTFUL, f"{what}: not compared with the listed tables here")
            limits = coverage.compacted(table)
            # What a compaction that was killed has left, it has left together.
            beside = Coverage(path, unlisted).within(*limits) if limits is not None else []
            missing = coverage.missing_from(table, beside, progress)
    except FileNotFoundError:
        raise
    except (FormatError, OSError) as error:
        offset = error.offset if isinstance(error, FormatError) else None
        # The list may have lost it all the same: its name tells, as far as it is one.
        low, high = limits_in_name(name) or (1, 0)
        kind = _kind_by_limits(low, high, coverage) if low <= high else None
        if kind is FileKind.NEXT and high - low > 1:
            kind = FileKind.AHEAD
        return Verdict(kind or FileKind.UNREADABLE, f"{_NOT_READ}: {reason_of(error)}", offset)
    if missing is None:
        return Verdict(FileKind.DOUBTFUL, f"{what}: a listed table that may hold its records cannot be read")
    if any(missing):
        refs, logs = counted(missing.refs, "ref"), counted(missing.logs, "reflog entry", "reflog entries")
        why = f"another history: {refs} only there, {missing.differing:,} differ, {logs} only there"
        return Verdict(FileKind.DATA, f"{what}: {why}", None, sum(missing))
    return Verdict(FileKind.SUPERSEDED, f"{what}: listed tables hold all its records, as new or newer")


def _records_in(table: Table) -> tuple[str, int]:
    """How much a table holds, in words behind others, and the number; nothing if it cannot be read whole."""
    try:
        refs, logs = sum(map(len, table.ref_blocks())), sum(map(len, table.log_blocks()))
    except FormatError:
        return "", 0
    logs_text = counted(logs, "reflog entry", "reflog entries")
    return f"; it holds {counted(refs, 'ref')} and {logs_text}", refs + logs


def _kind_by_limits(low: int, high: int, coverage: Coverage) -> FileKind | None:
    """What a table is by its update indexes alone; None if listed tables have them all."""
    if high > coverage.highest:
        return FileKind.NEXT if low == coverage.highest + 1 else FileKind.AHEAD
    return None if coverage.covers(low, high) else FileKind.DATA


def _is_compacted(table: Table) -> bool:
    """Whether a table holds more than one transaction writes: what it was made of was committed.

    A transaction gives all refs its first update index. Others it has for log entries alone, as git does when
    it renames a remote with the logs of its branches; and for a branch that takes the place of one deleted.
    Of a table that cannot be read whole, the number of its update indexes tells.
    """
    low, high = table.min_update_index, table.max_update_index
    if low == high:
        return False
    made, later = False, 0
    try:
        for refs in table.ref_blocks():
            later += sum(ref.update_index != low for ref in refs)
            made = made or any(ref.update_index == low and not ref.is_deletion for ref in refs)
            if later and (made or later > 1 or high - low > 1):
                return True
    except FormatError:
        return high - low > 1
    return False


# Words

_TYPES: Final = {
    stat.S_IFDIR: "a directory",
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
}


def _words(name: str, kind: FileKind, status: os.stat_result, now: float, locks: Sequence[str]) -> str:
    if kind.is_lock:
        return f"a lock on {name.removesuffix(LOCK_SUFFIX)}, {age_words(now - status.st_mtime)} old"
    if kind is FileKind.TEMPORARY:
        lock = f"there is {locks[0]}" if locks else "no lock is held"
        return f"a table that is not finished, {status.st_size} bytes; {lock}"
    if kind is FileKind.NOT_REGULAR:
        return f"{_TYPES.get(stat.S_IFMT(status.st_mode), 'a device')}: no writer of reftables made it"
    return f"{status.st_size} bytes: no file of a stack"


def _holding(kind: FileKind, holder: Holder | None, is_hidden: bool) -> str:
    if kind is FileKind.OTHER:
        return ""
    if holder is not None:
        return f"{holder} has it open"
    seen = "no process here has it open"
    if is_hidden:
        seen = "no process here is seen to have it open, but other users' processes could not be looked into"
    if kind is FileKind.LIST_LOCK and not is_hidden:
        return (
            f"{seen}; git keeps this lock open while it holds it, so it was probably left behind, "
            "unless its holder runs in another container or on another machine"
        )
    if kind is FileKind.TABLE_LOCK:
        return f"{seen}; that tells nothing: git closes the locks on tables as soon as it has made them"
    return seen


def age_words(seconds: float) -> str:
    """A duration in its largest unit; a time in the future is no age at all."""
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(seconds, 0):.0f} seconds"

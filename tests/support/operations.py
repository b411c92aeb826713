"""Stacks, sound and damaged, and operations on them for system calls to fail in: see `faults.py`."""

from __future__ import annotations

import errno
import os
import random
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from unittest.mock import patch

from engine.format import LogRecord, RefRecord
from engine.merge import Expiry
from engine.repair import plan_repair, repair
from engine.snapshot import ChangeRecord, find_snapshot, keep, list_snapshots, prune, restore
from engine.snapshot.manifest import snapshots_directory
from engine.stack import Stack, StackOptions
from tests.support.handmade import change_footer
from tests.support.stacks import list_tables, listed, lock
from tests.support.tables import oid, write_table
from tests.support.thinning import thinned

NOW = 2_000_000_000.0
"""A time at which every file that a test makes is old."""

NEW = b"refs/heads/new"
MENDED = b"refs/heads/mended"
NAMES = (*(b"refs/heads/b%d" % number for number in range(9)), NEW, MENDED)
"""All refs that there are in any of the stacks, at any time."""


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation on a stack, and what is done beforehand to the one that `prepare` makes."""

    work: Callable[[Path], object]
    before: Callable[[Path], object] = lambda _directory: None
    by_git: bool = False
    """Whether git is asked as well, at every point: one operation of a kind is enough."""

    keeps_all: bool = True
    """Whether all tables stay, in the stack or in a snapshot: not so for changes without a snapshot."""


def _options() -> StackOptions:
    return StackOptions(auto_compact=False, lock_timeout_ms=0)


@contextmanager
def drawing(seed: str) -> Iterator[None]:
    """Have whatever is drawn at random be the same each time: parts of names, all of it."""
    drawn = random.Random(seed)
    with (
        patch.object(os, "urandom", drawn.randbytes),
        patch.object(secrets, "token_hex", lambda size: drawn.randbytes(size).hex()),
    ):
        yield


def prepare(parent: Path) -> Path:
    """Make a stack of three tables in `parent`, with a snapshot and a stale table; returns its directory."""
    directory = parent / "reftable"
    directory.mkdir(parents=True)
    with Stack.open(directory, _options()) as stack:
        for number in range(1, 5):
            with stack.addition() as addition, addition.table() as writer:
                names = [b"refs/heads/b%d" % at for at in range(9) if at % 4 < number]
                index = addition.update_index
                writer.add_refs(RefRecord(name, index, oid(number)) for name in names)
                writer.add_logs(
                    LogRecord(
                        name, index, oid(number - 1), oid(number), b"A", b"a@b", 100 * number, 0, b"m\n"
                    )
                    for name in names
                )
        with _recorded(directory, NOW) as recorded:
            recorded.compact(2, 4)
        stack.reload()
        with stack.addition() as addition, addition.table() as writer:
            writer.add_ref(RefRecord(b"refs/heads/b0", addition.update_index))
    # Its refs stay in every state of the stack: a table whose refs were deleted, and the tombstones compacted
    # away, would be data that the list may have lost.
    stale = directory / "0x000000000001-0x000000000001-0badcafe.ref"
    write_table(stale, [RefRecord(b"refs/heads/b%d" % at, 1, oid(1)) for at in (4, 8)])
    return directory


# Changes


def add(directory: Path) -> None:
    """Create a ref."""
    with Stack.open(directory, _options()) as stack, stack.addition() as addition, addition.table() as writer:
        writer.add_ref(RefRecord(NEW, addition.update_index, oid(1)))


def compact(directory: Path) -> None:
    """Merge all tables."""
    with Stack.open(directory, _options()) as stack:
        stack.compact_all()


def compact_held(directory: Path) -> None:
    """Merge all tables that were locked before that was planned."""
    with Stack.open(directory, _options()) as stack, stack.hold():
        stack.apply(stack.plan_compaction(0, len(stack.tables)))


def expire(directory: Path) -> None:
    """Drop the older half of the reflogs."""
    with Stack.open(directory, _options()) as stack:
        stack.compact_all(Expiry(time=250))


def expire_all(directory: Path) -> None:
    """Of each reflog, a marker is left."""
    with Stack.open(directory, _options()) as stack:
        stack.compact_all(Expiry(time=int(NOW)))


def clean(directory: Path) -> None:
    """Remove the stale table."""
    with Stack.open(directory, _options()) as stack:
        stack.clean()


@contextmanager
def _recorded(directory: Path, now: float) -> Iterator[Stack]:
    with (
        ChangeRecord(directory, "work", now) as record,
        Stack.open(directory, _options(), before_change=record.before_change) as stack,
    ):
        yield stack


def compact_recorded(directory: Path) -> None:
    """Merge all tables, with a snapshot in front of it."""
    with _recorded(directory, NOW + 1) as stack:
        stack.compact_all()


def mend(directory: Path, *, force: bool = False) -> None:
    """Repair whatever there is to be repaired."""
    repair(directory, plan_repair(directory, _options(), now=NOW + 1), now=NOW + 1, force=force)


def undo(directory: Path) -> None:
    """Undo the newest change."""
    restore(directory, find_snapshot(directory), NOW + 2)


def go_back(directory: Path) -> None:
    """Go back to before the oldest change, whatever has happened since."""
    restore(directory, list_snapshots(directory)[-1], NOW + 2, force=True)


def prune_all(directory: Path) -> None:
    """Remove all snapshots."""
    prune(directory, NOW + 2, count=0)


def keep_newest(directory: Path) -> None:
    """Except a snapshot from pruning."""
    keep(find_snapshot(directory), kept=True)


@contextmanager
def no_links() -> Iterator[None]:
    """Have a file system without hard links."""
    with patch.object(os, "link", side_effect=OSError(errno.EPERM, "no links here")):
        yield


def copying(work: Callable[[Path], object], directory: Path) -> None:
    """Do what else there is on a file system without hard links."""
    with no_links():
        work(directory)


# Damage


def lock_list(directory: Path) -> None:
    """Leave a lock on the list."""
    lock(directory, "tables.list")


def lock_table(directory: Path) -> None:
    """Leave a lock on a table."""
    lock(directory, listed(directory)[0])


def ruin(directory: Path, number: int = 1) -> None:
    """Let nothing be readable of a table."""
    (directory / listed(directory)[number]).write_bytes(b"\xff" * 500)


def cut(directory: Path, number: int = 0) -> None:
    """Cut the end off a table."""
    path = directory / listed(directory)[number]
    os.truncate(path, path.stat().st_size - 80)


def mislead(directory: Path) -> None:
    """Let the footers of two tables lead astray; everything can be read still."""
    for name in listed(directory)[:2]:
        change_footer(directory / name, obj_offset=30, object_id_len=2)


def lose_list(directory: Path) -> None:
    """Remove the list."""
    (directory / "tables.list").unlink()


def reverse_list(directory: Path) -> None:
    """Have the list name the newest table first."""
    list_tables(directory, reversed(listed(directory)))


def misname(directory: Path) -> None:
    """Give a table the name of another range."""
    names = listed(directory)
    wrong = "0x000000000009-0x000000000009-12345678.ref"
    (directory / names[1]).rename(directory / wrong)
    list_tables(directory, [names[0], wrong, names[2]])


def litter(directory: Path) -> None:
    """Leave temporary files, and a table that was not listed in time."""
    (directory / "0x000000000009-0x000000000009-00000001.temp.abc123").write_bytes(b"half")
    (directory / "tables.list.lock.temp.abc123").write_bytes(b"")
    newest = (directory / listed(directory)[0]).read_bytes()
    (directory / "0x000000000001-0x000000000001-0badcaff.ref").write_bytes(newest)


def lose_table(directory: Path) -> None:
    """Remove a table."""
    (directory / listed(directory)[1]).unlink()


def everything(directory: Path) -> None:
    """Damage of every kind that goes together; what lies about unlisted has to stand in for one table."""
    lock_table(directory)
    litter(directory)
    ruin(directory, 0)
    cut(directory, 1)
    names = listed(directory)
    list_tables(directory, [*names, "0x000000000006-0x000000000006-12345678.ref"])
    lock_list(directory)


def _in_turn(*steps: Callable[[Path], object]) -> Callable[[Path], None]:
    def work(directory: Path) -> None:
        for step in steps:
            step(directory)

    return work


def _forget(directory: Path) -> None:
    """Have no snapshot, and no directory of them."""
    shutil.rmtree(snapshots_directory(directory))


def _take_some(directory: Path) -> None:
    for number in count(1):
        with _recorded(directory, NOW + number) as stack:
            stack.add(lambda writer: writer.add_ref(RefRecord(NEW, stack.next_update_index, oid(1))))
        if number == 3:
            return


DAMAGE = (
    lock_list, lock_table, ruin, cut, mislead, lose_list, reverse_list, misname, litter, lose_table,
    everything,
)  # fmt: skip

OPERATIONS: dict[str, Operation] = {
    "add": Operation(add, by_git=True),
    "compact": Operation(compact, by_git=True, keeps_all=False),
    "compact held": Operation(compact_held, keeps_all=False),
    "expire": Operation(expire, by_git=True, keeps_all=False),
    "expire all": Operation(expire_all, by_git=True, keeps_all=False),
    "expire all of one table": Operation(expire_all, compact, by_git=True, keeps_all=False),
    "clean": Operation(clean, by_git=True, keeps_all=False),
    "recorded compact": Operation(compact_recorded),
    "first recorded compact": Operation(compact_recorded, _forget),
    "go back": Operation(go_back, by_git=True),
    "go back over compact": Operation(go_back, compact_recorded),
    "prune": Operation(prune_all, _take_some, keeps_all=False),
    "keep": Operation(keep_newest),
    **{
        f"mend {damage.__name__}": Operation(mend, damage, by_git=damage in (cut, reverse_list))
        for damage in DAMAGE
    },
    **{
        f"undo mend {damage.__name__}": Operation(undo, _in_turn(damage, mend))
        for damage in (ruin, cut, litter, lose_list, everything)
    },
    "copying recorded compact": Operation(partial(copying, compact_recorded)),
    "copying go back": Operation(partial(copying, go_back)),
    "copying mend ruin": Operation(partial(copying, mend), ruin),
    "copying undo mend cut": Operation(partial(copying, undo), _in_turn(cut, mend)),
}
"""A process dies or fails at each system call of these: the stack is the old one or the new."""

_WITHOUT_GIT = [name for name, operation in OPERATIONS.items() if not operation.by_git]
TRIED = [name for name in OPERATIONS if name not in _WITHOUT_GIT or name in thinned(_WITHOUT_GIT, 2)]
"""The names of them all; by default of those that git is asked about, and of every other one of the rest."""

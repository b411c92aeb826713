"""System calls that change the disk, made to fail, and operations on a stack for them to fail in.

A fault is a function that is called in front of each such call with its number and name. It may raise
what the system would, or kill the process.
"""

from __future__ import annotations

import builtins
import errno
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from engine.compaction import Expiry
from engine.options import StackOptions
from engine.record import LogRecord, RefRecord
from engine.repair import plan_repair, repair
from engine.snapshot import keep, list_snapshots, prune, restore, snapshot_before
from engine.stack import Stack
from tests.support.handmade import change_footer
from tests.support.tables import oid

Fault = Callable[[int, str], None]
"""Called with the number of the call, from 0, and its name."""

CHANGING: tuple[str, ...] = (
    "open", "write", "sendfile", "fsync", "fchmod", "rename", "replace", "unlink", "link", "mkdir", "rmdir",
)  # fmt: skip

NOW = 1_700_000_000.0
NEW = b"refs/heads/new"
_OPTIONS = StackOptions(auto_compact=False, lock_timeout_ms=20_000)


@contextmanager
def faults(fault: Fault) -> Iterator[None]:
    """Have `fault` called in front of every system call that changes the disk.

    `shutil` copies through `open` and `os.sendfile`; what it does else to a copy, its times and permissions,
    changes nothing that matters.
    """
    numbers = count()

    def wrap(real: Callable[..., object], name: str) -> Callable[..., object]:
        def call(*args: object, **options: object) -> object:
            if _changes(name, args):
                try:
                    fault(next(numbers), name)
                except OSError as error:
                    if name == "write":  # a full disk takes a part
                        data = bytes(args[1])  # type: ignore[call-overload]
                        real(args[0], data[: len(data) // 2])
                    if name == "sendfile":
                        real(*args[:3], os.fstat(int(str(args[1]))).st_size // 2)
                    if isinstance(error, _DeathError):
                        os.kill(os.getpid(), signal.SIGKILL)
                    raise
            return real(*args, **options)

        return call

    places: list[tuple[object, str]] = [(os, name) for name in CHANGING]
    places.append((builtins, "open"))
    real_calls = [(place, name, getattr(place, name)) for place, name in places]
    for place, name, real in real_calls:
        setattr(place, name, wrap(real, name))
    try:
        yield
    finally:
        for place, name, real in real_calls:
            setattr(place, name, real)


def _changes(name: str, args: Sequence[object]) -> bool:
    """Whether a call changes the disk: to open a file does if that makes it."""
    if name != "open":
        return True
    how = args[1] if len(args) > 1 else "r"
    return bool(how & os.O_CREAT) if isinstance(how, int) else bool(set("wxa").intersection(str(how)))


def survives(call: int, work: Callable[[], object]) -> bool:
    """Work in a process that is killed in front of its changing call of this number; True if it has none.

    Of a write, half has happened by then.
    """

    def fault(number: int, _name: str) -> None:
        if number == call:
            raise _DeathError

    pid = os.fork()
    if not pid:
        # Whatever happens here, it must not go on with the tests.
        try:
            with faults(fault):
                work()
            os._exit(0)
        finally:
            os._exit(1)
    return not os.waitpid(pid, 0)[1]


class _DeathError(OSError):
    """The end of the process, behind the half of a write."""


def prepare(parent: Path) -> Path:
    """Make a stack in `parent` that every operation has something to do in; returns its directory."""
    directory = parent / "reftable"
    directory.mkdir(parents=True)
    with Stack.open(directory, _OPTIONS) as stack:
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
        with snapshot_before(directory, "compact", NOW):
            stack.compact(2, 4)
        with stack.addition() as addition, addition.table() as writer:
            writer.add_ref(RefRecord(b"refs/heads/b0", addition.update_index))
    stale = "0x000000000001-0x000000000001-0badcafe.ref"
    (directory / stale).write_bytes(
        (directory / (directory / "tables.list").read_text().split()[0]).read_bytes()
    )
    return directory


@dataclass(frozen=True, slots=True)
class Operation:
    """Something that is done to a stack, and what happens to it before, which is not interrupted."""

    work: Callable[[Path], object]
    before: Callable[[Path], object] = lambda _: None

    @property
    def is_guarded(self) -> bool:
        """Whether there is a snapshot of what it removes."""
        return self.work not in (add, compact, expire, clean, prune_all)


def add(directory: Path) -> None:
    """Create a ref."""
    with Stack.open(directory, _OPTIONS) as stack, stack.addition() as addition, addition.table() as writer:
        writer.add_ref(RefRecord(NEW, addition.update_index, oid(1)))


def compact(directory: Path) -> None:
    """Merge all tables."""
    with Stack.open(directory, _OPTIONS) as stack:
        stack.compact_all()


def expire(directory: Path) -> None:
    """Drop the older half of the reflogs."""
    with Stack.open(directory, _OPTIONS) as stack:
        stack.compact_all(Expiry(time=250))


def clean(directory: Path) -> None:
    """Remove the stale table."""
    with Stack.open(directory, _OPTIONS) as stack:
        stack.clean()


def undo(directory: Path) -> None:
    """Go back to before the compaction, whatever has happened since."""
    restore(directory, list_snapshots(directory)[-1], NOW + 2, force=True)


def undo_last(directory: Path) -> None:
    """Go back to the newest snapshot."""
    restore(directory, list_snapshots(directory)[0], NOW + 2)


def guarded_compact(directory: Path) -> None:
    """Merge all tables, with a snapshot in front of it."""
    with snapshot_before(directory, "compact", NOW + 1), Stack.open(directory, _OPTIONS) as stack:
        stack.compact_all()


def mend(directory: Path) -> None:
    """Repair whatever is wrong."""
    repair(directory, plan_repair(directory, _OPTIONS, now=NOW), now=NOW + 1)


def prune_all(directory: Path) -> None:
    """Remove all snapshots, but one of them that is kept first."""
    keep(list_snapshots(directory)[0], kept=True)
    prune(directory, NOW, count=0)


def without_links(work: Callable[[Path], object]) -> Callable[[Path], object]:
    """The same where the file system has no hard links: everything has to be copied."""

    def call(directory: Path) -> None:
        def refuse(*_args: object, **_options: object) -> None:
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))

        real = os.link
        os.link = refuse
        try:
            work(directory)
        finally:
            os.link = real

    return call


# What is wrong with a stack.


def _tables(directory: Path) -> list[Path]:
    return [directory / name for name in (directory / "tables.list").read_text().split()]


def break_objects(directory: Path) -> None:
    """Have the footer of a table say wrong where its object section is: refs and logs can all be read."""
    change_footer(_tables(directory)[1], obj_offset=30, object_id_len=2)


def cut_short(directory: Path) -> None:
    """Lose the footer of the oldest table."""
    path = _tables(directory)[0]
    os.truncate(path, path.stat().st_size - 40)


def overwrite(directory: Path) -> None:
    """Lose all of a table."""
    path = _tables(directory)[1]
    path.write_bytes(bytes(path.stat().st_size))


def lose_table(directory: Path) -> None:
    """Lose a table with its file."""
    _tables(directory)[1].unlink()


def lose_list(directory: Path) -> None:
    """Lose the list."""
    (directory / "tables.list").unlink()


def reverse_list(directory: Path) -> None:
    """Have the oldest table win."""
    path = directory / "tables.list"
    path.write_text("".join(f"{name}\n" for name in path.read_text().split()[::-1]))


def misname(directory: Path) -> None:
    """Name a table by other update indexes than it has."""
    path, wrong = _tables(directory)[1], directory / "0x000000000077-0x000000000078-0badcafe.ref"
    path.rename(wrong)
    text = (directory / "tables.list").read_text()
    (directory / "tables.list").write_text(text.replace(path.name, wrong.name))


def leave_locks(directory: Path) -> None:
    """Die with all locks held, and half of a table written; the table is damaged as well."""
    break_objects(directory)
    for name in ("tables.list", _tables(directory)[1].name):
        lock = directory / f"{name}.lock"
        lock.touch()
        os.utime(lock, (0, 0))
    (directory / "0x000000000099-0x000000000099-0badcafe.temp.a1b2c3").write_bytes(b"REFT")


def repaired(damage: Callable[[Path], object]) -> Callable[[Path], object]:
    """Do the damage, and repair it."""

    def before(directory: Path) -> None:
        damage(directory)
        mend(directory)

    return before


_DAMAGES = (
    break_objects,
    cut_short,
    overwrite,
    lose_table,
    lose_list,
    reverse_list,
    misname,
    leave_locks,
)

OPERATIONS = {
    **{work.__name__: Operation(work) for work in (add, compact, expire, clean, undo, guarded_compact)},
    "undo by copies": Operation(without_links(undo)),
    "guarded compact by copies": Operation(without_links(guarded_compact)),
    **{f"repair of {damage.__name__}": Operation(mend, damage) for damage in _DAMAGES},
    "repair of overwrite by copies": Operation(without_links(mend), overwrite),
    **{
        f"undo of repair of {damage.__name__}": Operation(undo_last, repaired(damage))
        for damage in (cut_short, overwrite, lose_list)
    },
    "prune": Operation(prune_all, repaired(cut_short)),
}

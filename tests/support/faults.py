"""System calls that change the disk, made to fail, and operations on a stack for them to fail in.

A fault is a function that is called in front of each such call with its number and name. It may raise
what the system would, or kill the process.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from engine.compaction import Expiry
from engine.options import StackOptions
from engine.record import LogRecord, RefRecord
from engine.repair import plan_repair, repair
from engine.snapshot import list_snapshots, restore, snapshot_before
from engine.stack import Stack
from tests.support.handmade import change_footer
from tests.support.tables import oid

Fault = Callable[[int, str], None]
"""Called with the number of the call, from 0, and its name."""

CHANGING: tuple[str, ...] = (
    "open", "write", "fsync", "fchmod", "rename", "replace", "unlink", "link", "mkdir", "rmdir",
)  # fmt: skip

NOW = 1_700_000_000.0
NEW = b"refs/heads/new"
_OPTIONS = StackOptions(auto_compact=False, lock_timeout_ms=20_000)


@contextmanager
def faults(fault: Fault) -> Iterator[None]:
    """Have `fault` called in front of every system call that changes the disk."""
    numbers = count()

    def wrap(real: Callable[..., object], name: str) -> Callable[..., object]:
        def call(*args: object, **options: object) -> object:
            if name != "open" or int(str(args[1])) & os.O_CREAT:
                number = next(numbers)
                try:
                    fault(number, name)
                except OSError as error:
                    if name == "write":  # a full disk takes a part
                        data = bytes(args[1])  # type: ignore[call-overload]
                        real(args[0], data[: len(data) // 2])
                    if isinstance(error, _DeathError):
                        os.kill(os.getpid(), signal.SIGKILL)
                    raise
            return real(*args, **options)

        return call

    real_calls = {name: getattr(os, name) for name in CHANGING}
    for name, real in real_calls.items():
        setattr(os, name, wrap(real, name))
    try:
        yield
    finally:
        for name, real in real_calls.items():
            setattr(os, name, real)


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
    restore(directory, list_snapshots(directory)[-1], NOW + 1, force=True)


def guarded_compact(directory: Path) -> None:
    """Merge all tables, with a snapshot in front of it."""
    with snapshot_before(directory, "compact", NOW + 1), Stack.open(directory, _OPTIONS) as stack:
        stack.compact_all()


def mend(directory: Path) -> None:
    """Repair a table whose object section is not where the footer has it; refs and logs can all be read."""
    name = (directory / "tables.list").read_text().split()[1]
    change_footer(directory / name, obj_offset=30, object_id_len=2)
    repair(directory, plan_repair(directory, _OPTIONS, now=NOW), now=NOW + 1)


OPERATIONS = {work.__name__: work for work in (add, compact, expire, clean, undo, guarded_compact, mend)}

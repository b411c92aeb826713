"""Processes that work on a stack beside others: `python -m tests.support.stack_worker ROLE DIRECTORY ...`.

A role does its work however often it meets a lock or finds its view outdated, prints what it has done, and
ends with an error when it sees what no process must ever see.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path

from engine.errors import LockError, OutdatedError
from engine.format import LogRecord, RefRecord
from engine.stack import Stack
from engine.stack.stack import StackOptions
from engine.table import TableWriter

LEFT, RIGHT = b"refs/heads/left", b"refs/heads/right"
EMAIL = b"worker@example.com"
_PATIENT = StackOptions(policy="geometric", lock_timeout_ms=20_000)
_ATTEMPTS = 10_000
PAUSES = (0, 0, 0, 0, 0.6)
"""Seconds between changes: bursts, and quiet in which another process may undo what it has done."""


def _say(what: object) -> None:
    print(what, flush=True)  # noqa: T201 - read by the test at the other end of a pipe


def _insist(change: Callable[[], object]) -> None:
    for _ in range(_ATTEMPTS):
        try:
            change()
        except (LockError, OutdatedError):
            continue
        return
    sys.exit("no end of locks")


def _entry(name: bytes, index: int, old: bytes, new: bytes) -> LogRecord:
    return LogRecord(name, index, old, new, b"worker", EMAIL, 1700000000, 100, b"worker")


def _value(stack: Stack, name: bytes) -> bytes:
    record = stack.read_ref(name)
    if record is None or record.value is None:
        sys.exit(f"{name!r} is gone")
    return record.value


def add(directory: str, prefix: str, oid: str, times: str) -> None:
    """Create that many refs, each in a transaction of its own, by the two ways there are."""
    with Stack.open(directory, _PATIENT) as stack:
        for number in range(int(times)):
            name = f"refs/heads/{prefix}-{number}".encode()
            _insist(partial(_create, stack, name, bytes.fromhex(oid), reload=number % 2 == 0))
            _say(name.decode())


def _create(stack: Stack, name: bytes, value: bytes, *, reload: bool) -> None:
    def fill(writer: TableWriter) -> None:
        index = writer.min_update_index
        writer.add_ref(RefRecord(name, index, value))
        writer.add_log(_entry(name, index, bytes(len(value)), value))

    if reload:
        with stack.addition(reload=True) as addition:
            addition.add(fill)
    else:
        stack.add(fill)


def change(directory: str, prefix: str, oid: str, seed: str, until: str) -> None:
    """Create refs and delete some through one handle; say of each what is unknown first, and then known."""
    rng = random.Random(int(seed))
    mine: list[str] = []
    with Stack.open(directory, StackOptions(policy="geometric", lock_timeout_ms=1000)) as stack:
        for number in count():
            if Path(until).exists():
                return
            time.sleep(rng.choice(PAUSES))
            deletes = bool(mine) and rng.random() < 0.3
            name = mine.pop(rng.randrange(len(mine))) if deletes else f"refs/heads/{prefix}-{number}"
            _say(f"{name} unknown")
            old, new = bytes(20), bytes.fromhex(oid)
            if deletes:
                old, new = new, old
            is_there = deletes
            try:
                with stack.addition(reload=True) as addition, addition.table() as writer:
                    index = addition.update_index
                    writer.add_ref(RefRecord(name.encode(), index, None if deletes else new))
                    writer.add_log(_entry(name.encode(), index, old, new))
                is_there = not deletes
            except (LockError, OutdatedError):
                pass
            _say(f"{name} {'there' if is_there else 'gone'}")
            mine += [name] * is_there


def pair(directory: str, oids: str, times: str) -> None:
    """Point the pair of refs at one object after the other, both in one transaction."""
    values = [bytes.fromhex(oid) for oid in oids.split(",")]
    with Stack.open(directory, _PATIENT) as stack:
        for number in range(int(times)):
            _insist(partial(_change_pair, stack, values[number % len(values)]))
    _say("done")


def _change_pair(stack: Stack, value: bytes) -> None:
    with stack.addition(reload=True) as addition, addition.table() as writer:
        index = addition.update_index
        writer.add_refs(RefRecord(name, index, value) for name in (LEFT, RIGHT))
        writer.add_logs(_entry(name, index, _value(stack, name), value) for name in (LEFT, RIGHT))


def compact(directory: str, seed: str, until: str) -> None:
    """Compact everything, or any range, over and over until there is a file of that name, and once at least.

    A process that waits for a lock asks for it less and less often: among many others it may get it last.
    """
    rng = random.Random(int(seed))
    done = 0
    with Stack.open(directory, _PATIENT) as stack:
        while not (done and Path(until).exists()):
            try:
                stack.reload()
                first = rng.randrange(len(stack.tables)) if rng.random() < 0.5 else 0
                stack.compact(first, len(stack.tables))
                done += 1
            except (LockError, OutdatedError):
                continue
            _say(done)


def read(directory: str, until: str) -> None:
    """Read everything over and over, through one handle and through new ones; no view may break a promise."""
    names: set[bytes] = set()
    with Stack.open(directory, read_only=True) as kept:
        for number in count():
            finished = Path(until).exists()
            kept.reload()
            with Stack.open(directory, read_only=True) as fresh:
                names = _look(fresh if number % 2 else kept, names)
            if finished:
                _say(number)
                return


def _look(stack: Stack, known: set[bytes]) -> set[bytes]:
    left, right = stack.read_ref(LEFT), stack.read_ref(RIGHT)
    if left is None or right is None or left.value != right.value or left.update_index != right.update_index:
        sys.exit(f"half of a transaction: {left} {right}")
    refs = {ref.name: ref for ref in stack.refs()}
    if refs[LEFT] != left or refs[RIGHT] != right:
        sys.exit("a scan differs from a lookup in the same view")
    if lost := known.difference(refs):
        sys.exit(f"refs are gone: {sorted(lost)}")
    logged = {(log.name, log.update_index) for log in stack.logs()}
    if bare := [
        ref for ref in refs.values() if ref.target is None and (ref.name, ref.update_index) not in logged
    ]:
        sys.exit(f"refs without the reflog entry of their transaction: {bare}")
    return set(refs)


if __name__ == "__main__":
    roles = {role.__name__: role for role in (add, change, pair, compact, read)}
    roles[sys.argv[1]](*sys.argv[2:])

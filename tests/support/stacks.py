"""Stacks for tests: short ways to add to them, and to see the files that they are made of."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path

from engine.format import LogRecord, RefRecord
from engine.stack import Stack, StackOptions
from engine.table import TableWriter
from engine.update import PreparedUpdates, Stacks, TransactionResult, UpdatePlan
from tests.support.tables import write_table

LOOSE = StackOptions(auto_compact=False)
"""Every addition stays a table of its own."""

OPTIONS = StackOptions(auto_compact=False, skip_name_check=True, suffix=lambda: 0x5EED)
"""Likewise, and the tables have the same names each time."""


def same(number: int, size: int = 20) -> bytes:
    """Return the object id that repeats one byte, as the tests of git's library have them."""
    return bytes((number,)) * size


def branch(number: int, update_index: int = 1) -> RefRecord:
    """Return the ref of the branch of this number, with its id."""
    return RefRecord(b"refs/heads/branch-%04d" % number, update_index, value=same(number & 0xFF or 0xFF))


def entry(
    name: bytes, update_index: int, time: int = 0, message: bytes = b"message\n", new: bytes | None = None
) -> LogRecord:
    """Return a log entry of another user."""
    ids = same(0), same(1) if new is None else new
    return LogRecord(name, update_index, *ids, b"A U Thor", b"a@example.com", time, 0, message)


def add(stack: Stack, refs: Iterable[RefRecord] = (), logs: Iterable[LogRecord] = ()) -> None:
    """Add one table with these records, sorted; they state the update index that the stack is at."""
    refs, logs = list(refs), list(logs)

    def write(writer: TableWriter) -> None:
        writer.add_refs(refs)
        writer.add_logs(logs)

    stack.add(write)


def applied(
    updates: PreparedUpdates, stacks: Stack | Stacks, planned: UpdatePlan | None = None
) -> TransactionResult:
    """Apply these as one transaction, exactly as planned if they were; return what was written."""
    with updates.transaction(stacks, planned=planned) as result:
        return result


def add_branches(stack: Stack, count: int, first: int = 0) -> None:
    """Add `count` tables of one branch each."""
    for number in range(first, first + count):
        add(stack, [branch(number, stack.next_update_index)])


def make_stack(directory: Path, count: int) -> list[str]:
    """Make a stack of `count` tables of one branch each, and return their names."""
    directory.mkdir(exist_ok=True)
    with Stack.open(directory, LOOSE) as stack:
        add_branches(stack, count)
        return names(stack)


def orphan(directory: Path, name: str, update_index: int) -> None:
    """A table with the record that the table of this update index has in a stack of `make_stack`."""
    write_table(directory / name, [branch(update_index - 1, update_index)])


def names(stack: Stack) -> list[str]:
    """Return the names of the tables that this handle sees, oldest first."""
    return [table.name for table in stack.tables]


def listed(directory: Path) -> list[str]:
    """Return the names in `tables.list`, oldest first."""
    return (directory / "tables.list").read_text().splitlines()


def list_tables(directory: Path, tables: Iterable[str]) -> None:
    """Make these names the content of `tables.list`, in one rename, as a writer does."""
    new = directory / "tables.list.new"
    new.write_bytes("".join(f"{name}\n" for name in tables).encode())
    new.replace(directory / "tables.list")


def lock(directory: Path, name: str) -> Path:
    """Leave a lock on a file of the stack, as another process would, and return its path."""
    path = directory / f"{name}.lock"
    path.touch(exist_ok=False)
    return path


def entries(directory: Path) -> list[str]:
    """Return the names of all files in a stack's directory."""
    return sorted(os.listdir(directory))


def exchange(path: Path, content: bytes) -> None:
    """Put another file of this content in the place of one, all in the moment of its times: another inode."""
    found = path.stat()
    with path.open("rb"):  # so that the file system does not give its inode away
        path.unlink()
        path.write_bytes(content)
        os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


def traces(directory: Path) -> dict[str, tuple[int, int, int, int]]:
    """Return what any change to a directory would change: inode, size and times of it and of each file."""
    found = {}
    for path in [directory, *directory.iterdir()]:
        status = path.stat()
        found[path.name] = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    return found


@contextmanager
def umask(mask: int) -> Generator[None]:
    """Have this one for a while; it is the process's."""
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)

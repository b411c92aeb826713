"""What is done in a process of its own to see that it goes as well without what only POSIX has.

Each function is a work of `tests.support.without_posix`, which imports this after it has changed the system.
"""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from engine import RefRecord, Stack, StackOptions, find_repository, open_readable
from engine.export import write_skeleton
from engine.format import pack_table_list, parse_table_list
from engine.fsck import fsck
from engine.snapshot import ChangeRecord, list_snapshots, restore
from engine.stack import LockFile, remove_stale_lock
from engine.table import RegularFile
from tests.support import operations as known
from tests.support.operations import OPERATIONS, add, compact, drawing, prepare
from tests.support.tables import oid


def _say(*what: object) -> None:
    for one in what:
        print(one)  # noqa: T201 - compared by the test at the other end of a pipe


def operations(parent: str) -> None:
    """Every operation on a stack that there is, each in a directory of its own."""
    # That no process has a lock cannot be told there: nothing but force removes it.
    real_repair = known.repair
    known.repair = lambda *args, **options: real_repair(*args, **{**options, "force": True})
    for name, operation in OPERATIONS.items():
        with drawing(name):
            directory = prepare(Path(parent) / name)
            operation.before(directory)
            operation.work(directory)


def git_stack(directory: str) -> None:
    """Read a stack that git has made, write to it, compact it bit by bit and as a whole, and check it."""
    with find_repository(Path(directory).parent).refs() as refs:
        _say(refs.resolve(b"HEAD"), *refs.under(b"refs/"))
    options = StackOptions(policy="geometric")
    with drawing("git"), Stack.open(directory, options) as stack:
        _say(*stack.refs(), *stack.logs())
        for number in range(3):
            name = b"refs/heads/new-%d" % number
            index = stack.next_update_index
            stack.add(lambda writer, name=name, index=index: writer.add_ref(RefRecord(name, index, oid(1))))
            _say(len(stack.tables), stack.read_ref(name))
        stack.compact_all()
        _say(*stack.refs(), *stack.logs(), *sorted(os.listdir(directory)))
    _say(*fsck(directory, now=2e9))


def held(directory: str) -> None:
    """Compact tables that another handle reads: they stay, until `clean` finds that nobody does."""
    tables = Path(directory, "tables.list")
    with Stack.open(directory, read_only=True) as reader:
        before, shown = tables.read_text().split(), [*reader.refs()]
        stale = sorted({*os.listdir(directory)}.difference([*before, tables.name]))
        with Stack.open(directory) as stack:
            stack.compact_all()
            assert stack.clean() == stale
            after = tables.read_text().split()
            assert sorted(os.listdir(directory)) == sorted([*before, *after, tables.name])
            assert [*map(str, stack.refs())] == [*map(str, shown)]
        assert [*reader.refs()] == shown
        assert reader.reload()
        with Stack.open(directory) as stack:
            assert stack.clean() == before
    assert sorted(os.listdir(directory)) == sorted([*after, tables.name])


def held_by_another_writer(directory: str) -> None:
    """Compact tables that a handle for changes has open, too: it removes them when it is closed."""
    with Stack.open(directory) as other:
        with Stack.open(directory) as stack:
            stack.compact_all()
            assert set(other.names) <= {*os.listdir(directory)}
        gone = other.names
    assert not {*os.listdir(directory)}.intersection(gone)


def failing(directory: str) -> None:
    """Fail in the middle of a table: nothing is left of it."""
    before = sorted(os.listdir(directory))
    with Stack.open(directory) as stack, suppress(ZeroDivisionError), stack.addition() as addition:
        with addition.table() as writer:
            writer.add_ref(RefRecord(b"refs/heads/x", addition.update_index, oid(1)))
        with addition.table():
            raise ZeroDivisionError
    assert sorted(os.listdir(directory)) == before


def held_at_repair_and_undo(directory: str) -> None:
    """Repair a stack, and undo that, while its tables are open: each change is made, and they stay."""
    path = Path(directory)

    def tables() -> list[bytes]:
        return [(path / name).read_bytes() for name in (path / "tables.list").read_text().split()]

    found = [tables()]
    for change in (known.mend, known.undo):
        before = {*os.listdir(path)}
        opened = [RegularFile.open(path / name, name) for name in before if name.endswith(".ref")]
        change(path)
        assert before <= {*os.listdir(path)}
        found.append(tables())
        with ChangeRecord(path, "work", known.NOW + 9, extra=before) as record:
            pass
        assert record.snapshot is None  # nothing was changed
        opened.clear()
    assert found[0] == found[2] != found[1]


def put_back(directory: str) -> None:
    """Undo what took a file away, whose name another one has got since."""
    stale, _ = sorted({*os.listdir(directory)}.difference(Path(directory, "tables.list").read_text().split()))
    path = Path(directory, stale)
    content = path.read_bytes()
    with ChangeRecord(directory, "clean", known.NOW + 1, extra=[stale]) as record:
        with Stack.open(directory, before_change=record.before_change) as stack:
            assert stack.clean() == [stale]
        assert record.snapshot is None
    path.write_bytes(b"another")
    restore(directory, list_snapshots(directory)[0], known.NOW + 2, force=True)
    assert path.read_bytes() == content


def interrupted(directory: str) -> None:
    """Be interrupted just behind the rename that makes a change, which counts; the next lock is another's."""
    replace, path = os.replace, os.path.join(directory, "tables.list")

    def replace_and_stop(source: str, target: str) -> None:
        replace(source, target)
        Path(source).touch()  # another process has taken the lock
        raise KeyboardInterrupt

    os.replace = replace_and_stop
    before, commits = Path(path).read_bytes(), LockFile.commits
    with pytest.raises(KeyboardInterrupt):
        add(Path(directory))
    assert Path(path).read_bytes() != before
    assert LockFile.commits == commits + 1
    assert os.path.exists(f"{path}.lock")


def busy(directory: str) -> None:
    """Change a stack whose list another process reads: for a moment, and for good."""
    path = os.path.join(directory, "tables.list")
    threading.Timer(0.03, os.close, [os.open(path, os.O_RDONLY)]).start()
    compact(Path(directory))
    before = {name: Path(directory, name).read_bytes() for name in os.listdir(directory)}
    with open(path, "rb"), pytest.raises(PermissionError):
        add(Path(directory))
    assert {name: Path(directory, name).read_bytes() for name in os.listdir(directory)} == before


def stale_lock(directory: str) -> None:
    """Remove a lock by force: not one that a process has open."""
    path = os.path.join(directory, "tables.list.lock")
    with open(path, "xb") as lock:
        with pytest.raises(PermissionError):
            remove_stale_lock(path, force=True)
        assert os.path.samestat(os.stat(path), os.fstat(lock.fileno()))
    before = sorted(os.listdir(directory))
    assert remove_stale_lock(path, force=True)
    assert sorted(os.listdir(directory)) == [name for name in before if name != "tables.list.lock"]


def names(_directory: str) -> None:
    """Lines of a list that name what is no file of the directory there, or are no text."""
    odd = b"\xff\xed\xb3\xbf.ref"
    found = parse_table_list(b"".join(line + b"\n" for line in (b"..\\x.ref", b"c:x.ref", b"a/x.ref", odd)))
    assert [line.fault for line in found.lines] == ["leaves-directory"] * 3 + [None]
    assert [line.name for line in found.lines[:3]] == [None] * 3
    assert pack_table_list(found.names) == odd + b"\n"


def exported(directory: str, target: str) -> None:
    """Export into a directory that is there, and empty."""
    os.mkdir(target)
    with open_readable(directory) as stack:
        assert write_skeleton(stack, Path(target)).refs
    assert "packed-refs" in os.listdir(target)


def threads(directory: str) -> None:
    """Read a file in many threads, each at places of its own."""
    path = Path(directory, "file")
    data = b"".join(number.to_bytes(4) for number in range(50_000))
    path.write_bytes(data)
    file = RegularFile.open(path, "file")
    twin = RegularFile(os.dup(file.fd), "file")  # one place in the file for both

    def looks_right(start: int) -> bool:
        read = (file, twin)[start % 2].read
        return all(read(at, 8) == data[at : at + 8] for at in range(start, len(data), 997))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(looks_right, range(64)))

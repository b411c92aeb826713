"""The numbers of git's tests of whole repositories (`t0610-reftable-basics.sh`), with git's policy."""

from __future__ import annotations

from pathlib import Path
from threading import Thread

import pytest

from engine.errors import FormatError, LockError, MissingTableError
from engine.format import LogRecord, RefRecord
from engine.merge import Expiry
from engine.stack import Stack, StackOptions
from tests.support.stacks import add, add_branches, entries, listed, lock, names
from tests.support.tables import oid

OPTIONS = StackOptions(policy="geometric")
MAIN = b"refs/heads/main"


def log(name: bytes, update_index: int, message: bytes) -> LogRecord:
    return LogRecord(
        name, update_index, oid(1), oid(2), b"C O Mitter", b"committer@example.com", 1112911993, -700, message
    )


def initialise(stack: Stack) -> None:
    """Write what `git init` writes."""
    add(stack, [RefRecord(b"HEAD", 1, target=MAIN)])


def commit(stack: Stack, name: bytes) -> None:
    """Write what `git commit` writes."""
    index = stack.next_update_index
    message = b"commit: " + name
    add(stack, [RefRecord(MAIN, index, value=oid(2))], [log(who, index, message) for who in (b"HEAD", MAIN)])


def make_branch(stack: Stack, name: bytes) -> None:
    """Write what `git branch` writes."""
    index = stack.next_update_index
    name = b"refs/heads/" + name
    add(stack, [RefRecord(name, index, value=oid(2))], [log(name, index, b"branch: Created from main")])


def delete_branch(stack: Stack, name: bytes) -> None:
    """Write what `git branch -d` writes: tombstones of the ref and of its log entries."""
    index = stack.next_update_index
    name = b"refs/heads/" + name
    logs = [LogRecord(name, entry.update_index) for entry in stack.logs(name)]
    add(stack, [RefRecord(name, index)], logs)


def lock_all(stack: Stack) -> None:
    for table in stack.tables:
        path = stack.directory / f"{table.name}.lock"
        path.touch()


def test_commits_keep_one_table(tmp_path: Path) -> None:
    with Stack.open(tmp_path, OPTIONS) as stack:
        initialise(stack)
        assert len(stack.tables) == 1
        for name in (b"A", b"B"):
            commit(stack, name)
            assert len(stack.tables) == 1


def test_tables_of_alternating_sizes_are_compacted(tmp_path: Path) -> None:
    with Stack.open(tmp_path, OPTIONS) as stack:
        initialise(stack)
        commit(stack, b"A")
        for _ in range(5):
            make_branch(stack, b"foo")
            delete_branch(stack, b"foo")
        assert len(stack.tables) == 2
        assert [ref.name for ref in stack.refs()] == [b"HEAD", MAIN]


def test_additions_go_on_while_all_tables_are_locked(tmp_path: Path) -> None:
    with Stack.open(tmp_path, OPTIONS) as stack:
        for number in range(10):
            make_branch(stack, b"branch-%d" % number)
            lock_all(stack)
        assert len(stack.tables) == 10
        assert len(list(stack.refs())) == 10


def test_locked_tables_stay_and_newer_ones_are_compacted(tmp_path: Path) -> None:
    with Stack.open(tmp_path, StackOptions(auto_compact=False)) as stack:
        initialise(stack)
        commit(stack, b"A")
        locks = [lock(tmp_path, name) for name in names(stack)]
        locked = listed(tmp_path)
    with Stack.open(tmp_path, OPTIONS) as stack:
        make_branch(stack, b"B")
        make_branch(stack, b"C")
        assert len(stack.tables) == 3
        assert listed(tmp_path)[:2] == locked
        for path in locks:
            path.unlink()
        stack.auto_compact()
        assert len(stack.tables) == 1


def test_a_locked_list_stops_additions_and_compactions(tmp_path: Path) -> None:
    with Stack.open(tmp_path, OPTIONS) as stack:
        initialise(stack)
        commit(stack, b"A")
        left = lock(tmp_path, "tables.list")
        with pytest.raises(LockError) as caught:
            make_branch(stack, b"B")
        assert caught.value.path == str(left)
        with pytest.raises(LockError):
            stack.clean()
        with pytest.raises(LockError):
            stack.compact_all(Expiry(time=1))
        assert left.exists()


def test_a_transaction_without_updates_changes_nothing(tmp_path: Path) -> None:
    with Stack.open(tmp_path, OPTIONS) as stack:
        with stack.addition():
            pass
        assert entries(tmp_path) == []
        initialise(stack)
        before = listed(tmp_path)
        with stack.addition():
            pass
        assert listed(tmp_path) == before


def test_a_truncated_table_and_a_garbled_list_are_errors_and_no_empty_stacks(tmp_path: Path) -> None:
    with Stack.open(tmp_path, OPTIONS) as stack:
        initialise(stack)
        (table,) = names(stack)
    data = (tmp_path / table).read_bytes()
    (tmp_path / table).write_bytes(b"")
    with pytest.raises(FormatError):
        Stack.open(tmp_path)
    (tmp_path / table).write_bytes(data)
    (tmp_path / "tables.list").write_bytes(b"garbage\n")
    with pytest.raises(MissingTableError):
        Stack.open(tmp_path)


def test_one_hundred_writers_at_once_all_land(tmp_path: Path) -> None:
    options = StackOptions(policy="geometric", lock_timeout_ms=-1)

    def write(number: int) -> None:
        name = b"refs/heads/branch-%d" % number
        with (
            Stack.open(tmp_path, options) as stack,
            stack.addition(reload=True) as addition,
            addition.table() as writer,
        ):
            writer.add_ref(RefRecord(name, addition.update_index, value=oid(number)))

    threads = [Thread(target=write, args=(number,)) for number in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with Stack.open(tmp_path, options) as stack:
        assert {ref.name: ref.value for ref in stack.refs()} == {
            b"refs/heads/branch-%d" % number: oid(number) for number in range(100)
        }
        assert {ref.update_index for ref in stack.refs()} == set(range(1, 101))


def test_compaction_leaves_files_alone_that_are_no_tables(tmp_path: Path) -> None:
    with Stack.open(tmp_path, OPTIONS) as stack:
        (tmp_path / "garbage").touch()
        add_branches(stack, 3)
        stack.compact_all()
        stack.clean()
    assert "garbage" in entries(tmp_path)

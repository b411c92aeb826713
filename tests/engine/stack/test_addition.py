"""Transactions: several tables become part of a stack together, or none of them does."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from engine.errors import (
    ApiError,
    EntryTooBigError,
    LockError,
    NameConflictError,
    OutdatedError,
    RefnameError,
)
from engine.format import RefRecord
from engine.stack import Stack
from engine.table import TableWriter
from tests.support.stacks import (
    LOOSE,
    add,
    add_branches,
    branch,
    entries,
    entry,
    listed,
    make_stack,
    names,
    same,
)

UNCHECKED = replace(LOOSE, skip_name_check=True)


def value(name: bytes, index: int) -> RefRecord:
    return RefRecord(name, index, value=same(1))


def test_the_tables_of_a_transaction_appear_together(tmp_path: Path) -> None:
    with Stack.open(tmp_path, LOOSE) as stack, Stack.open(tmp_path, read_only=True) as other:
        with stack.addition() as addition:
            for number in range(3):
                assert addition.update_index == number + 1
                with addition.table() as writer:
                    assert writer.min_update_index == writer.max_update_index == number + 1
                    writer.add_ref(branch(number, addition.update_index))
                assert not other.reload()
                assert stack.tables == ()
        assert other.reload()
        assert names(other) == names(stack) == listed(tmp_path)
        assert list(other.refs()) == [branch(number, number + 1) for number in range(3)]
        ranges = [(table.min_update_index, table.max_update_index) for table in stack.tables]
        assert ranges == [(1, 1), (2, 2), (3, 3)]
        assert stack.next_update_index == 4


def test_a_table_may_span_update_indexes(tmp_path: Path) -> None:
    with Stack.open(tmp_path, LOOSE) as stack:
        with stack.addition() as addition:
            with addition.table() as writer:
                writer.set_limits(5, 9)
                writer.add_refs([branch(1, 5), branch(2, 9)])
            assert addition.update_index == 10
            with addition.table() as writer:
                writer.add_ref(branch(3, 10))
        assert names(stack)[0].startswith("0x000000000005-0x000000000009-")
        assert stack.next_update_index == 11


def write_with(low: int, high: int, record: RefRecord) -> Callable[[TableWriter], object]:
    def write(writer: TableWriter) -> None:
        writer.set_limits(low, high)
        writer.add_ref(record)

    return write


def add_all(stack: Stack, *writes: Callable[[TableWriter], object]) -> None:
    """Add several tables in one transaction."""
    with stack.addition() as addition:
        for write in writes:
            addition.add(write)


def test_an_update_index_that_was_used_is_refused(tmp_path: Path) -> None:
    tables = make_stack(tmp_path, 3)
    with Stack.open(tmp_path, LOOSE) as stack:
        with pytest.raises(ApiError):
            add_all(stack, write_with(3, 4, branch(9, 4)))
        with pytest.raises(ApiError):
            add_all(stack, write_with(4, 4, branch(8, 4)), write_with(4, 4, branch(9, 4)))
        assert names(stack) == tables
    assert entries(tmp_path) == sorted([*tables, "tables.list"])


def test_empty_tables_are_dropped(tmp_path: Path) -> None:
    with Stack.open(tmp_path, LOOSE) as stack:
        with stack.addition() as addition:
            addition.add(lambda _: None)
            assert addition.update_index == 1
            addition.add(lambda writer: writer.add_ref(branch(1, 1)))
            addition.add(lambda _: None)
        assert len(stack.tables) == 1
    assert len(entries(tmp_path)) == 2


def test_a_transaction_without_updates_leaves_no_trace(tmp_path: Path) -> None:
    """Nor does it compact what was there, as git does not."""
    tables = make_stack(tmp_path, 3)
    with Stack.open(tmp_path) as stack:
        assert len(stack.suggestion()) == 3
        with stack.addition() as addition:
            addition.add(lambda _: None)
        assert listed(tmp_path) == tables
    assert entries(tmp_path) == sorted([*tables, "tables.list"])


def test_an_error_removes_every_table_of_the_transaction(tmp_path: Path) -> None:
    tables = make_stack(tmp_path, 1)
    during: list[str] = []

    def fail() -> None:
        with stack.addition() as addition:
            addition.add(lambda writer: writer.add_ref(branch(7, 2)))
            with addition.table() as writer:
                writer.add_ref(branch(8, 3))
                during.extend(entries(tmp_path))
                raise KeyError

    with Stack.open(tmp_path, LOOSE) as stack:
        with pytest.raises(KeyError):
            fail()
        assert len(during) == 1 + 1 + 1 + 1 + 1  # list, its lock, old, new and temporary table
        assert entries(tmp_path) == sorted([*tables, "tables.list"])
        add_branches(stack, 1, first=9)
        assert len(stack.tables) == 2


def test_a_table_that_was_refused_may_be_left_out(tmp_path: Path) -> None:
    with Stack.open(tmp_path, replace(LOOSE, block_size=100)) as stack:
        with stack.addition() as addition:
            with pytest.raises(EntryTooBigError):
                addition.add(lambda writer: writer.add_ref(RefRecord(b"a", 1, target=b"x" * 200)))
            addition.add(lambda writer: writer.add_ref(value(b"b", 1)))
        assert list(stack.refs()) == [value(b"b", 1)]
    assert len(entries(tmp_path)) == 2


def test_the_lock_is_held_from_beginning_to_end(tmp_path: Path) -> None:
    with (
        Stack.open(tmp_path, replace(LOOSE, lock_timeout_ms=0)) as stack,
        Stack.open(tmp_path, LOOSE) as other,
    ):
        with stack.addition():
            assert entries(tmp_path) == ["tables.list.lock"]
            for change in (
                lambda: add_branches(stack, 1),
                lambda: add_branches(other, 1),
                stack.clean,
                other.clean,
            ):
                with pytest.raises(LockError):
                    change()
            assert entries(tmp_path) == ["tables.list.lock"]
        assert entries(tmp_path) == []


def test_a_stale_handle_begins_no_transaction(tmp_path: Path) -> None:
    with Stack.open(tmp_path, LOOSE) as stack, Stack.open(tmp_path, LOOSE) as other:
        add_branches(other, 1)
        with pytest.raises(OutdatedError), stack.addition():
            pytest.fail("the transaction began")
        assert entries(tmp_path) == sorted([*listed(tmp_path), "tables.list"])
        with stack.addition(reload=True) as addition:
            assert addition.update_index == 2
            assert len(stack.tables) == 1


def test_adding_to_a_stale_handle_reloads_it(tmp_path: Path) -> None:
    with Stack.open(tmp_path, LOOSE) as stack, Stack.open(tmp_path, LOOSE) as other:
        add_branches(other, 1)
        with pytest.raises(OutdatedError):
            add(stack, [branch(5, stack.next_update_index)])
        add(stack, [branch(5, stack.next_update_index)])
        assert list(stack.refs()) == [branch(0, 1), branch(5, 2)]


def fail_in(
    monkeypatch: pytest.MonkeyPatch, name: str, nth: int, *, after: bool, error: BaseException
) -> None:
    """Make the nth call of a system call fail, before or after it is done."""
    call: Callable[..., object] = getattr(os, name)
    count = 0

    def failing(*args: object, **kwargs: object) -> object:
        nonlocal count
        count += 1
        if count == nth and not after:
            raise error
        result = call(*args, **kwargs)
        if count == nth:
            raise error
        return result

    monkeypatch.setattr(os, name, failing)


@pytest.mark.parametrize("name", ["fsync", "write", "rename", "replace"])
@pytest.mark.parametrize("nth", [1, 2, 3])
def test_a_transaction_that_cannot_be_finished_leaves_the_stack_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, nth: int
) -> None:
    tables = make_stack(tmp_path, 1)
    with Stack.open(tmp_path, LOOSE) as stack:
        fail_in(monkeypatch, name, nth, after=False, error=OSError(28, "No space left on device"))
        failed = False
        try:
            add_branches(stack, 1, first=1)
        except OSError:
            failed = True
        monkeypatch.undo()
        expected = {"fsync": 3, "write": 2, "rename": 1, "replace": 1}
        assert failed is (nth <= expected[name])
        if failed:
            assert entries(tmp_path) == sorted([*tables, "tables.list"])
            add_branches(stack, 1, first=1)
        assert list(stack.refs()) == [branch(0, 1), branch(1, 2)]
        assert entries(tmp_path) == sorted([*listed(tmp_path), "tables.list"])


@pytest.mark.parametrize(("name", "nth"), [("rename", 1), ("replace", 1), ("fsync", 4)])
def test_an_interrupt_behind_a_step_does_not_undo_what_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, nth: int
) -> None:
    tables = make_stack(tmp_path, 1)
    with Stack.open(tmp_path, LOOSE) as stack:
        fail_in(monkeypatch, name, nth, after=True, error=KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            add_branches(stack, 1, first=1)
        monkeypatch.undo()
        stack.reload()
        landed = name != "rename"
        assert list(stack.refs()) == [branch(0, 1), branch(1, 2)][: 1 + landed]
        assert listed(tmp_path)[:1] == tables
        leftover = [name for name in entries(tmp_path) if name not in [*listed(tmp_path), "tables.list"]]
        assert leftover == []


# Names.


@pytest.mark.parametrize("name", [b"a..b", b"refs/heads/x.lock", b"/x", b"x\x01", b"refs/heads/-\x7f", b"@"])
def test_a_name_that_git_would_refuse_is_refused(tmp_path: Path, name: bytes) -> None:
    with Stack.open(tmp_path, LOOSE) as stack:
        with pytest.raises(RefnameError):
            add(stack, [value(name, 1)])
        assert entries(tmp_path) == []
        add(stack, [RefRecord(name, 1)])
        assert len(stack.tables) == 1, "it may be deleted, though: how else would it go"
    with Stack.open(tmp_path, UNCHECKED) as stack:
        add(stack, [value(name, 2)])
        assert stack.read_ref(name) == value(name, 2)


@pytest.mark.parametrize(
    ("there", "new"), [(b"a", b"a/b"), (b"a/b", b"a"), (b"a/b/c", b"a"), (b"a", b"a/b/c")]
)
def test_a_name_and_a_directory_of_that_name_exclude_each_other(
    tmp_path: Path, there: bytes, new: bytes
) -> None:
    with Stack.open(tmp_path, LOOSE) as stack:
        add(stack, [value(there, 1)])
        with pytest.raises(NameConflictError):
            add(stack, [value(new, 2)])
        add(stack, [value(b"a-", 2), value(b"a.b/c", 2), value(b"a0/b", 2)])
        add(stack, sorted([RefRecord(there, 3), value(new, 3)], key=lambda ref: ref.name))
        assert stack.read_ref(new) == value(new, 3)
        assert stack.read_ref(there) is None
        add(stack, [RefRecord(new, 4)])
        add(stack, [value(there, 5)])


def test_names_in_one_table_exclude_each_other_too(tmp_path: Path) -> None:
    with Stack.open(tmp_path, LOOSE) as stack, pytest.raises(NameConflictError):
        add(stack, [value(b"a", 1), value(b"a/b", 1)])


def test_names_in_tables_of_one_transaction_exclude_each_other_too(tmp_path: Path) -> None:
    with Stack.open(tmp_path, LOOSE) as stack:
        a, below, deleted = value(b"a", 1), value(b"a/b", 2), RefRecord(b"a", 2)
        with pytest.raises(NameConflictError):
            add_all(stack, lambda writer: writer.add_ref(a), lambda writer: writer.add_ref(below))
        assert entries(tmp_path) == []
        add_all(stack, lambda writer: writer.add_ref(a), lambda writer: writer.add_refs([deleted, below]))
        assert list(stack.refs()) == [below]


def test_names_are_not_checked_if_the_options_say_so(tmp_path: Path) -> None:
    with Stack.open(tmp_path, UNCHECKED) as stack:
        add(stack, [value(b"a", 1), value(b"a/b", 1), value(b"c..d", 1)])
        assert len(list(stack.refs())) == 3


def test_names_of_log_entries_are_not_checked(tmp_path: Path) -> None:
    """By git neither: it keeps entries of refs that are no more."""
    with Stack.open(tmp_path, LOOSE) as stack:
        add(stack, [value(b"a", 1)], [entry(b"a/b", 1), entry(b"c..d", 1)])
        assert len(list(stack.logs())) == 2


@pytest.mark.parametrize("call", ["rename", "open"])
def test_a_table_that_fails_is_no_part_of_a_transaction_that_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    with Stack.open(tmp_path, LOOSE) as stack:
        with stack.addition() as addition:
            addition.add(lambda writer: writer.add_ref(branch(0, 1)))
            with monkeypatch.context() as patched:

                def fail(*_: object) -> int:
                    raise OSError(errno.EMFILE, "Too many open files")

                def write(writer: TableWriter) -> None:
                    writer.add_ref(branch(1, 2))
                    patched.setattr(os, call, fail)

                with pytest.raises(OSError, match="Too many"):
                    addition.add(write)
            addition.add(lambda writer: writer.add_ref(branch(2, 2)))
        assert list(stack.refs()) == [branch(0, 1), branch(2, 2)]
        assert entries(tmp_path) == sorted([*names(stack), "tables.list"])
        assert len(names(stack)) == 2

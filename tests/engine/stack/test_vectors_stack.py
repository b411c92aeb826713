"""The numbers of git's tests of stacks (`u-reftable-stack.c`) that the seed does not have."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engine.errors import ApiError, LockError, MissingTableError, OutdatedError
from engine.format import RefRecord
from engine.merge import Expiry
from engine.stack import Stack, StackOptions
from engine.table import TableWriter
from tests.support.stacks import (
    add,
    add_branches,
    branch,
    entries,
    entry,
    list_tables,
    listed,
    lock,
    make_stack,
    names,
    same,
    umask,
)

GEOMETRIC = StackOptions(policy="geometric")


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_new_files_have_the_permissions_that_the_options_state(tmp_path: Path) -> None:
    with umask(0o002), Stack.open(tmp_path, StackOptions(default_permissions=0o660)) as stack:
        add(stack, [RefRecord(b"HEAD", 1, target=b"master")])
        assert [mode(tmp_path / name) for name in ("tables.list", *names(stack))] == [0o660, 0o660]


def test_compacted_tables_have_the_permissions_that_the_options_state(tmp_path: Path) -> None:
    make_stack(tmp_path, 3)
    with umask(0o077), Stack.open(tmp_path, StackOptions(default_permissions=0o660)) as stack:
        stack.compact_all()
        assert [mode(tmp_path / name) for name in ("tables.list", *names(stack))] == [0o660, 0o660]


def test_a_transaction_can_reload_a_stale_handle_under_the_lock(tmp_path: Path) -> None:
    with Stack.open(tmp_path) as first, Stack.open(tmp_path) as second:
        with first.addition() as addition, addition.table() as writer:
            writer.add_ref(branch(1, addition.update_index))
        with pytest.raises(OutdatedError), second.addition():
            pass
        with second.addition(reload=True) as addition, addition.table() as writer:
            assert addition.update_index == 2
            writer.add_ref(branch(2, addition.update_index))
        assert list(second.refs()) == [branch(1, 1), branch(2, 2)]


@pytest.mark.parametrize("policy", ["log2", "geometric"])
def test_the_first_addition_that_may_compact_merges_twenty_one_tables(tmp_path: Path, policy: str) -> None:
    options = replace(GEOMETRIC, policy=policy)
    with Stack.open(tmp_path, replace(options, auto_compact=False)) as stack:
        for number in range(20):
            add(stack, [RefRecord(b"branch%04d" % number, number + 1, target=b"master")])
            assert len(stack.tables) == number + 1
            assert (len(stack.suggestion()) > 0) is (number > 0)
    with Stack.open(tmp_path, options) as stack:
        with stack.addition() as addition, addition.table() as writer:
            writer.add_ref(RefRecord(b"branch0020", 21, target=b"master"))
        assert len(stack.tables) == 1
        assert len(stack.suggestion()) == 0
        assert len(list(stack.refs())) == 21


def test_an_addition_succeeds_although_its_auto_compaction_cannot(tmp_path: Path) -> None:
    with Stack.open(tmp_path, GEOMETRIC) as stack:
        add(stack, [RefRecord(b"refs/heads/master", 1, value=same(1))])
        assert (stack.stats.attempts, stack.stats.failures) == (0, 0)
        lock(tmp_path, names(stack)[0])
        add(stack, [RefRecord(b"refs/heads/master", 2, value=same(1))])
        assert len(stack.tables) == 2
        assert (stack.stats.attempts, stack.stats.failures) == (1, 1)


@pytest.mark.parametrize("policy", ["log2", "geometric"])
def test_auto_compaction_makes_do_with_the_tables_behind_a_locked_one(tmp_path: Path, policy: str) -> None:
    tables = make_stack(tmp_path, 5)
    lock(tmp_path, tables[2])
    with Stack.open(tmp_path, replace(GEOMETRIC, policy=policy)) as stack:
        assert (stack.suggestion().start, stack.suggestion().end) == (0, 5)
        stack.auto_compact()
        assert stack.stats.failures == 0
        assert len(stack.tables) == 4
        assert names(stack)[:3] == tables[:3]


def test_compacting_all_tables_fails_if_one_is_locked(tmp_path: Path) -> None:
    tables = make_stack(tmp_path, 3)
    left = lock(tmp_path, tables[1])
    with Stack.open(tmp_path) as stack:
        with pytest.raises(LockError) as caught:
            stack.compact_all()
        assert caught.value.path == str(left)
        assert (stack.stats.attempts, stack.stats.failures) == (1, 1)
        assert names(stack) == tables
    assert entries(tmp_path) == sorted([*tables, left.name, "tables.list"])


def floored_log(size: int, base: int) -> int:
    power = 0
    while size >= base:
        size //= base
        power += 1
    return power


def test_geometric_auto_compaction_keeps_the_stack_logarithmic(tmp_path: Path) -> None:
    with Stack.open(tmp_path, replace(GEOMETRIC, auto_compact=False)) as stack:
        for number in range(100):
            add(stack, [RefRecord(b"branch%04d" % number, number + 1, target=b"master")])
            stack.auto_compact()
            assert number < 2 or len(stack.tables) < 2 * floored_log(number, 2)
        assert stack.stats.entries_written < 100 * floored_log(100, 2)


def test_a_larger_factor_keeps_fewer_tables(tmp_path: Path) -> None:
    with Stack.open(tmp_path, replace(GEOMETRIC, factor=5)) as stack:
        for number in range(100):
            add(stack, [RefRecord(b"branch%04d" % number, number + 1, value=bytes(20))])
            assert number < 5 or len(stack.tables) < 5 * floored_log(number, 5)
        assert len(list(stack.refs())) == 100


def test_a_scan_goes_on_while_its_stack_is_compacted_and_reloaded(tmp_path: Path) -> None:
    make_stack(tmp_path, 2)
    with Stack.open(tmp_path) as first:
        scan = first.refs()
        with Stack.open(tmp_path) as second:
            second.compact_all()
            assert len(second.tables) == 1
        assert first.reload()
        assert len(first.tables) == 1
        assert list(scan) == [branch(0, 1), branch(1, 2)]


def test_a_reload_that_fails_leaves_the_handle_and_its_scans_as_they_were(tmp_path: Path) -> None:
    tables = make_stack(tmp_path, 2)
    with Stack.open(tmp_path) as stack:
        scan = stack.refs()
        list_tables(tmp_path, [*tables, "garbage"])
        with pytest.raises(MissingTableError) as caught:
            stack.reload()
        assert caught.value.name == "garbage"
        assert names(stack) == tables
        assert list(scan) == list(stack.refs()) == [branch(0, 1), branch(1, 2)]


def test_limits_cannot_be_set_after_the_first_record(tmp_path: Path) -> None:
    def write(writer: TableWriter) -> None:
        writer.set_limits(1, 1)
        writer.add_ref(branch(1, 1))
        writer.set_limits(1, 1)

    with Stack.open(tmp_path) as stack:
        with pytest.raises(ApiError):
            stack.add(write)
        assert entries(tmp_path) == []


def test_a_compaction_of_nothing_or_of_one_table_is_no_attempt(tmp_path: Path) -> None:
    with Stack.open(tmp_path) as stack:
        stack.compact_all()
        stack.auto_compact()
        assert entries(tmp_path) == []
        add_branches(stack, 1)
        stack.compact_all()
        stack.auto_compact()
        assert stack.stats.attempts == 0


def test_one_table_alone_is_compacted_to_expire_its_logs(tmp_path: Path) -> None:
    with Stack.open(tmp_path) as stack:
        add(stack, [branch(0)], [entry(b"refs/heads/branch-0000", 1, time=9)])
        (before,) = names(stack)
        stack.compact_all(Expiry(time=10))
        assert [log.is_marker for log in stack.logs()] == [True]
        assert list(stack.refs()) == [branch(0)]
        assert listed(tmp_path) == names(stack) != [before]
        assert stack.stats.attempts == 1

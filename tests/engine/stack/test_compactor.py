"""Compacting while others go on: locks, ranges that move, ranges that are gone, and failures on the way."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from engine.errors import FormatError, LockError, OutdatedError
from engine.format import HashId, RefRecord, footer_size, parse_table_name
from engine.merge import Expiry
from engine.progress import Progress, ProgressCallback
from engine.stack import CompactionStats, LockFile, Stack, StackOptions
from tests.support.handmade import change_byte
from tests.support.stacks import (
    LOOSE,
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
)
from tests.support.tables import oid

IMPATIENT = replace(LOOSE, lock_timeout_ms=0)


def meanwhile(action: Callable[[], object]) -> ProgressCallback:
    """Return a callback that acts once, in the middle of the merge."""
    done = False

    def act(_: Progress) -> None:
        nonlocal done
        if not done:
            done = True
            action()

    return act


def check_tidy(directory: Path) -> None:
    assert entries(directory) == sorted([*listed(directory), "tables.list"])


def check_branches(directory: Path, count: int) -> None:
    with Stack.open(directory, read_only=True) as stack:
        assert list(stack.refs()) == [branch(number, number + 1) for number in range(count)]


@pytest.mark.parametrize(("first", "end"), [(0, 5), (0, 2), (1, 3), (2, 5), (3, 5)])
def test_a_range_is_replaced_by_one_table_in_its_place(tmp_path: Path, first: int, end: int) -> None:
    tables = make_stack(tmp_path, 5)
    with Stack.open(tmp_path, LOOSE) as stack:
        stack.compact(first, end)
        assert names(stack) == listed(tmp_path)
        assert names(stack)[:first] + names(stack)[first + 1 :] == tables[:first] + tables[end:]
        merged = stack.tables[first]
        assert (merged.min_update_index, merged.max_update_index) == (first + 1, end)
        assert merged.name.startswith(f"0x{first + 1:012x}-0x{end:012x}-")
        assert stack.next_update_index == 6
    check_tidy(tmp_path)
    check_branches(tmp_path, 5)


def test_while_it_merges_the_tables_are_locked_and_the_list_is_not(tmp_path: Path) -> None:
    tables = make_stack(tmp_path, 4)
    seen: list[list[str]] = []
    with Stack.open(tmp_path, LOOSE) as stack:
        stack.compact(1, 3, progress=meanwhile(lambda: seen.append(entries(tmp_path))))
    locks = [name for name in seen[0] if name.endswith(".lock")]
    assert locks == sorted(f"{name}.lock" for name in tables[1:3])
    assert len([name for name in seen[0] if ".temp." in name]) == 1
    check_tidy(tmp_path)


def test_tables_added_meanwhile_are_kept(tmp_path: Path) -> None:
    make_stack(tmp_path, 3)
    with Stack.open(tmp_path, LOOSE) as stack, Stack.open(tmp_path, LOOSE) as other:
        stack.compact_all(progress=meanwhile(lambda: add_branches(other, 2, first=3)))
        assert len(stack.tables) == 3
        assert names(stack)[1:] == names(other)[3:]
    check_tidy(tmp_path)
    check_branches(tmp_path, 5)


@pytest.mark.parametrize(
    ("ours", "theirs"), [((3, 5), (0, 2)), ((0, 2), (3, 5)), ((2, 4), (0, 2)), ((1, 3), (3, 5))]
)
def test_a_range_is_found_again_after_others_were_compacted_meanwhile(
    tmp_path: Path, ours: tuple[int, int], theirs: tuple[int, int]
) -> None:
    make_stack(tmp_path, 5)
    with Stack.open(tmp_path, LOOSE) as stack, Stack.open(tmp_path, LOOSE) as other:

        def act() -> None:
            other.compact(*theirs)
            add_branches(other, 1, first=5)

        stack.compact(*ours, progress=meanwhile(act))
        assert names(stack) == listed(tmp_path)
        ranges = [(table.min_update_index, table.max_update_index) for table in stack.tables]
        expected = {(ours[0] + 1, ours[1]), (theirs[0] + 1, theirs[1]), (6, 6)}
        assert expected < set(ranges)
        assert ranges == sorted(ranges)
        assert len(ranges) == 4
        named = [parse_table_name(table.name) for table in stack.tables]
        assert [(name.min_update_index, name.max_update_index) for name in named if name] == ranges
    check_tidy(tmp_path)
    check_branches(tmp_path, 6)


@pytest.mark.parametrize("theirs", [(0, 2), (0, 5), (2, 4), (1, 3), (0, 3)])
def test_ranges_that_overlap_are_not_compacted_at_once(tmp_path: Path, theirs: tuple[int, int]) -> None:
    make_stack(tmp_path, 5)
    with Stack.open(tmp_path, LOOSE) as stack, Stack.open(tmp_path, IMPATIENT) as other:

        def act() -> None:
            before = entries(tmp_path)
            with pytest.raises(LockError):
                other.compact(*theirs)
            assert entries(tmp_path) == before
            assert other.stats.failures == 1

        stack.compact(1, 3, progress=meanwhile(act))
        assert len(stack.tables) == 4
    check_tidy(tmp_path)
    check_branches(tmp_path, 5)


def test_tombstones_of_a_range_that_moved_down_to_the_base_are_kept(tmp_path: Path) -> None:
    """Whether something lies below is settled when the tables are locked."""
    with Stack.open(tmp_path, LOOSE) as stack, Stack.open(tmp_path, LOOSE) as other:
        add(stack, [branch(0, 1)])
        add(stack, [branch(1, 2)])
        add(stack, [RefRecord(branch(0).name, 3)])
        add(stack, [branch(2, 4)])
        other.reload()
        stack.compact(2, 4, progress=meanwhile(lambda: other.compact(0, 2)))
        assert len(stack.tables) == 2
        assert list(stack.refs()) == [branch(1, 2), branch(2, 4)]
        assert [ref.is_deletion for ref in stack.tables[1].refs()] == [True, False]


def test_a_range_that_is_gone_meanwhile_is_outdated(tmp_path: Path) -> None:
    """Only who ignores the locks can do that."""
    tables = make_stack(tmp_path, 4)
    data = {name: (tmp_path / name).read_bytes() for name in tables}
    with Stack.open(tmp_path, LOOSE) as stack:

        def act() -> None:
            list_tables(tmp_path, [tables[0], tables[2], tables[3]])

        with pytest.raises(OutdatedError):
            stack.compact(1, 3, progress=meanwhile(act))
        assert listed(tmp_path) == [tables[0], tables[2], tables[3]]
        assert entries(tmp_path) == sorted([*tables, "tables.list"])
        assert {name: (tmp_path / name).read_bytes() for name in tables} == data
        assert (stack.stats.attempts, stack.stats.failures) == (1, 0)


def test_a_stale_handle_compacts_nothing(tmp_path: Path) -> None:
    make_stack(tmp_path, 3)
    with Stack.open(tmp_path, LOOSE) as stack, Stack.open(tmp_path, LOOSE) as other:
        add_branches(other, 1, first=3)
        for compact in (stack.compact_all, stack.auto_compact):
            with pytest.raises(OutdatedError):
                compact()
        assert len(listed(tmp_path)) == 4
        stack.reload()
        stack.compact_all()
    check_tidy(tmp_path)
    check_branches(tmp_path, 4)


@pytest.mark.parametrize(("locked", "expected"), [(0, 2), (1, 3), (2, 4), (3, None), (4, None)])
def test_auto_compaction_needs_two_newer_tables_that_are_not_locked(
    tmp_path: Path, locked: int, expected: int | None
) -> None:
    tables = make_stack(tmp_path, 5)
    left = lock(tmp_path, tables[locked])
    with Stack.open(tmp_path, IMPATIENT) as stack:
        if expected is None:
            with pytest.raises(LockError) as caught:
                stack.auto_compact()
            assert caught.value.path == str(left)
            assert names(stack) == tables
            assert (stack.stats.attempts, stack.stats.failures) == (1, 1)
        else:
            stack.auto_compact()
            assert len(stack.tables) == expected
            assert names(stack)[:-1] == tables[: locked + 1]
            assert (stack.stats.attempts, stack.stats.failures) == (1, 0)
    assert entries(tmp_path) == sorted([*listed(tmp_path), left.name, "tables.list"])
    check_branches(tmp_path, 5)


def test_best_effort_keeps_tombstones_if_the_base_is_left_out(tmp_path: Path) -> None:
    with Stack.open(tmp_path, LOOSE) as stack:
        add(stack, [branch(0, 1)])
        add(stack, [branch(1, 2)])
        add(stack, [RefRecord(branch(0).name, 3)])
        lock(tmp_path, names(stack)[0])
        assert len(stack.suggestion()) == 3
        stack.auto_compact()
        assert len(stack.tables) == 2
        assert list(stack.refs()) == [branch(1, 2)]


def test_tables_are_locked_newest_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tables = make_stack(tmp_path, 3)
    order: list[str] = []
    create = LockFile.__init__

    def creating(lock_file: LockFile, path: str, **options: object) -> None:
        order.append(os.path.basename(path))
        create(lock_file, path, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(LockFile, "__init__", creating)
    with Stack.open(tmp_path, LOOSE) as stack:
        stack.compact_all()
    assert order == ["tables.list", *reversed(tables), "tables.list"]


def test_many_tables_are_locked_with_few_open_files(tmp_path: Path) -> None:
    make_stack(tmp_path, 40)
    open_files: list[int] = []
    with Stack.open(tmp_path, LOOSE) as stack:
        before = len(os.listdir("/dev/fd"))
        stack.compact_all(progress=meanwhile(lambda: open_files.append(len(os.listdir("/dev/fd")))))
    assert open_files[0] - before < 5


@pytest.mark.parametrize("expiry", [None, Expiry(time=1)])
def test_a_list_locked_at_the_end_of_the_merge_is_a_failure_that_leaves_nothing(
    tmp_path: Path, expiry: Expiry | None
) -> None:
    tables = make_stack(tmp_path, 3)
    with Stack.open(tmp_path, IMPATIENT) as stack:
        with pytest.raises(LockError) as caught:
            stack.compact_all(expiry, progress=meanwhile(lambda: lock(tmp_path, "tables.list")))
        assert caught.value.path == str(tmp_path / "tables.list.lock")
        assert (stack.stats.attempts, stack.stats.failures) == (1, 1)
    assert entries(tmp_path) == sorted([*tables, "tables.list", "tables.list.lock"])


def test_a_damaged_table_is_left_as_it_is(tmp_path: Path) -> None:
    tables = make_stack(tmp_path, 3)
    change_byte(tmp_path / tables[1], 28, 0x40)
    data = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with Stack.open(tmp_path, LOOSE) as stack:
        with pytest.raises(FormatError) as caught:
            stack.compact_all()
        assert caught.value.name == tables[1]
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == data


@pytest.mark.parametrize(
    ("call", "nth"), [("write", 1), ("fsync", 1), ("write", 2), ("fsync", 2), ("rename", 1), ("replace", 1)]
)
def test_a_compaction_that_runs_out_of_space_leaves_the_stack_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, nth: int
) -> None:
    make_stack(tmp_path, 3)
    data = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    real = getattr(os, call)
    count = 0

    def failing(*args: object) -> object:
        nonlocal count
        count += 1
        if count == nth:
            raise OSError(28, "No space left on device")
        return real(*args)

    monkeypatch.setattr(os, call, failing)
    with Stack.open(tmp_path, LOOSE) as stack:
        with pytest.raises(OSError, match="No space left"):
            stack.compact_all()
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == data
        stack.compact_all()
    check_tidy(tmp_path)
    check_branches(tmp_path, 3)


def test_nothing_left_is_a_stack_of_fewer_tables(tmp_path: Path) -> None:
    with Stack.open(tmp_path, LOOSE) as stack:
        add(stack, [branch(0, 1)])
        add(stack, [RefRecord(branch(0).name, 2)])
        add(stack, [branch(1, 3)])
        stack.compact(0, 2)
        assert len(stack.tables) == 1
        add(stack, [RefRecord(branch(1).name, 4)])
        stack.compact_all()
        assert stack.tables == ()
        assert stack.hash_id is HashId.SHA1
        assert entries(tmp_path) == ["tables.list"]
        assert (tmp_path / "tables.list").read_bytes() == b""
        add_branches(stack, 1)
    check_branches(tmp_path, 1)


def test_statistics_count_what_was_merged_and_written(tmp_path: Path) -> None:
    with Stack.open(tmp_path, LOOSE) as stack:
        assert stack.stats == CompactionStats(0, 0, 0, 0)
        add(stack, [branch(0, 1), branch(1, 1)], [entry(b"HEAD", 1)])
        add(stack, [branch(1, 2)])
        sizes = [table.size - footer_size(1) for table in stack.tables]
        stack.compact_all()
        assert stack.stats == CompactionStats(bytes=sum(sizes), entries_written=3, attempts=1, failures=0)
        add(stack, [branch(2, 3)])
        sizes += [table.size - footer_size(1) for table in stack.tables]
        stack.compact_all()
        assert stack.stats == CompactionStats(bytes=sum(sizes), entries_written=7, attempts=2, failures=0)


def test_scans_of_others_go_on_over_tables_that_are_compacted_away(tmp_path: Path) -> None:
    make_stack(tmp_path, 6)
    with Stack.open(tmp_path, LOOSE) as stack, Stack.open(tmp_path, LOOSE) as other:
        scan = other.refs()
        assert next(scan) == branch(0, 1)
        stack.compact_all()
        assert len(entries(tmp_path)) == 2
        other.reload()
        assert list(scan) == [branch(number, number + 1) for number in range(1, 6)]


@pytest.mark.parametrize("hash_id", HashId)
def test_the_compacted_table_has_the_hash_function_and_the_options_of_the_stack(
    tmp_path: Path, hash_id: HashId
) -> None:
    with Stack.open(tmp_path, StackOptions(hash_id=hash_id, auto_compact=False)) as stack:
        for number in range(3):
            add(stack, [RefRecord(b"%d" % number, number + 1, value=oid(number, hash_id.size))])
    with Stack.open(tmp_path, StackOptions(block_size=512)) as stack:
        stack.compact_all()
        (table,) = stack.tables
        assert (table.hash_id, table.version, table.block_size) == (hash_id, hash_id.version, 512)


@pytest.mark.parametrize("twice", [0, 1])
@pytest.mark.parametrize(("first", "end"), [(0, 2), (1, 3), (0, 3), (0, 1), (2, 3)])
def test_a_stack_whose_list_names_a_table_twice_is_not_compacted(
    tmp_path: Path, twice: int, first: int, end: int
) -> None:
    tables = make_stack(tmp_path, 2)
    list_tables(tmp_path, [*tables[: twice + 1], *tables[twice:]])
    with Stack.open(tmp_path, IMPATIENT) as stack, pytest.raises(FormatError, match="does not follow"):
        stack.compact(first, end, Expiry(time=1))
    assert entries(tmp_path) == sorted(["tables.list", *tables])


def test_a_table_that_comes_below_while_tombstones_are_dropped_stops_it(tmp_path: Path) -> None:
    """An undo puts it there: what the tombstones hide in it would be seen again."""
    with Stack.open(tmp_path, LOOSE) as stack:
        add(stack, [branch(0, 1)])
        add(stack, [branch(1, 2)])
        add(stack, [RefRecord(branch(0).name, 3)])
        tables = names(stack)
        away = (tmp_path / tables[0]).rename(tmp_path.with_name("away"))

        def put_back() -> None:
            away.rename(tmp_path / tables[0])
            list_tables(tmp_path, tables)

        list_tables(tmp_path, tables[1:])
        stack.reload()
        with pytest.raises(OutdatedError):
            stack.compact_all(progress=meanwhile(put_back))
        assert listed(tmp_path) == tables
        stack.reload()
        assert list(stack.refs()) == [branch(1, 2)]
        stack.compact(1, 3)
        assert list(stack.refs()) == [branch(1, 2)]

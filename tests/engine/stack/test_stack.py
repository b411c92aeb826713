"""A stack as programs use it: reading, adding with auto-compaction, plans, and handles that live on."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from engine import find_repository
from engine.errors import (
    ApiError,
    Cancelled,
    CommittedError,
    FormatError,
    LockError,
    MissingTableError,
    OutdatedError,
    RepositoryError,
)
from engine.format import HashId, LogRecord, RefRecord
from engine.merge import Expiry, Segment
from engine.progress import Progress
from engine.readable import open_readable
from engine.stack import CompactionStats, LockFile, Stack, StackDirectory, StackOptions
from engine.table import Table
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
    same,
)
from tests.support.tables import stack_files


def test_a_stack_knows_what_it_was_opened_with(tmp_path: Path) -> None:
    options = StackOptions(block_size=512, policy="geometric", factor=3)
    with Stack.open(str(tmp_path), options) as stack:
        assert stack.directory == tmp_path
        assert stack.options is options
        assert not stack.read_only
        assert stack.hash_id is HashId.SHA1
        assert stack.next_update_index == 1
        assert stack.stats == CompactionStats()
        assert stack.sizes == []
    with Stack.open(tmp_path) as stack:
        assert stack.options == StackOptions()
        assert (stack.options.policy, stack.options.auto_compact, stack.options.lock_timeout_ms) == (
            "log2",
            True,
            100,
        )


@pytest.mark.parametrize(
    "options",
    [{"policy": "none"}, {"factor": 0}, {"factor": 256}, {"block_size": 2**24}, {"restart_interval": 0}],
)
def test_options_out_of_range_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ApiError):
        StackOptions(**options)  # type: ignore[arg-type]


def test_the_bounds_of_the_factor_are_options() -> None:
    assert StackOptions(factor=1).factor == 1
    assert StackOptions(factor=255).factor == 255


def test_reading_sees_the_newest_version_of_everything(tmp_path: Path) -> None:
    with Stack.open(tmp_path, LOOSE) as stack:
        add(stack, [branch(1, 1), branch(2, 1), branch(3, 1)], [entry(b"HEAD", 1), entry(b"x", 1)])
        add(stack, [RefRecord(branch(1).name, 2), branch(2, 2)], [entry(b"HEAD", 2), LogRecord(b"x", 1)])
        assert stack.read_ref(branch(1).name) is None
        assert stack.read_ref(branch(2).name) == branch(2, 2)
        assert list(stack.refs()) == [branch(2, 2), branch(3, 1)]
        assert list(stack.refs(branch(3).name)) == [branch(3, 1)]
        assert list(stack.refs(b"refs/tags/")) == []
        assert stack.read_log(b"HEAD") == entry(b"HEAD", 2)
        assert stack.read_log(b"x") is None
        assert list(stack.logs()) == [entry(b"HEAD", 2), entry(b"HEAD", 1)]
        assert list(stack.logs(b"HEAD")) == [entry(b"HEAD", 2), entry(b"HEAD", 1)]
        assert list(stack.refs_for(same(2))) == [branch(2, 2)]
        assert list(stack.refs_for(same(1))) == []


def test_reading_one_ref_opens_nothing_and_reads_one_block_of_each_table_asked(tmp_path: Path) -> None:
    make_stack(tmp_path, 5)
    with Stack.open(tmp_path) as stack:
        assert [table.reads for table in stack.tables] == [2] * 5
        stack.read_ref(branch(4).name)
        assert [table.reads for table in stack.tables] == [2, 2, 2, 2, 3]
        stack.read_ref(b"none")
        assert [table.reads for table in stack.tables] == [3] * 5, "and each block once"


def test_an_addition_is_followed_by_auto_compaction_if_the_options_say_so(tmp_path: Path) -> None:
    make_stack(tmp_path, 3)
    with Stack.open(tmp_path, LOOSE) as stack:
        add_branches(stack, 1, first=3)
        assert len(stack.tables) == 4
        assert stack.stats.attempts == 0
    with Stack.open(tmp_path) as stack:
        add_branches(stack, 1, first=4)
        assert len(stack.tables) == 1
        assert (stack.stats.attempts, stack.stats.failures) == (1, 0)
        assert list(stack.refs()) == [branch(number, number + 1) for number in range(5)]


def test_the_policy_of_the_options_suggests(tmp_path: Path) -> None:
    with Stack.open(tmp_path, LOOSE) as stack:
        for number, size in enumerate((40, 1, 12, 1), 1):
            add(stack, [branch(100 * number + other, number) for other in range(size)])
        sizes = stack.sizes
        assert sizes == [table.policy_size for table in stack.tables]
        assert sizes[0] > 2 * sum(sizes[1:])
        assert sizes[1] < sizes[2]
    with Stack.open(tmp_path, StackOptions(policy="log2")) as stack:
        assert len(stack.suggestion()) == 0
        stack.auto_compact()
        assert len(stack.tables) == 4
    with Stack.open(tmp_path, StackOptions(policy="geometric")) as stack:
        suggestion = stack.suggestion()
        assert (suggestion.start, suggestion.end, suggestion.bytes) == (1, 3, sizes[1] + sizes[2])
        stack.auto_compact()
        assert len(stack.tables) == 3
    assert isinstance(suggestion, Segment)


def test_a_damaged_table_does_not_make_an_addition_fail_that_has_happened(tmp_path: Path) -> None:
    tables = make_stack(tmp_path, 3)
    change_byte(tmp_path / tables[1], 28, 0x40)
    with Stack.open(tmp_path, StackOptions(skip_name_check=True)) as stack:
        add(stack, [branch(9, 4)])
        assert len(stack.tables) == 4
        assert (stack.stats.attempts, stack.stats.failures) == (1, 1)
        assert stack.read_ref(branch(9).name) == branch(9, 4)
        with pytest.raises(FormatError):
            stack.auto_compact()
    assert entries(tmp_path) == sorted([*listed(tmp_path), "tables.list"])


def test_an_auto_compaction_overtaken_by_another_writer_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_stack(tmp_path, 3)
    compact = Stack.auto_compact
    with Stack.open(tmp_path) as stack, Stack.open(tmp_path, LOOSE) as other:

        def overtaken(handle: Stack) -> None:
            other.reload()
            add_branches(other, 1, first=9)
            compact(handle)

        monkeypatch.setattr(Stack, "auto_compact", overtaken)
        add_branches(stack, 1, first=3)
        assert stack.stats.failures == 0
    assert len(listed(tmp_path)) == 5


def test_a_plan_holds_while_its_tables_stand_in_the_list(tmp_path: Path) -> None:
    make_stack(tmp_path, 3)
    with Stack.open(tmp_path, LOOSE) as stack, Stack.open(tmp_path, LOOSE) as other:
        plan = stack.plan_compaction(0, 2)
        add_branches(other, 1, first=3)
        stack.apply(plan)
        assert len(listed(tmp_path)) == 3
        with pytest.raises(OutdatedError):
            stack.apply(plan)
        assert stack.stats.attempts == 1
        assert list(stack.refs()) == [branch(number, number + 1) for number in range(4)]
    assert len(entries(tmp_path)) == 4


def test_a_busy_stack_can_be_compacted_by_a_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process adds a table between the last look at the list and its lock."""
    make_stack(tmp_path, 3)
    lock_list = StackDirectory.lock_list
    added: list[bool] = []

    def late(directory: StackDirectory) -> LockFile:
        if not added:
            added.append(True)
            with Stack.open(tmp_path, LOOSE) as other:
                add_branches(other, 1, first=3)
        return lock_list(directory)

    with Stack.open(tmp_path, LOOSE) as stack:
        plan = stack.plan_compaction(0, 3)
        monkeypatch.setattr(StackDirectory, "lock_list", late)
        stack.apply(plan)
        assert len(stack.tables) == 2
        assert list(stack.refs()) == [branch(number, number + 1) for number in range(4)]


def test_a_plan_for_the_bottom_of_a_stack_holds_only_there(tmp_path: Path) -> None:
    """What it drops may be needed by then, to hide what came below."""
    tables = make_stack(tmp_path, 3)
    list_tables(tmp_path, tables[1:])
    away = (tmp_path / tables[0]).rename(tmp_path.with_name("away"))
    with Stack.open(tmp_path, LOOSE) as stack:
        bottom, top = stack.plan_compaction(0, 2), stack.plan_compaction(1, 2, Expiry(min_update_index=2))
        away.rename(tmp_path / tables[0])
        list_tables(tmp_path, tables)
        with pytest.raises(OutdatedError):
            stack.apply(bottom)
        stack.apply(top)
        assert len(stack.tables) == 3


# A list that is lost


@pytest.mark.parametrize("content", [None, b"", b"\n"])
def test_a_stack_that_has_lost_its_list_is_not_written_to(tmp_path: Path, content: bytes | None) -> None:
    make_stack(tmp_path, 2)
    with Stack.open(tmp_path, LOOSE) as stack:
        (tmp_path / "tables.list").unlink()
        if content is not None:
            (tmp_path / "tables.list").write_bytes(content)
        before = entries(tmp_path)
        with pytest.raises(FormatError, match="but there are tables"):
            Stack.open(tmp_path, LOOSE)
        with pytest.raises(FormatError, match="but there are tables"), stack.addition(reload=True):
            pass
        with pytest.raises(FormatError, match="but there are tables"):
            stack.compact_all()
        with pytest.raises(FormatError, match="but there are tables"):
            stack.clean()
        with Stack.open(tmp_path, LOOSE, read_only=True) as reader:
            assert reader.tables == ()
            with pytest.raises(FormatError, match="but there are tables"):
                reader.plan_compaction(0, 0)
            with pytest.raises(FormatError, match="but there are tables"):
                reader.plan_clean()
    assert entries(tmp_path) == before


def test_a_first_table_on_its_way_into_a_new_stack_is_no_loss(tmp_path: Path) -> None:
    with Stack.open(tmp_path, LOOSE) as stack, stack.addition() as addition:
        addition.add(lambda writer: writer.add_ref(branch(0, 1)))
        Stack.open(tmp_path, LOOSE).close()
    assert len(listed(tmp_path)) == 1


@pytest.mark.parametrize("is_listed", [False, True])
def test_a_first_table_that_comes_while_a_new_stack_is_opened_is_no_loss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_listed: bool
) -> None:
    source = tmp_path / "source"
    [name] = make_stack(source, 1)
    stack = tmp_path / "stack"
    stack.mkdir()
    listdir = os.listdir

    def late(path: str) -> list[str]:
        if listdir(stack):
            return listdir(path)
        (stack / name).write_bytes((source / name).read_bytes())
        if is_listed:
            list_tables(stack, [name])
        else:
            lock(stack, "tables.list")
        return listdir(path)

    with monkeypatch.context() as patched:
        patched.setattr(os, "listdir", late)
        Stack.open(stack, LOOSE).close()


def test_a_compaction_that_leaves_nothing_is_no_loss(tmp_path: Path) -> None:
    with Stack.open(tmp_path, LOOSE) as stack:
        add(stack, [branch(0, 1)])
        add(stack, [RefRecord(branch(0).name, 2)])
        held = [lock(tmp_path, name) for name in names(stack)]
        list_tables(tmp_path, [])
        Stack.open(tmp_path, LOOSE).close()
        for path in held:
            path.unlink()
        with pytest.raises(FormatError):
            Stack.open(tmp_path, LOOSE)


def test_what_fails_behind_a_commit_says_that_the_change_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_stack(tmp_path, 2)

    def fail(*_: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    with Stack.open(tmp_path, LOOSE) as stack:
        for change in (lambda: add_branches(stack, 1, first=2), stack.compact_all):
            before = listed(tmp_path)
            with monkeypatch.context() as patched:
                patched.setattr(StackDirectory, "load", fail)
                with pytest.raises(CommittedError, match="the change is made"):
                    change()
            assert listed(tmp_path) != before
            assert stack.reload()
            assert list(stack.refs()) == [branch(number, number + 1) for number in range(3)]
    assert len(listed(tmp_path)) == 1


def test_a_plan_can_be_applied_through_another_handle(tmp_path: Path) -> None:
    make_stack(tmp_path, 3)
    with Stack.open(tmp_path, read_only=True) as viewer:
        plan = viewer.plan_compaction(1, 3, Expiry(min_update_index=2))
    with Stack.open(tmp_path, LOOSE) as stack:
        stack.apply(plan)
        assert [table.size for table in stack.tables] == [table.size for table in plan.after]


def test_what_a_handle_gave_out_lives_on_behind_reloads(tmp_path: Path) -> None:
    make_stack(tmp_path, 3)
    with Stack.open(tmp_path, LOOSE) as stack:
        view, tables, scan, logs = stack.merged, stack.tables, stack.refs(), stack.logs()
        stack.compact_all()
        add(stack, [RefRecord(branch(0).name, 4)])
        assert len(entries(tmp_path)) == 3
        assert view.tables == tables
        assert list(scan) == [branch(number, number + 1) for number in range(3)]
        assert list(logs) == []
        assert view.read_ref(branch(0).name) == branch(0, 1)
        assert stack.read_ref(branch(0).name) is None
        assert [list(table.refs()) for table in tables] == [[branch(n, n + 1)] for n in range(3)]


def cancel(_: Progress) -> None:
    raise Cancelled("enough")


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts open files through /proc")
def test_no_file_stays_open_behind_a_handle(tmp_path: Path) -> None:
    tables = make_stack(tmp_path, 3)
    before = len(os.listdir("/proc/self/fd"))
    with Stack.open(tmp_path, LOOSE) as stack:
        add_branches(stack, 3, first=3)
        stack.compact_all()
        stack.clean()
        stack.reload()
        with pytest.raises(ApiError):
            add(stack, [RefRecord(b"", 1)])
        with pytest.raises(Cancelled):
            stack.compact_all(Expiry(time=1), progress=cancel)
        assert len(os.listdir("/proc/self/fd")) == before + 2  # the list and the table
    assert len(os.listdir("/proc/self/fd")) == before
    (tmp_path / "tables.list").write_text("".join(f"{name}\n" for name in [*listed(tmp_path), *tables]))
    with pytest.raises(MissingTableError):
        Stack.open(tmp_path)
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_handle_is_closed_once_however_often(tmp_path: Path) -> None:
    make_stack(tmp_path, 1)
    stack = Stack.open(tmp_path)
    (table,) = stack.tables
    stack.close()
    stack.close()
    assert stack.tables == ()
    assert isinstance(table, Table)
    with pytest.raises(ApiError, match="closed"):
        list(table.refs())


def test_a_closed_handle_opens_and_locks_nothing_any_more(tmp_path: Path) -> None:
    make_stack(tmp_path, 1)
    before = len(os.listdir("/proc/self/fd"))
    stack, readable = Stack.open(tmp_path), open_readable(tmp_path)
    refs = find_repository(tmp_path).refs()
    for handle in (stack, readable, refs):
        handle.close()
    uses: list[Callable[[], object]] = [
        *(handle.reload for handle in (stack, readable, refs)),
        stack.addition(reload=True).__enter__,
        stack.hold().__enter__,
        stack.clean,
        refs.transaction().__enter__,
        refs.watch(sleep=lambda _: None).__next__,
    ]
    for use in uses:
        with pytest.raises(ApiError, match="closed"):
            use()
    assert len(os.listdir("/proc/self/fd")) == before
    assert entries(tmp_path) == sorted([*listed(tmp_path), "tables.list"])
    (empty := tmp_path / "reftable").mkdir()
    with Stack.open(empty) as stack:
        pass
    with pytest.raises(ApiError, match="closed"):
        stack.reload()


def test_names_can_be_made_reproducible(tmp_path: Path) -> None:
    found = []
    for directory in (tmp_path / "a", tmp_path / "b"):
        directory.mkdir()
        with Stack.open(directory, replace(LOOSE, suffix=count(1).__next__)) as stack:
            add_branches(stack, 3)
            stack.compact(1, 3)
            found.append({name: (directory / name).read_bytes() for name in entries(directory)})
    assert found[0] == found[1]


def test_a_new_table_never_takes_the_name_of_another_one(tmp_path: Path) -> None:
    suffixes = iter([1, 1, 1, 1, 2])
    with Stack.open(tmp_path, replace(LOOSE, suffix=suffixes.__next__)) as stack:
        add_branches(stack, 1)
        stack.compact(0, 1, Expiry(time=1))
        assert [name[-12:] for name in names(stack)] == ["00000002.ref"]
    with Stack.open(tmp_path, replace(LOOSE, suffix=lambda: 2)) as stack:
        before = stack_files(tmp_path)
        with pytest.raises(ApiError, match="suffixes must differ"):
            stack.compact(0, 1, Expiry(time=1))
    assert stack_files(tmp_path) == before


def test_compaction_of_all_and_of_ranges_keeps_every_ref(tmp_path: Path) -> None:
    with Stack.open(tmp_path, LOOSE) as stack:
        add_branches(stack, 6)
        expected = list(stack.refs())
        for first, end in [(4, 6), (1, 3), (0, 2), (1, 3), (0, 2)]:
            stack.compact(first, end)
            assert list(stack.refs()) == expected
        assert len(stack.tables) == 1


def test_a_locked_table_stops_a_plan_from_being_applied(tmp_path: Path) -> None:
    tables = make_stack(tmp_path, 3)
    with Stack.open(tmp_path, LOOSE) as stack:
        plan = stack.plan_compaction(0, 3)
        left = lock(tmp_path, tables[0])
        with pytest.raises(LockError):
            stack.apply(plan)
        left.unlink()
        stack.apply(plan)
        assert len(names(stack)) == 1


# The directory of something else.


@pytest.mark.parametrize("read_only", [False, True])
def test_the_directory_of_something_else_is_no_empty_stack(tmp_path: Path, *, read_only: bool) -> None:
    stack = tmp_path / ".git" / "reftable"
    stack.mkdir(parents=True)
    make_stack(stack, 1)
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "main.c").touch()
    for place, named in [
        (tmp_path, str(stack)),
        (tmp_path / ".git", str(stack)),
        (tmp_path / "src", "find_rep"),
    ]:
        with pytest.raises(RepositoryError, match=re.escape(named)):
            Stack.open(place, read_only=read_only)
    assert entries(tmp_path / ".git") == ["reftable"]
    (tmp_path / "empty").mkdir()
    assert Stack.open(tmp_path / "empty", read_only=read_only).tables == ()


def test_the_end_of_a_process_that_was_forked_leaves_the_change_of_the_first_alone(tmp_path: Path) -> None:
    with Stack.open(tmp_path, LOOSE) as stack, stack.addition() as addition:
        with addition.table() as writer:
            writer.add_ref(branch(0, 1))
        held = LockFile(str(tmp_path / "table.ref"))
        before = entries(tmp_path)
        pid = os.fork()
        if not pid:
            try:
                held.__del__()
                addition.__del__()
            finally:
                os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        assert entries(tmp_path) == before
        held.close()
    with Stack.open(tmp_path, LOOSE) as stack:
        assert [ref.name for ref in stack.refs()] == [branch(0, 1).name]

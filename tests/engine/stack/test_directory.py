"""The directory of a stack: its list, keeping up with it, temporary files, durability, permissions."""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from engine.errors import ApiError, FormatError, LockError, MissingTableError
from engine.format import HashId, RefRecord
from engine.stack import Stack, StackDirectory, StackOptions
from engine.table import Table, WriteOptions
from tests.support.durability import record_durability
from tests.support.stacks import (
    LOOSE,
    add,
    add_branches,
    branch,
    entries,
    exchange,
    list_tables,
    listed,
    lock,
    make_stack,
    names,
    traces,
    umask,
)
from tests.support.tables import oid, write_table


@contextmanager
def open_directory(
    path: Path, options: StackOptions = LOOSE, *, read_only: bool = False
) -> Generator[StackDirectory]:
    directory = StackDirectory(path, options, read_only=read_only)
    try:
        yield directory
    finally:
        directory.close()


def modes(directory: Path) -> set[int]:
    return {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()}


# What may be opened.


def test_a_directory_without_a_list_is_an_empty_stack(tmp_path: Path) -> None:
    with open_directory(tmp_path) as directory:
        assert (directory.names, directory.tables, directory.hash_id) == ([], (), HashId.SHA1)
        assert directory.is_current()
    assert entries(tmp_path) == []


def test_an_empty_list_is_an_empty_stack(tmp_path: Path) -> None:
    (tmp_path / "tables.list").touch()
    with open_directory(tmp_path) as directory:
        assert directory.names == []


def test_a_path_that_is_no_directory_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Stack.open(tmp_path / "none")
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        Stack.open(tmp_path / "file")


@pytest.mark.parametrize(
    "content", [b"../x.ref\n", b"/etc/passwd\n", b"a/b.ref\n", b"a\0b\n", b"..\n", b".\n", b"a", b"REFT\0\0"]
)
def test_a_list_that_is_no_list_of_names_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "tables.list").write_bytes(content)
    with pytest.raises(FormatError) as caught:
        Stack.open(tmp_path)
    assert caught.value.name == "tables.list"


def test_no_table_outside_the_directory_is_read(tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    write_table(tmp_path / "outside.ref", [branch(1)])
    (tmp_path / "inside" / "tables.list").write_text("../outside.ref\n")
    with pytest.raises(FormatError):
        Stack.open(tmp_path / "inside")


def test_a_list_larger_than_any_stacks_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "tables.list").open("wb") as file:
        file.truncate(2**33)
    with pytest.raises(FormatError, match="8589934592"):
        Stack.open(tmp_path)


def test_a_name_longer_than_any_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tables.list").write_bytes(b"x" * 300 + b".ref\n")
    with pytest.raises((FormatError, MissingTableError)):
        Stack.open(tmp_path)


@pytest.mark.parametrize("name", ["tables.list", "x.ref"])
@pytest.mark.parametrize("kind", ["fifo", "directory"])
def test_what_is_no_regular_file_is_refused_and_nothing_hangs(tmp_path: Path, name: str, kind: str) -> None:
    if name != "tables.list":
        (tmp_path / "tables.list").write_text("x.ref\n")
    path = tmp_path / name
    if kind == "fifo":
        os.mkfifo(path)
    else:
        path.mkdir()
    with pytest.raises(FormatError) as caught:
        Stack.open(tmp_path)
    assert caught.value.name == name


def test_names_that_are_no_utf_8_are_opened(tmp_path: Path) -> None:
    name = os.fsdecode(b"\xff\xfe.ref")
    write_table(tmp_path / name, [branch(1)])
    (tmp_path / "tables.list").write_bytes(b"\xff\xfe.ref\n")
    with Stack.open(tmp_path, LOOSE) as stack:
        assert list(stack.refs()) == [branch(1)]
        add_branches(stack, 1, first=2)
    assert (tmp_path / "tables.list").read_bytes().startswith(b"\xff\xfe.ref\n0x")


def test_names_of_other_writers_are_opened(tmp_path: Path) -> None:
    """JGit leaves out 0x and ends log-only tables in .log; Go has no suffix; dulwich no limits that fit."""
    tables = [
        "000000000001-000000000001-0a1b2c3d.ref",
        "000000000002-000000000002-0a1b2c3d.log",
        "0x000000000003-0x000000000003.ref",
        "0x0000018f00000000-0x0000018f00000000-0a1b2c3d.ref",
        "any name.ref",
    ]
    for number, name in enumerate(tables, 1):
        write_table(tmp_path / name, [branch(number, number)])
    list_tables(tmp_path, tables)
    with Stack.open(tmp_path, LOOSE) as stack:
        assert names(stack) == tables
        assert list(stack.refs()) == [branch(number, number) for number in range(1, 6)]
        assert stack.next_update_index == 6


def test_a_stack_of_two_hash_functions_is_refused(tmp_path: Path) -> None:
    make_stack(tmp_path, 1)
    other = "0x000000000002-0x000000000002-00000000.ref"
    write_table(tmp_path / other, [RefRecord(b"x", 2)], options=WriteOptions(hash_id=HashId.SHA256))
    list_tables(tmp_path, [*listed(tmp_path), other])
    with pytest.raises(FormatError) as caught:
        Stack.open(tmp_path)
    assert caught.value.name == other


def test_an_empty_stack_takes_the_hash_function_stated(tmp_path: Path) -> None:
    with Stack.open(tmp_path, StackOptions(hash_id=HashId.SHA256)) as stack:
        assert stack.hash_id is HashId.SHA256
        add(stack, [RefRecord(b"a", 1, value=oid(1, 32))])
    with Stack.open(tmp_path) as stack:
        assert stack.hash_id is HashId.SHA256
        assert stack.tables[0].version == 2
        add(stack, [RefRecord(b"b", 2, value=oid(2, 32))])


# Keeping up.


def test_a_stack_is_current_until_its_list_is_another_file(tmp_path: Path) -> None:
    make_stack(tmp_path, 2)
    with open_directory(tmp_path) as directory:
        assert directory.is_current()
        os.utime(tmp_path / "tables.list", (1, 1))
        assert directory.is_current()
        list_tables(tmp_path, listed(tmp_path)[:1])
        assert not directory.is_current()


def test_seeing_that_nothing_changed_takes_one_stat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_stack(tmp_path, 2)
    with open_directory(tmp_path) as directory:
        calls: list[str] = []
        real_stat = os.stat
        monkeypatch.setattr(os, "stat", lambda path: calls.append(str(path)) or real_stat(path))
        monkeypatch.setattr(os, "open", lambda *_: pytest.fail("opened a file"))
        assert directory.is_current()
        monkeypatch.undo()
        assert calls == [str(tmp_path / "tables.list")]


def test_the_inode_of_a_list_cannot_be_used_again_unnoticed(tmp_path: Path) -> None:
    """The list that was read is kept open, so no other file can have its number."""
    make_stack(tmp_path, 3)
    with open_directory(tmp_path) as directory:
        for count in (2, 1, 2, 1):
            path = tmp_path / "tables.list"
            path.unlink()
            path.write_text("".join(f"{name}\n" for name in directory.names[:count]))
            assert not directory.is_current()


def test_another_list_of_the_same_size_and_time_is_a_change(tmp_path: Path) -> None:
    """Such as a compaction leaves within one tick of the clock."""
    tables = make_stack(tmp_path, 2)
    list_tables(tmp_path, tables[:1])
    with open_directory(tmp_path) as directory:
        exchange(tmp_path / "tables.list", f"{tables[1]}\n".encode())
        assert not directory.is_current()


def test_a_list_with_the_same_names_is_no_change(tmp_path: Path) -> None:
    make_stack(tmp_path, 2)
    with Stack.open(tmp_path) as stack:
        before = stack.tables
        list_tables(tmp_path, listed(tmp_path))
        assert not stack.reload()
        assert stack.tables is before


def test_a_list_that_appears_and_disappears_is_a_change(tmp_path: Path) -> None:
    with Stack.open(tmp_path) as stack:
        assert not stack.reload()
        make_stack(tmp_path, 1)
        assert stack.reload()
        assert not stack.reload()
        assert len(stack.tables) == 1


def test_a_reload_keeps_the_tables_that_are_open(tmp_path: Path) -> None:
    make_stack(tmp_path, 3)
    with Stack.open(tmp_path) as stack, Stack.open(tmp_path, LOOSE) as other:
        first, second, third = stack.tables
        add_branches(other, 1, first=9)
        assert stack.reload()
        assert stack.tables[:3] == (first, second, third)
        other.compact(1, 3)
        assert stack.reload()
        assert stack.tables[0] is first
        assert [table.name for table in stack.tables] == listed(tmp_path)
        assert first.reads == 2, "not opened again"


def test_a_reader_that_is_overtaken_by_a_compaction_reads_the_list_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_stack(tmp_path, 3)
    open_table = StackDirectory.open_table
    overtaken = False

    def open_slowly(directory: StackDirectory, name: str) -> Table:
        nonlocal overtaken
        if not overtaken:
            overtaken = True
            with Stack.open(tmp_path) as other:
                other.compact_all()
        return open_table(directory, name)

    monkeypatch.setattr(StackDirectory, "open_table", open_slowly)
    with Stack.open(tmp_path) as stack:
        assert names(stack) == listed(tmp_path)
        assert len(stack.tables) == 1
        assert len(list(stack.refs())) == 3


def test_a_reader_gives_up_on_a_list_that_always_changes_and_never_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds
        list_tables(tmp_path, [f"none-{now}.ref"])

    list_tables(tmp_path, ["none.ref"])
    read_list = StackDirectory.read_list

    def read_another(directory: StackDirectory) -> list[str]:
        sleep(0.01)
        return read_list(directory)

    monkeypatch.setattr(time, "monotonic", lambda: now)
    monkeypatch.setattr(time, "sleep", sleep)
    monkeypatch.setattr(StackDirectory, "read_list", read_another)
    with pytest.raises(MissingTableError):
        Stack.open(tmp_path)
    assert 1 < now < 30


@pytest.mark.parametrize("content", [b"garbage\n", b"cut short", b"../x\n"])
def test_a_reload_that_fails_leaves_everything_as_it_was(tmp_path: Path, content: bytes) -> None:
    tables = make_stack(tmp_path, 3)
    with Stack.open(tmp_path) as stack:
        before, view, scan = stack.tables, stack.merged, stack.refs()
        (tmp_path / "new").write_bytes(content)
        os.replace(tmp_path / "new", tmp_path / "tables.list")
        for _ in range(2):
            with pytest.raises((FormatError, MissingTableError)):
                stack.reload()
        assert stack.tables is before
        assert stack.merged is view
        assert len(list(scan)) == len(list(stack.refs())) == 3
        list_tables(tmp_path, tables[:2])
        assert stack.reload()
        assert names(stack) == tables[:2]


def compact_and_leave_the_old(directory: Path, first: int, end: int) -> list[str]:
    """Compact as a process that has no time to unlink what was replaced; return the names of that."""
    tables = listed(directory)[first:end]
    old = {name: (directory / name).read_bytes() for name in tables}
    with Stack.open(directory, LOOSE) as stack:
        stack.compact(first, end)
    for name, data in old.items():
        (directory / name).write_bytes(data)
    return tables


def test_tables_that_a_compaction_replaced_are_unlinked_by_a_reload(tmp_path: Path) -> None:
    make_stack(tmp_path, 4)
    with Stack.open(tmp_path) as stack:
        replaced = compact_and_leave_the_old(tmp_path, 1, 3)
        assert set(replaced) < set(entries(tmp_path))
        stack.reload()
        assert entries(tmp_path) == sorted([*listed(tmp_path), "tables.list"])


def test_tables_that_a_compaction_replaced_are_unlinked_by_closing(tmp_path: Path) -> None:
    make_stack(tmp_path, 4)
    bystander = tmp_path / "0x000000000001-0x000000000001-00000000.ref"
    stack = Stack.open(tmp_path)
    replaced = compact_and_leave_the_old(tmp_path, 1, 3)
    bystander.write_bytes((tmp_path / replaced[0]).read_bytes())
    stack.close()
    assert entries(tmp_path) == sorted([*listed(tmp_path), bystander.name, "tables.list"])
    stack.close()


@pytest.mark.parametrize("count", [0, 1, 2])
def test_tables_newer_than_all_that_are_listed_are_not_unlinked(tmp_path: Path, count: int) -> None:
    """No compaction leaves such a list behind, but putting an old one back does."""
    tables = make_stack(tmp_path, 3)
    with Stack.open(tmp_path) as stack, Stack.open(tmp_path):
        list_tables(tmp_path, tables[:count])
        stack.reload()
        assert names(stack) == tables[:count]
    assert entries(tmp_path) == sorted([*tables, "tables.list"])


def test_views_taken_before_closing_cannot_be_read_any_more(tmp_path: Path) -> None:
    make_stack(tmp_path, 1)
    stack = Stack.open(tmp_path)
    view = stack.merged
    stack.close()
    with pytest.raises(ApiError, match="closed"):
        view.read_ref(branch(0).name)


# Reading only.


def use(stack: Stack) -> None:
    assert list(stack.refs())
    list(stack.logs())
    list(stack.refs_for(oid(1)))
    stack.read_ref(b"HEAD")
    stack.read_log(b"HEAD")
    stack.suggestion()
    stack.plan_compaction(0, len(stack.tables))
    stack.plan_clean()
    stack.reload()


@pytest.mark.parametrize("read_only", [False, True])
def test_opening_and_looking_changes_nothing(tmp_path: Path, read_only: bool) -> None:
    make_stack(tmp_path, 3)
    (tmp_path / "orphan.ref").write_bytes(b"")
    before = traces(tmp_path)
    with Stack.open(tmp_path, read_only=read_only) as stack:
        use(stack)
        assert traces(tmp_path) == before
    assert traces(tmp_path) == before


def test_a_stack_opened_for_reading_never_unlinks(tmp_path: Path) -> None:
    tables = make_stack(tmp_path, 3)
    with Stack.open(tmp_path, read_only=True) as stack, Stack.open(tmp_path, read_only=True) as other:
        list_tables(tmp_path, tables[:2])
        before = traces(tmp_path)
        stack.reload()
        assert traces(tmp_path) == before
        assert len(other.tables) == 3
    assert traces(tmp_path) == before


def test_a_stack_opened_for_reading_refuses_every_change(tmp_path: Path) -> None:
    make_stack(tmp_path, 3)
    before = traces(tmp_path)
    with Stack.open(tmp_path, read_only=True) as stack:
        assert stack.read_only
        for change in (
            lambda: add_branches(stack, 1, first=9),
            lambda: stack.addition().__enter__(),
            lambda: stack.addition(reload=True).__enter__(),
            stack.compact_all,
            lambda: stack.compact(0, 2),
            stack.auto_compact,
            lambda: stack.apply(stack.plan_compaction(0, 3)),
            stack.clean,
        ):
            with pytest.raises(ApiError):
                change()
    assert traces(tmp_path) == before


def test_a_directory_that_cannot_be_written_can_be_read(tmp_path: Path) -> None:
    make_stack(tmp_path, 3)
    os.chmod(tmp_path, 0o500)
    try:
        with Stack.open(tmp_path, read_only=True) as stack:
            use(stack)
    finally:
        os.chmod(tmp_path, 0o700)


# Permissions.


@pytest.mark.parametrize(("mask", "expected"), [(0o002, 0o664), (0o022, 0o644), (0o027, 0o640)])
def test_the_first_files_follow_the_umask(tmp_path: Path, mask: int, expected: int) -> None:
    with umask(mask), Stack.open(tmp_path, LOOSE) as stack:
        add_branches(stack, 2)
        stack.compact_all()
        assert modes(tmp_path) == {expected}


def test_later_files_have_the_permissions_of_the_list(tmp_path: Path) -> None:
    make_stack(tmp_path, 2)
    os.chmod(tmp_path / "tables.list", 0o664)
    with umask(0o077), Stack.open(tmp_path, LOOSE) as stack:
        add_branches(stack, 1, first=2)
        new = tmp_path / names(stack)[-1]
        assert stat.S_IMODE(new.stat().st_mode) == 0o664
        stack.compact_all()
        assert modes(tmp_path) == {0o664}


@pytest.mark.parametrize("mask", [0o002, 0o022, 0o027])
@pytest.mark.parametrize("permissions", [0o660, 0o664, 0o600])
def test_permissions_that_are_stated_hold_whatever_the_umask(
    tmp_path: Path, mask: int, permissions: int
) -> None:
    make_stack(tmp_path, 2)
    with umask(mask), Stack.open(tmp_path, replace(LOOSE, default_permissions=permissions)) as stack:
        add_branches(stack, 1, first=2)
        stack.compact_all()
        assert modes(tmp_path) == {permissions}


# Durability.


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """What is made durable and renamed, in that order; names without their random parts."""

    def kind(path: str) -> str:
        name = os.path.basename(path)
        if path == str(tmp_path):
            return "directory"
        if ".temp." in name:
            return "temporary"
        return re.sub(r"^0x.*\.ref", "table", name)

    return record_durability(monkeypatch, kind)


needs_proc = pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="names files through /proc")

INSTALLED = [
    "fsync temporary",
    "rename temporary table",
    "fsync tables.list.lock",
    "fsync directory",
    "rename tables.list.lock tables.list",
    "fsync directory",
]


@needs_proc
def test_an_addition_is_durable_before_it_is_visible(tmp_path: Path, events: list[str]) -> None:
    with Stack.open(tmp_path, LOOSE) as stack:
        add_branches(stack, 1)
        assert events == INSTALLED


@needs_proc
def test_a_compaction_is_durable_before_the_old_tables_go(tmp_path: Path, events: list[str]) -> None:
    make_stack(tmp_path, 3)
    events.clear()
    with Stack.open(tmp_path, LOOSE) as stack:
        stack.compact_all()
    assert events == [
        "unlink tables.list.lock",  # let go of while merging
        *INSTALLED,
        *["unlink table"] * 3,
        *["unlink table.lock"] * 3,
    ]


def test_a_table_is_written_in_few_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    write = os.write

    def measuring(fd: int, data: bytes) -> int:
        sizes.append(len(data))
        return write(fd, data)

    monkeypatch.setattr(os, "write", measuring)
    with Stack.open(tmp_path, LOOSE) as stack:
        add(stack, [branch(number, 1) for number in range(3000)])
        assert len(sizes) <= 3
        assert sum(sizes) == stack.tables[0].size + (tmp_path / "tables.list").stat().st_size


# Temporary tables.


def test_a_temporary_table_is_gone_unless_it_is_renamed(tmp_path: Path) -> None:
    with open_directory(tmp_path) as directory:
        with directory.temporary_table(1, 2) as temporary:
            temporary.write(b"x")
            (name,) = entries(tmp_path)
            assert name.startswith("0x000000000001-0x000000000002-")
            assert ".temp." in name
        assert entries(tmp_path) == []
        with directory.temporary_table(1, 2) as temporary:
            temporary.write(b"content")
            temporary.finish()
            temporary.rename("final.ref")
            with pytest.raises(ApiError):
                _ = temporary.path
        assert entries(tmp_path) == ["final.ref"]
        assert (tmp_path / "final.ref").read_bytes() == b"content"


def test_table_names_come_from_limits_and_a_suffix(tmp_path: Path) -> None:
    with open_directory(tmp_path, replace(LOOSE, suffix=lambda: 0xABC)) as directory:
        assert directory.table_name(1, 0x1F) == "0x000000000001-0x00000000001f-00000abc.ref"
    with open_directory(tmp_path) as directory:
        assert len({directory.table_name(1, 2) for _ in range(20)}) == 20


def test_what_became_part_of_the_stack_is_not_removed(tmp_path: Path) -> None:
    tables = make_stack(tmp_path, 2)
    (tmp_path / "new.ref").touch()
    with open_directory(tmp_path) as directory:
        directory.unlink([tables[0], "new.ref"])
    assert entries(tmp_path) == sorted([*tables, "tables.list"])


def test_the_lock_on_the_list_waits_as_long_as_the_options_say(tmp_path: Path) -> None:
    with open_directory(tmp_path, replace(LOOSE, lock_timeout_ms=0)) as directory:
        path = lock(tmp_path, "tables.list")
        with pytest.raises(LockError):
            directory.lock_list()
        path.unlink()
        with directory.lock_list():
            assert path.exists()


def test_a_list_that_was_edited_in_place_is_noticed(tmp_path: Path) -> None:
    """As after a repair with an editor: the same inode."""
    tables = make_stack(tmp_path, 3)
    with Stack.open(tmp_path, read_only=True) as stack:
        with (tmp_path / "tables.list").open("r+") as file:
            file.truncate()
            file.write(f"{tables[0]}\n")
        assert stack.reload()
        assert [table.name for table in stack.tables] == tables[:1]


def test_what_an_undo_has_put_back_is_not_removed(tmp_path: Path) -> None:
    """It comes between the reading of the compacted list and the removal of what that has replaced."""
    tables = make_stack(tmp_path, 2)
    files = {name: (tmp_path / name).read_bytes() for name in tables}
    with open_directory(tmp_path) as directory:
        with Stack.open(tmp_path, LOOSE) as other:
            other.compact_all()

        def undo(directory: StackDirectory, names: set[str]) -> None:
            for name, data in files.items():
                (tmp_path / name).write_bytes(data)
            list_tables(tmp_path, tables)
            unlink(directory, names)

        unlink = StackDirectory.unlink
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(StackDirectory, "unlink", undo)
            directory.load()
        assert set(tables) <= set(entries(tmp_path))


def test_a_table_of_another_history_is_not_taken_for_replaced(tmp_path: Path) -> None:
    """An older list was put back, and the next table has the update index of one that a handle knows."""
    tables = make_stack(tmp_path, 2)
    with open_directory(tmp_path) as directory:
        list_tables(tmp_path, tables[:1])
        with Stack.open(tmp_path, LOOSE) as other:
            add_branches(other, 1, first=7)
        directory.load()
    assert tables[1] in entries(tmp_path)

"""Directories with other things than files in them, with files that cannot be opened or read, and with links.

What is refused is refused with an error that names the culprit, and nothing outside the directory is touched.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from engine.errors import FormatError, LockError, MissingTableError, ReftableError
from engine.format import RefRecord
from engine.merge import Expiry
from engine.stack import Stack, StackOptions
from engine.table import Table
from tests.hostile.refusal import refuse
from tests.support.stacks import LOOSE, add, branch, entry, list_tables, listed, make_stack, names
from tests.support.tables import oid, stack_files, write_table

ROOT = Path(__file__).resolve().parents[2]


def run_python(code: str, *args: str | Path, cwd: Path | None = None) -> str:
    """Run Python code on the engine in a process of its own, and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", code, *args],
        capture_output=True,
        check=False,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


# Things in the place of files


def make_directory(path: Path) -> None:
    path.mkdir()


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    # The path of a socket has to be short; the one of a test's directory is not.
    with socket.socket(socket.AF_UNIX) as made:
        here = os.getcwd()
        os.chdir(path.parent)
        try:
            made.bind(path.name)
        finally:
            os.chdir(here)


def make_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def make_loop(path: Path) -> None:
    path.symlink_to(path.name)


MAKERS = [make_directory, make_fifo, make_socket, make_device, make_loop]


@pytest.mark.parametrize("make", MAKERS)
def test_what_is_no_file_is_no_table(stack: Path, make: Callable[[Path], None]) -> None:
    name = listed(stack)[1]
    (stack / name).unlink()
    make(stack / name)
    refuse(stack, named=name)


@pytest.mark.parametrize("make", MAKERS)
def test_what_is_no_file_is_no_list(stack: Path, make: Callable[[Path], None]) -> None:
    (stack / "tables.list").unlink()
    make(stack / "tables.list")
    refuse(stack, named="tables.list")


@pytest.mark.parametrize("make", MAKERS)
def test_a_table_is_not_opened_in_what_is_no_file(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "table.ref")
    with pytest.raises((FormatError, OSError), match=r"table\.ref"):
        Table.open(tmp_path / "table.ref")


@pytest.mark.parametrize("make", [*MAKERS, Path.touch])
def test_whatever_lies_in_the_place_of_the_lock_is_a_lock(stack: Path, make: Callable[[Path], None]) -> None:
    lock = stack / "tables.list.lock"
    make(lock)
    files = sorted(os.listdir(stack))
    with Stack.open(stack, replace(LOOSE, lock_timeout_ms=0)) as opened:
        for change in (
            lambda: add(opened, [branch(7, opened.next_update_index)]),
            opened.compact_all,
            opened.clean,
        ):
            with pytest.raises(LockError, match=r"tables\.list\.lock"):
                change()
    assert sorted(os.listdir(stack)) == files


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize(
    "name", ["0x000000000001-0x000000000001-00000009.ref", "a.temp.b", "a.lock", "a\x1b[0m.ref"]
)
def test_clean_says_of_everything_whether_it_goes_and_does_that(
    stack: Path, make: Callable[[Path], None], name: str
) -> None:
    make(stack / name)
    before = set(os.listdir(stack))
    with Stack.open(stack, LOOSE) as opened:
        plan = opened.plan_clean()
        assert {file.name for file in (*plan.removed, *plan.kept)} == {name}
        assert all(file.reason for file in (*plan.removed, *plan.kept))
        planned = {file.name for file in plan.removed}
        assert set(opened.clean()) == planned
    assert set(os.listdir(stack)) == before - planned


@pytest.mark.parametrize("make", [make_fifo, make_socket, Path.touch])
def test_a_stack_is_a_directory(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "stack"
    with pytest.raises(FileNotFoundError, match="stack"):
        Stack.open(path)
    make(path)
    with pytest.raises(NotADirectoryError, match="stack"):
        Stack.open(path)


# Links


def test_a_table_may_be_a_link_and_a_compaction_removes_no_more_than_the_link(stack: Path) -> None:
    name = listed(stack)[1]
    elsewhere = stack.parent / "elsewhere.ref"
    os.rename(stack / name, elsewhere)
    (stack / name).symlink_to(elsewhere)
    content = elsewhere.read_bytes()
    with Stack.open(stack, LOOSE) as opened:
        refs = list(opened.refs())
        assert len(refs) == 3
        opened.compact_all()
        assert list(opened.refs()) == refs
    assert elsewhere.read_bytes() == content
    assert not (stack / name).is_symlink()


def test_a_link_that_leads_nowhere_is_a_missing_table(stack: Path) -> None:
    name = listed(stack)[1]
    (stack / name).unlink()
    (stack / name).symlink_to("nowhere.ref")
    assert isinstance(refuse(stack, named=name), MissingTableError)


def test_a_list_may_be_a_link_which_a_writer_replaces(stack: Path) -> None:
    elsewhere = stack.parent / "elsewhere.list"
    os.rename(stack / "tables.list", elsewhere)
    (stack / "tables.list").symlink_to(elsewhere)
    content = elsewhere.read_bytes()
    with Stack.open(stack, LOOSE) as opened:
        assert len(opened.tables) == 3
        add(opened, [branch(7, opened.next_update_index)])
        assert names(opened) == listed(stack)
    assert elsewhere.read_bytes() == content


# What the system refuses


def test_files_that_may_not_be_read_are_named(stack: Path) -> None:
    """Root may read everything, so the process gives up being root, inside a directory that all may enter."""
    stack.chmod(0o755)
    code = """
import os, sys
from engine import Stack
if os.geteuid() == 0:
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
for read_only in (True, False):
    try:
        Stack.open(".", read_only=read_only)
    except PermissionError as error:
        print(error)
"""
    for name in (listed(stack)[1], "tables.list"):
        (stack / name).chmod(0)
        said = run_python(code, cwd=stack).splitlines()
        (stack / name).chmod(0o644)
        assert len(said) == 2
        assert all(name in line for line in said)


def test_more_tables_than_files_may_be_open_is_an_error_that_leaves_no_file_open(tmp_path: Path) -> None:
    [name] = make_stack(tmp_path, 1)
    many = [f"0x{number:012x}-0x{number:012x}-00000000.ref" for number in range(1, 3001)]
    for copy in many:
        os.link(tmp_path / name, tmp_path / copy)
    list_tables(tmp_path, many)
    (tmp_path / name).unlink()
    code = """
import os, resource, sys
from engine import Stack
resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
for read_only in (True, False):
    before = os.listdir("/dev/fd")
    try:
        Stack.open(sys.argv[1], read_only=read_only)
    except OSError as error:
        print(error.errno, error)
    assert len(os.listdir("/dev/fd")) == len(before)
"""
    said = run_python(code, tmp_path).splitlines()
    assert len(said) == 2
    assert all(line.startswith("24 ") and ".ref" in line for line in said)
    assert sorted(os.listdir(tmp_path)) == sorted([*many, "tables.list"])


# Damaged tables in a stack


def damage_middle(stack: Path) -> str:
    """Make the records of the middle table nonsense, in a table that opens."""
    name = listed(stack)[1]
    data = bytearray((stack / name).read_bytes())
    data[28:32] = b"\xff" * 4
    (stack / name).write_bytes(data)
    return name


def test_a_compaction_of_a_damaged_table_changes_nothing(stack: Path) -> None:
    name = damage_middle(stack)
    files = stack_files(stack)
    with Stack.open(stack, LOOSE) as opened:
        for attempt in (
            lambda: opened.plan_compaction(0, 3),
            lambda: opened.compact(1, 3),
            opened.compact_all,
            lambda: opened.compact_all(Expiry(time=1)),
        ):
            with pytest.raises(FormatError) as caught:
                attempt()
            assert caught.value.name == name
            assert stack_files(stack) == files


def test_a_damaged_table_refuses_names_that_it_might_clash_with(stack: Path) -> None:
    name = damage_middle(stack)
    files = stack_files(stack)
    with Stack.open(stack) as opened:
        with pytest.raises(FormatError) as caught:
            add(opened, [RefRecord(b"refs/heads/new", opened.next_update_index, value=oid(1))])
        assert caught.value.name == name
    assert stack_files(stack) == files


def test_an_addition_to_a_damaged_stack_is_no_failure_when_auto_compaction_is(stack: Path) -> None:
    damage_middle(stack)
    with Stack.open(stack, StackOptions(skip_name_check=True)) as opened:
        record = RefRecord(b"refs/heads/new", opened.next_update_index, value=oid(1))
        add(opened, [record], [entry(b"refs/heads/new", opened.next_update_index)])
        assert opened.read_ref(b"refs/heads/new") == record
        assert (opened.stats.attempts, opened.stats.failures) == (1, 1)
        assert sorted(os.listdir(stack)) == sorted([*names(opened), "tables.list"])


def test_a_table_replaced_while_it_is_open_is_read_as_it_was(stack: Path) -> None:
    name = listed(stack)[1]
    with Stack.open(stack, LOOSE) as opened:
        refs = list(opened.refs())
        (stack / name).unlink()
        make_fifo(stack / name)
        assert list(opened.refs()) == refs
        assert not opened.reload()
        with pytest.raises((ReftableError, OSError)):
            Stack.open(stack, LOOSE)


def test_a_table_cut_short_while_it_is_open_is_an_error(stack: Path) -> None:
    name = listed(stack)[1]
    with Stack.open(stack, LOOSE) as opened:
        for size in (60, 30, 10, 0):
            os.truncate(stack / name, size)
            with pytest.raises(FormatError) as caught:
                list(opened.refs())
            assert caught.value.name == name


def test_an_update_index_at_the_end_of_all_numbers_is_refused_clearly(tmp_path: Path) -> None:
    record = RefRecord(b"a", 2**64 - 1, value=oid(1))
    write_table(tmp_path / "last.ref", [record])
    list_tables(tmp_path, ["last.ref"])
    files = stack_files(tmp_path)
    with Stack.open(tmp_path, LOOSE) as opened:
        assert opened.read_ref(b"a") == record
        with pytest.raises(FormatError, match="update index"):
            add(opened, [RefRecord(b"b", opened.next_update_index)])
    assert stack_files(tmp_path) == files

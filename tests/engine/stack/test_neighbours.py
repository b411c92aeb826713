"""The files beside a stack: named, explained, judged as `clean` judges, whatever they are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.stack import FileKind, Holder, Neighbour, Stack, find_holders, neighbours
from tests.support.stacks import LOOSE, branch, entries, lock, make_stack, traces
from tests.support.tables import write_table

COVERED = "0x000000000001-0x000000000002-00000000.ref"
NEWER = "0x000000000008-0x000000000009-00000000.ref"
TEMPORARY = "0x000000000001-0x000000000002-00000000.temp.a1b2c3"


def orphan(directory: Path, name: str, update_index: int) -> None:
    write_table(directory / name, [branch(9, update_index)])


def look(directory: Path, listed: list[str], now: float = 0.0) -> dict[str, Neighbour]:
    return {found.name: found for found in neighbours(directory, listed, now)}


def clutter(directory: Path) -> list[str]:
    tables = make_stack(directory, 3)
    orphan(directory, COVERED, 2)
    orphan(directory, NEWER, 9)
    (directory / TEMPORARY).write_bytes(b"half a table")
    (directory / "notes.txt").write_bytes(b"mine")
    (directory / "broken.ref").write_bytes(b"garbage")
    return tables


def test_a_tidy_stack_has_no_neighbours(tmp_path: Path) -> None:
    assert neighbours(tmp_path, make_stack(tmp_path, 3), 0.0) == []


def test_every_file_that_is_not_listed_is_named_with_kind_and_size(tmp_path: Path) -> None:
    tables = clutter(tmp_path)
    lock(tmp_path, "tables.list")
    found = look(tmp_path, tables)
    assert {name: item.kind for name, item in found.items()} == {
        COVERED: FileKind.ORPHAN,
        NEWER: FileKind.ORPHAN,
        "broken.ref": FileKind.ORPHAN,
        TEMPORARY: FileKind.TEMPORARY,
        "tables.list.lock": FileKind.LOCK,
        "notes.txt": FileKind.OTHER,
    }
    assert all(item.size == (tmp_path / name).stat().st_size for name, item in found.items())
    assert list(found) == sorted(found)


@pytest.mark.parametrize("locked", [False, True])
def test_what_would_be_removed_is_what_clean_plans_to_remove(tmp_path: Path, locked: bool) -> None:
    tables = clutter(tmp_path)
    if locked:
        lock(tmp_path, tables[0])
    with Stack.open(tmp_path, LOOSE, read_only=True) as stack:
        plan = stack.plan_clean()
        covered = stack.merged.max_update_index
    for found in (neighbours(tmp_path, tables, 0.0), neighbours(tmp_path, tables, 0.0, covered=covered)):
        assert {item.name for item in found if item.removable} == {file.name for file in plan.removed}
        reasons = {file.name: file.reason for file in (*plan.removed, *plan.kept)}
        assert {item.name: item.reason for item in found} == reasons


def test_nothing_is_judged_stale_beside_a_table_that_cannot_be_read(tmp_path: Path) -> None:
    tables = make_stack(tmp_path, 3)
    orphan(tmp_path, COVERED, 1)
    (tmp_path / tables[1]).write_bytes(b"garbage")
    found = look(tmp_path, tables)[COVERED]
    assert not found.removable
    assert "cannot be told" in found.reason


def test_a_table_that_was_listed_meanwhile_is_no_orphan(tmp_path: Path) -> None:
    tables = make_stack(tmp_path, 2)
    assert look(tmp_path, tables[:1]) == {}


def test_a_damaged_list_hides_no_neighbour(tmp_path: Path) -> None:
    tables = make_stack(tmp_path, 2)
    (tmp_path / "tables.list").write_bytes(b"cut")
    lock(tmp_path, "tables.list")
    assert list(look(tmp_path, tables)) == ["tables.list.lock"]


def test_age_is_the_time_since_the_last_change_and_never_negative(tmp_path: Path) -> None:
    make_stack(tmp_path, 1)
    held = lock(tmp_path, "tables.list")
    os.utime(held, (1000, 1000))
    for now, age in ((1090.5, 90.5), (900.0, 0.0)):
        (item,) = neighbours(tmp_path, entries(tmp_path)[:1], now)
        assert (item.age, item.modified) == (age, 1000.0)


def test_hostile_files_are_named_and_left_alone(tmp_path: Path) -> None:
    tables = make_stack(tmp_path, 1)
    os.mkfifo(tmp_path / "pipe.ref")
    (tmp_path / "directory.ref").mkdir()
    os.symlink("nowhere", tmp_path / "link.ref")
    os.symlink("/dev/zero", tmp_path / "device.ref")
    os.symlink(tables[0], tmp_path / "alias.ref")
    (tmp_path / "tables.list.lock").mkdir()
    (tmp_path / os.fsdecode(b"\x1b[2J\xff.temp.x")).touch()
    found = look(tmp_path, tables)
    assert len(found) == 7
    assert not any(item.removable for item in found.values())
    assert found["device.ref"].reason == found["alias.ref"].reason
    assert "no regular file" in found["pipe.ref"].reason


def test_looking_changes_nothing(tmp_path: Path) -> None:
    tables = clutter(tmp_path)
    lock(tmp_path, "tables.list")
    before = traces(tmp_path)
    assert neighbours(tmp_path, tables, 0.0)
    assert traces(tmp_path) == before


def test_a_directory_that_is_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        neighbours(tmp_path / "gone", [], 0.0)


linux = pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="open files are known on Linux only")


@linux
def test_the_process_that_has_a_lock_open_is_named(tmp_path: Path) -> None:
    tables = make_stack(tmp_path / "real", 1)
    (tmp_path / "alias").symlink_to("real")
    script = "import sys; file = open(sys.argv[1], 'x'); print('held', flush=True); sys.stdin.read()"
    path = tmp_path / "real" / "tables.list.lock"
    with subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        (item,) = neighbours(tmp_path / "alias", tables, 0.0)
        assert item.holder is not None
        assert item.holder.pid == process.pid
        assert item.holding == f"process {process.pid} ({item.holder.command}) has it open"
        process.communicate()
    (item,) = neighbours(tmp_path / "alias", tables, 0.0)
    assert item.holder is None


def test_that_nobody_has_a_lock_open_is_explained(tmp_path: Path) -> None:
    tables = make_stack(tmp_path, 1)
    lock(tmp_path, "tables.list")
    lock(tmp_path, tables[0])
    found = look(tmp_path, tables)
    assert "probably left behind" in found["tables.list.lock"].holding
    assert "tells nothing" in found[f"{tables[0]}.lock"].holding


@linux
def test_own_open_files_are_found_among_those_asked_for(tmp_path: Path) -> None:
    path = os.path.realpath(tmp_path / "file")
    with open(path, "wb"):
        found = find_holders([path, os.path.join(path, "not-there")]).found
    with open("/proc/self/comm", encoding="utf-8") as file:
        assert found == {path: Holder(os.getpid(), file.read().rstrip("\n"))}

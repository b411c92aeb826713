"""fsck on tables.list and on the files in the directory: what is wrong with them, and what is not."""

from __future__ import annotations

import os
import resource
import shutil
import socket
import threading
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from engine.errors import Cancelled
from engine.format import HashId, RefRecord, format_table_name
from engine.fsck import FAULTS, Report, Severity, fsck
from engine.progress import Progress
from engine.stack import Stack, StackOptions
from tests.support.findings import NOW, codes, faults, findings, only, write_stack
from tests.support.stacks import LOOSE, add_branches, list_tables, listed, lock, make_stack, traces
from tests.support.tables import oid, write_table
from tests.support.thinning import ALL


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """The directory of a stack of three tables."""
    make_stack(tmp_path / "stack", 3)
    return tmp_path / "stack"


def write_list(stack: Path, content: bytes) -> None:
    (stack / "tables.list").write_bytes(content)


def test_a_sound_stack_has_no_findings(stack: Path) -> None:
    assert findings(stack) == []


def test_every_kind_of_fault_has_words_for_everything() -> None:
    for code, fault in FAULTS.items():
        assert code == fault.code
        assert fault.meaning.endswith(".")
        assert fault.git
        assert len(set(fault.fixes)) == len(fault.fixes)
        # Where a repository has no table, nothing is left to repair: the meaning says how to go on.
        assert fault.fixes or fault.severity is not Severity.ERROR or code == "stack-lost"


# The list


def test_a_directory_without_list_and_tables_is_an_empty_stack(tmp_path: Path) -> None:
    assert codes(tmp_path) == ["stack-empty"]
    assert faults(tmp_path) == []


def test_an_empty_list_without_tables_is_a_sound_stack(tmp_path: Path) -> None:
    write_list(tmp_path, b"")
    assert codes(tmp_path) == []


def test_a_missing_list_is_an_error_when_there_are_tables(stack: Path) -> None:
    (stack / "tables.list").unlink()
    assert only(stack, "list-missing").severity is Severity.ERROR
    assert faults(stack) == ["list-missing", "orphan-ahead"]


@pytest.mark.parametrize("content", [b"", b"\n", b"\n\n"])
def test_an_empty_list_is_an_error_when_there_are_tables(stack: Path, content: bytes) -> None:
    write_list(stack, content)
    assert "list-empty" in faults(stack)


def test_a_list_without_its_last_newline_is_an_error_and_its_tables_are_checked(stack: Path) -> None:
    names = listed(stack)
    write_list(stack, "\n".join(names).encode())
    assert faults(stack) == ["list-no-newline"]
    assert only(stack, "list-no-newline").offset == (stack / "tables.list").stat().st_size
    os.truncate(stack / names[2], 24)
    assert faults(stack) == ["list-no-newline", "cut-short"]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"../elsewhere.ref", "list-leaves-directory"),
        (b"/etc/passwd", "list-leaves-directory"),
        (b"..", "list-leaves-directory"),
        (b"\0\0\0\0", "list-nul"),
        (b"0x000000000001-0x000000000001-\0.ref", "list-nul"),
        (b"0x000000000009-0x000000000009-00000000.ref\r", "list-carriage-return"),
        (b"x" * 300, "list-not-a-table"),
        (b"# a comment", "list-not-a-table"),
        (b"\xff\xfe", "list-not-a-table"),
        (b"0x000000000009-0x000000000009-00000000.ref", "table-missing"),
    ],
)
def test_a_line_that_names_no_table_of_the_directory_is_an_error(stack: Path, line: bytes, code: str) -> None:
    names = listed(stack)
    write_list(stack, names[0].encode() + b"\n" + line + b"\n" + names[1].encode() + b"\n")
    assert [finding.code for finding in findings(stack) if finding.severity is Severity.ERROR] == [code]


def test_a_line_that_leads_out_of_the_directory_is_not_followed(stack: Path) -> None:
    shutil.copy(stack / listed(stack)[0], stack.parent / "elsewhere.ref")
    os.truncate(stack.parent / "elsewhere.ref", 10)
    write_list(stack, (stack / "tables.list").read_bytes() + b"../elsewhere.ref\n")
    assert faults(stack) == ["list-leaves-directory"]


def test_a_table_listed_twice_is_a_warning(stack: Path) -> None:
    names = listed(stack)
    list_tables(stack, [*names, names[1]])
    assert faults(stack) == ["list-duplicate"]
    assert only(stack, "list-duplicate").offset == sum(len(name) + 1 for name in names)


def test_an_empty_line_is_a_warning(stack: Path) -> None:
    write_list(stack, (stack / "tables.list").read_bytes().replace(b"\n", b"\n\n", 1))
    assert faults(stack) == ["list-blank-line"]


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    directory = os.open(path.parent, os.O_PATH)
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(f"/proc/self/fd/{directory}/{path.name}")  # the path itself may be too long for one
    os.close(directory)


def make_loop(path: Path) -> None:
    path.symlink_to(path.name)


def make_endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def make_huge(path: Path) -> None:
    path.touch()
    os.truncate(path, 2**40)


STRANGE: list[Callable[[Path], object]] = [Path.mkdir, make_fifo, make_loop, make_endless, make_socket]


@pytest.mark.parametrize("make", [*STRANGE, make_huge])
def test_anything_may_be_in_the_place_of_the_list(stack: Path, make: Callable[[Path], object]) -> None:
    (stack / "tables.list").unlink()
    make(stack / "tables.list")
    assert faults(stack)[0] == "list-unreadable"


# What the list names


def test_a_missing_table_is_an_error_and_the_others_are_checked(stack: Path) -> None:
    first, second, third = listed(stack)
    (stack / first).unlink()
    os.truncate(stack / third, 24)
    found = findings(stack)
    assert [(finding.code, finding.file) for finding in found] == [
        ("table-missing", first),
        ("cut-short", third),
    ]
    assert second not in {finding.file for finding in found}


@pytest.mark.parametrize("make", STRANGE)
def test_anything_may_be_in_the_place_of_a_table(stack: Path, make: Callable[[Path], object]) -> None:
    name = listed(stack)[1]
    (stack / name).unlink()
    make(stack / name)
    assert len({"not-a-file", "table-unreadable"} & set(faults(stack))) == 1


def test_a_huge_file_of_zeros_is_left_alone_soon(stack: Path) -> None:
    name = listed(stack)[1]
    make_huge(stack / name)
    assert faults(stack) == ["cut-short", "block-damaged", "table-given-up"]
    (stack / name).unlink()
    make_huge(stack / name)
    assert faults(stack) == ["not-a-table"]


def test_a_table_behind_a_symbolic_link_is_a_warning(stack: Path) -> None:
    name = listed(stack)[1]
    (stack / name).rename(stack.parent / "elsewhere")
    (stack / name).symlink_to("../elsewhere")
    assert faults(stack) == ["table-link"]


def test_a_file_that_is_no_table_is_an_error(stack: Path) -> None:
    name = listed(stack)[1]
    (stack / name).write_bytes(b"not a table at all, but long enough to be taken for one" * 4)
    assert faults(stack) == ["not-a-table"]


def test_a_table_of_another_name_is_a_warning(stack: Path) -> None:
    names = listed(stack)
    (stack / names[1]).rename(stack / "1-1-1.ref")
    list_tables(stack, [names[0], "1-1-1.ref", names[2]])
    assert faults(stack) == ["table-name"]


def test_a_name_with_another_range_than_the_header_is_a_warning(stack: Path) -> None:
    names = listed(stack)
    other = f"{format_table_name(2, 9, 5)}.ref"
    (stack / names[1]).rename(stack / other)
    list_tables(stack, [names[0], other, names[2]])
    assert faults(stack) == ["name-range"]


@pytest.mark.parametrize(
    "name",
    ["{0:012x}-{1:012x}-0badcafe.ref", "0x{0:012x}-0x{1:012x}.ref", "{0:012x}-{1:012x}-1234.log"],
    ids=["JGit", "the Go library", "JGit, logs alone"],
)
def test_names_of_other_writers_are_sound(stack: Path, name: str) -> None:
    names = listed(stack)
    other = name.format(2, 2)
    (stack / names[1]).rename(stack / other)
    list_tables(stack, [names[0], other, names[2]])
    assert findings(stack) == []


# Files beside the tables


def test_a_table_that_a_compaction_has_left_is_a_warning(stack: Path) -> None:
    names = listed(stack)
    left = (stack / names[0]).read_bytes()
    with Stack.open(stack) as handle:
        handle.compact_all()
    (stack / names[0]).write_bytes(left)
    assert only(stack, "orphan-table").file == names[0]
    assert faults(stack) == ["orphan-table"]


def test_a_table_that_follows_the_last_one_is_a_warning(stack: Path) -> None:
    """So does a writer leave it that died between its two renames."""
    names = listed(stack)
    list_tables(stack, names[:2])
    assert only(stack, "orphan-newer").file == names[2]
    assert faults(stack) == ["orphan-newer"]


def test_tables_ahead_of_a_list_from_a_backup_are_errors(stack: Path) -> None:
    names = listed(stack)
    list_tables(stack, names[:1])
    found = findings(stack)
    assert [(finding.code, finding.file) for finding in found] == [
        ("orphan-ahead", name) for name in sorted(names[1:])
    ]
    (stack / names[1]).unlink()
    assert only(stack, "orphan-ahead").severity is Severity.ERROR


def test_of_a_kind_of_finding_in_many_files_the_first_are_told_and_the_rest_counted(stack: Path) -> None:
    names = [f"{format_table_name(number, number, 1)}.ref" for number in range(1, 1500)]
    list_tables(stack, names)
    found = [finding for finding in findings(stack) if finding.code == "table-missing"]
    assert len(found) == Report.MOST_IN_ALL + 1
    assert "499 more" in found[-1].message


def test_a_table_that_is_not_listed_is_in_use_while_a_process_holds_a_lock(stack: Path) -> None:
    list_tables(stack, listed(stack)[:1])
    made = lock(stack, "tables.list").stat().st_mtime
    assert codes(stack, now=made) == ["orphan-in-use", "lock-held"]


def test_an_orphan_that_is_no_table_is_a_warning(stack: Path) -> None:
    (stack / "0x000000000001-0x000000000001-00000000.ref").write_bytes(b"")
    assert faults(stack) == ["orphan-damaged"]


def test_an_orphan_that_cannot_be_read_is_judged_by_its_name(stack: Path) -> None:
    """One that would be the next may be the torn table of a writer that died; the list lost what is newer."""
    torn, newer = (stack / f"{format_table_name(index, index, 0)}.ref" for index in (4, 5))
    torn.write_bytes(b"")
    assert faults(stack) == ["orphan-damaged"]
    newer.write_bytes(b"")
    assert [(one.code, one.file) for one in findings(stack)] == [
        ("orphan-ahead", torn.name),
        ("orphan-ahead", newer.name),
    ]
    torn.unlink()
    assert faults(stack) == ["orphan-ahead"]
    newer.unlink()
    names = listed(stack)
    (stack / names[1]).write_bytes(b"")
    list_tables(stack, [names[0], names[2]])
    assert faults(stack) == ["table-unlisted-data"]


def test_a_lock_is_held_as_long_as_it_is_young(stack: Path) -> None:
    path = lock(stack, "tables.list")
    made = path.stat().st_mtime
    assert codes(stack, now=made + 1) == ["lock-held"]
    assert codes(stack, now=made - 100) == ["lock-held"]
    assert codes(stack, now=made + 7200) == ["lock-stale"]
    stale = next(fsck(stack, now=made + 7200))
    assert (stale.severity, stale.message) == (Severity.WARNING, "a lock on tables.list, 2 hours old")


def test_the_lock_of_a_table_is_a_lock(stack: Path) -> None:
    lock(stack, listed(stack)[1])
    assert faults(stack) == ["lock-stale"]


def test_a_temporary_table_is_in_use_while_a_process_holds_a_lock(stack: Path) -> None:
    (stack / "0x000000000004-0x000000000004-00000000.temp.1a2b3c").touch()
    assert faults(stack) == ["temporary-file"]
    made = lock(stack, "tables.list").stat().st_mtime
    assert codes(stack, now=made) == ["temporary-in-use", "lock-held"]
    assert faults(stack) == ["temporary-file", "lock-stale"]


@pytest.mark.parametrize("make", [Path.touch, *STRANGE])
def test_other_files_are_mentioned_and_no_more(stack: Path, make: Callable[[Path], object]) -> None:
    make(stack / "garbage")
    assert codes(stack) == ["foreign-file"]
    assert faults(stack) == []


# fsck itself


def test_a_missing_directory_raises_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        fsck(tmp_path / "none")
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        fsck(tmp_path / "file")


def test_nothing_is_changed(stack: Path) -> None:
    (stack / listed(stack)[0]).unlink()
    lock(stack, "tables.list")
    before = traces(stack)
    assert faults(stack)
    assert traces(stack) == before


def test_progress_goes_through_the_phases_and_ends_with_all_bytes(stack: Path) -> None:
    seen: list[Progress] = []
    assert list(fsck(stack, progress=seen.append, now=NOW)) == []
    assert list(dict.fromkeys(step.phase for step in seen)) == ["list", "files", "tables"]
    total = sum((stack / name).stat().st_size for name in listed(stack))
    assert seen[-1] == Progress("tables", total, total)
    done = [step.done for step in seen if step.phase == "tables"]
    assert done == sorted(done)


def test_progress_may_cancel(tmp_path: Path) -> None:
    refs = [RefRecord(b"refs/heads/%05d" % number, 1, value=oid(number)) for number in range(20_000)]
    write_stack(tmp_path, refs)
    steps: list[Progress] = []

    def cancel(step: Progress) -> None:
        steps.append(step)
        if step.done:
            raise Cancelled

    with pytest.raises(Cancelled):
        list(fsck(tmp_path, progress=cancel))
    assert 0 < steps[-1].done < (steps[-1].total or 0)


def test_no_file_stays_open(stack: Path) -> None:
    os.truncate(stack / listed(stack)[1], 50)
    before = os.listdir("/proc/self/fd")
    assert faults(stack)
    running = fsck(stack)
    next(running)
    del running
    assert os.listdir("/proc/self/fd") == before


def test_too_many_open_files_are_no_fault_of_a_table(tmp_path: Path) -> None:
    make_stack(tmp_path / "stack", 40)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 20, hard))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            next(fsck(tmp_path / "stack"))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert findings(tmp_path / "stack") == []


def test_a_stack_that_others_change_all_the_time_is_sound(tmp_path: Path) -> None:
    make_stack(tmp_path / "stack", 3)
    stop = threading.Event()

    def change() -> None:
        with Stack.open(tmp_path / "stack", StackOptions(auto_compact=False)) as handle:
            for number in count():
                add_branches(handle, 2, first=10 + 2 * number)
                first = number % len(handle.tables)
                handle.compact(first, len(handle.tables))
                if stop.is_set():
                    return

    changer = threading.Thread(target=change)
    changer.start()
    try:
        for _ in range(30 if ALL else 8):
            assert [one for one in fsck(tmp_path / "stack") if one.severity is not Severity.INFO] == []
    finally:
        stop.set()
        changer.join()
    assert findings(tmp_path / "stack") == []


def test_a_compaction_that_overtakes_is_followed(stack: Path) -> None:
    """Between the reading of the list and the opening of its tables, another process replaces all of them."""
    done: list[bool] = []

    def compact(step: Progress) -> None:
        if step.phase == "files" and not done:
            done.append(True)
            with Stack.open(stack) as handle:
                handle.compact_all()
                add_branches(handle, 1, first=3)

    with Stack.open(stack, LOOSE) as handle:
        add_branches(handle, 1, first=7)
    assert list(fsck(stack, progress=compact)) == []
    assert done
    assert findings(stack) == []


def test_the_options_may_state_the_hash_function(stack: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.ref"
    write_table(other, [RefRecord(b"refs/heads/x", 4, value=oid(1, 32))], options=SHA256)
    name = f"{format_table_name(4, 4, 1)}.ref"
    other.rename(stack / name)
    names = listed(stack)
    list_tables(stack, [*names, name])
    assert only(stack, "hash-mixed").file == name
    assert [finding.file for finding in findings(stack, SHA256)] == names


SHA256 = StackOptions(hash_id=HashId.SHA256)

"""The files beside a stack: named, explained and judged, whatever they are."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine.format import LogRecord, RefRecord
from engine.merge import Expiry
from engine.stack import FileKind, Holder, Stack, UnlistedFile, Verdicts, find_holders, unlisted_files
from engine.table import Table
from tests.support.findings import NOW
from tests.support.handmade import change_byte
from tests.support.stacks import (
    LOOSE,
    add,
    branch,
    entries,
    entry,
    exchange,
    list_tables,
    listed as list_of,
    lock,
    make_stack,
    names,
    orphan,
    same,
    traces,
)
from tests.support.tables import write_table

linux = pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="open files are known on Linux only")

COVERED = "0x000000000001-0x000000000002-00000000.ref"
NEWER = "0x000000000008-0x000000000009-00000000.ref"
TEMPORARY = "0x000000000001-0x000000000002-00000000.temp.a1b2c3"


def look(directory: Path, listed: list[str], now: float = NOW) -> dict[str, UnlistedFile]:
    return {found.name: found for found in unlisted_files(directory, now, listed)}


def kinds(directory: Path, listed: list[str], now: float = NOW) -> dict[str, FileKind]:
    return {name: found.kind for name, found in look(directory, listed, now).items()}


def clutter(directory: Path) -> list[str]:
    tables = make_stack(directory, 3)
    orphan(directory, COVERED, 2)
    orphan(directory, NEWER, 9)
    (directory / TEMPORARY).write_bytes(b"half a table")
    (directory / "notes.txt").write_bytes(b"mine")
    (directory / "broken.ref").write_bytes(b"garbage")
    return tables


def test_a_tidy_stack_has_nothing_beside_it(tmp_path: Path) -> None:
    assert unlisted_files(tmp_path, NOW, make_stack(tmp_path, 3)) == []


def test_every_file_that_is_not_listed_is_named_with_kind_and_size(tmp_path: Path) -> None:
    tables = clutter(tmp_path)
    lock(tmp_path, "tables.list")
    lock(tmp_path, tables[0])
    found = look(tmp_path, tables)
    assert {name: item.kind for name, item in found.items()} == {
        COVERED: FileKind.SUPERSEDED,
        NEWER: FileKind.AHEAD,
        "broken.ref": FileKind.UNREADABLE,
        TEMPORARY: FileKind.TEMPORARY,
        "tables.list.lock": FileKind.LIST_LOCK,
        f"{tables[0]}.lock": FileKind.TABLE_LOCK,
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
    found = unlisted_files(tmp_path, time.time(), tables)
    assert {item.name for item in found if item.is_removable} == {file.name for file in plan.removed}
    reasons = {file.name: file.reason for file in (*plan.removed, *plan.kept)}
    assert {item.name: item.reason for item in found} == reasons


# Tables


def test_a_table_fills_a_hole_of_the_list_or_goes_beyond_it(tmp_path: Path) -> None:
    tables = make_stack(tmp_path, 5)
    for listed, kind in {
        (0, 1, 3, 4): {2: FileKind.DATA},
        (0, 1, 2, 3): {4: FileKind.NEXT},
        (0, 1, 2): {3: FileKind.AHEAD, 4: FileKind.AHEAD},
        (0, 2, 3): {1: FileKind.DATA, 4: FileKind.NEXT},
        (): dict.fromkeys(range(5), FileKind.AHEAD),
    }.items():
        list_tables(tmp_path, [tables[number] for number in listed])
        assert kinds(tmp_path, []) == {tables[number]: one for number, one in kind.items()}


@pytest.mark.parametrize(
    ("refs", "kind"),
    [
        pytest.param([branch(0, 4), branch(1, 4)], FileKind.NEXT, id="one with log entries"),
        pytest.param([branch(0, 4), RefRecord(branch(1).name, 4)], FileKind.NEXT, id="one that deletes"),
        pytest.param([], FileKind.NEXT, id="log entries alone"),
        pytest.param([branch(0, 4), branch(1, 6)], FileKind.AHEAD, id="two"),
        pytest.param([branch(1, 6)], FileKind.AHEAD, id="of the first, log entries are left"),
        pytest.param([RefRecord(branch(0).name, 4), branch(1, 5)], FileKind.AHEAD, id="a rename, and more"),
    ],
)
def test_a_table_of_several_transactions_was_committed(
    tmp_path: Path, refs: list[RefRecord], kind: FileKind
) -> None:
    """A compaction made it. One transaction gives further update indexes to log entries alone."""
    tables = make_stack(tmp_path, 3)
    write_table(tmp_path / NEWER, refs, [entry(branch(0).name, 6)], limits=(4, 6))
    assert kinds(tmp_path, tables) == {NEWER: kind}


def test_a_table_that_renames_a_branch_may_be_one_of_one_transaction(tmp_path: Path) -> None:
    tables = make_stack(tmp_path, 3)
    for more, kind in (
        ([], FileKind.NEXT),
        ([branch(7, 4)], FileKind.AHEAD),
        ([branch(7, 5)], FileKind.AHEAD),
    ):
        write_table(tmp_path / NEWER, [RefRecord(branch(0).name, 4), branch(1, 5), *more], limits=(4, 5))
        assert kinds(tmp_path, tables) == {NEWER: kind}


def test_a_newer_table_that_has_not_what_tables_of_its_update_indexes_have_is_of_another_history(
    tmp_path: Path,
) -> None:
    """Else a compaction made it of these and of newer ones."""
    tables = make_stack(tmp_path, 4)
    held = [branch(number, number + 1) for number in range(2, 5)]
    deleted = RefRecord(branch(0).name, 4)
    for below, refs, kind in (
        (2, held, FileKind.AHEAD),
        (2, [branch(2, 5), *held[1:]], FileKind.AHEAD),
        (2, held[1:], FileKind.DATA),
        (2, [RefRecord(branch(2).name, 3, value=same(9)), *held[1:]], FileKind.DATA),
        (0, held, FileKind.AHEAD),
        (0, held[1:], FileKind.AHEAD),
        (0, [RefRecord(branch(2).name, 3, value=same(9)), *held[1:]], FileKind.DATA),
        (2, [*held, RefRecord(branch(7).name, 5)], FileKind.AHEAD),
    ):
        write_table(tmp_path / NEWER, refs, limits=(3, 5))
        list_tables(tmp_path, tables[:below] + tables[2:])
        assert kinds(tmp_path, [])[NEWER] is kind
    list_tables(tmp_path, tables)
    write_table(tmp_path / NEWER, held, limits=(3, 5))
    (tmp_path / tables[3]).unlink()
    write_table(tmp_path / tables[3], [deleted, branch(3, 4)])
    assert kinds(tmp_path, tables)[NEWER] is FileKind.DATA
    (tmp_path / tables[2]).write_bytes(b"garbage")
    (tmp_path / tables[3]).write_bytes(b"garbage")
    assert kinds(tmp_path, tables)[NEWER] is FileKind.AHEAD


def test_a_table_that_cannot_be_read_is_of_several_transactions_by_its_name(tmp_path: Path) -> None:
    tables = make_stack(tmp_path, 3)
    for high, kind in ((4, FileKind.UNREADABLE), (5, FileKind.UNREADABLE), (6, FileKind.AHEAD)):
        path = tmp_path / f"0x000000000004-0x{high:012x}-00000000.ref"
        path.write_bytes(b"garbage")
        assert kinds(tmp_path, tables) == {path.name: kind}
        path.unlink()


def test_a_range_across_a_hole_is_not_covered(tmp_path: Path) -> None:
    tables = make_stack(tmp_path, 4)
    write_table(tmp_path / COVERED, [branch(0, 1)], limits=(1, 3))
    assert kinds(tmp_path, [])[COVERED] is FileKind.SUPERSEDED
    list_tables(tmp_path, [tables[0], tables[1], tables[3]])
    assert kinds(tmp_path, [])[COVERED] is FileKind.DATA


@pytest.mark.parametrize("lost", range(3))
def test_a_log_entry_that_cannot_have_expired_is_data_even_where_all_was_compacted(
    tmp_path: Path, lost: int
) -> None:
    """The list has lost a table, and the others were compacted."""
    with Stack.open(tmp_path, LOOSE) as stack:
        for number in range(1, 4):
            add(stack, [branch(0, number)], [entry(branch(0).name, number)])
        add(stack, [branch(0, 4)], [entry(branch(0).name, 4)])
    tables = list_of(tmp_path)
    data = (tmp_path / tables[lost]).read_bytes()
    (tmp_path / tables[lost]).unlink()
    list_tables(tmp_path, [name for name in tables if name != tables[lost]])
    with Stack.open(tmp_path, LOOSE) as stack:
        stack.compact_all()
        (tmp_path / tables[lost]).write_bytes(data)
        assert look(tmp_path, names(stack))[tables[lost]].kind is FileKind.DATA


def step(update_index: int, old: int, new: int) -> LogRecord:
    """An update from one value to another, at the time of its number."""
    log = entry(branch(0).name, update_index, update_index, new=same(new))
    log.old = same(old) if old else bytes(20)
    return log


GONE = LogRecord(branch(0).name, 1)
FOREIGN, EXPIRED = FileKind.DATA, FileKind.SUPERSEDED


@pytest.mark.parametrize(
    ("first", "second", "third", "kind"),
    [
        pytest.param(step(1, 0, 5), step(2, 5, 6), step(3, 0, 7), FOREIGN, id="made anew"),
        pytest.param(step(1, 0, 5), step(2, 5, 6), step(3, 4, 7), FOREIGN, id="from elsewhere"),
        pytest.param(step(1, 0, 5), step(2, 5, 6), step(3, 6, 7), EXPIRED, id="all expired"),
        pytest.param(step(1, 0, 5), GONE, step(3, 0, 7), EXPIRED, id="deleted between"),
    ],
)
def test_a_log_entry_has_expired_only_where_the_next_one_follows_it(
    tmp_path: Path, first: LogRecord, second: LogRecord, third: LogRecord, kind: FileKind
) -> None:
    """What a compaction that expires entries leaves, and what lies beside one of another history."""
    with Stack.open(tmp_path, LOOSE) as stack:
        for index, log in enumerate((first, second, third), 1):
            value = None if log.is_deletion else same(index)
            add(stack, [RefRecord(branch(0).name, index, value=value)], [log])
        left = {name: (tmp_path / name).read_bytes() for name in names(stack)[:2]}
        stack.compact_all(Expiry(time=3))
        for name, data in left.items():
            (tmp_path / name).write_bytes(data)
        assert {found.kind for found in look(tmp_path, names(stack)).values()} == {kind}


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize(
    ("following", "kind"),
    [
        pytest.param(None, EXPIRED, id="nothing follows"),
        pytest.param(step(3, 6, 7), EXPIRED, id="another update follows"),
        pytest.param(step(3, 4, 7), FOREIGN, id="from elsewhere"),
    ],
)
def test_in_the_place_of_a_marker_an_entry_has_expired(
    tmp_path: Path, count: int, following: LogRecord | None, kind: FileKind
) -> None:
    """What an expiry of whole reflogs leaves that dies behind its commit, of one table or of more."""
    with Stack.open(tmp_path, LOOSE) as stack:
        add(stack, [branch(0, 1), branch(1, 1)], [step(1, 0, 5)])
        add(stack, [branch(0, 2)], [step(2, 5, 6)])
        if count == 1:
            stack.compact_all()
        left = {name: (tmp_path / name).read_bytes() for name in names(stack)}
        assert len(left) == count
        stack.compact_all(Expiry(time=3))
        assert [log.is_marker for log in stack.logs()] == [True]
        if following is not None:
            add(stack, [branch(0, 3)], [following])
        for name, data in left.items():
            (tmp_path / name).write_bytes(data)
        assert {found.kind for found in look(tmp_path, names(stack)).values()} == {kind}


def test_entries_may_have_expired_in_a_table_that_an_older_list_has_lost(tmp_path: Path) -> None:
    with Stack.open(tmp_path, LOOSE) as stack:
        add(stack, [branch(0, 1)], [step(1, 0, 5)])
        add(stack, [branch(0, 2)], [step(2, 5, 6)])
        older = {name: (tmp_path / name).read_bytes() for name in names(stack)}
        add(stack, [branch(1, 3)], [LogRecord(b"HEAD", 3, same(6), same(7), time=1)])
        stack.compact_all(Expiry(time=3))
        (newer,) = names(stack)
    for name, data in older.items():
        (tmp_path / name).write_bytes(data)
    list_tables(tmp_path, [*older])
    assert look(tmp_path, [*older])[newer].kind is FileKind.AHEAD


@pytest.mark.parametrize(
    ("refs", "logs", "kind"),
    [
        pytest.param([branch(0, 2)], [step(1, 0, 5), step(2, 5, 6)], EXPIRED, id="written anew"),
        pytest.param([branch(0, 2)], [step(1, 0, 5)], FOREIGN, id="without an entry"),
        pytest.param([branch(0, 2)], [step(1, 0, 5), step(2, 5, 7)], FOREIGN, id="another entry"),
        pytest.param([branch(0, 1)], [step(1, 0, 5), step(2, 5, 6)], EXPIRED, id="an older ref"),
        pytest.param([], [step(1, 0, 5), step(2, 5, 6)], FOREIGN, id="without a ref"),
    ],
)
def test_of_a_table_of_the_same_update_indexes_entries_have_expired_only_if_it_was_written_anew(
    tmp_path: Path, refs: list[RefRecord], logs: list[LogRecord], kind: FileKind
) -> None:
    with Stack.open(tmp_path, LOOSE) as stack:
        add(stack, [branch(0, 1)], [step(1, 0, 5)])
        add(stack, [branch(0, 2)], [step(2, 5, 6)])
        stack.compact_all(Expiry(time=2))
        write_table(tmp_path / COVERED, refs, logs, limits=(1, 2))
        assert look(tmp_path, names(stack))[COVERED].kind is kind


def test_an_entry_of_another_history_is_data_also_where_the_list_has_deleted_the_ref(tmp_path: Path) -> None:
    """Of each history, the first table made the branch; in this one, the second has deleted it again."""
    with Stack.open(tmp_path, LOOSE) as stack:
        add(stack, [branch(0, 1)], [step(1, 0, 5)])
        add(stack, [RefRecord(branch(0).name, 2)], [GONE])
    for name, log, kind in [(COVERED, step(1, 0, 6), FOREIGN), (NEWER, step(1, 0, 5), EXPIRED)]:
        write_table(tmp_path / name, [branch(0, 1)], [log])
        assert kinds(tmp_path, list_of(tmp_path))[name] is kind


def stack_of_two(directory: Path) -> list[str]:
    """Two refs, of which one is deleted, and a log whose older entry is deleted."""
    with Stack.open(directory, LOOSE) as stack:
        add(stack, [branch(0, 1), branch(1, 1)], [entry(b"refs/heads/x", 1)])
        add(
            stack,
            [RefRecord(branch(1).name, 2), branch(2, 2)],
            [entry(b"refs/heads/x", 2), LogRecord(b"refs/heads/x", 1)],
        )
        return names(stack)


@pytest.mark.parametrize(
    ("refs", "logs", "missing"),
    [
        ([branch(0, 1)], [], (0, 0, 0)),
        ([branch(1, 1)], [], (0, 0, 0)),
        ([branch(1, 2)], [], (1, 0, 0)),
        ([RefRecord(branch(0).name, 2)], [], (0, 1, 0)),
        ([RefRecord(branch(0).name, 2, value=same(9))], [], (0, 1, 0)),
        ([RefRecord(branch(0).name, 1, value=same(9))], [], (0, 1, 0)),
        ([RefRecord(branch(2).name, 1, value=same(9))], [], (0, 0, 0)),
        ([RefRecord(branch(7).name, 2)], [], (0, 0, 0)),
        ([branch(7, 1), branch(8, 1)], [], (2, 0, 0)),
        ([], [entry(b"refs/heads/x", 1)], (0, 0, 0)),
        ([], [entry(b"refs/heads/x", 2)], (0, 0, 0)),
        ([], [entry(b"refs/heads/y", 1), entry(b"refs/heads/y", 2)], (0, 0, 2)),
        ([branch(7, 1), branch(8, 1)], [entry(b"refs/heads/y", 2)], (2, 0, 1)),
    ],
)
def test_a_table_whose_update_indexes_are_covered_is_judged_by_its_records(
    tmp_path: Path, refs: list[RefRecord], logs: list[LogRecord], missing: tuple[int, int, int]
) -> None:
    tables = stack_of_two(tmp_path)
    for low in {1, min(record.update_index for record in (*refs, *logs))}:
        write_table(tmp_path / COVERED, refs, logs, limits=(low, 2))
        found = look(tmp_path, tables)[COVERED]
        assert found.kind is (FileKind.DATA if any(missing) else FileKind.SUPERSEDED)
        assert found.is_removable is not any(missing)
        words = "ref" if missing[0] == 1 else "refs", "reflog entry" if missing[2] == 1 else "reflog entries"
        counts = (
            f"{missing[0]} {words[0]} only there, {missing[1]} differ, {missing[2]} {words[1]} only there"
        )
        assert (counts in found.reason) is any(missing)


def test_a_damaged_table_is_not_told_to_be_superseded(tmp_path: Path) -> None:
    make_stack(tmp_path, 2)
    write_table(tmp_path / COVERED, [branch(0, 1)], [entry(b"refs/heads/x", 1)])
    change_byte(tmp_path / COVERED, 30)
    found = look(tmp_path, [])[COVERED]
    assert (found.kind, found.is_removable) == (FileKind.UNREADABLE, False)


def test_beside_a_table_that_cannot_be_read_only_what_others_hold_is_superseded(tmp_path: Path) -> None:
    tables = make_stack(tmp_path, 3)
    orphan(tmp_path, COVERED, 1)
    orphan(tmp_path, NEWER, 2)
    (tmp_path / tables[1]).write_bytes(b"garbage")
    found = look(tmp_path, tables)
    assert found[COVERED].kind is FileKind.SUPERSEDED
    assert (found[NEWER].kind, found[NEWER].is_removable) == (FileKind.DOUBTFUL, False)
    assert "cannot be read" in found[NEWER].reason


def test_what_a_missing_table_held_is_not_covered(tmp_path: Path) -> None:
    tables = make_stack(tmp_path, 3)
    orphan(tmp_path, COVERED, 2)
    (tmp_path / tables[1]).unlink()
    assert kinds(tmp_path, tables) == {COVERED: FileKind.DATA}


def test_large_tables_are_compared_only_by_those_who_have_time(tmp_path: Path) -> None:
    tables = make_stack(tmp_path, 3)
    orphan(tmp_path, COVERED, 1)
    [found] = unlisted_files(tmp_path, NOW, tables, most_bytes=10)
    assert (found.kind, found.is_removable) == (FileKind.DOUBTFUL, False)


def test_what_was_compared_is_not_compared_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tables = make_stack(tmp_path, 3)
    orphan(tmp_path, COVERED, 1)
    verdicts: Verdicts = {}
    [first] = unlisted_files(tmp_path, NOW, tables, verdicts=verdicts)
    with monkeypatch.context() as patched:
        patched.delattr(Table, "open")
        assert unlisted_files(tmp_path, NOW, tables, verdicts=verdicts) == [first]
        assert len(verdicts) == 1
    list_tables(tmp_path, tables[1:])
    [other] = unlisted_files(tmp_path, NOW, [], verdicts=verdicts)[:1]
    assert other.kind is FileKind.DATA


def test_another_table_of_the_same_name_size_and_time_is_compared_again(tmp_path: Path) -> None:
    tables = make_stack(tmp_path, 3)
    path = tmp_path / COVERED
    orphan(tmp_path, COVERED, 1)
    verdicts: Verdicts = {}
    [first] = unlisted_files(tmp_path, NOW, tables, verdicts=verdicts)
    exchange(path, bytes(path.stat().st_size))
    [other] = unlisted_files(tmp_path, NOW, tables, verdicts=verdicts)
    assert other.kind is not first.kind


# Locks and temporary files


def test_a_lock_is_in_use_while_it_is_young(tmp_path: Path) -> None:
    tables = make_stack(tmp_path, 1)
    held = lock(tmp_path, "tables.list")
    made = held.stat().st_mtime
    for age, in_use in ((-100, True), (59, True), (61, False)):
        assert look(tmp_path, tables, made + age)[held.name].in_use is in_use


@linux
def test_locks_on_tables_are_in_use_while_a_temporary_file_is_open(tmp_path: Path) -> None:
    """As those of a compaction that takes minutes on a slow disk."""
    tables = make_stack(tmp_path, 2)
    held, on_list = lock(tmp_path, tables[0]), lock(tmp_path, "tables.list")
    with open(tmp_path / TEMPORARY, "wb"):
        found = look(tmp_path, tables)
        assert found[TEMPORARY].in_use
        assert found[held.name].in_use
        assert not found[on_list.name].in_use
    found = look(tmp_path, tables)
    assert not any(file.in_use for file in found.values())


def test_locks_on_tables_are_in_use_while_a_temporary_file_is_written_to(tmp_path: Path) -> None:
    tables = make_stack(tmp_path, 2)
    held = lock(tmp_path, tables[0])
    os.utime(held, (1000, 1000))
    (tmp_path / TEMPORARY).touch()
    os.utime(tmp_path / TEMPORARY, (2000, 2000))
    assert look(tmp_path, tables, 2030)[held.name].in_use
    assert not look(tmp_path, tables, 2090)[held.name].in_use


# Whatever else there may be


def test_a_table_that_was_listed_meanwhile_is_no_orphan(tmp_path: Path) -> None:
    tables = make_stack(tmp_path, 2)
    assert look(tmp_path, tables[:1]) == {}


def test_a_damaged_list_hides_nothing(tmp_path: Path) -> None:
    tables = make_stack(tmp_path, 2)
    (tmp_path / "tables.list").write_bytes(b"cut")
    lock(tmp_path, "tables.list")
    assert list(look(tmp_path, tables)) == ["tables.list.lock"]


def test_age_is_the_time_since_the_last_change_and_never_negative(tmp_path: Path) -> None:
    make_stack(tmp_path, 1)
    held = lock(tmp_path, "tables.list")
    os.utime(held, (1000, 1000))
    for now, age in ((1090.5, 90.5), (900.0, 0.0)):
        (item,) = unlisted_files(tmp_path, now, entries(tmp_path)[:1])
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
    assert not any(item.is_removable for item in found.values())
    assert found["device.ref"].reason == found["alias.ref"].reason
    assert "a named pipe" in found["pipe.ref"].reason
    assert found["pipe.ref"].kind is found["tables.list.lock"].kind is FileKind.NOT_REGULAR


def test_looking_changes_nothing(tmp_path: Path) -> None:
    tables = clutter(tmp_path)
    lock(tmp_path, "tables.list")
    before = traces(tmp_path)
    assert unlisted_files(tmp_path, NOW, tables)
    assert traces(tmp_path) == before


def test_a_directory_that_is_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        unlisted_files(tmp_path / "gone", NOW, [])


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
        (item,) = unlisted_files(tmp_path / "alias", NOW, tables)
        assert item.holder is not None
        assert item.holder.pid == process.pid
        assert item.holding == f"process {process.pid} ({item.holder.command}) has it open"
        process.communicate()
    (item,) = unlisted_files(tmp_path / "alias", NOW, tables)
    assert item.holder is None


def test_that_no_process_has_a_lock_open_is_explained(tmp_path: Path) -> None:
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


@linux
def test_a_table_that_this_process_reads_is_not_held(tmp_path: Path) -> None:
    tables = clutter(tmp_path)
    with Table.open(tmp_path / COVERED, COVERED):
        assert look(tmp_path, tables)[COVERED].holder is None

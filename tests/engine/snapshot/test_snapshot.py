"""Snapshots: what they hold, what they survive, and that going back restores every byte."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from engine.errors import ApiError, LockError, OutdatedError, SnapshotError
from engine.format import RefRecord
from engine.repair import plan_repair, repair
from engine.snapshot import (
    ChangeRecord,
    Snapshot,
    changes_since,
    drop,
    find_snapshot,
    is_as_before,
    keep,
    left_by_repair,
    left_by_undo,
    list_snapshots,
    prune,
    restore,
    set_aside,
    settle,
    take_snapshot,
    unusable_snapshots,
)
from engine.snapshot.files import digest, is_same_file, verify
from engine.snapshot.manifest import LARGEST_NUMBER, save_snapshot, snapshots_directory
from engine.stack import LockFile, Stack
from tests.support.durability import record_durability
from tests.support.faults import GO_ON, Call, faults
from tests.support.handmade import overwrite
from tests.support.stacks import OPTIONS, listed
from tests.support.tables import oid, stack_contents, stack_files

NOW = 1_700_000_000.25


def add(directory: Path, name: bytes) -> None:
    with Stack.open(directory, OPTIONS) as stack:
        add_to(stack, name)


def add_to(stack: Stack, name: bytes) -> None:
    stack.add(lambda writer: writer.add_ref(RefRecord(name, stack.next_update_index, oid(1))))


def compact(directory: Path) -> None:
    with Stack.open(directory, OPTIONS) as stack:
        stack.compact_all()


@contextmanager
def recorded(directory: Path, operation: str) -> Iterator[tuple[Stack, ChangeRecord]]:
    with (
        ChangeRecord(directory, operation, NOW) as record,
        Stack.open(directory, OPTIONS, before_change=record.before_change) as stack,
    ):
        yield stack, record


def compact_recorded(directory: Path) -> Snapshot:
    with recorded(directory, "compact") as (stack, record):
        stack.compact_all()
    assert record.snapshot is not None
    return record.snapshot


def add_recorded(directory: Path, name: bytes) -> Snapshot:
    with recorded(directory, "add") as (stack, record):
        add_to(stack, name)
    assert record.snapshot is not None
    return record.snapshot


def names(directory: Path) -> list[bytes]:
    with Stack.open(directory, OPTIONS, read_only=True) as stack:
        return [ref.name for ref in stack.refs()]


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    directory = tmp_path / "reftable"
    directory.mkdir()
    for number in range(3):
        add(directory, b"refs/heads/%d" % number)
    return directory


def test_a_snapshot_holds_list_and_links_to_the_tables(stack: Path) -> None:
    before = stack_files(stack)
    snapshot = take_snapshot(stack, "compact", NOW)
    assert snapshot.id == "20231114T221320.250000Z-compact"
    assert snapshot.path.parent == snapshots_directory(stack) == stack.parent / "reftable-snapshots"
    assert {name: snapshot.file(name).read_bytes() for name in snapshot.tables} | {
        "tables.list": (snapshot.path / "tables.list").read_bytes()
    } == before
    assert all(snapshot.file(name).samefile(stack / name) for name in snapshot.tables)
    assert stack_files(stack) == before


def test_files_are_copied_where_links_fail(stack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    before = stack_contents(stack)
    monkeypatch.setattr(os, "link", refuse)
    compact_recorded(stack)
    restore(stack, find_snapshot(stack), NOW + 1)
    assert stack_contents(stack) == before


def test_restore_brings_back_the_same_bytes_and_is_undone_likewise(stack: Path) -> None:
    before = stack_contents(stack)
    snapshot = compact_recorded(stack)
    compacted = stack_contents(stack)
    assert compacted != before
    restore(stack, find_snapshot(stack), NOW + 1)
    assert stack_contents(stack) == before
    again = find_snapshot(stack)
    assert (again.operation, snapshot.id) == ("undo", list_snapshots(stack)[1].id)
    restore(stack, again, NOW + 2)
    assert stack_contents(stack) == compacted


def test_restore_to_a_stack_that_was_empty(tmp_path: Path) -> None:
    directory = tmp_path / "reftable"
    directory.mkdir()
    snapshot = add_recorded(directory, b"refs/heads/first")
    restore(directory, find_snapshot(directory, snapshot.id), NOW + 1)
    assert names(directory) == []


def test_removed_files_come_back(stack: Path) -> None:
    orphan = stack / "0x000000000001-0x000000000001-0badcafe.ref"
    orphan.write_bytes(b"whatever it was")
    with ChangeRecord(stack, "clean", NOW, extra=[orphan.name]) as record:
        record.before_change((stack / "tables.list").read_bytes())
        orphan.unlink()
    restore(stack, find_snapshot(stack), NOW + 1)
    assert orphan.read_bytes() == b"whatever it was"


def test_a_change_by_others_is_not_undone_unasked(stack: Path) -> None:
    add_recorded(stack, b"refs/heads/mine")
    add(stack, b"refs/heads/theirs")
    snapshot = find_snapshot(stack)
    assert changes_since(stack, snapshot)
    before = stack_files(stack)
    with pytest.raises(OutdatedError, match="changed since the add"):
        restore(stack, snapshot, NOW + 1)
    assert stack_files(stack) == before
    assert [one.operation for one in list_snapshots(stack)] == ["add"]
    restore(stack, snapshot, NOW + 1, force=True)
    assert names(stack) == [b"refs/heads/%d" % number for number in range(3)]


@pytest.mark.parametrize("commits", [0, 1, 2])
def test_a_change_that_was_cut_off_is_undone_unasked_but_not_with_one_by_others(
    stack: Path, commits: int
) -> None:
    """The process dies before its commit, behind it, or behind that of the compaction which follows."""
    before = stack_contents(stack)
    record = ChangeRecord(stack, "add", NOW).__enter__()
    with Stack.open(stack, OPTIONS, before_change=record.before_change) as handle:
        for commit in (lambda: add_to(handle, b"refs/heads/mine"), handle.compact_all)[:commits]:
            commit()
    record.before_change(b"what it was about to write\n")
    snapshot = find_snapshot(stack)
    assert (snapshot.after, changes_since(stack, snapshot)) == (None, "")
    add(stack, b"refs/heads/theirs")
    with pytest.raises(OutdatedError, match="it was interrupted, and the list is neither what it was before"):
        restore(stack, snapshot, NOW + 1)
    (stack / listed(stack)[-1]).unlink()
    (stack / "tables.list").write_text("".join(f"{name}\n" for name in listed(stack)[:-1]))
    restore(stack, snapshot, NOW + 1)
    assert stack_contents(stack) == before


def test_an_addition_whose_compaction_has_failed_is_undone_unasked(stack: Path) -> None:
    """The list that the compaction was about to write is not what the change has made."""
    before = stack_contents(stack)

    def fault(call: Call) -> int:
        is_list = call.name in ("rename", "replace") and call.path.endswith("tables.list.lock")
        return errno.EIO if is_list else GO_ON

    with recorded(stack, "add") as (handle, record):
        add_to(handle, b"refs/heads/mine")
        with faults(fault), pytest.raises(OSError, match="error"):
            handle.compact_all()
    assert record.snapshot is not None
    assert record.snapshot.after == tuple(listed(stack))
    assert not changes_since(stack, record.snapshot)
    restore(stack, record.snapshot, NOW + 1)
    assert stack_contents(stack) == before


def test_what_is_undone_is_the_change_alone_where_another_process_was_faster(stack: Path) -> None:
    """It commits between the beginning of the change and the lock of the change."""
    with recorded(stack, "add") as (handle, _):
        add(stack, b"refs/heads/theirs")
        handle.reload()
        add_to(handle, b"refs/heads/mine")
    assert len(list(snapshots_directory(stack).iterdir())) == 1
    restore(stack, find_snapshot(stack), NOW + 1)
    assert names(stack)[3:] == [b"refs/heads/theirs"]


def test_what_is_undone_is_the_compaction_alone_where_another_process_added_in_front_of_it(
    stack: Path,
) -> None:
    with recorded(stack, "add") as (handle, record):
        add_to(handle, b"refs/heads/mine")
        add(stack, b"refs/heads/theirs")
        before = stack_contents(stack)
        handle.reload()
        handle.compact_all()
    compacted, first = list_snapshots(stack)
    assert record.snapshot == compacted
    # What was added stays, so undo must not say that it was before the addition.
    assert (compacted.operation, first.operation) == ("compact", "add")
    assert changes_since(stack, first)
    restore(stack, compacted, NOW + 1)
    assert stack_contents(stack) == before


def test_a_change_that_another_process_has_added_to_since_is_not_the_last_one(stack: Path) -> None:
    """It commits before the change is noted in the snapshot."""
    with recorded(stack, "add") as (handle, _):
        add_to(handle, b"refs/heads/mine")
        add(stack, b"refs/heads/theirs")
    with pytest.raises(OutdatedError, match=f"{listed(stack)[-1]} came since"):
        restore(stack, find_snapshot(stack), NOW + 1)
    assert b"refs/heads/theirs" in names(stack)


def test_going_back_is_not_the_last_change_once_another_process_has_added(
    stack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It commits before the undo is noted in its snapshot."""
    add_recorded(stack, b"refs/heads/mine")
    commit = LockFile.commit

    def then_theirs(lock: LockFile) -> None:
        commit(lock)
        monkeypatch.setattr(LockFile, "commit", commit)
        with Stack.open(stack, replace(OPTIONS, suffix=lambda: 7)) as handle:  # our name is taken
            add_to(handle, b"refs/heads/theirs")

    monkeypatch.setattr(LockFile, "commit", then_theirs)
    restore(stack, find_snapshot(stack), NOW + 1)
    undone = find_snapshot(stack)
    assert (undone.operation, bool(changes_since(stack, undone))) == ("undo", True)
    with pytest.raises(OutdatedError, match="came since"):
        restore(stack, undone, NOW + 2)
    assert names(stack)[3:] == [b"refs/heads/theirs"]


def test_a_handle_that_knew_the_tables_removes_none_that_an_undo_has_put_back(
    stack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reads the compacted list, the undo lists the tables again, then it removes what it knew before."""
    before = stack_contents(stack)
    with Stack.open(stack, OPTIONS) as handle:
        knew = handle.names
        compact_recorded(stack)
        read = Stack.read_list

        def then_undo(one: Stack) -> list[str]:
            found = read(one)
            if handle.tables and handle.names == found:  # this is what it is about to unlink by
                monkeypatch.setattr(Stack, "read_list", read)
                restore(stack, find_snapshot(stack), NOW + 1)
            return found

        monkeypatch.setattr(Stack, "read_list", then_undo)
        handle.reload()
        assert Stack.read_list is read
        assert stack_contents(stack) == before
        handle.reload()
        assert not set(knew).intersection(handle.names)
    assert stack_contents(stack) == before


def test_an_undo_of_undos_compares_states_by_the_names_that_tables_had_at_first(stack: Path) -> None:
    states = [stack_contents(stack)]
    added = add_recorded(stack, b"refs/heads/mine")
    states.append(stack_contents(stack))
    compacted = compact_recorded(stack)
    states.append(stack_contents(stack))
    for snapshot, state in ((compacted, 1), (None, 2), (None, 1), (added, 0), (None, 1)):
        seen = set(listed(stack))
        one = snapshot or find_snapshot(stack)
        assert (changes_since(stack, one), is_as_before(stack, one)) == ("", False)
        undone = restore(stack, one, NOW + 1)
        assert undone is not None
        assert stack_contents(stack) == states[state]
        assert (is_as_before(stack, one), is_as_before(stack, undone)) == (True, False)
        # What was listed keeps its name, what comes back has one that was never there.
        back = set(listed(stack)) - seen
        assert not back.intersection(*(known for taken in list_snapshots(stack) for known in [taken.files]))
    assert list_snapshots(stack)[-1] == added


def test_of_a_damaged_list_only_exact_lines_get_other_names(stack: Path) -> None:
    first, second, third = listed(stack)
    damaged = f"{first}\n\n{second}\r\n../{third}\n{third}".encode()
    (stack / "tables.list").write_bytes(damaged)
    tables = [(stack / name).read_bytes() for name in (first, second, third)]
    snapshot = settle(stack, take_snapshot(stack, "repair", NOW), NOW, b"x\n")
    assert snapshot is None  # nothing has changed
    snapshot = take_snapshot(stack, "repair", NOW)
    (stack / "tables.list").write_bytes(b"")
    for name in (first, second, third):
        (stack / name).unlink()
    assert settle(stack, snapshot, NOW, b"") is not None
    restore(stack, find_snapshot(stack), NOW + 1)
    lines = (stack / "tables.list").read_bytes().split(b"\n")
    assert lines[1:4] == [b"", f"{second}\r".encode(), f"../{third}".encode()]
    assert first != lines[0].decode()
    assert third != lines[4].decode()
    names = (lines[0].decode(), second, lines[4].decode())
    assert [(stack / name).read_bytes() for name in names] == tables


def test_a_list_of_other_bytes_has_changed_although_it_names_the_same(stack: Path) -> None:
    snapshot = add_recorded(stack, b"refs/heads/mine")
    path = stack / "tables.list"
    path.write_bytes(path.read_bytes()[:-1])
    assert "other bytes" in changes_since(stack, snapshot)


def test_a_locked_stack_stays_as_it_is(stack: Path) -> None:
    add_recorded(stack, b"refs/heads/mine")
    with LockFile(str(stack / "tables.list")):
        before = stack_files(stack)
        with pytest.raises(LockError):
            restore(stack, find_snapshot(stack), NOW + 1, lock_timeout_ms=0)
        assert stack_files(stack) == before


def test_a_snapshot_that_lost_a_table_is_refused(stack: Path) -> None:
    snapshot = compact_recorded(stack)
    snapshot.file(snapshot.tables[0]).unlink()
    before = stack_files(stack)
    with pytest.raises(SnapshotError, match="gone from the snapshot"):
        restore(stack, find_snapshot(stack), NOW + 1)
    assert stack_files(stack) == before


def other_bytes(path: Path) -> None:
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))


def link_elsewhere(path: Path) -> None:
    elsewhere = path.parent.parent.parent / f"elsewhere-{path.name}"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)


def far_too_large(path: Path) -> None:
    path.unlink()
    path.touch()
    os.truncate(path, 2**42)


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("what", [other_bytes, far_too_large, link_elsewhere, pipe, Path.unlink])
@pytest.mark.parametrize("file", ["a table", "tables.list"])
def test_a_snapshot_that_does_not_hold_what_it_took_is_refused(
    stack: Path, what: Callable[[Path], object], file: str
) -> None:
    snapshot = compact_recorded(stack)
    what(snapshot.path / file if file == "tables.list" else snapshot.file(snapshot.tables[1]))
    before = stack_files(stack)
    with pytest.raises(SnapshotError, match=r"is not what|gone from|is no regular|more than any"):
        restore(stack, find_snapshot(stack), NOW + 1)
    assert stack_files(stack) == before


@pytest.mark.parametrize("what", [pipe, far_too_large, Path.unlink, link_elsewhere])
def test_snapshots_whose_files_are_gone_stop_neither_repair_nor_a_look_at_what_is_left(
    stack: Path, what: Callable[[Path], object]
) -> None:
    compact_recorded(stack)
    old = add_recorded(stack, b"refs/heads/a")
    undo = take_snapshot(stack, "undo", NOW)  # as if it had been interrupted
    for path in (old.path / "tables.list", *old.directory.iterdir(), undo.path / "tables.list"):
        what(path)
    before = stack_files(stack)
    assert left_by_undo(stack) == left_by_repair(stack) == frozenset()
    assert not is_as_before(stack, undo)
    repair(stack, plan_repair(stack, OPTIONS))
    assert stack_files(stack) == before


def test_an_unlisted_file_is_not_left_by_an_undo_where_no_snapshot_holds_it_any_more(stack: Path) -> None:
    compacted = compact_recorded(stack)
    take_snapshot(stack, "undo", NOW)  # as if it had been interrupted
    name = compacted.files[0]
    os.link(compacted.file(name), stack / name)
    assert left_by_undo(stack) == {name}
    compacted.file(name).unlink()
    assert left_by_undo(stack) == frozenset()


def test_what_lies_behind_a_link_is_not_taken_for_set_aside(stack: Path) -> None:
    """The link leads to the stack itself here: a repair would take each unlisted table for kept."""
    snapshot = take_snapshot(stack, "repair", NOW)
    (stack / "0x000000000001-0x000000000001-0badcafe.ref").write_bytes(b"its only copy")
    snapshot.lost.symlink_to(stack)
    assert left_by_repair(stack) == frozenset()
    pipe(snapshot.lost)
    assert left_by_repair(stack) == frozenset()


def test_a_list_that_names_a_lock_has_none_taken(stack: Path) -> None:
    (stack / "tables.list.lock").touch()
    (stack / "tables.list").write_bytes(b"tables.list.lock\ntables.list\n")
    taken = take_snapshot(stack, "repair", NOW)
    assert (taken.files, list_snapshots(stack)) == ((), [taken])


def test_a_planted_number_leaves_room_for_those_to_come(stack: Path) -> None:
    planted = add_recorded(stack, b"refs/heads/a")
    save_snapshot(planted._replace(number=LARGEST_NUMBER), planted.path)
    for name in (b"refs/heads/b", b"refs/heads/c"):
        taken = add_recorded(stack, name)
        assert find_snapshot(stack, taken.id) == taken
        assert unusable_snapshots(stack) == {}


def test_what_cannot_be_removed_is_named_with_its_place(stack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = add_recorded(stack, b"refs/heads/a")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "not yours", "lost")

    monkeypatch.setattr(os, "rmdir", refuse)
    with pytest.raises(PermissionError, match=f"not yours .in .*{taken.id}.*: '.*(lost|files)'"):
        drop(stack, [taken.id], NOW)


def test_directories_too_deep_to_be_removed_do_not_fail_the_change(stack: Path) -> None:
    add_recorded(stack, b"refs/heads/a")
    deep = snapshots_directory(stack) / "20200101T000000.000000Z-add.partial"
    here = Path.cwd()
    try:
        for name in [str(deep), *["d"] * sys.getrecursionlimit()]:
            os.mkdir(name)
            os.chdir(name)
    finally:
        os.chdir(here)
    try:
        os.utime(deep, (0, 0))
        with ChangeRecord(stack, "add", NOW) as record, Stack.open(stack, OPTIONS) as handle:
            record.before_change(b"x\n")
            add_to(handle, b"refs/heads/b")
        assert record.snapshot == find_snapshot(stack)
    finally:
        subprocess.run(["/bin/rm", "-rf", deep], check=True)


def test_a_snapshot_of_an_older_version_is_gone_back_to(stack: Path) -> None:
    """Its manifest has neither digests nor number."""
    before = stack_contents(stack)
    manifest = compact_recorded(stack).path / "manifest.json"
    fields = json.loads(manifest.read_bytes())
    manifest.write_text(
        json.dumps({name: fields[name] for name in fields.keys() - {"digests", "number", "renamed"}})
    )
    (old,) = list_snapshots(stack)
    assert (old.digests, old.number, old.renamed) == ((), 0, ())
    restore(stack, old, NOW - 1)
    assert stack_contents(stack) == before
    assert find_snapshot(stack).operation == "undo"


@pytest.mark.parametrize("what", [link_elsewhere, "files", "the snapshot"])
def test_no_link_is_followed(stack: Path, what: object) -> None:
    snapshot = compact_recorded(stack)
    before = stack_files(stack)
    if what == "files":
        link_elsewhere(snapshot.directory)
        with pytest.raises(SnapshotError, match="symbolic link"):
            restore(stack, find_snapshot(stack), NOW + 1)
    elif what == "the snapshot":
        link_elsewhere(snapshot.path)
        assert list_snapshots(stack) == []
        assert unusable_snapshots(stack) == {snapshot.id: "it is no directory"}
    else:
        parent = snapshots_directory(stack)
        parent.rename(stack.parent / "elsewhere")
        parent.symlink_to("elsewhere")
        for work in (list_snapshots, lambda stack: take_snapshot(stack, "add", NOW)):
            with pytest.raises(OSError, match="symbolic link, which is not followed"):
                work(stack)
    assert stack_files(stack) == before


@pytest.mark.parametrize(
    "change",
    [
        {"time": 1e300},
        {"time": -1},
        {"time": float("nan")},
        {"time": 10**400},
        {"time": "now"},
        {"operation": "\x1b[2J"},
        {"operation": 7},
        {"tables": "name"},
        {"tables": [7]},
        {"files": ["\ud800"]},
        {"files": ["a" * 256]},
        {"files": ["tables.list"]},
        {"files": ["tables.list.lock"]},
        {"after": [".."]},
        {"after": 7},
        {"kept": 1},
        {"number": -1},
        {"number": 2**70},
        {"renamed": {"a": "../b"}},
        {"renamed": [1]},
        {"digests": {"a": [1]}},
        {"digests": {"a": 7}},
        {"digests": {"a": [float("inf"), "b"]}},
        {"modified": {"a": float("inf")}},
        {"modified": ["a"]},
        {"losses": 7},
        {"losses": "\ud800"},
        b"[" * 100_000,
        b'{"time": ' * 50_000,
        b"\xff",
        b"[]",
        b"",
        pipe,
        lambda path: os.truncate(path, 2**26),
        lambda path: (path.unlink(), path.symlink_to("/dev/zero")),
        lambda path: (path.unlink(), path.mkdir()),
    ],
)
def test_what_is_no_good_manifest_is_left_out_and_named_as_such(stack: Path, change: object) -> None:
    good, bad = add_recorded(stack, b"refs/heads/a"), add_recorded(stack, b"refs/heads/b")
    manifest = bad.path / "manifest.json"
    if isinstance(change, dict):
        manifest.write_text(json.dumps(json.loads(manifest.read_bytes()) | change))
    elif isinstance(change, bytes):
        manifest.write_bytes(change)
    elif callable(change):
        change(manifest)
    assert list_snapshots(stack) == [good]
    (wrong,) = unusable_snapshots(stack).items()
    assert wrong[0] == bad.id
    assert wrong[1]
    with pytest.raises(ApiError, match="cannot be used"):
        find_snapshot(stack, bad.id)
    add_recorded(stack, b"refs/heads/c")
    prune(stack, NOW, count=0)
    assert bad.path.exists()


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files whose bytes are hashed."""
    names: list[str] = []
    real = digest

    def count(path: Path) -> tuple[int, str] | None:
        names.append(path.name)
        return real(path)

    monkeypatch.setattr("engine.snapshot.snapshot.digest", count)
    return names


def test_what_an_earlier_snapshot_has_hashed_and_synced_is_not_again(
    stack: Path, hashed: list[str], events: list[str]
) -> None:
    tables = listed(stack)
    add_recorded(stack, b"refs/heads/a")
    assert hashed == tables
    digests = find_snapshot(stack).digests
    hashed.clear()
    events.clear()
    snapshot = add_recorded(stack, b"refs/heads/b")
    assert hashed == [snapshot.tables[-1]]
    assert [event for event in events if "files/table" in event] == [
        "fsync TIME-add.partial/files/table"
    ]  # the new one
    assert set(digests).intersection(snapshot.digests) == {one for one in digests if one[0] in tables}
    hashed.clear()
    assert compact_recorded(stack).files == (*hashed,)  # it alone has the tables then


@pytest.mark.parametrize("keeps_time", [False, True])
def test_a_table_that_was_overwritten_in_place_is_noticed(
    stack: Path, hashed: list[str], *, keeps_time: bool
) -> None:
    add_recorded(stack, b"refs/heads/a")
    path = stack / listed(stack)[0]
    status, data = path.stat(), path.read_bytes()
    overwrite(path, len(data) - 1, bytes([data[-1] ^ 1]))
    if keeps_time:
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    hashed.clear()
    snapshot = take_snapshot(stack, "add", NOW)
    assert (path.name in hashed) is not keeps_time
    # The stack's own table stays as it is, but one that has to come back is compared.
    verify(snapshot, stack)
    path.unlink()
    if keeps_time:
        with pytest.raises(SnapshotError, match="is not what the snapshot"):
            restore(stack, snapshot, NOW + 1)
    else:
        restore(stack, snapshot, NOW + 1)
        assert (stack / listed(stack)[0]).read_bytes()[-1] == data[-1] ^ 1


def test_pruning_that_fails_does_not_fail_the_change(stack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "not yours")

    monkeypatch.setattr("engine.snapshot.snapshot.prune", fail)
    assert find_snapshot(stack, add_recorded(stack, b"refs/heads/a").id).after == tuple(listed(stack))


def test_with_the_clock_set_back_the_newest_is_the_last_one_taken(stack: Path) -> None:
    taken = [take_snapshot(stack, "add", NOW + number) for number in range(20)]
    with (
        ChangeRecord(stack, "add", NOW - 1e6) as record,
        Stack.open(stack, OPTIONS, before_change=record.before_change) as handle,
    ):
        add_to(handle, b"refs/heads/mine")
    last = record.snapshot
    assert last is not None
    assert last.id < taken[0].id
    assert find_snapshot(stack) == last
    assert list_snapshots(stack)[-1] == taken[1]  # the oldest has gone


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_snapshots_are_as_open_to_a_group_as_the_stack(stack: Path, mask: int) -> None:
    stack.chmod(0o2775)
    before = os.umask(mask)
    try:
        snapshot = compact_recorded(stack)
        set_aside(stack, snapshot, listed(stack))
        keep(snapshot, kept=True)
    finally:
        os.umask(before)
    for path in (snapshot.path.parent, snapshot.path, snapshot.directory, snapshot.lost):
        assert path.stat().st_mode & 0o7777 == 0o2775
    for name in ("manifest.json", "tables.list"):
        assert (snapshot.path / name).stat().st_mode & 0o7777 == 0o664


def _as_user(user: int, mask: int, work: Callable[[], object]) -> None:
    """Work in a process of another user, whose group is 4242."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setgroups([])
            os.setgid(4242)
            os.setuid(user)
            os.umask(mask)
            work()
            status = 0
        finally:
            traceback.print_exc()
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user")
@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_another_user_of_the_group_can_change_and_prune(mask: int) -> None:
    """As in a repository whose core.sharedRepository is group: each has files of the other."""
    options = replace(OPTIONS, default_permissions=0o664)
    with TemporaryDirectory() as parent:
        directory = Path(parent) / "reftable"
        directory.mkdir()
        for path in (directory, directory.parent):
            os.chown(path, 4243, 4242)
            path.chmod(0o2775)

        def work() -> None:
            for number in range(2):
                with (
                    ChangeRecord(directory, "add", NOW) as record,
                    Stack.open(directory, options, before_change=record.before_change) as one,
                ):
                    add_to(one, b"refs/heads/%d-%d" % (one.next_update_index, number))
            restore(directory, find_snapshot(directory), NOW)
            keep(find_snapshot(directory), kept=True)
            keep(find_snapshot(directory), kept=False)
            prune(directory, NOW, count=1)

        for user in (4243, 4244, 4243):
            _as_user(user, mask, work)


def test_snapshots_of_an_older_version_are_opened_to_the_group(stack: Path) -> None:
    take_snapshot(stack, "add", NOW)
    stack.chmod(0o2775)
    take_snapshot(stack, "add", NOW)
    assert snapshots_directory(stack).stat().st_mode & 0o7777 == 0o2775


def test_a_change_that_changed_nothing_leaves_no_snapshot(stack: Path) -> None:
    with pytest.raises(KeyboardInterrupt), ChangeRecord(stack, "compact", NOW):
        raise KeyboardInterrupt
    assert list_snapshots(stack) == []
    assert list(snapshots_directory(stack).iterdir()) == []


def test_an_interrupted_change_is_known_as_such(stack: Path) -> None:
    take_snapshot(stack, "compact", NOW)
    assert not changes_since(stack, find_snapshot(stack))
    compact(stack)
    snapshot = find_snapshot(stack)
    assert snapshot.after is None
    assert changes_since(stack, snapshot)


def test_a_damaged_stack_is_taken_as_it_is(stack: Path) -> None:
    first, second, third = (stack / "tables.list").read_text().split()
    (stack / second).unlink()
    (stack / first).write_bytes(b"no table")
    (stack / "tables.list").write_bytes(f"{first}\n../elsewhere\n{second}\n{third}".encode())
    snapshot = take_snapshot(stack, "repair", NOW)
    assert (snapshot.tables, snapshot.missing) == ((first, second, third), (second,))
    assert (snapshot.path / "tables.list").read_bytes() == (stack / "tables.list").read_bytes()
    assert snapshot.file(first).read_bytes() == b"no table"


def test_prune_leaves_the_newest_and_those_that_are_kept(stack: Path) -> None:
    taken = [take_snapshot(stack, "add", NOW + number) for number in range(5)]
    keep(taken[0], kept=True)
    assert prune(stack, NOW + 9, count=2) == [taken[2].id, taken[1].id]
    assert [one.id for one in list_snapshots(stack)] == [taken[4].id, taken[3].id, taken[0].id]


def test_a_snapshot_that_is_half_removed_is_none_and_goes_with_the_next_pruning(
    stack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class DeathError(BaseException):
        pass

    def die(*_: object, **__: object) -> None:
        raise DeathError

    take_snapshot(stack, "add", NOW)
    with monkeypatch.context() as patched:
        patched.setattr(os, "rmdir", die)  # what was in a directory is removed by then
        with pytest.raises(DeathError):
            prune(stack, NOW, count=0)
    assert list_snapshots(stack) == []
    assert len(list(snapshots_directory(stack).iterdir())) == 1
    assert prune(stack, NOW + 10**9) == []
    assert list(snapshots_directory(stack).iterdir()) == []


def test_one_snapshot_that_cannot_be_removed_stops_no_other(
    stack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new, middle, old = [take_snapshot(stack, "add", NOW + number) for number in range(3)][::-1]
    (middle.path.parent / f"{middle.id}.partial" / "planted").mkdir(parents=True)
    rename = Path.rename

    def refuse(path: Path, target: Path) -> Path:
        if path == middle.path:
            raise PermissionError(errno.EACCES, "not yours")
        return rename(path, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", refuse)
        with pytest.raises(PermissionError, match="not yours"):
            prune(stack, NOW, count=1)
    assert list_snapshots(stack) == [new, middle]
    assert prune(stack, NOW, count=1) == [middle.id], (
        "a directory of the name it would get is in no one's way"
    )
    assert not old.path.exists()


def test_an_unfinished_manifest_goes_once_it_is_old(stack: Path) -> None:
    unfinished = take_snapshot(stack, "add", NOW).path / "manifest.json.partial"
    unfinished.touch()
    prune(stack, unfinished.stat().st_mtime + 3600)
    assert unfinished.exists()
    prune(stack, NOW + 10**9)
    assert not unfinished.exists()


def test_snapshots_of_one_moment_have_names_of_their_own(stack: Path) -> None:
    assert len({take_snapshot(stack, "add", NOW).id for _ in range(3)}) == 3


def test_what_is_no_snapshot_is_passed_over(stack: Path) -> None:
    snapshot = take_snapshot(stack, "add", NOW)
    (snapshots_directory(stack) / "notes").mkdir()
    (snapshots_directory(stack) / "20200101T000000.000000Z-add.partial").mkdir()
    hostile = take_snapshot(stack, "add", NOW + 1)
    fields = json.loads((hostile.path / "manifest.json").read_text())
    (hostile.path / "manifest.json").write_text(json.dumps(fields | {"files": ["../../config"]}))
    assert list_snapshots(stack) == [snapshot]


def test_an_unknown_snapshot_is_named(stack: Path) -> None:
    with pytest.raises(ApiError, match="no snapshot of this stack"):
        find_snapshot(stack)
    with pytest.raises(ApiError, match="no snapshot 'nope'"):
        find_snapshot(stack, "nope")
    with pytest.raises(ApiError, match="no name of an operation"):
        take_snapshot(stack, "../x", NOW)


def test_restoring_fails_without_a_trace_when_the_disk_is_full(
    stack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compact_recorded(stack)
    before = stack_files(stack)
    snapshot = find_snapshot(stack)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(os, "link", full)
    with pytest.raises(OSError, match="no space left"):
        restore(stack, snapshot, NOW + 1)
    assert stack_files(stack) == before


@pytest.mark.parametrize(("name", "nth"), [("link", 3), ("replace", 1), ("fsync", 6)])
def test_going_back_leaves_nothing_when_it_fails_on_the_way(
    stack: Path, monkeypatch: pytest.MonkeyPatch, name: str, nth: int
) -> None:
    """At the second table, at the rename of the list, or at the first sync behind the snapshot."""
    compact_recorded(stack)
    before, snapshot = stack_files(stack), find_snapshot(stack)
    calls = 0
    real = getattr(os, name)

    def fail(*args: object, **options: object) -> object:
        nonlocal calls
        calls += 1
        if calls >= nth:
            raise OSError(errno.ENOSPC, "no space left")
        return real(*args, **options)

    with monkeypatch.context() as patched:
        patched.setattr(os, name, fail)
        with pytest.raises(OSError, match="no space left"):
            restore(stack, snapshot, NOW + 1)
    assert calls >= nth
    assert stack_files(stack) == before
    assert list_snapshots(stack) == [snapshot]


def test_a_snapshot_that_is_not_durable_is_not_left(stack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.fsync

    def fail(fd: int) -> None:
        if os.readlink(f"/proc/self/fd/{fd}").endswith("-snapshots"):
            raise OSError(errno.EIO, "no disk left")
        real(fd)

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match=r"no disk left: '.*-snapshots'"):
        take_snapshot(stack, "add", NOW)
    assert list(snapshots_directory(stack).iterdir()) == []


@pytest.fixture
def events(stack: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is made durable and renamed, in that order; names without what is random in them."""

    def kind(path: str) -> str:
        name = re.sub(r"0x.*?\.ref", "table", os.path.relpath(path, stack.parent))
        return re.sub(
            r"\.[0-9a-f]{8}\.partial", ".partial", re.sub(r"\d+T\d+\.\d+Z", "TIME", name)
        ).removeprefix("reftable-snapshots/")

    return record_durability(monkeypatch, kind)


def test_a_snapshot_is_durable_before_it_has_its_name(
    stack: Path, monkeypatch: pytest.MonkeyPatch, events: list[str]
) -> None:
    """Its files are copies here, as a link needs no sync of the file."""

    def no_links(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", no_links)
    take_snapshot(stack, "add", NOW)
    partial, whole = "TIME-add.partial", "TIME-add"
    named = events.index(f"rename {partial} {whole}")
    assert events[:named].count(f"fsync {partial}/files/table") == len(names(stack))
    for path in ("tables.list", "files", ""):
        assert f"fsync {partial}/{path}".rstrip("/") in events[:named]
    assert any("manifest.json" in event for event in events[:named])
    assert "fsync reftable-snapshots" in events[named:]


def test_files_set_aside_are_durable_before_they_go(stack: Path, events: list[str]) -> None:
    snapshot = take_snapshot(stack, "repair", NOW)
    events.clear()
    set_aside(stack, snapshot, [listed(stack)[0]])
    assert events == ["fsync TIME-repair/lost/table", "fsync TIME-repair/lost", "fsync TIME-repair"]


def test_going_back_makes_the_tables_durable_before_the_list_and_then_the_list(
    stack: Path, events: list[str]
) -> None:
    compact_recorded(stack)
    events.clear()
    restore(stack, find_snapshot(stack), NOW + 1)
    ours = [event for event in events if "TIME" not in event and "unlink" not in event]
    assert ours[ours.index("rename reftable/table.temp.undo reftable/table") :] == [
        "rename reftable/table.temp.undo reftable/table",
        *["fsync reftable/table.temp.undo", "rename reftable/table.temp.undo reftable/table"] * 2,
        "fsync reftable/tables.list.lock",
        "fsync reftable",
        "rename reftable/tables.list.lock reftable/tables.list",
        "fsync reftable",
    ]


def test_a_file_that_another_process_has_removed_is_no_other_file(tmp_path: Path) -> None:
    """Whoever compares may be slower than git, which removes what nothing needs at any time."""
    (tmp_path / "here").write_bytes(b"bytes")
    for one, other in (("here", "gone"), ("gone", "here"), ("gone", "gone")):
        assert not is_same_file(tmp_path / one, tmp_path / other)
    assert is_same_file(tmp_path / "here", tmp_path / "here")

"""Clutter in a stack's directory: what is stale and goes, what stays and why."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.errors import FormatError, LockError
from engine.format import HashId, RefRecord
from engine.progress import Progress
from engine.stack import CleanPlan, Stack, StaleFile
from engine.table import WriteOptions
from tests.support.stacks import (
    LOOSE,
    add_branches,
    branch,
    entries,
    list_tables,
    listed,
    lock,
    make_stack,
    names,
    orphan,
)
from tests.support.tables import write_table

COVERED = "0x000000000001-0x000000000002-00000000.ref"
NEWER = "0x000000000003-0x000000000004-00000000.ref"
TEMPORARY = "0x000000000001-0x000000000002-00000000.temp.a1b2c3"


def removed(plan: CleanPlan) -> list[str]:
    return [file.name for file in plan.removed]


def kept(plan: CleanPlan) -> list[str]:
    return [file.name for file in plan.kept]


def test_a_tidy_stack_has_nothing_to_clean(tmp_path: Path) -> None:
    make_stack(tmp_path, 3)
    with Stack.open(tmp_path, LOOSE) as stack:
        assert stack.plan_clean() == CleanPlan((), ())
        assert stack.clean() == []


def test_unlisted_tables_go_if_listed_tables_hold_their_records(tmp_path: Path) -> None:
    make_stack(tmp_path, 3)
    for name, index in [
        (COVERED, 2),
        ("last.ref", 3),
        (NEWER, 4),
        ("000000000001-000000000001-0a1b2c3d.log", 1),
    ]:
        orphan(tmp_path, name, index)
    with Stack.open(tmp_path, LOOSE) as stack:
        plan = stack.plan_clean()
        assert removed(plan) == ["000000000001-000000000001-0a1b2c3d.log", COVERED, "last.ref"]
        assert kept(plan) == [NEWER]
        assert [file.size for file in plan.removed] == [
            (tmp_path / file.name).stat().st_size for file in plan.removed
        ]
        assert stack.clean() == removed(plan)
    assert entries(tmp_path) == sorted([*listed(tmp_path), "tables.list", NEWER])


@pytest.mark.parametrize("content", [b"", b"garbage", b"REFT" + bytes(100)])
def test_unlisted_tables_that_cannot_be_read_stay(tmp_path: Path, content: bytes) -> None:
    make_stack(tmp_path, 1)
    (tmp_path / "stale-table.ref").write_bytes(content)
    with Stack.open(tmp_path, LOOSE) as stack:
        (file,) = stack.plan_clean().kept
        assert (file.name, file.size) == ("stale-table.ref", len(content))
        assert "cannot be read" in file.reason
        assert stack.clean() == []


def test_the_header_counts_and_not_the_name(tmp_path: Path) -> None:
    make_stack(tmp_path, 2)
    orphan(tmp_path, COVERED, 4)
    orphan(tmp_path, NEWER, 2)
    with Stack.open(tmp_path, LOOSE) as stack:
        assert stack.clean() == [NEWER]


def test_a_table_that_fills_a_hole_of_the_list_stays(tmp_path: Path) -> None:
    first, second, *others = make_stack(tmp_path, 4)
    list_tables(tmp_path, [first, *others])
    with Stack.open(tmp_path, LOOSE) as stack:
        plan = stack.plan_clean()
        assert (removed(plan), kept(plan)) == ([], [second])
        assert "no listed table has" in plan.kept[0].reason
        assert stack.clean() == []


def test_a_table_of_another_history_stays(tmp_path: Path) -> None:
    """An older list was put back, and the stack went on from there; git does so with the tables beside it."""
    tables = make_stack(tmp_path, 3)
    list_tables(tmp_path, tables[:1])
    lost = {name: (tmp_path / name).read_bytes() for name in tables[1:]}
    for name in lost:
        (tmp_path / name).unlink()
    with Stack.open(tmp_path, LOOSE) as stack:
        add_branches(stack, 4, first=7)
        for name, data in lost.items():
            (tmp_path / name).write_bytes(data)
        plan = stack.plan_clean()
        assert (removed(plan), kept(plan)) == ([], sorted(tables[1:]))
        assert all(
            "another history: 1 ref only there, 0 differ, 0 reflog entries only there" in file.reason
            for file in plan.kept
        )
        assert stack.clean() == []


def test_cleaning_goes_on_where_another_handle_was_faster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_stack(tmp_path, 2)
    for number in range(3):
        orphan(tmp_path, f"{number}.ref", 1)
    unlink = os.unlink

    def faster(path: str) -> None:
        if path.endswith("1.ref"):
            unlink(path)
        unlink(path)

    with Stack.open(tmp_path, LOOSE) as stack:
        monkeypatch.setattr(os, "unlink", faster)
        assert stack.clean() == ["0.ref", "2.ref"]


def test_temporary_tables_go_when_no_lock_is_held(tmp_path: Path) -> None:
    tables = make_stack(tmp_path, 2)
    (tmp_path / TEMPORARY).write_bytes(b"half a table")
    with Stack.open(tmp_path, LOOSE) as stack:
        for name in ("tables.list", tables[0], "unlisted.ref"):
            held = lock(tmp_path, name)
            plan = stack.plan_clean()
            assert removed(plan) == []
            assert kept(plan) == sorted([TEMPORARY, held.name])
            reasons = {file.name: file.reason for file in plan.kept}
            assert held.name in reasons[TEMPORARY]
            assert "lock" in reasons[held.name]
            if name != "tables.list":
                assert stack.clean() == []
            held.unlink()
        assert removed(stack.plan_clean()) == [TEMPORARY]
        assert stack.clean() == [TEMPORARY]


def test_what_is_no_table_stays(tmp_path: Path) -> None:
    make_stack(tmp_path, 1)
    (tmp_path / "garbage").touch()
    (tmp_path / ".nfs0001.ref").touch()
    (tmp_path / "lost").mkdir()
    os.mkfifo(tmp_path / "fifo.ref")
    (tmp_path / "directory.ref").mkdir()
    os.symlink("nowhere", tmp_path / "link.ref")
    before = entries(tmp_path)
    with Stack.open(tmp_path, LOOSE) as stack:
        plan = stack.plan_clean()
        assert removed(plan) == []
        assert kept(plan) == [".nfs0001.ref", "directory.ref", "fifo.ref", "garbage", "link.ref", "lost"]
        assert all(file.reason for file in plan.kept)
        assert stack.clean() == []
    assert entries(tmp_path) == before


def test_what_would_be_stale_stays_if_no_writer_can_have_made_it(tmp_path: Path) -> None:
    make_stack(tmp_path, 2)
    orphan(tmp_path, "target", 1)
    os.symlink("target", tmp_path / COVERED)
    (tmp_path / TEMPORARY).mkdir()
    with Stack.open(tmp_path, LOOSE) as stack:
        plan = stack.plan_clean()
        assert removed(plan) == []
        assert kept(plan) == [COVERED, TEMPORARY, "target"]
        assert stack.clean() == []


def test_cleaning_holds_the_lock_on_the_list(tmp_path: Path) -> None:
    make_stack(tmp_path, 2)
    orphan(tmp_path, COVERED, 1)
    held = lock(tmp_path, "tables.list")
    with Stack.open(tmp_path, LOOSE) as stack:
        with pytest.raises(LockError):
            stack.clean()
        assert COVERED in entries(tmp_path)
        held.unlink()
        assert stack.clean() == [COVERED]
        assert not held.exists()


def test_a_plan_limits_what_is_removed(tmp_path: Path) -> None:
    make_stack(tmp_path, 3)
    orphan(tmp_path, COVERED, 1)
    with Stack.open(tmp_path, LOOSE) as stack:
        plan = stack.plan_clean()
        orphan(tmp_path, "later.ref", 1)
        assert stack.clean(plan) == [COVERED]
        assert "later.ref" in entries(tmp_path)
        assert stack.clean(plan) == []
        assert stack.clean() == ["later.ref"]


def test_what_is_listed_since_the_plan_stays(tmp_path: Path) -> None:
    tables = make_stack(tmp_path, 2)
    orphan(tmp_path, COVERED, 2)
    with Stack.open(tmp_path, LOOSE) as stack:
        plan = stack.plan_clean()
        assert removed(plan) == [COVERED]
        list_tables(tmp_path, [tables[0], COVERED])
        assert stack.clean(plan) == []
        assert names(stack) == [tables[0], COVERED]
        assert COVERED in entries(tmp_path)


def test_a_plan_of_a_stale_handle_names_no_table_that_is_listed(tmp_path: Path) -> None:
    make_stack(tmp_path, 3)
    with Stack.open(tmp_path, LOOSE, read_only=True) as stack, Stack.open(tmp_path, LOOSE) as other:
        other.compact_all()
        assert removed(stack.plan_clean()) == []


def test_nothing_is_cleaned_under_a_compaction(tmp_path: Path) -> None:
    make_stack(tmp_path, 3)
    seen: list[tuple[StaleFile, ...]] = []

    with Stack.open(tmp_path, LOOSE) as stack, Stack.open(tmp_path, LOOSE) as other:

        def act(_: Progress) -> None:
            seen.append(other.plan_clean().removed)
            assert other.clean() == []

        stack.compact_all(progress=act)
        assert list(stack.refs()) == [branch(number, number + 1) for number in range(3)]
    assert seen
    assert not any(seen)


def test_a_stack_that_lost_its_list_is_not_cleaned_away(tmp_path: Path) -> None:
    tables = make_stack(tmp_path, 3)
    with Stack.open(tmp_path, LOOSE) as stack:
        (tmp_path / "tables.list").write_bytes(b"")
        with pytest.raises(FormatError):
            stack.clean()
    assert entries(tmp_path) == sorted([*tables, "tables.list"])


def test_planning_changes_nothing_and_does_not_wait(tmp_path: Path) -> None:
    make_stack(tmp_path, 2)
    orphan(tmp_path, COVERED, 1)
    (tmp_path / TEMPORARY).touch()
    lock(tmp_path, "tables.list")
    before = entries(tmp_path)
    with Stack.open(tmp_path, read_only=True) as stack:
        assert removed(stack.plan_clean()) == [COVERED]
    assert entries(tmp_path) == before


def test_an_orphan_of_another_hash_function_goes_if_it_holds_nothing(tmp_path: Path) -> None:
    make_stack(tmp_path, 2)
    sha256 = WriteOptions(hash_id=HashId.SHA256)
    write_table(tmp_path / COVERED, [RefRecord(b"a", 1)], options=sha256)
    write_table(tmp_path / "kept.ref", [RefRecord(b"a", 1, value=bytes(32))], options=sha256)
    with Stack.open(tmp_path, LOOSE) as stack:
        assert stack.clean() == [COVERED]
        add_branches(stack, 1, first=5)

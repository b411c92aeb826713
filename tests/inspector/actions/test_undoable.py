"""Every change made in the terminal goes through `run`, which takes a snapshot; a no-op leaves none."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.snapshot import find_snapshot, list_snapshots, restore
from engine.stack import StackOptions
from inspector.actions import Action, CleanAction, CompactAction, RefusedError, Workplace, run
from tests.support.stacks import make_stack
from tests.support.tables import stack_files


def nothing(_progress: object) -> None:
    """Hear of progress."""


def change(action: Action, place: Path) -> None:  # type: ignore[type-arg]
    result = run(action, action.plan(nothing), nothing)
    assert find_snapshot(place) == result.snapshot


def test_a_compaction_and_a_clean_up_can_be_undone(tmp_path: Path) -> None:
    place = tmp_path / "reftable"
    names = make_stack(place, 3)
    workplace = Workplace(place, StackOptions())
    before = stack_files(place)
    change(CompactAction(workplace, "all"), place)
    compacted = stack_files(place)
    (place / names[0]).write_bytes(before[names[0]])
    cluttered = stack_files(place)
    change(CleanAction(workplace), place)
    assert stack_files(place) == compacted
    restore(place, find_snapshot(place), 1e10)
    assert stack_files(place) == cluttered


def test_where_nothing_may_be_changed_no_snapshot_is_taken(tmp_path: Path) -> None:
    place = tmp_path / "reftable"
    make_stack(place, 3)
    action = CompactAction(Workplace(place, StackOptions(), read_only=True), "all")
    with pytest.raises(RefusedError):
        run(action, action.plan(nothing), nothing)
    assert list_snapshots(place) == []
    assert [path.name for path in tmp_path.iterdir()] == ["reftable"]

"""A power cut at any moment of a change: the stack is the old one or the new, and snapshots are whole.

What was not made durable may be missing, half there, or there without what was done before it: see
`power.py`. `pytest -s` shows how many states each operation was tried in. By default some of them are tried.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine.snapshot import list_snapshots
from tests.interop.test_faults import Shape, git_sees, shape, tables_anywhere
from tests.support.findings import faults as what_is_wrong
from tests.support.git import Git
from tests.support.operations import OPERATIONS, TRIED, Operation, prepare
from tests.support.power import Disk, lay_out
from tests.support.thinning import ALL, thinned

pytestmark = pytest.mark.timeout(300)


def snapshot_bytes(parent: Path) -> dict[str, tuple[bytes | None, dict[str, bytes]]]:
    """By their ids, the list that each snapshot holds, and its files."""
    return {
        one.id: (
            (one.path / "tables.list").read_bytes() if (one.path / "tables.list").exists() else None,
            {name: one.file(name).read_bytes() for name in one.files},
        )
        for one in list_snapshots(parent / "reftable")
    }


Entries = tuple[tuple[str, bytes | None], ...]
"""A `State` that can be a key."""


class Left:
    """What power cuts have left: of what several have left alike, one answer is enough."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._shapes: dict[Entries, Shape] = {}
        self._snapshots: dict[Entries, dict[str, tuple[bytes | None, dict[str, bytes]]]] = {}

    @contextmanager
    def laid_out(self, entries: Entries) -> Iterator[Path]:
        """A directory with these files."""
        self._place.mkdir()
        lay_out(dict(entries), self._place)
        yield self._place
        shutil.rmtree(self._place)

    def shape(self, entries: Entries) -> Shape:
        """That of the stack among these files."""
        stack = tuple(one for one in entries if one[0].partition("/")[0] == "reftable")
        if stack not in self._shapes:
            with self.laid_out(stack) as parent:
                self._shapes[stack] = shape(parent / "reftable")
        return self._shapes[stack]

    def snapshots(self, entries: Entries) -> dict[str, tuple[bytes | None, dict[str, bytes]]]:
        """Those among these files, which do not ask what is in the stack."""
        beside = tuple(one for one in entries if not one[0].startswith("reftable/"))
        if beside not in self._snapshots:
            with self.laid_out(beside) as parent:
                self._snapshots[beside] = snapshot_bytes(parent)
        return self._snapshots[beside]


def test_a_snapshot_is_whole_of_tables_whose_footer_git_has_not_synced(tmp_path: Path) -> None:
    directory = prepare(tmp_path / "live")
    operation = OPERATIONS["first recorded compact"]
    operation.before(directory)
    old = shape(directory)
    disk = Disk(directory.parent, unsynced_end=68)
    found: set[Entries] = set()
    disk.on_step = lambda _: found.update(tuple(sorted(state.items())) for state in disk.states())
    with disk.watched():
        operation.work(directory)
    new, whole = shape(directory), snapshot_bytes(directory.parent)
    tried = 0
    left = Left(tmp_path / "copy")
    for entries in thinned(sorted(found, key=str), 9):
        if left.shape(entries) == new != old:
            assert whole.items() <= left.snapshots(entries).items()
            tried += 1
    assert tried


@pytest.mark.parametrize("name", TRIED)
def test_a_power_cut_at_any_moment_leaves_the_old_stack_or_the_new_and_whole_snapshots(
    tmp_path: Path, name: str, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.stack.holders._processes", lambda: [1, os.getpid()])
    operation: Operation = OPERATIONS[name]
    parent = tmp_path / "live"
    directory = prepare(parent)
    operation.before(directory)
    old, tables = shape(directory), tables_anywhere(parent)
    is_sound = {old: not what_is_wrong(directory)}
    snapshots = snapshot_bytes(parent)
    before = set(snapshots)
    disk = Disk(parent)
    found: dict[Entries, str] = {}
    moments = 0

    def cut(what: str) -> None:
        nonlocal moments
        moments += 1
        for state in disk.states():
            found.setdefault(tuple(sorted(state.items())), f"{moments} {what}")
        snapshots.update(snapshot_bytes(parent))

    disk.on_step = cut
    with disk.watched():
        operation.work(directory)
    new = shape(directory)
    is_sound[new] = not what_is_wrong(directory)
    taken = set(snapshot_bytes(parent)) - before
    at_the_end = {tuple(sorted(state.items())) for state in disk.states()}
    repo = git.init(tmp_path / "repo")
    tried = 0
    left = Left(tmp_path / "copy")
    for number, (entries, where) in enumerate(found.items()):
        if not ALL and number % 23 and entries not in at_the_end:
            continue
        tried += 1
        now, whole = left.shape(entries), left.snapshots(entries)
        assert now in (old, new), where
        assert now == new or entries not in at_the_end, where
        assert whole.items() <= snapshots.items(), where
        assert now == old or taken <= set(whole), f"nothing to undo the change with: {where}"
        if operation.keeps_all:
            assert tables <= {data for path, data in entries if path.endswith(".ref")}, where
        if operation.by_git and is_sound[now] and not number % 20:
            with left.laid_out(entries) as parent:
                git_sees(repo, parent / "reftable")
    print(f"\n{name}: {moments} moments, {tried} states", end=" ")  # noqa: T201 - shown with -s

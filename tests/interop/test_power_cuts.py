"""A power cut at any moment of a change: the stack is the old one or the new, and snapshots are whole.

What was not made durable may be missing, half there, or there without what was done before it: see
`power.py`. `pytest -s` shows how many states each operation was tried in. By default some of them are tried.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from engine.snapshot import list_snapshots
from tests.interop.test_faults import git_sees, shape, tables_anywhere
from tests.support.findings import faults as what_is_wrong
from tests.support.git import Git
from tests.support.operations import OPERATIONS, TRIED, Operation, prepare
from tests.support.power import Disk, State, lay_out
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


def test_a_snapshot_is_whole_of_tables_whose_footer_git_has_not_synced(tmp_path: Path) -> None:
    directory = prepare(tmp_path / "live")
    operation = OPERATIONS["first recorded compact"]
    operation.before(directory)
    old = shape(directory)
    disk = Disk(directory.parent, unsynced_end=68)
    found: set[tuple[tuple[str, bytes | None], ...]] = set()
    disk.on_step = lambda _: found.update(tuple(sorted(state.items())) for state in disk.states())
    with disk.watched():
        operation.work(directory)
    new, whole = shape(directory), snapshot_bytes(directory.parent)
    tried = 0
    for number, entries in enumerate(thinned(sorted(found, key=str), 9)):
        copy = tmp_path / str(number)
        copy.mkdir()
        lay_out(dict(entries), copy)
        if shape(copy / directory.name) == new != old:
            assert whole.items() <= snapshot_bytes(copy).items()
            tried += 1
        shutil.rmtree(copy)
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
    found: dict[tuple[tuple[str, bytes | None], ...], str] = {}
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
    for number, (entries, where) in enumerate(found.items()):
        if not ALL and number % 23 and entries not in at_the_end:
            continue
        tried += 1
        state: State = dict(entries)
        copy = tmp_path / "copy"
        copy.mkdir()
        lay_out(state, copy)
        now = shape(copy / "reftable")
        assert now in (old, new), where
        assert now == new or entries not in at_the_end, where
        left = snapshot_bytes(copy)
        assert all(whole == snapshots[id_] for id_, whole in left.items()), where
        assert now == old or taken <= set(left), f"nothing to undo the change with: {where}"
        if operation.keeps_all:
            assert tables <= tables_anywhere(copy), where
        if operation.by_git and is_sound[now] and not number % 20:
            git_sees(repo, copy / "reftable")
        shutil.rmtree(copy)
    print(f"\n{name}: {moments} moments, {tried} states", end=" ")  # noqa: T201 - shown with -s

"""Repairs while real git goes on writing: no transaction of git's is lost.

The damage is one that git does not mind: an object section that leads nowhere. So both can work at once, and
a repair, whose plan is made without a lock, meets stacks that are no longer those of its plan.
"""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from pathlib import Path

from engine.errors import LockError, OutdatedError
from engine.repair import plan_repair, repair
from engine.snapshot import list_snapshots
from tests.support.git import Git, Repository
from tests.support.handmade import change_footer
from tests.support.repairs import errors, refs
from tests.support.stacks import listed

BRANCHES = 120


def damage(repo: Repository, scratch: Path) -> None:
    """Break the object section of the oldest table, in one rename, unless it has been compacted away."""
    table = repo.reftable / listed(repo.reftable)[0]
    try:
        shutil.copyfile(table, scratch)
        change_footer(scratch, obj_offset=30, object_id_len=2)
        if table.exists():
            scratch.replace(table)
    except FileNotFoundError:
        return


def create_branches(repo: Repository, commit: str, made: list[bytes]) -> None:
    """Create branches one by one with git, as patiently as its own lock timeout lets it be."""
    for number in range(BRANCHES):
        name = f"refs/heads/git-{number:03}"
        done: subprocess.CompletedProcess[bytes] = repo.git("update-ref", name, commit, check=False)
        # A table that git still reads may be gone by the time that it opens it; it says so, and does nothing.
        if done.returncode == 0:
            made.append(name.encode())


def test_repairs_lose_nothing_that_git_writes_meanwhile(git: Git, tmp_path: Path) -> None:
    repo = git.init(tmp_path / "repo", config={"reftable.lockTimeout": 20_000})
    commit = repo.commit()
    repo.update_refs(f"create refs/heads/old-{number:02} {commit.hex()}" for number in range(20))
    repo.git("pack-refs")
    made: list[bytes] = []
    writer = threading.Thread(target=create_branches, args=(repo, commit.hex(), made))
    damage(repo, tmp_path / "scratch")
    writer.start()
    repaired = outdated = 0
    while writer.is_alive() or not repaired:
        try:
            plan = plan_repair(repo.reftable, now=time.time())
            repaired += repair(repo.reftable, plan).snapshot is not None
        except OutdatedError:
            outdated += 1
        except LockError:
            continue
        else:
            damage(repo, tmp_path / "scratch")
    writer.join()
    assert repaired
    assert len(made) == BRANCHES
    repair(repo.reftable, plan_repair(repo.reftable))
    assert errors(repo.reftable) == []
    there = refs(repo.reftable)
    assert {there.get(name) for name in made} == {commit}
    assert {there.get(b"refs/heads/old-%02d" % number) for number in range(20)} == {commit}
    assert sorted(repo.refs("refs/heads/git-*")) == made
    assert not list(repo.reftable.glob("*.lock"))
    assert list_snapshots(repo.reftable)

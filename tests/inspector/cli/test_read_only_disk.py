"""A disk that turns read-only, as it does when it fails, while `add` changes the two stacks of a worktree."""

from __future__ import annotations

import errno
import shutil
from collections import Counter
from pathlib import Path

from engine import find_repository
from tests.support.cli import run
from tests.support.faults import GO_ON, Call, faults
from tests.support.git import Git
from tests.support.thinning import thinned

OWN, SHARED = b"refs/bisect/bad", b"refs/heads/new"


def test_add_tells_what_is_changed_wherever_the_disk_turns_read_only(git: Git, tmp_path: Path) -> None:
    """Auto-compaction, which follows, fails as well, and so may the notes in the snapshots."""
    repo = git.init(tmp_path / "main", auto_compaction=False)
    commit = repo.commit().hex()
    for number in range(4):
        repo.branch(f"branch-{number}")
    side = tmp_path / "side"
    repo.git("worktree", "add", "-q", "-b", "side", str(side))
    stacks = [repo.reftable, repo.git_dir / "worktrees" / "side" / "reftable"]
    for number, directory in enumerate(stacks):
        shutil.copytree(directory, tmp_path / str(number))
    commands = f"create {OWN.decode()} {commit}\ncreate {SHARED.decode()} {commit}\n".encode()

    def add(first: int, code: int = errno.EROFS) -> tuple[list[Call], str, int]:
        """The changing calls, the error that is told, empty for none, and how many stacks are changed.

        All calls from the `first` on fail with this number.
        """
        calls: list[Call] = []

        def fault(call: Call) -> int:
            if call.path.startswith(str(tmp_path)):
                calls.append(call)
            return code if len(calls) > first else GO_ON

        with faults(fault):
            done = run("add", side, stdin=commands)
        assert done.code in (0, 6), done.err
        with find_repository(side).refs() as refs:
            made = sum(name in refs for name in (OWN, SHARED))
        for number, directory in enumerate(stacks):
            shutil.rmtree(directory)
            shutil.rmtree(f"{directory}-snapshots", ignore_errors=True)
            shutil.copytree(tmp_path / str(number), directory)
        return calls, done.err if done.code else "", made

    calls, told, made = add(10**6)
    assert (told, made) == ("", 2)
    first_commit = next(
        number
        for number, call in enumerate(calls)
        if call.name in ("rename", "replace") and call.path.endswith("list.lock")
    )
    met: Counter[int] = Counter()
    for first in [*thinned(range(first_commit), 8), *range(first_commit, len(calls))]:
        failed, told, made = add(first)
        met[made] += 1
        assert (" is made" in told) == bool(made and told), (failed[first], made, told)
        assert (" is not: " in told) == (made == 1), (failed[first], made, told)
        assert told or made == 2
    assert met.keys() == {0, 1, 2}
    for first in thinned(range(len(calls)), 8):  # a broken disk is not told from one that cannot be read
        add(first, errno.EIO)

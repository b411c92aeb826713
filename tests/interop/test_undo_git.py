"""Undo beside git: what git commits while a change of ours waits for its lock is never taken back."""

from __future__ import annotations

import subprocess
import time

from tests.support.cli import ok, start
from tests.support.git import Git, Repository


def test_what_git_commits_while_we_wait_for_its_lock_stays(repo: Repository, git: Git) -> None:
    repo.git("config", "reftable.lockTimeout", "20000")
    oid = repo.commit().hex()
    with subprocess.Popen(
        [git.program, "update-ref", "--stdin"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=repo.path,
        env=git.environment,
    ) as theirs:
        assert theirs.stdin is not None
        assert theirs.stdout is not None
        theirs.stdin.write(f"start\ncreate refs/heads/theirs {oid}\nprepare\n".encode())
        theirs.stdin.flush()
        assert [theirs.stdout.readline() for _ in range(2)] == [b"start: ok\n", b"prepare: ok\n"]
        ours = start("add", repo.path)
        assert ours.stdin is not None
        ours.stdin.write(f"create refs/heads/ours {oid}\n".encode())
        ours.stdin.close()
        snapshots = repo.git_dir / "reftable-snapshots"
        while not (snapshots.is_dir() and any(snapshots.glob("*-add"))):
            assert ours.poll() is None
            time.sleep(0.01)
        theirs.stdin.write(b"commit\n")
        theirs.stdin.flush()
        assert theirs.stdout.readline() == b"commit: ok\n"
    ours.stdin = None
    assert (ours.communicate(), ours.returncode)[1] == 0
    assert {b"refs/heads/ours", b"refs/heads/theirs"} <= repo.refs().keys()
    ok("undo", repo.path)
    assert b"refs/heads/ours" not in repo.refs()
    assert b"refs/heads/theirs" in repo.refs()

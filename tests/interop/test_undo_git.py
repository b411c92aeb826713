"""Undo beside git: what git commits while a change of ours waits for its lock is never taken back."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from unittest.mock import patch

from engine.format import RefRecord
from engine.snapshot import ChangeRecord, find_snapshot, restore
from engine.stack import Stack, StackOptions
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
        # Its compaction would come behind its answer, perhaps behind our change, which is not the last then.
        env={**git.environment, "GIT_TEST_REFTABLE_AUTOCOMPACTION": "false"},
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


_TABLES = 300


def test_a_git_that_is_removing_the_tables_it_knew_removes_none_that_an_undo_lists_again(
    repo: Repository, git: Git
) -> None:
    """It is stopped in the midst of its unlinking, which it does by names that it read earlier."""
    repo.commit()
    value = repo.oid("HEAD")
    options = StackOptions(auto_compact=False)
    with patch.object(os, "fsync"), Stack.open(repo.reftable, options) as stack:
        for number in range(_TABLES):
            with stack.addition() as addition, addition.table() as writer:
                writer.add_ref(RefRecord(b"refs/heads/%04d" % number, addition.update_index, value))
        knew = [repo.reftable / name for name in stack.names]
    with subprocess.Popen(
        [git.program, "cat-file", "--batch-check"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=repo.path,
        env=git.environment,
    ) as theirs:
        assert theirs.stdin is not None
        assert theirs.stdout is not None

        def ask(name: str) -> None:
            assert theirs.stdin is not None
            theirs.stdin.write(name.encode() + b"\n")
            theirs.stdin.flush()

        ask("refs/heads/0000")
        assert theirs.stdout.readline().startswith(value.hex().encode())
        # It dies before it can remove what it has compacted: git does that for it.
        with (
            patch.object(os, "fsync"),
            patch.object(Stack, "unlink"),
            ChangeRecord(repo.reftable, "compact", time.time()) as record,
            Stack.open(repo.reftable, options, before_change=record.before_change) as stack,
        ):
            stack.compact_all()
        ask("refs/heads/0001")
        while knew[0].exists():
            assert theirs.poll() is None
        theirs.send_signal(signal.SIGSTOP)
        there = [path for path in knew if path.exists()]
        with patch.object(os, "fsync"):
            restore(repo.reftable, find_snapshot(repo.reftable), time.time())
        theirs.send_signal(signal.SIGCONT)
        assert theirs.stdout.readline().startswith(value.hex().encode())
        ask(f"refs/heads/{_TABLES - 1:04}")
        assert theirs.stdout.readline().startswith(value.hex().encode())
        theirs.stdin.close()
        theirs.wait()
    theirs.stdin = None
    listed = (repo.reftable / "tables.list").read_text().splitlines()
    assert len(listed) == len(knew)
    assert all((repo.reftable / name).exists() for name in listed), f"stopped with {len(there)} to go"
    assert len(repo.refs("refs/heads/0*")) == _TABLES

"""Expiring reflogs as git does: what git shows and logs afterwards, beside what its own expiry leaves."""

from __future__ import annotations

import shutil
from dataclasses import replace

from engine.format import LogRecord
from engine.stack import Stack
from tests.support.cli import ok
from tests.support.git import Repository

TAG = "refs/tags/t"


def stored(repo: Repository) -> list[LogRecord]:
    """The log records of the stack, by ref and newest first, without the update indexes of markers."""
    with Stack.open(repo.reftable, read_only=True) as stack:
        return [replace(log, update_index=0) if log.is_marker else log for log in stack.logs()]


def logged(repo: Repository) -> set[bytes]:
    return set(repo.git("reflog", "list").stdout.splitlines())


def test_a_reflog_whose_last_entry_expired_lives_on_as_after_gits_own_expiry(repo: Repository) -> None:
    old, new = (repo.commit(f"commit {number}").hex() for number in (1, 2))
    repo.git("tag", "--create-reflog", "t")
    names = logged(repo)
    assert TAG.encode() in names
    path = shutil.copytree(repo.path, repo.path.parent / "theirs")
    theirs = replace(repo, path=path, git_dir=path / ".git")
    ok("expire", "--before", "2100-01-01", repo.path)
    theirs.git("reflog", "expire", "--expire=now", "--all")
    theirs.git("pack-refs")  # which merges all tables, as our expiry does
    assert stored(repo) == stored(theirs)
    assert [log.is_marker for log in stored(repo)] == [True] * 3
    for repository in (repo, theirs):
        assert logged(repository) == names
        assert ok("logs", repository.path).lines == []
        assert ok("logs", "--deletions", repository.path).lines
        assert ok("print", repository.path).out.count(f"\n{'0' * 40} => {'0' * 40}\n".encode()) == 3
        repository.git("tag", "-f", "t", old)
        assert [entry.new.hex() for entry in repository.reflog(TAG)] == [old]
        assert len(ok("logs", "--ref", TAG, repository.path).lines) == 1
        ok("add", repository.path, stdin=f"update {TAG} {new}\n".encode(), env=repo.runner.environment)
        assert [entry.new.hex() for entry in repository.reflog(TAG)] == [new, old]
        # What expires now leaves the marker that is there already.
        ok("expire", "--before", "2100-01-01", repository.path)
        assert repository.reflog(TAG) == []
        assert logged(repository) == names
        repository.git("tag", "-d", "t")
        assert TAG.encode() not in logged(repository)
        assert ok("fsck", repository.path).code == 0
    assert [log for log in stored(repo) if log.name == TAG.encode()] == []


def test_compactions_of_git_and_ours_keep_a_marker(repo: Repository) -> None:
    repo.commit()
    ok("expire", "--before", "2100-01-01", repo.path)
    names = logged(repo)
    for number in range(3):
        repo.git("update-ref", f"refs/heads/b{number}", "HEAD")
    repo.git("pack-refs")
    assert names <= logged(repo)
    ok("compact", repo.path)
    assert names <= logged(repo)

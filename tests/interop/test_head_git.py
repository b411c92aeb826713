"""HEAD with a target of which a byte was altered: its reflog tells that. What git writes is not doubted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.findings import only
from tests.support.git import Git, Repository
from tests.support.handmade import change_byte
from tests.support.history import Layout
from tests.support.repairs import errors, mend
from tests.support.stacks import listed


def alter_target(repo: Repository, old: bytes, new: bytes) -> Path:
    """Put another name of the same length into what HEAD names; returns the newest table that has it."""
    tables = [repo.reftable / name for name in listed(repo.reftable)]
    path = [one for one in tables if with_target(old, new, one.read_bytes()) != one.read_bytes()][-1]
    path.write_bytes(with_target(old, new, path.read_bytes()))
    return path


def with_target(old: bytes, new: bytes, data: bytes) -> bytes:
    """The bytes of a table in which the record of HEAD comes first, with another target."""
    found = data[:64].partition(b"HEAD")
    return b"".join(found[:2]) + found[2].replace(old, new, 1) + data[64:]


def commits_only(repo: Repository) -> None:
    """HEAD is as `git init` wrote it: each commit has an entry in both reflogs."""
    repo.commit()


def renamed(repo: Repository) -> None:
    repo.git("branch", "-m", "work")
    repo.git("branch", "-m", "main")


@pytest.mark.parametrize("is_broken", [False, True], ids=["alone", "with a footer"])
@pytest.mark.parametrize("made", [commits_only, renamed, None])
def test_a_branch_that_head_names_with_an_altered_byte_is_told_by_its_reflog(
    git: Git, tmp_path: Path, made: Callable[[Repository], None] | None, is_broken: bool
) -> None:
    """Git takes it for a branch without commits, or for the other branch, if there is one."""
    repo = Layout().init(git, tmp_path / "repo", auto_compaction=False)
    repo.commit()
    branch = b"main"
    if made is None:
        for name in ("work", "word"):
            repo.git("branch", name)
        repo.git("switch", "word")
        branch = b"word"
    else:
        made(repo)
    assert errors(repo.reftable) == []
    table = alter_target(repo, b"refs/heads/" + branch, b"refs/heads/" + branch[:-1] + b"k")
    assert only(repo.reftable, "value-altered").file == table.name
    if is_broken:
        change_byte(table, table.stat().st_size - 1)
    assert mend(repo.reftable).told == {b"HEAD": "restored"}
    assert repo.git("symbolic-ref", "HEAD").stdout == b"refs/heads/" + branch + b"\n"


def test_a_head_that_names_a_branch_which_is_not_there_is_none_that_was_altered(
    git: Git, tmp_path: Path
) -> None:
    """Though another branch of almost this name has the value that the newest entry tells."""
    repo = Layout().init(git, tmp_path / "repo", auto_compaction=False)
    repo.commit()
    repo.git("switch", "-c", "work1")
    repo.git("branch", "work2")
    ways = {
        "orphan": [("switch", "--orphan", "work3")],
        "by hand": [("symbolic-ref", "HEAD", "refs/heads/work3")],
        "deleted": [("switch", "work1"), ("update-ref", "-d", "refs/heads/work1")],
        "other": [("branch", "-f", "work1", "work2"), ("symbolic-ref", "HEAD", "refs/heads/work1")],
        "without a reflog": [("reflog", "delete", "work1@{0}")],
    }
    for way in ways.values():
        for command in way:
            repo.git(*command)
        assert errors(repo.reftable) == []
    repo.git("worktree", "add", "-b", "beside", str(tmp_path / "beside"))
    repo.git("switch", "work1")
    repo.git("-C", str(tmp_path / "beside"), "update-ref", "-d", "refs/heads/work1")
    assert errors(repo.reftable) == []

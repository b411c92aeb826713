"""Which repository is meant where the environment says so, as for git."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine import find_repository
from engine.errors import RepositoryError
from tests.support.cli import ok, run
from tests.support.git import Git, Repository


@pytest.fixture
def two(git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Repository, Repository]:
    """Two repositories; the second is the one around the process."""
    there, here = git.init(tmp_path / "there"), git.init(tmp_path / "here")
    there.commit("there")
    here.commit("here")
    there.git("worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    monkeypatch.chdir(here.path)
    return there, here


def test_git_dir_names_the_repository_unless_a_path_is_given(
    two: tuple[Repository, Repository], monkeypatch: pytest.MonkeyPatch
) -> None:
    there, here = two
    assert ok("refs").lines == ok("refs", here.path).lines
    for value in (there.git_dir, os.path.relpath(there.git_dir)):
        monkeypatch.setenv("GIT_DIR", os.fspath(value))
        assert find_repository().git_dir == there.git_dir
        assert ok("refs").lines == ok("refs", there.path).lines
        assert find_repository(here.path).git_dir == here.git_dir
    ok("add", stdin=f"create refs/heads/new {there.oid('HEAD').hex()}\n".encode())
    assert b"refs/heads/new" in there.refs()
    assert b"refs/heads/new" not in here.refs()


def test_git_dir_may_be_that_of_a_worktree_or_the_file_that_points_to_it(
    two: tuple[Repository, Repository], monkeypatch: pytest.MonkeyPatch
) -> None:
    there, _ = two
    side = there.path.parent / "side"
    for value in (there.git_dir / "worktrees" / "side", side / ".git"):
        monkeypatch.setenv("GIT_DIR", os.fspath(value))
        with find_repository().refs() as refs:
            assert refs.current_branch() == b"refs/heads/side"
    monkeypatch.setenv("GIT_DIR", os.fspath(there.git_dir / "worktrees" / "side"))
    monkeypatch.setenv("GIT_COMMON_DIR", os.fspath(there.git_dir))
    assert find_repository().common_dir == there.git_dir


def test_a_git_dir_that_is_none_is_an_error_even_inside_a_repository(
    two: tuple[Repository, Repository], monkeypatch: pytest.MonkeyPatch
) -> None:
    there, _ = two
    for value in (there.git_dir / "nowhere", there.git_dir / "refs", there.path):
        monkeypatch.setenv("GIT_DIR", os.fspath(value))
        with pytest.raises(RepositoryError):
            find_repository()
        assert run("refs").code == 3

"""The repositories below directories: each kind of them, each once, whatever else lies there."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from engine.git import FoundRepository, find_repository, repositories_below
from tests.support.git import Git
from tests.support.stacks import make_stack


def below(*directories: Path) -> list[FoundRepository]:
    return [found for found in repositories_below(directories) if found is not None]


def paths(*directories: Path) -> list[str]:
    """Where repositories were found, as paths below the first directory."""
    found = below(*directories)
    assert [one.problem for one in found] == [None] * len(found)
    for one in found:
        find_repository(one.place, git=None)
    return [os.path.relpath(one.path, directories[0]) for one in found]


def bare(path: Path) -> Path:
    """What makes a git directory of a directory, and a stack."""
    path.mkdir(parents=True)
    make_stack(path / "reftable", 1)
    for name in ("objects", "refs"):
        (path / name).mkdir()
    (path / "HEAD").write_text("ref: refs/heads/.invalid\n")
    (path / "config").write_text("[core]\nrepositoryformatversion = 1\n[extensions]\nrefstorage = reftable\n")
    return path


def test_bare_repositories_and_work_trees_are_found_however_deep(tmp_path: Path) -> None:
    bare(tmp_path / "a" / "b" / "one.git")
    bare(tmp_path / "tree" / ".git")
    (tmp_path / "tree" / "src").mkdir()
    (tmp_path / "empty").mkdir()
    assert paths(tmp_path) == ["a/b/one.git", "tree"]
    assert paths(tmp_path / "tree") == ["."]
    assert paths(tmp_path / "tree" / ".git") == ["."]
    assert paths(tmp_path / "a" / "b" / "one.git") == ["."]


def test_the_inside_of_a_repository_is_not_entered_but_that_of_a_work_tree_is(tmp_path: Path) -> None:
    bare(tmp_path / "one.git")
    bare(tmp_path / "one.git" / "objects" / "hidden.git")
    bare(tmp_path / "tree" / ".git")
    bare(tmp_path / "tree" / ".git" / "modules" / "hidden")
    bare(tmp_path / "tree" / "nested" / ".git")
    assert paths(tmp_path) == ["one.git", "tree", "tree/nested"]


def test_a_stack_is_found_where_no_repository_is_around_it(tmp_path: Path) -> None:
    make_stack(tmp_path / "backup", 1)
    assert paths(tmp_path) == ["backup"]
    assert paths(tmp_path / "backup") == ["."]
    repository = bare(tmp_path / "tree" / ".git")
    assert paths(repository / "reftable") == ["."]


def test_a_repository_without_its_head_is_one_and_an_empty_git_directory_is_none(tmp_path: Path) -> None:
    (bare(tmp_path / "one.git") / "HEAD").unlink()
    (tmp_path / "tree" / ".git").mkdir(parents=True)
    assert paths(tmp_path) == ["one.git"]


def test_linked_worktrees_count_as_their_repository_in_whatever_order(git: Git, tmp_path: Path) -> None:
    repo = git.init(tmp_path / "main")
    repo.commit()
    for name in ("linked", "z-linked"):
        repo.git("worktree", "add", "-q", tmp_path / name)
    repo.git("worktree", "add", "-q", tmp_path / "main" / "inner")
    assert paths(tmp_path) == ["main"]
    assert paths(tmp_path / "linked", tmp_path / "z-linked") == ["../main"]
    [found] = below(tmp_path / "linked")
    assert len(find_repository(found.place, git=None).stacks) == 4


def test_worktrees_of_a_bare_repository_beside_them_count_as_that(git: Git, tmp_path: Path) -> None:
    repo = git.init(tmp_path / "one" / ".bare", bare=True)
    tree = repo.git("hash-object", "-t", "tree", "-w", "/dev/null").stdout.decode().strip()
    commit = repo.git("commit-tree", "-m", "x", tree).stdout.decode().strip()
    repo.git("update-ref", "refs/heads/main", commit)
    repo.git("worktree", "add", "-q", tmp_path / "one" / "a", "main")
    (tmp_path / "one" / ".git").write_text("gitdir: ./.bare\n")
    assert paths(tmp_path) == ["one/.bare"]


def test_submodules_are_found_by_their_work_trees(git: Git, tmp_path: Path) -> None:
    outer, inside = git.init(tmp_path / "outer"), tmp_path / "outer" / ".git" / "modules" / "one"
    inside.parent.mkdir()
    git.run("init", "-q", "--ref-format=reftable", f"--separate-git-dir={inside}", outer.path / "sub" / "one")
    assert paths(outer.path) == [".", "sub/one"]
    git.run("commit", "-q", "--allow-empty", "-m", "x", cwd=outer.path / "sub" / "one")
    git.run("worktree", "add", "-q", tmp_path / "linked", cwd=outer.path / "sub" / "one")
    assert paths(tmp_path) == ["outer/.git/modules/one", "outer"]


def test_a_git_directory_elsewhere_is_found_once(git: Git, tmp_path: Path) -> None:
    git.run("init", "-q", f"--separate-git-dir={tmp_path / 'a.git'}", tmp_path / "tree")
    (tmp_path / "link").mkdir()
    (tmp_path / "link" / ".git").symlink_to(tmp_path / "a.git")
    assert paths(tmp_path) == ["a.git"]
    assert paths(tmp_path / "link", tmp_path / "tree") == ["."]


def test_links_are_not_followed_and_directories_inside_each_other_are_one_search(tmp_path: Path) -> None:
    repository = bare(tmp_path / "in" / "one.git")
    (tmp_path / "in" / "loop").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "again.git").symlink_to(repository)
    (tmp_path / "out").symlink_to(tmp_path / "in")
    assert paths(tmp_path / "in", tmp_path / "in", tmp_path, repository, tmp_path / "out") == ["one.git"]
    assert paths(tmp_path / "out") == ["one.git"]
    hidden = bare(repository / "objects" / "hidden.git")
    assert paths(tmp_path, hidden) == ["in/one.git", "in/one.git/objects/hidden.git"]


def test_what_cannot_be_read_is_told_and_the_search_goes_on(tmp_path: Path) -> None:
    bare(tmp_path / "z.git")
    (tmp_path / "gone").mkdir()
    (tmp_path / "gone" / ".git").write_text("gitdir: nowhere\n")
    (tmp_path / "pipe").mkdir()
    os.mkfifo(tmp_path / "pipe" / ".git")
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / ".git").write_bytes(b"\xff\0" * 10_000)
    found = {
        os.path.relpath(one.path, tmp_path): one.problem for one in below(tmp_path, tmp_path / "missing")
    }
    assert found.pop("z.git") is None
    assert found.pop("missing") == "No such file or directory"
    assert list(found) == ["gone", "pipe", "text"]
    assert all(found.values())


def test_a_directory_without_right_to_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bare(tmp_path / "a" / "one.git")
    bare(tmp_path / "b" / "two.git")
    scan = os.scandir

    def refusing(path: str) -> object:
        if os.fspath(path).endswith("/a"):
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", refusing)
    refused, found = below(tmp_path)
    assert Path(refused.path).name == "a"
    assert (refused.problem or "").startswith("not readable by you")
    assert (Path(found.path).name, found.problem) == ("two.git", None)


def test_what_is_removed_meanwhile_is_no_problem(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    search = repositories_below([tmp_path])
    assert next(search) is None
    (tmp_path / "a" / "b").rmdir()
    (tmp_path / "a").rmdir()
    assert list(search) == [None]


def test_hostile_directories_do_not_stop_the_search(tmp_path: Path) -> None:
    bare(tmp_path / "z.git")
    os.mkfifo(tmp_path / "HEAD")
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.fspath(tmp_path / "s"))
    (tmp_path / os.fsdecode(b"\xff\n\x1b[31m")).mkdir()
    bare(tmp_path / os.fsdecode(b"\xff\n\x1b[31m") / "one.git")
    at = os.open(tmp_path, os.O_RDONLY)
    for _ in range(20):  # longer than any path may be
        os.mkdir("deep" * 60, dir_fd=at)
        inner = os.open("deep" * 60, os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = inner
    os.close(at)
    found = below(tmp_path)
    assert sorted(Path(one.path).name for one in found if one.problem is None) == ["one.git", "z.git"]
    assert [one.problem for one in found if one.problem is not None] == ["File name too long"]

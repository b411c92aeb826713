"""Objects of the repository around a stack: known soon after they were asked for, or never, without harm."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.errors import RepositoryError
from engine.format import LogRecord, RefRecord
from engine.git import Repository as Found, find_repository
from engine.merge import MergedTable
from engine.stack import Stack
from inspector.model import RepositoryObjects, object_of, objects
from inspector.model.trace import Link, RefTrace
from inspector.rows import LogRow, RefRow
from tests.support.environment import enter_environment_of
from tests.support.git import Git, Repository
from tests.support.screens import branches, make_stack
from tests.support.tables import oid


@pytest.fixture(autouse=True)
def git_environment(git: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment that git programs of the engine inherit."""
    enter_environment_of(git, monkeypatch)


def ask(known: RepositoryObjects, wanted: bytes) -> list[str | None]:
    """Have an object read; the types of the chain that begins with it."""
    known.want(wanted)
    assert list(known.work()) in ([], [wanted])
    assert not known.wanting
    return [one.type for one in known.chain(wanted)]


def test_a_tag_is_followed_to_what_it_points_to(repo: Repository) -> None:
    commit = repo.commit("first")
    tag = repo.tag("again", repo.tag("v1").hex())
    known = RepositoryObjects(lambda: find_repository(repo.path))
    assert ask(known, tag) == ["tag", "tag", "commit"]
    assert ask(known, commit) == ["commit"]
    known.want(commit)
    assert not known.wanting, "what is known is not asked for again"
    assert ask(known, b"\1" * 20) == [None]
    known.close()


def test_only_the_newest_question_is_asked_and_only_so_much_is_kept(
    repo: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "MAX_OBJECTS", 2)
    commits = [repo.commit(str(number)) for number in range(3)]
    known = RepositoryObjects(lambda: find_repository(repo.path))
    known.want(commits[0])
    assert ask(known, commits[1]) == ["commit"]
    assert known.get(commits[0]) is None
    for commit in commits:
        ask(known, commit)
    assert [known.get(commit) is not None for commit in commits] == [False, True, True]
    known.close()


def test_without_a_repository_or_a_git_nothing_is_known_and_nothing_is_asked_again(
    repo: Repository, tmp_path: Path
) -> None:
    def broken() -> Found:
        raise RepositoryError("no")

    plain = tmp_path / "plain"
    plain.mkdir()
    Stack.open(plain).close()
    for find in (lambda: find_repository(repo.path, None), lambda: find_repository(plain), broken):
        known = RepositoryObjects(find)
        assert ask(known, b"\1" * 20) == []
        assert known.is_useless
        assert known.repository is None
        known.want(b"\2" * 20)
        assert not known.wanting


def test_a_git_that_is_silent_twice_is_asked_no_more(
    repo: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "silent"
    program.write_text("#!/bin/sh\n[ $1 != version ] || echo git version 2.50\n")
    program.chmod(0o755)
    monkeypatch.setenv("REFTABLE_GIT", str(program))
    known = RepositoryObjects(lambda: find_repository(repo.path))
    assert ask(known, b"\1" * 20) == []
    assert not known.is_useless
    assert ask(known, b"\2" * 20) == []
    assert known.is_useless
    known.close()


def test_what_a_row_leads_to() -> None:
    value, symref = RefRecord(b"x", 1, oid(1)), RefRecord(b"HEAD", 1, target=b"x")
    assert object_of(RefRow(value, 0)) == oid(1)
    assert object_of(RefRow(RefRecord(b"x", 1), 0)) is None
    assert object_of(RefRow(symref, 0)) is None
    links = (Link(b"HEAD", symref), Link(b"x", value))
    trace = RefTrace(b"HEAD", (), (), (), False, None, links, "id", None)
    assert object_of(RefRow(symref, 0), trace) == oid(1)
    assert object_of(RefRow(RefRecord(b"HEAD", 2, target=b"y"), 0), trace) is None

    def entry(old: bytes | None, new: bytes | None) -> LogRow:
        return LogRow(LogRecord(b"x", 1, old, new), 0)

    assert object_of(entry(oid(1), oid(2))) == oid(2)
    assert object_of(entry(oid(1), bytes(20))) == oid(1)
    assert object_of(entry(None, None)) is None
    assert object_of(MergedTable([])) is None


def test_a_git_that_is_too_old_is_said_to_be(tmp_path: Path) -> None:
    old = tmp_path / "git"
    old.write_text("#!/bin/sh\necho git version 2.39.5\n")
    old.chmod(0o755)
    stack = tmp_path / "repo" / ".git" / "reftable"
    make_stack(stack, (branches(1), []))
    (stack.parent / "HEAD").write_text("ref: refs/heads/.invalid\n")
    (stack.parent / "objects").mkdir()
    (stack.parent / "config").write_text(
        "[core]\n\trepositoryformatversion = 1\n[extensions]\n\trefstorage = reftable\n"
    )
    known = RepositoryObjects(lambda: find_repository(tmp_path / "repo", os.fspath(old)))
    known.want(oid(1))
    assert list(known.work()) == [oid(1)]
    assert known.repository is None
    assert known.trouble is not None
    assert "git 2.39 is too old" in known.trouble
    assert list(known.work()) == []

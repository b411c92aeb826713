"""Which refs lead to an object, and which of several refs a name means, as git says."""

from __future__ import annotations

import pytest

from tests.support.cli import ok, run
from tests.support.git import Git, Repository


@pytest.fixture(scope="module")
def repo(git: Git, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    repo = git.init(tmp_path_factory.mktemp("pointing") / "repo")
    for number in range(2):
        repo.commit(str(number))
    repo.tag("v1", "HEAD~1")
    for name in ("heads/v1", "tags/main", "heads/old", "remotes/origin/old"):
        repo.git("update-ref", f"refs/{name}", "HEAD~1")
    for name, target in (
        ("one", "heads/main"),
        ("two", "heads/one"),
        ("of-tag", "tags/v1"),
        ("gone", "heads/no"),
    ):
        repo.git("symbolic-ref", f"refs/heads/{name}", f"refs/{target}")
    return repo


@pytest.mark.parametrize("what", ["HEAD", "HEAD~1", "refs/tags/v1", "HEAD^{tree}"])
@pytest.mark.parametrize("prefix", ["refs/", "refs/heads/o"])
def test_refs_that_point_at_an_object_are_those_of_git(repo: Repository, what: str, prefix: str) -> None:
    oid = repo.oid(what).hex()
    lines = ok("refs", repo.path, "--points-at", oid, "--prefix", prefix, "--format=%(refname)").lines
    git = repo.git("for-each-ref", "--points-at", oid, "--format=%(refname)").stdout.split()
    assert lines == [name for name in git if name.startswith(prefix.encode())]


def test_head_points_where_its_branch_does(repo: Repository) -> None:
    lines = ok("refs", repo.path, "--points-at", repo.oid("HEAD").hex()).lines
    assert [line.split()[-1] for line in lines] == [
        b"HEAD",
        *(b"refs/heads/" + name for name in (b"main", b"one", b"two")),
    ]


def test_an_object_is_named_by_a_ref_as_well(repo: Repository) -> None:
    for name in ("HEAD", "v1", "heads/two"):
        lines = ok("refs", repo.path, "--points-at", name, "--prefix", "refs/", "--format=%(refname)").lines
        git = repo.git("for-each-ref", "--points-at", name, "--format=%(refname)").stdout.split()
        assert lines == git
    assert "is no ref that has an object" in run("refs", repo.path, "--points-at", "nope").err


def test_prefixes_add_up(repo: Repository) -> None:
    asked = ["refs/tags/", "refs/heads/o", "refs/heads/old", "refs/heads/g"]
    lines = ok("refs", repo.path, *(word for name in asked for word in ("--prefix", name))).lines
    names = [line.split()[-1] for line in lines]
    assert names == sorted(
        {
            name
            for name in repo.git("for-each-ref", "--format=%(refname)").stdout.split()
            if name.startswith((b"refs/tags/", b"refs/heads/o"))
        }
        | {b"refs/heads/gone"}
    )


def test_a_revision_is_told_from_a_ref_that_is_not_there(repo: Repository) -> None:
    assert "git rev-parse" in run("resolve", "-C", repo.path, "HEAD~1").err
    assert "git rev-parse" not in run("resolve", "-C", repo.path, "nope").err


def test_a_name_that_means_several_refs_is_warned_of_as_by_git(repo: Repository) -> None:
    for name in ("v1", "main", "old", "one", "heads/v1", "refs/heads/v1", "HEAD"):
        done = run("resolve", "-C", repo.path, name)
        git = repo.git("rev-parse", name)
        assert done.lines[0].split()[0] == git.stdout.strip()
        assert (f"refname '{name}' is ambiguous" in done.err) == (b"ambiguous" in git.stderr)
    repo.git("config", "core.warnAmbiguousRefs", "false")
    assert run("resolve", "-C", repo.path, "v1").err == ""

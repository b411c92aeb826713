"""Every message that `git refs verify` has for reftables, made by hand, and what fsck says of it.

git verifies reftables since 2.53; an older one says nothing, and is no judge of what it does not know.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from engine.format import HashId, RefRecord
from engine.fsck import Severity
from engine.stack import Stack, StackOptions
from tests.support.cli import ok
from tests.support.findings import findings
from tests.support.git import Git, Repository
from tests.support.stacks import list_tables, listed

HEAD, OTHER = b"HEAD", b"refs/heads/other"
PLACES = ["main", "worktree", "bare", "sha256"]


@dataclass(frozen=True, slots=True)
class Case:
    """A symbolic ref by its target, or a ref with the null id; git's message; our code, None for none."""

    name: bytes
    target: bytes | None
    message: str | None
    code: str | None


CASES = [
    Case(HEAD, None, "badRefOid", "ref-id-null"),
    Case(OTHER, None, "badRefOid", "ref-id-null"),
    Case(b"refs/bisect/bad", None, "badRefOid", "ref-id-null"),
    Case(HEAD, b"refs/tags/v1", "badHeadTarget", "head-target"),
    Case(HEAD, b"refs/remotes/origin/main", "badHeadTarget", "head-target"),
    Case(HEAD, b"foo", "badHeadTarget", "head-target"),
    Case(HEAD, b"ORIG_HEAD", "badHeadTarget", "head-target"),
    Case(HEAD, b"refs/heads/a..b", "badReferentName", "symref-target"),
    Case(HEAD, b"refs/heads/unborn", None, None),
    Case(OTHER, b"refs/heads/a..b", "badReferentName", "symref-target"),
    Case(OTHER, b"..", "badReferentName", "symref-target"),
    Case(OTHER, b"../../x", "badReferentName", "symref-target"),
    Case(OTHER, b"foo", "badReferentName", "symref-target"),
    Case(OTHER, b"FETCH_HEAD", "badReferentName", "symref-target"),
    Case(OTHER, b"MERGE_HEAD", "badReferentName", "symref-target"),
    Case(OTHER, b"refs/heads/x.lock", "badReferentName", "symref-target"),
    Case(OTHER, b"ORIG_HEAD", None, None),
    Case(OTHER, b"AUTO_MERGE", None, None),
    Case(OTHER, b"MERGE_AUTOSTASH", None, None),
    Case(OTHER, b"foo/bar", "symrefTargetIsNotARef", "symref-outside"),
    Case(OTHER, b"main-worktree/HEAD", "symrefTargetIsNotARef", "symref-outside"),
    Case(OTHER, b"worktrees/w/HEAD", None, None),
    Case(OTHER, b"refs/heads/unborn", None, None),
]


def verified(repo: Repository) -> tuple[bool, bytes] | None:
    """Whether `git refs verify` succeeds, and what it says; None for a git that does not verify reftables."""
    version = repo.git("version").stdout.split()[2].split(b".")
    if (int(version[0]), int(version[1])) < (2, 53):
        return None
    done = repo.git("refs", "verify", check=False)
    return done.returncode == 0, done.stderr


def made(git: Git, tmp_path: Path, place: str) -> tuple[Repository, Path]:
    """A sound repository, and the stack that is to be given a fault."""
    repo = git.init(tmp_path / "repo", "sha256" if place == "sha256" else "sha1", bare=place == "bare")
    if place == "bare":
        tree = repo.git("hash-object", "-t", "tree", "-w", "--stdin").stdout.decode().strip()
        commit = repo.git("commit-tree", "-m", "one", tree).stdout.decode().strip()
        repo.git("update-ref", "refs/heads/main", commit)
    else:
        repo.commit()
    if place != "worktree":
        return repo, repo.reftable
    repo.git("worktree", "add", "-b", "side", tmp_path / "w")
    return repo, repo.git_dir / "worktrees" / "w" / "reftable"


def write(stack: Path, case: Case) -> None:
    with Stack.open(stack, StackOptions(skip_name_check=True, auto_compact=False)) as opened:
        null = bytes((opened.hash_id or HashId.SHA1).size)
        value = null if case.target is None else None
        record = RefRecord(case.name, opened.next_update_index, value, target=case.target)
        opened.add(lambda writer: writer.add_ref(record))


@pytest.mark.parametrize("place", PLACES)
def test_fsck_has_an_error_wherever_git_has_one(git: Git, tmp_path: Path, place: str) -> None:
    repo, stack = made(git, tmp_path, place)
    before = {path: path.read_bytes() for path in stack.iterdir()}
    for case in CASES:
        if place == "worktree" and case.name == OTHER:
            continue  # a ref of the main stack
        for path in stack.iterdir():
            path.unlink()
        for path, data in before.items():
            path.write_bytes(data)
        write(stack, case)
        found = {one.code: one.severity for one in findings(stack) if one.code != "symref-dangling"}
        assert list(found) == ([case.code] if case.code is not None else []), case
        if (of_git := verified(repo)) is None:
            continue
        is_sound, said = of_git
        assert (case.message.encode() if case.message else b"") in said, case
        assert (b": " in said) == (case.message is not None), (case, said)
        assert is_sound != (Severity.ERROR in found.values()), (case, said)


def test_a_name_that_git_warns_of_is_a_warning(git: Git, tmp_path: Path) -> None:
    repo, stack = made(git, tmp_path, "main")
    name = listed(stack)[0]
    os.rename(stack / name, stack / "foo.ref")
    list_tables(stack, ["foo.ref", *listed(stack)[1:]])
    assert {one.code: one.severity for one in findings(stack)} == {"table-name": Severity.WARNING}
    if (of_git := verified(repo)) is not None:
        assert of_git[0]
        assert b"badReftableTableName" in of_git[1]


def test_what_git_calls_an_error_is_mended_by_add(git: Git, tmp_path: Path) -> None:
    """The fix that the findings name."""
    repo, stack = made(git, tmp_path, "main")
    write(stack, Case(HEAD, b"refs/tags/v1", "", ""))
    write(stack, Case(OTHER, None, "", ""))
    write(stack, Case(b"refs/heads/third", b"foo", "", ""))
    write(stack, Case(b"refs/heads/fourth", b"a..b/c", "", ""))
    assert sum(one.severity is Severity.ERROR for one in findings(stack)) == 4
    commands = b"option no-deref\nsymref-update HEAD refs/heads/main\n" + b"".join(
        b"option no-deref\ndelete refs/heads/%s\n" % name for name in (b"other", b"third", b"fourth")
    )
    ok("add", repo.path, stdin=commands, env=repo.runner.environment)
    assert [one.code for one in findings(stack) if one.severity is Severity.ERROR] == []
    assert verified(repo) in (None, (True, b""))
    assert repo.git("symbolic-ref", "HEAD").stdout == b"refs/heads/main\n"

"""`--dry-run` the plan, the exit code of the real run as far as reading tells it, and not a byte written."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine import Stack, StackOptions
from engine.snapshot import find_snapshot
from tests.support.cli import ok, run
from tests.support.git import Repository
from tests.support.stacks import add_branches, make_stack


def everything(repo: Repository) -> dict[str, tuple[int, bytes]]:
    """All files of the git directory, with the times of their last change."""
    files = (path for path in repo.git_dir.rglob("*") if path.is_file())
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


@contextmanager
def nothing_written(repo: Repository) -> Iterator[None]:
    directories = [repo.git_dir, repo.reftable]
    before = everything(repo), [path.stat().st_mtime_ns for path in directories]
    yield
    # A lock that came and went shows in the time of its directory.
    assert (everything(repo), [path.stat().st_mtime_ns for path in directories]) == before


@pytest.fixture
def made(repo: Repository) -> tuple[Repository, str]:
    return repo, repo.commit().hex()


def test_a_dry_run_of_add_prints_what_the_real_one_writes(made: tuple[Repository, str]) -> None:
    repo, oid = made
    commands = f"create refs/heads/x {oid}\n".encode()
    env = {**repo.runner.environment, "GIT_COMMITTER_DATE": "1700000777 +0000"}
    with nothing_written(repo):
        planned = ok("add", "-m", "why", "--dry-run", "--json", repo.path, stdin=commands, env=env)
        told = ok("add", "-m", "why", "--dry-run", repo.path, stdin=commands, env=env).out.decode()
    assert "1 ref and 1 reflog entry will be written, all or none." in told
    assert f"create refs/heads/x\n  old none\n  new {oid}\n" in told
    assert ok("add", "-m", "why", "--json", repo.path, stdin=commands, env=env).objects == planned.objects
    again = f"update refs/heads/x {oid}\n".encode()
    with nothing_written(repo):
        assert (
            ok("add", "--dry-run", repo.path, stdin=b"").err == "reftable-inspector: nothing had to change\n"
        )
        assert ok("add", "--dry-run", repo.path, stdin=again, env=env).code == 0


def test_a_dry_run_of_add_is_refused_as_the_real_one_is(made: tuple[Repository, str]) -> None:
    repo, oid = made
    for commands, code in {
        f"create refs/heads/main {oid}": 5,
        f"create refs/heads/main/x {oid}": 2,
        f"create refs/heads/a..b {oid}": 2,
        "frobnicate": 2,
    }.items():
        for options in ([], ["--dry-run"]):
            with nothing_written(repo) if options else nothing_at_all():
                assert run("add", *options, repo.path, stdin=f"{commands}\n".encode()).code == code
    lock(repo)
    for options in ([], ["--dry-run"]):
        done = run("add", *options, repo.path, stdin=f"create refs/heads/x {oid}\n".encode())
        assert (done.code, "tables.list.lock" in done.err) == (4, True)
    (repo.reftable / "tables.list.lock").unlink()
    (repo.reftable / "tables.list").unlink()
    for options in ([], ["--dry-run"]):
        assert run("add", *options, repo.path, stdin=f"create refs/heads/x {oid}\n".encode()).code == 3


@contextmanager
def nothing_at_all() -> Iterator[None]:
    yield


def lock(repo: Repository) -> Path:
    path = repo.reftable / "tables.list.lock"
    path.touch()
    return path


def test_a_dry_run_of_undo_names_the_tables_that_come_and_go(made: tuple[Repository, str]) -> None:
    repo, oid = made
    with nothing_written(repo):
        assert run("undo", "--dry-run", repo.path).code == run("undo", repo.path).code == 2
    before = (repo.reftable / "tables.list").read_text().split()
    ok("add", repo.path, stdin=f"create refs/heads/x {oid}\n".encode())
    with nothing_written(repo):
        told = ok("undo", "--dry-run", repo.path).out.decode()
        (planned,) = ok("undo", "--dry-run", "--json", repo.path).objects
    assert told.startswith("The stack becomes what it was before the add of ")
    assert all(name in told for name in before)
    assert "  goes" in told
    lock(repo)
    assert run("undo", "--dry-run", repo.path).code == run("undo", repo.path).code == 4
    lock(repo).unlink()
    (undone,) = ok("undo", "--json", repo.path).objects
    assert planned == {**undone, "listed": None, "snapshot": None, "applied": False}


def test_a_dry_run_of_undo_is_refused_where_others_changed_the_stack(
    made: tuple[Repository, str],
) -> None:
    repo, oid = made
    ok("add", repo.path, stdin=f"create refs/heads/x {oid}\n".encode())
    repo.git("update-ref", "refs/heads/theirs", oid)
    with nothing_written(repo):
        assert run("undo", "--dry-run", repo.path).code == run("undo", repo.path).code == 5
        forced = ok("undo", "--force", "--dry-run", repo.path)
    assert "changed since" in forced.err
    assert b"refs/heads/theirs" in repo.refs()


def test_a_dry_run_needs_no_more_than_to_read() -> None:
    """It writes nothing: who looks at the repository of another user is told what would become of it."""
    # Not in tmp_path, into which others than the owner cannot even look.
    with tempfile.TemporaryDirectory() as parent:
        Path(parent).chmod(0o755)
        stack = Path(parent, "stack")
        make_stack(stack, 2)
        commands = b"delete refs/heads/branch-0000\n"
        ok("add", stack, stdin=commands.replace(b"0000", b"0001"))
        with Stack.open(stack, StackOptions(auto_compact=False)) as opened:
            add_branches(opened, 2, first=2)
        directories = [path for path in Path(parent).rglob("*") if path.is_dir()]
        for path in directories:
            path.chmod(0o555)
        changes = [["add"], ["compact"], ["expire", "--before", "2030-01-01"], ["undo", "--force"]]
        changes += [["snapshots", "--prune", "--newest", "0"]]
        changes += [["snapshots", option, find_snapshot(stack).id] for option in ("--keep", "--drop")]
        root = os.geteuid() == 0
        if root:  # whom no permission stops
            os.seteuid(65534)
        try:
            for change in changes:
                assert run(*change, stack, stdin=commands).code == 6, change
                done = run(*change, "--dry-run", stack, stdin=commands)
                assert done.code == 0, (change, done.err)
                assert done.out, change
        finally:
            if root:
                os.seteuid(0)
            for path in directories:
                path.chmod(0o755)

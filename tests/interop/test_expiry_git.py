"""Expiring reflogs as git does: what git shows and logs afterwards, beside what its own expiry leaves."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from dataclasses import replace

import pytest

from engine.format import LogRecord
from engine.merge import MergedTable, log_changes
from engine.readable import open_readable
from engine.stack import Stack
from inspector.model import StackView, newest_entry
from inspector.model.trace import trace_ref
from inspector.rows.record_rows import LogRows
from tests.support.cli import ok, run
from tests.support.git import Repository
from tests.support.tables import stack_files

DAY = 86400
TAG = "refs/tags/t"


def stored(repo: Repository) -> list[LogRecord]:
    """The log records of the stack, by ref and newest first, without the update indexes of markers."""
    with Stack.open(repo.reftable, read_only=True) as stack:
        return [log.replace(update_index=0) if log.is_marker else log for log in stack.logs()]


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


def fill(repo: Repository) -> None:
    """Reflogs with one entry of 200 days ago and one of now, and two stashes of 200 days ago."""
    now = int(time.time())
    oid = repo.commit("old", date=f"{now - 200 * DAY} +0000").hex()
    newer = repo.commit("new", date=f"{now} +0000").hex()
    for name in ("refs/heads/a", "refs/heads/b", "refs/remotes/o/a", "refs/x/y", "refs/stash"):
        for value, age in ((oid, 200), (newer, 199 if name == "refs/stash" else 0)):
            date = f"{now - age * DAY} +0000"
            repo.update_refs([f"update {name} {value}"], f"{age} days", date=date)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"gc.reflogExpire": "now"},
        {"gc.reflogExpire": "never"},
        {"gc.reflogExpire": "300.days.ago"},
        {"gc.reflogExpire": "2 weeks ago", "gc.refs/heads/*.reflogExpire": "never"},
        {"gc.refs/*.reflogExpire": "now", "gc.refs/heads/*.reflogExpire": "never"},
        {"gc.refs/heads/[^a].reflogExpire": "false", "gc.refs/*.reflogExpire": "all"},
        {"gc.refs/stash.reflogExpire": "yesterday", "gc.reflogExpire": "last year"},
        {"gc.refs/x/*.reflogExpireUnreachable": "now", "gc.reflogExpire": "all"},
        {"gc.refs/x/*.reflogExpireUnreachable": "never", "gc.refs/x/*.reflogExpire": "100.days.ago"},
    ],
    ids=str,
)
def test_what_is_old_is_what_gits_configuration_says(repo: Repository, settings: dict[str, str]) -> None:
    fill(repo)
    path = shutil.copytree(repo.path, repo.path.parent / "theirs")
    theirs = replace(repo, path=path, git_dir=path / ".git")
    for repository in (repo, theirs):
        for key, value in settings.items():
            repository.git("config", key, value)
    env = repo.runner.environment
    (plan,) = ok("expire", "--dry-run", "--json", repo.path, env=env).objects
    before = stored(repo)
    ok("expire", repo.path, env=env)
    theirs.git("reflog", "expire", "--all", "--expire-unreachable=never")
    theirs.git("pack-refs")
    assert stored(repo) == stored(theirs)
    left = [log for log in stored(repo) if not log.is_marker]
    names = sorted({log.name for log in before})
    expected = [
        {"name": name.decode(), "expired": had - has, "kept": has}
        for name in names
        for had, has in [[sum(log.name == name for log in logs) for logs in (before, left)]]
        if had > has
    ]
    assert plan["reflogs"] == expected
    assert plan["dropped"]["expired"] == len(before) - len(left)


def test_without_a_git_to_ask_only_plain_times_are_taken(repo: Repository) -> None:
    fill(repo)
    env = {**repo.runner.environment, "REFTABLE_GIT": "no-such-git"}
    repo.git("config", "gc.refs/heads/*.reflogExpire", "never")
    repo.git("config", "gc.reflogExpire", "100.days.ago")
    ok("expire", repo.path, env=env)
    left = Counter(log.name for log in stored(repo) if not log.is_marker)
    assert left == {
        b"HEAD": 1,
        b"refs/heads/main": 2,
        b"refs/heads/a": 2,
        b"refs/heads/b": 2,
        b"refs/remotes/o/a": 1,
        b"refs/x/y": 1,
        b"refs/stash": 2,
    }
    repo.git("config", "gc.reflogExpire", "last friday")
    before = stack_files(repo.reftable)
    done = run("expire", repo.path, env=env)
    assert done.code == 3
    assert "gc.reflogexpire is 'last friday'" in done.err
    repo.git("config", "--unset", "gc.reflogExpire")
    config = repo.git_dir / "config"
    config.write_text(config.read_text() + "[gc]\n\treflogExpire = no time at all\n")
    assert run("expire", repo.path, env=repo.runner.environment).code == 3
    assert stack_files(repo.reftable) == before


@pytest.mark.parametrize(
    ("options", "stays"),
    [
        ([], {"refs/stash": 2}),
        (["--ref", "refs/stash"], {"refs/stash": 0, "HEAD": 2, "refs/x/y": 2}),
        (["--ref", "refs/*"], {"refs/stash": 2, "HEAD": 2, "refs/x/y": 0, "refs/remotes/o/a": 0}),
        (["--ref", "refs/heads/a", "--ref", "HEAD"], {"refs/heads/a": 0, "HEAD": 0, "refs/heads/b": 2}),
        (["--except", "refs/heads/*", "--except", "HEAD"], {"refs/heads/b": 2, "HEAD": 2, "refs/x/y": 0}),
        (["--ref", "*", "--except", "*/a"], {"refs/heads/a": 2, "refs/remotes/o/a": 2, "refs/heads/b": 0}),
    ],
    ids=str,
)
def test_only_the_reflogs_that_are_meant_expire(
    repo: Repository, options: list[str], stays: dict[str, int]
) -> None:
    fill(repo)
    done = ok("expire", "--before", "2100-01-01", *options, repo.path)
    left = Counter(log.name.decode() for log in stored(repo) if not log.is_marker)
    assert {name: left[name] for name in stays} == stays
    for name, count in stays.items():
        assert (f"2     0  {name}" in done.out.decode()) == (count == 0)


def test_views_of_entries_leave_markers_out(repo: Repository) -> None:
    repo.commit()
    repo.git("reflog", "expire", "--expire=now", "--all")
    with open_readable(repo.reftable) as stack:
        view = StackView(stack)
        before = MergedTable([])
        assert [log.is_marker for log in stack.merged.logs()] == [True, True]
        assert list(LogRows(view.merged).all_entries()) == []
        assert trace_ref(view, b"HEAD").logs == ()
        assert newest_entry(stack.tables[-1]) is None
        assert sum(changes.added for changes in log_changes(before, stack.merged)) == 0

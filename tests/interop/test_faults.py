"""A process dies or fails at each system call that changes the disk: the stack is the old one or the new."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from engine.errors import ReftableError
from engine.record import LogRecord, RefRecord
from engine.snapshot import list_snapshots, prune, snapshots_directory
from engine.stack import Stack, StackOptions
from tests.support.faults import NEW, NOW, OPERATIONS, faults, prepare, survives
from tests.support.git import Git, Repository

State = tuple[list[RefRecord], list[LogRecord]]
ERRORS = (errno.ENOSPC, errno.EIO, errno.EACCES)
MOST_CALLS = 400


def state(directory: Path) -> State:
    """Return the records that the stack holds."""
    with Stack.open(directory, read_only=True) as stack:
        return list(stack.refs()), list(stack.logs())


def locks(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.lock"))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return prepare(tmp_path / "source")


def copies(source: Path, tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """Copy the stack with its snapshots, again and again."""
    for call in range(MOST_CALLS):
        parent = tmp_path / f"copy-{call:03}"
        shutil.copytree(source.parent, parent)
        yield call, parent / source.name
        shutil.rmtree(parent)
    raise AssertionError("there is no end of system calls")


def git_sees(repo: Repository, refs: list[RefRecord]) -> None:
    """Have git compare: to list refs it would want the objects as well."""
    values = {ref.name: (ref.value or b"").hex() for ref in refs}
    names = [*(b"refs/heads/b%d" % number for number in range(9)), NEW]
    lines = [b"verify %s %s\n" % (name, values.get(name, "0" * 40).encode()) for name in names]
    repo.git("update-ref", "--stdin", input=b"".join(lines))


def fail_at(call: int, code: int, reached: list[str], number: int, name: str) -> None:
    """Fail the call of one number, and note the names of all calls."""
    reached.append(name)
    if number == call:
        raise OSError(code, os.strerror(code), name)


def outcome(source: Path, tmp_path: Path, operation: str) -> State:
    parent = tmp_path / "outcome"
    shutil.copytree(source.parent, parent)
    OPERATIONS[operation](parent / source.name)
    return state(parent / source.name)


def assert_mended(directory: Path) -> None:
    """Once the locks of the dead are gone, changes succeed again, and leave nothing but the listed tables."""
    for lock in locks(directory):
        lock.unlink()
    with Stack.open(directory, StackOptions(auto_compact=False, lock_timeout_ms=0)) as stack:
        # A table that was not listed in time is newer than the stack until transactions have passed it.
        with stack.addition() as addition, addition.table() as writer:
            writer.set_limits(addition.update_index, addition.update_index + 9)
            writer.add_ref(RefRecord(b"refs/heads/mended", addition.update_index, bytes(20)))
        stack.compact_all()
        stack.clean()
        assert {path.name for path in directory.iterdir()} == {"tables.list", stack.tables[0].name}
    prune(directory, NOW + 10**9, count=0)
    if snapshots_directory(directory).exists():
        assert list(snapshots_directory(directory).iterdir()) == []


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_death_at_any_system_call_leaves_the_old_stack_or_the_new(
    source: Path, tmp_path: Path, operation: str, git: Git
) -> None:
    old, new = state(source), outcome(source, tmp_path, operation)
    repo = git.init(tmp_path / "repo")
    was_new = False
    for call, directory in copies(source, tmp_path):
        survived = survives(call, partial(OPERATIONS[operation], directory))
        now = state(directory)
        assert now in (old, new), call
        # Once the change has happened, a later death does not undo it.
        assert now == new or not was_new, call
        was_new = now == new != old
        shutil.rmtree(repo.reftable)
        shutil.copytree(directory, repo.reftable)
        for lock in locks(repo.reftable):
            lock.unlink()
        git_sees(repo, now[0])
        for snapshot in list_snapshots(directory):
            assert all(snapshot.file(name).is_file() for name in snapshot.files)
        assert_mended(directory)
        if survived:
            break
    assert now == new


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("code", ERRORS, ids=lambda code: errno.errorcode[code])
def test_a_failure_of_any_system_call_is_told_and_leaves_no_lock(
    source: Path, tmp_path: Path, operation: str, code: int
) -> None:
    old, new = state(source), outcome(source, tmp_path, operation)
    told = 0
    for call, directory in copies(source, tmp_path):
        reached: list[str] = []
        try:
            with faults(partial(fail_at, call, code, reached)):
                OPERATIONS[operation](directory)
        except (OSError, ReftableError):
            told += 1
        if len(reached) <= call:
            break
        assert state(directory) in (old, new)
        # Only what could not be removed is still there.
        if reached[call] not in ("unlink", "rmdir", "replace"):
            assert locks(directory) == [], (call, reached[call])
        assert_mended(directory)
    assert told >= 3

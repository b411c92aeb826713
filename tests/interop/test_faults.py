"""A process dies or fails at each system call that changes the disk: the stack is the old one or the new.

Nothing is lost either way. Once the locks of the dead are old, a repair clears away what is left, and pruning
what is left of snapshots.
"""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from engine.errors import FormatError, MissingTableError, ReftableError
from engine.options import StackOptions
from engine.record import LogRecord, RefRecord
from engine.repair import plan_repair, repair
from engine.snapshot import list_snapshots, prune, snapshots_directory
from engine.stack import Stack
from tests.support.faults import NEW, OPERATIONS, Operation, faults, prepare, survives
from tests.support.git import Git, Repository
from tests.support.repairs import errors
from tests.support.stacks import listed

State = tuple[list[RefRecord], list[LogRecord]] | tuple[bytes, dict[str, bytes]]
"""The records that a stack shows; of a broken one, its list and the bytes of its tables."""

ERRORS = (errno.ENOSPC, errno.EIO, errno.EACCES)
MOST_CALLS = 400
LATER = 10**9
"""Seconds after which no lock is young, and no unfinished snapshot in the making."""


def state(directory: Path) -> State:
    try:
        with Stack.open(directory, read_only=True) as stack:
            if stack.tables:
                return list(stack.refs()), list(stack.logs())
    except (FormatError, MissingTableError):
        pass
    path = directory / "tables.list"
    data = path.read_bytes() if path.exists() else b""
    tables = [directory / name for name in data.decode().split()]
    return data, {table.name: table.read_bytes() for table in tables if table.exists()}


def locks(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.lock"))


def everything(parent: Path) -> set[bytes]:
    """Return the contents of all files of a stack and of its snapshots."""
    return {path.read_bytes() for path in parent.rglob("*") if path.is_file()}


@pytest.fixture(params=OPERATIONS)
def operation(request: pytest.FixtureRequest) -> Operation:
    return OPERATIONS[request.param]


@pytest.fixture
def source(tmp_path: Path, operation: Operation) -> Path:
    directory = prepare(tmp_path / "source")
    operation.before(directory)
    return directory


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


def outcome(source: Path, tmp_path: Path, operation: Operation) -> State:
    parent = tmp_path / "outcome"
    shutil.copytree(source.parent, parent)
    operation.work(parent / source.name)
    return state(parent / source.name)


def clear_away(directory: Path) -> None:
    """Let the tools for it clear away what is left, and see that this is all of it."""
    options = StackOptions(auto_compact=False, lock_timeout_ms=0)
    later = time.time() + LATER
    repair(directory, plan_repair(directory, options, now=later), now=later)
    assert errors(directory) == []
    assert {path.name for path in directory.iterdir()} == {"tables.list", *listed(directory)}
    prune(directory, later, count=0)
    if snapshots_directory(directory).exists():
        kept = [one.path for one in list_snapshots(directory)]
        assert sorted(snapshots_directory(directory).iterdir()) == sorted(kept)
        assert all(one.kept for one in list_snapshots(directory))


def test_a_death_at_any_system_call_leaves_the_old_stack_or_the_new(
    source: Path, tmp_path: Path, operation: Operation, git: Git, record_property: pytest.RecordProperty
) -> None:
    old, new = state(source), outcome(source, tmp_path, operation)
    tables = {path.read_bytes() for path in source.glob("*.ref")}
    repo = git.init(tmp_path / "repo")
    was_new = False
    for call, directory in copies(source, tmp_path):
        survived = survives(call, partial(operation.work, directory))
        now = state(directory)
        assert now in (old, new), call
        # Once the change has happened, a later death does not undo it.
        assert now == new or not was_new, call
        was_new = now == new != old
        if operation.is_guarded:
            assert tables <= everything(directory.parent), call
        for snapshot in list_snapshots(directory):
            assert all(snapshot.file(name).is_file() for name in snapshot.files)
        clear_away(directory)
        if not isinstance(now[0], bytes):
            assert state(directory) in (now, new)
            shutil.rmtree(repo.reftable)
            shutil.copytree(directory, repo.reftable)
            git_sees(repo, state(directory)[0])
        if survived:
            record_property("deaths", call)
            break
    assert now == new


@pytest.mark.parametrize("code", ERRORS, ids=lambda code: errno.errorcode[code])
def test_a_failure_of_any_system_call_is_told_and_leaves_no_lock(
    source: Path, tmp_path: Path, operation: Operation, code: int, record_property: pytest.RecordProperty
) -> None:
    old, new = state(source), outcome(source, tmp_path, operation)
    before = locks(source)
    told = 0
    for call, directory in copies(source, tmp_path):
        reached: list[str] = []
        try:
            with faults(partial(fail_at, call, code, reached)):
                operation.work(directory)
        except (OSError, ReftableError):
            told += 1
        if len(reached) <= call:
            record_property("failures", call)
            break
        assert state(directory) in (old, new)
        # Only what could not be removed is still there, and what was there before.
        if reached[call] not in ("unlink", "rmdir", "replace"):
            left = {path.name for path in locks(directory)}
            assert left <= {path.name for path in before}, (call, reached[call])
        clear_away(directory)
    assert told >= 3

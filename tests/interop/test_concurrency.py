"""Many processes on one stack at once, git's and the engine's: nothing is lost, torn, or left behind.

And when they are killed: the stack is one that it was on the way, and what they leave behind is known for it.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from engine.errors import LockError
from engine.format import RefRecord
from engine.stack import Stack
from engine.stack.stack import StackOptions
from tests.support.faults import survives
from tests.support.git import Git, GitRef, Repository
from tests.support.objects import add_commits
from tests.support.stack_worker import EMAIL, LEFT, RIGHT
from tests.support.stacks import listed
from tests.support.thinning import ALL, thinned
from tests.support.views import engine_view, git_view

ROOT = Path(__file__).resolve().parents[2]
WRITERS = 6
CREATIONS = 20 if ALL else 5
PAIRS = 20 if ALL else 5
GIT_FOUND_ITSELF_OUTDATED = 256 - 12  # REFTABLE_OUTDATED_ERROR, of which pack-refs says nothing
MOST_CALLS = 400
PATIENCE = 120  # seconds; only a process that hangs takes them


def start(role: str, *args: object) -> subprocess.Popen[bytes]:
    """Start a process of `tests.support.stack_worker`."""
    command = [sys.executable, "-m", "tests.support.stack_worker", role, *map(str, args)]
    # Unbuffered, so that what follows a line that was read is still there for `communicate`.
    return subprocess.Popen(command, bufsize=0, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def finish(process: subprocess.Popen[bytes]) -> list[bytes]:
    """Wait until a worker ends, as it should without a complaint, and return the lines it printed."""
    try:
        out, complaint = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    assert (process.returncode, complaint) == (0, b"")
    return out.splitlines()


@contextmanager
def killed_at_the_end(*processes: subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def gets_its_lock(repo: Repository, *args: str, input: bytes | None = None) -> bool:  # noqa: A002
    """Run a git command, and return whether it was done: others may hold the lock, or be faster."""
    done = repo.git(*args, input=input, check=False)
    if done.returncode and done.returncode != GIT_FOUND_ITSELF_OUTDATED:
        assert re.search(rb"lock|outdated|concurrently modified", done.stderr), done
    return not done.returncode


def insist(repo: Repository, *args: str, input: bytes | None = None) -> None:  # noqa: A002
    """Run a git command until it gets its lock."""
    assert any(gets_its_lock(repo, *args, input=input) for _ in range(1000))


def files(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def listed_files(directory: Path) -> set[str]:
    return {"tables.list", *listed(directory)}


def test_many_writers_compactors_and_readers(git: Git, tmp_path: Path) -> None:
    config = {"reftable.lockTimeout": 20_000, "core.logAllRefUpdates": "always"}
    repo = git.init(tmp_path / "repo", config=config)
    commits = [oid.hex() for oid in add_commits(repo, 3)]
    one = commits[0]
    repo.update_refs([f"create {name.decode()} {one}" for name in (LEFT, RIGHT)])
    stop = tmp_path / "stop"

    def create_by_git(writer: int) -> None:
        for number in range(CREATIONS):
            name = f"refs/heads/git-{writer}-{number}"
            insist(repo, "update-ref", "-m", "git", name, one)

    def pair_by_git() -> None:
        for number in range(PAIRS):
            oid = commits[number % 2]
            data = f"update {LEFT.decode()} {oid}\nupdate {RIGHT.decode()} {oid}\n".encode()
            insist(repo, "update-ref", "-m", "pair", "--stdin", input=data)

    def pack_by_git() -> None:
        while not stop.exists():
            gets_its_lock(repo, "pack-refs")

    def read_by_git() -> int:
        names: set[bytes] = set()
        for reads in range(10_000):
            finished = stop.exists()
            refs = repo.refs()
            assert refs[LEFT] == refs[RIGHT]
            assert names <= refs.keys()
            names = set(refs)
            if finished:
                return reads
        raise AssertionError("the writers never came to an end")

    adders = [start("add", repo.reftable, f"engine-{n}", one, CREATIONS) for n in range(WRITERS)]
    pairing = start("pair", repo.reftable, ",".join(commits), PAIRS)
    compacting = start("compact", repo.reftable, 1, stop)
    readers = [start("read", repo.reftable, stop) for _ in range(2)]
    with (
        killed_at_the_end(*adders, pairing, compacting, *readers),
        ThreadPoolExecutor(WRITERS + 3) as threads,
    ):
        git_reads = threads.submit(read_by_git)
        packing = threads.submit(pack_by_git)
        by_git = [threads.submit(create_by_git, n) for n in range(WRITERS)] + [threads.submit(pair_by_git)]
        try:
            for written in by_git:
                written.result(PATIENCE)
            acknowledged = {line for adder in adders for line in finish(adder)}
            assert finish(pairing) == [b"done"]
        finally:
            stop.touch()
        packing.result(PATIENCE)
        assert git_reads.result(PATIENCE) > 0
        assert len(finish(compacting)) > 0
        assert min(int(finish(reader)[0]) for reader in readers) > 0

    created = {f"refs/heads/git-{n}-{k}".encode() for n in range(WRITERS) for k in range(CREATIONS)}
    assert len(acknowledged) == WRITERS * CREATIONS
    created |= acknowledged
    view = git_view(repo)
    assert view.refs.keys() == {*created, LEFT, RIGHT}
    assert {view.refs[name] for name in created} == {GitRef(bytes.fromhex(one))}
    assert view.refs[LEFT] == view.refs[RIGHT]
    assert {name: len(view.logs[name]) for name in created} == dict.fromkeys(created, 1)
    with Stack.open(repo.reftable, read_only=True) as stack:
        assert engine_view(stack) == view
        for name in (LEFT, RIGHT):
            logs = list(stack.logs(name))
            assert [log.email for log in logs].count(EMAIL) == PAIRS
            # Whoever changed the pair knew the change before: no update was lost between two others.
            assert [log.old for log in logs[:-1]] == [log.new for log in logs[1:]]
        indexes = {ref.update_index for ref in stack.refs() if ref.name in created}
        # No two transactions had the same update index: each saw the one before it.
        assert len(indexes) == len(created)
        plan = stack.plan_clean()
        assert (plan.removed, plan.kept) == ((), ())
    assert files(repo.reftable) == listed_files(repo.reftable)
    verified = repo.git("refs", "verify")
    assert verified.stdout + verified.stderr == b""


def assert_mended(directory: Path, oid: bytes) -> None:
    """Locks of the dead are named with their age; once they are removed, everything else can be cleaned."""
    locks = {name for name in files(directory) if name.endswith(".lock")}
    hour = 3600
    for name in locks:
        then = time.time() - hour
        os.utime(directory / name, (then, then))
    with Stack.open(directory, StackOptions(lock_timeout_ms=0, auto_compact=False)) as stack:
        compactions = [stack.compact_all] if len(stack.tables) > 1 else []
        refused, lock = [], ""
        if "tables.list.lock" in locks:
            refused, lock = [stack.addition().__enter__, stack.clean, *compactions], r"tables\.list\.lock"
        elif any(f"{table.name}.lock" in locks for table in stack.tables):
            refused, lock = compactions, r"\.ref\.lock"
        for change in refused:
            with pytest.raises(LockError, match=rf"{lock}: has existed for \d+ s") as caught:
                change()
            assert int(re.search(r"for (\d+) s", str(caught.value))[1]) >= hour
        assert locks <= {file.name for file in stack.plan_clean().kept}
        for name in locks:
            (directory / name).unlink()
        # A table that was not listed in time is newer than the stack until the next transaction.
        with stack.addition(reload=True) as addition, addition.table() as writer:
            writer.set_limits(addition.update_index, addition.update_index + 1)
            writer.add_ref(RefRecord(b"refs/heads/mended", addition.update_index, oid))
        stack.clean()
        # A table of records that no listed table holds is data, and stays.
        kept = {file.name for file in stack.plan_clean().kept}
        assert files(directory) - kept == listed_files(directory)
        stack.compact_all()
        assert len(files(directory) - kept) == 2


@pytest.mark.parametrize("list_is", ["missing", "empty", "an older one"])
@pytest.mark.parametrize("then", ["reload", "close"])
def test_a_handle_removes_no_table_that_a_lost_list_does_not_name(
    repo: Repository, list_is: str, then: str
) -> None:
    # Other programs rewrite the list in place, and a backup of it is put back by hand: the tables that it
    # does not name any more may be all that is left of the newest refs.
    (oid,) = add_commits(repo, 1)
    tables_list = repo.reftable / "tables.list"
    older = tables_list.read_bytes()
    with Stack.open(repo.reftable, StackOptions(auto_compact=False)) as stack:
        for number in range(2):
            with stack.addition() as addition, addition.table() as writer:
                writer.add_ref(RefRecord(b"refs/heads/b%d" % number, addition.update_index, oid))
        before = files(repo.reftable)
        tables_list.unlink()
        if list_is != "missing":
            tables_list.write_bytes(b"" if list_is == "empty" else older)
        if then == "reload":
            stack.reload()
            assert files(repo.reftable) | {"tables.list"} == before
    assert files(repo.reftable) | {"tables.list"} == before


@pytest.mark.parametrize(("operation", "least"), [("add", 25), ("compact_all", 15)])
def test_killed_at_any_system_call(repo: Repository, tmp_path: Path, operation: str, least: int) -> None:
    commits = add_commits(repo, 2)
    with Stack.open(repo.reftable, StackOptions(auto_compact=False)) as stack:
        for number in range(3):
            with stack.addition() as addition, addition.table() as writer:
                index = addition.update_index
                names = [b"refs/heads/b%d" % at for at in range(9) if at % 3 <= number]
                writer.add_refs(RefRecord(name, index, commits[number % 2]) for name in names)
                writer.add_ref(RefRecord(b"refs/tags/t%d" % number, index, commits[0]))
    old = repo.refs()
    new = old | {b"refs/heads/new": GitRef(commits[0])} if operation == "add" else old
    source = shutil.copytree(repo.reftable, tmp_path / "source")

    def work(directory: Path) -> None:
        """Do the operation, with the compaction that follows an addition by itself."""
        with Stack.open(directory, StackOptions(policy="geometric", lock_timeout_ms=20_000)) as stack:
            if operation == "compact_all":
                stack.compact_all()
                return
            with stack.addition() as addition, addition.table() as writer:
                writer.add_ref(RefRecord(b"refs/heads/new", addition.update_index, commits[0]))

    was_new = survived = False
    refs: dict[bytes, GitRef] = {}
    for call in thinned(range(MOST_CALLS), 5):
        directory = shutil.copytree(source, tmp_path / f"{call:03}")
        survived = survives(call, partial(work, directory))
        with Stack.open(directory, read_only=True) as stack:
            refs = engine_view(stack).refs
        assert refs in (old, new)
        # Once the change has happened, a later crash does not undo it.
        assert refs == new or not was_new
        was_new = refs == new != old

        shutil.rmtree(repo.reftable)
        shutil.copytree(directory, repo.reftable)
        assert repo.refs() == refs
        assert_mended(directory, commits[0])
        if survived:
            break
    assert survived
    assert call >= least
    assert refs == new


def test_killed_at_any_time(repo: Repository) -> None:
    repo.git("config", "core.logAllRefUpdates", "always")
    (oid,) = add_commits(repo, 1)
    rng = random.Random(7)
    done: set[bytes] = set()
    for round_ in range(6 if ALL else 2):
        prefix = f"refs/heads/git-{round_}-"
        workers = [
            start("add", repo.reftable, f"engine-{round_}", oid.hex(), 10_000),
            start("compact", repo.reftable, round_, repo.path / "never"),
        ]
        with killed_at_the_end(*workers):
            for worker in workers:
                assert worker.stdout is not None
                begun = worker.stdout.readline().rstrip()
                assert begun
                done.update({begun} if worker is workers[0] else ())
            killed_git = {prefix + str(number) for number in range(8)}
            for name in sorted(killed_git):
                with subprocess.Popen(
                    [repo.runner.program, "update-ref", "-m", "killed", name, oid.hex()],
                    cwd=repo.path,
                    env=repo.runner.environment,
                    stderr=subprocess.DEVNULL,
                ) as process:
                    time.sleep(rng.uniform(0, 0.03))
                    process.kill()
                if process.returncode == 0:
                    done.add(name.encode())
            for worker in workers:
                worker.kill()
            acknowledged = workers[0].communicate(timeout=PATIENCE)[0].splitlines()
        done.update(acknowledged)

        refs = repo.refs()
        assert done <= refs.keys() - {b"refs/heads/mended"}
        unknown = refs.keys() - done - {b"refs/heads/mended"}
        # Beyond those, only the one that the worker was at, and what git was at when it was killed.
        engines = {name for name in unknown if name.startswith(b"refs/heads/engine-")}
        assert engines <= {f"refs/heads/engine-{round_}-{len(acknowledged) + 1}".encode()}
        assert unknown - engines <= {name.encode() for name in killed_git}
        with Stack.open(repo.reftable, read_only=True) as stack:
            assert engine_view(stack) == git_view(repo)
        done |= unknown
        assert_mended(repo.reftable, oid)
    verified = repo.git("refs", "verify")
    assert verified.stdout + verified.stderr == b""

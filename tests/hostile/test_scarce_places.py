"""Places that give a change less than it needs: no room for a file, no right to write, a linked directory."""

from __future__ import annotations

import getpass  # noqa: F401 - another user, whom git tells no committer, asks it, and may not read its file
import os
import pickle
import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from engine.format import RefRecord
from engine.stack import Stack, StackOptions
from tests.support.cli import Outcome, ok, run
from tests.support.git import Repository
from tests.support.stacks import listed
from tests.support.tables import oid, stack_files
from tests.support.thinning import thinned

CREATE = b"create refs/heads/new %s\n" % (b"1" * 40)
CHANGES = {
    "add": ["add", "--force"],
    "compact": ["compact", "--all"],
    "expire": ["expire", "--before", "now"],
    "clean": ["clean"],
    "repair": ["repair", "--apply"],
    "undo": ["undo"],
}
ENOUGH = 20_000
"""Bytes that each file of each change fits into."""


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """Three tables of forty refs, and a fourth that a compaction has left."""
    directory = tmp_path / "first" / "reftable"
    directory.mkdir(parents=True)
    with Stack.open(directory, StackOptions(auto_compact=False)) as handle:
        for number in range(3):
            with handle.addition() as addition, addition.table() as writer:
                index = addition.update_index
                writer.add_refs(RefRecord(b"refs/heads/%02d" % at, index, oid(number)) for at in range(40))
    shutil.copy(directory / listed(directory)[0], directory / "0x000000000001-0x000000000001-00000bad.ref")
    return directory


@contextmanager
def no_file_longer_than(size: int) -> Iterator[None]:
    """Have the system refuse to make a file longer; Python ignores the signal that comes with it."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def prepared(stack: Path, change: str, place: Path) -> Path:
    """A copy of the stack in which there is something to change."""
    shutil.rmtree(place, ignore_errors=True)
    directory = Path(shutil.copytree(stack.parent, place)) / stack.name
    if change == "undo":
        ok("compact", "--all", directory)
    if change == "repair":
        os.truncate(directory / listed(directory)[1], 300)
    return directory


def tables(directory: Path) -> list[bytes]:
    """The content of the listed tables, whatever their names."""
    return [(directory / name).read_bytes() for name in listed(directory)]


@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_cannot_grow_leaves_the_old_stack_or_the_new_and_says_which(
    stack: Path, tmp_path: Path, change: str
) -> None:
    codes: list[int] = []
    for size in [*thinned(range(0, 2400, 60), 8), ENOUGH]:
        directory = prepared(stack, change, tmp_path / "copy")
        before, stood = stack_files(directory), tables(directory)
        with no_file_longer_than(size):
            done = run(*CHANGES[change], directory, stdin=CREATE if change == "add" else b"")
        after = stack_files(directory)
        assert not [name for name in after if name.endswith(".lock") or ".temp" in name], size
        assert done.code in {0, 1 if change == "repair" else 0, 6}, done.err
        if done.code == 6:
            # A script that reads anything else of a change that is made would make it once more.
            assert ("the change is made" in done.err) == (after != before), size
            assert "File too large" in done.err
        if after["tables.list"] != before["tables.list"]:
            # Of a snapshot that does not tell what came of the change, it has to be asked for by force.
            ok("undo", *(["--force"] if done.code == 6 else []), directory)
        assert tables(directory) == stood, size
        codes.append(done.code)
    assert codes[0] == 6
    assert codes[-1] != 6


def as_another_user(work: Callable[[], Outcome]) -> Outcome:
    """Do what is done here in a process without root's rights, which has loaded all it needs."""
    ours, theirs = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setresgid(65534, 65534, 65534)
                os.setresuid(65534, 65534, 65534)
            os.write(theirs, pickle.dumps(work()))
        finally:
            os._exit(0)
    os.close(theirs)
    with os.fdopen(ours, "rb") as pipe:
        said = pipe.read()
    os.waitpid(pid, 0)
    done = pickle.loads(said)  # noqa: S301 - of our own process
    assert isinstance(done, Outcome)
    return done


@pytest.fixture
def public() -> Iterator[Path]:
    """A directory that every user may enter, as those of pytest are not."""
    with TemporaryDirectory(dir="/tmp") as directory:
        os.chmod(directory, 0o755)  # noqa: S103 - that is the point
        yield Path(directory)


@pytest.mark.parametrize("closed", ["stack", "snapshots"])
@pytest.mark.parametrize("change", CHANGES)
def test_without_the_right_to_write_nothing_is_touched_and_all_can_be_read(
    stack: Path, public: Path, change: str, closed: str
) -> None:
    directory = prepared(stack, change, public / "copy")
    stdin = CREATE if change == "add" else b""
    assert run(*CHANGES[change], prepared(stack, change, public / "loads"), stdin=stdin).code in {0, 1}
    if closed == "snapshots":
        for path in (directory, *directory.iterdir()):
            path.chmod(path.stat().st_mode | 0o666)
        directory.chmod(0o777)
    for path in public.rglob("*-snapshots"):
        path.chmod(0o555)
    directory.parent.chmod(0o555)
    before, shown = stack_files(directory), run("refs", directory)
    done = as_another_user(lambda: run(*CHANGES[change], directory, stdin=stdin))
    assert done.code == 6
    assert "ermission" in done.err
    assert (stack_files(directory), as_another_user(lambda: run("refs", directory))) == (before, shown)
    directory.parent.chmod(0o755)


def test_a_stack_behind_a_link_is_changed_where_it_lies(repo: Repository) -> None:
    repo.commit()
    elsewhere = repo.path / "elsewhere" / "reftable"
    elsewhere.parent.mkdir()
    shutil.move(repo.reftable, elsewhere)
    repo.reftable.symlink_to(elsewhere)
    shown = repo.git("for-each-ref").stdout
    ok("compact", "--all", repo.path)
    (elsewhere / (listed(elsewhere)[0] + ".lock")).touch()
    for args in (["repair", "--apply", "--force"], ["undo"], ["undo"], ["clean"]):
        ok(*args, repo.path)
    assert repo.reftable.is_symlink()
    assert repo.git("for-each-ref").stdout == shown
    assert {path.name for path in elsewhere.parent.iterdir()} == {"reftable", "reftable-snapshots"}


def test_a_stack_behind_a_link_that_has_lost_all_is_no_empty_one(repo: Repository) -> None:
    repo.commit()
    elsewhere = repo.path / "elsewhere"
    shutil.move(repo.reftable, elsewhere)
    repo.reftable.symlink_to(elsewhere)
    for path in elsewhere.iterdir():
        path.unlink()
    assert [one["code"] for one in run("fsck", "--json", repo.path).objects] == ["stack-lost"]
    assert run("add", "--force", repo.path, stdin=CREATE).code == 3
    assert not list(elsewhere.iterdir())

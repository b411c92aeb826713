"""What root writes into the repository of another user is that user's, who could not read it otherwise."""

from __future__ import annotations

import errno
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Never

import pytest

from engine import Stack, StackOptions
from engine.fsck import Severity, fsck, quick_check
from engine.snapshot import find_snapshot, take_snapshot
from engine.snapshot.manifest import snapshots_directory
from engine.stack import LockFile, TemporaryTable
from tests.support.cli import ok, run
from tests.support.git import Git, Repository
from tests.support.stacks import add_branches, listed

USER, GROUP = 12345, 12346
THEIRS = (USER, GROUP)
pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="acts as two users, of which one is root"
)


def give(path: Path) -> None:
    """Make all below a path the other user's."""
    for one in (path, *path.rglob("*")):
        os.chown(one, *THEIRS, follow_symlinks=False)


def owners(path: Path) -> dict[tuple[int, int], list[str]]:
    """The files below a path, by user and group."""
    found: dict[tuple[int, int], list[str]] = {}
    for one in (path, *path.rglob("*")):
        status = one.lstat()
        found.setdefault((status.st_uid, status.st_gid), []).append(one.name)
    return found


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where others may go, with a umask under which none but the owner and the group may read."""
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "safe.directory")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "*")
    before = os.umask(0o027)
    try:
        with tempfile.TemporaryDirectory() as parent:
            Path(parent).chmod(0o755)
            yield Path(parent)
    finally:
        os.umask(before)


@pytest.fixture
def theirs(git: Git, place: Path) -> Repository:
    """A repository of the other user with a few tables."""
    repo = git.init(place / "repo", auto_compaction=False)
    for _ in range(3):
        repo.commit()
    give(repo.path)
    return repo


def refs_of_owner(stack: Path) -> list[bytes]:
    """The refs that the owner can read, as git does: from the tables listed, all of them."""
    os.setegid(GROUP)
    os.seteuid(USER)
    try:
        with Stack.open(stack, read_only=True) as opened:
            return [ref.name for ref in opened.merged.refs()]
    finally:
        os.seteuid(0)
        os.setegid(0)


def test_all_that_verbs_write_belongs_to_the_owner(theirs: Repository) -> None:
    stack = theirs.reftable
    before = refs_of_owner(stack)
    head = next(ref.value for ref in Stack.open(stack, read_only=True).merged.refs() if ref.value)
    for args, stdin in (
        (["compact"], ""),
        (["undo"], ""),
        (["expire", "--before", "2030-01-01"], ""),
        (["undo"], ""),
        (["add"], f"create refs/heads/x {head.hex()}\n"),
        (["snapshots", "--keep"], ""),
    ):
        newest = [find_snapshot(stack).id] if args[-1] == "--keep" else []
        ok(*args, *newest, theirs.path, stdin=stdin.encode())
        assert owners(theirs.path).keys() == {THEIRS}, args
        assert set(refs_of_owner(stack)) >= set(before)


def test_all_that_a_repair_writes_belongs_to_the_owner(theirs: Repository) -> None:
    """Of the repository around the stack as well, where git writes the configuration."""
    stack = theirs.reftable
    before = refs_of_owner(stack)
    with (stack / listed(stack)[0]).open("r+b") as file:
        file.seek(20)
        file.write(b"\xff")
    config = theirs.git_dir / "config"
    config.write_text(
        config.read_text().replace("repositoryformatversion = 1", "repositoryformatversion = 0")
    )
    for name in ("HEAD", "refs/heads"):
        (theirs.git_dir / name).unlink()
    (theirs.git_dir / "refs").rmdir()
    ok("repair", "--apply", theirs.path)
    assert owners(theirs.path).keys() == {THEIRS}
    assert refs_of_owner(stack) == before


def test_a_file_of_roots_is_no_model(theirs: Repository) -> None:
    """As `sudo git commit` leaves it: the list is root's, and the next change gives it back."""
    stack = theirs.reftable
    os.chown(stack / "tables.list", 0, 0)
    ok("compact", theirs.path)
    assert owners(stack).keys() == {THEIRS}


def test_a_file_has_the_group_of_the_one_that_it_replaces(theirs: Repository) -> None:
    """Others than its owner's group may look into the directory, but not into its files."""
    stack = theirs.reftable
    os.chown(stack, USER, 4242)
    ok("compact", theirs.path)
    assert {(one.stat().st_uid, one.stat().st_gid) for one in stack.iterdir()} == {THEIRS}


def test_the_list_of_another_writer_in_roots_directory_stays_that_ones(theirs: Repository) -> None:
    stack = theirs.reftable
    os.chown(stack, 0, 0)
    ok("compact", theirs.path)
    assert {(one.stat().st_uid, one.stat().st_gid) for one in stack.iterdir()} == {THEIRS}


def test_copies_of_a_snapshot_belong_to_the_owner_where_there_are_no_links(
    theirs: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> Never:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    snapshot = take_snapshot(theirs.reftable, "compact", 1_700_000_000)
    assert owners(snapshots_directory(theirs.reftable)).keys() == {THEIRS}
    for name in snapshot.files:
        was, now = (theirs.reftable / name).stat(), snapshot.file(name).stat()
        assert (was.st_mode, was.st_mtime_ns) == (now.st_mode, now.st_mtime_ns)


def test_a_directory_of_roots_in_the_place_of_the_snapshots_is_given_away_only_while_empty(
    theirs: Repository,
) -> None:
    """Its owner may have moved it there, to get what is in it."""
    parent = snapshots_directory(theirs.reftable)
    parent.mkdir(mode=0o700)
    (parent / "of root").touch()
    take_snapshot(theirs.reftable, "compact", 1_700_000_000)
    assert owners(parent)[0, 0] == [parent.name, "of root"]
    assert parent.stat().st_mode & 0o777 == 0o700
    shutil.rmtree(parent)
    parent.mkdir()
    take_snapshot(theirs.reftable, "compact", 1_700_000_000)
    assert owners(parent).keys() == {THEIRS}


def test_a_link_in_the_place_of_the_snapshots_is_not_followed(theirs: Repository, place: Path) -> None:
    """Its owner would get whatever it leads to."""
    (place / "roots").mkdir(mode=0o700)
    snapshots_directory(theirs.reftable).symlink_to(place / "roots")
    with pytest.raises(OSError, match="reftable-snapshots"):
        take_snapshot(theirs.reftable, "compact", 1_700_000_000)
    assert (place / "roots").stat().st_uid == 0
    assert (place / "roots").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("mode", [0o640, 0o644])
def test_where_not_even_root_may_give_files_away_nothing_is_written_that_the_owner_cannot_read(
    place: Path, monkeypatch: pytest.MonkeyPatch, mode: int
) -> None:
    """A share that squashes root, and a container without the capability, refuse it."""
    stack = place / "stack"
    stack.mkdir()
    stack.chmod(0o755)
    with Stack.open(stack, StackOptions(default_permissions=mode)) as opened:
        add_branches(opened, 2)
    give(stack)
    before = {one.name: one.read_bytes() for one in stack.iterdir()}

    def refuse(*_: object) -> Never:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "fchown", refuse)
    done = run("add", stack, stdin=b"delete refs/heads/branch-0000\n")
    if mode == 0o644:
        assert done.code == 0, done.err
        assert refs_of_owner(stack) == [b"refs/heads/branch-0001"]
    else:
        assert done.code == 6
        assert f"it cannot be given to user {USER}, who could not read it then" in done.err
        assert {one.name: one.read_bytes() for one in stack.iterdir()} == before


def test_a_lock_and_a_temporary_table_are_given_away_before_they_have_their_names(place: Path) -> None:
    place.chmod(0o755)
    os.chown(place, *THEIRS)
    with LockFile(str(place / "tables.list")), TemporaryTable(place, "0x1-0x1-1", None):
        assert owners(place).keys() == {THEIRS}
    os.chown(place, 0, 0)


def test_a_check_tells_what_the_owner_cannot_read_and_a_compaction_gives_it_back(theirs: Repository) -> None:
    """As `sudo git` leaves it under a strict umask: to its owner, the repository looks empty."""
    stack, code = theirs.reftable, "owner-not-permitted"
    newest = listed(stack)[-1]
    assert code not in [one.code for one in fsck(stack)]
    for name in (newest, "tables.list"):
        os.chown(stack / name, 0, 0)
    found = [one for one in fsck(stack) if one.code == code]
    assert [(one.file, one.severity) for one in found] == [
        ("tables.list", Severity.WARNING),
        (newest, Severity.WARNING),
    ]
    assert "it belongs to root and has the mode 640; the directory belongs to user 12345" in found[1].message
    assert code in [one.code for one in quick_check(stack).findings]
    with pytest.raises(PermissionError):
        refs_of_owner(stack)
    (stack / newest).chmod(0o644)  # for all
    os.chown(stack / "tables.list", 0, GROUP)  # for the group of the directory
    assert code not in [one.code for one in fsck(stack)]
    os.chown(stack / "tables.list", 0, 0)
    ok("compact", theirs.path)
    assert code not in [one.code for one in fsck(stack)]
    assert refs_of_owner(stack)

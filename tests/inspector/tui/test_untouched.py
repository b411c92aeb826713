"""Opening and looking never writes: nothing in the directory changes, not even a timestamp."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import pytest

from tests.support.git import Git
from tests.support.stacks import listed
from tests.support.terminal import inspector
from tests.support.walk import walk

Facts = tuple[int, ...]


def everything(directory: Path) -> dict[str, tuple[Facts, bytes]]:
    """Each file and directory below, with all that the system knows of it but when it was last read."""
    found = {}
    for path in (directory, *sorted(directory.rglob("*"))):
        status = path.lstat()
        facts = (
            status.st_mode,
            status.st_ino,
            status.st_nlink,
            status.st_uid,
            status.st_size,
            status.st_mtime_ns,
            status.st_ctime_ns,
        )
        data = path.read_bytes() if stat.S_ISREG(status.st_mode) else b""
        found[os.fspath(path.relative_to(directory))] = (facts, data)
    return found


@pytest.fixture
def littered(git: Git, tmp_path: Path) -> Path:
    """A repository of git with several tables, and beside them what processes that died have left."""
    repo = git.init(tmp_path / "repo", auto_compaction=False)
    for number in range(6):
        repo.commit(f"commit {number}")
        repo.branch(f"topic-{number}")
    repo.tag("v1.0")
    repo.git("branch", "-q", "-D", "topic-3")
    tables = sorted(repo.reftable.glob("*.ref"))
    shutil.copy(tables[0], repo.reftable / "0x000000000099-0x000000000099-0badcafe.ref")
    (repo.reftable / f"{tables[1].name}.lock").touch()
    (repo.reftable / ".tmp-leftover").write_bytes(b"half a table")
    (repo.reftable / "tables.list.lock").write_bytes(b"")
    return repo.git_dir


@pytest.mark.whole
@pytest.mark.timeout(300)
def test_looking_at_everything_changes_nothing(littered: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    before = everything(littered)
    with inspector(littered.parent, cwd=elsewhere, env={"HOME": str(elsewhere)}) as terminal:
        terminal.until("refs/heads/topic-1")
        terminal.quiet()
        assert walk(terminal) == 0, terminal.after_screen
        assert terminal.faults() == []
    after = everything(littered)
    assert after.keys() == before.keys()
    assert {name for name in before if after[name] != before[name]} == set()
    assert list(elsewhere.iterdir()) == []


def test_a_directory_in_which_no_user_may_write_is_shown_like_any_other(littered: Path) -> None:
    stack = littered / "reftable"
    stack.chmod(0o555)
    before = everything(littered)
    try:
        with inspector(littered.parent) as terminal:
            terminal.until("refs/heads/topic-1")
            terminal.press(b"R", "changed")
            terminal.send(b"q")
            assert terminal.end() == 0
        assert everything(littered) == before
    finally:
        stack.chmod(0o755)


@pytest.mark.whole
def test_a_stack_that_is_changed_meanwhile_is_read_and_left_alone(littered: Path) -> None:
    stack = littered / "reftable"
    gone = listed(stack)[-1]
    with inspector(littered.parent) as terminal:
        terminal.until("refs/heads/topic-1")
        terminal.quiet()
        # As a compaction of git's leaves it: another list, and a table that the list has no more.
        names = [line for line in listed(stack) if line != gone]
        (stack / "new").write_text("".join(f"{name}\n" for name in names))
        (stack / "new").rename(stack / "tables.list")
        before = everything(littered)
        terminal.press(b"R", "changed")
        terminal.send(b"q")
        assert terminal.end() == 0
    assert everything(littered) == before


def test_a_touched_file_would_be_seen(littered: Path) -> None:
    before = everything(littered)
    list_file = littered / "reftable" / "tables.list"
    times = list_file.stat()
    os.utime(list_file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert everything(littered) != before

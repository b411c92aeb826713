"""Removing stale locks: never one that was taken meanwhile, or whose holder may be at work."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from engine.errors import LockError, OutdatedError
from engine.stack import cleaning as module, remove_stale_lock
from tests.support.findings import NOW
from tests.support.stacks import entries, exchange, lock, make_stack


@pytest.fixture
def stale(tmp_path: Path) -> Path:
    """A lock on the list that is old, and is the only file beside a stack."""
    make_stack(tmp_path, 2)
    path = lock(tmp_path, "tables.list")
    path.write_bytes(b"stale")
    return path


def before(name: str, act: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Have `act` happen just before the first call of this function of `os`."""
    call, acts = getattr(os, name), [act]

    def late(*args: object, **options: object) -> object:
        while acts:
            acts.pop()()
        return call(*args, **options)

    monkeypatch.setattr(module.os, name, late)


def test_a_stale_lock_is_removed_once(stale: Path) -> None:
    assert remove_stale_lock(str(stale), now=NOW)
    assert not stale.exists()
    assert not remove_stale_lock(str(stale), now=NOW)
    assert not any("lock" in name for name in entries(stale.parent))


def test_a_young_lock_needs_force(stale: Path) -> None:
    now = stale.stat().st_mtime + 1
    with pytest.raises(LockError, match="a process may be at work"):
        remove_stale_lock(str(stale), now=now)
    assert stale.read_bytes() == b"stale"
    assert remove_stale_lock(str(stale), now=now, force=True)


def test_an_open_lock_needs_force(stale: Path) -> None:
    with stale.open(), pytest.raises(LockError, match="has it open"):
        remove_stale_lock(str(stale), now=NOW)
    assert remove_stale_lock(str(stale), now=NOW)


def test_a_lock_on_a_table_needs_force_while_a_temporary_file_is_open(tmp_path: Path) -> None:
    tables = make_stack(tmp_path, 2)
    held = lock(tmp_path, tables[0])
    with (tmp_path / f"{tables[0]}.temp.abc").open("wb"):
        with pytest.raises(LockError):
            remove_stale_lock(str(held), now=NOW)
        assert held.exists()
    assert remove_stale_lock(str(held), now=NOW)


@pytest.mark.parametrize("step", ["open", "rename"])
@pytest.mark.parametrize("force", [False, True])
def test_a_lock_that_was_taken_meanwhile_stays(
    stale: Path, monkeypatch: pytest.MonkeyPatch, step: str, force: bool
) -> None:
    before(step, lambda: exchange(stale, b"held"), monkeypatch)
    with pytest.raises(OutdatedError, match="another lock"):
        remove_stale_lock(str(stale), now=NOW, force=force)
    assert stale.read_bytes() == b"held"
    assert [name for name in entries(stale.parent) if "lock" in name] == [stale.name]


def test_a_lock_that_was_written_to_meanwhile_stays(stale: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when it was removed and taken again, and the file system gave the new one the same inode."""
    before("open", lambda: os.utime(stale), monkeypatch)
    with pytest.raises(OutdatedError):
        remove_stale_lock(str(stale), now=NOW)
    assert stale.exists()


@pytest.mark.parametrize("field", ["st_dev", "st_ino", "st_ctime_ns", "st_mtime_ns"])
def test_each_of_device_inode_and_times_makes_another_lock(stale: Path, field: str) -> None:
    """No test can make two files whose times of change are the same, but a fast machine can."""
    found = stale.stat()
    names = ("st_dev", "st_ino", "st_ctime_ns", "st_mtime_ns")
    fields = {name: getattr(found, name) for name in names}
    one, other = SimpleNamespace(**fields), SimpleNamespace(**fields | {field: fields[field] + 1})
    assert module.lock_identity(one) != module.lock_identity(other)  # type: ignore[arg-type]


def test_whatever_is_in_the_place_of_a_lock_is_not_waited_for(tmp_path: Path) -> None:
    make_stack(tmp_path, 1)
    path = tmp_path / "tables.list.lock"
    os.mkfifo(path)
    assert remove_stale_lock(str(path), now=NOW)
    path.symlink_to("nowhere")
    assert remove_stale_lock(str(path), now=NOW)


def test_a_lock_that_another_process_removes_meanwhile_is_none(
    stale: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before("open", stale.unlink, monkeypatch)
    assert not remove_stale_lock(str(stale), now=NOW)

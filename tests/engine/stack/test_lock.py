"""Lock files: who gets one, how long the others wait, and what becomes of it."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import pytest

from engine.errors import LockError
from engine.stack import LockFile, lock as lock_module
from tests.support.stacks import umask


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "tables.list"


class Clock:
    """A clock that stands still between pauses, and the pauses that were made."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.pauses: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    fake = Clock()
    monkeypatch.setattr(time, "monotonic", fake.monotonic)
    monkeypatch.setattr(time, "sleep", fake.sleep)
    return fake


@pytest.fixture
def steady(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses without jitter."""
    monkeypatch.setattr("engine.stack.lock.jitter", lambda low, high: (low + high) / 2)


def test_a_lock_is_a_file_beside_its_target_while_it_is_held(target: Path) -> None:
    with LockFile(str(target)) as lock:
        assert lock.path == str(target)
        assert lock.lock_path == f"{target}.lock"
        assert os.listdir(target.parent) == ["tables.list.lock"]
    assert os.listdir(target.parent) == []


def test_a_lock_is_held_by_one_only(target: Path) -> None:
    with LockFile(str(target)), pytest.raises(LockError) as caught:
        LockFile(str(target))
    assert caught.value.path == f"{target}.lock"
    LockFile(str(target)).close()


def test_a_lock_that_could_not_be_had_is_left_alone(target: Path) -> None:
    left = target.with_name("tables.list.lock")
    left.write_text("another's")
    with pytest.raises(LockError):
        LockFile(str(target), timeout_ms=5)
    assert left.read_text() == "another's"


def test_a_commit_makes_the_lock_the_file(target: Path) -> None:
    target.write_text("old")
    with LockFile(str(target)) as lock:
        lock.write(b"new ")
        lock.write(b"content")
        assert target.read_text() == "old"
        lock.commit()
        assert target.read_text() == "new content"
        # By now another process may have locked it.
        with LockFile(str(target)):
            lock.close()
            assert len(os.listdir(target.parent)) == 2
    assert os.listdir(target.parent) == ["tables.list"]


def test_an_error_releases_the_lock_and_keeps_the_file(target: Path) -> None:
    def fail() -> None:
        with LockFile(str(target)) as lock:
            lock.write(b"new")
            raise KeyError

    target.write_text("old")
    with pytest.raises(KeyError):
        fail()
    assert os.listdir(target.parent) == ["tables.list"]
    assert target.read_text() == "old"


def test_a_commit_that_fails_releases_the_lock(target: Path) -> None:
    target.mkdir()
    (target / "in the way").touch()
    with LockFile(str(target)) as lock, pytest.raises(OSError, match="directory"):
        lock.commit()
    assert os.listdir(target.parent) == ["tables.list"]


def test_a_closed_lock_is_still_held(target: Path) -> None:
    with LockFile(str(target)) as lock:
        lock.close_file()
        lock.close_file()
        with pytest.raises(LockError):
            LockFile(str(target))
    assert os.listdir(target.parent) == []


def test_releasing_twice_or_after_a_removal_by_hand_is_nothing(target: Path) -> None:
    lock = LockFile(str(target))
    lock.close()
    with LockFile(str(target)):
        lock.close()
        assert os.listdir(target.parent) == ["tables.list.lock"]
    with LockFile(str(target)):
        os.unlink(f"{target}.lock")


@pytest.mark.parametrize(
    ("mask", "mode", "expected"),
    [(0o022, None, 0o644), (0o077, None, 0o600), (0o077, 0o664, 0o664), (0o000, 0o600, 0o600)],
)
def test_permissions_are_those_asked_for_or_left_to_the_umask(
    target: Path, mask: int, mode: int | None, expected: int
) -> None:
    with umask(mask), LockFile(str(target), mode=mode) as lock:
        lock.commit()
    assert stat.S_IMODE(target.stat().st_mode) == expected


def test_a_lock_in_a_directory_that_is_not_there_is_an_os_error(target: Path) -> None:
    with pytest.raises(FileNotFoundError):
        LockFile(str(target / "x"), timeout_ms=-1)


def test_without_a_timeout_it_does_not_wait(target: Path, clock: Clock) -> None:
    with LockFile(str(target)), pytest.raises(LockError):
        LockFile(str(target), timeout_ms=0)
    assert clock.pauses == []


@pytest.mark.usefixtures("steady")
def test_waiting_begins_with_short_pauses_that_grow(target: Path, clock: Clock) -> None:
    with LockFile(str(target)), pytest.raises(LockError):
        LockFile(str(target), timeout_ms=100)
    pauses = [round(pause * 1000) for pause in clock.pauses]
    assert pauses[:6] == [1, 4, 9, 16, 25, 36]
    assert sum(pauses) == 100
    assert round((clock.now - 1000) * 1000) == 100


@pytest.mark.usefixtures("steady")
def test_no_pause_is_longer_than_a_second(target: Path, clock: Clock) -> None:
    with LockFile(str(target)), pytest.raises(LockError):
        LockFile(str(target), timeout_ms=60_000)
    assert max(clock.pauses) == 1.0
    assert clock.pauses.count(1.0) > 40


def test_pauses_differ_so_that_waiters_do_not_march_in_step(target: Path, clock: Clock) -> None:
    with LockFile(str(target)), pytest.raises(LockError):
        LockFile(str(target), timeout_ms=1000)
    for number, pause in enumerate(clock.pauses[:-1], 1):
        nominal = number * number / 1000
        assert 0.75 * nominal <= pause <= 1.25 * nominal
    assert any(pause != number * number / 1000 for number, pause in enumerate(clock.pauses[:-1], 1))


@pytest.mark.parametrize("timeout_ms", [50, -1])
def test_a_waiter_gets_the_lock_when_it_is_let_go(
    target: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, timeout_ms: int
) -> None:
    holder = LockFile(str(target))
    patience = 4 if timeout_ms > 0 else 400

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        if len(clock.pauses) == patience:
            holder.close()

    monkeypatch.setattr(time, "sleep", sleep)
    with LockFile(str(target), timeout_ms=timeout_ms):
        assert len(clock.pauses) == patience
    assert os.listdir(target.parent) == []


def test_the_error_tells_how_old_the_lock_is(target: Path) -> None:
    with LockFile(str(target)) as lock:
        long_ago = time.time() - 7200
        os.utime(lock.lock_path, (long_ago, long_ago))
        with pytest.raises(LockError, match=r"\b720[0-9] s\b"):
            LockFile(str(target))


def test_a_lock_that_goes_away_at_the_last_moment_is_still_an_error(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder = LockFile(str(target))
    describe = lock_module._describe_holder

    def describe_too_late(lock_path: str) -> str:
        holder.close()
        return describe(lock_path)

    monkeypatch.setattr(lock_module, "_describe_holder", describe_too_late)
    with pytest.raises(LockError, match="another process"):
        LockFile(str(target))


def test_a_file_that_cannot_be_closed_behind_the_commit_is_no_failure(target: Path) -> None:
    """The content was made durable before the rename."""
    with LockFile(str(target)) as lock:
        lock.write(b"new\n")
        (opened,) = (
            int(number)
            for number in os.listdir("/proc/self/fd")
            if os.path.realpath(f"/proc/self/fd/{number}") == os.path.realpath(lock.lock_path)
        )
        os.close(opened)
        lock.commit()
    assert lock.is_committed
    assert target.read_bytes() == b"new\n"

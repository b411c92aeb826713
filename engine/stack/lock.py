"""Lock files, as git makes them: `<path>.lock`, created only if it does not exist.

The process that created it owns `path`, may write the new content into the lock, and either commits
(the lock is renamed onto `path`) or releases it (the lock is unlinked). A lock that a dead
process left behind looks like a held one; nothing here removes it.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from itertools import count
from typing import ClassVar, Final

from engine.closing import Unfinished
from engine.errors import CommittedError, LockError, ReftableError, in_words
from engine.format import TABLES_LIST
from engine.stack.durable import change_mode, hand_over, sync, write_all
from engine.system import O_BINARY, POSIX, heir, replace_waiting

LOCK_SUFFIX: Final = ".lock"
LIST_LOCK: Final = TABLES_LIST + LOCK_SUFFIX

_LONGEST_WAIT_MS: Final = 1000
_DEFAULT_MODE: Final = 0o666


def jitter(low: float, high: float) -> float:
    """Any number between these, so that processes that wait for each other do not keep step.

    To import `random` takes longer than to read a ref.
    """
    return low + (high - low) * int.from_bytes(os.urandom(2)) / 0xFFFF


class LockFile(Unfinished):
    """A held lock on `path`; a context manager that releases unless committed.

    What fails in it behind the commit is raised as `CommittedError`: the change must not be made again.
    `mode` are the permissions of the lock, and so of the file it may become: None leaves them
    to the umask. `timeout_ms` is how long to wait for another holder: 0 not at all, negative
    for ever. Raises `LockError`, `OSError`.

    `commits` counts those of this process. An interrupt cannot become `CommittedError`, and may come at any
    line behind the rename: this tells what it has come behind, once the lock is closed.
    """

    __slots__ = ("_fd", "_held", "_status", "is_committed", "lock_path", "path")
    commits: ClassVar[int] = 0

    def __init__(self, path: str, *, timeout_ms: int = 0, mode: int | None = None) -> None:
        self.path = path
        self.lock_path = path + LOCK_SUFFIX
        self._fd, self._held, self.is_committed = -1, False, False
        self._status: os.stat_result | None = None
        super().__init__()
        self._fd, self._held = _create(self.lock_path, timeout_ms), True
        if mode is not None:
            change_mode(self._fd, mode, self.lock_path)
        hand_over(self._fd, self.lock_path, heir(path))

    def write(self, data: bytes) -> None:
        """Append to the lock file and make it durable."""
        write_all(self._fd, data, self.lock_path)
        sync(self._fd, self.lock_path)

    def close_file(self) -> None:
        """Close the file but keep the lock: many may be held without running out of descriptors."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def commit(self) -> None:
        """Make what was written the content of `path`, in one rename, and let go of the lock.

        An interrupt may come on either side of the rename. The file stays open until it is known to have
        happened: until then no other lock can be the same file, and `close` sees whether this one is ours.
        Where what is open cannot be renamed, no other file gets the number of this one that soon.
        A close that fails cannot undo that, nor lose what was made durable before: it is no failure.
        """
        if not POSIX:
            self._status = os.fstat(self._fd)
            self.close_file()
        replace_waiting(self.lock_path, self.path)
        self._note_commit()
        with suppress(OSError):
            self.close_file()

    def remove(self) -> None:
        """Have no file at `path`, which is a commit as well; the lock goes with `close`."""
        with suppress(FileNotFoundError):
            os.unlink(self.path)
        LockFile.commits += 1
        self.is_committed = True

    def _note_commit(self) -> None:
        """Count the commit. An interrupt in between makes `close` count it again, which does no harm."""
        LockFile.commits += 1
        self._held, self.is_committed = False, True

    def _is_at(self, path: str) -> bool:
        """Whether the file at `path` is the open one; a file that is not there is not."""
        try:
            return os.path.samestat(self._status or os.fstat(self._fd), os.lstat(path))
        except FileNotFoundError:
            return False

    def __exit__(self, *details: object) -> None:
        failure = details[1]
        try:
            self.close()
        except OSError as error:
            if failure is None and not self.is_committed:
                raise
            failure = failure or error
        is_told = isinstance(failure, CommittedError)
        if self.is_committed and isinstance(failure, ReftableError | OSError) and not is_told:
            raise CommittedError(self.path, in_words(failure)) from failure

    def close(self) -> None:
        """Let go of the lock; nothing happens after a commit or a second time."""
        if self._held:
            # Removed by hand meanwhile, it is as good as released; made anew, it is not ours.
            try:
                if (self._fd < 0 and self._status is None) or self._is_at(self.lock_path):
                    if not POSIX:
                        self.close_file()
                    with suppress(FileNotFoundError):
                        os.unlink(self.lock_path)
                elif self._is_at(self.path):  # an interrupt came just behind the rename
                    self._note_commit()
            except OSError:
                # It stays: a stale lock from now on, which is not to look as if this process were at work.
                self._held = False
                self.close_file()
                raise
        self._held = False
        self.close_file()


def _create(lock_path: str, timeout_ms: int) -> int:
    """Create the lock file, trying again with growing, jittered pauses until the timeout."""
    deadline = None if timeout_ms < 0 else time.monotonic() + timeout_ms / 1000
    for attempt in count(1):
        try:
            return os.open(lock_path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | O_BINARY, _DEFAULT_MODE)
        except FileExistsError:
            pass
        # Quadratic, as git's lockfile.c: the first waiters try often, the late ones seldom.
        wait_ms = min(attempt * attempt, _LONGEST_WAIT_MS)
        pause = wait_ms * jitter(0.75, 1.25) / 1000
        if deadline is not None:
            left = deadline - time.monotonic()
            if left <= 0:
                break
            pause = min(pause, left)
        time.sleep(pause)
    raise LockError(lock_path, _describe_holder(lock_path))


def _describe_holder(lock_path: str) -> str:
    try:
        age = max(time.time() - os.stat(lock_path).st_mtime, 0)
    except OSError:
        return "is locked by another process"
    return (
        f"has existed for {age:.0f} s; another process holds it, "
        "or one that died left it behind (then it can be removed)"
    )

"""System calls that change the disk, made to fail: as the system fails them, or by a death of the process.

A fault is a function that is called in front of each such call, and says what becomes of it.
"""

from __future__ import annotations

import builtins
import io
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

CHANGING: Final = (
    "chmod", "chown", "copy_file_range", "fchmod", "fchown", "fdatasync", "fsync", "ftruncate", "link",
    "mkdir", "mkfifo", "mknod", "open", "posix_fallocate", "pwrite", "pwritev", "remove", "removexattr",
    "rename", "replace", "rmdir", "sendfile", "setxattr", "symlink", "truncate", "unlink", "utime", "write",
    "writev",
)  # fmt: skip
"""The functions of `os` that change the disk; `open` where it writes, and the built-in one likewise."""

REMOVING: Final = ("remove", "rename", "replace", "rmdir", "unlink")
"""Those of them that a full disk does not stop."""

GO_ON: Final = 0
DIE: Final = -1


@dataclass(frozen=True, slots=True)
class Call:
    """A system call about to be made: its number, from 0, its name, and the file that it is about."""

    number: int
    name: str
    path: str


Fault = Callable[[Call], int]
"""What becomes of a call: GO_ON, DIE, or the number of the error that it fails with."""


Instead = Callable[[Call, Callable[..., Any], tuple[Any, ...], dict[str, Any]], Any]
"""What is done instead of a call, with the real function and its arguments."""


@contextmanager
def _intercepted(instead: Instead) -> Iterator[None]:
    """Have something done instead of every system call that changes the disk."""
    numbers = count()

    def wrap(real: Callable[..., Any], name: str) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:  # noqa: ANN401 - any of these functions
            if name == "open" and not _writes(*args, **options):
                return real(*args, **options)
            return instead(Call(next(numbers), name, _path(args[0])), real, args, options)

        return call

    places = [(os, name) for name in CHANGING] + [(builtins, "open"), (io, "open")]
    real_calls = [(module, name, getattr(module, name)) for module, name in places]

    def restore() -> None:
        for module, name, real in real_calls:
            setattr(module, name, real)

    for module, name, real in real_calls:
        setattr(module, name, wrap(real, name))
    try:
        yield
    finally:
        restore()


@contextmanager
def faults(fault: Fault) -> Iterator[None]:
    """Have `fault` decide on every system call that changes the disk."""

    def instead(
        call: Call, real: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]
    ) -> object:
        code = fault(call)
        if code != GO_ON:
            _do_half(real, call.name, args)  # of a write, a full disk takes a part
        if code == DIE:
            os.kill(os.getpid(), signal.SIGKILL)
        if code != GO_ON:
            raise _error(code, args)
        return real(*args, **options)

    with _intercepted(instead):
        yield


def moments(work: Callable[[], object], look: Callable[[int], None]) -> int:
    """Work, and `look` at the disk wherever `survives` would have the process die; returns how often.

    In front of each changing call of this number, that is, and half way through a write. At the end it is
    looked at once more.
    """
    looking = False
    number = 0

    def instead(
        call: Call, real: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]
    ) -> object:
        nonlocal looking, number
        if looking:  # that copies what it sees
            return real(*args, **options)
        done = _do_half(real, call.name, args)
        looking = True
        look(number)
        looking = False
        number += 1
        if call.name == "write":
            return done + real(args[0], bytes(args[1])[done:])
        if call.name == "sendfile":
            return done + real(*args[:2], args[2] + done, args[3] - done)
        return real(*args, **options)

    with _intercepted(instead):
        work()
    look(number)
    return number


def survives(call: int, work: Callable[[], object]) -> bool:
    """Work in a process that is killed in front of its changing call of this number; True if it has none.

    Of a write, half has happened by then.
    """
    pid = os.fork()
    if not pid:
        # Whatever happens here, it must not go on with the tests.
        try:
            with faults(lambda one: DIE if one.number == call else GO_ON):
                work()
            os._exit(0)
        finally:
            os._exit(1)
    status = os.waitpid(pid, 0)[1]
    assert status == 0 or os.WTERMSIG(status) == signal.SIGKILL, "the work itself has failed"
    return not status


def _writes(_path: object, mode: object = "r", *_: object, **options: Any) -> bool:  # noqa: ANN401
    """Whether an open, of either kind, may create or cut a file."""
    mode = options.get("mode", options.get("flags", mode))
    if isinstance(mode, int):
        return bool(mode & (os.O_CREAT | os.O_TRUNC))
    return any(letter in str(mode) for letter in "wax+")


def _path(file: Any) -> str:  # noqa: ANN401 - a path or a descriptor
    return os.readlink(f"/proc/self/fd/{file}") if isinstance(file, int) else os.fsdecode(file)


def _do_half(real: Callable[..., Any], name: str, args: tuple[Any, ...]) -> int:
    """Write half of what a call would write; returns how many bytes."""
    if name == "write":
        return int(real(args[0], bytes(args[1])[: len(args[1]) // 2]))
    if name == "sendfile":
        return int(real(*args[:3], os.fstat(args[1]).st_size // 2))
    return 0


def _error(code: int, args: tuple[Any, ...]) -> OSError:
    """Make the error as the system does: it knows of paths, and nothing of descriptors."""
    paths = [arg for arg in args[:2] if isinstance(arg, str | os.PathLike)]
    if len(paths) == 2:
        return OSError(code, os.strerror(code), paths[0], None, paths[1])
    return OSError(code, os.strerror(code), *paths)

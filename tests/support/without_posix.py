"""A system that has nothing of what only POSIX has, as far as this one can be made to look like it.

`python -m tests.support.without_posix HOW WORK ...` does a work of `works_without_posix.py`, or a
"verb" of the command line, in a process of its own; with "plain" for HOW as it is done here, with "pretended"
without what Windows lacks, and with its rule for files: one that a process has open can be neither removed
nor renamed, nor can another one take its name. What Python itself does otherwise there (pathlib, subprocess,
temporary files) stays as it is here.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module, reload
from typing import Any, Final

_MODULES: Final = ("fcntl", "grp", "pty", "pwd", "resource", "syslog", "termios", "tty")
_OF_OS: Final = """
    O_CLOEXEC O_DIRECTORY O_DSYNC O_NOATIME O_NOCTTY O_NOFOLLOW O_NONBLOCK O_PATH O_SYNC ST_RDONLY chown
    chroot confstr ctermid fchmod fchown fdatasync fork forkpty fstatvfs getegid geteuid getgid getgroups
    getloadavg getpgid getpgrp getpriority getresgid getresuid getsid getuid getxattr initgroups killpg
    lchown listxattr lockf major minor mkfifo mknod nice openpty pathconf pipe2 posix_fadvise
    posix_fallocate posix_spawn posix_spawnp pread preadv pwrite pwritev readv removexattr
    sched_getaffinity sched_yield sendfile setegid seteuid setgid setgroups setpgid setpriority setregid
    setresgid setresuid setreuid setsid setuid setxattr statvfs sync sysconf tcgetpgrp tcsetpgrp ttyname
    uname wait wait3 wait4 writev
"""
_OF_SIGNAL: Final = """
    SIGALRM SIGCHLD SIGCONT SIGHUP SIGPIPE SIGQUIT SIGSTOP SIGTSTP SIGTTIN SIGTTOU SIGUSR1 SIGUSR2
    SIGWINCH alarm pause pthread_kill pthread_sigmask set_wakeup_fd setitimer siginterrupt sigpending sigwait
"""


def pretend() -> None:
    """Make this process one on such a system, before anything of the program is imported."""
    # These bring what they need there with them; tests are written with some.
    import asyncio  # noqa: F401, PLC0415
    import multiprocessing.connection  # noqa: PLC0415
    import random  # noqa: F401, PLC0415
    import selectors  # noqa: PLC0415
    import shutil  # noqa: PLC0415
    import subprocess  # noqa: F401, PLC0415
    import tempfile  # noqa: F401, PLC0415
    import unittest.mock  # noqa: F401, PLC0415

    assert multiprocessing.connection
    for name in _MODULES:
        sys.modules[name] = None  # type: ignore[assignment] - as Python has it for what cannot be imported
    sys.builtin_module_names = tuple(name for name in sys.builtin_module_names if name != "posix")
    for module, names in ((os, _OF_OS), (signal, _OF_SIGNAL), (selectors, "EpollSelector PollSelector")):
        for name in names.split():
            if hasattr(module, name):
                delattr(module, name)
    os.supports_effective_ids = set()
    os.supports_dir_fd = set()
    os.supports_fd = set()
    reload(shutil)  # asks `os` what there is when it is imported
    _pretend_files()
    _pretend_names()


def _pretend_files() -> None:
    real_open, fstat, lstat, isdir = os.open, os.fstat, os.lstat, os.path.isdir
    listdir, read_link = os.listdir, os.readlink

    def in_use(path: Any) -> bool:  # noqa: ANN401 - whatever os takes
        """Whether this process has the file open, or one that is in the directory."""
        fds = [int(name) for name in listdir("/proc/self/fd")]
        if isdir(path) and not os.path.islink(path):
            inside = os.path.realpath(os.fspath(path)) + os.sep
            for fd in fds:
                try:
                    if read_link(f"/proc/self/fd/{fd}").startswith(inside):
                        return True
                except OSError:
                    continue
            return False
        try:
            wanted = lstat(path)
        except FileNotFoundError:
            return False
        for fd in fds:
            try:
                if os.path.samestat(fstat(fd), wanted):
                    return True
            except OSError:
                continue
        return False

    def require_free(path: Any) -> None:  # noqa: ANN401
        if in_use(path):
            raise PermissionError(errno.EACCES, "a process has it open", os.fspath(path))

    def opened(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:  # noqa: ANN401
        if isdir(path) and flags & os.O_TMPFILE != os.O_TMPFILE:  # Python's own temporary files
            raise PermissionError(errno.EACCES, "a directory cannot be opened", os.fspath(path))
        assert dir_fd is None
        return real_open(path, flags, mode)

    def renamed(real: Callable[..., None], source: Any, target: Any, **options: None) -> None:  # noqa: ANN401
        assert not any(options.values())
        require_free(source)
        require_free(target)
        if os.path.lexists(target) and (real is real_rename or isdir(target)):
            raise FileExistsError(errno.EEXIST, "there is such a file", os.fspath(target))
        real(source, target)

    def removed(real: Callable[..., None], path: Any, **options: None) -> None:  # noqa: ANN401
        assert not any(options.values())
        require_free(path)
        real(path)

    def synced(fd: int) -> None:
        with real_builtin_open(f"/proc/self/fdinfo/{fd}") as file:
            flags = next(int(line.split()[1], 8) for line in file if line.startswith("flags:"))
        if flags & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(errno.EBADF, "a file that is not open to be written cannot be synced")

    def linked(source: Any, target: Any, **_: object) -> None:  # noqa: ANN401
        real_link(source, target, follow_symlinks=False)

    def accessible(path: Any, mode: int, *, effective_ids: bool = False) -> bool:  # noqa: ANN401
        if effective_ids:
            raise NotImplementedError("effective_ids")
        return real_access(path, mode)

    def text_with_line_ends(
        file: Any,  # noqa: ANN401
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        **options: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        is_stream = isinstance(file, int)
        if "b" not in mode and set(mode) & set("wax+") and newline is None and not is_stream:
            raise AssertionError(f"the lines of {file} would not end as they are to")
        return real_builtin_open(file, mode, buffering, encoding, errors, newline, **options)

    real_builtin_open, real_link, real_access, real_rename = open, os.link, os.access, os.rename
    os.open = opened
    os.rename, os.replace = partial(renamed, os.rename), partial(renamed, os.replace)
    os.unlink = os.remove = partial(removed, os.unlink)
    os.fsync = synced
    os.link, os.access = linked, accessible
    builtins.open = io.open = text_with_line_ends


def hide_processes() -> None:
    """Have no /proc to see processes in, which makes for another verdict on locks here, too."""
    real = os.listdir

    def listdir(path: Any = ".") -> list[Any]:  # noqa: ANN401 - whatever os takes
        if path == "/proc":
            raise FileNotFoundError(errno.ENOENT, "there is no such directory", path)
        return real(path)

    os.listdir = listdir


def _pretend_names() -> None:
    """Names of files are any UTF-16 there, and bytes that are no UTF-8 are none."""
    os.fsdecode = lambda name: name if isinstance(name, str) else bytes(name).decode("utf-8", "surrogatepass")
    os.fsencode = lambda name: name if isinstance(name, bytes) else str(name).encode("utf-8", "surrogatepass")


def main(how: str, work: str, *args: str) -> None:
    """Do a work in this process."""
    if work == "screen":  # these ask for the name of the system, which is what it was
        import_module("platformdirs")
        import_module("textual.app")
    if how == "pretended":
        pretend()
    else:
        os.fsync = lambda _fd: None
    hide_processes()
    if work == "verb":
        sys.argv[1:] = args
        import_module("inspector.cli").main()
    elif work == "screen":
        import_module("tests.support.screen_without_posix").screen(*args)
    else:
        getattr(import_module("tests.support.works_without_posix"), work)(*args)


if __name__ == "__main__":
    main(*sys.argv[1:])

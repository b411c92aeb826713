"""Which processes have certain files open, as far as the system tells: Linux, and what permissions allow.

Reads the links in /proc/*/fd and the short name of a process, and nothing that waits for that process: a
process that hangs in the kernel may hold up a reader of its command line, but not of these. No file that is
asked about is touched. That no process is found never means that there is none: other users'
processes, other containers and other machines cannot be seen.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import suppress
from itertools import islice
from typing import Final, NamedTuple

_PROC: Final = "/proc"
_MOST_PROCESSES: Final = 8192
_MOST_LINKS: Final = 131072
_LONGEST_NAME: Final = 64


class Holder(NamedTuple):
    """A process: its id and the name that the system has for it, any bytes but NUL, surrogate-escaped."""

    pid: int
    command: str

    def __str__(self) -> str:
        """`process 4711 (git)`, fit for a terminal."""
        return f"process {self.pid} ({ascii(self.command)[1:-1]})"


class Holders(NamedTuple):
    """Which process has which file open, by path; `complete` when all other users' could be looked into.

    `unseen` are the users whose processes could not; empty where it is not even known which.
    """

    found: dict[str, Holder]
    complete: bool
    unseen: frozenset[int] = frozenset()

    def may_hide(self, user: int) -> bool:
        """Whether a process of this user may have a file open unseen: one that it made is the user's."""
        return not self.complete and (not self.unseen or user in self.unseen)


def find_holders(paths: Collection[str]) -> Holders:
    """The process that has each of `paths` open; of several, the first found.

    Paths are absolute and free of symbolic links. Looks at a bounded number of open files; never raises.
    """
    wanted = set(paths)
    found: dict[str, Holder] = {}
    unseen: set[int] = set()
    left = _MOST_LINKS
    processes = _processes()
    # There is always a process 1: where it is not shown, those of other users are not either.
    complete = processes is not None and 1 in processes and len(processes) <= _MOST_PROCESSES
    for pid in (processes or ())[:_MOST_PROCESSES]:
        if not wanted:
            break
        try:
            for target in islice(_open_files(pid), left):
                left -= 1
                if target in wanted:
                    found[target] = Holder(pid, _command(pid))
                    wanted.discard(target)
        except PermissionError:
            with suppress(OSError):  # it has ended
                unseen.add(os.stat(f"{_PROC}/{pid}").st_uid)
        except OSError:
            continue  # it has ended
        if not left:
            complete = False
            break
    if not complete:
        return Holders(found, complete=False)
    # One of the own user has more privileges than others: the first of a container, no writer of refs.
    unseen.discard(os.geteuid())
    return Holders(found, not unseen, frozenset(unseen))


def _processes() -> list[int] | None:
    try:
        return sorted(int(name) for name in os.listdir(_PROC) if name.isascii() and name.isdigit())
    except OSError:
        return None


def _open_files(pid: int) -> Iterator[str]:
    """What the open files of a process are called, without touching them. Raises `OSError`."""
    directory = f"{_PROC}/{pid}/fd"
    with os.scandir(directory) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):  # closed meanwhile
                yield os.readlink(entry.path)


def _command(pid: int) -> str:
    try:
        with open(f"{_PROC}/{pid}/comm", "rb") as file:
            return os.fsdecode(file.read(_LONGEST_NAME).removesuffix(b"\n"))
    except OSError:
        return "?"

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
from dataclasses import dataclass
from itertools import islice
from typing import Final

_PROC: Final = "/proc"
_MOST_PROCESSES: Final = 8192
_MOST_LINKS: Final = 131072
_LONGEST_NAME: Final = 64


@dataclass(slots=True, frozen=True)
class Holder:
    """A process: its id and the name that the system has for it, any bytes but NUL, surrogate-escaped."""

    pid: int
    command: str

    def __str__(self) -> str:
        """`process 4711 (git)`, fit for a terminal."""
        return f"process {self.pid} ({ascii(self.command)[1:-1]})"


@dataclass(slots=True, frozen=True)
class Holders:
    """Which process has which file open, by path; `complete` when every process could be looked into."""

    found: dict[str, Holder]
    complete: bool


def find_holders(paths: Collection[str]) -> Holders:
    """The process that has each of `paths` open; of several, the first found.

    Paths are absolute and free of symbolic links. Looks at a bounded number of open files; never raises.
    """
    wanted = set(paths)
    found: dict[str, Holder] = {}
    complete = True
    left = _MOST_LINKS
    processes = _processes()
    if processes is None or len(processes) > _MOST_PROCESSES:
        complete = False
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
            complete = False
        except OSError:
            continue  # it has ended
        if not left:
            complete = False
            break
    return Holders(found, complete)


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

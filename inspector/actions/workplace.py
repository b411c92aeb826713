"""The stack that actions work on, and command lines about it, ready to be pasted into a shell."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Final

from engine import snapshot, stack
from engine.errors import RepositoryError
from engine.git import Repository, find_repository
from engine.stack import StackOptions
from engine.system import POSIX, user_id
from inspector.text import safe_name

PROGRAM: Final = "reftable-inspector"


class RefusedError(PermissionError):
    """Nothing may be changed here; the message says why, and what would change that."""


class Workplace:
    """The stack that actions work on, and how they open it: always with a handle of their own.

    `repository` is the one that the stack was found through; None where there was none to look for. The
    stack is opened with the options `given`, or else with those that git's configuration asks for. With
    `read_only` every change is refused.
    """

    def __init__(
        self,
        directory: Path,
        given: StackOptions | None,
        repository: Repository | None = None,
        *,
        read_only: bool = False,
    ) -> None:
        self.directory = directory
        self.given = given
        self.repository = repository
        self.read_only = read_only

    def at(self, directory: Path) -> Workplace:
        """This one with another stack."""
        return Workplace(directory, self.given, self.repository, read_only=self.read_only)

    @cached_property
    def options(self) -> StackOptions:
        """What the stack is opened with. Asks git; raises RepositoryError for settings that git refuses."""
        return self.surroundings.stack_options() if self.given is None else self.given

    def opened(self, options: StackOptions | None = None) -> stack.Stack:
        """A handle to read the stack as it is now. Raises what `Stack.open` raises."""
        return stack.Stack.open(self.directory, options or self.options, read_only=True)

    @contextmanager
    def changing(
        self,
        operation: str,
        removed: Collection[str] = (),
        options: StackOptions | None = None,
        *,
        now: float | None = None,
    ) -> Iterator[tuple[stack.Stack, snapshot.ChangeRecord]]:
        """A handle for a change, and the record of it, whose snapshot is there once this is over.

        `operation` is the verb of the command line, `removed` are files beside the stack that may go. The
        parts of one change that touches several stacks have the same time, that it began.
        """
        now = time.time() if now is None else now
        with snapshot.ChangeRecord(self.directory, operation, now, extra=removed) as record:
            options = options or self.options
            with stack.Stack.open(self.directory, options, before_change=record.before_change) as opened:
                yield opened, record

    @cached_property
    def surroundings(self) -> Repository:
        """The repository, or the plain directory, around the stack. Reads files when it was not given."""
        return self.repository or find_repository(self.directory)

    @property
    def home(self) -> Repository | None:
        """The repository that the stack is of, however it was named: its objects are those of the refs."""
        try:
            known = self.surroundings
        except RepositoryError:
            return None
        is_ours = any(os.path.realpath(self.directory) == os.fspath(one.directory) for one in known.stacks)
        return known if known.git_dir is not None and is_ours else None

    @property
    def around(self) -> Repository | None:
        """The repository, where the stack is its current one and was not named by its own directory."""
        known = self.repository
        if known is None or known.git_dir is None or known.current.directory != self.directory:
            return None
        return None if os.path.samefile(known.path, self.directory) else known

    def change_elsewhere(self) -> snapshot.Snapshot | None:
        """Of a worktree's own stack: the last change of the one that all worktrees share, if it is not older.

        From a linked worktree `add` changes either, or both at once. None for a stack that was named itself.
        """
        around = self.around
        if around is None or around.stacks[0].is_current:
            return None
        shared = snapshot.list_snapshots(around.stacks[0].directory)
        own = snapshot.list_snapshots(self.directory)
        return shared[0] if shared and (not own or shared[0].time >= own[0].time) else None

    def require_writable(self) -> None:
        """Raise RefusedError if no change can be made: by the user's choice, or for want of permission."""
        if self.read_only:
            raise RefusedError("opened with --read-only: start without it to change the stack")
        # Permissions go by the effective ids, which is what the system will go by.
        by_effective = os.access in os.supports_effective_ids
        if os.access(self.directory, os.W_OK | os.X_OK, effective_ids=by_effective):
            return
        place = safe_name(str(self.directory))
        if POSIX and os.statvfs(self.directory).f_flag & os.ST_RDONLY:
            raise RefusedError(f"{place} is on a file system that is mounted read-only")
        me, status = user_id(), self.directory.stat()
        whose = "" if me is None else f": it belongs to user {status.st_uid}, and you are user {me}"
        if me == status.st_uid:
            whose = f": it is yours, with mode {stat.S_IMODE(status.st_mode):04o}"
        raise RefusedError(f"no permission to write in {place}{whose}")

    @property
    def arguments(self) -> tuple[str, ...]:
        """The words that name this stack on the command line, quoted for a shell, from any directory."""
        if self.repository is None:
            return (word(str(self.directory)),)
        path = word(os.path.abspath(self.repository.path))
        for location in self.repository.stacks:
            if location.directory == self.directory and not location.is_current:
                return ("--worktree", word(location.name), path)
        return (path,)

    def undo_command(self, snapshot: str) -> str:
        """What takes a change of the stack back in a shell, by the id of its snapshot."""
        return command("undo", [word(snapshot)], self.arguments)


def word(text: str) -> str:
    r"""`text` as one word of a shell's command line.

    What cannot be seen, or is no text (bytes of a path that are not UTF-8), is written as `$'\OOO'`, which
    bash, zsh and ksh know, and POSIX since 2024.
    """
    if text.isprintable():
        import shlex

        return shlex.quote(text)
    # Octal, since some shells read more than two hexadecimal digits.
    escaped = "".join(
        chr(byte) if 0x20 <= byte < 0x7F and byte not in b"'\\" else f"\\{byte:03o}"
        for byte in text.encode("utf-8", "surrogateescape")
    )
    return f"$'{escaped}'"


def command(verb: str, options: Iterable[str], arguments: Iterable[str], stdin: bytes | None = None) -> str:
    """`reftable-inspector VERB OPTIONS ARGUMENTS`, all of them quoted already; `stdin` as a here-document."""
    line = " ".join([PROGRAM, verb, *options, *arguments])
    if stdin is None:
        return line
    text = stdin.decode("utf-8", "surrogateescape")
    end = "END"
    while end in text.split("\n"):
        end += "_"
    return f"{line} <<'{end}'\n{text}{end}"

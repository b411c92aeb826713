"""What an action is, where it works, and `run`: the one way from a plan to a changed stack.

The command line that does the same as an action is made here as well, ready to be pasted into a shell.
"""

from __future__ import annotations

import os
import shlex
import time
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Final, Generic, TypeVar

from engine.errors import LockError, OutdatedError, ReftableError
from engine.format import parse_table_list
from engine.git import Repository, find_repository
from engine.progress import ProgressCallback
from engine.snapshot import ChangeRecord, Snapshot
from engine.stack import LOCK_SUFFIX, TABLES_LIST, Stack, StackOptions, read_list_bytes
from inspector.text import safe_name

Made = TypeVar("Made")

PROGRAM: Final = "reftable-inspector"
_MOST_PLANS: Final = 4
"""Plans that are made for a stack which other processes change again and again, before giving up."""


class RefusedError(PermissionError):
    """Nothing may be changed here; the message says why, and what would change that."""


@dataclass(frozen=True)
class Workplace:
    """The stack that actions work on, and how they open it: always with a handle of their own.

    `repository` is the one that the stack was found through; None where there was none to look for. With
    `read_only` every change is refused.
    """

    directory: Path
    options: StackOptions
    repository: Repository | None = None
    read_only: bool = False

    def opened(self, options: StackOptions | None = None) -> Stack:
        """A handle to read the stack as it is now. Raises what `Stack.open` raises."""
        return Stack.open(self.directory, options or self.options, read_only=True)

    @contextmanager
    def changing(
        self, operation: str, removed: Collection[str] = (), options: StackOptions | None = None
    ) -> Iterator[tuple[Stack, ChangeRecord]]:
        """A handle for a change, and the record of it, whose snapshot is there once this is over.

        `operation` is the verb of the command line, `removed` are files beside the stack that may go.
        """
        with ChangeRecord(self.directory, operation, time.time(), extra=removed) as record:
            options = options or self.options
            with Stack.open(self.directory, options, before_change=record.before_change) as stack:
                yield stack, record

    @cached_property
    def surroundings(self) -> Repository:
        """The repository, or the plain directory, around the stack. Reads files when it was not given."""
        return self.repository or find_repository(self.directory)

    @property
    def around(self) -> Repository | None:
        """The repository, where the stack is its current one and was not named by its own directory."""
        known = self.repository
        if known is None or known.git_dir is None or known.current.directory != self.directory:
            return None
        return None if os.path.samefile(known.path, self.directory) else known

    def require_writable(self) -> None:
        """Raise RefusedError if no change can be made: by the user's choice, or for want of permission."""
        if self.read_only:
            raise RefusedError("opened with --read-only: start without it to change the stack")
        # Permissions go by the effective ids, which is what the system will go by.
        if os.access(self.directory, os.W_OK | os.X_OK, effective_ids=True):
            return
        place = safe_name(str(self.directory))
        if os.statvfs(self.directory).f_flag & os.ST_RDONLY:
            raise RefusedError(f"{place} is on a file system that is mounted read-only")
        owner = self.directory.stat().st_uid
        raise RefusedError(
            f"no permission to write in {place}: it belongs to user {owner}, and you are user {os.geteuid()}"
        )

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


@dataclass(frozen=True, slots=True)
class Typed:
    """What a user has to type before a plan is applied that cannot be confirmed in passing, and why."""

    text: str
    why: str


@dataclass(frozen=True, slots=True)
class Plan(Generic[Made]):
    """What an action would do to exactly this stack.

    `made` is the engine's plan, and `names` are the tables it was made for, oldest first. `sentence` says
    what applying it does; `lines` are the plan in words, `warnings` what to think about first. All of it is
    fit for a terminal. `is_noop` when there is nothing to do, so that it cannot be applied.
    `typed` is what has to be typed to confirm it, None for nothing.
    `locked` are the files of the stack that applying it locks, none for which it has steps of its own.
    `needs_force` if the verb does it with --force only.
    """

    made: Made
    names: tuple[str, ...]
    sentence: str
    lines: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    is_noop: bool = False
    typed: Typed | None = None
    locked: tuple[str, ...] = (TABLES_LIST,)
    needs_force: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """What an action did, in words that are fit for a terminal.

    `made` is the same as the engine has it: its plan as it was carried out, or its result. `snapshot` is
    what takes it back, None where there is nothing to take back.
    """

    sentence: str
    lines: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    made: Any = None
    snapshot: Snapshot | None = None


@dataclass(frozen=True, slots=True)
class Action(ABC, Generic[Made]):
    """Something that can be done to a stack. Its methods may be called from any thread."""

    workplace: Workplace
    operation: ClassVar[str]
    """The verb of the command line."""
    applies_noop: ClassVar[bool] = False
    """Whether the verb applies even a plan that does nothing, which tells of a lock in the way."""

    @property
    @abstractmethod
    def title(self) -> str:
        """What it is, in a few words: the heading of its screen."""

    @property
    @abstractmethod
    def verb(self) -> str:
        """What the button says that starts it: one word."""

    @property
    def options(self) -> list[str]:
        """The options of the command line, quoted for a shell."""
        return []

    @property
    def command_line(self) -> str:
        """What does the same in a shell, perhaps on several lines; without a newline at the end."""
        return self._command()

    def command_for(self, plan: Plan[Made]) -> str:
        """The command line that applies this very plan, unasked: a screen has it confirmed, a verb forced."""
        return self._command(*(["--force"] if plan.needs_force and "--force" not in self.options else []))

    def _command(self, *more: str) -> str:
        return command(self.operation, [*more, *self.options], self.workplace.arguments)

    @abstractmethod
    def plan(self, progress: ProgressCallback) -> Plan[Made]:
        """See what it would do to the stack as it is now. Raises `ReftableError`, `OSError`."""

    @abstractmethod
    def apply(self, plan: Plan[Made], progress: ProgressCallback) -> Result:
        """Do what the plan says. For `run` alone to call."""

    def insist(self, progress: ProgressCallback) -> tuple[Plan[Made], Result | None]:
        """Plan and apply once more, when other processes have been faster every time. For `plan_and_run`."""
        plan = self.plan(progress)
        return plan, self.apply(plan, progress) if self.applies_noop or not plan.is_noop else None


def run(action: Action[Made], plan: Plan[Made], progress: ProgressCallback) -> Result:
    """Apply `plan`, which `action` made: all changes of a stack go through here.

    Raises RefusedError where nothing may be changed, OutdatedError when the stack is not the plan's any more,
    `LockError`, any other `ReftableError`, `Cancelled` (from `progress`), and `OSError`.
    """
    action.workplace.require_writable()
    return action.apply(plan, progress)


def plan_and_run(
    action: Action[Made], progress: ProgressCallback, *, dry_run: bool = False
) -> tuple[Plan[Made], Result | None]:
    """Make a plan and, unless this is a dry run, apply it.

    Where another process is faster, so that the plan is outdated before it is applied, another one is made, a
    few times. Raises as `run` does.
    """
    for _ in range(_MOST_PLANS):
        with suppress(OutdatedError):
            plan = action.plan(progress)
            is_run = not dry_run and (action.applies_noop or not plan.is_noop)
            return plan, run(action, plan, progress) if is_run else None
    if dry_run:
        return action.plan(progress), None
    action.workplace.require_writable()
    return action.insist(progress)


def rehearse(action: Action[Made], progress: ProgressCallback) -> Plan[Made]:
    """The plan of an action that is not to be run, unless what can be seen without writing would stop it.

    Raises as `run` does where nothing may be changed, the list is locked, or the plan cannot be made.
    """
    action.workplace.require_writable()
    plan, _ = plan_and_run(action, progress, dry_run=True)
    lock = action.workplace.directory / (TABLES_LIST + LOCK_SUFFIX)
    if not plan.is_noop and plan.locked and os.path.lexists(lock):
        raise LockError(os.fspath(lock), "another process holds the lock, or left it behind")
    return plan


def listed_names(directory: Path) -> tuple[str, ...]:
    """The lines of tables.list, whatever is in them. Raises as `read_list_bytes` does."""
    listed = parse_table_list(read_list_bytes(directory) or b"")
    return tuple(os.fsdecode(line.raw) for line in listed.lines if line.raw)


def is_as_planned_for(workplace: Workplace, names: tuple[str, ...]) -> bool:
    """Whether the stack still consists of these tables; False as well when that cannot be seen."""
    try:
        return listed_names(workplace.directory) == names
    except (ReftableError, OSError):
        return False


def word(text: str) -> str:
    r"""`text` as one word of a shell's command line.

    What cannot be seen, or is no text (bytes of a path that are not UTF-8), is written as `$'\OOO'`, which
    bash, zsh and ksh know, and POSIX since 2024.
    """
    if text.isprintable():
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

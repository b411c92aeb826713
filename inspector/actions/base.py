"""What an action is, where it works, and `run`: the one way from a plan to a changed stack."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from engine.errors import ReftableError
from engine.format import parse_table_list
from engine.git import Repository, find_repository
from engine.progress import ProgressCallback
from engine.stack import TABLES_LIST, Stack, StackOptions, read_list_bytes
from inspector.actions.shell import word
from inspector.actions.undoing import undoable
from inspector.text import safe_name

__all__ = [
    "Action",
    "Plan",
    "RefusedError",
    "Result",
    "Typed",
    "Workplace",
    "is_as_planned_for",
    "listed_names",
    "run",
]

Made = TypeVar("Made")


class RefusedError(Exception):
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

    def opened(self, *, to_write: bool = False, options: StackOptions | None = None) -> Stack:
        """A handle on the stack as it is now. Raises what `Stack.open` raises."""
        return Stack.open(self.directory, options or self.options, read_only=not to_write)

    @cached_property
    def surroundings(self) -> Repository:
        """The repository, or the plain directory, around the stack. Reads files when it was not given."""
        return self.repository or find_repository(self.directory)

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
    fit for a terminal. `is_noop` when there is nothing to do, so that it cannot be applied. `removed` are
    files beside the stack that go. `typed` is what has to be typed to confirm it, None for nothing.
    `locked` are the files of the stack that applying it locks, none for which it has steps of its own.
    """

    made: Made
    names: tuple[str, ...]
    sentence: str
    lines: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    is_noop: bool = False
    removed: tuple[str, ...] = ()
    typed: Typed | None = None
    locked: tuple[str, ...] = (TABLES_LIST,)


@dataclass(frozen=True, slots=True)
class Result:
    """What an action did, in words that are fit for a terminal."""

    sentence: str
    lines: tuple[str, ...]
    warnings: tuple[str, ...] = ()


class Action(Protocol[Made]):
    """Something that can be done to a stack. Its methods may be called from any thread."""

    @property
    def workplace(self) -> Workplace:
        """Where it is done."""

    @property
    def title(self) -> str:
        """What it is, in a few words: the heading of its screen."""

    @property
    def verb(self) -> str:
        """What the button says that starts it: one word."""

    @property
    def operation(self) -> str | None:
        """What its snapshots say that came next: the verb of the command line.

        None when the engine takes the snapshot itself, or when the stack is not what is changed.
        """

    @property
    def command_line(self) -> str:
        """What does the same in a shell, perhaps on several lines; without a newline at the end."""

    def plan(self, progress: ProgressCallback) -> Plan[Made]:
        """See what it would do to the stack as it is now. Raises `ReftableError`, `OSError`."""

    def apply(self, plan: Plan[Made], progress: ProgressCallback) -> Result:
        """Do what the plan says. For `run` alone to call."""


def run(action: Action[Made], plan: Plan[Made], progress: ProgressCallback) -> Result:
    """Apply `plan`, which `action` made, with a snapshot in front: all changes of a stack go through here.

    Raises RefusedError where nothing may be changed, OutdatedError when the stack is not the plan's any more,
    `LockError`, `Cancelled` (from `progress`), any other `ReftableError`, and `OSError`.
    """
    action.workplace.require_writable()
    if action.operation is None:
        return action.apply(plan, progress)
    with undoable(action.workplace.directory, action.operation, plan.removed):
        return action.apply(plan, progress)


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

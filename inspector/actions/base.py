"""What an action is, and `run`: the one way from a plan to a changed stack."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, Final, Generic, NamedTuple, TypeVar

from engine import snapshot as snapshots
from engine.errors import LockError, OutdatedError, ReftableError
from engine.format import parse_table_list
from engine.progress import ProgressCallback
from engine.stack import LIST_LOCK, TABLES_LIST, read_list_bytes
from inspector.actions.workplace import Workplace, command

Made = TypeVar("Made")

_MOST_PLANS: Final = 4
"""Plans that are made for a stack which other processes change again and again, before giving up."""


class Typed(NamedTuple):
    """What a user has to type before a plan is applied that cannot be confirmed in passing, and why."""

    text: str
    why: str


class Plan(NamedTuple, Generic[Made]):
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


class Result(NamedTuple):
    """What an action did, in words that are fit for a terminal.

    `made` is the same as the engine has it: its plan as it was carried out, or its result. `snapshot` is
    what takes it back, None where there is nothing to take back.
    """

    sentence: str
    lines: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    made: Any = None
    snapshot: snapshots.Snapshot | None = None


class Action(ABC, Generic[Made]):
    """Something that can be done to a stack. Its methods may be called from any thread.

    Each kind is a dataclass, which begins with the workplace.
    """

    __slots__ = ()
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
    """The plan of an action that is not to be run: who may read the stack may see what would become of it.

    Raises as `run` does where the list is locked, or the plan cannot be made.
    """
    plan, _ = plan_and_run(action, progress, dry_run=True)
    lock = action.workplace.directory / LIST_LOCK
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

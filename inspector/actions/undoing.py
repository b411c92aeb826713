"""Going back to a snapshot, and removing old ones.

Going back is a change like any other: it is planned, it is refused when another process has changed the stack
since (unless that is asked for), and it can be undone, for which the engine takes a snapshot itself.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Final

from engine.errors import ApiError, OutdatedError
from engine.format import parse_table_list
from engine.progress import ProgressCallback
from engine.snapshot import (
    Snapshot,
    changes_since,
    find_snapshot,
    first_names,
    is_as_before,
    list_snapshots,
    prune,
    restore,
)
from engine.stack import read_list_bytes
from inspector.actions.base import Action, Plan, Result, Typed, listed_names, word
from inspector.text import counted, safe_name, utc_time

FORCE: Final = "undo all"
"""What has to be typed to undo the changes of other processes as well."""


@dataclass(frozen=True, slots=True)
class UndoAction(Action[Snapshot | None]):
    """Make the stack what it was when the snapshot `id` was taken; None means the newest one.

    With `force`, whatever has been changed since is undone as well, even what comes after the plan. Otherwise
    a plan that undoes more than the one change has to be confirmed by typing.
    """

    id: str | None = None
    force: bool = False
    verb: ClassVar[str] = "Go back"
    operation: ClassVar[str] = "undo"

    @property
    def title(self) -> str:
        """What is undone."""
        return "Undo the last change" if self.id is None else "Go back to a snapshot"

    @property
    def options(self) -> list[str]:
        """With force only if that was asked for: the verb refuses what needs it, and says so."""
        return [*(["--force"] if self.force else []), *([word(self.id)] if self.id else [])]

    def command_for(self, plan: Plan[Snapshot | None]) -> str:
        """With force where the screen asks for typing: the verb refuses such a plan without."""
        return replace(self, force=True).command_line if plan.typed is not None else self.command_line

    def plan(self, progress: ProgressCallback) -> Plan[Snapshot | None]:  # noqa: ARG002 - it takes no time
        """See which tables come back and which go."""
        directory = self.workplace.directory
        names = listed_names(directory)
        try:
            snapshot = find_snapshot(directory, self.id)
        except ApiError:
            if self.id is not None:
                raise
            nothing = "Nothing to undo: nothing was changed through this program yet, or it was pruned."
            return Plan(None, names, nothing, is_noop=True)
        what = f"the {safe_name(snapshot.operation)} of {utc_time(int(snapshot.time))}"
        if is_as_before(directory, snapshot):
            last = ", the last change" if self.id is None else ""
            same = f"Nothing to undo: the list is what it was before {what}{last}."
            return Plan(snapshot, names, same, is_noop=True)
        warnings = []
        typed = None
        if changes := changes_since(directory, snapshot):
            warnings.append(
                f"The stack has been changed since {what}, by another process or by later actions: "
                f"going back undoes all of that too ({safe_name(changes)})."
            )
            typed = Typed(FORCE, "Changes that this snapshot was not taken for are undone as well.")
        if snapshot.missing:
            warnings.append(f"{counted(len(snapshot.missing), 'table')} was missing then, and will be again.")
        then = read_list_bytes(snapshot.path)
        error = None if then is None else parse_table_list(then).first_error()
        if then is None:
            warnings.append("There was no tables.list then, and there will be none again: git shows no refs.")
        elif error is not None:
            warnings.append(f"The list was damaged then, and will be again: {safe_name(str(error))}.")
        sentence = f"The stack becomes what it was before {what}: {counted(len(snapshot.tables), 'table')}."
        lines = tuple(_difference(names, snapshot.tables, first_names(list_snapshots(directory))))
        return Plan(snapshot, names, sentence, lines, tuple(warnings), typed=typed)

    def apply(self, plan: Plan[Snapshot | None], progress: ProgressCallback) -> Result:  # noqa: ARG002 - likewise
        """Go back, if the list is still the one of the plan."""
        directory, snapshot = self.workplace.directory, plan.made
        if snapshot is None or (not self.force and listed_names(directory) != plan.names):
            raise OutdatedError(os.fspath(directory / "tables.list"), "names other tables than in the plan")
        before = restore(
            directory,
            snapshot,
            time.time(),
            force=self.force or plan.typed is not None,
            lock_timeout_ms=self.workplace.options.lock_timeout_ms,
        )
        count = counted(len(snapshot.tables), "table")
        return Result(f"Done: the stack is what it was, {count}.", plan.lines, (), snapshot, before)


def _difference(now: tuple[str, ...], then: tuple[str, ...], first: Mapping[str, str]) -> list[str]:
    """The tables of both lists, compared by the names they had at first: `-` goes, `+` comes back."""
    known = {first.get(name, name): name for name in now}
    kept = [known.get(first.get(name, name)) for name in then]
    return [
        *(f"- {safe_name(name)}  goes" for name in now if name not in kept),
        *(
            f"+ {safe_name(name)}  comes back" if here is None else f"  {safe_name(here)}"
            for name, here in zip(then, kept, strict=True)
        ),
    ]


@dataclass(frozen=True, slots=True)
class PruneAction(Action[tuple[str, ...]]):
    """Remove `older`: the snapshots, but for those that are kept, from before the one with this `id`."""

    id: str
    older: tuple[Snapshot, ...]
    title: ClassVar[str] = "Remove older snapshots"
    verb: ClassVar[str] = "Remove"

    @property
    def command_line(self) -> str:
        """There is no verb for it: the directories are what is removed."""
        paths = [word(os.path.abspath(one.path)) for one in self.older]
        return " ".join(["rm", "-r", "--", *paths]) if paths else ":"

    def plan(self, progress: ProgressCallback) -> Plan[tuple[str, ...]]:  # noqa: ARG002 - it takes no time
        """See which ones are older."""
        ids = tuple(one.id for one in self.older)
        names = listed_names(self.workplace.directory)
        if not ids:
            nothing = "Nothing to remove: there is no older snapshot, or all of them are kept."
            return Plan(ids, names, nothing, is_noop=True)
        sentence = f"{counted(len(ids), 'snapshot')} will be removed; the stack itself stays as it is."
        warning = "The changes behind these snapshots cannot be undone afterwards."
        return Plan(ids, names, sentence, tuple(map(safe_name, ids)), (warning,), locked=())

    def apply(self, plan: Plan[tuple[str, ...]], progress: ProgressCallback) -> Result:  # noqa: ARG002
        """Remove exactly those of the plan."""
        every = list_snapshots(self.workplace.directory)
        newer = [one.id for one in every]
        newer = newer[: newer.index(self.id) + 1] if self.id in newer else []
        found = [one for one in every if not one.kept]
        stay = [one for one in found if one.id in newer]
        if tuple(one.id for one in found[len(stay) :]) != plan.made:
            raise OutdatedError(os.fspath(self.workplace.directory), "has other snapshots than in the plan")
        gone = prune(self.workplace.directory, time.time(), len(stay))
        return Result(f"Done: {counted(len(gone), 'snapshot')} removed.", tuple(map(safe_name, gone)))

"""Going back to a snapshot; keeping snapshots and removing them.

Going back is a change like any other: it is planned, it is refused when another process has changed the stack
since (unless that is asked for), and it can be undone, for which the engine takes a snapshot itself.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final, NamedTuple

from engine import merge
from engine.errors import ApiError, OutdatedError
from engine.format import TABLES_LIST, parse_table_list
from engine.progress import ProgressCallback
from engine.readable import open_readable
from engine.snapshot import (
    SNAPSHOTS_KEPT,
    Snapshot,
    changes_since,
    drop,
    find_snapshot,
    first_names,
    is_as_before,
    keep,
    list_snapshots,
    older,
    restore,
    unusable_snapshots,
)
from inspector.actions.base import Action, Plan, Result, Typed, listed_names
from inspector.actions.workplace import Workplace, word
from inspector.rows import READ_ERRORS
from inspector.text import change_line, counted, error_text, safe_message, safe_name, utc_time

_NOTHING_CHANGED: Final = "nothing was changed through this program yet, or it was pruned"

_MOST_REFS: Final = 1000
"""Refs that a plan names; of more, the number is told."""

FORCE: Final = "undo all"
"""What has to be typed to undo the changes of other processes as well."""


@dataclass(frozen=True, slots=True)
class UndoAction(Action[Snapshot | None]):
    """Make the stack what it was when the snapshot `id` was taken; None means the newest one.

    With `force`, whatever has been changed since is undone as well, even what comes after the plan. Otherwise
    a plan that undoes more than the one change has to be confirmed by typing.
    """

    workplace: Workplace
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

    def plan(self, progress: ProgressCallback) -> Plan[Snapshot | None]:
        """See which tables come back and which go; with changes of others, which refs change as well."""
        directory = self.workplace.directory
        names = listed_names(directory)
        try:
            snapshot = find_snapshot(directory, self.id)
        except ApiError:
            if self.id is not None:
                raise
            return Plan(None, names, f"Nothing to undo: {_NOTHING_CHANGED}.", is_noop=True)
        what = _change(snapshot)
        if is_as_before(directory, snapshot):
            last = ", the last change" if self.id is None else ""
            same = f"Nothing to undo: {_same(what)}{last}."
            return Plan(snapshot, names, same, warnings=(*_unlocked(snapshot),), is_noop=True)
        warnings = []
        typed = None
        if self.id is None and (elsewhere := self.workplace.change_elsewhere()):
            warnings.append(
                f"The {safe_name(elsewhere.operation)} of {utc_time(int(elsewhere.time))} changed the stack "
                "that all worktrees share, and stays: this takes back what was done to the worktree's own."
            )
        if changes := changes_since(directory, snapshot):
            warnings.append(
                f"The stack has been changed since {what}, by another process or by later actions: "
                f"going back undoes all of that too ({safe_name(changes)})."
            )
            typed = Typed(FORCE, "Changes that this snapshot was not taken for are undone as well.")
        if snapshot.missing:
            warnings.append(f"{counted(len(snapshot.missing), 'table')} was missing then, and will be again.")
        then = snapshot.list_bytes()
        error = None if then is None else parse_table_list(then).first_error()
        if then is None:
            warnings.append("There was no tables.list then, and there will be none again: git shows no refs.")
        elif error is not None:
            warnings.append(f"The list was damaged then, and will be again: {safe_message(str(error))}.")
        warnings += _unlocked(snapshot)
        sentence = f"The stack becomes what it was before {what}: {counted(len(snapshot.tables), 'table')}."
        lines = tuple(_difference(names, snapshot.tables, first_names(list_snapshots(directory))))
        is_forced = typed is not None
        if is_forced:
            lines += (*self._ref_lines(snapshot, progress),)
        return Plan(snapshot, names, sentence, lines, tuple(warnings), typed=typed, needs_force=is_forced)

    def _ref_lines(self, snapshot: Snapshot, progress: ProgressCallback) -> Iterator[str]:
        """The refs that become others, with both values: the first by name, of more the number."""
        shown: list[merge.RefChange] = []
        count, options = 0, self.workplace.options
        broken: Exception | None = None
        with (
            open_readable(self.workplace.directory, options) as now,
            open_readable(snapshot.directory, options, names=snapshot.tables) as then,
        ):
            try:
                for changes in merge.ref_changes(now.merged, then.merged, progress=progress):
                    count += len(changes)
                    shown += changes[: _MOST_REFS - len(shown)]
            except READ_ERRORS as error:
                broken = error
        yield ""
        yield f"{counted(count, 'ref')} would change by it:" if count else "No ref would change by it."
        yield from map(change_line, shown)
        if count > len(shown):
            yield f"... and {count - len(shown):,} more"
        if broken is not None:
            yield f"there may be others: {error_text(broken)}"

    def apply(self, plan: Plan[Snapshot | None], progress: ProgressCallback) -> Result:  # noqa: ARG002 - it takes no time
        """Go back, if the list is still the one of the plan."""
        directory, snapshot = self.workplace.directory, plan.made
        if snapshot is None or (not self.force and listed_names(directory) != plan.names):
            raise OutdatedError(os.fspath(directory / TABLES_LIST), "names other tables than in the plan")
        if plan.is_noop:
            return Result(plan.sentence, (), plan.warnings, snapshot)
        before = restore(
            directory,
            snapshot,
            time.time(),
            force=self.force or plan.needs_force,
            lock_timeout_ms=self.workplace.options.lock_timeout_ms,
        )
        count = counted(len(snapshot.tables), "table")
        warnings = tuple(_unlocked(snapshot))
        return Result(f"Done: the stack is what it was, {count}.", plan.lines, warnings, snapshot, before)


class LastChange(NamedTuple):
    """What undo takes back, in words, or why it has nothing to do: one of the two is empty."""

    what: str
    nothing: str


def last_change(directory: Path) -> LastChange:
    """The last change of the stack in `directory`. Reads the snapshots; raises `OSError`, `ReftableError`."""
    try:
        snapshot = find_snapshot(directory)
    except ApiError:
        return LastChange("", _NOTHING_CHANGED)
    what = _change(snapshot)
    return LastChange("", _same(what)) if is_as_before(directory, snapshot) else LastChange(what, "")


def _change(snapshot: Snapshot) -> str:
    return f"the {safe_name(snapshot.operation)} of {utc_time(int(snapshot.time))}"


def _same(what: str) -> str:
    return f"the list is what it was before {what}"


def _unlocked(snapshot: Snapshot) -> list[str]:
    """What going back does not bring back."""
    locks = ", ".join(map(safe_name, snapshot.unlocked))
    return [f"The {safe_name(snapshot.operation)} removed {locks}: no lock comes back."] if locks else []


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
class KeepAction(Action[tuple[str, ...]]):
    """Except the snapshots with these `ids` from pruning."""

    workplace: Workplace
    ids: tuple[str, ...]
    title: ClassVar[str] = "Keep snapshots"
    verb: ClassVar[str] = "Keep"
    operation: ClassVar[str] = "snapshots"

    @property
    def options(self) -> list[str]:
        """Each by its name."""
        return [part for one in self.ids for part in ("--keep", word(one))]

    def plan(self, progress: ProgressCallback) -> Plan[tuple[str, ...]]:  # noqa: ARG002 - it takes no time
        """See which of them are not kept yet."""
        directory = self.workplace.directory
        found = [find_snapshot(directory, one) for one in dict.fromkeys(self.ids)]
        ids = tuple(one.id for one in found if not one.kept)
        sentence = f"{counted(len(ids), 'snapshot')} will be kept." if ids else "Nothing to do: kept already."
        lines = tuple(map(safe_name, ids))
        return Plan(ids, listed_names(directory), sentence, lines, is_noop=not ids, locked=())

    def apply(self, plan: Plan[tuple[str, ...]], progress: ProgressCallback) -> Result:  # noqa: ARG002
        """Note it in each."""
        for one in plan.made:
            keep(find_snapshot(self.workplace.directory, one), kept=True)
        return Result(f"Done: {counted(len(plan.made), 'snapshot')} kept.", plan.lines, made=plan.made)


@dataclass(frozen=True, slots=True)
class DropAction(Action[tuple[str, ...]]):
    """Remove the snapshots with these `ids`; with None, all but the newest ones, as each change does.

    With `force` also those that are kept. They may hold the only copy of what a repair has set aside, or the
    stack as it was before a lock was removed, so that nothing but this ever removes them. What has the name
    of a snapshot, but cannot be used, goes likewise: by its id, with `force`.
    """

    workplace: Workplace
    ids: tuple[str, ...] | None
    newest: int = SNAPSHOTS_KEPT
    force: bool = False
    title: ClassVar[str] = "Remove older snapshots"
    verb: ClassVar[str] = "Remove"
    operation: ClassVar[str] = "snapshots"

    @property
    def options(self) -> list[str]:
        """Each by its name, or how many stay."""
        force = ["--force"] if self.force else []
        if self.ids is not None:
            return [*(part for one in self.ids for part in ("--drop", word(one))), *force]
        return ["--prune", *([] if self.newest == SNAPSHOTS_KEPT else ["--newest", str(self.newest)]), *force]

    def plan(self, progress: ProgressCallback) -> Plan[tuple[str, ...]]:  # noqa: ARG002 - it takes no time
        """See which ones go."""
        directory = self.workplace.directory
        found, marks = self._found()
        if self.ids is None:
            ids = tuple(one.id for one in older(found, self.newest, kept=self.force))
        else:
            ids = tuple(dict.fromkeys(self.ids))
            for one in ids:
                if one not in marks:
                    find_snapshot(directory, one)  # says that there is none
        names = listed_names(directory)
        if not ids:
            nothing = "Nothing to remove: there is no older snapshot, or all of them are kept."
            return Plan(ids, names, nothing, is_noop=True, locked=())
        lines = tuple(safe_name(one) + (f"  {marks[one]}" if marks[one] else "") for one in ids)
        sentence = f"{counted(len(ids), 'snapshot')} will be removed; the stack itself stays as it is."
        warnings = ["The changes behind these snapshots cannot be undone afterwards."]
        marked = [safe_name(one) for one in ids if marks[one]]
        if marked:
            warnings.insert(0, f"What only these hold is lost with them: {', '.join(marked)}.")
        needs_force = bool(marked)
        return Plan(ids, names, sentence, lines, (*warnings,), locked=(), needs_force=needs_force)

    def apply(self, plan: Plan[tuple[str, ...]], progress: ProgressCallback) -> Result:  # noqa: ARG002
        """Remove exactly those of the plan."""
        directory, (_, marks) = self.workplace.directory, self._found()
        if any(one not in marks or (marks[one] and not plan.needs_force) for one in plan.made):
            raise OutdatedError(os.fspath(directory), "has other snapshots than in the plan")
        drop(directory, plan.made, time.time())
        return Result(f"Done: {counted(len(plan.made), 'snapshot')} removed.", plan.lines, made=plan.made)

    def _found(self) -> tuple[list[Snapshot], dict[str, str]]:
        """The snapshots, and for each id why it takes force to remove it; nothing for most."""
        found = list_snapshots(self.workplace.directory)
        marks = {one.id: "kept" if one.kept else "" for one in found}
        unusable = unusable_snapshots(self.workplace.directory)
        return found, marks | {name: f"cannot be used: {safe_message(why)}" for name, why in unusable.items()}

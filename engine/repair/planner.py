"""Making a plan: what repairs a stack, from what fsck finds and what can be read.

The parts are

    the list       read line by line (`repair_list.py`); believed if its tables are all there and follow each
                   other, otherwise chosen anew from all tables present (`repair_choice.py`)
    each table     kept, kept under another name, written anew from its records, or set aside where nothing
                   of it can be read (`repair_files.py`)
    other files    stale locks and temporary files (`repair_leftovers.py`), tables that the stack has no use
                   for

Nothing is written.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Final

from engine.errors import ApiError, FormatError, OutdatedError
from engine.format import HashId, is_table_file, is_unsafe_refname, pack_table_list
from engine.fsck import Finding, Severity, fsck
from engine.progress import Progress, ProgressCallback
from engine.repair.choice import choose, follow_each_other
from engine.repair.files import (
    TableFile,
    check_or_tell,
    correct_limits,
    count_records,
    joined,
    limits_of,
    look_at,
    number_of,
)
from engine.repair.leftovers import leftover_steps, lock_steps
from engine.repair.plan import LeftOut, PlannedTable, RepairPlan, Step, StepKind, Trace, trace
from engine.repair.table_list import around, read_lines, require_same_lines
from engine.salvage import Account, Reading, Source
from engine.snapshot import left_by_undo
from engine.stack import LOCK_SUFFIX, TABLES_LIST, StackOptions, read_list_bytes, unused_table_name

_HIGHEST_LIMIT: Final = 2**62
_MOST_FAULTS: Final = 3

_ATTEMPTS: Final = 10
"""How often a plan is made anew because the stack has become another one meanwhile."""

_ORPHANS: Final = {"orphan-table", "orphan-damaged", "orphan-newer", "orphan-ahead"}


def plan_repair(
    directory: str | os.PathLike[str],
    options: StackOptions | None = None,
    tables: Collection[str] | None = None,
    now: float | None = None,
    progress: ProgressCallback | None = None,
    *,
    set_aside: Collection[str] = (),
    take_up: Collection[str] = (),
) -> RepairPlan:
    """What repairs the stack in `directory`; nothing is written or locked.

    `options` may state the hash function. With `tables`, only these files are repaired; the list stays as it
    is but for them, and so do all others. The name of a lock stands for nothing but its removal, that of a
    table for the removal of its lock as well. Otherwise each file gets the safest of its options, but for
    those named here: tables in `set_aside` are no part of the stack afterwards, those in `take_up` are,
    although they are not listed, if their update indexes fit. `now` is in seconds since 1970. Raises
    `ApiError` for names of no table, `FormatError` when the list is no file, so that nothing can take its
    place, `OutdatedError` when others change the stack faster than it can be looked at, `OSError`, and what
    `progress` raises.
    """
    path = Path(directory)
    now = time.time() if now is None else now
    for name in (*set_aside, *take_up):
        if not is_table_file(name) or not os.path.lexists(path / name):
            raise ApiError(f"{name!r} is no table in {path}")
    if tables is not None and (set_aside or take_up):
        raise ApiError("to choose what becomes of tables, the stack has to be repaired as a whole")
    choices = _Choices(frozenset(set_aside), frozenset(take_up))
    for _ in range(_ATTEMPTS):
        before = read_list_bytes(path)
        findings = list(fsck(path, options, progress, now))
        try:
            plan = _Planner(path, options or StackOptions(), findings, tables, choices, progress).plan()
        except FileNotFoundError:
            # A table that is gone since it was checked, from the list or from beside it: others compact.
            continue
        except FormatError:
            if read_list_bytes(path) == before:
                raise
        else:
            if plan.list_before == before:
                return plan
    raise OutdatedError(os.fspath(path / TABLES_LIST), "changes all the time: somebody is at work")


@dataclass(slots=True, frozen=True)
class _Choices:
    """The tables for which somebody wants another than the safest option."""

    set_aside: frozenset[str]
    take_up: frozenset[str]


class _Planner:
    """Makes one plan."""

    def __init__(
        self,
        path: Path,
        options: StackOptions,
        findings: Sequence[Finding],
        only: Collection[str] | None,
        choices: _Choices,
        progress: ProgressCallback | None,
    ) -> None:
        self._path = path
        self._options = options
        self._findings = findings
        self._only = only
        self._choices = choices
        self._progress = progress
        self._entries = sorted(os.listdir(path))
        self._raw = read_list_bytes(path)
        self._steps: list[Step] = []
        self._left: list[LeftOut] = []
        self._listed: frozenset[str] = frozenset()
        self._hash = options.hash_id or HashId.SHA1
        self._files: dict[str, TableFile] = {}
        # Names that no new table may have: also those that the list alone has, which its tables may come
        # back to.
        self._taken = set(self._entries)

    def plan(self) -> RepairPlan:
        """Look at everything, decide, and put it into words."""
        listed, self._left = read_lines(self._raw or b"", self._entries)
        self._listed = frozenset(listed)
        self._taken.update(listed)
        present = [name for name in listed if name in self._entries]
        for name in present:
            self._files[name] = look_at(
                self._path, name, self._findings_of(name), around(name, listed), self._hash
            )
        self._settle_hash(present)
        before = tuple(reading for name in present if (reading := self._files[name].reading) is not None)
        locks = [*self._codes("lock-stale"), *self._codes("lock-held")]
        locks = [
            lock
            for lock in locks
            if self._selected(lock.file) or self._selected(lock.file.removesuffix(LOCK_SUFFIX))
        ]
        self._steps += lock_steps(self._path, locks)
        chosen = self._choose(listed, present)
        tables = self._tables(chosen)
        self._plan_left_out(listed, tables)
        self._plan_list(tables)
        if self._only is None:
            self._steps += leftover_steps(self._codes("temporary-file"))
        order = list(StepKind)
        return RepairPlan(
            self._path,
            self._options,
            self._hash,
            tuple(sorted(self._steps, key=lambda step: order.index(step.kind))),
            tuple(tables),
            before,
            tuple(self._left),
            self._raw,
            tuple(self._traces()),
        )

    def _selected(self, name: str) -> bool:
        return self._only is None or name in self._only

    def _findings_of(self, name: str) -> list[Finding]:
        return [finding for finding in self._findings if finding.file == name]

    def _codes(self, code: str) -> list[Finding]:
        return [finding for finding in self._findings if finding.code == code]

    # Tables

    def _settle_hash(self, present: Sequence[str]) -> None:
        """The hash function is the one stated, or that of most tables; others do not fit beside them."""
        hashes = [self._files[name].hash_id for name in present if self._files[name].reading is not None]
        if self._options.hash_id is None and hashes:
            self._hash = max((one for one in hashes if one), key=hashes.count)
        for name in present:
            self._refuse_foreign(self._files[name])

    def _refuse_foreign(self, file: TableFile) -> None:
        if file.reading is not None and file.hash_id is not self._hash:
            file.reasons.append(f"a {file.hash_id} table in a stack of {self._hash} tables")
            file.severity = Severity.ERROR
            file.reading = None

    def _orphans(self) -> list[str]:
        """Files that are named like tables, regular ones, and not looked at yet."""
        return [
            name
            for name in self._entries
            if is_table_file(name)
            and name not in self._files
            and stat.S_ISREG(os.lstat(self._path / name).st_mode)
        ]

    def _take_up(self, name: str) -> TableFile:
        """Look at a table, unless that was done before: at one that is not listed."""
        if name not in self._files:
            self._tell("check tables that are not listed")
            file = look_at(self._path, name, check_or_tell(self._path, name), None, self._hash)
            self._refuse_foreign(file)
            self._files[name] = file
        return self._files[name]

    def _tell(self, phase: str) -> None:
        if self._progress is not None:
            self._progress(Progress(phase, 0, None))

    # The choice

    def _choose(self, listed: Sequence[str], present: Sequence[str]) -> list[TableFile]:
        """The tables of the repaired stack, oldest first."""
        usable = [
            file
            for name in present
            if (file := self._files[name]).reading is not None and name not in self._choices.set_aside
        ]
        if self._only is not None:
            return usable
        if not follow_each_other([file.candidate(is_listed=True) for file in usable]):
            for file in usable:
                correct_limits(self._path, file, self._hash)
        candidates = [file.candidate(is_listed=True) for file in usable]
        # The table that is cut short may have been half copied: what it lacks may be in another.
        is_believed = bool(listed) and len(usable) == len(listed) and not self._left
        is_believed = is_believed and follow_each_other(candidates)
        # A list that is sound in itself may be older than its tables.
        others = self._orphans()
        if is_believed:
            ahead = {one.file for one in self._codes("orphan-ahead")} - left_by_undo(self._path)
            others = [name for name in others if name in ahead | self._choices.take_up]
        found = [
            file
            for file in map(self._take_up, others)
            if file.reading is not None and file.file not in self._choices.set_aside
        ]
        if is_believed and not found:
            return usable
        candidates += [file.candidate(is_listed=False) for file in found]
        choice = choose(candidates)
        for candidate, why in choice.passed_over:
            self._set_aside(self._files[candidate.file], why, is_listed=candidate.is_listed)
        return [self._files[candidate.file] for candidate in choice.chosen]

    def _tables(self, chosen: Sequence[TableFile]) -> list[PlannedTable]:
        """The tables of the repaired stack, with the steps that make them."""
        refused = self._with_unsafe_names(chosen)
        tables: list[PlannedTable] = []
        for file in chosen:
            if file.file not in self._listed:
                self._plan_taking_up(file)
        for number, file in enumerate(chosen):
            reading = file.reading
            assert reading is not None  # noqa: S101 - others are not chosen
            if file.file in refused:
                reading = replace(reading, drops_unsafe_names=True)
                file.reasons.append("refs in it have names that git dies of; they are left out")
                file.rewrites, file.severity = True, Severity.ERROR
            if not self._selected(file.file) or not (file.rewrites or file.renames):
                tables.append(PlannedTable(file.file, reading, is_rewritten=False))
                continue
            following = chosen[number + 1].reading if number + 1 < len(chosen) else None
            reading = self._with_room(reading, file.account, following)
            name = unused_table_name(reading.limits, self._options.suffix, self._taken.__contains__)
            self._taken.add(name)
            if file.rewrites:
                tables.append(self._rewritten(file, reading, name))
            else:
                tables.append(PlannedTable(name, reading, is_rewritten=False))
                self._step(StepKind.RENAME_TABLE, file, f"as {name}, with the same bytes")
        return tables

    def _plan_taking_up(self, file: TableFile) -> None:
        why = "; ".join(f"{one.code}: {one.message}" for one in self._findings_of(file.file)) or "not listed"
        assert file.reading is not None  # noqa: S101 - others are not chosen
        refs, logs = count_records(self._path, file.reading)
        result = f"it counts, with {_records(refs, logs)}"
        options = self._options_of(file)
        step = Step(StepKind.TAKE_UP, file.file, why, result, Severity.ERROR, options=options)
        self._steps.append(step)

    def _options_of(self, file: TableFile) -> tuple[StepKind, ...]:
        """All that can be done with a table, the safest first; empty where there is no choice."""
        if file.reading is None or self._only is not None:
            return ()
        if file.file in self._listed:
            return (StepKind.REWRITE_TABLE, StepKind.SET_ASIDE) if file.rewrites else ()
        codes = {finding.code for finding in self._findings_of(file.file)}
        if "orphan-newer" in codes:
            return (StepKind.SET_ASIDE, StepKind.TAKE_UP)
        return () if "orphan-table" in codes else (StepKind.TAKE_UP, StepKind.SET_ASIDE)

    def _with_room(self, reading: Reading, account: Account | None, following: Reading | None) -> Reading:
        """Widen the limits to what the records need, as far as the next table leaves room."""
        highest = account.highest_log if account is not None else 0
        room = following.limits[0] - 1 if following is not None else _HIGHEST_LIMIT
        high = max(reading.limits[1], min(highest, room))
        return replace(reading, limits=(reading.limits[0], high))

    def _rewritten(self, file: TableFile, reading: Reading, name: str) -> PlannedTable:
        self._tell("read what is readable")
        refs, logs = count_records(self._path, reading)
        account = file.account
        result = f"as {name}, with {_records(refs, logs)}"
        if account is not None:
            if account.uncertain_logs:
                result += f", of which {account.uncertain_logs} come from damaged bytes and may be wrong"
            if account.unreadable:
                stretches = number_of(len(account.unreadable), "stretch", "stretches")
                result += f"; {stretches} ({account.unreadable_bytes} bytes) cannot be read"
            surplus = account.records - refs - logs
            if surplus > 0:
                result += f"; {number_of(surplus, 'record')} repeated or impossible in a table, left out"
        options = self._options_of(file) if file.file in self._listed else ()
        self._step(StepKind.REWRITE_TABLE, file, result, options)
        return PlannedTable(name, reading, is_rewritten=True, account=account, refs=refs, logs=logs)

    def _with_unsafe_names(self, chosen: Sequence[TableFile]) -> set[str]:
        """The tables with refs that git dies of, if the stack shows any."""
        looked_at: Sequence[TableFile] = chosen
        is_as_listed = pack_table_list(file.file for file in chosen) == self._raw
        if is_as_listed and not self._codes("ref-name-unsafe"):
            # fsck has seen all names, but for those that only salvaging brings to light.
            looked_at = [file for file in chosen if file.rewrites]
        found: set[str] = set()
        for file in looked_at:
            assert file.reading is not None  # noqa: S101 - others are not chosen
            with Source(self._path, file.reading) as source:
                refs = chain.from_iterable(source.refs())
                if any(is_unsafe_refname(ref.name) and not ref.is_deletion for ref in refs):
                    found.add(file.file)
        return found

    def _step(self, kind: StepKind, file: TableFile, result: str, options: tuple[StepKind, ...] = ()) -> None:
        step = Step(kind, file.file, joined(file.reasons), result, file.severity, options=options)
        self._steps.append(step)

    # What is left out

    def _set_aside(
        self, file: TableFile, why: str, *, is_listed: bool, options: tuple[StepKind, ...] = ()
    ) -> None:
        """Take a file out of the directory and keep it with the snapshot."""
        refs, logs = count_records(self._path, file.reading) if file.reading is not None else (0, 0)
        limits = file.reading.limits if file.reading is not None else limits_of(file.file)
        self._left.append(LeftOut(file.file, why, limits, refs, logs, is_listed, account=file.account))
        result = f"kept with the snapshot; {_records(refs, logs)} can be read of it"
        step = Step(StepKind.SET_ASIDE, file.file, why, result, file.severity, options=options)
        self._steps.append(step)

    def _plan_choices(self) -> None:
        """Tables that somebody wants to be set aside."""
        decided = {left.file for left in self._left}
        for name in sorted(self._choices.set_aside - decided):
            file = self._take_up(name)
            why = joined(["as was asked for", *file.reasons])
            self._set_aside(file, why, is_listed=name in self._listed, options=self._options_of(file))

    def _plan_left_out(self, listed: Sequence[str], tables: Sequence[PlannedTable]) -> None:
        used = {table.source for table in tables}
        self._plan_choices()
        decided = {left.file for left in self._left}
        for name in listed:
            if name in used or name in decided or not self._selected(name):
                continue
            file = self._files.get(name)
            if file is None:
                why = "listed in tables.list, but there is no such file"
                self._leave_out(name, why, is_missing=True)
            elif stat.S_ISREG(os.stat(self._path / name).st_mode):
                self._set_aside(file, joined(file.reasons) or "nothing of it can be read", is_listed=True)
            else:
                self._leave_out(name, joined(file.reasons), is_missing=False)
        if self._only is None:
            self._plan_orphans(used)

    def _leave_out(self, name: str, why: str, *, is_missing: bool) -> None:
        self._left.append(LeftOut(name, why, limits_of(name), 0, 0, is_listed=True, is_missing=is_missing))
        result = "whatever it held is lost, unless a backup has it" if is_missing else "it stays where it is"
        self._steps.append(Step(StepKind.LEAVE_OUT, name, why, result, Severity.ERROR))

    def _plan_orphans(self, used: set[str]) -> None:
        """Tables beside the list that are not taken up."""
        if self._codes("lock-held"):
            return  # they may be of somebody who is at work
        decided = {left.file for left in self._left}
        for name in self._entries:
            findings = self._findings_of(name)
            codes = {finding.code for finding in findings}
            if name in used or name in decided or not codes & _ORPHANS:
                continue
            file = self._take_up(name)
            why = " ".join(f"{finding.fault.meaning} ({finding.message})" for finding in findings)
            if codes & {"orphan-table"} and file.reading is not None:
                refs, logs = count_records(self._path, file.reading)
                self._left.append(LeftOut(name, why, file.reading.limits, refs, logs, is_listed=False))
                result = f"it held {_records(refs, logs)}; the snapshot keeps it"
                self._steps.append(Step(StepKind.REMOVE_FILE, name, why, result, Severity.WARNING))
            else:
                options = self._options_of(file) if "orphan-newer" in codes else ()
                self._set_aside(file, why, is_listed=False, options=options)

    # The list, and what the plan is about

    def _plan_list(self, tables: Sequence[PlannedTable]) -> None:
        before = self._raw or b""
        if self._only is not None and not {TABLES_LIST, *self._listed}.intersection(self._only):
            return  # it may be damaged: that has nothing to do with a lock
        if self._only is not None and self._raw is not None:
            require_same_lines(before, tables, {left.file for left in self._left})
        if pack_table_list(table.name for table in tables) == before:
            return
        found = [one for one in self._findings_of(TABLES_LIST) if one.severity is not Severity.INFO]
        same = before == pack_table_list(table.source for table in tables)
        faults = [one.message for one in found[:_MOST_FAULTS]]
        why = "; ".join(faults) or ("tables got new names" if same else "other tables count")
        reasons = {one.severity for one in found} | {step.severity for step in self._steps}
        severity = Severity.ERROR if Severity.ERROR in reasons else Severity.WARNING
        result = f"names {number_of(len(tables), 'table')}"
        self._steps.append(Step(StepKind.WRITE_LIST, TABLES_LIST, why, result, severity))

    def _traces(self) -> Iterable[Trace]:
        """All files that the plan is about."""
        used = {step.file for step in self._steps if not step.needs_force} - {TABLES_LIST}
        for name in self._entries:
            if is_table_file(name) or name in used:
                yield trace(self._path, name)


def _records(refs: int, logs: int) -> str:
    return f"{number_of(refs, 'ref')} and {number_of(logs, 'log entry', 'log entries')}"

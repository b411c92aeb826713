"""What repairs a stack: the steps, in words and as data, made from what fsck finds and what can be read.

The parts are

    the list       read line by line; believed if its tables are all there and follow each other, otherwise
                   chosen anew from all tables present (`repair_choice.py`)
    each table     kept, kept under another name, written anew from its records (`repair_source.py`), or
                   set aside where nothing of it can be read
    other files    stale locks and temporary files, tables that the stack has no use for

A plan writes nothing. It remembers what the files were when it was made, and `repair.py` carries it out on
exactly these. What it means ref by ref is told by `repair_outcome.py`.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Final

from engine.directory import TABLES_LIST
from engine.errors import FormatError, shown
from engine.faults import REWRITE_TABLE, Severity
from engine.finding import Finding, Report
from engine.format import HashId, format_table_name, is_table_file, pack_table_list, parse_table_name
from engine.fsck import fsck
from engine.fsck_list import read_list
from engine.fsck_table import CheckedTable, check_table
from engine.holders import find_holders
from engine.options import StackOptions
from engine.progress import Progress, ProgressCallback
from engine.refname import is_refname
from engine.repair_choice import Candidate, choose, follow_each_other
from engine.repair_source import Account, Reading, Source, examine, header_to_go_by

LOCK_SUFFIX: Final = ".lock"
_LONGEST_NAME: Final = 255
_HIGHEST_LIMIT: Final = 2**62
_MOST_REASONS: Final = 3

# These are about the name alone: the bytes stay as they are.
_OF_THE_NAME: Final = {"name-range", "dulwich-table"}
# What header or footer say leads astray.
_MISLED: Final = {
    "block-hidden",
    "block-too-long",
    "section-offset",
    "section-order",
    "header-damaged",
    "footer-damaged",
    "footer-checksum",
    "cut-short",
    "block-damaged",
    "table-given-up",
    "index-damaged",
}
_ORPHANS: Final = {"orphan-table", "orphan-damaged", "orphan-newer", "orphan-ahead"}
# A table without these findings can be read as it is.
_OF_THE_STACK: Final = {"ref-name", "tables-out-of-order", "ranges-overlap", "hash-mixed"}


class StepKind(StrEnum):
    """What a step does; they are done in this order."""

    REMOVE_LOCK = "remove-lock"
    REWRITE_TABLE = "rewrite-table"
    RENAME_TABLE = "rename-table"
    SET_ASIDE = "set-aside"
    LEAVE_OUT = "leave-out"
    WRITE_LIST = "write-list"
    REMOVE_FILE = "remove-file"


@dataclass(slots=True, frozen=True)
class Step:
    """One step: what is done to which file, why, and how bad that is which it repairs.

    `result` says what comes of it. One that `needs_force` is done only on demand: somebody may be at work.
    """

    kind: StepKind
    file: str
    why: str
    result: str
    severity: Severity
    needs_force: bool = False


@dataclass(slots=True, frozen=True)
class PlannedTable:
    """A table of the repaired stack.

    `name` is what it will be called, `reading` how its records are read now. `is_rewritten` when it is
    made from these records; a table whose name alone changes is not. `account` is what can be read of a
    damaged one, None for a sound one; of a table that is rewritten, `refs` and `logs` are written.
    """

    name: str
    reading: Reading
    is_rewritten: bool
    account: Account | None = None
    refs: int = 0
    logs: int = 0

    @property
    def source(self) -> str:
        """The file that it is made of."""
        return self.reading.file

    @property
    def is_kept(self) -> bool:
        """Whether the file stays what it is."""
        return not self.is_rewritten and self.name == self.source


@dataclass(slots=True, frozen=True)
class LeftOut:
    """A file that is not part of the repaired stack, or a listed one that is not there.

    `limits` are its update indexes as far as they are known. `refs` and `logs` are the records that can be
    read of it, tombstones among them. `is_listed` when it should have been part of the stack.
    """

    file: str
    why: str
    limits: tuple[int, int] | None
    refs: int
    logs: int
    is_listed: bool
    is_missing: bool = False


Trace = tuple[str, int, int, int]
"""A file as it was: name, size, time of modification in ns, inode."""


@dataclass(slots=True, frozen=True)
class RepairPlan:
    """How a stack is repaired.

    `steps` in the order in which they are done; `tables` are those of the repaired stack, and `before` how
    those of the damaged one are read, oldest first. `left_out` names everything else that may hold records.
    `list_before` are the bytes of the list (None if there is none), `files` all files that the plan is
    about: it is good for these and no others.
    """

    directory: Path
    options: StackOptions
    hash_id: HashId
    steps: tuple[Step, ...]
    tables: tuple[PlannedTable, ...]
    before: tuple[Reading, ...]
    left_out: tuple[LeftOut, ...]
    list_before: bytes | None
    files: tuple[Trace, ...]

    @property
    def is_noop(self) -> bool:
        """Whether there is nothing to do without force."""
        return all(step.needs_force for step in self.steps)

    @property
    def list_after(self) -> bytes:
        """The bytes of the list of the repaired stack."""
        return pack_table_list([table.name for table in self.tables])

    @property
    def changes_records(self) -> bool:
        """Whether other records may be seen afterwards than before."""
        kept = [table.reading for table in self.tables if not table.is_rewritten]
        return any(table.is_rewritten for table in self.tables) or tuple(kept) != self.before

    def of(self, kind: StepKind) -> tuple[Step, ...]:
        """The steps of one kind."""
        return tuple(step for step in self.steps if step.kind is kind)


def plan_repair(
    directory: str | os.PathLike[str],
    options: StackOptions | None = None,
    tables: Collection[str] | None = None,
    now: float | None = None,
    progress: ProgressCallback | None = None,
) -> RepairPlan:
    """What repairs the stack in `directory`; nothing is written or locked.

    `options` may state the hash function. With `tables`, only these files are repaired; the list stays as it
    is but for them, and so do all others. `now` is in seconds since 1970. Raises `FormatError` when the list
    is no file, so that nothing can take its place, `OSError`, and what `progress` raises.
    """
    path = Path(directory)
    now = time.time() if now is None else now
    findings = list(fsck(path, options, progress, now))
    return _Planner(path, options or StackOptions(), findings, tables, progress).plan()


@dataclass(slots=True)
class _File:
    """A file that may be a table, and what was made of it."""

    file: str
    reading: Reading | None  # None if nothing can be read of it
    reasons: list[str]
    severity: Severity
    rewrites: bool
    renames: bool
    hash_id: HashId | None
    account: Account | None = None

    def candidate(self, *, is_listed: bool) -> Candidate:
        assert self.reading is not None  # noqa: S101 - asked of readable files only
        return Candidate(self.file, *self.reading.limits, not self.rewrites, is_listed)


class _Planner:
    """Makes one plan."""

    def __init__(
        self,
        path: Path,
        options: StackOptions,
        findings: Sequence[Finding],
        only: Collection[str] | None,
        progress: ProgressCallback | None,
    ) -> None:
        self._path = path
        self._options = options
        self._findings = findings
        self._only = only
        self._progress = progress
        self._entries = sorted(os.listdir(path))
        self._raw = read_list(os.fspath(path))
        self._steps: list[Step] = []
        self._left: list[LeftOut] = []
        self._hash = options.hash_id or HashId.SHA1
        self._files: dict[str, _File] = {}

    def plan(self) -> RepairPlan:
        """Look at everything, decide, and put it into words."""
        listed, list_faults = self._read_lines()
        present = [name for name in listed if name in self._entries]
        for name in present:
            self._files[name] = self._look_at(name, self._findings_of(name), self._around(name, listed))
        self._settle_hash(present)
        before = tuple(reading for name in present if (reading := self._files[name].reading) is not None)
        self._plan_locks()
        chosen = self._choose(listed, present)
        tables = self._tables(chosen)
        self._plan_left_out(listed, tables)
        self._plan_list(tables, list_faults)
        self._plan_removals()
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

    # The list

    def _read_lines(self) -> tuple[list[str], list[str]]:
        """The names in the list, each once, as far as they can be made out; what was wrong with it."""
        faults = [f.message for f in self._findings_of(TABLES_LIST) if f.severity is not Severity.INFO]
        names: dict[str, None] = {}
        lines = (self._raw or b"").split(b"\n")
        for number, line in enumerate(lines):
            name = os.fsdecode(line.split(b"\0")[0].rstrip(b"\r"))
            if name not in self._entries and number == len(lines) - 1 and name:
                begun = [entry for entry in self._entries if is_table_file(entry) and entry.startswith(name)]
                name = begun[0] if len(begun) == 1 else name
            if name and "/" not in name and name not in (".", "..") and len(line) <= _LONGEST_NAME:
                names[name] = None
            elif line:
                what = f"{shown(line)} in tables.list is no table of this directory"
                self._left.append(LeftOut(name, what, None, 0, 0, is_listed=True, is_missing=True))
        return list(names), faults

    def _around(self, name: str, listed: Sequence[str]) -> tuple[int, int]:
        """Update indexes that are left for a table between its neighbours in the list."""
        at = listed.index(name) if name in listed else len(listed)
        ranges = {one: parse_table_name(one) for one in listed}
        below = [parts.max_update_index for one in listed[:at] if (parts := ranges[one])]
        above = [parts.min_update_index for one in listed[at + 1 :] if (parts := ranges[one])]
        low = max(below, default=0) + 1
        return low, max(low, min(above, default=low + 1) - 1)

    # Tables

    def _look_at(self, name: str, findings: Sequence[Finding], around: tuple[int, int] | None) -> _File:
        """What a file is worth. Raises `OSError` where permission is wanting."""
        found = [finding for finding in findings if finding.severity is not Severity.INFO]
        reasons = [finding for finding in found if finding.code not in _OF_THE_STACK]
        codes = {finding.code for finding in reasons}
        severity = Severity.WARNING
        if any(finding.severity is Severity.ERROR for finding in found):
            severity = Severity.ERROR
        rewrites = any(
            (REWRITE_TABLE in one.fixes or one.code == "not-a-table") and one.code not in _OF_THE_NAME
            for one in reasons
        )
        file = _File(name, None, _words(reasons), severity, rewrites, bool(codes & _OF_THE_NAME), self._hash)
        if not stat.S_ISREG(os.stat(self._path / name).st_mode):
            return file
        try:
            if rewrites or codes & {"table-unreadable", "orphan-damaged"}:
                self._salvage(file, codes, around)
            else:
                with CheckedTableOf(self._path, name) as table:
                    header = table.header
                    if header is not None:
                        file.reading = Reading(name, (header.min_update_index, header.max_update_index))
                        file.hash_id = header.hash_id
        except PermissionError:
            raise
        except OSError as error:
            file.reasons.append(error.strerror or str(error))
        return file

    def _salvage(self, file: _File, codes: set[str], around: tuple[int, int] | None) -> None:
        file.rewrites = True
        header, certain = header_to_go_by(self._path, file.file, self._hash, around)
        file.hash_id = header.hash_id
        if not certain:
            return
        account, blind = examine(self._path, file.file, header, blind=False), False
        if codes & _MISLED:
            other = examine(self._path, file.file, header, blind=True)
            if other.records > account.records:
                account, blind = other, True
        file.account = account
        if account.records:
            limits = header.min_update_index, header.max_update_index
            file.reading = Reading(file.file, limits, header, blind, account.is_ordered)

    def _settle_hash(self, present: Sequence[str]) -> None:
        """The hash function is the one stated, or that of most tables; others do not fit beside them."""
        hashes = [self._files[name].hash_id for name in present if self._files[name].reading is not None]
        if self._options.hash_id is None and hashes:
            self._hash = max((one for one in hashes if one), key=hashes.count)
        for name in present:
            self._refuse_foreign(self._files[name])

    def _refuse_foreign(self, file: _File) -> None:
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

    def _take_up(self, name: str) -> _File:
        """Look at a table that is not listed."""
        if name not in self._files:
            self._tell("check tables that are not listed")
            file = self._look_at(name, _checked(self._path, name), None)
            self._refuse_foreign(file)
            self._files[name] = file
        return self._files[name]

    def _tell(self, phase: str) -> None:
        if self._progress is not None:
            self._progress(Progress(phase, 0, None))

    # The choice

    def _choose(self, listed: Sequence[str], present: Sequence[str]) -> list[_File]:
        """The tables of the repaired stack, oldest first."""
        usable = [self._files[name] for name in present if self._files[name].reading is not None]
        if self._only is not None:
            return usable
        if not follow_each_other([file.candidate(is_listed=True) for file in usable]):
            usable = [self._by_name(file) for file in usable]
        candidates = [file.candidate(is_listed=True) for file in usable]
        # The table that is cut short may have been half copied: what it lacks may be in another.
        is_believed = bool(listed) and len(usable) == len(listed) and not self._left
        is_believed = is_believed and follow_each_other(candidates)
        # A list that is sound in itself may be older than its tables.
        others = [one.file for one in self._codes("orphan-ahead")] if is_believed else self._orphans()
        found = [file for file in map(self._take_up, others) if file.reading is not None]
        if is_believed and not found:
            return usable
        candidates += [file.candidate(is_listed=False) for file in found]
        choice = choose(candidates)
        for candidate, why in choice.passed_over:
            self._set_aside(self._files[candidate.file], why, is_listed=candidate.is_listed)
        return [self._files[candidate.file] for candidate in choice.chosen]

    def _by_name(self, file: _File) -> _File:
        """A table by the update indexes in its name, if those in its header may be wrong."""
        parts = parse_table_name(file.file)
        if parts is None or file.reading is None:
            return file
        limits = parts.min_update_index, parts.max_update_index
        if limits == file.reading.limits or limits[0] > limits[1]:
            return file
        header, _ = header_to_go_by(self._path, file.file, self._hash, limits)
        header = replace(header, min_update_index=limits[0], max_update_index=limits[1])
        account = examine(self._path, file.file, header, blind=file.reading.is_blind)
        if max(account.highest_log, account.highest_ref) > limits[1] or not account.records:
            return file
        file.reasons.append(
            f"its header states the update indexes {file.reading.limits[0]} to {file.reading.limits[1]}, "
            f"which overlap other tables; its records lie in those of its name, {limits[0]} to {limits[1]}"
        )
        file.rewrites, file.severity, file.account = True, Severity.ERROR, account
        file.reading = Reading(file.file, limits, header, file.reading.is_blind, account.is_ordered)
        return file

    def _tables(self, chosen: Sequence[_File]) -> list[PlannedTable]:
        """The tables of the repaired stack, with the steps that make them."""
        refused = self._with_bad_names(chosen)
        tables: list[PlannedTable] = []
        for number, file in enumerate(chosen):
            reading = file.reading
            assert reading is not None  # noqa: S101 - others are not chosen
            if file.file in refused:
                reading = replace(reading, drops_bad_names=True)
                file.reasons.append("refs in it have names that git refuses; they are left out")
                file.rewrites, file.severity = True, Severity.ERROR
            if not self._selected(file.file) or not (file.rewrites or file.renames):
                tables.append(PlannedTable(file.file, reading, is_rewritten=False))
                continue
            following = chosen[number + 1].reading if number + 1 < len(chosen) else None
            reading = self._with_room(reading, file.account, following)
            name = self._new_name(reading.limits)
            if file.rewrites:
                tables.append(self._rewritten(file, reading, name))
            else:
                tables.append(PlannedTable(name, reading, is_rewritten=False))
                self._step(StepKind.RENAME_TABLE, file, f"as {name}, with the same bytes")
        return tables

    def _with_room(self, reading: Reading, account: Account | None, following: Reading | None) -> Reading:
        """Widen the limits to what the records need, as far as the next table leaves room."""
        highest = account.highest_log if account is not None else 0
        room = following.limits[0] - 1 if following is not None else _HIGHEST_LIMIT
        high = max(reading.limits[1], min(highest, room))
        return replace(reading, limits=(reading.limits[0], high))

    def _rewritten(self, file: _File, reading: Reading, name: str) -> PlannedTable:
        self._tell("read what is readable")
        refs, logs = _count(self._path, reading)
        account = file.account
        kept = f"{_number(refs, 'ref')} and {_number(logs, 'log entry', 'log entries')}"
        result = f"as {name}, with {kept}"
        if account is not None:
            if account.uncertain_logs:
                result += f", of which {account.uncertain_logs} come from damaged bytes and may be wrong"
            if account.unreadable:
                stretches = _number(len(account.unreadable), "stretch", "stretches")
                result += f"; {stretches} ({account.unreadable_bytes} bytes) cannot be read"
            surplus = account.records - refs - logs
            if surplus > 0:
                result += f"; {_number(surplus, 'record')} repeated or impossible in a table, left out"
        self._step(StepKind.REWRITE_TABLE, file, result)
        return PlannedTable(name, reading, is_rewritten=True, account=account, refs=refs, logs=logs)

    def _with_bad_names(self, chosen: Sequence[_File]) -> set[str]:
        """The tables with refs that git refuses, if the stack shows any."""
        readings = [file.reading for file in chosen if file.reading is not None]
        listed = [line for line in (self._raw or b"").split(b"\n") if line]
        if not self._codes("ref-name") and [os.fsencode(file.file) for file in chosen] == listed:
            return set()
        found: set[str] = set()
        for reading in readings:
            with Source(self._path, reading) as source:
                blocks = source.refs()
                if any(not ref.is_deletion and not is_refname(ref.name) for refs in blocks for ref in refs):
                    found.add(reading.file)
        return found

    def _new_name(self, limits: tuple[int, int]) -> str:
        while True:
            name = format_table_name(*limits, self._options.suffix()) + ".ref"
            if name not in self._entries:
                return name

    def _step(self, kind: StepKind, file: _File, result: str) -> None:
        self._steps.append(Step(kind, file.file, _joined(file.reasons), result, file.severity))

    # What is left out

    def _set_aside(self, file: _File, why: str, *, is_listed: bool) -> None:
        """Take a file out of the directory and keep it with the snapshot."""
        refs, logs = _count(self._path, file.reading) if file.reading is not None else (0, 0)
        limits = file.reading.limits if file.reading is not None else _limits_of(file.file)
        self._left.append(LeftOut(file.file, why, limits, refs, logs, is_listed))
        readable = f"{_number(refs, 'ref')} and {_number(logs, 'log entry', 'log entries')} can be read of it"
        self._steps.append(
            Step(StepKind.SET_ASIDE, file.file, why, f"kept with the snapshot; {readable}", file.severity)
        )

    def _plan_left_out(self, listed: Sequence[str], tables: Sequence[PlannedTable]) -> None:
        used = {table.source for table in tables}
        decided = {left.file for left in self._left}
        for name in listed:
            if name in used or name in decided or not self._selected(name):
                continue
            file = self._files.get(name)
            if file is None:
                why = "listed in tables.list, but there is no such file"
                self._leave_out(name, why, is_missing=True)
            elif stat.S_ISREG(os.stat(self._path / name).st_mode):
                self._set_aside(file, _joined(file.reasons) or "nothing of it can be read", is_listed=True)
            else:
                self._leave_out(name, _joined(file.reasons), is_missing=False)
        if self._only is None:
            self._plan_orphans(used)

    def _leave_out(self, name: str, why: str, *, is_missing: bool) -> None:
        self._left.append(LeftOut(name, why, _limits_of(name), 0, 0, is_listed=True, is_missing=is_missing))
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
                refs, logs = _count(self._path, file.reading)
                self._left.append(LeftOut(name, why, file.reading.limits, refs, logs, is_listed=False))
                held = f"{_number(refs, 'ref')} and {_number(logs, 'log entry', 'log entries')}"
                result = f"it held {held}; the snapshot keeps it"
                self._steps.append(Step(StepKind.REMOVE_FILE, name, why, result, Severity.WARNING))
            else:
                self._set_aside(file, why, is_listed=False)

    # The list and the other files

    def _plan_list(self, tables: Sequence[PlannedTable], faults: Sequence[str]) -> None:
        after = pack_table_list([table.name for table in tables])
        if self._only is not None and self._raw is not None:
            # Lines that nobody asked to repair stay.
            names = {table.source: table.name for table in tables}
            gone = {left.file for left in self._left}
            lines = [os.fsdecode(line) for line in self._raw.split(b"\n")]
            kept = [names.get(line, line) for line in lines if line not in gone]
            if len(kept) != len(tables) + 1 or "\n".join(kept).encode("utf-8", "surrogateescape") != after:
                raise FormatError(
                    TABLES_LIST, None, "the list or other tables are damaged too: repair the whole stack"
                )
        if after == (self._raw or b""):
            return
        names_before = [os.fsencode(table.source) for table in tables]
        same = (self._raw or b"").split(b"\n")[:-1] == names_before
        why = "; ".join(faults[:_MOST_REASONS]) or ("tables got new names" if same else "other tables count")
        what = _number(len(tables), "table")
        severity = Severity.ERROR
        listed = [one for one in self._findings_of(TABLES_LIST) if one.severity is Severity.ERROR]
        if not listed and not any(step.severity is Severity.ERROR for step in self._steps):
            severity = Severity.WARNING
        self._steps.append(Step(StepKind.WRITE_LIST, TABLES_LIST, why, f"names {what}", severity))

    def _plan_locks(self) -> None:
        locks = [*self._codes("lock-stale"), *self._codes("lock-held")]
        locks = [lock for lock in locks if self._selected(lock.file.removesuffix(LOCK_SUFFIX))]
        paths = {lock.file: os.path.join(os.path.realpath(self._path), lock.file) for lock in locks}
        holders = find_holders(list(paths.values())).found if paths else {}
        for lock in locks:
            holder = holders.get(paths[lock.file])
            if holder is not None:
                result = f"process {holder.pid} ({shown(os.fsencode(holder.command))}) has it open"
            elif lock.code == "lock-held":
                result = "it is young: somebody may be at work"
            else:
                result = "no process that can be looked into has it open"
            force = holder is not None or lock.code == "lock-held"
            step = Step(StepKind.REMOVE_LOCK, lock.file, lock.message, result, Severity.WARNING, force)
            self._steps.append(step)

    def _plan_removals(self) -> None:
        if self._only is not None:
            return
        for one in self._codes("temporary-file"):
            result = "the snapshot keeps it"
            self._steps.append(Step(StepKind.REMOVE_FILE, one.file, one.message, result, Severity.WARNING))

    def _traces(self) -> Iterable[Trace]:
        """All files that the plan is about."""
        used = {step.file for step in self._steps if not step.needs_force} - {TABLES_LIST}
        for name in self._entries:
            if is_table_file(name) or name in used:
                yield trace(self._path, name)


def table_files(directory: str | os.PathLike[str]) -> list[str]:
    """The files of a directory that are named like tables. Raises `OSError`."""
    return sorted(filter(is_table_file, os.listdir(directory)))


def trace(directory: Path, name: str) -> Trace:
    """A file as it is now; of one that is not there, -1. Raises `OSError`."""
    try:
        found = os.lstat(directory / name)
    except FileNotFoundError:
        return name, -1, -1, -1
    return name, found.st_size, found.st_mtime_ns, found.st_ino


class CheckedTableOf:
    """A file opened as `CheckedTable`, closed at the end of the `with`."""

    def __init__(self, path: Path, name: str) -> None:
        self._table = CheckedTable(os.fspath(path), name)

    def __enter__(self) -> CheckedTable:
        return self._table

    def __exit__(self, *_: object) -> None:
        self._table.close()


def check_file(directory: str | os.PathLike[str], name: str) -> list[Finding]:
    """Everything that is wrong with one table. Raises `FormatError` for what is no file, `OSError`."""
    report = Report()
    with CheckedTableOf(Path(directory), name) as table:
        for _ in check_table(table, report, lambda _position: None):
            pass
    report.close()
    return report.drain()


def _checked(path: Path, name: str) -> list[Finding]:
    try:
        return check_file(path, name)
    except PermissionError:
        raise
    except OSError as error:
        report = Report()
        report.add("table-unreadable", name, None, error.strerror or str(error))
        return report.drain()


def _count(path: Path, reading: Reading) -> tuple[int, int]:
    """How many refs and log entries a reading has, tombstones among them."""
    with Source(path, reading) as source:
        return sum(map(len, source.refs())), sum(map(len, source.logs()))


def _limits_of(name: str) -> tuple[int, int] | None:
    parts = parse_table_name(name)
    return None if parts is None else (parts.min_update_index, parts.max_update_index)


def _words(findings: Sequence[Finding]) -> list[str]:
    words = []
    for finding in findings:
        at = "" if finding.offset is None else f" at byte {finding.offset}"
        words.append(f"{finding.code}{at}: {finding.message}")
    return words


def _joined(reasons: Sequence[str]) -> str:
    more = len(reasons) - _MOST_REASONS
    return "; ".join(reasons[:_MOST_REASONS]) + (f"; and {more} more" if more > 0 else "")


def _number(count: int, one: str, many: str | None = None) -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"

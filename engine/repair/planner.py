"""Making a plan: what repairs a stack, from what fsck finds and what can be read.

    the list       read line by line; where its tables are all there it stays, otherwise they are chosen
                   anew from all that are present
    its tables     merged where they cannot be a stack as they are
    each table     kept, kept under another name, written anew from its records, or set aside where nothing
                   of it can be read
    other files    stale locks and temporary files, tables that the stack has no use for

Nothing is written to the stack.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Final

from engine.errors import ApiError, FormatError, MissingTableError, OutdatedError
from engine.format import (
    U64_MAX,
    is_table_file,
    is_unsafe_refname,
    limits_in_name,
    pack_table_list,
    parse_table_list,
)
from engine.fsck import HIGHEST_LIMIT, Finding, Severity, fsck, once_each
from engine.progress import ProgressCallback
from engine.repair.choice import Candidate, arranged, choose, follow_each_other, inserted
from engine.repair.files import Evidence, TableFile, joined, number_of, words_for
from engine.repair.inputs import Counts, OpenInputs, count_records
from engine.repair.outcome import Damage, restored_refs
from engine.repair.plan import LeftOut, PlannedTable, RepairPlan, Step, StepKind, trace
from engine.salvage import EVERYWHERE
from engine.snapshot import left_by_repair, left_by_undo, list_snapshots, names_known
from engine.stack import (
    LOCK_SUFFIX,
    TABLES_LIST,
    FileKind,
    StackOptions,
    UnlistedFile,
    read_list_bytes,
    unlisted_files,
    unused_table_name,
)

_MOST_FAULTS: Final = 3

_ATTEMPTS: Final = 10
"""How often a plan is made anew because the stack has become another one meanwhile."""

_NEEDED: Final = {"orphan-doubtful", "table-unlisted-data"}
"""Tables that are not listed, and of which no listed table may hold the records."""

_LEFT: Final = {
    StepKind.SET_ASIDE: "kept with the snapshot; {} can be read of it",
    StepKind.LEAVE_OUT: "it stays where it is, with {}",
    StepKind.REMOVE_FILE: "it held {}; the snapshot keeps it",
}
"""What becomes of a table that is left out, and of its records."""

_ORPHANS: Final = {"orphan-table", "orphan-damaged", "orphan-newer", "orphan-ahead", *_NEEDED}


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
    is but for them, and so do all others. The name of a lock asks for its removal alone, that of a table
    for the removal of its lock as well. Otherwise each file gets the safest of its options, but for
    those named here: tables in `set_aside` are no part of the stack afterwards, those in `take_up` are,
    although they are not listed, where their update indexes place them. `now` is in seconds since 1970.
    Raises `ApiError` for names of no table, and of one to be taken up that cannot be read, `FormatError` when
    the list is no file, so that nothing can take its place, `OutdatedError` when others change the stack
    faster than it can be looked at, `OSError`, and what `progress` raises.
    """
    path = Path(directory)
    now = time.time() if now is None else now
    for name in (*set_aside, *take_up):
        if not is_table_file(name) or not os.path.lexists(path / name):
            raise ApiError(f"{name!r} is no table in {path}")
    if both := set(set_aside).intersection(take_up):
        raise ApiError(f"{min(both)} cannot be set aside and taken up at once")
    if tables is not None and (set_aside or take_up):
        raise ApiError("to choose what becomes of tables, the stack has to be repaired as a whole")
    findings: list[Finding] | None = None
    for _ in range(_ATTEMPTS):
        before = read_list_bytes(path)
        # A sound stack need not be checked anew because other processes go on adding to it.
        if findings is None or any(one.fixes for one in findings):
            findings = list(fsck(path, options, progress, now))
        try:
            known = Evidence(path, findings, options.hash_id if options else None, progress)
            only = None if tables is None else frozenset(tables)
            choices = (frozenset(set_aside), frozenset(take_up))
            plan = _Planner(known, options or StackOptions(), only, *choices, now).plan()
        except (FileNotFoundError, MissingTableError, OutdatedError):
            # A table that is gone since it was checked, from the list or from beside it: others compact.
            continue
        except FormatError:
            if read_list_bytes(path) == before:
                raise
        else:
            if not plan.steps or plan.list_before == before:
                return plan
    raise OutdatedError(os.fspath(path / TABLES_LIST), "changes all the time: another process is at work")


@dataclass(slots=True)
class _Planner:
    """Makes one plan.

    `_set_aside` and `_take_up` name the tables for which another than the safest option is wanted. `_fitting`
    are those not listed that are taken up unasked. No new table gets a name of `_taken`: also not one that
    the list alone has, or a snapshot, since a name never returns.
    """

    _known: Evidence
    _options: StackOptions
    _only: frozenset[str] | None
    _set_aside: frozenset[str]
    _take_up: frozenset[str]
    _now: float
    _steps: list[Step] = field(default_factory=list)
    _left: list[LeftOut] = field(default_factory=list)
    _listed: list[str] = field(default_factory=list)
    _mergeable: frozenset[str] = frozenset()
    _fitting: set[str] = field(default_factory=set)
    _taken: set[str] = field(default_factory=set)

    def plan(self) -> RepairPlan:
        """Look at everything, decide, and put it into words."""
        known = self._known
        lines, self._left = known.listed()
        self._listed = once_each(lines, {name: limits for name in lines if (limits := limits_in_name(name))})
        self._taken.update(known.entries, self._listed, names_known(list_snapshots(known.path)))
        present = known.look_at_listed(self._listed)
        # git reads a table that is listed again at each line: the last one is what counts.
        as_read = [known.files[name] for name in dict.fromkeys(reversed(lines)) if name in known.files]
        before = tuple(file.input for file in reversed(as_read) if file.input is not None)
        beside = unlisted_files(known.path, self._now)
        self._steps += [
            _lock_step(lock) for lock in beside if lock.kind.is_lock and self._is_about(lock.name)
        ]
        tables = self._tables(self._choose(present))
        self._plan_left_out({file for table in tables for file in table.files})
        self._plan_list(tables)
        if self._only is None:
            for file in beside:
                if file.kind is FileKind.TEMPORARY and not file.may_be_held:
                    step = (StepKind.REMOVE_FILE, file.name, file.reason, "the snapshot keeps it")
                    self._steps.append(Step(*step, Severity.WARNING))
        order = list(StepKind)
        touched = {step.file for step in self._steps if not step.needs_force} - {TABLES_LIST}
        about = [name for name in known.entries if is_table_file(name) or name in touched]
        return RepairPlan(
            known.path,
            self._options,
            known.hash_id,
            tuple(sorted(self._steps, key=lambda step: order.index(step.kind))),
            tuple(tables),
            before,
            tuple(self._left),
            known.raw,
            tuple(trace(known.path, name) for name in about),
        )

    def _is_about(self, lock: str) -> bool:
        """Whether a lock is to be removed: it is named, or what it locks is."""
        return self._selected(lock) or self._selected(lock.removesuffix(LOCK_SUFFIX))

    def _selected(self, name: str) -> bool:
        return self._only is None or name in self._only

    def _choose(self, present: Sequence[TableFile]) -> list[list[TableFile]]:
        """The files of the repaired stack, oldest first, those together that become one table."""
        known = self._known
        usable = [file for file in present if file.input is not None]
        if self._only is not None:
            return [[file] for file in usable]
        candidates = [file.candidate(is_listed=True) for file in usable]
        if not follow_each_other(candidates):
            for file in usable:
                known.correct_limits(file)
            candidates = [file.candidate(is_listed=True) for file in usable]
        sorts = not known.counts_on
        together = [one.files for one in arranged(candidates, sorts=sorts) if len(one.files) > 1]
        self._mergeable = frozenset(chain(*together))
        kept = [one for one in candidates if not self._set_aside.issuperset(one.files)]
        candidates = arranged(kept, sorts=sorts)
        usable = [file for file in usable if file.file not in self._set_aside]
        # The table that is cut short may have been half copied: what it lacks may be in another.
        is_complete = bool(self._listed) and len(usable) == len(self._listed) and not self._left
        # A list that is sound in itself may be older than its tables, or have lost a line.
        others = known.not_looked_at()
        if is_complete:
            lost = known.files_with("orphan-ahead", "table-unlisted-data")
            lost = lost - left_by_undo(known.path) - left_by_repair(known.path)
            others = [name for name in others if name in lost]
        files = [file for name in others if (file := known.look_at_unlisted(name)).input is not None]
        if is_complete:
            files = [file for file in files if not self._is_of_another_history(file, usable)]
        self._fitting = {file.file for file in files}
        found = [file.candidate(is_listed=False) for file in files if file.file not in self._set_aside]
        if found or not is_complete:
            candidates, rejected = choose([*candidates, *found])
            for passed_over, why in rejected:
                self._fitting.difference_update(passed_over.files)
                for name in set(passed_over.files) - self._take_up:
                    if passed_over.is_listed or not known.codes(name) & _NEEDED:
                        self._leave(StepKind.SET_ASIDE, known.files[name], why)
        return [[known.files[name] for name in one.files] for one in self._with_taken_up(candidates)]

    def _is_of_another_history(self, file: TableFile, listed: Sequence[TableFile]) -> bool:
        """Whether a table that is not listed holds records of its own, but overlaps listed tables."""
        if "table-unlisted-data" not in self._known.codes(file.file):
            return False
        low, high = file.readable.limits
        return any(one.readable.limits[0] <= high and low <= one.readable.limits[1] for one in listed)

    def _with_taken_up(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """The tables chosen, and those that are to be taken up although nothing else speaks for them."""
        chosen = list(candidates)
        for name in sorted(self._take_up.difference(*(one.files for one in candidates))):
            file = self._known.look_at_unlisted(name)
            if file.input is None:
                raise ApiError(f"{name} cannot be taken up: {joined(file.reasons) or 'nothing can be read'}")
            chosen = inserted(chosen, file.candidate(is_listed=False))
        return chosen

    def _tables(self, chosen: Sequence[Sequence[TableFile]]) -> list[PlannedTable]:
        """The tables of the repaired stack, with the steps that make them."""
        self._restore([file for files in chosen for file in files])
        refused = self._with_unsafe_names([file for files in chosen for file in files])
        tables: list[PlannedTable] = []
        for number, files in enumerate(chosen):
            for file in files:
                if file.file in refused:
                    why = "refs in it have names that make git fail; they are left out"
                    file.rewrite(why, replace(file.readable, drops_unsafe_names=True))
            after = chosen[number + 1 : number + 2]
            table = self._table(files, after[0][0].readable.limits[0] if after else HIGHEST_LIMIT)
            tables.append(table)
            for file in files:
                if file.file not in self._listed:
                    self._plan_taking_up(file, table)
                elif len(files) > 1:
                    self._plan_merging(file, files, table)
        return tables

    def _restore(self, chosen: Sequence[TableFile]) -> None:
        """Have the reflogs tell the values of refs whose records are lost."""
        names = {file.file for file in chosen}
        others = [
            Damage(name, None, (limits_in_name(name) or (0, U64_MAX))[1], EVERYWHERE, lost_logs=True)
            for name in (*self._listed, *(left.file for left in self._left if left.is_listed))
            if name not in names and self._only is None
        ]
        inputs = [file.readable for file in chosen]
        for at, table in restored_refs(self._known.path, inputs, others).items():
            if self._selected(chosen[at].file):
                chosen[at].input = replace(inputs[at], restored=table)

    def _table(self, files: Sequence[TableFile], following: int) -> PlannedTable:
        """The table that is made of some files; the next one begins with the update index `following`."""
        inputs = tuple(file.readable for file in files)
        limits = min(one.limits[0] for one in inputs), max(one.limits[1] for one in inputs)
        is_selected = any(self._selected(file.file) for file in files)
        rewrites = len(files) > 1 or files[0].rewrites
        # An unlisted table gets another name: a process that saw it go from the list is about to remove it.
        is_unlisted = files[0].file not in self._listed
        if not is_selected or not (rewrites or files[0].renames or is_unlisted):
            return PlannedTable(files[0].file, limits, inputs, is_rewritten=False)
        counts: Counts | None = None
        if rewrites:
            self._known.tell("read what is readable")
            unlimited = [replace(one, limits=(one.limits[0], U64_MAX)) for one in inputs]
            counts = count_records(self._known.path, unlimited)
            # Log entries may be newer than the table says, as far as the next table leaves them.
            limits = limits[0], max(limits[1], min(counts.highest_log, following - 1))
            inputs = tuple(replace(one, limits=(one.limits[0], limits[1])) for one in inputs)
            if max(counts.highest_ref, counts.highest_log) > limits[1]:
                counts = count_records(self._known.path, inputs)
        name = unused_table_name(limits, self._options.suffix, self._taken.__contains__)
        self._taken.add(name)
        if counts is None:
            if not is_unlisted:
                self._keep(StepKind.RENAME_TABLE, files[0], f"as {name}, with the same bytes")
            return PlannedTable(name, limits, inputs, is_rewritten=False)
        table = PlannedTable(name, limits, inputs, True, counts.refs, counts.logs)
        if len(files) == 1:
            self._plan_rewriting(files[0], table)
        return table

    def _plan_taking_up(self, file: TableFile, table: PlannedTable) -> None:
        findings = self._known.findings(file.file)
        why = "; ".join(f"{one.code}: {one.message}" for one in findings) or "not listed"
        how = f"merged into {table.name}" if len(table.inputs) > 1 else f"as {table.name}"
        result = f"{how}, with {words_for(*self._known.count(file))}"
        options = self._options_of(file)
        self._steps.append(Step(StepKind.TAKE_UP, file.file, why, result, Severity.ERROR, options=options))

    def _plan_merging(self, file: TableFile, files: Sequence[TableFile], table: PlannedTable) -> None:
        others = " and ".join(other.file for other in files if other is not file)
        low, high = file.readable.limits
        file.reasons.insert(0, f"its update indexes, {low} to {high}, do not fit beside those of {others}")
        file.severity = Severity.ERROR
        result = (
            f"with {others} into {table.name}, which has {words_for(table.refs, table.logs)}: "
            "of one name, the table that is later in the list counts, as for git"
        )
        self._keep(StepKind.MERGE_TABLE, file, result, self._options_of(file))

    def _options_of(self, file: TableFile) -> tuple[StepKind, ...]:
        """All that can be done with a table, the safest first; empty where there is no choice."""
        if file.input is None or self._only is not None:
            return ()
        if file.file in self._mergeable:
            return (StepKind.MERGE_TABLE, StepKind.SET_ASIDE)
        if file.file in self._listed:
            return (StepKind.REWRITE_TABLE, StepKind.SET_ASIDE) if file.rewrites else ()
        codes = self._known.codes(file.file)
        if "orphan-newer" in codes:
            return (StepKind.SET_ASIDE, StepKind.TAKE_UP)
        if codes & _NEEDED and file.file not in self._fitting:
            return (StepKind.LEAVE_OUT, StepKind.TAKE_UP, StepKind.SET_ASIDE)
        return () if "orphan-table" in codes else (StepKind.TAKE_UP, StepKind.SET_ASIDE)

    def _plan_rewriting(self, file: TableFile, table: PlannedTable) -> None:
        losses = file.losses
        result = f"as {table.name}, with {words_for(table.refs, table.logs)}"
        if losses is not None:
            if losses.uncertain_logs:
                entries = number_of(losses.uncertain_logs, "log entry", "log entries")
                result += f"; {entries} from damaged bytes, which may be wrong, left out"
            if losses.stretches:
                stretches = number_of(losses.stretches, "stretch", "stretches")
                result += f"; {stretches} ({losses.size} bytes) cannot be read"
            restored = sum(map(len, file.readable.restored.ref_blocks())) if file.readable.restored else 0
            if restored:
                result += f"; {number_of(restored, 'ref')} restored from the reflog"
            surplus = restored + losses.refs + losses.logs - losses.uncertain_logs - table.refs - table.logs
            surplus += losses.left_out
            if surplus > 0:
                result += f"; {number_of(surplus, 'record')} repeated or impossible in a table, left out"
        options = self._options_of(file) if file.file in self._listed else ()
        self._keep(StepKind.REWRITE_TABLE, file, result, options)

    def _with_unsafe_names(self, chosen: Sequence[TableFile]) -> set[str]:
        """The tables with refs whose names make git fail, if the stack shows any."""
        looked_at: Sequence[TableFile] = chosen
        is_as_listed = pack_table_list(file.file for file in chosen) == self._known.raw
        if is_as_listed and not self._known.files_with("ref-name-unsafe"):
            # fsck has seen all names, but for those that only salvaging brings to light.
            looked_at = [file for file in chosen if file.rewrites]
        found: set[str] = set()
        for file in looked_at:
            refs = chain.from_iterable(OpenInputs(self._known.path, [file.readable]).refs())
            if any(is_unsafe_refname(ref.name) and not ref.is_deletion for ref in refs):
                found.add(file.file)
        return found

    def _keep(self, kind: StepKind, file: TableFile, result: str, options: tuple[StepKind, ...] = ()) -> None:
        """A listed table stays part of the stack, but not as it is."""
        self._steps.append(Step(kind, file.file, file.why, result, file.severity, options=options))

    # What is left out

    def _leave(
        self,
        kind: StepKind,
        file: TableFile,
        why: str,
        *,
        options: tuple[StepKind, ...] = (),
        severity: Severity | None = None,
        is_ahead: bool = False,
    ) -> None:
        """A file is no part of the repaired stack; one that `is_ahead` should be."""
        name = file.file
        refs, logs = self._known.count(file)
        limits = file.input.limits if file.input is not None else limits_in_name(name)
        is_listed = is_ahead or name in self._listed
        self._left.append(LeftOut(name, why, limits, refs, logs, is_listed, losses=file.losses))
        result = _LEFT[kind].format(words_for(refs, logs))
        self._steps.append(Step(kind, name, why, result, severity or file.severity, options=options))

    def _plan_left_out(self, used: set[str]) -> None:
        """All tables that are no part of the repaired stack; `used` are those that are."""
        known = self._known
        used = used | {left.file for left in self._left}
        for name in sorted(self._set_aside - used):
            file = known.look_at_unlisted(name)
            why = joined(["as was asked for", *file.reasons])
            self._leave(StepKind.SET_ASIDE, file, why, options=self._options_of(file))
            used.add(name)
        for name in self._listed:
            if name in used or not self._selected(name):
                continue
            found = known.files.get(name)
            if found is not None and stat.S_ISREG(os.stat(known.path / name).st_mode):
                self._leave(StepKind.SET_ASIDE, found, found.why or "nothing of it can be read")
                continue
            why = found.why if found is not None else "listed in tables.list, but there is no such file"
            result = "it stays where it is" if found else "whatever it held is lost, unless a backup has it"
            self._left.append(
                LeftOut(name, why, limits_in_name(name), 0, 0, is_listed=True, is_missing=found is None)
            )
            self._steps.append(Step(StepKind.LEAVE_OUT, name, why, result, Severity.ERROR))
        if self._only is None:
            self._plan_orphans(used.union(self._listed))

    def _plan_orphans(self, used: set[str]) -> None:
        """Tables beside the list that are not taken up."""
        undone, aside = left_by_undo(self._known.path), left_by_repair(self._known.path)
        for name in self._known.entries:
            findings, codes = self._known.findings(name), self._known.codes(name)
            if name in used or not codes & _ORPHANS:
                continue
            file = self._known.look_at_unlisted(name)
            why = " ".join(f"{finding.fault.meaning} ({finding.message})" for finding in findings)
            is_kept = "orphan-table" in codes or (name in undone and bool(codes & _NEEDED))
            if name in aside or (is_kept and file.input is not None):
                self._leave(StepKind.REMOVE_FILE, file, why, severity=Severity.WARNING)
            elif codes & _NEEDED:
                self._leave(StepKind.LEAVE_OUT, file, why, options=self._options_of(file))
            else:
                options = self._options_of(file) if "orphan-newer" in codes else ()
                is_ahead = "orphan-ahead" in codes
                self._leave(StepKind.SET_ASIDE, file, why, options=options, is_ahead=is_ahead)

    # The list, and what the plan is about

    def _plan_list(self, tables: Sequence[PlannedTable]) -> None:
        before, after = self._known.raw or b"", pack_table_list(table.name for table in tables)
        if self._only is not None and not self._only.intersection((TABLES_LIST, *self._listed)):
            return  # it may be damaged: that has nothing to do with a lock
        if self._only is not None and self._known.raw is not None:
            self._require_same_lines(before, tables)
        if after == before:
            return
        found = [one for one in self._known.findings(TABLES_LIST) if one.severity is not Severity.INFO]
        same = before == pack_table_list(table.source for table in tables)
        faults = [one.message for one in found[:_MOST_FAULTS]]
        why = "; ".join(faults) or ("tables got new names" if same else "other tables count")
        reasons = {one.severity for one in found} | {step.severity for step in self._steps}
        severity = Severity.ERROR if Severity.ERROR in reasons else Severity.WARNING
        result = f"names {number_of(len(tables), 'table')}"
        self._steps.append(Step(StepKind.WRITE_LIST, TABLES_LIST, why, result, severity))

    def _require_same_lines(self, before: bytes, tables: Sequence[PlannedTable]) -> None:
        """See that the list changes by new names, and by tables that are left out, alone.

        Raises `FormatError` where it does not: then more is damaged than is to be repaired.
        """
        gone = {left.file for left in self._left}
        names = {table.source: table.name for table in tables}
        listed = parse_table_list(before).names
        kept = [names.get(name, name) for name in listed if name not in gone]
        if pack_table_list(listed) != before or kept != [table.name for table in tables]:
            what = "the list or other tables are damaged too: repair the whole stack"
            raise FormatError(TABLES_LIST, None, what)


def _lock_step(lock: UnlistedFile) -> Step:
    """The removal of a lock; of one that may be in use, with force only."""
    is_told = lock.holder is not None or not lock.may_be_held
    result = lock.holding if is_told else f"a process may be at work; {lock.holding}"
    return Step(StepKind.REMOVE_LOCK, lock.name, lock.reason, result, Severity.WARNING, lock.may_be_held)

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
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from itertools import chain
from operator import attrgetter
from pathlib import Path
from typing import Final

from engine import snapshot as snapshots, stack as stacks
from engine.errors import ApiError, FormatError, MissingTableError, OutdatedError, counted
from engine.format import (
    U64_MAX,
    is_table_file,
    limits_in_name,
    pack_table_list,
    parse_table_list,
)
from engine.fsck import Finding, Severity, fsck, once_each
from engine.git import Repository
from engine.progress import ProgressCallback
from engine.repair.choice import Candidate, arranged, choose, follow_each_other, inserted
from engine.repair.copies import copies
from engine.repair.draft import NEEDED, ORPHANS, Draft
from engine.repair.files import Evidence, TableFile, joined
from engine.repair.inputs import Input
from engine.repair.plan import LeftOut, PlannedTable, RepairPlan, Step, StepKind, trace
from engine.repair.tables import planned_tables
from engine.stack import (
    LIST_LOCK,
    LOCK_SUFFIX,
    TABLES_LIST,
    StackOptions,
    covers,
    merged_ranges,
    read_list_bytes,
    unlisted_files,
)

_MOST_FAULTS: Final = 3

_ATTEMPTS: Final = 10
"""How often a plan is made anew because the stack has become another one meanwhile."""

_LOST_LINES: Final = ("orphan-ahead", "orphan-newer", "table-unlisted-data")
"""Where one of these fits, the list has lost its line, or is older than it."""


def plan_repair(
    directory: str | os.PathLike[str],
    options: StackOptions | None = None,
    tables: Collection[str] | None = None,
    now: float | None = None,
    progress: ProgressCallback | None = None,
    *,
    set_aside: Collection[str] = (),
    take_up: Collection[str] = (),
    repository: Repository | None = None,
    mends_around: bool = True,
) -> RepairPlan:
    """What repairs the stack in `directory`; nothing is written or locked.

    `options` may state the hash function. With `tables`, only these files are repaired; the list stays as it
    is but for them, and so do all others; one of git's tables with an index of several roots gets one, for
    JGit. The name of a lock asks for its removal alone, that of a table
    for the removal of its lock as well. Otherwise each file gets the safest of its options, but for
    those named here: tables in `set_aside` are no part of the stack afterwards, those in `take_up` are,
    although they are not listed, where their update indexes place them. With a `repository`, its objects are
    asked for, and, where that `mends_around` and the whole stack is repaired, its own files are mended as
    well. `now` is in seconds since 1970.
    Raises `RepositoryError` for a directory of other things, `ApiError` for names of no table, and of one to
    be taken up that cannot be read, `FormatError` when the list is no file, so that nothing can take its
    place, `OutdatedError` when others change the stack faster than it can be looked at, `OSError`, and what
    `progress` raises.
    """
    path = Path(directory)
    now = time.time() if now is None else now
    if both := set(set_aside).intersection(take_up):
        raise ApiError(f"{min(both)} cannot be set aside and taken up at once")
    if tables is not None and (set_aside or take_up):
        raise ApiError("to choose what becomes of tables, the stack has to be repaired as a whole")
    findings: list[Finding] | None = None
    for _ in range(_ATTEMPTS):
        for name in (*set_aside, *take_up):
            if not is_table_file(name) or not os.path.lexists(path / name):
                raise ApiError(f"{name!r} is no table in {path}")
        before = read_list_bytes(path)
        # A sound stack need not be checked anew because other processes go on adding to it.
        if findings is None or any(one.fixes for one in findings):
            findings = list(fsck(path, options, progress, now, repository))
        try:
            # Where no table has the hash function that is stated, it is the statement that is wrong.
            is_misstated = any(one.code == "object-format" for one in findings)
            stated = None if options is None or is_misstated else options.hash_id
            known = Evidence(path, findings, stated, progress, tables or (), repository)
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
                plan = plan._replace(errors=sum(one.severity is Severity.ERROR for one in findings))
                if repository is None or not mends_around or only is not None:
                    return plan
                # What an export has no use for is imported for a repair.
                from engine.repair.repository import mended_around

                return mended_around(plan, repository, findings)
    raise OutdatedError(os.fspath(path / TABLES_LIST), "changes all the time: another process is at work")


class _Planner(Draft):
    """Makes one plan."""

    def plan(self) -> RepairPlan:
        """Look at everything, decide, and put it into words."""
        known = self.known
        lines, self.left = known.listed()
        self.listed = once_each(lines, {name: limits for name in lines if (limits := limits_in_name(name))})
        is_list_damaged = (
            not self.listed or bool(self.left) or b"\0" in (known.raw or b"") or known.is_list_cut
        )
        # Who has put it into disorder may have removed lines, too, where tables are missing.
        is_list_damaged |= known.codes(TABLES_LIST).issuperset(("tables-out-of-order", "indexes-missing"))
        present = known.look_at_listed(self.listed)
        # git reads a table that is listed again at each line: the last one is what counts.
        as_read = [known.files[name] for name in dict.fromkeys(reversed(lines)) if name in known.files]
        self.before = tuple(file.input for file in reversed(as_read) if file.input is not None)
        beside = unlisted_files(known.path, self.now)
        self.steps += [_lock_step(lock) for lock in beside if lock.kind.is_lock and self._is_about(lock.name)]
        tables = planned_tables(self, self._choose(present))
        self._plan_left_out(tables)
        self._plan_list(tables)
        if self.only is None:
            for file in beside:
                if file.kind is stacks.FileKind.TEMPORARY and not file.may_be_held:
                    step = (StepKind.REMOVE_FILE, file.name, file.reason, "the snapshot keeps it")
                    self.steps.append(Step(*step, Severity.WARNING))
        order = list(StepKind)
        touched = {step.file for step in self.steps if not step.needs_force} - {TABLES_LIST}
        about = [name for name in known.entries if is_table_file(name) or name in touched]
        return RepairPlan(
            known.path,
            self.options,
            known.hash_id,
            tuple(sorted(self.steps, key=lambda step: order.index(step.kind))),
            tuple(tables),
            self.before,
            tuple(self.left),
            known.raw,
            tuple(trace(known.path, name) for name in about),
            repository=known.repository,
            newer=self._newer(tables),
            beside=tuple(sorted(self.beside, key=attrgetter("limits"))),
            has_lost_names=self.only is None
            and (is_list_damaged or not self.fitting.isdisjoint(known.files_with(*_LOST_LINES))),
        )

    def _is_about(self, lock: str) -> bool:
        """Whether a lock is to be removed: it is named, or what it locks is."""
        return self.selected(lock) or self.selected(lock.removesuffix(LOCK_SUFFIX))

    def _choose(self, present: Sequence[TableFile]) -> list[list[TableFile]]:
        """The files of the repaired stack, oldest first, those together that become one table."""
        known = self.known
        usable = [file for file in present if file.input is not None]
        if self.only is not None:
            return [[file] for file in usable]
        for file, other in copies(known.path, usable):
            why = f"a copy of {other.file}, over the table that had this name"
            self.leave(StepKind.SET_ASIDE, file, joined([why, *file.reasons]), is_held=True)
            usable.remove(file)
        candidates = [file.candidate(is_listed=True) for file in usable]
        if not follow_each_other(candidates):
            for file in usable:
                known.correct_limits(file)
            candidates = [file.candidate(is_listed=True) for file in usable]
        sorts = not known.counts_on
        together = [one.files for one in arranged(candidates, sorts=sorts) if len(one.files) > 1]
        self.mergeable = frozenset(chain(*together))
        kept = [one for one in candidates if not self.set_aside.issuperset(one.files)]
        candidates = arranged(kept, sorts=sorts)
        usable = [file for file in usable if file.file not in self.set_aside]
        # The table that is cut short may have been half copied: what it lacks may be in another.
        is_complete = bool(self.listed) and len(usable) == len(self.listed) and not self.left
        is_complete = is_complete and b"\0" not in (known.raw or b"")
        # A list that is sound in itself may be older than its tables, or have lost a line.
        others = known.not_looked_at()
        if is_complete:
            lost = known.files_with("orphan-ahead", "table-unlisted-data")
            lost -= self._left_by_changes() if lost else set()
            others = [name for name in others if name in lost]
        files = [file for name in others if (file := known.look_at_unlisted(name)).input is not None]
        if is_complete:
            files = [file for file in files if not self._is_of_another_history(file, usable)]
            # Where one line is lost, others may be, too: that speaks for what would be the next table.
            lacks_lines = any("table-unlisted-data" in known.codes(file.file) for file in files)
            if known.is_list_cut or lacks_lines:
                files += self._next(usable)
        alone = [file for file in usable if any(one.files == (file.file,) for one in candidates)]
        for made, parts in self._replaced(alone) if is_complete else ():
            why = joined([*made.reasons, "the tables that it was made of are still beside it, and sound"])
            self.leave(StepKind.SET_ASIDE, made, why, is_held=True)
            candidates = [one for one in candidates if made.file not in one.files]
            files += [file for file in parts if file not in files]
        self.is_list_whole = is_complete
        self.fitting = {file.file for file in files}
        found = [file.candidate(is_listed=False) for file in files if file.file not in self.set_aside]
        if found or not is_complete:
            candidates, rejected = choose([*candidates, *found])
            for passed_over, why in rejected:
                self.fitting.difference_update(passed_over.files)
                for name in set(passed_over.files) - self.take_up:
                    if passed_over.is_listed or not known.codes(name) & NEEDED:
                        self.leave(StepKind.SET_ASIDE, known.files[name], why)
                        self.beside += [] if passed_over.is_listed else [known.files[name].readable]
        return [[known.files[name] for name in one.files] for one in self._with_taken_up(candidates)]

    def _replaced(self, usable: Sequence[TableFile]) -> Iterator[tuple[TableFile, list[TableFile]]]:
        """The damaged tables that have beside them what they were made of, with that."""
        damaged = [file for file in usable if file.losses is not None]
        if not damaged:
            return
        # What few stacks need is imported for those.
        from engine.repair.originals import originals

        known, left = self.known, self._left_by_changes() | self.set_aside
        limits = {
            name: stated
            for name in known.entries
            if name not in left and known.codes(name) & ORPHANS and (stated := limits_in_name(name))
        }
        for file in damaged:
            low, high = file.readable.limits
            within = [name for name, stated in limits.items() if _is_within(stated, low, high)]
            beside = [known.look_at_unlisted(name) for name in within]
            if found := originals(known.path, file, beside):
                yield file, found

    def _next(self, usable: Sequence[TableFile]) -> list[TableFile]:
        """The table that would be the next, unless it is known that its transaction was cut off."""
        known, index = self.known, max(file.readable.limits[1] for file in usable) + 1
        names = known.files_with("orphan-newer", "orphan-damaged") - self._left_by_changes()
        names = {name for name in names if (limits_in_name(name) or (0, 0))[0] == index}
        files = [known.look_at_unlisted(name) for name in sorted(names - self._never_committed())]
        return [file for file in files if file.input is not None]

    def _is_of_another_history(self, file: TableFile, listed: Sequence[TableFile]) -> bool:
        """Whether a table that is not listed holds records of its own, but overlaps listed tables.

        Unless it is known to have been made of these: it has all their records.
        """
        if "table-unlisted-data" not in self.known.codes(file.file):
            return False
        low, high = file.readable.limits
        within = [one.readable for one in listed]
        within = [one for one in within if one.limits[0] <= high and low <= one.limits[1]]
        if not within:
            return False
        from engine.repair.originals import is_held

        is_oldest = all(low <= one.readable.limits[0] for one in listed)
        return not all(
            low <= one.limits[0]
            and one.limits[1] <= high
            and one.limits != (low, high)
            and is_held(self.known.path, [[file.readable]], one, drops_deletions=is_oldest)
            for one in within
        )

    def _with_taken_up(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """The tables chosen, and those that are to be taken up although nothing else speaks for them."""
        chosen = list(candidates)
        for name in sorted(self.take_up.difference(*(one.files for one in candidates))):
            file = self.known.look_at_unlisted(name)
            if file.input is None:
                raise ApiError(f"{name} cannot be taken up: {joined(file.reasons) or 'nothing can be read'}")
            chosen = inserted(chosen, file.candidate(is_listed=False))
        return chosen

    # What is left out

    def _plan_left_out(self, tables: Sequence[PlannedTable]) -> None:
        """All tables that are no part of the repaired stack, which has `tables`."""
        known = self.known
        used = {file for table in tables for file in table.files} | {left.file for left in self.left}
        for name in sorted(self.set_aside - used):
            file = known.look_at_unlisted(name)
            why = joined(["as was asked for", *file.reasons])
            self.leave(StepKind.SET_ASIDE, file, why, options=self.options_of(file))
            used.add(name)
        for name in self.listed:
            if name in used or not self.selected(name):
                continue
            found = known.files.get(name)
            if found is not None and stat.S_ISREG(os.stat(known.path / name).st_mode):
                self.leave(StepKind.SET_ASIDE, found, found.why or "nothing of it can be read")
                continue
            why = found.why if found is not None else "listed in tables.list, but there is no such file"
            result = "it stays where it is" if found else _what_is_missed(name, tables)
            self.left.append(
                LeftOut(name, why, limits_in_name(name), 0, 0, is_listed=True, is_missing=found is None)
            )
            self.steps.append(Step(StepKind.LEAVE_OUT, name, why, result, Severity.ERROR))
        if self.only is None:
            self._plan_orphans(used.union(self.listed), tables)

    def _plan_orphans(self, used: set[str], tables: Sequence[PlannedTable]) -> None:
        """Tables beside the list that are not taken up."""
        known = self.known
        orphans = [name for name in known.entries if name not in used and known.codes(name) & ORPHANS]
        if not orphans:
            return
        merged, held = self._merged_already(orphans, tables), self._held(orphans, tables)
        undone, aside = snapshots.left_by_undo(known.path), snapshots.left_by_repair(known.path)
        for name in orphans:
            findings, codes = known.findings(name), known.codes(name)
            file = known.look_at_unlisted(name)
            why = " ".join(f"{finding.fault.meaning} ({finding.message})" for finding in findings)
            is_kept = "orphan-table" in codes or (name in undone and bool(codes & NEEDED))
            if name in held:
                is_kept, why = True, f"{why} The repaired stack holds all its records, as new or newer."
            if name in aside or name in merged or (is_kept and file.input is not None):
                self.leave(StepKind.REMOVE_FILE, file, why, severity=Severity.WARNING)
            elif codes & NEEDED and file.input is not None:
                self.leave(StepKind.LEAVE_OUT, file, why, options=self.options_of(file))
            else:
                options = self.options_of(file) if "orphan-newer" in codes else ()
                # What would have been chosen if it could be read may have counted.
                may_count = bool(codes & NEEDED) or not self.is_list_whole
                is_ahead = "orphan-ahead" in codes or (file.input is None and may_count)
                self.leave(StepKind.SET_ASIDE, file, why, options=options, is_ahead=is_ahead)

    def _merged_already(self, orphans: Sequence[str], tables: Sequence[PlannedTable]) -> set[str]:
        """The orphans of which sound tables were made, together with one that is damaged.

        Where all can be read, fsck has told.
        """
        known, found = self.known, set[str]()
        if not known.files_with("orphan-damaged", "orphan-doubtful"):
            return found
        from engine.repair.originals import is_made_of

        for table in tables:
            if not table.is_kept or table.files[0] not in self.listed:
                continue
            low, high = table.limits
            within = [name for name in orphans if _is_within(limits_in_name(name), low, high)]
            if within and is_made_of(
                known.path, table.inputs[0], [known.look_at_unlisted(name) for name in within]
            ):
                found.update(within)
        return found

    def _held(self, orphans: Sequence[str], tables: Sequence[PlannedTable]) -> set[str]:
        """The sound orphans of which the repaired stack is known to have all records, and not the one before.

        Those within one table go together: what one tells of a ref, that it was deleted, others have not.
        """
        known, stack = self.known, [table.inputs for table in tables]
        needed = [name for name in orphans if known.codes(name) & NEEDED]
        if not needed:
            return set()
        from engine.repair.originals import is_held

        files = [file for name in needed if not (file := known.look_at_unlisted(name)).rewrites]
        held = {one.file for one in files if one.input and is_held(known.path, stack, one.input)}
        for table in tables:
            within = {name for name in needed if _is_within(limits_in_name(name), *table.limits)}
            if not within <= held:
                held -= within
        return held

    def _left_by_changes(self) -> frozenset[str]:
        """What an earlier change meant to take away, and could not."""
        return snapshots.left_by_undo(self.known.path) | snapshots.left_by_repair(self.known.path)

    def _newer(self, tables: Sequence[PlannedTable]) -> tuple[Input, ...]:
        """Tables left out that could follow `tables`, but for what an earlier change meant to take away."""
        known, top = self.known, max((table.limits[1] for table in tables), default=0)
        names = {left.file for left in self.left}.difference(self.listed)
        found = [known.files[name].input for name in sorted(names) if name in known.files]
        newer = [one for one in found if one is not None and one.limits[0] > top]
        if not newer:
            return ()
        meant = self._left_by_changes() | self._never_committed()
        return tuple(sorted((one for one in newer if one.file not in meant), key=attrgetter("limits")))

    def _never_committed(self) -> set[str]:
        """The tables that a lock on the list, which is to go, would have added: its writer was killed."""
        if not any(step.file == LIST_LOCK and not step.needs_force for step in self.steps):
            return set()
        with suppress(FormatError, OSError):
            listed = parse_table_list(self.known.raw or b"").names
            wanted = parse_table_list(read_list_bytes(self.known.path, LIST_LOCK) or b"")
            if wanted.names[: len(listed)] == listed:
                return set(wanted.names[len(listed) :])
        return set()

    # The list, and what the plan is about

    def _plan_list(self, tables: Sequence[PlannedTable]) -> None:
        before, after = self.known.raw or b"", pack_table_list(table.name for table in tables)
        if self.only is not None and not self.only.intersection((TABLES_LIST, *self.listed)):
            return  # it may be damaged: that has nothing to do with a lock
        if self.only is not None and self.known.raw is not None:
            self._require_same_lines(before, tables)
        if after == before:
            return
        found = [one for one in self.known.findings(TABLES_LIST) if one.severity is not Severity.INFO]
        same = before == pack_table_list(table.source for table in tables)
        faults = [one.message for one in found[:_MOST_FAULTS]]
        why = "; ".join(faults) or ("tables got new names" if same else "other tables count")
        reasons = {one.severity for one in found} | {step.severity for step in self.steps}
        severity = Severity.ERROR if Severity.ERROR in reasons else Severity.WARNING
        result = f"names {counted(len(tables), 'table')}"
        self.steps.append(Step(StepKind.WRITE_LIST, TABLES_LIST, why, result, severity))

    def _require_same_lines(self, before: bytes, tables: Sequence[PlannedTable]) -> None:
        """See that the list changes by new names, and by tables that are left out, alone.

        Raises `FormatError` where it does not: then more is damaged than is to be repaired.
        """
        gone = {left.file for left in self.left}
        names = {table.source: table.name for table in tables}
        listed = parse_table_list(before).names
        kept = [names.get(name, name) for name in listed if name not in gone]
        if pack_table_list(listed) != before or kept != [table.name for table in tables]:
            what = "the list or other tables are damaged too: repair the whole stack"
            raise FormatError(TABLES_LIST, None, what)


def _is_within(limits: tuple[int, int] | None, low: int, high: int) -> bool:
    return limits is not None and low <= limits[0] <= limits[1] <= high


def _what_is_missed(name: str, tables: Sequence[PlannedTable]) -> str:
    """What becomes of the records of a table that is not there; `tables` are those of the repaired stack."""
    low, high = limits_in_name(name) or (0, U64_MAX)
    read = [(table.name, one.covered) for table in tables for one in table.inputs]
    if not covers(merged_ranges(limits for _, limits in read), low, high):
        return "whatever it held is lost, unless a backup has it"
    by = next((name for name, limits in read if limits[0] <= low and high <= limits[1]), "")
    return f"nothing is lost by it: its update indexes are those of {by or 'other tables'}"


def _lock_step(lock: stacks.UnlistedFile) -> Step:
    """The removal of a lock; of one that may be in use, with force only."""
    is_told = lock.holder is not None or not lock.may_be_held
    result = lock.holding if is_told else f"a process may be at work; {lock.holding}"
    return Step(StepKind.REMOVE_LOCK, lock.name, lock.reason, result, Severity.WARNING, lock.may_be_held)

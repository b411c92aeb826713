"""Repairing a stack: carrying out a plan that `plan_repair` has made, and nothing else.

The order of steps, of which each leaves the old stack or the new one, should the next not come:

 1. take a stale lock on the list out of the way, if the plan says so and no process has it open, behind a
    snapshot;
 2. lock the list, and see that every file is still what it was for the plan;
 3. take a snapshot, if there is none yet; put what is set aside into its `lost/` as well, which is never
    pruned;
 4. write the new tables to temporary files, read them back and check them;
 5. rename them, then the list that names them;
 6. remove what is listed no more, stale locks and leftovers: all of it, but the locks, is in the snapshot;
 7. mend the repository around the stack, which the stack needs nothing of.

Undoing is `snapshot.restore`, as for any other change. It leaves the repository mended: git refused what was
there, which is in the plan, and in `lost/` if it was a file.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from engine.errors import EntryTooBigError, FormatError, LockError, OutdatedError
from engine.format import LOG, MAX_BLOCK_SIZE, REF, parse_table_list
from engine.fsck import Severity, check_file, testify
from engine.progress import Progress, ProgressCallback
from engine.repair.digest import Digest
from engine.repair.inputs import OpenInputs
from engine.repair.plan import PlannedTable, RepairPlan, Step, StepKind, trace
from engine.repair.repository import mend_repository
from engine.snapshot import Snapshot, keep, set_aside, settle, take_snapshot
from engine.stack import (
    LIST_LOCK,
    LOCK_SUFFIX,
    TABLES_LIST,
    LockFile,
    TemporaryTable,
    read_list_bytes,
    remove_stale_lock,
    sync_directory,
)
from engine.system import remove_unless_open
from engine.table import RegularFile, Table, TableWriter, WriteOptions

_COPIED: Final = 2**20
_OF_RECORDS: Final = {"value-altered", "name-altered"}


@dataclass(slots=True, frozen=True)
class RepairResult:
    """What a repair has done: the tables of the stack, the files that are gone, and how to undo it.

    `snapshot` is None when there was nothing to do. Where locks alone were removed, it holds the stack as it
    was then: locks are not brought back.
    """

    tables: tuple[str, ...]
    removed: tuple[str, ...]
    snapshot: Snapshot | None


def repair(
    directory: str | os.PathLike[str],
    plan: RepairPlan,
    *,
    now: float | None = None,
    force: bool = False,
    losses: str = "",
    progress: ProgressCallback | None = None,
) -> RepairResult:
    """Do what `plan` says to the stack that it was made for.

    With `force`, steps that need it are done too: locks are removed that a process may hold. The snapshot
    keeps what is said of `losses` (see `ref_outcomes`), and is itself kept where there are any. Raises
    `OutdatedError` when any file is not what it was for the plan, `LockError`, `FormatError` when a table
    does not read back as it was written, `OSError`, and what `progress` raises. The stack is then as it was,
    or repaired, when nothing failed but to remove what it needs no more.
    """
    now = time.time() if now is None else now
    steps = [step for step in plan.steps if step.is_done(force=force)]
    return _Work(Path(directory), plan, steps, now, force, losses, progress or (lambda _: None)).run()


@dataclass(slots=True)
class _Work:
    """One repair."""

    _path: Path
    _plan: RepairPlan
    _steps: list[Step]
    _now: float
    _force: bool
    _losses: str
    _progress: ProgressCallback
    _removed: list[str] = field(default_factory=list)

    def file(self, name: str) -> str:
        """The path of a file of the stack."""
        return os.path.join(self._path, name)

    def run(self) -> RepairResult:
        """All steps in their order."""
        plan = self._plan
        tables = tuple(table.name for table in plan.tables)
        if not self._steps:
            return RepairResult(tables, (), None)
        if plan.is_unlocking:
            settled = self._unlock()
            return RepairResult(tables, tuple(self._removed), settled)
        self._require_unchanged()
        settled = self._repair_stack() if any(not step.kind.is_around for step in self._steps) else None
        return RepairResult(tables, tuple(self._removed), self._mend_around(settled))

    def _unlock(self) -> Snapshot | None:
        """Remove locks and nothing else: others may go on with the stack, whose list needs no lock for it.

        Behind a snapshot that is kept: the owner of a lock may be a process that cannot be seen from here.
        """
        locks = self._files(StepKind.REMOVE_LOCK)
        self._require_unchanged(locks)
        taken = self._take(kept=True)
        before = taken.list_bytes() or b""
        try:
            for name in locks:
                self._remove_lock(name)
        finally:
            taken = taken._replace(unlocked=tuple(self._removed))
            after = before if self._removed else None
            settled = settle(self._path, taken, self._now, after, when_unchanged=True)
        return settled

    def _mend_around(self, snapshot: Snapshot | None) -> Snapshot | None:
        """Mend the repository around the stack; what a HEAD held goes into a snapshot."""
        plan, around = self._plan, [step for step in self._steps if step.kind.is_around]
        if plan.repository is None or not around:
            return snapshot
        sizes = {name: size for name, size, *_ in plan.files}
        replaced = [one.file for one in around if one.kind is StepKind.WRITE_STUB and sizes[one.file] > 0]
        kept = snapshot
        if replaced:
            kept = keep(snapshot or self._take(), kept=True)
            set_aside(self._path, kept, replaced)
        if kept is not None and kept is not snapshot:
            settle(self._path, kept, self._now, read_list_bytes(self._path) or b"", when_unchanged=True)
        mend_repository(plan.repository, around, plan.options.default_permissions)
        return kept

    def _repair_stack(self) -> Snapshot | None:
        """The steps that are about the stack."""
        plan = self._plan
        locks = self._files(StepKind.REMOVE_LOCK)
        # Kept, and taken before any lock goes: its owner may be a process that cannot be seen from here.
        taken = self._take(kept=True) if locks else None
        try:
            if LIST_LOCK in locks:
                self._remove_lock(LIST_LOCK)
            mode, timeout = self._mode(), plan.options.lock_timeout_ms
            with LockFile(self.file(TABLES_LIST), timeout_ms=timeout, mode=mode) as lock:
                self._require_unchanged()
                self._require_free(locks)
                snapshot, taken = taken or self._take(), None
                settled = self._change(lock, mode, locks, snapshot)
        except BaseException:
            if taken is not None and not self._removed:
                settle(self._path, taken, self._now, None)
            raise
        return settled

    def _take(self, *, kept: bool = False) -> Snapshot:
        """Take a snapshot; also of tables that no list names, so that undoing leaves them where they were."""
        files = [*self._gone(), *(name for table in self._plan.tables for name in table.files)]
        after = self._list_after()
        return take_snapshot(self._path, "repair", self._now, extra=files, kept=kept, intended=after)

    def _list_after(self) -> bytes:
        """The bytes of the list when the repair is done."""
        return self._plan.list_after if self._plan.of(StepKind.WRITE_LIST) else self._plan.list_before or b""

    def _gone(self) -> list[str]:
        """The files that the repaired stack has no more."""
        plan = self._plan
        return [*plan.replaced, *self._files(StepKind.SET_ASIDE), *self._files(StepKind.REMOVE_FILE)]

    def _change(
        self, lock: LockFile, mode: int | None, locks: Sequence[str], snapshot: Snapshot
    ) -> Snapshot | None:
        """Do all that is done under the lock on the list; returns the snapshot if anything was changed."""
        plan, aside, is_done = self._plan, self._files(StepKind.SET_ASIDE), False
        try:
            # A table may have bytes that the repaired stack has nothing of.
            losses = [one for table in plan.tables for one in table.losses.values()]
            is_lossy = self._losses or any(one.stretches or one.uncertain_logs for one in losses)
            # Of a table of another history, newer records hide some, and those of the same update index.
            is_lossy = is_lossy or any(
                step.kind is StepKind.TAKE_UP and step.options[:1] == (StepKind.LEAVE_OUT,)
                for step in self._steps
            )
            if aside or is_lossy:
                set_aside(self._path, snapshot, aside)
                snapshot = keep(snapshot._replace(losses=self._losses), kept=True)
            self._replace_list(lock, mode)
            for name in locks:
                if name != LIST_LOCK:
                    self._remove_lock(name)
            self._remove(name for name in self._gone() if name in snapshot.files)
            sync_directory(self._path)
            is_done = True
        finally:
            unlocked = tuple(name for name in locks if name in self._removed)
            snapshot = snapshot._replace(unlocked=unlocked)
            # Of what failed, but for locks that went, nothing is left that could be taken back.
            stays = is_done and bool(unlocked)
            settled = settle(self._path, snapshot, self._now, self._list_after(), when_unchanged=stays)
        return settled

    def _files(self, kind: StepKind) -> list[str]:
        return [step.file for step in self._steps if step.kind is kind]

    def _mode(self) -> int | None:
        """The permissions of the files that are written: those of the list, or of a table."""
        plan = self._plan
        if plan.options.default_permissions is not None:
            return plan.options.default_permissions
        for name in (TABLES_LIST, *(name for table in plan.tables for name in table.files)):
            try:
                return stat.S_IMODE(os.stat(self.file(name)).st_mode)
            except FileNotFoundError:
                continue
        return None

    # Guards

    def _require_unchanged(self, names: Sequence[str] | None = None) -> None:
        """Raise `OutdatedError` unless list and files, or these alone, are those that the plan is for."""
        changed = [
            before[0]
            for before in self._plan.files
            if before[0] not in self._removed
            and (names is None or before[0] in names)
            and trace(self._path, before[0]) != before
        ]
        if names is None and not changed and read_list_bytes(self._path) != self._plan.list_before:
            changed = [TABLES_LIST]
        if changed:
            raise OutdatedError(self.file(changed[0]), "is not what it was when the repair was planned")

    def _require_free(self, locks: Sequence[str]) -> None:
        """Raise `LockError` if a table that goes is locked by a process that may be at work."""
        for name in self._plan.replaced:
            lock = name + LOCK_SUFFIX
            if lock not in locks and os.path.lexists(self.file(lock)):
                reason = "is there: another process may be compacting the table"
                raise LockError(self.file(lock), f"{reason} (--force goes on all the same)")

    def _remove_lock(self, name: str) -> None:
        """Remove a lock that is still the one of the plan; one that is held only by force."""
        if remove_stale_lock(self.file(name), now=self._now, force=self._force):
            self._removed.append(name)

    # Tables

    def _replace_list(self, lock: LockFile, mode: int | None) -> None:
        """Make the tables, and the list that names them."""
        plan = self._plan
        made: list[str] = []
        try:
            for table in plan.tables:
                if not table.is_kept:
                    self._make(table, mode, made)
            if plan.of(StepKind.WRITE_LIST):
                lock.write(plan.list_after)
                sync_directory(self._path)
                lock.commit()
                sync_directory(self._path)
        except BaseException:
            # The list has the last word: an interrupt may have come just behind the rename.
            listed = parse_table_list(read_list_bytes(self._path) or b"").names
            for name in set(made).difference(listed):
                # It was noted before it got its name, which may be what failed.
                with suppress(FileNotFoundError):
                    os.unlink(self.file(name))
            raise

    def _make(self, table: PlannedTable, mode: int | None, made: list[str]) -> None:
        """Write one table, check it, and give it its name."""
        options = self._layout_of(table)
        while True:
            with TemporaryTable(self._path, table.name.removesuffix(".ref"), mode) as temporary:
                try:
                    written = self._write(table, temporary.write, options)
                except EntryTooBigError:
                    if options.block_size == MAX_BLOCK_SIZE:
                        raise
                    options = replace(options, block_size=min(2 * options.block_size, MAX_BLOCK_SIZE))
                    continue
                temporary.finish()
                if written is not None:
                    self._verify(table, temporary.path, written)
                made.append(table.name)
                temporary.rename(table.name)
                return

    def _layout_of(self, table: PlannedTable) -> WriteOptions:
        """The options that the table was written with, as far as they can be told."""
        options, newest = self._plan.options, table.inputs[-1]
        if newest.salvaged is not None:
            stated = newest.salvaged.header.block_size
        else:
            stated = Table.open(self.file(newest.file), newest.file).block_size
        size = stated or options.block_size
        root, hash_id = table.single_root, self._plan.hash_id
        return replace(options, block_size=size, exact_log_message=True, single_root=root, hash_id=hash_id)

    def _write(
        self, table: PlannedTable, write: Callable[[bytes], object], options: WriteOptions
    ) -> Digest | None:
        """Write the records of a table and return their digest; of one that is renamed, the same bytes."""
        if not table.is_rewritten:
            copied = RegularFile.open(self.file(table.source), table.source)
            for offset in range(0, copied.size, _COPIED):
                write(copied.read(offset, _COPIED))
            return None
        source = OpenInputs(self._path, table.inputs)
        writer = TableWriter(write, options)
        writer.set_limits(*table.limits)
        digest = Digest()
        done = 0
        for refs in source.raw_refs(table.limits[0]):
            digest.take(REF, refs.keys, *refs.kinds_and_tails())
            writer.add_raw_refs(refs)
            done = self._wrote(table, done + len(refs.keys))
        for logs in source.encoded_logs():
            testify(digest.take, LOG, logs)
            writer.add_encoded_logs(logs)
            done = self._wrote(table, done + len(logs))
        writer.close()
        return digest

    def _wrote(self, table: PlannedTable, done: int) -> int:
        self._progress(Progress("write tables", done, table.refs + table.logs))
        return done

    def _verify(self, table: PlannedTable, path: str, written: Digest) -> None:
        """Read a new table back, once: the same records, and nothing wrong with it."""
        name, digest = os.path.basename(path), Digest()
        self._progress(Progress("verify tables", 0, None))
        found = check_file(self._path, name, digest.take)
        # A ref is written as it was read: what cannot be told of it otherwise stays, and its finding too.
        errors = [one for one in found if one.severity is Severity.ERROR and one.code not in _OF_RECORDS]
        if errors:
            raise FormatError(name, errors[0].offset, f"was written wrong: {errors[0].message}")
        if digest.value != written.value:
            raise FormatError(name, None, "was written wrong: its records are not those that were written")
        if (digest.refs, digest.logs) != (table.refs, table.logs):
            what = f"{digest.refs} refs and {digest.logs} reflog entries are not those planned"
            raise FormatError(name, None, what)

    def _remove(self, names: Iterator[str]) -> None:
        for name in names:
            # A git that had read the old list removes what the new one does not name, as soon as it sees it.
            with suppress(FileNotFoundError):
                if not remove_unless_open(self.file(name)):
                    continue
            self._removed.append(name)

"""Applying ref updates to a stack, as `git update-ref --stdin` does on git's reftable backend.

A transaction is one table: every change or none. Under the lock of `tables.list`, and against the stack
as it is on disk by then:

- a symbolic ref is followed unless the update says `no_deref`: the change goes to the ref it points to, and
  the symbolic ref gets a reflog entry only. Changing the branch that HEAD points to logs for HEAD as well;
- expected old values are compared;
- an update that leaves an object id as it is writes nothing (but is logged for a symref on the way);
- each change gets a reflog entry if the ref has a reflog, or is one that gets a reflog by itself. Deleting
  a ref deletes its whole reflog, one tombstone for each entry; deleting a symbolic ref is logged instead.

Three things differ from git, for the better:

- ref names and directory/file conflicts are judged by the stack's addition, on the outcome. What git refuses
  beyond that, like deleting `a` and creating `a/b` together, is for the caller to allow (`ConflictRule`);
- when the branch of HEAD becomes a symbolic ref, the log of HEAD gets the object id at its end. git writes a
  null id, as if the branch were gone;
- symbolic refs that lead in a circle can be verified and deleted by their target.

The engine has no object database: whether a ref may hold an object, and what a tag points to, is for the
caller to find out (`ObjectRule`, `Peel`). In a repository with linked worktrees a ref that belongs in another
stack is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, TypeAlias

from engine.errors import ApiError, NameConflictError, OutdatedError, RefnameError, shown
from engine.format import (
    ROOT_REF_SYNTAX,
    U64_MAX,
    HashId,
    LogRecord,
    RefRecord,
    Walk,
    check_conflicts,
    check_refname,
    log_order,
)
from engine.merge import TableSummary
from engine.stack import TABLES_LIST, ReadRef, Stack, check_names, require_writable
from engine.table import TableWriter
from engine.update.commands import RefUpdate, Symref, is_null
from engine.update.hook import ReferenceHook
from engine.update.resolution import (
    Change,
    ConflictRule,
    ObjectRule,
    Resolution,
    hook_lines,
)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who makes a reflog entry, when (seconds since 1970), and in which zone ("+0530" is 530)."""

    name: bytes
    email: bytes
    time: int
    tz: int


@dataclass(frozen=True, slots=True)
class TransactionResult:
    """The records that a transaction wrote, tombstones too, in key order; none if nothing had to change."""

    refs: tuple[RefRecord, ...] = ()
    logs: tuple[LogRecord, ...] = ()


Peel: TypeAlias = Callable[[Collection[bytes]], Mapping[bytes, bytes | None]]
"""Finds out where the annotated tags among some object ids lead in the end; None or absent: no tag."""


@dataclass(frozen=True, slots=True)
class PreparedUpdates:
    """Updates that keep the rules which hold whatever is in the stack, and what goes into their records."""

    updates: tuple[RefUpdate, ...]
    committer: Identity
    message: bytes
    peeled: Mapping[bytes, bytes | None]
    autocreates_reflog: Callable[[bytes], bool]
    problem: ObjectRule | None = None
    conflict: ConflictRule | None = None

    def apply(
        self, stack: Stack, *, shared: ReadRef | None = None, hook: ReferenceHook | None = None
    ) -> TransactionResult:
        """Apply all of them as one transaction, or raise and leave the stack as it was.

        Raises what `transaction` raises.
        """
        with self.transaction(stack, shared=shared, hook=hook) as result:
            return result

    @contextmanager
    def transaction(
        self,
        stack: Stack,
        *,
        shared: ReadRef | None = None,
        hook: ReferenceHook | None = None,
        planned: UpdatePlan | None = None,
    ) -> Iterator[TransactionResult]:
        """One transaction, prepared on entry; a clean exit commits it, an exception undoes it.

        What is written is worked out under the lock, so other writers do not matter; with `planned` it must
        be exactly that. `shared` is given when `stack` is that of a linked worktree: it reads the main
        stack of the repository, where the symbolic refs of a worktree lead to.

        Raises ExpectationError when a ref does not hold its expected old value; ApiError for two updates of
        one ref, and for a ref that belongs in another stack; RefnameError and NameConflictError for refs that
        git would refuse; LockError without the lock; OutdatedError for another outcome than the planned one;
        HookError if `hook` refuses.

        1. The hook is run for the updates (preparing), without the lock.
        2. The lock is taken, expectations are checked, the table is written. As in git, the hook is not run
           for an error in this step.
        3. The hook is run for the changes (prepared): all that is left is to put the table into the list.
        4. The list is renamed into place, then the hook is run (committed); or table and lock are removed,
           then the hook is run (aborted). Its answer changes nothing any more. One of the two always follows
           `prepared`, also for errors and interrupts, of which git does not tell the hook.
        """
        lines = hook_lines(self.updates, stack.hash_id.size)
        is_told = False
        addition = None
        try:
            if hook is not None and hook.is_recent:
                Resolution(stack, shared).claim(self.updates)
                is_told = True
                hook.run("preparing", lines)
                is_told = False
            with ExitStack() as held:
                result = TransactionResult()
                if self.updates:
                    addition = held.enter_context(stack.addition(reload=True))
                    result, resolution = self._resolve(stack, shared)
                    if planned is not None:
                        planned.require(stack, result)
                    with addition.table() as writer:
                        _write(writer, result)
                    lines = resolution.hook_lines(log_only=hook is not None and not hook.is_recent)
                if hook is not None:
                    is_told = True
                    hook.run("prepared", lines)
                yield result
        except BaseException:
            if hook is not None and is_told:
                is_committed = addition is not None and addition.has_changed_stack
                hook.run("committed" if is_committed else "aborted", lines)
            raise
        if hook is not None:
            hook.run("committed", lines)

    def plan(self, stack: Stack, *, shared: ReadRef | None = None) -> UpdatePlan:
        """What `apply` would do to the stack as this handle has it: takes no lock, writes nothing.

        Raises as `apply` does, and EntryTooBigError for a record that no block holds.
        """
        if not stack.tables:
            stack.require_list()
        require_writable(stack)
        result, _ = self._resolve(stack, shared)
        if not stack.options.skip_name_check:
            check_names(result.refs, stack.merged)
        table = None
        if result.refs or result.logs:
            index = stack.next_update_index
            writer = TableWriter(len, replace(stack.options, hash_id=stack.hash_id))
            writer.set_limits(index, index)
            _write(writer, result)
            table = TableSummary(None, writer.close().size, index, index)
        before = tuple(stack.read_ref(record.name) for record in result.refs)
        return UpdatePlan(tuple(stack.names), result, before, table, self)

    def _resolve(self, stack: Stack, shared: ReadRef | None) -> tuple[TransactionResult, Resolution]:
        """The records to write to the stack as it is now, if every expectation is met."""
        entry = partial(
            LogRecord,
            update_index=stack.next_update_index,
            committer=self.committer.name,
            email=self.committer.email,
            time=self.committer.time,
            tz=self.committer.tz,
            message=_one_line(self.message)[: stack.options.block_size // 2] + b"\n",
        )
        refs: list[RefRecord] = []
        logs: list[LogRecord] = []
        resolution = Resolution(stack, shared, self.problem)
        # Each seek inflates a block in every table, and thousands of refs may be deleted together.
        walk: Walk[LogRecord, tuple[bytes, int]] = Walk(
            lambda start: stack.merged.log_blocks(start[0], -start[1]), log_order
        )
        for change in resolution.changes_to_write(self.updates):
            if is_null(change.new) and not change.is_symref:
                logs += [LogRecord(change.name, log.update_index) for log in _reflog(walk, change.name)]
            elif self.autocreates_reflog(change.name) or _reflog(walk, change.name):
                new = resolution.logged_id(change.new)
                if new is not None:
                    logs.append(entry(change.name, old=change.current, new=new))
            if not change.log_only:
                refs.append(_ref_record(change, stack.next_update_index, self.peeled))
        self._check_conflicts(resolution.absent, refs, stack)
        return TransactionResult(tuple(refs), tuple(logs)), resolution

    def _check_conflicts(self, absent: list[bytes], refs: list[RefRecord], stack: Stack) -> None:
        """Refuse the conflicts that only git forbids: its files backend locks the path of every ref.

        They are between a ref that does not exist and one that exists or is named, too, whatever comes of it.
        """
        if self.conflict is None or stack.options.skip_name_check:
            return
        try:
            check_conflicts(absent, (), stack.merged.ref_blocks)
        except NameConflictError as error:
            check_names(refs, stack.merged)  # that of the outcome, which no rule allows, comes first
            reason = self.conflict(error.name, error.other)
            if reason is not None:
                raise ApiError(reason) from None


@dataclass(frozen=True, slots=True)
class UpdatePlan:
    """What a transaction would write to the stack of exactly these tables.

    `names` are the tables, oldest first; `before` has for each ref of `result` its record in them, if any;
    `table` is what would be written, None when nothing has to change.
    """

    names: tuple[str, ...]
    result: TransactionResult
    before: tuple[RefRecord | None, ...]
    table: TableSummary | None
    updates: PreparedUpdates

    def require(self, stack: Stack, result: TransactionResult) -> None:
        """Raise OutdatedError unless the stack is that of the plan, and `result` its outcome."""
        if stack.names != list(self.names) or result != self.result:
            raise OutdatedError(
                str(stack.directory / TABLES_LIST), "the stack is not the one that was planned for"
            )

    def apply(
        self, stack: Stack, *, shared: ReadRef | None = None, hook: ReferenceHook | None = None
    ) -> TransactionResult:
        """Write exactly this, or raise and leave the stack as it was.

        Raises OutdatedError if the stack is not the plan's any more, or if, seen through `shared`, the
        outcome would be another one; HookError if `hook` refuses; LockError without the lock.
        """
        if self.table is None:
            return self.result
        with self.updates.transaction(stack, shared=shared, hook=hook, planned=self) as result:
            return result


def prepare_updates(
    updates: Iterable[RefUpdate],
    hash_id: HashId,
    *,
    committer: Identity,
    message: bytes = b"",
    autocreates_reflog: Callable[[bytes], bool],
    peel: Peel | None = None,
    problem: ObjectRule | None = None,
    conflict: ConflictRule | None = None,
) -> PreparedUpdates:
    """Make one transaction of `updates` for a stack with object ids of `hash_id`.

    `committer` and `message` are for the reflogs; the message becomes one line: each run of white space is a
    space, and what exceeds half a block is cut off. `autocreates_reflog` says of a ref without a reflog
    whether it gets one (`Repository.autocreates_reflog`). `peel` is called once, with the object ids to be
    written. `problem` says why a ref may not hold an object id, and is asked of every ref that an update
    names or leads to; planning and applying then raise ApiError. Without it every id is written. `conflict`
    likewise says why git would not make the transaction that deletes a ref and creates one in its place;
    without it the outcome alone is judged.
    Raises ApiError for an object id of another length, RefnameError.
    """
    wanted = tuple(updates)
    for update in wanted:
        _check_update(update, hash_id.size)
    new_ids = {update.new for update in wanted if isinstance(update.new, bytes) and not is_null(update.new)}
    peeled = peel(new_ids) if peel is not None and new_ids else {}
    return PreparedUpdates(wanted, committer, message, peeled, autocreates_reflog, problem, conflict)


def _reflog(walk: Walk[LogRecord, tuple[bytes, int]], name: bytes) -> list[LogRecord]:
    """All entries of a ref's reflog, and the markers that keep one without entries."""
    entries = []
    entry = walk.to((name, -U64_MAX))
    while entry is not None and entry.name == name:
        entries.append(entry)
        entry = walk.step()
    return entries


def _write(writer: TableWriter, result: TransactionResult) -> None:
    writer.add_refs(result.refs)
    writer.add_logs(result.logs)


def _ref_record(change: Change, update_index: int, peeled: Mapping[bytes, bytes | None]) -> RefRecord:
    if isinstance(change.new, Symref):
        return RefRecord(change.name, update_index, target=change.new.target)
    if change.new is None or is_null(change.new):
        return RefRecord(change.name, update_index)
    return RefRecord(change.name, update_index, value=change.new, peeled=peeled.get(change.new))


_PSEUDOREFS: Final = (b"FETCH_HEAD", b"MERGE_HEAD")


def _check_update(update: RefUpdate, id_size: int) -> None:
    """The rules for an update that hold whatever is in the stack."""
    where = update.place or "the update"
    for value in (update.new, update.old):
        if isinstance(value, bytes) and len(value) != id_size:
            raise ApiError(f"{where}: {value.hex()!r} is not an object id of {id_size} bytes")
    if update.name in _PSEUDOREFS:
        raise ApiError(
            f"{where}: {shown(update.name)} is a file of the git directory, never a ref in a stack"
        )
    if isinstance(update.new, Symref):
        check_refname(update.new.target)
    names_an_object = isinstance(update.new, bytes) and not is_null(update.new)
    if not (names_an_object or update.name.startswith(b"refs/") or ROOT_REF_SYNTAX.fullmatch(update.name)):
        raise RefnameError(update.name, "outside refs/ a name has upper-case letters, '_' and '-' only")


def _one_line(message: bytes) -> bytes:
    return re.sub(rb"[ \t\r\n]+", b" ", message).strip(b" ")

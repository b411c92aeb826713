"""Applying ref updates to stacks, as `git update-ref --stdin` does on git's reftable backend.

A transaction is one table for each stack that it changes. Under the lock of `tables.list`, and against the
stacks as they are on disk by then:

- a symbolic ref is followed unless the update says `no_deref`: the change goes to the ref it points to, and
  the symbolic ref gets a reflog entry only. Changing the branch that HEAD points to logs for HEAD as well;
- expected old values are compared;
- an update that leaves an object id as it is writes nothing (but is logged for a symref on the way);
- each change gets a reflog entry if the ref has a reflog, or is one that gets a reflog by itself. Deleting
  a ref deletes its whole reflog, one tombstone for each entry; deleting a symbolic ref is logged instead.

A linked worktree has refs in two stacks, and others can be named (`worktrees/ID/HEAD`). As git does it:

1. The stacks of the refs that are named are locked, in that order.
2. The updates are resolved. Where a symbolic ref, or the reflog of HEAD, leads into another stack, that is
   locked too, and they are resolved anew: every ref that is changed or expected is read under its lock.
3. All tables are written, then one list after the other is renamed into place, in the order of the locks.
   What fails before the first of them leaves all stacks as they were. A process that ends between two leaves
   the later stacks as they were, and their locks. `PartlyCommittedError` tells of any other failure there,
   behind a commit included: what is made and what is not is seen once all locks are let go.

Five things differ from git, for the better:

- ref names and directory/file conflicts are judged by the stack's addition, on the outcome. What git refuses
  beyond that, like deleting `a` and creating `a/b` together, is for the caller to allow (`ConflictRule`);
- when the branch of HEAD becomes a symbolic ref, the log of HEAD gets the object id at its end. git writes a
  null id, as if the branch were gone;
- symbolic refs that lead in a circle can be verified and deleted by their target;
- the ref that a symbolic ref leads to in another stack is read under its lock. git reads it before it has
  the lock, and takes back what another process has changed in between;
- a ref of another worktree is written under the name by which it is read. git keeps the prefix in the stack
  of that worktree, where it looks for none: what it writes there it does not find.

The engine has no object database: whether a ref may hold an object, and what a tag points to, is for the
caller to find out (`ObjectRule`, `Peel`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from engine import merge
from engine.errors import (
    ApiError,
    CommittedError,
    NameConflictError,
    OutdatedError,
    PartlyCommittedError,
    ReftableError,
    in_words,
)
from engine.format import (
    HashId,
    LogRecord,
    RefRecord,
    Walk,
    check_conflicts,
    log_order,
    split_worktree,
)
from engine.stack import TABLES_LIST, Addition, Stack, check_names, require_writable
from engine.table import TableWriter
from engine.update.commands import RefUpdate, check_update, is_null
from engine.update.outcome import (
    Identity,
    StackUpdate,
    TransactionResult,
    joined,
    one_line,
    ref_record,
    reflog,
)
from engine.update.resolution import (
    Change,
    ConflictRule,
    ObjectRule,
    Resolution,
    hook_lines,
)
from engine.update.stacks import OneStack, Stacks

if TYPE_CHECKING:
    from engine.update.hook import ReferenceHook

Peel: TypeAlias = Callable[[Collection[bytes]], Mapping[bytes, bytes | None]]
"""Finds out where the annotated tags among some object ids lead in the end; None or absent: no tag."""


class PreparedUpdates(NamedTuple):
    """Updates that keep the rules which hold whatever is in the stacks, and what goes into their records."""

    updates: tuple[RefUpdate, ...]
    hash_id: HashId
    committer: Identity
    message: bytes
    peeled: Mapping[bytes, bytes | None]
    autocreates_reflog: Callable[[bytes], bool]
    problem: ObjectRule | None = None
    conflict: ConflictRule | None = None

    @contextmanager
    def transaction(
        self,
        stacks: Stack | Stacks,
        *,
        hook: ReferenceHook | None = None,
        planned: UpdatePlan | None = None,
    ) -> Iterator[TransactionResult]:
        """One transaction, prepared on entry; a clean exit commits it, an exception undoes it.

        What is written is worked out under the locks, so other writers do not matter; with `planned` it must
        be exactly that. A `Stack` alone takes all refs but those of other worktrees.

        Raises ExpectationError when a ref does not hold its expected old value; ApiError for two updates of
        one ref, and for a ref that has no stack here; RefnameError and NameConflictError for refs that
        git would refuse; LockError without the locks; OutdatedError for another outcome than the planned one;
        HookError if `hook` refuses; CommittedError for what fails behind the change of a stack.

        1. The hook is run for the updates (preparing), without a lock.
        2. The locks are taken, expectations are checked, the tables are written. As in git, the hook is not
           run for an error in this step.
        3. The hook is run for the changes (prepared): all that is left is to put the tables into the lists.
        4. The lists are renamed into place, then the hook is run (committed); or tables and locks are
           removed, then the hook is run (aborted). Its answer changes nothing any more. One of the two always
           follows `prepared`, also for errors and interrupts, of which git does not tell the hook; and both
           where one stack is changed and another is not, each for the refs there.
        """
        stacks = _as_stacks(stacks)
        lines = b"" if hook is None else hook_lines(self.updates, self.hash_id.size)
        log_only = hook is not None and not hook.is_recent
        additions: dict[str, Addition] = {}
        parts: tuple[StackUpdate, ...] = ()
        resolution = self._resolution(stacks)
        is_told = False
        try:
            if hook is not None and hook.is_recent:
                is_told = True
                hook.run("preparing", lines)
                is_told = False
            with ExitStack() as held:
                if self.updates:
                    lock = partial(_lock, stacks, additions, held)
                    resolution, parts = self._resolve(stacks, resolution, lock)
                    if planned is not None:
                        planned.require(parts)
                    for part in parts:
                        with additions[part.directory].table() as writer:
                            part.write(writer)
                if hook is not None:
                    if self.updates:
                        lines = resolution.hook_lines(additions, log_only=log_only)
                    is_told = True
                    hook.run("prepared", lines)
                yield joined(parts)
                _commit(additions, parts)
        except BaseException as error:
            made = {directory for directory, addition in additions.items() if addition.has_changed_stack}
            if hook is not None and is_told:
                missing = additions.keys() - made
                if made and any(part.directory in missing for part in parts):
                    hook.run("committed", resolution.hook_lines(made, log_only=log_only))
                    hook.run("aborted", resolution.hook_lines(missing, log_only=log_only))
                else:
                    hook.run("committed" if made else "aborted", lines)
            if made and isinstance(error, ReftableError | OSError):
                raise _behind_a_commit(error, made, parts) from _cause_of(error)
            raise
        if hook is not None:
            hook.run("committed", lines)

    def plan(self, stacks: Stack | Stacks) -> UpdatePlan:
        """What `transaction` would write to the stacks as these handles have them; takes no lock.

        Raises as that does, and EntryTooBigError for a record that no block holds.
        """
        stacks = known = _as_stacks(stacks)

        def require(directory: str) -> None:
            stack = known.to_read(directory)
            if not stack.tables:
                stack.require_list()
            require_writable(stack)

        def written(part: StackUpdate) -> StackUpdate:
            stack = known.to_read(part.directory)
            if not stack.options.skip_name_check:
                check_names(part.refs, stack.merged.ref_blocks)
            index = stack.next_update_index
            writer = TableWriter(len, replace(stack.options, hash_id=stack.hash_id))
            writer.set_limits(index, index)
            part.write(writer)
            return part._replace(table=merge.TableSummary(None, writer.close().size, index, index))

        resolution, parts = self._resolve(stacks, self._resolution(stacks), require)
        result = joined(parts)
        before = tuple(resolution.read(record.name) for record in result.refs)
        names = tuple(resolution.home.names)
        return UpdatePlan(names, result, before, tuple(map(written, parts)), self)

    def _resolution(self, stacks: Stacks) -> Resolution:
        return Resolution(stacks, self.updates, self.hash_id.size, self.problem)

    def _resolve(
        self, stacks: Stacks, resolution: Resolution, ready: Callable[[str], object]
    ) -> tuple[Resolution, tuple[StackUpdate, ...]]:
        """What to write to which stack as they are now, if every expectation is met.

        `ready` is called with each stack, before what is found in it counts: where one leads into another,
        everything is read again.
        """
        changes: list[Change] = []
        known: list[str] = []
        while found := [directory for directory in resolution.directories if directory not in known]:
            for directory in found:
                ready(directory)
            if known:
                resolution = self._resolution(stacks)
            known += found
            changes = resolution.changes_to_write()
        parts: list[StackUpdate] = []
        changed: dict[tuple[str | None, bytes], RefRecord] = {}
        for directory in known:
            own = sorted((one for one in changes if one.directory == directory), key=attrgetter("inner"))
            if own:
                result = self._records(stacks.to_read(directory), own, resolution, changed)
                has_other_names = any(change.inner != change.name for change in own)
                names = tuple(stacks.to_read(directory).names)
                parts.append(StackUpdate(directory, names, result, has_other_names))
                if directory != known[-1]:
                    changed.update((stacks.of(record.name), record) for record in result.refs)
        self._check_conflicts(stacks, resolution, [ref for part in parts for ref in part.result.refs])
        return resolution, tuple(part for part in parts if part.result != TransactionResult())

    def _records(
        self,
        stack: Stack,
        changes: Iterable[Change],
        resolution: Resolution,
        changed: Mapping[tuple[str | None, bytes], RefRecord],
    ) -> TransactionResult:
        """The records of changes in one stack, sorted by their names there; `changed` as for `logged_id`."""
        index, by = stack.next_update_index, self.committer
        message = one_line(self.message)[: stack.options.block_size // 2] + b"\n"
        refs: list[RefRecord] = []
        logs: list[LogRecord] = []
        # Each seek inflates a block in every table, and thousands of refs may be deleted together.
        walk: Walk[LogRecord, tuple[bytes, int]] = Walk(
            lambda start: stack.merged.log_blocks(start[0], -start[1]), log_order
        )
        for change in changes:
            if is_null(change.new) and not change.is_symref:
                logs += [LogRecord(change.name, log.update_index) for log in reflog(walk, change.inner)]
            elif self.autocreates_reflog(change.inner) or reflog(walk, change.inner):
                new = resolution.logged_id(change.new, changed)
                if new is not None:
                    logs.append(
                        LogRecord(
                            change.name,
                            index,
                            change.current,
                            new,
                            by.name,
                            by.email,
                            by.time,
                            by.tz,
                            message,
                        )
                    )
            if not change.log_only:
                refs.append(ref_record(change, index, self.peeled))
        return TransactionResult(tuple(refs), tuple(logs))

    def _check_conflicts(self, stacks: Stacks, resolution: Resolution, refs: list[RefRecord]) -> None:
        """Refuse the conflicts that no stack sees by itself, and those that only git forbids.

        A ref of this worktree, and one that all share, may be in each other's way. And git's files backend
        locks the path of every ref: conflicts are between a ref that does not exist and one that exists or is
        named, too, whatever comes of it.
        """
        if resolution.home.options.skip_name_check:
            return

        def check_outcome() -> None:
            check_names((ref for ref in refs if split_worktree(ref.name)[0] is None), stacks.refs_from)

        if resolution.is_joint:
            check_outcome()
        if self.conflict is None:
            return
        absent = [name for name in resolution.absent if split_worktree(name)[0] is None]
        try:
            check_conflicts(absent, (), stacks.refs_from)
        except NameConflictError as error:
            check_outcome()  # which no rule allows
            reason = self.conflict(error.name, error.other)
            if reason is not None:
                raise ApiError(reason) from None


def _as_stacks(stacks: Stack | Stacks) -> Stacks:
    return OneStack(stacks) if isinstance(stacks, Stack) else stacks


def _lock(stacks: Stacks, additions: dict[str, Addition], held: ExitStack, directory: str) -> None:
    """Lock a stack, in `held`. What was read without a lock may have changed during the wait for it."""
    additions[directory] = held.enter_context(stacks.to_write(directory).addition(reload=True))
    home = stacks.of(b"HEAD")[0]
    if home is not None and home not in additions:
        stacks.to_read(home).reload()


def _commit(additions: Mapping[str, Addition], parts: Sequence[StackUpdate]) -> None:
    """Put the tables into their lists, one after the other, in the order of the locks."""
    failure: Exception | None = None
    for part in parts:
        try:
            additions[part.directory].commit()
        except (ReftableError, OSError) as error:
            if not additions[part.directory].has_changed_stack:
                raise
            # The others are to follow: what has failed is behind the change.
            failure = failure or error
    if failure is not None:
        raise failure


def _behind_a_commit(error: Exception, made: Container[str], parts: Sequence[StackUpdate]) -> CommittedError:
    """What to raise for an error behind the change of the stacks that are `made`.

    Whether others are missing is not told by what has failed: what comes last may be a lock that could not
    be removed.
    """
    done, missing = ([part for part in parts if (part.directory in made) is is_in] for is_in in (True, False))
    path = os.path.join(done[0].directory, TABLES_LIST)
    reason = error.reason if isinstance(error, CommittedError) else in_words(error)
    if not missing:
        return CommittedError(path, reason)
    return PartlyCommittedError(
        path, reason, *(tuple(name for part in some for name in part.changed) for some in (done, missing))
    )


def _cause_of(error: BaseException) -> BaseException:
    """What has failed behind a commit, if an error tells that; or the error itself."""
    return error.__cause__ or error if isinstance(error, CommittedError) else error


class UpdatePlan(NamedTuple):
    """What a transaction would write: to each stack its part, none when nothing has to change.

    `names` are the tables of the stack that has HEAD, oldest first; `before` has for each ref of `result` its
    record now, if any.
    """

    names: tuple[str, ...]
    result: TransactionResult
    before: tuple[RefRecord | None, ...]
    parts: tuple[StackUpdate, ...]
    updates: PreparedUpdates

    def require(self, parts: tuple[StackUpdate, ...]) -> None:
        """Raise OutdatedError unless these are the stacks of the plan, and its outcome."""
        if parts != tuple(part._replace(table=None) for part in self.parts):
            path = os.path.join((self.parts or parts)[0].directory, TABLES_LIST)
            raise OutdatedError(path, "the stack is not the one that was planned for")


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
        check_update(update, hash_id.size)
    new_ids = {update.new for update in wanted if isinstance(update.new, bytes)} - {bytes(hash_id.size)}
    peeled = peel(new_ids) if peel is not None and new_ids else {}
    return PreparedUpdates(wanted, hash_id, committer, message, peeled, autocreates_reflog, problem, conflict)

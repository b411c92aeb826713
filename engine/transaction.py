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

- ref names and directory/file conflicts are judged by the stack's addition, on the outcome. Deleting `a` and
  creating `a/b` together is fine, which git refuses for the sake of its files backend;
- when the branch of HEAD becomes a symbolic ref, the log of HEAD gets the object id at its end. git writes a
  null id, as if the branch were gone;
- symbolic refs that lead in a circle can be verified and deleted by their target.

The engine has no object database: whether an object exists, and what a tag points to, is for the caller to
find out (`Peel`). In a repository with linked worktrees a ref that belongs in another stack is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, islice
from operator import attrgetter
from typing import Final, TypeAlias

from engine.errors import ApiError, ExpectationError, RefnameError, shown
from engine.git_program import Identity
from engine.merged import MergedTable
from engine.record import LogRecord, RefRecord
from engine.refname import check_refname
from engine.stack import Stack
from engine.update_ref import RefUpdate, RefValue, Symref, is_null


@dataclass(frozen=True, slots=True)
class TransactionResult:
    """The records that a transaction wrote, tombstones too, in key order; none if nothing had to change."""

    refs: tuple[RefRecord, ...] = ()
    logs: tuple[LogRecord, ...] = ()


Peel: TypeAlias = Callable[[Collection[bytes]], Mapping[bytes, bytes | None]]
"""Finds out where the annotated tags among some object ids lead in the end; None or absent: no tag."""

ReadRef: TypeAlias = Callable[[bytes], RefRecord | None]
"""`Stack.read_ref` of some stack."""


def apply_updates(
    stack: Stack,
    updates: Iterable[RefUpdate],
    *,
    committer: Identity,
    message: bytes = b"",
    autocreates_reflog: Callable[[bytes], bool],
    peel: Peel | None = None,
    shared: ReadRef | None = None,
) -> TransactionResult:
    """Apply all `updates` to `stack` as one transaction, or raise and leave the stack as it was.

    `committer` and `message` are for the reflogs; the message becomes one line: each run of white space is a
    space, and what exceeds half a block is cut off. `autocreates_reflog` says of a ref without a reflog
    whether it gets one (`Repository.autocreates_reflog`). `peel` is called once, before the lock is taken,
    with the object ids to be written. `shared` is given when `stack` is that of a linked worktree: it reads
    the repository's main stack, where the symbolic refs of a worktree lead to.

    Raises ExpectationError when a ref does not hold its expected old value; ApiError for two updates of one
    ref, an object id of another length than the stack's, and a ref that belongs in another stack;
    RefnameError and NameConflictError for refs that git would refuse; LockError without the lock.
    """
    wanted = list(updates)
    if not wanted:
        return TransactionResult()
    for update in wanted:
        _check_update(update, stack.hash_id.size)
    new_ids = {update.new for update in wanted if isinstance(update.new, bytes) and not is_null(update.new)}
    peeled = peel(new_ids) if peel is not None and new_ids else {}
    with stack.addition(reload=True) as addition:
        entry = partial(
            LogRecord,
            update_index=addition.update_index,
            committer=committer.name,
            email=committer.email,
            time=committer.time,
            tz=committer.tz,
            message=_one_line(message)[: stack.options.block_size // 2] + b"\n",
        )
        refs: list[RefRecord] = []
        logs: list[LogRecord] = []
        resolution = _Resolution(stack, shared)
        reflogs = _Reflogs(stack.merged)
        for change in resolution.changes_to_write(wanted):
            if is_null(change.new) and not change.is_symref:
                logs += [LogRecord(change.name, log.update_index) for log in reflogs.entries(change.name)]
            elif autocreates_reflog(change.name) or reflogs.entries(change.name):
                new = resolution.logged_id(change.new)
                if new is not None:
                    logs.append(entry(change.name, old=change.current, new=new))
            if not change.log_only:
                refs.append(_ref_record(change, addition.update_index, peeled))
        with addition.table() as writer:
            writer.add_refs(refs)
            writer.add_logs(logs)
    return TransactionResult(tuple(refs), tuple(logs))


_MAX_SYMREF_DEPTH: Final = 5
"""git's limit on the refs read to find the object id behind a symbolic ref."""


@dataclass(slots=True)
class _Change:
    """What is to become of one ref. `update` asked for it, if only through a symref or the branch of HEAD."""

    name: bytes
    new: RefValue | None
    old: RefValue | None
    no_deref: bool
    update: RefUpdate
    log_only: bool = False
    through_head: bool = False
    is_symref: bool = False
    current: bytes = b""

    def __str__(self) -> str:
        source = self.update.place or "the update"
        return source if self.name == self.update.name else f"{source} (through {shown(self.update.name)})"


class _Resolution:
    """Finds the refs that updates really change, in the stack as it is under the lock."""

    def __init__(self, stack: Stack, shared: ReadRef | None) -> None:
        self._stack = stack
        self._shared = shared
        self._null = bytes(stack.hash_id.size)
        self._claimed: dict[bytes, _Change] = {}

    def changes_to_write(self, updates: Iterable[RefUpdate]) -> list[_Change]:
        """The changes that leave a record, sorted by name, once every expectation is met."""
        queue = [_Change(update.name, update.new, update.old, update.no_deref, update) for update in updates]
        for change in queue:
            self._claim(change)
        head = self._read(b"HEAD")
        branch = None if head is None else head.target
        kept = []
        for change in queue:  # which grows on the way
            if change.name == branch and not change.log_only and not change.through_head:
                queue.append(self._claim(_log_for_head(change)))
            record = self._read(change.name)
            change.current = self._null
            if record is None:
                if _expects_a_ref(change):
                    raise _unexpected(change, "it does not exist")
                if change.new is not None and not is_null(change.new):
                    kept.append(change)
                continue
            if record.target is not None:
                change.is_symref = True
                change.current = self.follow(change.name) or self._null
                if not change.no_deref:
                    queue.append(self._claim(_behind(change, record.target)))
                    change.log_only = True
            elif record.value is not None:
                change.current = record.value
            self._check_expectation(change, record)
            if change.new is not None and (change.is_symref or change.new != change.current):
                kept.append(change)
        return sorted(kept, key=attrgetter("name"))

    def follow(self, name: bytes) -> bytes | None:
        """The object id that `name` leads to: null if the last ref is missing, None if there is no last."""
        for _ in range(_MAX_SYMREF_DEPTH):
            record = self._read(name)
            if record is None:
                return self._null
            if record.target is None:
                return record.value
            name = record.target
        return None

    def logged_id(self, new: RefValue | None) -> bytes | None:
        """The new object id in the reflog entry of a change; None if the change is not logged.

        A symbolic ref is logged with the id that it leads to before the transaction. Without one git logs
        nothing, even if the ref at its end comes into being in the same transaction.
        """
        if not isinstance(new, Symref):
            return new
        oid = self.follow(new.target)
        return None if is_null(oid) else oid

    def _read(self, name: bytes) -> RefRecord | None:
        if self._shared is not None and not _is_per_worktree(name):
            return self._shared(name)
        return self._stack.read_ref(name)

    def _claim(self, change: _Change) -> _Change:
        """Refuse a second change of a ref, and one that belongs in another stack."""
        other = self._claimed.setdefault(change.name, change)
        if other.update is not change.update:
            raise ApiError(
                f"{shown(change.name)} is named twice in one transaction: by {other} and by {change}"
            )
        if other is not change:
            raise ApiError(f"{change}: the symbolic refs from {shown(change.name)} lead in a circle")
        if change.name.startswith((b"worktrees/", b"main-worktree/")):
            raise ApiError(f"{change}: {shown(change.name)} is in the stack of another worktree")
        if self._shared is not None and not _is_per_worktree(change.name):
            raise ApiError(
                f"{change}: {shown(change.name)} is no ref of this worktree, but of the main stack"
            )
        return change

    def _check_expectation(self, change: _Change, record: RefRecord) -> None:
        if isinstance(change.old, Symref):
            if record.target is None:
                raise _unexpected(change, "it is no symbolic ref")
            if record.target != change.old.target:
                raise _unexpected(change, f"it points to {shown(record.target)}")
        elif change.old is not None and not change.log_only:
            if change.is_symref and is_null(change.old):
                # A dangling symref holds the null id, and is a ref that would be overwritten all the same.
                raise _unexpected(change, "it is a symbolic ref")
            if change.current != change.old:
                gone = is_null(change.current)
                raise _unexpected(change, "it leads nowhere" if gone else f"it is at {change.current.hex()}")


def _expects_a_ref(change: _Change) -> bool:
    return change.old is not None and not is_null(change.old)


def _unexpected(change: _Change, found: str) -> ExpectationError:
    if isinstance(change.old, Symref):
        expected = f"a symbolic ref to {shown(change.old.target)}"
    elif change.old is None or is_null(change.old):
        expected = "that there is no such ref"
    else:
        expected = change.old.hex()
    return ExpectationError(change.name, f"{change} expects {expected}, but {found}")


def _log_for_head(change: _Change) -> _Change:
    """What a change of the branch that HEAD points to means for HEAD: an entry in its reflog."""
    return _Change(b"HEAD", change.new, None, no_deref=True, update=change.update, log_only=True)


def _behind(change: _Change, target: bytes) -> _Change:
    """What a change of a symbolic ref means for the ref it points to."""
    through_head = change.through_head or change.name == b"HEAD"
    return replace(change, name=target, through_head=through_head, is_symref=False)


def _ref_record(change: _Change, update_index: int, peeled: Mapping[bytes, bytes | None]) -> RefRecord:
    if isinstance(change.new, Symref):
        return RefRecord(change.name, update_index, target=change.new.target)
    if change.new is None or is_null(change.new):
        return RefRecord(change.name, update_index)
    return RefRecord(change.name, update_index, value=change.new, peeled=peeled.get(change.new))


class _Reflogs:
    """The reflogs of refs, asked for in ascending order: one walk over all logs, seeking across gaps.

    A seek inflates and decodes a block in each table. Doing so for each of thousands of refs that are deleted
    together would keep the lock for as many milliseconds.
    """

    def __init__(self, merged: MergedTable) -> None:
        self._merged = merged
        self._walk: Iterator[LogRecord] = iter(())
        self._next: LogRecord | None = None

    def entries(self, name: bytes) -> list[LogRecord]:
        """All entries of one ref."""
        if self._next is None or self._next.name < name:
            nearby = islice(self._walk, _STEPS_BEFORE_SEEK)
            self._next = next((log for log in nearby if log.name >= name), None)
            if self._next is None:
                self._walk = chain.from_iterable(self._merged.log_blocks(name))
                self._next = next(self._walk, None)
        found = []
        while self._next is not None and self._next.name == name:
            found.append(self._next)
            self._next = next(self._walk, None)
        return found


_STEPS_BEFORE_SEEK: Final = 128
"""About a block of log records, which has to be decoded for a seek anyway."""


def _is_per_worktree(name: bytes) -> bool:
    """Whether every worktree has a ref of this name for itself (git's is_current_worktree_ref)."""
    return bool(_ROOT_REF.fullmatch(name)) or name.startswith(_PER_WORKTREE)


_ROOT_REF: Final = re.compile(rb"[A-Z_-]+")
_PER_WORKTREE: Final = (b"refs/worktree/", b"refs/bisect/", b"refs/rewritten/")
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
    if not (names_an_object or update.name.startswith(b"refs/") or _ROOT_REF.fullmatch(update.name)):
        raise RefnameError(update.name, "outside refs/ a name has upper-case letters, '_' and '-' only")


def _one_line(message: bytes) -> bytes:
    return re.sub(rb"[ \t\r\n]+", b" ", message).strip(b" ")

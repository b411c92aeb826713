"""Finding the refs that updates really change, in the stacks as they are now, and whether they may.

An update of a symbolic ref is one of the ref it points to, unless it says `no_deref`; an update of the branch
that HEAD points to is logged for HEAD as well. Expected old values are compared with what each ref holds.

What is written for a change (records, reflog entries) is in `outcome.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final, TypeAlias, cast

from engine.errors import ApiError, ExpectationError, FormatError, shown
from engine.format import OTHER_WORKTREES, RefRecord, Walk, ref_key
from engine.stack import Stack, follow
from engine.update.commands import RefUpdate, RefValue, Symref, is_null
from engine.update.stacks import Stacks

ObjectRule: TypeAlias = Callable[[bytes, bytes], str | None]
"""Why the ref of a name may not hold an object id; None if it may."""

ConflictRule: TypeAlias = Callable[[bytes, bytes], str | None]
"""Why two refs, one a directory of the other, may not be in one transaction; None if they may."""

_BYTES_A_LOOKUP: Final = 3_000
"""What a scan reads of a stack in the time that a lookup takes."""


@dataclass(slots=True)
class Change:
    """What is to become of one ref. `update` asked for it, if only through a symref or the branch of HEAD.

    `directory` is that of the stack which has the ref, and `inner` its name there, once it is claimed.
    """

    name: bytes
    new: RefValue | None
    old: RefValue | None
    no_deref: bool
    update: RefUpdate
    log_only: bool = False
    through_head: bool = False
    is_symref: bool = False
    current: bytes = b""
    directory: str = ""
    inner: bytes = b""

    def __str__(self) -> str:
        source = self.update.place or "the update"
        return source if self.name == self.update.name else f"{source} (through {shown(self.update.name)})"


class Resolution:
    """Finds the refs that `updates` really change, in `stacks` as they are under their locks.

    Raises ApiError where the updates cannot be made together, or here.
    """

    def __init__(
        self, stacks: Stacks, updates: Iterable[RefUpdate], id_size: int, problem: ObjectRule | None = None
    ) -> None:
        self._stacks = stacks
        self._problem = problem
        self._null = bytes(id_size)
        self._claimed: dict[str, dict[bytes, Change]] = {}
        self._changes: list[Change] = []
        for update in updates:
            self._claim(Change(update.name, update.new, update.old, update.no_deref, update))
        self.absent: list[bytes] = []  # the refs named by updates, or led to, that do not exist

    @property
    def directories(self) -> list[str]:
        """The stacks of the changes, in the order in which they turn out to be needed."""
        return list(self._claimed)

    def changes_to_write(self) -> list[Change]:
        """The changes that leave a record, once every expectation is met. To be called once."""
        known = self._read_ahead()
        head = self.read(b"HEAD")
        branch = None if head is None or head.target is None else self._stacks.of(head.target)
        own_head = self._stacks.of(b"HEAD")  # which may be named `main-worktree/HEAD` as well
        kept = []
        for change in self._changes:  # which grow on the way
            if branch == (change.directory, change.inner) and not (change.log_only or change.through_head):
                self._claim(_log_for_head(change))
            self._check_object(change)
            ahead = known.get(change.directory, {})
            if change.inner in ahead:
                record = ahead[change.inner]
            else:
                record = self._stacks.to_read(change.directory).read_ref(change.inner)
            change.current = self._null
            if record is None:
                if change.old is not None and not is_null(change.old):
                    raise _unexpected(change, "it does not exist")
                self.absent.append(change.name)
                if change.new is not None and not is_null(change.new):
                    kept.append(change)
                continue
            if record.target is not None:
                change.is_symref = True
                change.current = self.follow(change.name) or self._null
                if not change.no_deref:
                    is_head = (change.directory, change.inner) == own_head
                    self._claim(_behind(change, record.target, is_head=is_head))
                    change.log_only = True
            elif record.value is not None:
                change.current = record.value
            self._check_expectation(change, record)
            # A ref with the null id, which no git writes, is there to be deleted all the same.
            is_other = change.is_symref or change.new != change.current or is_null(change.new)
            if change.new is not None and is_other:
                kept.append(change)
        return kept

    def _read_ahead(self) -> dict[str, dict[bytes, RefRecord | None]]:
        """The refs that updates name, of the stacks that one walk reads sooner than a lookup of each."""
        known: dict[str, dict[bytes, RefRecord | None]] = {}
        for directory, claimed in self._claimed.items():
            merged = self._stacks.to_read(directory).merged
            if len(claimed) * _BYTES_A_LOOKUP < sum(table.size for table in merged.tables):
                continue
            walk = Walk(merged.ref_blocks, ref_key)
            ahead = known[directory] = {}
            with suppress(FormatError):  # it may be in a place that no update names
                for name in sorted(claimed):
                    ahead[name] = walk.find(name)
        return known

    def hook_lines(self, directories: Container[str], *, log_only: bool) -> bytes:
        """The changes of these stacks as the hook reference-transaction has them.

        Those of reflogs alone are among them if it wants them.
        """
        lines = []
        for change in self._changes:
            if change.directory not in directories:
                continue
            new, old = change.new, change.old
            if change.log_only:
                if not log_only:
                    continue
                # The line of HEAD, through its branch, has object ids alone; others have no old value.
                new = None if change.no_deref and isinstance(new, Symref) else new
                old = old if change.no_deref else None
            lines.append(_hook_line(change.name, new, old, self._null))
        return b"".join(lines)

    def follow(self, name: bytes) -> bytes | None:
        """The object id that `name` leads to: null if the last ref is missing, None if there is no last."""
        found = follow(self.read, name)
        return self._null if found.end == "missing" else found.oid

    def logged_id(
        self, new: RefValue | None, changed: Mapping[tuple[str | None, bytes], RefRecord]
    ) -> bytes | None:
        """The new object id in the reflog entry of a change; None if the change is not logged.

        A symbolic ref is logged with the id that it leads to before the stack is changed, and git changes
        one stack after the other: `changed` are the refs of those that come first. Without an id git logs
        nothing, even if the ref at its end comes into being in the same stack.
        """

        def read(name: bytes) -> RefRecord | None:
            record = changed.get(self._stacks.of(name))
            if record is None:
                return self.read(name)
            return None if record.is_deletion else record

        if not isinstance(new, Symref):
            return new
        oid = follow(read, new.target).oid
        return None if is_null(oid) else oid

    @property
    def home(self) -> Stack:
        """The stack that has HEAD."""
        return self._stacks.to_read(cast("str", self._stacks.of(b"HEAD")[0]))

    @property
    def is_joint(self) -> bool:
        """Whether the refs that worktrees share are in another stack."""
        return self._stacks.of(b"HEAD")[0] != self._stacks.of(b"refs/heads")[0]

    def read(self, name: bytes) -> RefRecord | None:
        """The ref of this name, if there is one."""
        directory, inner = self._stacks.of(name)
        return None if directory is None else self._stacks.to_read(directory).read_ref(inner)

    def _claim(self, change: Change) -> None:
        """Find the stack of a change. Refuse a second one of a ref, and one that has no stack."""
        name = change.name
        directory, change.inner = self._stacks.of(name)
        if directory is None:
            raise ApiError(
                f"{change}: {shown(name)} is in the stack of another worktree, which is not known here"
            )
        if change.inner.startswith(OTHER_WORKTREES):
            raise ApiError(f"{change}: {shown(name)} is no ref of another worktree: all share those")
        change.directory = directory
        other = self._claimed.setdefault(directory, {}).setdefault(change.inner, change)
        if other.update is not change.update:
            raise ApiError(f"{shown(name)} is named twice in one transaction: by {other} and by {change}")
        if other is not change:
            raise ApiError(f"{change}: the symbolic refs from {shown(name)} lead in a circle")
        self._changes.append(change)

    def _check_object(self, change: Change) -> None:
        # As git does: a symbolic ref is judged by its own name too, and so is a value that is there already.
        if self._problem is None or change.log_only or is_null(change.new):
            return
        if isinstance(change.new, bytes) and (reason := self._problem(change.name, change.new)) is not None:
            raise ApiError(f"{change}: {reason}")

    def _check_expectation(self, change: Change, record: RefRecord) -> None:
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


def hook_lines(updates: Iterable[RefUpdate], id_size: int) -> bytes:
    """Updates as the hook reference-transaction has them before they are resolved."""
    null = bytes(id_size)
    return b"".join(_hook_line(update.name, update.new, update.old, null) for update in updates)


def _hook_line(name: bytes, new: RefValue | None, old: RefValue | None, null: bytes) -> bytes:
    """A change as the hook reference-transaction has it."""

    def text(value: RefValue | None) -> bytes:
        return b"ref:" + value.target if isinstance(value, Symref) else (value or null).hex().encode()

    return b"%s %s %s\n" % (text(old), text(new), name)


def _unexpected(change: Change, found: str) -> ExpectationError:
    if isinstance(change.old, Symref):
        expected = f"a symbolic ref to {shown(change.old.target)}"
    elif change.old is None or is_null(change.old):
        expected = "that there is no such ref"
    else:
        expected = change.old.hex()
    return ExpectationError(change.name, f"{change} expects {expected}, but {found}")


def _log_for_head(change: Change) -> Change:
    """What a change of the branch that HEAD points to means for HEAD: an entry in its reflog."""
    old = None if isinstance(change.old, Symref) else change.old
    return Change(b"HEAD", change.new, old, no_deref=True, update=change.update, log_only=True)


def _behind(change: Change, target: bytes, *, is_head: bool) -> Change:
    """What a change of a symbolic ref, HEAD or another one, means for the ref it points to."""
    through_head = change.through_head or is_head
    return replace(change, name=target, through_head=through_head, is_symref=False)

"""The refs of a repository as git sees them from one of its worktrees: its stacks as one.

    HEAD and the like, refs/bisect/*, refs/worktree/*, refs/rewritten/*    of the worktree's own stack
    main-worktree/HEAD, worktrees/ID/HEAD and the like                     of another worktree's
    all other names                                                       of the main stack

The main worktree has its own refs in the main stack. Names are `bytes`, whole as git stores them
(`refs/heads/main`); `full_name` makes one of what people type.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, Generic, TypeAlias, cast

from engine import merge, stack as stacks, update
from engine.closing import Closing
from engine.errors import require_bytes
from engine.format import LiveRef, LogEntry, is_per_worktree, is_refname
from engine.git.joint import AnyStack, JointStacks
from engine.merge import MergedTable
from engine.stack import Resolved, StackOptions, follow

if TYPE_CHECKING:
    from engine.git.writing import RefTransaction

_RULES: Final = (
    (b"", b""),
    (b"refs/", b""),
    (b"refs/tags/", b""),
    (b"refs/heads/", b""),
    (b"refs/remotes/", b""),
    (b"refs/remotes/", b"/HEAD"),
)
"""What git puts around a short name, in the order in which it tries: ref_rev_parse_rules of its refs.c."""

_BRANCHES: Final = b"refs/heads/"


def possible_names(name: bytes) -> Iterator[bytes]:
    """The whole names that `name` may stand for, in the order in which git tries them; `@` is HEAD."""
    name = b"HEAD" if name == b"@" else name
    return (before + name + after for before, after in _RULES)


def short_name(name: bytes, is_there: Callable[[bytes], bool], *, strict: bool = True) -> bytes:
    """The shortest name that git takes for the ref `name`; `is_there` says which refs lead to an object.

    `strict` is for core.warnAmbiguousRefs: no other rule may find a ref by it; else only none that git
    tries earlier. As refs_shorten_unambiguous_ref() in git's refs.c.
    """
    for number, (before, after) in reversed([*enumerate(_RULES)][1:]):
        short = name[len(before) : len(name) - len(after)]
        if not short or name != before + short + after:
            continue
        rules = [rule for rule in (_RULES if strict else _RULES[:number]) if rule != (before, after)]
        if not any(is_there(prefix + short + suffix) for prefix, suffix in rules):
            return short
    return name


OpenStack: TypeAlias = Callable[[Path, StackOptions], AnyStack]
"""How a stack is opened."""

_Begin: TypeAlias = "Callable[[bytes, bool, bool, Callable[[bytes], object]], RefTransaction]"


def open_to_read(directory: Path, options: StackOptions) -> stacks.Stack:
    """A stack that nothing is locked, removed or written for. Raises what `Stack.open` raises."""
    return stacks.Stack.open(directory, options, read_only=True)


class Refs(Closing, Generic[AnyStack]):
    """The refs of one worktree, as they were when this was opened or last reloaded.

    Only a `transaction` locks or writes anything. For one thread at a time.
    """

    def __init__(self, stacks: JointStacks[AnyStack], begin: _Begin) -> None:
        """What `stacks` have, which it closes; `begin` begins a transaction. Raises what opening one does."""
        self._stacks = stacks
        self._begin = begin
        with ExitStack() as opening:
            opening.callback(stacks.close)
            self._main = stacks.to_read(stacks.main)
            self._own = None if stacks.own is None else stacks.to_read(stacks.own)
            opening.pop_all()

    @property
    def stacks(self) -> tuple[AnyStack, ...]:
        """The stacks that have been opened: the main one, the worktree's own, others that were asked for."""
        return self._stacks.opened

    def close(self) -> None:
        """Close the stacks."""
        self._stacks.close()

    def reload(self) -> bool:
        """Take up what others have changed; whether there was anything. One `stat` for each stack if not.

        Raises what `Stack.reload` raises, `ApiError` once closed; what was taken up before it stays.
        """
        return sum(stack.reload() for stack in self.stacks) > 0  # each of them

    # One ref.

    def _place(self, name: bytes) -> tuple[AnyStack | None, bytes]:
        """The stack that has the ref `name`, and its name there; None for a worktree that has no stack."""
        require_bytes(name)
        directory, inner = self._stacks.of(name)
        return None if directory is None else self._stacks.to_read(directory), inner

    def get(self, name: bytes) -> LiveRef | None:
        """The ref of this whole name as it is stored, symbolic or not; None if there is none."""
        stack, inner = self._place(name)
        record = None if stack is None else stack.merged.read_ref(inner)
        return record if record is None or inner == name else record.replace(name=name)

    def __getitem__(self, name: bytes) -> LiveRef:
        record = self.get(name)
        if record is None:
            raise KeyError(name)
        return record

    def __contains__(self, name: bytes) -> bool:
        return self.get(name) is not None

    def resolve(self, name: bytes) -> Resolved:
        """Where the ref of this whole name leads: through which symbolic refs, to which object id."""
        return follow(self.get, name)

    def current_branch(self) -> bytes | None:
        """The whole name of the branch that HEAD names, be it unborn; None if HEAD is detached or missing."""
        head = self.get(b"HEAD")
        target = None if head is None else head.target
        return target if target is not None and target.startswith(_BRANCHES) else None

    # Short names.

    def full_name(self, name: bytes) -> bytes | None:
        """The ref that git takes `name` for (`main`, `origin`, `tags/v1`); None if there is none.

        A symbolic ref is given as the ref that it leads to, as by `git rev-parse --symbolic-full-name`;
        `@` is HEAD.
        """
        require_bytes(name)
        found = (self.resolve(whole) for whole in possible_names(name) if is_refname(whole))
        return next((one.name for one in found if one.oid is not None), None)

    def short_name(self, name: bytes, *, strict: bool = True) -> bytes:
        """The shortest name that git takes for the ref `name`: `%(refname:short)`.

        `strict` is for core.warnAmbiguousRefs, which is on unless set: no other rule may find a ref by it;
        else only no rule that git tries earlier.
        """
        require_bytes(name)
        return short_name(name, lambda one: self.resolve(one).oid is not None, strict=strict)

    # Many refs.

    def under(self, prefix: bytes = b"") -> Iterator[LiveRef]:
        """The refs whose names begin with `prefix`, in name order, as they are stored.

        HEAD and the like are among them: those that `git for-each-ref` lists are `under(b"refs/")`, but for
        symbolic refs that lead nowhere, which git leaves out.
        Those of other worktrees are not among them: `main-worktree/` and `worktrees/` are no directories.
        """
        for records in self._stacks.refs_from(prefix):
            for record in records:
                if not record.name.startswith(prefix):
                    return
                yield cast("LiveRef", record)

    def __iter__(self) -> Iterator[LiveRef]:
        return self.under()

    # Reflogs.

    def reflog(self, name: bytes) -> Iterator[LogEntry]:
        """The entries of the reflog of a ref, by its whole name, newest first; none without a reflog."""
        stack, inner = self._place(name)
        for entry in () if stack is None else stack.merged.logs(inner):
            if not entry.is_marker:
                yield entry if inner == name else entry.replace(name=name)

    def nth(self, name: bytes, number: int) -> bytes | None:
        """The object id that the ref had `number` changes ago: `name@{number}`; None if it is not known.

        `name` is a whole one: `full_name` makes one of what people type. 0 is the id that it has. One more
        than the reflog has entries is what the oldest one changed.
        """
        value = self.resolve(name).oid
        oldest: LogEntry | None = None
        for position, entry in enumerate(self.reflog(name)):
            if position == number:
                return value if oldest is None or update.is_null(oldest.old) else entry.new
            oldest = entry
        if oldest is None:
            return value if number == 0 else None
        is_one_more = number == position + 1
        return oldest.old if is_one_more and not update.is_null(oldest.old) else None

    def at(self, name: bytes, when: int) -> bytes | None:
        """The object id that the ref had at a time, in seconds since 1970: `name@{time}`.

        `name` is a whole one. For a time before the reflog begins it is what the oldest entry changed; None
        without a reflog.
        """
        newer: LogEntry | None = None
        for entry in self.reflog(name):
            if entry.time <= when:
                if (newer is not None and not update.is_null(newer.old)) or entry.time == when:
                    return entry.new
                return self.resolve(name).oid
            newer = entry
        if newer is None:
            return None
        return newer.new if update.is_null(newer.old) else newer.old

    # Changes by this process.

    @contextmanager
    def transaction(
        self,
        message: bytes = b"",
        *,
        force: bool = False,
        create_reflog: bool = False,
        output: Callable[[bytes], object] = lambda _: None,
    ) -> Iterator[RefTransaction]:
        """A transaction: what is asked of it in a `with` is made at the end, all or nothing.

        As by `git update-ref --stdin` in the worktree, with its committer, hook and options, and `message` in
        the reflogs; an exception in the `with` aborts it. This handle shows the outcome then, and whatever
        else has changed. `force` writes what git would refuse of the objects: one that is missing, or is no
        commit for a branch. `create_reflog` begins a reflog for every ref that has none. `output` gets what
        the hook prints. Where stacks are two, see `engine.update.transaction` for the order of locks.

        Raises ExpectationError when a ref does not hold its expected old value; ApiError for what git would
        refuse; RefnameError, NameConflictError; LockError when a stack is locked for longer than
        reftable.lockTimeout; HookError; CommittedError for what fails behind the change, and of several
        stacks PartlyCommittedError; FormatError for a stack that is to be repaired first.
        """
        self._stacks.require_open()  # this handle is to show the outcome
        with self._begin(message, force, create_reflog, output) as transaction:
            yield transaction
        self.reload()

    # Changes by others.

    def watch(
        self, seconds: float = 0.5, *, sleep: Callable[[float], object] = time.sleep
    ) -> Iterator[tuple[merge.RefChange, ...]]:
        """What becomes of the refs: whenever any has changed, those that have, in name order.

        Never ends by itself; looks every so many `seconds`, which is one `stat` for each stack while nothing
        happens. Reloads this handle. Several changes between two looks are told as one; a change of reflogs
        alone, or a compaction, is not told. Raises what `reload` raises; watching can go on after that.
        """
        while True:
            before = self._views()
            if self.reload() and (changes := tuple(self._changes(before, self._views()))):
                yield changes
            sleep(seconds)

    def _views(self) -> tuple[MergedTable, ...]:
        return tuple(stack.merged for stack in (self._own, self._main) if stack is not None)

    def _changes(
        self, before: Iterable[MergedTable], after: Iterable[MergedTable]
    ) -> Iterator[merge.RefChange]:
        found: dict[bytes, merge.RefChange] = {}
        for number, (old, new) in enumerate(zip(before, after, strict=True)):
            is_shared = self._own is not None and number == 1
            for changes in merge.ref_changes(old, new):
                found.update(
                    (change.name, change)
                    for change in changes
                    if not is_shared or not is_per_worktree(change.name)
                )
        return iter([found[name] for name in sorted(found)])

"""The refs of a repository as git sees them from one of its worktrees: its stacks as one.

    HEAD and the like, refs/bisect/*, refs/worktree/*, refs/rewritten/*    of the worktree's own stack
    main-worktree/HEAD, worktrees/ID/HEAD and the like                     of another worktree's
    all other names                                                       of the main stack

The main worktree has its own refs in the main stack. Names are `bytes`, whole as git stores them
(`refs/heads/main`); `full_name` makes one of what people type.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Final, Generic, Protocol, TypeAlias, TypeVar

from engine.closing import Closing
from engine.errors import require_bytes
from engine.format import LogRecord, RefRecord, is_per_worktree, is_refname
from engine.git.joint import JointView
from engine.merge import MergedTable, RefChange, ref_changes
from engine.stack import Resolved, Stack, StackOptions, follow
from engine.update import is_null

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
_MAIN: Final = b"main-worktree/"
_OTHERS: Final = b"worktrees/"


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


class ReadStack(Protocol):
    """A stack that is open to be read: a `Stack`, or what can be read of a damaged one."""

    merged: MergedTable

    def reload(self) -> bool:
        """Take up changes by others; whether there were any."""

    def close(self) -> None:
        """Close its files."""


AnyStack = TypeVar("AnyStack", bound=ReadStack)
OpenStack: TypeAlias = Callable[[Path, StackOptions], AnyStack]
"""How a stack is opened."""


def open_to_read(directory: Path, options: StackOptions) -> Stack:
    """A stack that nothing is locked, removed or written for. Raises what `Stack.open` raises."""
    return Stack.open(directory, options, read_only=True)


class Refs(Closing, Generic[AnyStack]):
    """The refs of one worktree, as they were when this was opened or last reloaded.

    Nothing is locked, removed or written. For one thread at a time.
    """

    def __init__(
        self,
        main: Path,
        own: Path | None,
        others: Mapping[str, Path],
        options: StackOptions,
        open_stack: OpenStack[AnyStack],
    ) -> None:
        """Of the stacks in these directories; `own` is that of a linked worktree, `others` are by id.

        Raises what `open_stack` raises.
        """
        self._options = options
        self._others = others
        self._open_stack = open_stack
        self._opened: dict[Path, AnyStack] = {}
        with ExitStack() as opening:
            self._closing = opening
            self._main = self._open(main)
            self._own = None if own is None else self._open(own)
            self._closing = opening.pop_all()

    def _open(self, directory: Path) -> AnyStack:
        if directory not in self._opened:
            self._opened[directory] = self._open_stack(directory, self._options)
            self._closing.callback(self._opened[directory].close)
        return self._opened[directory]

    @property
    def stacks(self) -> tuple[AnyStack, ...]:
        """The stacks that have been opened: the main one, the worktree's own, others that were asked for."""
        return tuple(self._opened.values())

    def close(self) -> None:
        """Close the stacks."""
        self._closing.close()

    def reload(self) -> bool:
        """Take up what others have changed; whether there was anything. One `stat` for each stack if not.

        Raises what `Stack.reload` raises; what was taken up before it stays.
        """
        return sum(stack.reload() for stack in self._opened.values()) > 0  # each of them

    # One ref.

    def _place(self, name: bytes) -> tuple[AnyStack | None, bytes]:
        """The stack that has the ref `name`, and its name there; None for a worktree that has no stack."""
        require_bytes(name)
        if name.startswith(_OTHERS):
            worktree, _, inner = name.removeprefix(_OTHERS).partition(b"/")
            if is_per_worktree(inner):
                directory = self._others.get(os.fsdecode(worktree))
                return None if directory is None else self._open(directory), inner
        if name.startswith(_MAIN) and is_per_worktree(inner := name.removeprefix(_MAIN)):
            return self._main, inner
        return self._own if self._own is not None and is_per_worktree(name) else self._main, name

    def get(self, name: bytes) -> RefRecord | None:
        """The ref of this name as it is stored, symbolic or not; None if there is none."""
        stack, inner = self._place(name)
        record = None if stack is None else stack.merged.read_ref(inner)
        return record if record is None or inner == name else replace(record, name=name)

    def __getitem__(self, name: bytes) -> RefRecord:
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
        found = (self.resolve(whole) for whole in possible_names(name) if is_refname(whole))
        return next((one.name for one in found if one.oid is not None), None)

    def short_name(self, name: bytes, *, strict: bool = True) -> bytes:
        """The shortest name that git takes for the ref `name`: `%(refname:short)`.

        `strict` is for core.warnAmbiguousRefs, which is on unless set: no other rule may find a ref by it;
        else only no rule that git tries earlier.
        """
        return short_name(name, lambda one: self.resolve(one).oid is not None, strict=strict)

    # Many refs.

    def under(self, prefix: bytes = b"") -> Iterator[RefRecord]:
        """The refs whose names begin with `prefix`, in name order, as they are stored.

        Those of other worktrees are not among them: `main-worktree/` and `worktrees/` are no directories.
        """
        if self._own is None:
            yield from self._main.merged.refs(prefix)
            return
        for origins in JointView(self._own.merged, self._main.merged).ref_origins(prefix):
            for record, _ in origins:
                if not record.name.startswith(prefix):
                    return
                yield record

    def __iter__(self) -> Iterator[RefRecord]:
        return self.under()

    # Reflogs.

    def reflog(self, name: bytes) -> Iterator[LogRecord]:
        """The entries of a ref's reflog, newest first; none also for a ref without a reflog."""
        stack, inner = self._place(name)
        for entry in () if stack is None else stack.merged.logs(inner):
            if not entry.is_marker:
                yield entry if inner == name else replace(entry, name=name)

    def nth(self, name: bytes, number: int) -> bytes | None:
        """The object id that the ref had `number` changes ago: `name@{number}`; None if it is not known.

        0 is the id that it has. One more than the reflog has entries is what the oldest one changed.
        """
        value = self.resolve(name).oid
        oldest: LogRecord | None = None
        for position, entry in enumerate(self.reflog(name)):
            if position == number:
                return value if oldest is None or is_null(oldest.old) else entry.new
            oldest = entry
        if oldest is None:
            return value if number == 0 else None
        is_one_more = number == position + 1
        return oldest.old if is_one_more and not is_null(oldest.old) else None

    def at(self, name: bytes, when: int) -> bytes | None:
        """The object id that the ref had at a time, in seconds since 1970: `name@{time}`.

        For one before the reflog begins it is what the oldest entry changed; None without a reflog.
        """
        newer: LogRecord | None = None
        for entry in self.reflog(name):
            if entry.time <= when:
                if (newer is not None and not is_null(newer.old)) or entry.time == when:
                    return entry.new
                return self.resolve(name).oid
            newer = entry
        if newer is None:
            return None
        return newer.new if is_null(newer.old) else newer.old

    # Changes by others.

    def watch(
        self, seconds: float = 0.5, *, sleep: Callable[[float], object] = time.sleep
    ) -> Iterator[tuple[RefChange, ...]]:
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

    def _changes(self, before: Iterable[MergedTable], after: Iterable[MergedTable]) -> Iterator[RefChange]:
        found: dict[bytes, RefChange] = {}
        for number, (old, new) in enumerate(zip(before, after, strict=True)):
            is_shared = self._own is not None and number == 1
            for changes in ref_changes(old, new):
                found.update(
                    (change.name, change)
                    for change in changes
                    if not is_shared or not is_per_worktree(change.name)
                )
        return iter([found[name] for name in sorted(found)])

"""Which stack has which ref, and a linked worktree's two stacks as one view.

    own       HEAD and the like, refs/bisect/*, refs/worktree/*, refs/rewritten/*, and whatever else is there
    shared    all others of the main stack

As git lists them: ref_iterator_select() in its refs/iterator.c.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from heapq import merge
from itertools import chain, islice
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from engine.closing import Closing
from engine.errors import ApiError
from engine.format import LogRecord, RefRecord, is_per_worktree, split_worktree
from engine.merge import MergedTable
from engine.stack import ReadStack
from engine.table import Table

Record = TypeVar("Record", RefRecord, LogRecord)

_MOST: Final = 1024
"""Records of one list."""


if TYPE_CHECKING:
    from typing_extensions import TypeVar as TypeVarWithDefault

    from engine.stack import Stack

    # So that `Refs`, in an annotation, is one of sound stacks.
    AnyStack = TypeVarWithDefault("AnyStack", bound=ReadStack, default=Stack)
else:
    AnyStack = TypeVar("AnyStack", bound=ReadStack)


class JointStacks(Closing, Generic[AnyStack]):
    """The stacks of a repository as seen from one worktree, each opened once it is asked for."""

    def __init__(
        self,
        main: Path,
        own: Path | None,
        others: Mapping[str, Path],
        open_to_read: Callable[[Path], AnyStack],
        open_to_write: Callable[[Path], AnyStack] | None = None,
    ) -> None:
        """In these directories; `own` is that of a linked worktree, `others` are by id."""
        self.main = os.fspath(main)
        self.own = None if own is None else os.fspath(own)
        self._others = {worktree: os.fspath(directory) for worktree, directory in others.items()}
        self._open_to_read = open_to_read
        self._open_to_write = open_to_write
        self._closing = ExitStack()
        self._opened: dict[str, AnyStack] = {}
        self._written: set[str] = set()
        self._is_closed = False

    def of(self, name: bytes) -> tuple[str | None, bytes]:
        """The stack that has the ref `name`, None for a worktree that has no stack, and its name there."""
        worktree, inner = split_worktree(name)
        if worktree:
            return self._others.get(os.fsdecode(worktree)), inner
        is_own = worktree is None and self.own is not None and is_per_worktree(name)
        return self.own if is_own else self.main, inner

    @property
    def opened(self) -> tuple[AnyStack, ...]:
        """The handles that have been opened."""
        return tuple(self._opened.values())

    def to_read(self, directory: str, /) -> AnyStack:
        """A handle of one of these stacks; the one to write with, if there is one already."""
        if directory not in self._opened:
            self.require_open()
            self._keep(directory, self._open_to_read(Path(directory)))
        return self._opened[directory]

    def to_write(self, directory: str, /) -> AnyStack:
        """A handle to change this stack with, where they can be changed."""
        if directory not in self._written:
            self.require_open()
            if self._open_to_write is None:
                raise ApiError(f"{directory} was opened read-only")
            self._keep(directory, self._open_to_write(Path(directory)))
            self._written.add(directory)
        return self._opened[directory]

    def require_open(self) -> None:
        """Raise `ApiError` once closed: what was opened then, nothing would close."""
        if self._is_closed:
            raise ApiError(f"the refs in {self.main} are used after they were closed")

    def _keep(self, directory: str, stack: AnyStack) -> None:
        self._opened[directory] = stack
        self._closing.callback(stack.close)

    def refs_from(self, start: bytes = b"") -> Iterator[list[RefRecord]]:
        """The refs that are seen from the worktree, in lists, from the first name >= `start` on."""
        main = self.to_read(self.main).merged
        if self.own is None:
            return main.ref_blocks(start)
        return JointView(self.to_read(self.own).merged, main).ref_blocks(start)

    def close(self) -> None:
        """Close the stacks."""
        self._is_closed = True
        self._closing.close()


class JointView:
    """What a linked worktree shows: what a `MergedTable` is asked for by name, of both its stacks."""

    def __init__(self, own: MergedTable, shared: MergedTable) -> None:
        self._own = own
        self._shared = shared

    def of(self, name: bytes) -> MergedTable:
        """The view that has the ref of this name."""
        return self._own if is_per_worktree(name) else self._shared

    def ref_blocks(self, start: bytes = b"", *, deletions: bool = False) -> Iterator[list[RefRecord]]:
        """As `MergedTable.ref_blocks`."""
        return ([record for record, _ in origins] for origins in self.ref_origins(start, deletions=deletions))

    def ref_origins(
        self, start: bytes = b"", *, deletions: bool = False
    ) -> Iterator[list[tuple[RefRecord, Table]]]:
        """As `MergedTable.ref_origins`."""
        return _joint(
            self._own.ref_origins(start, deletions=deletions),
            self._shared.ref_origins(start, deletions=deletions),
        )

    def log_origins(
        self, start: bytes = b"", *, deletions: bool = False, markers: bool = True
    ) -> Iterator[list[tuple[LogRecord, Table]]]:
        """As `MergedTable.log_origins`."""
        return _joint(
            self._own.log_origins(start, deletions=deletions, markers=markers),
            self._shared.log_origins(start, deletions=deletions, markers=markers),
        )


def _joint(
    own: Iterable[list[tuple[Record, Table]]], shared: Iterable[list[tuple[Record, Table]]]
) -> Iterator[list[tuple[Record, Table]]]:
    """Both by name; where both have one, what the worktree has of it."""
    live = _without_repeats(
        merge(
            ((origin[0].name, True, origin) for origin in chain.from_iterable(own)),
            ((origin[0].name, False, origin) for origin in chain.from_iterable(shared)),
            key=itemgetter(0),  # which keeps the worktree's before the others
        )
    )
    while batch := list(islice(live, _MOST)):
        yield batch


def _without_repeats(
    marked: Iterable[tuple[bytes, bool, tuple[Record, Table]]],
) -> Iterator[tuple[Record, Table]]:
    last_own = None
    for name, is_own, origin in marked:
        if is_own:
            last_own = name
        elif name == last_own or is_per_worktree(name):
            continue
        yield origin

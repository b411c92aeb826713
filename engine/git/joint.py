"""Two merged views as one: a linked worktree's own refs, and those that all worktrees share.

    own       HEAD and the like, refs/bisect/*, refs/worktree/*, refs/rewritten/*, and whatever else is there
    shared    all others of the main stack

As git lists them: ref_iterator_select() in its refs/iterator.c.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import merge
from itertools import chain, islice
from operator import itemgetter
from typing import Final, TypeVar

from engine.format import LogRecord, RefRecord, is_per_worktree
from engine.merge import MergedTable
from engine.table import Table

Record = TypeVar("Record", RefRecord, LogRecord)

_MOST: Final = 1024
"""Records of one list."""


class JointView:
    """What a linked worktree shows: what a `MergedTable` is asked for by name, of both its stacks."""

    def __init__(self, own: MergedTable, shared: MergedTable) -> None:
        self._own = own
        self._shared = shared

    def of(self, name: bytes) -> MergedTable:
        """The view that has the ref of this name."""
        return self._own if is_per_worktree(name) else self._shared

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

    def refs_for(self, oid: bytes) -> Iterator[RefRecord]:
        """As `MergedTable.refs_for`."""
        found = {ref.name: ref for ref in self._shared.refs_for(oid) if not is_per_worktree(ref.name)}
        found |= {ref.name: ref for ref in self._own.refs_for(oid)}
        return iter([found[name] for name in sorted(found)])


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

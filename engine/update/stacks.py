"""The stacks that a transaction may change: which has which ref, and a handle for each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from engine.format import RefRecord, split_worktree
from engine.stack import Stack


class Stacks(Protocol):
    """The stacks of a repository as they are seen from one of its worktrees."""

    def of(self, name: bytes) -> tuple[str | None, bytes]:
        """The directory of the stack that has the ref `name`, None if there is none, and its name there."""

    def to_read(self, directory: str, /) -> Stack:
        """A handle to read this stack with; the one to write with, if there is one already."""

    def to_write(self, directory: str, /) -> Stack:
        """A handle to change this stack with."""

    def refs_from(self, start: bytes) -> Iterator[list[RefRecord]]:
        """The refs of all of them, in lists, from the first name >= `start` on."""


class OneStack:
    """A stack by itself: all refs are in it."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    def of(self, name: bytes) -> tuple[str | None, bytes]:
        """As `Stacks`; a name that asks for the ref of another worktree has no stack."""
        worktree, inner = split_worktree(name)
        return (self._stack.path if worktree is None else None), inner

    def to_read(self, _: str, /) -> Stack:
        """The stack."""
        return self._stack

    def to_write(self, _: str, /) -> Stack:
        """The stack."""
        return self._stack

    def refs_from(self, start: bytes) -> Iterator[list[RefRecord]]:
        """Its refs."""
        return self._stack.merged.ref_blocks(start)

"""From the path on the command line to an open stack, and the options that every verb takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from engine.options import StackOptions
from engine.repository import Repository, StackLocation, find_repository
from engine.stack import Stack

__all__ = ["FoundStack", "find_stack", "open_stack", "path_options", "stack_verb"]

Verb = TypeVar("Verb", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class FoundStack:
    """A stack that was found and is not open yet: its place, its repository, and how git would open it."""

    repository: Repository
    location: StackLocation
    options: StackOptions

    def opened(self, *, read_only: bool) -> Stack:
        """Open it. Raises what `Stack.open` raises."""
        return Stack.open(self.location.directory, self.options, read_only=read_only)


def path_options(verb: Verb) -> Verb:
    """Give a verb `path` (None when left out) and `worktree`, the parameters of `find_stack`."""
    worktree = click.option(
        "--worktree", metavar="NAME", help="The stack of this worktree (main: the main one)."
    )
    path = click.argument("path", required=False, type=click.Path(path_type=Path))
    return path(worktree(verb))


def stack_verb(verb: Verb) -> Verb:
    """Give a verb `path`, `worktree` and `as_json`."""
    as_json = click.option("--json", "as_json", is_flag=True, help="JSON Lines: one object a line.")
    return path_options(as_json(verb))


def find_stack(path: Path | None, worktree: str | None) -> FoundStack:
    """The stack that a user means by a path (default: here) and the name of a worktree.

    Raises `RepositoryError` when there is none behind the path, `click.UsageError` for an unknown worktree.
    """
    repository = find_repository(path or Path())
    location = repository.current if worktree is None else _named(repository, worktree)
    return FoundStack(repository, location, repository.stack_options())


def _named(repository: Repository, worktree: str) -> StackLocation:
    for location in repository.stacks:
        if location.name == worktree:
            return location
    names = ", ".join(location.name for location in repository.stacks)
    raise click.BadParameter(f"no worktree {worktree!r} here; there is {names}", param_hint="--worktree")


def open_stack(path: Path | None, worktree: str | None) -> Stack:
    """That stack, open to be looked at: nothing is locked or written."""
    return find_stack(path, worktree).opened(read_only=True)

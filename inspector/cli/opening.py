"""From the path on the command line to an open stack, and the options that every verb takes."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from engine.git import find_repository
from engine.readable import ReadableStack, open_readable
from engine.table import Table
from inspector.actions import Workplace
from inspector.cli.output import Output
from inspector.exit_codes import ExitCode, note

Verb = TypeVar("Verb", bound=Callable[..., Any])

table_option = click.option(
    "--table",
    "table_name",
    metavar="NAME",
    help="Only what this table holds: its name, a part of the name, or its position (0 is the oldest).",
)


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


def find_stack(path: Path | None, worktree: str | None) -> Workplace:
    """The stack that a user means by a path (default: here) and the name of a worktree.

    Raises `RepositoryError` when there is none behind the path, `click.UsageError` for an unknown worktree.
    """
    repository = find_repository(path or Path())
    location = repository.current
    if worktree is not None:
        found = [one for one in repository.stacks if one.name == worktree]
        if not found:
            names = ", ".join(one.name for one in repository.stacks)
            raise click.BadParameter(
                f"no worktree {worktree!r} here; there is {names}", param_hint="--worktree"
            )
        location = found[0]
    return Workplace(location.directory, repository.stack_options(), repository)


@contextmanager
def open_stack(path: Path | None, worktree: str | None) -> Iterator[ReadableStack]:
    """That stack, open to be looked at as far as it can be read: nothing is locked or written.

    Raises `ReftableError` for a stack of which there is no table to read, and `OSError`.
    """
    workplace = find_stack(path, worktree)
    with open_readable(workplace.directory, workplace.options) as stack:
        stack.require_tables()
        yield stack


@contextmanager
def readable_stack(path: Path | None, worktree: str | None) -> Iterator[ReadableStack]:
    """As `open_stack`. What the verb has met that cannot be read is told at its end, with an exit code."""
    with open_stack(path, worktree) as stack:
        yield stack
        faults = stack.damage_met()
    end_with_faults(faults)


def end_with_faults(faults: Collection[Exception]) -> None:
    """Tell what could not be read, if anything, and end the verb with the exit code for that."""
    if not faults:
        return
    # What could be read comes first, where both go to the same terminal.
    Output.standard().flush()
    *others, last = map(str, faults)
    for fault in others:
        note(fault)
    note(f"{last}; what can be read was shown: see the verbs fsck and repair")
    raise click.exceptions.Exit(ExitCode.UNREADABLE)


def chosen_tables(stack: ReadableStack, table_name: str | None) -> tuple[Table, ...]:
    """The one table that a user's `table_name` means; all of them, oldest first, when it is None."""
    tables = stack.tables
    if table_name is None:
        return tables
    if re.fullmatch("[0-9]{1,7}", table_name):  # one digit less than the suffix of a name has
        found = tables[int(table_name) : int(table_name) + 1]
    else:
        found = tuple(table for table in tables if table_name in table.name)
    if len(found) != 1:
        what = "no table of this stack" if not found else f"{len(found)} tables of this stack, not one"
        hint = "the verb `tables` lists them"
        raise click.BadParameter(f"{table_name!r} is {what} ({hint})", param_hint="--table")
    return found

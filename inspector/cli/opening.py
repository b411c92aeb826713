"""From the path on the command line to an open stack: what every verb takes, and how it goes about it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cached_property, wraps
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import click

from engine import git
from engine.errors import in_words
from engine.format import split_worktree
from engine.git import find_repository
from engine.merge import MergedTable
from engine.readable import ReadableStack, ReadableTable, damage_met, open_readable, open_table
from engine.stack import ReadStack, StackOptions
from engine.table import Table
from inspector.actions import Workplace
from inspector.cli.output import Output
from inspector.exit_codes import WRITES, ExitCode, note

View: TypeAlias = "MergedTable | git.JointView"
"""What a verb shows the refs of."""

Verb = TypeVar("Verb", bound=Callable[..., Any])
Named = TypeVar("Named")


def completes(what: str) -> Callable[[click.Context, click.Parameter, str], Any]:
    """Have a parameter completed by a function of `choices`, which no verb imports before it is asked."""

    def complete(context: click.Context, _parameter: click.Parameter, incomplete: str) -> Any:  # noqa: ANN401 - click's
        return [*getattr(import_module("inspector.cli.choices"), what)(context, incomplete)]

    return complete


table_option = click.option(
    "--table",
    "table_name",
    metavar="NAME",
    shell_complete=completes("tables"),
    help="Only what this table holds: its name, a part of the name, or its position (0 is the oldest); or a "
    "file that tables.list does not name, by its whole name, or by a path, as in a snapshot.",
)


alone_option = click.option(
    "--stack-only",
    is_flag=True,
    help="Of a linked worktree, what its own stack has, without the refs that all worktrees share.",
)
nul_option = click.option("-z", "nul_ends", is_flag=True, help="Lines end with NUL, not newline.")


def _note_dry_run(ctx: click.Context, _: click.Parameter, is_dry: bool) -> bool:
    ctx.meta[WRITES] = not is_dry
    return is_dry


dry_run_option = click.option(
    "--dry-run", is_flag=True, callback=_note_dry_run, help="Print the plan and write nothing."
)
worktree_option = click.option(
    "--worktree",
    metavar="NAME",
    shell_complete=completes("worktrees"),
    help="The stack of this worktree (main: the main one).",
)


def json_option(verb: Verb) -> Verb:
    """Give a verb `as_json`, and an option that prints what a line of it holds, and ends."""
    schema = click.option(
        "--json-schema",
        is_flag=True,
        is_eager=True,  # as --help: whatever else is asked for, or missing
        expose_value=False,
        callback=_print_schema,
        help="Print a JSON Schema for such a line, with the meaning of each field.",
    )
    as_json = click.option("--json", "as_json", is_flag=True, help="JSON Lines: one object a line.")
    return as_json(schema(verb))


def _print_schema(ctx: click.Context, _: click.Parameter, is_asked: bool) -> None:
    if not is_asked or ctx.resilient_parsing:
        return
    # No other call pays for the imports.
    from inspector.cli.schema import verb_schema_text

    click.echo(verb_schema_text(ctx.command.name or ""))
    ctx.exit()


def path_options(verb: Verb) -> Verb:
    """Give a verb `path` (None when left out) and `worktree`, the parameters of `find_stack`."""
    kind = click.Path(readable=False, path_type=Path)
    path = click.argument("path", required=False, type=kind, shell_complete=completes("directories"))
    return path(worktree_option(verb))


def stack_verb(verb: Callable[..., None]) -> Callable[..., None]:
    """Give a verb its `Call`, made of a path, `--worktree` and `--json`."""

    @wraps(verb)
    def called(path: Path | None, worktree: str | None, as_json: bool, **options: object) -> None:
        verb(Call(path, worktree, as_json), **options)

    return path_options(json_option(called))


def find_stack(path: Path | None, worktree: str | None, *, read_only: bool = False) -> Workplace:
    """The stack that a user means by a path (default: here, or GIT_DIR) and the name of a worktree.

    Raises `RepositoryError` when there is none behind the path, `click.UsageError` for an unknown worktree.
    """
    repository = find_repository(path)
    location = repository.current
    if worktree is not None:
        found = [one for one in repository.stacks if one.name == worktree]
        if not found:
            names = ", ".join(one.name for one in repository.stacks)
            raise click.BadParameter(
                f"no worktree {worktree!r} here; there is {names}", param_hint="--worktree"
            )
        location = found[0]
    return Workplace(location.directory, None, repository, read_only=read_only)


class Call:
    """A verb as it was called: which stack it is about, and where its output goes in which form.

    `beside` are tables that are open for this call, and are not in the stack.
    """

    def __init__(self, path: Path | None, worktree: str | None, as_json: bool) -> None:
        self.path = path
        self.worktree = worktree
        self.as_json = as_json
        self.out = Output.standard()
        self.beside: list[ReadableTable] = []

    @cached_property
    def workplace(self) -> Workplace:
        """The stack that is meant. Raises what `find_stack` raises."""
        return find_stack(self.path, self.worktree)

    def of_ref(self, name: str) -> tuple[Call, str]:
        """The call for the stack that has the ref `name`, and its name there: `main-worktree/HEAD` is HEAD.

        This one for a name that names no worktree, or none that has a stack.
        """
        # Most names have no such prefix, and then no repository is looked for.
        if split_worktree(os.fsencode(name))[0] is None:
            return self, name
        around = self.workplace.surroundings
        directory, inner = around.joint_stacks(open_readable).of(os.fsencode(name))
        for location in around.stacks:
            if os.fspath(location.directory) == directory:
                return Call(self.path, location.name, self.as_json), os.fsdecode(inner)
        return self, name

    @contextmanager
    def opened(self) -> Iterator[ReadableStack]:
        """That stack, open to be looked at as far as it can be read: nothing is locked or written.

        Raises `ReftableError` for a stack of which there is no table to read, and `OSError`.
        """
        with open_readable(self.workplace.directory, self.to_read) as stack:
            stack.require_tables()
            try:
                yield stack
            finally:
                for table in self.beside:
                    table.close()

    @contextmanager
    def views(self, *, alone: bool) -> Iterator[tuple[ReadableStack, View]]:
        """That stack, and what git shows in its worktree: if it is linked, the refs that all share as well.

        The stack is shown `alone` on request, and where it is named by its own directory. What the verb
        has met that cannot be read is told at its end, with an exit code.
        """
        with self.shown(alone=alone) as (stacks, view):
            yield stacks[0], view
            faults = [fault for one in stacks for fault in one.damage_met()]
            faults += damage_met(self.beside).values()
        end_with_faults(faults)

    @contextmanager
    def shown(self, *, alone: bool) -> Iterator[tuple[list[ReadableStack], View]]:
        """The view of a stack, with the stacks that it is of; nothing is told at the end."""
        with self.opened() as stack, ExitStack() as opened:
            stacks = [stack]
            view: View = stack.merged
            if not alone and self._is_linked:
                main = self.workplace.surroundings.stacks[0].directory
                stacks.append(opened.enter_context(open_readable(main, self.to_read)))
                view = git.JointView(stack.merged, stacks[1].merged)
            yield stacks, view

    def line_end(self, *, nul_ends: bool) -> bytes:
        """What ends a line of text. Raises `click.UsageError` for JSON, which has no such lines."""
        if nul_ends and self.as_json:
            raise click.UsageError("-z is for lines of text: leave out --json")
        return b"\0" if nul_ends else b"\n"

    @contextmanager
    def readable(self) -> Iterator[ReadableStack]:
        """That stack alone, as `views`."""
        with self.views(alone=True) as (stack, _):
            yield stack

    @property
    def to_read(self) -> StackOptions:
        """What reading needs to know beforehand; for all options, git would have to be asked."""
        return StackOptions(hash_id=self.workplace.surroundings.hash_id)

    @property
    def _is_linked(self) -> bool:
        """Whether the stack is that of a linked worktree, and was not named by its own directory."""
        there, around = self.workplace.directory, self.workplace.surroundings
        is_main = around.git_dir is None or os.path.samefile(around.stacks[0].directory, there)
        return not is_main and not os.path.samefile(around.path, there)


def end_with_faults(faults: Collection[Exception]) -> None:
    """Tell what could not be read, if anything, and end the verb with the exit code for that."""
    if not faults:
        return
    # What could be read comes first, where both go to the same terminal.
    Output.standard().flush()
    *others, last = map(in_words, faults)
    for fault in others:
        note(fault)
    note(f"{last}; what can be read was shown: see the verbs fsck and repair")
    raise click.exceptions.Exit(ExitCode.UNREADABLE)


def chosen_tables(call: Call, stack: ReadStack, table_name: str | None) -> tuple[Table, ...]:
    """The one table that a user's `table_name` means; all of them, oldest first, when it is None."""
    tables = stack.tables
    if table_name is None:
        return tables
    if re.fullmatch("[0-9]{1,7}", table_name):  # one digit less than the suffix of a name has
        found = tables[int(table_name) : int(table_name) + 1]
    else:
        found = tuple(table for table in tables if table_name in table.name)
        path = call.workplace.directory / table_name
        if not found and path.is_file():
            call.beside.append(open_table(os.fspath(path), path.name, stack.hash_id))
            return (call.beside[-1],)
    the_one(found, table_name, "of this stack", "--table", " (the verb `tables` lists them)")
    return found


def the_one(found: Sequence[Named], asked: str, where: str, option: str, hint: str = "") -> Named:
    """The only table that `asked`, the value of `option`, means; `click.BadParameter` for none or several."""
    if len(found) != 1:
        what = f"{len(found)} tables {where}, not one" if found else f"no table {where}"
        raise click.BadParameter(f"{asked!r} is {what}{hint}", param_hint=option)
    return found[0]

"""The verb that follows refs: resolve."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from engine.git import Refs, possible_names
from engine.readable import ReadableStack, open_readable
from engine.stack import Resolved
from inspector.cli.opening import Call, completes, end_with_faults, json_option, worktree_option
from inspector.exit_codes import ExitCode, note
from inspector.text import json_text


@click.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True, shell_complete=completes("refs"))
@click.option(
    "-C",
    "path",
    type=click.Path(readable=False, path_type=Path),
    metavar="PATH",
    shell_complete=completes("directories"),
    help="The repository (default: here).",
)
@worktree_option
@json_option
def resolve(names: tuple[str, ...], path: Path | None, worktree: str | None, as_json: bool) -> None:
    """Where refs lead: object id and the refs on the way, as git finds them from the worktree.

    NAME may be short (`main`, `v1.0`, `origin`), @, or name a ref of another worktree (`main-worktree/HEAD`,
    `worktrees/ID/HEAD`). A line is the object id and the whole name; for a symbolic ref, the names through
    which it leads, with ` -> ` between them. What leads to no object has `-` for the id. The exit code is 1
    when a NAME has no object. Of a NAME that means several refs, git's choice is told, and a warning.
    """
    call = Call(path, worktree, as_json)
    repository = call.workplace.surroundings
    with repository.refs(open_readable, call.workplace.directory) as refs:
        ways = {name: _ways(refs, os.fsencode(name)) for name in names}
        found = [(name, _best(ways[name])) for name in names]
        if as_json:
            call.out.objects(_resolved_fields(name, one) for name, one in found)
        else:
            call.out.lines(_resolved_line(one, call.out.show) for _, one in found if one is not None)
        faults = [fault for stack in refs.stacks for fault in stack.damage_met()]
    for name, one in found:
        is_ambiguous = sum(way.oid is not None for way in ways[name]) > 1
        # Git is asked for its configuration only where that decides.
        if is_ambiguous and repository.config.flag("core.warnambiguousrefs", True):
            note(f"refname '{name}' is ambiguous")
        if one is None:
            is_revision = re.search(r"[~^:]|@\{", name) or re.fullmatch("[0-9a-f]{4,64}", name)
            hint = "; a revision is for `git rev-parse`" if is_revision else ""
            note(f"{name or repr(name)}: there is no such ref{hint}")
        elif one.end == "endless":
            note(f"{name}: more symbolic refs follow one another than git follows")
    end_with_faults(faults)
    if any(one is None or one.oid is None for _, one in found):
        raise click.exceptions.Exit(ExitCode.FINDINGS)


def _ways(refs: Refs[ReadableStack], name: bytes) -> list[Resolved]:
    """What `name` may mean, in the order in which git tries: refs that are there."""
    found = map(refs.resolve, possible_names(name))
    return [one for one in found if one.end != "missing" or one.is_symref]


def _best(ways: list[Resolved]) -> Resolved | None:
    """What it means: where git finds an object, or else a symbolic ref that leads to none."""
    return next((one for one in ways if one.oid is not None), ways[0] if ways else None)


def _resolved_line(found: Resolved, show: Callable[[bytes], bytes]) -> bytes:
    names = dict.fromkeys((*found.chain, found.name))
    return (found.oid.hex().encode() if found.oid else b"-") + b" " + b" -> ".join(map(show, names))


def _resolved_fields(asked: str, found: Resolved | None) -> dict[str, Any]:
    fields: dict[str, Any] = {"asked": json_text(os.fsencode(asked))}
    if found is None:
        return fields | {"name": None, "oid": None, "chain": [], "end": "missing"}
    oid = found.oid.hex() if found.oid else None
    chain = [*map(json_text, found.chain)]
    return fields | {"name": json_text(found.name), "oid": oid, "chain": chain, "end": found.end}

"""The verb that checks a stack: fsck.

It opens no stack, so that one which git and every other verb refuse can be checked all the same.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, TypeAlias

import click

from engine.errors import in_words
from engine.fsck import FAULTS, Finding, Severity, check_repository, fsck as check
from engine.progress import ProgressCallback
from engine.stack import StackOptions
from inspector.cli.opening import Call, stack_verb
from inspector.cli.output import ProgressLine
from inspector.exit_codes import ExitCode, note
from inspector.text import counted, json_line, picked, safe_name

_Found: TypeAlias = tuple[str | None, Finding]
"""A finding with the name of its stack; None for what is wrong around them."""

_NOUNS: Final = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


@click.command()
@stack_verb
def fsck(call: Call) -> None:
    """Check a repository: what surrounds its stacks, and of each stack list, files, tables, blocks and refs.

    A stack that is named by its own directory, or with --worktree, is checked alone. Prints what is wrong,
    the worst first, with what git does with it and which repairs apply, the safest first. Errors lose, hide
    or falsify data; warnings are clutter and oddities. Nothing is written. The exit code is 1 when there are
    errors.
    """
    workplace, out = call.workplace, call.out
    repository = workplace.surroundings
    stacks = {one.name: one.directory for one in repository.stacks}
    found: list[_Found] = []
    if call.worktree is not None or os.path.samefile(call.path or Path(), workplace.directory):
        stacks = {name: path for name, path in stacks.items() if path == workplace.directory}
    else:
        found += [(None, one) for one in check_repository(repository)]
    with ProgressLine() as progress:
        for name, directory in stacks.items():
            found += [(name, one) for one in _findings(directory, workplace.options, progress)]
    found.sort(key=lambda item: item[1].severity.rank)
    if call.as_json:
        out.json([json_line(_fields(*item)) for item in found])
    else:
        for number, item in enumerate(found):
            out.text([""] if number else [])
            out.text(_lines(*item, is_one_of_many=len(stacks) > 1))
        counts = Counter(finding.severity for _, finding in found)
        note(", ".join(counted(counts[severity], noun) for severity, noun in _NOUNS.items()))
        if len(stacks) > 1:
            note(f"{len(stacks)} stacks checked: {', '.join(map(safe_name, stacks))}")
    if any(finding.severity is Severity.ERROR for _, finding in found):
        raise click.exceptions.Exit(ExitCode.FINDINGS)


def _findings(directory: Path, options: StackOptions, progress: ProgressCallback) -> Iterator[Finding]:
    try:
        yield from check(directory, options, progress)
    except (FileNotFoundError, NotADirectoryError) as error:
        yield Finding(FAULTS["stack-lost"], "", None, in_words(error))


def _fields(stack: str | None, finding: Finding) -> dict[str, Any]:
    fields = picked(finding, "severity", "code", table="file", offset="offset", message="message")
    fields |= picked(finding, fix="fixes", git="git")
    return {**fields, "meaning": finding.fault.meaning, "stack": stack}


def _lines(stack: str | None, finding: Finding, *, is_one_of_many: bool) -> Iterator[str]:
    at = "" if finding.offset is None else f" at byte {finding.offset}"
    where = f"{safe_name(finding.file)}{at}: " if finding.file else ""
    if stack is not None and is_one_of_many:
        where = f"stack {safe_name(stack)}: {where}"
    yield f"{finding.severity.value}: {finding.code}: {where}{safe_name(finding.message)}"
    yield f"    {finding.fault.meaning}"
    yield f"    git: {finding.git}"
    if finding.fixes:
        yield f"    fix: {', or '.join(finding.fixes)}"

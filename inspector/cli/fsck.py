"""The verb that checks a stack: fsck.

It opens no stack, so that one which git and every other verb refuse can be checked all the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import click

from engine.fsck import Finding, Severity, fsck as check
from inspector.cli.opening import Call, stack_verb
from inspector.cli.output import ProgressLine
from inspector.exit_codes import ExitCode, note
from inspector.text import counted, json_line, picked, safe_name

_NOUNS: Final = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


@click.command()
@stack_verb
def fsck(call: Call) -> None:
    """Check the stack: list, files, tables, blocks, indexes, refs.

    Prints what is wrong, the worst first, with what git does with it and which repairs apply, the safest
    first. Errors lose, hide or falsify data; warnings are clutter and oddities. Nothing is written. The
    exit code is 1 when there are errors.
    """
    workplace, out = call.workplace, call.out
    with ProgressLine() as progress:
        findings = sorted(
            check(workplace.directory, workplace.options, progress), key=lambda finding: finding.severity.rank
        )
    if call.as_json:
        out.json([json_line(_fields(finding)) for finding in findings])
    else:
        for number, finding in enumerate(findings):
            out.text([""] if number else [])
            out.text(_lines(finding))
        counts = Counter(finding.severity for finding in findings)
        note(", ".join(counted(counts[severity], noun) for severity, noun in _NOUNS.items()))
        stacks = workplace.surroundings.stacks
        others = [safe_name(one.name) for one in stacks if one.directory != workplace.directory]
        if others:
            note(f"not checked: the stacks of other worktrees (--worktree {', '.join(others)})")
    if any(finding.severity is Severity.ERROR for finding in findings):
        raise click.exceptions.Exit(ExitCode.FINDINGS)


def _fields(finding: Finding) -> dict[str, Any]:
    fields = picked(finding, "severity", "code", table="file", offset="offset", message="message")
    return {**fields, **picked(finding, fix="fixes", git="git"), "meaning": finding.fault.meaning}


def _lines(finding: Finding) -> Iterator[str]:
    at = "" if finding.offset is None else f" at byte {finding.offset}"
    where = f"{safe_name(finding.file)}{at}: " if finding.file else ""
    yield f"{finding.severity.value}: {finding.code}: {where}{safe_name(finding.message)}"
    yield f"    {finding.fault.meaning}"
    yield f"    git: {finding.git}"
    if finding.fixes:
        yield f"    fix: {', or '.join(finding.fixes)}"

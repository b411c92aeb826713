"""The verb that checks a stack: fsck.

It opens no stack, so that one which git and every other verb refuse can be checked all the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Final, TypeAlias

import click

from engine.errors import ReftableError
from engine.fsck import Finding, Severity, by_cause, check_repository
from engine.git import StackLocation
from engine.progress import ProgressCallback
from inspector import actions
from inspector.actions import Workplace, command
from inspector.cli.findings import finding_fields, lost_stack
from inspector.cli.opening import Call, stack_verb
from inspector.cli.output import ProgressLine
from inspector.exit_codes import ExitCode, note
from inspector.model import diagnose
from inspector.text import counted, safe_message, safe_name

_Found: TypeAlias = tuple[str | None, list[Finding]]
"""A cause and what follows from it, with the name of its stack; None for what is wrong around them."""

_NOUNS: Final = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


@click.command()
@stack_verb
def fsck(call: Call) -> None:
    """Check a repository: what surrounds its stacks, and of each stack list, files, tables, blocks and refs.

    A stack that is named by its own directory, or with --worktree, is checked alone. Prints what is wrong,
    the worst first, with what git does with it and which repairs apply, the safest first. What follows from
    it is told under it, and not counted. Errors lose, hide or falsify data; warnings are clutter and
    oddities. Nothing is written. The exit code is 1 when there are errors.
    """
    workplace, out = call.workplace, call.out
    stacks = {one.name: one for one in workplace.surroundings.stacks}
    found: list[_Found] = []
    if call.worktree is not None or workplace.around is None:
        stacks = {name: one for name, one in stacks.items() if one.directory == workplace.directory}
    else:
        found += [(None, one) for one in by_cause(check_repository(workplace.around))]
    with ProgressLine() as progress:
        for name, location in stacks.items():
            there = workplace.at(location.directory)
            found += [(name, one) for one in by_cause(_findings(there, progress))]
    found.sort(key=lambda item: item[1][0].urgency)
    if call.as_json:
        out.objects(finding_fields(name, one) for name, group in found for one in group)
    else:
        for number, item in enumerate(found):
            out.text([""] if number else [])
            out.text(_lines(*item, is_one_of_many=len(stacks) > 1))
        _note_ending(found, workplace, stacks)
    if any(group[0].severity is Severity.ERROR for _, group in found):
        raise click.exceptions.Exit(ExitCode.FINDINGS)


def _findings(there: Workplace, progress: ProgressCallback) -> Iterator[Finding]:
    try:
        yield from diagnose(there.directory, there.options, progress, home=there.home)
    except (FileNotFoundError, NotADirectoryError) as error:
        yield lost_stack(error)


def _note_ending(found: Sequence[_Found], workplace: Workplace, stacks: Mapping[str, StackLocation]) -> None:
    """Tell how many there are, and what to type next."""
    counts = Counter(group[0].severity for _, group in found)
    more = sum(len(group) - 1 for _, group in found)
    also = f"; what follows from them in {counted(more, 'finding')}" if more else ""
    note(", ".join(counted(counts[severity], noun) for severity, noun in _NOUNS.items()) + also)
    if len(stacks) > 1:
        note(f"{len(stacks)} stacks checked: {', '.join(map(safe_name, stacks))}")
    ill = next((item for item in found if item[1][0].fault.is_for_repair), None)
    headless = next((item for item in found if item[1][0].fault.is_of_head), None)
    if ill is not None:
        name = ill[0]  # what surrounds the stacks is repaired with the one that the path leads to
        there = workplace if name is None else workplace.at(stacks[name].directory)
        note(f"what a repair would do: {command('repair', (), there.arguments)}")
    elif headless is not None and (name := headless[0]) is not None:
        there = workplace.at(stacks[name].directory)
        with suppress(OSError, ReftableError):  # what keeps the refs from being read is told as a finding
            note(f"what writes HEAD: {actions.command_for_head(there, headless[1][0])}")


def _lines(stack: str | None, group: Sequence[Finding], *, is_one_of_many: bool) -> Iterator[str]:
    finding, *following = group
    where = _place(finding)
    if stack is not None and is_one_of_many:
        where = f"stack {safe_name(stack)}: {where}"
    yield f"{finding.severity.value}: {finding.code}: {where}{safe_message(finding.message)}"
    for one in following:
        place = _place(one) if one.file != finding.file else _place(one._replace(file=""))
        yield f"    so also: {one.code}: {place}{safe_message(one.message)}"
    yield f"    {finding.fault.meaning}"
    yield f"    git: {finding.git}"
    if finding.fixes:
        yield f"    fix: {', or '.join(finding.fixes)}"


def _place(finding: Finding) -> str:
    at = "" if finding.offset is None else f"at byte {finding.offset}"
    where = " ".join(part for part in (safe_name(finding.file), at) if part)
    return f"{where}: " if where else ""

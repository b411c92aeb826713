"""What `export --anonymize` does: a copy of a stack to show to others, checked against the stack."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Final

import click

from engine.export import write_anonymous
from engine.fsck import fsck
from inspector.cli.opening import Call
from inspector.cli.output import ProgressLine
from inspector.exit_codes import ExitCode, note
from inspector.text import counted, picked, safe_message, safe_name

_OF_A_REPOSITORY: Final = {"head-missing", "ref-hidden", "symref-dangling"}
"""Findings that depend on where a stack lies: a copy lies in no repository."""


def anonymize_stack(call: Call, target: Path) -> None:
    """Write the copy to `target`, and tell where it is not alike."""
    place = call.workplace
    with ProgressLine() as progress:
        made = write_anonymous(place.directory, target, progress)
        found = [
            Counter(
                (one.code, one.offset)
                for one in fsck(path, place.options, progress)
                if one.code not in _OF_A_REPOSITORY
            )
            for path in (place.directory, target)
        ]
    for sign, rest in (("not in the copy", found[0] - found[1]), ("in the copy alone", found[1] - found[0])):
        made.different += [(sign, f"what fsck finds as {code} ({rest[code, at]})") for code, at in rest]
    if call.as_json:
        different = [{"file": name, "why": why} for name, why in made.different]
        fields = {"directory": os.fsdecode(target), **picked(made, "files", "size"), "different": different}
        call.out.objects([fields])
    else:
        call.out.text([f"{counted(made.files, 'file')}, {counted(made.size, 'byte')}"])
        call.out.flush()
    for name, why in made.different:
        note(f"{safe_name(name)}: {safe_message(why)}")
    if made.refused is not None:
        raise click.exceptions.Exit(ExitCode.UNREADABLE)
    if made.different:
        raise click.exceptions.Exit(ExitCode.FINDINGS)

"""Listed tables that are copies of others: what a backup, or a hand, has put over the table of that name."""

from __future__ import annotations

from collections.abc import Sequence
from filecmp import cmp
from pathlib import Path

from engine.format import limits_in_name
from engine.fsck import Limits
from engine.repair.files import TableFile


def copies(directory: Path, listed: Sequence[TableFile]) -> list[tuple[TableFile, TableFile]]:
    """The listed tables that are copies of others under names that tell of other ones, each with that.

    Merged where the list has them, they would hide newer values than their own. Raises `OSError`.
    """
    sound: dict[Limits, list[TableFile]] = {}
    for file in listed:
        if not file.rewrites:
            sound.setdefault(file.readable.limits, []).append(file)
    found: list[tuple[TableFile, TableFile]] = []
    for limits, files in sound.items():
        right, *others = sorted(files, key=lambda file: limits_in_name(file.file) != limits)
        for other in others:
            has_other_name = limits_in_name(other.file) not in (None, limits)
            if has_other_name and cmp(directory / right.file, directory / other.file, shallow=False):
                found.append((other, right))
    return found

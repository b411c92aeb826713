"""A check of a stack from its list to its last byte, and of the repository around it.

Nothing here raises for wrong bytes, and nothing writes.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path

from engine.fsck import FAULTS, Finding, check_repository, fsck
from engine.git import Repository
from engine.progress import ProgressCallback
from engine.readable import open_readable
from engine.stack import StackOptions
from engine.table import Table
from inspector.text import positions_text

Check = Callable[[Path, StackOptions, ProgressCallback], Generator[Finding, None, list[str] | None]]
"""Looks at the stack in a directory and tells what is wrong with it, as it is found. Raises what the
callback raises, and `OSError` when there is no such directory. The generator returns the names of the tables
that it has read, None for all that were shown."""


def diagnose(
    directory: Path,
    options: StackOptions,
    progress: ProgressCallback | None = None,
    now: float | None = None,
    repository: Repository | None = None,
    home: Repository | None = None,
) -> Generator[Finding, None, list[str]]:
    """What is wrong with a stack, and with the `repository` around it if that is to be looked at.

    `home` is the repository whose objects may be asked for. The screen and the verb fsck both tell this, and
    nothing else. Raises and returns what `fsck` does.
    """
    if repository is not None:
        yield from check_repository(repository)
    read = yield from fsck(directory, options, progress, now, home)
    with open_readable(directory, options) as stack:
        tables = stack.merged.tables
        due = stack.options.suggestion([table.policy_size for table in tables]).positions
        yield from due_finding(tables, due, options.policy)
    return read


def due_finding(tables: Sequence[Table], suggested: range, policy: str) -> Iterator[Finding]:
    """That the tables at the positions `suggested` are to be merged, if there are any."""
    if suggested:
        what = f"by the {policy} rule, tables {positions_text(suggested)} are due to be merged"
        yield Finding(FAULTS["compaction-due"], tables[suggested.start].name, None, what)

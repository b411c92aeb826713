"""What has to hold of a stack before anything is written to it, but by a repair.

A list that has lost a table, or has tables in the wrong order, can be put right as long as nothing is built
on it: a compaction makes the wrong order, and a transaction the hole, part of the stack; and behind an older
list that was put back, each commit makes the two histories differ more. What needs no record to be read costs
a writer next to nothing; fsck and repair look closer. The exceptions are a table with a limit that hardly any
stack reaches, and small tables that neither the list nor a lock names, which are rare as well.
"""

from __future__ import annotations

import os
from itertools import chain, pairwise
from typing import Final

from engine.errors import FormatError
from engine.format import TABLES_LIST, U64_MAX, is_table_file, limits_in_name
from engine.stack.coverage import covers, merged_ranges
from engine.stack.directory import StackDirectory
from engine.stack.lock import LOCK_SUFFIX
from engine.table import Table

HIGHEST_LIMIT: Final = 2**62
"""Where a table states such an update index, and no record has it, the limit was never set."""

_MOST_BYTES: Final = 2**20
"""Of a table that is held against the listed ones, which takes about a second for so many."""


def require_writable(directory: StackDirectory) -> None:
    """Raise `FormatError` for a list whose tables, as they are loaded, are not all there and in order.

    A table that follows the last one is no loss: it is what a writer leaves that dies.
    """
    for table in directory.tables:
        if table.max_update_index >= HIGHEST_LIMIT and not _can_be_followed(table):
            what = (
                f"states update indexes up to {table.max_update_index}: no record has it, or none can follow"
            )
            raise FormatError(table.name, None, what)
    for one, other in pairwise(directory.tables):
        if other.min_update_index < one.max_update_index or other.name == one.name:
            what = f"{other.name} does not follow the table that is listed in front of it"
            raise FormatError(TABLES_LIST, None, what)
    lost = _lost_table(directory)
    if lost is not None and directory.is_current():
        what = f"{lost} is not listed, and no listed table replaces it"
        raise FormatError(TABLES_LIST, None, what)


def _can_be_followed(table: Table) -> bool:
    """Whether a record has the highest update index that the table states, and there is one above it."""
    refs = (ref.update_index for ref in table.refs())
    logs = (log.update_index for log in table.logs() if not log.is_deletion)
    return table.max_update_index < U64_MAX and table.max_update_index in chain(refs, logs)


def _lost_table(directory: StackDirectory) -> str | None:
    """A table file that the list has lost, by the update indexes in its name, or else by its records."""
    listed = set(directory.names)
    limits = [(table.min_update_index, table.max_update_index) for table in directory.tables]
    ranges = merged_ranges(limits)
    following: dict[tuple[int, int], str] = {}
    covered: list[str] = []
    for name in sorted(os.listdir(directory.path)):
        found = limits_in_name(name) if is_table_file(name) and name not in listed else None
        # A table that is locked is on its way out: the lock outlives it.
        if found is None or os.path.lexists(directory.file(name + LOCK_SUFFIX)):
            continue
        low, high = found
        if not os.path.lexists(directory.file(name)):
            continue
        if covers(ranges, low, high):
            covered.append(name)
            continue
        if not ranges or low != ranges[-1][1]:
            return name
        following[found] = name  # of several writers that died, each has left the same range
    if len(following) > 1:
        return next(iter(following.values()))
    if not covered:
        return None
    from engine.stack.unlisted import holding_data

    # What a writer has left that died is one transaction, whose update index the next one has used again.
    data = holding_data(directory.path, covered, directory.names, _MOST_BYTES)
    is_compacted = [low < high for low, high in filter(None, map(limits_in_name, data))]
    return data[0] if len(data) > 1 or any(is_compacted) else None

"""The list of a damaged stack: what its lines name, as far as that can be made out, and what takes its place.

A line may have been cut off, may hold NULs or a carriage return, or name what is no file of the directory.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence

from engine.errors import FormatError, shown
from engine.format import TABLES_LIST, is_table_file, pack_table_list, parse_table_list, parse_table_name
from engine.repair.plan import LeftOut, PlannedTable


def read_lines(raw: bytes, entries: Collection[str]) -> tuple[list[str], list[LeftOut]]:
    """The names in a list, each where it is last; and the lines that are none of a file of this directory.

    `entries` are the names of all files there are. The last line may have been cut short: it stands for the
    one table whose name begins like it.
    """
    names: dict[str, None] = {}
    left: list[LeftOut] = []
    listed = parse_table_list(raw)
    for line in listed.lines:
        name = line.name
        if name is not None:
            if name not in entries and line is listed.lines[-1] and not listed.is_whole:
                begun = [entry for entry in entries if is_table_file(entry) and entry.startswith(name)]
                name = begun[0] if len(begun) == 1 else name
            names.pop(name, None)
            names[name] = None
        elif line.raw:
            what = f"{shown(line.raw)} in tables.list is no table of this directory"
            unusable = os.fsdecode(line.raw.partition(b"\0")[0])
            left.append(LeftOut(unusable, what, None, 0, 0, is_listed=True, is_missing=True))
    return list(names), left


def around(name: str, listed: Sequence[str]) -> tuple[int, int]:
    """Update indexes that are left for a table between its neighbours in the list, by their names."""
    at = listed.index(name) if name in listed else len(listed)
    ranges = {one: parse_table_name(one) for one in listed}
    below = [parts.max_update_index for one in listed[:at] if (parts := ranges[one])]
    above = [parts.min_update_index for one in listed[at + 1 :] if (parts := ranges[one])]
    low = max(below, default=0) + 1
    return low, max(low, min(above, default=low + 1) - 1)


def require_same_lines(raw: bytes, tables: Sequence[PlannedTable], gone: Collection[str]) -> None:
    """See that a list of `tables` has the lines of `raw`, but for new names and for those that are `gone`.

    Raises `FormatError` where it has not: then more is damaged than is to be repaired.
    """
    names = {table.source: table.name for table in tables}
    listed = parse_table_list(raw).names
    kept = [names.get(name, name) for name in listed if name not in gone]
    if pack_table_list(listed) != raw or kept != [table.name for table in tables]:
        what = "the list or other tables are damaged too: repair the whole stack"
        raise FormatError(TABLES_LIST, None, what)

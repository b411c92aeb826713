"""Checks of the tables together by their headers: repeated ones, update indexes, hash functions.

Where these disagree with the order of the list, also which refs that costs a newer value.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby, pairwise
from operator import attrgetter, itemgetter

from engine import merge
from engine.errors import FormatError, shown
from engine.format import TABLES_LIST, HashId, ListFault, ListLine, RefRecord, limits_in_name
from engine.fsck.faults import FAULTS, Severity
from engine.fsck.finding import Finding, Report
from engine.fsck.frame import CheckedTable, Limits, range_words
from engine.merge import MergedTable
from engine.stack import HIGHEST_LIMIT, merged_ranges
from engine.table import Table


def in_order(limits: Sequence[Limits]) -> list[int]:
    """The places of most tables that follow each other; of two as good, those that are listed first.

    A table may begin with the update index that the one before ends with.
    """
    ends: list[int] = []  # of each length, the lowest update index that so many tables end with
    last: list[int] = []  # and the place of the last of these tables
    before: dict[int, int | None] = {}
    for place, (low, high) in enumerate(limits):
        length = bisect_right(ends, low)
        if low <= high and (length == len(ends) or high < ends[length]):
            before[place] = last[length - 1] if length else None
            ends[length : length + 1], last[length : length + 1] = [high], [place]
    found: list[int] = []
    at = last[-1] if last else None
    while at is not None:
        found.append(at)
        at = before[at]
    return found[::-1]


def once_each(names: Sequence[str], limits: Mapping[str, Limits]) -> list[str]:
    """The lines of a list without repetitions.

    Of each table, the line that its update indexes are in order at; if there is none the last, as git reads
    the list.
    """
    ordered = frozenset(in_order([limits.get(name, (1, 0)) for name in names]))
    kept: dict[str, int] = {}
    for place, name in enumerate(names):
        if kept.get(name) not in ordered:
            kept[name] = place
    return [names[place] for place in sorted(kept.values())]


def check_repetitions(
    lines: Sequence[ListLine], tables: Sequence[CheckedTable], report: Report, *, compares: bool = True
) -> None:
    """Report lines that name a table again: an error where the stack shows other refs because of them.

    Without `compares` the refs are not read: an error where others may be shown.
    """
    repeated = [line for line in lines if line.fault is ListFault.DUPLICATE]
    if not repeated:
        return
    opened = {table.name: table.table for table in tables if table.table is not None}
    names = [line.name for line in lines if line.name in opened]
    limits = {table.name: table.limits if compares else table.stated for table in tables}
    once = once_each(names, {name: known for name, known in limits.items() if known is not None})
    # Where a table is read last, its records count as if it were read nowhere else.
    as_read = list(dict.fromkeys(reversed(names)))[::-1]
    try:
        before, after = (MergedTable([opened[name] for name in some]) for some in (as_read, once))
        older = 0
        if as_read != once:  # -1 for some, as far as can be told
            older = sum(map(len, merge.ref_changes(before, after))) if compares else -1
    except FormatError:
        older = -1
    code = "list-repeats-older" if older else "list-duplicate"
    what = f"; because of that, {_refs_show(older)}" if older > 0 else ""
    for line in repeated:
        report.add(code, TABLES_LIST, line.offset, f"{shown(line.raw)} again{what}", max(older, 0))


def _refs_show(older: int) -> str:
    return f"{older:,} ref{' shows an older value' if older == 1 else 's show older values'}"


def check_tables(
    tables: Sequence[CheckedTable], hash_id: HashId | None, report: Report, *, compares: bool = True
) -> list[CheckedTable]:
    """Report what is wrong with the headers together, oldest first; returns the tables that fit the stack.

    `hash_id` is the hash function of the stack, None for that of the oldest table. Without `compares` the
    refs are not read, and nothing tells how many show older values.
    """
    older: tuple[int, str] | None = None
    for finding in check_order([(table.name, limits) for table in tables if (limits := table.limits)]):
        if compares and finding.severity is Severity.ERROR:
            older = _older_values(tables) if older is None else older
            number, shows = older
            report.take(finding._replace(message=finding.message + shows, at_stake=number))
        else:
            report.take(finding)
    fitting: list[CheckedTable] = []
    hashes = {table.header.hash_id for table in tables if table.header is not None}
    if hash_id is not None and len(hashes) == 1 and hash_id not in hashes:
        what = f"the configuration states {hash_id}, and all tables are of {min(hashes)}"
        report.add("object-format", "", None, what)
        hash_id = None
    for table in tables:
        header = table.header
        if header is None:
            continue
        hash_id = hash_id or header.hash_id
        if header.hash_id is hash_id:
            fitting.append(table)
        else:
            what = f"a {header.hash_id} table in a stack of {hash_id} tables"
            report.add("hash-mixed", table.name, None, what)
    return fitting


def check_holes(
    tables: Sequence[CheckedTable], beside: Iterable[str], report: Report, *, of_repository: bool
) -> None:
    """Report update indexes that none of all tables of a stack has, but for those of tables `beside` it.

    In the stack of a repository, as git makes it, they begin with 1.
    """
    found = [one.stated if one.table is not None else limits_in_name(one.name) for one in tables]
    limits = [one or (0, HIGHEST_LIMIT) for one in found]
    if any(low > high or high >= HIGHEST_LIMIT for low, high in limits) or not limits:
        return
    # dulwich puts all refs into one table, and goes on counting.
    begins_with_one = of_repository and len(limits) > 1
    known = [*limits, *(stated for name in beside if (stated := limits_in_name(name)))]
    ranges = merged_ranges([(0, 0), *known] if begins_with_one else known)
    for (_, end), (first, _) in pairwise(ranges):
        if end < min(first, max(high for _, high in limits)):
            what = f"no table has the update indexes {range_words((end, first - 1))}"
            report.add("indexes-missing", TABLES_LIST, None, what)


def _older_values(tables: Sequence[CheckedTable]) -> tuple[int, str]:
    """How many refs show an older value than some table holds, of those that can be read, and that in words.

    That there are none is said only where all refs can be read.
    """
    is_whole = all(one.table is not None for one in tables)

    def blocks(table: Table) -> Iterator[list[RefRecord]]:
        # A header that states a wrong lowest update index gives all records wrong ones.
        stated = limits_in_name(table.name)
        shift = stated[0] - table.min_update_index if stated is not None else 0
        try:
            for refs in table.ref_blocks():
                yield [ref.replace(update_index=ref.update_index + shift) for ref in refs] if shift else refs
        except FormatError:
            nonlocal is_whole
            is_whole = False

    found = hidden_newer([blocks(one.table) for one in tables if one.table is not None])
    first = next(found, None)
    if first is None:
        return 0, "; no ref shows an older value" if is_whole else ""
    number = 1 + sum(1 for _ in found)
    return number, f"; {_refs_show(number)}: {shown(first.name)}{' and others' if number > 1 else ''}"


def hidden_newer(sources: Sequence[Iterable[list[RefRecord]]]) -> Iterator[RefRecord]:
    """Of each ref that has another value than a newer record says, the newest one that says so.

    Of several `sources`, oldest first, it is the last that counts, whatever the update indexes.
    """

    def versions(place: int, blocks: Iterable[list[RefRecord]]) -> Iterator[tuple[bytes, int, RefRecord]]:
        return ((ref.name, place, ref) for refs in blocks for ref in refs)

    placed = [versions(place, blocks) for place, blocks in enumerate(sources)]
    for _, group in groupby(heapq.merge(*placed, key=itemgetter(0, 1)), key=itemgetter(0)):
        *others, now = [ref for _, _, ref in group]
        if others:
            newest = max(others, key=attrgetter("update_index"))
            if newest.update_index > now.update_index and not newest.has_value_of(now):
                yield newest


def check_order(tables: Sequence[tuple[str, Limits]]) -> Iterator[Finding]:
    """Tables that do not follow each other: each that overlaps others, or the list if none does."""
    tables = [(name, limits) for name, limits in tables if limits[0] <= limits[1]]
    ordered = in_order([limits for _, limits in tables])
    lows = [tables[place][1][0] for place in ordered]
    highs = [tables[place][1][1] for place in ordered]
    misplaced: list[str] = []
    for place in sorted(set(range(len(tables))).difference(ordered)):
        name, limits = tables[place]
        first, end = bisect_left(highs, limits[0]), bisect_right(lows, limits[1])
        if first < end:
            other, others = tables[ordered[first]]
            more = f" and {end - first - 1} more" if end - first > 1 else ""
            what = f"update indexes {range_words(limits)}; {other} has {range_words(others)}{more}"
            yield Finding(FAULTS["ranges-overlap"], name, None, what)
        else:
            misplaced.append(f"{name} ({range_words(limits)})")
    if misplaced:
        more = f" and {len(misplaced) - 1} more" if len(misplaced) > 1 else ""
        what = f"not in the order of update indexes: {misplaced[0]}{more}"
        yield Finding(FAULTS["tables-out-of-order"], TABLES_LIST, None, what)
    for number in range(1, len(ordered)):
        if lows[number] == highs[number - 1]:
            (name, limits), (other, others) = tables[ordered[number]], tables[ordered[number - 1]]
            what = f"update indexes {range_words(limits)}, listed after {other} with {range_words(others)}"
            yield Finding(FAULTS["update-index-shared"], name, None, what)

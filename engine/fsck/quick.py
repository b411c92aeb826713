"""What can be told of a stack without reading its tables: by `tables.list`, headers, footers and file names.

Of each table, header and footer are read, and a few blocks of refs, of which one is a sample, whatever its
size. What is found here, `fsck` finds as well; damage of blocks it alone finds, and of orphans it alone tells
whether listed tables hold their records.

How many refs the stack shows, and what superseded ones weigh, is estimated. A table has as many refs, and
tombstones, in each byte of their section as in the sample, the block that may have a name of the next
newer table; and newer tables supersede as many of its refs as their names say that lie between the first and
the last of the sample. Where all tables are single blocks, as in most repositories, the numbers are exact.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Final, NamedTuple

from engine import stack as stacks
from engine.errors import FormatError
from engine.format import BLOCK_HEADER_SIZE, REF, Block, footer_size
from engine.fsck.causes import Causes
from engine.fsck.faults import Severity
from engine.fsck.files import ListedTables, files_beside, report_files
from engine.fsck.finding import Finding, Report
from engine.fsck.frame import check_frame
from engine.fsck.order import check_repetitions, check_tables
from engine.merge import Segment
from engine.stack import HIGHEST_LIMIT, StackOptions, unlisted_files
from engine.table import Table

_LARGEST_SAMPLE: Final = 2**17
_MOST_NAMES: Final = 2**14
"""Names of newer tables that are kept to be looked for in older ones."""


class QuickCheck(NamedTuple):
    """A stack by what lies at its surface.

    `bytes` is the size of the `tables` that are listed and there. `refs` estimates how many refs the stack
    shows, and `dead_bytes` what a compaction of all tables would save of refs that are superseded or deleted,
    and of headers and footers; both are None where the list has errors, or a table does not open, or has
    blocks that are too large for a sample. `suggestion` is what auto-compaction would merge, empty for
    nothing and where list and tables are not whole. `unlisted` are the files beside the tables.
    """

    findings: tuple[Finding, ...]
    tables: int
    bytes: int
    refs: int | None
    dead_bytes: int | None
    suggestion: Segment
    unlisted: tuple[stacks.UnlistedFile, ...]


def quick_check(
    directory: str | os.PathLike[str], options: StackOptions | None = None, now: float | None = None
) -> QuickCheck:
    """Look at the stack in `directory`; its parameters and what it raises are those of `fsck`."""
    path, options = os.fspath(directory), options or StackOptions()
    now = time.time() if now is None else now
    listed = ListedTables(path)
    check_repetitions(listed.lines, listed.tables, listed.report, compares=False)
    unlisted = files_beside(path, partial(unlisted_files, path, now, listed.names, most_bytes=0))
    report = Report()
    report_files(unlisted, report)
    # A table whose highest limit was never set would seem to overlap all that follow it.
    fitting = [one for one in listed.tables if one.stated is not None and one.stated[1] < HIGHEST_LIMIT]
    check_tables(fitting, options.hash_id, report, compares=False)
    for one in listed.tables:
        check_frame(one, report)
    findings = listed.report.close()
    tables = [one.table for one in listed.tables if one.table is not None]
    is_whole = len(tables) == len(listed.names) and all(
        one.severity is not Severity.ERROR for one in findings
    )
    refs, dead_bytes = _estimated(tables) if is_whole else (None, None)
    return QuickCheck(
        tuple(map(Causes().told, (*findings, *report.close()))),
        len(listed.tables),
        sum(one.size for one in listed.tables),
        refs,
        dead_bytes,
        options.suggestion([table.policy_size for table in tables] if is_whole else ()),
        tuple(unlisted),
    )


class _Sample(NamedTuple):
    """Refs of a table: how many of all there are, their names, tombstones among them, bytes of each.

    The names are those of one block; `is_whole` if the table has no other.
    """

    refs: float
    names: frozenset[bytes] = frozenset()
    deleted: frozenset[bytes] = frozenset()
    size: float = 0.0
    is_whole: bool = True


def _estimated(tables: Sequence[Table]) -> tuple[int | None, int | None]:
    """How many refs a stack shows, and the bytes that a compaction would save."""
    newer, shown, dead_bytes = 0.0, 0.0, 0.0
    seen: set[bytes] = set()  # of the names in newer tables, of which there are `newer`
    near: bytes | None = None  # one of them
    for table in reversed(tables):
        sample = _sample(table, near)
        if sample is None:
            return None, None
        if sample.is_whole:
            superseded = len(seen & sample.names) * newer / max(len(seen), 1)
            tombstones = float(len(sample.deleted - seen))
        else:
            first, last = min(sample.names), max(sample.names)
            asked = {name for name in seen if first <= name <= last}
            superseded = newer * len(asked & sample.names) / max(len(asked), 1)
            tombstones = sample.refs * len(sample.deleted - asked) / len(sample.names)
        dead = min(sample.refs, superseded + tombstones)
        shown += sample.refs - dead
        dead_bytes += dead * sample.size
        newer += sample.refs * len(sample.names - seen) / max(len(sample.names), 1)
        if sample.names and len(seen) < _MOST_NAMES:
            seen |= sample.names
            near = sorted(sample.names)[len(sample.names) // 2]
    frames = [table.header.size + footer_size(table.version) for table in tables[1:]]
    return round(shown), round(dead_bytes) + sum(frames)


def _sample(table: Table, near: bytes | None) -> _Sample | None:
    """Refs of the block that may have the name `near`, if any; None if it is too large, or damaged."""
    footer = table.footer
    of_others = (footer.ref_index_offset, footer.obj_offset, footer.log_offset)
    end = next(filter(None, of_others), table.size - footer_size(table.version))
    if end <= table.header.size or table.read(table.header.size, 1) != bytes((REF,)):
        return _Sample(0.0)
    with suppress(FormatError):
        block = _block_with(table, end, near)
        refs = block.refs(table.hash_id.size, table.min_update_index) if block is not None else []
        if block is not None and refs:
            is_whole = not block.offset and block.next_offset >= end
            return _Sample(
                len(refs) if is_whole else len(refs) * end / (block.next_offset - block.offset),
                frozenset(ref.name for ref in refs),
                frozenset(ref.name for ref in refs if ref.is_deletion),
                (block.records_end - block.records_start) / len(refs),
                is_whole,
            )
    return None


def _block_with(table: Table, end: int, name: bytes | None) -> Block | None:
    """The block in front of `end` that may have a name, or the middle one; the first where none is aligned.

    Not by an index, which may be damaged, and would then be a way through the whole file.
    """
    size = table.block_size
    low, high = 0, (end - 1) // size if size else 0
    if name is None:
        return _ref_block(table, high // 2 * size) or _ref_block(table, 0)
    while low < high:
        middle = (low + high + 1) // 2
        block = _ref_block(table, middle * size)
        if block is None:
            low = high = 0
        elif name < block.refs(table.hash_id.size, table.min_update_index)[0].name:
            high = middle - 1
        else:
            low = middle
    return _ref_block(table, low * size) or _ref_block(table, 0)


def _ref_block(table: Table, offset: int) -> Block | None:
    """The block at `offset` if it is one of refs, and no larger than a sample. Raises `FormatError`."""
    head = table.read(offset or table.header.size, BLOCK_HEADER_SIZE)
    if head[:1] != bytes((REF,)) or int.from_bytes(head[1:], "big") > _LARGEST_SAMPLE:
        return None
    return table.block_at(offset)

"""A table with every kind of section and record, and ways to its blocks."""

from __future__ import annotations

from pathlib import Path

from engine.format import LOG, REF, LogRecord, RefRecord
from engine.layout import BlockSpan, TableLayout
from engine.table import WriteOptions
from tests.support.spans import block_spans
from tests.support.stacks import entry
from tests.support.tables import oid, write_table


def write_varied(path: Path) -> Path:
    """Write a table of refs, objects and logs, all in several blocks, and return its path."""
    names = [b"refs/heads/branch-%07d" % number for number in range(300)]
    refs = [
        RefRecord(b"HEAD", 3, target=names[7]),
        *(RefRecord(name, 3, oid(number)) for number, name in enumerate(names)),
        RefRecord(b"refs/heads/gone", 4),
        RefRecord(b"refs/tags/v1", 5, oid(1), oid(2)),
    ]
    logs = [entry(names[number % 40], 3 + number // 40, 1_700_000_000 + number) for number in range(120)]
    write_table(path, refs, [*logs, LogRecord(b"refs/heads/gone", 4)], WriteOptions(block_size=512), (3, 9))
    return path


def layout_at(path: Path) -> TableLayout:
    """Return the layout of the file at `path`."""
    data = path.read_bytes()
    return TableLayout(path.name, len(data), lambda at, size: data[at : at + size])


def blocks_of(path: Path, block_type: int) -> list[BlockSpan]:
    """Return the blocks of one type in the file at `path`."""
    return [span for span in block_spans(layout_at(path)) if span.type == block_type]


def first_log_block(path: Path) -> BlockSpan:
    """Return the first log block of the file at `path`."""
    return blocks_of(path, LOG)[0]


def damage_ref_blocks(path: Path, *numbers: int) -> list[int]:
    """Let the first record of these ref blocks share more than there is, and return their offsets."""
    offsets = [blocks_of(path, REF)[number].start for number in numbers]
    data = bytearray(path.read_bytes())
    for offset in offsets:
        data[offset + 4] = 99
    path.write_bytes(data)
    return offsets

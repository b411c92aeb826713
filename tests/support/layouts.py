"""Tables for the block view: small ones with everything in them, damaged ones, and readers that have read."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from engine.format import LOG, REF
from engine.layout import TableLayout
from engine.record import LogRecord, RefRecord
from engine.section import BlockSpan
from engine.writer import WriteOptions
from inspector.layout_nodes import Node, read_children
from inspector.layout_reader import LayoutReader
from tests.support.screens import branch, branches, log
from tests.support.tables import oid, write_table

News = TypeVar("News")


def write_varied(path: Path) -> Path:
    """Write a table with every kind of section and record, most in several blocks, and return its path."""
    refs = [
        RefRecord(b"HEAD", 3, target=branch(7)),
        RefRecord(b"refs/heads/gone", 4),
        *branches(300, 3),
        RefRecord(b"refs/tags/v1", 5, oid(1), oid(2)),
    ]
    logs = [log(branch(number % 40), 3 + number // 40) for number in range(120)]
    write_table(path, refs, [*logs, LogRecord(b"refs/heads/gone", 4)], WriteOptions(block_size=512), (3, 9))
    return path


def layout_at(path: Path) -> TableLayout:
    """Return the layout of the file at `path`."""
    data = path.read_bytes()
    return TableLayout(path.name, len(data), lambda at, size: data[at : at + size])


def reader_at(path: Path) -> LayoutReader:
    """Return a reader of the file at `path`."""
    data = path.read_bytes()
    return LayoutReader(path.name, len(data), lambda at, size: data[at : at + size])


def run(task: Any) -> Any:  # noqa: ANN401 - what a generator returns
    """Run a generator to its end, and return its result."""
    while True:
        try:
            next(task)
        except StopIteration as end:
            return end.value


def open_node(node: Node) -> list[Node]:
    """Give `node` its children, and return them."""
    if node.children is None:
        node.children = run(read_children(node))
    return node.children


def blocks_of(path: Path, block_type: int) -> list[BlockSpan]:
    """Return the blocks of one type in the file at `path`."""
    spans = layout_at(path).blocks()
    return [span for span in spans if isinstance(span, BlockSpan) and span.type == block_type]


def damage_ref_blocks(path: Path, *numbers: int) -> list[int]:
    """Let the first record of these ref blocks share more than there is, and return their offsets."""
    offsets = [blocks_of(path, REF)[number].start for number in numbers]
    data = bytearray(path.read_bytes())
    for offset in offsets:
        data[offset + 4] = 99
    path.write_bytes(data)
    return offsets


def first_log_block(path: Path) -> BlockSpan:
    """Return the first log block of the file at `path`."""
    return blocks_of(path, LOG)[0]

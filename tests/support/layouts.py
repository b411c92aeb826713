"""Nodes and readers of the block view that have read what a test asks them for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from inspector.model import LayoutReader
from inspector.rows import Node, read_children


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

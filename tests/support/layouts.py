"""Nodes and readers of the block view that have read what a test asks them for."""

from __future__ import annotations

from pathlib import Path

from inspector.model import LayoutReader
from inspector.rows import Node, read_children


def reader_at(path: Path) -> LayoutReader:
    """Return a reader of the file at `path`."""
    data = path.read_bytes()
    return LayoutReader(path.name, len(data), lambda at, size: data[at : at + size])


def go_on(*_progress: object) -> None:
    """Let what is read be read to its end: no check raises."""


def open_node(node: Node) -> list[Node]:
    """Give `node` its children, and return them."""
    if node.children is None:
        node.children = read_children(node, go_on)
    return node.children

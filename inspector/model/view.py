"""One state of a stack, as the panes draw it."""

from __future__ import annotations

from engine.readable import Fault, ReadableStack, in_doubt
from engine.stack import Stack
from engine.table import Table
from inspector.rows import LogRows, RefRows

__all__ = ["StackView"]


class StackView:
    """One state of the stack: its tables (oldest first), its merged view, and what was read of it so far.

    `faults` are why it cannot be opened as a stack, in which case it shows what can be read all the same.
    """

    def __init__(self, stack: Stack | ReadableStack) -> None:
        self.directory = stack.directory
        self.options = stack.options
        self.merged = stack.merged
        self.hash_id = stack.hash_id
        self.faults: tuple[Fault, ...] = stack.faults if isinstance(stack, ReadableStack) else ()
        self.tables: tuple[Table, ...] = self.merged.tables
        self.size = sum(table.size for table in self.tables)
        self.refs = RefRows(self.merged)
        self.logs = LogRows(self.merged)

    def in_doubt(self, position: int, name: bytes) -> bool:
        """Whether a table newer than this may have lost a version of the ref, as far as damage is known."""
        return in_doubt(self.tables, position, name)

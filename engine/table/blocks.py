"""Blocks that lookups come back to, kept in memory within a bound.

Every lookup in a table passes through the same few index blocks, and in a small table through the same few
blocks of records. To read and to check one anew takes longer than to search it.
"""

from __future__ import annotations

import sys
from threading import Lock
from typing import Final

from engine.errors import FormatError
from engine.format.block import Block

MOST_BYTES: Final = 2**18
"""What the blocks that a table keeps may take, as `weight` counts."""

_BESIDE_DATA: Final = 512
"""What a block takes beside its data, at most: the object, its numbers, its place among the others."""


def weight(block: Block) -> int:
    """The bytes of memory that a block takes: `data`, `restart_keys`, and what is around them."""
    keys = block.restart_keys or []
    return sys.getsizeof(block.data) + sys.getsizeof(keys) + sum(map(sys.getsizeof, keys)) + _BESIDE_DATA


def _restart_keys(block: Block) -> list[bytes] | None:
    """The keys at the restart points, if all can be read: many of a damaged block may be one long key."""
    keys: list[bytes] = []
    left = len(block.data)
    for index in range(block.restart_count):
        try:
            key = block.restart_key(index)
        except FormatError:
            return None
        left -= len(key)
        if left < 0:
            return None
        keys.append(key)
    return keys


class KeptBlocks:
    """Blocks by their offsets. Of too many, those go that came first. Safe to use from several threads."""

    __slots__ = ("_lock", "blocks", "bytes")

    def __init__(self) -> None:
        self.blocks: dict[int, Block] = {}
        self.bytes = 0
        self._lock = Lock()

    def keep(self, block: Block) -> None:
        """Keep a block, unless it alone takes more than there is to be taken."""
        block.restart_keys = _restart_keys(block)
        size = weight(block)
        if size > MOST_BYTES:
            return
        with self._lock:
            if block.offset in self.blocks:
                return
            while self.bytes + size > MOST_BYTES:
                self.bytes -= weight(self.blocks.pop(next(iter(self.blocks))))
            self.blocks[block.offset] = block
            self.bytes += size

    def clear(self) -> None:
        """Let go of all blocks."""
        with self._lock:
            self.blocks.clear()
            self.bytes = 0

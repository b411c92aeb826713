"""Checks of the object section against the refs: nothing missing, nothing too much.

Both sides are sets of pairs: the beginning of an object id, and the offset of a ref block that mentions it.
They are as large as the table, so neither is kept. Each block has a random weight, each prefix a hash, and
both sides add up the products: sets that differ have different sums, but for one chance in 2**47. Only
where the sums differ are the pairs themselves compared, a part of them at a time.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final

from engine.format import ObjectRecord, RefRecord
from engine.fsck.finding import Report
from engine.fsck.passing import BlockWeights, SoundBlock

_PAIRS_AT_ONCE: Final = 2**18


Pair = tuple[bytes, int]


class ObjectCheck:
    """The sums of one table; `id_len` is 0 for a table without an object section.

    `weights` are those of the ref blocks.
    """

    __slots__ = ("_difference", "_doubtful", "_pairs", "blocks", "id_len", "is_whole", "weights")

    def __init__(self, id_len: int, block_size: int) -> None:
        self.id_len = id_len
        self.weights = BlockWeights(block_size)
        self.blocks = array("Q")
        self.is_whole = True
        self._difference = 0
        self._pairs = 0
        self._doubtful = False

    def take_refs(self, offset: int, block: SoundBlock) -> None:
        """Add what a ref block mentions."""
        if self.id_len:
            weight = int.from_bytes(os.urandom(6))
            self.weights.add(offset, weight)
            self._pairs += block.pairs
            self._difference += weight * block.weight

    def take_objects(self, offset: int, block: SoundBlock) -> None:
        """Take away what a block of the object section says."""
        self.blocks.append(offset)
        self._difference -= block.weight
        self._doubtful = self._doubtful or block.doubtful

    def agrees(self) -> bool:
        """Whether both sides are the same, as far as the sums tell."""
        return not self._difference and not self._doubtful

    def explain(
        self,
        name: str,
        refs: Callable[[int], Iterable[RefRecord]],
        objects: Callable[[int], Iterable[ObjectRecord]],
        report: Report,
    ) -> None:
        """Compare pair by pair; `refs` and `objects` decode the block at an offset."""
        scans = {record.prefix for at in self.blocks for record in objects(at) if not record.offsets}
        parts = 1 + self._pairs // _PAIRS_AT_ONCE
        for part in range(parts):
            mentioned = set(self._mentioned(refs, part, parts, scans))
            said: set[Pair] = set()
            for at in self.blocks:
                for record in objects(at):
                    if hash(record.prefix) % parts != part:
                        continue
                    for offset in record.offsets:
                        if (record.prefix, offset) in mentioned:
                            said.add((record.prefix, offset))
                        else:
                            what = f"id {record.prefix.hex()}... is said to be in the ref block at {offset}"
                            report.add("objects-wrong", name, at, what)
            missing = sorted(mentioned - said)
            for prefix, offset in islice(missing, Report.MOST_ALIKE + 1):
                what = f"id {prefix.hex()}... of the ref block at {offset} is missing from the object section"
                report.add("objects-incomplete", name, offset, what)
            if report.has(name, "objects-wrong", "objects-incomplete"):
                return

    def _mentioned(
        self, refs: Callable[[int], Iterable[RefRecord]], part: int, parts: int, scans: set[bytes]
    ) -> Iterator[Pair]:
        for offset in self.weights.all:
            for ref in refs(offset):
                for oid in (ref.value, ref.peeled):
                    if oid is not None:
                        prefix = oid[: self.id_len]
                        if hash(prefix) % parts == part and prefix not in scans:
                            yield prefix, offset

"""Refs held against the reflog of the same table: a transaction writes the value of a ref into both.

A ref and the newest entry in its reflog which have the same update index were written together, and
compaction keeps them together (`write_transaction_table` in git's refs/reftable-backend.c). Older entries do
not count: `git refs migrate` gives those of a reflog update indexes from that of its ref on, the oldest one
the same.

Blocks of logs are compressed and have a checksum, blocks of refs have none: as a rule, it is the ref that was
altered. Where most of a table agrees, its writer means by both what git does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Final

from engine.errors import FormatError, shown
from engine.format import LOG_KEY_TAIL, LOG_UPDATE, U64_MAX, Encoded, RefRecord
from engine.fsck.finding import Report
from engine.table import Table

_LARGEST: Final = 2**20
"""Bytes of a block of refs that is compared: all of its refs are in memory."""


class ValueCheck:
    """The refs of one table, one block of them in memory, read along with the blocks of its logs.

    Of a table with large blocks, or of any size, nothing is compared.
    """

    __slots__ = ("_agreeing", "_blocks", "_differing", "_end", "_last", "_more", "_refs", "_table")

    def __init__(self, table: Table) -> None:
        self._table = table
        self._blocks: Iterator[list[RefRecord]] | None = None
        self._refs: dict[bytes, RefRecord] = {}  # of the block, by name
        # The last name of the block, None behind the last block.
        self._end: bytes | None = b"" if 0 < table.block_size <= _LARGEST else None
        self._last = b""
        self._differing: list[tuple[RefRecord, bytes]] = []
        self._agreeing = 0
        self._more = 0  # that differ, too

    def take(self, items: Sequence[Encoded]) -> None:
        """Compare the entries of the next log block, as `split_logs` has them."""
        size, last, refs, end = self._table.hash_id.size, self._last, self._refs, self._end
        if end is None:
            return
        for key, _, _, kind, tail_len, encoded in items:
            name = key[:-LOG_KEY_TAIL]
            if name == last:
                continue
            last = name
            if name > end:
                end = self._advance(name)
                if end is None:
                    return
                refs = self._refs
            ref = refs.get(name)
            if ref is None or kind != LOG_UPDATE:
                continue
            at = len(encoded) - tail_len + size
            if encoded[at : at + size] == ref.value:
                self._agreeing += 1
            elif ref.value is not None and U64_MAX - int.from_bytes(key[-8:], "big") == ref.update_index:
                self._note(ref, encoded[at - size : at], encoded[at : at + size])
        self._last = last

    def _note(self, ref: RefRecord, old: bytes, new: bytes) -> None:
        """Take down a ref that differs, unless what it differs from is the marker of an empty reflog."""
        if not any(old) and not any(new):
            return
        if len(self._differing) < Report.MOST_ALIKE - 1:
            self._differing.append((ref, new))
        else:
            self._more += 1

    def _advance(self, name: bytes) -> bytes | None:
        """Go on to the block that has this ref if any has; its last name, None behind the last block."""
        try:
            if self._blocks is not None:
                self._load(next(self._blocks, []))
            if self._end is not None and name > self._end:
                self._blocks = self._table.ref_blocks(name)
                self._load(next(self._blocks, []))
        except FormatError:
            self._load([])  # what is damaged is no evidence
        return self._end

    def _load(self, refs: Sequence[RefRecord]) -> None:
        self._refs = {ref.name: ref for ref in refs}
        self._end = refs[-1].name if refs else None

    def finish(self, report: Report) -> None:
        """Report what differs."""
        table, most = self._table, self._agreeing > len(self._differing) + self._more
        code = "value-altered" if most else "value-unlike-log"
        for ref, new in self._differing:
            value, located = ref.value or b"", None
            with suppress(FormatError):  # where the table can be read, but not searched
                located = table.locate_ref(ref.name)
            said = f"its reflog says that update {ref.update_index} made it {new.hex()}"
            what = f"{shown(ref.name)} is {value.hex()}; {said}"
            report.add(code, table.name, located[0] if located is not None else None, what, 1)
        if self._more:
            report.add(code, table.name, None, f"and {self._more} more of this kind", self._more)

"""Edits of tables that are likely to matter, because they know what a table is made of.

Bytes, numbers of the sizes that the format has, varints, pieces of other tables, what is in a log block, and
offsets in the footer. Mostly the checksum is made right again: the damage lies behind it then.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Sequence
from typing import Final

from engine.format import footer_size, header_size
from engine.format.varint import put_u24, put_varint
from tests.support.damage import with_checksum

_NUMBERS: Final = (0, 1, 2, 3, 7, 15, 16, 31, 32, 63, 127, 128, 255, 256, 4095, 4096, 65535, 65536, 2**24 - 1)
_LARGE: Final = (*_NUMBERS, 2**31, 2**32, 2**59 - 1, 2**63, 2**64 - 1)
_MOST_EDITS: Final = 4
_LONGEST_PIECE: Final = 80
_LOG_HEAD: Final = 6  # a type, a length, and two bytes by which a deflate stream is known


class Mutator:
    """Makes other tables of tables; the same ones for the same random numbers."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._edits: list[Callable[[bytes, bytes], bytes]] = [
            self._flip,
            self._byte,
            self._number,
            self._varint,
            self._piece,
            self._insert,
            self._remove,
            self._repeat,
            self._log_block,
            self._log_block,
            self._footer,
            self._cut,
        ]

    def mutate(self, data: bytes, corpus: Sequence[bytes]) -> bytes:
        """Edit a table a few times, with pieces of any table of the corpus."""
        rng = self._rng
        for _ in range(rng.randint(1, _MOST_EDITS)):
            data = rng.choice(self._edits)(data, rng.choice(corpus))
        is_table = len(data) >= header_size(2) + footer_size(2) and data[4] in (1, 2)
        return with_checksum(data) if is_table and rng.random() < 0.8 else data

    def mutate_list(self, data: bytes) -> bytes:
        """Edit a list of tables."""
        rng = self._rng
        for _ in range(rng.randint(1, _MOST_EDITS)):
            edit = rng.choice([self._flip, self._byte, self._insert, self._remove, self._repeat, self._cut])
            data = edit(data, rng.choice([data, b"\n", b"\r\n", b"\0", b"../x.ref\n", b"/dev/zero\n", b"."]))
        return data

    def _at(self, data: bytes, room: int = 1) -> int:
        return self._rng.randrange(max(len(data) - room + 1, 1))

    def _put(self, data: bytes, at: int, piece: bytes) -> bytes:
        return data[:at] + piece + data[at + len(piece) :]

    def _flip(self, data: bytes, _: bytes) -> bytes:
        at = self._at(data)
        return self._put(data, at, bytes((data[at] ^ 1 << self._rng.randrange(8),))) if data else data

    def _byte(self, data: bytes, _: bytes) -> bytes:
        return self._put(data, self._at(data), bytes((self._rng.choice(_NUMBERS) & 0xFF,)))

    def _number(self, data: bytes, _: bytes) -> bytes:
        size = self._rng.choice((2, 3, 3, 8))
        at = self._at(data, size)
        old = int.from_bytes(data[at : at + size], "big")
        near = old + self._rng.choice((-4, -1, 1, 4))
        new = self._rng.choice((near, self._rng.choice(_LARGE), len(data), self._at(data)))
        return self._put(data, at, (new % 256**size).to_bytes(size, "big"))

    def _varint(self, data: bytes, _: bytes) -> bytes:
        return self._put(data, self._at(data), put_varint(self._rng.choice(_LARGE)))

    def _some(self, other: bytes) -> bytes:
        at = self._at(other)
        return other[at : at + self._rng.randint(1, _LONGEST_PIECE)]

    def _piece(self, data: bytes, other: bytes) -> bytes:
        return self._put(data, self._at(data), self._some(other))

    def _insert(self, data: bytes, other: bytes) -> bytes:
        at = self._at(data)
        return data[:at] + self._some(other) + data[at:]

    def _remove(self, data: bytes, _: bytes) -> bytes:
        at = self._at(data)
        return data[:at] + data[at + self._rng.randint(1, _LONGEST_PIECE) :]

    def _repeat(self, data: bytes, _: bytes) -> bytes:
        return self._insert(data, data)

    def _cut(self, data: bytes, _: bytes) -> bytes:
        return data[: self._at(data)]

    def _footer(self, data: bytes, _: bytes) -> bytes:
        """Have one of the five offsets lead elsewhere."""
        if len(data) < header_size(2) + footer_size(2):
            return data
        start = len(data) - footer_size(data[4] if data[4] in (1, 2) else 1)
        at = start + header_size(data[4] if data[4] in (1, 2) else 1) + 8 * self._rng.randrange(5)
        blocks = [place for place in range(start) if data[place] in b"rgio"]
        new = self._rng.choice([*blocks[-20:], *blocks[:20], *_LARGE, start])
        return self._put(data, at, (new % 2**64).to_bytes(8, "big"))

    def _log_block(self, data: bytes, other: bytes) -> bytes:
        """Edit what a log block inflates to."""
        found = [at for at in range(len(data) - _LOG_HEAD) if data[at] in b"g" and data[at + 4] == 0x78]
        if not found:
            return self._flip(data, other)
        at = self._rng.choice(found)
        inflater = zlib.decompressobj()
        try:
            inside = inflater.decompress(data[at + 4 :], 2**16)
        except zlib.error:
            return self._flip(data, other)
        length = data[at + 1 : at + 4]
        edit = self._rng.choice(
            [self._flip, self._byte, self._number, self._varint, self._piece, self._insert]
        )
        changed = edit(inside, other)
        if len(changed) != len(inside) and self._rng.random() < 0.8:
            length = put_u24(4 + len(changed))
        return data[:at] + b"g" + length + zlib.compress(changed, 9) + inflater.unused_data

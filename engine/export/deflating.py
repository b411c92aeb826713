"""Deflate streams of a given size, for bytes that take the place of others in a log block.

Empty deflate blocks, which no reader notices, make up for what a stream is too short.
"""

from __future__ import annotations

import zlib
from typing import Final

_EMPTY_BLOCK: Final = b"\0\0\0\xff\xff"  # stored, of no bytes, and not the last
_CHECKSUM_SIZE: Final = 4
_WAYS: Final = [
    (level, strategy)
    for strategy in (zlib.Z_DEFAULT_STRATEGY, zlib.Z_FIXED, zlib.Z_FILTERED)
    for level in (9, 6, 4, 1)
]


def deflated_to(body: bytes, size: int) -> bytes | None:
    """A deflate stream of just this size; None if there is none so short."""
    for level, strategy in _WAYS:
        kind = (level, zlib.DEFLATED, zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, strategy)
        for flush in (zlib.Z_NO_FLUSH, zlib.Z_PARTIAL_FLUSH):  # the latter adds two bytes or three
            deflater = zlib.compressobj(*kind)
            whole = deflater.compress(body) + deflater.flush(flush) + deflater.flush()
            if len(whole) == size:
                return whole
        deflater = zlib.compressobj(*kind)
        part = deflater.compress(body) + deflater.flush(zlib.Z_SYNC_FLUSH)
        rest = size - len(part) - _CHECKSUM_SIZE
        if rest > 1:
            return part + _empty_blocks(rest) + zlib.adler32(body).to_bytes(_CHECKSUM_SIZE, "big")
    return None


def _empty_blocks(size: int) -> bytes:
    """Deflate blocks of no bytes that take just so many, two at least, and end the stream."""
    # One with fixed codes takes ten bits: two to five bytes for one to four of them.
    count = {2: 1, 3: 2, 4: 3, 0: 4, 1: 1}[size % len(_EMPTY_BLOCK)]
    bits = sum(0b010 << 10 * at for at in range(count))
    if size % len(_EMPTY_BLOCK) == 1:
        last = (bits | 1 << 10).to_bytes(2, "little") + _EMPTY_BLOCK[1:]  # and a stored one, the last
    else:
        last = (bits | 1 << 10 * (count - 1)).to_bytes((10 * count + 7) // 8, "little")
    return _EMPTY_BLOCK * ((size - len(last)) // len(_EMPTY_BLOCK)) + last

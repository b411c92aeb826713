"""Integers as the format stores them: three bytes, or git's varint.

A varint carries seven bits a byte, most significant first, the high bit saying that more follow, and adds
one for each byte that follows: no number has two spellings.
"""

from __future__ import annotations

from typing import Final

U64_MAX: Final = 2**64 - 1


def put_u24(value: int) -> bytes:
    """Three bytes, big-endian."""
    return value.to_bytes(3, "big")


def get_u24(data: bytes, pos: int) -> int:
    """The three-byte integer at `pos`. Raises `IndexError` past the end."""
    return data[pos] << 16 | data[pos + 1] << 8 | data[pos + 2]


_SHORT_VARINTS: Final = [bytes((value,)) for value in range(0x80)]
"""The varints of a single byte, by their values."""


def put_varint(value: int) -> bytes:
    """`value` (0..2**64-1) in git's varint: 1 to 10 bytes."""
    if 0 <= value < 0x80:
        return _SHORT_VARINTS[value]
    if value < 0x4080:
        return bytes((0x80 | value - 0x80 >> 7, value & 0x7F))
    out = [value & 0x7F]
    value >>= 7
    while value:
        value -= 1
        out.append(0x80 | value & 0x7F)
        value >>= 7
    out.reverse()
    return bytes(out)


def get_varint(data: bytes, pos: int) -> tuple[int, int]:
    """The varint at `pos` and the position behind it.

    Raises `IndexError` past the end and `ValueError` above 2**64-1; the caller, which has file and
    offset, makes a `FormatError` of both.
    """
    byte = data[pos]
    pos += 1
    value = byte & 0x7F
    while byte & 0x80:
        byte = data[pos]
        pos += 1
        value = (value + 1 << 7) + (byte & 0x7F)
        if value > U64_MAX:
            raise ValueError("a varint above 2**64-1")
    return value, pos

"""Integers of three bytes and varints."""

from __future__ import annotations

import pytest

from engine.format import U64_MAX, get_varint
from engine.format.varint import put_varint


@pytest.mark.parametrize(
    ("number", "data"),
    [
        (0, "00"),
        (127, "7f"),
        (128, "80 00"),
        (255, "80 7f"),
        (256, "81 00"),
        (16511, "ff 7f"),
        (16512, "80 80 00"),
        (U64_MAX, "80 fe fe fe fe fe fe fe fe 7f"),
    ],
)
def test_a_varint_adds_one_for_each_byte_that_follows(number: int, data: str) -> None:
    raw = bytes.fromhex(data)
    assert put_varint(number) == raw
    assert get_varint(raw, 0) == (number, len(raw))


@pytest.mark.parametrize("number", [128, 16512, U64_MAX])
def test_a_varint_cut_short_is_an_index_error(number: int) -> None:
    data = put_varint(number)
    for length in range(len(data)):
        with pytest.raises(IndexError):
            get_varint(data[:length], 0)


def test_the_first_varint_above_64_bits_is_refused() -> None:
    data = bytearray(put_varint(U64_MAX))
    data[-2:] = b"\xff\0"
    with pytest.raises(ValueError, match="varint"):
        get_varint(bytes(data), 0)


@pytest.mark.parametrize("number", [-1, -0x7F, -0x80, -0x81, -(2**40)])
def test_a_number_below_zero_has_no_varint(number: int) -> None:
    with pytest.raises(ValueError, match="range"):
        put_varint(number)

"""The numbers of git's tests of integers, names, records (`u-reftable-basics.c`, `u-reftable-record.c`)."""

from __future__ import annotations

import pytest

from engine.errors import FormatError
from engine.format import OBJ, Block, get_u24, get_varint, pack_table_list, parse_table_list
from engine.format.codec import common_prefix
from engine.format.varint import put_u24, put_varint
from tests.support.handmade import Handmade


@pytest.mark.parametrize("number", [0, 1, 27, 127, 128, 257, 4096, 2**63, 2**64 - 1])
def test_a_varint_is_read_back(number: int) -> None:
    data = put_varint(number)
    assert get_varint(b"?" + data + b"!", 1) == (number, 1 + len(data))


@pytest.mark.parametrize("data", [b"\xff" * 9 + b"\0", b"\xff" * 9 + b"\x7f", b"\xff" * 19 + b"\0"])
def test_a_varint_above_64_bits_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="varint"):
        get_varint(data, 0)


def test_u24_is_big_endian() -> None:
    assert put_u24(0x112233) == b"\x11\x22\x33"
    assert get_u24(b"\0\x11\x22\x33", 1) == 0x112233


@pytest.mark.parametrize(
    ("a", "b", "length"),
    [
        (b"abcdef", b"abc", 3),
        (b"abc", b"ab", 2),
        (b"", b"abc", 0),
        (b"abc", b"abd", 2),
        (b"abc", b"pqr", 0),
        (b"abc", b"abc", 3),
        (b"\0\0", b"\0\0\1", 2),
        (b"\0\1", b"\0\2", 1),
    ],
)
def test_the_common_prefix_of_two_keys(a: bytes, b: bytes, length: int) -> None:
    assert common_prefix(a, b) == common_prefix(b, a) == length


@pytest.mark.parametrize(
    ("data", "names"),
    [
        (b"", []),
        (b"line\n", ["line"]),
        (b"a\nb\nc\n", ["a", "b", "c"]),
        (b"a\n\nb\n", ["a", "b"]),
        (b"\n\n", []),
    ],
)
def test_the_list_of_tables_is_one_name_a_line(data: bytes, names: list[str]) -> None:
    assert parse_table_list(data).require_names() == names
    assert parse_table_list(pack_table_list(names)).require_names() == names


def test_a_list_that_may_have_been_cut_short_is_refused() -> None:
    with pytest.raises(FormatError) as caught:
        parse_table_list(b"line\nline2").require_names()
    assert (caught.value.name, caught.value.offset) == ("tables.list", 10)


@pytest.mark.parametrize(
    "offsets", [[1], [1, 2, 3, 4, 500, 600, 700], [1, 2, 3, 4, 500, 600, 700, 800, 9000]]
)
def test_the_offsets_of_an_object_id_are_read_back(offsets: list[int]) -> None:
    """Up to seven are counted in the record's type, more by a number of their own."""
    table = Handmade()
    table.data += bytes(24)
    tail = b"".join(put_varint(after - before) for before, after in zip([0, *offsets], offsets, strict=False))
    count = len(offsets)
    item = (b"\1\2\3", count, tail) if count <= 7 else (b"\1\2\3", 0, put_varint(count) + tail)
    start = table.block(OBJ, [item])
    (record,) = Block.parse("name", bytes(table.data[start:]), 0, 0, 0).objects()
    assert (record.prefix, record.offsets) == (b"\1\2\3", offsets)

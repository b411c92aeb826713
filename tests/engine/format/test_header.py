"""The file format as data: varints, headers, footers, table names, the list of tables."""

from __future__ import annotations

import struct
import zlib

import pytest

from engine.errors import ChecksumError, FormatError
from engine.format import (
    Footer,
    HashId,
    Header,
    footer_size,
    header_size,
)

V1 = Header(1, 4096, 3, 5, HashId.SHA1)
V2 = Header(2, 4096, 3, 5, HashId.SHA256)
HEADERS = [V1, V2, V2._replace(hash_id=HashId.SHA1)]
FOOTER = Footer(100, 200, 3, 300, 400, 500)


@pytest.mark.parametrize("header", HEADERS)
def test_a_header_is_read_back(header: Header) -> None:
    data = header.pack()
    assert len(data) == header.size == header_size(header.version) == {1: 24, 2: 28}[header.version]
    assert Header.parse("name", data) == header
    assert Header.parse("name", data + b"more") == header


def test_headers_are_laid_out_as_the_format_says() -> None:
    numbers = b"\x00\x10\x00" + bytes(7) + b"\x03" + bytes(7) + b"\x05"
    assert V1.pack() == b"REFT\x01" + numbers
    assert V2.pack() == b"REFT\x02" + numbers + b"s256"
    assert V2._replace(hash_id=HashId.SHA1).pack() == b"REFT\x02" + numbers + b"sha1"


@pytest.mark.parametrize(
    ("data", "offset"),
    [
        (b"", 1000),
        (V1.pack()[:23], 1000),
        (b"reft" + V1.pack()[4:], 1000),
        (b"REFT\0" + V1.pack()[5:], 1004),
        (b"REFT\3" + V1.pack()[5:], 1004),
        (V2.pack()[:24] + b"md5 ", 1024),
        (V2.pack()[:27], 1024),
    ],
)
def test_a_wrong_header_is_refused_where_it_is_wrong(data: bytes, offset: int) -> None:
    with pytest.raises(FormatError) as caught:
        Header.parse("name", data, 1000)
    assert (caught.value.name, caught.value.offset) == ("name", offset)


@pytest.mark.parametrize("header", HEADERS)
def test_a_footer_is_read_back(header: Header) -> None:
    data = FOOTER.pack(header)
    assert len(data) == footer_size(header.version) == {1: 68, 2: 72}[header.version]
    assert Footer.parse("name", data, 1000, header.pack()) == FOOTER


def test_footers_are_laid_out_as_the_format_says() -> None:
    offsets = struct.pack(">5Q", 100, 200 << 5 | 3, 300, 400, 500)
    raw = V1.pack() + offsets
    assert FOOTER.pack(V1) == raw + struct.pack(">I", zlib.crc32(raw))


@pytest.mark.parametrize("header", HEADERS)
def test_every_flipped_byte_of_a_footer_is_noticed(header: Header) -> None:
    data = FOOTER.pack(header)
    for position in range(len(data)):
        damaged = bytearray(data)
        damaged[position] ^= 0x20
        with pytest.raises(FormatError) as caught:
            Footer.parse("name", bytes(damaged), 1000, header.pack())
        if position >= header.size:
            assert isinstance(caught.value, ChecksumError)
            assert caught.value.offset == 1000 + len(data) - 4
        else:
            assert caught.value.offset == 1000


def test_an_object_section_has_an_object_id_length() -> None:
    with pytest.raises(FormatError) as caught:
        Footer.parse("name", FOOTER._replace(object_id_len=0).pack(V1), 1000, V1.pack())
    assert caught.value.offset == 1000 + 24 + 8
    empty = Footer()
    assert Footer.parse("name", empty.pack(V1), 1000, V1.pack()) == empty


def test_hash_functions_know_their_size_and_the_version_git_writes_for_them() -> None:
    assert (HashId.SHA1.size, HashId.SHA1.version) == (20, 1)
    assert (HashId.SHA256.size, HashId.SHA256.version) == (32, 2)

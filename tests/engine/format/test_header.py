"""The file format as data: varints, headers, footers, table names, the list of tables."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace

import pytest

from engine.errors import ChecksumError, FormatError
from engine.format import (
    U64_MAX,
    Footer,
    HashId,
    Header,
    footer_size,
    format_table_name,
    get_varint,
    header_size,
    is_table_file,
    pack_table_list,
    parse_table_list,
    parse_table_name,
)
from engine.format.header import TableName, put_varint

V1 = Header(1, 4096, 3, 5, HashId.SHA1)
V2 = Header(2, 4096, 3, 5, HashId.SHA256)
HEADERS = [V1, V2, replace(V2, hash_id=HashId.SHA1)]
FOOTER = Footer(100, 200, 3, 300, 400, 500)


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
    assert replace(V2, hash_id=HashId.SHA1).pack() == b"REFT\x02" + numbers + b"sha1"


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
        Footer.parse("name", replace(FOOTER, object_id_len=0).pack(V1), 1000, V1.pack())
    assert caught.value.offset == 1000 + 24 + 8
    empty = Footer()
    assert Footer.parse("name", empty.pack(V1), 1000, V1.pack()) == empty


def test_hash_functions_know_their_size_and_the_version_git_writes_for_them() -> None:
    assert (HashId.SHA1.size, HashId.SHA1.version) == (20, 1)
    assert (HashId.SHA256.size, HashId.SHA256.version) == (32, 2)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        # git
        ("0x000000000001-0x00000000001f-0a1b2c3d.ref", TableName(1, 31, "0a1b2c3d", "ref")),
        ("0x1000000000000-0xffffffffffffffff-0a1b2c3d.ref", TableName(2**48, U64_MAX, "0a1b2c3d", "ref")),
        # JGit
        ("000000000001-00000000001f-0a1b2c3d.ref", TableName(1, 31, "0a1b2c3d", "ref")),
        ("000000000001-00000000001f-0a1b2c3d.log", TableName(1, 31, "0a1b2c3d", "log")),
        # Go
        ("0x000000000001-0x000000000002.ref", TableName(1, 2, "", "ref")),
    ],
)
def test_table_names_of_all_writers_are_understood(name: str, parts: TableName) -> None:
    assert parse_table_name(name) == parts


@pytest.mark.parametrize(
    "name",
    [
        "",
        "1-1-1.ref",
        "stale-table.ref",
        "0x000000000001-0x00000000001f-0a1b2c3d",
        "0x000000000001-0x00000000001f-0a1b2c3d.ref.lock",
        "0x000000000001-0x00000000001f-0a1b2c3d.temp.a1b2c3",
        "0x000000000001-0x00000000001f-0a1b2c3g.ref",
        "0x000000000001-0x00000000001f-0a1b2c3d.ref\n",
        "0X000000000001-0x00000000001f-0a1b2c3d.ref",
        "./0x000000000001-0x00000000001f-0a1b2c3d.ref",
    ],
)
def test_other_names_are_no_table_names(name: str) -> None:
    assert parse_table_name(name) is None


@pytest.mark.parametrize(
    ("low", "high", "name"),
    [
        (1, 31, "0x000000000001-0x00000000001f-0a1b2c3d"),
        (0, 2**48 - 1, "0x000000000000-0xffffffffffff-0a1b2c3d"),
        (2**48, U64_MAX, "0x1000000000000-0xffffffffffffffff-0a1b2c3d"),
    ],
)
def test_table_names_are_written_as_git_does(low: int, high: int, name: str) -> None:
    assert format_table_name(low, high, 0x0A1B2C3D) == name
    assert parse_table_name(name + ".ref") == TableName(low, high, "0a1b2c3d", "ref")


@pytest.mark.parametrize(
    ("name", "is_table"),
    [
        ("x.ref", True),
        ("x.log", True),
        ("x.ref.lock", False),
        ("tables.list", False),
        (".nfs0001.ref", False),
        ("x.temp.a1", False),
    ],
)
def test_files_that_are_meant_to_be_tables_are_told_by_their_ending(name: str, is_table: bool) -> None:
    assert is_table_file(name) is is_table


@pytest.mark.parametrize(
    ("data", "offset"),
    [
        (b"a.ref\n../b.ref\n", 6),
        (b"/etc/passwd\n", 0),
        (b"a\nb\0c\n", 2),
        (b"a\n\n..\n", 3),
        (b".\n", 0),
        (b"a", 1),
    ],
)
def test_a_list_that_leads_out_of_the_directory_is_refused(data: bytes, offset: int) -> None:
    with pytest.raises(FormatError) as caught:
        parse_table_list("tables.list", data)
    assert (caught.value.name, caught.value.offset) == ("tables.list", offset)


def test_names_that_are_no_utf_8_survive() -> None:
    data = b"a\xff\xfe.ref\n\xc3\xa9.ref\n"
    assert pack_table_list(parse_table_list("tables.list", data)) == data

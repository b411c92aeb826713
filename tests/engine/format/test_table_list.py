"""Names of tables, and the lines of tables.list."""

from __future__ import annotations

import pytest

from engine.errors import FormatError
from engine.format import (
    U64_MAX,
    ListFault,
    check_list_size,
    format_table_name,
    is_table_file,
    pack_table_list,
    parse_table_list,
    parse_table_name,
)
from engine.format.table_list import TableName


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        # git
        ("0x000000000001-0x00000000001f-0a1b2c3d.ref", TableName(1, 31, "0a1b2c3d")),
        ("0x1000000000000-0xffffffffffffffff-0a1b2c3d.ref", TableName(2**48, U64_MAX, "0a1b2c3d")),
        # JGit
        ("000000000001-00000000001f-0a1b2c3d.ref", TableName(1, 31, "0a1b2c3d")),
        ("000000000001-00000000001f-0a1b2c3d.log", TableName(1, 31, "0a1b2c3d")),
        # Go
        ("0x000000000001-0x000000000002.ref", TableName(1, 2, "")),
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
    assert parse_table_name(name + ".ref") == TableName(low, high, "0a1b2c3d")


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
        parse_table_list(data).require_names()
    assert (caught.value.name, caught.value.offset) == ("tables.list", offset)


def test_names_that_are_no_utf_8_survive() -> None:
    data = b"a\xff\xfe.ref\n\xc3\xa9.ref\n"
    assert pack_table_list(parse_table_list(data).require_names()) == data


def test_each_line_of_a_damaged_list_is_told_with_its_place_and_what_it_means() -> None:
    long = b"x" * 256
    lines = (b"a.ref", b"", b"b.ref\0\0", b"\0", b"../c.ref", b"..", b"d.ref\r", long, b"a.ref", b"e.re")
    listed = parse_table_list(b"\n".join(lines))
    assert tuple(line.raw for line in listed.lines) == lines
    assert [(line.name, line.fault) for line in listed.lines] == [
        ("a.ref", None),
        (None, ListFault.BLANK_LINE),
        ("b.ref", ListFault.NUL),
        (None, ListFault.NUL),
        (None, ListFault.LEAVES_DIRECTORY),
        (None, ListFault.LEAVES_DIRECTORY),
        ("d.ref", ListFault.CARRIAGE_RETURN),
        (None, ListFault.NOT_A_TABLE),
        ("a.ref", ListFault.DUPLICATE),
        ("e.re", None),
    ]
    assert [line.offset for line in listed.lines[:4]] == [0, 6, 7, 15]
    assert listed.names == ["a.ref", "b.ref", "d.ref", "e.re"]
    assert not listed.is_whole


@pytest.mark.parametrize(
    ("data", "lines", "is_whole"),
    [(b"", 0, True), (b"\n", 1, True), (b"a\n", 1, True), (b"a\n\n", 2, True), (b"a\nb", 2, False)],
)
def test_the_newline_at_the_end_begins_no_line(data: bytes, lines: int, is_whole: bool) -> None:
    listed = parse_table_list(data)
    assert (len(listed.lines), listed.is_whole) == (lines, is_whole)


def test_a_strict_reader_takes_a_list_as_git_does() -> None:
    assert parse_table_list(b"a\n\na\nb\r\n").require_names() == ["a", "a", "b\r"]


@pytest.mark.parametrize(("size", "lines"), [(2**24 + 1, 0), (0, 2**16 + 1)])
def test_a_list_that_no_stack_needs_is_refused(size: int, lines: int) -> None:
    check_list_size(2**24, 2**16)
    with pytest.raises(FormatError, match="more than any stack needs"):
        check_list_size(size, lines)

"""A `tables.list` that leads elsewhere, was cut short, names what is not there, or is gone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.errors import FormatError, MissingTableError, ReftableError
from engine.format import RefRecord
from engine.merge import Expiry
from engine.stack import Stack
from tests.hostile.refusal import refuse
from tests.support.stacks import LOOSE, add, branch, list_tables, listed, names
from tests.support.tables import stack_files, write_table


def write_list(directory: Path, content: bytes) -> None:
    (directory / "tables.list").write_bytes(content)


OUTSIDE = b"0x000000000001-0x000000000001-00000001.ref"


@pytest.mark.parametrize(
    "line",
    [
        b"../" + OUTSIDE,
        b"../../../../../../../../etc/passwd",
        b"/etc/passwd",
        b"./" + OUTSIDE,
        b"inner/" + OUTSIDE,
        b".",
        b"..",
        b"/",
        b"a\0b",
        b"\0",
        OUTSIDE + b"\0",
    ],
)
def test_a_list_does_not_lead_out_of_the_directory(stack: Path, line: bytes) -> None:
    write_table(stack.parent / os.fsdecode(OUTSIDE), [RefRecord(b"a", 1)])
    (stack / "inner").mkdir()
    write_table(stack / "inner" / os.fsdecode(OUTSIDE), [RefRecord(b"a", 1)])
    names = (stack / "tables.list").read_bytes()
    write_list(stack, names + line + b"\n")
    error = refuse(stack, named="tables.list")
    assert isinstance(error, FormatError)
    assert error.offset == len(names)


@pytest.mark.parametrize("content", [b"a", b"a.ref\nb.ref", b"\n\n.ref", b"\xff"])
def test_a_list_that_does_not_end_in_a_newline_is_refused(stack: Path, content: bytes) -> None:
    write_list(stack, content)
    error = refuse(stack, named="tables.list")
    assert isinstance(error, FormatError)
    assert "newline" in error.reason


@pytest.mark.parametrize("content", [b"", b"\n", b"\n\n\n"])
def test_a_list_without_names_is_empty_to_readers_and_closed_to_writers(stack: Path, content: bytes) -> None:
    write_list(stack, content)
    files = stack_files(stack)
    with Stack.open(stack, LOOSE, read_only=True) as opened:
        assert opened.tables == ()
        assert list(opened.refs()) == []
    # Its tables are still there: a new list written over this one would hide them.
    with pytest.raises(FormatError, match="names no table, but there are tables"):
        Stack.open(stack, LOOSE)
    assert stack_files(stack) == files


@pytest.mark.parametrize(
    "name", ["missing.ref", "with space.ref\t", "\x1b[31mred", "a\r", "tables", " ", "é"]
)
def test_a_table_that_is_missing_is_named(stack: Path, name: str) -> None:
    write_list(stack, (stack / "tables.list").read_bytes() + name.encode() + b"\n")
    error = refuse(stack, named=name)
    assert isinstance(error, MissingTableError)
    assert error.name == name


def test_a_name_that_is_not_utf_8_is_as_good_as_another(stack: Path) -> None:
    with Stack.open(stack, LOOSE) as opened:
        refs = list(opened.refs())
    found = listed(stack)
    odd = b"\xff\xfe\x80.ref"
    os.rename(stack / found[1], os.path.join(os.fsencode(stack), odd))
    write_list(stack, f"{found[0]}\n".encode() + odd + f"\n{found[2]}\n".encode())
    with Stack.open(stack, LOOSE) as opened:
        assert os.fsencode(names(opened)[1]) == odd
        assert list(opened.refs()) == refs
        opened.compact_all()
        assert list(opened.refs()) == refs
        assert sorted(os.listdir(stack)) == sorted([*names(opened), "tables.list"])


@pytest.mark.parametrize("name", ["tables.list", "tables.list.lock", "core", "x" * 255])
def test_a_listed_file_that_is_no_table_is_named(stack: Path, name: str) -> None:
    (stack / name).touch()
    write_list(stack, name.encode() + b"\n")
    error = refuse(stack, named=name)
    assert isinstance(error, FormatError)
    assert error.name == name


@pytest.mark.parametrize(
    "line",
    [b"x" * 256, b"x" * 2**20, b"../" + b"x" * 2**20, b"\xff" * 2**20],
    ids=["too long for a file", "a megabyte", "a megabyte outside", "a megabyte of no text"],
)
def test_a_line_as_long_as_a_book_gives_an_error_to_read_at_a_glance(stack: Path, line: bytes) -> None:
    write_list(stack, line + b"\n")
    assert len(str(refuse(stack, named=""))) < 2000


def test_a_list_of_many_megabytes_is_not_read(stack: Path) -> None:
    os.truncate(stack / "tables.list", 2**30)
    error = refuse(stack, named="tables.list")
    assert isinstance(error, FormatError)


@pytest.mark.parametrize(
    ("positions", "first", "end", "expiry"),
    [([0, 1, 0], 1, 3, None), ([0, 1, 0], 0, 2, None), ([2, 2], 0, 1, Expiry(time=1)), ([0, 0], 0, 2, None)],
)
def test_a_table_that_is_listed_twice_is_there_after_one_place_was_compacted(
    stack: Path, positions: list[int], first: int, end: int, expiry: Expiry | None
) -> None:
    tables = listed(stack)
    list_tables(stack, [tables[position] for position in positions])
    with Stack.open(stack, LOOSE) as opened:
        refs = list(opened.refs())
        try:
            opened.compact(first, end, expiry)
        except ReftableError:
            assert listed(stack) == [tables[position] for position in positions]
    assert {name for name in listed(stack) if not (stack / name).exists()} == set()
    with Stack.open(stack, LOOSE) as opened:
        assert list(opened.refs()) == refs


@pytest.mark.parametrize("leave", ["close", "reload", "add"])
def test_a_list_that_vanished_takes_no_table_with_it(stack: Path, leave: str) -> None:
    """A list is replaced, never removed: removing it is not meant for the tables."""
    tables = listed(stack)
    with Stack.open(stack, LOOSE) as opened:
        (stack / "tables.list").unlink()
        try:
            if leave == "reload":
                opened.reload()
            if leave == "add":
                add(opened, [branch(7, opened.next_update_index)])
        except (ReftableError, OSError):
            pass
    assert {name for name in tables if not (stack / name).exists()} == set()

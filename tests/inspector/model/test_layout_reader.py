"""What the block view reads of a table, in which order, and what comes of files that fail it."""

from __future__ import annotations

import errno
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from engine.errors import Cancelled, ReftableError
from engine.format import REF, RefRecord
from inspector.model import LayoutReader
from inspector.rows import FileBytes, HeldBytes, NodePlace, node_place
from inspector.rows.file_bytes import CHUNK
from tests.support.layouts import go_on, reader_at
from tests.support.screens import branches
from tests.support.tables import write_table
from tests.support.varied import blocks_of, damage_ref_blocks, write_varied


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_varied(tmp_path / "t.ref")


def test_the_parts_of_a_table_are_there_when_it_is_open(path: Path) -> None:
    root = reader_at(path).root
    assert [node.span.name for node in root.children or ()][:2] == ["header", "ref blocks"]


def test_to_open_a_table_reads_little_of_it(tmp_path: Path) -> None:
    path = tmp_path / "t.ref"
    write_table(path, branches(30_000))
    data = path.read_bytes()
    read: list[int] = []

    def counting(at: int, size: int) -> bytes:
        read.append(size)
        return data[at : at + size]

    LayoutReader(path.name, len(data), counting)
    assert sum(read) < len(data) / 20


def test_a_record_is_found_by_its_key(path: Path) -> None:
    found = reader_at(path).record(0, b"HEAD", go_on)
    assert found.target.title == "record 0  HEAD (symref)"


def test_a_long_read_is_given_up_for_another(tmp_path: Path) -> None:
    path = tmp_path / "t.ref"
    write_table(path, branches(3000))
    reader = reader_at(path)
    header = (reader.root.children or ())[0]
    assert len(blocks_of(path, REF)) > 10
    is_begun, is_over = threading.Event(), threading.Event()

    def wait(_progress: object) -> None:
        is_begun.set()
        assert is_over.wait(60)
        raise Cancelled

    def look() -> None:
        with pytest.raises(Cancelled):
            reader.damage(1, NodePlace(0), wait)

    looking = threading.Thread(target=look)
    looking.start()
    assert is_begun.wait(60)
    threading.Timer(0.1, is_over.set).start()
    assert reader.children(header, go_on)[0].title == "magic  REFT"
    assert is_over.is_set()
    looking.join()


def test_damage_is_found_in_both_directions_and_round_the_end(path: Path) -> None:
    offsets = damage_ref_blocks(path, 1, 3)
    reader = reader_at(path)

    def go(step: int, current: NodePlace) -> tuple[int, NodePlace]:
        found = reader.damage(step, current, go_on)
        assert found is not None
        way, number, count = found
        assert count == 4
        for node, children in way.read:
            node.children = children
        return number, node_place(way.target)

    seen = []
    place = node_place(reader.root)
    for step in (1, 1, 1, 1, 1, -1, -1):
        number, place = go(step, place)
        seen.append(number)
    assert seen == [1, 2, 3, 4, 1, 4, 3]
    assert go(1, NodePlace(offsets[0] + 6))[0] == 2
    assert go(-1, NodePlace(offsets[0] + 6))[0] == 1


def test_that_nothing_is_damaged_is_told(path: Path) -> None:
    assert reader_at(path).damage(1, NodePlace(0), go_on) is None


def test_a_file_that_cannot_be_read_is_not_opened() -> None:
    def fail(_at: int, _size: int) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    with pytest.raises(OSError, match="Input/output error"):
        LayoutReader("t.ref", 1000, fail)


def test_a_read_that_fails_later_costs_only_what_was_wanted(path: Path) -> None:
    data = path.read_bytes()
    fails = False

    def read(at: int, size: int) -> bytes:
        if fails:
            raise OSError(errno.EIO, "Input/output error")
        return data[at : at + size]

    reader = LayoutReader(path.name, len(data), read)
    refs = (reader.root.children or ())[1]
    fails = True
    assert reader.bytes.bytes_at(0, 16) is None
    with pytest.raises(OSError, match="Input/output error"):
        reader.children(refs, go_on)
    with pytest.raises(OSError, match="Input/output error"):
        list(reader.bytes.work())
    assert reader.bytes.bytes_at(0, 16) == b""
    assert not reader.bytes.wanting
    fails = False
    assert reader.children(refs, go_on)


def test_a_file_that_is_cut_while_it_is_shown_is_no_reason_to_fail(path: Path) -> None:
    data = path.read_bytes()
    end = len(data)
    reader = LayoutReader(path.name, len(data), lambda at, size: data[at : min(at + size, end)])
    end = 600
    for node in reader.root.children or ():
        with suppress(ReftableError):
            reader.children(node, go_on)


# Bytes.


@pytest.mark.parametrize("offset", [0, 1, CHUNK // 2, CHUNK, 5 * CHUNK + 7, 100 * CHUNK - 16])
def test_the_bytes_around_those_wanted_are_read_at_once(offset: int) -> None:
    read: list[tuple[int, int]] = []

    def noted(at: int, size: int) -> bytes:
        read.append((at, size))
        return bytes((at + number) % 251 for number in range(min(size, 100 * CHUNK - at)))

    found = FileBytes(100 * CHUNK, noted)
    assert found.bytes_at(3 * CHUNK, 3 * CHUNK + 16) is None
    for start in range(offset, offset + 800, 16):
        assert found.bytes_at(start, start + 16) is None
    assert list(found.work()) == [True]
    assert not found.wanting
    assert [size for _, size in read] == [CHUNK]
    for start in range(max(0, offset - 4096), min(offset + 4096, 100 * CHUNK), 16):
        expected = bytes((start + number) % 251 for number in range(min(16, 100 * CHUNK - start)))
        assert found.bytes_at(start, start + 16) == expected


def test_what_is_wanted_during_a_read_is_read_after_it() -> None:
    read: list[int] = []

    def noted(at: int, size: int) -> bytes:
        read.append(at)
        if len(read) == 1:
            assert found.bytes_at(50 * CHUNK, 50 * CHUNK + 1) is None
        return bytes(size)

    found = FileBytes(100 * CHUNK, noted)
    found.bytes_at(0, 1)
    assert list(found.work()) == [True, True]
    assert read == [0, 50 * CHUNK - CHUNK // 2]
    assert found.bytes_at(50 * CHUNK, 50 * CHUNK + 1) == b"\0"


def test_bytes_in_memory_are_at_hand() -> None:
    held = HeldBytes(b"abcdef")
    assert (held.size, held.bytes_at(2, 4), held.bytes_at(4, 9)) == (6, b"cd", b"ef")


def test_a_table_with_one_record_has_a_layout(tmp_path: Path) -> None:
    write_table(tmp_path / "t.ref", [RefRecord(b"HEAD", 1)])
    assert reader_at(tmp_path / "t.ref").root.children

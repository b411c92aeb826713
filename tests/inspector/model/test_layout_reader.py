"""What the block view's reader does first, what it forgets, and what it makes of files that fail it."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from engine.format import REF, RefRecord
from inspector.model import (
    COPY_LIMIT,
    BytesRead,
    ChildrenRead,
    Copied,
    DamageFound,
    LayoutOpened,
    LayoutReader,
    PathRead,
    ReadFailed,
)
from inspector.rows import BytePages, HeldBytes, Place, place_of
from inspector.rows.byte_pages import MAX_PAGES, MAX_WANTS, PAGE_BYTES
from tests.support.layouts import reader_at
from tests.support.screens import branches
from tests.support.tables import write_table
from tests.support.varied import blocks_of, damage_ref_blocks, write_varied


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_varied(tmp_path / "t.ref")


def news(reader: LayoutReader) -> list[object]:
    return [item for item in reader.work() if item is not None]


def opened(reader: LayoutReader) -> LayoutOpened:
    (item,) = news(reader)
    assert isinstance(item, LayoutOpened)
    return item


def test_the_layout_comes_first_and_then_nothing_is_wanted(path: Path) -> None:
    reader = reader_at(path)
    assert reader.wanting
    root = opened(reader).root
    assert [node.span.name for node in root.children or ()][:2] == ["header", "ref blocks"]
    assert not reader.wanting


def test_to_open_a_table_reads_little_of_it(tmp_path: Path) -> None:
    path = tmp_path / "t.ref"
    write_table(path, branches(30_000))
    data = path.read_bytes()
    read: list[int] = []

    def counting(at: int, size: int) -> bytes:
        read.append(size)
        return data[at : at + size]

    opened(LayoutReader(path.name, len(data), counting))
    assert sum(read) < len(data) / 20


def test_what_is_wanted_before_the_layout_is_there_comes_after_it(path: Path) -> None:
    reader = reader_at(path)
    reader.want_record(0, b"HEAD")
    first, second = news(reader)
    assert isinstance(first, LayoutOpened)
    assert isinstance(second, PathRead)
    assert second.target.title == "record 0  HEAD (symref)"


def test_only_what_was_wanted_last_is_read(path: Path) -> None:
    reader = reader_at(path)
    root = opened(reader).root
    header, refs, *_ = root.children or ()
    reader.want_children(header)
    reader.want_children(refs)
    assert [item.node for item in news(reader) if isinstance(item, ChildrenRead)] == [refs]


def test_a_long_read_is_given_up_for_another(tmp_path: Path) -> None:
    path = tmp_path / "t.ref"
    write_table(path, branches(3000))
    reader = reader_at(path)
    root = opened(reader).root
    header = (root.children or ())[0]
    assert len(blocks_of(path, REF)) > 10
    reader.want_damage(1, Place(0))
    work = reader.work()
    next(work)
    reader.want_children(header)
    rest = [item for item in work if item is not None]
    assert [item.node for item in rest if isinstance(item, ChildrenRead)] == [header]
    assert not any(isinstance(item, DamageFound) for item in rest)


def test_what_is_wanted_no_more_is_not_read(path: Path) -> None:
    reader = reader_at(path)
    opened(reader)
    reader.want_damage(1, Place(0))
    work = reader.work()
    next(work)
    reader.forget()
    assert [item for item in work if item is not None] == []
    assert not reader.wanting


def test_bytes_on_screen_come_before_anything_else(path: Path) -> None:
    reader = reader_at(path)
    root = opened(reader).root
    reader.want_children((root.children or ())[1])
    assert reader.bytes.bytes_at(0, 16) is None
    first, second = news(reader)
    assert isinstance(first, BytesRead)
    assert isinstance(second, ChildrenRead)
    assert reader.bytes.bytes_at(0, 16) == path.read_bytes()[:16]


def test_damage_is_found_in_both_directions_and_round_the_end(path: Path) -> None:
    offsets = damage_ref_blocks(path, 1, 3)
    reader = reader_at(path)
    root = opened(reader).root

    def go(step: int, current: Place) -> tuple[DamageFound, Place]:
        reader.want_damage(step, current)
        found = news(reader)
        way, damage = found[-2], found[-1]
        assert isinstance(damage, DamageFound)
        assert isinstance(way, PathRead)
        for node, children in way.read:
            node.children = children
        return damage, place_of(way.target)

    seen = []
    place = place_of(root)
    for step in (1, 1, 1, 1, 1, -1, -1):
        damage, place = go(step, place)
        assert damage.count == 4
        seen.append(damage.number)
    assert seen == [1, 2, 3, 4, 1, 4, 3]
    assert go(1, Place(offsets[0] + 6))[0].number == 2
    assert go(-1, Place(offsets[0] + 6))[0].number == 1


def test_that_nothing_is_damaged_is_told(path: Path) -> None:
    reader = reader_at(path)
    reader.want_damage(1, Place(0))
    assert news(reader)[-1] == DamageFound(0, 0)


def test_no_more_is_copied_than_a_clipboard_takes(tmp_path: Path) -> None:
    path = tmp_path / "t.ref"
    write_table(path, branches(5000))
    data = path.read_bytes()
    reader = reader_at(path)
    reader.want_copy(4, 8)
    assert news(reader)[-1] == Copied(data[4:8], whole=True)
    reader.want_copy(0, len(data))
    assert news(reader)[-1] == Copied(data[:COPY_LIMIT], whole=False)


def test_a_file_that_cannot_be_read_is_told_once() -> None:
    def fail(_at: int, _size: int) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    reader = LayoutReader("t.ref", 1000, fail)
    (failed,) = news(reader)
    assert isinstance(failed, ReadFailed)
    assert not reader.wanting


def test_a_read_that_fails_later_costs_only_what_was_wanted(path: Path) -> None:
    data = path.read_bytes()
    fails = False

    def read(at: int, size: int) -> bytes:
        if fails:
            raise OSError(errno.EIO, "Input/output error")
        return data[at : at + size]

    reader = LayoutReader(path.name, len(data), read)
    refs = (opened(reader).root.children or ())[1]
    fails = True
    reader.want_children(refs)
    assert reader.bytes.bytes_at(0, 16) is None
    assert [type(item) for item in news(reader)] == [ReadFailed, ReadFailed]
    assert reader.bytes.bytes_at(0, 16) == b""
    assert not reader.wanting
    fails = False
    reader.want_children(refs)
    assert isinstance(news(reader)[-1], ChildrenRead)


def test_a_file_that_is_cut_while_it_is_shown_is_no_reason_to_fail(path: Path) -> None:
    data = path.read_bytes()
    end = len(data)
    reader = LayoutReader(path.name, len(data), lambda at, size: data[at : min(at + size, end)])
    root = opened(reader).root
    end = 600
    for node in root.children or ():
        reader.want_children(node)
        assert isinstance(news(reader)[-1], ChildrenRead | ReadFailed)


# Bytes.


def test_few_pages_of_a_file_are_kept() -> None:
    pages = BytePages(PAGE_BYTES * 1000, lambda at, size: bytes((at // PAGE_BYTES % 256,)) * size)
    for number in range(1000):
        start = number * PAGE_BYTES
        assert pages.bytes_at(start, start + 2) is None
        assert pages.read_page()
        assert pages.bytes_at(start, start + 2) == bytes((number % 256,)) * 2
    assert len(pages._pages) == MAX_PAGES
    assert not pages.read_page()


def test_pages_wanted_long_ago_are_forgotten() -> None:
    read: list[int] = []

    def noted(at: int, size: int) -> bytes:
        read.append(at // PAGE_BYTES)
        return bytes(size)

    pages = BytePages(PAGE_BYTES * 1000, noted)
    for number in range(20):
        pages.bytes_at(number * PAGE_BYTES, number * PAGE_BYTES + 1)
    while pages.read_page():
        pass
    assert read == [19, 18, 17, 16][:MAX_WANTS]


def test_bytes_in_memory_are_at_hand() -> None:
    held = HeldBytes(b"abcdef")
    assert (held.size, held.bytes_at(2, 4), held.bytes_at(4, 9)) == (6, b"cd", b"ef")


def test_a_table_with_one_record_has_a_layout(tmp_path: Path) -> None:
    write_table(tmp_path / "t.ref", [RefRecord(b"HEAD", 1)])
    assert opened(reader_at(tmp_path / "t.ref")).root.children

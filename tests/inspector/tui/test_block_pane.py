"""The block view as a user has it: tree and hex view linked both ways, mouse, sizes, other tables."""

from __future__ import annotations

import errno
import re
import threading
from pathlib import Path

import pytest

from engine.format import RefRecord
from engine.table import Table, WriteOptions
from inspector.rows import NodePlace, PathRead, read_path
from inspector.rows.layout_nodes import GROUP
from inspector.tui.widgets.block_tree import BlockTree
from inspector.tui.widgets.hex_view import HexView
from tests.support.block_view import View, block_view
from tests.support.git import Repository
from tests.support.layouts import go_on
from tests.support.screens import NARROW, WIDE, branches
from tests.support.tables import oid, write_table
from tests.support.varied import first_log_block, write_varied


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_varied(tmp_path / "t.ref")


@pytest.mark.parametrize("size", [WIDE, NARROW, (200, 50)], ids=["120x36", "80x24", "200x50"])
def test_a_table_is_shown_with_its_parts_and_its_bytes(path: Path, size: tuple[int, int]) -> None:
    whole = path.stat().st_size

    async def steps(view: View) -> None:
        await view.show(path)
        assert re.search(rf"> ▾ table t\.ref +0x0 +{whole:,}", view.text)
        assert re.search(r"  ▸ ref blocks +0x18 +8,", view.text)
        assert re.search(r"  ▸ footer +0x[0-9a-f]+ +68", view.text)
        assert re.search(r">0000\[52 45 46 54 01 00 02 00  00 .* REFT····", view.text)

    block_view(steps, size)


def test_what_is_selected_in_the_tree_is_lit_and_explained(path: Path) -> None:
    async def steps(view: View) -> None:
        await view.show(path)
        await view.press("j", "enter", "j", "j", "j")
        assert view.titles[view.tree.cursor] == "block size  512"
        assert view.lit == (5, 8)
        assert view.hex.cursor == 5
        assert "52 45 46 54 01[00 02 00] 00" in view.text
        assert "at 5 (0x5) · 3 bytes · header / block size" in view.text
        assert "block size 512  All blocks but those of the logs begin at multiples of 512." in view.text

    block_view(steps)


def test_the_byte_cursor_selects_the_deepest_part_below_it(path: Path) -> None:
    async def steps(view: View) -> None:
        await view.show(path)
        await view.press("h")
        assert view.hex.has_focus
        await view.press("down", "down", "left")
        assert view.hex.cursor == 31
        assert view.node.title == "suffix  HEAD"
        assert view.lit == (30, 34)
        assert "ref blocks / block 0 / records / record 0 / suffix" in view.text
        await view.press("right", "right", "right")
        assert view.node.title == "update index  3 (delta 0)"
        assert view.hex.cursor == 34
        await view.press("h")
        assert view.tree.has_focus

    block_view(steps)


def test_what_was_opened_for_the_byte_cursor_is_closed_behind_it(path: Path) -> None:
    async def steps(view: View) -> None:
        await view.show(path)
        rows = view.tree.source.count
        for offset in range(30, 8000, 1500):
            await view.go(offset)
        await view.go(2)
        assert view.node.title == "magic  REFT"
        assert view.tree.source.count == rows + 5

    block_view(steps)


def test_what_the_user_opened_stays_open_when_the_byte_cursor_moves(path: Path) -> None:
    async def steps(view: View) -> None:
        await view.show(path)
        await view.open("footer")
        await view.go(600)
        assert any(title.startswith("CRC-32") for title in view.titles)
        view.tree.action_move(1)  # the user looks around at what the cursor opened
        await view.settle()
        await view.go(2)
        assert any(title.startswith("record 0") for title in view.titles)

    block_view(steps)


def test_a_user_who_moves_on_is_not_taken_back(path: Path) -> None:
    data = path.read_bytes()
    gate = threading.Event()

    def read(at: int, size: int) -> bytes:
        assert gate.wait(60)
        return data[at : at + size]

    async def steps(view: View) -> None:
        gate.set()
        view.show_file(path.name, len(data), read)
        await view.settle()
        gate.clear()
        view.pane.reveal(600)
        view.tree.cursor = 2
        await view.pilot.pause()
        gate.set()
        await view.settle()
        assert view.node.title == "ref blocks"

    block_view(steps)


def test_a_way_that_was_closed_while_it_was_read_is_read_again(path: Path) -> None:
    async def steps(view: View) -> None:
        await view.show(path)
        root = view.node
        await view.go(600)
        place = NodePlace(612)
        target = read_path(root, place, go_on).target
        stale = PathRead(place, target, [])
        await view.go(2)  # closes the block that the way to the target led through
        view.pane._take_path(stale)
        await view.settle()
        assert view.node.span.start == target.span.start
        assert view.node is not target

    block_view(steps)


def test_a_click_selects_a_byte_and_a_row(path: Path) -> None:
    async def steps(view: View) -> None:
        await view.show(path)
        await view.pilot.click(HexView, offset=(6 + 3 * 4, 1))
        await view.settle()
        assert view.hex.cursor == 4
        assert view.node.title == "version  1"
        await view.pilot.click(HexView, offset=(5 + 48 + 2 + 5, 1))
        await view.settle()
        assert view.hex.cursor == 5
        assert view.node.title == "block size  512"
        await view.pilot.click(BlockTree, offset=(5, 0))
        await view.settle()
        assert view.node.title == "table t.ref"

    block_view(steps)


def test_a_click_on_a_triangle_opens_and_closes(path: Path) -> None:
    async def steps(view: View) -> None:
        await view.show(path)
        await view.pilot.click(BlockTree, offset=(4, 1))
        await view.settle()
        assert view.titles[2] == "magic  REFT"
        await view.pilot.click(BlockTree, offset=(4, 7))
        await view.settle()
        assert any(title.startswith("block 0  HEAD") for title in view.titles)
        await view.pilot.click(BlockTree, offset=(4, 1))
        await view.settle()
        assert view.titles[2] == "ref blocks"

    block_view(steps)


def test_a_second_click_opens_and_closes(path: Path) -> None:
    async def steps(view: View) -> None:
        await view.show(path)
        await view.pilot.click(BlockTree, offset=(12, 1), times=2)
        await view.settle()
        assert view.titles[2] == "magic  REFT"

    block_view(steps)


def test_arrows_open_and_close_and_go_up(path: Path) -> None:
    async def steps(view: View) -> None:
        await view.show(path)
        await view.press("j", "j", "right")
        assert view.titles[3].startswith("block 0  HEAD")
        await view.press("right")
        assert view.tree.cursor == 3
        await view.press("left")
        assert view.tree.cursor == 2
        await view.press("left")
        assert not view.titles[3].startswith("block 0")
        await view.press("left")
        assert view.tree.cursor == 0
        await view.press("enter")
        assert view.titles == ["table t.ref"]

    block_view(steps)


def test_an_offset_in_a_field_leads_to_its_block(path: Path) -> None:
    async def steps(view: View) -> None:
        await view.show(path)
        await view.open("footer")
        view.tree.cursor = next(
            row for row, title in enumerate(view.titles) if title.startswith("log offset")
        )
        offset = view.node.span.value
        await view.press("enter")
        assert (view.node.span.start, view.node.span.name) == (offset, "log block")
        await view.reveal(0, b"HEAD")
        await view.press("enter", "left", "left")
        assert view.node.title == "records"

    block_view(steps)


@pytest.mark.parametrize(("inflated", "number"), [(False, 1), (True, 0)])
def test_a_restart_offset_leads_to_its_record(path: Path, inflated: bool, number: int) -> None:
    offset = first_log_block(path).offset if inflated else 512

    async def steps(view: View) -> None:
        await view.show(path)
        await view.reveal(offset)
        view.tree.action_unfold()
        await view.settle()
        if inflated:
            await view.press("i")
        await view.open("restarts")
        view.tree.cursor = view.titles.index(
            next(title for title in view.titles if f"restart offset {number}" in title)
        )
        await view.press("enter")
        assert re.match("record [1-9]" if number else "record 0 ", view.node.title)
        assert view.hex.inflated == inflated

    block_view(steps)


def test_a_footer_offset_that_stands_for_none_leads_nowhere(tmp_path: Path) -> None:
    async def steps(view: View) -> None:
        write_table(tmp_path / "t.ref", [RefRecord(b"HEAD", 1)])
        await view.show(tmp_path / "t.ref")
        await view.open("footer")
        view.tree.cursor = next(
            row for row, title in enumerate(view.titles) if title.startswith("log offset")
        )
        await view.press("enter")
        assert view.node.title == "log offset  0"
        assert "0: there is none." in view.text

    block_view(steps)


# Other tables, and the same again.


def test_the_same_table_shown_again_stays_as_it_is(path: Path) -> None:
    async def steps(view: View) -> None:
        await view.show(path)
        await view.reveal(0, b"HEAD")
        before = view.titles, view.tree.cursor, view.tree.scroll_offset, view.hex.cursor
        await view.show(path)
        assert (view.titles, view.tree.cursor, view.tree.scroll_offset, view.hex.cursor) == before

    block_view(steps)


def test_another_table_takes_the_place_of_the_first(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.ref"
    write_table(other, [RefRecord(b"HEAD", 1, oid(1))])

    async def steps(view: View) -> None:
        await view.show(path)
        await view.reveal(0, b"HEAD")
        view.pane.show_table(Table.open(path))
        await view.show(other)
        assert view.titles[0] == "table other.ref"
        assert view.tree.cursor == 0
        assert view.lit == (0, other.stat().st_size)

    block_view(steps)


def test_news_of_the_table_before_is_dropped(path: Path) -> None:
    data = path.read_bytes()
    begun, goes_on = threading.Event(), threading.Event()

    def slow(at: int, size: int) -> bytes:
        begun.set()
        assert goes_on.wait(60)
        return data[at : at + size]

    async def steps(view: View) -> None:
        view.show_file("slow.ref", len(data), slow)
        while not begun.is_set():
            await view.pilot.pause(0.01)
        view.pane.show_table(Table.open(path))
        while view.titles[:1] != [f"table {path.name}"]:
            await view.pilot.pause(0.01)
        goes_on.set()
        await view.pilot.pause(0.1)
        assert view.titles[0] == f"table {path.name}"

    block_view(steps)


def test_no_more_is_copied_than_a_clipboard_takes(tmp_path: Path) -> None:
    write_table(tmp_path / "t.ref", branches(5000))
    data = (tmp_path / "t.ref").read_bytes()

    async def steps(view: View) -> None:
        await view.show(tmp_path / "t.ref")
        await view.press("Y")
        assert view.pilot.app.clipboard == data[:65536].hex(" ")
        assert "copied the first 65,536 bytes" in view.text
        await view.press("j", "enter", "j", "Y")
        assert view.pilot.app.clipboard == data[:4].hex(" ")
        assert "copied the bytes" in view.text

    block_view(steps)


def test_a_file_that_cannot_be_read_is_told_and_any_key_leads_nowhere(path: Path) -> None:
    def fail(_at: int, _size: int) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    async def steps(view: View) -> None:
        view.show_file(path.name, 1000, fail)
        await view.settle()
        assert "Input/output error" in view.text
        await view.press("n", "i", "Y", "h")
        assert "Input/output error" in view.text

    block_view(steps)


def test_without_a_table_nothing_is_shown(path: Path) -> None:
    async def steps(view: View) -> None:
        view.pane.show_table(None)
        await view.press("j", "enter", "h", "G", "n", "y", "Y", "O", "i")
        assert "no table" in view.text
        await view.show(path)
        view.pane.show_table(None)
        await view.settle()
        assert view.tree.source.count == 0

    block_view(steps)


def test_ten_thousand_blocks_are_opened_a_group_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "t.ref"
    write_table(path, branches(9000), options=WriteOptions(block_size=256))

    async def steps(view: View) -> None:
        await view.show(path)
        await view.open("ref blocks")
        assert "blocks 500–999" in view.text
        await view.open("blocks 500–999")
        assert len(view.titles) < 2 * GROUP
        assert "block 500  refs/heads/branch-" in view.text

    block_view(steps)


# Sizes.


def test_a_low_view_shows_one_at_a_time(path: Path) -> None:
    async def steps(view: View) -> None:
        await view.show(path)
        assert not view.hex.display
        await view.press("h", "down")
        assert view.hex.has_focus
        assert view.hex.display
        assert not view.tree.is_on_screen
        await view.press("h")
        assert view.tree.has_focus
        assert not view.hex.display

    block_view(steps, (80, 12))


def test_bytes_in_a_row_follow_the_width(path: Path) -> None:
    async def steps(view: View) -> None:
        await view.show(path)
        await view.go(300)
        for width, row in ((100, "0120"), (60, "0128"), (36, "012c")):
            await view.pilot.resize_terminal(width, 30)
            await view.settle()
            assert re.search(rf">{row}[ \[]", view.text), width
            assert view.hex.cursor == 300

    block_view(steps)


# A real repository.


def test_tables_of_real_git_are_shown(repo: Repository) -> None:
    repo.commit("first")
    (path, *_) = sorted(repo.reftable.glob("*.ref"))

    async def steps(view: View) -> None:
        await view.show(path)
        await view.reveal(0)
        assert view.node.title.startswith("block 0  HEAD")
        await view.press("n")
        assert "nothing is damaged" in view.text

    block_view(steps)

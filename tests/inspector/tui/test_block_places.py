"""Where the block view can be taken: log blocks, records, offsets, damage; and what it copies."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Input

from engine.format import log_key
from engine.table import Table
from tests.support.block_view import View, block_view
from tests.support.screens import branch
from tests.support.varied import damage_ref_blocks, first_log_block, write_varied


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_varied(tmp_path / "t.ref")


# Log blocks.


def test_the_inflated_bytes_of_a_log_block_are_a_key_away(path: Path) -> None:
    block = first_log_block(path)

    async def steps(view: View) -> None:
        await view.show(path)
        await view.reveal(block.offset)
        assert view.lit == (block.start, block.end)
        await view.press("i")
        assert view.node.title == "records"
        assert view.hex.inflated
        assert f">+0000 67 00 {block.block_len >> 8:02x} {block.block_len & 255:02x}[" in view.text
        await view.press("h", "right", "right", "right")
        assert view.hex.cursor == 7
        assert view.node.title == "suffix  refs/heads/branch-0000000\\x00" + "\\xff" * 7 + "\\xfa"
        assert f"at +7 (+0x7) inflated · {len(branch(0)) + 9} bytes" in view.text
        await view.press("i")
        assert not view.hex.inflated
        assert view.node.span.name == "deflated"
        assert view.lit == (block.start + 4, block.end)
        await view.press("i")
        assert view.hex.inflated

    block_view(steps)


def test_the_head_of_a_log_block_is_not_compressed(path: Path) -> None:
    block = first_log_block(path)

    async def steps(view: View) -> None:
        await view.show(path)
        await view.reveal(block.offset)
        await view.press("i")
        await view.go(1)
        assert not view.hex.inflated
        assert view.node.title == f"block length  {block.block_len}"
        assert view.lit == (block.start + 1, block.start + 4)

    block_view(steps)


def test_only_log_blocks_offer_to_be_inflated(path: Path) -> None:
    block = first_log_block(path)

    async def steps(view: View) -> None:
        await view.show(path)
        await view.press("i")
        assert not view.hex.inflated
        assert view.pane.check_action("inflated", ()) is False
        await view.reveal(block.offset)
        assert view.pane.check_action("inflated", ()) is True

    block_view(steps)


# Ways in.


def test_a_record_is_revealed_by_block_and_key(path: Path) -> None:
    async def steps(view: View) -> None:
        await view.show(path)
        with Table.open(path) as table:
            located = table.locate_ref(branch(123))
        assert located is not None
        await view.reveal(located[0], branch(123))
        assert view.node.title.endswith("refs/heads/branch-0000123 (val1)")
        await view.reveal(first_log_block(path).offset, log_key(branch(0), 4))
        assert view.node.title.endswith("refs/heads/branch-0000000 @4 (update)")
        assert view.hex.inflated

    block_view(steps)


def test_an_offset_within_a_block_is_revealed_as_the_part_of_that_byte(path: Path) -> None:
    async def steps(view: View) -> None:
        await view.show(path)
        await view.reveal(31)
        assert view.node.title == "suffix  HEAD"

    block_view(steps)


def test_what_is_revealed_before_the_table_was_read_is_shown_when_it_was(path: Path) -> None:
    async def steps(view: View) -> None:
        view.pane.show_table(Table.open(path))
        view.pane.reveal(0, b"HEAD")
        await view.settle()
        assert view.node.title == "record 0  HEAD (symref)"

    block_view(steps)


@pytest.mark.parametrize("typed", ["30", "0x1e"])
def test_an_offset_can_be_asked_for(path: Path, typed: str) -> None:
    async def steps(view: View) -> None:
        await view.show(path)
        await view.press("f", *typed, "enter")
        assert view.hex.cursor == 30
        assert view.node.title == "suffix  HEAD"
        assert view.tree.has_focus

    block_view(steps)


def test_what_is_no_offset_is_asked_for_again_until_escape(path: Path) -> None:
    async def steps(view: View) -> None:
        await view.show(path)
        await view.press("h", "f", "a", "f", "enter")
        assert "an offset is a number such as 4096 or 0x1000" in view.text
        assert view.pilot.app.query_one(Input).has_focus
        await view.press("escape")
        assert view.hex.has_focus
        assert not view.pilot.app.query_one(Input).display
        assert view.node.title == "table t.ref"

    block_view(steps)


def test_an_offset_behind_the_end_is_the_last_byte(path: Path) -> None:
    size = path.stat().st_size

    async def steps(view: View) -> None:
        await view.show(path)
        await view.press("f", *"999999", "enter")
        assert view.hex.cursor == size - 1
        assert view.node.title.startswith("CRC-32")

    block_view(steps)


# Damage.


def test_damage_has_a_letter_a_word_and_its_reason(path: Path) -> None:
    async def steps(view: View) -> None:
        damage_ref_blocks(path, 0, 2)
        await view.show_damaged(path)
        await view.press("n")
        assert "X record 0  damaged: shares 99 bytes with a key of 0" in view.text
        assert "damage 1 of " in view.text
        first = view.node
        await view.press("n", "n")
        assert "damage 3 of " in view.text
        assert view.node.span.start > first.span.start
        await view.press("N", "N")
        assert view.node.span.start == first.span.start

    block_view(steps)


def test_a_sound_table_says_that_nothing_is_damaged(path: Path) -> None:
    async def steps(view: View) -> None:
        await view.show(path)
        await view.press("n")
        assert "nothing is damaged" in view.text

    block_view(steps)


@pytest.mark.parametrize("data", [b"", b"REFT", b"no table at all" * 300])
def test_what_is_no_table_is_shown_all_the_same(tmp_path: Path, data: bytes) -> None:
    async def steps(view: View) -> None:
        path = tmp_path / "t.ref"
        path.write_bytes(data)
        await view.show_damaged(path)
        assert "neither a header nor a footer: not a reftable" in view.text
        await view.press("n", "j", "h", "G", "i")

    block_view(steps)


def test_a_table_that_cannot_be_read_says_why() -> None:
    def fail(_at: int, _size: int) -> bytes:
        raise OSError(5, "Input/output error")

    async def steps(view: View) -> None:
        view.show_file("t.ref", 1000, fail)
        await view.settle()
        assert "Input/output error" in view.text
        await view.press("j", "h", "n", "i", "y", "Y", "O", "f", "1", "enter")

    block_view(steps)


# Copying.


def test_values_bytes_and_offsets_are_copied(path: Path) -> None:
    block = first_log_block(path)

    async def steps(view: View) -> None:
        await view.show(path)
        await view.go(31)
        app = view.pilot.app
        await view.press("y")
        assert app.clipboard == "HEAD"
        await view.press("Y")
        assert app.clipboard == "48 45 41 44"
        await view.press("O")
        assert app.clipboard == "30"
        await view.reveal(block.offset)
        await view.press("y")
        assert "this has no value: Y copies its bytes, O its offset" in view.text
        await view.press("i", "Y")
        assert app.clipboard == block.data()[4 : block.records_end].hex(" ")

    block_view(steps)

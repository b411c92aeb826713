"""Records of a block by their number, and its damaged stretches, without making the others."""

from __future__ import annotations

from operator import attrgetter
from pathlib import Path

from engine.format import LOG, REF
from engine.layout import Span
from tests.support.varied import blocks_of, damage_ref_blocks, write_varied


def test_records_are_found_by_their_number(tmp_path: Path) -> None:
    path = write_varied(tmp_path / "t.ref")
    for block in [*blocks_of(path, REF), *blocks_of(path, LOG)]:
        starts = [record.start for record in block.records().children()]
        records = block.records()
        assert [records.start_of(number) for number in range(len(starts))] == starts
        assert records.start_of(len(starts)) is None


def test_damaged_stretches_are_those_among_the_children(tmp_path: Path) -> None:
    path = write_varied(tmp_path / "t.ref")
    damage_ref_blocks(path, 2)
    damaged = blocks_of(path, REF)[2].records()
    found = list(damaged.damaged())
    contents = attrgetter("__class__", *Span.__slots__)
    assert [*map(contents, found)] == [contents(one) for one in damaged.children() if one.error is not None]
    assert [str(span.error) for span in found] == [
        f"t.ref at byte {damaged.start}: shares 99 bytes with a key of 0"
    ]


def test_sound_records_have_no_damaged_stretches(tmp_path: Path) -> None:
    blocks = blocks_of(write_varied(tmp_path / "t.ref"), LOG)
    assert all(not list(block.records().damaged()) for block in blocks)

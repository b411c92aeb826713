"""Blocks that lookups come back to: fewer reads, within a bound of memory, and the same answers."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from engine.errors import ApiError
from engine.format import RefRecord
from engine.table import Table, WriteOptions
from engine.table.blocks import MOST_BYTES
from tests.support.stacks import branch, same
from tests.support.tables import write_table


def long_named(count: int) -> list[RefRecord]:
    return [
        RefRecord(b"refs/heads/%06d/" % number + b"x" * 180, 1, same(number % 256)) for number in range(count)
    ]


def test_what_is_kept_is_not_read_again(tmp_path: Path) -> None:
    small, large = tmp_path / "small.ref", tmp_path / "large.ref"
    write_table(small, [branch(number) for number in range(300)])
    write_table(large, long_named(3000))
    with Table.open(small) as table:
        assert [table.read_ref(branch(number).name) for number in range(300)] == [
            branch(number) for number in range(300)
        ]
        before = table.reads
        assert table.read_ref(branch(7).name) == branch(7)
        assert table.read_ref(b"refs/heads/none") is None
        assert table.reads == before
    with Table.open(large) as table:
        for ref in long_named(3000)[::100]:
            assert table.read_ref(ref.name) == ref
            before = table.reads
            assert table.read_ref(ref.name) == ref
            assert table.reads == before + 1, "of a large table only the index is kept"


def test_blocks_are_kept_within_a_bound(tmp_path: Path) -> None:
    path = tmp_path / "x.ref"
    refs = long_named(4000)
    write_table(path, refs, options=WriteOptions(block_size=512))
    with Table.open(path) as table:
        table.read_ref(refs[0].name)
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            for ref in refs[::2]:
                assert table.read_ref(ref.name) == ref
            taken = tracemalloc.get_traced_memory()[0] - before
        finally:
            tracemalloc.stop()
        assert MOST_BYTES * 3 // 4 < taken <= MOST_BYTES, taken


def test_a_closed_table_keeps_nothing_and_answers_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.ref"
    write_table(path, [branch(1)])
    table = Table.open(path)
    assert table.read_ref(branch(1).name) == branch(1)
    table.close()
    with pytest.raises(ApiError):
        table.read_ref(branch(1).name)

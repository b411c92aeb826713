"""Refs by the beginning of an object id: the same by the object index, by a scan, and after damage."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.format import RefRecord
from engine.readable import open_readable
from engine.stack import Stack, StackOptions
from engine.table import Table, WriteOptions
from tests.support.handmade import change_byte
from tests.support.tables import oid, write_table


def branch(number: int) -> bytes:
    return b"refs/heads/branch-%07d" % number


REFS = [
    RefRecord(branch(number), 1, oid(number % 300), oid(5) if number % 9 == 0 else None)
    for number in range(2000)
]


def by_hand(prefix: bytes) -> list[RefRecord]:
    return [ref for ref in REFS if any(one.startswith(prefix) for one in (ref.value, ref.peeled) if one)]


@pytest.mark.parametrize("size", [1, 2, 3, 4, 8, 20])
@pytest.mark.parametrize("indexed", [True, False])
def test_every_ref_is_found_whose_ids_begin_so(tmp_path: Path, size: int, indexed: bool) -> None:
    path = tmp_path / "t.ref"
    write_table(path, REFS, options=WriteOptions(skip_index_objects=not indexed))
    with Table.open(path) as table:
        assert bool(table.footer.obj_offset) is indexed
        for number in (0, 5, 17, 299, 12345):
            prefix = oid(number)[:size]
            assert list(table.refs_for_prefix(prefix)) == by_hand(prefix)
        assert list(table.refs_for_prefix(b"")) == REFS
        at_once = list(table.refs_for_prefix(oid(17), scans=False))
        assert at_once == (by_hand(oid(17)) if indexed else [])


def test_an_object_of_too_many_blocks_is_left_to_a_scan(tmp_path: Path) -> None:
    path = tmp_path / "t.ref"
    many = [RefRecord(branch(number), 1, oid(number % 2)) for number in range(60_000)]
    write_table(path, many, options=WriteOptions(block_size=256))
    with Table.open(path) as table:
        assert list(table.refs_for_prefix(oid(1), scans=False)) == []
        assert sum(1 for _ in table.refs_for_prefix(oid(1)[:4])) == 30_000


def test_what_is_left_of_a_damaged_table_is_found(tmp_path: Path) -> None:
    with Stack.open(tmp_path) as stack:
        stack.add(lambda writer: writer.add_refs(REFS))
        (table,) = stack.tables
        whole = list(table.refs_for_prefix(oid(17)[:5]))
        path, second = Path(table.path), [*table.blocks()][1]
    change_byte(path, second.offset)
    with open_readable(tmp_path, StackOptions()) as readable:
        left = list(readable.merged.tables[0].refs_for_prefix(oid(17)[:5]))
        assert left
        assert all(record in whole for record in left)

"""Filtered and sorted sources: the same rows as in a list that is built, asked for in any order."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.format import RefRecord
from engine.merge import MergedTable
from engine.stack import Stack
from inspector.rows import (
    LOG_ORDERS,
    PAGE_ROWS,
    REF_ORDERS,
    LogRow,
    LogRows,
    Order,
    RefRow,
    RefRows,
    RowFilter,
    RowPages,
    SortedRows,
    record_rows,
    row_pages,
    sorted_rows,
)
from tests.support.screens import branch, branches, damage_block, log, make_stack
from tests.support.stacks import listed
from tests.support.tables import oid
from tests.support.thinning import thinned


def work(source: RowPages[Any, Any]) -> None:
    while source.read_page() or source.scan():
        pass


def fetch(source: RowPages[Any, Any], index: int) -> RefRow | LogRow | None:
    row = source.row(index)
    while row is None and source.read_page():
        row = source.row(index)
    return row


def everything(source: RowPages[Any, Any], seed: int = 1) -> list[Any]:
    """All rows, asked for in no order."""
    rows = {}
    for index in random.Random(seed).sample(range(source.count), source.count):
        rows[index] = fetch(source, index)
    return [rows[index] for index in range(source.count)]


@pytest.fixture
def layered(tmp_path: Path) -> Path:
    """Three tables: 2,000 refs, some moved, some deleted, some symrefs; logs of some."""
    symrefs = [RefRecord(branch(number), 2, target=b"HEAD") for number in range(5, 2000, 35)]
    return make_stack(
        tmp_path / "reftable",
        (branches(2000), [log(branch(number), 1) for number in range(0, 2000, 4)]),
        (
            sorted(
                [RefRecord(branch(number), 2, oid(9000 - number)) for number in range(0, 2000, 7)] + symrefs,
                key=lambda record: record.name,
            ),
            [log(branch(number), 2, b"merge: %d\n" % number) for number in range(0, 2000, 7)],
        ),
        ([RefRecord(branch(number), 3) for number in range(0, 2000, 11)], []),
    )


@pytest.fixture
def merged(layered: Path) -> Iterator[MergedTable]:
    with Stack.open(layered, read_only=True) as stack:
        yield stack.merged


def ref_rows(merged: MergedTable, deletions: bool = False) -> list[RefRow]:
    positions = {table.name: number for number, table in enumerate(merged.tables)}
    origins = [origin for block in merged.ref_origins(deletions=deletions) for origin in block]
    return [RefRow(record, positions[table.name]) for record, table in origins]


def log_rows(merged: MergedTable) -> list[LogRow]:
    positions = {table.name: number for number, table in enumerate(merged.tables)}
    origins = [origin for block in merged.log_origins() for origin in block]
    return [LogRow(record, positions[table.name]) for record, table in origins]


def matching(name: bytes) -> Callable[[Any], bool]:
    return lambda row: name in row.record.name


@pytest.mark.parametrize("most", [65536, 64, 8], ids=["all keys", "every second", "few"])
def test_a_filter_gives_the_rows_that_pass_and_no_others(
    merged: MergedTable, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(record_rows, "MAX_KEYS", most)
    source = RefRows(merged, row_filter=RowFilter(b"7"), deletions=True)
    work(source)
    expected = list(filter(matching(b"7"), ref_rows(merged, deletions=True)))
    assert source.complete
    assert everything(source) == expected
    assert list(map(source.row_of, source.entries(5))) == expected[5:]
    assert len(source._anchors.kept) <= most
    for number in (0, 3, len(expected) // 2, len(expected) - 1):
        assert source.rank(expected[number].key) == number
    assert source.rank(b"\xff") == len(expected)
    assert source.rank(b"") == 0


def test_keys_of_matches_are_thinned_by_their_bytes_too(
    merged: MergedTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_pages, "ANCHOR_BYTES", 4096)
    source = RefRows(merged, row_filter=RowFilter(b"refs"))
    work(source)
    assert source._anchors._bytes <= 4096
    assert everything(source) == ref_rows(merged)


def test_logs_are_filtered_by_who_and_what_as_well(merged: MergedTable) -> None:
    source = LogRows(merged, row_filter=RowFilter(b"merge:"))
    work(source)
    assert everything(source) == [row for row in log_rows(merged) if b"merge:" in row.record.message]
    inverse = LogRows(merged, row_filter=RowFilter(b"A U Thor", inverted=True))
    work(inverse)
    assert (inverse.count, inverse.complete) == (0, True)


def test_rows_that_pass_can_be_drawn_while_the_scan_goes_on(
    merged: MergedTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_rows, "SCAN_RECORDS", 1)
    source = RefRows(merged, row_filter=RowFilter(b"3"))
    expected = list(filter(matching(b"3"), ref_rows(merged)))
    seen = 0
    while source.scan():
        assert fetch(source, source.count) is None
        for index in range(seen, source.count):
            assert fetch(source, index) == expected[index]
        seen = source.count
    assert seen == len(expected) > 2 * PAGE_ROWS


def test_a_stopped_filter_keeps_what_it_found_and_looks_no_further(
    merged: MergedTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_rows, "SCAN_RECORDS", 1)
    source = RefRows(merged, row_filter=RowFilter(b"3"))
    while source.count < 10:
        source.scan()
    count = source.count
    source.stop()
    assert not source.scan()
    assert (source.count, source.complete, source.ended, source.stopped) == (count, False, True, True)
    assert fetch(source, 5) is not None


@pytest.mark.parametrize("order", REF_ORDERS, ids=lambda order: order.name)
@pytest.mark.parametrize(
    ("backwards", "row_filter"),
    thinned([(False, None), (False, RowFilter(b"1")), (True, RowFilter(b"1")), (True, None)], 2),
)
def test_refs_in_any_order(
    merged: MergedTable,
    monkeypatch: pytest.MonkeyPatch,
    order: Order[Any],
    backwards: bool,
    row_filter: RowFilter | None,
) -> None:
    monkeypatch.setattr(sorted_rows, "RUN_ROWS", 100)
    base = RefRows(merged, row_filter=row_filter)
    source = SortedRows(base, order, backwards=backwards)
    work(source)
    expected = [row for row in ref_rows(merged) if row_filter is None or b"1" in row.record.name]
    if order.rank is not None:
        expected.sort(key=lambda row: order.rank(row.record, row.position))
    if backwards:
        expected.reverse()
    assert (source.count, source.complete) == (len(expected), True)
    in_no_order = random.Random(1).sample(range(source.count), source.count)
    assert all(fetch(source, index) == expected[index] for index in thinned(in_no_order, 5))
    for number in (0, 7, len(expected) - 1):
        assert source.rank(expected[number].key) == number
    turned = source.turned()
    work(turned)
    assert [fetch(turned, number) for number in range(40)] == expected[::-1][:40]


def test_a_value_order_goes_by_symref_then_by_id_then_tombstones(tmp_path: Path) -> None:
    records = [
        RefRecord(b"a", 1),
        RefRecord(b"b", 1, b"\x02" * 20),
        RefRecord(b"c", 1, target=b"b"),
        RefRecord(b"d", 1, b"\x01" * 20),
    ]
    directory = make_stack(tmp_path / "reftable", (records, []))
    with Stack.open(directory, read_only=True) as stack:
        source = SortedRows(RefRows(stack.merged, deletions=True), REF_ORDERS[3])
        work(source)
        assert [row.record.name for row in everything(source)] == [b"c", b"d", b"b", b"a"]


@pytest.mark.parametrize("order", LOG_ORDERS, ids=lambda order: order.name)
def test_logs_in_any_order(merged: MergedTable, order: Order[Any]) -> None:
    source = SortedRows(LogRows(merged), order, backwards=True)
    work(source)
    expected = log_rows(merged)
    if order.rank is not None:
        expected.sort(key=lambda row: order.rank(row.record, row.position))
    assert everything(source) == expected[::-1]


def test_there_are_no_rows_before_all_are_sorted(merged: MergedTable) -> None:
    source = SortedRows(RefRows(merged), REF_ORDERS[1])
    done = []
    while source.scan():
        assert source.complete or (source.count == 0 and source.row(0) is None)
        done.append(source.progress.phase)
    assert {"counting", "reading", "sorting"} >= set(done)
    assert source.rank(branch(1)) is not None


def test_a_piece_of_sorting_is_small(merged: MergedTable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sorted_rows, "SCAN_RECORDS", 64)
    monkeypatch.setattr(sorted_rows, "SCAN_LISTS", 1)
    monkeypatch.setattr(record_rows, "SCAN_RECORDS", 64)
    source = SortedRows(RefRows(merged), REF_ORDERS[1])
    pieces = 0
    while source.scan():
        pieces += 1
    assert pieces > 2000 // 512


def test_a_view_that_cannot_be_read_to_its_end_cannot_be_sorted(layered: Path) -> None:
    damage_block(layered, block=2)
    with Stack.open(layered, read_only=True) as stack:
        source = SortedRows(RefRows(stack.merged), REF_ORDERS[1])
        work(source)
        assert listed(layered)[0] in str(source.error)
        assert (source.count, source.complete, source.ended) == (0, False, True)


def test_where_a_key_is_is_not_known_before_the_scan_has_been_there(
    merged: MergedTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_rows, "SCAN_RECORDS", 1)
    source = RefRows(merged)
    expected = ref_rows(merged)
    assert source.rank(expected[500].key) is None
    assert source.rows_at(expected[500].key, 3) == tuple(expected[500:503])
    while source.rank(expected[500].key) is None:
        source.scan()
    assert source.rank(expected[500].key) == 500
    assert not source.complete
    assert source.rank(expected[-1].key) is None
    work(source)
    assert [source.rank(row.key) for row in expected[::97]] == list(range(0, len(expected), 97))
    assert source.rank(branch(1) + b"x") == 1

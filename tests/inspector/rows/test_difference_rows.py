"""Changes as rows: counted by kind, found by number and by name, whatever is kept of them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest

from engine.format import RefRecord
from engine.merge import ChangeKind, MergedTable, RefChange, ref_changes
from engine.table import Table
from inspector.rows import KINDS, ChangeRows, Changes
from tests.support.handmade import overwrite
from tests.support.screens import branch, branches
from tests.support.tables import oid, write_table
from tests.support.thinning import thinned

SOME_KINDS = thinned((frozenset(some) for count in range(4) for some in combinations(KINDS, count)), 3)


@pytest.fixture
def views(tmp_path: Path) -> tuple[MergedTable, MergedTable]:
    """1,500 refs; then a third is deleted, a third moved, 300 are new, and 100 tombstones hide nothing."""
    write_table(tmp_path / "1.ref", branches(1500))
    newer = [RefRecord(branch(number), 2) for number in range(0, 1500, 3)]
    newer += [RefRecord(branch(number), 2, oid(number + 1)) for number in range(1, 1500, 3)]
    newer += [RefRecord(branch(number), 2, oid(1)) for number in range(1500, 1800)]
    newer += [RefRecord(b"refs/none/%03d" % number, 2) for number in range(100)]
    write_table(tmp_path / "2.ref", newer)
    old, new = (Table.open(tmp_path / name) for name in ("1.ref", "2.ref"))
    return MergedTable([old]), MergedTable([old, new])


def all_rows(rows: ChangeRows, numbers: Iterator[int] | range) -> list[RefChange | None]:
    found = []
    for number in numbers:
        if rows.row(number) is None:
            rows.read_page()
        found.append(rows.row(number))
    return found


@pytest.mark.parametrize("names", thinned([5, 64, 65536], 2))
@pytest.mark.parametrize("kinds", SOME_KINDS, ids=lambda kinds: "-".join(sorted(kinds)) or "none")
def test_every_row_is_found_however_few_names_are_kept(
    views: tuple[MergedTable, MergedTable],
    names: int,
    kinds: frozenset[ChangeKind],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("inspector.rows.difference_rows.MAX_NAMES", names)
    expected = [change for part in ref_changes(*views) for change in part if change.kind in kinds]
    changes = Changes(*views)
    rows = ChangeRows(changes, kinds)
    while rows.scan():
        pass
    assert changes.counts == {"created": 300, "updated": 500, "deleted": 500}
    assert len(changes.anchors.kept) <= names
    assert rows.complete
    assert rows.count == len(expected)
    step = 1 if names > 5 else 37
    assert all_rows(rows, range(0, rows.count, step)) == expected[::step]
    for number, change in list(enumerate(expected))[:: 5 * step]:
        assert rows.rank(change.name) == number
    assert rows.rank(b"zz") == len(expected)
    assert rows.rank(b"") == 0


def test_names_that_are_long_are_kept_in_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inspector.rows.row_pages.ANCHOR_BYTES", 10_000)
    records = [RefRecord(b"%03d" % number + b"x" * 1000, 1, oid(1)) for number in range(100)]
    write_table(tmp_path / "1.ref", records)
    changes = Changes(MergedTable([]), MergedTable([Table.open(tmp_path / "1.ref")]))
    while changes.scan():
        pass
    assert sum(len(anchor.name) for anchor in changes.anchors.kept) <= 10_000
    rows = ChangeRows(changes, frozenset(KINDS))
    assert [row and row.after for row in all_rows(rows, range(100))] == records


def test_rows_can_be_read_while_others_are_still_being_found(
    views: tuple[MergedTable, MergedTable], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inspector.rows.difference_rows.SCAN_RECORDS", 1)
    rows = ChangeRows(Changes(*views), frozenset(KINDS))
    counts = [0]
    while rows.scan():
        counts.append(rows.count)
        if rows.count:
            assert all_rows(rows, range(rows.count - 1, rows.count))[0] is not None
    assert counts == sorted(counts)
    assert len(set(counts)) > 5
    assert all(all_rows(rows, range(rows.count)))


def test_where_a_change_will_be_is_not_said_before_it_is_known(
    views: tuple[MergedTable, MergedTable], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inspector.rows.difference_rows.SCAN_RECORDS", 1)
    rows = ChangeRows(Changes(*views), frozenset(KINDS))
    rows.scan()
    assert rows.rank(branch(0)) == 0
    assert rows.rank(branch(1799)) is None


def test_what_cannot_be_read_is_an_error_and_what_comes_before_stays(tmp_path: Path) -> None:
    write_table(tmp_path / "1.ref", branches(1500))
    with Table.open(tmp_path / "1.ref") as table:
        offset = list(table.blocks())[5].offset
    overwrite(tmp_path / "1.ref", offset + 4, b"\xff" * 16)
    changes = Changes(MergedTable([]), MergedTable([Table.open(tmp_path / "1.ref")]))
    rows = ChangeRows(changes, frozenset(KINDS))
    while rows.scan():
        pass
    assert rows.ended
    assert not rows.complete
    assert "1.ref" in str(rows.error)
    assert 0 < rows.count < 1500
    assert all(all_rows(rows, range(rows.count)))


def test_rows_that_cannot_be_found_again_are_not_asked_for_without_end(tmp_path: Path) -> None:
    path = tmp_path / "1.ref"
    write_table(path, [RefRecord(b"a/%02d" % number, 1, oid(number)) for number in range(20)])
    rows = ChangeRows(Changes(MergedTable([Table.open(path)]), MergedTable([])), frozenset(KINDS))
    while rows.scan():
        pass
    # A table never changes, unless another program writes into the file.
    path.write_bytes(path.read_bytes().replace(b"a/", b"b/"))
    assert rows.count == 20
    assert all_rows(rows, range(20)) == [None] * 20
    assert not rows.wanting

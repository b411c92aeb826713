"""Object ids, targets and letters in order typed as a filter: what passes, and the index first."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.format import LogRecord, RefRecord
from engine.stack import Stack, StackOptions
from inspector.rows import PAGE_ROWS, LogRows, RefRows, RowFilter, record_rows, row_pages
from tests.support.screens import branch, log, make_stack
from tests.support.tables import oid
from tests.support.thinning import thinned

REFS = 4000
OPTIONS = StackOptions(auto_compact=False, skip_name_check=True)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Four thousand refs of a thousand objects with an index of objects; some moved, some deleted."""
    directory = tmp_path_factory.mktemp("values") / "reftable"
    base = [RefRecord(branch(number), 1, oid(number % 1000)) for number in range(REFS)]
    base.append(RefRecord(b"refs/tags/" + oid(7).hex().encode(), 1, oid(8), oid(7)))
    base.append(RefRecord(b"HEAD", 1, target=branch(5)))
    newer = [RefRecord(branch(number), 2, oid(0)) for number in range(1, REFS, 500)]
    newer += [RefRecord(branch(2007), 2), RefRecord(branch(3007), 2, oid(1))]
    make_stack(
        directory,
        (sorted(base, key=lambda ref: ref.name), [log(branch(number), 1) for number in range(50)]),
        (sorted(newer, key=lambda ref: ref.name), [LogRecord(branch(3), 2, oid(5), oid(6))]),
        options=OPTIONS,
    )
    with Stack.open(directory, read_only=True) as opened:
        assert opened.tables[0].footer.obj_offset
        yield opened


def found(stack: Stack, typed: str) -> list[bytes]:
    rows = RefRows(stack.merged, row_filter=RowFilter.parse(typed))
    while rows.read_page() or rows.scan():
        pass
    assert rows.complete
    assert rows.error is None
    names = [record.name for record, _ in rows.entries(0)]
    assert len(names) == rows.count
    return names


def expected(stack: Stack, typed: str) -> list[bytes]:
    def passes(ref: RefRecord) -> bool:
        ids = [one.hex() for one in (ref.value, ref.peeled) if one is not None]
        text = typed.encode()
        is_id = len(typed) >= 4 and not set(typed.lower()) - set("0123456789abcdef")
        return (
            text in ref.name
            or text in (ref.target or b"")
            or (is_id and any(one.startswith(typed.lower()) for one in ids))
        )

    return [ref.name for ref in stack.refs() if passes(ref)]


def test_ids_and_what_they_begin_with_find_refs_by_value_and_peeled_value(stack: Stack) -> None:
    for number in thinned((7, 8, 0, 1, 999), 2):
        digits = oid(number).hex()
        for typed in (digits, digits[:4], digits[:5], digits[:12].upper(), digits[:3], digits + "0"):
            assert found(stack, typed) == expected(stack, typed), typed
    assert branch(2007) not in found(stack, oid(7).hex())
    assert branch(3007) not in found(stack, oid(7).hex())
    assert found(stack, "f" * 40) == []
    inverted = found(stack, "!" + oid(7).hex())
    assert set(inverted) | set(expected(stack, oid(7).hex())) == {ref.name for ref in stack.refs()}


def test_a_symref_is_found_by_its_target_as_well(stack: Stack) -> None:
    assert found(stack, branch(5).decode()) == [b"HEAD", branch(5)]
    assert found(stack, "re:branch-0000005$") == [branch(5)]
    assert found(stack, "~HEADbranch") == []


def test_letters_in_order_are_found_in_list_order_and_small_ones_stand_for_both(stack: Stack) -> None:
    assert found(stack, "~hb399") == [
        ref.name for ref in stack.refs() if re.search(b"(?i)h.*b.*3.*9.*9", ref.name)
    ]
    assert found(stack, "~ha") == [ref.name for ref in stack.refs() if not ref.name.startswith(b"refs/tags/")]
    assert found(stack, "~Ha") == []
    assert found(stack, "~]^-\\") == []
    assert RowFilter.parse("~") is None
    assert len(found(stack, "!~a")) < 3
    slow = RowFilter.parse("~" + "a" * 500 + "b")
    assert slow is not None
    assert slow.admits([b"a" * 100_000], 1) == [False]


def test_entries_are_found_by_old_and_new_id(stack: Stack) -> None:
    rows = LogRows(stack.merged, row_filter=RowFilter.parse(oid(6).hex()[:9]))
    while rows.scan():
        pass
    assert [record.new for record, _ in rows.entries(0)] == [oid(6)]
    rows = LogRows(stack.merged, row_filter=RowFilter.parse(oid(1).hex()))
    while rows.scan():
        pass
    assert rows.count == 50, "the old id of all that were made at first"


def test_the_index_answers_before_anything_is_scanned(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_rows, "SCAN_RECORDS", 100)
    typed = oid(7).hex()
    rows = RefRows(stack.merged, row_filter=RowFilter.parse(typed))
    assert rows.scan()
    by_value = [branch(7), branch(1007), b"refs/tags/" + oid(7).hex().encode()]
    assert (rows.count, rows.progress.done) == (3, 0)
    assert rows.row(1) is None
    rows.read_page()
    assert [row.record.name for number in range(3) if (row := rows.row(number))] == by_value
    while rows.scan():
        assert [record.name for record, _ in rows.entries(0)] == by_value
    assert rows.complete
    assert rows.edition == 0, "what was known ahead stayed where it was"


def test_what_the_scan_finds_between_moves_the_rows_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_rows, "SCAN_RECORDS", 100)
    digits = oid(7).hex()[:6]
    refs = [RefRecord(branch(number), 1, oid(number)) for number in range(3000)]
    refs += [RefRecord(f"refs/a/{number:04}-{digits}".encode(), 1, oid(1)) for number in range(3000)]
    directory = make_stack(
        tmp_path / "reftable", (sorted(refs, key=lambda ref: ref.name), []), options=OPTIONS
    )
    with Stack.open(directory, read_only=True) as stack:
        rows = RefRows(stack.merged, row_filter=RowFilter.parse(digits))
        rows.scan()
        rows.row(0)
        rows.read_page()
        first = rows.row(0)
        assert first is not None
        assert (first.record.name, rows.place(first.key)) == (branch(7), 0)
        rows.scan()
        assert rows.edition == 1
        assert rows.row(0) is None, "it is to be read again"
        rows.read_page()
        first_now = rows.row(0)
        assert first_now is not None
        assert first_now.record.name.startswith(b"refs/a/0000")
        assert rows.place(first.key) == rows.count - 1
        while rows.scan():
            pass
        assert rows.count == 3001
        assert rows.place(first.key) == 3000
    assert PAGE_ROWS < 3000
    assert row_pages.SCAN_RECORDS > 100


def test_an_index_that_finds_too_much_or_cannot_be_read_is_left_to_the_scan(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_rows, "MAX_AHEAD", 2)
    monkeypatch.setattr(record_rows, "MAX_KEYS", 3)
    typed = oid(1).hex()[:4]
    assert found(stack, typed) == expected(stack, typed)

    def fail(*_: object, **__: object) -> Iterator[RefRecord]:
        raise OSError("no")

    monkeypatch.setattr("engine.table.reader.Table.refs_for_prefix", fail)
    assert found(stack, typed) == expected(stack, typed)

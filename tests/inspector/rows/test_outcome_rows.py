"""What a repair does to refs, kept on disk and listed by kind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from engine.errors import Cancelled
from engine.format import U64_MAX, RefRecord
from engine.repair import Outcome, RefOutcome
from inspector.rows import OutcomeRows
from tests.support.screens import branches


@pytest.fixture
def rows() -> Iterator[OutcomeRows]:
    with OutcomeRows() as rows:
        yield rows


def test_outcomes_come_back_as_they_were_the_worst_first(rows: OutcomeRows) -> None:
    made = [
        RefOutcome(ref.name, Outcome.LOST if number % 2 else Outcome.DOUBTFUL, ref, None, "why")
        for number, ref in enumerate(branches(400))
    ]
    rows.add(made[:150])
    rows.add(made[150:])
    expected = made[1::2] + made[::2]
    assert rows.count == 400
    assert list(rows) == expected
    assert [rows.row(number) for number in range(400)] == expected
    assert [rows.row(-1), rows.row(400)] == [None, None]


def test_what_is_kept_is_counted_and_no_more(rows: OutcomeRows) -> None:
    rows.add(RefOutcome(ref.name, Outcome.KEPT, ref, ref, "") for ref in branches(3))
    assert (rows.counts[Outcome.KEPT], rows.count, list(rows)) == (3, 0, [])


@pytest.mark.parametrize(
    "record",
    [
        RefRecord(b"a\0\xff", U64_MAX),
        RefRecord(b"a\0\xff", 1, bytes(20), b"\xff" * 20),
        RefRecord(b"a\0\xff", 1, target=b"\0"),
    ],
)
def test_any_record_can_be_kept(rows: OutcomeRows, record: RefRecord) -> None:
    one = RefOutcome(record.name, Outcome.CHANGED, record, record, "")
    rows.add([one])
    assert list(rows) == [one]


def test_a_reason_may_name_a_file_whose_name_is_no_utf8(rows: OutcomeRows) -> None:
    one = RefOutcome(b"a", Outcome.DOUBTFUL, None, RefRecord(b"a", 1), "in what is lost of \udcff\udcfe")
    rows.add([one])
    assert list(rows) == [one]


def test_another_plan_begins_with_none(rows: OutcomeRows) -> None:
    one = RefOutcome(b"a", Outcome.LOST, None, None, "")
    rows.add([one])
    rows.clear()
    assert (rows.count, rows.row(0)) == (0, None)
    rows.add([one])
    assert list(rows) == [one]


def test_a_plan_that_is_still_made_for_a_list_that_was_closed_is_stopped() -> None:
    rows = OutcomeRows()
    rows.close()
    for write in (rows.clear, lambda: rows.add([])):
        with pytest.raises(Cancelled):
            write()
    rows.close()


def test_a_full_disk_is_an_error_of_the_system(rows: OutcomeRows) -> None:
    rows.add([RefOutcome(b"refs/heads/a", Outcome.LOST, None, None, "")])
    assert rows._db is not None
    rows._db.execute("PRAGMA max_page_count = 2")
    with pytest.raises(OSError, match="temporary file cannot be written"):
        rows.add(RefOutcome(ref.name, Outcome.LOST, ref, None, "") for ref in branches(1000))

"""Row sources: what they hand out, what they cost, and how little they hold."""

from __future__ import annotations

import random
import threading
from pathlib import Path

import pytest

from engine.format import LogRecord, RefRecord
from engine.stack import Stack
from inspector.rows import PAGE_ROWS, LogRows, PagedRows, RefRows, SequenceRows, record_rows
from inspector.rows.row_pages import MAX_PAGES, MAX_WANTS
from tests.support.screens import branch, branches, damage_block, log, make_stack
from tests.support.stacks import listed
from tests.support.tables import oid

Source = PagedRows[object, RefRecord, bytes] | PagedRows[object, LogRecord, tuple[bytes, int]]


def work(source: RefRows | LogRows) -> None:
    """Do all there is to do, pages first, as a session does."""
    while source.read_page() or source.scan():
        pass


def fetch(source: RefRows | LogRows, index: int) -> RefRecord | LogRecord:
    """Return row `index`, reading its page if need be."""
    row = source.row(index)
    if row is None:
        while source.read_page():
            pass
        row = source.row(index)
    assert row is not None
    return row.record


def reads(stack: Stack) -> int:
    return sum(table.reads for table in stack.tables)


@pytest.fixture
def layered(tmp_path: Path) -> Path:
    """Three tables: 3,000 refs, every seventh of them moved, every eleventh deleted; logs of some."""
    return make_stack(
        tmp_path / "reftable",
        (branches(3000), [log(branch(number), 1) for number in range(0, 3000, 4)]),
        (
            [RefRecord(branch(number), 2, oid(number + 1)) for number in range(0, 3000, 7)],
            [log(branch(number), 2) for number in range(0, 3000, 7)],
        ),
        (
            [RefRecord(branch(number), 3) for number in range(0, 3000, 11)],
            [LogRecord(branch(number), 1) for number in range(0, 3000, 44)],
        ),
    )


def test_every_row_is_that_of_the_merged_view(layered: Path) -> None:
    with Stack.open(layered, read_only=True) as stack:
        refs, logs = RefRows(stack.merged), LogRows(stack.merged)
        work(refs)
        work(logs)
        expected_refs, expected_logs = list(stack.refs()), list(stack.logs())
        assert (refs.count, refs.complete) == (len(expected_refs), True)
        assert (logs.count, logs.complete) == (len(expected_logs), True)
        shuffled = random.Random(1).sample(range(len(expected_refs)), len(expected_refs))
        assert {index: fetch(refs, index) for index in shuffled} == dict(enumerate(expected_refs))
        assert [fetch(logs, index) for index in range(logs.count)] == expected_logs


def test_tombstones_are_rows_when_asked_for(layered: Path) -> None:
    with Stack.open(layered, read_only=True) as stack:
        refs = RefRows(stack.merged, deletions=True)
        logs = LogRows(stack.merged, deletions=True)
        work(refs)
        work(logs)
        assert [fetch(refs, index) for index in range(refs.count)] == list(stack.merged.refs(deletions=True))
        assert [fetch(logs, index) for index in range(logs.count)] == list(stack.merged.logs(deletions=True))


def test_a_row_names_the_table_it_comes_from(layered: Path) -> None:
    with Stack.open(layered, read_only=True) as stack:
        source = RefRows(stack.merged, deletions=True)
        source.read_page()
        rows = [source.row(number) for number in (1, 7, 11)]
        assert [row.position for row in rows if row] == [0, 1, 2]


def test_the_first_page_needs_no_scan(layered: Path) -> None:
    with Stack.open(layered, read_only=True) as stack:
        source = RefRows(stack.merged)
        opened = reads(stack)
        assert source.read_page()
        assert (source.count, source.complete) == (PAGE_ROWS, False)
        assert reads(stack) - opened <= 2 * len(stack.tables)


def test_a_source_of_less_than_a_page_is_complete_without_a_scan(tmp_path: Path) -> None:
    directory = make_stack(tmp_path / "reftable", (branches(10), []))
    with Stack.open(directory, read_only=True) as stack:
        source = RefRows(stack.merged)
        source.read_page()
        assert (source.count, source.complete) == (10, True)
        assert not source.scan()


@pytest.mark.parametrize("count", [PAGE_ROWS - 1, PAGE_ROWS, PAGE_ROWS + 1, 2 * PAGE_ROWS])
def test_counts_are_right_around_the_edges_of_pages(tmp_path: Path, count: int) -> None:
    directory = make_stack(tmp_path / "reftable", (branches(count), []))
    with Stack.open(directory, read_only=True) as stack:
        source = RefRows(stack.merged)
        work(source)
        assert (source.count, source.complete) == (count, True)
        assert fetch(source, count - 1).name == branch(count - 1)
        assert source.row(count) is None


def test_an_empty_view_is_complete_once_it_was_looked_at(tmp_path: Path) -> None:
    directory = make_stack(tmp_path / "reftable")
    with Stack.open(directory, read_only=True) as stack:
        for source in (RefRows(stack.merged), LogRows(stack.merged)):
            assert not source.complete
            work(source)
            assert (source.count, source.complete, source.row(0)) == (0, True, None)


def test_a_page_costs_as_many_reads_among_many_refs_as_among_few(tmp_path: Path) -> None:
    worst = {}
    for count in (10, 20_000):
        directory = make_stack(tmp_path / str(count), (branches(count), []))
        with Stack.open(directory, read_only=True) as stack:
            source = RefRows(stack.merged)
            work(source)
            costs = []
            for index in random.Random(count).sample(range(count), 10):
                source._pages.clear()
                source._wants.clear()
                before = reads(stack)
                source.row(index)
                source.read_page()
                costs.append(reads(stack) - before)
            worst[count] = max(costs)
    # One block holds a page of these; an index path (3 levels) is all that more refs add.
    assert worst[10] == 1
    assert worst[20_000] <= 6


def test_rows_outside_the_source_are_not_wanted(tmp_path: Path) -> None:
    directory = make_stack(tmp_path / "reftable", (branches(10), []))
    with Stack.open(directory, read_only=True) as stack:
        source = RefRows(stack.merged)
        work(source)
        assert [source.row(index) for index in (-1, 10, 10**9)] == [None] * 3
        assert not source.wanting


def test_anchors_are_thinned_instead_of_growing(layered: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_rows, "MAX_ANCHORS", 4)
    with Stack.open(layered, read_only=True) as stack:
        source = RefRows(stack.merged)
        work(source)
        assert len(source._anchors.kept) <= 4
        assert source._anchors.spacing == 8 * PAGE_ROWS
        expected = list(stack.refs())
        assert [fetch(source, index) for index in range(source.count)] == expected


def test_no_more_than_a_few_pages_are_kept(tmp_path: Path) -> None:
    count = (MAX_PAGES + 5) * PAGE_ROWS
    directory = make_stack(tmp_path / "reftable", (branches(count), []))
    with Stack.open(directory, read_only=True) as stack:
        source = RefRows(stack.merged)
        work(source)
        for index in [*range(0, count, PAGE_ROWS), 0]:
            assert fetch(source, index).name == branch(index)
            assert len(source._pages) <= MAX_PAGES


def test_what_was_wanted_last_is_read_first_and_old_wants_are_forgotten(tmp_path: Path) -> None:
    count = 20 * PAGE_ROWS
    directory = make_stack(tmp_path / "reftable", (branches(count), []))
    with Stack.open(directory, read_only=True) as stack:
        source = RefRows(stack.merged)
        work(source)
        middles = range(PAGE_ROWS // 2 + PAGE_ROWS, count, PAGE_ROWS)
        for index in middles:
            assert source.row(index) is None
        assert source.read_page()
        assert source.row(middles[-1]) is not None
        assert source.row(middles[0]) is None
        assert len(source._wants) <= MAX_WANTS


def test_the_page_that_scrolling_leads_to_is_wanted_ahead(tmp_path: Path) -> None:
    count = 4 * PAGE_ROWS
    directory = make_stack(tmp_path / "reftable", (branches(count), []))
    with Stack.open(directory, read_only=True) as stack:
        source = RefRows(stack.merged)
        work(source)
        source.row(PAGE_ROWS // 2)
        assert not source.wanting
        source.row(PAGE_ROWS - 2)
        assert source.wanting
        source.read_page()
        assert source.row(PAGE_ROWS) is not None


def test_reflogs_longer_than_a_page_can_be_entered_anywhere(tmp_path: Path) -> None:
    entries = [log(b"HEAD", index) for index in range(1, 1001)]
    directory = make_stack(tmp_path / "reftable", (branches(1), entries))
    with Stack.open(directory, read_only=True) as stack:
        source = LogRows(stack.merged)
        work(source)
        for index in (999, 500, 128, 127, 0):
            assert fetch(source, index).update_index == 1000 - index


def test_texts_of_a_reflog_entry_are_cut(tmp_path: Path) -> None:
    long = b"x" * 3000
    record = LogRecord(b"HEAD", 1, oid(1), oid(2), b"who", b"mail", 1, 0, long + b"\n")
    directory = make_stack(tmp_path / "reftable", ([], [record]))
    with Stack.open(directory, read_only=True) as stack:
        source = LogRows(stack.merged)
        row = fetch(source, 0)
        assert isinstance(row, LogRecord)
        assert row.message == long[: record_rows.TEXT_LIMIT]
        assert row.committer == b"who"


def test_a_damaged_block_ends_the_rows_and_is_told(layered: Path) -> None:
    damage_block(layered, block=2)
    with Stack.open(layered, read_only=True) as stack:
        source = RefRows(stack.merged)
        work(source)
        assert listed(layered)[0] in str(source.error)
        assert not source.complete
        assert source.count >= PAGE_ROWS
        assert fetch(source, 0).name == branch(1)
        assert fetch(source, source.count - 1).name > branch(PAGE_ROWS)


def test_a_page_that_cannot_be_read_is_not_tried_again(layered: Path) -> None:
    with Stack.open(layered, read_only=True) as stack:
        source = RefRows(stack.merged)
        work(source)
        damage_block(layered, block=2)
        middle = 3 * PAGE_ROWS + PAGE_ROWS // 2  # in the third block, and no page to prefetch
        assert source.row(middle) is None
        assert source.read_page()
        assert source.row(middle) is None
        assert not source.wanting
        assert listed(layered)[0] in str(source.error)


def test_rows_can_be_drawn_while_another_thread_reads_them(layered: Path) -> None:
    with Stack.open(layered, read_only=True) as stack:
        expected = list(stack.refs())
        source = RefRows(stack.merged)
        stop = threading.Event()

        def serve() -> None:
            while not stop.is_set():
                if not (source.read_page() or source.scan()):
                    stop.wait(0.001)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            seen: set[int] = set()
            chance = random.Random(2)
            last = 0
            while len(seen) < 500:
                count = source.count
                assert count >= last
                last = count
                if count:
                    index = chance.randrange(count)
                    row = source.row(index)
                    if row is not None:
                        assert row.record == expected[index]
                        seen.add(index)
        finally:
            stop.set()
            thread.join()
        assert source.error is None


def test_a_sequence_is_a_source() -> None:
    source = SequenceRows("abc")
    assert (source.count, source.complete, source.wanting) == (3, True, False)
    assert [source.row(index) for index in (-1, 0, 2, 3)] == [None, "a", "c", None]

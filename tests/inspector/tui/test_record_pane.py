"""The panes of refs and logs in use: filter, jump, sort, tombstones, scope, and a stack that changes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from engine.format import RefRecord
from engine.stack import Stack
from inspector.model import AsOf, News, OneTable, Reloaded, Session, WholeStack
from inspector.rows import PAGE_ROWS, RefRows, record_rows
from inspector.tui.navigation import Follow
from inspector.tui.widgets.record_pane import RecordPane
from tests.support.panes import PaneApp, enter, with_panes
from tests.support.screens import OPTIONS, branch, branches, log, make_stack, press, settle, shown_lines
from tests.support.tables import oid


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """Two tables: 500 branches and logs; then one moved, one deleted, one made."""
    return make_stack(
        tmp_path / "reftable",
        (branches(500), [log(branch(number), 1) for number in range(0, 500, 2)]),
        (
            [
                RefRecord(branch(3), 2, oid(77)),
                RefRecord(branch(4), 2),
                RefRecord(b"refs/tags/v1", 2, oid(5)),
            ],
            [log(branch(3), 2, b"rebase: moved\n")],
        ),
    )


def change(directory: Path, *records: tuple[bytes, bytes | None], compact: bool = False) -> None:
    """Create, move or delete refs as another process would."""
    with Stack.open(directory, OPTIONS) as stack:
        with stack.addition() as addition, addition.table() as writer:
            for name, value in sorted(records):
                writer.add_ref(RefRecord(name, addition.update_index, value))
        if compact:
            stack.compact_all()


def text(app: PaneApp) -> str:
    return "\n".join(shown_lines(app))


def names(app: PaneApp) -> list[bytes]:
    source = app.refs.rows.source
    rows = [source.row(index) for index in range(source.count)]
    return [row.record.name for row in rows if row is not None]


def at(app: PaneApp) -> bytes | None:
    row = app.refs.current
    return row.record.name if row is not None else None


def test_a_filter_shows_what_passes_and_of_how_many(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], app: PaneApp) -> None:
        await press(pilot, "slash", "0", "7")
        expected = [branch(number) for number in range(500) if b"07" in branch(number)]
        assert f" {len(expected)} of 500" in text(app)
        assert names(app) == expected
        await press(pilot, "enter")
        assert app.focused is app.refs.rows
        await press(pilot, "j", "j", "escape")
        assert app.refs.rows.source.count == 500
        assert at(app) == expected[2]

    with_panes(stack, steps)


def test_a_filter_that_is_wrong_is_told_and_the_rows_stay(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], app: PaneApp) -> None:
        await press(pilot, "slash")
        await enter(pilot, "re:9(")
        assert "no regular expression" in text(app)
        assert app.refs.rows.source.count == 500
        await enter(pilot, "re:9($|9)")
        assert "no regular expression" not in text(app)
        assert all(name.endswith(b"9") or b"99" in name for name in names(app))
        await enter(pilot, "!re:.")
        assert "no refs" in text(app)
        await press(pilot, "escape")
        assert app.refs.rows.source.count == 500

    with_panes(stack, steps)


def test_logs_are_filtered_by_their_messages(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], app: PaneApp) -> None:
        app.logs.rows.focus()
        await press(pilot, "slash")
        await enter(pilot, "rebase")
        assert app.logs.rows.source.count == 1
        assert "1 of 251" in text(app)

    with_panes(stack, steps)


def test_a_filter_waits_for_the_next_letter_when_told_to(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], app: PaneApp) -> None:
        app.refs._debounce = 1000
        await press(pilot, "slash", "0", "7")
        assert app.refs.rows.source.count == 500
        app.refs.apply_filter()
        await settle(pilot)
        assert app.refs.rows.source.count < 500
        await press(pilot, "9", "enter")
        assert {b"079" in name for name in names(app)} == {True}

    with_panes(stack, steps)


def test_a_jump_goes_to_the_first_name_from_there_on_and_escape_goes_back(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], app: PaneApp) -> None:
        await press(pilot, "j", "f")
        await enter(pilot, "refs/heads/branch-00003")
        assert at(app) == branch(300)
        await enter(pilot, "refs/heads/branch-0000300x")
        assert at(app) == branch(301)
        await enter(pilot, "zzz")
        assert at(app) == b"refs/tags/v1"
        await press(pilot, "escape")
        assert at(app) == branch(1)
        await press(pilot, "f")
        await enter(pilot, "refs/t")
        await press(pilot, "enter")
        assert (at(app), app.focused) == (b"refs/tags/v1", app.refs.rows)

    with_panes(stack, steps)


def test_a_jump_to_what_is_not_counted_yet_shows_it_at_once_and_its_number_later(
    stack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = RefRows.scan
    monkeypatch.setattr(RefRows, "scan", lambda _source: False)

    async def steps(pilot: Pilot[Any], app: PaneApp) -> None:
        counted = app.refs.rows.source
        assert counted.count == PAGE_ROWS
        await press(pilot, "f")
        await enter(pilot, "refs/heads/branch-0000400")
        assert at(app) == branch(400)
        assert "counting up to here" in text(app)
        await press(pilot, "enter", "j")
        assert at(app) == branch(401)
        assert app.refs.rows.source is not counted
        monkeypatch.setattr(RefRows, "scan", scan)
        app.reload()
        await settle(pilot)
        assert app.refs.rows.source is counted
        assert (at(app), app.refs.rows.cursor) == (branch(401), 400)  # one has been deleted
        assert "counting" not in text(app)

    with_panes(stack, steps)


def test_keys_and_titles_sort(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], app: PaneApp) -> None:
        await press(pilot, "s", "S")
        assert "sort: update index v" in text(app)
        assert "index v" in shown_lines(app)[1]
        assert at(app) == b"refs/tags/v1"
        await press(pilot, "s")
        assert "sort: table v" in text(app)
        await press(pilot, "S", "s", "s")
        assert "sort:" not in text(app)
        assert at(app) == branch(0)
        await pilot.click(app.refs.query_one("ColumnTitles"), offset=(5, 0))
        await settle(pilot)
        assert "sort: name v" in text(app)
        assert at(app) == b"refs/tags/v1"

    with_panes(stack, steps)


def test_a_filter_and_an_order_go_together(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], app: PaneApp) -> None:
        await press(pilot, "slash")
        await enter(pilot, "00003")
        await press(pilot, "enter", "s", "S")
        assert names(app)[0] == branch(3)
        assert set(names(app)) == {branch(number) for number in range(500) if b"00003" in branch(number)}
        await press(pilot, "escape")
        assert app.refs.rows.source.count == 500
        assert "sort: update index v" in text(app)
        assert at(app) == branch(3)

    with_panes(stack, steps)


def test_tombstones_are_shown_on_request(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], app: PaneApp) -> None:
        await press(pilot, "j", "j", "j", "j")
        assert at(app) == branch(5)
        await press(pilot, "D")
        assert at(app) == branch(5)
        assert "501 refs · tombstones" in text(app)
        await press(pilot, "k")
        assert at(app) == branch(4)
        assert "(deleted)" in text(app)
        await press(pilot, "D")
        assert at(app) == branch(5)  # the next one, for it has gone

    with_panes(stack, steps)


def test_a_scope_is_a_table_or_a_moment(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], app: PaneApp) -> None:
        newest = app.session.view.tables[1]
        app.refs.rows.cursor = 3
        app.refs.scope = OneTable(newest.name)
        await settle(pilot)
        assert names(app) == [branch(3), branch(4), b"refs/tags/v1"]
        row = app.refs.current
        assert row is not None
        assert row.position == 1
        app.refs.scope = AsOf(1)
        await settle(pilot)
        assert app.refs.rows.source.count == 500
        assert b"refs/tags/v1" not in names(app)
        app.refs.scope = OneTable("gone.ref")
        await settle(pilot)
        assert "not in the stack any more" in text(app)
        assert (app.refs.rows.source.count, app.refs.current) == (0, None)
        app.refs.scope = WholeStack()
        await settle(pilot)
        assert app.refs.rows.source.count == 500

    with_panes(stack, steps)


def test_the_cursor_stays_with_its_ref_when_the_stack_changes(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], app: PaneApp) -> None:
        rows = app.refs.rows
        rows.cursor = 250
        rows.scroll_to(y=251 - rows.size.height, animate=False)
        await settle(pilot)
        name, above = at(app), rows.above
        assert above == rows.size.height - 1
        change(stack, (b"refs/heads/aaa", oid(1)), (b"refs/heads/aab", oid(1)), compact=True)
        app.reload()
        await settle(pilot)
        assert (at(app), rows.cursor, rows.above) == (name, 252, above)
        assert rows.source.count == 502
        assert name is not None
        change(stack, (name, None))
        app.reload()
        await settle(pilot)
        assert (at(app), rows.cursor, rows.above) == (branch(252), 252, above)

    with_panes(stack, steps)


def test_filter_order_and_tombstones_stay_when_the_stack_changes(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], app: PaneApp) -> None:
        await press(pilot, "D", "s", "S", "slash")
        await enter(pilot, "00004")
        await press(pilot, "enter", "j", "j")
        name = at(app)
        change(stack, (branch(40), oid(9)), (branch(41), None), (branch(100), None))
        app.reload()
        await settle(pilot)
        assert at(app) == name
        assert "sort: update index v · tombstones" in text(app)
        assert names(app)[:2] == [branch(41), branch(40)]
        assert branch(100) not in names(app)

    with_panes(stack, steps)


def test_old_rows_are_drawn_until_the_new_ones_are_there(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], app: PaneApp) -> None:
        before = text(app)
        change(stack, (b"refs/heads/aaa", oid(1)))
        app.session.want_reload()
        assert isinstance(next(app.session.work()), Reloaded)
        app.work = lambda: None  # type: ignore[method-assign]
        app.refs.show(app.session.view)  # and nothing is read for it yet
        await pilot.pause()
        assert [line[:80] for line in shown_lines(app)] == [line[:80] for line in before.split("\n")]
        del app.work
        app.work()
        await settle(pilot)
        assert names(app)[:2] == [b"refs/heads/aaa", branch(0)]
        assert at(app) == branch(0)

    with_panes(stack, steps)


def test_changes_without_a_pause_are_shown_all_the_same(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], app: PaneApp) -> None:
        for number in range(3):
            change(stack, (b"refs/heads/a%d" % number, oid(1)))
            app.session.want_reload()
            assert isinstance(next(app.session.work()), Reloaded)
            app.refs.show(app.session.view)
        app.work()
        await settle(pilot)
        assert names(app)[:3] == [b"refs/heads/a0", b"refs/heads/a1", b"refs/heads/a2"]

    with_panes(stack, steps)


def test_a_log_entry_keeps_the_cursor_too(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], app: PaneApp) -> None:
        app.logs.rows.cursor = 100
        await settle(pilot)
        row = app.logs.current
        change(stack, (b"refs/heads/aaa", oid(1)))
        app.reload()
        await settle(pilot)
        assert app.logs.current == row
        assert app.logs.rows.cursor == 100

    with_panes(stack, steps)


def test_escape_stops_a_scan_and_then_drops_the_filter(stack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_rows, "SCAN_RECORDS", 1)

    async def steps(pilot: Pilot[Any], app: PaneApp) -> None:
        work = Session.work

        def unfinished(self: Session) -> Iterator[News | None]:
            for news in work(self):
                yield news
                served = self._served["refs"][0]
                if served.count and not served.wanting:
                    return

        monkeypatch.setattr(Session, "work", unfinished)
        await press(pilot, "slash")
        await enter(pilot, "branch")
        await press(pilot, "enter")
        assert "+ of 500 · scanning" in text(app)
        await press(pilot, "escape")
        assert "+ of 500 · stopped at" in text(app)
        assert 0 < app.refs.rows.source.count < 500
        monkeypatch.setattr(Session, "work", work)
        await press(pilot, "escape")
        assert app.refs.rows.source.count == 500
        assert "stopped" not in text(app)

    with_panes(stack, steps)


def test_what_is_chosen_opened_and_wanted_is_posted(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], app: PaneApp) -> None:
        app.posted.clear()
        await press(pilot, "j", "enter", "b")
        chosen, opened, block = app.posted
        assert isinstance(chosen, RecordPane.RowChosen)
        assert isinstance(opened, Follow)
        assert isinstance(block, RecordPane.RowWanted)
        assert block.what == "block"
        assert chosen.pane is app.refs
        assert block.row.record.name == branch(1)
        assert block.table is app.session.view.tables[0]
        app.posted.clear()
        await pilot.click(app.refs.rows, offset=(5, 3), times=2)
        await settle(pilot)
        assert [type(message) for message in app.posted] == [RecordPane.RowChosen, Follow]
        assert app.refs.current is not None
        assert app.refs.current.record.name == branch(3)

    with_panes(stack, steps)


@pytest.mark.parametrize("size", [(120, 24), (80, 12), (40, 6), (12, 3)])
def test_any_size_can_be_used(stack: Path, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any], app: PaneApp) -> None:
        await press(pilot, "slash")
        await enter(pilot, "re:(")
        await press(pilot, "enter", "s", "D", "f", "escape")
        assert len(shown_lines(app)) == size[1]

    with_panes(stack, steps, size)


def test_a_hostile_name_can_be_filtered_sorted_and_jumped_to(tmp_path: Path) -> None:
    hostile = [b"refs/\x1b[31m[bold]x", b"refs/\xff\xfe", b"refs/plain"]
    directory = make_stack(tmp_path / "reftable", ([RefRecord(name, 1, oid(1)) for name in hostile], []))

    async def steps(pilot: Pilot[Any], app: PaneApp) -> None:
        await press(pilot, "slash")
        await enter(pilot, "[bold]")
        assert names(app) == hostile[:1]
        await enter(pilot, r"re:\xff")
        assert names(app) == hostile[1:2]
        await enter(pilot, "[/bogus")
        await press(pilot, "escape", "s", "S")
        assert len(names(app)) == 3
        assert "\x1b" not in text(app)

    with_panes(directory, steps)

"""The session: what it tells, in which order it works, and that it never touches the stack."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.format import HashId, RefRecord
from engine.stack import Stack
from inspector.model import KeyFound, News, RefTrace, Reloaded, RowsRead, Session
from inspector.rows import PAGE_ROWS, REF_ORDERS, RefRows, RowFilter, SortedRows
from tests.support.screens import OPTIONS, branch, branches, log, make_stack, open_session
from tests.support.tables import oid


def work(session: Session) -> list[News]:
    return [news for news in session.work() if news is not None]


def state(directory: Path) -> dict[str, tuple[int, int, int]]:
    """What a change of any kind would change: names, inodes, sizes, times; of the directory too."""
    return {
        path.name: (status.st_ino, status.st_size, status.st_mtime_ns)
        for path in (directory, *directory.iterdir())
        for status in [path.stat()]
    }


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    return make_stack(
        tmp_path / "reftable",
        (branches(3 * PAGE_ROWS), [log(branch(number), 1) for number in range(10)]),
        ([RefRecord(branch(1), 2, oid(9)), RefRecord(branch(2), 2)], []),
    )


def test_looking_changes_nothing_in_the_directory(stack: Path) -> None:
    (stack / "tables.list.lock").write_bytes(b"")
    (stack / "0x000000000001-0x000000000001-0000abcd.ref").write_bytes(b"left behind")
    before = state(stack)
    with open_session(stack) as session:
        session.want_versions(branch(1))
        work(session)
        session.want_reload()
        work(session)
        assert session.view.refs.complete
    assert state(stack) == before


def test_tables_that_others_compacted_away_are_theirs_to_remove(stack: Path) -> None:
    tables = {path: path.read_bytes() for path in stack.glob("*.ref")}
    with open_session(stack) as session:
        with Stack.open(stack, OPTIONS) as other:
            other.compact_all()
        for path, data in tables.items():
            path.write_bytes(data)
        session.want_reload()
        assert Reloaded(changed=True, error=None) in work(session)
    assert tables.keys() < set(stack.glob("*.ref"))


def test_a_stack_without_a_table_to_read_is_opened_with_what_is_wrong_and_comes_back(stack: Path) -> None:
    aside = {path: path.read_bytes() for path in stack.iterdir()}
    for table in stack.glob("*.ref"):
        table.unlink()
    (stack / "tables.list").write_bytes(b"../cut")
    with open_session(stack) as session:
        assert "no newline" in str(session.view.faults[0])
        assert session.view.tables == ()
        for path, data in aside.items():
            path.write_bytes(data)
        session.want_reload()
        work(session)
        assert session.view.faults == ()
        assert {stack / table.name for table in session.view.tables} < aside.keys()


def test_a_view_has_the_tables_oldest_first_and_their_size(stack: Path) -> None:
    with open_session(stack) as session:
        names = (stack / "tables.list").read_text().split()
        assert [table.name for table in session.view.tables] == names
        assert session.view.size == sum((stack / name).stat().st_size for name in names)
        assert session.view.hash_id is HashId.SHA1


def test_everything_is_read_and_counted_until_nothing_is_wanted(stack: Path) -> None:
    with open_session(stack) as session:
        assert session.wanting
        news = work(session)
        assert set(map(type, news)) == {RowsRead}
        assert not session.wanting
        assert (session.view.refs.count, session.view.refs.complete) == (3 * PAGE_ROWS - 1, True)
        assert (session.view.logs.count, session.view.logs.complete) == (10, True)
        assert work(session) == []


def test_pages_come_before_versions_and_versions_before_counting(stack: Path) -> None:
    with open_session(stack) as session:
        session.want_versions(branch(1))
        seen = []
        for news in session.work():
            view = session.view
            seen.append((type(news), view.refs.count, view.refs.complete))
            if view.refs.complete:
                break
        assert seen == [
            (RowsRead, PAGE_ROWS, False),  # a page of refs
            (RowsRead, PAGE_ROWS, False),  # a page of logs
            (RefTrace, PAGE_ROWS, False),
            (RowsRead, 3 * PAGE_ROWS - 1, True),
        ]


def test_counting_stops_for_a_page_that_is_wanted_meanwhile(
    stack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inspector.rows.record_rows.SCAN_RECORDS", PAGE_ROWS)
    with open_session(stack) as session:
        refs = session.view.refs
        running = session.work()
        while refs.count < 2 * PAGE_ROWS:
            next(running)
        wanted = PAGE_ROWS + PAGE_ROWS // 2
        assert refs.row(wanted) is None
        next(running)
        assert refs.row(wanted) is not None
        assert not refs.complete


def test_all_versions_of_a_ref_newest_first(stack: Path) -> None:
    with open_session(stack) as session:
        session.want_versions(branch(1))
        (read,) = [news for news in work(session) if isinstance(news, RefTrace)]
        assert read.name == branch(1)
        versions = read.versions
        assert [(version.position, version.wins) for version in versions] == [(1, True), (0, False)]
        assert read.unread == ()


def test_only_the_versions_wanted_last_are_read(stack: Path) -> None:
    with open_session(stack) as session:
        for number in range(5):
            session.want_versions(branch(number))
        read = [news.name for news in work(session) if isinstance(news, RefTrace)]
        assert read == [branch(4)]


def test_versions_that_cannot_be_read_are_told_as_an_error(stack: Path) -> None:
    with open_session(stack) as session:
        work(session)
        table = session.view.tables[0]
        Path(table.path).write_bytes(b"\xff" * table.size)
        session.want_versions(branch(1))
        (read,) = work(session)
        assert isinstance(read, RefTrace)
        assert [version.position for version in read.versions] == [1]
        assert [unread.table for unread in read.unread] == [table]
        assert table.name in str(read.unread[0].error)


def test_a_reload_takes_up_what_others_wrote(stack: Path) -> None:
    with open_session(stack) as session:
        work(session)
        old = session.view
        session.want_reload()
        assert work(session) == [Reloaded(changed=False, error=None)]
        assert session.view is old
        with Stack.open(stack, OPTIONS) as other:
            with other.addition() as addition, addition.table() as writer:
                writer.add_ref(RefRecord(b"refs/heads/new", addition.update_index, oid(1)))
            other.compact_all()
        session.want_reload()
        assert work(session)[0] == Reloaded(changed=True, error=None)
        assert len(session.view.tables) == 1
        assert session.view.refs.count == old.refs.count + 1
        # What was drawn from the old view can still be read, though its files are gone.
        assert old.merged.read_ref(branch(1)) is not None


def break_list(stack: Path) -> None:
    (stack / "new.list").write_bytes(b"no-such-table.ref\n")
    (stack / "new.list").rename(stack / "tables.list")


def test_a_stack_that_others_have_broken_stays_in_view_as_it_was(stack: Path) -> None:
    with open_session(stack) as session:
        work(session)
        old = session.view
        break_list(stack)
        session.want_check()
        (news,) = work(session)
        assert isinstance(news, Reloaded)
        assert "no-such-table.ref" in str(news.error)
        assert session.view is old


@pytest.mark.parametrize("asked", [True, False])
def test_what_can_be_read_of_a_broken_stack_is_shown_to_who_wants_it(stack: Path, asked: bool) -> None:
    with open_session(stack) as session:
        work(session)
        old = session.view
        break_list(stack)
        if asked:
            session.want_reload()
        else:
            session.want_check(takes_broken=True)
        news = work(session)[0]
        assert isinstance(news, Reloaded)
        assert (news.changed, news.error) == (True, None)
        assert session.view.faults
        assert session.view.refs.count == old.refs.count
        # And what was shown before can still be read.
        assert old.merged.read_ref(branch(1)) is not None


def test_of_a_broken_stack_with_nothing_to_read_the_view_stays(stack: Path) -> None:
    with open_session(stack) as session:
        work(session)
        old = session.view
        for table in stack.glob("*.ref"):
            table.unlink()
        (stack / "tables.list").write_bytes(b"\0\n")
        session.want_reload()
        (news,) = work(session)
        assert isinstance(news, Reloaded)
        assert news.error is not None
        assert session.view is old
        assert old.merged.read_ref(branch(1)) is not None


def test_new_counts_are_told_seldom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inspector.rows.record_rows.SCAN_RECORDS", 1)
    monkeypatch.setattr("inspector.model.session.TELL_RECORDS", 2000)
    directory = make_stack(tmp_path / "reftable", (branches(10_000), []))
    with open_session(directory) as session:
        pieces = list(session.work())
        told = [news for news in pieces if news is not None]
        assert len(pieces) > 50
        assert len(told) < 20


def test_a_check_is_silent_until_something_has_changed(stack: Path) -> None:
    with open_session(stack) as session:
        work(session)
        old = session.view
        session.want_check()
        assert session.wanting
        assert work(session) == []
        assert session.view is old
        with Stack.open(stack, OPTIONS) as other, other.addition() as addition, addition.table() as writer:
            writer.add_ref(RefRecord(b"refs/heads/new", addition.update_index, oid(1)))
        session.want_check()
        news = work(session)[0]
        assert isinstance(news, Reloaded)
        assert (news.changed, news.old_view, news.asked) == (True, old, False)


def test_a_check_tells_trouble_once_and_that_it_has_passed(stack: Path) -> None:
    with open_session(stack) as session:
        work(session)
        (stack / "tables.list").rename(stack / "kept")
        (stack / "tables.list").write_bytes(b"no-such-table.ref\n")
        told = []
        for _ in range(3):
            session.want_check()
            told += work(session)
        assert [type(news) for news in told] == [Reloaded]
        (stack / "kept").rename(stack / "tables.list")
        session.want_check()
        (news,) = work(session)
        assert isinstance(news, Reloaded)
        assert (news.error, news.asked) == (None, False)


def test_a_served_source_is_worked_on_and_no_more_when_no_pane_serves_it(stack: Path) -> None:
    with open_session(stack) as session:
        source = RefRows(session.view.merged, row_filter=RowFilter(b"[135]$", is_regex=True))
        session.serve("refs", source)
        work(session)
        assert source.complete
        assert source.count > 0
        other = RefRows(session.view.merged, row_filter=RowFilter(b"1"))
        session.serve("refs", other)
        session.want_key("jump", other, b"\xff")
        session.serve("refs")
        assert session.wanting
        assert not any(isinstance(news, KeyFound) for news in work(session))
        assert not other.complete


def test_what_is_served_first_is_scanned_first(stack: Path) -> None:
    with open_session(stack) as session:
        filtered = RefRows(session.view.merged, row_filter=RowFilter(b"1"))
        session.serve("refs", SortedRows(filtered, REF_ORDERS[1]), session.view.refs)
        for _ in session.work():
            if filtered.complete:
                break
        assert not session.view.refs.complete


def test_a_key_is_found_when_the_scan_has_passed_it_and_shown_before_that(
    stack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inspector.rows.record_rows.SCAN_RECORDS", 1)
    with open_session(stack) as session:
        refs = session.view.refs
        key = branch(2 * PAGE_ROWS)
        session.want_key("jump", refs, key, ahead=True)
        told = [news for news in work(session) if isinstance(news, KeyFound)]
        assert [(news.row, len(news.ahead)) for news in told] == [(None, PAGE_ROWS), (2 * PAGE_ROWS - 1, 0)]
        assert told[0].ahead[0].record.name == key
        session.want_key("jump", refs, b"\xff")
        (news,) = work(session)
        assert isinstance(news, KeyFound)
        assert news.row == refs.count


def test_only_the_key_wanted_last_under_a_name_is_looked_for(stack: Path) -> None:
    with open_session(stack) as session:
        refs = session.view.refs
        session.want_key("jump", refs, branch(1))
        session.want_key("jump", refs, branch(5))
        session.want_key("other", refs, branch(6))
        session.forget_key("other")
        assert [news.key for news in work(session) if isinstance(news, KeyFound)] == [branch(5)]

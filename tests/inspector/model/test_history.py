"""The history of a stack: what its tables tell, and what each change of it becomes."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count, pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from engine.format import HashId, RefRecord
from engine.stack import Stack, StackOptions
from engine.table import Table, TableWriter
from inspector.actions import (
    CleanAction,
    CompactAction,
    ExpireAction,
    Result,
    UndoAction,
    Workplace,
    plan_and_run,
)
from inspector.actions.adding import AddAction
from inspector.model import (
    Event,
    EventKind,
    History,
    OwnChange,
    PastCompaction,
    Session,
    Shapes,
    TableShape,
    TableSize,
    compare,
    shapes_of,
)
from inspector.model.event import difference, kind_of
from inspector.model.history import MOST_OPEN
from tests.support.git import Git, Repository
from tests.support.screens import open_session
from tests.support.travel import open_view

OTHER = "another process"


def sizes(tables: Shapes) -> tuple[TableSize, ...]:
    """What is left of tables for a replay."""
    return tuple(TableSize(table.name, table.size, table.policy_size) for table in tables)


def past(event: Event, merged: range) -> PastCompaction:
    """The compaction that an event was, of which every table was seen."""
    return PastCompaction(f"{event.clock}, {event.who}", sizes(event.before), merged, sizes(event.after))


def message(event: Event) -> bytes:
    """What the newest reflog entry says that came with an event."""
    return event.entry.record.message if event.entry is not None else b""


@dataclass
class Watched:
    """A repository whose stack is looked at, and the history of what was seen."""

    repo: Repository
    session: Session
    history: History

    def look(self) -> list[Event]:
        """Look, and return all events, newest first."""
        self.session.want_check(takes_broken=True)
        for _ in self.session.work():
            pass
        self.history.saw(self.session.view)
        return list(self.history.events)

    def compare(self) -> Event:
        """Find what became of refs in the newest event."""
        event = self.history.untold()
        assert event is not None
        views = self.history.views(event)
        assert views is not None
        told = self.history.tell(event, compare(event, views, self.repo.reftable))
        assert told is not None
        return told

    @property
    def workplace(self) -> Workplace:
        return Workplace(self.repo.reftable, StackOptions(auto_compact=False))

    def own(self, operation: str, result: Result | None) -> OwnChange:
        assert result is not None
        assert result.snapshot is not None
        assert result.snapshot.after is not None
        return OwnChange(operation, f"$ {operation}", result.snapshot.tables, result.snapshot.after)

    def compact(self) -> OwnChange:
        """Merge all tables as this program does."""
        action = CompactAction(self.workplace, "all")
        return self.own("compact", plan_and_run(action, lambda _progress: None)[1])

    def add(self, name: str) -> OwnChange:
        """Create a branch as this program does."""
        action = AddAction(self.workplace, f"create {name} {self.repo.oid('HEAD').hex()}\n".encode())
        return self.own("add", plan_and_run(action, lambda _progress: None)[1])


@contextmanager
def watched(repo: Repository) -> Iterator[Watched]:
    with open_session(repo.reftable) as session:
        yield Watched(repo, session, History(session.view, lambda: 1_700_000_000.0))


@pytest.fixture
def repo(git: Git, tmp_path: Path) -> Repository:
    """Three commits in tables of their own, on top of git's first table, of HEAD."""
    made = git.init(tmp_path / "repo", auto_compaction=False)
    for number in range(3):
        made.commit(str(number))
    return made


def same_chain(history: History) -> None:
    """Each event begins where the one before has ended."""
    for newer, older in pairwise(history.events):
        assert [table.name for table in older.after] == [table.name for table in newer.before]


def test_the_tables_tell_which_update_indexes_were_merged(repo: Repository) -> None:
    """Three commits of one index each are merged with git's first table, another one follows."""
    repo.git("pack-refs", "--all")
    repo.commit("last")
    with open_view(repo.reftable) as view:
        merged, last = shapes_of(view.tables)
        assert (merged.first, last.first, last.last) == (1, merged.last + 1, merged.last + 1)
        assert (merged.most_transactions, last.most_transactions) == (merged.last, 1)
        sizes = [(table.policy_size, table.size) for table in view.tables]
        assert [(merged.policy_size, merged.size), (last.policy_size, last.size)] == sizes
        assert merged.name == view.tables[0].name


def test_each_change_of_git_is_an_event_of_its_kind(repo: Repository) -> None:
    with watched(repo) as seen:
        assert seen.look() == []
        repo.commit("a change")
        added = seen.look()[0]
        assert (added.kind, added.what, added.by) == (
            EventKind.ADDED,
            "1 table added (update 5)",
            "another process",
        )
        told = seen.compare()
        assert (told.summary or "").startswith("refs/heads/main ")
        assert message(told) == b"commit: a change\n"
        assert added.replay is None

        repo.git("pack-refs", "--all")
        packed, before = seen.look()
        assert (packed.kind, packed.what) == (EventKind.COMPACTED, "5 tables became 1 (updates 1-5)")
        assert before == told
        assert all(one is other for one, other in zip(packed.before, told.after, strict=True)), "kept once"
        assert packed.replay == past(packed, range(5))
        assert [table.policy_size > 0 for table in packed.before] == [True] * 5
        told = seen.compare()
        assert (told.summary, told.entry) == ("no ref changed", None)

        repo.commit("one")
        repo.commit("two")
        both = seen.look()[0]
        assert (both.kind, both.what) == (EventKind.ADDED, "2 tables added (updates 6-7)")
        seen.compare()

        repo.commit("three")
        repo.commit("four")
        repo.git("pack-refs", "--all")
        together = seen.look()[0]
        what = "3 tables and up to 2 transactions became 1"
        assert (together.kind, together.what) == (EventKind.ADDED_AND_COMPACTED, what)
        assert together.replay is None, "the sizes that were judged are not those of before"
        assert message(seen.compare()) == b"commit: four\n"

        repo.git("reflog", "expire", "--expire=now", "--all")
        seen.look()
        expired = seen.compare()
        assert expired.kind is EventKind.EXPIRED
        assert "dropped" in (expired.summary or "")
        same_chain(seen.history)


def test_a_commit_that_git_compacts_at_once_is_told_as_both(git: Git, tmp_path: Path) -> None:
    repo = git.init(tmp_path / "repo")
    repo.commit("first")
    with watched(repo) as seen:
        repo.commit("second")
        event = seen.look()[0]
        assert (event.kind, event.difference.transactions) == (EventKind.ADDED_AND_COMPACTED, 1)
        assert "and 1 transaction became 1" in event.what
        assert message(seen.compare()) == b"commit: second\n"
        replay = event.replay
        assert replay is not None
        assert (replay.before[-1].is_least, replay.merged.stop) == (True, len(replay.before))
        assert replay.before[:-1] == sizes(event.before)
        made, unseen = event.after[-1], replay.before[-1]
        inputs = replay.before[replay.merged.start :]
        assert sum(table.policy_size for table in inputs) == made.policy_size
        assert unseen.name == f"update {made.last}, not seen"


@pytest.mark.parametrize("is_seen", [True, False])
def test_what_this_program_did_is_told_once(repo: Repository, *, is_seen: bool) -> None:
    with watched(repo) as seen:
        own = seen.add("refs/heads/own")
        if is_seen:
            assert seen.look()[0].own is None
        seen.history.made(own)
        assert [event.own for event in seen.look()] == [own]
        own = seen.compact()
        if is_seen:
            seen.look()
        seen.history.made(own)
        newest, older = seen.look()
        assert (newest.own, newest.by, newest.kind) == (own, "this program", EventKind.COMPACTED)
        assert newest.replay == past(newest, range(len(newest.before)))
        assert newest.after == shapes_of(seen.session.view.tables), "sizes are known once it was seen"
        assert older.after == newest.before
        told = seen.compare()
        assert (told.number, told.own) == (newest.number, own)
        same_chain(seen.history)


@pytest.mark.parametrize("looks", ["never", "before", "between", "behind"])
def test_what_others_do_around_an_own_change_is_theirs(repo: Repository, looks: str) -> None:
    """Before it, behind it, and both, whenever the watch has looked."""
    with watched(repo) as seen:
        repo.commit("before")
        if looks == "before":
            seen.look()
        own = seen.compact()
        if looks == "between":
            seen.look()
        repo.commit("behind")
        if looks == "behind":
            seen.look()
        seen.history.made(own)
        events = seen.look()
        assert [event.own for event in events] == [None, own, None]
        kinds = [EventKind.ADDED, EventKind.COMPACTED, EventKind.ADDED]
        assert [event.kind for event in events] == kinds
        assert [table.name for table in events[1].before] == list(own.before)
        same_chain(seen.history)
        told = seen.compare()
        assert (told.number, told.entry is not None) == (events[0].number, True)


def test_own_verbs_say_what_it_was(repo: Repository) -> None:
    def nothing(_progress: object) -> None:
        pass

    with watched(repo) as seen:
        stale = repo.reftable / "0x000000000001-0x000000000001-deadbeef.ref"
        expiry = ExpireAction(seen.workplace, before=2_000_000_000)
        done = [
            ("expire", expiry, EventKind.EXPIRED),
            ("undo", UndoAction(seen.workplace), EventKind.RESTORED),
        ]
        for operation, action, kind in done:
            own = seen.own(operation, plan_and_run(action, nothing)[1])
            seen.look()
            seen.history.made(own)
            assert (seen.look()[0].kind, seen.look()[0].own) == (kind, own)
        first = seen.session.view.tables[0]
        stale.write_bytes(Path(first.path).read_bytes())
        seen.history.made(seen.own("clean", plan_and_run(CleanAction(seen.workplace), nothing)[1]))
        cleaned = seen.look()[0]
        assert (cleaned.kind, cleaned.before == cleaned.after) == (EventKind.CLEANED, True)
        assert cleaned.what == "files beside the tables removed"
        repo.commit("after")
        assert [event.kind for event in seen.look()][:2] == [EventKind.ADDED, EventKind.CLEANED]
        same_chain(seen.history)


def test_verbs_of_another_process_are_known_by_their_snapshots(repo: Repository) -> None:
    with watched(repo) as seen:
        for change in (seen.compact, lambda: seen.add("refs/heads/gone")):
            change()
            seen.look()
            plan_and_run(UndoAction(seen.workplace), lambda _progress: None)
            newest = seen.look()[0]
            assert (newest.kind, newest.by) == (EventKind.RESTORED, OTHER)
            told = seen.compare()
            assert (told.kind, told.who) == (EventKind.RESTORED, "verb undo")
        plan_and_run(ExpireAction(seen.workplace, before=2_000_000_000), lambda _progress: None)
        seen.look()
        told = seen.compare()
        assert (told.kind, told.by) == (EventKind.EXPIRED, "reftable-inspector expire")
        assert "reflog entries dropped" in (told.summary or "")
        repo.commit("git")
        seen.look()
        assert ((told := seen.compare()).by, told.who) == (OTHER, "A U Thor")


def test_tables_of_old_events_are_let_go(repo: Repository) -> None:
    """Names and sizes stay, and what differed of tables that are in the stack still."""
    with watched(repo) as seen:
        for number in range(MOST_OPEN + 4):
            repo.commit(str(number))
            seen.look()
        first = seen.history.events[-1]
        assert seen.history.views(first) is not None, "its tables are all in the stack"
        repo.git("pack-refs", "--all")
        for number in range(MOST_OPEN + 1):
            seen.look()
            repo.commit(str(number))
        seen.look()
        assert seen.history.views(first) is None
        assert (first.what, first.summary) == ("1 table added (update 5)", None)
        opened = [state for state in seen.history._states if state.tables is not None]
        assert len(opened) == MOST_OPEN + 1
        untold = seen.history.untold()
        assert untold == seen.history.newest


def test_history_is_bounded(repo: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inspector.model.history.MOST_EVENTS", 3)
    with watched(repo) as seen:
        for number in range(5):
            repo.commit(str(number))
            seen.look()
        assert [event.what[-9:] for event in seen.history.events] == ["update 9)", "update 8)", "update 7)"]
        assert len(seen.history._states) == 4
        same_chain(seen.history)


def shape(first: int, last: int, name: str = "") -> TableShape:
    return TableShape(name or f"{first}-{last}", first, last, 100, 190)


@pytest.mark.parametrize(
    ("before", "after", "kind", "what"),
    [
        ("1-3 4-4", "1-4", EventKind.COMPACTED, "2 tables became 1 (updates 1-4)"),
        ("1-1 2-2 3-3 4-4", "1-2 3-4", EventKind.COMPACTED, "4 tables became 2 (updates 1-4)"),
        ("1-3", "1-3 4-6", EventKind.ADDED, "1 table added (updates 4-6): up to 3 transactions"),
        ("1-1", "1-1 2-2 3-3", EventKind.ADDED, "2 tables added (updates 2-3)"),
        ("", "1-1", EventKind.ADDED, "1 table added (update 1)"),
        (
            "1-1 2-2",
            "1-5",
            EventKind.ADDED_AND_COMPACTED,
            "2 tables and up to 3 transactions became 1",
        ),
        ("1-3 4-4", "4-4", EventKind.UNKNOWN, "1 table dropped (updates 1-3)"),
        ("1-3 4-4", "1-3", EventKind.RESTORED, "1 table dropped (update 4)"),
        (
            "1-4",
            "1-3 4-4",
            EventKind.RESTORED,
            "2 tables came back (updates 1-4), 1 table dropped (updates 1-4)",
        ),
        ("1-4", "", EventKind.UNKNOWN, "1 table dropped (updates 1-4)"),
        ("1-4", "1-4", EventKind.UNKNOWN, "the same tables, with other bytes in them"),
    ],
)
def test_ranges_tell_what_happened(before: str, after: str, kind: EventKind, what: str) -> None:
    old, new = (tuple(shape(*map(int, part.split("-"))) for part in text.split()) for text in (before, after))
    found = difference(old, new)
    event = Event(1, 0, kind_of(old, new, found), old, new, found)
    assert (event.kind, event.what) == (kind, what)


def test_a_table_written_anew_is_no_merge_of_several() -> None:
    old, new = (shape(1, 3), shape(4, 4)), (shape(1, 3, "other"), shape(4, 4))
    event = Event(1, 0, EventKind.COMPACTED, old, new, difference(old, new))
    assert (event.what, event.replay) == ("1 table written anew (updates 1-3)", None)


def test_comparing_stops_when_it_is_told_to(repo: Repository) -> None:
    with watched(repo) as seen:
        repo.commit("more")
        event = seen.look()[0]
        views = seen.history.views(event)
        assert views is not None
        told = compare(event, views, repo.reftable, lambda: True)
        assert told.summary.line == "the stack has changed"


def test_git_at_work_beside_it_is_told_without_a_gap(git: Git, tmp_path: Path) -> None:
    """Commits and compactions of real processes, looked at whenever the watch happens to come by."""
    repo = git.init(tmp_path / "repo")
    repo.commit("first")

    def work() -> None:
        for number in range(24):
            repo.commit(f"number {number}")
            if number % 8 == 7:
                repo.git("pack-refs", "--all")

    with watched(repo) as seen, ThreadPoolExecutor(1) as pool:
        working = pool.submit(work)
        while not working.done():
            seen.look()
            if seen.history.untold() is not None:
                seen.compare()
        working.result()
        events = seen.look()
        same_chain(seen.history)
        assert seen.history.untold() is None or seen.compare().number == events[0].number
        assert sum(event.difference.transactions for event in events) == 24
        expected = {EventKind.ADDED, EventKind.COMPACTED, EventKind.ADDED_AND_COMPACTED}
        assert {event.kind for event in events} <= expected
        assert events[0].after == shapes_of(seen.session.view.tables)
        messages = [message(event) for event in seen.history.events[::-1] if event.entry is not None]
        order = [int(text.removeprefix(b"commit: number ")) for text in messages]
        assert order == sorted(set(order)), "the entry of an event is new"


@dataclass(frozen=True)
class FakeTable:
    """What a history asks of a table."""

    name: str
    min_update_index: int
    max_update_index: int
    policy_size: int = 100
    size: int = 190


@dataclass
class FakeView:
    """What a history asks of a view."""

    tables: tuple[FakeTable, ...]
    directory: Path = Path("/nowhere")
    hash_id: HashId = HashId.SHA1


STEPS = st.lists(
    st.tuples(st.sampled_from(["add", "compact", "add and compact"]), st.booleans(), st.integers(0, 5))
    | st.sampled_from(["look", "tell"]),
    max_size=25,
)


@given(STEPS)
def test_each_own_change_is_told_once_between_those_of_others(steps: list[Any]) -> None:
    """Whoever changes the stack, whenever it is looked at, and however late an action tells what it did.

    An action has told before the next one begins.
    """
    serial = count(1)

    def table(first: int, last: int) -> FakeTable:
        return FakeTable(f"0x{first:012x}-0x{last:012x}-{next(serial):08x}.ref", first, last)

    tables = (table(1, 1), table(2, 2))
    history = History(FakeView(tables), lambda: 0.0)  # type: ignore[arg-type]
    told: list[OwnChange] = []
    waiting: list[OwnChange] = []

    def tell() -> None:
        for change in waiting:
            history.made(change)
        told.extend(waiting)
        waiting.clear()

    for step in [*steps, "tell", "look"]:
        if step == "look":
            history.saw(FakeView(tables))  # type: ignore[arg-type]
        elif step == "tell":
            tell()
        else:
            what, is_own, start = step
            if is_own:
                tell()
            before = tables
            if "add" in what:
                top = tables[-1].max_update_index
                tables = (*tables, table(top + 1, top + 1))
            if "compact" in what:
                start = min(start, len(tables) - 1)
                merged = table(tables[start].min_update_index, tables[-1].max_update_index)
                tables = (*tables[:start], merged)
            if is_own:
                names = [tuple(one.name for one in state) for state in (before, tables)]
                waiting.append(OwnChange("compact", "", names[0], names[1]))
    same_chain(history)
    events = history.events[::-1]
    assert [event.own for event in events if event.own is not None] == told
    for event in events:
        assert event.before != event.after
        if event.own is not None:
            assert tuple(one.name for one in event.before) == event.own.before
            assert tuple(one.name for one in event.after) == event.own.after
    if events:
        assert [one.name for one in events[-1].after] == [one.name for one in tables]


def test_tables_that_are_gone_are_closed(tmp_path: Path) -> None:
    """A hundred changes leave no more tables open than a few."""
    with Stack.open(tmp_path) as stack, open_session(tmp_path) as session:
        history = History(session.view, lambda: 0.0)
        for index in range(1, 101):
            stack.add(partial(add_ref, index=index))
            session.want_check()
            for _ in session.work():
                pass
            history.saw(session.view)
        assert len(history.events) == 100
        gc.collect()
        opened = [
            one for one in gc.get_objects() if isinstance(one, Table) and one.path.startswith(f"{tmp_path}/")
        ]
        assert len(opened) <= len(stack.tables) * 2 + 3 * MOST_OPEN


def add_ref(writer: TableWriter, index: int) -> None:
    """Let main be another object."""
    writer.set_limits(index, index)
    writer.add_ref(RefRecord(b"refs/heads/main", index, index.to_bytes(20, "big")))

"""The trace of a ref: its versions, its newest log entries, where it leads, and what could not be read."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.format import LogRecord, RefRecord
from engine.readable import ReadableTable, open_readable
from engine.stack import Stack
from inspector.model import LogPlace, RefPlace, RefTrace, StackView, WholeStack, find, object_of
from inspector.model.trace import MAX_LINKS, MAX_LOGS, trace_ref
from inspector.rows import RefRows
from inspector.rows.record_rows import TEXT_LIMIT
from tests.support.git import Git, Repository
from tests.support.handmade import overwrite
from tests.support.screens import branch, branches, log, make_stack
from tests.support.tables import oid

NAME = b"refs/heads/x"


def trace(directory: Path, name: bytes = NAME, as_of: int | None = None) -> RefTrace:
    with open_readable(directory) as stack:
        view = StackView(stack)
        return trace_ref(view, name, None if as_of is None else view.merged.as_of(as_of))


def damage_refs(directory: Path, position: int) -> None:
    """Make the first ref block of a table unreadable, and leave header and footer alone."""
    with Stack.open(directory, read_only=True) as stack:
        table = stack.tables[position]
    overwrite(Path(table.path), table.header.size + 4, b"\xff" * 12)


@pytest.fixture
def moved(tmp_path: Path) -> Path:
    """Three tables: a ref is made, moved, deleted; a fourth is about another one."""
    return make_stack(
        tmp_path / "reftable",
        ([RefRecord(NAME, 1, oid(1))], [log(NAME, 1)]),
        ([RefRecord(NAME, 2, oid(2))], [log(NAME, 2)]),
        ([RefRecord(NAME, 3)], []),
        ([RefRecord(b"refs/heads/y", 4, oid(4))], []),
    )


def test_versions_are_those_of_every_table_newest_first_and_one_wins(moved: Path) -> None:
    found = trace(moved)
    assert [(version.position, version.record, version.wins) for version in found.versions] == [
        (2, RefRecord(NAME, 3), True),
        (1, RefRecord(NAME, 2, oid(2)), False),
        (0, RefRecord(NAME, 1, oid(1)), False),
    ]
    assert found.winner is found.versions[0]
    assert (found.unread, found.in_doubt) == ((), False)


def test_of_an_earlier_moment_the_newest_version_until_then_wins(moved: Path) -> None:
    found = trace(moved, as_of=2)
    assert [version.wins for version in found.versions] == [False, True, False]
    assert found.chain[-1].record == RefRecord(NAME, 2, oid(2))
    assert [entry.record.update_index for entry in trace(moved, as_of=1).logs] == [1]


def test_an_unreadable_table_hides_only_its_own_version(moved: Path) -> None:
    damage_refs(moved, 2)
    found = trace(moved)
    assert [version.position for version in found.versions] == [1, 0]
    assert [unread.position for unread in found.unread] == [2]
    assert found.unread[0].table.name in str(found.unread[0].error)
    assert found.in_doubt
    assert found.chain[-1].record == found.versions[0].record
    damage_refs(moved, 1)
    damage_refs(moved, 0)
    assert (trace(moved).versions, trace(moved).chain_end) == ((), "unreadable")
    assert trace(moved).chain_error is not None


def test_an_unreadable_table_below_the_winner_or_left_out_casts_no_doubt(moved: Path) -> None:
    damage_refs(moved, 1)
    assert trace(moved).unread
    assert not trace(moved).in_doubt
    assert not trace(moved, as_of=1).in_doubt
    assert trace(moved, as_of=2).in_doubt


def test_a_ref_without_versions_is_missing(moved: Path) -> None:
    found = trace(moved, b"refs/heads/none")
    assert (found.versions, found.winner, found.logs, found.chain_end) == ((), None, (), "missing")


def test_logs_are_the_newest_entries_of_this_ref_alone(tmp_path: Path) -> None:
    count = MAX_LOGS + 1
    entries = [log(NAME, index) for index in range(1, count + 1)]
    others = [log(b"refs/heads/w", 1), log(b"refs/heads/y", 1)]
    directory = make_stack(
        tmp_path / "reftable",
        ([], [*entries[:2], *others]),
        ([], entries[2:]),
        ([], [LogRecord(NAME, 4), log(b"refs/heads/y", 7)]),
    )
    found = trace(directory)
    assert [(entry.record.update_index, entry.position) for entry in found.logs] == [
        (6, 1),
        (5, 1),
        (3, 1),
        (2, 0),
        (1, 0),
    ]
    assert not found.more_logs


def test_more_log_entries_than_are_kept_are_said_to_be_there(tmp_path: Path) -> None:
    entries = [log(NAME, index) for index in range(1, MAX_LOGS + 2)]
    found = trace(make_stack(tmp_path / "reftable", ([], entries)))
    assert [entry.record.update_index for entry in found.logs] == [6, 5, 4, 3, 2]
    assert found.more_logs


def test_tombstones_in_front_of_the_first_entry_are_not_read_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inspector.model.trace.MAX_LOG_RECORDS", 10)
    gone = [LogRecord(NAME, index) for index in range(2, 12)]
    found = trace(make_stack(tmp_path / "reftable", ([], [log(NAME, 1), *gone])))
    assert (found.logs, found.more_logs) == ((), True)


def test_texts_of_log_entries_are_cut(tmp_path: Path) -> None:
    found = trace(make_stack(tmp_path / "reftable", ([], [log(NAME, 1, b"m" * 3000 + b"\n")])))
    assert found.logs[0].record.message == b"m" * TEXT_LIMIT


def test_a_symref_is_followed_to_its_id(tmp_path: Path) -> None:
    directory = make_stack(
        tmp_path / "reftable",
        (
            [
                RefRecord(b"HEAD", 1, target=b"refs/a"),
                RefRecord(b"refs/a", 1, target=b"refs/b"),
                RefRecord(b"refs/b", 1, oid(1)),
            ],
            [],
        ),
    )
    found = trace(directory, b"HEAD")
    assert [link.name for link in found.chain] == [b"HEAD", b"refs/a", b"refs/b"]
    assert found.chain_end == "id"
    assert found.chain[-1].record == RefRecord(b"refs/b", 1, oid(1))


def test_a_symref_to_nothing_or_to_itself_or_round_a_corner_ends(tmp_path: Path) -> None:
    def symref(name: bytes, target: bytes) -> RefRecord:
        return RefRecord(name, 1, target=target)

    directory = make_stack(
        tmp_path / "reftable",
        (
            [
                symref(b"loop", b"loop"),
                symref(b"nowhere", b"gone"),
                symref(b"round", b"way"),
                symref(b"way", b"round"),
            ],
            [],
        ),
    )
    ends = {name: trace(directory, name) for name in (b"loop", b"nowhere", b"round")}
    assert [found.chain_end for found in ends.values()] == ["loop", "missing", "loop"]
    assert [link.name for link in ends[b"round"].chain] == [b"round", b"way", b"round"]
    assert [link.name for link in ends[b"nowhere"].chain] == [b"nowhere", b"gone"]


def test_a_chain_is_followed_as_far_as_git_follows_it(repo: Repository) -> None:
    repo.commit("first")
    target = repo.git("symbolic-ref", "HEAD").stdout.strip().decode()
    for number in range(1, MAX_LINKS + 1):
        repo.git("symbolic-ref", f"refs/s/{number}", target)
        target = f"refs/s/{number}"
    for number in range(1, MAX_LINKS + 1):
        resolved = (
            repo.git("rev-parse", "--verify", "--quiet", f"refs/s/{number}", check=False).returncode == 0
        )
        found = trace(repo.reftable, b"refs/s/%d" % number)
        assert (found.chain_end == "id") is resolved
    assert trace(repo.reftable, b"refs/s/%d" % MAX_LINKS).chain_end == "deep"


def test_a_reflog_that_cannot_be_read_leaves_the_versions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = make_stack(tmp_path / "reftable", (branches(3), [log(branch(1), 1)]))

    def fail(table: ReadableTable, *_: object) -> Iterator[list[LogRecord]]:
        raise OSError(errno.EIO, "no disk left", table.name)

    monkeypatch.setattr(ReadableTable, "log_blocks", fail)
    found = trace(directory, branch(1))
    assert (len(found.versions), found.chain_end) == (1, "id")
    assert (found.logs, found.more_logs) == ((), False)
    assert "no disk left" in str(found.logs_error)


def test_the_head_of_a_linked_worktree_is_followed_into_the_stack_that_all_share(
    git: Git, tmp_path: Path
) -> None:
    repo = git.init(tmp_path / "repo")
    repo.commit("one")
    repo.git("worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    stack = repo.git_dir / "worktrees" / "side" / "reftable"
    there = bytes.fromhex(repo.git("rev-parse", "side").stdout.decode())
    found = trace(stack, b"HEAD")
    assert [(link.name, link.record and link.record.value) for link in found.chain] == [
        (b"HEAD", None),
        (b"refs/heads/side", there),
    ]
    assert found.chain_end == "shared"
    with open_readable(stack) as opened:
        assert object_of(RefRows(opened.merged).rows_at(b"HEAD", 1)[0], found) == there
    for place in (RefPlace(b"refs/heads/side"), LogPlace(b"refs/heads/side")):
        with open_readable(stack) as opened:
            words = str(find(place, StackView(opened), WholeStack()))
        assert words.startswith("The stack that all worktrees share has the ref")
    assert trace(stack, b"HEAD", as_of=1).chain[-1].record is None, "what was there then is not known"
    repo.git("update-ref", "-d", "refs/heads/side")
    assert trace(stack, b"HEAD").chain_end == "unborn"
    for path in repo.reftable.iterdir():
        path.unlink()
    found = trace(stack, b"HEAD")
    assert (found.chain_end, found.chain[-1].record) == ("unreadable", None)
    assert "not even one with HEAD" in str(found.chain_error)

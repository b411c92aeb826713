"""What changed, in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.format import LogRecord, RefRecord
from engine.merge import MergedTable
from engine.stack import Stack, StackOptions
from inspector.model import summarise
from tests.support.handmade import overwrite
from tests.support.screens import branch, branches, log, make_stack
from tests.support.tables import oid


def between(directory: Path, old: int, new: int, limit: int = 1000) -> str:
    with Stack.open(directory, StackOptions(), read_only=True) as stack:
        return summarise(stack.merged.as_of(old), stack.merged.as_of(new), limit).line


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    return make_stack(
        tmp_path / "reftable",
        ([*branches(40), RefRecord(b"HEAD", 1, target=branch(1))], [log(branch(0), 1)]),
        ([RefRecord(branch(1), 2, oid(77))], []),
        ([RefRecord(branch(1), 3)], []),
        ([RefRecord(branch(99), 4, oid(99))], []),
        ([RefRecord(b"HEAD", 5, target=branch(2))], []),
        ([RefRecord(branch(2), 6, oid(2))], [log(branch(2), 6)]),
        ([], [LogRecord(branch(2), 6), log(branch(2), 7), log(branch(2), 8)]),
    )


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (1, 2, f"refs/heads/branch-0000001 {oid(1).hex()[:7]} -> {oid(77).hex()[:7]}"),
        (2, 3, f"refs/heads/branch-0000001 deleted, was {oid(77).hex()[:7]}"),
        (3, 4, f"refs/heads/branch-0000099 created: {oid(99).hex()[:7]}"),
        (4, 5, "HEAD now -> refs/heads/branch-0000002, was -> refs/heads/branch-0000001"),
        (5, 6, "no ref changed, 1 reflog entry added"),
        (6, 7, "no ref changed, 2 reflog entries added, 1 reflog entry dropped"),
        (7, 7, "no ref changed"),
        (1, 7, "1 created, 1 updated, 1 deleted"),
        (7, 1, "1 created, 1 updated, 1 deleted"),
        (0, 1, "41 created"),
    ],
)
def test_what_changed_is_said_in_one_line(stack: Path, old: int, new: int, line: str) -> None:
    assert between(stack, old, new) == line


def test_beyond_the_limit_changes_are_not_counted_on(stack: Path) -> None:
    assert between(stack, 0, 1, limit=40).endswith("+ refs changed")
    assert between(stack, 0, 1, limit=41) == "41 created"


def test_a_compaction_says_that_no_ref_changed(stack: Path) -> None:
    with Stack.open(stack, StackOptions(auto_compact=False)) as opened:
        before = opened.merged
        opened.compact_all()
        assert summarise(before, opened.merged).line == "no ref changed: 7 tables became 1"


def test_it_stops_when_told_to(stack: Path) -> None:
    with Stack.open(stack, read_only=True) as opened:
        found = summarise(opened.merged.as_of(1), opened.merged, cancelled=lambda: True)
    assert found.line == "the stack has changed"


def test_an_error_is_said_and_not_raised(stack: Path) -> None:
    with Stack.open(stack, read_only=True) as opened:
        table = opened.tables[1]
        overwrite(Path(table.path), table.header.size + 4, b"\xff" * 12)
        line = summarise(opened.merged.as_of(1), opened.merged).line
    assert line.startswith(f"what changed cannot be read: {table.name}")


def test_a_name_is_text_for_a_terminal(tmp_path: Path) -> None:
    directory = make_stack(tmp_path / "reftable", ([RefRecord(b"refs/\x1b[2J", 1, oid(1))], []))
    with Stack.open(directory, read_only=True) as stack:
        assert r"refs/\x1b[2J created" in summarise(MergedTable([]), stack.merged).line

"""Where each kind of row leads, and what there is at a place by now. No screen."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from engine.format import RefRecord
from engine.fsck import FAULTS, Finding
from engine.merge import RefChange
from engine.repair import Outcome, RefOutcome, Step, StepKind
from engine.stack import FileKind, UnlistedFile
from inspector.model import (
    AsOf,
    CommitPlace,
    CompactionPlace,
    Elsewhere,
    Entry,
    FilePlace,
    InBytes,
    InList,
    LogPlace,
    MomentPlace,
    OffsetPlace,
    OneTable,
    Place,
    PlacedRow,
    PlanPlace,
    RecordPlace,
    RefPlace,
    SectionPlace,
    SnapshotPlace,
    StackMoment,
    StackRow,
    StackView,
    WholeStack,
    find,
    moments_of,
    place_words,
    places_of,
)
from inspector.model.leading import _OfStack
from inspector.model.trace import Link, trace_ref
from inspector.rows import LogRow, RefRow
from tests.support.screens import branch, branches, log, make_stack
from tests.support.tables import oid, write_table
from tests.support.travel import open_view

TUI = Path(__file__).parents[3] / "inspector" / "tui"

CHOICES = {
    "Any": "a list of several kinds of rows, each of which is one of the others",
    "Row": "a type variable",
    "Line": "a line of a text: of a plan, it leads where its step does",
    "StartRow": "offers to check the stack",
    "HealthRow": "an offer to check, or a finding",
    "Place": "a place itself",
    "TreeRow": "a prefix, which opens, or a ref",
    "Change": "an entry of the menu of changes",
    "CopyChoice": "what can be copied of a row",
    "StackLocation": "another stack, which is another session",
}
"""Rows that lead nowhere, and why."""


@pytest.fixture
def view(tmp_path: Path) -> Iterator[StackView]:
    """Two tables: branches and a symref with reflogs, and a change of one branch and of another's log."""
    made = [*branches(5), RefRecord(b"refs/heads/sym", 1, target=branch(1))]
    directory = make_stack(
        tmp_path / "reftable",
        (made, [log(branch(0), 1), log(branch(1), 1)]),
        ([RefRecord(branch(1), 2, oid(77))], [log(branch(1), 2)]),
    )
    with open_view(directory) as opened:
        yield opened


def beside(name: str, kind: FileKind, *, removable: bool = False) -> UnlistedFile:
    return UnlistedFile(name, kind, 1, 0.0, 0.0, "", is_removable=removable)


def name_at(view: StackView, position: int) -> str:
    return view.tables[position].name


ORPHAN = "0x000000000009-0x000000000009-00000bad.ref"


def test_every_list_has_rows_that_lead_somewhere_or_are_choices() -> None:
    placed = {one.__name__ for one in get_args(_OfStack)}.union(str(PlacedRow).split(" | "))
    used = set[str]()
    for path in TUI.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Subscript) or not isinstance(node.value, ast.Name):
                continue
            if node.value.id == "VirtualList":
                used.add(ast.unparse(node.slice))
            elif node.value.id == "ListDialog" and isinstance(node.slice, ast.Tuple):
                used.add(ast.unparse(node.slice.elts[1]))
    assert used - placed - CHOICES.keys() == set()
    assert {"Node", "Event", "Entry", "Snapshot", "RefChange", "RefOutcome", "StackMoment"} <= used


def test_a_table_leads_to_its_records_its_bytes_and_its_sections(view: StackView) -> None:
    name = name_at(view, 0)
    first, logs, blocks, *sections = places_of(StackRow(0, view.tables[0]), view)
    assert (first, logs, blocks) == (FilePlace(name), FilePlace(name, "logs"), FilePlace(name, "blocks"))
    assert SectionPlace(name, "log section", view.tables[0].footer.log_offset) in sections
    assert find(first, view, WholeStack()) == InList("refs", OneTable(name))
    assert find(sections[0], view, WholeStack()) == InBytes(view.tables[0], view.tables[0].footer.log_offset)


def test_a_ref_leads_to_its_log_its_target_its_versions_and_its_commit(view: StackView) -> None:
    record = view.merged.read_ref(branch(1))
    assert record is not None
    row = RefRow(record, 1)
    old, new = name_at(view, 0), name_at(view, 1)
    trace = trace_ref(view, branch(1))
    assert places_of(row, view, trace) == (
        LogPlace(branch(1)),
        RecordPlace(new, branch(1)),
        RecordPlace(old, branch(1)),
        FilePlace(new),
        CommitPlace(oid(77)),
    )
    symref = view.merged.read_ref(b"refs/heads/sym")
    assert symref is not None
    assert places_of(RefRow(symref, 0), view)[:2] == (LogPlace(b"refs/heads/sym"), RefPlace(branch(1)))
    # What is known of another ref is no matter here.
    assert places_of(RefRow(symref, 0), view, trace)[1] == RefPlace(branch(1))
    version = trace.versions[1]
    assert places_of(version)[0] == RecordPlace(old, branch(1))
    assert places_of(Link(branch(1), record)) == (RefPlace(branch(1)), LogPlace(branch(1)))


def test_a_log_entry_leads_to_its_ref_its_bytes_and_its_commits(view: StackView) -> None:
    entry = log(branch(1), 2)
    assert places_of(LogRow(entry, 1), view) == (
        RefPlace(branch(1)),
        RecordPlace(name_at(view, 1), branch(1), 2),
        FilePlace(name_at(view, 1)),
        CommitPlace(oid(3)),
        CommitPlace(oid(2)),
    )


@pytest.mark.parametrize(
    ("file", "first"),
    [
        (beside(ORPHAN, FileKind.DATA), FilePlace(ORPHAN)),
        (beside("tables.list.lock", FileKind.LIST_LOCK), PlanPlace("unlock", ("tables.list.lock",))),
        (beside("x.temp.1", FileKind.TEMPORARY, removable=True), FilePlace("x.temp.1", "blocks")),
        (beside("README", FileKind.OTHER), FilePlace("README", "blocks")),
    ],
)
def test_a_file_beside_the_list_leads_to_what_it_holds_or_to_the_plan_for_it(
    file: UnlistedFile, first: Place, view: StackView
) -> None:
    assert places_of(file, view)[0] == first


def test_the_lock_of_a_table_leads_to_the_table_too(view: StackView) -> None:
    name = name_at(view, 0)
    lock = beside(f"{name}.lock", FileKind.TABLE_LOCK)
    assert places_of(lock, view) == (PlanPlace("unlock", (lock.name,)), FilePlace(name))


def finding(code: str, file: str, offset: int | None = None, cause: Finding | None = None) -> Finding:
    return Finding(FAULTS[code], file, offset, "", cause=cause)


def test_a_finding_leads_to_its_bytes_its_plan_and_its_tables(view: StackView) -> None:
    name, other = name_at(view, 0), name_at(view, 1)
    damage = finding("block-damaged", name, 4096)
    assert places_of(damage, view) == (
        OffsetPlace(name, 4096),
        PlanPlace("repair"),
        FilePlace(name),
        FilePlace(name, "logs"),
    )
    follows = finding("objects-wrong", other, 1, damage)
    assert places_of(follows, view)[0] == OffsetPlace(other, 1)
    assert OffsetPlace(name, 4096) in places_of(follows, view)
    assert places_of(finding("list-no-newline", "tables.list", 3), view)[0] == OffsetPlace("tables.list", 3)
    assert places_of(finding("lock-stale", "tables.list.lock"), view) == (
        PlanPlace("unlock", ("tables.list.lock",)),
    )


def test_what_the_rule_says_is_due_leads_to_compaction_and_not_to_a_block(view: StackView) -> None:
    places = places_of(finding("compaction-due", name_at(view, 0)), view)
    due = tuple(table.name for table in view.tables[view.suggested.start : view.suggested.stop])
    assert places == (CompactionPlace(), PlanPlace("compact", due), *map(FilePlace, due))


def test_changes_outcomes_steps_moments_and_entries_lead_on(view: StackView) -> None:
    name = name_at(view, 0)
    old, new = RefRecord(b"x", 1, oid(1)), RefRecord(b"x", 2, target=b"y")
    assert places_of(RefChange(b"x", old, new)) == (RefPlace(b"x"), LogPlace(b"x"), RefPlace(b"y"))
    outcome = RefOutcome(b"x", Outcome.LOST, old, None, "")
    assert places_of(outcome) == (RefPlace(b"x"), LogPlace(b"x"))
    severity = FAULTS["block-damaged"].severity
    step = Step(StepKind.REWRITE_TABLE, name, "", "", severity)
    assert places_of(step)[0] == FilePlace(name, "blocks")
    moment = moments_of(view.tables)[0]
    assert isinstance(moment, StackMoment)
    assert places_of(moment)[:2] == (MomentPlace(2), FilePlace(name_at(view, 1)))
    assert places_of(Entry(0.0, "", "done", "", "", snapshot="7")) == (PlanPlace("undo", snapshot="7"),)
    assert places_of(Entry(0.0, "", "failed", "", "")) == ()


def test_every_label_is_plain_words_fit_for_a_terminal(tmp_path: Path) -> None:
    hostile = "x\x1b[31m.ref"
    places: list[Place] = [
        FilePlace(hostile, "blocks", tmp_path),
        OffsetPlace(hostile, 1),
        RefPlace(b"\x1b[2J"),
        LogPlace(b"\x1b[2J", 3),
        RecordPlace(hostile, b"\n"),
        SnapshotPlace(tmp_path, (), 0),
        PlanPlace("unlock", (hostile,)),
        MomentPlace(7),
        CommitPlace(oid(1)),
    ]
    for place in places:
        assert place_words(place)
        assert place_words(place).isprintable()


# What there is by now.


def test_a_ref_is_found_where_the_user_looks_and_else_in_the_whole_stack(view: StackView) -> None:
    alone = OneTable(name_at(view, 1))
    assert find(RefPlace(branch(1)), view, alone) == InList("refs", alone, branch(1))
    assert find(RefPlace(branch(2)), view, alone) == InList("refs", WholeStack(), branch(2))
    assert find(LogPlace(branch(1)), view, AsOf(1)) == InList("logs", AsOf(1), (branch(1), -1))
    assert find(LogPlace(branch(1)), view, WholeStack()) == InList("logs", WholeStack(), (branch(1), -2))


@pytest.mark.parametrize(
    ("place", "words"),
    [
        (RefPlace(b"refs/heads/none"), "There is no ref refs/heads/none in this stack (any more)"),
        (LogPlace(branch(2)), f"There are no reflog entries of {branch(2).decode()} in this stack"),
        (
            LogPlace(branch(1), 9),
            "The reflog entry of refs/heads/branch-0000001 at update 9 is not there (any more)",
        ),
        (FilePlace(ORPHAN), "There is no table …00000bad (not in tables.list) any more"),
        (FilePlace(ORPHAN, "blocks"), "There is no table …00000bad any more"),
        (OffsetPlace(ORPHAN, 3), "There is no table …00000bad any more"),
        (RecordPlace(ORPHAN, b"x"), "There is no table …00000bad any more"),
    ],
)
def test_what_is_gone_is_told_in_words(view: StackView, place: Place, words: str) -> None:
    assert not isinstance(place, CompactionPlace | PlanPlace | CommitPlace)
    assert find(place, view, WholeStack()) == words  # type: ignore[arg-type] - those above are excluded


def test_an_orphan_and_the_tables_of_a_snapshot_open_read_only(view: StackView, tmp_path: Path) -> None:
    write_table(view.directory / ORPHAN, [RefRecord(b"refs/heads/only", 9, oid(9))], limits=(9, 9))
    at = find(FilePlace(ORPHAN), view, WholeStack())
    assert isinstance(at, InList)
    assert isinstance(at.scope, Elsewhere)
    assert [record.name for record in at.scope.resolve(view).refs()] == [b"refs/heads/only"]
    assert at.scope.label(view) == "table …00000bad (not in tables.list)"
    damaged = bytearray((view.directory / ORPHAN).read_bytes())
    damaged[-1] ^= 1
    (view.directory / ORPHAN).write_bytes(damaged)
    at = find(FilePlace(ORPHAN), view, WholeStack())
    assert isinstance(at, InList)
    assert isinstance(at.scope, Elsewhere)
    assert [record.name for record in at.scope.resolve(view).refs()] == [b"refs/heads/only"]
    assert at.scope.label(view).endswith(", damaged")
    kept = tmp_path / "snapshot"
    kept.mkdir()
    for table in view.tables:
        os.link(table.path, kept / table.name)
    names = tuple(table.name for table in view.tables)
    at = find(SnapshotPlace(kept, names, 0), view, WholeStack())
    assert isinstance(at, InList)
    assert isinstance(at.scope, Elsewhere)
    assert at.scope.resolve(view).read_ref(branch(1)) == view.merged.read_ref(branch(1))
    # Rows of a snapshot lead to its own files, where the stack has them no more.
    gone = kept / "0x000000000007-0x000000000007-0000abcd.ref"
    write_table(gone, [RefRecord(b"refs/heads/then", 7, oid(7))], limits=(7, 7))
    then = find(SnapshotPlace(kept, (gone.name,), 0), view, WholeStack())
    assert isinstance(then, InList)
    for place in (RecordPlace(gone.name, b"refs/heads/then"), FilePlace(gone.name, "blocks")):
        there = find(place, view, then.scope)
        assert isinstance(there, InBytes)
        assert there.table.path == str(gone)
        assert find(place, view, WholeStack()) == "There is no table …0000abcd any more"
    alone = find(FilePlace(names[0], "blocks", kept), view, WholeStack())
    assert isinstance(alone, InBytes)
    assert alone.table.path == str(kept / names[0])

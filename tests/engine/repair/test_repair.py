"""Damaged stacks are repaired as planned: what can be read stays, what cannot is told, undo takes it back."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from engine.errors import ApiError, Cancelled, LockError, OutdatedError
from engine.format import (
    LOG,
    REF,
    HashId,
    LogRecord,
    RefRecord,
    format_table_name,
    log_key,
    pack_table_list,
)
from engine.merge import Expiry
from engine.progress import Progress
from engine.repair import (
    Outcome,
    RepairResult,
    StepKind,
    changes_aside,
    damages,
    log_outcomes,
    plan_repair,
    repair,
    room_for_refs,
)
from engine.salvage import Gap
from engine.snapshot import ChangeRecord, find_snapshot, list_snapshots, restore
from engine.stack import LockFile, Stack, StackOptions, TemporaryTable, remove_stale_lock
from engine.table import Table, WriteOptions
from tests.support.findings import NOW, codes, install
from tests.support.handmade import Handmade, change_byte, change_header
from tests.support.repairs import errors, kinds, losses_of, mend, outcomes, refs, state, told
from tests.support.stacks import add, exchange, list_tables, listed, lock, make_stack
from tests.support.tables import oid, stack_contents, stack_files, write_table

NAMES = [b"refs/heads/b%02d" % number for number in range(12)]


def value(number: int, update_index: int) -> bytes:
    return oid(100 * update_index + number)


def write(stack: Stack, chosen: list[int], *, logs: bool = True) -> None:
    """Move these branches, in one table."""
    with stack.addition() as addition, addition.table() as writer:
        index = addition.update_index
        writer.add_refs(RefRecord(NAMES[number], index, value(number, index)) for number in chosen)
        if logs:
            writer.add_logs(
                LogRecord(
                    NAMES[number], index, bytes(20), value(number, index), b"A", b"a@b", index, 0, b"m\n"
                )
                for number in chosen
            )


def options() -> StackOptions:
    return StackOptions(
        auto_compact=False, block_size=256, restart_interval=4, suffix=count(1).__next__, lock_timeout_ms=0
    )


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Three tables: all branches, the even ones moved, one of three moved."""
    path = tmp_path / "reftable"
    path.mkdir()
    with Stack.open(path, options()) as stack:
        write(stack, list(range(12)))
        write(stack, list(range(0, 12, 2)))
        write(stack, list(range(0, 12, 3)))
    assert codes(path) == []
    return path


def cut(path: Path, size: int) -> None:
    os.truncate(path, size)


def test_a_sound_stack_needs_no_repair(directory: Path) -> None:
    plan = plan_repair(directory, now=NOW)
    assert plan.is_noop
    assert outcomes(plan) == {}
    before = stack_files(directory)
    assert repair(directory, plan, now=NOW).snapshot is None
    assert stack_files(directory) == before
    assert list_snapshots(directory) == []


def test_an_empty_directory_needs_no_repair(tmp_path: Path) -> None:
    assert plan_repair(tmp_path, now=NOW).steps == ()


def test_outcomes_of_a_plan_whose_table_another_process_has_compacted_away_are_outdated(
    directory: Path,
) -> None:
    cut(directory / listed(directory)[0], 120)
    plan = plan_repair(directory, now=NOW)
    (directory / listed(directory)[2]).unlink()
    with pytest.raises(OutdatedError, match="since the plan was made"):
        outcomes(plan)


# Lost tables


def test_behind_a_lost_table_older_values_are_revived_or_doubtful(directory: Path) -> None:
    """Without the newest table, its refs show what they were; what has not moved since nothing confirms."""
    (directory / listed(directory)[2]).unlink()
    mended = mend(directory)
    assert kinds(mended.plan) == ["leave-out", "write-list"]
    assert set(mended.told.values()) == {"doubtful"}
    assert [left.is_missing for left in mended.plan.left_out] == [True]
    assert refs(directory)[NAMES[0]] == value(0, 2)


def test_a_reflog_in_another_table_tells_what_was_lost(tmp_path: Path) -> None:
    """Refs in one table, and their logs in the next, as a migration writes them."""
    path = tmp_path / "reftable"
    path.mkdir()
    with Stack.open(path, options()) as stack:
        write(stack, [0, 1, 2, 3])
        for logs in (False, True):
            with stack.addition() as addition, addition.table() as writer:
                index = addition.update_index
                if logs:
                    writer.add_logs(
                        LogRecord(name, index - 1, bytes(20), oid(7), b"A", b"a@b", 1, 0, b"m\n")
                        for name in (NAMES[1], NAMES[9])
                    )
                else:
                    writer.add_refs(RefRecord(name, index, oid(7)) for name in (NAMES[1], NAMES[9]))
    (path / listed(path)[1]).unlink()
    mended = mend(path)
    told = mended.told
    assert told[NAMES[1]] == "revived"
    assert told[NAMES[9]] == "lost"
    assert told[NAMES[0]] == "doubtful"


def test_a_hopeless_table_is_set_aside_and_never_deleted(directory: Path) -> None:
    name = listed(directory)[1]
    (directory / name).write_bytes(b"\xff" * 500)
    mended = mend(directory)
    assert kinds(mended.plan) == ["set-aside", "write-list"]
    assert (mended.snapshot.lost / name).read_bytes() == b"\xff" * 500
    assert find_snapshot(directory, mended.snapshot.id).kept
    assert not (directory / name).exists()


def test_a_table_cut_short_keeps_what_is_in_front_of_the_cut(directory: Path) -> None:
    name = listed(directory)[0]
    cut(directory / name, 250)
    mended = mend(directory)
    assert kinds(mended.plan) == ["rewrite-table", "write-list"]
    table = mended.plan.tables[0]
    assert 0 < table.refs < 12
    assert refs(directory)[NAMES[1]] == value(1, 1)
    assert mended.logs.may_be_lost
    # What two newer tables hold of the others is all there.
    assert {NAMES[10], NAMES[9]} <= refs(directory).keys()


def test_a_table_without_header_and_footer_is_read_by_its_name(directory: Path) -> None:
    before = state(directory)
    path = directory / listed(directory)[1]
    data = path.read_bytes()
    path.write_bytes(b"\0" * 24 + data[24:-68])
    mended = mend(directory)
    assert state(directory) == before
    assert mended.told == {}


def test_hash_functions_do_not_mix(directory: Path) -> None:
    name = "0x000000000004-0x000000000004-0badcafe.ref"
    write_table(
        directory / name, [RefRecord(b"refs/heads/x", 4, oid(1, 32))], [], WriteOptions(hash_id=HashId.SHA256)
    )
    before = state(directory)
    list_tables(directory, [name, *listed(directory)])
    mended = mend(directory)
    assert state(directory) == before
    assert kinds(mended.plan) == ["set-aside", "write-list"]
    assert [path.name for path in mended.snapshot.lost.iterdir()] == [name]


# The list


def lose_newline(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def cut_last_line(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def edit_on_windows(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))


LISTS: dict[str, Callable[[Path], object]] = {
    "missing": Path.unlink,
    "empty": lambda path: path.write_bytes(b""),
    "reversed": lambda path: path.write_bytes(b"\n".join([*reversed(path.read_bytes().split()), b""])),
    "no newline": lose_newline,
    "cut in a name": cut_last_line,
    "cut between names": lambda path: path.write_bytes(path.read_bytes().split(b"\n")[0] + b"\n"),
    "carriage returns": edit_on_windows,
    "twice": lambda path: path.write_bytes(2 * path.read_bytes()),
    "zeros at the end": lambda path: path.write_bytes(path.read_bytes()[:-1] + bytes(20) + b"\n"),
    "all zeros": lambda path: path.write_bytes(bytes(129)),
    "empty lines": lambda path: path.write_bytes(path.read_bytes().replace(b"\n", b"\n\n")),
    "noise": lambda path: path.write_bytes(bytes(range(256))),
    "a way out": lambda path: path.write_bytes(b"../secret\n" + path.read_bytes()),
}


@pytest.mark.parametrize("damage", LISTS)
def test_a_damaged_list_is_made_again_from_the_tables(directory: Path, damage: str) -> None:
    before, tables = state(directory), stack_contents(directory)[0]
    LISTS[damage](directory / "tables.list")
    mended = mend(directory)
    assert StepKind.WRITE_LIST in {step.kind for step in mended.plan.steps}
    assert stack_contents(directory)[0] == tables
    assert state(directory) == before


@pytest.mark.parametrize("damage", LISTS)
def test_damage_of_a_table_is_repaired_with_that_of_the_list(directory: Path, damage: str) -> None:
    """Also where fsck has not read the table, since no whole line of the list is its name."""
    before, last = refs(directory), directory / listed(directory)[-1]
    with Table.open(last) as table:
        change_byte(last, table.footer.log_offset + 10)
    LISTS[damage](directory / "tables.list")
    mended = mend(directory)
    assert StepKind.WRITE_LIST in {step.kind for step in mended.plan.steps}
    assert last.name in mended.plan.replaced
    assert refs(directory) == before
    assert mended.logs.may_be_lost


@pytest.mark.parametrize("damage", ["missing", "empty", "cut in a name", "all zeros"])
def test_a_list_that_names_no_table_does_not_make_tables_foreign(tmp_path: Path, damage: str) -> None:
    """Nothing but the tables tells the hash function of a stack that was copied out of its repository."""
    name = format_table_name(1, 1, 7) + ".ref"
    ref = RefRecord(b"refs/heads/x", 1, oid(1, 32))
    write_table(tmp_path / name, [ref], [], WriteOptions(hash_id=HashId.SHA256))
    list_tables(tmp_path, [name])
    LISTS[damage](tmp_path / "tables.list")
    plan = mend(tmp_path).plan
    assert refs(tmp_path) == {ref.name: oid(1, 32)}
    assert all(step.options[:1] in {(), (step.kind,)} for step in plan.steps)  # nothing else was asked for


def test_of_a_compaction_and_its_inputs_the_one_that_covers_more_is_chosen(directory: Path) -> None:
    before, inputs = state(directory), listed(directory)
    files = {name: (directory / name).read_bytes() for name in inputs}
    with Stack.open(directory, options()) as stack:
        stack.compact(0, 2)
        write(stack, [5])
        after = list(stack.refs()), list(stack.logs())
    tables = stack_contents(directory)[0]
    (directory / inputs[0]).write_bytes(files[inputs[0]])
    (directory / inputs[1]).write_bytes(files[inputs[1]])
    (directory / "tables.list").unlink()
    mended = mend(directory)
    assert stack_contents(directory)[0] == tables
    assert state(directory) == after != before
    out = {left.file: left for left in mended.plan.left_out}
    assert out.keys() == set(inputs[:2])
    assert all("covers its update indexes" in left.why for left in out.values())
    assert [out[name].refs for name in inputs[:2]] == [12, 6]
    assert {path.name for path in mended.snapshot.lost.iterdir()} == set(inputs[:2])


def test_a_list_older_than_its_tables_is_brought_up_to_date(directory: Path) -> None:
    """A backup put the list back, while the tables that it names were compacted away long ago."""
    old = (directory / "tables.list").read_bytes()
    with Stack.open(directory, options()) as stack:
        stack.compact(1, 3)
        write(stack, [7])
        after = list(stack.refs()), list(stack.logs())
    tables = stack_contents(directory)[0]
    (directory / "tables.list").write_bytes(old)
    left = {NAMES[number] for number in range(12) if number % 2 and number % 3 and number != 7}
    mended = mend(directory)
    assert stack_contents(directory)[0] == tables
    assert state(directory) == after
    # The tables that it misses are covered: nothing is doubtful.
    assert mended.told == {name: "changed" for name in NAMES if name not in left}


def test_of_a_half_copied_backup_everything_that_arrived_is_used(directory: Path) -> None:
    """Copied in the order of the names, the list first: one table is there in part, one not at all."""
    names = listed(directory)
    cut(directory / names[1], 200)
    (directory / names[2]).unlink()
    mended = mend(directory)
    assert kinds(mended.plan) == ["rewrite-table", "leave-out", "write-list"]
    assert refs(directory).keys() == set(NAMES)
    shown = refs(directory)
    assert {shown[name] for name in NAMES} <= {value(n, i) for n in range(12) for i in (1, 2)}
    revived = {name for name, outcome in mended.told.items() if outcome in ("revived", "doubtful")}
    with_newer = {NAMES[n] for n in range(12) if n % 3 == 0}
    assert with_newer <= revived


def test_overlapping_ranges_are_those_of_the_names_if_the_records_fit(directory: Path) -> None:
    before = state(directory)
    change_header(directory / listed(directory)[0], max_update_index=999)
    assert "ranges-overlap" in codes(directory)
    mended = mend(directory)
    assert state(directory) == before
    assert kinds(mended.plan) == ["rewrite-table", "write-list"]


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("renamed", [False, True])
def test_a_limit_that_was_never_set_ends_with_the_records(directory: Path, place: int, renamed: bool) -> None:
    before, names = state(directory), listed(directory)
    change_header(directory / names[place], max_update_index=2**64 - 1)
    if renamed:
        names[place] = f"{format_table_name(place + 1, 2**64 - 1, 0)}.ref"
        os.rename(directory / listed(directory)[place], directory / names[place])
        list_tables(directory, names)
    assert "limits-beyond-records" in errors(directory)
    mended = mend(directory)
    assert [step.file for step in mended.plan.steps] == [names[place], "tables.list"]
    assert kinds(mended.plan) == ["rewrite-table", "write-list"]
    assert mended.told == {}
    assert state(directory) == before
    with Stack.open(directory, options()) as stack:
        assert stack.next_update_index == 4
        write(stack, [0])


def test_so_it_does_where_its_last_update_is_of_a_ref_that_is_left_out(tmp_path: Path) -> None:
    """As fsck says of what is written: of a table that high, limits are those of its records."""
    low, name = 2**62 + 8, "0x000000000001-0x000000000009-00000001.ref"
    names = [b"refs/heads/..", b"refs/heads/a"]
    refs = [RefRecord(ref, low + 1 - number, oid(1)) for number, ref in enumerate(names)]
    write_table(tmp_path / name, refs)
    list_tables(tmp_path, [name])
    change_byte(tmp_path / name, -1)
    mended = mend(tmp_path)
    assert [table.limits for table in mended.plan.tables] == [(low, low)]
    assert errors(tmp_path) == []


@pytest.mark.parametrize(
    "name", ["0x000000000003-0x000000000003-00000009", "0x000000000003-0xffffffffffffffff-1"]
)
def test_what_git_wrote_after_a_limit_that_was_never_set_stays_newer(directory: Path, name: str) -> None:
    """The counter ran over: the table after it has update index 0."""
    names = listed(directory)
    change_header(directory / names[2], max_update_index=2**64 - 1)
    os.rename(directory / names[2], directory / f"{name}.ref")
    names[2] = f"{name}.ref"
    newest = f"{format_table_name(0, 0, 0)}.ref"
    write_table(directory / newest, [RefRecord(NAMES[0], 0, oid(7))], limits=(0, 0))
    list_tables(directory, [*names, newest])
    before = refs(directory)
    mended = mend(directory)
    assert kinds(mended.plan) == ["merge-table", "write-list"]
    assert mended.told == {}
    assert refs(directory) == before
    assert before[NAMES[0]] == oid(7)


def test_a_line_that_is_repeated_goes_where_it_is_out_of_order(directory: Path) -> None:
    before, names = state(directory), listed(directory)
    list_tables(directory, [*names, names[1]])
    assert errors(directory) == ["list-repeats-older"]
    mended = mend(directory)
    assert kinds(mended.plan) == ["write-list"]
    assert (listed(directory), state(directory)) == (names, before)
    assert mended.told == dict.fromkeys([NAMES[0], NAMES[6]], "changed")


# Options


def test_a_table_that_could_be_rewritten_is_set_aside_for_who_wants_that(directory: Path) -> None:
    names = listed(directory)
    before = refs(directory)
    cut(directory / names[2], 200)
    [rewritten] = plan_repair(directory, now=NOW).of(StepKind.REWRITE_TABLE)
    assert rewritten.options == (StepKind.REWRITE_TABLE, StepKind.SET_ASIDE)
    plan = plan_repair(directory, now=NOW, set_aside=[names[2]])
    [step] = plan.of(StepKind.SET_ASIDE)
    assert step.options == rewritten.options
    assert step.why.startswith("as was asked for; cut-short")
    # What can be read of it is told as it would be if it could not be read afterwards.
    shown = {one.name: one for one in told(plan)}
    assert {one.outcome for one in shown.values()} == {Outcome.REVIVED, Outcome.DOUBTFUL}
    result = repair(directory, plan, now=NOW)
    assert listed(directory) == names[:2]
    assert result.snapshot is not None
    assert [path.name for path in result.snapshot.lost.iterdir()] == [names[2]]
    revived = {name for name, one in shown.items() if one.outcome is Outcome.REVIVED}
    assert revived
    assert all(refs(directory)[name] != before[name] for name in revived)


def test_a_sound_table_is_set_aside_only_for_who_wants_that(directory: Path) -> None:
    names = listed(directory)
    plan = plan_repair(directory, now=NOW, set_aside=[names[1]])
    assert kinds(plan) == ["set-aside", "write-list"]
    assert plan.steps[0].options == ()
    repair(directory, plan, now=NOW)
    assert listed(directory) == [names[0], names[2]]


def test_a_transaction_that_was_cut_off_is_taken_up_for_who_wants_that(directory: Path) -> None:
    names = listed(directory)
    newer = "0x000000000004-0x000000000004-0badcafe.ref"
    write_table(directory / newer, [RefRecord(b"refs/heads/x", 4, oid(1))])
    data = (directory / newer).read_bytes()
    [aside] = plan_repair(directory, now=NOW).of(StepKind.SET_ASIDE)
    assert aside.options == (StepKind.SET_ASIDE, StepKind.TAKE_UP)
    plan = plan_repair(directory, now=NOW, take_up=[newer])
    assert [(step.kind, step.options) for step in plan.steps] == [
        (StepKind.TAKE_UP, aside.options),
        (StepKind.WRITE_LIST, ()),
    ]
    assert outcomes(plan) == {b"refs/heads/x": "returned"}
    repair(directory, plan, now=NOW)
    # A handle that has seen it go may be about to remove it by its name.
    assert listed(directory)[:-1] == names
    assert listed(directory)[-1] != newer
    assert (directory / listed(directory)[-1]).read_bytes() == data
    assert not (directory / newer).exists()
    assert errors(directory) == []


def test_a_table_ahead_of_the_list_is_left_out_for_who_wants_that(directory: Path) -> None:
    old = (directory / "tables.list").read_bytes()
    with Stack.open(directory, options()) as stack:
        write(stack, [7])
        write(stack, [8])
    names, tables = listed(directory), stack_contents(directory)[0]
    (directory / "tables.list").write_bytes(old)
    ahead = plan_repair(directory, now=NOW).of(StepKind.TAKE_UP)
    assert [step.file for step in ahead] == names[3:]
    plan = plan_repair(directory, now=NOW, set_aside=names[4:])
    assert [step.options for step in plan.of(StepKind.SET_ASIDE)] == [(StepKind.TAKE_UP, StepKind.SET_ASIDE)]
    repair(directory, plan, now=NOW)
    assert stack_contents(directory)[0] == tables[:4]


def test_a_leftover_that_is_to_be_kept_is_set_aside(directory: Path) -> None:
    names = listed(directory)
    leftover = "0x000000000002-0x000000000002-0badcafe.ref"
    (directory / leftover).write_bytes((directory / names[1]).read_bytes())
    assert kinds(plan_repair(directory, now=NOW)) == ["remove-file"]
    plan = plan_repair(directory, now=NOW, set_aside=[leftover])
    # It cannot be taken up: the stack has moved past it.
    assert [(step.kind, step.options) for step in plan.steps] == [(StepKind.SET_ASIDE, ())]
    assert [table.name for table in plan.tables] == names


@pytest.mark.parametrize("lost", [0, 1])
def test_a_line_that_the_list_has_lost_is_put_back(directory: Path, lost: int) -> None:
    before, names, tables = state(directory), listed(directory), stack_contents(directory)[0]
    list_tables(directory, [name for name in names if name != names[lost]])
    assert "table-unlisted-data" in errors(directory)
    mended = mend(directory)
    assert kinds(mended.plan) == ["take-up", "write-list"]
    assert mended.plan.steps[0].options == (StepKind.TAKE_UP, StepKind.SET_ASIDE)
    assert (state(directory), stack_contents(directory)[0]) == (before, tables)
    assert names[lost] not in listed(directory)


def test_what_a_damaged_table_ahead_of_the_list_held_may_be_lost(directory: Path) -> None:
    old = (directory / "tables.list").read_bytes()
    with Stack.open(directory, options()) as stack:
        write(stack, [7])
        write(stack, [8])
    (directory / "tables.list").write_bytes(old)
    newest = max(directory.glob("*.ref"))
    data = newest.read_bytes()
    newest.write_bytes(data[:24] + bytes(len(data) - 24 - 68) + data[-68:])
    plan = plan_repair(directory, now=NOW)
    assert [step.file for step in plan.of(StepKind.SET_ASIDE)] == [newest.name]
    assert [damage.file for damage in damages(plan)] == [newest.name]


@pytest.mark.parametrize("damaged", [3, 4])
def test_a_damaged_table_that_the_list_has_lost_is_taken_up_too(directory: Path, damaged: int) -> None:
    """The list is two lines too old, and one of the two tables has bytes behind its footer."""
    old = (directory / "tables.list").read_bytes()
    with Stack.open(directory, options()) as stack:
        write(stack, [7, 9])
        write(stack, [8])
        before, names = (list(stack.refs()), list(stack.logs())), listed(directory)
    (directory / "tables.list").write_bytes(old)
    with (directory / names[damaged]).open("ab") as file:
        file.write(b"behind the end")
    assert errors(directory) == ["orphan-ahead", "orphan-ahead"]
    mended = mend(directory)
    assert [step.file for step in mended.plan.of(StepKind.TAKE_UP)] == names[3:]
    assert (state(directory), set(mended.told.values())) == (before, {"changed"})


@pytest.mark.parametrize("ending", [b"", b"\n"])
def test_the_next_table_is_not_taken_up_behind_a_whole_name(directory: Path, ending: bytes) -> None:
    """Lists of the Go library have no newline at their end, and a transaction may have been cut off there."""
    names = listed(directory)
    (directory / "tables.list").write_bytes("\n".join(names[:2]).encode() + ending)
    plan = plan_repair(directory, now=NOW)
    assert [step.file for step in plan.of(StepKind.SET_ASIDE)] == names[2:]
    assert changes_aside(plan).files == (names[2],)
    (directory / "tables.list.lock").write_bytes("\n".join(names).encode() + ending)
    assert changes_aside(plan_repair(directory, now=NOW)).files == ()


@pytest.mark.parametrize("is_damaged", [False, True])
@pytest.mark.parametrize("more", [-1, 2])
def test_the_table_whose_line_was_cut_off_is_taken_up(directory: Path, more: int, is_damaged: bool) -> None:
    """The list ends inside of the name before the last, or inside of the last one."""
    before, names = state(directory), listed(directory)
    kept = len("\n".join(names[:2]).encode())
    (directory / "tables.list").write_bytes("\n".join(names).encode()[: kept + more])
    if is_damaged:
        with (directory / names[2]).open("ab") as file:
            file.write(b"behind the end")
    mended = mend(directory)
    assert StepKind.SET_ASIDE not in {step.kind for step in mended.plan.steps}
    assert state(directory) == before
    assert errors(directory) == []


def test_what_a_newer_table_changes_that_is_set_aside_is_told(directory: Path) -> None:
    """The list is an older one, and whole: nothing tells whether its last table was committed."""
    with Stack.open(directory, options()) as stack:
        write(stack, [7])
        with stack.addition() as addition, addition.table() as writer:
            index = addition.update_index
            writer.add_ref(RefRecord(NAMES[0], index, value(0, 3)))
            writer.add_ref(RefRecord(NAMES[1], index))
            writer.add_ref(RefRecord(b"refs/heads/gone", index))
            writer.add_ref(RefRecord(b"refs/heads/new", index, oid(1)))
    names = listed(directory)
    list_tables(directory, names[:-1])
    plan = plan_repair(directory, now=NOW)
    assert [(step.kind, step.file) for step in plan.steps] == [(StepKind.SET_ASIDE, names[-1])]
    assert changes_aside(plan) == ((names[-1],), 2, (NAMES[1], b"refs/heads/new"), 0)
    list_tables(directory, names[:3])
    both = plan_repair(directory, now=NOW, set_aside=names[3:])
    assert changes_aside(both) == (tuple(names[3:]), 3, (NAMES[1], NAMES[7], b"refs/heads/new"), 1)
    taken = plan_repair(directory, now=NOW, take_up=names[-1:])
    assert changes_aside(taken) == ((), 0, (), 0)


def test_a_damaged_table_from_the_middle_of_the_list_is_taken_up_too(directory: Path) -> None:
    before, names = state(directory), listed(directory)
    list_tables(directory, [names[0], names[2]])
    with (directory / names[1]).open("ab") as file:
        file.write(b"behind the end")
    assert errors(directory) == ["table-unlisted-data"]
    mended = mend(directory)
    assert kinds(mended.plan) == ["rewrite-table", "take-up", "write-list"]
    assert state(directory) == before


def test_what_only_a_table_of_another_history_holds_stays_where_it_is(directory: Path) -> None:
    """An older list was put back, and the stack went on from there."""
    names, tables = listed(directory), stack_files(directory)
    list_tables(directory, names[:2])
    with Stack.open(directory, options()) as stack:
        write(stack, [11])
    assert errors(directory) == ["table-unlisted-data"]
    plan = plan_repair(directory, now=NOW)
    assert plan.is_noop
    assert [(step.kind, step.file) for step in plan.steps] == [(StepKind.LEAVE_OUT, names[2])]
    before = stack_files(directory)
    assert repair(directory, plan, now=NOW) == RepairResult(tuple(listed(directory)), (), None)
    assert stack_files(directory) == before
    plan = plan_repair(directory, now=NOW, set_aside=[names[2]])
    assert plan.steps[0].options == (StepKind.LEAVE_OUT, StepKind.TAKE_UP, StepKind.SET_ASIDE)
    aside = repair(directory, plan, now=NOW).snapshot
    assert aside is not None
    assert (aside.lost / names[2]).read_bytes() == tables[names[2]]
    assert errors(directory) == []


def test_a_table_is_taken_up_below_those_that_the_stack_has_moved_to(directory: Path) -> None:
    """It adds what it alone holds, and changes no ref."""
    before = refs(directory)
    other = "0x000000000002-0x000000000002-0badcafe.ref"
    write_table(directory / other, [RefRecord(NAMES[0], 2, oid(1)), RefRecord(b"refs/heads/x", 2, oid(1))])
    plan = plan_repair(directory, now=NOW, take_up=[other])
    assert [step.file for step in plan.of(StepKind.TAKE_UP)] == [other]
    assert outcomes(plan) == {b"refs/heads/x": "returned"}
    repair(directory, plan, now=NOW)
    assert refs(directory) == before | {b"refs/heads/x": oid(1)}
    assert errors(directory) == []


def test_what_a_table_that_is_left_out_has_that_is_as_new_makes_a_ref_doubtful(directory: Path) -> None:
    """An older list was put back, and the stack went on: which history is the true one, nobody can tell."""
    *older, newest = listed(directory)
    list_tables(directory, older)
    (directory / newest).unlink()
    other = "0x000000000003-0x000000000003-0badcafe.ref"
    records = [
        RefRecord(NAMES[0], 3, oid(1)),
        RefRecord(NAMES[1], 3, value(1, 1)),
        RefRecord(NAMES[2], 3),
        RefRecord(NAMES[5], 3, oid(2)),
        RefRecord(b"refs/heads/gone", 3),
        RefRecord(b"refs/heads/x", 3, oid(3)),
    ]
    with Stack.open(directory, options()) as stack:
        write(stack, [4])
        write(stack, [5])
    write_table(directory / other, records)
    plan = plan_repair(directory, now=NOW)
    assert [(step.kind, step.file) for step in plan.steps] == [(StepKind.LEAVE_OUT, other)]
    where = f"{other}, which is left out, is as new or newer and"
    assert [(one.name, one.outcome, one.why) for one in told(plan)] == [
        (NAMES[0], Outcome.DOUBTFUL, f"{where} has {oid(1).hex()}"),
        (NAMES[2], Outcome.DOUBTFUL, f"{where} deletes it"),
        (b"refs/heads/x", Outcome.DOUBTFUL, f"{where} has {oid(3).hex()}"),
    ]
    plan = plan_repair(directory, now=NOW, set_aside=[other])
    assert told(plan) == []


def test_an_update_of_another_history_is_data_although_the_stack_has_one_of_the_same_index(
    directory: Path,
) -> None:
    """An older list was put back, and the stack went on with the same branch, further than it had been.

    Its value is superseded, but the reflog entry is all that tells of the commit. Taken up, it does not show.
    """
    names, data = listed(directory), stack_files(directory)
    list_tables(directory, names[:2])
    with Stack.open(directory, options()) as stack:
        for _ in range(2):
            index = stack.next_update_index
            logs = [
                LogRecord(NAMES[number], index, bytes(20), oid(99), b"A", b"a@b", index, 0, b"other\n")
                for number in range(0, 12, 3)
            ]
            add(stack, [RefRecord(log.name, index, oid(99)) for log in logs], logs)
    assert errors(directory) == ["table-unlisted-data"]
    assert plan_repair(directory, now=NOW).is_noop
    taken = repair(directory, plan_repair(directory, now=NOW, take_up=[names[2]]), now=NOW).snapshot
    assert taken is not None
    assert (find_snapshot(directory).kept, taken.file(names[2]).read_bytes()) == (True, data[names[2]])


def test_a_table_is_taken_up_into_the_one_that_covers_it(directory: Path) -> None:
    before = refs(directory)
    with Stack.open(directory, options()) as stack:
        stack.compact_all()
    other = "0x000000000002-0x000000000002-0badcafe.ref"
    write_table(directory / other, [RefRecord(NAMES[0], 2, oid(1)), RefRecord(b"refs/heads/x", 2, oid(1))])
    plan = plan_repair(directory, now=NOW, take_up=[other])
    assert kinds(plan) == ["merge-table", "take-up", "write-list"]
    repair(directory, plan, now=NOW)
    assert refs(directory) == before | {b"refs/heads/x": oid(1)}
    assert errors(directory) == []


def test_what_cannot_be_read_is_not_taken_up_in_silence(directory: Path) -> None:
    other = "0x000000000004-0x000000000004-0badcafe.ref"
    (directory / other).write_bytes(b"no table")
    with pytest.raises(ApiError, match="cannot be taken up"):
        plan_repair(directory, now=NOW, take_up=[other])


def test_only_tables_that_are_there_can_be_chosen(directory: Path) -> None:
    for name in ("no-such.ref", "tables.list", "../x.ref"):
        with pytest.raises(ApiError, match="is no table"):
            plan_repair(directory, now=NOW, set_aside=[name])
    names = listed(directory)
    with pytest.raises(ApiError, match="as a whole"):
        plan_repair(directory, tables=names[:1], now=NOW, take_up=names[:1])


# Other files


def test_leftovers_of_a_killed_writer_go_once_its_lock_is_old(directory: Path) -> None:
    before, tables = state(directory), listed(directory)
    lock(directory, "tables.list")
    (directory / f"{tables[0]}.temp.abc123").write_bytes(b"half")
    orphan = "0x000000000004-0x000000000004-0badcafe.ref"
    write_table(directory / orphan, [RefRecord(b"refs/heads/x", 4, oid(1))])
    mended = mend(directory)
    assert kinds(mended.plan)[0] == "remove-lock"
    assert state(directory) == before
    assert [path.name for path in mended.snapshot.lost.iterdir()] == [orphan]
    assert "cut off" in next(left.why for left in mended.plan.left_out if left.file == orphan)
    mend(directory)
    assert sorted(stack_files(directory)) == sorted([*tables, "tables.list"])


@pytest.mark.parametrize("name", ["tables.list", "table"])
def test_a_young_lock_is_left_alone_without_force(directory: Path, name: str) -> None:
    path = lock(directory, listed(directory)[0] if name == "table" else name)
    change_byte(directory / listed(directory)[0], -1 % (directory / listed(directory)[0]).stat().st_size)
    now = path.stat().st_mtime + 1
    plan = plan_repair(directory, replace(options()), now=now)
    before = stack_files(directory)
    with pytest.raises(LockError):
        repair(directory, plan, now=now)
    assert stack_files(directory) == before
    assert list_snapshots(directory) == []
    repair(directory, plan, now=now, force=True)
    assert errors(directory) == []
    assert not path.exists()


def test_a_lock_that_a_process_has_open_is_left_alone(directory: Path) -> None:
    path = lock(directory, "tables.list")
    with path.open():
        plan = plan_repair(directory, now=NOW)
        assert plan.is_noop
        assert "has it open" in plan.steps[0].result
    assert not plan_repair(directory, now=NOW).is_noop


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="acts as two users")
def test_a_lock_of_a_user_whose_processes_cannot_be_looked_into_needs_force() -> None:
    # Not in tmp_path, into which others than the owner cannot even look.
    with tempfile.TemporaryDirectory() as parent:
        Path(parent).chmod(0o755)
        stack = Path(parent, "stack")
        make_stack(stack, 1)
        stack.chmod(0o777)
        locks = [lock(stack, name) for name in ("tables.list", listed(stack)[0])]
        before = stack_files(stack)
        # As git has it open, which the other user does not see.
        with locks[0].open() as held:
            holder = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], stdin=held)
        with holder:
            os.seteuid(65534)
            try:
                plan = plan_repair(stack, now=NOW)
                with pytest.raises(LockError, match="other users' processes could not be looked into"):
                    remove_stale_lock(os.fspath(locks[0]), now=NOW)
                repair(stack, plan, now=NOW)
                mine = lock(stack, "mine.ref")
                own = next(step for step in plan_repair(stack, now=NOW).steps if step.file == mine.name)
                mine.unlink()
            finally:
                os.seteuid(0)
                holder.kill()
        assert [step.needs_force for step in plan.steps] == [True, True]
        assert all("other users' processes could not be looked into" in step.result for step in plan.steps)
        assert not own.needs_force, "a process that made it is one of the same user"
        assert stack_files(stack) == before


# Tables that others wrote


def test_names_that_state_another_range_are_corrected_and_the_bytes_stay(directory: Path) -> None:
    names = listed(directory)
    wrong = "0x000000000005-0x000000000009-12345678.ref"
    data = (directory / names[1]).read_bytes()
    (directory / names[1]).rename(directory / wrong)
    list_tables(directory, [names[0], wrong, names[2]])
    before = state(directory)
    mended = mend(directory)
    assert kinds(mended.plan) == ["rename-table", "write-list"]
    assert (directory / mended.plan.tables[1].name).read_bytes() == data
    assert state(directory) == before


def test_names_as_dulwich_gives_them_are_corrected(directory: Path) -> None:
    name = "0x0000000000000001-0x0000000000000001-deadbeef.ref"
    (directory / listed(directory)[0]).rename(directory / name)
    list_tables(directory, [name, *listed(directory)[1:]])
    before = state(directory)
    mend(directory)
    assert codes(directory) == []
    assert state(directory) == before


def test_refs_that_git_dies_of_are_left_out_and_named(directory: Path) -> None:
    name = "0x000000000004-0x000000000004-0badcafe.ref"
    names = (b"refs/../x", b"refs/heads/a..b", b"refs/heads/good")
    write_table(directory / name, [RefRecord(one, 4, oid(6)) for one in names])
    list_tables(directory, [*listed(directory), name])
    assert {"ref-name-unsafe", "ref-name"} <= set(codes(directory))
    mended = mend(directory)
    assert mended.told == {b"refs/../x": "lost"}
    # What git only leaves out stays what it is.
    assert refs(directory)[b"refs/heads/a..b"] == refs(directory)[b"refs/heads/good"] == oid(6)


def test_refs_that_git_dies_of_are_left_out_where_only_salvaging_finds_them(tmp_path: Path) -> None:
    table = Handmade()
    table.refs([RefRecord(b"refs/heads/b", 1, oid(1))])
    block = table.refs([RefRecord(b"refs/", 1, oid(2)), RefRecord(b"refs/c", 1, oid(3))])
    path = install(tmp_path, table)
    # The second record of the block, behind 28 bytes of the first: what it shares with that.
    change_byte(path, block + 4 + 28)
    assert "ref-name-unsafe" not in codes(tmp_path)
    assert mend(tmp_path).told[b"refs/"] == "lost"
    assert refs(tmp_path) == {b"refs/heads/b": oid(1)}


@pytest.mark.parametrize("is_merged", [False, True])
def test_names_with_a_nul_come_into_no_table_neither_of_refs_nor_of_logs(
    tmp_path: Path, is_merged: bool
) -> None:
    names = [b"refs/heads/a", b"refs/heads/a\0b", b"refs/heads/c"]
    logs = [LogRecord(name, 1, oid(0), oid(1), b"A", b"a@b", 1, 0, b"m\n") for name in names]
    table = Handmade()
    table.refs([RefRecord(name, 1, oid(1)) for name in names])
    path = install(tmp_path, table, log_offset=table.logs(logs))
    if is_merged:
        other = f"{format_table_name(0, 2, 9)}.ref"
        write_table(tmp_path / other, [RefRecord(names[0], 2, oid(2))], limits=(0, 2))
        list_tables(tmp_path, [path.name, other])
    assert "key-nul" in errors(tmp_path)
    mended = mend(tmp_path)
    assert (StepKind.MERGE_TABLE in {step.kind for step in mended.plan.steps}) == is_merged
    refs, logs = state(tmp_path)
    assert [ref.name for ref in refs] == [log.name for log in logs] == [names[0], names[2]]


# Carrying out


def test_a_plan_is_good_for_the_files_that_it_was_made_for(directory: Path) -> None:
    cut(directory / listed(directory)[0], 250)
    plan = plan_repair(directory, now=NOW)
    path = directory / listed(directory)[1]
    os.utime(path, (1, 1))
    before = stack_files(directory)
    with pytest.raises(OutdatedError):
        repair(directory, plan, now=NOW)
    plan = plan_repair(directory, now=NOW)
    exchange(path, before[path.name])
    with pytest.raises(OutdatedError):
        repair(directory, plan, now=NOW)
    plan = plan_repair(directory, now=NOW)
    list_tables(directory, listed(directory)[:2])
    with pytest.raises(OutdatedError):
        repair(directory, plan, now=NOW)
    assert before.keys() == stack_files(directory).keys()
    assert list_snapshots(directory) == []


@pytest.mark.parametrize("is_locked", [False, True])
def test_a_repair_that_fails_leaves_nothing_to_undo(
    directory: Path, monkeypatch: pytest.MonkeyPatch, is_locked: bool
) -> None:
    """The disk is full when the first table is written: a stale lock is gone by then, and nothing else."""

    def fails(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    cut(directory / listed(directory)[0], 250)
    before = stack_files(directory)
    if is_locked:
        lock(directory, "tables.list")
    plan = plan_repair(directory, now=NOW)
    with monkeypatch.context() as patched:
        patched.setattr(TemporaryTable, "finish", fails)
        with pytest.raises(OSError, match="No space"):
            repair(directory, plan, now=NOW, losses="some")
    assert stack_files(directory) == before
    assert list_snapshots(directory) == []
    mend(directory)


def test_undo_brings_the_damage_back_byte_by_byte(directory: Path) -> None:
    names = listed(directory)
    cut(directory / names[0], 250)
    (directory / f"{names[0]}.temp.abc123").write_bytes(b"half")
    before = stack_contents(directory)
    mended = mend(directory)
    repaired = stack_contents(directory)
    undone = restore(directory, mended.snapshot, NOW + 1)
    assert stack_contents(directory) == before
    restore(directory, find_snapshot(directory, undone.id), NOW + 2)
    assert stack_contents(directory)[0] == repaired[0]


@pytest.mark.parametrize("left", [1, 2])
def test_what_was_set_aside_and_brought_back_by_an_undo_can_be_taken_up_still(
    directory: Path, left: int
) -> None:
    before, names = state(directory), listed(directory)
    list_tables(directory, names[:left])
    first = plan_repair(directory, now=NOW, set_aside=names[left:])
    snapshot = repair(directory, first, now=NOW).snapshot
    assert snapshot is not None
    restore(directory, snapshot, NOW + 1)
    assert StepKind.REMOVE_FILE not in {step.kind for step in plan_repair(directory, now=NOW).steps}
    repair(directory, plan_repair(directory, now=NOW, take_up=names[2:] if left == 2 else []), now=NOW + 2)
    assert state(directory) == before


def test_an_undo_that_was_interrupted_is_not_taken_back(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it has taken from the list and left behind reaches further than the list it went back to."""

    class DeathError(BaseException):
        pass

    unlink = os.unlink

    def die(path: str | Path) -> None:
        if str(path).endswith(".ref"):
            raise DeathError(path)
        unlink(path)

    with (
        ChangeRecord(directory, "add", NOW) as record,
        Stack.open(directory, options(), before_change=record.before_change) as stack,
    ):
        before = listed(directory)
        write(stack, [1])
        write(stack, [2])
    with monkeypatch.context() as patched:
        patched.setattr(os, "unlink", die)
        with pytest.raises(DeathError):
            restore(directory, find_snapshot(directory), NOW + 1)
    assert listed(directory) == before
    snapshot = find_snapshot(directory)
    manifest = json.loads((snapshot.path / "manifest.json").read_text())
    (snapshot.path / "manifest.json").write_text(json.dumps(manifest | {"after": None}))
    assert "orphan-ahead" in codes(directory)
    mended = mend(directory)
    assert kinds(mended.plan) == ["set-aside"]
    assert listed(directory) == before
    assert len(list(mended.snapshot.lost.iterdir())) == 2


def test_a_repair_or_an_undo_that_was_cut_off_behind_its_commit_is_undone_unasked(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the list was to be is noted before the commit: another process has not written it."""

    class DeathError(BaseException):
        pass

    def die(*_: object, **__: object) -> None:
        raise DeathError

    def cut_off(change: Callable[[], object], module: str) -> None:
        with monkeypatch.context() as patched:
            patched.setattr(f"engine.{module}.settle", die)
            with pytest.raises(DeathError):
                change()

    edit_on_windows(directory / "tables.list")
    before = (directory / "tables.list").read_bytes()
    cut_off(lambda: repair(directory, plan_repair(directory, now=NOW), now=NOW), "repair.execute")
    after = (directory / "tables.list").read_bytes()
    assert after != before
    cut_off(lambda: restore(directory, find_snapshot(directory), NOW + 1), "snapshot.undo")
    assert (directory / "tables.list").read_bytes() == before
    restore(directory, find_snapshot(directory), NOW + 2)
    assert (directory / "tables.list").read_bytes() == after


def test_a_cancelled_repair_leaves_nothing(directory: Path) -> None:
    cut(directory / listed(directory)[0], 250)
    plan = plan_repair(directory, now=NOW)
    before = stack_files(directory)

    def stop(progress: Progress) -> None:
        if progress.phase == "verify tables":
            raise Cancelled

    with pytest.raises(Cancelled):
        repair(directory, plan, now=NOW, progress=stop)
    assert stack_files(directory) == before
    assert list_snapshots(directory) == []


def test_a_table_that_does_not_get_its_name_is_what_a_repair_fails_of(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut(directory / listed(directory)[0], 250)
    plan = plan_repair(directory, now=NOW)
    before, new = stack_files(directory), plan.tables[0].name
    rename = os.rename

    def fail(source: str, target: str) -> None:
        if os.fspath(target).endswith(new):
            raise OSError(errno.EIO, "no disk left", source, None, target)
        rename(source, target)

    monkeypatch.setattr(os, "rename", fail)
    with pytest.raises(OSError, match="no disk left"):
        repair(directory, plan, now=NOW)
    assert stack_files(directory) == before


def test_one_table_alone_can_be_repaired(directory: Path) -> None:
    names = listed(directory)
    cut(directory / names[0], 250)
    (directory / "x.ref.temp.abc").touch()
    plan = plan_repair(directory, tables=[names[0]], now=NOW)
    assert kinds_of(plan) == {StepKind.REWRITE_TABLE: names[0], StepKind.WRITE_LIST: "tables.list"}
    repair(directory, plan, now=NOW)
    assert errors(directory) == []
    assert (directory / "x.ref.temp.abc").exists()


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: cut(path / listed(path)[0], 250),
        lambda path: (path / listed(path)[0]).unlink(),
        lambda path: cut(path / "tables.list", 60),
        lambda path: cut(path / "tables.list", 0),
        lambda path: (path / "tables.list").unlink(),
    ],
    ids=["table-cut", "table-gone", "list-cut", "list-emptied", "list-gone"],
)
def test_a_lock_alone_can_be_removed_whatever_else_is_damaged(
    directory: Path, damage: Callable[[Path], object]
) -> None:
    for name in ("tables.list", listed(directory)[0]):
        os.utime(lock(directory, name), (NOW - 7200, NOW - 7200))
    damage(directory)
    before = stack_files(directory)
    plan = plan_repair(directory, tables=["tables.list.lock"], now=NOW)
    assert kinds_of(plan) == {StepKind.REMOVE_LOCK: "tables.list.lock"}
    assert outcomes(plan) == {}
    assert damages(plan) == []
    done = repair(directory, plan, now=NOW)
    assert done.removed == ("tables.list.lock",)
    del before["tables.list.lock"]
    assert stack_files(directory) == before


def test_a_lock_alone_is_removed_while_others_go_on_with_the_stack(directory: Path) -> None:
    """Even while the list is locked, and when the tables of the plan are gone: it is about none of them."""
    name = listed(directory)[0]
    path = lock(directory, name)
    os.utime(path, (NOW - 7200, NOW - 7200))
    plan = plan_repair(directory, tables=[path.name], now=NOW)
    path.rename(directory / "aside")
    with Stack.open(directory) as others:
        others.compact_all()
    (directory / "aside").rename(path)
    os.utime(path, (NOW - 7200, NOW - 7200))
    now = listed(directory)
    assert name not in now
    with LockFile(str(directory / "tables.list")):
        done = repair(directory, plan, now=NOW)
    assert done.removed == (path.name,)
    assert not path.exists()
    assert listed(directory) == now
    assert done.snapshot is not None
    assert (done.snapshot.unlocked, done.snapshot.kept) == ((path.name,), True)
    assert done.snapshot.tables == tuple(now)


def test_a_new_name_is_no_file_and_no_line_of_the_list(directory: Path) -> None:
    names = listed(directory)
    for name in names[:2]:
        cut(directory / name, 250)
    missing = names[0].replace("-00000002.", "-00000009.")
    list_tables(directory, [*names, missing])
    suffixes = iter([2, 9, 7, 4, 7])
    plan = plan_repair(directory, replace(options(), suffix=suffixes.__next__), now=NOW)
    assert [table.name[-12:] for table in plan.tables] == ["00000007.ref", "00000007.ref", "00000006.ref"]
    with pytest.raises(ApiError, match="suffixes must differ"):
        plan_repair(directory, replace(options(), suffix=lambda: 2), now=NOW)


def kinds_of(plan: object) -> dict[StepKind, str]:
    return {step.kind: step.file for step in plan.steps}  # type: ignore[attr-defined]


def test_expired_logs_stay_expired(directory: Path) -> None:
    """The inputs of an expiry hold what it dropped; where both lie about, the newer table counts."""
    inputs = listed(directory)
    files = {name: (directory / name).read_bytes() for name in inputs}
    with Stack.open(directory, options()) as stack:
        stack.compact_all(Expiry(min_update_index=3))
        after = list(stack.refs()), list(stack.logs())
    for name, data in files.items():
        (directory / name).write_bytes(data)
    (directory / "tables.list").unlink()
    mend(directory)
    assert state(directory) == after


def test_a_log_index_of_the_go_library_is_built_anew(tmp_path: Path) -> None:
    """With the entries of the ref index in front of its own, so that looking up a reflog fails."""
    table = Handmade()
    names = [b"refs/heads/%d" % number for number in range(8)]
    blocks = [(name, table.refs([RefRecord(name, 1, oid(1))])) for name in names]
    ref_index = table.index(blocks)
    logs = [
        (log_key(name, 1), table.logs([LogRecord(name, 1, oid(0), oid(1), b"A", b"a@b", 1, 0, b"m\n")]))
        for name in (b"refs/heads/z%d" % number for number in range(8))
    ]
    root = table.index([*blocks, *logs])
    install(tmp_path, table, ref_index_offset=ref_index, log_offset=logs[0][1], log_index_offset=root)
    before = state(tmp_path)
    assert codes(tmp_path) == ["index-foreign"]
    mended = mend(tmp_path)
    assert state(tmp_path) == before
    assert len(before[0]) == len(before[1]) == 8
    assert mended.told == {}
    assert codes(tmp_path) == []


def test_a_table_cut_off_between_two_blocks_is_not_taken_for_whole(tmp_path: Path) -> None:
    name = "0x000000000001-0x000000000001-00000001.ref"
    names = [b"refs/heads/%02d" % number for number in range(40)]
    write_table(
        tmp_path / name, [RefRecord(one, 1, oid(1)) for one in names], options=WriteOptions(block_size=256)
    )
    with Table.open(tmp_path / name) as table:
        ends = [block.next_offset for block in table.blocks() if block.type == REF]
    cut(tmp_path / name, ends[1])
    losses = losses_of(tmp_path / name)
    assert 0 < losses.refs < 40
    assert losses.gaps == (Gap(names[losses.refs - 1], None),)
    assert losses.lost_logs


def test_log_entries_that_may_be_wrong_stay_out_of_the_repaired_stack(tmp_path: Path) -> None:
    """What inflates in front of the damage that shows may be damaged as well."""
    path = tmp_path / "0x000000000001-0x0000000000c8-00000001.ref"
    logs = [
        LogRecord(NAMES[0], at, oid(at), oid(at + 1), b"A", b"a@b", at, 0, oid(at).hex().encode() + b"\n")
        for at in range(200, 0, -1)
    ]
    write_table(path, [RefRecord(NAMES[0], 200, oid(201))], logs, WriteOptions(block_size=2**16), (1, 200))
    list_tables(tmp_path, [path.name])
    change_byte(path, path.stat().st_size // 2)
    mended = mend(tmp_path)
    assert 20 < mended.logs.uncertain < 200
    assert (mended.logs.kept, mended.logs.may_be_lost) == (0, True)
    assert f"{mended.logs.uncertain} reflog entries from damaged bytes" in mended.plan.steps[0].result
    assert state(tmp_path) == ([RefRecord(NAMES[0], 200, oid(201))], [])
    # The file with all of them is in the snapshot, which is never pruned.
    assert mended.snapshot.kept
    assert path.name in mended.snapshot.files


def test_of_two_orphans_for_one_lost_table_the_one_that_holds_more_is_taken_up(
    tmp_path: Path,
) -> None:
    directory = tmp_path / "reftable"
    directory.mkdir()
    with Stack.open(directory, StackOptions(auto_compact=False)) as stack:
        for number in range(3):
            with stack.addition() as addition, addition.table() as writer:
                names = [b"refs/heads/%d-%d" % (number, at) for at in range(4)]
                writer.add_refs(RefRecord(name, addition.update_index, oid(1)) for name in names)
    lost = directory / listed(directory)[0]
    first, more = (f"0x000000000001-0x000000000001-0000000{at}.ref" for at in (1, 2))
    write_table(directory / first, [RefRecord(b"refs/heads/0-0", 1, oid(1))])
    (directory / more).write_bytes(lost.read_bytes())
    lost.write_bytes(b"\xff" * 500)
    plan = plan_repair(directory)
    assert plan.tables[0].source == more


def test_a_log_entry_that_is_deleted_is_not_lost_when_a_list_is_put_in_order(tmp_path: Path) -> None:
    entry = LogRecord(NAMES[0], 1, oid(0), oid(1), b"A", b"a@b", 1, 0, b"m\n")
    deleted = LogRecord(NAMES[0], 1)
    names = [f"{format_table_name(index, index, index)}.ref" for index in (1, 2)]
    write_table(tmp_path / names[0], [RefRecord(NAMES[0], 1, oid(1))], [entry], limits=(1, 1))
    write_table(tmp_path / names[1], [RefRecord(NAMES[0], 2)], [deleted], limits=(2, 2))
    list_tables(tmp_path, names[::-1])
    logs = mend(tmp_path).logs
    assert (logs.kept, logs.lost, logs.returned) == (0, 0, 0)


def test_one_table_cannot_be_set_aside_and_taken_up_at_once(directory: Path) -> None:
    name = listed(directory)[0]
    with pytest.raises(ApiError, match=f"{name} cannot be set aside and taken up at once"):
        plan_repair(directory, set_aside=[name], take_up=[name])


def test_limits_that_are_no_range_are_those_of_the_name(directory: Path) -> None:
    before = state(directory)
    change_header(directory / listed(directory)[1], min_update_index=3, max_update_index=1)
    assert mend(directory).told == {}
    assert state(directory) == before


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data + bytes(4096 - len(data)),
        lambda data: data[:-60] + bytes(60),
        lambda data: bytes(len(data)),
        *(lambda data, at=at: data[:at] + bytes([data[at] ^ 5]) + data[at + 1 :] for at in (5, 30, 40)),
    ],
    ids=["NULs behind", "NULs at the end", "NULs alone", "a digit", "a suffix", "an ending"],
)
def test_a_list_of_which_bytes_are_wrong_loses_nothing_while_its_tables_are_there(
    directory: Path, damage: Callable[[bytes], bytes]
) -> None:
    before, path = state(directory), directory / "tables.list"
    path.write_bytes(damage(path.read_bytes()))
    mended = mend(directory)
    assert set(mended.told.values()) <= {"changed", "returned"}
    assert (mended.logs.lost, mended.logs.may_be_lost, damages(mended.plan)) == (0, False, [])
    assert state(directory) == before


@pytest.mark.parametrize("place", [0, 1, 2])
def test_of_a_table_that_cannot_be_read_beside_a_lost_list_the_loss_is_told(
    directory: Path, place: int
) -> None:
    """Also of one that would be the first: it may have been part of the stack as any other."""
    path = directory / listed(directory)[place]
    path.write_bytes(bytes(path.stat().st_size))
    (directory / "tables.list").unlink()
    mended = mend(directory)
    assert [damage.file for damage in damages(mended.plan)] == [path.name]
    doubtful = {name for name, outcome in mended.told.items() if outcome == "doubtful"}
    newest = [NAMES[number] for number in range(0, 12, 3)]
    assert doubtful == [set(), set(NAMES).difference(newest), set(NAMES)][place]


def compact(directory: Path) -> Path:
    """Merge all tables, and leave what they were, as a process that dies at once."""
    tables = {name: (directory / name).read_bytes() for name in listed(directory)}
    with Stack.open(directory, options()) as stack:
        stack.compact(0, len(tables))
    for name, data in tables.items():
        (directory / name).write_bytes(data)
    [merged] = listed(directory)
    return directory / merged


def damage_ref(path: Path, number: int) -> None:
    data = path.read_bytes()
    at = data.index(value(number, 1))
    path.write_bytes(data[: at - 8] + bytes(8) + data[at:])


def test_in_the_place_of_a_damaged_compaction_what_it_was_made_of_counts_where_that_is_still_there(
    directory: Path,
) -> None:
    before, names = state(directory), listed(directory)
    damage_ref(merged := compact(directory), 5)
    mended = mend(directory)
    assert [table.source for table in mended.plan.tables] == names
    assert [step.file for step in mended.plan.of(StepKind.SET_ASIDE)] == [merged.name]
    assert set(mended.told.values()) <= {"changed", "returned"}
    assert (damages(mended.plan), mended.logs.lost, mended.logs.may_be_lost) == ([], 0, False)
    assert state(directory) == before


def test_a_value_that_its_reflog_contradicts_is_no_evidence_against_what_a_table_was_made_of(
    directory: Path,
) -> None:
    before, names = state(directory), listed(directory)
    path = compact(directory)
    change_byte(path, path.read_bytes().index(value(5, 1)) + 10)
    mended = mend(directory)
    assert [table.source for table in mended.plan.tables] == names
    assert state(directory) == before


@pytest.mark.parametrize("record", ["another value", "another ref", "no ref", "another log entry"])
def test_tables_beside_a_damaged_one_that_contradict_it_are_not_what_it_was_made_of(
    directory: Path, record: str
) -> None:
    names = listed(directory)
    damage_ref(compact(directory), 5)
    with Table.open(directory / names[2]) as table:
        records: list[RefRecord] = [*table.refs()]
        logs: list[LogRecord] = [*table.logs()]
    if record == "another log entry":
        one = logs[0]
        logs[0] = LogRecord(one.name, one.update_index, oid(1), one.new, b"A", b"a@b", 3, 0, b"m\n")
    elif record == "another value":
        records[-1] = RefRecord(NAMES[9], 3, target=NAMES[1])
    elif record == "another ref":
        records.append(RefRecord(NAMES[10], 3, oid(1)))
    else:
        del records[-1]
    write_table(directory / names[2], records, logs, limits=(3, 3))
    plan = plan_repair(directory, now=NOW)
    assert len(plan.of(StepKind.REWRITE_TABLE)) == 1
    assert plan.of(StepKind.TAKE_UP) == ()


def test_some_of_what_a_damaged_compaction_was_made_of_does_not_take_its_place(directory: Path) -> None:
    names = listed(directory)
    damage_ref(compact(directory), 5)
    (directory / names[1]).unlink()
    plan = plan_repair(directory, now=NOW)
    assert len(plan.of(StepKind.REWRITE_TABLE)) == 1
    assert plan.of(StepKind.TAKE_UP) == ()


def damage_logs(path: Path) -> None:
    with Table.open(path) as table:
        offsets = [block.offset for block in table.blocks() if block.type == LOG]
    for offset in offsets:
        change_byte(path, offset + 20)


@pytest.mark.parametrize("gone", [0, 1, 2])
def test_log_entries_that_a_damaged_compaction_has_lost_are_taken_from_some_of_what_it_was_made_of(
    directory: Path, gone: int
) -> None:
    """Behind the repair, nothing tells that these were needed."""
    (refs_before, logs_before), names = state(directory), listed(directory)
    path = compact(directory)
    damage_logs(path)
    (directory / names[gone]).unlink()
    mended = mend(directory)
    assert "taken from tables that it was made of" in mended.plan.of(StepKind.REWRITE_TABLE)[0].result
    refs_after, logs_after = state(directory)
    assert refs_after == refs_before
    assert logs_after == [one for one in logs_before if one.update_index != gone + 1]
    assert (mended.logs.returned, mended.logs.may_be_lost) == (len(logs_after), True)


@pytest.mark.parametrize("record", ["ref", "log entry"])
def test_no_log_entries_are_taken_of_tables_that_a_damaged_one_was_not_made_of(
    directory: Path, record: str
) -> None:
    names = listed(directory)
    path = compact(directory)
    with Table.open(path) as table:
        last = [block.offset for block in table.blocks() if block.type == LOG][-1]
    change_byte(path, last + 20)
    (directory / names[1]).unlink()
    (directory / names[2]).unlink()
    with Table.open(directory / names[0]) as table:
        records, logs = [*table.refs()], [*table.logs()]
    if record == "ref":
        records[1] = RefRecord(NAMES[1], 1, oid(1))
    else:
        logs[0] = LogRecord(NAMES[0], 1, oid(1), oid(2), b"A", b"a@b", 3, 0, b"m\n")
    write_table(directory / names[0], records, logs, limits=(1, 1))
    plan = plan_repair(directory, now=NOW)
    assert "taken from" not in plan.of(StepKind.REWRITE_TABLE)[0].result
    assert [step.file for step in plan.of(StepKind.LEAVE_OUT)] == [names[0]]


def test_of_a_ref_that_a_damaged_compaction_has_not_no_log_entries_are_taken(tmp_path: Path) -> None:
    """It was deleted, as a table tells that is gone by now."""
    with Stack.open(tmp_path, options()) as stack:
        write(stack, [0, 1, 2])
        with stack.addition() as addition, addition.table() as writer:
            writer.add_ref(RefRecord(NAMES[1], addition.update_index))
            writer.add_log(LogRecord(NAMES[1], 1))
    names = listed(tmp_path)
    damage_logs(compact(tmp_path))
    (tmp_path / names[1]).unlink()
    plan = plan_repair(tmp_path, now=NOW)
    assert log_outcomes(plan).returned == 2
    repair(tmp_path, plan, now=NOW)
    assert {one.name for one in state(tmp_path)[1]} == {NAMES[0], NAMES[2]}


@pytest.fixture
def compacted(tmp_path: Path) -> tuple[Path, list[str]]:
    """A compaction of three tables beside it: the second deletes a branch, which the compaction has not."""
    path = tmp_path / "compacted"
    path.mkdir()
    with Stack.open(path, options()) as stack:
        write(stack, [0, 1, 2], logs=False)
        with stack.addition() as addition, addition.table() as writer:
            writer.add_ref(RefRecord(NAMES[1], addition.update_index))
        write(stack, [2])
    names = listed(path)
    compact(path)
    return path, names


@pytest.mark.parametrize("is_cut", [True, False])
def test_what_a_sound_table_was_made_of_goes_together_also_where_one_of_it_is_damaged(
    compacted: tuple[Path, list[str]], is_cut: bool
) -> None:
    """That the branch was deleted, the damaged one alone told."""
    path, names = compacted
    before, damaged = state(path), path / names[1]
    damaged.write_bytes(damaged.read_bytes()[:40] if is_cut else bytes(100))
    mended = mend(path)
    assert [step.file for step in mended.plan.of(StepKind.REMOVE_FILE)] == names
    assert (mended.told, damages(mended.plan)) == ({}, [])
    assert state(path) == before


@pytest.mark.parametrize("number", [0, 2, 3])
def test_tables_with_what_a_sound_one_has_not_are_kept_beside_a_damaged_one(
    compacted: tuple[Path, list[str]], number: int
) -> None:
    """It can have lost nothing that is newer than what the last table has."""
    path, names = compacted
    (path / names[1]).write_bytes(bytes(100))
    with Table.open(path / names[2]) as table:
        logs = [*table.logs()]
    other = RefRecord(NAMES[number], 3, target=b"refs/heads/main")
    write_table(path / names[2], [other], logs, limits=(3, 3))
    plan = plan_repair(path, now=NOW)
    assert plan.of(StepKind.REMOVE_FILE) == ()
    assert names[2] in {step.file for step in plan.of(StepKind.LEAVE_OUT)}
    assert outcomes(plan)[NAMES[number]] == "doubtful"


def test_tables_that_lack_a_log_entry_of_a_sound_one_are_not_what_it_was_made_of(
    compacted: tuple[Path, list[str]],
) -> None:
    path, names = compacted
    (path / names[1]).write_bytes(bytes(100))
    write_table(path / names[2], [RefRecord(NAMES[2], 3, value(2, 3))])
    assert [step.file for step in plan_repair(path, now=NOW).of(StepKind.LEAVE_OUT)] == [names[0]]


def test_of_a_table_whose_line_is_gone_and_that_cannot_be_read_the_loss_is_told(directory: Path) -> None:
    """No other table has its update indexes; the snapshot keeps it."""
    first, lost, last = listed(directory)
    list_tables(directory, [first, last])
    (directory / lost).write_bytes(bytes(300))
    mended = mend(directory)
    assert [step.file for step in mended.plan.of(StepKind.SET_ASIDE)] == [lost]
    assert [(one.file, one.low, one.high) for one in damages(mended.plan)] == [(lost, 2, 2)]
    newest = {NAMES[number] for number in range(0, 12, 3)}
    assert mended.told == dict.fromkeys(set(NAMES) - newest, "doubtful")
    assert mended.logs.may_be_lost


@pytest.mark.parametrize("size", [0, 45, 100], ids=["empty", "cut within a name", "NULs"])
def test_of_a_list_that_lost_names_a_table_that_is_missing_between_others_is_lost(
    directory: Path, size: int
) -> None:
    """Update indexes follow each other: those that no table here has were in one that the list named."""
    path, names = directory / "tables.list", listed(directory)
    data = path.read_bytes()
    path.write_bytes(data[:size] if size < 100 else data[: len(names[0]) + 1].ljust(len(data), b"\0"))
    (directory / names[1]).unlink()
    mended = mend(directory)
    assert [(one.low, one.high) for one in damages(mended.plan)] == [(2, 2)]
    newest = {NAMES[number] for number in range(0, 12, 3)}
    assert {name for name, outcome in mended.told.items() if outcome == "doubtful"} == set(NAMES) - newest
    assert room_for_refs(mended.plan) is None


@pytest.mark.parametrize("is_there", [True, False], ids=["empty", "gone"])
def test_of_a_lost_list_a_table_that_is_missing_before_all_others_is_lost(
    directory: Path, is_there: bool
) -> None:
    """The first table of a stack has the update index 1."""
    path, names = directory / "tables.list", listed(directory)
    path.unlink()
    if is_there:
        path.touch()
    (directory / names[0]).unlink()
    mended = mend(directory)
    assert [(one.low, one.high) for one in damages(mended.plan)] == [(1, 1)]
    assert mended.logs.may_be_lost


def test_a_table_that_is_missing_between_those_that_a_list_has_lost_is_lost(tmp_path: Path) -> None:
    """The list is whole, but ends before tables that are there."""
    tables = many(tmp_path)
    list_tables(tmp_path, [path.name for path in tables[:2]])
    tables[3].unlink()
    mended = mend(tmp_path)
    assert [(one.file, one.low, one.high) for one in damages(mended.plan)] == [("tables.list", 4, 4)]
    doubtful = {name for name, outcome in mended.told.items() if outcome == "doubtful"}
    assert doubtful == {NAMES[1], NAMES[2], NAMES[3]}


@pytest.mark.parametrize("cut_off", [False, True])
def test_a_list_that_lost_a_line_between_others_may_have_lost_the_last_one_too(
    tmp_path: Path, cut_off: bool
) -> None:
    """Unless a lock on the list still has the name of the last table: its writer was killed."""
    tables = [path.name for path in many(tmp_path)]
    list_tables(tmp_path, [tables[number] for number in (0, 1, 3, 4)])
    if cut_off:
        (tmp_path / "tables.list.lock").write_bytes(pack_table_list([*listed(tmp_path), tables[5]]))
        os.utime(tmp_path / "tables.list.lock", (1000, 1000))
    plan = plan_repair(tmp_path)
    taken = {step.file: step.options for step in plan.of(StepKind.TAKE_UP)}
    either = (StepKind.TAKE_UP, StepKind.SET_ASIDE)
    assert taken == dict.fromkeys([tables[2]] if cut_off else [tables[2], tables[5]], either)


def test_of_a_list_in_disorder_a_table_that_is_missing_with_its_line_is_lost(tmp_path: Path) -> None:
    tables = many(tmp_path)
    left = [path.name for path in tables if path is not tables[3]]
    for missing, lost in ((False, []), (True, [("tables.list", 4, 4)])):
        list_tables(tmp_path, (left if missing else [path.name for path in tables])[::-1])
        if missing:
            tables[3].unlink()
        plan = plan_repair(tmp_path)
        assert plan.has_lost_names is missing
        assert [(one.file, one.low, one.high) for one in damages(plan)] == lost


def test_where_a_listed_table_is_missing_others_may_be_that_no_line_names(tmp_path: Path) -> None:
    tables = many(tmp_path)
    list_tables(tmp_path, [path.name for path in tables if path is not tables[2]])
    for number in (2, 4):
        tables[number].unlink()
    assert {(one.low, one.high) for one in damages(mend(tmp_path).plan)} == {(3, 3), (5, 5)}


def test_update_indexes_that_no_table_has_tell_nothing_where_the_list_has_lost_nothing(
    tmp_path: Path,
) -> None:
    """A compaction may have left nothing of them."""
    tables = many(tmp_path)
    list_tables(tmp_path, [tables[number].name for number in (1, 2, 4, 5)])
    for number in (0, 3):
        tables[number].unlink()
    tables[4].write_bytes(tables[4].read_bytes() + b"x")
    mended = mend(tmp_path)
    assert (mended.told, damages(mended.plan)) == ({}, [])


@pytest.mark.parametrize("is_same", [True, False], ids=["its own", "another history"])
def test_a_compaction_of_a_listed_table_and_of_one_that_is_gone_takes_the_place_of_both(
    tmp_path: Path, is_same: bool
) -> None:
    """An older list that was put back in part names what it was made of."""
    tables = many(tmp_path)
    before, second = state(tmp_path), tables[1].read_bytes()
    with Stack.open(tmp_path, options()) as stack:
        stack.compact(0, 2)
    [merged, *_] = listed(tmp_path)
    tables[1].write_bytes(second)
    if not is_same:
        tables[1].unlink()
        write_table(tables[1], [RefRecord(NAMES[2], 2, oid(7))])
    list_tables(tmp_path, [path.name for path in tables[1:]])
    plan = plan_repair(tmp_path, now=NOW)
    assert [step.file for step in plan.of(StepKind.TAKE_UP)] == [merged] * is_same
    assert [step.file for step in plan.of(StepKind.LEAVE_OUT)] == [merged] * (not is_same)
    if is_same:
        mended = mend(tmp_path)
        assert state(tmp_path) == before
        assert (damages(mended.plan), errors(tmp_path)) == ([], [])


# Tables under the names of others


def many(directory: Path) -> list[Path]:
    """Six tables, each of which moves one branch and the first one."""
    with Stack.open(directory, options()) as stack:
        for number in range(1, 7):
            write(stack, [0, number], logs=False)
    return [directory / name for name in listed(directory)]


def swap(one: Path, other: Path) -> None:
    contents = one.read_bytes(), other.read_bytes()
    other.write_bytes(contents[0])
    one.write_bytes(contents[1])


@pytest.mark.parametrize("copied", [3, 5])
def test_what_a_table_held_that_another_one_was_copied_over_is_lost(tmp_path: Path, copied: int) -> None:
    """What lies there now is said to be of other update indexes: none was read of those in the name."""
    tables = many(tmp_path)
    tables[1].write_bytes(tables[copied].read_bytes())
    mended = mend(tmp_path)
    assert [(one.file, one.low, one.high) for one in damages(mended.plan)] == [(tables[1].name, 2, 2)]
    assert mended.told == {NAMES[1]: "doubtful"}
    assert mended.logs.may_be_lost
    assert room_for_refs(mended.plan) is None


@pytest.mark.parametrize("size", [0, 1], ids=["same", "damaged"])
def test_a_copy_over_a_newer_table_hides_no_newer_value(tmp_path: Path, size: int) -> None:
    """Listed last, it has an older one; what is damaged is no copy, and merged as git reads it."""
    tables = many(tmp_path)
    tables[5].write_bytes(tables[1].read_bytes() + bytes(size))
    before = value(0, 5)
    mended = mend(tmp_path)
    assert [(one.low, one.high) for one in damages(mended.plan)] == [(6, 6)]
    assert (refs(tmp_path)[NAMES[0]] == before) == (not size)
    assert mended.told[NAMES[0]] == "doubtful"
    assert [step.file for step in mended.plan.of(StepKind.SET_ASIDE)] == [tables[5].name] * (not size)


@pytest.mark.parametrize("is_there", [True, False], ids=["cut", "gone"])
def test_the_newest_table_under_which_an_older_one_lies_that_its_name_misses_is_lost(
    tmp_path: Path, is_there: bool
) -> None:
    tables = many(tmp_path)
    swap(tables[4], tables[5])
    if is_there:
        tables[4].write_bytes(b"")
    else:
        tables[4].unlink()
    mended = mend(tmp_path)
    assert [(one.file, one.low, one.high) for one in damages(mended.plan)] == [(tables[5].name, 6, 6)]


def test_of_two_tables_that_were_exchanged_the_loss_of_one_is_told(tmp_path: Path) -> None:
    tables = many(tmp_path)
    swap(tables[2], tables[4])
    tables[4].write_bytes(bytes(300))  # which was the third
    mended = mend(tmp_path)
    assert [(one.file, one.low, one.high) for one in damages(mended.plan)] == [(tables[2].name, 3, 3)]
    assert {name for name, outcome in mended.told.items() if outcome == "doubtful"} == {NAMES[1], NAMES[2]}


def test_a_table_within_the_limits_of_others_that_are_merged_is_lost_all_the_same(tmp_path: Path) -> None:
    """Between the limits of what was merged lie update indexes that none of the inputs has."""
    tables = many(tmp_path)
    tables[5].write_bytes(tables[1].read_bytes() + b"x")
    tables[2].unlink()
    mended = mend(tmp_path)
    [merged] = [table for table in mended.plan.tables if len(table.files) > 1]
    assert merged.limits == (2, 5)
    assert {damage.low for damage in damages(mended.plan)} == {3, 6}


def test_a_table_that_has_a_wrong_name_has_lost_nothing(tmp_path: Path) -> None:
    tables = many(tmp_path)
    other = format_table_name(9, 9, 0) + ".ref"
    tables[5].rename(tmp_path / other)
    list_tables(tmp_path, [*(path.name for path in tables[:5]), other])
    mended = mend(tmp_path)
    assert (mended.told, damages(mended.plan)) == ({}, [])


def test_of_a_lost_list_the_newest_table_that_another_one_was_copied_over_is_lost(tmp_path: Path) -> None:
    """One of the two is no part of the stack, but no table has what the name of one tells."""
    tables = many(tmp_path)
    tables[5].write_bytes(tables[3].read_bytes())
    (tmp_path / "tables.list").unlink()
    mended = mend(tmp_path)
    assert [(one.low, one.high) for one in damages(mended.plan)] == [(6, 6)]
    assert mended.told[NAMES[5]] == "doubtful"
    assert room_for_refs(mended.plan) is None


def test_a_table_beside_the_list_that_a_listed_one_was_copied_over_is_lost(tmp_path: Path) -> None:
    """It was the next one."""
    tables = many(tmp_path)
    list_tables(tmp_path, [path.name for path in tables[:5]])
    tables[5].write_bytes(tables[4].read_bytes())
    mended = mend(tmp_path)
    assert [(one.file, one.low, one.high) for one in damages(mended.plan)] == [(tables[5].name, 6, 6)]
    assert room_for_refs(mended.plan) is None


@pytest.mark.parametrize("number", [0, 4], ids=["oldest", "newest"])
def test_a_table_under_the_name_of_an_older_one_is_evidence_of_that(tmp_path: Path, number: int) -> None:
    """Its own file and line are gone: nothing else tells."""
    tables = many(tmp_path)
    tables[number].write_bytes(tables[number + 1].read_bytes())
    tables.pop(number + 1).unlink()
    list_tables(tmp_path, [path.name for path in tables])
    mended = mend(tmp_path)
    lost = number + 1
    assert [(one.file, one.low, one.high) for one in damages(mended.plan)] == [
        (tables[number].name, lost, lost)
    ]


@pytest.mark.parametrize("size", [3, 40, 70])
def test_an_exchanged_table_without_its_footer_keeps_the_update_indexes_of_its_header(
    tmp_path: Path, size: int
) -> None:
    """Its name is that of a newer one: its values are older for all that."""
    tables = many(tmp_path)
    before = refs(tmp_path)
    swap(tables[1], tables[5])
    cut(tables[5], tables[5].stat().st_size - size)
    plan = mend(tmp_path).plan
    assert [table.limits for table in plan.tables] == [(at, at) for at in range(1, 7)]
    assert refs(tmp_path) == before


@pytest.mark.parametrize("appended", [bytes(5000), b"REFT" + bytes(300), b"x"], ids=["NULs", "magic", "x"])
def test_what_was_appended_to_a_table_costs_nothing(directory: Path, appended: bytes) -> None:
    before, path = state(directory), directory / listed(directory)[1]
    path.write_bytes(path.read_bytes() + appended)
    mended = mend(directory)
    assert (mended.told, mended.logs.may_be_lost, damages(mended.plan)) == ({}, False, [])
    assert state(directory) == before

"""What is said to become of each ref is what becomes of it, however few of them are looked at."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest

from engine.format import LogRecord, RefRecord, format_table_name
from engine.fsck import fsck
from engine.repair import Outcome, RefOutcome, damages, judged_refs, plan_repair, ref_outcomes, repair
from engine.stack import Stack, StackOptions
from engine.table import Table
from tests.support.findings import NOW
from tests.support.handmade import change_byte
from tests.support.repairs import state, told
from tests.support.stacks import OPTIONS, list_tables, listed
from tests.support.tables import oid, write_table

REFS = 600


@pytest.fixture(params=["with logs", "without"])
def stack(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Make a stack of three tables with several blocks each; every fifth ref is deleted by the upper two."""
    options = StackOptions(auto_compact=False, block_size=256, suffix=count(1).__next__)
    with Stack.open(tmp_path, options) as stack:
        for number in range(3):
            with stack.addition() as addition, addition.table() as writer:
                index = addition.update_index
                names = [(at, b"refs/heads/b%03d" % at) for at in range(0, REFS, 1 + number)]
                writer.add_ref(RefRecord(b"HEAD", index, target=b"refs/heads/b001"))
                for at, name in names:
                    is_gone = number and at % 5 == 0
                    writer.add_ref(RefRecord(name, index, None if is_gone else oid(number * REFS + at)))
                for at, name in names if request.param == "with logs" else ():
                    if at % 5:
                        new = oid(number * REFS + at)
                        writer.add_log(LogRecord(name, index, oid(0), new, b"A", b"a@b", 1, 0, b"m\n"))
    return tmp_path


@pytest.mark.parametrize("place", [0, 1, 2])
def test_what_is_told_of_refs_is_what_becomes_of_them(stack: Path, place: int) -> None:
    path = stack / listed(stack)[place]
    before = {ref.name: ref for ref in state(stack)[0]}
    with Table.open(path) as table:
        at = [block.offset for block in table.blocks() if block.type == ord("r")][3]
    data = bytearray(path.read_bytes())
    data[at] = 0
    path.write_bytes(data)
    plan = plan_repair(stack, now=NOW)
    everything = {one.name: one for batch in ref_outcomes(plan, kept=True) for one in batch}
    assert {one.name for one in told(plan)} == {
        one.name for one in everything.values() if one.outcome is not Outcome.KEPT
    }
    kept = sum(kept for kept, _ in judged_refs(plan))
    repair(stack, plan, now=NOW)
    after = {ref.name: ref for ref in state(stack)[0]}
    assert {name: one.after for name, one in everything.items() if one.after is not None} == after
    # What shows another value than before the damage is told, but for what left no trace.
    others = {name for name, one in everything.items() if one.outcome is not Outcome.KEPT}
    assert {name for name, ref in before.items() if name in after and after[name] != ref} <= others
    assert kept == len(after.keys() - others) > REFS // 3


def test_a_lost_ref_that_logs_alone_tell_of_is_told_once_and_is_none_of_those_that_are_kept(
    tmp_path: Path,
) -> None:
    refs = [RefRecord(b"refs/heads/branch-%07d" % number, 1, oid(number)) for number in range(500)]
    with Stack.open(tmp_path, OPTIONS) as stack, stack.addition() as addition, addition.table() as writer:
        writer.set_limits(1, 1)
        writer.add_refs(refs)
        # Of an older update, so that they do not give back what is lost.
        writer.add_logs([LogRecord(ref.name, 0, oid(1), oid(2), b"A", b"a@b", 1, 0, b"m\n") for ref in refs])
    change_byte(tmp_path / listed(tmp_path)[0], 4096)
    plan = plan_repair(tmp_path, now=NOW)
    everything = [one for batch in ref_outcomes(plan, kept=True) for one in batch]
    lost = [one.name for one in everything if one.outcome is Outcome.LOST]
    assert sorted(one.name for one in everything) == [ref.name for ref in refs]
    assert [one.name for one in told(plan)] == lost
    assert sum(kept for kept, _ in judged_refs(plan)) == len(refs) - len(lost) < len(refs)


@pytest.mark.parametrize("logs", [True, False])
def test_a_ref_whose_name_got_a_nul_is_restored_from_its_reflog_or_may_be_lost(
    tmp_path: Path, *, logs: bool
) -> None:
    names = [b"refs/heads/%s" % name for name in (b"alpha", b"beta", b"gamma", b"zeta")]
    with Stack.open(tmp_path) as stack, stack.addition() as addition, addition.table() as writer:
        for at, name in enumerate(names):
            writer.add_ref(RefRecord(name, 1, oid(at)))
        for at, name in enumerate(names) if logs else ():
            writer.add_log(LogRecord(name, 1, bytes(20), oid(at), b"A", b"a@b", 1, 0, b"m\n"))
    path = tmp_path / listed(tmp_path)[0]
    data = bytearray(path.read_bytes())
    data[data.index(b"gamma") + 2] = 0
    path.write_bytes(data)
    plan = plan_repair(tmp_path, now=NOW)
    outcomes = {one.name: one.outcome for one in told(plan)}
    assert outcomes == ({names[2]: Outcome.RESTORED} if logs else {})
    [damage] = damages(plan)
    assert [(gap.low, gap.high) for gap in damage.losses.gaps] == [(names[1], names[3])]
    result = repair(tmp_path, plan, now=NOW)
    assert [ref.name for ref in state(tmp_path)[0]] == (names if logs else [*names[:2], names[3]])
    assert result.snapshot is not None


HIDDEN = "a table that is earlier in the list, but newer, "


@pytest.mark.parametrize(
    ("newer", "said"),
    [
        (RefRecord(b"refs/heads/a", 3, oid(3)), f"has {oid(3).hex()}"),
        (RefRecord(b"refs/heads/a", 3, target=b"refs/heads/b"), "has another value"),
        (RefRecord(b"refs/heads/a", 3), "deletes it"),
        (RefRecord(b"refs/heads/a", 3, oid(1)), None),
        (RefRecord(b"refs/heads/a", 1, oid(3)), None),
        (RefRecord(b"refs/heads/other", 3, oid(3)), None),
    ],
)
@pytest.mark.parametrize("entry", [None, 3, 4, 1])
def test_what_hides_a_newer_value_of_a_table_that_overlaps_is_doubtful(
    tmp_path: Path, newer: RefRecord, said: str | None, entry: int | None
) -> None:
    """The list has an older table behind a newer one: what it says counts, and is kept."""
    names = [f"{format_table_name(1, limit, 0)}.ref" for limit in (3, 2)]
    logs = [LogRecord(b"refs/heads/a", 3, oid(1), oid(entry), b"A", b"a@b", 1, 0, b"m\n")] if entry else []
    write_table(tmp_path / names[0], [newer], logs, limits=(1, 3))
    write_table(tmp_path / names[1], [RefRecord(b"refs/heads/a", 2, oid(1))], limits=(1, 2))
    list_tables(tmp_path, names)
    [finding] = [one for one in fsck(tmp_path, now=NOW) if one.code == "ranges-overlap"]
    shows = "; 1 ref shows an older value: 'refs/heads/a'" if said else "; no ref shows an older value"
    assert finding.message.endswith(shows)
    plan = plan_repair(tmp_path, now=NOW)
    expected = []
    if said is not None:
        if entry in (3, 4):
            is_same = oid(entry) == newer.value
            said = f"{'has another value' if is_same else said}; its reflog ends with {oid(entry).hex()}"
        expected = [(b"refs/heads/a", Outcome.DOUBTFUL, HIDDEN + said)]
    assert [(one.name, one.outcome, one.why) for one in told(plan)] == expected
    live = 2 if newer.name == b"refs/heads/other" else 1
    assert sum(kept for kept, _ in judged_refs(plan)) == live - len(expected)
    repair(tmp_path, plan, now=NOW)
    assert {ref.name: ref.value for ref in state(tmp_path)[0]}[b"refs/heads/a"] == oid(1)


def test_of_a_ref_that_an_older_table_deletes_the_newer_value_is_told(tmp_path: Path) -> None:
    """But not where a later table, which does not overlap, is newer than both."""
    names = [f"{format_table_name(low, high, 0)}.ref" for low, high in ((1, 3), (1, 2), (4, 4))]
    refs = [RefRecord(name, 3, oid(3)) for name in (b"refs/heads/a", b"refs/heads/b")]
    write_table(tmp_path / names[0], refs, limits=(1, 3))
    write_table(tmp_path / names[1], [RefRecord(ref.name, 2) for ref in refs], limits=(1, 2))
    write_table(tmp_path / names[2], [RefRecord(b"refs/heads/b", 4, oid(4))])
    list_tables(tmp_path, names)
    plan = plan_repair(tmp_path, now=NOW)
    why = f"{HIDDEN}has {oid(3).hex()}"
    assert told(plan) == [RefOutcome(b"refs/heads/a", Outcome.DOUBTFUL, None, None, why)]
    assert sum(kept for kept, _ in judged_refs(plan)) == 1

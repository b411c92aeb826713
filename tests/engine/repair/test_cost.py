"""What planning and doing a repair costs: a few reads and passes for each block of the stack."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest

from engine.format import LogRecord, RefRecord
from engine.repair import RepairPlan, judged_refs, log_outcomes, plan_repair, repair
from engine.stack import Stack, StackOptions
from engine.table import Table
from tests.support.cost import counted
from tests.support.findings import NOW
from tests.support.stacks import listed
from tests.support.tables import oid

REFS = 3000
PASSES = ("pass_refs", "cut_refs", "split_refs", "decode_refs")
"""The functions that go through all records of a block of refs, or of a part of it."""

pytestmark = pytest.mark.interpreted


@pytest.fixture
def stack(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Make a stack of two tables, the second one half as large as the first.

    With a parameter, each ref has a log entry.
    """
    options = StackOptions(auto_compact=False, block_size=512, suffix=count(1).__next__)
    with Stack.open(tmp_path, options) as stack:
        for step in (1, 2):
            with stack.addition() as addition, addition.table() as writer:
                index = addition.update_index
                writer.add_ref(RefRecord(b"HEAD", index, target=b"refs/heads/b0000"))
                for at in range(0, REFS, step):
                    writer.add_ref(RefRecord(b"refs/heads/b%04d" % at, index, oid(index * REFS + at)))
                for at in range(0, REFS, step) if hasattr(request, "param") else ():
                    new = oid(index * REFS + at)
                    writer.add_log(LogRecord(b"refs/heads/b%04d" % at, index, oid(0), new, message=b"m\n"))
    return tmp_path


def blocks_of(path: Path) -> tuple[list[int], int]:
    """Return where the blocks of refs of a table begin, and how many blocks it has."""
    with Table.open(path) as table:
        blocks = list(table.blocks())
    return [block.offset for block in blocks if block.type == ord("r")], len(blocks)


def outcomes(plan: RepairPlan) -> int:
    """Return how many refs are simply kept, when all are judged."""
    kept = sum(kept for kept, _ in judged_refs(plan))
    log_outcomes(plan)
    return kept


def damaged(path: Path) -> Path:
    """Damage a block of refs in the middle of a table."""
    refs, _ = blocks_of(path)
    data = bytearray(path.read_bytes())
    data[refs[len(refs) // 2]] = 0
    path.write_bytes(data)
    return path


def test_a_damaged_block_is_planned_by_two_passes_over_its_table_and_over_the_others(stack: Path) -> None:
    path, other = (stack / name for name in listed(stack))
    (refs, total), (other_refs, other_total) = blocks_of(path), blocks_of(other)
    damaged(path)
    with counted(*PASSES, "outcome") as cost:
        plan = plan_repair(stack, now=NOW)
        kept = outcomes(plan)
    assert REFS - 20 < kept < REFS + 1
    # fsck passes over all of them, salvaging over those of the damaged table, the outcomes over the others.
    assert cost.calls["pass_refs"] < len(refs) + len(other_refs)
    assert cost.calls["split_refs"] <= len(refs) + 2
    # What was salvaged is in a table of large blocks.
    assert cost.calls["decode_refs"] <= len(other_refs) + 4
    # Of a block, its padding is read as well.
    assert cost.reads < 4.2 * (total + other_total) + 60
    # No ref can be other than it was: none is judged by itself.
    assert not cost.calls["outcome"]


def test_a_plan_is_done_by_a_pass_over_what_was_salvaged_and_one_over_the_new_table(stack: Path) -> None:
    path = stack / listed(stack)[0]
    refs, total = blocks_of(path)
    damaged(path)
    plan = plan_repair(stack, now=NOW)
    with counted(*PASSES, "encode_ref") as cost:
        repair(stack, plan, now=NOW)
    assert cost.calls["pass_refs"] <= len(refs)
    assert cost.calls["cut_refs"] <= 4
    assert not cost.calls["split_refs"]
    assert not cost.calls["decode_refs"] + cost.calls["encode_ref"]
    assert cost.reads < 2.2 * total + 60


@pytest.mark.parametrize("stack", ["with logs"], indirect=True)
def test_reflogs_are_cut_up_a_few_times_for_a_plan_and_only_refs_of_which_they_tell_more_are_judged(
    stack: Path,
) -> None:
    blocks = []
    for name in listed(stack):
        with Table.open(stack / name) as table:
            blocks.append(sum(block.type == ord("g") for block in table.blocks()))
    damaged(stack / listed(stack)[0])
    with counted("split_logs", "decode_logs", "outcome") as cost:
        plan = plan_repair(stack, now=NOW)
        kept = outcomes(plan)
    assert REFS - 30 < kept < REFS
    # By fsck, and to salvage; for what they restore, for who else had these ids, for what becomes of refs,
    # and of themselves.
    assert cost.calls["split_logs"] < sum(blocks) + blocks[0] + 4 * blocks[1] + 20
    # The newest entry of HEAD is looked up in each table.
    assert cost.calls["decode_logs"] <= len(blocks)
    assert cost.calls["outcome"] < REFS // 5

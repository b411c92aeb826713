"""What can be read of a stack that is damaged at random, as files."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.export import write_skeleton
from engine.format import is_refname, is_root_ref
from engine.readable import open_readable
from engine.repair import RepairedStack, plan_repair, repair
from tests.engine.export.test_anonymous import damaged
from tests.support.findings import NOW
from tests.support.tables import stack_files
from tests.support.thinning import thinned


@pytest.mark.parametrize("seed", thinned(range(200), 10))
def test_whatever_is_readable_is_exported_and_nothing_else_is_touched(tmp_path: Path, seed: int) -> None:
    original = damaged(tmp_path / "stack", seed)
    before = stack_files(original)
    with open_readable(original) as stack:
        made = write_skeleton(stack, tmp_path / "out")
        readable = [ref.name for refs in stack.merged.ref_blocks() for ref in refs]
        logged = {log.name for logs in stack.merged.log_blocks() for log in logs}
    assert stack_files(original) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "stack"]
    left = [one for one in made.left_out if one.what == "ref"]
    assert made.refs + len(left) == len(readable)
    assert made.logs + len(made.left_out) - len(left) == len(logged)
    lines = (tmp_path / "out/packed-refs").read_bytes().splitlines()[1:]
    names = [line.split(b" ")[1] for line in lines if not line.startswith(b"^")]
    assert names == sorted(names)
    assert set(names) <= set(readable)
    for path in (tmp_path / "out/logs").rglob("*"):
        name = str(path.relative_to(tmp_path / "out/logs")).encode("utf-8", "surrogateescape")
        assert path.is_dir() or (is_refname(name) and (name.startswith(b"refs/") or is_root_ref(name)))


@pytest.mark.parametrize("seed", thinned(range(200), 10))
def test_what_a_repair_would_make_is_exported_as_the_repaired_stack_is(tmp_path: Path, seed: int) -> None:
    directory = damaged(tmp_path / "stack", seed)
    before, plan = stack_files(directory), plan_repair(directory, now=NOW)
    write_skeleton(RepairedStack(plan), tmp_path / "planned")
    assert stack_files(directory) == before
    repair(directory, plan, now=NOW)
    with open_readable(directory) as stack:
        write_skeleton(stack, tmp_path / "repaired")
        assert not stack.damage_met()
    planned, repaired = (
        {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
        for root in (tmp_path / "planned", tmp_path / "repaired")
    )
    assert planned == repaired


@pytest.mark.parametrize("seed", thinned(range(200), 20))
def test_all_damage_can_be_met_before_anything_is_written(tmp_path: Path, seed: int) -> None:
    original = damaged(tmp_path / "stack", seed)
    with open_readable(original) as stack:
        stack.meet_damage()
        met = list(map(str, stack.damage_met()))
        blocks = list(stack.merged.ref_blocks()), list(stack.merged.log_blocks())
        assert list(map(str, stack.damage_met())) == met
        assert (list(stack.merged.ref_blocks()), list(stack.merged.log_blocks())) == blocks

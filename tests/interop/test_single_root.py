"""A root of one block for each index: JGit reads no other, git writes up to three (eclipse-jgit/jgit#289)."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.format import LogRecord, RefRecord
from engine.fsck import Severity
from engine.repair import StepKind, plan_repair, repair
from engine.snapshot import restore
from engine.table import Table, WriteOptions
from tests.support.cli import ok, run
from tests.support.findings import NOW, codes, only, write_stack
from tests.support.git import Git, Repository
from tests.support.repairs import outcomes
from tests.support.stacks import listed
from tests.support.tables import oid, stack_contents, write_table

COMMON = "refs/heads/a-directory-with-a-long-name/that-all-of-them-have-in-common/and-one-more-below-it/"


@pytest.fixture
def many(git: Git, tmp_path: Path) -> Repository:
    """10,000 branches in one table, as git's housekeeping leaves them."""
    repo = git.init(tmp_path / "repo")
    commit = repo.commit().hex()
    repo.update_refs(f"create {COMMON}{number * 7919:09}-{number:05} {commit}" for number in range(10_000))
    repo.git("pack-refs")
    return repo


def has_several_roots(directory: Path) -> bool:
    with Table.open(directory / listed(directory)[0]) as table:
        return table.has_several_roots


def test_the_table_is_written_with_a_single_root_when_it_is_named(many: Repository) -> None:
    found = only(many.reftable, "index-several-roots")
    assert (found.severity, has_several_roots(many.reftable)) == (Severity.INFO, True)
    shown, before = many.show_ref(), stack_contents(many.reftable)
    assert plan_repair(many.reftable, now=NOW).steps == ()  # git's own stack is sound
    plan = plan_repair(many.reftable, tables=[found.file], now=NOW)
    assert [step.kind for step in plan.steps] == [StepKind.REWRITE_TABLE, StepKind.WRITE_LIST]
    result = repair(many.reftable, plan, now=NOW)
    assert (codes(many.reftable), has_several_roots(many.reftable)) == ([], False)
    assert many.show_ref() == shown
    assert many.git("refs", "verify").stderr == b""
    assert plan_repair(many.reftable, tables=listed(many.reftable), now=NOW).steps == ()
    assert result.snapshot is not None
    restore(many.reftable, result.snapshot, NOW)
    assert stack_contents(many.reftable) == before


def test_a_value_that_its_reflog_does_not_confirm_stays_what_it_is(tmp_path: Path) -> None:
    """The table is sound: nothing of it is to be restored."""
    refs = [RefRecord(b"refs/heads/%05d" % number, 1, oid(number)) for number in range(2000)]
    logs = [LogRecord(ref.name, 1, bytes(20), oid(1), b"A", b"a@b.c", 1, 0, b"m\n") for ref in refs[::3]]
    name = write_stack(tmp_path, refs, logs, WriteOptions(block_size=256)).name
    plan = plan_repair(tmp_path, tables=[name], now=NOW)
    assert set(outcomes(plan).values()) == {"doubtful"}
    repair(tmp_path, plan, now=NOW)
    with Table.open(tmp_path / listed(tmp_path)[0]) as table:
        assert not table.has_several_roots
        assert (list(table.refs()), list(table.logs())) == (refs, logs)


def test_compact_writes_a_single_root_on_demand_even_of_one_table(many: Repository) -> None:
    shown, before = many.show_ref(), listed(many.reftable)
    assert run("compact", many.path).code == 0
    assert listed(many.reftable) == before
    planned = ok("compact", "--single-root", "--dry-run", "--json", many.path).objects[0]
    ok("compact", "--single-root", many.path)
    assert (codes(many.reftable), many.show_ref()) == ([], shown)
    after = listed(many.reftable)
    assert (many.reftable / after[0]).stat().st_size == planned["bytes"]
    ok("compact", "--single-root", many.path)
    assert listed(many.reftable) == after  # there is nothing left to do


def test_index_levels_go_up_to_one_block_and_without_the_option_as_before(tmp_path: Path) -> None:
    refs = [RefRecord(b"refs/heads/%05d" % number, 1, oid(number)) for number in range(2000)]
    sizes = []
    for single_root in (False, True):
        path = tmp_path / f"{single_root}.ref"
        options = WriteOptions(block_size=256, single_root=single_root)
        stats = write_table(path, refs, options=options)
        with Table.open(path) as table:
            assert table.has_several_roots is not single_root
            assert list(table.refs()) == refs
            assert all(table.read_ref(ref.name) == ref for ref in refs[::97])
        sizes.append((stats.ref.max_index_level, stats.size))
    assert sizes[0] < sizes[1]
    few = [
        write_table(tmp_path / "few.ref", refs[:9], options=WriteOptions(256, single_root=one)).size
        for one in (False, True)
    ]
    assert few[0] == few[1]  # a section of three blocks has no index

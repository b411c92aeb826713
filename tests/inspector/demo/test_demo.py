"""The demo stack."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest

from engine.errors import ApiError, RefnameError
from engine.format import check_refname
from engine.merge import suggest_compaction_segment, suggest_geometric_segment
from engine.stack import Stack
from inspector.demo import build_demo
from tests.support.cli import ok, run
from tests.support.git import Git
from tests.support.stacks import listed
from tests.support.tables import stack_files


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One demo stack for all, to be read only."""
    directory = tmp_path_factory.mktemp("demo")
    build_demo(directory)
    return directory


def is_refname(name: bytes) -> bool:
    try:
        check_refname(name)
    except RefnameError:
        return False
    return True


def test_every_demo_is_the_same(demo: Path, tmp_path: Path) -> None:
    build_demo(tmp_path / "new" / "stack")
    assert stack_files(tmp_path / "new" / "stack") == stack_files(demo)


def test_it_has_some_2000_refs_of_every_kind_in_8_tables(demo: Path) -> None:
    with Stack.open(demo, read_only=True) as stack:
        refs = list(stack.refs())
        assert len(stack.tables) == 8
    assert 1900 < len(refs) < 2200
    assert {record.type for record in refs} == {"val1", "val2", "symref"}
    assert {record.name.split(b"/")[1] for record in refs if b"/" in record.name} == {
        b"heads",
        b"pull",
        b"remotes",
        b"tags",
    }


def test_it_has_shadowed_versions_and_tombstones_that_hide_something(demo: Path) -> None:
    with Stack.open(demo, read_only=True) as stack:
        assert len(stack.merged.versions(b"HEAD")) == 8
        dead = [record.name for record in stack.merged.refs(deletions=True) if record.is_deletion]
        hiding = [name for name in dead if len(stack.merged.versions(name)) > 1]
        assert len(hiding) > 10
        assert not [record for record in stack.tables[0].refs() if record.is_deletion]


def test_the_two_rules_disagree_about_it(demo: Path) -> None:
    with Stack.open(demo, read_only=True) as stack:
        sizes = stack.sizes
    log2, geometric = suggest_compaction_segment(sizes), suggest_geometric_segment(sizes)
    assert len(log2) > 1
    assert len(geometric) > 1
    assert (log2.start, log2.end) != (geometric.start, geometric.end)


def test_its_reflogs_are_of_months_in_odd_zones_and_hang_together(demo: Path) -> None:
    with Stack.open(demo, read_only=True) as stack:
        logs = list(stack.logs(b"HEAD"))
        heads = [record for record in stack.refs() if record.name.startswith(b"refs/heads/")]
        newest = {record.name: stack.read_log(record.name) for record in heads}
    assert logs[0].time - logs[-1].time > 6 * 30 * 86400
    assert {545, 530, 1245, -230} <= {record.tz for record in logs}
    assert all(older.new == newer.old for newer, older in pairwise(logs))
    assert all(older.time < newer.time for newer, older in pairwise(logs))
    assert all(
        entry is None or entry.new == record.value for record in heads for entry in [newest[record.name]]
    )


def test_it_has_names_that_are_not_ascii_not_utf8_and_hostile(demo: Path) -> None:
    with Stack.open(demo, read_only=True) as stack:
        names = [record.name for record in stack.refs()]
    assert [name for name in names if not is_refname(name)] == [
        b"refs/heads/\x1b[2J\x1b[31mowned\xe2\x80\xae"
    ]
    assert "refs/heads/yuki/地名の読み仮名".encode() in names
    assert b"refs/heads/import/caf\xe9-latin1" in names


def test_git_reads_it(git: Git, tmp_path: Path) -> None:
    repo = git.init(tmp_path / "repo", bare=True)
    for path in repo.reftable.iterdir():
        path.unlink()
    build_demo(tmp_path / "demo")
    for path in (tmp_path / "demo").iterdir():
        path.rename(repo.reftable / path.name)
    # git compacts what the engine wrote, and both still see the same.
    before = ok("print", repo.reftable).out
    repo.git("pack-refs", "--all")
    assert len(listed(repo.reftable)) == 1
    assert ok("print", repo.reftable).out == before


def test_demo_prints_the_path(tmp_path: Path) -> None:
    directory = tmp_path / "a" / "b"
    assert ok("demo", directory).out.decode() == f"{directory}\n"
    assert ok("demo", "--json", tmp_path / "c").objects == [{"path": str(tmp_path / "c")}]
    assert len(ok("tables", directory, "--json").objects) == 8


def test_demo_refuses_a_directory_that_is_not_empty(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ApiError, match="is not empty"):
        build_demo(tmp_path)
    done = run("demo", tmp_path)
    assert done.code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_damaged_demo_shows_several_kinds_of_damage_and_can_be_repaired(tmp_path: Path) -> None:
    directory = tmp_path / "stack"
    ok("demo", "--damaged", directory)
    found = run("fsck", "--json", directory)
    codes = {json.loads(line)["code"] for line in found.out.splitlines()}
    assert found.code == 1
    assert {"record-damaged", "footer-checksum", "lock-stale", "orphan-table", "temporary-file"} <= codes
    assert run("refs", directory).code == 3
    assert run("repair", "--apply", directory).code == 1, "refs are lost, or may be"
    assert run("fsck", directory).code == 0
    assert len(ok("refs", directory).out.splitlines()) > 1900

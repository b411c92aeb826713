"""Hostile snapshots: no verb hangs or dies of them, and none is used."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from engine.snapshot import list_snapshots
from engine.snapshot.manifest import snapshots_directory
from tests.support.cli import ok, run
from tests.support.stacks import listed, make_stack
from tests.support.tables import oid, stack_files

ADD = f"create refs/heads/hostile {oid(9).hex()}\n".encode()


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    directory = tmp_path / "reftable"
    make_stack(directory, 3)
    ok("compact", directory)
    return directory


def test_a_manifest_that_is_a_pipe_is_named_and_stops_no_verb(stack: Path) -> None:
    (bad,) = list_snapshots(stack)
    manifest = bad.path / "manifest.json"
    manifest.unlink()
    os.mkfifo(manifest)
    assert f"cannot be used: {bad.id}" in ok("snapshots", stack).err
    assert run("undo", stack).code == run("undo", bad.id, stack).code == 2
    ok("add", stack, stdin=ADD)
    ok("compact", stack)
    ok("repair", "--apply", stack)
    ok("undo", stack)
    assert bad.path.exists()


def test_snapshots_behind_a_link_are_not_used(stack: Path, tmp_path: Path) -> None:
    place = snapshots_directory(stack)
    shutil.move(place, tmp_path / "elsewhere")
    place.symlink_to(tmp_path / "elsewhere")
    before = stack_files(stack)
    for verb, stdin in (("snapshots", b""), ("undo", b""), ("add", ADD)):
        done = run(verb, stack, stdin=stdin)
        assert done.code in (3, 6), verb
        assert "a symbolic link, which is not followed" in done.err
    assert stack_files(stack) == before


def test_other_bytes_in_a_snapshot_are_not_put_into_the_stack(stack: Path) -> None:
    (taken,) = list_snapshots(stack)
    path = taken.file(taken.tables[0])
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data[:-1])
    before, names = stack_files(stack), listed(stack)
    done = run("undo", stack)
    assert done.code == 3
    assert "is not what the snapshot" in done.err
    assert (stack_files(stack), listed(stack)) == (before, names)


def taken(stack: Path, number: int) -> list[str]:
    """So many changes, and their snapshots, newest first."""
    for one in range(number):
        ok("add", stack, stdin=ADD.replace(b"hostile", b"%d" % one))
    return [one.id for one in list_snapshots(stack)]


def ids(stack: Path) -> list[str]:
    return [one["id"] for one in ok("snapshots", "--json", stack).objects]


def test_snapshots_are_dropped_by_name(stack: Path) -> None:
    newest, second, third, oldest = taken(stack, 3)
    before = stack_files(stack)
    told = ok("snapshots", "--drop", second, "--drop", oldest, "--dry-run", stack)
    assert told.out.decode().splitlines()[1:] == [second, oldest]
    assert "cannot be undone afterwards" in told.err
    (planned,) = ok("snapshots", "--drop", second, "--drop", oldest, "--dry-run", "--json", stack).objects
    assert planned == {"dropped": [second, oldest], "applied": False}
    assert len(ids(stack)) == 4
    assert run("snapshots", "--drop", second, "--drop", "nope", stack).code == 2
    assert run("snapshots", "--drop", "..", stack).code == 2
    assert len(ids(stack)) == 4
    (done,) = ok("snapshots", "--drop", second, "--drop", oldest, "--json", stack).objects
    assert done == {**planned, "applied": True}
    assert ids(stack) == [newest, third]
    assert ok("snapshots", "--drop", third, stack).out.decode() == f"{third}\n"
    assert stack_files(stack) == before
    ok("undo", stack)


def test_pruning_leaves_the_newest_and_the_kept_ones_unless_forced(stack: Path) -> None:
    newest, second, third, oldest = taken(stack, 3)
    assert "Nothing to remove" not in ok("snapshots", "--keep", oldest, "--dry-run", stack).err
    assert not any(one.kept for one in list_snapshots(stack))
    (kept,) = ok("snapshots", "--keep", oldest, "--json", stack).objects
    assert kept == {"kept": [oldest], "applied": True}
    assert "kept already" in ok("snapshots", "--keep", oldest, stack).err
    assert "nothing to remove" in ok("snapshots", "--prune", stack).err.lower()
    (planned,) = ok("snapshots", "--prune", "--newest", "1", "--dry-run", "--json", stack).objects
    assert planned == {"dropped": [second, third], "applied": False}
    ok("snapshots", "--prune", "--newest", "1", stack)
    assert ids(stack) == [newest, oldest]
    for options in ([], ["--dry-run"]):
        refused = run("snapshots", "--drop", oldest, *options, stack)
        assert (refused.code, oldest in refused.err, "--force" in refused.err) == (5, True, True)
    assert ids(stack) == [newest, oldest]
    ok("snapshots", "--prune", "--newest", "0", stack)
    assert ids(stack) == [oldest]
    ok("snapshots", "--prune", "--newest", "0", "--force", stack)
    assert ids(stack) == []


def test_options_of_snapshots_that_make_no_sense_are_refused(stack: Path) -> None:
    (one,) = ids(stack)
    for options in (
        ["--dry-run"],
        ["--force"],
        ["--newest", "1"],
        ["--keep", one, "--force"],
        ["--keep", one, "--drop", one],
        ["--prune", "--drop", one],
        ["--prune", "--newest", "-1"],
    ):
        assert run("snapshots", *options, stack).code == 2
    assert ids(stack) == [one]


@pytest.mark.parametrize("kind", ["link", "file", "directory", "pipe"])
def test_what_is_no_snapshot_is_dropped_by_name_with_force_alone(
    stack: Path, tmp_path: Path, kind: str
) -> None:
    planted = snapshots_directory(stack) / "20200101T000000.000000Z-add"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "manifest.json.partial").touch()
    os.utime(elsewhere / "manifest.json.partial", (0, 0))
    if kind == "link":
        planted.symlink_to(elsewhere)
    elif kind == "file":
        planted.touch()
    elif kind == "directory":
        planted.mkdir()
        (planted / "files").symlink_to(elsewhere)
    else:
        os.mkfifo(planted)
    ok("snapshots", "--prune", "--newest", "0", "--force", stack)
    assert run("snapshots", "--keep", planted.name, stack).code == 2
    assert run("snapshots", "--drop", planted.name, stack).code == 5
    assert os.path.lexists(planted)
    ok("snapshots", "--drop", planted.name, "--force", stack)
    assert os.listdir(planted.parent) == []
    assert os.listdir(elsewhere) == ["manifest.json.partial"]


def test_a_word_in_the_place_of_an_id_is_told_to_be_none(stack: Path) -> None:
    done = run("undo", "nonsuch", stack)
    assert done.code == 2
    assert "no snapshot 'nonsuch'" in done.err

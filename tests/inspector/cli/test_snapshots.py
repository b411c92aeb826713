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

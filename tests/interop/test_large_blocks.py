"""Blocks of megabytes, whose keys add up to many times that: sound ones of git, and ones made to hurt."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.format import REF
from engine.format.header import MAX_BLOCK_SIZE
from engine.fsck import Severity, fsck
from engine.readable import open_readable
from tests.support.cost import MEBIBYTE, memory_of
from tests.support.findings import install
from tests.support.git import Git
from tests.support.handmade import Handmade, raw_block, raw_record
from tests.support.thinning import ALL, thinned


@pytest.mark.timeout(300)
def test_names_that_add_up_to_many_times_their_block_are_sound(git: Git, tmp_path: Path) -> None:
    count, size = (340_000, 210) if ALL else (36_000, 2_000)
    config = {"reftable.blockSize": MAX_BLOCK_SIZE, "reftable.restartInterval": 65535}
    repo = git.init(tmp_path / "repo", config=config)
    commit = repo.commit()
    names = [f"refs/tags/{'v' * (size - 17)}{number:07}" for number in range(count)]
    repo.update_refs([f"create {name} {commit.hex()}" for name in names])
    repo.git("pack-refs", "--all")
    shown = repo.git("for-each-ref", "--format=%(refname)", "refs/tags").stdout
    assert shown.splitlines() == list(map(str.encode, names))
    with open_readable(repo.reftable) as stack:
        assert [ref.name for ref in stack.merged.refs(b"refs/tags/")] == shown.splitlines()
        assert stack.damage_met() == []
    assert [one.code for one in fsck(repo.reftable) if one.severity is not Severity.INFO] == []
    for verb in ("refs", "fsck"):
        assert memory_of(verb, repo.path, answers=(0,)) < 200 * MEBIBYTE, verb


def test_many_refs_of_one_id_without_an_index_are_found_in_one_walk(tmp_path: Path) -> None:
    """To look each of them up takes a scan."""
    table = Handmade()
    for number in range(60_000 if ALL else 6_000):
        record = raw_record(0, b"refs/heads/%06d" % number, 1, b"\0" + b"\7" * 20)
        table.append(raw_block(REF, record, header=b"" if table.data else table.header.pack()))
    install(tmp_path, table)
    assert memory_of("refs", f"--points-at={'07' * 20}", tmp_path, answers=(0,)) < 200 * MEBIBYTE


@pytest.mark.timeout(300)
@pytest.mark.parametrize("shared", thinned([1_000, 100_000, None], 3), ids=lambda shared: shared or "growing")
@pytest.mark.parametrize("part", [1, 128] if ALL else [128])
def test_names_that_share_nearly_everything_take_little_memory(
    tmp_path: Path, shared: int | None, part: int
) -> None:
    """A deletion of a few bytes has all of the name before it: in 16 MiB there is room for terabytes."""
    first = b"refs/heads/".ljust(shared or 12, b"p")
    records = [raw_record(0, first, 0, b"\0")]
    size = len(records[0])
    while size < MAX_BLOCK_SIZE // part - 100:
        number = len(records)
        suffix = b"a" if shared is None else f"{number:07}".encode()
        records.append(raw_record(len(first) + (number - 1 if shared is None else 0), suffix, 0, b"\0"))
        size += len(records[-1])
    table = Handmade()
    table.append(raw_block(REF, b"".join(records), header=table.header.pack()))
    install(tmp_path, table)
    for verb in (["refs"], ["fsck"], *([["trace", "refs/heads/zzz"], ["repair"]] if part > 1 else [])):
        assert memory_of(*verb, tmp_path) < 200 * MEBIBYTE, verb

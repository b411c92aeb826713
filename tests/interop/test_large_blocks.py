"""Blocks of megabytes, whose keys add up to many times that: sound ones of git, and ones made to hurt."""

from __future__ import annotations

from itertools import count as numbers
from pathlib import Path

import pytest

from engine.format import REF
from engine.format.codec import encode_head
from engine.format.header import MAX_BLOCK_SIZE
from engine.format.varint import put_varint
from tests.support.cost import MEBIBYTE, memory_of
from tests.support.findings import install
from tests.support.git import Git, Repository
from tests.support.handmade import Handmade, raw_block, raw_record
from tests.support.thinning import ALL, thinned


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("count", "size"), [(36_000, 2_000), pytest.param(340_000, 210, marks=pytest.mark.whole)]
)
def test_names_that_add_up_to_many_times_their_block_are_sound(
    git: Git, tmp_path: Path, count: int, size: int
) -> None:
    # A clone takes refs as they are; to create each of them, git looks for what is in its way.
    files = tmp_path / "files"
    git.run("init", "-q", "--ref-format=files", files)
    git.run("commit", "-q", "--allow-empty", "-m", "commit", cwd=files)
    commit = git.run("rev-parse", "HEAD", cwd=files).stdout.decode().strip()
    names = [f"refs/tags/{'v' * (size - 17)}{number:07}" for number in range(count)]
    lines = "".join(f"{commit} {name}\n" for name in names)
    (files / ".git" / "packed-refs").write_text(f"# pack-refs with: peeled fully-peeled sorted \n{lines}")
    repo = Repository(git, tmp_path / "repo", tmp_path / "repo" / ".git", {})
    config = [f"reftable.blockSize={MAX_BLOCK_SIZE}", "reftable.restartInterval=65535"]
    git.run("clone", "-q", "--ref-format=reftable", "-c", config[0], "-c", config[1], files, repo.path)
    repo.git("pack-refs", "--all")
    shown = repo.git("for-each-ref", "--format=%(objectname) %(refname)", "refs/tags").stdout.splitlines()
    assert shown == [f"{commit} {name}".encode() for name in names]
    printed = tmp_path / "printed"
    for verb in ("refs", "fsck"):
        with printed.open("wb") as file:
            assert memory_of(verb, repo.path, answers=(0,), said=file.fileno()) < 200 * MEBIBYTE, verb
        lines = printed.read_bytes().splitlines()
        if verb == "refs":
            assert [line for line in lines if b" refs/tags/" in line] == shown
        else:
            assert lines == [b"reftable-inspector: 0 errors, 0 warnings, 0 notes"]


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
    records = bytearray(raw_record(0, first, 0, b"\0"))
    size = MAX_BLOCK_SIZE // part - 100
    if shared is None:
        for prefix in numbers(len(first)):
            records += put_varint(prefix) + b"\x08a\0"
            if len(records) >= size:
                break
    else:
        head = encode_head(shared, 7, 0)
        each = len(head) + 8
        records += b"".join(
            b"%b%07d\0" % (head, number) for number in range(1, (size - len(records)) // each)
        )
    table = Handmade()
    table.append(raw_block(REF, bytes(records), header=table.header.pack()))
    install(tmp_path, table)
    for verb in (["refs"], ["fsck"], *([["trace", "refs/heads/zzz"], ["repair"]] if part > 1 else [])):
        assert memory_of(*verb, tmp_path) < 200 * MEBIBYTE, verb

"""fsck on what real git writes: nothing to complain of, and every damage of a trial on real git is found.

The damages are those that git's own checks do not see, or die of.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.format import INDEX, LOG, REF, RefRecord, is_unsafe_refname
from engine.fsck import Severity, fsck
from engine.stack import Stack
from engine.stack.stack import StackOptions
from engine.table import Table
from tests.engine.fsck.test_whole_stack import BROKEN_NAMES, UNSAFE_NAMES
from tests.support.findings import faults, findings
from tests.support.git import Git, Repository
from tests.support.handmade import blocks, change_byte, change_footer, change_header, overwrite
from tests.support.history import LAYOUTS, Layout, write_busy_history
from tests.support.objects import add_commits
from tests.support.stacks import list_tables, listed, lock


def assert_sound(directory: Path) -> None:
    """See that fsck has remarks at most."""
    found = [finding for finding in findings(directory) if finding.severity is not Severity.INFO]
    assert found == []


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_a_history_of_git_is_sound_table_by_table_and_compacted(
    git: Git, tmp_path: Path, layout: Layout
) -> None:
    repo = layout.init(git, tmp_path / "repo")
    write_busy_history(repo, rename=layout.logs)
    assert len(listed(repo.reftable)) > 10
    assert_sound(repo.reftable)
    repo.git("pack-refs")
    assert len(listed(repo.reftable)) == 1
    assert_sound(repo.reftable)


def test_a_stack_that_git_compacts_as_it_goes_is_sound_all_the_time(git: Git, tmp_path: Path) -> None:
    repo = Layout(block_size=512).init(git, tmp_path / "repo", auto_compaction=True)
    write_busy_history(repo, after_each=lambda: assert_sound(repo.reftable))


@pytest.mark.parametrize("block_size", [90, 150, 4096])
@pytest.mark.parametrize("object_format", ["sha1", "sha256"])
def test_large_indexes_of_git_are_sound(
    git: Git, tmp_path: Path, block_size: int, object_format: str
) -> None:
    repo = Layout(object_format, block_size, logs=False).init(git, tmp_path / "repo")
    commits = add_commits(repo, 300)
    commands = (f"create refs/heads/b{at:05} {commits[at % 300].hex()}\n" for at in range(2000))
    repo.git("update-ref", "--stdin", input="".join(commands).encode())
    repo.git("pack-refs")
    with Table.open(repo.reftable / listed(repo.reftable)[0]) as table:
        assert table.footer.ref_index_offset
        assert table.footer.obj_offset
    assert_sound(repo.reftable)


def test_worktrees_of_git_are_sound(git: Git, tmp_path: Path) -> None:
    repo = git.init(tmp_path / "repo")
    repo.commit()
    repo.git("worktree", "add", "-b", "topic", tmp_path / "topic")
    repo.git("worktree", "add", "--detach", tmp_path / "detached")
    for directory in (repo.reftable, *(repo.git_dir / "worktrees").glob("*/reftable")):
        assert list(fsck(directory)) == []


def test_what_git_makes_of_a_repository_is_sound(git: Git, tmp_path: Path) -> None:
    """Of each, nothing is missed."""
    repo = git.init(tmp_path / "repo")
    for _ in range(3):
        repo.commit()
    for step in range(12):
        repo.git("branch", f"b{step}")
        repo.git("branch", "-D", f"b{step}")
        assert_sound(repo.reftable)
    repo.git("reflog", "expire", "--expire=all", "--all")
    assert_sound(repo.reftable)
    repo.git("pack-refs")
    assert_sound(repo.reftable)
    for kind in ("plain", "bare"):
        path = tmp_path / kind
        repo.git(
            "clone", f"--{kind}" if kind == "bare" else "--quiet", "--ref-format=reftable", repo.path, path
        )
        clone = Repository(git, path, path if kind == "bare" else path / ".git", repo.env)
        clone.git("fetch", "origin", "+refs/heads/*:refs/remotes/other/*")
        assert_sound(clone.reftable)
        for other in ("files", "reftable"):  # with reflogs, git before 2.48 does not
            clone.git("refs", "migrate", f"--ref-format={other}", check=kind == "bare")
        assert_sound(clone.reftable)
        clone.git("branch", "-m", "moved")
        assert_sound(clone.reftable)


def test_an_unborn_branch_is_mentioned_and_no_more(repo: Repository) -> None:
    assert [finding.code for finding in findings(repo.reftable)] == ["symref-dangling"]
    assert_sound(repo.reftable)


def test_reflogs_that_git_has_expired_are_sound(repo: Repository) -> None:
    for number in range(12):
        repo.commit(f"commit {number}", date=f"{1_700_000_000 + number * 1000} +0000")
    repo.git("reflog", "expire", "--expire=2023-11-15 00:00", "--all")
    assert_sound(repo.reftable)
    repo.git("reflog", "delete", "HEAD@{1}")
    repo.git("stash", "list")
    assert_sound(repo.reftable)


def test_names_beside_each_other_in_two_hash_functions_are_sound(git: Git, tmp_path: Path) -> None:
    for object_format in ("sha1", "sha256"):
        repo = git.init(tmp_path / object_format, object_format)
        commit = repo.commit()
        names = ["a", "a-b", "a.b", "ab", "a/", "é", "@x", "x@"]
        repo.update_refs(
            f"create refs/heads/{name}{name} {commit.hex()}" for name in names if "/" not in name
        )
        assert_sound(repo.reftable)


# The trial on git: 201 refs in one table


def make_trial(git: Git, path: Path) -> Repository:
    """Make a repository with 201 branches in one table, which has each kind of section."""
    repo, _ = Layout(block_size=512, restart_interval=4).with_branches(git, path, 201, "branch-{:03}")
    repo.git("pack-refs")
    return repo


@pytest.fixture
def path(git: Git, tmp_path: Path) -> Path:
    """That table."""
    repo = make_trial(git, tmp_path / "repo")
    assert_sound(repo.reftable)
    return repo.reftable / listed(repo.reftable)[0]


def flip_a_value(path: Path) -> None:
    """Of an object id, the first byte: the object section tells."""
    block = blocks(path, REF)[2]
    name_len = block.data[block.records_start + 2 :].index(b"branch-") + len(b"branch-000") + 1
    change_byte(path, block.offset + block.records_start + 2 + name_len)


def soil_padding(path: Path) -> None:
    padded = next(block for block in blocks(path, REF) if block.padding > 1)
    change_byte(path, padded.next_offset - 1)


def move_a_restart(path: Path) -> None:
    block = blocks(path, REF)[1]
    change_byte(path, block.offset + block.records_end + 3 * (block.restart_count - 1) + 2, 0x02)


def unsort_a_key(path: Path) -> None:
    block = blocks(path, REF)[1]
    change_byte(path, block.offset + block.data.index(b"refs/heads"), ord("r") ^ ord("z"))


def lose_the_restarts(path: Path) -> None:
    block = blocks(path, REF)[5]
    overwrite(path, block.offset + block.block_len - 2, b"\0\0")


def damage_the_log_index(path: Path) -> None:
    block = blocks(path, INDEX)[-1]
    overwrite(path, block.offset + block.records_start + 10, b"\xff" * 10)


def remove_the_newline(path: Path) -> None:
    (path.parent / "tables.list").write_text(path.name)


def rename(path: Path, name: str) -> None:
    path.rename(path.parent / name)
    list_tables(path.parent, [name])


TRIAL: dict[str, tuple[Callable[[Path], object], Severity]] = {
    "a value": (flip_a_value, Severity.ERROR),
    "padding": (soil_padding, Severity.WARNING),
    "a restart offset": (move_a_restart, Severity.ERROR),
    "a key out of order": (unsort_a_key, Severity.ERROR),
    "no restarts": (lose_the_restarts, Severity.ERROR),
    "log offset": (lambda path: change_footer(path, log_offset=512), Severity.ERROR),
    "no log offset": (lambda path: change_footer(path, log_offset=0), Severity.ERROR),
    "object offset": (lambda path: change_footer(path, obj_offset=512), Severity.ERROR),
    "log index offset": (lambda path: change_footer(path, log_index_offset=512), Severity.ERROR),
    "a log block": (lambda path: change_byte(path, blocks(path, LOG)[1].offset + 20), Severity.ERROR),
    "the log index": (damage_the_log_index, Severity.ERROR),
    "update indexes": (lambda path: change_header(path, max_update_index=999), Severity.WARNING),
    "listed twice": (lambda path: list_tables(path.parent, [path.name] * 2), Severity.WARNING),
    "an orphan": (lambda path: list_tables(path.parent, []), Severity.ERROR),
    "a stale lock": (lambda path: lock(path.parent, "tables.list"), Severity.WARNING),
    "a table's stale lock": (lambda path: lock(path.parent, path.name), Severity.WARNING),
    "a temporary file": (
        lambda path: (path.parent / f"{path.stem}.temp.1a2b3c").touch(),
        Severity.WARNING,
    ),
    "no list": (lambda path: (path.parent / "tables.list").unlink(), Severity.ERROR),
    "another range in the name": (
        lambda path: rename(path, "0x000000000009-0x000000000001-12345678.ref"),
        Severity.WARNING,
    ),
    "a short name": (lambda path: rename(path, "1-1-1.ref"), Severity.WARNING),
    "a suffix that is not hexadecimal": (
        lambda path: rename(path, path.name[:-8] + "wxyz.ref"),
        Severity.WARNING,
    ),
    "a missing table": (Path.unlink, Severity.ERROR),
    "the footer's checksum": (lambda path: change_byte(path, path.stat().st_size - 1), Severity.ERROR),
    "nothing left": (lambda path: os.truncate(path, 0), Severity.ERROR),
    "no newline at the end": (remove_the_newline, Severity.ERROR),
}


@pytest.mark.parametrize("damage", TRIAL)
def test_whatever_the_trial_did_to_git_is_found(path: Path, damage: str) -> None:
    do, severity = TRIAL[damage]
    do(path)
    worst = min((finding.severity for finding in findings(path.parent)), key=lambda severity: severity.rank)
    assert worst is severity


def test_what_a_killed_git_leaves_is_found(repo: Repository) -> None:
    """It dies where it waits for a hook, in the middle of a transaction."""
    commit = repo.commit()
    hook = repo.git_dir / "hooks" / "reference-transaction"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text('#!/bin/sh\n[ "$1" = prepared ] && kill -9 $PPID\nexit 0\n')
    hook.chmod(0o755)
    done = repo.git("update-ref", "refs/heads/new", commit.hex(), check=False)
    assert done.returncode < 0
    assert "tables.list.lock" in os.listdir(repo.reftable)
    assert faults(repo.reftable) == ["lock-stale"]


@pytest.mark.parametrize("name", BROKEN_NAMES + UNSAFE_NAMES)
def test_git_dies_of_the_names_that_are_called_unsafe_and_of_no_other(repo: Repository, name: bytes) -> None:
    value = repo.commit()
    with Stack.open(repo.reftable, StackOptions(skip_name_check=True, auto_compact=False)) as stack:
        stack.add(lambda writer: writer.add_ref(RefRecord(name, stack.next_update_index, value)))
    died = b"dangerous" in repo.git("for-each-ref", "--include-root-refs", check=False).stderr
    assert died == is_unsafe_refname(name)

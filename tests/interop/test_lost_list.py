"""Lists that a repository has lost, with or without its tables: nothing is written over what they named."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.errors import FormatError, RepositoryError
from engine.format import RefRecord
from engine.fsck import fsck
from engine.git import find_repository
from engine.readable import open_readable
from engine.repair import plan_repair
from engine.snapshot import list_snapshots
from engine.stack import Stack
from tests.support.cli import ok, run
from tests.support.git import Git, Repository
from tests.support.handmade import overwrite
from tests.support.objects import add_commits
from tests.support.repairs import errors, mend
from tests.support.stacks import list_tables, listed
from tests.support.tables import stack_files


def remove_list(directory: Path) -> None:
    (directory / "tables.list").unlink()


def empty_list(directory: Path) -> None:
    (directory / "tables.list").write_bytes(b"")


def remove_all(directory: Path) -> None:
    for path in directory.iterdir():
        path.unlink()


def remove_tables(directory: Path) -> None:
    remove_all(directory)
    empty_list(directory)


LOSSES = [remove_list, empty_list, remove_all, remove_tables]


@pytest.mark.parametrize("lose", LOSSES)
def test_writers_refuse_a_stack_that_has_lost_its_list_and_write_nothing(
    repo: Repository, lose: Callable[[Path], None]
) -> None:
    oid = repo.commit()
    lose(repo.reftable)
    before = stack_files(repo.reftable)
    for arguments in (["add"], ["add", "--dry-run"], ["compact"], ["expire", "--before", "now"], ["clean"]):
        done = run(*arguments, repo.path, stdin=f"create refs/heads/new {oid.hex()}\n".encode())
        assert done.code == 3, (arguments, done)
        assert "repair" in done.err or "put back a copy" in done.err
    with pytest.raises(FormatError), Stack.open(repo.reftable) as stack:
        stack.add(lambda writer: writer.add_ref(RefRecord(b"refs/heads/new", 1, oid)))
    assert stack_files(repo.reftable) == before
    assert list_snapshots(repo.reftable) == []


@pytest.mark.parametrize("lose", LOSSES)
def test_a_lost_list_is_an_error_to_fsck_and_told_by_readers(
    repo: Repository, lose: Callable[[Path], None]
) -> None:
    repo.commit()
    lose(repo.reftable)
    assert run("fsck", repo.path).code == 1
    done = run("refs", repo.path)
    assert done.code == 3
    assert "tables.list" in done.err


@pytest.mark.parametrize("work", [fsck, plan_repair, open_readable])
def test_a_repository_in_the_place_of_its_stack_is_no_empty_stack(
    repo: Repository, work: Callable[[Path], object]
) -> None:
    """Broken as it is, nothing would be said of it. The stack itself may have lost all but other files."""
    repo.commit()
    for damage in (lambda _: None, remove_list, remove_all):
        damage(repo.reftable)
        for place in (repo.path, repo.git_dir, repo.git_dir / "objects"):
            with pytest.raises(RepositoryError, match=re.escape(str(repo.reftable))):
                work(place)
        work(repo.reftable)
    (repo.reftable / "notes").touch()
    assert errors(repo.reftable) == ["stack-lost"]
    work(repo.reftable)


def test_git_begins_a_lost_stack_anew_as_the_advice_says(repo: Repository) -> None:
    repo.commit()
    remove_all(repo.reftable)
    assert "git symbolic-ref HEAD refs/heads/main" in run("refs", repo.path).err
    repo.git("symbolic-ref", "HEAD", "refs/heads/main")
    ok("fsck", repo.path)
    assert ok("refs", repo.path).lines == [b"ref: refs/heads/main HEAD"]


def test_a_linked_worktree_that_has_lost_its_stack_is_refused_as_well(
    repo: Repository, tmp_path: Path
) -> None:
    oid = repo.commit()
    repo.git("worktree", "add", "--detach", str(tmp_path / "linked"))
    remove_all(repo.git_dir / "worktrees" / "linked" / "reftable")
    done = run("add", tmp_path / "linked", stdin=f"create refs/bisect/new {oid.hex()}\n".encode())
    assert done.code == 3
    assert run("fsck", tmp_path / "linked").code == 1


def test_a_table_of_another_history_tells_how_many_refs_it_alone_has_and_how_many_differ(
    git: Git, tmp_path: Path
) -> None:
    """An older list was put back, and git went on from there."""
    repo = git.init(tmp_path / "repo", auto_compaction=False)
    old, new, other = add_commits(repo, 3)
    repo.update_refs(f"create refs/heads/b{at} {old.hex()}" for at in range(3))
    before, names = (repo.reftable / "tables.list").read_bytes(), set(listed(repo.reftable))
    created = (f"create refs/heads/new{at} {new.hex()}" for at in range(42))
    repo.update_refs([*created, *(f"update refs/heads/b{at} {new.hex()}" for at in range(2))])
    [lost] = set(listed(repo.reftable)) - names
    (repo.reftable / "tables.list").write_bytes(before)
    repo.update_refs(f"update refs/heads/b{at} {other.hex()}" for at in range(3))
    done = run("fsck", repo.path)
    assert done.code == 1
    # Of the third branch the list has a value, the lost table none.
    assert "another history: 42 refs only there, 2 differ" in done.out.decode()
    files = stack_files(repo.reftable)
    assert run("clean", repo.path).code == 0
    assert lost in files
    assert stack_files(repo.reftable) == files


def test_a_commit_that_only_a_table_of_another_history_tells_of_is_kept(git: Git, tmp_path: Path) -> None:
    """An older list was put back, and git went on committing to the same branch."""
    repo = git.init(tmp_path / "repo", auto_compaction=False)
    repo.commit()
    before, names = (repo.reftable / "tables.list").read_bytes(), set(listed(repo.reftable))
    repo.commit("to be kept")
    lost = set(listed(repo.reftable)) - names
    (repo.reftable / "tables.list").write_bytes(before)
    for _ in range(2):
        repo.commit()
    assert run("fsck", repo.path).code == 1
    assert run("repair", "--apply", repo.path).code == 1
    ok("clean", repo.path)
    assert lost <= stack_files(repo.reftable).keys()


def test_a_list_that_has_lost_the_line_of_what_a_compaction_made_gets_it_back(
    git: Git, tmp_path: Path
) -> None:
    """A transaction that was cut off may have left the last table, but not this: it was committed."""
    repo = git.init(tmp_path / "repo", auto_compaction=False)
    repo.update_refs(f"create refs/heads/b{at} {repo.commit().hex()}" for at in range(300))
    repo.git("pack-refs", "--all")
    for _ in range(3):
        repo.commit()
    with Stack.open(repo.reftable) as stack:
        stack.compact(1, len(stack.tables))
    before, refs = listed(repo.reftable), ok("refs", repo.path).out
    assert len(before) == 2
    list_tables(repo.reftable, before[:1])
    assert ok("refs", repo.path).out != refs
    assert run("fsck", repo.path).code == 1
    ok("repair", "--apply", repo.path)
    assert ok("refs", repo.path).out == refs


@pytest.mark.parametrize(
    "rename",
    [["remote", "rename", "origin", "other"], ["branch", "-m", "topic", "other"]],
    ids=["remote", "branch"],
)
@pytest.mark.parametrize(
    "more", [[], ["create refs/heads/x", "delete refs/heads/x"], ["delete refs/heads/y"]]
)
def test_a_rename_that_was_cut_off_is_not_taken_for_committed(
    git: Git, tmp_path: Path, rename: list[str], more: list[str]
) -> None:
    """One transaction of git, and several update indexes; then git goes on."""
    repo = git.init(tmp_path / "repo", auto_compaction=False)
    repo.git("remote", "add", "origin", "nowhere")
    for at in range(3):
        oid = repo.commit().hex()
        for name in (f"refs/remotes/origin/b{at}", "refs/heads/topic", "refs/heads/y"):
            repo.git("update-ref", "--create-reflog", name, oid)
    before = listed(repo.reftable)
    repo.git(*rename)
    for name in listed(repo.reftable)[len(before) + 1 :]:
        (repo.reftable / name).unlink()
    list_tables(repo.reftable, before)
    ok("fsck", repo.path)
    for command in more:
        repo.update_refs([f"{command} {oid}"])
    refs = ok("refs", repo.path).out
    run("repair", "--apply", repo.path)
    assert ok("refs", repo.path).out == refs


@pytest.mark.parametrize("lose", [None, remove_list, empty_list])
def test_beside_a_lost_list_each_damage_is_told_that_is_told_where_the_list_is_there(
    git: Git, tmp_path: Path, lose: Callable[[Path], None] | None
) -> None:
    """A ref whose record can be none is lost; below a table that cannot be read, values are doubtful."""
    repo = git.init(tmp_path / "repo", auto_compaction=False)
    commits = add_commits(repo, 6)
    created = "".join(f"create refs/tags/t{at} {commits[at].hex()}\n" for at in range(5))
    repo.git("update-ref", "--stdin", input=created.encode())
    repo.git("update-ref", "refs/tags/t0", commits[5].hex())
    repo.git("update-ref", "refs/tags/t5", commits[5].hex())
    _, damaged, unreadable, _ = (repo.reftable / name for name in listed(repo.reftable))
    overwrite(damaged, damaged.read_bytes().index(commits[2]) + 12, bytes(20))
    unreadable.write_bytes(bytes(unreadable.stat().st_size))
    if lose is not None:
        lose(repo.reftable)
    mended = mend(repo.reftable, repository=find_repository(repo.path))
    counts = {} if lose is None else {b"refs/tags/t5": "returned"}
    assert mended.told == counts | {
        b"HEAD": "doubtful",
        b"refs/tags/t0": "doubtful",
        b"refs/tags/t1": "doubtful",
        b"refs/tags/t2": "lost",
    }

"""What is wrong around the stacks: git says that there is no repository, or asks another backend."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.format import RefRecord
from engine.fsck import Severity, check_repository
from engine.git import find_repository
from engine.stack import Stack, StackOptions
from tests.support.cli import ok, run
from tests.support.findings import codes
from tests.support.git import Git, Repository


def found(repo: Repository) -> dict[str, Severity]:
    return {one.code: one.severity for one in check_repository(find_repository(repo.path))}


def set_version(repo: Repository, version: int) -> None:
    config = repo.git_dir / "config"
    config.write_text(
        config.read_text().replace("repositoryformatversion = 1", f"repositoryformatversion = {version}")
    )


def forget_storage(repo: Repository) -> None:
    config = repo.git_dir / "config"
    lines = config.read_text().splitlines()
    config.write_text("\n".join(line for line in lines if "refstorage" not in line.lower()) + "\n")


FAULTS: dict[str, tuple[str, Callable[[Repository], object], Callable[[Repository], object]]] = {
    "no HEAD": (
        "repository-head",
        lambda repo: (repo.git_dir / "HEAD").unlink(),
        lambda repo: (repo.git_dir / "HEAD").write_text("ref: refs/heads/.invalid\n"),
    ),
    "an empty HEAD": (
        "repository-head",
        lambda repo: os.truncate(repo.git_dir / "HEAD", 0),
        lambda repo: (repo.git_dir / "HEAD").write_text("ref: refs/heads/.invalid\n"),
    ),
    "no refs": (
        "repository-directory",
        lambda repo: shutil.rmtree(repo.git_dir / "refs"),
        lambda repo: (repo.git_dir / "refs").mkdir(),
    ),
    "version 0": (
        "repository-version",
        lambda repo: set_version(repo, 0),
        lambda repo: repo.git("config", "-f", repo.git_dir / "config", "core.repositoryFormatVersion", "1"),
    ),
    "no refStorage": (
        "repository-storage",
        forget_storage,
        lambda repo: repo.git("config", "-f", repo.git_dir / "config", "extensions.refStorage", "reftable"),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_makes_git_fail_is_an_error_and_the_fix_mends_it(repo: Repository, fault: str) -> None:
    code, do, mend = FAULTS[fault]
    repo.commit()
    shown = ok("refs", repo.path).out
    assert found(repo) == {}
    do(repo)
    assert b"refs/heads/main" not in repo.git("for-each-ref", check=False).stdout
    assert found(repo) == {code: Severity.ERROR}
    assert ok("refs", repo.path).out == shown
    done = run("fsck", "--json", repo.path)
    assert (done.code, [(one["code"], one["stack"]) for one in done.objects]) == (1, [(code, None)])
    assert run("fsck", repo.reftable).code == 0  # a stack alone is sound
    mend(repo)
    assert found(repo) == {}
    assert b"refs/heads/main" in repo.git("for-each-ref").stdout


def test_refs_of_the_files_backend_beside_the_stack_are_a_warning(repo: Repository) -> None:
    oid = repo.commit().hex()
    (repo.git_dir / "packed-refs").write_text(f"{oid} refs/heads/packed\n")
    (repo.git_dir / "refs" / "tags").mkdir()
    (repo.git_dir / "refs" / "tags" / "loose").write_text(f"{oid}\n")
    assert b"packed" not in repo.git("for-each-ref").stdout
    files = [Path(one.file).name for one in check_repository(find_repository(repo.path))]
    assert files == ["packed-refs", "loose"]
    assert found(repo) == {"refs-beside": Severity.WARNING}


def test_a_worktree_without_its_stack_is_an_error(git: Git, tmp_path: Path) -> None:
    repo = git.init(tmp_path / "repo")
    repo.commit()
    repo.git("worktree", "add", "-b", "side", tmp_path / "side")
    shutil.rmtree(repo.git_dir / "worktrees" / "side" / "reftable")
    done = run("fsck", "--json", repo.path)
    assert (done.code, [(one["code"], one["stack"]) for one in done.objects]) == (1, [("stack-lost", "side")])


def test_a_stack_without_head_is_an_error_which_add_mends(repo: Repository) -> None:
    repo.commit()
    with Stack.open(repo.reftable, StackOptions(auto_compact=False)) as stack:
        stack.add(lambda writer: writer.add_ref(RefRecord(b"HEAD", stack.next_update_index)))
    assert repo.git("symbolic-ref", "HEAD", check=False).returncode
    assert codes(repo.reftable) == ["head-missing"]
    ok("add", repo.path, stdin=b"symref-create HEAD refs/heads/main\n", env=repo.runner.environment)
    assert codes(repo.reftable) == []
    assert repo.git("symbolic-ref", "HEAD").stdout == b"refs/heads/main\n"

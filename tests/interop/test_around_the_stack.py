"""What is wrong around the stacks: git says that there is no repository, or asks another backend."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.format import RefRecord
from engine.fsck import Severity, check_repository
from engine.git import find_repository
from engine.stack import Stack, StackOptions
from tests.support.cli import ok, run
from tests.support.findings import codes, findings
from tests.support.git import Git, Repository
from tests.support.handmade import change_byte
from tests.support.stacks import listed


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
        lambda repo: ((repo.git_dir / "refs").mkdir(), (repo.git_dir / "refs" / "heads").touch()),
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


def forget_objects(repo: Repository) -> None:
    """State the other hash function."""
    config = repo.git_dir / "config"
    other = "sha256" if "sha256" not in config.read_text() else "sha1"
    repo.git("config", "-f", config, "extensions.objectFormat", other)


def damage_head(repo: Repository) -> None:
    (repo.git_dir / "HEAD").write_bytes(b"\x00\x01 what it was")


MENDED: dict[str, tuple[list[str], Callable[[Repository], object]]] = {
    **{name: ([code], do) for name, (code, do, _) in FAULTS.items()},
    "a HEAD of other bytes": (["repository-head"], damage_head),
    "no refs/heads": (["repository-stub"], lambda repo: (repo.git_dir / "refs" / "heads").unlink()),
    "another hash function": (["object-format"], forget_objects),
    "a refStorage that is wrong": (
        ["repository-storage"],
        lambda repo: repo.git("config", "-f", repo.git_dir / "config", "extensions.refStorage", "reftables"),
    ),
    "version 0 without refStorage, HEAD and refs": (
        ["repository-directory", "repository-storage"],
        lambda repo: (shutil.rmtree(repo.git_dir / "refs"), forget_storage(repo), set_version(repo, 0)),
    ),
}


@pytest.fixture(params=["main", "bare", "worktree", "sha256"])
def place(request: pytest.FixtureRequest, git: Git, tmp_path: Path) -> tuple[Repository, Path]:
    """A repository, and the path by which it is named: its own, or that of a linked worktree."""
    made = git.init(tmp_path / "made", "sha256" if request.param == "sha256" else "sha1")
    made.commit()
    made.tag("v1")
    if request.param == "bare":
        repo = git.init(tmp_path / "bare", bare=True)
        made.git("push", "-q", repo.path, "main", "v1")
        return repo, repo.path
    if request.param == "worktree":
        made.git("worktree", "add", "-q", "-b", "side", tmp_path / "side")
        return made, tmp_path / "side"
    return made, made.path


@pytest.mark.parametrize("fault", MENDED)
def test_the_repository_is_mended_and_git_works(place: tuple[Repository, Path], fault: str) -> None:
    (repo, path), (expected, do) = place, MENDED[fault]
    shown, head = repo.show_ref(), repo.runner.run("symbolic-ref", "HEAD", cwd=path).stdout
    do(repo)
    assert list({one["code"]: one for one in run("fsck", "--json", path).objects}) == expected
    assert expected == ["object-format"] or run("repair", "--json", repo.reftable).objects[0]["steps"] == []
    before = {name: (repo.git_dir / name).exists() for name in ("HEAD", "refs", "refs/heads")}
    planned = run("repair", "--json", path)
    assert {name: (repo.git_dir / name).exists() for name in before} == before
    assert {one["kind"] for one in planned.objects[0]["steps"]} <= {
        "write-stub",
        "make-directory",
        "set-config",
    }
    done = ok("repair", "--apply", path, env=repo.runner.environment)
    assert f"mended: {repo.git_dir}" in done.err
    assert ok("fsck", "--json", path).objects == []
    assert repo.show_ref() == shown
    assert repo.runner.run("symbolic-ref", "HEAD", cwd=path).stdout == head
    assert (repo.git_dir / "HEAD").read_bytes() == b"ref: refs/heads/.invalid\n"
    assert (repo.git_dir / "refs" / "heads").read_bytes() == b"this repository uses the reftable format\n"
    assert repo.git("fsck").returncode == 0
    repo.git("update-ref", "refs/heads/after", repo.oid("refs/heads/main").hex())
    if fault == "a HEAD of other bytes":
        [lost] = repo.git_dir.rglob("lost/HEAD-*")
        assert lost.read_bytes() == b"\x00\x01 what it was"
        assert f"what was replaced is kept in {lost.parent}" in done.err


def test_the_head_of_another_worktree_is_mended(git: Git, tmp_path: Path) -> None:
    repo = git.init(tmp_path / "repo")
    repo.commit()
    repo.git("worktree", "add", "-q", "-b", "side", tmp_path / "side")
    head = repo.git_dir / "worktrees" / "side" / "HEAD"
    head.unlink()
    assert git.run("status", cwd=tmp_path / "side", check=False).returncode
    assert [one["table"] for one in run("fsck", "--json", repo.path).objects] == [str(head)]
    ok("repair", "--apply", repo.path, env=repo.runner.environment)
    assert git.run("symbolic-ref", "HEAD", cwd=tmp_path / "side").stdout == b"refs/heads/side\n"


def test_lost_objects_are_told_and_not_made_up(repo: Repository) -> None:
    repo.commit()
    shutil.rmtree(repo.git_dir / "objects")
    [step] = run("repair", "--json", repo.path).objects[0]["steps"]
    assert (step["kind"], step["file"]) == ("leave-out", str(repo.git_dir / "objects"))
    assert "from a backup" in step["result"]
    assert run("repair", "--apply", repo.path).code == 1
    assert not (repo.git_dir / "objects").exists()


def test_without_a_git_the_command_is_told(repo: Repository) -> None:
    repo.commit()
    forget_storage(repo)
    [step] = run("repair", "--json", repo.path, env={"REFTABLE_GIT": "/nonexistent"}).objects[0]["steps"]
    assert step["kind"] == "leave-out"
    assert "`git config extensions.refStorage reftable`" in step["result"]


def test_a_configuration_that_is_locked_is_left_alone(repo: Repository) -> None:
    repo.commit()
    forget_storage(repo)
    before = (repo.git_dir / "config").read_bytes()
    (repo.git_dir / "config.lock").touch()
    assert run("repair", "--apply", repo.path, env=repo.runner.environment).code == 4
    assert (repo.git_dir / "config").read_bytes() == before


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


def test_directories_without_end_below_refs_are_no_end_of_the_check(repo: Repository) -> None:
    at = os.open(repo.git_dir / "refs", os.O_RDONLY)
    for _ in range(1800):
        os.mkdir("a", dir_fd=at)
        inner = os.open("a", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = inner
    os.close(at)
    try:
        assert found(repo) == {}
    finally:  # what removes the directories of tests gives up
        subprocess.run(["rm", "-r", repo.git_dir / "refs" / "a"], check=True)  # noqa: S607
    (repo.git_dir / "refs" / "a" / "b").mkdir(parents=True)
    (repo.git_dir / "refs" / "a" / "b" / "c").touch()
    (repo.git_dir / "refs" / "link").symlink_to("a")
    assert list(found(repo)) == ["refs-beside"]


def test_locks_and_the_hook_beside_the_stack_are_mentioned(repo: Repository) -> None:
    repo.commit()
    for name in ("HEAD.lock", "config.lock", "packed-refs.lock"):
        (repo.git_dir / name).touch()
        os.utime(repo.git_dir / name, (1, 1))
    hook = repo.git_dir / "hooks" / "reference-transaction"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\n")
    assert [one.code for one in check_repository(find_repository(repo.path))] == ["lock-beside"] * 3
    hook.chmod(0o755)
    *locks, last = check_repository(find_repository(repo.path))
    assert [Path(one.file).name for one in locks] == ["HEAD.lock", "config.lock", "packed-refs.lock"]
    assert all(one.severity is Severity.INFO and "days old" in one.message for one in locks)
    assert (last.code, last.severity, last.file) == ("reference-hook", Severity.INFO, str(hook))
    assert run("fsck", repo.path).code == 0
    repo.git("update-ref", "refs/heads/new", "HEAD")  # git does not look at them, as the words say
    assert repo.git("config", "a.b", "c", check=False).returncode
    other = repo.git_dir / "others"
    other.mkdir()
    hook.rename(other / hook.name)
    (repo.git_dir / "config.lock").unlink()
    assert "reference-hook" not in found(repo)
    repo.git("config", "core.hooksPath", ".git/others")
    assert "reference-hook" in found(repo)


@pytest.mark.parametrize(
    "name", [b"foo", b"main-worktree/refs/heads/x", b"worktrees/w/refs/bisect/x", b"X/Y"]
)
def test_a_ref_that_git_lists_nowhere_is_warned_of(repo: Repository, name: bytes) -> None:
    value = repo.commit()
    for at in (b"refs/bisect/x", b"AUTO_MERGE", name):
        with Stack.open(repo.reftable, StackOptions(auto_compact=False, skip_name_check=True)) as stack:
            stack.add(lambda writer, at=at: writer.add_ref(RefRecord(at, stack.next_update_index, value)))
    shown = repo.git("for-each-ref", "--include-root-refs").stdout
    assert name not in shown
    assert b"refs/bisect/x" in shown
    hidden = [one for one in findings(repo.reftable) if one.code == "ref-hidden"]
    assert [(one.severity, name.decode() in one.message) for one in hidden] == [(Severity.WARNING, True)]


def test_names_that_differ_in_case_only_are_mentioned(repo: Repository) -> None:
    oid = repo.commit().hex()
    names = ("Topic/a", "TOPIC/b", "topic/A", "topic/c", "zebra", "Zebra", "ZEBRA")
    repo.update_refs(f"create refs/heads/{name} {oid}" for name in names)
    assert len(repo.show_ref()) == len(names) + 1
    told = [one for one in findings(repo.reftable) if one.code == "ref-case"]
    words = [one.message.split("'")[1].removeprefix("refs/heads/") for one in told]
    assert words == ["Zebra", "topic/A", "zebra"]
    assert {one.severity for one in told} == {Severity.INFO}
    assert codes(repo.reftable) == ["ref-case"]


def test_a_worktree_without_its_stack_is_an_error(git: Git, tmp_path: Path) -> None:
    repo = git.init(tmp_path / "repo")
    repo.commit()
    repo.git("worktree", "add", "-b", "side", tmp_path / "side")
    shutil.rmtree(repo.git_dir / "worktrees" / "side" / "reftable")
    done = run("fsck", "--json", repo.path)
    assert (done.code, [(one["code"], one["stack"]) for one in done.objects]) == (1, [("stack-lost", "side")])


@pytest.mark.parametrize("beside", ["ref-case", "ref-hidden"])
def test_what_else_is_found_does_not_keep_a_missing_head_from_being_told(
    repo: Repository, beside: str
) -> None:
    repo.commit()
    if beside == "ref-case":
        repo.git("branch", "Main", "main")
        repo.git("update-ref", "--no-deref", "-d", "HEAD")
    else:
        # Two bytes of its name: of one, it would be known what it was.
        path = repo.reftable / listed(repo.reftable)[0]
        at = path.read_bytes().index(b"HEAD")
        change_byte(path, at + 2, 0x03)
        change_byte(path, at + 3, 0x01)
    assert set(codes(repo.reftable)) - {"symref-dangling"} == {beside, "head-missing"}


def test_a_stack_without_head_is_an_error_which_add_mends(repo: Repository) -> None:
    repo.commit()
    with Stack.open(repo.reftable, StackOptions(auto_compact=False)) as stack:
        stack.add(lambda writer: writer.add_ref(RefRecord(b"HEAD", stack.next_update_index)))
    assert repo.git("symbolic-ref", "HEAD", check=False).returncode
    assert codes(repo.reftable) == ["head-missing"]
    ok("add", repo.path, stdin=b"symref-create HEAD refs/heads/main\n", env=repo.runner.environment)
    assert codes(repo.reftable) == []
    assert repo.git("symbolic-ref", "HEAD").stdout == b"refs/heads/main\n"

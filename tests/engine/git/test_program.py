"""What the engine asks the git program, and that a hostile, broken or missing one does no harm."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from engine.git import program as git_program
from engine.git.committer import committer_from_environment
from engine.git.program import GitProgram, ObjectInfo
from engine.update import Identity
from tests.support.environment import enter_environment_of
from tests.support.git import EMAIL, NAME, Git, Repository

OWN: dict[str, str | None] = {"extensions.refstorage": "reftable", "core.own": "yes"}


@pytest.fixture(autouse=True)
def git_environment(git: Git, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The environment that git programs of the engine inherit."""
    enter_environment_of(git, monkeypatch)
    return monkeypatch


@pytest.fixture
def program(git: Git) -> GitProgram:
    found = GitProgram.find(git.program)
    assert found is not None
    return found


def script(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)
    return path


def test_find_takes_the_git_that_reftable_git_names(
    git: Git, tmp_path: Path, git_environment: pytest.MonkeyPatch
) -> None:
    assert GitProgram.find() == GitProgram(git.program)
    on_path = script(tmp_path / "git")
    git_environment.setenv("PATH", str(tmp_path))
    assert GitProgram.find() == GitProgram(git.program)
    git_environment.delenv("REFTABLE_GIT")
    assert GitProgram.find() == GitProgram(str(on_path))


def test_find_knows_when_there_is_no_git(tmp_path: Path, git_environment: pytest.MonkeyPatch) -> None:
    assert GitProgram.find(str(tmp_path / "git")) is None
    git_environment.delenv("REFTABLE_GIT")
    git_environment.setenv("PATH", str(tmp_path))
    assert GitProgram.find() is None


def test_config_is_that_of_all_files_by_weight(
    repo: Repository, program: GitProgram, tmp_path: Path, git_environment: pytest.MonkeyPatch
) -> None:
    user = tmp_path / "gitconfig"
    user.write_text("[reftable]\nblockSize = 1\nrestartInterval = 2\n[gc]\nauto = 7\n[some]\nflag\n")
    git_environment.setenv("GIT_CONFIG_GLOBAL", str(user))
    repo.git("config", "reftable.blockSize", "3")
    found = program.config(repo.git_dir, OWN)
    assert found["reftable.blocksize"] == "3"
    assert found["reftable.restartinterval"] == "2"
    assert found["gc.auto"] == "0"  # from the environment
    assert found["some.flag"] is None
    assert found["extensions.refstorage"] == "reftable"
    assert "core.own" not in found


def test_config_of_a_git_that_refuses_the_format_is_completed_by_the_repositorys_own(
    repo: Repository, program: GitProgram, tmp_path: Path, git_environment: pytest.MonkeyPatch
) -> None:
    user = tmp_path / "gitconfig"
    user.write_text("[core]\nown = no\nuser = yes\n")
    git_environment.setenv("GIT_CONFIG_GLOBAL", str(user))
    # To a git before 2.45, refStorage is such an extension.
    repo.git("config", "extensions.fromTheFuture", "true")
    found = program.config(repo.git_dir, OWN)
    assert found["extensions.refstorage"] == "reftable"
    assert found["core.own"] == "yes"
    assert found["core.user"] == "yes"
    assert found["gc.auto"] == "0"


def test_config_is_the_repositorys_own_when_git_fails(repo: Repository, program: GitProgram) -> None:
    with (repo.git_dir / "config").open("a") as file:
        file.write("[broken\n")
    assert program.config(repo.git_dir, OWN) == OWN


def test_config_is_the_repositorys_own_when_git_hangs(
    repo: Repository, program: GitProgram, tmp_path: Path, git_environment: pytest.MonkeyPatch
) -> None:
    git_environment.setattr(git_program, "_TIMEOUT", 0.2)
    os.mkfifo(tmp_path / "pipe")
    repo.git("config", "include.path", str(tmp_path / "pipe"))
    assert program.config(repo.git_dir, OWN) == OWN


def test_a_hanging_script_around_git_is_stopped_with_its_children(
    tmp_path: Path, git_environment: pytest.MonkeyPatch
) -> None:
    git_environment.setattr(git_program, "_TIMEOUT", 0.2)
    hanging = GitProgram(str(script(tmp_path / "git", "sleep 1000", "exit 0")))
    assert hanging.config(tmp_path, OWN) == OWN


def test_what_a_failing_git_printed_before_is_not_taken_for_the_whole(tmp_path: Path) -> None:
    failing = GitProgram(str(script(tmp_path / "git", r"printf 'local\000core.own\nno\000'", "exit 128")))
    assert failing.config(tmp_path, OWN) == OWN


def test_a_program_that_does_not_read_what_it_is_asked_answers_nothing(tmp_path: Path) -> None:
    """Its pipe breaks, now or when it is closed: to a verb, that would look like a reader that has enough."""
    ended = tmp_path / "ended"
    program = GitProgram(str(script(tmp_path / "git", "read name", "echo gone", f"touch {ended}", "exit 1")))
    with program.names(tmp_path) as look_up:
        assert look_up(b"one") is None
        while not ended.exists():
            time.sleep(0.01)
        time.sleep(0.1)
        assert look_up(b"two") is None
    assert program.objects(tmp_path, [bytes([1]) * 20] * 50_000) == {}


def test_endless_output_is_not_read_to_its_end(tmp_path: Path, git_environment: pytest.MonkeyPatch) -> None:
    git_environment.setattr(git_program, "_MAX_OUTPUT", 1000)
    endless = GitProgram(str(script(tmp_path / "git", "exec cat /dev/zero")))
    assert endless.config(tmp_path, OWN) == OWN


def test_a_program_that_cannot_be_started_answers_nothing(tmp_path: Path) -> None:
    missing = GitProgram(str(tmp_path / "git"))
    assert missing.config(tmp_path, OWN) == OWN
    assert missing.objects(tmp_path, [bytes(20)]) == {}
    assert missing.committer(tmp_path) is None


@pytest.mark.parametrize(("object_format", "size"), [("sha1", 20), ("sha256", 32)])
def test_objects_tells_types_peeled_ids_and_what_is_missing(
    git: Git, program: GitProgram, tmp_path: Path, object_format: str, size: int
) -> None:
    repo = git.init(tmp_path / "repo", object_format)
    commit = repo.commit()
    tree = repo.oid("HEAD^{tree}")
    tag = repo.tag("v1")
    tag_of_tag = repo.tag("v2", "v1")
    missing = b"\x11" * size
    # Many of them, so that questions and answers go to and fro more than once.
    absent = [number.to_bytes(size, "big") for number in range(1, 1000)]
    assert program.objects(repo.git_dir, [commit, tag, missing, tree, *absent, tag_of_tag, tag]) == {
        commit: ObjectInfo("commit"),
        tree: ObjectInfo("tree"),
        tag: ObjectInfo("tag", commit),
        tag_of_tag: ObjectInfo("tag", commit),
        missing: ObjectInfo(None),
        **dict.fromkeys(absent, ObjectInfo(None)),
    }


def test_objects_does_not_follow_replacements(repo: Repository, program: GitProgram) -> None:
    first, second = repo.commit("first"), repo.commit("second")
    tag = repo.tag("v1", "HEAD~")
    repo.git("replace", first.hex(), second.hex())
    repo.git("replace", "-f", tag.hex(), second.hex())
    assert program.objects(repo.git_dir, [tag]) == {tag: ObjectInfo("tag", first)}


def test_objects_of_a_tag_whose_object_is_missing_has_no_peeled_id(
    repo: Repository, program: GitProgram
) -> None:
    body = b"object %s\ntype commit\ntag v1\ntagger A <a@x> 0 +0000\n\nv1\n" % (b"1" * 40)
    hashed = repo.git("hash-object", "-t", "tag", "-w", "--literally", "--stdin", input=body)
    tag = bytes.fromhex(hashed.stdout.decode())
    assert program.objects(repo.git_dir, [tag]) == {tag: ObjectInfo("tag")}


def test_objects_of_a_repository_that_git_refuses_is_empty(repo: Repository, program: GitProgram) -> None:
    commit = repo.commit()
    repo.git("config", "extensions.fromTheFuture", "true")
    assert program.objects(repo.git_dir, [commit]) == {}


@pytest.mark.parametrize(
    "lines",
    [
        ["while read -r oid; do echo; done"],
        ["while read -r oid; do printf '\\377 commit\\n'; done"],
        ["while read -r oid; do echo one two three; done"],
        ["echo 'wrapper: running git'", 'exec "$REAL_GIT" "$@"'],
    ],
)
def test_objects_of_a_program_that_prints_something_else_are_not_known(
    repo: Repository,
    program: GitProgram,
    lines: list[str],
    tmp_path: Path,
    git_environment: pytest.MonkeyPatch,
) -> None:
    git_environment.setenv("REAL_GIT", program.command)
    wrapper = GitProgram(str(script(tmp_path / "git", *lines)))
    assert wrapper.objects(repo.git_dir, [repo.commit(), bytes.fromhex("12" * 20)]) == {}


def test_the_environment_cannot_lead_git_elsewhere(
    git: Git, repo: Repository, program: GitProgram, tmp_path: Path, git_environment: pytest.MonkeyPatch
) -> None:
    commit = repo.commit()
    other = git.init(tmp_path / "other")
    git_environment.setenv("GIT_DIR", str(other.git_dir))
    git_environment.setenv("GIT_COMMON_DIR", str(other.git_dir))
    git_environment.setenv("GIT_OBJECT_DIRECTORY", str(other.git_dir / "objects"))
    git_environment.setenv("GIT_CONFIG", str(tmp_path / "none"))
    assert program.objects(repo.git_dir, [commit]) == {commit: ObjectInfo("commit")}
    assert program.config(repo.git_dir, {})["extensions.refstorage"] == "reftable"


def test_nothing_that_a_repositorys_configuration_names_is_run(
    repo: Repository, program: GitProgram, tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    trap = str(script(tmp_path / "trap", f"touch {ran}"))
    repo.commit()
    for key, value in {
        "core.fsmonitor": trap,
        "core.pager": trap,
        "core.sshCommand": trap,
        "core.hooksPath": str(tmp_path),
        "extensions.partialClone": "evil",
        "remote.evil.promisor": "true",
        "remote.evil.url": str(repo.path),
        "remote.evil.uploadpack": trap,
        "protocol.allow": "always",
    }.items():
        repo.git("config", key, value)
    missing = b"\x11" * 20
    assert program.objects(repo.git_dir, [missing]) == {missing: ObjectInfo(None)}
    assert program.config(repo.git_dir, {})["core.pager"] == trap
    assert program.committer(repo.git_dir) is not None
    assert not ran.exists()
    # The trap would have worked.
    repo.git("cat-file", "-t", missing.hex(), check=False)
    assert ran.exists()


def test_opening_a_repository_with_git_writes_nothing_into_it(repo: Repository, program: GitProgram) -> None:
    commit = repo.commit()
    before = {path: path.stat().st_mtime_ns for path in repo.path.rglob("*")}
    program.config(repo.git_dir, {})
    program.objects(repo.git_dir, [commit])
    program.committer(repo.git_dir)
    assert {path: path.stat().st_mtime_ns for path in repo.path.rglob("*")} == before


def test_committer_is_the_one_of_git(
    repo: Repository, program: GitProgram, git_environment: pytest.MonkeyPatch
) -> None:
    git_environment.setenv("GIT_COMMITTER_DATE", "1700000001 -0330")
    assert program.committer(repo.git_dir) == Identity(NAME.encode(), EMAIL.encode(), 1700000001, -330)
    git_environment.delenv("GIT_COMMITTER_NAME")
    repo.git("config", "user.name", "Jürgen Ω")
    committer = program.committer(repo.git_dir)
    assert committer is not None
    assert committer.name == "Jürgen Ω".encode()


def test_committer_without_a_repository_is_the_users(program: GitProgram) -> None:
    committer = program.committer(os.devnull)
    assert committer is not None
    assert (committer.name, committer.email) == (NAME.encode(), EMAIL.encode())


def test_committer_is_none_when_git_does_not_know(
    repo: Repository, program: GitProgram, git_environment: pytest.MonkeyPatch
) -> None:
    git_environment.delenv("GIT_COMMITTER_NAME")
    git_environment.delenv("GIT_COMMITTER_EMAIL")
    repo.git("config", "user.useConfigOnly", "true")
    assert program.committer(repo.git_dir) is None


def test_committer_from_environment_takes_gits_variables(git_environment: pytest.MonkeyPatch) -> None:
    git_environment.setenv("GIT_COMMITTER_NAME", "A <B>\nC")
    git_environment.setenv("GIT_COMMITTER_EMAIL", "a@\udcff")
    committer = committer_from_environment()
    assert (committer.name, committer.email) == (b"A BC", b"a@\xff")


def test_committer_from_environment_falls_back_to_user_and_host(git_environment: pytest.MonkeyPatch) -> None:
    for name in ("GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL", "EMAIL"):
        git_environment.delenv(name, raising=False)
    git_environment.setenv("LOGNAME", "another")
    committer = committer_from_environment()
    assert committer.name == b"another"
    assert committer.email.startswith(b"another@")


@pytest.mark.parametrize(
    ("zone", "expected"), [("UTC", 0), ("XYZ-5:30", 530), ("XYZ+3:30", -330), ("XYZ+0:30", -30)]
)
def test_committer_from_environment_has_the_zone_as_git_stores_it(
    git_environment: pytest.MonkeyPatch, zone: str, expected: int
) -> None:
    git_environment.setenv("TZ", zone)
    time.tzset()
    try:
        assert committer_from_environment().tz == expected
    finally:
        git_environment.setenv("TZ", "UTC")
        time.tzset()

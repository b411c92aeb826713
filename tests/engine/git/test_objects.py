"""What git says of objects one after the other, and that a silent, slow or lying one does no harm."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from engine.git import GitProgram, ObjectReader, program as git_program
from engine.git.objects import parse_object
from tests.support.environment import enter_environment_of
from tests.support.git import EMAIL, NAME, Git, Repository


@pytest.fixture(autouse=True)
def git_environment(git: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment that git programs of the engine inherit."""
    enter_environment_of(git, monkeypatch)


@pytest.fixture
def reader(repo: Repository, git: Git) -> Iterator[ObjectReader]:
    with closing(ObjectReader(GitProgram(git.program), str(repo.git_dir))) as opened:
        yield opened


def fake(path: Path, script: str) -> GitProgram:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return GitProgram(str(path))


def test_a_commit_says_its_subject_its_author_and_when(repo: Repository, reader: ObjectReader) -> None:
    oid = repo.commit("one line\nand another\n\nthe rest", date="1700000000 -0330")
    found = reader.read(oid)
    assert found is not None
    assert (found.type, found.subject) == ("commit", b"one line and another")
    assert (found.name, found.email) == (NAME.encode(), EMAIL.encode())
    assert (found.time, found.tz, found.target) == (1700000000, -330, None)


def test_a_tag_says_its_name_and_what_it_points_to(repo: Repository, reader: ObjectReader) -> None:
    commit = repo.commit("first")
    found = reader.read(repo.tag("v1"))
    assert found is not None
    assert (found.type, found.tag, found.subject, found.target) == ("tag", b"v1", b"v1", commit)


def test_of_a_blob_there_is_a_size_and_of_what_is_missing_nothing(
    repo: Repository, reader: ObjectReader
) -> None:
    blob = bytes.fromhex(repo.git("hash-object", "-w", "--stdin", input=b"12345").stdout.decode())
    found, missing, again = reader.read(blob), reader.read(b"\1" * 20), reader.read(blob)
    assert found is not None
    assert missing is not None
    assert (found.type, found.size, missing.type) == ("blob", 5, None)
    assert again == found


def test_a_process_that_has_ended_is_started_again(repo: Repository, reader: ObjectReader) -> None:
    oid = repo.commit("first")
    first = reader.read(oid)
    reader._stop()
    assert reader.read(oid) == first
    assert reader._pipes is not None
    reader._pipes[0].close()
    assert reader.read(oid) == first


def test_what_is_not_as_git_writes_it_is_left_out() -> None:
    strange = (
        b"author no address\nauthor " + b" <> " * 100_000 + b"\nobject zz\nobject 1234\ntag \x1b[31m\n\n\n"
    )
    found = parse_object(b"\1" * 20, "tag", strange)
    assert (found.tag, found.target, found.name, found.subject) == (b"\x1b[31m", None, b"", b"")
    assert parse_object(b"\1" * 20, "commit", b"").subject == b""


@pytest.mark.parametrize(
    "script",
    ["exit 1", "echo; cat >/dev/null", "while read -r line; do echo hello; done", "yes"],
    ids=["ends at once", "one empty line", "lies", "never ends"],
)
def test_a_git_that_does_not_answer_is_silence(tmp_path: Path, script: str) -> None:
    with closing(ObjectReader(fake(tmp_path / "git", script), str(tmp_path))) as reader:
        assert reader.read(b"\1" * 20) is None
        assert reader.read(b"\1" * 20) is None


def test_a_commit_that_is_cut_short_is_silence(tmp_path: Path) -> None:
    answer = "01" * 20 + " commit 100"
    program = fake(tmp_path / "git", f"read -r line; echo {answer}; read -r line; echo {answer}; echo x")
    with closing(ObjectReader(program, str(tmp_path))) as reader:
        assert reader.read(b"\1" * 20) is None


def test_a_git_that_hangs_is_ended_in_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(git_program, "_TIMEOUT", 0.1)
    with closing(ObjectReader(fake(tmp_path / "git", "exec sleep 1000"), str(tmp_path))) as reader:
        assert reader.read(b"\1" * 20) is None


def test_closing_ends_a_question_that_waits(tmp_path: Path) -> None:
    reader = ObjectReader(fake(tmp_path / "git", "exec sleep 1000"), str(tmp_path))
    answers: list[object] = []
    asking = threading.Thread(target=lambda: answers.append(reader.read(b"\1" * 20)))
    asking.start()
    while reader._pipes is None:
        asking.join(0.01)
    reader.close()
    asking.join()
    assert answers == [None]
    assert reader.read(b"\1" * 20) is None
    assert reader._pipes is None


def test_showing_runs_nothing_that_the_configuration_names(
    repo: Repository, git: Git, tmp_path: Path
) -> None:
    oid = repo.commit("first")
    (repo.path / "file").write_text("text\n")
    (repo.path / ".gitattributes").write_text("* diff=evil\n")
    repo.git("add", ".")
    oid = repo.commit("second")
    ran = tmp_path / "ran"
    for key in ("diff.evil.textconv", "diff.evil.command", "diff.external", "gpg.program", "core.pager"):
        repo.git("config", key, f"touch {ran};")
    repo.git("config", "log.showSignature", "true")
    arguments, environment = GitProgram(git.program).show_command(repo.git_dir, oid, color=False)
    shown = git.run(*arguments[1:], env=environment, cwd=repo.path).stdout
    assert b"second" in shown
    assert b"+text" in shown
    assert not ran.exists()


def test_the_pager_is_that_of_git_and_another_users_repository_has_no_say(
    repo: Repository, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = GitProgram(git.program)
    monkeypatch.delenv("PAGER", raising=False)
    repo.git("config", "core.pager", "theirs")
    assert program.pager(repo.git_dir) == "theirs"
    monkeypatch.setattr("os.geteuid", lambda: 4242)
    assert program.pager(repo.git_dir) != "theirs"
    monkeypatch.setenv("GIT_PAGER", "mine -x")
    assert program.pager(repo.git_dir) == "mine -x"
    monkeypatch.setenv("GIT_PAGER", "")
    assert program.pager(repo.git_dir) == "cat"

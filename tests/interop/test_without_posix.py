"""Without what only POSIX has, a stack of git's is read and written the same: by library, verbs, screens."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.git import Git, Repository

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def history(git: Git, tmp_path: Path) -> Callable[[str], Repository]:
    """A function that copies a repository of some tables, under the same path each time."""
    original = git.init(tmp_path / "original", auto_compaction=False)
    for number in range(5):
        original.commit(f"commit {number}")
        original.branch(f"b{number}")
    original.git("branch", "-D", "b1")
    original.tag("v1")

    def copy(kept_as: str) -> Repository:
        there = tmp_path / "repo"
        if there.exists():
            there.rename(tmp_path / kept_as)
        shutil.copytree(original.path, there, symlinks=True)
        return Repository(git, there, there / ".git", original.env)

    return copy


def run(git: Git, how: str, work: str, *args: str | Path, stdin: bytes = b"") -> tuple[int, bytes, bytes]:
    """Do a work of `tests.support.without_posix` in a process of its own."""
    environment = {**git.environment, "REFTABLE_GIT": git.program, "PYTHONHASHSEED": "0"}
    environment["TEXTUAL_DRIVER"] = "textual.drivers.headless_driver:HeadlessDriver"
    command = [sys.executable, "-m", "tests.support.without_posix", how, work, *args]
    done = subprocess.run(command, cwd=ROOT, env=environment, input=stdin, capture_output=True, check=False)
    return done.returncode, done.stdout, done.stderr


def test_a_stack_of_gits_is_read_written_and_compacted_to_the_same_bytes(
    git: Git, history: Callable[[str], Repository]
) -> None:
    found = []
    for how in ("plain", "pretended"):
        stack = history("before").reftable
        told = run(git, how, "git_stack", stack)
        assert told[0] == 0, told[2]
        found.append((told, {path.name: path.read_bytes() for path in stack.iterdir()}))
    assert found[0] == found[1]
    assert b"refs/heads/new-2" in found[0][0][1]
    assert len(found[0][1]) == 2


def damage(directory: Path) -> None:
    """Overwrite the middle of the oldest table."""
    path = min(directory.glob("*.ref"))
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 8] = b"\xff" * 8
    path.write_bytes(data)


VARYING = re.compile(rb"-[0-9a-f]{8}[.]ref|20[0-9]{6}T[0-9.]+Z|20[0-9-]{8} [0-9:]{8}Z|1[0-9]{9}|[0-9.]+ s\b")
"""What is another in each run: names of tables, times."""

READ = "refs|logs --json|tables|fsck|survey --check|resolve HEAD -C"
WRITTEN = "add|compact|undo|add|expire --before 1800000000"
DAMAGED = "fsck|repair --apply|snapshots|fsck"


def test_verbs_do_the_same(git: Git, history: Callable[[str], Repository]) -> None:
    answers = []
    for how in ("plain", "pretended"):
        repo, told = history("before"), list[object]()
        create = b"create refs/heads/new %s\n" % repo.oid("HEAD").hex().encode()
        for words in (*READ.split("|"), *WRITTEN.split("|"), "", *DAMAGED.split("|")):
            if not words:
                damage(repo.reftable)
                continue
            given = create if words == "add" else b""
            code, *printed = run(git, how, "verb", *words.split(), repo.path, stdin=given)
            assert code in (0, 1), printed
            told.append((words, code, [VARYING.sub(b"*", one) for one in printed]))
        assert b"refs/heads/new" in repo.refs()
        told.append([repo.refs(root=True), repo.reflog("HEAD"), len([*repo.reftable.iterdir()])])
        answers.append(told)
    plain, pretended = answers
    assert [pair for pair in zip(plain, pretended, strict=True) if pair[0] != pair[1]] == []


def test_screens_show_the_same(git: Git, history: Callable[[str], Repository]) -> None:
    stack = history("before").reftable
    plain, pretended = (run(git, how, "screen", stack) for how in ("plain", "pretended"))
    assert pretended[0] == 0, pretended[2]
    assert b"refs/heads/b2" in plain[1]
    assert plain == pretended

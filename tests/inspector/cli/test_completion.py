"""What a shell's script asks when a line is to be completed, and what it is answered."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from engine.stack import Stack
from inspector.cli import completion
from inspector.cli.entry import COMPLETING, cli
from tests.support.cli import ROOT, ok
from tests.support.git import Git

Ask: TypeAlias = Callable[..., list[str]]


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Ask:
    """The words that are answered, with `dir` for directories; `replaced` is what the shell replaces."""

    def asked(line: str, replaced: str | None = None, of: str = "bash", *, whole: bool = False) -> list[str]:
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", line.rpartition(" ")[2] if replaced is None else replaced)
        capfdbinary.readouterr()
        assert completion.answer(cli, of) == 0
        out, err = capfdbinary.readouterr()
        assert err == b""
        lines = [text.split("\t") for text in out.decode(errors="surrogateescape").splitlines()]
        assert all(len(fields) == 3 and fields[0] in ("plain", "part", "dir") for fields in lines)
        if whole:
            return ["\t".join(fields) for fields in lines]
        return ["dir" if kind == "dir" else word for kind, word, _ in lines]

    return asked


@pytest.fixture
def repository(git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "repository"
    git.run("init", "-q", "--ref-format=reftable", path)
    git.run("-C", path, "commit", "-q", "--allow-empty", "-m", "x")
    for name in ("user@host", "a$b", "topic/one"):
        git.run("-C", path, "branch", name)
    git.run("-C", path, "tag", "v1")
    git.run("-C", path, "worktree", "add", "-q", "../side", "topic/one")
    monkeypatch.chdir(path)
    return path


def test_the_first_word_is_a_verb_or_a_directory(ask: Ask) -> None:
    assert ask("reftable-inspector re") == ["refs", "resolve", "repair", "dir"]
    assert {*ask("reftable-inspector ")} == {*cli.list_commands(completion.click.Context(cli)), "dir"}
    assert ask("git -C / --no-pager reftable rese") == ["dir"]
    assert ask("/some/bin/git-reftable fs") == ["fsck", "dir"]
    assert ask("reftable-inspector . re") == []
    # With help where the shell shows it.
    assert ask("reftable-inspector tab", of="zsh", whole=True) == [
        "plain\ttables\tThe tables of the stack, oldest first.",
        "dir\ttab\t",
    ]


def test_options_and_their_choices(ask: Ask) -> None:
    assert ask("reftable-inspector --re") == ["--read-only"]
    assert ask("reftable-inspector refs --p") == ["--prefix", "--points-at"]
    assert ask("reftable-inspector compact --policy ") == ["log2", "geometric"]
    assert ask("reftable-inspector compact --policy=g", "g") == ["geometric"]
    assert ask("reftable-inspector compact --policy=g", "--policy=g", "fish") == ["--policy=geometric"]
    assert ask("reftable-inspector completion z") == ["zsh"]
    assert ask("reftable-inspector add -m ") == []


@pytest.mark.usefixtures("repository")
def test_refs_as_people_type_them(ask: Ask) -> None:
    everything = ["a$b", "main", "topic/one", "user@host", "v1", "HEAD", "refs/"]
    assert ask("reftable-inspector trace ") == everything
    assert ask("git reftable resolve HEAD ") == everything
    assert ask("reftable-inspector logs --ref ma") == ["main"]
    assert ask("reftable-inspector logs --ref=ma", "ma") == ["main"]
    assert ask("reftable-inspector trace H", whole=True) == ["plain\tHEAD\t"]
    assert ask("reftable-inspector trace re", whole=True) == ["part\trefs/\t"]
    assert ask("reftable-inspector refs --prefix refs/t") == ["refs/tags/v1"]
    assert ask("reftable-inspector expire --except refs/heads/u") == ["refs/heads/user@host"]
    # bash breaks words at an @, and replaces what is behind it.
    assert ask("reftable-inspector trace user@h", "h") == ["host"]
    # What was typed may be in quotes.
    assert ask("reftable-inspector trace 'a$", "a$") == ["a$b"]


def test_where_to_look_is_taken_from_the_line(
    ask: Ask, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    monkeypatch.setenv("HOME", str(repository.parent))
    monkeypatch.delenv("GIT_DIR", raising=False)  # and so again when this ends
    assert ask("reftable-inspector refs ~/repository --prefix refs/t") == ["refs/tags/v1"]
    assert ask("reftable-inspector resolve -C $HOME/repository v") == ["v1"]
    assert ask(f"git --git-dir={repository}/.git reftable trace v") == ["v1"]
    del os.environ["GIT_DIR"]
    assert ask("git -C ~/side reftable trace main-") == []
    assert ask("reftable-inspector trace v") == ["v1"]  # it has gone to that directory
    assert Path.cwd().name == "side"


def test_tables_worktrees_and_snapshots(ask: Ask, repository: Path) -> None:
    with Stack.open(repository / ".git" / "reftable", read_only=True) as stack:
        names = [table.name for table in stack.tables]
    assert ask("reftable-inspector layout --table ") == sorted(names)
    assert ask("reftable-inspector repair --set-aside 0x") == sorted(names)
    assert ask("reftable-inspector refs --worktree ") == ["main", "side"]
    assert ask("reftable-inspector trace HEAD --worktree=s", "s") == ["side"]
    assert ask("reftable-inspector undo ") == ["dir"]
    ok("compact")
    [[id_, help_]] = [
        word.split("\t")[1:] for word in ask("reftable-inspector snapshots --drop ", whole=True)
    ]
    assert help_ == "before the compact"
    assert ask("reftable-inspector undo 2") == [id_, "dir"]
    for verb in ("tables", "survey", "export", "demo"):
        assert ask(f"reftable-inspector {verb} x") == ["dir"]


def test_of_many_refs_what_comes_before_a_slash(
    ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [
        f"symref-create refs/heads/{user}/{n} refs/heads/x" for user in ("ann", "bob") for n in range(150)
    ]
    (tmp_path / "tables.list").touch()
    monkeypatch.chdir(tmp_path)
    ok("add", stdin="\n".join([*lines, "symref-create refs/heads/main refs/heads/x", ""]).encode())
    assert ask("reftable-inspector refs --prefix refs/heads/", whole=True) == [
        "part\trefs/heads/ann/\t",
        "part\trefs/heads/bob/\t",
        "plain\trefs/heads/main\t",
    ]
    assert len(ask("reftable-inspector refs --prefix refs/heads/ann/")) == 150


@pytest.mark.parametrize("what", ["nothing", "garbage", "a damaged stack", "no answer"])
def test_damage_is_no_answer_and_no_error(
    ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.chdir(tmp_path)
    if what == "garbage":
        Path("tables.list").write_bytes(b"\xff\0no.ref\n../x.ref")
    elif what == "a damaged stack":
        ok("demo", "--damaged", "stack")
        monkeypatch.chdir(tmp_path / "stack")
    elif what == "no answer":
        monkeypatch.delenv("COMP_WORDS", raising=False)
        assert completion.answer(cli, "bash") == 0
    before = contents(tmp_path)
    asked = (
        "trace ",
        "refs --table ",
        "refs --worktree ",
        "undo ",
        "resolve -C x ",
        "--x= ",
        "'",
        "refs -- ",
    )
    for line in asked:
        for word in ask(f"reftable-inspector {line}"):
            assert word.isprintable()
    assert contents(tmp_path) == before


def contents(directory: Path) -> dict[Path, tuple[int, bytes]]:
    files = (path for path in directory.rglob("*") if path.is_file())
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def test_in_bash_words_are_quoted_and_joined(repository: Path, tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("reftable-inspector", "git-reftable"):
        (tools / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" -m inspector "$@"\n')
        (tools / name).chmod(0o755)
    asked = r"""
        eval "$(reftable-inspector completion bash)" || exit
        compopt() { printf '%s\n' "compopt $*"; }
        complete() { COMP_LINE=$1 COMP_POINT=${#1} COMPREPLY=(); $2 $3; printf '%s\n' "${COMPREPLY[@]}" --; }
        complete 'reftable-inspector trace a' _reftable_inspector reftable-inspector
        complete 'reftable-inspector trace user@' _reftable_inspector reftable-inspector
        complete 'g -C . reftable logs --ref=ma' _git_reftable
        complete 'reftable-inspector trace ref' _reftable_inspector git-reftable
        complete 'reftable-inspector fs' _reftable_inspector no-such-program
    """
    env = os.environ | {"PATH": f"{tools}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["/usr/bin/env", "bash", "-c", asked], cwd=repository, env=env, capture_output=True, check=True
    )
    assert done.stderr == b""
    assert done.stdout.decode().split("--\n") == [
        "a\\$b\n",
        "host\n",
        "main\n",
        "compopt -o nospace\nrefs/\n",
        "",
        "",
    ]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_script_asks_what_is_answered(shell: str) -> None:
    script = ok("completion", shell).out.decode()
    assert script.count(f"{COMPLETING}={shell} ") == 1
    for variable in ("COMP_WORDS=", "COMP_CWORD="):
        assert variable in script
    for program in ("reftable-inspector", "git-reftable"):
        assert program in script
    for kind in ("plain", "part", "dir"):
        assert kind in script

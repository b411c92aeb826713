"""What a verb answers where a standard stream is closed, full or gone: a code that says so, and no traceback.

It is the program as a process runs it, in this process: with streams of its own, and without signals.
"""

from __future__ import annotations

import errno
import os
import resource
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest

from inspector.cli import entry
from inspector.exit_codes import ExitCode, describe
from tests.support.cli import ok
from tests.support.stacks import listed

# With data on standard output, in a stack with faults: the code where it can be written.
VERBS = {
    "tables": 3,
    "refs": 3,
    "refs --json": 3,
    "logs": 3,
    "trace HEAD": 3,
    "print": 3,
    "layout": 3,
    "fsck": 1,
    "survey": 1,
    "resolve HEAD -C": 3,
    "snapshots": 0,
    "--version --worktree": 0,
    "refs --help": 0,
    "--help": 0,
}

Program: TypeAlias = Callable[..., tuple[int, bytes]]


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("streams") / "damaged"
    directory.mkdir()
    (directory / "tables.list").touch()
    for command in (f"create refs/heads/x {'1' * 40}", "symref-create HEAD refs/heads/x"):
        ok("add", "--force", "-m", "x", directory, stdin=f"{command}\n".encode())
    newest = directory / listed(directory)[-1]
    newest.write_bytes(newest.read_bytes()[:-1] + b"?")
    return directory


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Program]:
    """Runs words with standard output and error at a file, or closed for None; gives code and notes."""
    monkeypatch.setattr(entry.signal, "signal", lambda *_: None)
    monkeypatch.setattr(resource, "setrlimit", lambda *_: None)
    kept = [os.dup(number) for number in range(3)]
    notes = tmp_path / "notes"

    def run(words: list[str | Path], out: int | Path | None, err: Path | None = notes) -> tuple[int, bytes]:
        notes.write_bytes(b"")
        monkeypatch.setattr(sys, "argv", ["reftable-inspector", *map(os.fspath, words)])
        for number, name, place in ((1, "stdout", out), (2, "stderr", err)):
            if place is None:
                os.close(number)
                monkeypatch.setattr(sys, name, None)
                continue
            fd = place if isinstance(place, int) else os.open(place, os.O_WRONLY)
            os.dup2(fd, number)
            os.close(fd)
            monkeypatch.setattr(sys, name, os.fdopen(number, "w", closefd=False))
        code = entry.command_line()
        # As the interpreter does at its end.
        sys.stdout.flush()
        sys.stderr.flush()
        return code, notes.read_bytes()

    yield run
    for number, copy in enumerate(kept):
        os.dup2(copy, number)
        os.close(copy)


def gone_terminal() -> int:
    ours, theirs = os.openpty()
    os.close(ours)
    return theirs


def no_reader() -> int:
    ours, theirs = os.pipe()
    os.close(ours)
    return theirs


@pytest.mark.parametrize("verb", VERBS)
def test_the_code_says_which_stream_has_failed(program: Program, damaged: Path, verb: str) -> None:
    words: list[str | Path] = [*verb.split(), damaged]
    code = VERBS[verb]
    for err in (Path("/dev/null"), Path("/dev/full"), None):
        assert program(words, Path("/dev/null"), err) == (code, b"")
    for out, why in (
        (Path("/dev/full"), b"standard output: No space left on device\n"),
        (gone_terminal(), b"standard output: Input/output error\n"),
        (None, b"standard output is closed\n"),
    ):
        done, said = program(words, out)
        assert done == 6
        assert b"Traceback" not in said
        assert said.endswith(b"reftable-inspector: " + why)
    done, said = program(words, no_reader())
    assert done == 0
    assert b"Broken" not in said


def test_a_defect_is_code_70_and_told_where(
    program: Program, damaged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: object) -> None:
        raise KeyError("the defect")

    monkeypatch.setattr(entry.cli.get_command(entry.click.Context(entry.cli), "tables"), "callback", fail)
    code, said = program(["tables", damaged], Path("/dev/null"))
    assert code == 70
    assert said.startswith(b"Traceback")
    assert said.endswith(
        b"KeyError: 'the defect'\n"
        b"reftable-inspector: the program failed: the fault is in it, and not in your repository\n"
    )


def test_a_full_disk_without_a_name_is_not_called_standard_output() -> None:
    error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert describe(error) == (ExitCode.UNWRITABLE, "No space left on device")

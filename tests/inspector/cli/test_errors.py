"""How the command line ends: exit codes, each provoked for real, and who gets which arguments."""

from __future__ import annotations

import errno
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import inspector.tui
from engine import errors
from engine.format import RefRecord
from engine.stack import Stack, StackOptions
from inspector.actions import Workplace
from inspector.exit_codes import ExitCode, describe
from tests.support.cli import ROOT, Outcome, ok, run, start
from tests.support.git import Git, Repository
from tests.support.stacks import listed
from tests.support.tables import oid, stack_files


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """Three tables of one ref each."""
    directory = tmp_path / "stack"
    directory.mkdir()
    with Stack.open(directory, StackOptions(auto_compact=False)) as handle:
        for number in range(3):
            with handle.addition() as addition, addition.table() as writer:
                writer.add_ref(RefRecord(b"refs/heads/%d" % number, addition.update_index, oid(number)))
    return directory


def assert_one_line(done: Outcome) -> None:
    assert done.out == b""
    assert done.err.startswith("reftable-inspector: ")
    assert done.err.count("\n") == 1


def test_the_codes_are_the_published_ones() -> None:
    assert {code.name: int(code) for code in ExitCode} == {
        "OK": 0,
        "FINDINGS": 1,
        "USAGE": 2,
        "UNREADABLE": 3,
        "LOCKED": 4,
        "CHANGED": 5,
        "UNWRITABLE": 6,
        "INTERNAL": 70,
        "INTERRUPTED": 130,
    }


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.FormatError("t.ref", 5, "bad"), ExitCode.UNREADABLE),
        (errors.ChecksumError("t.ref", 5, "bad"), ExitCode.UNREADABLE),
        (errors.MissingTableError("t.ref"), ExitCode.UNREADABLE),
        (errors.SnapshotError("t.ref", None, "gone"), ExitCode.UNREADABLE),
        (errors.RepositoryError("none here"), ExitCode.UNREADABLE),
        (errors.LockError("tables.list.lock", "held"), ExitCode.LOCKED),
        (errors.OutdatedError("tables.list", "changed"), ExitCode.CHANGED),
        (errors.ExpectationError(b"x", "moved"), ExitCode.CHANGED),
        (errors.RefnameError(b"x..", "dots"), ExitCode.USAGE),
        (errors.NameConflictError(b"a", b"a/b"), ExitCode.USAGE),
        (errors.EntryTooBigError("too big"), ExitCode.USAGE),
        (errors.ApiError("no"), ExitCode.USAGE),
        (errors.Cancelled(), ExitCode.INTERRUPTED),
        (KeyboardInterrupt(), ExitCode.INTERRUPTED),
        (BrokenPipeError(32, "Broken pipe"), ExitCode.OK),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else value.name,
)
def test_each_error_has_its_code(error: BaseException, code: ExitCode) -> None:
    assert describe(error)[0] is code


def test_what_may_not_be_read_has_another_code_than_what_may_not_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By what is asked of the system: root may do anything."""
    allowed = {tmp_path / "list", tmp_path}
    monkeypatch.setattr(os, "access", lambda path, *_, **__: Path(path) in allowed)
    for name in ("list", "table", "closed"):
        (tmp_path / name).touch()
    codes = [
        describe(PermissionError(13, "Permission denied", str(tmp_path / name)), writes=writes)[0]
        for name in ("list", "table", "closed/new", "new")
        for writes in (True, False)
    ]
    assert codes == [6, 3, 3, 3, 3, 3, 6, 3]
    assert describe(PermissionError("not in this directory"))[0] is ExitCode.UNWRITABLE


@pytest.mark.parametrize(
    "error", [errors.ChecksumError("t.ref", 5, "bad"), errors.MissingTableError("t.ref")]
)
@pytest.mark.parametrize("has_changed", [True, False])
def test_damage_comes_with_what_was_written_and_what_helps(error: Exception, has_changed: bool) -> None:
    written = "what was written before stays" if has_changed else "nothing was written"
    _, line = describe(error, has_changed=has_changed)
    assert line == f"{error}; {written}: see the verbs fsck and repair"


def test_only_what_would_have_written_says_that_nothing_was_written(stack: Path) -> None:
    os.truncate(stack / listed(stack)[1], 50)
    for args in (["compact", "--dry-run"], ["expire", "--dry-run"], ["add", "--dry-run"]):
        done = run(*args, stack, stdin=b"delete refs/heads/0\n")
        assert (done.code, "written" in done.err) == (3, False), args
        assert done.err.endswith("; see the verbs fsck and repair\n")
    for verb in ("compact", "expire", "add"):
        done = run(verb, stack, stdin=b"delete refs/heads/0\n")
        assert (done.code, "; nothing was written: see the verbs" in done.err) == (3, True), verb


def test_damage_of_a_snapshot_is_not_blamed_on_the_stack() -> None:
    error = errors.SnapshotError("t.ref", None, "is gone from the snapshot 5")
    assert describe(error)[1] == f"{error}; nothing was written"


@pytest.mark.parametrize("code", [errno.EACCES, errno.EMFILE, errno.ENOSPC, errno.EIO])
def test_an_error_of_the_system_is_told_in_words_with_its_file(code: int) -> None:
    _, line = describe(OSError(code, os.strerror(code), b"r/tables.list"))
    assert line.startswith(f"{os.strerror(code)}: r/tables.list")


def test_an_error_of_the_disk_is_one_of_writing_where_the_file_can_be_read_or_is_not_there(
    tmp_path: Path,
) -> None:
    there = tmp_path / "0x1.temp"
    there.write_bytes(b"a part of a table")
    broken = "/proc/self/mem"  # reading it from the beginning is such an error
    for path, writes, code in (
        (there, True, 6),
        (tmp_path / "tables.list.lock", True, 6),
        (there, False, 3),
        (broken, True, 3),
    ):
        error = OSError(errno.EIO, os.strerror(errno.EIO), str(path))
        assert describe(error, writes=writes)[0] == code


def test_a_lock_that_is_held_is_code_4_and_named(stack: Path) -> None:
    lock = stack / "tables.list.lock"
    lock.touch()
    before = stack_files(stack)
    for verb in (["compact"], ["expire", "--before", "now"], ["clean"]):
        done = run(*verb, stack)
        assert done.code == 4
        assert_one_line(done)
        assert str(lock) in done.err
    assert run("add", stack, stdin=f"create refs/heads/x {oid(9).hex()}\n".encode()).code == 4
    assert stack_files(stack) == before


def test_a_locked_table_is_code_4_and_named(stack: Path) -> None:
    lock = stack / f"{listed(stack)[1]}.lock"
    lock.touch()
    done = run("compact", stack)
    assert done.code == 4
    assert lock.name in done.err
    assert len(listed(stack)) == 3


def test_an_old_value_that_is_not_there_is_code_5(stack: Path) -> None:
    before = stack_files(stack)
    done = run("add", stack, stdin=f"update refs/heads/1 {oid(7).hex()} {oid(8).hex()}\n".encode())
    assert done.code == 5
    assert "refs/heads/1" in done.err
    assert oid(1).hex() in done.err
    assert stack_files(stack) == before


@pytest.mark.parametrize("verb", ["compact", "expire", "clean", "add"])
def test_a_broken_table_is_code_3_and_named(stack: Path, verb: str) -> None:
    table = stack / listed(stack)[1]
    data = bytearray(table.read_bytes())
    data[-5] ^= 0xFF
    table.write_bytes(data)
    done = run(verb, stack, *(["--before", "now"] if verb == "expire" else []))
    assert done.code == 3
    assert_one_line(done)
    assert table.name in done.err


def test_what_is_no_reftable_repository_is_code_3_and_said(git: Git, tmp_path: Path) -> None:
    git.run("init", "-q", "--ref-format=files", tmp_path / "files")
    (tmp_path / "empty").mkdir()
    texts = set()
    for place in ("files", "empty", "nowhere"):
        done = run("refs", tmp_path / place)
        assert done.code == 3
        assert_one_line(done)
        texts.add(done.err.replace(place, ""))
    assert len(texts) == 3


@pytest.mark.parametrize(
    "args",
    [
        ["refs", "--no-such-option"],
        ["refs", "--as-of", "x"],
        ["--no-such-option"],
        ["trace"],
        ["demo"],
        ["--demo=damaged"],
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_is_code_2(args: list[str]) -> None:
    done = run(*args)
    assert done.code == 2
    assert done.out == b""
    assert "Error: " in done.err


def test_an_interrupt_behind_the_commit_says_that_a_change_is_made(
    stack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("inspector.cli.output.Output.text", interrupt)
    for verb, told in ((["compact"], "; a change is made already"), (["tables"], "")):
        done = run(*verb, stack)
        assert (done.code, done.err) == (130, f"reftable-inspector: interrupted{told}\n")
    assert len(listed(stack)) == 1


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize(
    ("when", "code", "told"),
    [
        ("sys.addaudithook(lambda name, of: name == 'import' and of[0] == 'click' and kill())", 130, True),
        ("atexit.register(kill)", 0, False),
    ],
    ids=["while it starts", "while it ends"],
)
def test_an_interrupt_before_the_verb_or_behind_it_is_no_traceback(
    stack: Path, when: str, code: int, told: bool
) -> None:
    kill = "import atexit, os, runpy, signal, sys; kill = lambda: os.kill(os.getpid(), signal.SIGINT)"
    program = f"{kill}; {when}; runpy.run_module('inspector', run_name='__main__')"
    command = [sys.executable, "-c", program, "refs", os.fspath(stack)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (code, b"reftable-inspector: interrupted\n" if told else b"")


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_is_code_130(tmp_path: Path) -> None:
    ok("demo", tmp_path / "demo")
    with start("refs", "--json", tmp_path / "demo") as process:
        assert process.stdout is not None
        # It has begun, and cannot end: all its output does not fit into the pipe.
        assert process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
    assert (process.returncode, err) == (130, b"reftable-inspector: interrupted\n")


@pytest.mark.parametrize("json", [[], ["--json"]], ids=["text", "json"])
def test_a_reader_that_has_enough_is_no_error(tmp_path: Path, json: list[str]) -> None:
    ok("demo", tmp_path / "demo")
    with start("refs", *json, tmp_path / "demo") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0


def test_a_full_disk_is_an_error(stack: Path) -> None:
    with Path("/dev/full").open("wb") as full, start("refs", stack, stdout=full.fileno()) as process:
        assert process.stderr is not None
        said = process.stderr.read()
        assert said == b"reftable-inspector: standard output: No space left on device\n"
        assert process.wait() == 6


@pytest.mark.parametrize(
    ("verb", "closed", "code"),
    [("refs", ">&-", 6), ("refs", "2>&- >/dev/null", 0), ("fsck", "2>&- >/dev/null", 0), ("add", "<&-", 2)],
)
def test_a_standard_stream_that_is_closed_is_told_from_damage(
    stack: Path, verb: str, closed: str, code: int
) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", f'"$0" -m inspector {verb} "$1" {closed}', sys.executable, stack],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    assert done.returncode == code, done
    assert b"Traceback" not in done.stderr
    assert code == 0 or b"closed" in done.stderr


def test_a_terminal_gets_no_escape_sequence_of_a_name(tmp_path: Path) -> None:
    ok("demo", tmp_path / "demo")
    ours, theirs = pty.openpty()
    try:
        with start("refs", "--prefix", "refs/heads/\x1b", tmp_path / "demo", stdout=theirs) as process:
            assert process.wait() == 0
        shown = os.read(ours, 65536)
    finally:
        os.close(ours)
        os.close(theirs)
    assert b"\x1b" not in shown
    assert rb"refs/heads/\x1b[2J\x1b[31mowned\u202e" in shown


class Screen:
    """What the inspector was asked to show."""

    def __init__(self) -> None:
        self.calls: list[tuple[Workplace, dict[str, Any]]] = []
        self.refs: list[bytes] = []

    def __call__(self, workplace: Workplace, **options: Any) -> int:  # noqa: ANN401 - whatever it is given
        self.calls.append((workplace, options))
        with workplace.opened() as stack:
            self.refs = [record.name for record in stack.refs()]
        return 0


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    """Stand in for the terminal screen, which has tests of its own."""
    screen = Screen()
    monkeypatch.setattr(inspector.tui, "run_inspector", screen)
    return screen


def test_without_a_verb_the_inspector_opens(repo: Repository, screen: Screen) -> None:
    ok(repo.path)
    ok(repo.path, "--no-mouse", "--read-only")
    [(workplace, first), (read_only, second)] = screen.calls
    assert workplace.directory == repo.reftable
    assert workplace.options.policy == "geometric"
    assert (workplace.read_only, read_only.read_only) == (False, True)
    assert (first["mouse"], second["mouse"]) == (True, False)
    assert (first["label"], first["ask"]) == (str(repo.path), False)


def test_where_there_are_several_stacks_the_inspector_asks(
    repo: Repository, tmp_path: Path, screen: Screen
) -> None:
    repo.commit()
    repo.git("worktree", "add", "-q", tmp_path / "linked")
    ok(tmp_path / "linked")
    ok(tmp_path / "linked", "--worktree", "main")
    [(linked, first), (main, second)] = screen.calls
    assert (linked.directory.parent.name, first["ask"]) == ("linked", True)
    assert (main.directory, second["ask"]) == (repo.reftable, False)
    assert second["label"] == f"{tmp_path / 'linked'} (main)"


def test_without_any_argument_the_inspector_opens_here(
    repo: Repository, screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repo.path)
    ok()
    assert [workplace.directory for workplace, _ in screen.calls] == [repo.reftable]


def test_a_path_that_is_named_like_a_verb_is_written_with_a_dot(
    git: Git, tmp_path: Path, screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = git.init(tmp_path / "tables")
    monkeypatch.chdir(tmp_path)
    ok("./tables")
    assert [workplace.directory for workplace, _ in screen.calls] == [repo.reftable]
    assert run("tables").code == 3


def test_demo_opens_a_stack_that_is_gone_afterwards(screen: Screen) -> None:
    ok("--demo")
    [(workplace, _)] = screen.calls
    assert len(screen.refs) > 1000
    assert not workplace.directory.exists()


def test_demo_takes_no_path(screen: Screen, tmp_path: Path) -> None:
    assert run("--demo", tmp_path).code == 2
    assert run("--demo", "--worktree", "main").code == 2
    assert screen.calls == []


def test_the_inspector_of_nothing_is_code_3(tmp_path: Path, screen: Screen) -> None:
    done = run(tmp_path)
    assert done.code == 3
    assert_one_line(done)
    assert screen.calls == []


def test_help_names_every_verb_and_every_code() -> None:
    text = ok("--help").out.decode()
    verbs = [
        "tables",
        "segments",
        "refs",
        "logs",
        "trace",
        "resolve",
        "print",
        "layout",
        "fsck",
        "survey",
        "export",
        "repair",
        "add",
        "compact",
        "expire",
        "clean",
        "demo",
        "snapshots",
        "undo",
        "completion",
    ]
    commands = text[text.index("Commands:") :].splitlines()[1:]
    assert [line.split()[0] for line in commands] == verbs
    for option in ("--demo", "--read-only", "--no-mouse", "--worktree"):
        assert option in text
    for verb in verbs[:-1]:  # a script for a shell has one form
        assert "--json" in ok(verb, "--help").out.decode()


def test_python_m_inspector_is_the_command(stack: Path) -> None:
    with start("refs", stack) as process:
        out, err = process.communicate()
    assert (process.returncode, err) == (0, b"")
    assert out == ok("refs", stack).out

"""The verb fsck: findings worst first, as text and as JSON Lines, also of stacks that do not open."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from engine.format import RefRecord
from engine.fsck import FAULTS
from engine.stack import Stack
from inspector.exit_codes import ExitCode
from tests.support.cli import ROOT, ok, run
from tests.support.git import Git, Repository
from tests.support.handmade import change_byte, change_header
from tests.support.stacks import LOOSE, add, list_tables, listed, lock, make_stack
from tests.support.tables import oid, stack_files


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """Three sound tables, each so much smaller than the one before that no compaction is due."""
    directory = tmp_path / "stack"
    directory.mkdir()
    with Stack.open(directory, LOOSE) as handle:
        for index, count in enumerate((400, 60, 1), 1):
            add(handle, [RefRecord(b"refs/%04d" % at, index, oid(at + index * 500)) for at in range(count)])
    return directory


def make_old(path: Path) -> None:
    os.utime(path, (0, 0))


def damage(stack: Path) -> str:
    """Leave a stale lock and damage the middle table; returns its name."""
    make_old(lock(stack, "tables.list"))
    name = listed(stack)[1]
    change_byte(stack / name, 24)
    return name


def test_a_sound_stack_gives_no_line_and_no_exit_code(stack: Path) -> None:
    done = ok("fsck", stack)
    assert done.out == b""
    assert "0 errors, 0 warnings, 0 notes" in done.err
    assert ok("fsck", "--json", stack).out == b""


def test_errors_come_first_and_give_an_exit_code(stack: Path) -> None:
    name = damage(stack)
    done = run("fsck", stack)
    assert done.code == ExitCode.FINDINGS == 1
    heads = [line for line in done.lines if line and not line.startswith(b" ")]
    assert [line.split(b":")[:2] for line in heads] == [
        [b"error", b" block-damaged"],
        [b"warning", b" lock-stale"],
    ]
    assert name.encode() in heads[0]
    assert b"at byte 24" in heads[0]
    assert "1 error, 1 warning, 0 notes" in done.err


def test_what_follows_from_a_finding_is_told_under_it_and_not_counted(stack: Path) -> None:
    name = listed(stack)[1]
    change_header(stack / name, max_update_index=1_000_000)
    done = run("fsck", stack)
    heads = [line for line in done.lines if not line.startswith(b" ")]
    assert [line.split(b":")[1] for line in heads] == [b" ranges-overlap"]
    assert b"    so also: name-range: the name says 2 to 2, the header 2 to 1000000" in done.lines
    assert "1 error, 0 warnings, 0 notes; what follows from them in 1 finding" in done.err
    cause, follows = run("fsck", "--json", stack).objects
    assert cause["cause"] is None
    assert follows["cause"] == {"code": "ranges-overlap", "table": name, "offset": None}
    assert (follows["code"], follows["severity"], follows["table"]) == ("name-range", "warning", name)


def test_the_worst_comes_first_by_what_is_at_stake(stack: Path) -> None:
    """What keeps git from reading anything, then by numbers; severity above all."""
    make_old(lock(stack, "tables.list"))
    names = listed(stack)
    list_tables(stack, [names[0], names[2], names[1], names[0]])
    two = run("fsck", "--json", stack).objects
    assert [one["code"] for one in two] == ["list-repeats-older", "tables-out-of-order", "lock-stale"]
    assert [one["at_stake"] for one in two] == [60, 1, 0]
    (stack / names[1]).write_bytes(b"")
    assert run("fsck", "--json", stack).objects[0]["code"] == "not-a-table"


def test_it_ends_with_what_to_type_next(stack: Path) -> None:
    assert "repair" not in ok("fsck", stack).err
    damage(stack)
    assert run("fsck", stack).err.splitlines()[-1].endswith(f": reftable-inspector repair {stack}")
    assert run("fsck", "--json", stack).err == ""


def test_a_compaction_that_is_due_is_a_note(tmp_path: Path) -> None:
    """As the Health tab has it."""
    make_stack(tmp_path / "stack", 3)
    assert [(one["severity"], one["code"]) for one in ok("fsck", "--json", tmp_path / "stack").objects] == [
        ("info", "compaction-due")
    ]


def test_text_tells_what_git_does_and_what_helps(stack: Path) -> None:
    damage(stack)
    fault = FAULTS["block-damaged"]
    text = run("fsck", stack).out.decode()
    for words in (fault.meaning, fault.git, *fault.fixes):
        assert words in text


def test_warnings_alone_give_no_exit_code(stack: Path) -> None:
    make_old(lock(stack, "tables.list"))
    assert [line["code"] for line in ok("fsck", "--json", stack).objects] == ["lock-stale"]


def test_json_has_an_object_for_each_finding(stack: Path) -> None:
    name = damage(stack)
    done = run("fsck", "--json", stack)
    assert done.code == 1
    assert done.err == ""
    assert [list(line)[:6] for line in done.objects] == [
        ["severity", "code", "table", "offset", "message", "fix"]
    ] * 2
    error, warning = done.objects
    assert (error["severity"], error["code"], error["table"]) == ("error", "block-damaged", name)
    assert error["offset"] == 24
    assert error["fix"] == list(FAULTS["block-damaged"].fixes)
    assert error["git"] == FAULTS["block-damaged"].git
    assert (warning["table"], warning["offset"]) == ("tables.list.lock", None)


def test_a_stack_that_does_not_open_is_checked(stack: Path) -> None:
    names = listed(stack)
    (stack / names[0]).unlink()
    os.truncate(stack / names[1], 30)
    (stack / "tables.list").write_text("\n".join(names))
    assert run("tables", stack).code == ExitCode.UNREADABLE
    found = run("fsck", "--json", stack)
    assert found.code == ExitCode.FINDINGS
    assert {line["code"] for line in found.objects} >= {"list-no-newline", "table-missing", "cut-short"}


def test_a_lost_list_is_found_in_a_repository(repo: Repository) -> None:
    repo.commit()
    assert run("fsck", repo.path).code == 0
    (repo.reftable / "tables.list").unlink()
    done = run("fsck", repo.path, "--json")
    assert done.code == 1
    assert done.objects[0]["code"] == "list-missing"


def test_each_worktree_is_a_stack_of_its_own(git: Git, tmp_path: Path) -> None:
    repo = git.init(tmp_path / "repo")
    repo.commit()
    repo.git("worktree", "add", "-b", "topic", tmp_path / "topic")
    directory = repo.git_dir / "worktrees" / "topic" / "reftable"
    (directory / listed(directory)[0]).unlink()
    whole = run("fsck", repo.path)
    assert whole.code == 1
    assert b"stack topic: " in whole.lines[0]
    assert whole.err.splitlines()[-2].endswith("2 stacks checked: main, topic")
    assert whole.err.splitlines()[-1].endswith(f"repair --worktree topic {repo.path}")
    assert {one["stack"] for one in run("fsck", "--json", repo.path).objects} == {"topic"}
    main = ok("fsck", repo.reftable)
    assert "checked" not in main.err
    topic = run("fsck", repo.path, "--worktree", "topic")
    assert topic.code == 1
    assert "checked" not in topic.err
    assert run("fsck", tmp_path / "topic").code == 1


def test_the_hash_function_is_the_repositorys(git: Git, tmp_path: Path) -> None:
    repo = git.init(tmp_path / "repo", "sha256")
    repo.commit()
    ok("fsck", repo.path)
    repo.git("config", "--unset", "extensions.objectformat")
    assert {line["code"] for line in run("fsck", repo.path, "--json").objects} == {"object-format"}


def test_nothing_is_written(stack: Path) -> None:
    damage(stack)
    before = stack_files(stack)
    run("fsck", stack)
    assert stack_files(stack) == before


def test_no_stack_is_an_error_of_its_own(tmp_path: Path) -> None:
    done = run("fsck", tmp_path)
    assert done.code == ExitCode.UNREADABLE
    assert done.out == b""


def test_hostile_names_reach_no_terminal(stack: Path) -> None:
    name = "0x1\x1b]0;owned\x07.ref"
    (stack / "tables.list").write_bytes((stack / "tables.list").read_bytes() + name.encode() + b"\n")
    done = run("fsck", stack)
    assert done.code == 1
    assert b"\x1b" not in done.out
    assert b"\x07" not in done.out
    assert run("fsck", "--json", stack).objects[0]["table"] == name


def test_names_that_are_not_utf8_are_escaped_in_json(stack: Path) -> None:
    (stack / "tables.list").write_bytes((stack / "tables.list").read_bytes() + b"0x\xff.ref\n")
    done = run("fsck", "--json", stack)
    assert b"0x\\udcff.ref" in done.out
    assert run("fsck", stack).code == 1


@pytest.mark.parametrize("term", ["xterm", "dumb"])
def test_progress_is_painted_on_a_terminal_and_gone_at_the_end(tmp_path: Path, term: str) -> None:
    """But on none that would show the control characters, such as a shell in an editor."""
    directory = tmp_path / "stack"
    directory.mkdir()
    with Stack.open(directory, LOOSE) as handle:
        add(handle, [RefRecord(b"refs/heads/%06d" % number, 1, oid(number)) for number in range(3000)])
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "inspector", "fsck", "--json", directory],
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": term},
        stdout=subprocess.PIPE,
        stderr=theirs,
        check=True,
    )
    os.write(theirs, b"end")
    painted = b""
    while not painted.endswith(b"end"):  # a terminal hands on what it has so far
        painted += os.read(ours, 4096)
    os.close(theirs)
    os.close(ours)
    painted = painted.removesuffix(b"end")
    assert done.stdout == b""
    if term == "dumb":
        assert painted == b""
        return
    assert b"tables: " in painted or b"list: " in painted
    assert painted.endswith(b"\r\x1b[K")

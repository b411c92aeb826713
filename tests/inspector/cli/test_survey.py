"""The verb survey: every repository a line, whatever is wrong with it, and whatever becomes of a process."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.git import FoundRepository
from inspector.cli import workers
from inspector.cli.survey import _fields
from tests.support.cli import ROOT, Outcome, run, start
from tests.support.stacks import listed, lock, make_stack


def one_by_one(
    work: Callable[[Any], Any], items: Iterator[Any], _processes: int, _lost: Callable[[Any, int], Any]
) -> Iterator[Any]:
    """In this process: forking one that runs tests in threads is no good."""
    return (work(item) for item in items if item is not None)


def survey(*args: str | Path) -> Outcome:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(workers, "in_processes", one_by_one)
        return run("survey", *args)


def by_name(*args: str | Path) -> dict[str, dict[str, Any]]:
    return {Path(one["path"]).name: one for one in survey("--json", *args).objects}


def repository(path: Path, *, tables: int = 2, storage: str = "reftable") -> Path:
    """What makes a bare repository of a directory; returns its stack."""
    path.mkdir(parents=True)
    (path / "refs").mkdir()
    (path / "refs" / "heads").write_text("this repository uses the reftable format\n")
    make_stack(path / "reftable", tables)
    (path / "objects").mkdir()
    (path / "HEAD").write_text("ref: refs/heads/.invalid\n")
    extension = f"[extensions]\n\trefstorage = {storage}\n"
    (path / "config").write_text(f"[core]\n\trepositoryformatversion = 1\n\tbare = true\n{extension}")
    return path / "reftable"


def files_repository(path: Path) -> None:
    shutil.rmtree(repository(path, storage="files"))
    (path / "HEAD").write_text("ref: refs/heads/main\n")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "srv"


def test_each_repository_is_a_line_and_the_rest_is_told_at_the_end(place: Path) -> None:
    for name in ("a.git", "b/c.git"):
        repository(place / name)
    files_repository(place / "old.git")
    done = survey(place)
    assert done.code == 0
    headings, *lines = done.lines
    assert headings.split()[0] == b"worst"
    assert {line.split()[-1].decode() for line in lines} == {f"{place}/a.git", f"{place}/b/c.git"}
    assert lines[0].split()[:4] == [b"ok", b"1", b"2", b"%d" % _size(place / "a.git" / "reftable")]
    assert "2 repositories with reftables; 0 with errors, 0 with warnings alone; 1 with another" in done.err


def _size(stack: Path) -> int:
    return sum((stack / name).stat().st_size for name in listed(stack))


def test_the_fields_of_a_repository_in_json(place: Path) -> None:
    stack = repository(place / "a.git", tables=3)
    os.utime(lock(stack, "tables.list"), (time.time() - 7200,) * 2)
    worktree = place / "a.git" / "worktrees" / "side"
    worktree.mkdir(parents=True)
    (worktree / "gitdir").write_text("/nowhere/.git\n")
    (worktree / "HEAD").write_text("ref: refs/heads/.invalid\n")
    make_stack(worktree / "reftable", 1)
    (worktree / "reftable" / listed(worktree / "reftable")[0]).unlink()
    [found] = survey("--json", place).objects
    age = found["locks"][0].pop("age")
    assert 7200 <= age < 7300
    worst = found.pop("worst")
    assert found == {
        "path": f"{place}/a.git",
        "problem": None,
        "stacks": 2,
        "tables": 3,
        "bytes": _size(stack),
        "refs": None,
        "dead_bytes": None,
        "due_tables": 3,
        "due_bytes": found["due_bytes"],
        "locks": [{"stack": "main", "name": "tables.list.lock", "in_use": False}],
        "orphans": 0,
        "temporary_files": 0,
        "errors": 1,
        "warnings": 1,
        "notes": 0,
    }
    assert (worst["severity"], worst["code"], worst["stack"]) == ("error", "table-missing", "side")
    line = survey(place).lines[1]
    assert line.startswith(b"error        2      3 ")
    assert b" 2h  " in line
    assert b"a.git: table-missing: stack side: 0x" in line


def test_a_damaged_block_is_found_by_a_check(place: Path) -> None:
    stack = repository(place / "a.git", tables=1)
    path = stack / listed(stack)[0]
    data = bytearray(path.read_bytes())
    data[29] ^= 0xFF
    path.write_bytes(data)
    assert survey(place).code == 0
    done = survey("--check", "--json", place)
    assert done.code == 1
    assert done.objects[0]["errors"] > 0
    assert done.objects[0]["worst"]["table"] == path.name


def test_the_compaction_is_that_of_the_repositorys_own_options(place: Path) -> None:
    for name, factor in (("a.git", 2), ("b.git", 1)):
        repository(place / name, tables=2)
        with (place / name / "config").open("a") as config:
            config.write(f"[reftable]\n\tgeometricFactor = {factor}\n")
    found = by_name(place)
    assert {name: one["due_tables"] for name, one in found.items()} == {"a.git": 2, "b.git": 0}


def test_a_stack_that_is_named_itself_is_looked_at_alone(place: Path) -> None:
    stack = repository(place / "a.git")
    (place / "a.git" / "HEAD").write_text("")
    side = place / "a.git" / "worktrees" / "side"
    side.mkdir(parents=True)
    (side / "gitdir").touch()
    assert survey("--json", place).objects[0]["errors"] > 0
    [found] = survey("--json", stack).objects
    assert (found["stacks"], found["errors"], found["path"]) == (1, 0, os.fspath(stack))


def test_what_cannot_be_looked_at_is_a_line_too(place: Path) -> None:
    repository(place / "a.git")
    repository(place / "bad.git")
    (place / "bad.git" / "config").write_text("[extensions]\nrefstorage = reftable\nobjectformat = md5\n")
    shutil.rmtree(repository(place / "gone.git"))
    done = survey("--json", place, place / "missing")
    assert done.code == 1
    found = {Path(one["path"]).name: one["problem"] for one in done.objects}
    assert found.pop("a.git") is None
    assert "md5" in found["bad.git"]
    assert "its refs are lost" in found["gone.git"]
    assert found["missing"] == "No such file or directory"
    assert "3 places that could not be looked at" in done.err


def test_one_that_is_removed_meanwhile_is_left_out(place: Path) -> None:
    assert _fields(FoundRepository("a.git", f"{place}/a.git"), whole=False) == {}


def test_a_stack_in_a_repository_that_says_it_has_files_is_a_problem(place: Path) -> None:
    repository(place / "a.git")
    (place / "a.git" / "config").unlink()
    (place / "a.git" / "HEAD").write_text("ref: refs/heads/main\n")
    [found] = survey("--json", place).objects
    assert "to look into the stack that is there all the same" in found["problem"]


def test_hostile_repositories_stop_nothing_and_are_escaped(place: Path) -> None:
    names = {one: f"{one}.git" for one in ("HEAD", "config", "reftable/tables.list", "commondir")}
    for file, name in names.items():
        repository(place / name.replace("/", "-"))
        path = place / name.replace("/", "-") / file
        path.unlink(missing_ok=True)
        os.mkfifo(path)
    for file in ("config", "HEAD", "reftable/tables.list"):
        name = f"huge-{file.replace('/', '-')}.git"
        repository(place / name)
        os.truncate(place / name / file, 2**40)
    stack = repository(place / "huge-table.git")
    os.truncate(stack / listed(stack)[0], 2**40)
    repository(place / "a\nb\x1b]0;title\x07.git")
    repository(place / os.fsdecode(b'\xff"\\.git'))
    done = survey(place)
    assert done.code == 1
    assert len(done.lines) == 1 + 10
    assert b"\x1b" not in done.out
    assert b"a\\x0ab\\x1b]0;title\\x07.git" in done.out
    assert b'\\xff"' in done.out
    assert sum(line.startswith(b"error") for line in done.lines) >= 7
    assert {one["path"] for one in survey("--json", place).objects} >= {f"{place}/a\nb\x1b]0;title\x07.git"}


def test_openmetrics_can_be_read_by_prometheus(place: Path) -> None:
    from prometheus_client.openmetrics.parser import (  # noqa: PLC0415 - a test of another file needs no such
        text_string_to_metric_families,
    )

    stack = repository(place / "a.git")
    lock(stack, "tables.list")
    repository(place / 'b "\\\n.git')
    shutil.rmtree(repository(place / "gone.git"))
    files_repository(place / "old.git")
    done = survey("--openmetrics", place)
    assert done.code == 1
    assert done.out.endswith(b"\n# EOF\n")
    families = {one.name: one for one in text_string_to_metric_families(done.out.decode())}
    values = {
        (sample.name, *sample.labels.values()): sample.value
        for one in families.values()
        for sample in one.samples
    }
    a = f"{place}/a.git"
    assert all(one.type == "gauge" for one in families.values())
    assert all(one.documentation.endswith(".") for one in families.values())
    assert families["reftable_size_bytes"].unit == "bytes"
    assert families["reftable_oldest_lock_age_seconds"].unit == "seconds"
    assert values["reftable_size_bytes", a] == _size(stack)
    assert values["reftable_tables", a] == values["reftable_refs", a] == 2
    assert values["reftable_locks", a] == 1
    assert values["reftable_findings", a, "info"] == 1
    assert values["reftable_problem", a] == 0
    assert values["reftable_problem", f"{place}/gone.git"] == 1
    assert ("reftable_tables", f'{place}/b "\\\\\\x0a.git') in values
    assert values["reftable_survey_repositories", "reftable"] == 2
    assert values["reftable_survey_repositories", "files"] == 1
    assert values["reftable_survey_problems",] == 1


def test_one_form_at_a_time_and_a_directory_at_least(place: Path) -> None:
    assert survey("--json", "--openmetrics", place).code == 2
    assert survey().code == 2
    assert survey("--jobs", "0", place).code == 2


def test_no_repository_is_no_error(tmp_path: Path) -> None:
    done = survey("--json", tmp_path)
    assert (done.code, done.out) == (0, b"")
    assert "0 repositories with reftables" in done.err


def test_git_is_not_run(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "git"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    program.chmod(0o755)
    monkeypatch.setenv("REFTABLE_GIT", os.fspath(program))
    repository(place / "a.git")
    assert len(survey("--check", "--json", place).objects) == 1
    assert not (tmp_path / "ran").exists()


# Processes


@pytest.mark.parametrize(
    ("count", "options", "has_processes"),
    [(4, [], False), (5, [], True), (1, ["--check"], True), (1, ["--jobs=1"], True)],
)
def test_a_few_are_looked_at_here_unless_that_may_take_long(
    count: int, options: list[str], has_processes: bool, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(workers, "in_processes", lambda *all_: asked.append(all_[2]) or one_by_one(*all_))
    assert len(run("survey", "--json", *options, _many(place, count)).objects) == count
    assert bool(asked) == has_processes


def _many(place: Path, count: int = 150) -> Path:
    repository(place / "0.git")
    for number in range(1, count):
        shutil.copytree(place / "0.git", place / f"{number}.git")
    return place


def _children(process: subprocess.Popen[bytes]) -> list[int]:
    return list(map(int, Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()))


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_all_processes_at_once(place: Path, ending: signal.Signals) -> None:
    with start("survey", "--jobs=3", os.fspath(_many(place))) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.readline()
        children = _children(process)
        assert children
        process.send_signal(ending)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err == b"reftable-inspector: interrupted\n"
    assert not any(map(_is_alive, children))


def test_a_reader_that_has_enough_ends_it_without_a_word(place: Path) -> None:
    with start("survey", os.fspath(_many(place))) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(timeout=60) == 0
        assert process.stderr is not None
        assert process.stderr.read() == b""


_DYING: str = """
import os, signal, sys
from inspector.cli.workers import in_processes

def work(item):
    if item % 10 == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    if item % 10 == 7:
        os._exit(5)
    return item, 0

def items():
    for item in range(50):
        yield None
        yield item

for result in in_processes(work, items(), int(sys.argv[1]), lambda item, code: (item, code)):
    print(*result)
"""


@pytest.mark.parametrize("processes", [1, 3])
def test_what_a_process_was_at_when_it_died_is_told_and_the_rest_is_done(processes: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _DYING, str(processes)],
        cwd=ROOT,
        capture_output=True,
        check=True,
        timeout=50,
    )
    results = dict(tuple(map(int, line.split())) for line in done.stdout.splitlines())
    assert results == {
        item: -signal.SIGKILL if item % 10 == 3 else 5 if item % 10 == 7 else 0 for item in range(50)
    }


def test_lines_come_as_repositories_are_done(place: Path) -> None:
    with start("survey", "--json", "--jobs=1", os.fspath(_many(place))) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["tables"] == 2
        assert process.poll() is None
        process.communicate(timeout=50)
    assert process.returncode == 0

"""The commit of a ref: in the detail where git can be asked, and by git's own pager with `o`."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from engine.git import find_repository
from inspector.actions import Workplace
from inspector.model import Session
from inspector.tui import InspectorApp, MainScreen, pager
from inspector.tui.screens import navigable
from tests.support.environment import enter_environment_of
from tests.support.git import Git, Repository
from tests.support.screens import branches, drive, inspect, make_stack, press, shown_lines
from tests.support.stacks import OPTIONS
from tests.support.terminal import inspector

# A shell runs its trap only with the next line, were ctrl+c to come just before it waits for one.
PAGER = """\
import signal, sys, time

signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
print(sys.stdin.read(), "the pager has it", flush=True)
signal.sigwait([signal.SIGINT])
print("int", flush=True)
with open("/dev/tty") as terminal:
    line = next(line for line in terminal if line.strip())
time.sleep(0.6)  # so that it is not so quick that enter would be asked for
print("left:", line, flush=True)
"""


@pytest.fixture
def history(repo: Repository, git: Git, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """HEAD and main at a commit, a tag of it, a branch whose commit is hostile, and one that is missing."""
    enter_environment_of(git, monkeypatch)
    repo.commit("the first commit\n\nand more")
    repo.tag("v1")
    tree = repo.git("write-tree").stdout.decode().strip()
    data = f"tree {tree}\nauthor \x1b]0;x\x07 <a@b> 0 +0000\ncommitter c <a@b> 0 +0000\n\n[bold]\x1b[2J\n"
    odd = repo.git("hash-object", "-w", "-t", "commit", "--literally", "--stdin", input=data.encode())
    repo.git("update-ref", "refs/heads/odd", odd.stdout.decode().strip())
    return repo


def look_at(repository: Repository, steps: Any) -> None:  # noqa: ANN401
    found = find_repository(repository.path)
    directory = found.current.directory
    with Session.open(directory, label="test", options=OPTIONS) as session:
        app = InspectorApp(session, Workplace(directory, OPTIONS, found))

        async def run(pilot: Pilot[Any]) -> None:
            assert isinstance(app.screen, MainScreen)
            await steps(pilot, app.screen)

        drive(app, run)


def test_the_detail_has_the_commit_and_o_shows_it(
    history: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    paged: list[tuple[str, bytes]] = []

    def page(_app: object, _git: object, _git_dir: str, oid: bytes, pager: str) -> str:
        paged.append((pager, oid))
        return "what went wrong"

    monkeypatch.setattr(navigable, "show_object", page)
    monkeypatch.setenv("GIT_PAGER", "a pager")

    async def steps(pilot: Pilot[Any], _screen: MainScreen) -> None:
        def text() -> str:
            return "\n".join(shown_lines(pilot.app))

        commit = "the first commit  A U Thor, 2023-11-14 22:13 +0000"
        assert f"commit   {commit}" in text(), "HEAD, a symref"
        await press(pilot, "j", "j")
        assert "[bold]\\x1b[2J" in text()
        assert "\x1b" not in text()
        await press(pilot, "j")
        assert f"commit   {commit}" in text(), "behind the tag"
        assert "tag      v1: v1  A U Thor" in text()
        await press(pilot, "o")
        assert paged == [("a pager", history.oid("refs/tags/v1"))]
        assert "what went wrong" in text()
        pilot.app.clear_notifications()
        await press(pilot, "2", "o")
        assert f"commit   {commit}" in text(), "of a log entry"
        assert paged[1:] == [("a pager", history.oid("HEAD"))]
        await press(pilot, "1", "g", "o")
        assert paged[2:] == [("a pager", history.oid("HEAD"))]

    look_at(history, steps)


def test_without_a_repository_there_is_no_word_of_commits_and_no_o(tmp_path: Path) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        await press(pilot, "o")
        text = "\n".join(shown_lines(pilot.app))
        assert "versions" in text or "wins" in text
        assert "commit " not in text
        assert "object " not in text
        assert screen._refs.check_action("want", ("object",)) is False

    inspect(make_stack(tmp_path / "reftable", (branches(3), [])), steps)


def test_the_pager_has_the_terminal_and_gives_it_back(history: Repository, tmp_path: Path) -> None:
    program = tmp_path / "pager"
    (tmp_path / "pager.py").write_text(PAGER)
    program.write_text(f"#!/bin/sh\nexec '{sys.executable}' '{tmp_path}/pager.py'\n")
    program.chmod(0o755)
    with inspector(history.path, env={"GIT_PAGER": str(program)}) as terminal:
        terminal.until("the first commit")
        for _ in range(2):
            terminal.quiet()
            terminal.press(b"o", "the pager has it")
            terminal.press(b"\x03", "int")
            terminal.press(b"enough\n", "left: enough(.|\n)*refs/heads/odd")
        assert "and more" in terminal.text
        terminal.quiet()
        terminal.send(b"q")
        assert terminal.end() == 0
        assert terminal.faults() == []


def test_enter_is_waited_for_where_there_was_no_time_to_read(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[str] = []
    for viewer in ("cat >/dev/null", "sleep 0.6", "cat"):
        monkeypatch.setattr(pager, "_wait_for_enter", lambda: waited.append(viewer))  # noqa: B023
        pager._page(["true"], dict(os.environ), viewer)
    assert waited == ["cat >/dev/null", "cat"]


@pytest.mark.whole
def test_what_ends_the_inspector_ends_the_pager(history: Repository, tmp_path: Path) -> None:
    program = tmp_path / "pager"
    program.write_text(f"#!/bin/sh\necho $$ >{tmp_path}/pid\necho the pager has it\nexec sleep 1000\n")
    program.chmod(0o755)
    with inspector(history.path, env={"GIT_PAGER": str(program)}) as terminal:
        terminal.until("the first commit")
        terminal.quiet()
        terminal.press(b"o", "the pager has it")
        terminal.signal(signal.SIGTERM)
        assert terminal.end() == 130
        assert terminal.faults() == []
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)

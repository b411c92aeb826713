"""The choice between the stacks of a repository: what each holds, or why it cannot be opened."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from textual.app import App
from textual.pilot import Pilot

from engine.git import StackLocation, find_repository
from engine.stack import StackOptions
from inspector.tui.screens.picker import PickerScreen, StackSummary
from inspector.tui.widgets.virtual_list import VirtualList
from tests.support.git import Repository
from tests.support.screens import NARROW, WIDE, branches, drive, make_stack, shown_lines
from tests.support.stacks import traces

Steps = Callable[[Pilot[Any], "Host"], Awaitable[None]]


class Host(App[None]):
    """Asks at once, and keeps the answer."""

    def __init__(self, screen: PickerScreen) -> None:
        super().__init__()
        self._screen = screen
        self.answers: list[StackLocation | None] = []

    def on_mount(self) -> None:
        self.push_screen(self._screen, self.answers.append)

    @property
    def lines(self) -> list[str]:
        return [line.strip(" ┃") for line in shown_lines(self)]

    def line(self, start: str) -> list[str]:
        """The words of the line that begins like this, the mark of the cursor left out."""
        (found,) = [line for line in self.lines if line.removeprefix("> ").startswith(start)]
        return found.removeprefix("> ").split()


def pick(
    choices: list[StackLocation], steps: Steps, base: Path | None = None, size: tuple[int, int] = WIDE
) -> None:
    app = Host(PickerScreen(choices, StackOptions(), base=base))

    async def run(pilot: Pilot[Any]) -> None:
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()
        await steps(pilot, app)

    drive(app, run, size)


def locations(root: Path) -> list[StackLocation]:
    """Two sound stacks, the second one current, one that is damaged, and one that is not there."""
    make_stack(root / "reftable", (branches(3), []), (branches(2, 2), []))
    make_stack(root / "worktrees" / "topic" / "reftable", (branches(1), []))
    make_stack(root / "worktrees" / "worn" / "reftable", (branches(1), []))
    (root / "worktrees" / "worn" / "reftable" / "tables.list").write_bytes(b"cut")
    places = {"main": root / "reftable"}
    places |= {name: root / "worktrees" / name / "reftable" for name in ("topic", "worn", "gone")}
    return [StackLocation(name, place, name == "topic") for name, place in places.items()]


def test_each_stack_is_named_with_its_tables_and_size(tmp_path: Path) -> None:
    async def steps(_pilot: Pilot[Any], app: Host) -> None:
        size = sum(path.stat().st_size for path in (tmp_path / "reftable").glob("*.ref"))
        assert app.line("main") == ["main", "reftable", "2", str(size)]
        assert app.line("topic")[:4] == ["topic", "(here)", "worktrees/topic/reftable", "1"]

    pick(locations(tmp_path), steps, tmp_path)


def test_a_stack_that_cannot_be_opened_says_why_and_can_be_chosen(tmp_path: Path) -> None:
    async def steps(pilot: Pilot[Any], app: Host) -> None:
        assert app.line("worn")[-2:] == ["!", "error"]
        await pilot.press("j")
        assert "! cannot be opened: tables.list at byte 3: no newline at the end" in "\n".join(app.lines)
        await pilot.press("j")
        assert "No such file or directory" in "\n".join(app.lines)
        await pilot.press("k", "enter")
        assert [answer.name for answer in app.answers if answer] == ["worn"]

    pick(locations(tmp_path), steps, tmp_path)


def test_the_cursor_begins_on_the_stack_that_the_path_stands_for(tmp_path: Path) -> None:
    async def steps(pilot: Pilot[Any], app: Host) -> None:
        await pilot.press("enter")
        assert [answer.name for answer in app.answers if answer] == ["topic"]

    pick(locations(tmp_path), steps)


def test_a_double_click_chooses(tmp_path: Path) -> None:
    async def steps(pilot: Pilot[Any], app: Host) -> None:
        await pilot.click(VirtualList, offset=(5, 0), times=2)
        assert [answer.name for answer in app.answers if answer] == ["main"]

    pick(locations(tmp_path), steps)


def test_escape_is_no_answer(tmp_path: Path) -> None:
    async def steps(pilot: Pilot[Any], app: Host) -> None:
        await pilot.press("escape")
        assert app.answers == [None]

    pick(locations(tmp_path), steps)


def test_looking_changes_nothing(tmp_path: Path) -> None:
    choices = locations(tmp_path)
    before = [traces(choice.directory) for choice in choices[:3]]

    async def steps(pilot: Pilot[Any], _app: Host) -> None:
        await pilot.press("G", "escape")

    pick(choices, steps)
    assert [traces(choice.directory) for choice in choices[:3]] == before


def test_many_stacks_are_a_list_that_scrolls(tmp_path: Path) -> None:
    choices = [StackLocation(f"w{number}", tmp_path / "none", number == 70) for number in range(100)]

    async def steps(pilot: Pilot[Any], app: Host) -> None:
        assert any(line.startswith("> w70") for line in app.lines)
        await pilot.press("G")
        assert any(line.startswith("> w99") for line in app.lines)
        assert app.screen.query_one(VirtualList).size.height < 20

    pick(choices, steps, size=NARROW)


def test_names_and_paths_are_shown_and_not_obeyed(tmp_path: Path) -> None:
    name = "[red]\x1b[2J\udcff"

    async def steps(_pilot: Pilot[Any], app: Host) -> None:
        assert r"[red]\x1b[2J\xff" in "\n".join(app.lines)
        assert "".join(app.lines).isprintable()

    pick([StackLocation(name, tmp_path / name, is_current=False)], steps, tmp_path)


def test_the_worktrees_of_a_repository_of_real_git_are_offered(repo: Repository) -> None:
    repo.commit("first")
    repo.git("worktree", "add", "-q", "../linked")
    found = find_repository(repo.path)

    async def steps(_pilot: Pilot[Any], app: Host) -> None:
        assert app.line("main")[:3] == ["main", "(here)", "reftable"]
        assert app.line("linked")[1] == "worktrees/linked/reftable"

    pick(list(found.stacks), steps, found.common_dir)


def test_after_it_is_left_no_more_stacks_are_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, left = threading.Event(), threading.Event()
    opened: list[Path] = []

    def summarise(_screen: PickerScreen, directory: Path) -> StackSummary:
        opened.append(directory)
        begun.set()
        assert left.wait(60)
        return StackSummary()

    monkeypatch.setattr(PickerScreen, "_summarise", summarise)
    app = Host(PickerScreen(locations(tmp_path), StackOptions()))

    async def run() -> None:
        async with app.run_test() as pilot:
            while not begun.is_set():
                await pilot.pause(0.01)
            await pilot.press("escape")
            left.set()
            await pilot.pause(0.1)
            assert app.answers == [None]

    asyncio.run(run())
    assert len(opened) == 1


def test_no_further_stack_is_read_once_the_choice_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []
    left = threading.Event()

    def summarise(_screen: PickerScreen, directory: Path) -> StackSummary:
        read.append(directory)
        assert left.wait(60)
        return StackSummary()

    monkeypatch.setattr(PickerScreen, "_summarise", summarise)
    app = Host(PickerScreen(locations(tmp_path), StackOptions()))

    async def run() -> None:
        async with app.run_test() as pilot:
            await pilot.press("escape")
            assert app.answers == [None]
            left.set()
            await pilot.pause()
            assert len(read) == 1

    asyncio.run(run())

"""The Health tab: nothing is read unasked, what was found stays, and a check can be stopped."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from textual import on
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.screen import Screen

from engine.fsck import FAULTS, Finding, Severity, fsck
from engine.progress import Progress, ProgressCallback
from engine.readable import open_readable
from engine.stack import FileKind, Stack, StackOptions, UnlistedFile
from inspector.cli.opening import find_stack
from inspector.model import Check, Counts, HealthMark, OffsetPlace, PlanPlace, StackView, places_of
from inspector.tui import InspectorApp, MainScreen
from inspector.tui.navigation import Follow
from inspector.tui.screens.plan import Phase, RepairScreen
from inspector.tui.widgets.health_pane import HealthPane
from tests.support.actions import phase
from tests.support.cli import run
from tests.support.git import Repository
from tests.support.handmade import change_header
from tests.support.screens import (
    NARROW,
    WIDE,
    branches,
    damage_block,
    drive,
    inspect,
    make_stack,
    open_session,
    press,
    settle,
    shown_lines,
)
from tests.support.stacks import listed

Steps = Callable[[Pilot[Any], "Host"], Awaitable[None]]
LOCK = UnlistedFile("tables.list.lock", FileKind.LIST_LOCK, 0, 0.0, 3600.0, "a lock")


class RepairsNoted(Screen[None]):
    """Only the pane, and how often a repair was asked for."""

    def __init__(self, pane: HealthPane) -> None:
        super().__init__()
        self.pane = pane
        self.repairs = 0

    def compose(self) -> ComposeResult:
        yield self.pane

    def action_repair(self) -> None:
        self.repairs += 1


class Host(App[None]):
    """Only the pane, and what it says."""

    def __init__(self, check: Check | None) -> None:
        super().__init__()
        self.pane = HealthPane(check)
        self.followed: list[Finding | None] = []
        self.counts: Counts | None = None
        self.marks: dict[str, HealthMark] = {}
        self.copied = ""

    def get_default_screen(self) -> RepairsNoted:
        return RepairsNoted(self.pane)

    def copy_to_clipboard(self, text: str) -> None:
        self.copied = text

    @on(Follow)
    def _note_followed(self) -> None:
        self.followed.append(self.pane.current)

    @on(HealthPane.Changed)
    def _note_change(self) -> None:
        self.counts, self.marks = self.pane.known.counts(), self.pane.known.marks()

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in shown_lines(self))


def view(directory: Path) -> StackView:
    return StackView(open_readable(directory))


def host(
    shown: StackView,
    steps: Steps,
    beside: Sequence[UnlistedFile] = (),
    check: Check | None = None,
    size: tuple[int, int] = WIDE,
) -> None:
    app = Host(check)

    async def run(pilot: Pilot[Any]) -> None:
        app.pane.show(shown, beside)
        app.pane.query_one("#findings").focus()
        await pilot.pause()
        await steps(pilot, app)

    drive(app, run, size)


async def checked(pilot: Pilot[Any], key: str = "v") -> None:
    """Press a key that begins a check, and wait for its end."""
    await pilot.press(key)
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """Three tables, the second one with a damaged block."""
    directory = make_stack(
        tmp_path / "reftable", *((branches(count, at), []) for at, count in enumerate((500, 400, 3), start=1))
    )
    damage_block(directory, 1)
    return directory


def names(shown: StackView) -> list[str]:
    return [table.name for table in shown.tables]


def test_nothing_is_read_unasked(stack: Path) -> None:
    shown = view(stack)
    before = [table.reads for table in shown.tables]

    async def steps(pilot: Pilot[Any], app: Host) -> None:
        await pilot.press("j", "k")
        assert "enter or v checks 3 tables" in app.text
        assert "no table has been checked yet" in app.text
        assert [table.reads for table in shown.tables] == before
        assert app.marks == dict.fromkeys(names(shown), HealthMark.UNCHECKED)

    host(shown, steps)


@pytest.mark.parametrize("key", ["v", "enter"])
def test_a_check_finds_the_damage_and_marks_its_table(stack: Path, key: str) -> None:
    shown = view(stack)

    async def steps(pilot: Pilot[Any], app: Host) -> None:
        await checked(pilot, key)
        assert re.search(r"X error +#1 …00005eed +\d,\d+ ", app.text)
        assert "3 of 3 tables checked" in app.text
        marks = (HealthMark.SOUND, HealthMark.DAMAGED, HealthMark.SOUND)
        assert app.marks == dict(zip(names(shown), marks, strict=True))
        assert app.counts is not None
        assert app.counts.errors
        assert "enter or v checks" not in app.text

    host(shown, steps)


def test_files_beside_the_stack_are_known_at_once_and_first_things_stay_first(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], app: Host) -> None:
        assert re.search(r"! warning tables.list.lock +a lock", app.text)
        await pilot.press("j")
        assert app.pane.current is not None
        await checked(pilot)
        assert app.pane.current is not None
        assert app.pane.current.file == "tables.list.lock"
        assert app.text.index("X error") < app.text.index("! warning")

    host(view(stack), steps, [LOCK])


def test_until_the_cursor_is_moved_it_is_on_the_worst(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], app: Host) -> None:
        await checked(pilot)
        assert app.pane.current is not None
        assert app.pane.current.severity is Severity.ERROR

    host(view(stack), steps, [LOCK])


def test_the_words_for_a_finding_say_what_git_does_and_what_to_do(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], app: Host) -> None:
        await checked(pilot)
        words = app.text[app.text.rindex("X error") :]
        assert re.search(r"#1 0x0\S+-00005eed.ref, byte \d,\d+", words)
        assert "git    git stops at the damage" in words
        assert "repair rewrite the table from its readable records" in words

    host(view(stack), steps)


@pytest.mark.parametrize("key", ["enter", "b"])
def test_a_finding_leads_to_its_block(stack: Path, key: str) -> None:
    shown = view(stack)
    offset = 4096

    async def steps(pilot: Pilot[Any], app: Host) -> None:
        await checked(pilot)
        await pilot.press(key)
        (followed,) = app.followed
        assert followed is not None
        assert OffsetPlace(shown.tables[1].name, offset) == places_of(followed, shown)[0]
        await pilot.press("y")
        assert app.copied.startswith(f"error block-damaged {shown.tables[1].name} at byte {offset}: ")

    host(shown, steps)


def test_a_finding_about_a_lock_leads_to_the_plan_that_removes_it(tmp_path: Path) -> None:
    async def steps(pilot: Pilot[Any], app: Host) -> None:
        await pilot.press("j", "enter")
        (followed,) = app.followed
        assert followed is not None
        assert places_of(followed) == (PlanPlace("unlock", (LOCK.name,)),)

    host(view(make_stack(tmp_path / "reftable")), steps, [LOCK])


def test_a_stack_without_tables_is_checked_too(tmp_path: Path) -> None:
    directory = make_stack(tmp_path / "reftable")
    shown = view(directory)
    (directory / "0x000000000001-0x000000000001-00000001.ref").write_bytes(b"no table")

    async def steps(pilot: Pilot[Any], app: Host) -> None:
        await checked(pilot)
        assert [one.code for one in app.pane.known.findings()] == ["list-empty", "orphan-damaged"]
        assert "X error" in app.text

    (directory / "tables.list").write_bytes(b"")
    host(shown, steps)


def test_what_fsck_finds_is_what_is_shown(stack: Path) -> None:
    (stack / "0x00-tmp.temp.1").write_bytes(b"")
    found = [(one.code, one.file, one.offset) for one in fsck(stack)]

    async def steps(pilot: Pilot[Any], app: Host) -> None:
        await checked(pilot)
        at_hand = {"compaction-due"}
        shown = [one for one in app.pane.known.findings() if one.code not in at_hand]
        assert sorted((one.code, one.file, one.offset or 0) for one in shown) == sorted(
            (code, file, offset or 0) for code, file, offset in found
        )

    host(view(stack), steps)


def test_a_stack_is_checked_again_when_asked(stack: Path) -> None:
    looked: list[Path] = []

    def check(directory: Path, options: StackOptions, progress: ProgressCallback) -> Iterator[Finding]:
        looked.append(directory)
        return fsck(directory, options, progress)

    async def steps(pilot: Pilot[Any], app: Host) -> None:
        await checked(pilot)
        make_stack(stack, (branches(1, 4), []))
        newer = view(stack)
        app.pane.show(newer, ())
        await pilot.pause()
        assert "enter or v checks 4 tables," in app.text
        assert "3 of 4 tables checked" in app.text
        await checked(pilot)
        assert "enter or v checks" not in app.text
        await checked(pilot)
        assert looked == [stack] * 3
        assert app.pane.known.counts().errors == len(
            [one for one in fsck(stack) if one.severity is Severity.ERROR]
        )

    host(view(stack), steps, check=check)


def test_findings_of_tables_that_are_gone_go_with_them(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], app: Host) -> None:
        await checked(pilot)
        names = listed(stack)
        (stack / "tables.list").write_text(f"{names[0]}\n{names[2]}\n")
        app.pane.show(view(stack), ())
        await pilot.pause()
        assert app.counts is not None
        assert app.counts.errors == 0
        assert "X error" not in app.text

    host(view(stack), steps)


def test_a_repair_is_asked_for(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], app: Host) -> None:
        await pilot.press("r")
        await pilot.pause()
        assert isinstance(app.screen, RepairsNoted)
        assert app.screen.repairs == 1

    host(view(stack), steps)


def bad(file: str) -> Finding:
    return Finding(FAULTS["block-damaged"], file, 0, "bad")


class Halting:
    """A check that waits after its first finding until it is let go."""

    def __init__(self) -> None:
        self.waits = threading.Event()
        self.goes_on = threading.Event()

    def __call__(
        self, directory: Path, _options: StackOptions, progress: ProgressCallback
    ) -> Iterator[Finding]:
        progress(Progress("halting", 0, 100))
        yield bad(listed(directory)[0])
        progress(Progress("halting", 50, 100))
        self.waits.set()
        self.goes_on.wait(60)
        progress(Progress("going on", 75, 100))
        yield bad("another")


def test_escape_stops_a_check_and_what_was_found_stays(stack: Path) -> None:
    check = Halting()
    shown = view(stack)

    async def steps(pilot: Pilot[Any], app: Host) -> None:
        assert app.pane.check_action("stop", ()) is False
        await pilot.press("v")
        assert check.waits.wait(60)
        await pilot.pause()
        assert re.search(r"50% █+░+ 50 of 100  halting  \(escape stops\)", app.text)
        assert "X error" in app.text
        assert app.pane.check_action("check", ()) is False
        await pilot.press("escape")
        check.goes_on.set()
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert not app.pane.running
        assert "X error" in app.text
        assert "another" not in app.text
        assert "tables checked" not in app.text
        assert "enter or v checks 3 tables" in app.text
        marks = (HealthMark.DAMAGED, HealthMark.UNCHECKED, HealthMark.UNCHECKED)
        assert app.marks == dict(zip(names(shown), marks, strict=True))

    try:
        host(shown, steps, check=check)
    finally:
        check.goes_on.set()


def test_a_check_that_fails_says_so(stack: Path) -> None:
    def check(_directory: Path, _options: StackOptions, progress: ProgressCallback) -> Iterator[Finding]:
        progress(Progress("failing", 0, 3))
        yield bad("tables.list")
        raise RuntimeError("[red]\x1b[2J broken")

    async def steps(pilot: Pilot[Any], app: Host) -> None:
        await pilot.press("v")
        for _ in range(20):
            await pilot.pause()
        assert "the check has failed: a defect of this program: RuntimeError: " in app.text
        assert r"[red]\x1b[2J broken" in app.text
        assert not app.pane.running
        assert "enter or v checks 3 tables" in app.text

    host(view(stack), steps, check=check)


def test_much_is_told_in_few_messages(tmp_path: Path) -> None:
    directory = make_stack(tmp_path / "reftable", (branches(1), []))
    findings = 5000

    def check(_directory: Path, _options: StackOptions, progress: ProgressCallback) -> Iterator[Finding]:
        for number in range(findings):
            progress(Progress("many", number, findings))
            yield bad(f"file-{number}")

    async def steps(pilot: Pilot[Any], app: Host) -> None:
        updates: list[int] = []
        update = app.pane._update
        app.pane._update = lambda: (updates.append(1), update())[1]  # type: ignore[method-assign]
        await checked(pilot)
        assert app.pane.known.counts().errors == findings
        assert len(updates) < 120

    host(view(directory), steps, check=check)


@pytest.mark.parametrize("size", [NARROW, (60, 16), (30, 8), WIDE])
def test_any_size_will_do(stack: Path, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any], app: Host) -> None:
        await checked(pilot)
        await pilot.resize_terminal(*reversed(size))
        await pilot.press("G", "g")
        assert "X" in app.text

    host(view(stack), steps, [LOCK], size=size)


def test_the_main_screen_shows_the_repair_that_is_asked_for(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], main: MainScreen) -> None:
        await pilot.press("5", "r")
        assert isinstance((await phase(pilot, Phase.PLANNED)), RepairScreen)
        await pilot.press("escape")
        await settle(pilot)
        assert pilot.app.screen is main

    inspect(stack, steps)


def test_only_what_was_read_is_sound_when_another_process_compacts_meanwhile(tmp_path: Path) -> None:
    """Paused, the terminal shows tables that are gone; the check reads the one that is there."""
    directory = make_stack(tmp_path / "reftable", *((branches(3, at), []) for at in (1, 2, 3)))
    shown = view(directory)
    with Stack.open(directory) as stack:
        stack.compact_all()

    async def steps(pilot: Pilot[Any], app: Host) -> None:
        await checked(pilot)
        assert app.marks == dict.fromkeys(names(shown), HealthMark.UNCHECKED)
        assert "1 table read that this view has not: the stack has changed (R)" in app.text
        assert "enter or v checks" in app.text
        app.pane.show(view(directory), ())
        await checked(pilot)
        assert "1 of 1 table checked" in app.text
        assert "that this view has not" not in app.text

    host(shown, steps)


def test_what_follows_from_a_finding_is_below_it_and_not_counted(tmp_path: Path) -> None:
    directory = make_stack(tmp_path / "reftable", *((branches(500 // at**2, at), []) for at in (1, 2, 9)))
    shown = view(directory)
    change_header(directory / names(shown)[1], max_update_index=1_000_000)

    async def steps(pilot: Pilot[Any], app: Host) -> None:
        await checked(pilot)
        assert "X 1 error" in app.text
        assert re.search(r"X error +#1 \S+ +update indexes .*\n.*  so also +#1 \S+ +the name says", app.text)
        await pilot.press("j")
        assert "follows from ranges-overlap: 0x000000000002-" in app.text

    host(view(directory), steps)


def test_what_is_wrong_around_the_stack_is_found_with_it(repo: Repository) -> None:
    """By the same path, the verb finds as much; by that of the stack, neither looks around."""
    repo.commit()
    shutil.rmtree(repo.git_dir / "refs")

    def codes(path: Path) -> list[str]:
        found: list[str] = []

        async def steps(pilot: Pilot[Any]) -> None:
            await press(pilot, "5", "v")
            await pilot.app.workers.wait_for_complete()
            await settle(pilot)
            found.extend(one.code for one in pilot.app.screen.query_one(HealthPane).known.findings())

        place = find_stack(path, None)
        with open_session(place.directory) as session:
            drive(InspectorApp(session, place), steps, WIDE)
        return found

    for path, expected in ((repo.git_dir, ["repository-directory"]), (repo.reftable, [])):
        assert codes(path) == expected == [one["code"] for one in run("fsck", "--json", path).objects]

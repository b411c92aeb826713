"""Whatever stops git is what is seen first: the Health tab, which says how much there is of it."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable, Generator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from textual.pilot import Pilot

from engine.format import RefRecord
from engine.fsck import Finding
from engine.git import Repository
from engine.progress import ProgressCallback
from engine.stack import Stack, StackOptions
from inspector.actions import Plan, PlannedRepair, RepairAction
from inspector.model import diagnose
from inspector.tui import InspectorApp, MainScreen
from inspector.tui.screens import Phase, RepairScreen, live, main as main_screen
from inspector.tui.widgets import health_pane
from inspector.tui.widgets.tab_line import TabLine
from tests.support.handmade import change_byte
from tests.support.screens import branches, damage_block, log, make_stack, open_session, press, settle
from tests.support.stacks import listed
from tests.support.tables import oid

_T = TypeVar("_T")

_WATCH = 3600.0  # seconds: watched, but no look comes


def _damage_footer(stack: Path) -> None:
    change_byte(stack / listed(stack)[0], -1)


def _damage_log_block(stack: Path) -> None:
    with Stack.open(stack, read_only=True) as opened:
        offset = opened.tables[1].footer.log_offset
    change_byte(stack / listed(stack)[1], offset + 20)


def _lock(stack: Path) -> None:
    lock = stack / "tables.list.lock"
    lock.touch()
    os.utime(lock, (1, 1))


def _lose_list(stack: Path) -> None:
    (stack / "tables.list").unlink()


def _lose_line(stack: Path) -> None:
    lines = (stack / "tables.list").read_text().splitlines(keepends=True)
    (stack / "tables.list").write_text(lines[1])


def _opened(stack: Path, steps: Callable[[Pilot[Any], InspectorApp], Awaitable[_T]]) -> _T:
    """Open a stack, watching it, and go through the steps from the first moment on."""

    async def run() -> _T:
        with open_session(stack) as session:
            app = InspectorApp(session, watch=_WATCH)
            async with app.run_test(size=(100, 30), notifications=True) as pilot:
                return await steps(pilot, app)

    return asyncio.run(run())


def _open(stack: Path, *keys: str) -> tuple[str, str]:
    """The tab that is shown after the first moments and these keys, and what the tab of Health is called."""

    async def steps(pilot: Pilot[Any], app: InspectorApp) -> tuple[str, str]:
        for key in keys:
            await pilot.press(key)
        await settle(pilot)
        main = app.screen
        assert isinstance(main, MainScreen)
        tabs = main.query_one(TabLine)
        return tabs.active, tabs._labels["health"].plain

    return _opened(stack, steps)


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    return make_stack(tmp_path / "reftable", (branches(9), []), (branches(1, 2), [log(b"refs/heads/x", 2)]))


@pytest.mark.parametrize("harm", [_damage_footer, _damage_log_block, _lock, _lose_list, _lose_line])
def test_what_stops_git_is_shown_first_and_counted(stack: Path, harm: Callable[[Path], None]) -> None:
    harm(stack)
    tab, label = _open(stack)
    assert tab == "health"
    assert label.startswith(("Health X", "Health !"))


def test_a_sound_stack_is_checked_and_opens_on_its_refs(stack: Path) -> None:
    assert _open(stack) == ("refs", "Health")


def test_who_has_gone_elsewhere_by_then_is_left_there(stack: Path) -> None:
    _damage_log_block(stack)
    tab, label = _open(stack, "2")
    assert (tab, label[:8]) == ("logs", "Health X")


def test_who_has_gone_back_from_health_is_not_led_there_again(stack: Path) -> None:
    _damage_log_block(stack)

    async def steps(pilot: Pilot[Any], app: InspectorApp) -> None:
        await settle(pilot)
        main = app.screen
        assert isinstance(main, MainScreen)
        assert main.query_one(TabLine).active == "health"
        await press(pilot, "1")
        await main.on_health_pane_changed()  # more is found, in the same moments
        assert main._health_known.stops_git
        assert main.query_one(TabLine).active == "refs"

    _opened(stack, steps)


@pytest.mark.parametrize("harm", [_lock, lambda stack: damage_block(stack, 0, 1)], ids=["lock", "block"])
@pytest.mark.parametrize("looks", [0, 1])
def test_so_is_what_is_found_by_reading_a_stack_too_big_to_be_checked_unasked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harm: Callable[[Path], None], looks: int
) -> None:
    """However long it takes to read it: the first look comes when the first moments have passed."""
    stack = make_stack(tmp_path / "reftable", (branches(400), []))
    harm(stack)
    monkeypatch.setattr(live, "_SMALL", 0)
    monkeypatch.setattr(main_screen, "_FIRST_LOOKS", 0)

    async def steps(pilot: Pilot[Any], app: InspectorApp) -> None:
        main = app.screen
        assert isinstance(main, MainScreen)
        for _ in range(looks):
            main._look()
        await settle(pilot)
        tabs = main.query_one(TabLine)
        assert tabs.active == "health"
        assert tabs._labels["health"].plain.startswith(("Health X", "Health !"))
        assert not main._health_known.is_checked
        met = [one.message for one in main._health_known.findings()]
        assert len(met) == 1
        await press(pilot, "v")  # which tells more of it, and nothing twice
        found = [one.message for one in main._health_known.findings()]
        assert main._health_known.is_checked
        assert found
        assert not [message for message in found if message.endswith(" cannot be read)")]

    _opened(stack, steps)


def test_who_has_read_the_refs_of_a_sound_stack_is_not_led_away_from_them(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], app: InspectorApp) -> None:
        await settle(pilot)
        main = app.screen
        assert isinstance(main, MainScreen)
        for _ in range(main_screen._FIRST_LOOKS + 1):
            main._look()
            await settle(pilot)
        _lock(stack)
        main._look_beside()
        await settle(pilot)
        assert main._health_known.stops_git
        assert main.query_one(TabLine).active == "refs"

    _opened(stack, steps)


def test_a_repair_is_planned_for_who_asks_before_it_is_known_what_is_wrong(stack: Path) -> None:
    _damage_log_block(stack)

    async def steps(pilot: Pilot[Any], app: InspectorApp) -> None:
        app.simulate_key("r")
        await settle(pilot)
        assert isinstance(app.screen, RepairScreen)

    _opened(stack, steps)


def _assert_it_is_said_how_a_repair_is_planned(app: InspectorApp) -> None:
    assert isinstance(app.screen, MainScreen)
    assert ["w, then r" in note.message for note in app._notifications] == [True]


def test_where_nothing_is_known_to_be_wrong_the_key_of_a_repair_says_how_one_is_planned(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], app: InspectorApp) -> None:
        await settle(pilot)
        await press(pilot, "r")
        _assert_it_is_said_how_a_repair_is_planned(app)

    _opened(stack, steps)


@pytest.mark.parametrize(("tables", "phase"), [(2, Phase.PLANNING), (2, Phase.PLANNED), (0, Phase.PLANNED)])
def test_it_says_so_too_to_who_asks_before_it_is_known_that_nothing_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tables: int, phase: Phase
) -> None:
    stack = make_stack(tmp_path / "reftable", *[(branches(9), []), (branches(1, 2), [])][:tables])
    (stack / "tables.list").touch()  # without one, a check would tell that
    checks, plans = threading.Event(), threading.Event()

    def check(
        stack: Path,
        options: StackOptions,
        progress: ProgressCallback | None,
        now: float | None,
        repository: Repository | None,
        home: Repository | None,
    ) -> Generator[Finding, None, list[str]]:
        assert checks.wait(60)
        return diagnose(stack, options, progress, now, repository, home)

    def plan(action: RepairAction, progress: ProgressCallback) -> Plan[PlannedRepair]:
        assert plans.wait(60)
        return make_plan(action, progress)

    make_plan = RepairAction.plan
    monkeypatch.setattr(health_pane, "diagnose", check)
    monkeypatch.setattr(RepairAction, "plan", plan)

    async def steps(pilot: Pilot[Any], app: InspectorApp) -> None:
        try:
            await pilot.press("r")
            page = app.screen
            assert isinstance(page, RepairScreen)
            if phase is Phase.PLANNED:
                plans.set()
            while page.phase is not phase:
                await pilot.pause(0.01)
        finally:
            checks.set()
        while app.screen is page:
            await pilot.pause(0.01)
        plans.set()
        await settle(pilot)
        _assert_it_is_said_how_a_repair_is_planned(app)

    _opened(stack, steps)


def test_for_a_lock_that_stops_git_a_repair_is_planned_beside_health_too(stack: Path) -> None:
    _lock(stack)

    async def steps(pilot: Pilot[Any], app: InspectorApp) -> None:
        await settle(pilot)
        await press(pilot, "1", "r")
        assert isinstance(app.screen, RepairScreen)

    _opened(stack, steps)


def test_a_small_stack_is_checked_again_a_moment_after_it_has_changed(tmp_path: Path) -> None:
    """A warning about a table that was merged would go without anything being mended."""
    stack = make_stack(
        tmp_path / "reftable", ([RefRecord(b"refs/heads/\x1b[2J", 1, oid(1))], []), (branches(2, 2), [])
    )

    async def steps(pilot: Pilot[Any], app: InspectorApp) -> None:
        await settle(pilot)
        main = app.screen
        assert isinstance(main, MainScreen)
        tabs = main.query_one(TabLine)
        assert tabs._labels["health"].plain.endswith("!1")
        with Stack.open(stack) as writer:
            writer.compact_all()
        main._look()
        await settle(pilot)
        assert not main._health_known.is_checked
        for _ in range(4):
            main._look()
        await settle(pilot)
        assert main._health_known.is_checked
        assert tabs._labels["health"].plain.endswith("!1")

    _opened(stack, steps)

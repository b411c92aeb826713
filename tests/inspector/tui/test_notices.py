"""What is said in passing: one notice, in the place of the one before, and of changes one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.events import DeliveryComplete
from textual.pilot import Pilot
from textual.widgets._toast import Toast, ToastHolder

from inspector.model.difference_summary import DifferenceSummary
from inspector.model.history import Told
from inspector.tui import InspectorApp, MainScreen
from inspector.tui.config import Config
from inspector.tui.screens.history import HistoryScreen
from inspector.tui.widgets.status_line import Breadcrumbs
from tests.support.screens import (
    NARROW,
    branches,
    drive,
    inspect,
    log,
    make_stack,
    open_session,
    press,
    settle,
    shown_lines,
)


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    return make_stack(tmp_path / "reftable", (branches(30), [log(b"HEAD", 1)]))


async def change(pilot: Pilot[Any], screen: MainScreen, stack: Path, index: int) -> None:
    """Have another process add a table, and look."""
    make_stack(stack, (branches(1, index), []))
    screen._look()
    await settle(pilot)


def test_one_notice_is_shown_the_newest_and_nothing_is_left_of_others(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        for number in range(5):
            pilot.app.notify(f"notice {number}", severity="error" if number == 2 else "information")
            pilot.app.notify(f"and notice {number}")
            await settle(pilot)
            assert [toast.render().plain for toast in screen.query(Toast)] == [f"and notice {number}"]
            assert len(screen.query(ToastHolder)) == 1
        await press(pilot, "B")
        pilot.app.notify("over a dialog")
        await settle(pilot)
        await press(pilot, "escape")
        assert pilot.app.screen is screen
        assert [toast.render().plain for toast in screen.query(Toast)] == ["over a dialog"]
        assert len(screen.query(ToastHolder)) == 1

    inspect(stack, steps)


def test_there_is_no_markup_in_what_is_said(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        screen.notify("a branch called [bold]x[/] and [/bogus", title="[red]")
        await settle(pilot)
        text = "\n".join(shown_lines(pilot.app))
        assert "a branch called [bold]x[/] and [/bogus" in text
        assert "[red]" in text

    inspect(stack, steps)


def test_what_textual_says_is_said_without_its_markup(stack: Path, tmp_path: Path) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        await press(pilot, "ctrl+c")
        assert "Press q to quit." in "\n".join(shown_lines(pilot.app))
        pilot.app.post_message(DeliveryComplete("key", tmp_path / "[b]x.svg", "screenshot"))
        await settle(pilot)
        (toast,) = screen.query(Toast)
        assert toast.render().plain == f"Screenshot\n{tmp_path / '[b]x.svg'}"

    inspect(stack, steps)


def test_warnings_can_be_read_later_in_the_journal_beside_the_changes(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], _screen: MainScreen) -> None:
        pilot.app.notify("nothing to read later")
        pilot.app.notify("the disk\nis on fire", severity="error", title="Export")
        pilot.app.notify("copied")
        await press(pilot, "at")
        text = "\n".join(shown_lines(pilot.app))
        assert "error" in text
        assert "Export" in text
        assert "the disk is on fire" in text
        assert "read later" not in text
        assert "$" not in text
        assert "Copy command" not in text

    inspect(stack, steps)


def test_changes_by_others_are_told_in_one_line_that_stays_and_leads_to_all(stack: Path) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        screen = pilot.app.screen
        assert isinstance(screen, MainScreen)
        for index in range(2, 6):
            await change(pilot, screen, stack, index)
            lines = shown_lines(pilot.app)
            assert lines[1].rstrip().endswith(" (H)"), "the user's key"
            assert " UTC  " in lines[1]
            assert not screen.query(Toast)
            assert not any(" UTC  " in line for line in lines[2:])
        crumbs = screen.query_one(Breadcrumbs)
        crumbs._grow_old()
        await settle(pilot)
        assert " UTC  " in shown_lines(pilot.app)[1], "who comes back later reads it"
        await pilot.resize_terminal(*NARROW)
        await settle(pilot)
        line = shown_lines(pilot.app)[1]
        assert " UTC  " in line
        assert line.rstrip().endswith(" (H)")
        await pilot.click(Breadcrumbs, offset=(5, 0))
        assert pilot.app.screen is screen
        await pilot.click(Breadcrumbs, offset=(NARROW[0] - 5, 0))
        assert isinstance(pilot.app.screen, HistoryScreen)
        assert len(screen._history.events) == 4

    with open_session(stack) as session:
        drive(InspectorApp(session, watch=3600.0, config=Config(keymap={"history": "H"})), steps)


def test_a_change_told_late_does_not_take_the_place_of_a_newer_one(stack: Path) -> None:
    ticks = iter(range(1_700_000_000, 1_800_000_000))

    async def steps(pilot: Pilot[Any]) -> None:
        screen = pilot.app.screen
        assert isinstance(screen, MainScreen)
        await change(pilot, screen, stack, 2)
        old = screen._history.newest
        await change(pilot, screen, stack, 3)
        line = shown_lines(pilot.app)[1]
        assert old is not None
        screen._tell_change(old, Told(DifferenceSummary("old"), None, ""))
        await settle(pilot)
        assert shown_lines(pilot.app)[1] == line

    with open_session(stack) as session:
        drive(InspectorApp(session, watch=3600.0, clock=lambda: next(ticks)), steps)

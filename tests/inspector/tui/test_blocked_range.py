"""A range with a damaged table: blocked from compaction wherever it is wanted, with the repair offered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from inspector.tui import MainScreen
from inspector.tui.screens.compact import CompactScreen
from inspector.tui.screens.plan import ActionScreen, Phase, RepairScreen
from inspector.tui.widgets.compaction_pane import CompactionPane
from tests.support.actions import phase, sentence
from tests.support.handmade import change_byte
from tests.support.screens import (
    NARROW,
    WIDE,
    branches,
    damage_block,
    footer,
    inspect,
    make_stack,
    press,
    shown_lines,
)
from tests.support.stacks import listed
from tests.support.tables import stack_files
from tests.support.thinning import thinned

COUNTS = (500, 3, 3, 3)
MARK_SOUND = ("escape", "G", "space", "k", "space")


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """Four tables, of which the oldest has a block of refs that cannot be read."""
    directory = make_stack(
        tmp_path / "reftable",
        *((branches(count, index), []) for index, count in enumerate(COUNTS, start=1)),
    )
    damage_block(directory)
    return directory


def text(pilot: Pilot[Any]) -> str:
    return "\n".join(line.rstrip() for line in shown_lines(pilot.app))


@pytest.mark.parametrize("size", thinned([WIDE, NARROW], 2))
def test_wherever_compaction_is_wanted_a_damaged_table_blocks_it_and_leads_to_its_repair(
    stack: Path, size: tuple[int, int]
) -> None:
    before = stack_files(stack)

    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        await press(pilot, "5", "v")
        await the_form_makes_no_plan_of_it(pilot, stack)
        await press(pilot, "escape", "4")
        assert pilot.app.screen is screen
        assert bars(pilot) == {"0": True, "1": False, "2": False, "3": False}
        assert size == NARROW or "X damaged" in text(pilot)
        await press(pilot, "A")
        await the_pane_says_so_and_leads_to_the_repair(pilot, screen, stack)
        await press(pilot, "escape", *MARK_SOUND)
        await a_sound_range_is_not_blocked(pilot)

    inspect(stack, steps, size)
    assert stack_files(stack) == before


def bars(pilot: Pilot[Any]) -> dict[str, bool]:
    """Which tables the bars mark as damaged."""
    columns = pilot.app.screen.query_one(CompactionPane)._before.fitted()
    shown = {column.title: column.cell for column, _width in columns}
    return {shown["#"](at, 1).text: shown["X"](at, 1).text == "X" for at in range(len(COUNTS))}


async def the_form_makes_no_plan_of_it(pilot: Pilot[Any], stack: Path) -> None:
    await press(pilot, "w", "c")
    form = pilot.app.screen
    assert isinstance(form, CompactScreen)
    assert f"BLOCKED: Table 0, {listed(stack)[0]} at byte" in text(pilot)
    assert "Escape, then 5 and r" in text(pilot)
    await press(pilot, "ctrl+g")
    assert pilot.app.screen is form
    form._which.value = "range"
    form._first.value, form._last.value = "1", "2"
    await pilot.pause()
    assert "BLOCKED" not in text(pilot)
    form._first.value = "0"
    await pilot.pause()
    assert "BLOCKED" in text(pilot)
    await press(pilot, "escape", "5", "r")
    assert isinstance(await phase(pilot, Phase.PLANNED), RepairScreen)


async def the_pane_says_so_and_leads_to_the_repair(
    pilot: Pilot[Any], screen: MainScreen, stack: Path
) -> None:
    assert "BLOCKED: tables 0 to 3 (marked)" in text(pilot)
    assert f"Table 0, {listed(stack)[0]} at byte" in text(pilot)
    assert "Repair…" in footer(pilot)
    assert "Dry run" not in footer(pilot)
    await press(pilot, "c")
    assert pilot.app.screen is screen
    assert "Press enter to see what repairs it" in text(pilot)
    await press(pilot, "enter")
    shown = await phase(pilot, Phase.PLANNED)
    assert isinstance(shown, RepairScreen)
    assert "Press enter" not in text(pilot), "it would apply the plan by now"
    assert "1 step" in sentence(shown) or "2 steps" in sentence(shown)


async def a_sound_range_is_not_blocked(pilot: Pilot[Any]) -> None:
    assert "BLOCKED" not in text(pilot)
    assert "Dry run" in footer(pilot)
    assert "Repair" not in footer(pilot)
    await press(pilot, "c")
    assert type(await phase(pilot, Phase.PLANNED)) is ActionScreen


def test_reading_that_meets_the_damage_blocks_the_range_as_well(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], _screen: MainScreen) -> None:
        await press(pilot, "G", "4", "A")
        assert "BLOCKED: tables 0 to 3 (marked)" in text(pilot)

    inspect(stack, steps)


def test_c_with_a_blocked_range_marked_says_so_and_opens_nothing(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        await press(pilot, "5", "v", "shift+tab", "g", "space", "space", "w", "c")
        assert pilot.app.screen is screen
        assert "BLOCKED: tables 0 and 1" in text(pilot)
        assert "Press w, then r to see what repairs it" in text(pilot)
        await press(pilot, "w", "r")
        assert isinstance(await phase(pilot, Phase.PLANNED), RepairScreen)

    inspect(stack, steps)


@pytest.mark.parametrize("size", thinned([WIDE, NARROW], 2))
def test_the_stack_says_that_its_own_compaction_is_blocked(tmp_path: Path, size: tuple[int, int]) -> None:
    stack = make_stack(tmp_path / "reftable", *((branches(3, index), []) for index in range(1, 4)))

    async def sound(pilot: Pilot[Any], _screen: MainScreen) -> None:
        await press(pilot, "5", "v")
        assert "auto-compaction would merge #0..#2" in text(pilot)

    async def damaged(pilot: Pilot[Any], _screen: MainScreen) -> None:
        await press(pilot, "5", "v")
        assert "auto-compaction of #0..#2 is BLOCKED" in text(pilot)

    inspect(stack, sound, size)
    change_byte(stack / listed(stack)[1], 28)
    inspect(stack, damaged, size)


def test_a_repair_lifts_the_block(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        await press(pilot, "5", "v", "4", "A", "enter")
        shown = await phase(pilot, Phase.PLANNED)
        shown.action_again()
        await phase(pilot, Phase.DONE)
        await press(pilot, "escape")
        assert pilot.app.screen is screen
        assert len(screen._session.view.tables) == len(COUNTS)
        await press(pilot, "A")
        assert "BLOCKED" not in text(pilot)
        assert "Dry run" in footer(pilot)

    inspect(stack, steps)

"""Repair in the terminal, on real damaged stacks: plan, refs, confirmation, result, undo."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from textual.pilot import Pilot
from textual.widgets import Button, Input

from engine.fsck import Severity, fsck
from engine.repair import Outcome
from engine.stack import StackOptions
from inspector.actions import Workplace
from inspector.tui.screens.changes import OutcomesScreen
from inspector.tui.screens.dialog import ConfirmScreen
from inspector.tui.screens.plan import Phase, RepairScreen
from tests.support.actions import ActionApp, act, confirm, journal, lines, phase, sentence, until
from tests.support.screens import branches, damage_block, log, make_stack, shown_lines
from tests.support.tables import stack_contents


def damaged(path: Path) -> Path:
    """Make a stack whose second block of refs cannot be read; older reflogs tell what was in it."""
    refs = branches(500)
    logs = [log(ref.name, 0) for ref in refs]
    directory = make_stack(path / "reftable", (refs, logs), (branches(3, 2), []))
    damage_block(directory)
    return directory


def files(stack: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in stack.iterdir()}


def errors(stack: Path) -> list[str]:
    return [one.code for one in fsck(stack) if one.severity is Severity.ERROR]


def screen(stack: Path) -> RepairScreen:
    return RepairScreen(Workplace(stack, StackOptions()), journal())


async def agree(pilot: Pilot[Any], shown: RepairScreen, text: str) -> None:
    """Ask for the repair, and type this before pressing the button."""
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmScreen))
    assert pilot.app.screen.query_one("#typed").has_focus
    assert pilot.app.screen.query_one("#go", Button).disabled
    pilot.app.screen.query_one(Input).value = text
    await pilot.pause()
    pilot.app.screen.query_one("#go", Button).press()
    await until(pilot, lambda: pilot.app.screen is shown)


def test_a_repair_is_planned_confirmed_checked_and_undone(tmp_path: Path) -> None:
    stack = damaged(tmp_path)
    before = stack_contents(stack)
    assert errors(stack)

    async def steps(pilot: Pilot[Any], _app: ActionApp) -> None:
        shown = await phase(pilot, Phase.PLANNED)
        assert isinstance(shown, RepairScreen)
        assert any("rewrite-table" in line for line in lines(shown))
        assert stack_contents(stack) == before
        lost = shown._outcomes.counts[Outcome.LOST]
        assert lost
        assert f"{lost} lost" in sentence(shown)
        await agree(pilot, shown, str(lost))
        await phase(pilot, Phase.DONE)
        assert errors(stack) == []
        assert "Checked again: no errors" in sentence(shown)
        await pilot.press("z")
        await until(pilot, lambda: pilot.app.screen is not shown)
        await phase(pilot, Phase.PLANNED)
        await confirm(pilot)
        await phase(pilot, Phase.DONE)
        assert stack_contents(stack) == before

    act(screen(stack), steps)


def test_the_refs_that_do_not_stay_are_listed_worst_first(tmp_path: Path) -> None:
    stack = damaged(tmp_path)

    async def steps(pilot: Pilot[Any], app: ActionApp) -> None:
        shown = await phase(pilot, Phase.PLANNED)
        await pilot.press("d")
        await until(pilot, lambda: isinstance(app.screen, OutcomesScreen))
        await pilot.pause()
        text = "\n".join(shown_lines(app))
        assert "- refs/heads/branch-" in text
        assert "its reflog ends with" in text
        await pilot.press("escape")
        assert app.screen is shown

    act(screen(stack), steps)


def test_a_sound_stack_has_nothing_to_repair(tmp_path: Path) -> None:
    stack = make_stack(tmp_path / "reftable", (branches(3), []))
    before = files(stack)

    async def steps(pilot: Pilot[Any], _app: ActionApp) -> None:
        shown = await phase(pilot, Phase.PLANNED)
        assert sentence(shown).startswith("Nothing to repair")
        await pilot.press("enter", "d")
        assert pilot.app.screen is shown

    act(screen(stack), steps)
    assert files(stack) == before

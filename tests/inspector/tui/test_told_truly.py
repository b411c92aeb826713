"""What a screen says of a change that failed, and that the last question is seen whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Button, Input

from engine.fsck import FAULTS, Finding
from inspector.actions import CompactAction, Typed
from inspector.tui.screens import attempt
from inspector.tui.screens.dialog import ConfirmScreen
from inspector.tui.screens.plan import ActionScreen, Phase
from inspector.tui.widgets.health_words import row_words
from tests.support.actions import ActionApp, act, confirm, journal, lines, phase, workplace
from tests.support.screens import NARROW, branches, make_stack, shown_lines


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    return make_stack(tmp_path / "reftable", (branches(2), []), (branches(3, 2), []))


@pytest.mark.parametrize("writes", [False, True])
def test_after_a_failure_the_screen_says_whether_something_was_written(
    stack: Path, writes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        if writes:
            make_stack(stack, (branches(4, 3), []))
        raise OSError("the disk is on fire")

    monkeypatch.setattr(attempt, "run", fail)

    async def steps(pilot: Pilot[Any], _app: ActionApp) -> None:
        screen = await phase(pilot, Phase.PLANNED)
        await confirm(pilot)
        await phase(pilot, Phase.FAILED)
        text = "\n".join(lines(screen))
        assert ("nothing was written" in text) is not writes
        assert ("The stack is not as it was when the plan was made" in text) is writes
        assert screen.answer is writes

    act(ActionScreen(CompactAction(workplace(stack), "all"), journal()), steps)


def test_the_field_for_what_is_to_be_typed_is_seen_and_has_the_keys() -> None:
    typed = Typed("84", "84 refs are lost, and no one can bring them back")
    question = ConfirmScreen("Repair the stack", "6 steps; " + "refs kept and lost, " * 6, "Repair", typed)

    async def steps(pilot: Pilot[Any], app: ActionApp) -> None:
        field = question.query_one(Input)
        for size in ((62, 17), NARROW, (200, 50)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            assert app.focused is field
            field.value = ""
            await pilot.press("8", "4")
            assert any("84" in line and "To go on" not in line for line in shown_lines(app)), size
            for part in (field, *question.query(Button)):
                assert app.screen.region.contains_region(part.region), (size, part)
                assert part.region.height == 3, (size, part)
        await pilot.press("enter")
        assert app.screen is question, "typing is one step, to press the button another"
        assert app.focused is question.query_one("#go")

    act(question, steps)


def test_what_to_do_with_a_finding_comes_before_what_it_means() -> None:
    finding = Finding(FAULTS["block-damaged"], "x.ref", 0, "bad")
    text = str(row_words(finding, 0))
    order = [text.index(part) for part in ("bad", "\nrepair ", "\ngit ", finding.fault.meaning)]
    assert order == sorted(order)

"""Which tables would be merged is a riddle in the Compaction tab: nothing on the screen gives it away."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from inspector.tui import MainScreen
from inspector.tui.screens.plan import ActionScreen, Phase
from tests.support.actions import phase
from tests.support.demo import copy_demo
from tests.support.screens import branches, inspect, make_stack, open_session, press, shown_lines

TOLD = "auto-compaction would merge"


def test_nothing_tells_the_answer_before_its_steps_do_and_c_needs_none(tmp_path: Path) -> None:
    copy_demo(tmp_path / "reftable")

    async def steps(pilot: Pilot[Any], _screen: MainScreen) -> None:
        def told() -> bool:
            text = "\n".join(shown_lines(pilot.app))
            assert (TOLD in text) is ("┏" in text.split("Compaction", 1)[1].replace("┏━", ""))
            return TOLD in text

        assert told()
        await press(pilot, "4")
        assert not told()
        await press(pilot, "X", "right_curly_bracket")
        assert not told(), "that was the other rule"
        await press(pilot, "X", "right_curly_bracket")
        assert told()
        await press(pilot, "left_curly_bracket")
        assert not told()
        await press(pilot, "h")
        assert told(), "there it is no riddle"
        await press(pilot, "h", "space")
        assert told(), "nor is a range of one's own"
        await press(pilot, "escape")
        assert not told()
        await press(pilot, "1")
        assert told()
        await press(pilot, "4", "c")
        assert isinstance(await phase(pilot, Phase.PLANNED), ActionScreen)

    inspect(tmp_path / "reftable", steps)


def test_a_pane_that_was_never_shown_does_not_pile_up_what_it_has_to_tell(tmp_path: Path) -> None:
    one = make_stack(tmp_path / "one", (branches(3), []))
    two = make_stack(tmp_path / "two", (branches(3), []), (branches(3, 2), []))

    async def steps(_pilot: Pilot[Any], screen: MainScreen) -> None:
        pane = screen._compaction
        assert not pane.is_attached
        with open_session(one) as of_one, open_session(two) as of_two:
            waiting = pane._message_queue.qsize()
            for _ in range(50):
                pane.show(of_one.view)
                pane.show(of_two.view)
            assert pane._message_queue.qsize() <= waiting + 1
            pane.show(screen._session.view)

    inspect(two, steps)

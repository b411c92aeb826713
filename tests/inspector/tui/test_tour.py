"""The guided tour: each lesson answered right and wrong, all of it on screen at the sizes it is made for."""

from __future__ import annotations

import re
from typing import Any

import pytest
from textual.pilot import Pilot

from inspector.demo import LESSONS
from inspector.tui.screens.tour import TourApp, TourScreen
from inspector.tui.widgets.compaction_words import tables_text
from tests.support.screens import NARROW, WIDE, drive, settle, shown_lines


@pytest.mark.parametrize("size", [NARROW, WIDE])
def test_six_lessons_right_and_wrong(size: tuple[int, int]) -> None:
    app = TourApp()
    app.animation_level = "none"

    async def steps(pilot: Pilot[Any]) -> None:
        screen = app.screen
        assert isinstance(screen, TourScreen)

        async def press(*keys: str) -> str:
            await pilot.press(*keys)
            await settle(pilot)
            shown_lines(app)
            await pilot.pause()  # titles follow what was drawn below them
            return re.sub(r"\s+", " ", "\n".join(shown_lines(app)))

        for number, lesson in enumerate(LESSONS):
            said = await press()
            assert screen.number == number
            assert f"{number + 1} of 6 {lesson.title}" in said
            assert lesson.words in said
            assert all(f" {size:,} " in said for size in lesson.sizes)
            assert "Which tables are merged now?" in said
            assert "Nothing is marked yet" in said
            right = number % 2 == 0
            if right and lesson.answer:
                keys = ["j"] * lesson.answer.start + ["space"] + ["j"] * (len(lesson.answer) - 1) + ["space"]
                said = await press(*keys)
                assert f"You say: {tables_text(lesson.answer)}" in said
            elif not right:
                assert "You say: tables" in await press("A")
                if not lesson.answer:
                    right = True
                    assert "Nothing is marked yet" in await press("escape")
            said = await press("enter")
            assert lesson.why in said
            if right:
                assert "Right: " in said
            else:
                everything = tables_text(range(len(lesson.sizes)))
                assert f"It is {tables_text(lesson.answer)}; you said: {everything}." in said
            if lesson is LESSONS[-1]:
                assert "log2 0 → 100 tables, at most 100" in said
                assert re.search(r"geometric ×2.* 0 → \d tables, at most [2-5];", said)
            else:
                before = said
                assert ("the result" in said) is lesson.has_steps
                if lesson.has_steps:
                    assert lesson.why not in await press("comma"), "it is explained at the end of the steps"
                assert await press("full_stop") == before
            assert "Next" in said
            await press("enter")
        assert "Which tables does the next commit merge?" in await press()
        assert "6 of 6" in await press("left")
        assert LESSONS[-1].why in await press(), "what is answered stays answered"
        for _ in LESSONS:
            await press("left")
        assert screen.number == 0
        assert "space marks the table" in await press("question_mark")
        await press("escape")
        for _ in range(len(LESSONS) + 2):
            await press("right")
        assert screen.number == len(LESSONS)
        await pilot.press("enter")

    drive(app, steps, size)
    assert app.return_code == 0


def test_the_steps_play_and_enter_goes_to_their_end() -> None:
    app = TourApp()
    app.animation_level = "full"

    async def steps(pilot: Pilot[Any]) -> None:
        screen = app.screen
        assert isinstance(screen, TourScreen)
        await pilot.press("enter")
        assert screen.is_explained, "the first has none"
        await pilot.press("enter", "enter")
        assert screen.is_answered
        assert not screen.is_explained
        await pilot.press("enter")
        assert screen.is_explained
        await pilot.press("q")

    drive(app, steps, NARROW)

"""The guided tour: each lesson answered right and wrong, all of it on screen at the sizes it is made for."""

from __future__ import annotations

import re
from typing import Any

from textual.pilot import Pilot

from inspector.demo import LESSONS
from inspector.tui.screens.tour import TourApp, TourScreen
from inspector.tui.widgets.compaction_words import tables_text
from tests.support.screens import NARROW, WIDE, drive, settle, shown_lines


def test_six_lessons_right_and_wrong_at_both_sizes() -> None:
    app = TourApp()
    app.animation_level = "none"

    async def steps(pilot: Pilot[Any]) -> None:
        screen = app.screen
        assert isinstance(screen, TourScreen)

        async def press(*keys: str) -> str:
            await pilot.press(*keys)
            await settle(pilot)
            return re.sub(r"\s+", " ", "\n".join(shown_lines(app)))

        for number, lesson in enumerate(LESSONS):
            await pilot.resize_terminal(*(NARROW, WIDE)[number % 2])
            said = await press()
            assert f"{number + 1} of 6 {lesson.title} {lesson.words}" in said
            assert all(f" {size:,} " in said for size in lesson.sizes)
            assert "Which tables are merged now?" in said
            assert "Nothing is marked yet" in said
            right = number % 2 == 0
            if right:
                keys = ["j"] * lesson.answer.start + ["space"] + ["j"] * (len(lesson.answer) - 1) + ["space"]
                said = await press(*keys)
                assert f"You say: {tables_text(lesson.answer)}" in said
            else:
                assert "You say: tables" in await press("A")
                if not lesson.answer:
                    assert "Nothing is marked yet" in await press("escape")
            said = await press("enter")
            assert lesson.why in said
            everything = tables_text(range(len(lesson.sizes)))
            if right:
                assert f"Right: {tables_text(lesson.answer)}." in said
            elif lesson.answer:
                assert f"It is {tables_text(lesson.answer)}; you said: {everything}." in said
            else:
                assert "Right: nothing." in said
                assert "log2 0 → 100 tables, at most 100" in said
                assert re.search(r"geometric ×2.* 0 → \d tables, at most [2-5];", said)
            if lesson.has_steps and lesson.answer:
                assert "the result" in said
                assert lesson.why not in await press("comma"), "it is explained at the end of the steps"
                assert lesson.why in await press("full_stop")
            await pilot.resize_terminal(*(WIDE, NARROW)[number % 2])
            assert lesson.why in await press()
            await pilot.press("enter")
        said = await press()
        assert "Which tables does the next commit merge?" in said
        assert "looking changes nothing" in said
        assert LESSONS[-1].why in await press("left"), "what is answered stays answered"

        again = TourScreen()
        await app.push_screen(again)
        for number, lesson in enumerate(LESSONS):
            study, answer = again._studies[number], lesson.answer
            is_right = number % 2 == 1 and bool(answer)
            if is_right:
                study.mark(answer.start, answer.stop)
            elif not answer:
                study.mark(0, 2)
            again.action_go_on()
            verdict = again._verdict.visual.plain  # type: ignore[attr-defined]
            right = tables_text(answer) if answer else "nothing"
            wrong = "nothing" if answer else "tables 0 and 1"
            expected = f"Right: {right}." if is_right else f"It is {right}; you said: {wrong}."
            assert verdict.startswith(expected)
            again.action_go_on()
        assert again.number == len(LESSONS)

        await pilot.resize_terminal(60, 16)
        await press("left", "left")
        assert LESSONS[-2].why in await press(), "with little room, only what explains is shown"
        assert "space marks the table" in await press("question_mark", *"marks")
        await press("escape", *["left"] * len(LESSONS))
        assert again.number == 0
        said = await press(*["right"] * len(LESSONS))
        assert "enter Quit" in said
        assert "Next" not in said
        await press("right")
        assert again.number == len(LESSONS)
        await pilot.press("enter")

    drive(app, steps, NARROW)
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

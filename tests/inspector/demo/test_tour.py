"""The lessons of the tour: what they teach is what the rules do."""

from __future__ import annotations

import re

import pytest

from engine.merge import (
    Comparison,
    fastlog2,
    geometric_steps,
    log2_steps,
    suggest_compaction_segment,
    suggest_geometric_segment,
)
from inspector.demo import LESSONS, Lesson

LOG2 = [lesson for lesson in LESSONS if lesson.rule == "log2"]


def steps(lesson: Lesson) -> list[Comparison]:
    return list(log2_steps(lesson.sizes) if lesson.rule == "log2" else geometric_steps(lesson.sizes))


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.title)
def test_the_answer_is_the_result_of_the_rule(lesson: Lesson) -> None:
    assert lesson.answer == steps(lesson)[-1].looked


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.title)
def test_numbers_that_explain_are_those_of_the_stack(lesson: Lesson) -> None:
    """Sizes, sums of neighbours, and the magnitudes of both: nothing else is counted."""
    sizes = lesson.sizes
    sums = {sum(sizes[start:end]) for end in range(1, len(sizes) + 1) for start in range(end)}
    known = {*sums, *range(len(sizes)), 2}
    text = lesson.why.replace(",", "").replace("version 2.45 of April 2024", "")
    for power in re.findall(r"2\^(\d+)", text):
        assert int(power) in {fastlog2(size) for size in sums}
    for number in re.findall(r"\d+", re.sub(r"2\^\d+", "", text)):
        assert int(number) in known, f"{number} is no size of {lesson.title}"


def test_each_lesson_shows_what_it_is_about() -> None:
    alike, segments, grows, end, begin, in_turn = LESSONS
    both = suggest_compaction_segment(alike.sizes), suggest_geometric_segment(alike.sizes)
    assert both[0].positions == both[1].positions, "of the first one no rule has to be known"
    chosen = [step for step in steps(segments) if step.kind == "choose" and len(step.looked) > 1]
    assert len(chosen) > 1, "a segment has to wait"
    assert sum(step.kind == "grow" and step.yes for step in steps(grows)) >= 2
    assert end.answer.stop < len(end.sizes), "what is newer stays"
    pairs = zip(begin.sizes[begin.answer.start :], begin.sizes[begin.answer.start + 1 :], strict=False)
    assert sum(older < 2 * newer for older, newer in pairs) == 1, (
        "the others are only too small for all together"
    )
    assert len(begin.answer) > 2
    assert not in_turn.answer
    assert len(suggest_geometric_segment(in_turn.sizes)) > 1
    assert all(len(lesson.answer) != len(lesson.sizes) for lesson in LESSONS), "all is never the answer"

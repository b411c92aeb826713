"""What the compaction pane says: of every step, of ranges, of shares."""

from __future__ import annotations

import random
import re
import textwrap
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import pytest

from engine.errors import FormatError
from engine.merge import Comparison
from engine.stack import Policy, StackOptions
from inspector.model import Blocked, PastCompaction, Session, Study, TableSize
from inspector.tui.widgets.compaction_words import (
    LEGEND,
    compared_lines,
    merge_lines,
    percent,
    rule_line,
    step_lines,
    tables_text,
)
from tests.support.demo import copy_demo
from tests.support.screens import branches, make_stack

NARROW_PANE = 76
"""Cells for words in a terminal of 80."""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Study]:
    directory = tmp_path_factory.mktemp("words") / "reftable"
    copy_demo(directory)
    with Session.open(directory, label="demo", options=StackOptions()) as session:
        study = Study()
        study.show(session.view)
        yield study


def go_through(study: Study, rule: Policy) -> Iterator[str]:
    """The question of each step, with the study at that step."""
    if study.rule != rule:
        study.switch_rule()
    for number in range(1, len(study.steps) + 1):
        study.at = number
        yield step_lines(study)[-1].plain


def step_of(study: Study) -> Comparison:
    assert study.step is not None
    return study.step


@pytest.mark.parametrize("rule", ["log2", "geometric"])
def test_every_step_is_a_question_with_its_answer(demo: Study, rule: Policy) -> None:
    for text in go_through(demo, rule):
        step = step_of(demo)
        if step.kind == "result" or (step.kind == "cut" and not step.against):
            assert "?" not in text
            continue
        answer = text.rsplit("? ", 1)[1]
        assert answer.startswith("Yes" if step.yes else "No")


def test_the_numbers_compared_are_said(demo: Study) -> None:
    for text in go_through(demo, "geometric"):
        step = step_of(demo)
        if step.kind != "result":
            assert f"{step.left:,} < 2 × " in text
            assert f" = {step.right:,}? " in text
    for text in go_through(demo, "log2"):
        step = step_of(demo)
        match step.kind:
            case "cut":
                size = demo.sizes[step.looked.start]
                low, high = re.findall(r"2\^(\d+)", text)[:2]
                assert 2 ** int(low) <= size < 2 ** int(high)
                assert f"{size:,}" in text
            case "grow":
                assert f"Is {step.left} ≤ {step.right}?" in text


@pytest.mark.parametrize("rule", ["log2", "geometric"])
def test_words_fit_into_their_lines_in_a_terminal_of_80_cells(demo: Study, rule: Policy) -> None:
    demo.at = 0
    for _ in ("the start", *go_through(demo, rule)):
        lines = [line.plain for line in step_lines(demo)]
        assert sum(len(textwrap.wrap(line, NARROW_PANE)) for line in lines) <= 4
        assert not demo.at or len(textwrap.wrap(f"{lines[0]}  {lines[-1]}", NARROW_PANE)) <= 3
        below = [line.plain for line in compared_lines(demo, NARROW_PANE)]
        assert sum(len(textwrap.wrap(line, NARROW_PANE)) for line in below) <= 3
    assert sum(len(textwrap.wrap(line.plain, NARROW_PANE)) for line in merge_lines(demo)) <= 3
    assert len(rule_line(demo, file_sizes=True).plain) <= NARROW_PANE
    assert len(LEGEND) <= NARROW_PANE


def test_a_stack_in_order_says_why_nothing_is_merged(tmp_path: Path) -> None:
    make_stack(tmp_path, (branches(400), []), (branches(40, 2), []), (branches(1, 3), []))
    with Session.open(tmp_path, label="test", options=StackOptions()) as session:
        study = Study()
        study.show(session.view)
        study.at = len(study.steps)
        assert (
            step_lines(study)[-1].plain == "Nothing to merge: no two neighbours have the same power of two."
        )
        assert "Mark tables with space" in merge_lines(study)[0].plain
        study.switch_rule()
        study.at = len(study.steps)
        last = step_lines(study)[-1].plain
        assert last == "Nothing to merge: each table is at least 2 times as large as the next newer."


def test_an_error_is_shown_without_what_a_terminal_would_obey(demo: Study) -> None:
    demo.mark(0, 3)
    demo.keep(demo.key, Blocked(FormatError("evil\x1b[2J.ref", 28, "no block")))
    assert [line.plain for line in merge_lines(demo)][:2] == [
        "BLOCKED: tables 0 to 2 (marked) cannot be merged (enter: repair).",
        r"evil\x1b[2J.ref at byte 28: no block",
    ]
    demo.mark(0, 0)


@pytest.mark.parametrize(
    ("positions", "text"),
    [(range(3, 4), "table 3"), (range(3, 5), "tables 3 and 4"), (range(3, 9), "tables 3 to 8")],
)
def test_tables_are_named_by_position(positions: range, text: str) -> None:
    assert tables_text(positions) == text


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [(0, 0, "0%"), (0, 9, "0%"), (1, 1000, "<1%"), (999, 1000, "99%"), (9, 9, "100%")],
)
def test_a_share_is_neither_nothing_nor_all_by_rounding(part: int, whole: int, text: str) -> None:
    assert percent(part, whole) == text


def by_words(rule: Policy, sizes: list[int], factor: int = 2) -> range:
    """What the help says the rule merges, done as a reader would who knows nothing else."""
    count = len(sizes)
    if rule == "geometric":
        too_small = [at for at in reversed(range(count - 1)) if sizes[at] < factor * sizes[at + 1]]
        if not too_small:
            return range(0)
        end = too_small[0] + 1
        begin = min(at for at in range(end) if sizes[at] < factor * sum(sizes[at + 1 : end + 1]))
        return range(begin, end + 1)
    powers = [len(f"{size:b}") - 1 for size in sizes]
    segments = [list(among) for _, among in groupby(range(count), key=lambda at: powers[at])]
    several = [segment for segment in segments if len(segment) > 1]
    if not several:
        return range(0)
    merged = min(several, key=lambda segment: (powers[segment[0]], segment[0]))
    while merged[0] and 2 ** powers[merged[0] - 1] <= sum(sizes[at] for at in merged):
        merged = [merged[0] - 1, *merged]
    return range(merged[0], merged[-1] + 1)


@pytest.mark.parametrize("rule", ["log2", "geometric"])
def test_who_goes_by_the_words_of_the_help_answers_as_the_rule_does(rule: Policy) -> None:
    chance = random.Random(12)
    answers = set()
    for _ in range(2000):
        sizes = [
            chance.choice([40, 45, 300, 2000, 40_000]) * chance.randint(1, 9)
            for _ in range(chance.randint(0, 9))
        ]
        factor = chance.choice([2, 2, 3, 5])
        study = Study()
        before = tuple(TableSize(f"{at}", size, size) for at, size in enumerate(sizes))
        study.replay(PastCompaction("", before, range(0), ()), StackOptions(policy=rule, factor=factor))
        assert study.suggestion(rule) == by_words(rule, sizes, factor), sizes
        answers.add(study.suggestion(rule))
    assert len(answers) >= 15

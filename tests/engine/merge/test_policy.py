"""The rules taken apart: each comparison holds in its own numbers, and the last one is what the rule does."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given, strategies as st

from engine.errors import ApiError
from engine.merge import (
    Comparison,
    Segment,
    fastlog2,
    geometric_steps,
    log2_steps,
    sizes_to_segments,
    suggest_compaction_segment,
    suggest_geometric_segment,
)

# Sizes that are often of one magnitude, and some of any.
SIZES = st.lists(st.integers(0, 70) | st.integers(0, 12).map(lambda log: 2**log) | st.integers(0, 2**40))
FACTORS = st.sampled_from([1, 2, 3, 255]) | st.integers(1, 255)


def total(sizes: list[int], positions: range) -> int:
    return sum(sizes[position] for position in positions)


def log2_range(sizes: list[int]) -> range:
    """Return what the log2 rule merges, in one go and without steps."""
    repeated = [segment for segment in sizes_to_segments(sizes) if len(segment) > 1]
    if not repeated:
        return range(0)
    smallest = min(repeated, key=lambda segment: segment.log)
    start = smallest.start
    while start and fastlog2(sum(sizes[start : smallest.end])) >= fastlog2(sizes[start - 1]):
        start -= 1
    return range(start, smallest.end)


def geometric_range(sizes: list[int], factor: int) -> range:
    """Return what the geometric rule merges, likewise."""
    ends = [at + 1 for at in range(1, len(sizes)) if sizes[at - 1] < factor * sizes[at]]
    if not ends:
        return range(0)
    end = max(ends)
    starts = [at for at in range(end - 1) if sizes[at] < factor * sum(sizes[at + 1 : end])]
    return range(min(starts, default=end - 1), end)


@given(SIZES)
@example([])
@example([64, 0, 33])
def test_the_log2_rule_ends_with_what_it_merges(sizes: list[int]) -> None:
    suggested, merged = suggest_compaction_segment(sizes), log2_range(sizes)
    assert (suggested.start, suggested.end, suggested.bytes) == (
        merged.start,
        merged.stop,
        total(sizes, merged),
    )
    assert suggested == list(log2_steps(sizes))[-1].marked


@given(SIZES, FACTORS)
@example([], 2)
@example([0, 0], 255)
def test_the_geometric_rule_ends_with_what_it_merges(sizes: list[int], factor: int) -> None:
    suggested, merged = suggest_geometric_segment(sizes, factor), geometric_range(sizes, factor)
    assert (suggested.start, suggested.end, suggested.bytes) == (
        merged.start,
        merged.stop,
        total(sizes, merged),
    )
    assert suggested == list(geometric_steps(sizes, factor))[-1].marked


@given(SIZES)
def test_each_comparison_of_the_log2_rule_holds_in_its_numbers(sizes: list[int]) -> None:
    steps = list(log2_steps(sizes))
    for step in steps:
        match step.kind:
            case "cut":
                assert step.left == fastlog2(total(sizes, step.looked))
                if step.against and any(sizes[position] for position in step.against):
                    assert step.yes is (step.left == step.right)
                else:
                    assert step.yes is bool(step.against)
            case "choose":
                assert step.yes is (len(step.looked) > 1 and (not step.against or step.left < step.right))
            case "grow":
                assert step.left == fastlog2(total(sizes, step.looked))
                assert step.right == fastlog2(total(sizes, step.against))
                assert step.yes is (step.left <= step.right)
            case _:
                assert step is steps[-1]
    cut = [step for step in steps if step.kind == "cut"]
    assert [step.looked for step in cut] == [range(i, i + 1) for i in range(len(sizes))]
    begun = [step.looked.start for step in cut if not step.yes]
    assert begun == [segment.start for segment in sizes_to_segments(sizes)]


@given(SIZES, FACTORS)
def test_each_comparison_of_the_geometric_rule_holds_in_its_numbers(sizes: list[int], factor: int) -> None:
    steps = list(geometric_steps(sizes, factor))
    for step in steps[:-1]:
        assert step.kind in ("end", "begin")
        assert step.left == total(sizes, step.looked)
        assert step.right == factor * total(sizes, step.against)
        assert step.yes is (step.left < step.right)
    looked = [step.looked for step in steps[:-1]]
    if steps[-1].yes:  # from the newest pair to the oldest table, once
        last = next(step for step in steps if step.kind == "end" and step.yes)
        begin = [step.looked.start for step in steps if step.kind == "begin"]
        assert begin == list(reversed(range(last.looked.start + 1)))
    else:
        assert looked == [range(i, i + 1) for i in reversed(range(len(sizes) - 1))]


@given(SIZES, FACTORS)
def test_what_is_marked_changes_with_a_yes_only(sizes: list[int], factor: int) -> None:
    for steps in (list(log2_steps(sizes)), list(geometric_steps(sizes, factor))):
        for before, step in pairwise(steps):
            if step.marked != before.marked:
                assert step.yes
                assert step.marked.bytes == total(sizes, range(step.marked.start, step.marked.end))


def test_the_log2_rule_step_by_step() -> None:
    """Magnitudes 5, 3, 3, 4, 2, 2: the pair of the smallest, and the table that it would outgrow."""
    one, two = Segment(1, 3, 3, 16), Segment(4, 6, 2, 8)
    nothing = Segment(0, 0, 0, 0)
    assert list(log2_steps([32, 8, 8, 16, 4, 4])) == [
        Comparison("cut", range(1), range(0), 5, 0, False, nothing),
        Comparison("cut", range(1, 2), range(1), 3, 5, False, nothing),
        Comparison("cut", range(2, 3), range(1, 2), 3, 3, True, nothing),
        Comparison("cut", range(3, 4), range(1, 3), 4, 3, False, nothing),
        Comparison("cut", range(4, 5), range(3, 4), 2, 4, False, nothing),
        Comparison("cut", range(5, 6), range(4, 5), 2, 2, True, nothing),
        Comparison("choose", range(1), range(0), 5, 0, False, nothing),
        Comparison("choose", range(1, 3), range(0), 3, 0, True, one),
        Comparison("choose", range(3, 4), range(1, 3), 4, 3, False, one),
        Comparison("choose", range(4, 6), range(1, 3), 2, 3, True, two),
        Comparison("grow", range(3, 4), range(4, 6), 4, 3, False, two),
        Comparison("result", range(4, 6), range(0), 0, 0, True, two),
    ]


def test_the_geometric_rule_step_by_step() -> None:
    """Git's own example: 128, 32, 16, 8, 4, 3, 1 at factor 2."""
    steps = list(geometric_steps([128, 32, 16, 8, 4, 3, 1], 2))
    assert [(step.kind, step.looked.start, step.left, step.right, step.yes) for step in steps] == [
        ("end", 5, 3, 2, False),
        ("end", 4, 4, 6, True),
        ("begin", 4, 4, 6, True),
        ("begin", 3, 8, 14, True),
        ("begin", 2, 16, 30, True),
        ("begin", 1, 32, 62, True),
        ("begin", 0, 128, 126, False),
        ("result", 1, 0, 0, True),
    ]
    assert steps[-1].marked == Segment(1, 6, 5, 63)
    assert steps[1].marked == Segment(5, 6, 1, 3)


@pytest.mark.parametrize("sizes", [[], [7], [64, 16, 4]])
def test_a_stack_in_order_ends_with_nothing_marked(sizes: list[int]) -> None:
    for steps in (list(log2_steps(sizes)), list(geometric_steps(sizes))):
        assert steps[-1] == Comparison("result", range(0), range(0), 0, 0, False, Segment(0, 0, 0, 0))


@pytest.mark.parametrize("factor", [0, 256, -1])
def test_a_factor_outside_its_range_is_refused(factor: int) -> None:
    with pytest.raises(ApiError, match=r"not in 1\.\.255"):
        list(geometric_steps([1, 2], factor))

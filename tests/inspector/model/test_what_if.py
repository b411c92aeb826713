"""The replay of additions: what it counts, and how near it comes to what a real stack does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from engine.format import RefRecord
from engine.merge import Segment, suggest_compaction_segment, suggest_geometric_segment
from engine.stack import Policy, Stack, StackOptions
from inspector.model import Moment, replay
from inspector.model.what_if import FRAME
from inspector.tui.widgets.what_if_plot import plot
from tests.support.tables import oid

Suggest = Callable[[Sequence[int]], Segment]
RULES: dict[Policy, Suggest] = {"log2": suggest_compaction_segment, "geometric": suggest_geometric_segment}


def test_each_addition_and_each_merge_is_written() -> None:
    """A merge has a frame less for each table less, so two are not quite twice as large as the third."""
    moments = list(replay([], 3, 100, suggest_geometric_segment))
    two = 200 - FRAME
    three = two + 100 - FRAME
    assert moments == [Moment(1, 100), Moment(1, 200 + two), Moment(1, 300 + two + three)]


def test_without_a_merge_tables_pile_up_and_additions_are_written_once() -> None:
    moments = list(replay([100, 7], 3, 8, lambda _sizes: Segment(0, 0, 0, 0)))
    assert moments == [Moment(3, 8), Moment(4, 16), Moment(5, 24)]


@given(st.lists(st.integers(50, 2**20), max_size=8), st.integers(50, 2**12), st.sampled_from(sorted(RULES)))
def test_a_merge_keeps_all_bytes_but_frames(sizes: list[int], size: int, rule: Policy) -> None:
    seen: list[Sequence[int]] = []

    def suggest(stack: Sequence[int]) -> Segment:
        seen.append(list(stack))
        return RULES[rule](stack)

    moments = list(replay(sizes, 20, size, suggest))
    lost, written = 0, 0
    for number, (moment, stack) in enumerate(zip(moments, seen, strict=True), start=1):
        assert sum(stack) == sum(sizes) + size * number - lost
        segment = RULES[rule](stack)
        frames = FRAME * (len(segment) - 1) if len(segment) else 0
        lost += frames
        written += size + segment.bytes - frames
        assert moment.written == written
        assert moment.tables == len(stack) - max(0, len(segment) - 1)


@pytest.mark.parametrize("rule", sorted(RULES))
def test_a_real_stack_goes_as_replayed(tmp_path: Path, rule: Policy) -> None:
    """Tables whose sizes nearly add up: no prefix is shared, no block is padded, nothing is shadowed."""
    options = StackOptions(policy=rule, restart_interval=1, unpadded=True, block_size=1 << 20)
    tables: list[int] = []
    with Stack.open(tmp_path, options) as stack:
        for number in range(60):
            name = b"refs/heads/%04d" % number + b"x" * 1000
            with stack.addition() as addition, addition.table() as writer:
                writer.add_ref(RefRecord(name, addition.update_index, oid(number)))
            if not number:
                size = stack.sizes[0]
            tables.append(len(stack.tables))
        read = stack.stats.bytes
        assert sum(stack.sizes) == pytest.approx(60 * size, rel=0.03)
    moments = list(replay([], 60, size, RULES[rule]))
    assert [moment.tables for moment in moments] == tables
    assert moments[-1].written == pytest.approx(read + 60 * size, rel=0.03)


def test_a_plot_fills_its_column_for_the_top_and_shows_a_trace_of_anything() -> None:
    assert plot([0, 1, 8, 16], 16, 4, 2) == ["   █", " ▁██"]
    assert plot([0, 1, 400], 10_000, 3, 1) == [" ▁▁"]


def test_a_plot_is_as_wide_as_asked_whatever_the_number_of_values() -> None:
    assert plot([1, 2], 2, 4, 1) == ["▄▄██"]
    assert plot([1, 1, 2, 1, 1, 1], 2, 3, 1) == ["▄█▄"], "a peak is not lost between columns"
    assert plot([], 0, 3, 2) == ["   ", "   "]


@given(st.lists(st.integers(0, 1000)), st.integers(0, 50), st.integers(1, 6))
def test_a_plot_never_leaves_its_box(values: list[int], width: int, height: int) -> None:
    lines = plot(values, max(values, default=0), width, height)
    assert [len(line) for line in lines] == [width] * height


def test_rules_take_their_factor() -> None:
    suggest = partial(suggest_geometric_segment, factor=1)
    assert [moment.tables for moment in replay([], 4, 8, suggest)] == [1, 2, 3, 4]

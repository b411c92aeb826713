"""Bars on an axis of powers of two, bars put end to end, tables that slide into one; without a screen."""

from __future__ import annotations

import random

import pytest

from engine.merge import fastlog2
from inspector.tui.widgets.axis import Axis, power_text, stacked
from inspector.tui.widgets.geometry import FRAMES, slide

SIZES = [194_000, 29_896, 10_700, 10_650, 2870, 1458, 692, 373]


def covered(axis: Axis, size: int) -> list[int]:
    """The powers of two whose rules the bar of a size covers, wholly or in part."""
    cells = len(axis.bar(size))
    return [power for power in range(axis.first, axis.end) if axis.rule(power) < cells]


@pytest.mark.parametrize("width", [10, 14, 23, 45, 90, 130])
def test_a_bar_ends_between_the_rules_of_its_power_and_of_the_next(width: int) -> None:
    axis = Axis.of(SIZES, width)
    assert axis.step
    for size in [*SIZES, *(2**power + by for power in range(9, 18) for by in (-1, 0, 1))]:
        assert covered(axis, size)[-1] == fastlog2(size)


@pytest.mark.parametrize("width", [4, 9, 14, 45, 200])
def test_a_larger_size_has_no_shorter_bar_and_every_bar_fits(width: int) -> None:
    sizes = sorted([*random.Random(1).choices(range(1, 2**40), k=300), 1, 2, 3, 2**40])
    axis = Axis.of(sizes, width)
    lengths = [axis.eighths(size) for size in sizes]
    assert lengths == sorted(lengths)
    assert lengths[0] >= 8, "none is a hairline"
    assert axis.eighths(sum(sizes)) <= 8 * width, "nor is any of them put together too long"
    assert axis.bar(0) == ""


@pytest.mark.parametrize("width", [9, 14, 23, 45, 130])
def test_labels_stand_where_their_powers_are_ruled(width: int) -> None:
    axis = Axis.of(SIZES, width)
    labels = axis.labels
    named = {power_text(power): power for power in range(axis.first, axis.end)}
    assert labels.split()
    for label in labels.split()[:-1]:  # the last one may be cut
        assert labels.index(label) == axis.rule(named[label])


def test_the_rules_behind_a_bar_fill_the_axis() -> None:
    axis = Axis.of(SIZES, 45)
    for size in (0, *SIZES):
        row, ruled = axis.row(size)
        assert len(row) == 45
        assert row[:ruled] == axis.bar(size)
        places = [at for at, char in enumerate(row) if char == "┊"]
        assert places == [axis.rule(at) for at in range(axis.first, axis.end) if axis.rule(at) >= ruled]


@pytest.mark.parametrize("width", [4, 11, 45, 130])
def test_a_bar_ends_before_what_is_needed_exactly_if_it_is_smaller(width: int) -> None:
    axis = Axis.of(SIZES, width)
    for size in SIZES:
        for needed in (1, size - 1, size, size + 1, size * 2, size * 255):
            row, ruled = axis.row(size, needed)
            assert len(row) == width
            if "┃" in row:
                assert (row.index("┃") >= ruled) == (size < needed)
            else:
                assert row[-1] == "▸", "it is beyond the axis"


@pytest.mark.parametrize(
    ("power", "text"), [(0, "1"), (9, "512"), (10, "1K"), (15, "32K"), (20, "1M"), (63, "8E")]
)
def test_powers_have_short_names(power: int, text: str) -> None:
    assert power_text(power) == text


def test_bars_end_to_end_are_as_long_as_their_sum() -> None:
    assert stacked([30, 20, 10], 1, 120, 24) == "██████▓▓▓▓▒▒"
    assert stacked([60], 2, 120, 24) == "████████████▓▓▓▓▓▓▓▓▓▓▓▓"
    assert stacked([1, 0], 1, 1000, 10) == "█"
    assert stacked([0], 3, 0, 10) == ""
    assert len(stacked([7] * 100, 255, 7 * 100 * 255, 40)) == 40


@pytest.mark.parametrize("target", [range(2, 4), range(1, 4), range(7), range(5, 305)])
def test_tables_slide_into_one_from_the_newest(target: range) -> None:
    pictures = slide(target)
    assert len(pictures) <= FRAMES
    assert len(pictures[0]) == len(target), "at first each stands alone"
    for picture in pictures:
        assert [at for part in picture for at in part] == list(target)
        assert all(len(part) == 1 for part in picture[:-1])
    lengths = [len(picture) for picture in pictures]
    assert lengths == sorted(set(lengths), reverse=True)
    assert lengths[-1] == 2


def test_one_table_has_nowhere_to_slide() -> None:
    assert slide(range(3, 4)) == []

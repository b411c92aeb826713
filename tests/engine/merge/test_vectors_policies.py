"""Both compaction policies on the same sizes: what git before 2.45 and git today would merge."""

from __future__ import annotations

import pytest

from engine.errors import ApiError
from engine.merge import Segment, suggest_compaction_segment, suggest_geometric_segment

NOTHING = (0, 0)

VECTORS = [
    ([128, 64, 17, 16, 9, 9, 9, 16, 16], (2, 7), (0, 9)),
    ([512, 64, 17, 16, 9, 9, 9, 16, 2, 16], (2, 7), (1, 10)),
    ([64, 32, 16, 8, 4, 2], NOTHING, NOTHING),
    ([64, 32, 16, 8, 4, 3, 1], NOTHING, (0, 6)),
    ([128, 32, 16, 8, 4, 3, 1], NOTHING, (1, 6)),
    ([2, 3, 4, 5, 7, 9], (0, 2), (0, 6)),
    ([5, 5], (0, 2), (0, 2)),
    ([100, 60], NOTHING, (0, 2)),
    ([100, 50], NOTHING, NOTHING),
    ([100, 1, 40, 1, 40, 1], NOTHING, (0, 5)),
    ([1000, 10, 300], NOTHING, (1, 3)),
    ([6, 1, 2], NOTHING, (1, 3)),
    ([], NOTHING, NOTHING),
    ([7], NOTHING, NOTHING),
]


def span(segment: Segment) -> tuple[int, int]:
    return (segment.start, segment.end) if len(segment) else NOTHING


@pytest.mark.parametrize(("sizes", "expected", "_"), VECTORS)
def test_the_log2_rule(sizes: list[int], expected: tuple[int, int], _: tuple[int, int]) -> None:
    suggestion = suggest_compaction_segment(sizes)
    assert span(suggestion) == expected
    assert suggestion.bytes == sum(sizes[slice(*expected)])


@pytest.mark.parametrize(("sizes", "_", "expected"), VECTORS)
def test_the_geometric_rule(sizes: list[int], _: tuple[int, int], expected: tuple[int, int]) -> None:
    suggestion = suggest_geometric_segment(sizes)
    assert span(suggestion) == expected
    assert suggestion.bytes == sum(sizes[slice(*expected)])


@pytest.mark.parametrize(
    ("sizes", "factor", "expected"),
    [
        ([100, 60], 1, NOTHING),
        ([100, 101], 1, (0, 2)),
        ([100, 100], 1, NOTHING),
        ([100, 25], 4, NOTHING),
        ([100, 26], 4, (0, 2)),
        ([254, 1], 255, (0, 2)),
        ([255, 1], 255, NOTHING),
    ],
)
def test_the_geometric_rule_keeps_each_table_factor_times_the_next(
    sizes: list[int], factor: int, expected: tuple[int, int]
) -> None:
    assert span(suggest_geometric_segment(sizes, factor)) == expected


@pytest.mark.parametrize("factor", [-1, 0, 256])
def test_a_factor_that_does_not_fit_a_byte_is_refused(factor: int) -> None:
    with pytest.raises(ApiError):
        suggest_geometric_segment([1, 2], factor)


def test_tables_of_no_size_are_no_reason_to_fail() -> None:
    assert span(suggest_compaction_segment([0, 0])) == (0, 2)
    assert span(suggest_geometric_segment([0, 0])) == NOTHING
    assert span(suggest_geometric_segment([0, 1])) == (0, 2)

"""Tables that cannot be a stack as they are: their update indexes overlap, or come in disorder.

git reads such a stack in the order of its list all the same: of several records of one name, the one of the
later table counts. So the tables that do not fit are merged in that order into one. Nothing that is to be
seen changes, and no record goes that another one does not supersede.

Tables that merely stand in the wrong order, and do not overlap, need no merging: each keeps its records, and
its place follows from its update indexes. That holds as long as these mean anything: where a table claims all
there are, git went on counting at 0.

Nothing here reads a file: what is known of each is handed in.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from engine.repair.choice import Candidate

HIGHEST_LIMIT: Final = 2**62
"""A higher limit was never initialised."""


def follow_each_other(candidates: Sequence[Candidate]) -> bool:
    """Whether these tables, in this order, can be a stack. Two that follow each other may share an index."""
    return all(_may_follow(one, other) for one, other in pairwise(candidates))


def arranged(listed: Sequence[Candidate]) -> list[Candidate]:
    """The tables of a list such that they follow each other: as they are, in order, or merged."""
    if follow_each_other(listed):
        return list(listed)
    by_index = sorted(listed, key=lambda one: (one.low, one.high))
    is_disjoint = all(one.high < other.low for one, other in pairwise(by_index))
    if is_disjoint and all(one.high < HIGHEST_LIMIT for one in listed):
        return by_index
    return merged(listed)


def merged(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The same in the same order, those that do not follow the ones before merged with them."""
    made: list[Candidate] = []
    for candidate in candidates:
        while made and not _may_follow(made[-1], candidate):
            candidate = made.pop().with_newer(candidate)  # noqa: PLW2901 - it grows
        made.append(candidate)
    return made


def inserted(candidates: Sequence[Candidate], one: Candidate) -> list[Candidate]:
    """The same with one more table: below those that reach as far as it does or farther, so that they win."""
    at = next((number for number, other in enumerate(candidates) if other.high >= one.high), len(candidates))
    return merged([*candidates[:at], one, *candidates[at:]])


def _may_follow(one: Candidate, other: Candidate) -> bool:
    return other.low > one.high or (other.low == one.high and other.high >= one.high)

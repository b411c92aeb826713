"""Which tables make up a stack, when its list does not say, or says what cannot be.

Tables of one stack have ranges of update indexes that follow each other. git reads a list in which they
overlap, or come in disorder, all the same: of several records of one name, the one of the later table counts.
So listed tables that do not fit are merged in that order into one. Nothing that is to be seen changes, and no
record goes that another one does not supersede. Tables that are in the wrong order, but do not overlap, need
no merging: each keeps its records, and its place follows from its update indexes. That holds as long as these
mean anything: where a table has claimed all there are, git went on counting at 0.

Where the list does not say, and files overlap, one is a compaction of the others, or they are of different
times. Of all selections without an overlap, that one is taken which

    1. covers the most update indexes,
    2. has the fewest damaged tables,
    3. has the most tables that the list names,
    4. has the fewest tables: a compaction rather than what it was made of;
    5. is the largest: of two orphans in the place of one lost table, the one that holds more.

Nothing here reads a file: what is known of each is handed in.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple


class Candidate(NamedTuple):
    """A file that may be a table of the stack, or several to be merged, and the update indexes covered.

    `size` is in bytes.
    """

    files: tuple[str, ...]
    low: int
    high: int
    is_sound: bool
    is_listed: bool
    size: int

    @property
    def names(self) -> str:
        """The files in words."""
        return " and ".join(self.files)

    def with_newer(self, other: Candidate) -> Candidate:
        """Both merged; of one key, the record of the other one counts."""
        return Candidate(
            self.files + other.files,
            min(self.low, other.low),
            max(self.high, other.high),
            self.is_sound and other.is_sound,
            self.is_listed and other.is_listed,
            self.size + other.size,
        )


_Score = tuple[int, int, int, int, int]
_Chain = tuple[list[Candidate], "_Chain"] | None


def choose(candidates: Sequence[Candidate]) -> tuple[list[Candidate], list[tuple[Candidate, str]]]:
    """The best of these, oldest first, and the others with the reason why they are not among them.

    Those that the list names come in its order.
    """
    units = sorted(_units(candidates), key=lambda unit: (unit[-1].high, unit[0].low, unit[0].files))
    highs = [unit[-1].high for unit in units]
    # For each number of units, the best selection of these: its score, its last unit, and those before.
    best: list[tuple[_Score, _Chain]] = [((0, 0, 0, 0, 0), None)]
    for number, unit in enumerate(units):
        score, chain = best[bisect_left(highs, unit[0].low, hi=number)]
        taken = _plus(score, unit)
        best.append((taken, (unit, chain)) if taken > best[number][0] else best[number])
    chosen: list[Candidate] = []
    left = best[-1][1]
    while left is not None:
        chosen[:0], left = left
    return chosen, [(one, _why(one, chosen)) for one in candidates if one not in chosen]


def _units(candidates: Sequence[Candidate]) -> list[list[Candidate]]:
    """Tables that are chosen together: those that follow each other in the list and share an index."""
    units: list[list[Candidate]] = []
    for candidate in candidates:
        before = units[-1][-1] if units else None
        shares = before is not None and before.high == candidate.low <= candidate.high
        if before is not None and shares and before.is_listed and candidate.is_listed:
            units[-1].append(candidate)
        else:
            units.append([candidate])
    return units


def _plus(score: _Score, unit: Sequence[Candidate]) -> _Score:
    covered, damaged, listed, number, size = score
    return (
        covered + unit[-1].high - unit[0].low + 1,
        damaged - sum(not one.is_sound for one in unit),
        listed + sum(one.is_listed for one in unit),
        number - len(unit),
        size + sum(one.size for one in unit),
    )


def _why(one: Candidate, chosen: Sequence[Candidate]) -> str:
    over = [other for other in chosen if other.low <= one.high and one.low <= other.high]
    other, limits = over[0], f"{one.low} to {one.high}"
    if len(over) == 1 and (other.low, other.high) == (one.low, one.high):
        sounder = ", and is sound" if other.is_sound and not one.is_sound else ""
        return f"{other.names} has the same update indexes, {limits}{sounder}"
    if len(over) == 1 and other.low <= one.low and one.high <= other.high:
        return (
            f"{other.names} covers its update indexes ({limits}) and more: "
            "it is what a compaction made of it, or the table in its place"
        )
    names = " and ".join(other.names for other in over[:2]) + (f" and {len(over) - 2} more" * (len(over) > 2))
    return f"{names} together cover more update indexes than it does ({limits})"


def follow_each_other(candidates: Sequence[Candidate]) -> bool:
    """Whether these tables, in this order, can be a stack. Two that follow each other may share an index."""
    return all(_may_follow(one, other) for one, other in pairwise(candidates))


def arranged(listed: Sequence[Candidate], *, sorts: bool) -> list[Candidate]:
    """The tables of a list such that they follow each other: as they are, in order, or merged.

    `sorts` when their update indexes tell their order.
    """
    by_index = sorted(listed, key=lambda one: (one.low, one.high))
    is_disjoint = all(one.high < other.low for one, other in pairwise(by_index))
    return by_index if sorts and is_disjoint else merged(listed)


def merged(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Tables in the same order, those that do not follow the ones before merged with them."""
    made: list[Candidate] = []
    for candidate in candidates:
        while made and not _may_follow(made[-1], candidate):
            candidate = made.pop().with_newer(candidate)  # noqa: PLW2901 - it grows
        made.append(candidate)
    return made


def inserted(candidates: Sequence[Candidate], one: Candidate) -> list[Candidate]:
    """Tables with one more: below those that reach as far as it does or farther, so that they win."""
    at = next((number for number, other in enumerate(candidates) if other.high >= one.high), len(candidates))
    return merged([*candidates[:at], one, *candidates[at:]])


def _may_follow(one: Candidate, other: Candidate) -> bool:
    return other.low > one.high or (other.low == one.high and other.high >= one.high)

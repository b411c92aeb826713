"""Which tables make up a stack, when its list does not say, or says what cannot be.

Tables of one stack have ranges of update indexes that follow each other. Where files overlap, one is a
compaction of the others, or they are of different times. Of all selections without an overlap, that one is
taken which

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
from dataclasses import dataclass


@dataclass(slots=True, frozen=True)
class Candidate:
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


@dataclass(slots=True, frozen=True)
class Choice:
    """The tables chosen, oldest first, and the others with the reason why they are not."""

    chosen: tuple[Candidate, ...]
    passed_over: tuple[tuple[Candidate, str], ...]


_Score = tuple[int, int, int, int, int]


def choose(candidates: Sequence[Candidate]) -> Choice:
    """Choose among candidates; those that the list names come in its order."""
    units = sorted(_units(candidates), key=lambda unit: (unit[-1].high, unit[0].low, unit[0].files))
    highs = [unit[-1].high for unit in units]
    # For each number of units, the best selection of these: its score, and how it was come by.
    best: list[tuple[_Score, int | None]] = [((0, 0, 0, 0, 0), None)]
    for number, unit in enumerate(units):
        before = bisect_left(highs, unit[0].low, hi=number)
        taken = _plus(best[before][0], unit)
        best.append((taken, before) if taken > best[number][0] else (best[number][0], None))
    chosen: list[Candidate] = []
    number = len(units)
    while number:
        origin = best[number][1]
        if origin is not None:
            chosen[:0] = units[number - 1]
        number = number - 1 if origin is None else origin
    passed_over = [(one, _why(one, chosen)) for one in candidates if one not in chosen]
    return Choice(tuple(chosen), tuple(passed_over))


def _units(candidates: Sequence[Candidate]) -> list[list[Candidate]]:
    """Tables that stand or fall together: those that follow each other in the list and share an index."""
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
    if len(over) == 1:
        other = over[0]
        if other.low <= one.low and one.high <= other.high:
            if (other.low, other.high) == (one.low, one.high):
                return f"{other.names} has the same update indexes, {one.low} to {one.high}" + (
                    ", and is sound" if other.is_sound and not one.is_sound else ""
                )
            return (
                f"{other.names} covers its update indexes ({one.low} to {one.high}) and more: "
                "it is what a compaction made of it, or the table in its place"
            )
    names = " and ".join(other.names for other in over[:2]) + (f" and {len(over) - 2} more" * (len(over) > 2))
    return f"{names} together cover more update indexes than it does ({one.low} to {one.high})"

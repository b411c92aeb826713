"""Records in key order, asked for by keys that ascend: one walk, which seeks only across gaps.

To step on costs next to nothing inside a block that is decoded already; to look a key up from the top decodes
a block in every table. So a walk looks at about a block of records more before it seeks: many keys cost a
scan, a few distant ones a seek each.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from typing import Final, Generic, TypeVar

_NEAR: Final = 64
"""Records to read on before a seek; lists may be shorter than blocks."""

_T = TypeVar("_T")
_K = TypeVar("_K", bytes, tuple[bytes, int])


class Walk(Generic[_T, _K]):
    """A walk over what `lists_from(key)` gives: lists of records in key order, from that key on."""

    __slots__ = ("_at", "_has_ended", "_key_of", "_lists", "_lists_from", "_records")

    def __init__(self, lists_from: Callable[[_K], Iterator[list[_T]]], key_of: Callable[[_T], _K]) -> None:
        self._lists_from: Callable[[_K], Iterator[list[_T]]] = lists_from
        self._key_of: Callable[[_T], _K] = key_of
        self._lists: Iterator[list[_T]] | None = None
        self._records: list[_T] = []
        self._at = 0
        self._has_ended = False

    def to(self, key: _K) -> _T | None:
        """The first record with a key >= `key`, if there is one; keys ascend from call to call."""
        if self._has_ended:
            return None
        at, records = self._at, self._records
        if at < len(records) and self._key_of(records[at]) >= key:
            return records[at]
        passed = 0
        while self._lists is not None and self._records and not self._reaches(key) and passed < _NEAR:
            self._read_on()
            passed += len(self._records)
        if not self._reaches(key) and not self._has_ended:
            self._lists = self._lists_from(key)
            self._read_on()
        self._at = bisect_left(self._records, key, self._at, key=self._key_of)
        return self._records[self._at] if self._at < len(self._records) else None

    def find(self, key: _K) -> _T | None:
        """The record with this very key, if there is one; keys ascend as for `to`."""
        record = self.to(key)
        return record if record is not None and self._key_of(record) == key else None

    def step(self) -> _T | None:
        """The record behind the one that `to` or this has returned, if there is one."""
        self._at += 1
        if self._at == len(self._records):
            self._read_on()
        return self._records[self._at] if self._at < len(self._records) else None

    def _read_on(self) -> None:
        self._records, self._at = next(self._lists or iter(()), []), 0
        self._has_ended = not self._records

    def _reaches(self, key: _K) -> bool:
        return bool(self._records) and key <= self._key_of(self._records[-1])

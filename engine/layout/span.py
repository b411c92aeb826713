"""Runs of bytes with a name: what a tree or a hex view shows of a table.

A `Span` is a run of bytes; one that is a field has a value. A `Group` is a span made of others, which
are made when they are asked for and forgotten afterwards: a view may hold a tree over a table of any
size, and open only what is looked at.

Below a group, leaves follow each other without gap or overlap; only two numbers that the format packs
into one are two leaves over the same bytes. Positions are those of the file. Below the deflated bytes of a
log block they are positions in the inflated block, counted as its restart offsets are, and the
spans say so (`inflated`).

Nothing about a span raises for wrong bytes: what cannot be understood carries its `FormatError`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from enum import StrEnum, auto

from engine.errors import FormatError

Value = int | bytes | str | None
"""A field's value: bytes as they are stored, text only where the engine made it."""


class SpanKind(StrEnum):
    """What a span is, for views: groups first, then what the value of a leaf means."""

    TABLE = auto()
    HEADER = auto()
    SECTION = auto()
    BLOCK = auto()
    DEFLATED = auto()
    RECORDS = auto()
    RECORD = auto()
    RESTARTS = auto()
    FOOTER = auto()
    NUMBER = auto()
    POSITION = auto()  # of a block in the file
    TEXT = auto()  # bytes that people read: a name, a message, a magic
    HASH = auto()  # an object id, or the beginning of one
    CHECKSUM = auto()
    PADDING = auto()
    UNKNOWN = auto()  # bytes of which nothing is known


class Span:
    """Bytes `start` to `end` (half-open) of a table, and what they are.

    `value` is what is stored; `meaning` is what that says where it is something else (an update index for a
    difference, the key for a restart offset, the CRC that should be there). A span with an `error` is
    damaged. With `inflated`, positions are those of an inflated log block instead of the file's.
    """

    __slots__ = ("end", "error", "inflated", "kind", "meaning", "name", "start", "value")

    def __init__(
        self,
        start: int,
        end: int,
        name: str,
        kind: SpanKind,
        value: Value = None,
        meaning: Value = None,
        error: FormatError | None = None,
        *,
        inflated: bool = False,
    ) -> None:
        self.start = start
        self.end = end
        self.name = name
        self.kind = kind
        self.value = value
        self.meaning = meaning
        self.error = error
        self.inflated = inflated

    @property
    def absolute(self) -> int | None:
        """The number that a field stands for, be it stored as a difference; None for what is no number."""
        number = self.meaning if isinstance(self.meaning, int) else self.value
        return number if isinstance(number, int) else None


class Group(Span, ABC):
    """A span that is made of others."""

    __slots__ = ()

    @abstractmethod
    def children(self) -> Iterator[Span]:
        """The spans that this one is made of, in order, made as they are asked for."""

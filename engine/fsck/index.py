"""Checks of an index, level by level, in one pass over the file.

An index finds every key of its section, and nothing else, if and only if

    each entry's key is the last key of the block it points to,
    each block of a level is pointed to exactly once, in the order of the file, by the level above,
    and the footer points to the first block of the topmost level.

So the blocks of each level are compared with the entries of the level above: no key has to be looked up, and
the work is linear. Of a block, its offset and a hash of its last key are kept (16 bytes).
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator
from typing import Final

from engine.errors import counted, shown
from engine.format import LOG, OBJ, SECTION_NAMES, IndexRecord
from engine.fsck.finding import Report

_UNKNOWN: Final = -1
_HASH_MASK: Final = 2**62 - 1


def _hashed(key: bytes) -> int:
    return hash(key) & _HASH_MASK


class Blocks:
    """The blocks of a section, or of one level of its index: offsets, and last keys as hashes.

    `last_key` is that of the last block, None if it cannot be read or there is none. `is_whole` until a block
    was damaged: then there may be blocks that are not known.
    """

    __slots__ = ("_keys", "is_whole", "last_key", "offsets")

    def __init__(self) -> None:
        self.offsets = array("Q")
        self._keys = array("q")
        self.last_key: bytes | None = None
        self.is_whole = True

    def add(self, offset: int, last_key: bytes | None) -> None:
        """Note the next block; `last_key` is None if it cannot be read."""
        self.offsets.append(offset)
        self._keys.append(_UNKNOWN if last_key is None else _hashed(last_key))
        self.last_key = last_key

    def find(self, offset: int) -> int | None:
        """The number of the block at `offset`."""
        at = bisect_left(self.offsets, offset)
        return at if at < len(self.offsets) and self.offsets[at] == offset else None

    def ends_with(self, number: int, key: bytes) -> bool:
        """Whether a block's last key is `key`, as far as that is known."""
        return self._keys[number] in (_UNKNOWN, _hashed(key))

    def __len__(self) -> int:
        return len(self.offsets)


class IndexCheck:
    """The index over `blocks`, those of the section of type `of`; its own are handed over one by one."""

    __slots__ = ("_below", "_level", "_name", "_next", "_report", "_section", "blocks", "levels", "of")

    def __init__(self, name: str, of: int, report: Report) -> None:
        self.of = of
        self._name = name
        self._report = report
        self.blocks = self._below = Blocks()
        self._level = Blocks()
        self._next = 0
        self._section = SECTION_NAMES[of]
        self.levels = 0

    def _add(self, code: str, offset: int | None, message: str) -> None:
        self._report.add(code, self._name, offset, message)

    def take(self, offset: int, entries: Iterator[IndexRecord], last_key: bytes | None) -> None:
        """Check the next index block, which ends with `last_key`: None for one that cannot be read."""
        self.levels = max(self.levels, 1)
        for number, entry in enumerate(entries):
            if not number and len(self._level) and entry.offset == self._level.offsets[0]:
                self._finish_level()
                self._below, self._level, self._next = self._level, Blocks(), 0
                self.levels += 1
            self._take_entry(offset, entry)
        self._level.add(offset, last_key)
        self._level.is_whole = self._level.is_whole and last_key is not None

    def _take_entry(self, offset: int, entry: IndexRecord) -> None:
        below, expected = self._below, self._next
        number = below.find(entry.offset)
        if number is None:
            self._take_unlisted(offset, entry)
            return
        if number > expected:
            self._report_missing(offset, expected, number)
        elif number < expected:
            what = f"the {self._section} index points to the block at {entry.offset} twice or out of order"
            self._add("index-damaged", offset, what)
            return
        if not below.ends_with(number, entry.last_key):
            what = f"the {self._section} index has {shown(entry.last_key)} as the last key of the block at "
            self._add("index-damaged", offset, f"{what}{entry.offset}, whose last key is another")
        self._next = number + 1

    def _take_unlisted(self, offset: int, entry: IndexRecord) -> None:
        section = self.blocks.offsets
        begins = section[0] if section else 0
        what = f"the {self._section} index points to {entry.offset}"
        if not begins <= entry.offset < offset:
            # Older entries of the index in front of this one: a block of refs or of their index.
            known_cause = self.of in (LOG, OBJ) and entry.offset < begins
            code = "index-foreign" if known_cause else "index-damaged"
            self._add(code, offset, f"{what}, outside its section")
        elif self._below.is_whole:
            self._add("index-damaged", offset, f"{what}, where no block of it begins")

    def _report_missing(self, offset: int | None, first: int, end: int) -> None:
        if not self._below.is_whole:
            return
        what, at = counted(end - first, "block"), self._below.offsets[first]
        reason = f"the {self._section} index leaves out {what} from {at} on"
        self._add("index-incomplete", offset, reason)

    def _finish_level(self) -> None:
        if self._next < len(self._below):
            offset = self._level.offsets[-1] if len(self._level) else None
            self._report_missing(offset, self._next, len(self._below))

    def finish(self, root: int) -> None:
        """Check what the last block leaves: that everything is covered, and that `root` is where it ends."""
        if not self.levels:
            return
        self._finish_level()
        if not (self._level.is_whole and self._below.is_whole and self.blocks.is_whole):
            return  # which blocks are those of the topmost level is a guess
        if self._level.offsets[0] != root:
            what = f"the {self._section} index begins at {self._level.offsets[0]}; the footer says {root}"
            self._add("index-damaged", self._level.offsets[0], what)
        if len(self._level) > 1:
            what = f"the topmost level of the {self._section} index has {len(self._level)} blocks"
            self._add("index-several-roots", self._level.offsets[0], what)

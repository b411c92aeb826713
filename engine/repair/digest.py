"""What tells two tables with the same records from two with other ones, whatever their blocks are."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

from engine.format import REF


class Digest:
    """The records of one table, handed over in the order of their keys: their numbers, and a digest of them.

    Refs come first. A key has an end that shows, the tail of a record one that its kind tells.
    """

    def __init__(self) -> None:
        self.refs = self.logs = 0
        self._keys, self._kinds, self._tails = blake2b(), blake2b(), blake2b()

    def take(self, block_type: int, keys: Sequence[bytes], kinds: bytes, tails: Sequence[bytes]) -> None:
        """Take up records of one type, as a `Witness` of `fsck` does."""
        if block_type == REF:
            self.refs += len(keys)
        else:
            self.logs += len(keys)
        self._keys.update(b"\0".join(keys) + b"\0")
        self._kinds.update(kinds)
        self._tails.update(b"".join(tails))

    @property
    def value(self) -> tuple[object, ...]:
        """What is the same for the same records alone."""
        hashes = (self._keys, self._kinds, self._tails)
        return self.refs, self.logs, *(one.digest() for one in hashes)

"""What is wrong with the bytes of a record: what decoders raise, of which `block.py` makes a `FormatError`.

Never compiled: a compiled exception takes weak references, and does not clear them when it ends.
"""

from __future__ import annotations


class Malformed(ValueError):  # noqa: N818 - the cause of an error, and no error of the engine
    """What is wrong with a record, and at which position of its block."""

    def __init__(self, pos: int, reason: str) -> None:
        self.pos = pos
        self.reason = reason
        super().__init__(reason)

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.pos, self.reason)


class Excessive(Malformed):
    """The keys of a block add up to more than those of any sound one."""

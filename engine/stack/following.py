"""Where a ref leads: the chain of symbolic refs, followed as far as git follows it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from engine.format import MAX_SYMREF_DEPTH, RefRecord


class Resolved(NamedTuple):
    """Where a ref leads.

    `chain` are the names that were read, the one that was asked for first; `name` is the ref at the end,
    which has the object id `oid`. Without one, `end` says why: that ref is "missing" (an unborn branch, or
    what was asked for), or the chain is "endless": more refs than git follows, most likely a circle.
    """

    name: bytes
    oid: bytes | None
    chain: tuple[bytes, ...]
    end: Literal["id", "missing", "endless"]

    @property
    def is_symref(self) -> bool:
        """Whether what was asked for is a symbolic ref."""
        return self.chain[0] != self.name


def follow(read: Callable[[bytes], RefRecord | None], name: bytes) -> Resolved:
    """Where the ref `name` leads, by the `read_ref` of some stack.

    As refs_resolve_ref_unsafe() in git's refs.c: of five refs at most.
    """
    chain = []
    for _ in range(MAX_SYMREF_DEPTH):
        chain.append(name)
        record = read(name)
        if record is None:
            return Resolved(name, None, tuple(chain), "missing")
        if record.target is None:
            return Resolved(name, record.value, tuple(chain), "id")
        name = record.target
    return Resolved(name, None, tuple(chain), "endless")

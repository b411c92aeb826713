"""Names of refs without an object, told apart by their class.

Never compiled: mypyc makes no heirs of `bytes`.
"""

from __future__ import annotations

from typing import Self

from engine.format import RefRecord


class Special(bytes):
    """The name of a ref without an object: of a symbolic ref, a deleted one, or one with the null id."""

    target: bytes | None
    is_null: bool

    def __new__(cls, name: bytes, target: bytes | None, *, is_null: bool = False) -> Self:
        """The name of a ref with this target."""
        made = super().__new__(cls, name)
        made.target, made.is_null = target, is_null
        return made


def name_of(ref: RefRecord) -> bytes:
    """The name of a ref, as a pass over its block has it, which does not tell of null ids."""
    if ref.value is not None and any(ref.value):
        return ref.name
    return Special(ref.name, ref.target, is_null=ref.value is not None)

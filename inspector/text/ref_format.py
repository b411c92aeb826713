"""Refs as `git for-each-ref --format` has them, and in the order of its `--sort`: what a stack can answer.

    %(refname) %(symref)     with :short, :lstrip=N (or :strip=N), :rstrip=N
    %(objectname)            of a symbolic ref, what it leads to; empty if that is nothing
    %(*objectname)           what an annotated tag points to in the end; else empty
    %(HEAD)                  `*` for the branch that HEAD names, else a space
    %(updateindex) %(table)  of the record; git has no such fields
    %% and %0a               a percent sign, and a byte by two hexadecimal digits

What takes the objects themselves (authors, subjects, unique short ids) git alone can tell.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cmp_to_key, partial
from typing import Any, Final, NamedTuple

from engine.errors import ApiError
from engine.format import RefRecord
from engine.table import Table

_PIECE: Final = re.compile(r"%\(([^)]*)\)|%([0-9a-fA-F]{2})|%%|%", re.DOTALL)
_STRIP: Final = re.compile(r"(l|r|)strip=(-?[0-9]{1,4})")
_NAMES: Final = ("refname", "symref")
_FIELDS: Final = (*_NAMES, "objectname", "*objectname", "HEAD", "updateindex", "table")
_SORT_KEYS: Final = ("refname", "version:refname", "v:refname", "objectname", "symref", "updateindex")


class Surroundings(NamedTuple):
    """What is asked of the other refs: where one leads, its short name, and the branch of HEAD.

    And of git's configuration, what may follow a version (`compare_versions`).
    """

    leads_to: Callable[[bytes], bytes | None]
    short_name: Callable[[bytes], bytes]
    current_branch: bytes | None
    version_suffixes: Callable[[], Sequence[bytes]] = tuple


ListedRef = tuple[RefRecord, Table]
"""A ref and the table that it was read from."""

Field = Callable[[ListedRef, Surroundings], bytes]


class RefFormat:
    """A format, taken apart once. Raises `ApiError` for one without sense, or that git alone can fill."""

    def __init__(self, text: str) -> None:
        self._parts: list[bytes | Field] = []
        end = 0
        for found in _PIECE.finditer(text):
            self._literal(text[end : found.start()])
            end = found.end()
            if text.startswith("(", end) and found[0] == "%":
                raise ApiError(f"{text[found.start() :]}: the field has no end")
            if found[1] is not None:
                self._parts.append(_field(found[1]))
            else:
                self._parts.append(bytes.fromhex(found[2]) if found[2] else b"%")
        self._literal(text[end:])

    def _literal(self, text: str) -> None:
        if text:
            self._parts.append(text.encode(errors="surrogateescape"))

    def line(self, ref: ListedRef, around: Surroundings, show: Callable[[bytes], bytes]) -> bytes:
        """The line of a ref; `show` makes the names in it fit for where they go."""
        return b"".join(part if isinstance(part, bytes) else show(part(ref, around)) for part in self._parts)


def _field(text: str) -> Field:
    name, _, modifier = text.partition(":")
    match name, modifier:
        case "refname", _:
            change = _name_change(text, modifier)
            return lambda ref, around: change(ref[0].name, around)
        case "symref", _:
            change = _name_change(text, modifier)
            return lambda ref, around: change(ref[0].target, around) if ref[0].target else b""
        case "objectname", "":
            return lambda ref, around: _oid(ref[0], around).hex().encode()
        case "*objectname", "":
            return lambda ref, _around: (ref[0].peeled or b"").hex().encode()
        case "HEAD", "":
            return lambda ref, around: b"*" if ref[0].name == around.current_branch else b" "
        case "updateindex", "":
            return lambda ref, _around: b"%d" % ref[0].update_index
        case "table", "":
            return lambda ref, _around: ref[1].name.encode(errors="surrogateescape")
        case (("objectname" | "*objectname"), _) if modifier.partition("=")[0] == "short":
            raise ApiError(f"%({text}): how short an id may be depends on all objects, which git alone knows")
    known = ", ".join(f"%({field})" for field in _FIELDS)
    raise ApiError(f"%({text}) is no field that a stack can answer: there are {known}")


def _name_change(text: str, modifier: str) -> Callable[[bytes, Surroundings], bytes]:
    if not modifier:
        return lambda name, _around: name
    if modifier == "short":
        return lambda name, around: around.short_name(name)
    if (found := _STRIP.fullmatch(modifier)) is None:
        raise ApiError(f"%({text}): a name has the forms :short, :lstrip=N and :rstrip=N")
    count, is_right = int(found[2]), found[1] == "r"
    return lambda name, _around: _stripped(name, count, is_right=is_right)


def _stripped(name: bytes, count: int, *, is_right: bool) -> bytes:
    """Without so many components of the name at one end; negative: with so many left."""
    parts = name.split(b"/")
    gone = count if count >= 0 else max(0, len(parts) + count)
    if gone >= len(parts):
        return b""
    return b"/".join(parts[: len(parts) - gone] if is_right else parts[gone:])


def _oid(record: RefRecord, around: Surroundings) -> bytes:
    if record.target is not None:
        return around.leads_to(record.name) or b""
    return record.value or b""


def sort_refs(refs: list[ListedRef], keys: Sequence[str], around: Surroundings) -> None:
    """Sort as `git for-each-ref --sort KEY...`: by the last key first, `-` reverses one, names break ties.

    Raises `ApiError` for a key that is none.
    """
    refs.sort(key=lambda ref: ref[0].name)
    for key in keys:
        refs.sort(key=_sort_key(key.removeprefix("-"), around), reverse=key.startswith("-"))


def _sort_key(key: str, around: Surroundings) -> Callable[[ListedRef], Any]:
    match key:
        case "refname":
            return lambda ref: ref[0].name
        case "version:refname" | "v:refname":
            version = cmp_to_key(partial(compare_versions, suffixes=around.version_suffixes()))
            return lambda ref: version(ref[0].name)
        case "objectname":
            return lambda ref: _oid(ref[0], around)
        case "symref":
            return lambda ref: ref[0].target or b""
        case "updateindex":
            return lambda ref: ref[0].update_index
    raise ApiError(f"{key!r} is no key to sort by: there are {', '.join(_SORT_KEYS)}")


def compare_versions(one: bytes, other: bytes, suffixes: Sequence[bytes] = ()) -> int:
    """Below, above or 0 as strverscmp() of the GNU C library has it, by which git sorts versions.

    A run of digits counts as a number; one that begins with 0 as the digits behind a decimal point. Of two
    that have others of the `suffixes` where they begin to differ, the order is that of the suffixes; without
    one, it comes behind: versionsort.suffix in git's configuration.
    """
    if one == other:
        return 0
    at = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), None)
    at = min(len(one), len(other)) if at is None else at
    of_one, of_other = (_suffix_at(text, at, suffixes) for text in (one, other))
    if of_one != of_other:
        return of_one - of_other
    common = one[:at]
    run = common[len(common.rstrip(b"0123456789")) :]
    here, there = one[at : at + 1], other[at : at + 1]
    by_bytes = -1 if here < there else 1
    if not run:
        numbers = here.isdigit() and there.isdigit() and b"0" not in (here, there)
        return _by_length(one[at:], other[at:], by_bytes) if numbers else by_bytes
    if not run.startswith(b"0"):
        return _by_length(one[at:], other[at:], by_bytes) if here.isdigit() or there.isdigit() else by_bytes
    if not run.strip(b"0") and here.isdigit() != there.isdigit():
        return -1 if here.isdigit() else 1  # 00 is below 0, and so is 01
    return by_bytes


def _suffix_at(version: bytes, at: int, suffixes: Sequence[bytes]) -> int:
    """Which of the suffixes begins first, from where it would end at `at` on, the longest of several.

    How many there are for none of them.
    """
    found = [
        (start, -len(suffix), number)
        for number, suffix in enumerate(suffixes)
        if (start := version.find(suffix, max(0, at - len(suffix)), at + len(suffix))) >= 0
    ]
    return min(found)[2] if found else len(suffixes)


def _by_length(one: bytes, other: bytes, otherwise: int) -> int:
    """By the lengths of the digits that two strings begin with."""
    lengths = [len(text) - len(text.lstrip(b"0123456789")) for text in (one, other)]
    return otherwise if lengths[0] == lengths[1] else lengths[0] - lengths[1]

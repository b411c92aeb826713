"""What stands for the names, ids and words of a stack: of the same length, and in the same order.

Names become others component by component, and object ids likewise, so that any two of them share as many
bytes as before and sort as before: then every key of a table keeps its place, its length and what it shares
with the key before. To this end, the bytes that follow the same beginning are replaced by others in the same
order, chosen at random: that is all that order lets one hide. Where all bytes follow that may, they stay.
Letters keep their case: names that differ in case only go on to do so, and no others begin to.

    punctuation     stays, since it decides what is a name and what is none
    well-known      components that git knows (refs, heads, HEAD) and the ending .lock stay likewise
    unique ends     what no other component shares has no order to keep: each word in it becomes one made of
                    few letters by a keyed hash; so does each word of persons and messages, unless it is a
                    component
    unique ends of ids, and ids in reflogs alone
                    few random bytes, and zeros

Few letters and zeros, so that a log block deflates to no more than it did. The key and the choices are
random and forgotten.
"""

from __future__ import annotations

import hashlib
import os
import random
import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Final

from engine.format import common_prefix, is_root_ref

WELL_KNOWN: Final = frozenset(
    b"refs heads tags remotes notes stash bisect worktree rewritten replace worktrees main-worktree".split()
)
"""Components of names that stay, besides those of root refs like HEAD."""

SHORTEST_WORD: Final = 5
SHORTEST_ID: Final = 8
"""Bytes by which a word, or an id, is known again where it should not be."""

PLAINEST: Final = 2
"""In how many steps words, then ids become plain, where all else would take more bytes deflated."""

_KNOWN_BEGINNINGS: Final = {word[:SHORTEST_WORD] for word in WELL_KNOWN}

_CHUNK: Final = 64
"""Bytes of a component that are replaced at once: of a longer one, each such part for itself."""

_LOCK: Final = b".lock"
_LETTERS: Final = b"bcdfghjmnpqrstvwxz"
_FEW: Final = 8
_DIGITS: Final = b"0123456789"
_LOWER: Final = b"abcdefghijklmnopqrstuvwxyz"
_ALNUM: Final = _DIGITS + _LOWER.upper() + _LOWER
_CASE: Final = 0x20  # the bit in which letters of both cases differ
_WORD: Final = re.compile(rb"[0-9A-Za-z\x80-\xff]+")
_TOKEN: Final = re.compile(rb"[^\0-\x20/]+")
_HASHED_ID: Final = 7


class Collected:
    """What has to be replaced, gathered while a stack is read a first time; all is handed back as it is.

    `marks` are beginnings of words and ids, to know them again.
    """

    def __init__(self) -> None:
        self.components: set[bytes] = set()
        self.ids: set[bytes] = set()
        self.marks: set[bytes] = set()

    def name(self, name: bytes) -> bytes:
        """The name of a ref, or what looks like one."""
        for component in name.split(b"/"):
            if component not in self.components:
                self.components.update(_chunks(component))
                if not is_root_ref(component):
                    self.text(component)
        return name

    def id(self, oid: bytes) -> bytes:
        """The id of an object that a ref leads to, or the beginning of one."""
        self.ids.add(oid)
        return self.log_id(oid)

    def log_id(self, oid: bytes, plain: int = 0) -> bytes:  # noqa: ARG002 - as that of `Replacements`
        """An id in a reflog."""
        mark = oid[:SHORTEST_ID]
        if len(set(mark)) >= SHORTEST_ID // 2:  # unlike a number
            self.marks.add(mark)
        return oid

    def text(self, text: bytes, plain: int = 0) -> bytes:  # noqa: ARG002 - as that of `Replacements`
        """A person, an email address, a message."""
        beginnings = [word[:SHORTEST_WORD] for word in _WORD.findall(text) if len(word) >= SHORTEST_WORD]
        self.marks.update(word for word in beginnings if word not in _KNOWN_BEGINNINGS)
        return text


class Replacements:
    """What stands for all that was collected."""

    def __init__(self, collected: Collected) -> None:
        key = os.urandom(32)
        # No secret: what is chosen does not depend on what it stands for.
        rng = random.Random(os.urandom(32))  # noqa: S311
        letters = bytes(rng.sample(_LETTERS, _FEW)) * (256 // _FEW)
        self._key = key
        self._word: Callable[[bytes], bytes] = lru_cache(2**16)(
            lambda word: hashlib.shake_128(key + word.lower()).digest(len(word)).translate(letters)
        )
        self._components: dict[bytes, bytes] = {}
        whole = {one.lower() for one in collected.components if one in WELL_KNOWN or is_root_ref(one)}
        made = _Ordered(
            {one.lower() for one in collected.components},
            lambda one: 0 if one in whole else len(one) - _size_of_lock(one),
            _is_fixed,
            _other_letters,
            self._words,
            rng,
        ).replaced
        self._components = {one: _with_case(one, made[one.lower()]) for one in collected.components}
        self._ids = _Ordered(
            collected.ids, _null_stays, lambda _: False, _other_bytes, lambda end: _short_end(end, rng), rng
        ).replaced

    def name(self, name: bytes) -> bytes:
        """What stands for the name of a ref."""
        known = self._components
        return b"/".join([known.get(one) or self._long(one) for one in name.split(b"/")])

    def id(self, oid: bytes) -> bytes:
        """What stands for the id of an object, or for the beginning of one; the null id for itself."""
        known = self._ids.get(oid)
        if known is None and any(oid):
            digest = hashlib.blake2b(oid, key=self._key, digest_size=_HASHED_ID).digest()
            known = (digest + bytes(len(oid)))[: len(oid)]
        return known or oid

    def log_id(self, oid: bytes, plain: int = 0) -> bytes:
        """What stands for an id in a reflog; if plain enough, one byte again and again, for several."""
        made = self.id(oid)
        is_plain = plain == PLAINEST and made[0] and oid not in self._ids  # a ref's value and its log agree
        return made[:1] * len(oid) if is_plain else made

    def text(self, text: bytes, plain: int = 0) -> bytes:
        """What stands for text that has no order; if plain, a single letter for all."""
        if plain:
            return _WORD.sub(lambda word: b"x" * len(word[0]), text)
        return _TOKEN.sub(self._token, text)

    def _token(self, token: re.Match[bytes]) -> bytes:
        return self._components.get(token[0]) or self._words(token[0])

    def _long(self, component: bytes) -> bytes:
        known = self._components
        return b"".join([known.get(one) or self._words(one) for one in _chunks(component)])

    def _words(self, text: bytes) -> bytes:
        known, word = self._components, self._word
        return _WORD.sub(lambda found: known.get(found[0]) or word(found[0]), text)


class _Ordered:
    """What stands for each of some byte strings, in the same order and with the same common beginnings.

    `stays_from` says from which position on the bytes of a string stay, `is_fixed` which bytes always do;
    `choose` gives as many others for ascending bytes, in a range; `ends` replaces what has no order.
    """

    def __init__(
        self,
        strings: Iterable[bytes],
        stays_from: Callable[[bytes], int],
        is_fixed: Callable[[int], bool],
        choose: Callable[[bytes, int, int, random.Random], Sequence[int]],
        ends: Callable[[bytes], bytes],
        rng: random.Random,
    ) -> None:
        self._strings = sorted(strings)
        self._is_fixed, self._choose, self._ends, self._rng = is_fixed, choose, ends, rng
        special = [(at, stays_from(one)) for at, one in enumerate(self._strings)]
        self._special = [(at, stays) for at, stays in special if stays < len(self._strings[at])]
        self.replaced: dict[bytes, bytes] = {}
        self._replace()

    def _replace(self) -> None:
        strings = self._strings
        waiting = [(0, len(strings), 0, b"")] if strings else []
        while waiting:
            first, end, depth, made = waiting.pop()
            one = strings[first]
            if len(one) == depth:
                self.replaced[one] = made
                first += 1
                if first == end:
                    continue
                one = strings[first]
            # What all of them share, or the whole rest of a single one, then the bytes in which they differ.
            stop = len(one) if end - first == 1 else common_prefix(one, strings[end - 1])
            stays = max(min(self._stays(first, end), stop), depth)
            if end - first == 1 or stop > depth:
                made += self._ends(one[depth:stays]) + one[stays:stop]
                waiting.append((first, end, stop, made))
                continue
            groups: list[tuple[int, int, int]] = []
            while first < end:
                byte = strings[first][depth]
                after = strings[first][:depth] + bytes((byte + 1,)) if byte < 0xFF else None
                following = bisect_left(strings, after, first, end) if after is not None else end
                groups.append((byte, first, following))
                first = following
            for image, (_, start, stop) in zip(self._images(groups, depth), groups, strict=True):
                waiting.append((start, stop, depth + 1, made + bytes((image,))))

    def _stays(self, first: int, end: int) -> int:
        """From which position on bytes stay that these strings share."""
        at = bisect_left(self._special, (first, 0))
        found = []
        while at < len(self._special) and self._special[at][0] < end:
            found.append(self._special[at][1])
            at += 1
        return min(found, default=2**32)

    def _images(self, groups: list[tuple[int, int, int]], depth: int) -> list[int]:
        """What stands for the bytes of a few groups of strings."""
        images: list[int] = []
        low = -1
        free: list[int] = []
        for byte, first, end in [*groups, (0x100, 0, 0)]:
            if byte < 0x100 and not self._is_fixed(byte) and self._stays(first, end) > depth:
                free.append(byte)
                continue
            if free:
                images += self._choose(bytes(free), low + 1, byte, self._rng)
            images.append(byte)
            low, free = byte, []
        return images[:-1]


def _chunks(component: bytes) -> list[bytes]:
    return [component[at : at + _CHUNK] for at in range(0, max(len(component), 1), _CHUNK)]


def _size_of_lock(component: bytes) -> int:
    return len(_LOCK) - 1 if component.endswith(_LOCK) else 0


def _null_stays(oid: bytes) -> int:
    return len(oid) if any(oid) else 0


def _is_fixed(byte: int) -> bool:
    return byte < 0x80 and byte not in _ALNUM


def _other_letters(letters: bytes, low: int, high: int, rng: random.Random) -> Sequence[int]:
    """Others in a range for digits, small letters and what is no ASCII, in this order.

    Letters become letters, so that they can have the case of the originals; digits become digits or capital
    letters, which sort before both cases of what letters become.
    """
    choice = [byte for byte in _LOWER if low <= byte < high]
    digits = sum(byte in _DIGITS for byte in letters)
    kept = rng.randrange(digits) if digits else 0
    if len(letters) - kept > len(choice):
        kept = digits
    if len(letters) - kept > len(choice):
        ascii_letters = sum(byte in _LOWER for byte in letters)
        rest = len(letters) - kept - ascii_letters
        others = sorted(rng.sample(choice, ascii_letters)) + _other_high(rest, low, high, rng)
    else:
        others = sorted(rng.sample(choice, len(letters) - kept))
    capital = [byte - _CASE for byte in others[: digits - kept]]
    return [*sorted(rng.sample(_DIGITS, kept)), *capital, *others[digits - kept :]]


def _other_high(count: int, low: int, high: int, rng: random.Random) -> list[int]:
    return sorted(rng.sample(range(max(low, 0x80), high), count))


def _with_case(component: bytes, made: bytes) -> bytes:
    """What stands for the small letters of a component, in the case of its own."""
    if component == component.lower():
        return made
    return bytes(
        other - _CASE if ord("A") <= byte <= ord("Z") and other in _LOWER else other
        for byte, other in zip(component, made, strict=True)
    )


def _other_bytes(some: bytes, low: int, high: int, rng: random.Random) -> Sequence[int]:
    return sorted(rng.sample(range(low, high), len(some)))


def _short_end(end: bytes, rng: random.Random) -> bytes:
    return bytes((rng.randrange(1, 0x100), *bytes(len(end) - 1))) if end else b""

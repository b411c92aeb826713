r"""The filter above a list: what the user types, and which records it lets through.

    feature/       names with these bytes in them, and symrefs to such names
    4f1c2b         as well what an object id belongs to that begins so, from four digits on
    ~ftr           names with these letters in this order, whatever is between them; small ones stand for both
    re:^v\d+       names in which this regular expression (of bytes) is found
    !feature/      the others; `!re:...` and `!~...` likewise

A ref belongs to its value and its peeled value, a reflog entry to its old and its new id. An entry passes
when its name, committer, email or message does; inverted, when none of them does.

Expressions are those of Python's `re`, which backtracks: `(a+)+$` over thirty letters takes minutes and
holds the interpreter's lock as long. So the `regex` module searches, which lets other threads run and
gives up after a time.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from operator import or_
from time import monotonic
from typing import Final, NamedTuple, Self

SECONDS: Final = 2.0
"""How long an expression may take for the texts of one call."""

TEXT_SECONDS: Final = 0.5
"""The same for one text: a search that is stopped ends no later."""

TEXT_BYTES: Final = 4096
"""What is searched of one text: its beginning."""


_DIGITS: Final = rb"(?i)[0-9a-f]{4,64}"


class FilterError(ValueError):
    """What was typed is no filter; the message is for the user."""


class TooSlowError(Exception):
    """An expression takes too much time or memory for some text of the stack."""

    def __init__(self) -> None:
        super().__init__("the expression takes too long for some of these records: given up")


def beginning(prefix: bytes) -> str:
    """The filter that lets names through which begin so, as a user may type it."""
    return "re:^" + re.escape(prefix).decode("utf-8", "backslashreplace")


class RowFilter(NamedTuple):
    """A filter that can be applied: bytes to look for, or a regular expression that compiles."""

    pattern: bytes
    is_regex: bool = False
    inverted: bool = False
    is_fuzzy: bool = False

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The filter that `text` means, None for one that lets everything through. Raises `FilterError`."""
        inverted = text.startswith("!")
        text = text[1:] if inverted else text
        is_regex, is_fuzzy = text.startswith("re:"), text.startswith("~")
        pattern = text[3 * is_regex + is_fuzzy :].encode("utf-8", "surrogateescape")
        if is_regex:
            import regex

            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    re.compile(pattern)  # regex alone knows more, such as recursion, which eats memory
                    regex.compile(pattern)
            except (re.error, regex.error, ValueError, OverflowError, RecursionError) as error:
                raise FilterError(f"no regular expression: {error}") from error
        return cls(pattern, is_regex, inverted, is_fuzzy) if pattern else None

    @property
    def is_plain(self) -> bool:
        """Whether it is a text to be found as it is."""
        return not (self.is_regex or self.is_fuzzy)

    @property
    def digits(self) -> str:
        """The digits with which an object id may begin that is looked for; empty for none."""
        return self.pattern.decode().lower() if self.is_plain and re.fullmatch(_DIGITS, self.pattern) else ""

    def admits(
        self,
        texts: Sequence[bytes],
        texts_per_row: int,
        stopped: Callable[[], bool] = lambda: False,
        ids: Sequence[bytes | None] = (),
    ) -> list[bool]:
        """Which rows pass, of `texts_per_row` texts each; the first of them once `stopped()` is true.

        `ids`, two for each row, are those among which `digits` are looked for. Raises `TooSlowError`.
        """
        if self.is_regex:
            found = self._searched(texts, stopped)
        elif self.is_fuzzy:
            matches = self._in_order().match
            found = [matches(text) is not None for text in texts]
        else:
            found = [self.pattern in text for text in texts]
        if texts_per_row > 1:
            found = list(map(any, zip(*[iter(found)] * texts_per_row, strict=False)))
        if ids:
            found = list(map(or_, found, self._begun(ids)))
        return [not hit for hit in found] if self.inverted else found

    def _in_order(self) -> re.Pattern[bytes]:
        # What is between two letters has not the second in it, and is never given back: no backtracking.
        letters = [re.escape(self.pattern[at : at + 1]) for at in range(len(self.pattern))]
        between = b"".join(b"[^%b]*+%b" % (letter, letter) for letter in letters)
        return re.compile(between, re.IGNORECASE if self.pattern == self.pattern.lower() else 0)

    def _begun(self, ids: Sequence[bytes | None]) -> Iterator[bool]:
        """Of each row, whether one of its two ids begins with `digits`."""
        digits = self.digits
        whole = bytes.fromhex(digits[: len(digits) // 2 * 2])
        odd = len(digits) % 2 == 1
        begun = (
            oid is not None and oid.startswith(whole) and (not odd or oid.hex().startswith(digits))
            for oid in ids
        )
        return map(or_, begun, begun)

    def _searched(self, texts: Sequence[bytes], stopped: Callable[[], bool]) -> list[bool]:
        """Whether each text has the expression; of fewer texts once `stopped()` is true."""
        import regex

        search = regex.compile(self.pattern).search
        found: list[bool] = []
        left, end = SECONDS, monotonic() + SECONDS
        try:
            for text in texts:
                if stopped():
                    break
                found.append(search(text[:TEXT_BYTES], timeout=min(TEXT_SECONDS, left)) is not None)
                left = end - monotonic()
                if left <= 0:
                    raise TooSlowError
        except (TimeoutError, MemoryError):
            raise TooSlowError from None
        return found

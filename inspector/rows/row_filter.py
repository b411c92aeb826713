r"""The filter above a list: what the user types, and which records it lets through.

    feature/       names with these bytes in them
    re:^v\d+       names in which this regular expression (of bytes) is found
    !feature/      the others; `!re:...` likewise

A log entry passes when its name, committer, email or message does; inverted, when none of them does.

Expressions are those of Python's `re`, which backtracks: `(a+)+$` over thirty letters takes minutes and
holds the interpreter's lock as long. So the `regex` module searches, which lets other threads run and
gives up after a time.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Final, Self

import regex

SECONDS: Final = 2.0
"""How long an expression may take for the texts of one call."""

TEXT_SECONDS: Final = 0.5
"""The same for one text: a search that is stopped ends no later."""

TEXT_BYTES: Final = 4096
"""What is searched of one text: its beginning."""


class FilterError(ValueError):
    """What was typed is no filter; the message is for the user."""


class TooSlowError(Exception):
    """An expression takes too much time or memory for some text of the stack."""

    def __init__(self) -> None:
        super().__init__("the expression takes too long for some of these records: given up")


@dataclass(frozen=True, slots=True)
class RowFilter:
    """A filter that can be applied: bytes to look for, or a regular expression that compiles."""

    pattern: bytes
    is_regex: bool = False
    inverted: bool = False

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The filter that `text` means, None for one that lets everything through. Raises `FilterError`."""
        inverted = text.startswith("!")
        text = text[1:] if inverted else text
        is_regex = text.startswith("re:")
        pattern = (text[3:] if is_regex else text).encode("utf-8", "surrogateescape")
        if is_regex:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    re.compile(pattern)  # regex alone knows more, such as recursion, which eats memory
                    regex.compile(pattern)
            except (re.error, regex.error, ValueError, OverflowError, RecursionError) as error:
                raise FilterError(f"no regular expression: {error}") from error
        return cls(pattern, is_regex, inverted) if pattern else None

    def admits(
        self, texts: Sequence[bytes], texts_per_row: int, stopped: Callable[[], bool] = lambda: False
    ) -> list[bool]:
        """Which rows pass, of `texts_per_row` texts each; the first of them once `stopped()` is true.

        Raises `TooSlowError`.
        """
        found = self._searched(texts, stopped) if self.is_regex else [self.pattern in text for text in texts]
        if texts_per_row > 1:
            found = list(map(any, zip(*[iter(found)] * texts_per_row, strict=False)))
        return [not hit for hit in found] if self.inverted else found

    def _searched(self, texts: Sequence[bytes], stopped: Callable[[], bool]) -> list[bool]:
        """Whether each text has the expression; of fewer texts once `stopped()` is true."""
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

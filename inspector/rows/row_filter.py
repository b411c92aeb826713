r"""The filter above a list: what the user types, and which records it lets through.

    feature/       names with these bytes in them
    re:^v\d+       names in which this regular expression (of bytes) is found
    !feature/      the others; `!re:...` likewise

A log entry passes when its name, committer, email or message does; inverted, when none of them does.
A filter is a value; a `Matcher` does its work, and may need a process for that (see `regex_search.py`).
"""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

from inspector.rows.regex_search import RegexSearch

__all__ = ["FilterError", "Matcher", "RowFilter"]


class FilterError(ValueError):
    """What was typed is no filter; the message is for the user."""


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
                    re.compile(pattern)
            except (re.error, OverflowError, RecursionError) as error:
                raise FilterError(f"no regular expression: {error}") from error
        return cls(pattern, is_regex, inverted) if pattern else None


class Matcher:
    """A filter at work; may be used from several threads, which take turns."""

    def __init__(self, row_filter: RowFilter) -> None:
        self.filter = row_filter
        self._regex = RegexSearch(row_filter.pattern) if row_filter.is_regex else None
        self._turn = threading.Lock()

    def admits(
        self, texts: Sequence[bytes], texts_per_row: int, stopped: Callable[[], bool]
    ) -> list[bool] | None:
        """Which rows pass, of `texts_per_row` texts each; None when `stopped()` came true meanwhile.

        Raises `TooSlowError` for a regular expression that does not come to an end.
        """
        found: list[bool] | None
        if self._regex is None:
            pattern = self.filter.pattern
            found = [pattern in text for text in texts]
        else:
            with self._turn:
                found = self._regex.found(texts, stopped)
        if found is None:
            return None
        if texts_per_row > 1:
            found = list(map(any, zip(*[iter(found)] * texts_per_row, strict=True)))
        return [not hit for hit in found] if self.filter.inverted else found

    def close(self) -> None:
        """End what it has running. It can be used again."""
        if self._regex is not None:
            with self._turn:
                self._regex.close()

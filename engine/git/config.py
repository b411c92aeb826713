r"""git's configuration as data: the syntax of a config file, and what its values mean.

    section    "[" name "]"              letters, digits, "-" and "."; case does not matter
               "[" name " " "sub" "]"    the subsection in quotes is taken as it stands, `\x` being `x`
    variable   key                       is true
               key "=" value             to the end of the line
    value      spaces at its ends are dropped, "..." keeps those in it; `\` before the end of a line
               goes on with the next; `\n` `\t` `\b` `\"` `\\` are escapes; "#" or ";" begins a comment

Files are in UTF-8, with or without a byte order mark. Variables are known by `section.key` or
`section.sub.key`, all but the subsection in lower case, and the last one wins.

This reader is for when there is no git program. It follows no includes, and where git refuses a whole file
it skips the line it does not understand: a damaged repository has to open.

How a configuration is found is in `finding.py` and `program.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from engine.errors import RepositoryError
from engine.format import U64_MAX

_BLANK: Final = re.compile(r"(?:[ \t\r\n]|[#;][^\n]*)+")
_SECTION: Final = re.compile(r'\[([A-Za-z0-9.-]*)(?:[ \t\r]+"((?:[^"\\\n]|\\[^\n])*)")?\]')
_KEY: Final = re.compile(r"([A-Za-z][A-Za-z0-9-]*)[ \t]*(?:(=)|\r?(?:\n|\Z))")
_TOKEN: Final = re.compile(
    r'(?P<text>[^ \t\r\n"\\#;]+)|(?P<space>[ \t\r]+)|\\(?P<escape>\r?\n|.?)'
    r'|(?P<quote>")|(?P<comment>[#;])|(?P<end>\n|\Z)'
)
_ESCAPES: Final = {"n": "\n", "t": "\t", "b": "\b", '"': '"', "\\": "\\", "\n": "", "\r\n": ""}

_DECIMAL: Final = "0123456789"
_UNITS: Final = {"k": 2**10, "m": 2**20, "g": 2**30}


def parse_config(data: bytes) -> dict[str, str | None]:
    """The variables of a config file; None is the value of a key without "="."""
    text = data.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    values: dict[str, str | None] = {}
    section: str | None = ""  # None behind a header that makes no sense
    position = 0
    while position < len(text):
        if blank := _BLANK.match(text, position):
            position = blank.end()
        elif header := _SECTION.match(text, position):
            section = header[1].lower() + "."
            if header[2] is not None:
                section += re.sub(r"\\(.)", r"\1", header[2]) + "."
            position = header.end()
        elif key := _KEY.match(text, position):
            value, position = _value(text, key.end()) if key[2] else (None, key.end())
            if section is not None and (value is not None or key[2] is None):
                values[section + key[1].lower()] = value
        else:
            if text[position] == "[":
                section = None
            position = _next_line(text, position)
    return values


def _next_line(text: str, position: int) -> int:
    return text.find("\n", position) + 1 or len(text)


def _value(text: str, position: int) -> tuple[str | None, int]:
    """The value that begins at `position` (None if it is malformed), and where the line after it begins."""
    pieces: list[str] = []
    kept = 0  # how many of the pieces are not the spaces at the end
    quoted = False
    while token := _TOKEN.match(text, position):
        kind, piece = token.lastgroup, token[0]
        position = token.end()
        if kind == "end" or (kind == "comment" and not quoted):
            value = None if quoted else "".join(pieces[:kept]).partition("\0")[0]  # values are C strings
            return value, position if kind == "end" else _next_line(text, position)
        if kind == "space" and not quoted:
            if pieces:
                pieces.append(piece)
            continue
        if kind == "quote":
            quoted, piece = not quoted, ""
        elif kind == "escape":
            if token["escape"] not in _ESCAPES:
                break
            piece = _ESCAPES[token["escape"]]
        if piece:
            pieces.append(piece)
        kept = len(pieces)
    return None, _next_line(text, position)


class GitConfig(NamedTuple):
    """Variables by their names (lower case), and their values as git understands them.

    A value that means nothing raises RepositoryError, which names the variable.
    """

    values: Mapping[str, str | None]

    def text(self, key: str) -> str | None:
        """The value as it stands, or None if there is none."""
        return self.values.get(key)

    def flag(self, key: str, default: bool) -> bool:
        """A truth value: true, yes, on, false, no, off, or a number; a key without "=" is true."""
        if key not in self.values:
            return default
        value = self.values[key]
        if value is None or value.lower() in ("true", "yes", "on"):
            return True
        if value.lower() in ("", "false", "no", "off"):
            return False
        number = _number(value)
        if number is None:
            raise _bad_value(key, value, "true or false")
        return number != 0

    def number(self, key: str, default: int, minimum: int, maximum: int) -> int:
        """A number in `minimum..maximum`; k, m and g behind it multiply by powers of 1024."""
        if key not in self.values:
            return default
        value = self.values[key]
        number = None if value is None else _number(value)
        if number is None or not minimum <= number <= maximum:
            raise _bad_value(key, value, f"a number from {minimum} to {maximum}")
        return number

    def expiry_date(self, key: str, parse: Callable[[str], int]) -> int:
        """The time before which things expire, in seconds since 1970: 0 for never, 2**64-1 for all.

        `parse` reads times that have no such word; it raises ValueError for forms that git alone understands.
        """
        value = self.values[key]
        if value in ("never", "false"):
            return 0
        if value in ("now", "all"):
            return U64_MAX
        try:
            return parse(value or "")
        except ValueError:
            expected = "never, now, 90.days.ago or a date, where no git says what time that is"
            raise _bad_value(key, value, expected) from None


def _bad_value(key: str, value: str | None, expected: str) -> RepositoryError:
    found = "has no value" if value is None else f"is {value[:80]!r}"
    return RepositoryError(
        f"{key} {found} in git's configuration, expected {expected}; `git config {key} VALUE` sets it"
    )


def _number(text: str) -> int | None:
    """A number as strtoimax() reads it: decimal, 0x hexadecimal, or octal with a 0 in front."""
    if len(text) > 30:
        return None
    sign = -1 if text[:1] == "-" else 1
    digits = text[1:] if text[:1] in ("+", "-") else text
    unit = _UNITS.get(digits[-1:].lower(), 1)
    digits = digits if unit == 1 else digits[:-1]
    base, allowed = 8 if digits.startswith("0") else 10, _DECIMAL
    if digits[:2].lower() == "0x":
        digits, base, allowed = digits[2:], 16, _DECIMAL + "abcdefABCDEF"
    if not digits or digits.strip(allowed):  # int() takes spaces, underscores and other prefixes as well
        return None
    try:
        return sign * int(digits, base) * unit
    except ValueError:  # an 8 or a 9 in an octal number
        return None

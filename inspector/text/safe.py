r"""Bytes from a stack as text: for a terminal, and for JSON.

Ref names, committers and messages are bytes of any origin. A terminal obeys some of
them: an escape sequence moves the cursor or retitles the window, a bidirectional override shows a name
backwards, a zero-width character makes two names look like one. `safe_text` lets through what can be
seen and shows the rest as an escape:

    \xHH        a byte: C0 control, DEL, or a byte that is not part of valid UTF-8
    \uHHHH      a code point that has no visible form of its own
    \UHHHHHHHH  likewise, above U+FFFF
    \\          a backslash, only where a single one could be read as part of one of these

The mapping is injective: two different byte strings never look the same because of it, and `\x1b` in
a message is told apart from a real ESC. (So it is not idempotent: it is applied once, where bytes
become text.) Visible text without a backslash comes out unchanged.

Whether a Cyrillic letter stands where a Latin one is expected is not looked at here.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

MAX_MARKS: Final = 8
"""Combining marks that one character may carry; no script needs as many."""

# Unicode's Default_Ignorable_Code_Point, as far as `str.isprintable` calls them printable: letters and
# marks that are drawn as nothing. The braille blank is none of them, but is as invisible.
_INVISIBLE = (
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


def safe_text(data: bytes) -> str:
    """`data` as one line of text that a terminal shows and does not obey.

    Kept: printable characters of valid UTF-8 (`str.isprintable`: no control, format, surrogate,
    private-use or unassigned character, no separator but the space) that are not invisible. A combining
    mark is kept when there is a character before it to combine with: at the start, or after an escape,
    it would be drawn into a cell that is not its own, so it is escaped. So is what comes after MAX_MARKS
    of them, which would be a tower over the lines above. Newline and tab are controls like any other.
    """
    text = data.decode("utf-8", "surrogateescape")
    if text.isascii() and text.isprintable() and "\\" not in text:
        return text
    is_invisible = re.compile(_INVISIBLE).match
    shown: list[str] = []
    base = False  # whether the last thing shown can carry a combining mark
    marks = 0  # how many it carries
    for char in text:
        combines = _combines(char)
        marks = marks + 1 if combines else 0
        fits = not combines or (base and marks <= MAX_MARKS)
        visible = fits and char.isprintable() and not is_invisible(char)
        # One backslash reads as itself unless an escape, or what looks like the rest of one, follows.
        if shown and shown[-1] == "\\" and (not visible or char in "\\xuU"):
            shown[-1] = "\\\\"
        shown.append(char if visible else _escape(char))
        base = visible
    return "".join(shown)


def safe_name(name: str) -> str:
    """Text from outside, such as a path, as one line that a terminal shows and does not obey."""
    return safe_text(name.encode("utf-8", "surrogateescape"))


def safe_message(message: str) -> str:
    r"""A message likewise: the bytes that it quotes are escapes already, and `\x1b` stays as it is."""
    return "\\".join(safe_name(part) for part in message.split("\\"))


def json_text(data: bytes) -> str:
    r"""`data` as a string for a JSON document, from which the bytes can be had back.

    Bytes that are not valid UTF-8 become lone surrogates (PEP 383), which `json.dumps` with
    `ensure_ascii` writes as `\udcXX`; `text.encode("utf-8", "surrogateescape")` returns the bytes.
    """
    return data.decode("utf-8", "surrogateescape")


def _combines(char: str) -> bool:
    return unicodedata.category(char).startswith("M") or _is_joining_jamo(char)


def _is_joining_jamo(char: str) -> bool:
    """A vowel or final consonant of decomposed Hangul: a letter, yet drawn into the cell before."""
    return "\u1161" <= char <= "\u11ff" or "\ud7b0" <= char <= "\ud7ff"


def _escape(char: str) -> str:
    point = ord(char)
    if point < 0x80:
        return f"\\x{point:02x}"
    if 0xDC80 <= point <= 0xDCFF:  # a byte that the decoder smuggled through
        return f"\\x{point - 0xDC00:02x}"
    return f"\\u{point:04x}" if point <= 0xFFFF else f"\\U{point:08x}"

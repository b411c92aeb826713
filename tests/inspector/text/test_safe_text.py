"""What of a stack's bytes reaches a terminal."""

from __future__ import annotations

import json
import re
import unicodedata

import pytest
from hypothesis import given, strategies as st

from inspector.text import json_text, safe_message, safe_text

_ESCAPE = re.compile(
    r"\\x(?P<x>[0-9a-f]{2})|\\u(?P<u>[0-9a-f]{4})|\\U(?P<U>[0-9a-f]{8})|(?P<b>\\\\)|(?P<c>.)", re.DOTALL
)

# Text in which everything that matters here is likely: controls, marks, backslashes and what may follow one.
hostile_text = st.text(
    st.one_of(
        st.characters(exclude_categories=["Cs"]),
        st.sampled_from(
            "\\xuU0123abc\x1b\x00\n\x7f\x85\u0301\u200b\u202e\u2066\ufeff\ufe0f\u1160\u1161\u2800"
        ),
    )
)
hostile_utf8 = hostile_text.map(str.encode)
hostile_bytes = st.one_of(st.binary(), hostile_utf8, st.lists(hostile_utf8, max_size=3).map(b"\xff".join))


def unescape(text: str) -> bytes:
    """The inverse of `safe_text`, written from its docstring."""
    data = bytearray()
    for match in _ESCAPE.finditer(text):
        if match["x"]:
            data.append(int(match["x"], 16))
        elif match["u"] or match["U"]:
            data += chr(int(match["u"] or match["U"], 16)).encode()
        else:
            data += b"\\" if match["b"] else match["c"].encode()
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b"", ""),
        (b"refs/heads/main", "refs/heads/main"),
        ("refs/heads/größe/日本語/🚀".encode(), "refs/heads/größe/日本語/🚀"),
        (b"\x1b]0;owned\x07", r"\x1b]0;owned\x07"),
        (b"a\tb\nc\rd\x00e\x7f", r"a\x09b\x0ac\x0dd\x00e\x7f"),
        ("\x85\x9b".encode(), r"\u0085\u009b"),
        (b"\x85\x9b", r"\x85\x9b"),
        (b"caf\xe9", r"caf\xe9"),
        (b"\xed\xa0\x80", r"\xed\xa0\x80"),
        ("nobr\u00a0eak".encode(), r"nobr\u00a0eak"),
        ("\u2028\u2029".encode(), r"\u2028\u2029"),
        ("\U000e0041".encode(), r"\U000e0041"),
        (b"back\\slash", r"back\slash"),
        (b"one \\x1b two", r"one \\x1b two"),
        (b"ends in \\", "ends in \\"),
        (b"\\\x1b", r"\\\x1b"),
    ],
)
def test_only_what_can_be_seen_is_kept(data: bytes, shown: str) -> None:
    assert safe_text(data) == shown


@pytest.mark.parametrize(
    "char",
    [
        *"\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c",
        *"\u200b\u200c\u200d\u2060\ufeff\u00ad\u034f\ufe0f\u3164\u2800\ue000\uffff",
        "\U000e0001",
        "\U0010ffff",
    ],
    ids=lambda char: f"U+{ord(char):04X}",
)
def test_invisible_and_direction_changing_characters_are_named(char: str) -> None:
    point = ord(char)
    name = f"\\u{point:04x}" if point <= 0xFFFF else f"\\U{point:08x}"
    assert safe_text(f"a{char}b".encode()) == f"a{name}b"


def test_a_tower_of_combining_marks_has_an_end() -> None:
    mark = "\u0301".encode()
    assert safe_text(b"a" + mark * 8 + b"b" + mark) == "a" + "\u0301" * 8 + "b\u0301"
    assert safe_text(b"a" + mark * 10) == "a" + "\u0301" * 8 + "\\u0301" * 2


def test_a_combining_mark_is_kept_on_its_base_and_named_without_one() -> None:
    assert safe_text("cafe\u0301".encode()) == "cafe\u0301"
    assert safe_text("\u0301e".encode()) == r"\u0301e"
    assert safe_text("\x1b\u0301e".encode()) == r"\x1b\u0301e"
    assert safe_text("\u1112\u1161\u11ab".encode()) == "\u1112\u1161\u11ab"
    assert safe_text("\u1161\u1112".encode()) == "\\u1161\u1112"


def test_a_message_keeps_the_escapes_in_which_it_quotes_bytes_and_gets_no_others() -> None:
    assert safe_message(r"'refs/heads/\x1b[2J' is no name") == r"'refs/heads/\x1b[2J' is no name"
    assert safe_message("a\x1b\\b") == r"a\x1b\b"


@given(hostile_bytes)
def test_nothing_but_printable_characters_comes_out(data: bytes) -> None:
    text = safe_text(data)
    assert text.isprintable()
    assert not any(unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} for char in text)
    assert not text or not unicodedata.category(text[0]).startswith("M")


@given(hostile_bytes)
def test_the_bytes_can_be_told_from_the_text(data: bytes) -> None:
    assert unescape(safe_text(data)) == data


@given(st.text(st.characters(categories=["L", "Nd", "P", "Sm", "Sc"], exclude_characters="\\")))
def test_visible_text_without_a_backslash_is_unchanged_and_stays_so(text: str) -> None:
    once = safe_text(text.encode())
    if "\\" not in once:  # letters may be invisible or join the character before
        assert once == text
        assert safe_text(once.encode()) == once


@given(hostile_bytes)
def test_bytes_survive_a_json_document(data: bytes) -> None:
    document = json.dumps(json_text(data))
    assert document.isascii()
    assert json.loads(document).encode("utf-8", "surrogateescape") == data

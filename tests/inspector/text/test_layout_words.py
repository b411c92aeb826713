"""The words for the bytes of a table: every field has some, and they say what is stored."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.format import HashId, LogRecord, RefRecord
from engine.layout import BlockSpan, Group, Span, SpanKind
from engine.table import WriteOptions
from inspector.text import copied_value, explanation, title
from inspector.text.layout_words import span_value_text
from tests.support.spans import everything
from tests.support.tables import oid, write_table
from tests.support.varied import layout_at, write_varied

HOSTILE = b"refs/heads/\x1b[2Jx"


@pytest.fixture(params=["version 1", "version 2"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param == "version 1":
        return write_varied(tmp_path / "t.ref")
    path = tmp_path / "t.ref"
    refs = [RefRecord(HOSTILE, 1, oid(1, 32))]
    write_table(path, refs, [LogRecord(HOSTILE, 1)], WriteOptions(hash_id=HashId.SHA256))
    return path


def field(path: Path, name: str, number: int = 0) -> Span:
    found = [span for span in everything(layout_at(path)) if span.name == name]
    return found[number]


def test_every_part_of_a_table_is_explained(path: Path) -> None:
    block: BlockSpan | None = None
    for span in everything(layout_at(path)):
        block = span if isinstance(span, BlockSpan) else block
        assert explanation(span, block), span
        if not isinstance(span, Group) and span.kind is not SpanKind.PADDING:
            assert title(span) == f"{span.name}  {span_value_text(span)}"
            assert copied_value(span)


def test_no_words_carry_what_a_terminal_obeys(path: Path) -> None:
    for span in everything(layout_at(path)):
        for words in (title(span, 1), span_value_text(span), explanation(span), copied_value(span)):
            assert words.isprintable(), words


def test_an_update_index_is_shown_as_what_it_stands_for(tmp_path: Path) -> None:
    path = write_varied(tmp_path / "t.ref")
    span = next(
        span for span in everything(layout_at(path)) if (span.name, span.value) == ("update index", 1)
    )
    assert title(span) == "update index  4 (delta 1)"
    assert explanation(span) == "Stored as what it is above the table's lowest: delta 1 → 3 + 1 = 4."


def test_a_prefix_says_what_is_shared(tmp_path: Path) -> None:
    path = write_varied(tmp_path / "t.ref")
    assert explanation(field(path, "prefix length")).startswith("Nothing is shared")
    assert explanation(field(path, "prefix length", 3)) == (
        "The key begins with the first 24 bytes of the key before."
    )


def test_records_are_titled_by_key_and_kind(tmp_path: Path) -> None:
    path = write_varied(tmp_path / "t.ref")
    titles = [title(span, 5) for span in everything(layout_at(path)) if span.kind is SpanKind.RECORD]
    assert titles[:2] == ["record 5  HEAD (symref)", "record 5  refs/heads/branch-0000000 (val1)"]
    assert "record 5  refs/heads/gone (deletion)" in titles
    assert "record 5  refs/tags/v1 (val2)" in titles
    assert "record 5  refs/heads/branch-0000000 @5 (update)" in titles
    assert "record 5  refs/heads/gone @4 (deletion)" in titles
    assert any(
        words.startswith("record 5  refs/heads/branch-0000") and "→ block " in words for words in titles
    )
    assert any(words.endswith(" in 1 block") for words in titles)


def test_damage_is_a_word_in_the_title(tmp_path: Path) -> None:
    path = write_varied(tmp_path / "t.ref")
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    words = title(field(path, "CRC-32"))
    assert words.startswith(f"CRC-32  {int.from_bytes(data[-4:], 'big'):08x}  damaged: footer CRC is ")


def test_times_beyond_any_calendar_are_no_reason_to_fail() -> None:
    span = Span(0, 9, "time", SpanKind.NUMBER, 2**64 - 1)
    assert span_value_text(span) == "18446744073709551615 (18,446,744,073,709,551,615 seconds after 1970)"
    assert (
        span_value_text(Span(0, 9, "time", SpanKind.NUMBER, 1_700_000_000))
        == "1700000000 (2023-11-14 22:13:20 UTC)"
    )

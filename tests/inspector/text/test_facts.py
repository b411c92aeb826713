"""Facts of a stack as short texts."""

from __future__ import annotations

import pytest

from engine.format import LogRecord, RefRecord
from inspector.text import (
    age_text,
    bar,
    error_text,
    file_size,
    log_time,
    log_zone,
    short_id,
    short_table_name,
    shown,
    update_range,
    value_text,
)
from inspector.text.facts import SHOWN_BYTES
from tests.support.tables import oid


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0"),
        (1023, "1023"),
        (1024, "1.0K"),
        (1536, "1.5K"),
        (1024 * 1023 + 972, "1023.9K"),
        (1024 * 1023 + 973, "1.0M"),
        (2**30, "1.0G"),
        (2**63, "8.0E"),
    ],
)
def test_a_size_has_its_unit(size: int, text: str) -> None:
    assert file_size(size) == text


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("0x000000000001-0x000000000002-5b2ac9f3.ref", "…5b2ac9f3"),
        ("000000000001-000000000002-5b2ac9f3.log", "…5b2ac9f3"),
        ("0x000000000001-0x000000000002.ref", "0x000000000001-0x000000000002.ref"),
        ("[b]\x1b\udcff.ref", r"[b]\x1b\xff.ref"),
    ],
)
def test_a_table_is_called_by_what_is_its_own(name: str, short: str) -> None:
    assert short_table_name(name) == short


def test_a_range_of_one_is_a_number() -> None:
    assert (update_range(7, 7), update_range(7, 9)) == ("7", "7-9")


def test_values_of_refs() -> None:
    first, second = oid(1), oid(2)
    assert value_text(RefRecord(b"x", 1, first)) == first.hex()[:10]
    assert value_text(RefRecord(b"x", 1, first), 64) == first.hex()
    assert value_text(RefRecord(b"x", 1, first), 3) == first.hex()[:7]
    assert value_text(RefRecord(b"x", 1, first, second), 20) == f"{first.hex()[:9]} ^{second.hex()[:9]}"
    assert value_text(RefRecord(b"x", 1, target=b"refs/\x07")) == r"-> refs/\x07"
    assert value_text(RefRecord(b"x", 1)) == "(deleted)"


def test_an_absent_id_is_shown_as_git_shows_it() -> None:
    assert (short_id(oid(1)), short_id(None)) == (oid(1).hex()[:7], "0000000")


@pytest.mark.parametrize(
    ("time", "zone", "text"),
    [
        (1_700_000_000, 0, "2023-11-14 22:13 +0000"),
        (1_700_000_000, 530, "2023-11-15 03:43 +0530"),
        (1_700_000_000, -230, "2023-11-14 19:43 -0230"),
        (0, -800, "1969-12-31 16:00 -0800"),
        (0, -480, "1969-12-31 16:00 -0800"),
        (0, 765, "1970-01-01 12:45 +1245"),
        (0, 1400, "1970-01-01 14:00 +1400"),
        (2**64 - 1, 0, "18446744073709551615 +0000"),
        (10**12, 32767, "1000000000000 +32767"),
    ],
)
def test_a_time_is_shown_in_its_own_zone(time: int, zone: int, text: str) -> None:
    record = LogRecord(b"HEAD", 1, oid(1), oid(2), time=time, tz=zone)
    assert f"{log_time(record)} {log_zone(zone)}" == text


def test_long_texts_are_cut_before_they_are_made_safe() -> None:
    assert shown(b"x" * SHOWN_BYTES) == "x" * SHOWN_BYTES
    assert shown(b"x" * 10**7) == "x" * SHOWN_BYTES + "…"


def test_an_error_is_one_safe_line() -> None:
    assert error_text(ValueError("a\nb\x1b[0m\udcff")) == r"a\x0ab\x1b[0m\xff"


@pytest.mark.parametrize(
    ("size", "largest", "width", "text"),
    [
        (0, 0, 4, ""),
        (0, 9, 4, ""),
        (1, 1000, 4, "▏"),
        (500, 1000, 4, "██"),
        (600, 1000, 4, "██▍"),
        (9, 9, 4, "████"),
    ],
)
def test_bars_are_drawn_to_scale(size: int, largest: int, width: int, text: str) -> None:
    assert bar(size, largest, width) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5.0, "0s"),
        (0.9, "0s"),
        (119.9, "119s"),
        (120.0, "2m"),
        (7199.0, "119m"),
        (7200.0, "2h"),
        (172799.0, "47h"),
        (172800.0, "2d"),
        (4e9, "46296d"),
    ],
)
def test_ages_are_told_in_the_largest_unit_that_says_enough(seconds: float, text: str) -> None:
    assert age_text(seconds) == text

"""The forms in which `expire --before` takes a time."""

from __future__ import annotations

import time

import pytest

from inspector.text import parse_time

NOW = 1_700_000_000


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("1699999999", 1699999999),
        ("now", NOW),
        ("90.days.ago", NOW - 90 * 86400),
        ("2 weeks ago", NOW - 14 * 86400),
        ("1.hour.ago", NOW - 3600),
        (" 5 minutes ago ", NOW - 300),
        ("1.second.ago", NOW - 1),
        ("9000000.weeks.ago", 0),
        ("2023-11-14T22:13:20Z", NOW),
        ("2023-11-14T23:13:20+01:00", NOW),
        ("1960-01-01T00:00:00Z", 0),
    ],
)
def test_what_is_understood(text: str, seconds: int) -> None:
    assert parse_time(text, NOW) == seconds


def test_a_date_without_a_zone_is_local(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "XYZ-2")
    time.tzset()
    try:
        assert parse_time("2023-11-14", NOW) == 1_699_912_800
        assert parse_time("2023-11-14T22:13:20", NOW) == NOW - 7200
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "last friday", "90 days", "-1", "+1", "1.5", "1e9", "\u0663", "3.fortnights.ago"],
)
def test_what_is_not_understood_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no time: write seconds since 1970"):
        parse_time(text, NOW)

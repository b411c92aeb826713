"""Points in time: as they are shown, and as a user writes them for `expire --before`.

A user has few forms, each of them exact:

    1700000000              seconds since 1970 (any run of digits)
    2023-11-14              the start of a day; 2023-11-14T22:13, ...T22:13:20, ...+01:00, ...Z
    90.days.ago             N seconds, minutes, hours, days or weeks ago; `2 weeks ago` is the same
    now

Without a zone a date is local time, as git has it. git's own parser guesses (`tea`, `last friday`,
and any text it does not understand is *now*); what decides which reflogs are dropped must not.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Protocol

from engine.format import decimal_zone

_RELATIVE = r"([0-9]{1,9})[. ](second|minute|hour|day|week)s?[. ]ago"
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800}


def parse_time(text: str, now: int) -> int:
    """Seconds since 1970 that `text` means when the clock reads `now`.

    Never negative: a time before 1970 is the beginning of time, since reflogs have none before it.
    Raises `ValueError` with the accepted forms when `text` is none of them.
    """
    text = text.strip()
    if re.fullmatch(r"[0-9]{1,19}", text):
        return int(text)
    if text == "now":
        return now
    if match := re.fullmatch(_RELATIVE, text):
        return max(0, now - int(match[1]) * _SECONDS[match[2]])
    try:
        return max(0, int(datetime.fromisoformat(text).timestamp()))
    except (ValueError, OverflowError, OSError):
        raise ValueError(
            f"{text!r} is no time: write seconds since 1970, a date such as 2023-11-14 "
            "or 2023-11-14T22:13:20+01:00, or 90.days.ago"
        ) from None


def age_text(seconds: float) -> str:
    """How long ago, in the largest unit of which there are two or more: `45s`, `90s`, `3m`, `47h`, `12d`."""
    whole = max(0, int(seconds))
    for unit, name in ((86400, "d"), (3600, "h"), (60, "m")):
        if whole >= 2 * unit:
            return f"{whole // unit}{name}"
    return f"{whole}s"


def utc_time(seconds: int) -> str:
    """A time as a date of UTC; the number itself where no calendar has it."""
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (OverflowError, ValueError, OSError):
        return f"{seconds:,} seconds after 1970"


def log_zone(tz: int) -> str:
    """A stored zone as git shows it, `+0530`; one that JGit has stored in minutes as the same."""
    return f"{decimal_zone(tz):+05d}"


def log_zone_note(tz: int) -> str:
    """What there is to say of a stored zone, behind it."""
    return "" if decimal_zone(tz) == tz else f" (stored as {tz}: minutes, as JGit has them)"


class Dated(Protocol):
    """A reflog entry, or a commit: seconds since 1970, and a zone as it is stored."""

    @property
    def time(self) -> int: ...  # noqa: D102
    @property
    def tz(self) -> int: ...  # noqa: D102


def log_time(record: Dated) -> str:
    """When an entry or a commit was made, to the minute, in its own zone: `2023-11-14 22:13`.

    A time that no calendar has is shown as the number it is.
    """
    hours, minutes = divmod(abs(decimal_zone(record.tz)), 100)
    offset = (hours * 60 + minutes) * (60 if record.tz >= 0 else -60)
    try:
        return datetime.fromtimestamp(record.time + offset, UTC).isoformat(" ")[:16]
    except (OverflowError, ValueError, OSError):
        return str(record.time)

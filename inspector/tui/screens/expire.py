"""The form for expiring reflog entries: by time, by update index, or both."""

from __future__ import annotations

from textual.widgets import Input

from engine.format import U64_MAX
from inspector.actions import ExpireAction, Workplace
from inspector.model import Journal
from inspector.text import parse_time, utc_time
from inspector.tui.screens.form import FormScreen, field


class ExpireScreen(FormScreen):
    """What is old; times are relative to the journal's clock."""

    HELP = """
    Expiry drops old reflog entries. Tables are never changed, so it merges all tables into one and leaves the
    old entries out; refs stay what they are. Until then git needs the old objects that the entries name.

    A time is a date (2026-01-31, 2026-01-31T09:30, with +01:00 or Z at the end for another zone than the
    local one), seconds since 1970, now, or 90.days.ago (seconds, minutes, hours, days, weeks). An entry goes
    if it is older than the time, or was written by an update below the update index. Without both, git's
    configuration says what is old: gc.<pattern>.reflogExpire and gc.reflogExpire, or else 90 days.

    Refs are names, or patterns such as refs/heads/*, with spaces between them. refs/stash stays unless it is
    named, or a pattern of the configuration matches it. A reflog that loses its last entry stays, empty.

    The plan says exactly how many entries of which reflogs go, before anything is changed.
    """

    def __init__(self, workplace: Workplace, journal: Journal) -> None:
        self._time = Input(placeholder="e.g. 90.days.ago or 2026-01-31", compact=True, id="time")
        self._index = Input(placeholder="none", compact=True, id="index")
        self._refs = Input(placeholder="all, e.g. refs/heads/*", compact=True, id="refs")
        self._spared = Input(placeholder="none", compact=True, id="spared")
        super().__init__(
            "Expire reflog entries",
            workplace,
            journal,
            field("older than", self._time),
            field("below index", self._index),
            field("only refs", self._refs),
            field("except refs", self._spared),
        )

    def _limits(self) -> tuple[int | None, int | None]:
        """Time and update index; None for none. Raises ValueError."""
        text = self._time.value.strip()
        before = parse_time(text, int(self._journal.clock())) if text else None
        index = self._index.value.strip()
        if index and not (index.isascii() and index.isdigit() and int(index) <= U64_MAX):
            raise ValueError(f"{index!r} is no update index: write a whole number")
        return before, int(index) if index else None

    def check(self) -> str:
        """The time in UTC, whatever notation it was written in."""
        before, index = self._limits()
        parts = [f"older than {utc_time(before)}"] if before is not None else []
        if index is not None:
            parts.append(f"written by an update below {index:,}")
        what = f"what is {' or '.join(parts)}" if parts else "what is old by gc.reflogExpire, or else 90 days"
        return f"Goes: {what}."

    def action(self) -> ExpireAction:
        """Expire by these limits; a relative time is relative to now."""
        refs, spared = (tuple(patterns.value.split()) for patterns in (self._refs, self._spared))
        return ExpireAction(self._workplace, *self._limits(), refs, spared)

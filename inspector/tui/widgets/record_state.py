"""What is said above a list of records: how many of how many, in which order, and what is going on."""

from __future__ import annotations

from typing import Any

from inspector.model import Arrangement, RecordKind, WholeStack
from inspector.rows import RowPages
from inspector.tui.widgets.record_columns import MARKS

__all__ = ["state_text"]


def state_text(
    kind: RecordKind[Any], now: Arrangement[Any] | None, drawn: Arrangement[Any] | None, *, seeking: bool
) -> str:
    """The state of an arrangement, `drawn` or on its way to it; empty when all is as it was at first.

    `seeking` means that the cursor is to go where rows are not counted yet.
    """
    if now is None:
        return ""
    shape = now.shape
    parts: list[str] = []
    if shape.row_filter is not None:
        parts.append(f"{_count(now.base)} of {_count(now.natural)}")
    elif shape.shows_deletions or not isinstance(shape.scope, WholeStack):
        parts.append(f"{_count(now.natural)} {kind.noun}")
    if shape.order or shape.backwards:
        parts.append(f"sort: {kind.orders[shape.order].name} {MARKS[shape.backwards]}")
    if shape.shows_deletions:
        parts.append("tombstones")
    activity = _activity(now)
    if activity:
        parts.append(activity)
    elif seeking or (now is not drawn and parts):  # the line must not come and go for a change alone
        parts.append("counting up to here")
    return " · ".join(parts)


def _count(rows: RowPages[Any, Any]) -> str:
    return f"{rows.count:,}{'' if rows.complete else '+'}"


def _activity(now: Arrangement[Any]) -> str:
    source = now.source
    if source is now.natural or source.complete or source.error is not None:
        return ""
    progress = source.progress
    total = progress.total or (now.natural.count if now.natural.complete else 0)
    share = f"{100 * progress.done // total}%" if total else f"{progress.done:,}"
    return f"stopped at {share}" if source.stopped else f"{progress.phase} {share} (esc stops)"

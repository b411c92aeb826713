"""Plans of compactions and of cleaning in words: the lines that the verbs print and the screens show."""

from __future__ import annotations

from collections.abc import Iterator

from engine.merge import CompactionPlan
from engine.stack import CleanPlan
from inspector.text import columns, safe_name

__all__ = ["clean_lines", "compaction_lines", "counted"]


def counted(number: int, noun: str, plural: str = "") -> str:
    """`1 table`, `1,234 tables`; `plural` where it takes more than an s."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def compaction_lines(plan: CompactionPlan) -> Iterator[str]:
    """The stack before and after, and what drops out: merged tables are marked `-`, the new one `+`."""
    merged = range(plan.first, plan.end)
    written = range(plan.first, plan.first + (plan.bytes > 0))
    stacks = (("before", plan.before, merged, "-"), ("after", plan.after, written, "+"))
    for title, tables, marked, mark in stacks:
        yield f"{title}: {counted(len(tables), 'table')}, {sum(table.size for table in tables):,} bytes"
        rows = [
            (
                mark if position in marked else "",
                str(position),
                safe_name(table.name) if table.name is not None else "(new)",
                f"{table.size:,}",
                f"{table.min_update_index}-{table.max_update_index}",
            )
            for position, table in enumerate(tables)
        ]
        yield from columns(("", "#", "name", "bytes", "update indexes"), rows, "<><><")
        yield ""
    gone = plan.dropped
    yield f"dropped: {gone.shadowed:,} shadowed, {gone.tombstones:,} tombstones, {gone.expired:,} expired"


def clean_lines(plan: CleanPlan) -> list[str]:
    """The files that go and those that stay although they are no part of the stack, and why."""
    rows = [
        (what, safe_name(file.name), f"{file.size:,}", safe_name(file.reason))
        for what, files in (("removed", plan.removed), ("kept", plan.kept))
        for file in files
    ]
    return columns(("", "name", "bytes", "reason"), rows, "<<><") if rows else []

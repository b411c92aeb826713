"""The words below the pictures of a stack over time: what happened at the cursor."""

from __future__ import annotations

from textual.content import Content

from inspector.model import Course, Moment
from inspector.text import counted
from inspector.tui.widgets.compaction_words import tables_text


def moment_line(course: Course, moments: int, *, of_past: bool) -> Content:
    """What the last of so many moments has done, to the stack as it was or under a load."""
    moment = course.moments[moments - 1]
    added, made, now = moment.added, moment.made, counted(moment.tables, "table")
    if not of_past:
        return Content.assemble(
            (f"transaction {moments:,}", "bold"),
            f": +{added.size if added is not None else 0:,} bytes; ",
            (_merge_text(moment), "bold" if moment.merged else ""),
            f": {now}, {moment.written / course.added_by(moments):.1f}× written",
        )
    if added is not None:
        return Content.assemble(
            (_transactions(added.first, added.last), "bold"), f": a table of {added.size:,} bytes; {now}"
        )
    which = tables_text(range(moment.start, moment.start + len(moment.merged)))
    if made is None:
        return Content.assemble((which, "bold"), f" left out; {now}")
    if (last := moment.merged[-1].last) < made.last:
        which = f"{which}, with {_transactions(last + 1, made.last)}"
    return Content.assemble((which, "bold"), f", became one of {made.size:,} bytes; {now}")


def _transactions(first: int, last: int) -> str:
    return f"transaction {first:,}" if first == last else f"transactions {first:,} to {last:,}"


def _merge_text(moment: Moment) -> str:
    if not moment.merged:
        return "nothing merged"
    return f"{tables_text(range(moment.start, moment.start + len(moment.merged)))} merged"

"""What changed between two views of a stack, in one line.

`summarise` is for a worker: it compares until it knows enough for the line, and no further than a limit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from engine.errors import ReftableError
from engine.format import RefRecord
from engine.merge import ChangeKind, MergedTable, RefChange, log_changes, ref_changes
from inspector.rows import KINDS
from inspector.text import counted, error_text, short_id, shown, value_text

_STOPPED: Final = "the stack has changed"


class DifferenceSummary(NamedTuple):
    """What became of refs, such as `3 created, 1 updated`, and of tables if none changed.

    `only_drops_logs` if reflog entries went, and nothing else is another.
    """

    refs: str
    tables: str = ""
    only_drops_logs: bool = False

    @property
    def line(self) -> str:
        """All of it: `no ref changed: 5 tables became 1`."""
        return f"{self.refs}: {self.tables}" if self.tables else self.refs


def summarise(
    old: MergedTable, new: MergedTable, limit: int = 1000, cancelled: Callable[[], bool] = lambda: False
) -> DifferenceSummary:
    """What changed from `old` to `new`, of refs up to about `limit`; never raises for what it reads.

    Reads the tables that are not shared once, and their reflog entries as well when no ref changed; stops
    where `cancelled` says so. Few changes of a large stack take milliseconds, a compaction of a
    million refs seconds.
    """
    counts: dict[ChangeKind, int] = dict.fromkeys(KINDS, 0)
    total, only = 0, None
    try:
        for changes in ref_changes(old, new):
            for change in changes:
                counts[change.kind] += 1
                only = only or change
            total += len(changes)
            if cancelled():
                return DifferenceSummary(_STOPPED)
            if total > limit:
                return DifferenceSummary(f"{total:,}+ refs changed")
        if total == 1 and only is not None:
            return DifferenceSummary(_in_words(only))
        if total:
            line = ", ".join(f"{counts[kind]:,} {kind}" for kind in KINDS if counts[kind])
            return DifferenceSummary(line)
        return _without_refs(old, new, cancelled)
    except (ReftableError, OSError) as error:
        return DifferenceSummary(f"what changed cannot be read: {error_text(error)}")


def _without_refs(old: MergedTable, new: MergedTable, cancelled: Callable[[], bool]) -> DifferenceSummary:
    added = dropped = 0
    for logs in log_changes(old, new):
        added += logs.added
        dropped += logs.dropped
        if cancelled():
            return DifferenceSummary(_STOPPED)
    line = "no ref changed"
    for count, what in ((added, "added"), (dropped, "dropped")):
        line += f", {counted(count, 'reflog entry', 'reflog entries')} {what}" if count else ""
    before, after = len(old.tables), len(new.tables)
    tables = ""
    if before != after and (before > after or not (added or dropped)):  # else it goes without saying
        tables = f"{counted(before, 'table')} became {after:,}"
    return DifferenceSummary(line, tables, only_drops_logs=dropped > 0 and not added)


def _in_words(change: RefChange) -> str:
    name = shown(change.name)
    before, after = change.before, change.after
    if before is None or after is None:
        if after is not None:
            return f"{name} created: {_value(after)}"
        return f"{name} deleted" if before is None else f"{name} deleted, was {_value(before)}"
    if before.target is None and after.target is None:
        return f"{name} {_value(before)} -> {_value(after)}"
    return f"{name} now {_value(after)}, was {_value(before)}"


def _value(record: RefRecord) -> str:
    return value_text(record) if record.target is not None else short_id(record.value)

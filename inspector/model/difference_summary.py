"""What changed between two views of a stack, in one line.

`summarise` is for a worker: it compares until it knows enough for the line, and no further than a limit.
`inspector/screens/changes.py` shows the changes themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from engine.errors import ReftableError
from engine.format import RefRecord
from engine.merge import ChangeKind, MergedTable, RefChange, log_changes, ref_changes
from inspector.rows import KINDS
from inspector.text import counted, error_text, short_id, shown, value_text


@dataclass(frozen=True, slots=True)
class DifferenceSummary:
    """How many refs changed from one view to another, and how many log entries if no ref did.

    `counts` are exact unless `more` is set: then comparing ended early, at the limit or because it was
    `stopped`. `only` is the change if there is just one. `tables` are the numbers of tables before and
    after. `error` is what kept the views from being compared to the end.
    """

    counts: dict[ChangeKind, int]
    more: bool
    stopped: bool
    only: RefChange | None
    logs_added: int
    logs_dropped: int
    tables: tuple[int, int]
    error: ReftableError | OSError | None

    @property
    def refs(self) -> int:
        """How many refs changed, as far as that was counted."""
        return sum(self.counts.values())

    def __str__(self) -> str:
        """The line: `3 created, 1 updated, 2 deleted`, `no ref changed: 5 tables became 1`."""
        if self.error is not None:
            return f"what changed cannot be read: {error_text(self.error)}"
        if self.stopped:
            return "the stack has changed"
        if self.more:
            return f"{self.refs:,}+ refs changed"
        if self.only is not None:
            return _in_words(self.only)
        if self.refs:
            return ", ".join(f"{self.counts[kind]:,} {kind}" for kind in KINDS if self.counts[kind])
        return f"no ref changed{self._logs()}{self._tables()}"

    def _logs(self) -> str:
        parts = []
        for count, what in ((self.logs_added, "added"), (self.logs_dropped, "dropped")):
            if count:
                parts.append(f", {counted(count, 'log entry', 'log entries')} {what}")
        return "".join(parts)

    def _tables(self) -> str:
        before, after = self.tables
        if before == after or (before < after and (self.logs_added or self.logs_dropped)):
            return ""  # that something was added goes without saying
        return f": {counted(before, 'table')} became {after:,}"


def summarise(
    old: MergedTable, new: MergedTable, limit: int = 1000, cancelled: Callable[[], bool] = lambda: False
) -> DifferenceSummary:
    """What changed from `old` to `new`, of refs up to about `limit`; never raises for what it reads.

    Reads the tables that are not shared once, and their log entries as well when no ref changed; stops
    where `cancelled` says so. Few changes of a large stack take milliseconds, a compaction of a
    million refs seconds.
    """
    counts: dict[ChangeKind, int] = dict.fromkeys(KINDS, 0)
    total, first = 0, None
    added = dropped = 0
    more = stopped = False
    error: ReftableError | OSError | None = None
    try:
        for changes in ref_changes(old, new):
            for change in changes:
                counts[change.kind] += 1
            total += len(changes)
            first = first or next(iter(changes), None)
            stopped = cancelled()
            more = stopped or total > limit
            if more:
                break
        if not total and not more:
            for logs in log_changes(old, new):
                added += logs.added
                dropped += logs.dropped
                stopped = more = cancelled()
                if stopped:
                    break
    except (ReftableError, OSError) as raised:
        error = raised
    only = first if total == 1 and not more else None
    tables = len(old.tables), len(new.tables)
    return DifferenceSummary(counts, more, stopped, only, added, dropped, tables, error)


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

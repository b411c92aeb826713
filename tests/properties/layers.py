"""The plainest possible stack: every table is two dicts, and a compaction is a loop over them.

Slow, and easy to believe: the histories hold the engine to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from engine.format import LogRecord, RefRecord, log_key
from engine.merge import Dropped, Expiry

LogKey = tuple[bytes, int]


@dataclass(slots=True)
class Layer:
    """One table: its limits, its refs by name, its log entries by name and update index."""

    low: int
    high: int
    refs: dict[bytes, RefRecord] = field(default_factory=dict)
    logs: dict[LogKey, LogRecord] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether there would be no such table."""
        return not self.refs and not self.logs

    @property
    def limits(self) -> tuple[int, int]:
        """The lowest and the highest update index."""
        return self.low, self.high


def in_ref_order(records: dict[bytes, RefRecord]) -> list[RefRecord]:
    """Return refs as a table has them."""
    return sorted(records.values(), key=lambda ref: ref.name)


def in_log_order(records: dict[LogKey, LogRecord]) -> list[LogRecord]:
    """Return log entries as a table has them: by name, the newest first."""
    return sorted(records.values(), key=lambda log: log_key(log.name, log.update_index))


def merged(layers: Sequence[Layer]) -> Layer:
    """Put layers on top of each other, oldest first; tombstones stay."""
    result = Layer(min(layer.low for layer in layers), max(layer.high for layer in layers))
    for layer in layers:
        result.refs.update(layer.refs)
        result.logs.update(layer.logs)
    return result


def live_refs(layers: Sequence[Layer]) -> list[RefRecord]:
    """Return the refs that nothing hides."""
    refs = merged(layers).refs if layers else {}
    return [ref for ref in in_ref_order(refs) if not ref.is_deletion]


def live_logs(layers: Sequence[Layer]) -> list[LogRecord]:
    """Return the log entries that nothing hides."""
    logs = merged(layers).logs if layers else {}
    return [log for log in in_log_order(logs) if not log.is_deletion]


def compacted(layers: Sequence[Layer], expiry: Expiry | None, *, at_bottom: bool) -> tuple[Layer, Dropped]:
    """Compact layers to one; what hides something stays unless nothing is below."""
    result = merged(layers)
    count = sum(len(layer.refs) + len(layer.logs) for layer in layers)
    shadowed = count - len(result.refs) - len(result.logs)
    tombstones = 0
    if at_bottom:
        refs = {name: ref for name, ref in result.refs.items() if not ref.is_deletion}
        logs = {key: log for key, log in result.logs.items() if not log.is_deletion}
        tombstones = len(result.refs) - len(refs) + len(result.logs) - len(logs)
        result.refs, result.logs = refs, logs
    expired = [log for log in in_log_order(result.logs) if _expired(log, expiry)]
    for log in expired:
        del result.logs[log.name, log.update_index]
    staying = {log.name for log in result.logs.values() if not log.is_deletion}
    for log in expired:
        if log.name not in staying:  # the newest: a marker keeps the reflog
            staying.add(log.name)
            null = bytes(len(log.old or log.new or b""))
            result.logs[log.name, log.update_index] = LogRecord(
                log.name, log.update_index, null, null, message=b"\n"
            )
    return result, Dropped(shadowed, tombstones, len(expired))


def _expired(log: LogRecord, expiry: Expiry | None) -> bool:
    if expiry is None or log.is_deletion or log.is_marker:
        return False
    return log.update_index < expiry.min_update_index or log.time < expiry.time

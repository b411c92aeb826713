"""What compactions have done: counted for whoever changes a stack, not for readers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class CompactionStats:
    """What compactions of one handle have done so far.

    `bytes` and `entries_written` count what went into merges (tables without footers) and came
    out of them, `attempts` every compaction begun, `failures` those that met a lock or, after
    an addition, any other obstacle.
    """

    bytes: int = 0
    entries_written: int = 0
    attempts: int = 0
    failures: int = 0

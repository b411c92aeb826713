"""A stack as it was before a change, and going back to it.

Owns the directory `reftable-snapshots` beside a stack. May import `stack`.

    manifest      what a snapshot is on the disk
    snapshot      taking one, removing old ones
    undo          going back to one
"""

from engine.snapshot.manifest import Snapshot, find_snapshot, list_snapshots
from engine.snapshot.snapshot import keep, prune, set_aside, settle, snapshot_before, take_snapshot
from engine.snapshot.undo import is_last_change, left_by_undo, restore

__all__ = [
    "Snapshot",
    "find_snapshot",
    "is_last_change",
    "keep",
    "left_by_undo",
    "list_snapshots",
    "prune",
    "restore",
    "set_aside",
    "settle",
    "snapshot_before",
    "take_snapshot",
]

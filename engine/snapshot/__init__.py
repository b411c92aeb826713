"""A stack as it was before a change, and going back to it.

Owns the directory `reftable-snapshots` beside a stack. May import `stack`.

    manifest      what a snapshot is on the disk
    files         its files: putting them there, telling whether they are what they were
    snapshot      taking one, removing old ones
    undo          going back to one
"""

from typing import TYPE_CHECKING

from engine.lazy import lazily

if TYPE_CHECKING:
    from engine.snapshot.manifest import (
        Snapshot as Snapshot,
        find_snapshot as find_snapshot,
        first_names as first_names,
        is_snapshot_id as is_snapshot_id,
        list_snapshots as list_snapshots,
        names_known as names_known,
        unusable_snapshots as unusable_snapshots,
    )
    from engine.snapshot.snapshot import (
        SNAPSHOTS_KEPT as SNAPSHOTS_KEPT,
        ChangeRecord as ChangeRecord,
        drop as drop,
        keep as keep,
        older as older,
        prune as prune,
        set_aside as set_aside,
        settle as settle,
        take_snapshot as take_snapshot,
    )
    from engine.snapshot.undo import (
        changes_since as changes_since,
        is_as_before as is_as_before,
        left_by_repair as left_by_repair,
        left_by_undo as left_by_undo,
        restore as restore,
    )
else:
    __getattr__, __dir__, __all__ = lazily(
        __name__,
        {
            "manifest": (
                "Snapshot find_snapshot first_names is_snapshot_id list_snapshots names_known "
                "unusable_snapshots"
            ),
            "snapshot": "SNAPSHOTS_KEPT ChangeRecord drop keep older prune set_aside settle take_snapshot",
            "undo": "changes_since is_as_before left_by_repair left_by_undo restore",
        },
    )

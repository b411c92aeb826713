"""The verbs of the command line.

`opening` finds the stack behind a path and has the options that every verb takes. `shape` looks at
tables, `records` at what is in them, `layout` at their bytes; `fsck` checks all of it and `repair`
repairs it; `changes` plans and applies, and `snapshots` goes back.
"""

from __future__ import annotations

import click

from inspector.verbs import changes, fsck, layout, records, repair, shape, snapshots

ALL: tuple[click.Command, ...] = (
    *shape.VERBS,
    *records.VERBS,
    *layout.VERBS,
    *fsck.VERBS,
    *repair.VERBS,
    *changes.VERBS,
    *snapshots.VERBS,
)

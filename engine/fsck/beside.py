"""What is wrong with a file that `tables.list` does not name."""

from __future__ import annotations

from typing import Final

from engine.fsck.faults import FAULTS
from engine.fsck.finding import Finding
from engine.stack import FileKind, UnlistedFile

_ORPHANS: Final = {
    FileKind.SUPERSEDED: "orphan-table",
    FileKind.DATA: "table-unlisted-data",
    FileKind.NEXT: "orphan-newer",
    FileKind.AHEAD: "orphan-ahead",
    FileKind.DOUBTFUL: "orphan-doubtful",
    FileKind.UNREADABLE: "orphan-damaged",
}
_CODES: Final = {
    **{kind: (code, "orphan-in-use") for kind, code in _ORPHANS.items()},
    FileKind.TEMPORARY: ("temporary-file", "temporary-in-use"),
    FileKind.TABLE_LOCK: ("lock-stale", "lock-held"),
    FileKind.LIST_LOCK: ("lock-stale", "lock-held"),
    FileKind.NOT_REGULAR: ("foreign-file", "foreign-file"),
    FileKind.OTHER: ("foreign-file", "foreign-file"),
}
"""The kinds of faults by what a file is: as it lies there, and while a process may be at work on it."""


def finding_of(file: UnlistedFile) -> Finding:
    """What is wrong with a file that tables.list does not name."""
    code = _CODES[file.kind][file.in_use]
    message = f"{file.reason}; {file.holder} has it open" if file.holder is not None else file.reason
    return Finding(FAULTS[code], file.name, file.offset, message, file.at_stake)

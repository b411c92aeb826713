"""HEAD held against its reflog: which branch it names when a byte of the target in its record was altered.

Blocks of refs have no checksum, those of logs have one. Where the branch has a value, git writes an entry for
HEAD together with its record, and says in the message which branch it is. Later, each change of the branch
that HEAD names, its deletion too, gets an entry in both reflogs (`prepare_single_update` in git's
refs/reftable-backend.c).
"""

from __future__ import annotations

import re
from operator import attrgetter
from typing import Final

from engine.format import U64_MAX, LogRecord
from engine.fsck.values import differ_in_one_byte
from engine.merge import MergedTable

_HEAD: Final = b"HEAD"
_BRANCHES: Final = b"refs/heads/"
_SAID: Final = (
    (rb"checkout: moving from .* to (.+)\n?", _BRANCHES),
    (rb"rebase.*: returning to (refs/heads/.+)\n?", b""),
    (rb"Branch: renamed .* to (refs/heads/.+)\n?", b""),
)
"""The messages that say which branch HEAD names from then on."""


def branch_of_head(view: MergedTable) -> bytes | None:
    """The branch that HEAD named before a byte of its target was altered; None where nothing says it was.

    Raises `FormatError`.
    """
    head = view.read_ref(_HEAD)
    entry = _entry(view, _HEAD) if head is not None and head.target is not None else None
    if head is None or head.target is None or entry is None:
        return None
    if entry.update_index < head.update_index or not any(entry.new or b""):
        return None
    is_same, target = entry.update_index == head.update_index, head.target
    if is_same and (said := _said(entry.message)) is not None:
        return said if differ_in_one_byte(said, target) else None
    is_there = view.read_ref(target) is not None
    if is_there and (is_same or _is_of_both(view, target, entry)):
        return None
    alike = [ref for ref in view.refs(_BRANCHES) if differ_in_one_byte(ref.name, target)]
    if is_same:
        found = [ref.name for ref in alike if ref.value == entry.new]
    else:
        found = [ref.name for ref in alike if _is_of_both(view, ref.name, entry)]
    return found[0] if len(found) == 1 else None


def _said(message: bytes) -> bytes | None:
    matches = ((re.fullmatch(pattern, message), place) for pattern, place in _SAID)
    return next((place + match[1] for match, place in matches if match is not None), None)


def _entry(view: MergedTable, name: bytes, up_to: int = U64_MAX) -> LogRecord | None:
    """The newest entry of a ref up to an update index; None if there is none, or it was deleted."""
    found = [log for table in view.tables if (log := table.read_log(name, up_to)) is not None]
    newest = max(reversed(found), key=attrgetter("update_index"), default=None)
    return None if newest is None or newest.is_deletion else newest


def _is_of_both(view: MergedTable, name: bytes, entry: LogRecord) -> bool:
    """Whether a ref has the newest entry of HEAD in its reflog, or ends with one that says the same.

    Where reflogs were converted, their entries have other update indexes.
    """
    newest, at = _entry(view, name), _entry(view, name, entry.update_index)
    if newest is not None and newest.replace(name=_HEAD, update_index=entry.update_index) == entry:
        return True
    return at is not None and at.update_index == entry.update_index and at.new == entry.new

"""Which finding follows from which, so that one cause is told once and what follows from it under it.

A check goes from the list to the files, and in a file from its frame to its blocks and what points to them: a
cause is found before what follows from it. Two findings of one file belong together when what the first one
says is enough for the second to be there, or when one step mends both.

    the list      its lines, the tables that it lacks, and those that are missing
    a table       the file as such, its header, its limits, its end, its blocks, the indexes over them
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from engine.format import limits_in_name
from engine.fsck.finding import Finding

_NO_LIST: Final = frozenset({"list-missing", "list-empty", "list-unreadable", "list-not-permitted"})
_LINES: Final = frozenset(
    {"list-nul", "list-no-newline", "list-leaves-directory", "list-carriage-return", "list-not-a-table"}
)
_UNLISTED: Final = frozenset({"orphan-ahead", "orphan-newer", "table-unlisted-data"})
_ORPHANS: Final = _UNLISTED | {"orphan-table", "orphan-doubtful", "orphan-damaged", "orphan-in-use"}
_NO_TABLE: Final = frozenset({"table-unreadable", "table-not-permitted", "not-a-file", "not-a-table"})
_LIMITS: Final = frozenset({"limits-reversed", "ranges-overlap", "limits-beyond-records"})
_FOOTER: Final = frozenset({"footer-damaged", "footer-checksum"})
_BLOCKS: Final = frozenset(
    {
        "block-damaged",
        "block-inflate",
        "block-too-long",
        "block-hidden",
        "record-damaged",
        "key-order",
        "key-encoding",
        "key-nul",
        "restart-offset",
        "section-order",
        "table-given-up",
    }
)
_POINTERS: Final = frozenset(
    {
        "section-offset",
        "object-id-length",
        "index-damaged",
        "index-incomplete",
        "index-foreign",
        "objects-incomplete",
        "objects-wrong",
    }
)

_OF_LIST: Final = (
    (_NO_LIST, _ORPHANS),
    ({"ranges-overlap", "tables-out-of-order"}, {"update-index-shared"}),
    (_LINES, _LINES | _UNLISTED | {"table-missing"}),
    *(
        ({code}, {code})
        for code in ("table-missing", "table-unreadable", "table-not-permitted", "hash-mixed")
    ),
)
"""Causes in the list and among its tables, and what follows from them in any file."""

_OF_TABLE: Final = (
    (_NO_TABLE, _BLOCKS | _POINTERS | {"name-range", "table-name"}),
    ({"header-damaged"}, {"header-damaged", "limits-reversed", "name-range", "update-index"} | _BLOCKS),
    (_LIMITS, {"name-range", "update-index", "limits-reversed"}),
    ({"cut-short"}, _FOOTER | _BLOCKS | _POINTERS),
    (_FOOTER, _FOOTER | _POINTERS),
    (_BLOCKS, _BLOCKS | _POINTERS),
    ({"update-index"}, {"update-index"}),
    *(({code}, {code}) for code in sorted(_POINTERS)),
)
"""Causes in a table, and what follows from them in the same file."""


class Causes:
    """The findings of one check that others follow from, in the order they were found."""

    def __init__(self) -> None:
        self._first: dict[str, Finding] = {}  # of each kind
        self._missing: list[str] = []  # tables
        self._in_file: dict[str, dict[str, Finding]] = {}  # the first of each kind

    def told(self, finding: Finding) -> Finding:
        """The next finding, with its cause if there is one."""
        if finding.code == "table-missing":
            self._missing.append(finding.file)
        cause = self._cause_of(finding)
        # What is worse than its cause has to be seen among its like.
        if cause is not None and cause.severity.rank <= finding.severity.rank:
            return finding._replace(cause=cause)
        self._first.setdefault(finding.code, finding)
        self._in_file.setdefault(finding.file, {}).setdefault(finding.code, finding)
        return finding

    def _cause_of(self, finding: Finding) -> Finding | None:
        for rules, found in ((_OF_LIST, self._first), (_OF_TABLE, self._in_file.get(finding.file, {}))):
            for causes, following in rules:
                if finding.code in following and (cause := _first_of(found, causes)) is not None:
                    return cause
        if finding.code not in _UNLISTED:
            return None
        if any(_may_be_same(name, finding.file) for name in self._missing):
            return self._first.get("table-missing")
        return _first_of(self._first, _UNLISTED)


def _first_of(found: Mapping[str, Finding], codes: Collection[str]) -> Finding | None:
    """The one of these kinds that was found first."""
    return next((one for code, one in found.items() if code in codes), None)


def _may_be_same(missing: str, other: str) -> bool:
    """Whether a table may be the missing one under another name, or hold what that held."""
    one, two = limits_in_name(missing), limits_in_name(other)
    return one is None or two is None or (one[0] <= two[1] and two[0] <= one[1])

"""What can be wrong with a stack: the kinds of faults, what each means, what git does, and what helps.

A `Fault` is a kind of fault: a code that stays the same from release to release, how bad it is, and the words
that hold wherever it is found. A fault in one place is a `Finding` (`finding.py`).

    error      data is lost, hidden or falsified, for git or for any reader
    warning    clutter, and what no known writer does; nothing is lost by it
    info       worth knowing; the stack is sound

The repairs that apply are named here, safest first.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Severity(StrEnum):
    """How bad a fault is; the worst first."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"

    @property
    def rank(self) -> int:
        """0 for errors, 1 for warnings, 2 for the rest: what to sort by."""
        return list(Severity).index(self)


REWRITE_TABLE: Final = "rewrite the table from its readable records"
SET_ASIDE: Final = "set the table aside"
REBUILD_LIST: Final = "rebuild tables.list"
REWRITE_LIST: Final = "rewrite the list"
REMOVE_LOCK: Final = "remove the lock"
REMOVE_FILE: Final = "remove the file"

_ERROR, _WARNING, _INFO = Severity.ERROR, Severity.WARNING, Severity.INFO

_REFUSES = (
    "git refuses the whole stack: `git for-each-ref` shows no ref and exits 0, `git refs verify` crashes"
)
_STOPS = "git stops where it meets the damage; what lies behind it is hidden, often without a message"
_LOOKUPS = "git lists the refs, but looking one up may miss it, find another, or fail"
_SILENT = "git does not notice"
_NEVER_READS = "git ignores it"


@dataclass(slots=True, frozen=True)
class Fault:
    """A kind of fault.

    `code` is stable; `meaning` is what a fault of this kind is; `git` is what git does with it; `fixes` are
    the repairs that apply, safest first.
    """

    code: str
    severity: Severity
    meaning: str
    git: str
    fixes: tuple[str, ...] = ()


_TABLE_FIXES = (REWRITE_TABLE, SET_ASIDE)

_FAULTS = (
    # The list
    Fault(
        "list-missing",
        _ERROR,
        "There is no tables.list, but there are tables: nothing says which of them count.",
        "git takes the stack for empty and says nothing",
        (REBUILD_LIST,),
    ),
    Fault(
        "list-empty",
        _ERROR,
        "tables.list names no table, but there are tables.",
        "git takes the stack for empty and says nothing",
        (REBUILD_LIST,),
    ),
    Fault(
        "stack-empty", _INFO, "There is no tables.list and no table: a stack without refs.", "the same to git"
    ),
    Fault(
        "list-unreadable",
        _ERROR,
        "tables.list cannot be read, or is no list.",
        "git refuses the whole stack, or hangs",
        (REBUILD_LIST,),
    ),
    Fault(
        "list-no-newline",
        _ERROR,
        "The last line of tables.list does not end: the list may have been cut short. The Go library "
        "writes lists like this.",
        "git since 2.52 " + _REFUSES.removeprefix("git "),
        (REWRITE_LIST, REBUILD_LIST),
    ),
    Fault(
        "list-leaves-directory",
        _ERROR,
        "A line of tables.list leads out of the stack's directory.",
        "git follows it, to whatever file is there",
        (REWRITE_LIST, REBUILD_LIST),
    ),
    Fault(
        "list-nul",
        _ERROR,
        "A line of tables.list holds a NUL, as a crash of the file system leaves them.",
        "git reads the line up to the NUL, finds no such table, and refuses the whole stack",
        (REBUILD_LIST,),
    ),
    Fault(
        "list-carriage-return",
        _ERROR,
        "A line of tables.list ends in a carriage return, as an editor may have left it.",
        "git finds no table of this name, and " + _REFUSES.removeprefix("git "),
        (REWRITE_LIST,),
    ),
    Fault(
        "list-not-a-table",
        _ERROR,
        "A line of tables.list is no name that a table could have.",
        "git opens whatever has this name, and refuses the whole stack if that is no table",
        (REBUILD_LIST,),
    ),
    Fault(
        "list-duplicate",
        _WARNING,
        "tables.list names a table more than once.",
        "git reads the table each time; a compaction of both lines fails",
        (REWRITE_LIST,),
    ),
    Fault(
        "list-blank-line",
        _WARNING,
        "tables.list has an empty line.",
        "git drops empty lines",
        (REWRITE_LIST,),
    ),
    # Files
    Fault(
        "table-missing",
        _ERROR,
        "tables.list names a table, but there is no such file.",
        _REFUSES,
        (REBUILD_LIST,),
    ),
    Fault(
        "table-unreadable",
        _ERROR,
        "A table cannot be read: the system answers with an error.",
        "git fails with the same error",
        (SET_ASIDE,),
    ),
    Fault(
        "not-a-file",
        _ERROR,
        "What should be a table is no regular file.",
        "git fails to read it, or hangs",
        (SET_ASIDE,),
    ),
    Fault(
        "table-link",
        _WARNING,
        "A table is a symbolic link to a file elsewhere, which nothing here protects.",
        "git follows the link",
    ),
    Fault(
        "orphan-table",
        _WARNING,
        "A table that is not listed, and whose update indexes the stack has moved past: left by a crash, or "
        "by a process that still had it open.",
        _NEVER_READS + "; `git pack-refs` removes it",
        (REMOVE_FILE,),
    ),
    Fault(
        "orphan-newer",
        _WARNING,
        "A table that is not listed, and would be the next one of the stack: a transaction that was cut off "
        "before it counted.",
        _NEVER_READS,
        (SET_ASIDE, REBUILD_LIST),
    ),
    Fault(
        "orphan-ahead",
        _ERROR,
        "A table that is not listed, and is newer than the stack by more than one transaction: the list is "
        "older than its tables (restored from a backup?), or has lost lines.",
        _NEVER_READS + ", and what is in it is lost; the next transaction uses its update index again",
        (REBUILD_LIST, SET_ASIDE),
    ),
    Fault(
        "orphan-in-use",
        _INFO,
        "A table that is not listed while somebody holds a lock: on its way into the stack, or out of it.",
        _NEVER_READS,
    ),
    Fault(
        "orphan-damaged",
        _WARNING,
        "A file that is named like a table, is not listed, and cannot be read as one.",
        _NEVER_READS + "; `git pack-refs` does not remove it",
        (SET_ASIDE,),
    ),
    Fault(
        "temporary-file",
        _WARNING,
        "A table that was never finished. No lock is held, so its writer is gone.",
        _NEVER_READS + "; nothing of git's removes it",
        (REMOVE_FILE,),
    ),
    Fault(
        "temporary-in-use", _INFO, "A table that is being written, as it seems: a lock is held.", _NEVER_READS
    ),
    Fault(
        "lock-stale",
        _WARNING,
        "A lock that has been there for long: its holder has probably died.",
        "what needs the lock fails: every change of a ref for tables.list.lock, compaction for a table's",
        (REMOVE_LOCK,),
    ),
    Fault(
        "lock-held",
        _INFO,
        "A lock that is young: somebody is at work.",
        "what needs the lock waits, then fails",
    ),
    Fault("foreign-file", _INFO, "A file that no writer of reftables made.", _NEVER_READS),
    # A table as a file
    Fault(
        "not-a-table",
        _ERROR,
        "The file has neither the header nor the footer of a table.",
        _REFUSES,
        (SET_ASIDE,),
    ),
    Fault(
        "cut-short",
        _ERROR,
        "The file ends without a footer: it was cut short, or its end was overwritten.",
        _REFUSES,
        _TABLE_FIXES,
    ),
    Fault("header-damaged", _ERROR, "The header of a table is damaged.", _REFUSES, _TABLE_FIXES),
    Fault("footer-damaged", _ERROR, "The footer of a table is damaged.", _REFUSES, _TABLE_FIXES),
    Fault(
        "footer-checksum",
        _ERROR,
        "The CRC-32 in the footer is not that of the footer's bytes.",
        _REFUSES,
        _TABLE_FIXES,
    ),
    Fault(
        "limits-reversed",
        _ERROR,
        "The table's lowest update index is higher than its highest.",
        _SILENT,
        _TABLE_FIXES,
    ),
    Fault(
        "section-offset",
        _ERROR,
        "The footer says that a section begins where none does.",
        "git fails when it goes there, or takes the section for missing",
        _TABLE_FIXES,
    ),
    Fault(
        "section-order",
        _ERROR,
        "A block of one section lies among those of another.",
        _STOPS,
        _TABLE_FIXES,
    ),
    Fault(
        "object-id-length",
        _ERROR,
        "The length of the object ids in the object section makes no sense.",
        "git refuses a length of 0 and with it the stack; it never reads the section otherwise",
        _TABLE_FIXES,
    ),
    Fault(
        "table-name",
        _WARNING,
        "A table has a name that no known writer gives.",
        "`git refs verify` warns; reading does not mind",
    ),
    Fault(
        "name-range",
        _WARNING,
        "A table's name states another range of update indexes than its header.",
        "git believes the header",
        (REWRITE_TABLE,),
    ),
    Fault("table-empty", _INFO, "A table without any record.", "git reads it; a compaction drops it"),
    Fault(
        "dulwich-table",
        _WARNING,
        "A table that dulwich wrote, as its name shows. dulwich stores long names in a way of its own, and "
        "everything in one block: what others cannot read of it is reported apart.",
        "git ignores the name; it sees the table's refs, some of them, wrong ones or none, as the errors say",
        (REWRITE_TABLE,),
    ),
    # Blocks and records
    Fault("block-damaged", _ERROR, "A block cannot be read.", _STOPS, _TABLE_FIXES),
    Fault(
        "table-given-up",
        _ERROR,
        "So much of the table, or of one block, is damaged that the rest of it was not looked at.",
        _STOPS,
        _TABLE_FIXES,
    ),
    Fault(
        "block-inflate",
        _ERROR,
        "A log block does not inflate to the size that it states.",
        "git fails to read the reflogs in it",
        _TABLE_FIXES,
    ),
    Fault(
        "block-too-long",
        _ERROR,
        "A block is longer than the block size of its table.",
        "git looks for the next block inside of this one",
        _TABLE_FIXES,
    ),
    Fault(
        "block-hidden",
        _ERROR,
        "A block begins in the padding behind another one: the block size in the header is wrong.",
        "git takes it for padding, and misses what is in it",
        _TABLE_FIXES,
    ),
    Fault("padding", _WARNING, "The padding behind a block is not all zeros.", _SILENT, (REWRITE_TABLE,)),
    Fault("record-damaged", _ERROR, "A record cannot be read.", _STOPS, _TABLE_FIXES),
    Fault(
        "key-order",
        _ERROR,
        "The keys of a section do not ascend.",
        _LOOKUPS,
        _TABLE_FIXES,
    ),
    Fault(
        "key-encoding",
        _ERROR,
        "A key is stored with more or fewer bytes of its own than any known writer would use behind the key "
        "in front of it: one of the two was altered.",
        _SILENT,
        _TABLE_FIXES,
    ),
    Fault(
        "key-nul",
        _ERROR,
        "The name of a ref holds a NUL.",
        "git reads the name up to the NUL",
        _TABLE_FIXES,
    ),
    Fault(
        "update-index",
        _ERROR,
        "A record has a higher update index than its table may hold.",
        _SILENT + "; a later transaction may reuse the index",
        _TABLE_FIXES,
    ),
    Fault(
        "restart-offset",
        _ERROR,
        "A restart point of a block does not lead to a record with a whole key, or they do not ascend.",
        _LOOKUPS,
        (REWRITE_TABLE,),
    ),
    # Indexes
    Fault(
        "index-damaged",
        _ERROR,
        "An index does not lead to the blocks that it is there for.",
        _LOOKUPS,
        (REWRITE_TABLE,),
    ),
    Fault(
        "index-incomplete",
        _ERROR,
        "An index leaves out blocks of its section, as one of several levels does that the Go library, or "
        "git before 2.44, has written.",
        "git lists what is in these blocks, but finds none of it by name",
        (REWRITE_TABLE,),
    ),
    Fault(
        "index-foreign",
        _ERROR,
        "An index has entries that lead to another section, as the log index has in tables with several "
        "indexes that the Go library, or git before 2.44, has written.",
        "git fails to find reflogs, or reports a damaged table; they can be read block by block",
        (REWRITE_TABLE,),
    ),
    Fault(
        "index-several-roots",
        _INFO,
        "The topmost level of an index has several blocks. git writes and reads such tables.",
        "git reads it; JGit reads the first block only, and misses the refs behind it",
        (REWRITE_TABLE,),
    ),
    Fault(
        "objects-incomplete",
        _ERROR,
        "The object section does not mention a ref block that holds an object id.",
        "git never reads the object section; JGit misses refs when it looks for those of an object",
        (REWRITE_TABLE,),
    ),
    Fault(
        "objects-wrong",
        _ERROR,
        "The object section says of a ref block that it holds an object id, which it does not.",
        "git never reads the object section; JGit looks at blocks in vain",
        (REWRITE_TABLE,),
    ),
    # The stack
    Fault(
        "hash-mixed",
        _ERROR,
        "A table has object ids of another hash function than the stack.",
        "git refuses the whole stack",
        (SET_ASIDE,),
    ),
    Fault(
        "tables-out-of-order",
        _ERROR,
        "A table is listed behind one with higher update indexes, so that its older values win.",
        "git believes the list",
        (REBUILD_LIST,),
    ),
    Fault(
        "ranges-overlap",
        _ERROR,
        "The update indexes of two tables overlap: a compaction and its inputs are both listed, or tables of "
        "two histories.",
        "git lets the table win that is listed last",
        (REBUILD_LIST,),
    ),
    Fault(
        "update-index-shared",
        _WARNING,
        "Two neighbouring tables share an update index, as a transaction of several tables may write them.",
        "git lets the table win that is listed last",
    ),
    Fault(
        "ref-name-unsafe",
        _ERROR,
        "A ref has a name that leads out of its place below refs/.",
        "git dies as soon as it lists refs",
        (REWRITE_TABLE,),
    ),
    Fault(
        "ref-name",
        _WARNING,
        "git does not allow this name for a ref.",
        "git leaves the ref out",
    ),
    Fault(
        "ref-clash",
        _WARNING,
        "One ref's name is a directory of another's.",
        "git reads both, and refuses to write them; a clone or a conversion to files fails",
    ),
    Fault(
        "symref-dangling",
        _INFO,
        "A symbolic ref names a ref that is not in this stack: a branch without commits, or a deleted one.",
        "git leaves the ref out of most listings",
    ),
    Fault(
        "symref-loop",
        _WARNING,
        "Symbolic refs lead to each other in a circle, or through too many others.",
        "git treats the ref as broken",
    ),
    Fault(
        "symref-target",
        _WARNING,
        "A symbolic ref names something that cannot be a ref.",
        "git treats the ref as broken",
    ),
)

FAULTS: Final[dict[str, Fault]] = {fault.code: fault for fault in _FAULTS}
"""Every kind of fault, by its code."""

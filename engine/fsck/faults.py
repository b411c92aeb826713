"""Every kind of fault that a stack can have, as one table.

A kind has a code that stays the same from release to release, how bad it is, and the words that hold wherever
it is found.

    error      data is lost, hidden or falsified, for git or for any reader
    warning    clutter, and what no known writer does; nothing is lost by it
    info       worth knowing; the stack is sound
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

from engine.stack import HOW_TO_BEGIN_ANEW


class Severity(StrEnum):
    """How bad a fault is; the worst first."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"

    @property
    def rank(self) -> int:
        """0 for errors, 1 for warnings, 2 for the rest: what to sort by."""
        return list(Severity).index(self)


class FaultKind(NamedTuple):
    """A kind of fault: its code, how bad it is, what it is, what git does with it, the repairs that apply.

    The safest repair comes first.
    """

    code: str
    severity: Severity
    meaning: str
    git: str
    fixes: tuple[str, ...] = ()

    @property
    def is_for_repair(self) -> bool:
        """Whether the wing `repair` has a step for it."""
        is_others = self.fixes in (_SET_REF, _SET_HEAD, _PERMIT, _GIVE)
        return bool(self.fixes) and self.severity is not Severity.INFO and not is_others

    @property
    def is_of_head(self) -> bool:
        """Whether HEAD is to be written: which branch it names, only the user knows."""
        return self.fixes == _SET_HEAD

    @property
    def costs_records(self) -> bool:
        """Whether a table with it may have records that cannot be read."""
        return _ASIDE[0] in self.fixes

    @property
    def is_absence(self) -> bool:
        """Whether it is that there is no such file: then there are no bytes to look at."""
        return self.code in _ABSENT

    @property
    def hides_all(self) -> bool:
        """Whether git sees no ref at all because of it."""
        return self.code in _HIDING


REWRITE_TABLE: Final = "rewrite the table from its readable records"
_ASIDE = ("set the table aside",)
_REBUILD = ("rebuild tables.list",)
_RELIST = ("rewrite the list",)
_UNLOCK = ("remove the lock",)
_REMOVE = ("remove the file",)
_LEAVE = ("leave the file where it is",)
_REWRITE = (REWRITE_TABLE,)
_SINGLE_ROOT = (
    "if JGit reads it: rewrite the table with a single root (repair --table, compact --single-root)",
)
_RENAME = ("give the table another name",)
_TABLE = _REWRITE + _ASIDE

_GIVE = ("give it to the owner of the directory (chown), or compact all tables as root, which does that",)
_PERMIT = ("let this user read it (chmod, chown), or look as its owner (sudo)",)

_ERROR, _WARNING, _INFO = Severity

_CRASHES = "the whole stack: `git for-each-ref` shows no ref and exits 0, `git refs verify` crashes"
_REFUSES = f"git refuses {_CRASHES}"
_EMPTY = "git takes the stack for empty and says nothing"
_STOPS = "git stops at the damage and shows no record after it, often without a message"
_LOOKUPS = "git lists the refs, but looking one up may miss it, find another, or fail"
_SILENT = "git does not notice"
_IGNORES = "git ignores it"
_LAST_WINS = "git lets the table win that is listed last"
_BROKEN = "git treats the ref as broken"
_VERIFY = "`git refs verify` says"
_NO_REPOSITORY = "git says that this is no git repository"
_ALTERED = "git takes the value of the ref, and dies where there is no such object"
_SET_REF = ("write or delete the ref (add)",)
_SET_HEAD = ("write HEAD as a symbolic ref to a branch (add)",)
_BEGIN_ANEW = f"{HOW_TO_BEGIN_ANEW[0].upper()}{HOW_TO_BEGIN_ANEW[1:]}."
_NO_OBJECTS = "git never reads the object section; JGit"

# A table, with as few lines a record as it needs.
# fmt: off
_FAULTS = (
    # The list
    FaultKind("list-missing", _ERROR, "There is no tables.list, but there are tables: which of them belong "
        "to the stack is unknown.", _EMPTY, _REBUILD),
    FaultKind("list-empty", _ERROR, "tables.list names no table, but there are tables.", _EMPTY, _REBUILD),
    FaultKind("stack-empty", _INFO, "There is no tables.list and no table: a stack without refs.",
        "the same to git"),
    FaultKind("stack-lost", _ERROR, "The stack of a repository has no table: git writes at least HEAD into "
        f"it, so its refs and reflogs are lost. {_BEGIN_ANEW}", _EMPTY),
    FaultKind("list-unreadable", _ERROR, "tables.list cannot be read, or is no list.",
        "git refuses the whole stack, or hangs", ("move it away, then rebuild tables.list",)),
    FaultKind("list-not-permitted", _ERROR, "This user may not read tables.list, by its owner and its mode.",
         "run by this user, git refuses the whole stack", _PERMIT),
    FaultKind("list-no-newline", _ERROR, "The last line of tables.list does not end: the list may have been "
        "cut short. The Go library writes lists like this.", f"git since 2.52 refuses {_CRASHES}",
        _RELIST + _REBUILD),
    FaultKind("list-leaves-directory", _ERROR, "A line of tables.list leads out of the stack's directory.",
        "git follows it, to whatever file is there", _RELIST + _REBUILD),
    FaultKind("list-nul", _ERROR, "A line of tables.list holds a NUL, as a crash of the file system leaves "
        "them.", "git reads the line up to the NUL, finds no such table, and refuses the whole stack",
        _REBUILD),
    FaultKind("list-carriage-return", _ERROR, "A line of tables.list ends in a carriage return, as an editor "
        "may have left it.", f"git finds no table of this name, and refuses {_CRASHES}", _RELIST),
    FaultKind("list-not-a-table", _ERROR, "A line of tables.list is no name that a table could have.",
        "git opens the file of this name, and refuses the whole stack if that is no table", _REBUILD),
    FaultKind("list-duplicate", _WARNING, "tables.list names a table more than once.",
        "git reads the table each time; a compaction of both lines fails", _RELIST),
    FaultKind("list-repeats-older", _ERROR, "tables.list names a table again after newer ones, so that its "
        "older values win.", "git shows the older values; a compaction of both lines fails", _RELIST),
    FaultKind("list-blank-line", _WARNING, "tables.list has an empty line.", "git drops empty lines",
        _RELIST),
    # Files
    FaultKind("table-missing", _ERROR, "tables.list names a table, but there is no such file.", _REFUSES,
        _REBUILD),
    FaultKind("table-unreadable", _ERROR, "A table cannot be read: the system answers with an error.",
        "git fails with the same error", ("see to the disk", "set the table aside")),
    FaultKind("table-not-permitted", _ERROR, "This user may not read a table, by its owner and its mode. It "
        "may be sound.", f"run by this user, {_REFUSES}", _PERMIT),
    FaultKind("owner-not-permitted", _WARNING, "The owner of the stack may not read a file of it, by the "
        "file's owner and its mode: another user, such as root, has written it.",
        "run by the owner, git shows no ref and exits 0", _GIVE),
    FaultKind("not-a-file", _ERROR, "What should be a table is no regular file.",
        "git fails to read it, or hangs", _ASIDE),
    FaultKind("table-link", _WARNING, "A table is a symbolic link: the file lies elsewhere, and may be "
        "changed or removed there.", "git follows the link"),
    FaultKind("orphan-table", _WARNING, "An orphan: tables.list does not name this table, and listed tables "
        "hold all its records, or newer ones. Left by a crash, or by a process that still had it open.",
        f"{_IGNORES}; `git pack-refs` removes it", _REMOVE),
    FaultKind("orphan-newer", _WARNING, "An orphan that would be the next table of the stack: its "
        "transaction was cut off before it was committed.", _IGNORES, _ASIDE + _REBUILD),
    FaultKind("orphan-ahead", _ERROR, "An orphan that is newer than the stack by more than one transaction: "
        "the list is older than its tables (restored from a backup?), or has lost lines.",
        f"{_IGNORES}, and what is in it is lost; the next transaction uses its update index again",
        _REBUILD + _ASIDE),
    FaultKind("table-unlisted-data", _ERROR, "An orphan that holds what no listed table holds: the list has "
        "lost its line, or an older list was put back and the stack went on from there.",
        f"{_IGNORES}, and what only it holds is lost; `git pack-refs` removes it", _REBUILD + _LEAVE),
    FaultKind("orphan-doubtful", _WARNING, "An orphan, and it is not known whether listed tables hold all "
        "its records.", f"{_IGNORES}; `git pack-refs` may remove it", _LEAVE),
    FaultKind("orphan-in-use", _INFO, "An orphan while a process holds a lock: on its way into the stack, or "
        "out of it.", _IGNORES),
    FaultKind("orphan-damaged", _WARNING, "An orphan by its name, which cannot be read as a table.",
        f"{_IGNORES}; `git pack-refs` does not remove it", _ASIDE),
    FaultKind("temporary-file", _WARNING, "A table that was never finished. There is no lock but stale ones, "
        "so no process writes it any more.", f"{_IGNORES}; no git command removes it", _REMOVE),
    FaultKind("temporary-in-use", _INFO, "A table that is probably being written: a lock is held.", _IGNORES),
    FaultKind("lock-stale", _WARNING, "A stale lock: it is old, so the process that made it has probably "
        "died.",
        "what needs the lock fails: every change of a ref for tables.list.lock, compaction for a table's",
        _UNLOCK),
    FaultKind("lock-held", _INFO, "A lock that is young, or a process that may be at work has files open.",
        "what needs the lock waits, then fails"),
    FaultKind("foreign-file", _INFO, "A file that no writer of reftables made.", _IGNORES),
    # A table as a file
    FaultKind("not-a-table", _ERROR, "The file has neither the header nor the footer of a table.", _REFUSES,
        _ASIDE),
    FaultKind("cut-short", _ERROR, "The file ends without a footer: it was cut short, or its end was "
        "overwritten.", _REFUSES, _TABLE),
    FaultKind("header-damaged", _ERROR, "The header of a table is damaged.", _REFUSES, _TABLE),
    FaultKind("footer-damaged", _ERROR, "The footer of a table is damaged.", _REFUSES, _TABLE),
    FaultKind("footer-checksum", _ERROR, "The CRC-32 in the footer is not that of the footer's bytes.",
        _REFUSES, _TABLE),
    FaultKind("limits-reversed", _ERROR, "The table's lowest update index is higher than its highest.",
        _SILENT, _TABLE),
    FaultKind("limits-beyond-records", _ERROR, "The highest update index of a table is beyond all that its "
        "records have: it was never set.", "git reads the table, but counts on from there: the next "
        "transaction fails, or gets the update index 0", _TABLE),
    FaultKind("section-offset", _ERROR, "The footer says that a section begins where none does.",
        "git fails when it goes there, or takes the section for missing", _TABLE),
    FaultKind("section-order", _ERROR, "A block of one section lies among those of another.", _STOPS, _TABLE),
    FaultKind("object-id-length", _ERROR, "The length of the object ids in the object section makes no "
        "sense.", "git refuses a length of 0 and with it the stack; it never reads the section otherwise",
        _TABLE),
    FaultKind("table-name", _WARNING, "A table has a name that no known writer gives.",
        "`git refs verify` warns; reading works", _RENAME),
    FaultKind("name-range", _WARNING, "A table's name states another range of update indexes than its "
        "header.", "git takes the range in the header", _RENAME),
    FaultKind("table-empty", _INFO, "A table without any record.", "git reads it; a compaction drops it"),
    FaultKind("dulwich-table", _WARNING, "A table that dulwich wrote, as its name shows. dulwich stores long "
        "names in a way of its own, and everything in one block: what others cannot read of it is reported "
        "apart.",
        "git ignores the name; it sees the table's refs, some of them, wrong ones or none, as the errors say",
        _RENAME),
    # Blocks and records
    FaultKind("block-damaged", _ERROR, "A block cannot be read.", _STOPS, _TABLE),
    FaultKind("table-given-up", _ERROR, "So much of the table, or of one block, is damaged that the rest of "
        "it was not looked at.", _STOPS, _TABLE),
    FaultKind("block-inflate", _ERROR, "A log block does not inflate to the size that it states.",
        "git fails to read the reflogs in it", _TABLE),
    FaultKind("block-too-long", _ERROR, "A block is longer than the block size of its table.",
        "git looks for the next block inside of this one", _TABLE),
    FaultKind("block-hidden", _ERROR, "A block begins in the padding after another one: the block size in "
        "the header is wrong.", "git takes it for padding, and misses what is in it", _TABLE),
    FaultKind("padding", _WARNING, "The padding after a block is not all zeros.", _SILENT, _REWRITE),
    FaultKind("record-damaged", _ERROR, "A record cannot be read.", _STOPS, _TABLE),
    FaultKind("key-order", _ERROR, "The keys of a section do not ascend.", _LOOKUPS, _TABLE),
    FaultKind("key-encoding", _ERROR, "A key is stored with more or fewer bytes of its own than any known "
        "writer would use after the key before it: one of the two was altered.", _SILENT, _TABLE),
    FaultKind("key-nul", _ERROR, "The name of a ref holds a NUL.", "git reads the name up to the NUL",
        _TABLE),
    FaultKind("update-index", _ERROR, "A record has a higher update index than its table may hold.",
        f"{_SILENT}; a later transaction may reuse the index", _TABLE),
    FaultKind("restart-offset", _ERROR, "A restart point of a block does not lead to a record with a whole "
        "key, or they do not ascend.", _LOOKUPS, _REWRITE),
    FaultKind("log-committer", _WARNING, "The name or the email of a reflog entry's committer has a `<`, a "
        "`>` or a newline, which git leaves out of both.", "git shows the entry; as a line of the files "
        "backend, it would be none"),
    FaultKind("log-inflation", _INFO, "The log blocks of a table inflate to hundreds of times their size, "
        "which reflogs seldom do: reading them takes long, and may have been meant to.",
        "git reads them, with the memory that one block takes inflated"),
    FaultKind("log-zone", _INFO, "The time zone of a reflog entry is stored in minutes, as JGit does, where "
        "git stores hours and minutes as one number. It is shown as the zone that it is.",
        "git shows another time zone, and the right time"),
    FaultKind("value-altered", _ERROR, "A ref has another value than its reflog says that the same "
        "transaction gave it, while other refs of the table agree with theirs, or HEAD's has the same entry, "
        "or there is no object of that value; or HEAD names another branch than its reflog says, or what a "
        "symbolic ref names is not below refs/, for one byte. Blocks of logs have a checksum, those of refs "
        "none: bytes of the ref were altered.", _ALTERED,
        _REWRITE + _SET_REF),
    FaultKind("value-unlike-log", _WARNING, "A ref has another value than its reflog says that the same "
        "transaction gave it.", _ALTERED, _SET_REF),
    FaultKind("name-altered", _ERROR, "A ref has no reflog, and one without a ref says that the same "
        "transaction gave this value to a ref of almost the same name; or its name is neither HEAD nor below "
        "refs/, for one byte: a byte of the name was altered.",
        "git has the ref by the name in its record, or lists it nowhere", _REWRITE + _SET_REF),
    FaultKind("deletion-altered", _ERROR, "A table deletes the reflog of a ref, but not the ref, and instead "
        "one of almost the same name, whose reflog it leaves: a byte of the name was altered.",
        "git shows the ref that was deleted, and not the other one, if there is one", _REWRITE + _SET_REF),
    # Indexes
    FaultKind("index-damaged", _ERROR, "An index does not lead to the blocks of its section.", _LOOKUPS,
        _REWRITE),
    FaultKind("index-incomplete", _ERROR, "An index leaves out blocks of its section, as one of several "
        "levels does that the Go library, or git before 2.44, has written.",
        "git lists what is in these blocks, but finds none of it by name", _REWRITE),
    FaultKind("index-foreign", _ERROR, "An index has entries that lead to another section, as the log index "
        "has in tables with several indexes that the Go library, or git before 2.44, has written.",
        "git fails to find reflogs, or reports a damaged table; they can be read block by block", _REWRITE),
    FaultKind("index-several-roots", _INFO, "The topmost level of an index has several blocks. git writes "
        "and reads such tables.",
        "git reads it; JGit reads the first block only, and misses the refs after it", _SINGLE_ROOT),
    FaultKind("objects-incomplete", _ERROR, "The object section does not mention a ref block that holds an "
        "object id.", f"{_NO_OBJECTS} misses refs when it looks for those of an object", _REWRITE),
    FaultKind("objects-wrong", _ERROR, "The object section says of a ref block that it holds an object id, "
        "which it does not.", f"{_NO_OBJECTS} looks at blocks without the object", _REWRITE),
    # The repository
    FaultKind("repository-head", _ERROR, "git does not take the file for the HEAD of a repository; in one "
        "with reftables it holds `ref: refs/heads/.invalid`, and the stack has the real HEAD.",
        _NO_REPOSITORY, ("write `ref: refs/heads/.invalid` to the file",)),
    FaultKind("repository-directory", _ERROR, "A directory is missing that every repository has.",
        _NO_REPOSITORY, ("make the directory; objects come from a backup or a clone",)),
    FaultKind("repository-stub", _WARNING, "The file `refs/heads` is missing, which stops programs that know "
        "nothing of reftables.", "git does not need it; another program may see no refs, and write its own",
        ("write the file",)),
    FaultKind("repository-storage", _ERROR, "The configuration does not say that the repository keeps its "
        "refs in reftables.", "git asks the files backend, and shows no refs; a write goes astray",
        ("git config core.repositoryFormatVersion 1, then git config extensions.refStorage reftable",)),
    FaultKind("repository-version", _ERROR, "The repository's format version does not allow for reftables.",
        "git refuses the repository", ("git config core.repositoryFormatVersion 1",)),
    FaultKind("object-format", _ERROR, "The configuration states another hash function than all tables of "
        "the stack have.", f"git refuses {_CRASHES}", ("git config extensions.objectFormat",)),
    FaultKind("refs-beside", _WARNING, "Files of the files backend lie beside the stack, as another tool or "
        "a failed migration leaves them.", "git does not read them"),
    FaultKind("lock-beside", _INFO, "A lock on a file of the repository.", "`git config` fails while "
        "config.lock is there; git does not look at packed-refs.lock and HEAD.lock beside reftables",
        ("remove it by hand if no process works on the file",)),
    FaultKind("reference-hook", _INFO, "The repository has a hook reference-transaction.",
        "git runs it for each change of a ref, and it may refuse one; other programs do not run it"),
    # The stack
    FaultKind("hash-mixed", _ERROR, "A table has object ids of another hash function than the stack.",
        "git refuses the whole stack", _ASIDE),
    FaultKind("tables-out-of-order", _ERROR, "tables.list names tables after others with higher update "
        "indexes, so that older values win.", "git reads the tables in the order of the list", _REBUILD),
    FaultKind("ranges-overlap", _ERROR, "The update indexes of a table overlap those of others: it states "
        "too many, a compaction and its inputs are both listed, or tables of two histories.", _LAST_WINS,
        _REBUILD),
    FaultKind("update-index-shared", _WARNING, "Two adjacent tables share an update index, as a transaction "
        "of several tables may write them.", _LAST_WINS),
    FaultKind("indexes-missing", _WARNING, "Update indexes that no table has, below those of others: a table "
        "is gone, and its line with it, as where tables are copied while git compacts them. Or a repair has "
        "told of the loss already, or a compaction of logs alone has left none.", "git does not notice, and "
        "shows older values or no ref; behind a compaction, nothing tells of it any more"),
    FaultKind("compaction-due", _INFO, "By the rule of the stack, tables are due to be merged.",
        "git does that after each write, unless it is told not to or another process holds a lock",
        ("leave it to the next write", "compact")),
    FaultKind("ref-name-unsafe", _ERROR, "A ref has a name that leads out of its place below refs/.",
        "git fails as soon as it lists refs", _REWRITE),
    FaultKind("ref-name", _WARNING, "git does not allow this name for a ref.", "git leaves the ref out"),
    FaultKind("ref-clash", _WARNING, "One ref's name is a directory of another's.",
        "git reads both, and refuses to write them; a clone or a conversion to files fails"),
    FaultKind("ref-case", _INFO, "The names of two refs differ in case only.", "git keeps both; in the files "
        "backend of a clone whose file system ignores case, only one of them has a place"),
    FaultKind("ref-hidden", _WARNING, "A ref that is neither below refs/ nor one like HEAD.", "git lists it "
        "nowhere, and prunes what only it leads to"),
    FaultKind("symref-dangling", _INFO, "A symbolic ref names a ref that is not in this stack: a branch "
        "without commits, or a deleted one.", "git leaves the ref out of most listings"),
    FaultKind("symref-loop", _WARNING, "Symbolic refs lead to each other in a circle, or through too many "
        "others.", _BROKEN),
    FaultKind("symref-target", _ERROR, "A symbolic ref names something that cannot be a ref.",
        f"{_BROKEN}; {_VERIFY} badReferentName", _SET_REF),
    FaultKind("symref-outside", _INFO, "A symbolic ref names something that is neither below refs/ nor a ref "
        "like HEAD.", f"{_VERIFY} symrefTargetIsNotARef"),
    FaultKind("head-missing", _ERROR, "The stack of a repository has no HEAD.",
        "git fails wherever it wants the current branch", _SET_HEAD),
    FaultKind("head-target", _ERROR, "HEAD is a symbolic ref to something else than a branch.",
        f"git commits to what is no branch, or takes this for no repository; {_VERIFY} badHeadTarget",
        _SET_HEAD),
    FaultKind("ref-id-null", _ERROR, "A ref has the null object id, which stands for no object.",
        f"{_BROKEN}; {_VERIFY} badRefOid", _SET_REF),
)
# fmt: on

# fmt: off
_ABSENT: Final = frozenset({"list-missing", "stack-empty", "table-missing"})
"""Codes of faults whose file is not there."""

_HIDING: Final = frozenset({
    "list-missing", "list-empty", "list-unreadable", "list-not-permitted", "list-no-newline",
    "list-nul", "list-carriage-return", "list-not-a-table", "stack-lost", "table-missing",
    "table-not-permitted", "not-a-table", "cut-short", "header-damaged", "footer-damaged",
    "footer-checksum", "hash-mixed", "repository-head", "repository-directory", "repository-storage",
    "repository-version", "object-format",
})
# fmt: on
"""Codes of faults of which one is enough for git to show no ref of the stack."""

FAULTS: Final[dict[str, FaultKind]] = {fault.code: fault for fault in _FAULTS}
"""Every kind of fault, by its code."""

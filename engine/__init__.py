"""A complete reftable library in pure Python: git's binary format for refs and reflogs.

Each folder is a wing: its docstring says what it owns, what it may import, and in which order to read it.
From the bytes upwards:

    format      header and footer, records, blocks, names: bytes in, records out, and back
    table       one immutable file, read and written
    merge       many tables as one view; which tables to merge, and merging them
    stack       the directory of a stack: its list, locks, additions, compactions, cleaning
    git         what surrounds a stack: configuration, the git program, repositories and their worktrees
    update      `git update-ref --stdin`: its commands, and applying them to a stack
    snapshot    a stack as it was before a change, and going back to it
    layout      what each byte of a table means, for views that show bytes
    fsck        what is wrong with a stack
    salvage     what can still be read of a damaged table
    readable    a stack that opens whatever is wrong with it
    repair      repairing a stack: the plan, what it means for each ref, and carrying it out

The functions `fsck` and `repair` are not here, since their names are those of their wings: import them from
`engine.fsck` and `engine.repair`. `errors` is the one tree of errors, `progress` how a long operation
tells how far it is. Ref names and object ids are `bytes`; nothing here depends on anything but
the standard library, or prints.
"""

from engine.errors import (
    ApiError,
    Cancelled,
    ChecksumError,
    EntryTooBigError,
    ExpectationError,
    FormatError,
    LockError,
    MissingTableError,
    NameConflictError,
    OutdatedError,
    RefnameError,
    ReftableError,
    RepositoryError,
)
from engine.format import HashId, IndexRecord, LogRecord, ObjectRecord, RefRecord
from engine.fsck import Finding
from engine.git import Repository, find_repository
from engine.merge import (
    CompactionPlan,
    Dropped,
    Expiry,
    LogChanges,
    MergedTable,
    RefChange,
    Segment,
    TableSummary,
    Version,
    fastlog2,
    log_changes,
    plan_compaction,
    ref_changes,
    sizes_to_segments,
    suggest_compaction_segment,
    suggest_geometric_segment,
)
from engine.progress import Progress, ProgressCallback
from engine.readable import open_readable
from engine.repair import plan_repair, ref_outcomes
from engine.stack import CleanPlan, CompactionStats, Stack, StackOptions, StaleFile
from engine.table import Table, TableStats, TableWriter, WriteOptions

__all__ = [
    "ApiError",
    "Cancelled",
    "ChecksumError",
    "CleanPlan",
    "CompactionPlan",
    "CompactionStats",
    "Dropped",
    "EntryTooBigError",
    "ExpectationError",
    "Expiry",
    "Finding",
    "FormatError",
    "HashId",
    "IndexRecord",
    "LockError",
    "LogChanges",
    "LogRecord",
    "MergedTable",
    "MissingTableError",
    "NameConflictError",
    "ObjectRecord",
    "OutdatedError",
    "Progress",
    "ProgressCallback",
    "RefChange",
    "RefRecord",
    "RefnameError",
    "ReftableError",
    "Repository",
    "RepositoryError",
    "Segment",
    "Stack",
    "StackOptions",
    "StaleFile",
    "Table",
    "TableStats",
    "TableSummary",
    "TableWriter",
    "Version",
    "WriteOptions",
    "fastlog2",
    "find_repository",
    "log_changes",
    "open_readable",
    "plan_compaction",
    "plan_repair",
    "ref_changes",
    "ref_outcomes",
    "sizes_to_segments",
    "suggest_compaction_segment",
    "suggest_geometric_segment",
]

"""A complete reftable library in pure Python: git's binary format for refs and reflogs.

    format, record, encoded,    bytes: header and footer, records, records passed on as they are,
    block                       blocks
    table, writer               one immutable file, read and written
    merged, compaction          many tables as one view; which to merge, and merging them
    difference                  what changed between two such views
    policy_steps                how the rules find what to merge, comparison by comparison
    durable, lock, options,     files between processes: what stays on the disk, locks, the list, temporary
    directory                   files
    addition, compactor, clean  the three ways to change a stack
    holders, neighbours         the files beside its tables, and who has them open
    stack                       the object that programs use
    refname                     which ref names may exist, alone and beside each other
    update_ref, resolution,     `git update-ref --stdin`: its commands, the refs that they change,
    transaction                 and applying them to a stack
    git_config, git_program     what git's configuration and its program say
    span, block_contents,       what each byte of a table means, for views that show bytes
    section, layout
    finding, fsck               what is wrong with a stack
    manifest, snapshot          a stack as it was before a change, and going back to it
    salvage, readable, repair   what can still be read of a damaged table, a stack of which all that is
                                readable is shown, and repairing it
    repository                  from any path a user types to the stacks behind it

Each layer knows those above it in this list and nothing below. Ref names and object ids are
`bytes`; nothing here depends on anything but the standard library, or prints.
"""

from engine.clean import CleanPlan, StaleFile
from engine.compaction import (
    CompactionPlan,
    Dropped,
    Expiry,
    Segment,
    TableSummary,
    fastlog2,
    plan_compaction,
    sizes_to_segments,
    suggest_compaction_segment,
    suggest_geometric_segment,
)
from engine.compactor import CompactionStats
from engine.difference import LogChanges, RefChange, log_changes, ref_changes
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
from engine.format import HashId
from engine.merged import MergedTable, Version
from engine.options import StackOptions
from engine.progress import Progress, ProgressCallback
from engine.record import IndexRecord, LogRecord, ObjectRecord, RefRecord
from engine.stack import Stack
from engine.table import Table
from engine.writer import TableStats, TableWriter, WriteOptions

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
    "log_changes",
    "plan_compaction",
    "ref_changes",
    "sizes_to_segments",
    "suggest_compaction_segment",
    "suggest_geometric_segment",
]

"""A complete reftable library in pure Python: git's binary format for refs and reflogs.

Each folder is a wing: its docstring says what it owns, what it may import, and in which order to read it.
From the bytes upwards:

    format      header and footer, records, blocks, names: bytes in, records out, and back
    table       one immutable file, read and written
    merge       many tables as one view; which tables to merge, and merging them
    stack       the directory of a stack: its list, locks, additions, compactions, cleaning
    update      `git update-ref --stdin`: its commands, and applying them to a stack
    git         what surrounds a stack: configuration, the git program, repositories and their worktrees
    snapshot    a stack as it was before a change, and going back to it
    layout      what each byte of a table means, for views that show bytes
    fsck        what is wrong with a stack
    salvage     what can still be read of a damaged table
    readable    a stack that opens whatever is wrong with it
    export      a stack as something else: as files that git opens
    repair      repairing a stack: the plan, what it means for each ref, and carrying it out

The functions `fsck` and `repair` are not here, since their names are those of their wings: import them from
`engine.fsck` and `engine.repair`. `errors` is the one tree of errors, `progress` how a long operation
tells how far it is. Ref names and object ids are `bytes`; nothing here depends on anything but
the standard library, or prints.
"""

from typing import TYPE_CHECKING

from engine.lazy import lazily

if TYPE_CHECKING:
    from engine.errors import (
        ApiError as ApiError,
        Cancelled as Cancelled,
        ChecksumError as ChecksumError,
        CommittedError as CommittedError,
        EntryTooBigError as EntryTooBigError,
        ExpectationError as ExpectationError,
        FormatError as FormatError,
        HookError as HookError,
        LockError as LockError,
        MissingTableError as MissingTableError,
        NameConflictError as NameConflictError,
        OtherBackendError as OtherBackendError,
        OutdatedError as OutdatedError,
        PartlyCommittedError as PartlyCommittedError,
        RefnameError as RefnameError,
        ReftableError as ReftableError,
        RepositoryError as RepositoryError,
        SnapshotError as SnapshotError,
    )
    from engine.format import (
        AnyLog as AnyLog,
        AnyRef as AnyRef,
        HashId as HashId,
        IndexRecord as IndexRecord,
        LiveRef as LiveRef,
        LogEntry as LogEntry,
        LogRecord as LogRecord,
        ObjectRecord as ObjectRecord,
        RefRecord as RefRecord,
        compiled as compiled,
    )
    from engine.fsck import Finding as Finding
    from engine.git import (
        Refs as Refs,
        RefTransaction as RefTransaction,
        Repository as Repository,
        find_repository as find_repository,
    )
    from engine.merge import (
        CompactionPlan as CompactionPlan,
        Dropped as Dropped,
        Expiry as Expiry,
        LogChanges as LogChanges,
        MergedTable as MergedTable,
        RefChange as RefChange,
        Segment as Segment,
        TableSummary as TableSummary,
        Version as Version,
        fastlog2 as fastlog2,
        log_changes as log_changes,
        plan_compaction as plan_compaction,
        ref_changes as ref_changes,
        sizes_to_segments as sizes_to_segments,
        suggest_compaction_segment as suggest_compaction_segment,
        suggest_geometric_segment as suggest_geometric_segment,
    )
    from engine.progress import Progress as Progress, ProgressCallback as ProgressCallback
    from engine.readable import open_readable as open_readable
    from engine.repair import plan_repair as plan_repair, ref_outcomes as ref_outcomes
    from engine.stack import (
        CleanPlan as CleanPlan,
        CompactionStats as CompactionStats,
        ReadStack as ReadStack,
        Resolved as Resolved,
        Stack as Stack,
        StackOptions as StackOptions,
        StaleFile as StaleFile,
    )
    from engine.table import (
        Table as Table,
        TableStats as TableStats,
        TableWriter as TableWriter,
        WriteOptions as WriteOptions,
    )
    from engine.update import Symref as Symref
else:
    __getattr__, __dir__, __all__ = lazily(
        __name__,
        {
            "errors": (
                "ApiError Cancelled ChecksumError CommittedError EntryTooBigError "
                "ExpectationError FormatError HookError LockError MissingTableError "
                "NameConflictError OtherBackendError OutdatedError PartlyCommittedError "
                "RefnameError ReftableError RepositoryError SnapshotError"
            ),
            "export": "",
            "format": (
                "AnyLog AnyRef HashId IndexRecord LiveRef LogEntry LogRecord ObjectRecord RefRecord compiled"
            ),
            "fsck": "Finding",
            "git": "Refs RefTransaction Repository find_repository",
            "layout": "",
            "merge": (
                "CompactionPlan Dropped Expiry LogChanges MergedTable RefChange Segment "
                "TableSummary Version fastlog2 log_changes plan_compaction ref_changes "
                "sizes_to_segments suggest_compaction_segment suggest_geometric_segment"
            ),
            "progress": "Progress ProgressCallback",
            "readable": "open_readable",
            "repair": "plan_repair ref_outcomes",
            "salvage": "",
            "snapshot": "",
            "stack": "CleanPlan CompactionStats ReadStack Resolved Stack StackOptions StaleFile",
            "table": "Table TableStats TableWriter WriteOptions",
            "update": "Symref",
        },
    )

__version__ = "0.1.0"

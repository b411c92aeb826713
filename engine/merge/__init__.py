"""Many tables as one view: which version counts, what differs, which tables to merge, and merging them.

Works on tables that are open already; knows no directory and no lock. May import `table`.

    merged        the newest version of a key wins, a tombstone hides older ones
    difference    what changed between two views
    compaction    which tables to merge, and merging them
    policy        how the rules find what to merge, comparison by comparison
"""

from engine.merge.compaction import (
    DEFAULT_FACTOR,
    Compacted,
    CompactionPlan,
    Dropped,
    Expiry,
    Segment,
    TableSummary,
    check_range,
    compact_tables,
    fastlog2,
    is_noop,
    plan_compaction,
    sizes_to_segments,
    suggest_compaction_segment,
    suggest_geometric_segment,
)
from engine.merge.difference import ChangeKind, LogChanges, RefChange, log_changes, ref_changes
from engine.merge.merged import MergedTable, Version, merge_blocks
from engine.merge.policy import Step, StepKind, geometric_steps, log2_steps

__all__ = [
    "DEFAULT_FACTOR",
    "ChangeKind",
    "Compacted",
    "CompactionPlan",
    "Dropped",
    "Expiry",
    "LogChanges",
    "MergedTable",
    "RefChange",
    "Segment",
    "Step",
    "StepKind",
    "TableSummary",
    "Version",
    "check_range",
    "compact_tables",
    "fastlog2",
    "geometric_steps",
    "is_noop",
    "log2_steps",
    "log_changes",
    "merge_blocks",
    "plan_compaction",
    "ref_changes",
    "sizes_to_segments",
    "suggest_compaction_segment",
    "suggest_geometric_segment",
]

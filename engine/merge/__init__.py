"""Many tables as one view: which version counts, what differs, which tables to merge, and merging them.

Works on tables that are open already; knows no directory and no lock. May import `table`.

    merged        the newest version of a key wins, a tombstone hides older ones
    difference    what changed between two views
    policy        which tables to merge: each rule as its comparisons, the last of which is the result
    compaction    merging them, and the plan of doing so
"""

from engine.merge.compaction import (
    Compacted,
    CompactionPlan,
    Dropped,
    Expiry,
    TableSummary,
    check_range,
    compact_tables,
    is_noop,
    plan_compaction,
)
from engine.merge.difference import ChangeKind, LogChanges, RefChange, log_changes, ref_changes
from engine.merge.merged import MergedTable, Version, merge_blocks
from engine.merge.policy import (
    DEFAULT_FACTOR,
    Comparison,
    ComparisonKind,
    Segment,
    fastlog2,
    geometric_steps,
    log2_steps,
    sizes_to_segments,
    suggest_compaction_segment,
    suggest_geometric_segment,
)

__all__ = [
    "DEFAULT_FACTOR",
    "ChangeKind",
    "Compacted",
    "CompactionPlan",
    "Comparison",
    "ComparisonKind",
    "Dropped",
    "Expiry",
    "LogChanges",
    "MergedTable",
    "RefChange",
    "Segment",
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

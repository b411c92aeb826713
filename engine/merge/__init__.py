"""Many tables as one view: which version counts, what differs, which tables to merge, and merging them.

Works on tables that are open already; knows no directory and no lock. May import `table`.

    merged        the newest version of a key wins, a tombstone hides older ones
    difference    what changed between two views
    factor        what a rule is set with, and
    policy        which tables to merge: each rule as its comparisons, the last of which is the result
    summary       a table of a plan, and
    compaction    merging them, and the plan of doing so
"""

from typing import TYPE_CHECKING

from engine.lazy import lazily

if TYPE_CHECKING:
    from engine.merge.compaction import (
        STASH as STASH,
        CompactionPlan as CompactionPlan,
        Dropped as Dropped,
        Expiry as Expiry,
        check_range as check_range,
        compact_tables as compact_tables,
        is_noop as is_noop,
        plan_compaction as plan_compaction,
    )
    from engine.merge.difference import (
        ChangeKind as ChangeKind,
        LogChanges as LogChanges,
        RefChange as RefChange,
        added_logs as added_logs,
        log_changes as log_changes,
        other_logs as other_logs,
        ref_changes as ref_changes,
        side_by_side as side_by_side,
    )
    from engine.merge.factor import (
        DEFAULT_FACTOR as DEFAULT_FACTOR,
        MAX_FACTOR as MAX_FACTOR,
        check_factor as check_factor,
    )
    from engine.merge.merged import (
        MergedTable as MergedTable,
        Version as Version,
        merge_blocks as merge_blocks,
        merge_columns as merge_columns,
    )
    from engine.merge.policy import (
        Comparison as Comparison,
        ComparisonKind as ComparisonKind,
        Segment as Segment,
        fastlog2 as fastlog2,
        geometric_steps as geometric_steps,
        log2_steps as log2_steps,
        sizes_to_segments as sizes_to_segments,
        suggest_compaction_segment as suggest_compaction_segment,
        suggest_geometric_segment as suggest_geometric_segment,
    )
    from engine.merge.summary import TableSummary as TableSummary
else:
    __getattr__, __dir__, __all__ = lazily(
        __name__,
        {
            "compaction": (
                "STASH CompactionPlan Dropped Expiry check_range compact_tables is_noop plan_compaction"
            ),
            "difference": (
                "ChangeKind LogChanges RefChange added_logs log_changes other_logs ref_changes side_by_side"
            ),
            "factor": "DEFAULT_FACTOR MAX_FACTOR check_factor",
            "merged": "MergedTable Version merge_blocks merge_columns",
            "policy": (
                "Comparison ComparisonKind Segment fastlog2 "
                "geometric_steps log2_steps sizes_to_segments suggest_compaction_segment "
                "suggest_geometric_segment"
            ),
            "summary": "TableSummary",
        },
    )

"""Lists of any length that are never built: rows are read a page at a time, and forgotten again.

May import `text`.

    row_filter    which rows a filter lets through
    row_pages     rows that are read a page at a time
    record_rows   refs and reflog entries as rows
    prefix_tree   refs as a tree of prefixes
    sorted_rows   rows in another order
    difference_rows, outcome_rows
                  what changed between two views, and what a repair does, as rows
    file_bytes    bytes of a file
    layout_nodes  the parts of a table as a tree
    export        rows into a file of the user's
"""

from typing import TYPE_CHECKING

from engine.lazy import lazily

if TYPE_CHECKING:
    from inspector.rows.difference_rows import KINDS, ChangeRows, Changes
    from inspector.rows.export import Entries, ExportError, check_export_path, entry_json, export_rows
    from inspector.rows.file_bytes import ByteSource, FileBytes, HeldBytes
    from inspector.rows.layout_nodes import (
        Check,
        Node,
        NodePlace,
        PathRead,
        damages,
        node_place,
        read_children,
        read_path,
        read_record_place,
        root_node,
    )
    from inspector.rows.outcome_rows import ORDER, OutcomeRows
    from inspector.rows.prefix_tree import (
        ROOT,
        Level,
        PrefixRow,
        PrefixTree,
        TreeRow,
        behind,
        prefixes_of,
        read_level,
    )
    from inspector.rows.record_rows import LogRow, LogRows, PagedRows, RefRow, RefRows, log_row
    from inspector.rows.row_filter import FilterError, RowFilter, beginning
    from inspector.rows.row_pages import (
        PAGE_ROWS,
        READ_ERRORS,
        SCAN_RECORDS,
        RowPages,
        RowSource,
        SequenceRows,
    )
    from inspector.rows.sorted_rows import LOG_ORDERS, REF_ORDERS, Order, SortedRows
else:
    __getattr__, __dir__, __all__ = lazily(
        __name__,
        {
            "difference_rows": "KINDS ChangeRows Changes",
            "export": "Entries ExportError check_export_path entry_json export_rows",
            "file_bytes": "ByteSource FileBytes HeldBytes",
            "layout_nodes": (
                "Check Node NodePlace PathRead damages node_place read_children read_path "
                "read_record_place root_node"
            ),
            "outcome_rows": "ORDER OutcomeRows",
            "prefix_tree": "ROOT Level PrefixRow PrefixTree TreeRow behind prefixes_of read_level",
            "record_rows": "LogRow LogRows PagedRows RefRow RefRows log_row",
            "row_filter": "FilterError RowFilter beginning",
            "row_pages": "PAGE_ROWS READ_ERRORS SCAN_RECORDS RowPages RowSource SequenceRows",
            "sorted_rows": "LOG_ORDERS REF_ORDERS Order SortedRows",
        },
    )

"""Lists of any length that are never built: rows are read a page at a time, and forgotten again.

May import `text`.

    row_filter    which rows a filter lets through
    row_pages     rows that are read a page at a time
    record_rows   refs and reflog entries as rows
    sorted_rows   rows in another order
    difference_rows, outcome_rows
                  what changed between two views, and what a repair does, as rows
    byte_pages    bytes of a file
    layout_nodes  the parts of a table as a tree
    export        rows into a file of the user's
"""

from inspector.rows.byte_pages import BytePages as BytePages, ByteSource as ByteSource, HeldBytes as HeldBytes
from inspector.rows.difference_rows import KINDS as KINDS, ChangeRows as ChangeRows, Changes as Changes
from inspector.rows.export import (
    Entries as Entries,
    ExportError as ExportError,
    check_export_path as check_export_path,
    entry_json as entry_json,
    export_rows as export_rows,
)
from inspector.rows.layout_nodes import (
    Check as Check,
    Node as Node,
    PathRead as PathRead,
    Place as Place,
    damages as damages,
    place_of as place_of,
    read_children as read_children,
    read_path as read_path,
    read_record_place as read_record_place,
    root_node as root_node,
)
from inspector.rows.outcome_rows import ORDER as ORDER, OutcomeRows as OutcomeRows
from inspector.rows.record_rows import (
    LogRow as LogRow,
    LogRows as LogRows,
    PagedRows as PagedRows,
    RefRow as RefRow,
    RefRows as RefRows,
    log_row as log_row,
)
from inspector.rows.row_filter import FilterError as FilterError, RowFilter as RowFilter
from inspector.rows.row_pages import (
    PAGE_ROWS as PAGE_ROWS,
    READ_ERRORS as READ_ERRORS,
    SCAN_RECORDS as SCAN_RECORDS,
    RowPages as RowPages,
    RowSource as RowSource,
    SequenceRows as SequenceRows,
)
from inspector.rows.sorted_rows import (
    LOG_ORDERS as LOG_ORDERS,
    REF_ORDERS as REF_ORDERS,
    Order as Order,
    SortedRows as SortedRows,
)

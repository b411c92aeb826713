"""What is wrong with a stack, where, what git makes of it, and what helps. Reads only.

May import `stack`, `layout`, `merge` and `git`.

    faults        every kind of fault, as one table
    finding       one fault in one place
    files         `tables.list` and the files beside the tables
    block, index, objects, table
                  the parts of one table, then the whole of it
    whole_stack   the tables together
    run           all of it in order: `fsck`
"""

from engine.fsck.faults import FAULTS, REWRITE_TABLE, FaultKind, Severity
from engine.fsck.files import finding_of
from engine.fsck.finding import Finding, Report
from engine.fsck.run import fsck
from engine.fsck.table import CheckedTable, check_table

__all__ = [
    "FAULTS",
    "REWRITE_TABLE",
    "CheckedTable",
    "FaultKind",
    "Finding",
    "Report",
    "Severity",
    "check_table",
    "finding_of",
    "fsck",
]

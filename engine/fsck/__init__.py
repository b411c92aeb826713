"""What is wrong with a stack, where, what git makes of it, and what helps. Reads only.

May import `stack`, `layout`, `merge` and `git`.

    faults        every kind of fault, as one table
    finding       one fault in one place
    causes        which finding follows from which
    frame         of a table, what is around its blocks
    order         the tables together, by their headers
    special, names, passing, block
                  the records of one block, fast where they are sound
    index, objects, values, table
                  the other parts of one table, then the whole of it
    head          HEAD, held against its reflog
    whole_stack   the refs as seen through all tables
    files         `tables.list`, the tables that it names, and where the others are, of which
    beside        says what is wrong with them
    run           all of it in order: `fsck`
    quick         what can be told without reading the tables: `quick_check`
    repository    what surrounds the stacks
"""

from typing import TYPE_CHECKING

from engine.lazy import lazily

if TYPE_CHECKING:
    from engine.fsck.beside import finding_of as finding_of
    from engine.fsck.causes import Causes as Causes
    from engine.fsck.faults import (
        FAULTS as FAULTS,
        REWRITE_TABLE as REWRITE_TABLE,
        FaultKind as FaultKind,
        Severity as Severity,
    )
    from engine.fsck.finding import Finding as Finding, Report as Report, by_cause as by_cause
    from engine.fsck.frame import Limits as Limits
    from engine.fsck.head import branch_of_head as branch_of_head
    from engine.fsck.order import (
        check_order as check_order,
        hidden_newer as hidden_newer,
        once_each as once_each,
    )
    from engine.fsck.passing import testify as testify
    from engine.fsck.quick import QuickCheck as QuickCheck, quick_check as quick_check
    from engine.fsck.repository import check_repository as check_repository
    from engine.fsck.run import fsck as fsck
    from engine.fsck.table import check_file as check_file
    from engine.fsck.values import (
        has_symref as has_symref,
        misplaced_refs as misplaced_refs,
        mistargeted_refs as mistargeted_refs,
        renamed_refs as renamed_refs,
        target_below_refs as target_below_refs,
    )
else:
    __getattr__, __dir__, __all__ = lazily(
        __name__,
        {
            "beside": "finding_of",
            "causes": "Causes",
            "faults": "FAULTS REWRITE_TABLE FaultKind Severity",
            "finding": "Finding Report by_cause",
            "frame": "Limits",
            "head": "branch_of_head",
            "order": "check_order hidden_newer once_each",
            "passing": "testify",
            "quick": "QuickCheck quick_check",
            "repository": "check_repository",
            "run": "fsck",
            "table": "check_file",
            "values": "has_symref misplaced_refs mistargeted_refs renamed_refs target_below_refs",
        },
    )

"""The command line: one file for each group of verbs.

May import `actions` and `demo`; the terminal inspector is imported when it is opened.

    entry         verbs, errors and exit codes
    opening       from a path to an open stack, and the options that every verb takes
    output        where a verb's output goes
    shape, records, layout, fsck
                  the verbs that look
    changes, repair, snapshots
                  the verbs that change
"""

from inspector.cli.entry import main

"""The command line: one file for each group of verbs. `main` starts it.

May import `actions` and `demo`; the terminal inspector is imported when it is opened.

    entry         which file has which verb, errors and exit codes
    terminal      the verb with no name, which opens the inspector
    suggestions   what is meant by a word that is no verb
    completion    what may come next, for the scripts of three shells in completions/, with
    choices       of parameters: refs, tables, worktrees
    man_pages     the manual, made of the help texts when a wheel is built
    opening       from a path to an open stack, and the options that every verb takes
    shadowed      what to say where `engine` is another one
    output        where a verb's output goes
    schema        what a line of JSON holds, for each verb: a document that users validate with
    shape, records, resolve, layout, fsck
                  the verbs that look
    findings      what both fsck and survey tell of a finding
    survey        the verb that looks at many repositories, with
    workers       processes, and
    metrics       OpenMetrics
    export        a copy in a new directory, or, by
    anonymize     one without names to show to others
    add, changes, repair, snapshots
                  the verbs that change
    demo          the verb that makes a stack
"""

from __future__ import annotations

import gc
import os
import sys
from contextlib import suppress


def main() -> None:
    """The entry point of the installed command.

    What it imports takes half of the time of a small verb, and an interrupt may come then as well. Once the
    verb has ended, one changes nothing any more, and is ignored.

    What imports make stays, and what is left at the end goes with the process: looking through all of it for
    garbage, again and again, would be a fifth of a small verb.
    """
    gc.disable()
    try:
        from inspector.cli.entry import command_line, ignore_interrupts

        code = command_line()
        ignore_interrupts()
    except ImportError:
        from inspector.cli.shadowed import shadowed

        if (told := shadowed()) is None:
            raise
        os.write(2, os.fsencode(f"reftable-inspector: {told}\n"))
        code = 70
    except KeyboardInterrupt:
        # Behind an interrupted import, nothing is sure to be there.
        with suppress(OSError):
            os.write(2, b"reftable-inspector: interrupted\n")
        os._exit(130)
    gc.freeze()
    sys.exit(code)

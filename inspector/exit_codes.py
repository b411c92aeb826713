"""What the command line answers to the shell, and the one place where an error becomes a line of text.

Verbs raise what the engine raises; `describe` says what it means for the user and with which code
the process ends.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from contextlib import suppress
from enum import IntEnum
from typing import Final

import click

from engine import errors
from engine.system import POSIX
from inspector.text import safe_message, safe_name


class ExitCode(IntEnum):
    """The codes of every verb; scripts may rely on them."""

    OK = 0
    FINDINGS = 1
    USAGE = 2
    UNREADABLE = 3
    LOCKED = 4
    CHANGED = 5
    UNWRITABLE = 6
    INTERNAL = 70  # EX_SOFTWARE
    INTERRUPTED = 130  # 128 + SIGINT, as shells have it

    @property
    def meaning(self) -> str:
        """When a verb ends with it, as docs/json.md says."""
        return _MEANINGS[self]


_MEANINGS: Final = {
    ExitCode.OK: "fine",
    ExitCode.FINDINGS: "`fsck` or `survey` found errors, or `survey` could not look at something; `resolve`, "
    "`trace` or `logs --ref` found nothing; `export` has left out names, or its copy is not alike; "
    "`repair --apply` has left errors, or something is lost or may be, or a ref is revived or doubtful",
    ExitCode.USAGE: "the command line, or what was read from standard input, makes no sense, or git would "
    "refuse it; standard input is closed",
    ExitCode.UNREADABLE: "cannot be read, or not all of it: there is no reftable repository, or the stack is "
    "damaged (the message says which file and byte); `export` has taken up, or left out, a table that the "
    "list has lost, or a ref is lost, revived or doubtful; a stack that is to be repaired first is not "
    "written to",
    ExitCode.LOCKED: "another process holds a lock, or `repair --apply` has done nothing, as one may be in "
    "use",
    ExitCode.CHANGED: "the stack is no longer the one that was planned for, a ref does not hold the expected "
    "value, a hook refuses the change, or what `undo` or `snapshots` would do takes `--force`",
    ExitCode.UNWRITABLE: "standard output is closed or full, or the disk under the stack is, or fails, "
    "or the user may not write there",
    ExitCode.INTERNAL: "the program itself failed",
    ExitCode.INTERRUPTED: "interrupted; nothing is left behind, and a message says so if a change is made "
    "already",
}


ENDINGS: Final = (signal.SIGTERM, signal.SIGHUP) if POSIX else (signal.SIGTERM,)
"""What tells a process to end, besides an interrupt."""

STANDARD_OUTPUT: Final = "standard output"
"""The file name that an error of writing it has."""


WRITES: Final = "inspector.writes"
"""Where a verb notes in the `meta` of its context whether the call is to write anything."""


def describe(error: BaseException, *, has_changed: bool = False, writes: bool = True) -> tuple[ExitCode, str]:
    """The exit code for `error` and one line that says what happened and what to do, if anything.

    Takes what a verb may raise: `ReftableError`, `OSError`, `Cancelled`, `KeyboardInterrupt`. `has_changed`
    when a change was made before, such as the first of several transactions; `writes` unless the call would
    not have written anything. The line is not fit for a terminal yet: it may quote names from a stack.
    """
    outcome = "; nothing was written" if writes else ""
    if has_changed:
        outcome = "; what was written before stays"
    match error:
        case BrokenPipeError():  # `refs | head`: the reader has all it wants
            return ExitCode.OK, ""
        case KeyboardInterrupt() | errors.Cancelled():
            return ExitCode.INTERRUPTED, f"interrupted{'; a change is made already' * has_changed}"
        case errors.OutdatedError():
            again = "" if has_changed else ", run the command again"
            advice = f"the stack was changed by another process{outcome}{again}"
            return ExitCode.CHANGED, f"{error}; {advice}"
        # A hook refuses as an old value does: the input makes sense, and may be taken another time.
        case errors.ExpectationError() | errors.HookError():
            return ExitCode.CHANGED, f"{error}{outcome}"
        case errors.LockError():
            return ExitCode.LOCKED, str(error)
        case errors.RefnameError() | errors.NameConflictError() | errors.EntryTooBigError():
            return ExitCode.USAGE, f"{error}{outcome}"
        case errors.ApiError():
            return ExitCode.USAGE, str(error)
        case errors.CommittedError(__cause__=OSError() as cause):
            return describe(cause, writes=writes)[0], str(error)
        case errors.SnapshotError():
            return ExitCode.UNREADABLE, f"{error}{outcome}"
        case errors.FormatError() | errors.MissingTableError():
            told = f"{error}{outcome}:" if outcome else f"{error};"
            return ExitCode.UNREADABLE, f"{told} see the verbs fsck and repair"
        case OSError(errno=errno.EMFILE | errno.ENFILE):
            advice = (
                "each table is an open file: allow more of them (ulimit -n), or have git compact the stack"
            )
            return ExitCode.UNREADABLE, f"{errors.in_words(error)}; {advice}"
        case OSError(errno=errno.EBADF):
            return ExitCode.UNWRITABLE, "standard output is closed"
        case OSError(filename=str(place)) if place == STANDARD_OUTPUT:
            return ExitCode.UNWRITABLE, f"{place}: {error.strerror}"
        case OSError(errno=errno.EIO) if writes and errors.is_readable(error):
            return ExitCode.UNWRITABLE, errors.in_words(error)
        case PermissionError() if _is_of_writing(error, writes=writes):
            return ExitCode.UNWRITABLE, errors.in_words(error)
        case OSError(errno=errno.ENOSPC | errno.EDQUOT | errno.EFBIG | errno.EROFS):
            return ExitCode.UNWRITABLE, errors.in_words(error)
        case _:
            return ExitCode.UNREADABLE, errors.in_words(error)


def _is_of_writing(error: PermissionError, *, writes: bool) -> bool:
    """Whether permission to write is wanting: the file may be read, or is not there, where it could be."""
    if error.filename is None:  # the program itself refuses
        return True
    path = os.fsdecode(error.filename)
    there, wanted = (path, os.R_OK) if os.path.lexists(path) else (os.path.dirname(path) or ".", os.X_OK)
    return writes and os.access(there, wanted, effective_ids=os.access in os.supports_effective_ids)


def report_defect(error: BaseException, what: str) -> None:
    """Say on standard error what happened and where, without what the variables held."""
    import traceback  # noqa: PLC0415 - a tenth of the start of a verb, which only a defect pays for

    for line in "".join(traceback.format_exception(error)).splitlines():
        click.echo(safe_name(line), err=True)
    note(f"{what} failed: the fault is in it, and not in your repository")


def note(text: str) -> None:
    """A line on standard error, fit for a terminal whatever it quotes, behind all that was printed before."""
    if sys.stdout is not None:
        with suppress(OSError, ValueError):  # the end of the verb tells of it
            sys.stdout.flush()
    click.echo(f"reftable-inspector: {safe_message(text)}", err=True)

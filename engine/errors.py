"""Every error the engine raises on its own account, as one small tree.

    ReftableError
    ├── FormatError            the bytes are wrong: table, offset, reason
    │   └── ChecksumError      the footer's CRC-32 does not match
    ├── MissingTableError      tables.list names a table that is not there
    ├── LockError              another process holds a lock, or left it behind
    ├── OutdatedError          the stack changed since this handle read it
    ├── CommittedError         a change is made, but something failed after it
    │   └── PartlyCommittedError   the changes of one stack are made, those of another are not
    ├── EntryTooBigError       a record does not fit into a block
    ├── RefnameError           git would refuse this ref name
    ├── NameConflictError      one ref name is a directory of another
    ├── ExpectationError       a ref does not hold the old value that was expected
    ├── HookError              a hook refuses a transaction, or cannot be asked
    ├── RepositoryError        there is no reftable stack behind this path
    │   └── OtherBackendError  there is a repository, which keeps its refs elsewhere
    └── ApiError (ValueError)  the caller broke a rule of the interface

`Cancelled`, by which a progress callback asks to stop, is none of them: nothing has gone wrong.

Absent records are `None`, never an error, and `OSError` passes through unchanged.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import Final

from engine.system import user_id, user_name

_SHOWN_BYTES: Final = 120
_SHOWN_NAMES: Final = 3
_CHUNK: Final = 2**20


def shown(data: bytes) -> str:
    r"""Bytes as a message quotes them, in ASCII (`'refs/heads/\xff'`): those of a file may be megabytes."""
    quoted = repr(data[:_SHOWN_BYTES]).removeprefix("b")
    return quoted if len(data) <= _SHOWN_BYTES else f"{quoted}... ({len(data)} bytes)"


def counted(number: int, noun: str, plural: str = "") -> str:
    """`1 table`, `1,234 tables`; `plural` where it takes more than an s."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def in_words(error: BaseException) -> str:
    """An error as a line: of the system's ones what is wrong and with which file, without their number."""
    if not isinstance(error, OSError) or not error.strerror:
        return str(error)
    if error.filename is None:
        return error.strerror
    whose = belongs_to(error)
    return f"{error.strerror}: {os.fsdecode(error.filename)}{f' ({whose})' if whose else ''}"


def belongs_to(error: OSError) -> str:
    """Whose file it is that may not be used, what its mode is, and who wants it; empty for other errors."""
    me = user_id()
    if isinstance(error, PermissionError) and error.filename is not None and me is not None:
        with suppress(OSError):
            status = os.stat(error.filename)
            owner, user = user_name(status.st_uid), user_name(me)
            return (
                f"it belongs to {owner} and has the mode {stat.S_IMODE(status.st_mode):03o}; you are {user}"
            )
    return ""


def is_readable(error: OSError) -> bool:
    """Whether the file of an error of the disk can be read, or is not there: then writing has failed.

    Reads all of it.
    """
    if error.filename is None:
        return True
    try:
        if stat.S_ISREG(os.lstat(error.filename).st_mode):
            with open(error.filename, "rb", buffering=0) as file:
                while file.read(_CHUNK):
                    pass
    except FileNotFoundError:
        pass
    except OSError:
        return False
    return True


class ReftableError(Exception):
    """Base of every error that the engine raises itself; pickled, it stays what it is."""

    def __reduce__(self) -> tuple[object, ...]:
        return _without_init, (type(self), self.args), vars(self)


def _without_init(kind: type[ReftableError], args: tuple[object, ...]) -> ReftableError:
    """An error with its message: `__init__` would make one of the parts, which are in the state."""
    return kind.__new__(kind, *args)


class FormatError(ReftableError):
    """Bytes of a table or of `tables.list` that break the format.

    `name` is the file's name, `offset` the byte position inside the file that the
    reason speaks of (None when it concerns the file as a whole).
    """

    def __init__(self, name: str, offset: int | None, reason: str) -> None:
        self.name = name
        self.offset = offset
        self.reason = reason
        where = "" if offset is None else f" at byte {offset}"
        super().__init__(f"{name}{where}: {reason}")


class ChecksumError(FormatError):
    """The CRC-32 in a table's footer is not that of the footer's bytes."""


class SnapshotError(FormatError):
    """A file of a snapshot is not what it took, or is gone; the files of the stack are not to blame."""


class MissingTableError(ReftableError):
    """`tables.list` names a table that does not exist, and no other process is to blame."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"{name}: listed in tables.list, but there is no such file")


class _FileError(ReftableError):
    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"{path}: {reason}")


class LockError(_FileError):
    """A lock is held by another process, or was left behind by one that died: try again, later."""


class OutdatedError(_FileError):
    """The stack on disk is no longer the one this handle (or plan) was made from.

    `reload()` and try again: at once, for no process is in the way.
    """


class CommittedError(ReftableError):
    """A change is part of the stack, but something failed after it: it must not be made again.

    The handle shows the stack as it was before, until `reload()`.
    """

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"{path}: the change is made; behind it, something failed: {reason}")


class PartlyCommittedError(CommittedError):
    """Of a transaction over several stacks, the changes of some are made, and those of others are not.

    `made` are the refs and reflogs that have been changed, `missing` those that have not.
    """

    def __init__(self, path: str, reason: str, made: tuple[bytes, ...], missing: tuple[bytes, ...]) -> None:
        super().__init__(path, reason)
        self.made = made
        self.missing = missing
        self.args = (f"{path}: the change of {_few(made)} is made, that of {_few(missing)} is not: {reason}",)


def _few(names: tuple[bytes, ...]) -> str:
    more = f" and {len(names) - _SHOWN_NAMES:,} more" if len(names) > _SHOWN_NAMES else ""
    return ", ".join(map(shown, names[:_SHOWN_NAMES])) + more


class EntryTooBigError(ReftableError):
    """A record (or the index over such records) does not fit into one block."""


class _RefError(ReftableError):
    def __init__(self, name: bytes, reason: str) -> None:
        self.name = name
        self.reason = reason
        super().__init__(f"{shown(name)}: {reason}")


class RefnameError(_RefError):
    """A ref name that `git check-ref-format` refuses."""


class NameConflictError(ReftableError):
    """Two ref names of which one would have to be a directory of the other."""

    def __init__(self, name: bytes, other: bytes) -> None:
        self.name = name
        self.other = other
        super().__init__(f"{shown(name)} cannot exist together with {shown(other)}")


class ExpectationError(_RefError):
    """A ref does not hold the old value that an update expected of it."""


class HookError(ReftableError):
    """A hook of the repository does not let a transaction happen, or cannot be asked."""


class RepositoryError(ReftableError):
    """A path behind which there is no reftable stack; the message says what is there."""


class OtherBackendError(RepositoryError):
    """A path behind which there is a repository that keeps its refs in files, or in another backend."""


class ApiError(ReftableError, ValueError):
    """The caller broke a rule of the engine's interface; nothing was written."""


class Cancelled(Exception):  # noqa: N818 - a request, not a fault
    """Raised by a progress callback to stop a long operation, which then leaves no file behind.

    No `ReftableError`: what deals with trouble lets it through to whoever asked. Once a change is made, it
    arrives as the `CommittedError` that says so.
    """


def require_bytes(name: object) -> None:
    """Raise ApiError unless this is `bytes`, as ref names and object ids are, whatever they are called."""
    if not isinstance(name, bytes):
        like = f": {os.fsencode(name)!r} instead of {name!r}" if isinstance(name, str) else f", not {name!r}"
        raise ApiError(f"ref names and object ids are bytes{like}")


def reason_of(error: FormatError | OSError) -> str:
    """What has gone wrong in reading, in words, without the file."""
    if isinstance(error, FormatError):
        return error.reason
    whose = belongs_to(error)
    return f"not readable by you: {whose}" if whose else error.strerror or str(error)

"""Records as type checkers know them: what `type` says of one, they then know of its values.

    LiveRef   a ref as a stack shows it: with an object id, with a tag's and its target, or symbolic
    AnyRef    a ref record as a table holds it, tombstones among them
    LogEntry  a reflog entry as a stack shows it: with both ids, one of them null where a ref began or ended
    AnyLog    a log record as a table holds it, tombstones among them

At run time there are `RefRecord` and `LogRecord` and nothing else. The heirs here are never made, and lie in
a file that is never compiled: mypyc would make them. (A generic class of records would tell checkers as much,
but mypyc gives an heir of `Generic` a place for weak references, and does not clear these when it ends.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from engine.format.record import LogRecord, RefRecord

if TYPE_CHECKING:

    class _Direct(RefRecord):
        type: Literal["val1"]
        value: bytes
        peeled: None
        target: None

    class _Tag(RefRecord):
        type: Literal["val2"]
        value: bytes
        peeled: bytes
        target: None

    class _Symbolic(RefRecord):
        type: Literal["symref"]
        value: None
        peeled: None
        target: bytes

    class _Tombstone(RefRecord):
        type: Literal["deletion"]
        value: None
        peeled: None
        target: None

    class _Update(LogRecord):
        type: Literal["update"]
        old: bytes
        new: bytes

    class _LogTombstone(LogRecord):
        type: Literal["deletion"]
        old: None
        new: None

    LiveRef: TypeAlias = _Direct | _Tag | _Symbolic
    AnyRef: TypeAlias = LiveRef | _Tombstone
    LogEntry: TypeAlias = _Update
    AnyLog: TypeAlias = LogEntry | _LogTombstone
else:
    LiveRef = AnyRef = RefRecord
    LogEntry = AnyLog = LogRecord

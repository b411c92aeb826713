"""What every open stack has for reading, sound or damaged: `ReadStack`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from engine.errors import require_bytes
from engine.format import HashId, LiveRef, LogEntry
from engine.merge import MergedTable
from engine.table import Table


class ReadStack(Protocol):
    """An open stack, for what only reads it: a `Stack`, or what `open_readable` makes of a damaged one.

    `tables`, oldest first, are `merged` into one view; `hash_id` is their hash function. Reading raises
    `FormatError` and `OSError`, and `ApiError` for a name or an object id that is not `bytes`.
    """

    __slots__ = ()

    tables: tuple[Table, ...]
    merged: MergedTable

    @property
    def hash_id(self) -> HashId:
        """The hash function of the object ids."""

    def reload(self) -> bool:
        """Take up changes by others; whether there were any."""

    def close(self) -> None:
        """Close its files."""

    def read_ref(self, name: bytes) -> LiveRef | None:
        """The ref of this name, or None if there is none or it was deleted."""
        require_bytes(name)
        return self.merged.read_ref(name)

    def read_log(self, name: bytes) -> LogEntry | None:
        """The newest log entry of this ref, be it a marker (`LogRecord.is_marker`), or None."""
        require_bytes(name)
        return self.merged.read_log(name)

    def refs(self, prefix: bytes = b"") -> Iterator[LiveRef]:
        """The refs whose names begin with `prefix`, in name order."""
        require_bytes(prefix)
        return self.merged.refs(prefix)

    def logs(self, name: bytes | None = None) -> Iterator[LogEntry]:
        """The log entries of all refs or of one, by name and newest first, markers among them."""
        if name is not None:
            require_bytes(name)
        return self.merged.logs(name)

    def refs_for(self, oid: bytes) -> Iterator[LiveRef]:
        """The refs whose value or peeled value is `oid`, in name order."""
        require_bytes(oid)
        return self.merged.refs_for(oid)

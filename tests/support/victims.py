"""Small sound tables that have something of everything, for tests that damage each of their bytes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine.format import HashId, LogRecord, RefRecord
from engine.table import WriteOptions
from tests.support.tables import oid, write_table


def log(name: bytes, update_index: int, size: int = 20) -> LogRecord:
    """An entry of a reflog, with object ids of `size` bytes."""
    return LogRecord(name, update_index, oid(0, size), oid(1, size), b"A", b"a@b", 1, -130, b"m\n")


@dataclass(frozen=True, slots=True)
class Victim:
    """A sound table that is to be damaged."""

    refs: list[RefRecord]
    logs: list[LogRecord]
    options: WriteOptions

    @property
    def size(self) -> int:
        """Bytes of an object id."""
        return (self.options.hash_id or HashId.SHA1).size

    @property
    def names(self) -> list[bytes]:
        """All names in it."""
        return sorted({record.name for record in (*self.refs, *self.logs)})

    def write(self, path: Path) -> bytes:
        """Write the table and return its bytes."""
        write_table(path, self.refs, self.logs, self.options)
        return path.read_bytes()


# No two ids begin alike, so that a damaged one needs no longer beginnings in the object section.
VICTIMS = {
    "every kind of record": Victim(
        [
            RefRecord(b"HEAD", 2, target=b"refs/heads/main"),
            RefRecord(b"refs/heads/gone", 2),
            RefRecord(b"refs/heads/main", 1, value=oid(0)),
            RefRecord(b"refs/tags/v1", 2, value=oid(2), peeled=oid(0)),
        ],
        [log(b"HEAD", 2), log(b"HEAD", 1), LogRecord(b"refs/heads/gone", 1)],
        WriteOptions(),
    ),
    "levels of an index, objects": Victim(
        [
            RefRecord(b"%d-branch" % number, 5, oid(number), oid(number + 100) if number % 4 == 1 else None)
            for number in range(8)
        ]
        + [RefRecord(b"9-branch", 6), RefRecord(b"9-symbol", 6, target=b"AUTO_MERGE")],
        [],
        WriteOptions(block_size=80, restart_interval=3, unpadded=True),
    ),
    "padding, SHA-256": Victim(
        [RefRecord(b"r/%02d" % number, 5, oid(number, 32)) for number in range(4)],
        [log(b"a", 1, size=32)],
        WriteOptions(block_size=120, hash_id=HashId.SHA256),
    ),
    "logs alone, with an index": Victim(
        [],
        [LogRecord(b"a/%d" % (number // 3), number % 3 + 1) for number in range(9)],
        WriteOptions(block_size=60, unpadded=True),
    ),
}

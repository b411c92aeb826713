"""Tables to begin with: small ones, of each kind and writer."""

from __future__ import annotations

from collections.abc import Iterator

from engine.format import Footer, HashId, LogRecord, RefRecord
from engine.table import TableWriter, WriteOptions
from tests.support.handmade import Handmade
from tests.support.tables import oid
from tests.support.victims import log


def _written(refs: list[RefRecord], logs: list[LogRecord], options: WriteOptions) -> bytes:
    data = bytearray()
    writer = TableWriter(data.extend, options)
    writer.set_limits(1, 9)
    writer.add_refs(refs)
    writer.add_logs(logs)
    writer.close()
    return bytes(data)


def _refs(count: int, size: int = 20) -> list[RefRecord]:
    names = [b"refs/heads/%02d" % number for number in range(count)]
    return [RefRecord(name, 1 + number % 9, oid(number, size)) for number, name in enumerate(names)]


def tables() -> Iterator[bytes]:
    """The bytes of each table to begin with."""
    kinds = [
        RefRecord(b"HEAD", 2, target=b"refs/heads/00"),
        RefRecord(b"refs/heads/00", 3, oid(1)),
        RefRecord(b"refs/heads/gone", 4),
        RefRecord(b"refs/tags/v1", 5, oid(2), oid(1)),
    ]
    logs = [log(b"HEAD", 2), log(b"HEAD", 1), LogRecord(b"refs/heads/gone", 3)]
    tiny = WriteOptions(block_size=96, restart_interval=3)
    yield _written(kinds, logs, WriteOptions())
    yield _written(_refs(9), [log(b"refs/heads/%d" % number, 1) for number in range(6)], tiny)
    yield _written(_refs(14), [], WriteOptions(block_size=80, unpadded=True, restart_interval=2))
    yield _written(
        [], [LogRecord(b"a/%d" % (n // 3), n % 3 + 1) for n in range(9)], WriteOptions(block_size=60)
    )
    yield _written(_refs(4, 32), [log(b"a", 1, 32)], WriteOptions(block_size=128, hash_id=HashId.SHA256))
    yield _written([], [], WriteOptions())
    jgit = Handmade(block_size=128)
    jgit.refs(_refs(2))
    jgit.pad()
    jgit.refs([RefRecord(b"refs/heads/x", 1, oid(7))])
    data = bytes(jgit.data)
    yield data + _footer(jgit)
    several = Handmade(limits=(1, 9))
    places = [several.refs([ref]) for ref in _refs(5)]
    entries = [(ref.name, place) for ref, place in zip(_refs(5), places, strict=True)]
    root = several.index(entries[:2])
    several.index(entries[2:])
    yield bytes(several.data) + _footer(several, ref_index_offset=root)


def _footer(table: Handmade, **offsets: int) -> bytes:
    return Footer(**offsets).pack(table.header)

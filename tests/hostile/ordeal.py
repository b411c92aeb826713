"""Everything that can be asked of a table, asked of one that may be damaged, and judged.

A damaged table may answer, or raise `FormatError` with what its docstring promises. Any other exception,
reads without end, and a compaction that makes of the records something else than a scan sees, are faults.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from engine.errors import FormatError
from engine.format import INDEX, LOG, OBJ, REF, Block
from engine.merge import Expiry, MergedTable, compact_tables
from engine.table import Table, WriteOptions

Answers = dict[str, object]
"""What was asked, and what came of it: an answer, or the error."""


class RunawayError(AssertionError):
    """More reads than any way through a file can take: a loop."""


class ReadLimit:
    """Counts reads of files, and stops them behind a limit."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.count = 0
        self._pread = os.pread

    def pread(self, fd: int, size: int, offset: int) -> bytes:
        """Read as `os.pread` does, unless it is once too often."""
        self.count += 1
        if self.count > self.limit:
            raise RunawayError(f"more than {self.limit} reads")
        return self._pread(fd, size, offset)


@contextmanager
def limited_reads(limit: int) -> Iterator[ReadLimit]:
    """Let nothing read from a file more than `limit` times without `count` being set back."""
    reads = ReadLimit(limit)
    with mock.patch("os.pread", reads.pread):
        yield reads


def judge(error: FormatError, path: Path) -> None:
    """Hold an error to what `FormatError` promises: the file, a place in it or none, and a reason."""
    assert error.name == path.name
    assert error.reason
    assert error.offset is None or 0 <= error.offset <= path.stat().st_size, error
    assert str(error).startswith(path.name)


def overwrite(path: Path, data: bytes) -> None:
    """Make these bytes the content of a file, in place: to cut it to nothing first may be slow."""
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "wb") as file:
        file.write(data)
        file.truncate()


def interrogate(path: Path, names: Sequence[bytes], oids: Sequence[bytes]) -> Answers:
    """Ask everything of the table at `path`, about these names and ids, and judge each answer.

    Ids are of 32 bytes; of a table with shorter ones, their beginnings are asked.
    """
    answers: Answers = {}
    # A scan reads each block twice at most, and none is smaller than seven bytes; what walks an index first
    # may scan afterwards.
    with limited_reads(path.stat().st_size + 50) as reads:
        try:
            table = Table.open(path)
        except FormatError as error:
            judge(error, path)
            return {"open": error}
        with table:
            for question, ask in _questions(table, names, oids):
                reads.count = 0
                try:
                    answers[question] = ask()
                except FormatError as error:
                    judge(error, path)
                    answers[question] = error
                except Exception as error:
                    error.add_note(f"asked for {question}")
                    raise
    compacted = answers["compaction"]
    if isinstance(compacted, bytes):
        _check_compaction(path.with_suffix(".compacted"), compacted, answers)
    return answers


def _questions(
    table: Table, names: Sequence[bytes], oids: Sequence[bytes]
) -> Iterator[tuple[str, Callable[[], object]]]:
    # As good as two tables that are damaged alike: every key comes twice.
    merged = MergedTable([table, table])
    yield "refs", lambda: list(table.refs())
    yield "logs", lambda: list(table.logs())
    yield "blocks", lambda: [_decode(table, block) for block in table.blocks()]
    yield "compaction", lambda: _compact([table, table], None)
    yield "expiry", lambda: _compact([table], Expiry(time=2, min_update_index=1))
    for name in names:
        yield f"refs from {name!r} on", lambda name=name: next(merged.ref_blocks(name), None)
        yield f"logs of {name!r}", lambda name=name: list(merged.logs(name))
        yield f"versions of {name!r}", lambda name=name: merged.versions(name)
    for number, oid in enumerate(oids):
        yield f"refs for id {number}", lambda oid=oid: list(table.refs_for(oid[: table.hash_id.size]))


def _decode(table: Table, block: Block) -> Sequence[object]:
    decoders: dict[int, Callable[[], Sequence[object]]] = {
        REF: lambda: block.refs(table.hash_id.size, table.min_update_index),
        LOG: lambda: block.logs(table.hash_id.size),
        OBJ: block.objects,
        INDEX: block.index,
    }
    for index in range(block.restart_count):
        block.restart_key(index)
    return decoders[block.type]()


def _compact(tables: Sequence[Table], expiry: Expiry | None) -> bytes:
    written = bytearray()
    options = WriteOptions(hash_id=tables[0].hash_id, exact_log_message=True)
    compact_tables(tables, written.extend, options, drop_tombstones=False, expiry=expiry)
    return bytes(written)


def _check_compaction(path: Path, compacted: bytes, answers: Answers) -> None:
    overwrite(path, compacted)
    with Table.open(path) as table:
        assert list(table.refs()) == answers["refs"]
        assert list(table.logs()) == answers["logs"]

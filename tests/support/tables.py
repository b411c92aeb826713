"""Small tables, and the object ids in them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from engine.format import LogRecord, RefRecord
from engine.table import Table, TableStats, TableWriter, WriteOptions


def oid(number: int, size: int = 20) -> bytes:
    """Return the object id of `size` bytes that stands for `number`; like git's, they are spread evenly."""
    return hashlib.sha256(b"%d" % number).digest()[:size]


def write_table(
    path: Path,
    refs: Iterable[RefRecord] = (),
    logs: Iterable[LogRecord] = (),
    options: WriteOptions | None = None,
    limits: tuple[int, int] | None = None,
) -> TableStats:
    """Write one table, its records in any order, and return what the writer counted.

    Without `limits`, they are the lowest and the highest update index of the records.
    """
    refs, logs = list(refs), list(logs)
    if limits is None:
        indexes = [ref.update_index for ref in refs] + [log.update_index for log in logs]
        limits = (min(indexes), max(indexes))
    with path.open("wb") as file:
        writer = TableWriter(file.write, options or WriteOptions())
        writer.set_limits(*limits)
        writer.add_refs(refs)
        writer.add_logs(logs)
        return writer.close()


def contents_of(table: Table) -> tuple[list[RefRecord], list[LogRecord]]:
    """Return the records of an open table."""
    return list(table.refs()), list(table.logs())


def stack_files(directory: Path) -> dict[str, bytes]:
    """Return every file of a stack's directory, by name."""
    return {path.name: path.read_bytes() for path in sorted(directory.iterdir())}


def stack_contents(directory: Path) -> tuple[list[bytes], dict[str, bytes]]:
    """Return the bytes of the lines of `tables.list`, a table's for its name, and every other file by name.

    That is what an undo brings back: a name never returns, so that tables get others.
    """
    files = stack_files(directory)
    lines = files.pop("tables.list").splitlines(keepends=True) if "tables.list" in files else []
    names = {line: line.rstrip(b"\n").decode("utf-8", "surrogateescape") for line in lines}
    listed = [files.get(names[line], line) for line in lines]
    return listed, {name: data for name, data in files.items() if name not in names.values()}

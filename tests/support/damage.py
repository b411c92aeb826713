"""Damage done to the bytes of a table, and whether a table is one that some writer could have written."""

from __future__ import annotations

import zlib
from dataclasses import replace
from pathlib import Path

from engine.errors import ApiError, EntryTooBigError, FormatError
from engine.format import footer_size, header_size
from engine.table import Table, TableWriter, WriteOptions


def flipped(data: bytes, position: int, mask: int) -> bytes:
    """Return the bytes with bits of one of them flipped."""
    return data[:position] + bytes((data[position] ^ mask,)) + data[position + 1 :]


def with_checksum(data: bytes) -> bytes:
    """Return the table with a footer that fits its first bytes: damage behind a valid checksum."""
    version = data[4]
    size = header_size(version)
    footer = data[-footer_size(version) :]
    body = data[: -len(footer)]
    footer = data[:size] + footer[size:-4]
    return body + footer + zlib.crc32(footer).to_bytes(4, "big")


def written_anew(path: Path, options: WriteOptions) -> bytes | None:
    """Return what a writer makes of the records of a table; None if no writer would take them.

    Raises `FormatError` where the table cannot be read.
    """
    written = bytearray()
    with Table.open(path) as table:
        options = replace(options, block_size=table.block_size, hash_id=table.hash_id, exact_log_message=True)
        writer = TableWriter(written.extend, options)
        try:
            writer.set_limits(table.min_update_index, table.max_update_index)
            for ref in table.refs():
                writer.add_ref(ref)
            for entry in table.logs():
                writer.add_log(entry)
            writer.close()
        except (ApiError, EntryTooBigError, FormatError):
            return None
    return bytes(written)

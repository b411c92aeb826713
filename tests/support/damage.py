"""Damage done to the bytes of a table, and whether a table is one that some writer could have written."""

from __future__ import annotations

import zlib
from dataclasses import replace
from pathlib import Path

from engine.errors import ApiError, EntryTooBigError, FormatError
from engine.format import footer_size, header_size
from engine.layout import Group, Span
from engine.table import Table, TableWriter, WriteOptions
from tests.support.spans import layout_of, leaves
from tests.support.thinning import THOROUGH


def flipped(data: bytes, position: int, mask: int = 0xFF) -> bytes:
    """Return the bytes with bits of one of them flipped."""
    return data[:position] + bytes((data[position] ^ mask,)) + data[position + 1 :]


def telling_places(data: bytes, stride: int) -> list[int]:
    """Return offsets in a sound table that stand for all: damage to bytes of one kind ends in the same way.

    Of each kind of field of each section these are the first byte and the last, where the field occurs first
    and where it does last. For what the kinds do not tell (the middle of a name, what is deflated, what a
    field is in front of) each byte whose offset is a multiple of `stride` is added. All bytes if THOROUGH.
    """
    if THOROUGH:
        return list(range(len(data)))
    first: dict[tuple[str, str], Span] = {}
    last: dict[tuple[str, str], Span] = {}
    for part in layout_of(data).children():
        for field in leaves(part) if isinstance(part, Group) else [part]:
            first.setdefault((part.name, field.name), field)
            last[part.name, field.name] = field
    ends = {at for field in (*first.values(), *last.values()) for at in (field.start, field.end - 1)}
    return sorted(ends | set(range(0, len(data), stride)))


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

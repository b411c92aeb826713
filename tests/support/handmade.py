"""Tables that the engine never writes: put together block by block, or damaged with a valid checksum."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from engine.format import (
    INDEX,
    LOG,
    OBJ,
    REF,
    Footer,
    HashId,
    Header,
    LogRecord,
    RefRecord,
    footer_size,
    log_key,
)
from engine.format.block import Block, BlockWriter
from engine.format.codec import encode_head, encode_log, encode_ref
from engine.format.varint import put_u24, put_varint
from engine.table import Table

_ANY_SIZE = 2**24 - 1

Item = tuple[bytes, int, bytes]
"""A record on its way into a block: key, kind, tail."""


def raw_record(prefix: int, suffix: bytes, kind: int, tail: bytes) -> bytes:
    """Return the bytes of one record, whether or not they make sense behind others."""
    return encode_head(prefix, len(suffix), kind) + suffix + tail


def raw_block(
    block_type: int, records: bytes, restarts: Sequence[int] | None = None, header: bytes = b""
) -> bytes:
    """Return a block with these records' bytes; without `restarts`, its first record is the only one.

    Restarts count as in the format: from the block's start, in a file's first block from that of the file.
    """
    start = len(header) + 4
    offsets = [start] if restarts is None else restarts
    trailer = b"".join(map(put_u24, offsets)) + len(offsets).to_bytes(2, "big")
    body = records + trailer
    length = start + len(body)
    if block_type == LOG:
        body = zlib.compress(body, 9)
    return header + bytes((block_type,)) + put_u24(length) + body


class Handmade:
    """A table that grows by whole blocks; each method returns the offset of its block.

    Blocks follow each other directly, unless `pad` is called; the footer says what `write` is told.
    """

    def __init__(
        self,
        *,
        block_size: int = 0,
        limits: tuple[int, int] = (1, 1),
        hash_id: HashId = HashId.SHA1,
        version: int | None = None,
    ) -> None:
        self.header = Header(version or hash_id.version, block_size, *limits, hash_id)
        self.data = bytearray()

    def block(self, block_type: int, items: Iterable[Item], restart_interval: int = 16) -> int:
        """Append a block of these records."""
        header = b"" if self.data else self.header.pack()
        writer = BlockWriter(block_type, _ANY_SIZE, len(header), restart_interval)
        for item in items:
            assert writer.add(*item)
        return self.append(writer.finish(header))

    def refs(self, records: Iterable[RefRecord], restart_interval: int = 16) -> int:
        """Append a block of refs."""
        low, size = self.header.min_update_index, self.header.hash_id.size
        items = [(record.name, *encode_ref(record, low, size)) for record in records]
        return self.block(REF, items, restart_interval)

    def logs(self, records: Iterable[LogRecord], restart_interval: int = 16) -> int:
        """Append a block of log entries."""
        size = self.header.hash_id.size
        items = [(log_key(log.name, log.update_index), *encode_log(log, size)) for log in records]
        return self.block(LOG, items, restart_interval)

    def objects(self, entries: Iterable[tuple[bytes, list[int]]]) -> int:
        """Append a block of the object section: beginnings of ids, and 1 to 7 offsets of ref blocks."""
        items = []
        for prefix, offsets in entries:
            deltas = [offset - last for last, offset in zip([0, *offsets], offsets, strict=False)]
            items.append((prefix, len(offsets), b"".join(map(put_varint, deltas))))
        return self.block(OBJ, items)

    def index(self, entries: Iterable[tuple[bytes, int]]) -> int:
        """Append an index block: last keys, and the offsets of their blocks."""
        return self.block(INDEX, [(key, 0, put_varint(offset)) for key, offset in entries])

    def append(self, raw: bytes) -> int:
        """Append bytes as they are."""
        offset = len(self.data)
        self.data += raw
        return offset

    def pad(self) -> None:
        """Append zeros up to the block size."""
        self.data += bytes(-len(self.data) % self.header.block_size)

    def write(self, path: Path, **offsets: int) -> Path:
        """Write the table with a footer of these fields, and return its path."""
        footer = Footer(**offsets).pack(self.header)
        path.write_bytes((self.data or self.header.pack()) + footer)
        return path


def change_footer(path: Path, **changes: Any) -> None:  # noqa: ANN401 - the fields of Footer
    """Change fields of a table's footer; its checksum stays valid."""
    with Table.open(path) as table:
        header, footer = table.header, table.footer
    raw = footer._replace(**changes).pack(header)
    path.write_bytes(path.read_bytes()[: -len(raw)] + raw)


def change_header(path: Path, **changes: Any) -> None:  # noqa: ANN401 - the fields of Header
    """Change fields of a table's header, in both places; the checksum stays valid."""
    with Table.open(path) as table:
        header, footer = table.header, table.footer
    changed = header._replace(**changes)
    data = path.read_bytes()
    blocks = data[header.size : -footer_size(header.version)]
    path.write_bytes(changed.pack() + blocks + footer.pack(changed))


def change_byte(path: Path, offset: int, mask: int = 0xFF) -> None:
    """Flip bits of one byte of a file."""
    data = bytearray(path.read_bytes())
    data[offset] ^= mask
    path.write_bytes(data)


def overwrite(path: Path, offset: int, data: bytes) -> None:
    """Put bytes in the place of others."""
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def blocks(path: Path, block_type: int) -> list[Block]:
    """The blocks of this type in a table."""
    with Table.open(path) as table:
        return [block for block in table.blocks() if block.type == block_type]

"""The file format as data: numbers, header, footer, names. No file is opened here.

A table is

    first block   header, then the first block in the same block_size bytes
    block*        each aligned to block_size, or following the last one directly
    footer        the header again, five section offsets, a CRC-32

    header v1   "REFT" u8(1) u24(block_size) u64(min_update_index) u64(max_update_index)
    header v2   "REFT" u8(2) ... as v1 ... "sha1" or "s256"
    footer      header u64(ref index) u64(obj << 5 | object id length) u64(obj index)
                u64(log) u64(log index) u32(CRC-32 of all before it)

All integers are big-endian; an offset of 0 means that the section does not exist (refs and
the logs of a log-only table need no offset, they start with the file). A varint carries seven
bits a byte, most significant first, the high bit saying that more follow, and adds one for
each byte that follows: no number has two spellings.

What blocks and records look like is in `block.py` and `record.py`. The source of every rule
is git's `Documentation/technical/reftable.adoc`.
"""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from engine.errors import ChecksumError, FormatError, shown

MAGIC: Final = b"REFT"
U64_MAX: Final = 2**64 - 1

DEFAULT_BLOCK_SIZE: Final = 4096
MAX_BLOCK_SIZE: Final = 2**24 - 1
DEFAULT_RESTART_INTERVAL: Final = 16
MAX_RESTARTS: Final = 2**16 - 1

REF: Final = ord("r")
LOG: Final = ord("g")
OBJ: Final = ord("o")
INDEX: Final = ord("i")
BLOCK_TYPES: Final = frozenset({REF, LOG, OBJ, INDEX})
SECTION_NAMES: Final = {REF: "ref", LOG: "log", OBJ: "obj", INDEX: "index"}

BLOCK_HEADER_SIZE: Final = 4
RESTART_SIZE: Final = 3
RESTART_COUNT_SIZE: Final = 2

_HEADER_V1 = struct.Struct(">4sB3sQQ")
_HASH_ID = struct.Struct(">4s")
_OFFSETS = struct.Struct(">QQQQQ")
_CRC = struct.Struct(">I")

OBJECT_ID_LEN_BITS: Final = 5
MAX_OBJECT_ID_LEN: Final = 2**OBJECT_ID_LEN_BITS - 1
MIN_OBJECT_ID_LEN: Final = 2


class HashId(StrEnum):
    """The hash function whose object ids a table holds."""

    SHA1 = "sha1"
    SHA256 = "sha256"

    @property
    def size(self) -> int:
        """Bytes of one object id: 20 or 32."""
        return 20 if self is HashId.SHA1 else 32

    @property
    def version(self) -> int:
        """The version that git writes for this hash: 1 for SHA-1, 2 for everything else."""
        return 1 if self is HashId.SHA1 else 2


_HASH_OF_ID: Final = {b"sha1": HashId.SHA1, b"s256": HashId.SHA256}
_ID_OF_HASH: Final = {hash_id: raw for raw, hash_id in _HASH_OF_ID.items()}


def header_size(version: int) -> int:
    """Bytes of a header: 24 in version 1, 28 in version 2."""
    return _HEADER_V1.size if version == 1 else _HEADER_V1.size + _HASH_ID.size


def footer_size(version: int) -> int:
    """Bytes of a footer: 68 in version 1, 72 in version 2."""
    return header_size(version) + _OFFSETS.size + _CRC.size


SMALLEST_TABLE: Final = header_size(1) + footer_size(1)


@dataclass(slots=True, frozen=True)
class Header:
    """The first bytes of a table, repeated at the start of its footer."""

    version: int
    block_size: int
    min_update_index: int
    max_update_index: int
    hash_id: HashId

    @property
    def size(self) -> int:
        """Bytes of this header in the file."""
        return header_size(self.version)

    def pack(self) -> bytes:
        """The header's bytes."""
        raw = _HEADER_V1.pack(
            MAGIC, self.version, put_u24(self.block_size), self.min_update_index, self.max_update_index
        )
        return raw if self.version == 1 else raw + _ID_OF_HASH[self.hash_id]

    @classmethod
    def parse(cls, name: str, data: bytes, offset: int = 0) -> Header:
        """The header at the start of `data`, which lies at `offset` of the file `name`.

        Raises `FormatError` for a wrong magic, version or hash id.
        """
        if len(data) < _HEADER_V1.size:
            raise FormatError(name, offset, f"{len(data)} bytes are too few for a header")
        magic, version, block_size, low, high = _HEADER_V1.unpack_from(data)
        if magic != MAGIC:
            what = f"starts with {shown(magic)} instead of {shown(MAGIC)}: not a reftable"
            raise FormatError(name, offset, what)
        if version == 1:
            hash_id = HashId.SHA1
        elif version == 2:
            raw = data[_HEADER_V1.size : _HEADER_V1.size + _HASH_ID.size]
            if raw not in _HASH_OF_ID:
                raise FormatError(name, offset + _HEADER_V1.size, f"unknown hash id {shown(raw)}")
            hash_id = _HASH_OF_ID[raw]
        else:
            raise FormatError(name, offset + len(MAGIC), f"unknown format version {version}")
        return cls(version, get_u24(block_size, 0), low, high, hash_id)


@dataclass(slots=True, frozen=True)
class Footer:
    """Where the sections of a table lie; 0 where there is none."""

    ref_index_offset: int = 0
    obj_offset: int = 0
    object_id_len: int = 0
    obj_index_offset: int = 0
    log_offset: int = 0
    log_index_offset: int = 0

    def pack(self, header: Header) -> bytes:
        """The footer's bytes, with the header's copy in front and the CRC-32 at the end."""
        raw = header.pack() + _OFFSETS.pack(
            self.ref_index_offset,
            self.obj_offset << OBJECT_ID_LEN_BITS | self.object_id_len,
            self.obj_index_offset,
            self.log_offset,
            self.log_index_offset,
        )
        return raw + _CRC.pack(zlib.crc32(raw))

    @classmethod
    def parse(cls, name: str, data: bytes, offset: int, header: bytes) -> Footer:
        """The footer in `data`, which lies at `offset`; `header` is the file's first bytes.

        Raises `ChecksumError` for a wrong CRC and `FormatError` where the header's copy
        differs or an object section has no object id length. Offsets are not judged here:
        a section is checked by whoever goes there.
        """
        copied = data[: len(header)]
        if not copied.startswith(MAGIC):
            raise FormatError(
                name, offset, "no footer where it has to be: the file was cut short or overwritten"
            )
        if copied != header:
            raise FormatError(name, offset, "the footer's copy of the header differs from the header")
        stored = _CRC.unpack_from(data, len(data) - _CRC.size)[0]
        computed = zlib.crc32(data[: -_CRC.size])
        if stored != computed:
            reason = f"footer CRC is {stored:08x}, its bytes have {computed:08x}"
            raise ChecksumError(name, offset + len(data) - _CRC.size, reason)
        ref_index, obj, obj_index, log, log_index = _OFFSETS.unpack_from(data, len(header))
        obj_offset, object_id_len = obj >> OBJECT_ID_LEN_BITS, obj & MAX_OBJECT_ID_LEN
        if obj_offset and not object_id_len:
            raise FormatError(name, offset + len(header) + 8, "an object section with an id length of 0")
        return cls(ref_index, obj_offset, object_id_len, obj_index, log, log_index)


def put_u24(value: int) -> bytes:
    """Three bytes, big-endian."""
    return value.to_bytes(3, "big")


def get_u24(data: bytes, pos: int) -> int:
    """The three-byte integer at `pos`. Raises `IndexError` past the end."""
    return data[pos] << 16 | data[pos + 1] << 8 | data[pos + 2]


def put_varint(value: int) -> bytes:
    """`value` (0..2**64-1) in git's varint: 1 to 10 bytes."""
    if value < 0x80:
        return bytes((value,))
    out = [value & 0x7F]
    value >>= 7
    while value:
        value -= 1
        out.append(0x80 | value & 0x7F)
        value >>= 7
    out.reverse()
    return bytes(out)


def get_varint(data: bytes, pos: int) -> tuple[int, int]:
    """The varint at `pos` and the position behind it.

    Raises `IndexError` past the end and `ValueError` above 2**64-1; whoever knows file and
    offset makes a `FormatError` of both.
    """
    byte = data[pos]
    pos += 1
    value = byte & 0x7F
    while byte & 0x80:
        byte = data[pos]
        pos += 1
        value = (value + 1 << 7) + (byte & 0x7F)
        if value > U64_MAX:
            raise ValueError("a varint above 2**64-1")
    return value, pos


@dataclass(slots=True, frozen=True)
class TableName:
    """The parts of a table's file name: update-index range, suffix, kind of file."""

    min_update_index: int
    max_update_index: int
    suffix: str
    extension: str


# git: 0x%012x-0x%012x-%08x.ref; JGit leaves 0x out and calls log-only tables .log;
# the Go library of 2020 has no suffix.
_TABLE_NAME = re.compile(r"(?:0x)?([0-9a-f]{12,16})-(?:0x)?([0-9a-f]{12,16})(?:-([0-9a-f]{1,8}))?\.(ref|log)")


def format_table_name(min_update_index: int, max_update_index: int, suffix: int) -> str:
    """The name git gives a table, without extension; `suffix` is 32 random bits."""
    return f"0x{min_update_index:012x}-0x{max_update_index:012x}-{suffix:08x}"


def parse_table_name(name: str) -> TableName | None:
    """The parts of a table name as git, JGit or the Go library write it, or None."""
    found = _TABLE_NAME.fullmatch(name)
    if found is None:
        return None
    return TableName(int(found[1], 16), int(found[2], 16), found[3] or "", found[4])


_LONGEST_FILE_NAME: Final = 255


def is_table_file(name: str) -> bool:
    """Whether a directory entry of this name is meant to be a table, listed or not."""
    return name.endswith((".ref", ".log")) and not name.startswith(".")


def parse_table_list(name: str, data: bytes) -> list[str]:
    """The table names in the bytes of a `tables.list`, oldest first.

    Empty lines are dropped; a missing final newline is refused, as by git since 2.52 (a list
    cut short must not pass for a shorter stack). Raises `FormatError`, also for a name that
    would lead out of the directory.
    """
    if data and not data.endswith(b"\n"):
        raise FormatError(name, len(data), "no newline at the end: the list may have been cut short")
    names: list[str] = []
    offset = 0
    for line in data.split(b"\n"):
        if line:
            if b"/" in line or b"\0" in line or line in {b".", b".."} or len(line) > _LONGEST_FILE_NAME:
                raise FormatError(name, offset, f"{shown(line)} is no name of a table in this directory")
            names.append(line.decode("utf-8", "surrogateescape"))
        offset += len(line) + 1
    return names


def pack_table_list(names: list[str]) -> bytes:
    """The bytes of a `tables.list` with these names."""
    return b"".join(name.encode("utf-8", "surrogateescape") + b"\n" for name in names)

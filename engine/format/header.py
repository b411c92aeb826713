"""The frame of a table: the numbers of the format, header and footer. No file is opened here.

A table is

    first block   header, then the first block in the same block_size bytes
    block*        each aligned to block_size, or following the last one directly
    footer        the header again, five section offsets, a CRC-32

`HEADER_FIELDS` and `FOOTER_FIELDS` say which fields there are: sizes, parsing and packing, the layout of the
bytes and the checks of fsck all follow these two. All integers are big-endian; an offset of 0 means that the
section does not exist (refs and the logs of a log-only table need no offset, they start with the file).

The source of every rule is git's `Documentation/technical/reftable.adoc`.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from enum import StrEnum
from typing import Final, NamedTuple

from engine.errors import ChecksumError, FormatError, shown

MAGIC: Final = b"REFT"

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


class Field(NamedTuple):
    """A field of the header, or of the footer behind its copy of the header, and where it begins there."""

    name: str
    offset: int
    size: int

    @property
    def end(self) -> int:
        """Where it ends."""
        return self.offset + self.size

    def raw(self, data: bytes) -> bytes:
        """Its bytes in `data`, which begin where offsets count from."""
        return data[self.offset : self.end]

    def number(self, data: bytes) -> int:
        """Its bytes in `data` as a number."""
        return int.from_bytes(self.raw(data), "big")


def _fields(*sizes: tuple[str, int]) -> tuple[Field, ...]:
    fields: list[Field] = []
    for name, size in sizes:
        fields.append(Field(name, fields[-1].end if fields else 0, size))
    return tuple(fields)


HEADER_FIELDS: Final = _fields(
    ("magic", 4),  # "REFT"
    ("version", 1),
    ("block size", 3),
    ("min update index", 8),
    ("max update index", 8),
    ("hash id", 4),  # "sha1" or "s256", in version 2 only
)
FOOTER_FIELDS: Final = _fields(
    ("ref index offset", 8),
    ("obj offset", 8),  # the length of the object ids in its lowest OBJECT_ID_LEN_BITS
    ("obj index offset", 8),
    ("log offset", 8),
    ("log index offset", 8),
    ("CRC-32", 4),  # of all before it, the copy of the header as well
)
_MAGIC, _VERSION, _BLOCK_SIZE, MIN_UPDATE_INDEX, _MAX_UPDATE_INDEX, _HASH_ID = HEADER_FIELDS
*_OFFSETS, CRC = FOOTER_FIELDS
OBJ_OFFSET: Final = _OFFSETS[1]


def header_fields(version: int) -> tuple[Field, ...]:
    """The fields of a header of this version."""
    return HEADER_FIELDS[:-1] if version == 1 else HEADER_FIELDS


def header_size(version: int) -> int:
    """Bytes of a header: 24 in version 1, 28 in version 2."""
    return header_fields(version)[-1].end


def footer_size(version: int) -> int:
    """Bytes of a footer: 68 in version 1, 72 in version 2."""
    return header_size(version) + CRC.end


SMALLEST_TABLE: Final = header_size(1) + footer_size(1)


def policy_size(size: int, version: int) -> int:
    """The size by which compaction policies judge a table file of so many bytes.

    Without footer and most of the header, as git computes it: a table with one record weighs little more
    than nothing.
    """
    return max(1, size - footer_size(version) - (header_size(version) - 1))


def _pack(fields: Iterable[Field], values: Iterable[int | bytes]) -> bytes:
    return b"".join(
        value if isinstance(value, bytes) else value.to_bytes(field.size, "big")
        for field, value in zip(fields, values, strict=True)
    )


class Header(NamedTuple):
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
        limits = self.min_update_index, self.max_update_index
        values = (MAGIC, self.version, self.block_size, *limits, _ID_OF_HASH[self.hash_id])
        fields = header_fields(self.version)
        return _pack(fields, values[: len(fields)])

    @classmethod
    def parse(cls, name: str, data: bytes, offset: int = 0) -> Header:
        """The header at the start of `data`, which lies at `offset` of the file `name`.

        Raises `FormatError` for a wrong magic, version or hash id.
        """
        if len(data) < header_size(1):
            raise FormatError(name, offset, f"{len(data)} bytes are too few for a header")
        magic, version = _MAGIC.raw(data), _VERSION.number(data)
        if magic != MAGIC:
            what = f"starts with {shown(magic)} instead of {shown(MAGIC)}: not a reftable"
            raise FormatError(name, offset, what)
        if version not in (1, 2):
            raise FormatError(name, offset + _VERSION.offset, f"unknown format version {version}")
        raw = _ID_OF_HASH[HashId.SHA1] if version == 1 else _HASH_ID.raw(data)
        if raw not in _HASH_OF_ID:
            raise FormatError(name, offset + _HASH_ID.offset, f"unknown hash id {shown(raw)}")
        low, high = MIN_UPDATE_INDEX.number(data), _MAX_UPDATE_INDEX.number(data)
        return cls(version, _BLOCK_SIZE.number(data), low, high, _HASH_OF_ID[raw])


class Footer(NamedTuple):
    """Where the sections of a table lie; 0 where there is none."""

    ref_index_offset: int = 0
    obj_offset: int = 0
    object_id_len: int = 0
    obj_index_offset: int = 0
    log_offset: int = 0
    log_index_offset: int = 0

    def pack(self, header: Header) -> bytes:
        """The footer's bytes, with the header's copy in front and the CRC-32 at the end."""
        obj = self.obj_offset << OBJECT_ID_LEN_BITS | self.object_id_len
        values = (self.ref_index_offset, obj, self.obj_index_offset, self.log_offset, self.log_index_offset)
        raw = header.pack() + _pack(_OFFSETS, values)
        return raw + _pack((CRC,), (zlib.crc32(raw),))

    @classmethod
    def parse(cls, name: str, data: bytes, offset: int, header: bytes) -> Footer:
        """The footer in `data`, which lies at `offset`; `header` is the file's first bytes.

        Raises `ChecksumError` for a wrong CRC and `FormatError` where the header's copy differs or an object
        section has no object id length. Offsets are not judged here: a section is checked when it is read.
        """
        copied, fields = data[: len(header)], data[len(header) :]
        if not copied.startswith(MAGIC):
            raise FormatError(
                name, offset, "no footer where it has to be: the file was cut short or overwritten"
            )
        if copied != header:
            raise FormatError(name, offset, "the footer's copy of the header differs from the header")
        reason = checksum_fault(data)
        if reason is not None:
            raise ChecksumError(name, offset + len(header) + CRC.offset, reason)
        ref_index, obj, obj_index, log, log_index = (field.number(fields) for field in _OFFSETS)
        obj_offset, object_id_len = obj >> OBJECT_ID_LEN_BITS, obj & MAX_OBJECT_ID_LEN
        if obj_offset and not object_id_len:
            raise FormatError(name, offset + len(header) + OBJ_OFFSET.offset, NO_OBJECT_ID_LEN)
        return cls(ref_index, obj_offset, object_id_len, obj_index, log, log_index)


NO_OBJECT_ID_LEN: Final = "an object section with an id length of 0"


def checksums(footer: bytes) -> tuple[int, int]:
    """The CRC-32 that a whole footer states, and that of its bytes."""
    return int.from_bytes(footer[-CRC.size :], "big"), zlib.crc32(footer[: -CRC.size])


def checksum_fault(footer: bytes) -> str | None:
    """What is wrong with the CRC-32 of a whole footer, or None."""
    stored, computed = checksums(footer)
    return None if stored == computed else f"footer CRC is {stored:08x}, its bytes have {computed:08x}"

"""One block: parsed and searched, or filled and finished.

    type       'r', 'g', 'o' or 'i'
    u24        block length: from the block's start to the end of its restart count
    record+    see `codec.py`
    u24*       restart offsets: records that are stored with their whole key, ascending
    u16        number of restarts, at least one
    padding    zeros up to the table's block size, never behind a log block

The first block of a file shares its space with the file header: its length and its restart
offsets count from the start of the file. Everything behind a log block's first four bytes is
deflated; its length and offsets speak of the inflated bytes.
"""

from __future__ import annotations

import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from itertools import accumulate, chain
from typing import Final, TypeVar

from engine.errors import FormatError
from engine.format.codec import (
    Part,
    common_prefix,
    decode_index,
    decode_logs,
    decode_objects,
    decode_refs,
    encode_head,
)
from engine.format.header import (
    BLOCK_HEADER_SIZE,
    BLOCK_TYPES,
    DEFAULT_BLOCK_SIZE,
    LOG,
    MAX_RESTARTS,
    RESTART_COUNT_SIZE,
    RESTART_SIZE,
    SECTION_NAMES,
)
from engine.format.malformed import Malformed
from engine.format.raw_record import parted
from engine.format.record import IndexRecord, LogRecord, ObjectRecord, RefRecord
from engine.format.varint import get_u24, get_varint, put_u24

_T = TypeVar("_T")
_P = TypeVar("_P")
_COMPRESSION_LEVEL: Final = 9
_LARGEST_GUESS: Final = 2**16


Read = Callable[[int, int], bytes]
"""How a file is read: `read(offset, size)` gives at most `size` bytes, fewer at its end."""


def read_size(block_len: int) -> int:
    """The bytes of a file to read for a block of this length.

    Deflate may make a log block of random bytes larger than it was: a header, a checksum, and
    five bytes for each 16 KiB that it stores as they are.
    """
    return block_len + (block_len >> 10) + 64


def read_block(read: Read, offset: int, left: int, header_size: int, block_size: int) -> bytes:
    """The bytes of a file from the beginning of a block on, as many as the block may have.

    `left` is how many bytes of blocks there are from `offset` on; `header_size` and
    `block_size` as for `Block.parse`.
    """
    # The table's block size is a hint that may be far too large; the block states its own.
    data = read(offset, min(read_size(min(block_size or DEFAULT_BLOCK_SIZE, _LARGEST_GUESS)), left))
    if len(data) >= header_size + BLOCK_HEADER_SIZE:
        # A log block of another writer, or an index block of JGit, may exceed the block size.
        size = min(read_size(int.from_bytes(data[header_size + 1 : header_size + 4], "big")), left)
        if size > len(data):
            data = read(offset, size)
    return data


class Block:
    """A block of a table, checked as far as its frame goes; records are checked when decoded.

    `data` begins where the block does (so with the file header in a file's first block) and ends with the
    restart count; in a log block it is inflated. `offset` and `next_offset` are positions in the file, all
    others positions in `data`. `padding` counts the bytes between the block and the next one. `restart_keys`
    are kept of a block that is searched time and again.
    """

    __slots__ = (
        "data",
        "name",
        "next_offset",
        "offset",
        "padding",
        "records_end",
        "records_start",
        "restart_count",
        "restart_keys",
        "type",
    )

    def __init__(
        self,
        name: str,
        offset: int,
        block_type: int,
        data: bytes,
        records_start: int,
        records_end: int,
        restart_count: int,
        next_offset: int,
        padding: int,
    ) -> None:
        self.name = name
        self.offset = offset
        self.type = block_type
        self.data = data
        self.records_start = records_start
        self.records_end = records_end
        self.restart_count = restart_count
        self.next_offset = next_offset
        self.padding = padding
        self.restart_keys: list[bytes] | None = None

    @property
    def block_len(self) -> int:
        """The length that the block's header states (of a log block: when inflated)."""
        return len(self.data)

    @classmethod
    def parse(
        cls, name: str, data: bytes, offset: int, header_size: int, block_size: int, end: int | None = None
    ) -> Block:
        """The block at `offset`, of which `data` are the bytes that follow there.

        `data` holds `read_size(block length)` bytes, or less at the end of the blocks; `header_size` is that
        of the file header for the first block and 0 for others, `block_size` the table's. The last block, in
        front of `end`, is not padded. Raises `FormatError`.
        """
        start = header_size + BLOCK_HEADER_SIZE
        if len(data) < start:
            raise FormatError(name, offset, f"{len(data)} bytes are too few for a block")
        block_type = data[header_size]
        if block_type not in BLOCK_TYPES:
            raise FormatError(name, offset + header_size, f"unknown block type 0x{block_type:02x}")
        block_len = int.from_bytes(data[header_size + 1 : start], "big")
        if block_len < start + RESTART_COUNT_SIZE:
            raise FormatError(name, offset + header_size + 1, f"a block length of {block_len} is too short")
        if block_type == LOG:
            body, used = _inflate(name, data[start:], offset + start, block_len - start)
            data = data[:start] + body
            next_offset = offset + start + used
            padding = 0
        else:
            if block_len > len(data):
                reason = f"a block of {block_len} bytes, of which {len(data)} are left in the table"
                raise FormatError(name, offset + header_size + 1, reason)
            padding = _padding(data, block_len, block_size)
            if end is not None:
                padding = min(padding, end - offset - block_len)
            next_offset = offset + block_len + padding
            data = data[:block_len]
        count_at = block_len - RESTART_COUNT_SIZE
        restart_count = data[count_at] << 8 | data[count_at + 1]
        records_end = count_at - RESTART_SIZE * restart_count
        block = cls(name, offset, block_type, data, start, records_end, restart_count, next_offset, padding)
        if not restart_count or records_end <= start:
            reason = f"{restart_count} restart points do not fit a block of {block_len} bytes"
            raise block.error(count_at, reason)
        return block

    def error(self, pos: int, reason: str) -> FormatError:
        """What is wrong at a position in `data`."""
        if self.type != LOG:
            return FormatError(self.name, self.offset + pos, reason)
        return FormatError(self.name, self.offset, f"{reason} (at byte {pos} of the inflated block)")

    def restart(self, index: int) -> int:
        """The position in `data` of a restart point. Raises `FormatError` outside the records."""
        at = self.records_end + RESTART_SIZE * index
        offset = get_u24(self.data, at)
        if not self.records_start <= offset < self.records_end:
            raise self.error(at, f"restart offset {offset} is outside the records")
        return offset

    def restart_key(self, index: int) -> bytes:
        """The key stored at a restart point. Raises `FormatError` if it is not stored whole."""
        data, at = self.data, self.restart(index)
        try:
            prefix, pos = get_varint(data, at)
            second, pos = get_varint(data, pos)
        except (IndexError, ValueError) as error:
            raise self.error(at, "no key at a restart point") from error
        stop = pos + (second >> 3)
        if prefix or stop > self.records_end:
            raise self.error(at, "the key at a restart point is not whole")
        return data[pos:stop]

    def _restarts_up_to(self, key: bytes) -> int:
        """How many restart points have a key <= `key`."""
        if self.restart_keys is not None:
            return bisect_right(self.restart_keys, key)
        data, start, end = self.data, self.records_start, self.records_end
        low, high = 0, self.restart_count
        while low < high:
            middle = (low + high) >> 1
            at = end + RESTART_SIZE * middle
            at = data[at] << 16 | data[at + 1] << 8 | data[at + 2]
            at_restart = b""
            # As good as every key at a restart point is whole, and its length a varint of two bytes at most.
            if start <= at < end - 2 and not data[at]:
                length, key_at = data[at + 1], at + 2
                if length >= 0x80 and data[key_at] < 0x80:
                    length = (length - 0x7F << 7) + data[key_at]
                    key_at += 1
                stop = key_at + (length >> 3)
                if data[key_at - 1] < 0x80 and stop <= end:
                    at_restart = data[key_at:stop]
            if not at_restart:
                at_restart = self.restart_key(middle)
            if at_restart <= key:
                low = middle + 1
            else:
                high = middle
        return low

    def _fault(self, error: Exception) -> FormatError:
        """What a decoder has tripped over, as the error that says where."""
        if isinstance(error, Malformed):
            return self.error(error.pos, error.reason)
        section = SECTION_NAMES[self.type]
        return FormatError(self.name, self.offset, f"a {section} record runs over its block")

    def parts(self, decode: Callable[..., tuple[_P, int, bytes, int]], *args: int) -> Iterator[_P]:
        """All records, by one of the functions of `codec.py` or `raw_record.py`. Raises `FormatError`.

        One list of them, of a large block several; none is empty.
        """
        pos, key, spent = self.records_start, b"", 0
        while pos < self.records_end:
            try:
                records, pos, key, spent = decode(self.data, pos, self.records_end, key, spent, *args)
            except (IndexError, ValueError) as error:
                raise self._fault(error) from error
            yield records

    def records(self, decode: Callable[..., Part[_T]], *args: int) -> Iterator[_T]:
        """All records one by one, by one of those functions. Raises `FormatError`."""
        return chain.from_iterable(self.parts(decode, *args))

    def refs(self, hash_size: int, min_update_index: int) -> list[RefRecord]:
        """All ref records of a block that is not large. Raises `FormatError`."""
        return list(self.records(decode_refs, hash_size, min_update_index))

    def logs(self, hash_size: int) -> list[LogRecord]:
        """All log records of a block that is not large. Raises `FormatError`."""
        return list(self.records(decode_logs, hash_size))

    def objects(self) -> list[ObjectRecord]:
        """All records of a block of objects that is not large. Raises `FormatError`."""
        return list(self.records(decode_objects))

    def index(self) -> list[IndexRecord]:
        """All records of an index block that is not large. Raises `FormatError`."""
        return list(self.records(decode_index))

    def seek(self, key: bytes, find: Callable[..., _T | None], *numbers: int) -> _T | None:
        """The first record with a key >= `key`, or None if all are smaller. Raises `FormatError`.

        `find` is the function of `search.py` for this type of block.
        """
        # The record sought lies behind the last restart point <= key, or is the one at the next.
        following = self._restarts_up_to(key)
        index = following - 1 if following else 0
        last = min(following, self.restart_count - 1)
        # Other writers may have their first restart point behind the first record.
        start = self.restart(index) if index else self.records_start
        while index <= last:
            end = self.restart(index + 1) if index + 1 < self.restart_count else self.records_end
            if end <= start:
                raise self.error(self.records_end + RESTART_SIZE * index, "restart points do not ascend")
            try:
                found = find(self.data, start, end, key, *numbers)
            except (IndexError, ValueError) as error:
                raise self._fault(error) from error
            if found is not None:
                return found
            start = end
            index += 1
        return None


def _inflate(name: str, data: bytes, offset: int, size: int) -> tuple[bytes, int]:
    """Exactly `size` inflated bytes, and how many bytes of `data` they took."""
    inflater = zlib.decompressobj()
    try:
        body = inflater.decompress(data, size)
        # All bytes may be out while the stream's checksum is still to be read.
        more = b"" if inflater.eof else inflater.decompress(inflater.unconsumed_tail, 1)
    except zlib.error as error:
        raise FormatError(name, offset, f"a log block that does not inflate: {error}") from error
    if more or len(body) != size or not inflater.eof:
        what = "more than" if more else f"{len(body)} of"
        raise FormatError(name, offset, f"a log block inflates to {what} the {size} bytes it states")
    return body, len(data) - len(inflater.unused_data)


def _padding(data: bytes, block_len: int, block_size: int) -> int:
    """Bytes of padding behind a block that is no log block.

    No block type is zero, so a byte that is not zero begins the next block: that is how
    unaligned tables look whose header gives a block size all the same (git's `unpadded`).
    Index blocks may be larger than the block size (JGit's single-level indexes).
    """
    if not block_size or block_len % block_size == 0:
        return 0
    if block_len < len(data) and data[block_len]:
        return 0
    return -block_len % block_size


class BlockWriter:
    """Fills one block with records in key order.

    `capacity` is the table's block size, `header_size` that of the file header in a file's
    first block and 0 otherwise.
    """

    def __init__(self, block_type: int, capacity: int, header_size: int, restart_interval: int) -> None:
        self.type = block_type
        self._capacity = capacity
        self._restart_interval = restart_interval
        self._parts: list[bytes] = []
        self.size = header_size + BLOCK_HEADER_SIZE
        self.restarts: list[int] = []
        self.entries = 0
        self.last_key = b""
        self._shared = 0  # by the last two keys that were compared

    def add(self, key: bytes, kind: int, tail: bytes) -> bool:
        """Append a record; False, and nothing changed, if the block has no room for it."""
        prefix = 0
        if self.entries % self._restart_interval:
            prefix = self._shared = common_prefix(self.last_key, key, self._shared)
        head = encode_head(prefix, len(key) - prefix, kind)
        size = len(head) + len(key) - prefix + len(tail)
        # Sharing nothing with the key before makes a restart point, interval or not.
        is_restart = prefix == 0 and len(self.restarts) < MAX_RESTARTS
        trailer = RESTART_COUNT_SIZE + RESTART_SIZE * (len(self.restarts) + is_restart)
        if size + trailer > self._capacity - self.size:
            return False
        if is_restart:
            self.restarts.append(self.size)
        self._parts += (head, key[prefix:], tail)
        self.size += size
        self.entries += 1
        self.last_key = key
        return True

    def take_over(self, keys: list[bytes], encoded: list[bytes], start: int) -> int:
        """Append records from the number `start` on; returns the number of the first that has no room.

        `encoded` are whole records, each as it is stored behind the one before it, as `RawRefs` has them.
        """
        count = len(keys)
        at = start
        while at < count:
            phase = self.entries % self._restart_interval
            if not phase or at == start or not encoded[at][0]:
                kind, tail = parted(keys[at], encoded[at])
                if not self.add(keys[at], kind, tail):
                    break
                at += 1
                continue
            stop = min(at + self._restart_interval - phase, count)
            if keys[at][0] != keys[stop - 1][0]:
                # One that shares nothing with the one before it is a restart point.
                stop = bisect_left(keys, bytes((keys[at][0] + 1,)), at, stop)
            room = self._capacity - self.size - RESTART_COUNT_SIZE - RESTART_SIZE * len(self.restarts)
            run = b"".join(encoded[at:stop])
            is_full = len(run) > room
            if is_full:
                ends = list(accumulate(map(len, encoded[at:stop])))
                stop = at + bisect_right(ends, room)
                if stop == at:
                    break
                run = run[: ends[stop - at - 1]]
            self._parts.append(run)
            self.size += len(run)
            self.entries += stop - at
            self.last_key = keys[stop - 1]
            at = stop
            if is_full:
                break
        return at

    def finish(self, header: bytes) -> bytes:
        """The finished block, unpadded; `header` is the file header of a first block, or empty."""
        block_len = self.size + RESTART_SIZE * len(self.restarts) + RESTART_COUNT_SIZE
        self._parts += [put_u24(restart) for restart in self.restarts]
        self._parts.append(len(self.restarts).to_bytes(RESTART_COUNT_SIZE, "big"))
        body = b"".join(self._parts)
        if self.type == LOG:
            body = zlib.compress(body, _COMPRESSION_LEVEL)
        return header + bytes((self.type,)) + put_u24(block_len) + body

"""The codecs of records: bytes in, records out, and back. The hot loops live here.

Every record of every block is

    varint(prefix length) varint(suffix length << 3 | kind) suffix tail

where the key is that many bytes of the key before it, then the suffix. Keys and tails are

    ref    name                         varint(update_index - min_update_index), then by kind:
                                        0 deletion; 1 one object id; 2 object id and peeled id;
                                        3 varint(length) symref target
    log    name NUL u64(~update_index)  kind 0 deletion: nothing; kind 1: old id, new id,
                                        string name, string email, varint(time), i16(zone),
                                        string message  (string: varint(length) bytes)
    obj    first bytes of an object id  kind is the number of offsets, or 0 and varint(number);
                                        varint offset, then varint differences
    index  last key of a block          varint(offset of that block)

Each decoder is one flat, pure function over a block's bytes from `pos` to `end`, which both
lie on record boundaries. It gives a `Part`: all records of a usual block, and of a large one as many as keep
the list small, since stored bytes tell nothing of what keys add up to. `key` and `spent` are those of the
part before, or empty and 0. They raise `Malformed` (or `IndexError`, `ValueError` from below);
`block.py` is the one place that makes a `FormatError` of these. A slice that runs over the end
comes out short, but moves `pos` past `end` all the same, so the check behind the loop sees it.
"""

from __future__ import annotations

from struct import Struct
from typing import Final, TypeVar

from engine.errors import ApiError, shown
from engine.format.malformed import Excessive, Malformed
from engine.format.record import IndexRecord, LogRecord, ObjectRecord, RefRecord, compiled
from engine.format.varint import U64_MAX, get_varint, put_varint

DELETION: Final = 0
VAL1: Final = 1
VAL2: Final = 2
SYMREF: Final = 3
LOG_UPDATE: Final = 1

MAX_INLINE_OFFSETS: Final = 7
"""An object record's kind counts up to this many offsets; more need a count of their own."""

PART_BYTES: Final = 2**17
"""Stored bytes of a block whose records make one list, if their keys are short."""

PART_KEYS: Final = 2**22
"""What the long keys of one list may add up to, but for its last one."""

MOST_KEY_BYTES: Final = 2**28
"""What the long keys of one block may add up to: 640,000 refs, as 16 MiB hold at most, of 400 bytes each.

This bounds time, not memory: a hostile block of 16 MiB would have terabytes.
"""

_STEPS: Final = 6
"""So many bytes are compared one by one as soon as by two large numbers, where that is interpreted."""

_SHORT_SUFFIXES: Final = bytes([head >> 3 if head & 0x87 == VAL1 else 0 for head in range(0x100)])
"""By the second byte of a ref record with one object id: how long its suffix is, if it tells; else 0."""

_CUTS: Final = {
    size: [Struct(f"{length}sB{size}s").unpack_from for length in range(0x10)] for size in (20, 32)
}
"""By the size of an object id and the length of such a suffix: what cuts out suffix, update index and id."""

_T = TypeVar("_T")

Part = tuple[list[_T], int, bytes, int]
"""Records, where the next begins, the key of the last, and what keys add up to so far."""


def common_prefix(a: bytes, b: bytes, guess: int = 0) -> int:
    """The number of leading bytes that two keys share.

    Keys that follow one another share about as many as those before them: `guess`, on which nothing but the
    time depends.
    """
    size = min(len(a), len(b))
    at = guess if guess <= size and a[:guess] == b[:guess] else 0
    near = size if compiled else min(at + _STEPS, size)
    while at < near:
        if a[at] != b[at]:
            return at
        at += 1
    differing = int.from_bytes(a[at:size], "big") ^ int.from_bytes(b[at:size], "big")
    return size - (differing.bit_length() + 7 >> 3)


def encode_head(prefix: int, suffix_len: int, kind: int) -> bytes:
    """The two varints in front of a record's suffix."""
    second = suffix_len << 3 | kind
    if prefix < 0x80 and second < 0x80:
        return bytes((prefix, second))
    return put_varint(prefix) + put_varint(second)


def decode_key(data: bytes, pos: int, previous: bytes) -> tuple[bytes, int, int]:
    """The key at `pos` behind the key `previous`, its kind and where its tail begins."""
    prefix = data[pos]
    second = data[pos + 1]
    at = pos + 2
    if prefix < 0x80 and second >= 0x80 and data[at] < 0x80:  # two bytes, as in front of most whole keys
        second = (second - 0x7F << 7) + data[at]
        at += 1
    elif prefix >= 0x80 and second < 0x80 and data[at] < 0x80:  # two bytes and one, as behind long keys
        prefix, second = (prefix - 0x7F << 7) + second, data[at]
        at += 1
    elif (prefix | second) >= 0x80:
        prefix, at = get_varint(data, pos)
        second, at = get_varint(data, at)
    stop = at + (second >> 3)
    if prefix > len(previous):
        raise Malformed(pos, f"shares {prefix} bytes with a key of {len(previous)}")
    if stop > len(data):
        raise Malformed(pos, f"a key of {second >> 3} more bytes runs over the block")
    key = previous[:prefix] + data[at:stop]
    if not key:
        raise Malformed(pos, "an empty key")
    return key, second & 7, stop


def add_up(spent: int, key: bytes, pos: int) -> int:
    """What the keys of a block add up to so far, of those that are not short anyway.

    A record of a few bytes may have a key as long as all before it, so that a block's keys can
    add up to the square of its size. Raises `Excessive` far above what any sound block needs.
    """
    spent += len(key)
    if spent > MOST_KEY_BYTES:
        raise Excessive(pos, f"the keys of one block add up to more than {MOST_KEY_BYTES >> 20} MiB")
    return spent


def check_end(pos: int, end: int) -> None:
    """Raise `Malformed` unless the records have ended where they should."""
    if pos != end:
        raise Malformed(end, f"the last record runs {pos - end} bytes over the end of the records")


def decode_refs(
    data: bytes, pos: int, end: int, key: bytes, spent: int, hash_size: int, min_update_index: int
) -> Part[RefRecord]:
    """The ref records of a block, with absolute update indexes."""
    make, record_type = object.__new__, RefRecord
    suffixes, cuts = _SHORT_SUFFIXES, _CUTS[hash_size]
    name = key
    stem, stem_len = b"", 0  # a beginning of the name: what the next one is likely to share
    largest_delta = U64_MAX - min_update_index
    short_delta = min(0x7F, largest_delta)
    records: list[RefRecord] = []
    stop, enough = min(pos + PART_BYTES, end), spent + PART_KEYS
    safe = 0 if compiled else len(data) - 0x12 - hash_size  # the end is too far for such a record
    while pos < stop:
        prefix = data[pos]
        kind = data[pos + 1]
        # Interpreted, most records are told by a look into a table and cut by one call. Compiled, slices do.
        if (
            pos < safe
            and (short := suffixes[kind])
            and (prefix == stem_len or (prefix < 0x80 and prefix <= len(name)))
        ):
            suffix, delta, value = cuts[short](data, pos + 2)
            if delta <= short_delta:
                if prefix != stem_len:
                    stem, stem_len = name[:prefix], prefix
                name = stem + suffix
                pos += 3 + short + hash_size
                record = make(record_type)
                record.name = name
                record.update_index = min_update_index + delta
                record.value = value
                record.peeled = None
                record.target = None
                records.append(record)
                continue
        if prefix < 0x80 and (kind < 0x80 or data[pos + 2] < 0x80):
            start = pos + 2
            if kind >= 0x80:  # two bytes, as in front of most whole keys
                kind = (kind - 0x7F << 7) + data[start]
                start += 1
            if prefix > len(name):
                raise Malformed(pos, f"shares {prefix} bytes with a key of {len(name)}")
            tail = start + (kind >> 3)
            name = name[:prefix] + data[start:tail]
            if not name:
                raise Malformed(pos, "an empty key")
            kind &= 7
        else:
            name, kind, tail = decode_key(data, pos, name)
            spent = add_up(spent, name, pos)
            if spent > enough:
                stop = pos
        stem_len = -1
        delta = data[tail]
        pos = tail + 1
        if delta > short_delta:
            delta, pos = get_varint(data, tail)
            if delta > largest_delta:
                raise Malformed(tail, "an update index above 2**64-1")
        value = peeled = target = None
        start = pos
        if kind == VAL1:
            pos += hash_size
            value = data[start:pos]
        elif kind == VAL2:
            pos += hash_size + hash_size
            value = data[start : start + hash_size]
            peeled = data[start + hash_size : pos]
        elif kind == SYMREF:
            size, start = get_varint(data, pos)
            pos = start + size
            target = data[start:pos]
        elif kind != DELETION:
            raise Malformed(pos, f"unknown ref value type {kind}")
        if compiled:
            records.append(RefRecord(name, min_update_index + delta, value, peeled, target))
        else:
            # Interpreted, five stores take half the time of a call of `__init__`.
            record = make(record_type)
            record.name = name
            record.update_index = min_update_index + delta
            record.value = value
            record.peeled = peeled
            record.target = target
            records.append(record)
    if pos >= end:
        check_end(pos, end)
    return records, pos, name, spent


def decode_log_key(key: bytes, pos: int) -> tuple[bytes, int]:
    """Name and update index of a log record's key, which is at `pos`. Raises `Malformed`."""
    if len(key) < 10 or key[-9] != 0:
        raise Malformed(pos, "a log key without a name, NUL and update index")
    return key[:-9], U64_MAX - int.from_bytes(key[-8:], "big")


def decode_logs(data: bytes, pos: int, end: int, key: bytes, spent: int, hash_size: int) -> Part[LogRecord]:
    """The log records of an inflated block."""
    records: list[LogRecord] = []
    stop, enough = min(pos + PART_BYTES, end), spent + PART_KEYS
    while pos < stop:
        key, kind, at = decode_key(data, pos, key)
        spent = add_up(spent, key, pos)
        if spent > enough:
            stop = pos
        name, update_index = decode_log_key(key, pos)
        if kind == DELETION:
            records.append(LogRecord(name, update_index))
            pos = at
            continue
        if kind != LOG_UPDATE:
            raise Malformed(pos, f"unknown log type {kind}")
        old = data[at : at + hash_size]
        at += hash_size
        new = data[at : at + hash_size]
        at += hash_size
        size, at = get_varint(data, at)
        committer = data[at : at + size]
        size, at = get_varint(data, at + size)
        email = data[at : at + size]
        time, at = get_varint(data, at + size)
        tz = int.from_bytes(data[at : at + 2], "big", signed=True)
        size, at = get_varint(data, at + 2)
        message = data[at : at + size]
        records.append(LogRecord(name, update_index, old, new, committer, email, time, tz, message))
        pos = at + size
    if pos >= end:
        check_end(pos, end)
    return records, pos, key, spent


def decode_objects(data: bytes, pos: int, end: int, key: bytes, spent: int) -> Part[ObjectRecord]:
    """The object records of a block."""
    records: list[ObjectRecord] = []
    stop, enough = min(pos + PART_BYTES, end), spent + PART_KEYS
    while pos < stop:
        start = pos
        key, count, pos = decode_key(data, pos, key)
        spent = add_up(spent, key, start)
        if spent > enough:
            stop = start
        if count == 0:
            count, pos = get_varint(data, pos)
        if count > end - pos:  # each takes a byte at least: no huge count makes a huge loop
            raise Malformed(start, f"{count} offsets in {end - pos} bytes")
        offsets: list[int] = []
        offset = 0
        for _ in range(count):
            delta, pos = get_varint(data, pos)
            if not delta and offsets:
                raise Malformed(start, "offsets that do not ascend")
            offset += delta
            offsets.append(offset)
        records.append(ObjectRecord(key, offsets))
    if pos >= end:
        check_end(pos, end)
    return records, pos, key, spent


def decode_index(data: bytes, pos: int, end: int, key: bytes, spent: int) -> Part[IndexRecord]:
    """The index records of a block."""
    records: list[IndexRecord] = []
    stop, enough = min(pos + PART_BYTES, end), spent + PART_KEYS
    while pos < stop:
        start = pos
        key, kind, pos = decode_key(data, pos, key)
        spent = add_up(spent, key, start)
        if spent > enough:
            stop = start
        if kind:
            raise Malformed(start, f"unknown index record type {kind}")
        offset, pos = get_varint(data, pos)
        records.append(IndexRecord(key, offset))
    if pos >= end:
        check_end(pos, end)
    return records, pos, key, spent


def encode_ref(record: RefRecord, min_update_index: int, hash_size: int) -> tuple[int, bytes]:
    """Kind and tail of a ref record. Raises `ApiError` for a value that is no value."""
    delta = put_varint(record.update_index - min_update_index)
    value, peeled, target = record.value, record.peeled, record.target
    if target is not None:
        if value is not None or peeled is not None:
            raise ApiError(f"{shown(record.name)} has both a target and an object id")
        return SYMREF, delta + put_varint(len(target)) + target
    if value is None:
        if peeled is not None:
            raise ApiError(f"{shown(record.name)} has a peeled object id but no object id")
        return DELETION, delta
    if len(value) != hash_size or (peeled is not None and len(peeled) != hash_size):
        raise ApiError(f"{shown(record.name)}: an object id has to have {hash_size} bytes")
    return (VAL1, delta + value) if peeled is None else (VAL2, delta + value + peeled)


def encode_log(record: LogRecord, hash_size: int, message: bytes | None = None) -> tuple[int, bytes]:
    """Kind and tail of a log record, with another message if there is one. Raises as `encode_ref` does."""
    if record.is_deletion:
        return DELETION, b""
    null = bytes(hash_size)
    old = null if record.old is None else record.old
    new = null if record.new is None else record.new
    if len(old) != hash_size or len(new) != hash_size:
        raise ApiError(f"log of {shown(record.name)}: an object id has to have {hash_size} bytes")
    if not 0 <= record.time <= U64_MAX or not -(2**15) <= record.tz < 2**15:
        raise ApiError(f"log of {shown(record.name)}: time {record.time} or zone {record.tz} is out of range")
    tail = [old, new]
    for text in (record.committer, record.email):
        tail += (put_varint(len(text)), text)
    tail += (put_varint(record.time), record.tz.to_bytes(2, "big", signed=True))
    message = record.message if message is None else message
    tail += (put_varint(len(message)), message)
    return LOG_UPDATE, b"".join(tail)


def encode_object(offsets: list[int], varints: dict[int, bytes]) -> tuple[int, bytes]:
    """Kind and tail of an object record; `varints` keeps what was encoded before, by its number."""
    count = len(offsets)
    pieces: list[bytes] = []
    before = 0
    for offset in offsets:
        delta = offset - before
        piece = varints.get(delta)
        if piece is None:
            piece = varints[delta] = put_varint(delta)
        pieces.append(piece)
        before = offset
    tail = b"".join(pieces)
    return (count, tail) if 0 < count <= MAX_INLINE_OFFSETS else (0, put_varint(count) + tail)

"""Records that pass through a compaction as the bytes they were stored as.

`split_refs` and `split_logs` cut a block into items that know their key and keep their bytes,
which a block writer takes over as they are where the key in front of them is still the same.
That is most of them, and what it costs to make records and encode them again is saved.
"""

from __future__ import annotations

from functools import cache

from engine.errors import shown
from engine.format.record import (
    DELETION,
    LOG_UPDATE,
    PART_BYTES,
    PART_KEYS,
    SYMREF,
    VAL1,
    VAL2,
    LogRecord,
    Malformed,
    Part,
    add_up,
    check_end,
    decode_key,
    decode_log_key,
    encode_head,
    encode_log,
)
from engine.format.varint import U64_MAX, get_varint, put_varint

Encoded = tuple[bytes, bytes, int, int, int, bytes]
"""A record that was cut out of a block but not decoded: (key, previous, prefix, kind, tail_len, encoded).

`encoded` is the whole record as stored behind the key `previous`, with the prefix length `prefix`; its last
`tail_len` bytes are the tail. Behind the very same `previous` (identity tells, not equality) `encoded` may be
written unchanged. A bare tuple, because naming its parts would cost more than cutting them out.
"""


def split_refs(
    data: bytes, pos: int, end: int, key: bytes, spent: int, hash_size: int, min_update_index: int, shift: int
) -> Part[Encoded]:
    """The ref records of a block, cut out for a table whose limits begin `shift` lower.

    Unlike the decoders, this one and `split_logs` check that keys ascend: what they return is
    written again, and a disorder must not be passed on.
    """
    varint = cache(put_varint)
    largest_delta = U64_MAX - min_update_index
    short_delta = min(0x7F, largest_delta)
    items: list[Encoded] = []
    append = items.append
    stop, enough = min(pos + PART_BYTES, end), spent + PART_KEYS
    while pos < stop:
        start = pos
        previous = key
        prefix = data[pos]
        second = data[pos + 1]
        if (prefix | second) < 0x80:
            tail = pos + 2 + (second >> 3)
            if prefix > len(key):
                raise Malformed(pos, f"shares {prefix} bytes with a key of {len(key)}")
            key = key[:prefix] + data[pos + 2 : tail]
            kind = second & 7
        else:
            prefix = get_varint(data, pos)[0]
            key, kind, tail = decode_key(data, pos, key)
            spent = add_up(spent, key, pos)
            if spent > enough:
                stop = pos
        if key <= previous:
            raise Malformed(pos, f"{shown(key)} does not sort after {shown(previous)}")
        delta = data[tail]
        pos = tail + 1
        if delta > short_delta:
            delta, pos = get_varint(data, tail)
            if delta > largest_delta:
                raise Malformed(tail, "an update index above 2**64-1")
        value = pos
        if kind == VAL1:
            pos += hash_size
        elif kind == VAL2:
            pos += hash_size + hash_size
        elif kind == SYMREF:
            size, pos = get_varint(data, pos)
            pos += size
        elif kind != DELETION:
            raise Malformed(pos, f"unknown ref value type {kind}")
        if shift:
            moved = varint(delta + shift) + data[value:pos]
            append((key, previous, prefix, kind, len(moved), data[start:tail] + moved))
        else:
            append((key, previous, prefix, kind, pos - tail, data[start:pos]))
    if pos >= end:
        check_end(pos, end)
    return items, pos, key, spent


def _skip_string(data: bytes, pos: int) -> int:
    size, pos = get_varint(data, pos)
    return pos + size


def split_logs(data: bytes, pos: int, end: int, key: bytes, spent: int, hash_size: int) -> Part[Encoded]:
    """The log records of an inflated block, cut out; tails hold for any table."""
    items: list[Encoded] = []
    stop, enough = min(pos + PART_BYTES, end), spent + PART_KEYS
    while pos < stop:
        previous = key
        prefix = get_varint(data, pos)[0]
        key, kind, tail = decode_key(data, pos, key)
        spent = add_up(spent, key, pos)
        if spent > enough:
            stop = pos
        if key <= previous:
            raise Malformed(pos, f"{shown(key)} does not sort after {shown(previous)}")
        decode_log_key(key, pos)
        after = tail
        if kind == LOG_UPDATE:
            after = _skip_string(data, tail + 2 * hash_size)
            after = _skip_string(data, after)
            after = get_varint(data, after)[1] + 2
            after = _skip_string(data, after)
        elif kind != DELETION:
            raise Malformed(pos, f"unknown log type {kind}")
        items.append((key, previous, prefix, kind, after - tail, data[pos:after]))
        pos = after
    if pos >= end:
        check_end(pos, end)
    return items, pos, key, spent


def is_marker(item: Encoded, hash_size: int) -> bool:
    """Whether a log record that is no tombstone is the marker of an empty reflog (`LogRecord.is_marker`)."""
    tail = len(item[5]) - item[4]
    return not any(item[5][tail : tail + 2 * hash_size])


def marker_for(item: Encoded, hash_size: int) -> Encoded:
    """The marker of an empty reflog under the key of a log record, as git writes it: all is null or empty."""
    key, previous, prefix, *_ = item
    kind, tail = encode_log(LogRecord(b"", 0, new=bytes(hash_size)), hash_size)
    head = encode_head(prefix, len(key) - prefix, kind)
    return key, previous, prefix, kind, len(tail), head + key[prefix:] + tail


def log_time(item: Encoded, hash_size: int) -> tuple[int, int]:
    """The time of a log entry that is no tombstone, in seconds since 1970, and where in it the zone is."""
    *_, tail_len, encoded = item
    email = _skip_string(encoded, len(encoded) - tail_len + 2 * hash_size)
    return get_varint(encoded, _skip_string(encoded, email))


def raw_committer(item: Encoded, hash_size: int) -> bytes:
    """Name and email of a log entry that is no tombstone, each behind its length."""
    *_, tail_len, encoded = item
    begin = len(encoded) - tail_len + 2 * hash_size
    return encoded[begin : _skip_string(encoded, _skip_string(encoded, begin))]


def normalised(item: Encoded, hash_size: int) -> Encoded:
    """The same log record with exactly one newline at the end of its message."""
    key, previous, prefix, kind, tail_len, encoded = item
    if kind == DELETION or (encoded.endswith(b"\n") and not encoded.endswith(b"\n\n")):
        return item
    tail = len(encoded) - tail_len
    _, zone = log_time(item, hash_size)
    _, begin = get_varint(encoded, zone + 2)
    message = encoded[begin:].rstrip(b"\n") + b"\n"
    if b"\n" in message[:-1]:
        return item
    new_tail = encoded[tail : zone + 2] + put_varint(len(message)) + message
    head = encode_head(prefix, len(key) - prefix, kind)
    return key, previous, prefix, kind, len(new_tail), head + key[prefix:] + new_tail

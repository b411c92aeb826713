"""The first record of a stretch whose key is not less than a given one, for lookups.

A stretch lies between two restart points, so it begins with a whole key. Refs and index records in front of
the one sought are passed over, with no record made of them, and what lies behind it is not looked at. These
functions raise what the decoders of `codec.py` raise.
"""

from __future__ import annotations

from engine.format.codec import (
    DELETION,
    SYMREF,
    VAL1,
    VAL2,
    add_up,
    check_end,
    decode_key,
    decode_logs,
    decode_objects,
    decode_refs,
)
from engine.format.malformed import Malformed
from engine.format.record import LogRecord, ObjectRecord, RefRecord, log_record_key
from engine.format.varint import get_varint


def find_ref(
    data: bytes, pos: int, end: int, sought: bytes, hash_size: int, min_update_index: int
) -> RefRecord | None:
    """The first ref with a name >= `sought`."""
    name = b""
    spent = 0
    while pos < end:
        start = pos
        previous = name
        prefix = data[pos]
        kind = data[pos + 1]
        if prefix <= len(name) and prefix < 0x80 and (kind < 0x80 or data[pos + 2] < 0x80):
            pos += 2
            if kind >= 0x80:  # two bytes, as in front of most whole keys
                kind = (kind - 0x7F << 7) + data[pos]
                pos += 1
            tail = pos + (kind >> 3)
            name = name[:prefix] + data[pos:tail]
            kind &= 7
        else:
            name, kind, tail = decode_key(data, pos, name)
            spent = add_up(spent, name, start)
        while data[tail] >= 0x80:
            tail += 1
        pos = tail + 1
        if kind == VAL1:
            pos += hash_size
        elif kind == VAL2:
            pos += hash_size + hash_size
        elif kind == SYMREF:
            size, pos = get_varint(data, pos)
            pos += size
        elif kind != DELETION:
            raise Malformed(pos, f"unknown ref value type {kind}")
        if name >= sought:
            if pos > end:
                check_end(pos, end)
            return decode_refs(data, start, pos, previous, 0, hash_size, min_update_index)[0][0]
    check_end(pos, end)
    return None


def find_log(data: bytes, pos: int, end: int, sought: bytes, hash_size: int) -> LogRecord | None:
    """The first log record with a key >= `sought`."""
    key = b""
    spent = 0
    while pos < end:
        logs, pos, key, spent = decode_logs(data, pos, end, key, spent, hash_size)
        if key >= sought:
            for log in logs:
                if log_record_key(log) >= sought:
                    return log
    return None


def find_object(data: bytes, pos: int, end: int, sought: bytes) -> ObjectRecord | None:
    """The first object record with a prefix >= `sought`."""
    prefix = b""
    spent = 0
    while pos < end:
        records, pos, prefix, spent = decode_objects(data, pos, end, prefix, spent)
        if prefix >= sought:
            for record in records:
                if record.prefix >= sought:
                    return record
    return None


def find_index(data: bytes, pos: int, end: int, sought: bytes) -> int | None:
    """The offset in the first index record with a last key >= `sought`."""
    key = b""
    spent = 0
    while pos < end:
        start = pos
        prefix = data[pos]
        kind = data[pos + 1]
        if prefix <= len(key) and prefix < 0x80 and (kind < 0x80 or data[pos + 2] < 0x80):
            pos += 2
            if kind >= 0x80:
                kind = (kind - 0x7F << 7) + data[pos]
                pos += 1
            tail = pos + (kind >> 3)
            key = key[:prefix] + data[pos:tail]
            kind &= 7
        else:
            key, kind, tail = decode_key(data, pos, key)
            spent = add_up(spent, key, start)
        if kind:
            raise Malformed(start, f"unknown index record type {kind}")
        if key >= sought:
            offset, pos = get_varint(data, tail)
            if pos > end:
                check_end(pos, end)
            return offset
        while data[tail] >= 0x80:
            tail += 1
        pos = tail + 1
    check_end(pos, end)
    return None

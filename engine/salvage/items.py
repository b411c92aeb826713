"""Refs and log entries as the bytes that they were stored as: what repairs ask of them, and change in them.

An item (`Encoded`) passes from table to table without being decoded. Its tail begins, in a ref, with the
difference of its update index to the lowest one of its table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Final

from engine.format import (
    DELETION,
    U64_MAX,
    Encoded,
    RefRecord,
    encode_head,
    encode_ref,
    get_varint,
    put_varint,
)

ONE_BYTE: Final = 0x80
"""Numbers below are stored in one byte."""

item_key: Callable[[Encoded], bytes] = itemgetter(0)
"""What orders items: the name of a ref, the key of a log entry."""


def is_altered(name: bytes) -> bool:
    """Whether no ref can have this name, so that it is what damage has made of another one."""
    return not name or b"\0" in name


def holds_altered(names: Sequence[bytes]) -> bool:
    """Whether no ref can have one of these names, which ascend: the first one alone may be empty."""
    return not names[0] or b"\0" in b"".join(names)


def update_deltas(refs: Sequence[Encoded]) -> list[int]:
    """The update indexes of refs, above the lowest of their table."""
    deltas = [item[5][-item[4]] for item in refs]
    if max(deltas, default=0) < ONE_BYTE:
        return deltas
    return [get_varint(item[5], len(item[5]) - item[4])[0] for item in refs]


def newest_log(logs: Sequence[Encoded]) -> int:
    """The highest update index of log entries, tombstones not counted; 0 if there are none."""
    ends = [item[0][-8:] for item in logs if item[3] != DELETION]
    return U64_MAX - int.from_bytes(min(ends), "big") if ends else 0


def tightened(items: list[Encoded]) -> list[Encoded]:
    """Items, written anew where a key shares more with the one before than its record says.

    No writer known stores them so: the key before was altered, or this one.
    """
    loose = [
        key
        for key, previous, prefix, _, _, _ in items
        if 0 < prefix < len(previous) and key[prefix] == previous[prefix]
    ]
    if not loose:
        return items
    return [(key, b"", prefix, kind, size, encoded) for key, _, prefix, kind, size, encoded in items]


def with_delta(ref: Encoded, delta: int) -> Encoded:
    """A ref with another update index."""
    key, previous, prefix, kind, tail_len, encoded = ref
    tail_at = len(encoded) - tail_len
    tail = put_varint(delta) + encoded[get_varint(encoded, tail_at)[1] :]
    return key, previous, prefix, kind, len(tail), encoded[:tail_at] + tail


def ref_item(record: RefRecord, min_update_index: int, hash_size: int) -> Encoded:
    """A ref as it is stored in a table with this lower limit. Raises `ApiError`."""
    key = record.name
    kind, tail = encode_ref(record, min_update_index, hash_size)
    return key, b"", 0, kind, len(tail), encode_head(0, len(key), kind) + key + tail

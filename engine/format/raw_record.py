"""Records that pass through a compaction as the bytes they were stored as.

`cut_refs` and `split_logs` cut a block into records that know their key and keep their bytes. A block writer
takes over refs as they are, many at once, but for those that become a restart point or have another key in
front of them now. What it costs to make records and encode them again is saved.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from engine.errors import shown
from engine.format.codec import (
    DELETION,
    LOG_UPDATE,
    PART_BYTES,
    PART_KEYS,
    SYMREF,
    VAL1,
    VAL2,
    Part,
    add_up,
    check_end,
    common_prefix,
    decode_key,
    decode_log_key,
    encode_head,
    encode_log,
)
from engine.format.malformed import Malformed
from engine.format.record import LogRecord
from engine.format.varint import U64_MAX, get_varint, put_varint

Encoded = tuple[bytes, bytes, int, int, int, bytes]
"""A record that was cut out of a block but not decoded: (key, previous, prefix, kind, tail_len, encoded).

`encoded` is the whole record as stored behind the key `previous`, with the prefix length `prefix`; its last
`tail_len` bytes are the tail. Behind the very same `previous` (identity tells, not equality) `encoded` may be
written unchanged. A bare tuple, because naming its parts would cost more than cutting them out.
"""


class RawRefs:
    """Ref records that were cut out of blocks but not decoded: columns of the same length, names ascending.

    `encoded` is the whole of each record as it is stored behind the one before it in this list. What comes
    in front of the first is for whoever writes it to know, so that one is only good to be `parted`. `ids` are
    the object ids that a record has: one, that of a tag and what it points to as one text, none but an empty
    text of a symbolic ref, and None of a tombstone.

    No list of records: to make an object of each, and to take it apart again, takes longer than all the rest.
    """

    __slots__ = ("encoded", "ids", "keys")

    def __init__(self, keys: list[bytes], encoded: list[bytes], ids: list[bytes | None]) -> None:
        self.keys = keys
        self.encoded = encoded
        self.ids = ids

    @classmethod
    def of_items(cls, items: Sequence[Encoded], hash_size: int) -> RawRefs:
        """Refs that were taken apart, some of which may have gone, come in between, or changed."""
        last_key = b""
        encoded: list[bytes] = []
        ids: list[bytes | None] = []
        for key, previous, prefix, kind, tail_len, record in items:
            if encoded and (previous is not last_key or not prefix):
                shared = common_prefix(last_key, key)
                tail = record[len(record) - tail_len :]
                encoded.append(encode_head(shared, len(key) - shared, kind) + key[shared:] + tail)
            else:
                encoded.append(record)
            if kind == VAL1:
                ids.append(record[-hash_size:])
            elif kind == VAL2:
                ids.append(record[-2 * hash_size :])
            else:
                ids.append(None if kind == DELETION else b"")
            last_key = key
        return RawRefs([item[0] for item in items], encoded, ids)

    def kinds_and_tails(self) -> tuple[bytes, list[bytes]]:
        """What `parted` tells of each."""
        kinds = bytearray()
        tails: list[bytes] = []
        for key, record in zip(self.keys, self.encoded, strict=True):
            second = record[1]
            if (record[0] | second) < 0x80:
                kinds.append(second & 7)
                tails.append(record[2 + (second >> 3) :])
            else:
                kind, tail = parted(key, record)
                kinds.append(kind)
                tails.append(tail)
        return bytes(kinds), tails

    def between(self, start: int, stop: int) -> RawRefs:
        """Those from the number `start` on in front of the number `stop`."""
        return RawRefs(self.keys[start:stop], self.encoded[start:stop], self.ids[start:stop])

    def followed_by(self, others: RawRefs) -> RawRefs:
        """These and `others`, which sort after them."""
        joined = RawRefs(self.keys + others.keys, self.encoded + others.encoded, self.ids + others.ids)
        joined._adjust(len(self.keys), self.encoded[-1][0])
        return joined

    def lay_over(self, newer: RawRefs) -> None:
        """Take in newer records; of one name the newer remains."""
        keys, encoded, ids = self.keys, self.encoded, self.ids
        at = start = 0
        count = len(newer.keys)
        while start < count:
            key = newer.keys[start]
            at = bisect_left(keys, key, at)
            stop = start + 1
            if at < len(keys) and keys[at] == key:
                encoded[at] = _behind(get_varint(encoded[at], 0)[0], key, newer.encoded[start])
                ids[at] = newer.ids[start]
            else:  # all that come in between here
                guess = 0
                if at < len(keys):
                    stop = bisect_left(newer.keys, keys[at], stop)
                    guess = encoded[at][0]
                else:
                    stop = count
                keys[at:at] = newer.keys[start:stop]
                encoded[at:at] = newer.encoded[start:stop]
                ids[at:at] = newer.ids[start:stop]
                self._adjust(at, guess)
                self._adjust(at + stop - start, guess)
            at += stop - start
            start = stop

    def without_tombstones(self) -> RawRefs:
        """Those that are none; these, if none is."""
        # To ask for None compares each id with it, which takes several times as long.
        if all(self.ids) or None not in self.ids:
            return self
        kept = [at for at, mentioned in enumerate(self.ids) if mentioned is not None]
        rest = RawRefs(
            [self.keys[at] for at in kept], [self.encoded[at] for at in kept], [self.ids[at] for at in kept]
        )
        for at in range(1, len(kept)):
            if kept[at] - kept[at - 1] > 1:
                rest._adjust(at, rest.encoded[at][0])
        return rest

    def _adjust(self, at: int, guess: int) -> None:
        """Encode a record anew that has got another one in front of it, if there is a record."""
        if 0 < at < len(self.keys):
            key = self.keys[at]
            prefix = common_prefix(self.keys[at - 1], key, guess)
            self.encoded[at] = _behind(prefix, key, self.encoded[at])


def parted(key: bytes, encoded: bytes) -> tuple[int, bytes]:
    """Kind and tail of a whole record."""
    prefix, second = encoded[0], encoded[1]
    if (prefix | second) < 0x80:
        return second & 7, encoded[2 + (second >> 3) :]
    if prefix < 0x80 and encoded[2] < 0x80:  # two bytes, as in front of most whole keys
        return encoded[2] & 7, encoded[3 + len(key) - prefix :]
    second, at = get_varint(encoded, get_varint(encoded, 0)[1])
    return second & 7, encoded[at + (second >> 3) :]


def _behind(prefix: int, key: bytes, encoded: bytes) -> bytes:
    """A whole record as it is stored behind a key that it shares `prefix` bytes with."""
    kind, tail = parted(key, encoded)
    return encode_head(prefix, len(key) - prefix, kind) + key[prefix:] + tail


def cut_refs(
    data: bytes, pos: int, end: int, key: bytes, spent: int, hash_size: int, min_update_index: int, shift: int
) -> tuple[RawRefs, int, bytes, int]:
    """The ref records of a block, cut out for a table whose limits begin `shift` lower.

    Unlike the decoders, this one and `split_logs` check that keys ascend: what they return is
    written again, and a disorder must not be passed on.
    """
    largest_delta = U64_MAX - min_update_index
    short_delta = min(0x7F, largest_delta)
    keys: list[bytes] = []
    encoded: list[bytes] = []
    ids: list[bytes | None] = []
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
            ids.append(data[value:pos])
        elif kind == VAL2:
            pos += hash_size + hash_size
            ids.append(data[value:pos])
        elif kind == SYMREF:
            size, pos = get_varint(data, pos)
            pos += size
            ids.append(b"")
        elif kind == DELETION:
            ids.append(None)
        else:
            raise Malformed(pos, f"unknown ref value type {kind}")
        if not prefix and keys:  # a restart point, stored whole
            prefix = common_prefix(previous, key, encoded[-1][0])
            head = encode_head(prefix, len(key) - prefix, kind) + key[prefix:]
            encoded.append(head + put_varint(delta + shift) + data[value:pos])
        elif shift:
            encoded.append(data[start:tail] + put_varint(delta + shift) + data[value:pos])
        else:
            encoded.append(data[start:pos])
        keys.append(key)
    if pos >= end:
        check_end(pos, end)
    return RawRefs(keys, encoded, ids), pos, key, spent


def split_refs(
    data: bytes, pos: int, end: int, key: bytes, spent: int, hash_size: int, min_update_index: int, shift: int
) -> Part[Encoded]:
    """The ref records of a block, each cut out for a table whose limits begin `shift` lower."""
    numbers = hash_size, min_update_index, shift
    refs, pos, last_key, spent = cut_refs(data, pos, end, key, spent, *numbers)
    items: list[Encoded] = []
    for name, record in zip(refs.keys, refs.encoded, strict=True):
        prefix, second = record[0], record[1]
        if (prefix | second) < 0x80:
            items.append((name, key, prefix, second & 7, len(record) - 2 - (second >> 3), record))
        else:
            prefix, at = get_varint(record, 0)
            second, at = get_varint(record, at)
            items.append((name, key, prefix, second & 7, len(record) - at - (second >> 3), record))
        key = name
    return items, pos, last_key, spent


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
    """A log record with exactly one newline at the end of its message."""
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

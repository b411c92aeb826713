"""The quick pass over the records of a block, which decodes no more than it has to.

It gives up, by an error of any kind, at the first thing that is not as every known writer makes it: what is
wrong there, and whether anything is, is for a closer look to say.

Every known writer (git, JGit, the Go library, this one) stores a key either whole, and then lists it as a
restart point, or with as long a prefix as it shares with the key in front of it. A record whose
first byte after the prefix is higher than that of the key before is therefore in order: no need to compare.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from operator import itemgetter
from struct import Struct
from typing import TYPE_CHECKING, Final

from engine.format import (
    DELETION,
    LOG,
    LOG_KEY_TAIL,
    MAX_RESTARTS,
    PART_BYTES,
    PART_KEYS,
    REF,
    RESTART_COUNT_SIZE,
    RESTART_SIZE,
    SYMREF,
    U64_MAX,
    VAL1,
    VAL2,
    Encoded,
    add_up,
    check_end,
    compiled,
    decode_key,
    get_u24,
    get_varint,
)
from engine.fsck.names import Names
from engine.fsck.special import Special

if TYPE_CHECKING:
    from mypy_extensions import i64

_PLAIN_BYTES: Final = b"abcdefghijklmnopqrstuvwxyz0123456789-_/"
_LOW_BITS: Final = 2**32 - 1

_key: Callable[[Encoded], bytes] = itemgetter(0)
_kind: Callable[[Encoded], int] = itemgetter(3)

Cut = Callable[[bytes, int], tuple[bytes, int, bytes]]

Witness = Callable[[int, Sequence[bytes], bytes, Sequence[bytes]], None]
"""Told what is in sound blocks, in the order of the file: their type, and keys, kinds, tails of records."""


class SoundBlock:
    """What a sound block holds.

    `first` and `last` are its first and last key. Of a ref block, `names` are those of the refs; of a log
    block, `logs` are its records. Both are None of a block that is too large to be kept. `pairs` counts the
    object ids of a ref block, of which one may be null if it `may_have_null`; `weight` is the sum that
    `pass_refs` or `pass_objects` makes, and `doubtful` says that it does not tell everything.
    """

    __slots__ = ("doubtful", "first", "last", "logs", "may_have_null", "names", "pairs", "weight")

    def __init__(
        self,
        first: bytes,
        last: bytes,
        names: Names | None = None,
        logs: Sequence[Encoded] | None = (),
        *,
        may_have_null: bool = False,
        pairs: int = 0,
        weight: int = 0,
        doubtful: bool = False,
    ) -> None:
        self.first = first
        self.last = last
        self.names = names
        self.logs = logs
        self.may_have_null = may_have_null
        self.pairs = pairs
        self.weight = weight
        self.doubtful = doubtful


class BlockWeights:
    """Weights of ref blocks by their offsets, which ascend: all of them, and those that are found faster.

    These are of the blocks at 0, `step`, twice that and so on, without a gap: all in a table with padding.
    """

    __slots__ = ("all", "in_step", "step")

    def __init__(self, step: int) -> None:
        self.step = step or 1
        self.in_step: list[int] = []
        self.all: dict[int, int] = {}

    def add(self, offset: int, weight: int) -> None:
        """Note the weight of the next block."""
        self.all[offset] = weight
        if offset == len(self.in_step) * self.step:
            self.in_step.append(weight)


def pass_refs(
    data: bytes, start: int, end: int, hash_size: int, most: int, id_len: int, witness: Witness | None
) -> SoundBlock:
    """Pass the ref records of a block; what is in it.

    `most` is the highest difference to the table's lowest update index that a record may have. With an
    `id_len` other than 0, the first so many bytes of each object id are gathered: the weight is the sum of
    their hashes.
    """
    name = b""
    listed: i64 = end
    mentioned: set[bytes] = set()
    names: list[bytes] = []
    suffixes: list[bytes] = []
    oids: list[bytes] = []
    kinds = bytearray()
    tails: list[bytes] = []
    first, is_long = b"", False
    spent = 0
    short: i64 = max(-1, min(0x7F, most))
    size: i64 = hash_size
    shown: i64 = min(id_len, hash_size)
    pos: i64 = start
    limit: i64 = end
    are_plain = True
    # Interpreted, most records are cut by one call, for which the end has to be far. Compiled, slices do.
    safe: i64 = 0 if compiled or witness is not None else len(data) - 0x12 - hash_size
    cuts = _cuts(hash_size, min(id_len, hash_size)) if safe else []
    while pos < limit:
        names.clear()
        suffixes.clear()
        stop: i64 = min(pos + PART_BYTES, limit)
        enough = spent + PART_KEYS
        while pos < stop:
            prefix: i64 = data[pos]
            kind: i64 = data[pos + 1]
            if pos < safe and (cut := cuts[kind]) is not None and 0 < prefix < len(name) and prefix < 0x80:
                suffix, above, oid = cut(data, pos + 2)
                if suffix[0] > name[prefix] and above <= short:
                    name = name[:prefix] + suffix
                    names.append(name)
                    suffixes.append(suffix)
                    oids.append(oid)
                    pos += 3 + (kind >> 3) + size
                    continue
            name_len: i64 = len(name)
            at: i64 = pos + 2
            if prefix >= 0x80:
                prefix, at = get_varint(data, pos)
                kind, at = get_varint(data, at)
                spent = add_up(spent, name, pos)
                if spent > enough:
                    stop = pos
            elif kind >= 0x80:
                if data[at] < 0x80:  # two bytes, as in front of most whole keys
                    kind = (kind - 0x7F << 7) + data[at]
                    at += 1
                else:
                    kind, at = get_varint(data, pos + 1)
            suffix_len: i64 = kind >> 3
            tail: i64 = at + suffix_len
            suffix = data[at:tail]
            suffixes.append(suffix)
            if prefix:
                if prefix < name_len:
                    if not suffix_len or data[at] <= name[prefix]:
                        raise ValueError
                elif prefix > name_len or not suffix_len:
                    raise ValueError
                else:
                    are_plain = False  # it begins with the name before it
                name = name[:prefix] + suffix
            else:
                before = name
                name = suffix
                if name <= before:
                    raise ValueError
                are_plain = are_plain and not (name_len and name.startswith(before))
                listed = _behind_listed(data, listed, pos, end)
            delta: i64 = data[tail]
            pos = tail + 1
            if delta > short:
                above, pos = get_varint(data, tail)
                if above > most:
                    raise ValueError
            kind &= 7
            if kind == VAL1:
                names.append(name)
                if shown:
                    mentioned.add(data[pos : pos + shown])
                pos += size
            elif kind == VAL2:
                names.append(name)
                if shown:
                    mentioned.add(data[pos : pos + shown])
                    mentioned.add(data[pos + size : pos + size + shown])
                pos += size + size
            elif kind == SYMREF:
                length, pos = get_varint(data, pos)
                names.append(Special(name, data[pos : pos + length]))
                pos += length
                are_plain = False
            elif kind == DELETION:
                names.append(Special(name, None))
                are_plain = False
            else:
                raise ValueError
            if witness is not None:
                kinds.append(kind)
                tails.append(data[tail:pos])
        if shown:
            mentioned.update(oids)
        oids.clear()
        joined = b"/".join(suffixes)
        if b"\0" in joined:
            raise ValueError
        are_plain = are_plain and _are_plain(joined)
        if witness is not None:
            witness(REF, names, bytes(kinds), tails)
            kinds.clear()
            tails.clear()
        is_long, first = bool(first), first or names[0]
    check_end(pos, end)
    _check_all_listed(data, listed)
    made = None if is_long else Names(names, are_plain=are_plain)
    has_null = (not shown or bytes(hash_size)[:shown] in mentioned) and bytes(hash_size) in data
    weight = _sum_of_hashes(mentioned)
    return SoundBlock(first, name, made, may_have_null=has_null, pairs=len(mentioned), weight=weight)


@cache
def _cuts(hash_size: int, shown: int) -> list[Cut | None]:
    """By the second byte of a ref record: what cuts out suffix, update index and the shown part of the id.

    None where it does not have one object id, or where the byte does not tell the length of a suffix.
    """
    cuts: list[Cut | None] = [None] * 0x100
    for suffix_len in range(1, 0x10):
        cut = Struct(f"{suffix_len}sB{shown}s{hash_size - shown}x")
        cuts[suffix_len << 3 | VAL1] = cut.unpack_from
    return cuts


def _sum_of_hashes(oids: set[bytes]) -> int:
    if not compiled:
        return sum(map(hash, oids))
    # In halves: the sum of whole ones might not fit.
    low: i64 = 0
    high: i64 = 0
    for oid in oids:
        hashed: i64 = hash(oid)
        low += hashed & _LOW_BITS
        high += hashed >> 32
    return (int(high) << 32) + int(low)


def _behind_listed(data: bytes, at: i64, pos: i64, end: i64) -> i64:
    """Where the next restart offset is, behind the one at `at`, which has to be that of the record at `pos`.

    They begin at `end`. Of more records with whole keys than can be listed, the first ones are.
    """
    if at - end == MAX_RESTARTS * RESTART_SIZE:
        return at
    if at >= len(data) - RESTART_COUNT_SIZE or get_u24(data, at) != pos:
        raise ValueError
    return at + RESTART_SIZE


def _check_all_listed(data: bytes, at: i64) -> None:
    """Raise `ValueError` if there is a restart offset at `at`."""
    if at != len(data) - RESTART_COUNT_SIZE:
        raise ValueError


def _are_plain(joined: bytes) -> bool:
    """Whether names consist of lower-case letters, digits, hyphens, underlines and single slashes in between.

    Of each, its suffix tells: what is in front of that is in the name before it. They are joined by slashes:
    with one at its beginning or end, two follow each other.
    """
    return not joined.translate(None, _PLAIN_BYTES) and b"//" not in b"/" + joined + b"/"


def pass_logs(
    data: bytes,
    start: int,
    end: int,
    parts: Iterator[list[Encoded]],
    highest: int,
    witness: Witness | None,
) -> SoundBlock:
    """Pass the log records of an inflated block, as `pass_refs`.

    They come in `parts`, cut out of it; `highest` is the table's upper limit.
    """
    listed: i64 = end
    first, key, is_long = b"", b"", False
    items: list[Encoded] = []
    pos: i64 = start
    for items in parts:
        for key, previous, prefix, kind, _, encoded in items:
            if not prefix:
                listed = _behind_listed(data, listed, pos, end)
            elif prefix < len(previous) and key[prefix] <= previous[prefix]:
                raise ValueError
            if key.find(b"\0") != len(key) - LOG_KEY_TAIL:
                raise ValueError
            if kind != DELETION and U64_MAX - int.from_bytes(key[-8:], "big") > highest:
                raise ValueError
            pos += len(encoded)
        if witness is not None:
            testify(witness, LOG, items)
        is_long, first = bool(first), first or items[0][0]
    _check_all_listed(data, listed)
    return SoundBlock(first, key, logs=None if is_long else items)


def testify(witness: Witness, block_type: int, items: Sequence[Encoded]) -> None:
    """Tell a witness of records that were cut out."""
    tails = [encoded[len(encoded) - tail_len :] for _, _, _, _, tail_len, encoded in items]
    witness(block_type, [*map(_key, items)], bytes(map(_kind, items)), tails)


def pass_objects(data: bytes, start: int, end: int, id_len: int, weights: BlockWeights) -> SoundBlock:
    """Pass the records of an object block, as `pass_refs`.

    Without an `id_len`, keys may have any length. The weight is the sum of hash(prefix) * weight(offset) over
    all pairs of a prefix and the offset of a ref block. It is doubtful if there is an offset without a
    weight, or a record that leaves its offsets to a scan.
    """
    try:
        return _pass_objects(data, start, end, id_len, weights)
    except KeyError:
        any_block = BlockWeights(0)
        any_block.all = defaultdict(int)
        block = _pass_objects(data, start, end, id_len, any_block)
        block.doubtful = True
        return block


def _pass_objects(data: bytes, start: int, end: int, id_len: int, weights: BlockWeights) -> SoundBlock:
    step, in_step, all_weights = weights.step, weights.in_step, weights.all
    steps = len(in_step)
    key = first = b""
    listed: i64 = end
    total = spent = 0
    doubtful = False
    pos: i64 = start
    limit: i64 = end
    while pos < limit:
        begin: i64 = pos
        before = key
        prefix: i64 = data[begin]
        second: i64 = data[begin + 1]
        if (prefix | second) < 0x80:
            pos = begin + 2 + (second >> 3)
            key = before[:prefix] + data[begin + 2 : pos]
            count: i64 = second & 7
        else:
            key, count, pos = decode_key(data, begin, key)
        if not id_len:
            spent = add_up(spent, key, begin)
        elif len(key) != id_len:
            raise ValueError
        if prefix:
            if key[prefix] <= before[prefix]:
                raise ValueError
        else:
            if key <= before:
                raise ValueError
            listed = _behind_listed(data, listed, begin, limit)
        first = first or key
        if not count:
            count, pos = get_varint(data, pos)
            doubtful = doubtful or not count
        if count > limit - pos:
            raise ValueError
        offset = weight = 0
        for number in range(count):
            byte = data[pos]
            pos += 1
            if not byte and number:
                raise ValueError
            delta = byte
            while byte >= 0x80:
                byte = data[pos]
                pos += 1
                delta = (delta - 0x7F << 7) + byte
            offset += delta
            place = offset // step
            if place < steps and place * step == offset:
                weight += in_step[place]
            else:
                weight += all_weights[offset]
        total += hash(key) * weight
    check_end(pos, end)
    _check_all_listed(data, listed)
    return SoundBlock(first, key, weight=total, doubtful=doubtful)


def pass_index(data: bytes, start: int, end: int) -> SoundBlock:
    """Pass the records of an index block, as `pass_refs`."""
    key = first = b""
    listed: i64 = end
    spent = 0
    pos: i64 = start
    limit: i64 = end
    while pos < limit:
        begin: i64 = pos
        before = key
        key, kind, pos = decode_key(data, begin, key)
        spent = add_up(spent, key, begin)
        prefix: i64 = data[begin]
        if prefix >= 0x80:
            prefix = get_varint(data, begin)[0]
        if kind or key <= before:
            raise ValueError
        if not prefix:
            listed = _behind_listed(data, listed, begin, limit)
        elif prefix < len(before) and key[prefix] == before[prefix]:
            raise ValueError
        pos = get_varint(data, pos)[1]
        first = first or key
    check_end(pos, end)
    _check_all_listed(data, listed)
    return SoundBlock(first, key)

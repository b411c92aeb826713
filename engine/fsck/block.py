"""Checks of one block: its records, the order and the storage of their keys, its restart points.

Blocks of refs, logs and objects have a quick pass first, which decodes no more than it has to and gives up at
the first thing that is not as every known writer makes it. Only a block that it has given up is checked
record by record, to say what is wrong and where; and those of an index, which are few.

Every known writer (git, JGit, the Go library, this one) stores a key either whole, and then lists it as a
restart point, or with as long a prefix as it shares with the key in front of it. A record whose
first byte after the prefix is higher than that of the key before is therefore in order: no need to compare.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Final, Self

from engine.errors import FormatError, shown
from engine.format import (
    DELETION,
    INDEX,
    LOG,
    LOG_KEY_TAIL,
    MAX_RESTARTS,
    OBJ,
    PART_BYTES,
    PART_KEYS,
    REF,
    SYMREF,
    U64_MAX,
    VAL1,
    VAL2,
    Block,
    Encoded,
    Excessive,
    Header,
    Malformed,
    RefRecord,
    add_up,
    check_end,
    decode_key,
    decode_log_key,
    get_varint,
    split_logs,
)
from engine.fsck.finding import Report
from engine.layout import Record, Records, Restarts

_RECORDS_PER_TICK: Final = 4096
_MOST_FAULTS: Final = 1000


_key: Callable[[Encoded], bytes] = itemgetter(0)
_kind: Callable[[Encoded], int] = itemgetter(3)

Witness = Callable[[int, Sequence[bytes], bytes, Sequence[bytes]], None]
"""Told what is in sound blocks, in the order of the file: their type, and keys, kinds, tails of records."""


class _UnusualError(Exception):
    """A quick pass has met something unusual; never leaves this module."""


class Special(bytes):
    """The name of a ref without an object: of a symbolic ref, a deleted one, or one with the null id."""

    target: bytes | None
    is_null: bool

    def __new__(cls, name: bytes, target: bytes | None, *, is_null: bool = False) -> Self:
        """The name of a ref with this target."""
        made = super().__new__(cls, name)
        made.target, made.is_null = target, is_null
        return made


def name_of(ref: RefRecord) -> bytes:
    """The name of a ref, as `pass_block` has it, which does not tell of null ids."""
    if ref.value is not None and any(ref.value):
        return ref.name
    return Special(ref.name, ref.target, is_null=ref.value is not None)


@dataclass(slots=True)
class SoundBlock:
    """What a sound block holds.

    `first` and `last` are its first and last key. Of a ref block, `names` are those of the refs, and `ids`
    the beginnings of the object ids. Of a log block, `logs` are its records. Both are None of a block that is
    too large to be kept. `weight` is the sum over an object block that `_pass_objects` makes; `doubtful` says
    that the sum does not tell everything.
    """

    first: bytes
    last: bytes
    names: Sequence[bytes] | None = ()
    ids: Collection[bytes] = ()
    logs: Sequence[Encoded] | None = ()
    weight: int = 0
    doubtful: bool = False


def _pass_refs(
    data: bytes, pos: int, end: int, hash_size: int, most: int, id_len: int, witness: Witness | None
) -> tuple[SoundBlock, array[int]]:
    """Pass the ref records of a block; what is in it, and where records with whole keys begin.

    `most` is the highest difference to the table's lowest update index that a record may have. With an
    `id_len` other than 0, the first so many bytes of each object id are gathered. Raises at the first
    doubt, as `pass_block` expects it.
    """
    name = b""
    name_len = 0
    whole = array("I")
    ids: list[bytes] = []
    mentioned: set[bytes] = set()
    names: list[bytes] = []
    kinds = bytearray()
    tails: list[bytes] = []
    first, is_long = b"", False
    spent = 0
    short = min(0x7F, most)
    while pos < end:
        names.clear()
        stop, enough = min(pos + PART_BYTES, end), spent + PART_KEYS
        while pos < stop:
            prefix = data[pos]
            kind = data[pos + 1]
            at = pos + 2
            if prefix >= 0x80:
                prefix, at = get_varint(data, pos)
                kind, at = get_varint(data, at)
                spent = add_up(spent, name, pos)
                if spent > enough:
                    stop = pos
            elif kind >= 0x80:
                kind, at = get_varint(data, pos + 1)
            suffix_len = kind >> 3
            tail = at + suffix_len
            if prefix:
                if prefix < name_len:
                    if not suffix_len or data[at] <= name[prefix]:
                        raise _UnusualError
                elif prefix > name_len or not suffix_len:
                    raise _UnusualError
                name = name[:prefix] + data[at:tail]
            else:
                before = name
                name = data[at:tail]
                if name <= before:
                    raise _UnusualError
                whole.append(pos)
            name_len = prefix + suffix_len
            delta = data[tail]
            pos = tail + 1
            if delta > short:
                delta, pos = get_varint(data, tail)
                if delta > most:
                    raise _UnusualError
            kind &= 7
            if kind == VAL1:
                names.append(name)
                if id_len:
                    ids.append(data[pos : pos + id_len])
                pos += hash_size
            elif kind == VAL2:
                names.append(name)
                if id_len:
                    ids.append(data[pos : pos + id_len])
                    ids.append(data[pos + hash_size : pos + hash_size + id_len])
                pos += hash_size + hash_size
            elif kind == SYMREF:
                size, pos = get_varint(data, pos)
                names.append(Special(name, data[pos : pos + size]))
                pos += size
            elif kind == DELETION:
                names.append(Special(name, None))
            else:
                raise _UnusualError
            if witness is not None:
                kinds.append(kind)
                tails.append(data[tail:pos])
        if b"\0" in b"".join(names):
            raise _UnusualError
        if witness is not None:
            witness(REF, names, bytes(kinds), tails)
            kinds.clear()
            tails.clear()
        mentioned.update(ids)
        ids.clear()
        is_long, first = bool(first), first or names[0]
    check_end(pos, end)
    return SoundBlock(first, name, None if is_long else names, mentioned), whole


def _pass_logs(
    parts: Iterator[list[Encoded]], pos: int, highest: int, witness: Witness | None
) -> tuple[SoundBlock, array[int]]:
    """Pass the log records of an inflated block, as `_pass_refs`; `highest` is the table's upper limit."""
    whole = array("I")
    first, key, is_long = b"", b"", False
    items: list[Encoded] = []
    for items in parts:
        for key, previous, prefix, kind, _, encoded in items:
            if not prefix:
                whole.append(pos)
            elif prefix < len(previous) and key[prefix] <= previous[prefix]:
                raise _UnusualError
            if 0 in key[:-LOG_KEY_TAIL]:
                raise _UnusualError
            if kind != DELETION and U64_MAX - int.from_bytes(key[-8:], "big") > highest:
                raise _UnusualError
            pos += len(encoded)
        if witness is not None:
            testify(witness, LOG, items)
        is_long, first = bool(first), first or items[0][0]
    return SoundBlock(first, key, logs=None if is_long else items), whole


def testify(witness: Witness, block_type: int, items: Sequence[Encoded]) -> None:
    """Tell a witness of records that were cut out."""
    tails = [encoded[len(encoded) - tail_len :] for _, _, _, _, tail_len, encoded in items]
    witness(block_type, [*map(_key, items)], bytes(map(_kind, items)), tails)


def _pass_objects(
    data: bytes, pos: int, end: int, id_len: int, weights: Mapping[int, int]
) -> tuple[SoundBlock, array[int]]:
    """Pass the records of an object block, as `_pass_refs`.

    Without an `id_len`, keys may have any length. The weight is the sum of hash(prefix) * weight(offset) over
    all pairs of a prefix and the offset of a ref block. It is doubtful if there is an offset without a
    weight, or a record that leaves its offsets to a scan.
    """
    key = first = b""
    whole = array("I")
    total = spent = 0
    doubtful = False
    while pos < end:
        start = pos
        before = key
        key, count, pos = decode_key(data, pos, key)
        spent = add_up(spent, key, start)
        if id_len and len(key) != id_len:
            raise _UnusualError
        if data[start]:
            prefix = data[start]
            if key[prefix] <= before[prefix]:
                raise _UnusualError
        else:
            if key <= before:
                raise _UnusualError
            whole.append(start)
        first = first or key
        if not count:
            count, pos = get_varint(data, pos)
            doubtful = doubtful or not count
        if count > end - pos:
            raise _UnusualError
        offset = weight = 0
        for number in range(count):
            byte = data[pos]
            pos += 1
            delta = byte & 0x7F
            while byte >= 0x80:
                byte = data[pos]
                pos += 1
                delta = (delta + 1 << 7) + (byte & 0x7F)
            if not delta and number:
                raise _UnusualError
            offset += delta
            known = weights.get(offset)
            if known is None:
                doubtful = True
            else:
                weight += known
        total += hash(key) * weight
    check_end(pos, end)
    return SoundBlock(first, key, weight=total, doubtful=doubtful), whole


def pass_block(
    block: Block,
    header: Header,
    id_len: int,
    weights: Mapping[int, int],
    highest: int,
    witness: Witness | None = None,
) -> SoundBlock | None:
    """What a block holds; None if a closer look is needed, as at each block of an index.

    A `witness` may have been told of records of a block that needs one.

    Raises `FormatError` for keys that would take a closer look too long.
    """
    data, pos, end = block.data, block.records_start, block.records_end
    hash_size = header.hash_id.size
    try:
        if block.type == REF:
            most = highest - header.min_update_index
            found, whole = _pass_refs(data, pos, end, hash_size, most, id_len, witness)
        elif block.type == LOG:
            found, whole = _pass_logs(block.parts(split_logs, hash_size), pos, highest, witness)
        elif block.type == OBJ:
            found, whole = _pass_objects(data, pos, end, id_len, weights)
        else:
            return None
    except Excessive as error:
        raise block.error(error.pos, error.reason) from error
    except FormatError as error:
        if isinstance(error.__cause__, Excessive):
            raise
        return None
    except (_UnusualError, IndexError, ValueError):
        return None
    listed = b"".join([start.to_bytes(3, "big") for start in whole[:MAX_RESTARTS]])
    # What lies between the records and the restart count.
    return found if listed == data[end:-2] else None


def check_records(
    records: Records, id_len: int, highest: int, report: Report, tick: Callable[[], None]
) -> tuple[bytes | None, bytes | None]:
    """Report everything that is wrong inside a block; its first and last key, None where they cannot be read.

    A block may have millions of records: `tick` is called now and then, and may raise `Cancelled`.
    """
    block, name = records.block, records.block.name

    def add(code: str, pos: int, reason: str) -> None:
        report.add_error(code, block.error(pos, reason))

    before = report.count(name)
    whole: set[int] = set()
    first: bytes | None = None
    last: bytes | None = None
    spent = 0
    for number, record in enumerate(records.children()):
        start = record.start - records.base
        if number % _RECORDS_PER_TICK == 0:
            tick()
        if report.count(name) - before > _MOST_FAULTS:
            add("table-given-up", start, f"more than {_MOST_FAULTS} faults in one block")
            last = None
            break
        if not isinstance(record, Record):
            if record.error is not None:
                report.add_error("record-damaged", record.error)
            last = None
            continue
        key = record.key
        try:
            spent = add_up(spent, key, start)
        except Malformed as error:
            add("record-damaged", start, error.reason)
            last = None
            break
        prefix = get_varint(block.data, start)[0]
        if not prefix and len(whole) <= MAX_RESTARTS:
            whole.add(start)
        if last is not None:
            if key <= last:
                add("key-order", start, f"{shown(key)} does not sort after {shown(last)}")
            elif prefix and prefix < len(last) and last[prefix] == key[prefix]:
                reason = f"{shown(key)} shares more than {prefix} bytes with {shown(last)} in front of it"
                add("key-encoding", start, reason)
        for code, reason in _record_faults(records, record, start, id_len, highest):
            add(code, start, reason)
        last = key
        first = key if number == 0 else first
    _check_restarts(records, whole, report)
    if report.count(name) == before and block.type != INDEX:
        # The quick pass doubts nothing that this does not find; if it did, the block would not be sound.
        add("record-damaged", block.records_start, "the block is not as any known writer makes it")
    return first, last


def _record_faults(
    records: Records, record: Record, start: int, id_len: int, highest: int
) -> Iterator[tuple[str, str]]:
    block, key = records.block, record.key
    second, at = get_varint(block.data, get_varint(block.data, start)[1])
    if block.type == REF:
        name, what = key, f"the ref {shown(key)}"
        index = records.header.min_update_index + get_varint(block.data, at + (second >> 3))[0]
    elif block.type == LOG:
        name, index = decode_log_key(key, start)
        what = f"an entry in the reflog of {shown(name)}"
        index = 0 if second & 7 == DELETION else index
    else:
        if block.type == OBJ and id_len and len(key) != id_len:
            yield "object-id-length", f"an object id of {len(key)} bytes, where the footer states {id_len}"
        return
    if 0 in name:
        yield "key-nul", what
    if index > highest:
        yield "update-index", f"{what} has the update index {index}, above {highest}"


def _check_restarts(records: Records, whole: set[int], report: Report) -> None:
    block = records.block
    before = -1
    sound = block.restart_count < MAX_RESTARTS
    for restart in Restarts(records).children():
        offset = restart.value
        at = restart.start - records.base
        error = restart.error
        if error is None and isinstance(offset, int):
            if offset <= before:
                error = block.error(at, f"restart offset {offset} follows {before}, which is not lower")
            whole.discard(offset)
            before = offset
        if error is not None:
            report.add_error("restart-offset", error)
            sound = False
    if sound:
        for start in sorted(whole):
            error = block.error(start, "a key is stored whole, but is no restart point")
            report.add_error("key-encoding", error)

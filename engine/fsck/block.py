"""Checks of one block: its records, the order and the storage of their keys, its restart points.

Each block has a quick pass first (see `passing.py`), which gives up at the first thing that is not as every
known writer makes it. Only a block that it has given up is checked record by record, to say what is wrong and
where.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from engine.errors import FormatError, shown
from engine.format import (
    DELETION,
    INDEX,
    LOG,
    MAX_RESTARTS,
    OBJ,
    REF,
    Block,
    Excessive,
    Header,
    Malformed,
    add_up,
    decode_log_key,
    get_varint,
    split_logs,
)
from engine.fsck.finding import Report
from engine.fsck.passing import (
    BlockWeights,
    SoundBlock,
    Witness,
    pass_index,
    pass_logs,
    pass_objects,
    pass_refs,
)
from engine.layout import Record, Records, Restarts

_RECORDS_PER_TICK: Final = 4096
_MOST_FAULTS: Final = 1000


def pass_block(
    block: Block,
    header: Header,
    id_len: int,
    weights: BlockWeights,
    highest: int,
    witness: Witness | None = None,
) -> SoundBlock | None:
    """What a block holds; None if a closer look is needed.

    A `witness` may have been told of records of a block that needs one.

    Raises `FormatError` for keys that would take a closer look too long.
    """
    data, pos, end = block.data, block.records_start, block.records_end
    hash_size = header.hash_id.size
    try:
        if block.type == REF:
            most = highest - header.min_update_index
            return pass_refs(data, pos, end, hash_size, most, id_len, witness)
        if block.type == LOG:
            return pass_logs(data, pos, end, block.parts(split_logs, hash_size), highest, witness)
        if block.type == OBJ:
            return pass_objects(data, pos, end, id_len, weights)
        return pass_index(data, pos, end)
    except Excessive as error:
        if block.type == INDEX:
            return None
        raise block.error(error.pos, error.reason) from error
    except FormatError as fault:
        if isinstance(fault.__cause__, Excessive):
            raise
        return None
    except (IndexError, OverflowError, ValueError):
        return None


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

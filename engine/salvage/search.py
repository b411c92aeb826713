"""Blocks where the layout of a file finds none: looked for byte by byte.

A block that was damaged where it begins leaves its records, as long as they are sound and their keys
ascend; one of logs leaves what inflates of it. Further on only whole blocks count.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Collection, Iterator
from itertools import chain
from typing import Final

from engine.errors import FormatError
from engine.format import (
    BLOCK_HEADER_SIZE,
    LOG,
    MAGIC,
    REF,
    RESTART_COUNT_SIZE,
    RESTART_SIZE,
    SYMREF,
    Block,
    Header,
    Read,
    footer_size,
    get_u24,
    get_varint,
    is_refname,
    put_u24,
    read_size,
)
from engine.layout import Records, TableLayout
from engine.salvage.block_records import Kept, Readable, Unreadable, sound_records, whole_records
from engine.salvage.items import ONE_BYTE

_LARGEST_BLOCK: Final = 2**24
# Behind type and length, a whole key, or a deflate stream with a window of 32 KiB and no dictionary.
_BLOCK_START: Final = re.compile(rb"r(?=...\0[^\0])|g(?=...x[\x01\x5e\x9c\xda])", re.DOTALL)
_START_SIZE: Final = 6
_OVERRUN: Final = 2**16
_WINDOW: Final = 2**20
_ZEROS: Final = bytes(_WINDOW + _START_SIZE - 1)
_MOST_EFFORT: Final = 2**27  # bytes read in vain in one stretch: hostile ones would never end
_LEAST_EFFORT: Final = 2**9
_INFLATED_AT_ONCE: Final = 2**9
_NO_STREAM: Final = bytes(8)  # so many zeros would have been deflated


def search(
    layout: TableLayout, start: int, end: int, limit: int, header: Header, reason: str
) -> Iterator[Readable | Unreadable]:
    """What can be found in a stretch of the file that the layout could make nothing of.

    It begins where a block should, so what is left of that one comes first; further on, only whole blocks
    count. The last one may run over the end, up to `limit`: where the stretch ends was a guess as well.
    """
    if start >= end:
        return
    limit = min(end + _OVERRUN, limit)
    effort = _MOST_EFFORT
    begins = layout.read(start, BLOCK_HEADER_SIZE + 1)
    # Nothing but logs comes behind the first log block; two bytes of a deflate stream show one.
    section = LOG if begins[:1] == b"g" and begins[BLOCK_HEADER_SIZE:] == b"x" else None
    lost = done = start
    for at in chain([start], _candidates(layout.read, start + 1, end)):
        if at < done or effort < 0:
            continue
        # Restart offsets of a file's first block count from the start of the file.
        first = header.size if at == header.size else 0
        block, used, cost = _whole_block(layout.name, layout.read, at, limit, first)
        found = _parts(block, header, at, at + used) if block is not None else ()
        read_to = at + used
        if not found and at == start:
            rest = layout.read(at, min(end - at, _LARGEST_BLOCK))
            found = _cut_block(layout.name, rest, at, first, header, is_last=at + len(rest) == layout.end)
            # What else lies in it may be read as well; of a deflated block it is not known where that is.
            used, read_to = 1, max((one.end for one in found if one.type == REF), default=start)
        if not found:
            effort -= cost
            continue
        if lost < at:
            yield Unreadable(lost, at, reason, section)
        for one in found:
            if isinstance(one, Readable) and one.type == LOG:
                section = LOG
            yield one
        done, lost = at + used, read_to
    if lost < end and not _is_footer(layout.read(lost, min(end - lost, footer_size(2)))):
        yield Unreadable(lost, end, reason, section)


def _candidates(read: Read, start: int, end: int) -> Iterator[int]:
    """Where in a stretch blocks may begin. A file may have gigabytes of zeros, as a power cut leaves them."""
    while start < end:
        data = read(start, min(_WINDOW, end - start) + _START_SIZE - 1)
        if data != _ZEROS[: len(data)]:
            for found in _BLOCK_START.finditer(data):
                yield start + found.start()
        start += _WINDOW


def _is_footer(rest: bytes) -> bool:
    """Whether these bytes at the end of a file are what is left of a footer: no block begins like one."""
    return 0 < len(rest) < footer_size(2) and MAGIC.startswith(rest[: len(MAGIC)])


def _whole_block(name: str, read: Read, at: int, limit: int, first: int) -> tuple[Block | None, int, int]:
    """The block whose type byte is at `at`, if there is a whole one; its length there, and the effort.

    `first` is the size of the file header that lies in front of it.
    """
    head = read(at, _START_SIZE)
    if _BLOCK_START.match(head) is None:
        return None, 0, _LEAST_EFFORT
    block_type, stated = head[0], get_u24(head, 1) - first
    if block_type == LOG:
        size = min(read_size(max(stated, 0)), limit - at)
    elif BLOCK_HEADER_SIZE + RESTART_COUNT_SIZE < stated <= limit - at:
        size = stated
        count = int.from_bytes(read(at + stated - RESTART_COUNT_SIZE, RESTART_COUNT_SIZE), "big")
        restarts = stated - RESTART_COUNT_SIZE - RESTART_SIZE * count
        if restarts <= BLOCK_HEADER_SIZE or read(at + restarts, RESTART_SIZE) != put_u24(
            first + BLOCK_HEADER_SIZE
        ):
            return None, 0, _LEAST_EFFORT
    else:
        return None, 0, _LEAST_EFFORT
    try:
        block = Block.parse(name, bytes(first) + read(at, size), at - first, first, 0)
    except FormatError:
        return None, 0, size
    if get_u24(block.data, block.records_end) != block.records_start:
        return None, 0, len(block.data)
    return block, block.next_offset - at, len(block.data)


def cut_block(
    name: str, data: bytes, offset: int, first: int, *, is_last: bool = False
) -> tuple[Block, bool] | None:
    """What is left of the ref or log block at the beginning of `data`, in a frame that is made up for it.

    All that follow are records, as far as they look like that. False with it for a damaged deflate stream,
    whose last bytes may be wrong; one that has no end is that, too, unless it `is_last` in its file.
    """
    if data[:1] not in (b"r", b"g"):
        return None
    body, is_certain = data[BLOCK_HEADER_SIZE : BLOCK_HEADER_SIZE + _LARGEST_BLOCK], True
    if data[0] == LOG:
        body, is_certain = _inflated_part(body, is_last=is_last)
    head = bytes(first) + data[:BLOCK_HEADER_SIZE]
    end = len(head) + len(body)
    made = head + body + bytes(RESTART_COUNT_SIZE)
    return Block(name, offset, data[0], made, len(head), end, 0, 0, 0), is_certain


def _cut_block(
    name: str, data: bytes, at: int, first: int, header: Header, *, is_last: bool
) -> Collection[Readable]:
    """What is left of the block at the beginning of `data`, up to the first record that cannot be read.

    `is_last` when the file ends with it.
    """
    cut = cut_block(name, data, at - first, first, is_last=is_last)
    if cut is None:
        return ()
    block, is_certain = cut
    found = _parts(block, header, at, at + 1, stop=True)
    restarts = put_u24(first + BLOCK_HEADER_SIZE)

    def fronts() -> Iterator[Readable]:
        for one in found:
            if isinstance(one, Readable):
                rest = data[one.end - at :]
                is_short = is_last and (
                    restarts.startswith(rest[:RESTART_SIZE]) or _begins_a_ref(rest, one.items[-1][0])
                )
                is_cut_off = one.is_cut_off and not is_short
                yield one._replace(is_certain=is_certain, is_front=True, is_cut_off=is_cut_off)

    return Kept(fronts)


def _begins_a_ref(rest: bytes, key: bytes) -> bool:
    """Whether the bytes behind the ref of this name begin the next one, so that a file was only cut short."""
    try:
        prefix, at = get_varint(rest, 0)
        second, at = get_varint(rest, at)
    except IndexError:
        # Two numbers below 128, or a little more where names are long.
        return not rest or (len(rest) < 4 and min(rest[0], ONE_BYTE) <= len(key))
    except ValueError:
        return False
    name = key[:prefix] + rest[at : at + (second >> 3)]
    is_cut = len(rest) - at < second >> 3
    if prefix > len(key) or second & 7 > SYMREF or not is_refname(name + b"a" * is_cut):
        return False
    return is_cut or name > key


def blocks_within(name: str, data: bytes, start: int, header: Header) -> Iterator[tuple[Block, int, int]]:
    """The whole ref and log blocks in `data`, a stretch from `start` on that the layout makes nothing of.

    Each with where it begins and ends in `data`. What looks like a block may be none.
    """

    def read(offset: int, size: int) -> bytes:
        return data[offset - start : offset - start + size]

    done, end, effort = start, start + len(data), _MOST_EFFORT
    for at in chain([start], _candidates(read, start + 1, end)):
        if at >= done and effort >= 0:
            block, used, cost = _whole_block(name, read, at, end, header.size if at == header.size else 0)
            effort -= 0 if block else cost
            if block is not None:
                yield block, at - start, at - start + used
                done = at + used


def _parts(
    block: Block, header: Header, start: int, end: int, *, stop: bool = False
) -> Collection[Readable | Unreadable]:
    """The records of a block that was found at [start, end), and what cannot be read of it.

    No records at all if they cannot be of this table.
    """
    found = None if stop else whole_records(block, header, end)
    if found is None:
        records = Records(block, header)
        found = Kept(
            lambda: _and_what_is_lost(sound_records(records, start, end, stop=stop), block, start, end)
        )
    highest = -1
    for one in found:
        if isinstance(one, Readable):
            highest = max(highest, 0, *(ref.update_index for ref in one.refs))
    return found if 0 <= highest <= header.max_update_index else ()


def _and_what_is_lost(
    found: Iterator[Readable | Unreadable], block: Block, start: int, end: int
) -> Iterator[Readable | Unreadable]:
    """What was found of a block; where nothing of it tells of a loss, one that does: it is not whole."""
    is_told = False
    for one in found:
        is_told = is_told or isinstance(one, Unreadable)
        yield one
    if not is_told:
        yield Unreadable(start, end, "keys that do not ascend, or empty refs", block.type)


def _inflated_part(data: bytes, *, is_last: bool) -> tuple[bytes, bool]:
    """What inflates of a stream: at its end byte by byte, so that all in front of damage comes out.

    False with it when the stream is wrong somewhere. One without an end was cut short where it `is_last` in
    its file; elsewhere damage has taken the end, and the last bytes may be wrong. Zeros inflate to something
    as well, but are none of the stream: a power cut leaves them.
    """
    if is_last:
        data = data.rstrip(b"\0")
    is_cut = is_last and _NO_STREAM not in data
    inflater = zlib.decompressobj()
    parts: list[bytes] = []
    at = size = 0
    step = _INFLATED_AT_ONCE
    while at < len(data) and size <= _LARGEST_BLOCK and not inflater.eof:
        before = inflater.copy()
        try:
            parts.append(inflater.decompress(data[at : at + step], _LARGEST_BLOCK - size + 1))
        except zlib.error:
            if step == 1:
                return b"".join(parts), False
            inflater, step = before, 1
            continue
        size += len(parts[-1])
        at += step
    return b"".join(parts)[:_LARGEST_BLOCK], inflater.eof or is_cut

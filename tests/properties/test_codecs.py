"""Every codec of the format, both ways: what is written is what is read, and the other way round."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from hypothesis import example, given, strategies as st

from engine.errors import FormatError
from engine.format import (
    INDEX,
    LOG,
    MAX_BLOCK_SIZE,
    MAX_OBJECT_ID_LEN,
    MAX_RESTARTS,
    OBJ,
    REF,
    U64_MAX,
    Block,
    Footer,
    HashId,
    Header,
    IndexRecord,
    LogRecord,
    ObjectRecord,
    RefRecord,
    format_table_name,
    get_varint,
    log_key,
    pack_table_list,
    parse_table_list,
    parse_table_name,
)
from engine.format.block import BlockWriter, read_size
from engine.format.codec import common_prefix, encode_head, encode_log, encode_object, encode_ref
from engine.format.header import MIN_OBJECT_ID_LEN
from engine.format.raw_record import RawRefs, cut_refs, split_logs
from engine.format.search import find_index, find_log, find_object, find_ref
from engine.format.table_list import TableName
from engine.format.varint import put_varint
from tests.properties.strategies import HASH_IDS, NAMES, UPDATE_INDEXES, log_records, ref_records

_T = TypeVar("_T")

NAME = "0x000000000001-0x000000000001-00000000.ref"
RESTART_INTERVALS = st.integers(1, 20) | st.just(MAX_RESTARTS)
# All magnitudes alike: a varint of each length is as likely as any other.
NUMBERS = st.integers(0, 64).flatmap(lambda bits: st.integers(0, 2**bits - 1))

Entry = tuple[bytes, int, bytes]
"""A record on its way into a block: key, kind, tail."""


@given(NUMBERS, st.binary(max_size=3), st.binary(max_size=3))
@example(0x7F, b"", b"")
@example(0x80, b"", b"")
@example(0x407F, b"", b"")
@example(0x4080, b"", b"")
@example(U64_MAX, b"", b"")
def test_a_varint_reads_back_wherever_it_lies(value: int, before: bytes, behind: bytes) -> None:
    encoded = put_varint(value)
    assert len(encoded) <= 10
    assert get_varint(before + encoded + behind, len(before)) == (value, len(before) + len(encoded))


@given(st.binary(max_size=12) | st.lists(st.integers(0x7F, 0xFF), max_size=12).map(bytes))
@example(b"\x80\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\x7f")  # 2**64-1
@example(b"\x80\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xff\x00")  # 2**64
def test_a_varint_has_one_spelling_and_all_else_is_an_error(data: bytes) -> None:
    try:
        value, stop = get_varint(data, 0)
    except IndexError:
        assert all(byte & 0x80 for byte in data)
    except ValueError:
        assert len(data) >= 10
    else:
        assert 0 <= value <= U64_MAX
        assert put_varint(value) == data[:stop]


@given(NAMES, NAMES)
def test_the_common_prefix_of_two_keys_is_the_longest(one: bytes, other: bytes) -> None:
    shared = common_prefix(one, other)
    assert one[:shared] == other[:shared]
    assert shared in {len(one), len(other)} or one[shared] != other[shared]


def write_block(block_type: int, entries: Iterable[Entry], interval: int, header: bytes) -> bytes:
    """Return a block of these records."""
    writer = BlockWriter(block_type, MAX_BLOCK_SIZE, len(header), interval)
    for entry in entries:
        assert writer.add(*entry)
    return writer.finish(header)


def rewrite_block(refs: RawRefs, interval: int, header: bytes) -> bytes:
    """Return a block that takes over refs as they were cut out of another one."""
    writer = BlockWriter(REF, MAX_BLOCK_SIZE, len(header), interval)
    assert writer.take_over(refs.keys, refs.encoded, 0) == len(refs.keys)
    return writer.finish(header)


def parse_block(raw: bytes, header: bytes) -> Block:
    """Return the block that was written, and see that its frame is whole."""
    block = Block.parse(NAME, raw, 0, len(header), 0)
    assert block.next_offset == len(raw)
    assert len(raw) <= read_size(block.block_len)
    return block


def check_seeks(
    block: Block, keys: Sequence[bytes], records: Sequence[_T], seek: Callable[[Block, bytes], _T | None]
) -> None:
    """See that every key leads to the first record that is not smaller."""
    behind = [*records[1:], None]
    for key, record, following in zip(keys, records, behind, strict=True):
        assert seek(block, key) == record
        assert seek(block, key + b"\0") == following  # nothing sorts between these two
    assert seek(block, b"") == records[0]
    restarts = [block.restart_key(index) for index in range(block.restart_count)]
    assert restarts[0] == keys[0]
    assert restarts == sorted(set(restarts).intersection(keys))


def headers(hash_id: HashId) -> list[bytes]:
    """Return what may lie in front of a block: nothing, or the header of the file."""
    return [b"", Header(hash_id.version, 0, 0, U64_MAX, hash_id).pack()]


@given(st.data(), HASH_IDS, RESTART_INTERVALS, RESTART_INTERVALS)
def test_ref_records_read_back(
    data: st.DataObject, hash_id: HashId, interval: int, other_interval: int
) -> None:
    refs = data.draw(st.lists(ref_records(hash_id), min_size=1, max_size=12, unique_by=lambda ref: ref.name))
    refs.sort(key=lambda ref: ref.name)
    low = data.draw(st.integers(0, min(ref.update_index for ref in refs)))
    lower = data.draw(st.integers(0, low))
    size = hash_id.size

    def entries(base: int) -> list[Entry]:
        return [(ref.name, *encode_ref(ref, base, size)) for ref in refs]

    def seek(block: Block, name: bytes) -> RefRecord | None:
        return block.seek(name, find_ref, size, low)

    for header in headers(hash_id):
        block = parse_block(write_block(REF, entries(low), interval, header), header)
        assert block.refs(size, low) == refs
        check_seeks(block, [ref.name for ref in refs], refs, seek)
        # As a compaction does: into a table whose limits begin lower, and that has other restarts.
        (cut_out,) = block.parts(cut_refs, size, low, low - lower)
        moved = rewrite_block(cut_out, other_interval, header)
        assert moved == write_block(REF, entries(lower), other_interval, header)


@given(st.data(), HASH_IDS, RESTART_INTERVALS)
def test_log_records_read_back(data: st.DataObject, hash_id: HashId, interval: int) -> None:
    def key(log: LogRecord) -> bytes:
        return log_key(log.name, log.update_index)

    def seek(block: Block, key: bytes) -> LogRecord | None:
        return block.seek(key, find_log, hash_id.size)

    logs = data.draw(st.lists(log_records(hash_id), min_size=1, max_size=12, unique_by=key))
    logs.sort(key=key)
    entries = [(key(log), *encode_log(log, hash_id.size)) for log in logs]
    for header in headers(hash_id):
        block = parse_block(write_block(LOG, entries, interval, header), header)
        assert block.logs(hash_id.size) == logs
        check_seeks(block, list(map(key, logs)), logs, seek)
        cut_out = block.records(split_logs, hash_id.size)
        assert [(key, kind, raw[len(raw) - size :]) for key, _, _, kind, size, raw in cut_out] == entries


@given(st.data(), RESTART_INTERVALS)
def test_object_records_read_back(data: st.DataObject, interval: int) -> None:
    length = data.draw(st.integers(MIN_OBJECT_ID_LEN, MAX_OBJECT_ID_LEN))
    prefixes = st.binary(min_size=length, max_size=length)
    offsets = st.sets(NUMBERS, max_size=12).map(sorted)
    records = [
        ObjectRecord(prefix, found)
        for prefix, found in sorted(data.draw(st.dictionaries(prefixes, offsets, min_size=1)).items())
    ]
    entries = [(record.prefix, *encode_object(record.offsets, {})) for record in records]
    block = parse_block(write_block(OBJ, entries, interval, b""), b"")
    assert block.objects() == records
    check_seeks(
        block,
        [record.prefix for record in records],
        records,
        lambda block, key: block.seek(key, find_object),
    )


@given(st.dictionaries(NAMES, NUMBERS, min_size=1), RESTART_INTERVALS)
def test_index_records_read_back(offsets: dict[bytes, int], interval: int) -> None:
    records = [IndexRecord(key, offset) for key, offset in sorted(offsets.items())]
    entries = [(record.last_key, 0, put_varint(record.offset)) for record in records]
    block = parse_block(write_block(INDEX, entries, interval, b""), b"")
    assert block.index() == records

    def seek(block: Block, key: bytes) -> int | None:
        return block.seek(key, find_index)

    check_seeks(block, [record.last_key for record in records], [record.offset for record in records], seek)


@given(st.data(), HASH_IDS, RESTART_INTERVALS, st.integers(30, 600))
def test_a_block_that_takes_over_records_is_full_where_one_that_encodes_them_is(
    data: st.DataObject, hash_id: HashId, interval: int, capacity: int
) -> None:
    refs = data.draw(st.lists(ref_records(hash_id), min_size=1, max_size=12, unique_by=lambda ref: ref.name))
    entries = [
        (ref.name, *encode_ref(ref, 0, hash_id.size)) for ref in sorted(refs, key=lambda ref: ref.name)
    ]
    source = parse_block(write_block(REF, entries, data.draw(RESTART_INTERVALS), b""), b"")
    (cut_out,) = source.parts(cut_refs, hash_id.size, 0, 0)
    start = data.draw(st.integers(0, len(entries) - 1))

    encoding = BlockWriter(REF, capacity, 0, interval)
    taking_over = BlockWriter(REF, capacity, 0, interval)
    room = 0
    while start + room < len(entries) and encoding.add(*entries[start + room]):
        room += 1
    assert taking_over.take_over(cut_out.keys, cut_out.encoded, start) == start + room
    if room:
        assert taking_over.last_key == encoding.last_key == entries[start + room - 1][0]
        raw = encoding.finish(b"")
        assert len(raw) <= capacity
        assert taking_over.finish(b"") == raw


SOUND_HEADERS = st.builds(
    Header,
    st.just(1),
    st.integers(0, MAX_BLOCK_SIZE),
    UPDATE_INDEXES,
    UPDATE_INDEXES,
    st.just(HashId.SHA1),
) | st.builds(Header, st.just(2), st.integers(0, MAX_BLOCK_SIZE), UPDATE_INDEXES, UPDATE_INDEXES, HASH_IDS)

FOOTERS = st.builds(
    Footer,
    NUMBERS,
    st.integers(0, 2**59 - 1),
    st.integers(1, MAX_OBJECT_ID_LEN),
    NUMBERS,
    NUMBERS,
    NUMBERS,
)


@given(SOUND_HEADERS, st.binary(max_size=100))
def test_a_header_reads_back(header: Header, behind: bytes) -> None:
    raw = header.pack()
    assert len(raw) == header.size
    assert Header.parse(NAME, raw + behind) == header


@given(st.binary(max_size=40) | st.builds(lambda rest: b"REFT" + rest, st.binary(max_size=40)))
@example(b"REFT\x01" + bytes(19))
@example(b"REFT\x02" + bytes(19) + b"s256")
@example(b"REFT\x03" + bytes(23))
def test_a_header_has_one_spelling_and_all_else_is_an_error(data: bytes) -> None:
    try:
        header = Header.parse(NAME, data)
    except FormatError:
        pass
    else:
        assert header.pack() == data[: header.size]


@given(SOUND_HEADERS, FOOTERS, NUMBERS)
def test_a_footer_reads_back(header: Header, footer: Footer, offset: int) -> None:
    assert Footer.parse(NAME, footer.pack(header), offset, header.pack()) == footer


@given(UPDATE_INDEXES, UPDATE_INDEXES, st.integers(0, 2**32 - 1), st.sampled_from(["ref", "log"]))
def test_a_table_name_reads_back(low: int, high: int, suffix: int, extension: str) -> None:
    parts = parse_table_name(f"{format_table_name(low, high, suffix)}.{extension}")
    assert parts == TableName(low, high, f"{suffix:08x}")


@given(
    st.binary(max_size=60)
    | st.builds(
        b"%b%x-%b%x%b".__mod__,
        st.tuples(
            st.sampled_from([b"", b"0x"]),
            UPDATE_INDEXES,
            st.sampled_from([b"", b"0x"]),
            UPDATE_INDEXES,
            st.binary(max_size=12) | st.sampled_from([b".ref", b".log", b"-0123abcd.ref"]),
        ),
    )
)
def test_any_bytes_are_a_table_name_or_none(name: bytes) -> None:
    parts = parse_table_name(os.fsdecode(name))
    assert parts is None or name.endswith((b".ref", b".log"))


LINES = (
    st.binary(min_size=1, max_size=30)
    .map(lambda line: line.translate(None, b"\n\0/"))
    .filter(lambda line: line not in {b"", b".", b".."})
)


@given(st.lists(LINES, max_size=6))
def test_a_list_of_tables_reads_back(lines: list[bytes]) -> None:
    data = b"".join(line + b"\n" for line in lines)
    names = parse_table_list(data).require_names()
    assert [os.fsencode(name) for name in names] == lines
    assert pack_table_list(names) == data


@given(
    st.binary(max_size=60) | st.lists(st.sampled_from(b"a / . .. \n \n \0 \xff".split(b" "))).map(b"".join)
)
def test_any_bytes_are_a_list_without_ways_out_of_the_directory_or_an_error(data: bytes) -> None:
    try:
        names = parse_table_list(data).require_names()
    except FormatError:
        pass
    else:
        assert pack_table_list(names) == b"".join(line + b"\n" for line in data.split(b"\n") if line)
        assert not {name for name in names if "/" in name or "\0" in name or name in {".", ".."}}


@given(st.sets(NAMES, min_size=1, max_size=12), st.data())
def test_a_key_is_found_whatever_it_shares_with_the_one_before(
    names: set[bytes], data: st.DataObject
) -> None:
    keys, before, block = sorted(names), b"", b""
    for number, key in enumerate(keys):
        prefix = data.draw(st.integers(0, common_prefix(before, key)))
        block += encode_head(prefix, len(key) - prefix, 0) + key[prefix:] + put_varint(number)
        before = key
    for sought in (*keys, *(key + b"a" for key in keys), *(key[:-1] for key in keys), data.draw(NAMES)):
        expected = next((number for number, key in enumerate(keys) if key >= sought), None)
        assert find_index(block, 0, len(block), sought) == expected
        ref = find_ref(block, 0, len(block), sought, 20, 0)
        assert ref == (None if expected is None else RefRecord(keys[expected], expected))

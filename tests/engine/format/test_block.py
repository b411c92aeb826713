"""One block: where restarts go, how it is filled, what its frame may look like, and searching it."""

from __future__ import annotations

import tracemalloc
import zlib

import pytest

from engine.errors import FormatError
from engine.format import LOG, MAX_RESTARTS, OBJ, REF, Block, LogRecord, RefRecord
from engine.format.block import BlockWriter, read_size
from engine.format.codec import encode_ref
from engine.format.raw_record import RawRefs, cut_refs, parted, split_refs
from engine.format.search import find_ref
from engine.format.varint import put_u24
from tests.support.handmade import Handmade, raw_block, raw_record
from tests.support.stacks import branch, entry, same

HEADER = b"REFT" + bytes(20)


def tail_of(number: int) -> bytes:
    return b"\0" + same(number & 0xFF)


def filled(names: list[bytes], interval: int = 16, capacity: int = 4096, header: bytes = b"") -> BlockWriter:
    writer = BlockWriter(REF, capacity, len(header), interval)
    for number, name in enumerate(names):
        assert writer.add(name, 1, tail_of(number))
    return writer


def parse(data: bytes, offset: int = 0, header_size: int = 0, block_size: int = 0) -> Block:
    return Block.parse("name", data, offset, header_size, block_size)


def numbered(count: int) -> list[bytes]:
    return [b"refs/heads/%04d" % number for number in range(count)]


def cut_out(data: bytes) -> RawRefs:
    """The refs of a block, as a compaction takes them."""
    (refs,) = parse(data).parts(cut_refs, 20, 0, 0)
    return refs


def restart_keys(block: Block) -> list[bytes]:
    return [block.restart_key(index) for index in range(block.restart_count)]


def test_each_record_of_the_interval_is_a_restart_point() -> None:
    block = parse(filled(numbered(10), interval=4).finish(b""))
    assert restart_keys(block) == [b"refs/heads/0000", b"refs/heads/0004", b"refs/heads/0008"]


def test_a_key_that_shares_nothing_is_a_restart_point_too() -> None:
    names = [b"HEAD", b"refs/heads/main", b"refs/tags/v1", b"stash"]
    block = parse(filled(names).finish(b""))
    assert restart_keys(block) == [b"HEAD", b"refs/heads/main", b"stash"]


def test_the_interval_counts_records_not_restarts() -> None:
    names = [b"HEAD", *numbered(6)]
    block = parse(filled(names, interval=4).finish(b""))
    assert restart_keys(block) == [b"HEAD", b"refs/heads/0000", b"refs/heads/0003"]


def test_restarts_end_where_their_count_has_no_more_room() -> None:
    names = [b"%05d" % number for number in range(MAX_RESTARTS + 10)]
    writer = BlockWriter(REF, 2**24 - 1, 0, 1)
    for name in names:
        assert writer.add(name, 0, b"\0")
    block = parse(writer.finish(b""))
    assert block.restart_count == MAX_RESTARTS
    assert [ref.name for ref in block.refs(20, 0)] == names
    for name in (names[0], names[MAX_RESTARTS - 1], names[MAX_RESTARTS], names[-1]):
        found = block.seek(name, find_ref, 20, 0)
        assert found is not None
        assert found.name == name


def test_the_first_block_counts_from_the_start_of_the_file() -> None:
    writer = filled(numbered(20), header=HEADER)
    data = writer.finish(HEADER)
    assert data.startswith(HEADER + b"r" + put_u24(len(data)))
    block = parse(data, header_size=24)
    assert block.block_len == len(data)
    assert block.records_start == block.restart(0) == 28
    assert len(block.refs(20, 0)) == 20


def test_a_block_takes_records_to_its_last_byte_and_no_further() -> None:
    size = len(filled(numbered(20)).finish(b""))
    exact = filled(numbered(19), capacity=size)
    assert exact.add(numbered(20)[-1], 1, tail_of(19))
    tight = filled(numbered(19), capacity=size - 1)
    before = (tight.size, tight.entries, tight.last_key, list(tight.restarts))
    assert not tight.add(numbered(20)[-1], 1, tail_of(19))
    assert (tight.size, tight.entries, tight.last_key, tight.restarts) == before
    assert tight.add(numbered(20)[-1], 1, tail_of(19)[:-1])


def test_a_restart_point_takes_three_bytes_more() -> None:
    size = len(filled([b"a", b"ab"]).finish(b""))
    writer = filled([b"a"], capacity=size)
    assert not writer.add(b"bb", 1, tail_of(1)[1:])
    assert not writer.add(b"bb", 1, tail_of(1)[2:])
    assert not writer.add(b"bb", 1, tail_of(1)[3:])
    assert writer.add(b"bb", 1, tail_of(1)[4:])


def test_kinds_and_tails_are_those_that_were_stored_however_long_the_names_are() -> None:
    names = [b"HEAD", *numbered(20), b"x" * 40, b"x" * 200, b"x" * 400]
    refs = cut_out(filled(names, interval=4).finish(b""))
    assert refs.kinds_and_tails() == (bytes([1] * len(names)), [*map(tail_of, range(len(names)))])


@pytest.mark.parametrize("interval", [1, 3, 16])
@pytest.mark.parametrize("source_interval", [1, 4, 16])
@pytest.mark.parametrize("capacity", [120, 300, 4096])
def test_records_taken_over_make_the_same_blocks_as_records_added(
    interval: int, source_interval: int, capacity: int
) -> None:
    names = sorted([b"HEAD", *numbered(30), b"stash", b"x" * 40, b"x" * 60])
    data = filled(names, interval=source_interval).finish(b"")
    refs = cut_out(data)
    # Some records are gone, so their neighbours' prefixes have changed.
    for number in range(3, len(names), 7):
        refs.ids[number] = None
    kept = refs.without_tombstones()
    items = [item for number, item in enumerate(parse(data).records(split_refs, 20, 0, 0)) if number % 7 != 3]
    one_by_one = RawRefs.of_items(items, 20)
    assert (one_by_one.keys, one_by_one.encoded, one_by_one.ids) == (kept.keys, kept.encoded, kept.ids)
    assert kept.keys == [name for number, name in enumerate(names) if number % 7 != 3]
    added: list[bytes] = []
    writer = BlockWriter(REF, capacity, 0, interval)
    for key, encoded in zip(kept.keys, kept.encoded, strict=True):
        if not writer.add(key, *parted(key, encoded)):
            added.append(writer.finish(b""))
            writer = BlockWriter(REF, capacity, 0, interval)
            assert writer.add(key, *parted(key, encoded))
    added.append(writer.finish(b""))
    taken: list[bytes] = []
    done = 0
    while done < len(kept.keys):
        writer = BlockWriter(REF, capacity, 0, interval)
        done = writer.take_over(kept.keys, kept.encoded, done)
        assert writer.last_key == kept.keys[done - 1]
        taken.append(writer.finish(b""))
    assert taken == added


@pytest.mark.parametrize("last", [b"refs/heads/0003", b"stash"])
def test_records_taken_over_fill_a_block_to_its_last_byte(last: bytes) -> None:
    """With a restart point at the end, and without one."""
    names = [*numbered(3), last]
    data = filled(names).finish(b"")
    refs = cut_out(data)
    exact = BlockWriter(REF, len(data), 0, 16)
    assert exact.take_over(refs.keys, refs.encoded, 0) == 4
    assert exact.finish(b"") == data
    assert BlockWriter(REF, len(data) - 1, 0, 16).take_over(refs.keys, refs.encoded, 0) == 3


def test_records_taken_over_into_a_full_block_change_nothing() -> None:
    refs = cut_out(filled(numbered(3)).finish(b""))
    writer = filled([b"a"], capacity=40)
    before = writer.finish(b"")
    writer = filled([b"a"], capacity=40)
    assert writer.take_over(refs.keys, refs.encoded, 0) == 0
    assert writer.finish(b"") == before


@pytest.mark.parametrize("source_interval", [1, 4, 16])
@pytest.mark.parametrize("step", [1, 2, 5])
def test_newer_records_are_laid_over_older_ones(source_interval: int, step: int) -> None:
    """New names singly and in a row, newer values of old ones, and both at either end."""
    names = sorted([b"HEAD", *numbered(30), b"stash", b"x" * 140, b"x" * 160])
    older = [name for number, name in enumerate(names) if number // step % 2]
    newer = [name for number, name in enumerate(names) if number // step % 2 == 0 or number % 7 == 3]
    refs = cut_out(filled(older, interval=source_interval).finish(b""))
    over = cut_out(filled(newer, interval=source_interval).finish(b""))
    refs.lay_over(over)
    assert refs.keys == names
    ids = {name: tail_of(number)[1:] for given in (older, newer) for number, name in enumerate(given)}
    assert refs.ids == [ids[name] for name in names]
    expected = BlockWriter(REF, 4096, 0, 16)
    for name in names:
        assert expected.add(name, 1, b"\0" + ids[name])
    taken = BlockWriter(REF, 4096, 0, 16)
    assert taken.take_over(refs.keys, refs.encoded, 0) == len(names)
    assert taken.finish(b"") == expected.finish(b"")


@pytest.mark.parametrize(
    ("block_size", "behind", "padding"),
    [
        (0, b"", 0),
        (0, b"r", 0),
        (256, bytes(300), 256 - 47),
        (256, b"r" + bytes(300), 0),  # unpadded, whatever the header says
        (47, b"\0", 0),
        (20, bytes(300), 60 - 47),  # larger than a block should be
    ],
)
def test_padding_reaches_to_the_next_multiple_unless_something_follows(
    block_size: int, behind: bytes, padding: int
) -> None:
    data = filled([b"refs/heads/main"]).finish(b"")
    assert len(data) == 47
    block = parse(data + behind, 1000, block_size=block_size)
    assert (block.padding, block.next_offset) == (padding, 1047 + padding)


def test_a_log_block_is_followed_directly() -> None:
    table = Handmade()
    table.data += bytes(24)
    start = table.logs([entry(b"HEAD", 1), entry(b"refs/heads/main", 1)])
    data = bytes(table.data[start:])
    block = parse(data + bytes(10), 1000, block_size=256)
    assert (block.padding, block.next_offset) == (0, 1000 + len(data))
    assert block.block_len == len(block.data) > len(data)
    assert [log.name for log in block.logs(20)] == [b"HEAD", b"refs/heads/main"]


LOGS = raw_record(0, b"a\0" + bytes(8), 0, b"") + put_u24(4) + b"\0\1"


@pytest.mark.parametrize(
    ("stated", "stream"),
    [
        (len(LOGS) - 1, zlib.compress(LOGS)),
        (len(LOGS) + 1, zlib.compress(LOGS)),
        (len(LOGS), zlib.compress(LOGS)[:-1]),
        (len(LOGS), zlib.compress(LOGS)[:-4] + b"\0\0\0\0"),
        (len(LOGS), b"\x78\x9c"),
        (len(LOGS), b""),
        (len(LOGS), LOGS),
        (len(LOGS), zlib.compress(LOGS)[2:-4]),
    ],
)
def test_a_log_block_inflates_to_its_stated_size_and_no_other(stated: int, stream: bytes) -> None:
    sound = parse(b"g" + put_u24(4 + len(LOGS)) + zlib.compress(LOGS))
    assert sound.logs(20) == [LogRecord(b"a", 2**64 - 1)]
    with pytest.raises(FormatError, match="inflate") as caught:
        parse(b"g" + put_u24(4 + stated) + stream, 1000)
    assert caught.value.offset == 1004


def test_a_log_block_is_not_inflated_beyond_its_stated_size() -> None:
    bomb = b"g" + put_u24(200) + zlib.compress(bytes(20_000_000), 1)
    tracemalloc.start()
    with pytest.raises(FormatError):
        parse(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


def test_a_log_block_of_noise_fits_into_what_is_read_for_it() -> None:
    for size in (1, 100, 4096, 100_000, 2**24 - 1):
        # What deflate cannot compress it stores, in pieces with a few bytes around them.
        stored = zlib.compress(bytes(size), 0)
        assert 4 + len(stored) <= read_size(4 + size)


SOUND = filled([b"refs/heads/main"]).finish(b"")


def changed(at: int, raw: bytes) -> bytes:
    data = bytearray(SOUND)
    data[at : at + len(raw) if at >= 0 or at + len(raw) else len(data)] = raw
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "offset"),
    [
        (b"", 1000),
        (SOUND[:3], 1000),
        (changed(0, b"\0"), 1000),
        (changed(0, b"R"), 1000),
        (SOUND[:-1], 1001),
        (changed(1, put_u24(0)), 1001),
        (changed(1, put_u24(5)), 1001),
        (changed(1, put_u24(2**24 - 1)), 1001),
        (changed(-2, b"\0\0"), 1045),
        (changed(-2, b"\0\x0e"), 1045),
        (raw_block(REF, b""), 1007),
        (raw_block(REF, b"", []), 1004),
    ],
)
def test_a_frame_that_is_wrong_is_refused_where_it_is_wrong(data: bytes, offset: int) -> None:
    assert parse(SOUND, 1000).refs(20, 0) == [RefRecord(b"refs/heads/main", 0, value=same(0))]
    with pytest.raises(FormatError) as caught:
        parse(data, 1000)
    assert (caught.value.name, caught.value.offset) == ("name", offset)


@pytest.mark.parametrize(("block_type", "at"), [(REF, 100 + 7), (LOG, 100)])
def test_without_restart_points_the_place_is_named_in_the_file(block_type: int, at: int) -> None:
    """In a log block, what is wrong is in what it inflates to, which may be longer than the file."""
    data = raw_block(block_type, b"abc", restarts=[])
    with pytest.raises(FormatError, match="0 restart points") as caught:
        parse(data, offset=100)
    assert caught.value.offset == at


@pytest.mark.parametrize(
    ("records", "restarts", "key"),
    [
        (raw_record(0, b"a", 0, b"\0"), [3], b"a"),  # in front of the records
        (raw_record(0, b"a", 0, b"\0"), [8], b"a"),  # behind them
        (raw_record(0, b"a", 0, b"\0") + raw_record(1, b"b", 0, b"\0"), [4, 8], b"a"),  # no whole key
        (raw_record(0, b"a" * 40, 0, b"")[:9], [4], b"a"),  # a key longer than the records
        (raw_record(0, b"a", 0, b"\0") + b"\x80\x80\x80", [4, 8], b"a"),  # no end of a varint
        (raw_record(0, b"a", 0, b"\0") + raw_record(0, b"b", 0, b"\0"), [8, 4], b"0"),  # descending
    ],
)
def test_a_restart_point_without_a_whole_key_is_refused(
    records: bytes, restarts: list[int], key: bytes
) -> None:
    block = parse(raw_block(REF, records, restarts), 1000)
    with pytest.raises(FormatError) as caught:
        block.seek(key, find_ref, 20, 0)
    assert caught.value.offset is not None
    assert 1000 <= caught.value.offset < 1000 + block.block_len


def test_a_record_that_is_wrong_is_refused_where_it_is_wrong() -> None:
    good = raw_record(0, b"a", 0, b"\0")
    block = parse(raw_block(REF, good + raw_record(9, b"b", 0, b"\0")), 1000)
    with pytest.raises(FormatError, match="shares 9") as caught:
        block.refs(20, 0)
    assert caught.value.offset == 1000 + 4 + len(good)


def test_a_record_of_a_log_block_has_no_place_in_the_file_of_its_own() -> None:
    """What is wrong lies in the inflated bytes, so the error names the block and says where in there."""
    good = raw_record(0, b"a\0" + bytes(8), 0, b"")
    block = parse(raw_block(LOG, good + raw_record(0, b"b\0" + bytes(8), 5, b"")), 1000)
    with pytest.raises(FormatError, match=rf"type 5.*\b{4 + len(good)}\b") as caught:
        block.logs(20)
    assert caught.value.offset == 1000


def test_a_record_over_the_end_of_the_records_is_refused() -> None:
    block = parse(raw_block(REF, raw_record(0, b"a", 1, b"\0" + bytes(18))))
    with pytest.raises(FormatError, match="over"):
        block.refs(20, 0)


@pytest.mark.parametrize("interval", [1, 2, 7, 16, 100])
def test_a_seek_finds_what_a_scan_finds(interval: int) -> None:
    refs = [branch(number) for number in range(0, 90, 3)] + [RefRecord(b"s" * 200, 1, target=b"t" * 300)]
    items = [(ref.name, *encode_ref(ref, 0, 20)) for ref in refs]
    table = Handmade()
    table.data += bytes(24)
    start = table.block(REF, items, interval)
    block = parse(bytes(table.data[start:]))
    assert block.refs(20, 0) == refs
    sought = [branch(number).name for number in range(-1, 92)] + [b"", b"a", b"s" * 199, b"s" * 200, b"t"]
    for key in sought:
        assert block.seek(key, find_ref, 20, 0) == next((ref for ref in refs if ref.name >= key), None)


def test_a_block_of_another_section_can_be_told() -> None:
    table = Handmade()
    table.data += bytes(24)
    assert parse(bytes(table.data[table.objects([(b"\1\2", [0])]) :])).type == OBJ
    assert parse(bytes(table.data[table.logs([entry(b"a", 1)]) :])).type == LOG

"""Tables made by hand to lead readers astray: loops, bombs, numbers too large, records that make no sense."""

from __future__ import annotations

import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from engine.errors import FormatError
from engine.format import INDEX, LOG, OBJ, REF, U64_MAX, RefRecord, log_key
from engine.format.varint import put_u24, put_varint
from engine.merge import compact_tables
from engine.table import Table, WriteOptions
from tests.hostile.ordeal import Answers, interrogate, limited_reads
from tests.support.handmade import Handmade, raw_block, raw_record
from tests.support.tables import oid, write_table

MIB = 2**20
# 2**64, the smallest number that a varint may not hold, and one that never ends.
TOO_LARGE = b"\x80\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xff\x00"
ENDLESS = b"\xff" * 30
HUGE = put_varint(2**60)


@contextmanager
def limited_memory(limit: int) -> Iterator[None]:
    """Fail when more than `limit` bytes are in use at any moment."""
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < limit, f"{peak / MIB:.0f} MiB"


def ask(path: Path) -> Answers:
    return interrogate(path, [b"a", b"b", b"c"], [oid(1, 32)])


def table_of(path: Path, block_type: int, records: bytes, restarts: list[int] | None = None) -> Path:
    """Write a table with one block of these bytes, behind a sound ref block if it cannot be the first."""
    table = Handmade()
    if block_type in {REF, LOG}:
        table.append(raw_block(block_type, records, restarts, table.header.pack()))
        return table.write(path)
    table.refs([RefRecord(b"a", 1, value=oid(1)), RefRecord(b"c", 1)])
    offset = table.append(raw_block(block_type, records, restarts))
    if block_type == OBJ:
        return table.write(path, obj_offset=offset, object_id_len=2)
    return table.write(path, ref_index_offset=offset)


# Indexes that lead nowhere


def test_an_index_whose_blocks_lead_to_each_other_is_left(tmp_path: Path) -> None:
    table = Handmade()
    table.refs([RefRecord(b"a", 1), RefRecord(b"d", 1)])
    first = table.index([(b"a", 0)])
    table.index([(b"z", first)])
    path = table.write(tmp_path / "loop.ref", ref_index_offset=first)
    answers = ask(path)
    assert answers["refs"] == [RefRecord(b"a", 1), RefRecord(b"d", 1)]
    with Table.open(path) as opened, limited_reads(100):
        assert opened.read_ref(b"c") is None
        assert opened.read_ref(b"d") == RefRecord(b"d", 1)


def test_an_index_whose_lower_level_lacks_a_key_is_left(tmp_path: Path) -> None:
    table = Handmade()
    table.refs([RefRecord(b"a", 1), RefRecord(b"d", 1)])
    lower = table.index([(b"b", 0)])
    root = table.index([(b"d", lower)])
    path = table.write(tmp_path / "loop.ref", ref_index_offset=root)
    with Table.open(path) as opened, limited_reads(100):
        assert opened.read_ref(b"d") == RefRecord(b"d", 1)


@pytest.mark.parametrize("step", [-1, 0, 1, 30])
def test_an_index_that_leads_to_itself_or_ahead_is_left(tmp_path: Path, step: int) -> None:
    table = Handmade()
    table.refs([RefRecord(b"a", 1), RefRecord(b"c", 1)])
    offset = table.index([(b"c", len(table.data) + step)])
    path = table.write(tmp_path / "loop.ref", ref_index_offset=offset)
    ask(path)
    with Table.open(path) as opened, limited_reads(100):
        assert opened.read_ref(b"c") == RefRecord(b"c", 1)


@pytest.mark.parametrize("offset", [1, 40, 2**32, 2**60, U64_MAX])
def test_object_records_may_name_any_place(tmp_path: Path, offset: int) -> None:
    record = raw_record(0, oid(1)[:2], 1, put_varint(offset))
    answers = ask(table_of(tmp_path / "astray.ref", OBJ, record))
    assert answers["refs for id 0"] == [RefRecord(b"a", 1, value=oid(1))]


@pytest.mark.parametrize("offset", [1, 40, 2**60])
def test_an_object_record_may_name_one_block_and_then_none(tmp_path: Path, offset: int) -> None:
    record = raw_record(0, oid(1)[:2], 2, b"\0" + put_varint(offset))
    answers = ask(table_of(tmp_path / "astray.ref", OBJ, record))
    assert answers["refs for id 0"] == [RefRecord(b"a", 1, value=oid(1))]


@pytest.mark.parametrize("count", [2, 7])
def test_an_object_record_that_names_a_block_twice_gives_no_ref_twice(tmp_path: Path, count: int) -> None:
    record = raw_record(0, oid(1)[:2], count, bytes(count))
    answers = ask(table_of(tmp_path / "twice.ref", OBJ, record))
    assert answers["refs for id 0"] == [RefRecord(b"a", 1, value=oid(1))]


@pytest.mark.parametrize("count", [put_varint(1000), HUGE, put_varint(U64_MAX), TOO_LARGE])
def test_an_object_record_may_state_any_number_of_offsets(tmp_path: Path, count: bytes) -> None:
    path = table_of(tmp_path / "many.ref", OBJ, raw_record(0, oid(1)[:2], 0, count + bytes(10)))
    with limited_memory(MIB):
        answers = ask(path)
    assert answers["refs for id 0"] == [RefRecord(b"a", 1, value=oid(1))]


# Small files that want much memory


def test_an_object_record_that_names_a_block_often_takes_no_memory_for_each(tmp_path: Path) -> None:
    table = Handmade(block_size=2**16)
    table.refs([RefRecord(b"refs/%06d" % number, 1, value=oid(1)) for number in range(1000)])
    offset = table.append(raw_block(OBJ, raw_record(0, oid(1)[:2], 0, put_varint(10_000) + bytes(10_000))))
    path = table.write(tmp_path / "often.ref", obj_offset=offset, object_id_len=2)
    with limited_memory(16 * MIB), Table.open(path) as opened:
        assert next(opened.refs_for(oid(1))).name == b"refs/000000"


@pytest.fixture(scope="module")
def bomb() -> bytes:
    """A hundred megabytes of zeros, deflated."""
    deflater = zlib.compressobj(9)
    return b"".join(deflater.compress(bytes(MIB)) for _ in range(100)) + deflater.flush()


@pytest.mark.parametrize("stated", [40, 100, 4096, 2**20, 2**24 - 1])
def test_a_log_block_inflates_to_the_size_that_it_states_and_no_further(
    tmp_path: Path, bomb: bytes, stated: int
) -> None:
    table = Handmade()
    table.append(table.header.pack() + bytes((LOG,)) + put_u24(stated) + bomb)
    path = table.write(tmp_path / "bomb.ref")
    with limited_memory(MIB + 4 * stated), Table.open(path) as opened, pytest.raises(FormatError) as caught:
        next(opened.logs())
    assert "inflate" in caught.value.reason


@pytest.mark.parametrize(
    ("block_type", "behind_name", "tail"),
    [(REF, b"", b"\0"), (LOG, b"\0" + bytes(8), b"")],
    ids=["refs", "logs"],
)
def test_names_that_each_grow_by_a_byte_take_no_memory_for_all_of_them(
    tmp_path: Path, block_type: int, behind_name: bytes, tail: bytes
) -> None:
    """Each name is the one before and a byte more: a few bytes a record, and a square of them in all."""
    count = 30_000
    records = b"".join(raw_record(number, b"a" + behind_name, 0, tail) for number in range(count))
    path = table_of(tmp_path / "growing.ref", block_type, records)
    with limited_memory(100 * MIB), Table.open(path) as opened, suppress(FormatError):
        next(opened.ref_blocks() if block_type == REF else opened.log_blocks())


# Numbers that do not fit


def test_an_update_index_above_64_bits_is_an_error(tmp_path: Path) -> None:
    table = Handmade(limits=(2, 2))
    record = raw_record(0, b"a", 0, put_varint(U64_MAX))
    table.append(raw_block(REF, record, header=table.header.pack()))
    answers = ask(table.write(tmp_path / "late.ref"))
    assert isinstance(answers["refs"], FormatError)
    assert isinstance(answers["compaction"], FormatError)


def test_a_compaction_writes_no_update_index_above_64_bits(tmp_path: Path) -> None:
    low, late = tmp_path / "low.ref", tmp_path / "late.ref"
    write_table(low, [RefRecord(b"b", 1)])
    table = Handmade(limits=(2, 2))
    table.append(raw_block(REF, raw_record(0, b"a", 0, put_varint(U64_MAX)), header=table.header.pack()))
    table.write(late)
    written = bytearray()
    with Table.open(low) as one, Table.open(late) as other:
        try:
            compact_tables([one, other], written.extend, WriteOptions(), drop_tombstones=False)
        except FormatError:
            return
    (tmp_path / "compacted.ref").write_bytes(written)
    answers = ask(tmp_path / "compacted.ref")
    assert not isinstance(answers["refs"], FormatError)


def test_limits_in_the_wrong_order_are_an_error_of_the_file(tmp_path: Path) -> None:
    table = Handmade(limits=(2, 1))
    table.append(raw_block(REF, raw_record(0, b"a", 0, b"\0"), header=table.header.pack()))
    answers = ask(table.write(tmp_path / "reversed.ref"))
    assert isinstance(answers.get("open", answers.get("compaction")), FormatError)


@pytest.mark.parametrize("number", [TOO_LARGE, ENDLESS, b"\xff", b"\x80", HUGE])
@pytest.mark.parametrize(
    ("block_type", "record"),
    [
        (REF, lambda number: number + b"\x08a\0"),
        (REF, lambda number: b"\0" + number),
        (REF, lambda number: b"\0\x08a" + number),
        (REF, lambda number: b"\0\x0ba\0" + number),
        (LOG, lambda number: number + b"\x50a" + bytes(9)),
        (LOG, lambda number: b"\0" + number),
        (LOG, lambda number: raw_record(0, log_key(b"a", 1), 1, bytes(40) + number)),
        (LOG, lambda number: raw_record(0, log_key(b"a", 1), 1, bytes(41) + number)),
        (LOG, lambda number: raw_record(0, log_key(b"a", 1), 1, bytes(42) + number)),
        (LOG, lambda number: raw_record(0, log_key(b"a", 1), 1, bytes(45) + number)),
        (OBJ, lambda number: number + b"\x11ab\0"),
        (OBJ, lambda number: b"\0" + number),
        (OBJ, lambda number: b"\0\x11ab" + number),
        (OBJ, lambda number: b"\0\x10ab" + number),
        (OBJ, lambda number: b"\0\x10ab\x02" + number),
        (INDEX, lambda number: number + b"\x08a\0"),
        (INDEX, lambda number: b"\0" + number),
        (INDEX, lambda number: b"\0\x08a" + number),
    ],
)
def test_any_number_in_a_record_may_be_too_large(
    tmp_path: Path, block_type: int, record: Callable[[bytes], bytes], number: bytes
) -> None:
    path = table_of(tmp_path / "large.ref", block_type, record(number))
    with limited_memory(4 * MIB):
        answers = ask(path)
    if block_type in {OBJ, INDEX}:
        assert answers["refs"] == [RefRecord(b"a", 1, value=oid(1)), RefRecord(b"c", 1)]


# Records that make no sense


@pytest.mark.parametrize(
    ("block_type", "records", "reason"),
    [
        *((REF, raw_record(0, b"a", kind, b"\0" + bytes(40)), "type") for kind in range(4, 8)),
        *((LOG, raw_record(0, log_key(b"a", 1), kind, bytes(60)), "type") for kind in range(2, 8)),
        (REF, raw_record(1, b"a", 0, b"\0"), "shares"),
        (REF, raw_record(0, b"a", 0, b"\0") + raw_record(2, b"b", 0, b"\0"), "shares"),
        (REF, raw_record(0, b"", 0, b"\0"), "empty"),
        (REF, raw_record(0, b"a", 1, b"\0" + bytes(19)), "over"),
        (REF, raw_record(0, b"a", 2, b"\0" + bytes(39)), "over"),
        (REF, raw_record(0, b"a", 3, b"\0\x05abcd"), "over"),
        (LOG, raw_record(0, b"a", 0, b""), "key"),
        (LOG, raw_record(0, b"abcdefghij", 0, b""), "key"),
        (LOG, raw_record(0, b"\0" + bytes(8), 0, b""), "key"),
        (LOG, raw_record(0, log_key(b"a", 1), 1, bytes(39)), "over"),
        (LOG, raw_record(0, log_key(b"a", 1), 1, bytes(40) + b"\x05abcd"), "over"),
    ],
)
def test_a_record_without_sense_is_named_with_the_reason(
    tmp_path: Path, block_type: int, records: bytes, reason: str
) -> None:
    answers = ask(table_of(tmp_path / "nonsense.ref", block_type, records))
    error = answers["refs" if block_type == REF else "logs"]
    assert isinstance(error, FormatError)
    assert reason in error.reason
    assert isinstance(answers["compaction"], FormatError)


@pytest.mark.parametrize(
    "records", [b"\0\x11ab\0\0", b"\0\x08a\x01\x02", b"\x01\x08a\0", b"\0\0\0", b"\0\x0fa\0"]
)
@pytest.mark.parametrize("block_type", [OBJ, INDEX])
def test_a_shortcut_without_sense_is_not_taken(tmp_path: Path, block_type: int, records: bytes) -> None:
    answers = ask(table_of(tmp_path / "nonsense.ref", block_type, records))
    assert answers["refs"] == [RefRecord(b"a", 1, value=oid(1)), RefRecord(b"c", 1)]
    assert not isinstance(answers["compaction"], FormatError)


@pytest.mark.parametrize("block_type", [REF, LOG])
@pytest.mark.parametrize(
    "restarts",
    [
        [],
        [0],
        [27],
        [2**24 - 1],
        [28, 0],
        [28, 28],
        [28, 29],
        [28, 2**24 - 1],
        [2**24 - 1] * 3,
        [28] * 0xFFFF,
    ],
)
def test_restart_points_may_be_anywhere(tmp_path: Path, block_type: int, restarts: list[int]) -> None:
    keys = [b"a", b"b"] if block_type == REF else [log_key(b"a", 1), log_key(b"b", 1)]
    records = b"".join(raw_record(0, key, 0, b"\0" if block_type == REF else b"") for key in keys)
    answers = ask(table_of(tmp_path / "restarts.ref", block_type, records, restarts))
    if restarts:
        # They serve lookups: a scan goes from record to record.
        assert not isinstance(answers["refs"], FormatError)
        assert not isinstance(answers["logs"], FormatError)


@pytest.mark.parametrize("count", [0, 1, 2, 0x00FF, 0xFFFF])
def test_the_number_of_restart_points_may_be_anything(tmp_path: Path, count: int) -> None:
    table = Handmade()
    raw = raw_block(REF, raw_record(0, b"a", 0, b"\0"), header=table.header.pack())
    table.append(raw[:-2] + count.to_bytes(2, "big"))
    answers = ask(table.write(tmp_path / "count.ref"))
    assert isinstance(answers["refs"], FormatError) is (count != 1)


@pytest.mark.parametrize("length", [0, 1, 5, 27, 28, 29, 33, 2**16, 2**24 - 1])
@pytest.mark.parametrize("block_type", [REF, LOG])
def test_a_block_may_state_any_length(tmp_path: Path, block_type: int, length: int) -> None:
    table = Handmade()
    key = b"a" if block_type == REF else log_key(b"a", 1)
    raw = raw_block(
        block_type, raw_record(0, key, 0, b"\0" * (block_type == REF)), header=table.header.pack()
    )
    table.append(raw[:25] + put_u24(length) + raw[28:])
    with limited_memory(2 * MIB):
        answers = ask(table.write(tmp_path / "length.ref"))
    assert isinstance(answers["refs" if block_type == REF else "logs"], FormatError)


# Where errors point to


def test_an_error_in_an_inflated_block_points_into_the_file(tmp_path: Path) -> None:
    records = raw_record(0, log_key(b"a", 1), 1, bytes(40) + b"\0\0\0\0\0" + put_varint(5000) + bytes(5000))
    path = table_of(tmp_path / "inflated.ref", LOG, records + raw_record(99, b"b", 0, b""))
    error = ask(path)["logs"]
    assert isinstance(error, FormatError)
    assert error.offset is not None
    assert error.offset < path.stat().st_size


def test_an_offset_that_leads_out_of_the_file_is_an_error_in_the_file(tmp_path: Path) -> None:
    table = Handmade()
    table.refs([RefRecord(b"a", 1)])
    path = table.write(tmp_path / "outside.ref", log_offset=2**40)
    error = ask(path)["logs"]
    assert isinstance(error, FormatError)
    assert error.offset is None or error.offset < path.stat().st_size

"""The inside of a block as spans: records, fields, restarts, and what is left of them behind damage."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from itertools import islice

import pytest

from engine.errors import FormatError
from engine.format import INDEX, LOG, OBJ, REF, Block, HashId, Header, LogRecord, RefRecord, log_key
from engine.format.varint import put_varint
from engine.layout import Record, Records, Restarts, Span, SpanKind
from tests.support.handmade import Handmade, raw_block, raw_record
from tests.support.spans import everything
from tests.support.stacks import branch, same

HEADER = Header(1, 4096, 100, 200, HashId.SHA1)
AT = 1000

LOG_ENTRY = LogRecord(
    b"HEAD", 107, same(1), same(2), b"A U Thor", b"a@example.com", 1700000000, -330, b"message\n"
)


def contents(data: bytes) -> Records:
    return Records(Block.parse("t.ref", data, AT, 0, 0), HEADER)


def of_refs(records: list[RefRecord], restart_interval: int = 16) -> Records:
    table = Handmade(limits=(100, 200))
    table.data += bytes(24)
    start = table.refs(records, restart_interval)
    return contents(bytes(table.data[start:]))


def of_logs(records: list[LogRecord]) -> Records:
    table = Handmade(limits=(100, 200))
    table.data += bytes(24)
    start = table.logs(records)
    return contents(bytes(table.data[start:]))


def records(inside: Records) -> list[Span]:
    return list(inside.children())


def fields(record: Span) -> list[tuple[str, object, object]]:
    assert isinstance(record, Record)
    return [(field.name, field.value, field.meaning) for field in record.children()]


def keys(inside: Records) -> list[bytes | None]:
    return [span.key if isinstance(span, Record) else None for span in records(inside)]


@pytest.mark.parametrize(
    ("record", "tail"),
    [
        (RefRecord(b"x", 107), [("value type", 0, "deletion"), ("update index", 7, 107)]),
        (
            RefRecord(b"x", 107, same(1)),
            [("value type", 1, "val1"), ("update index", 7, 107), ("object id", same(1), None)],
        ),
        (
            RefRecord(b"x", 107, same(1), same(2)),
            [
                ("value type", 2, "val2"),
                ("update index", 7, 107),
                ("object id", same(1), None),
                ("peeled object id", same(2), None),
            ],
        ),
        (
            RefRecord(b"x", 300, target=b"refs/heads/main"),
            [
                ("value type", 3, "symref"),
                ("update index", 200, 300),
                ("target length", 15, None),
                ("target", b"refs/heads/main", None),
            ],
        ),
    ],
    ids=lambda value: value.type if isinstance(value, RefRecord) else "",
)
def test_a_ref_has_its_fields_named_and_decoded(
    record: RefRecord, tail: list[tuple[str, object, object]]
) -> None:
    [span] = records(of_refs([record]))
    assert (span.value, span.kind) == (b"x", SpanKind.RECORD)
    suffix = ("suffix", b"x", None)
    expected = [("prefix length", 0, None), ("suffix length", 1, None), *tail[:1], suffix, *tail[1:]]
    assert fields(span) == expected


def test_a_log_entry_has_its_fields_named_and_decoded() -> None:
    [update, deletion] = records(of_logs([LOG_ENTRY, LogRecord(b"HEAD", 105)]))
    assert (update.value, update.meaning) == (b"HEAD", 107)
    assert fields(update) == [
        ("prefix length", 0, None),
        ("suffix length", 13, None),
        ("log type", 1, "update"),
        ("suffix", log_key(b"HEAD", 107), None),
        ("old object id", same(1), None),
        ("new object id", same(2), None),
        ("committer length", 8, None),
        ("committer", b"A U Thor", None),
        ("email length", 13, None),
        ("email", b"a@example.com", None),
        ("time", 1700000000, None),
        ("zone", -330, None),
        ("message length", 8, None),
        ("message", b"message\n", None),
    ]
    assert (deletion.value, deletion.meaning) == (b"HEAD", 105)
    assert fields(deletion) == [
        ("prefix length", 12, None),
        ("suffix length", 1, None),
        ("log type", 0, "deletion"),
        ("suffix", b"\x96", None),
    ]


@pytest.mark.parametrize("count", [0, 1, 7, 8, 300])
def test_an_object_record_has_each_offset_as_stored_and_as_meant(count: int) -> None:
    offsets = [4096 * number for number in range(1, count + 1)]
    few = 0 < count <= 7
    tail = b"" if few else put_varint(count)
    tail += b"".join([put_varint(4096)] * count)
    inside = contents(raw_block(OBJ, raw_record(0, b"\xab\xcd", count if few else 0, tail)))
    [record] = records(inside)
    assert record.value == b"\xab\xcd"
    found = [span for span in everything(record) if span.name == "ref block offset"]
    assert [(span.value, span.meaning, span.kind) for span in found] == [
        (4096, offset, SpanKind.POSITION) for offset in offsets
    ]
    assert [value for name, value, _ in fields(record) if name == "offset count"] == [count if few else 0]
    assert [value for name, value, _ in fields(record) if name == "long offset count"] == (
        [] if few else [count]
    )


def test_an_index_record_leads_to_a_block() -> None:
    inside = contents(raw_block(INDEX, raw_record(0, b"refs/z", 0, put_varint(70000))))
    [record] = records(inside)
    assert record.value == b"refs/z"
    assert fields(record)[-1] == ("block offset", 70000, None)
    assert list(inside.index_offsets()) == [70000]


def test_positions_are_those_of_the_file_or_of_the_inflated_block() -> None:
    refs, logs = records(of_refs([branch(1, 100)])), records(of_logs([LOG_ENTRY]))
    assert [(span.start, span.inflated) for span in refs] == [(AT + 4, False)]
    assert [(span.start, span.inflated) for span in logs] == [(4, True)]


@pytest.mark.parametrize("interval", [1, 3, 16, 1000])
def test_records_can_be_had_from_any_number_on(interval: int) -> None:
    refs = [branch(number, 100) for number in range(50)]
    for first in range(51):
        group = of_refs(refs, interval)
        page = list(islice(group.children(first), 5))
        assert [span.value for span in page] == [ref.name for ref in refs[first : first + 5]]
        assert [span.number for span in page if isinstance(span, Record)] == list(range(50))[first:][:5]


def test_a_page_of_records_finds_no_more_than_it_shows() -> None:
    class Counting(Records):
        __slots__ = ("skipped",)

        def _skip(self, start: int, key: bytearray) -> int:
            self.skipped += 1
            return super()._skip(start, key)

    block = of_refs([branch(number, 100) for number in range(1000)]).block
    inside = Counting(block, HEADER)
    inside.skipped = 0
    assert len(list(islice(inside.children(), 20))) == 20
    assert inside.skipped <= 21
    assert inside.count() == 1000
    assert inside.skipped == 1000


@pytest.mark.parametrize("backwards", [False, True])
def test_every_position_leads_to_its_record(backwards: bool) -> None:
    refs = [branch(number, 100) for number in range(40)]
    children = list(enumerate(of_refs(refs).children()))
    inside = of_refs(refs)  # one of which no record has been found so far
    for number, child in reversed(children) if backwards else children:
        for position in range(child.start, child.end):
            assert inside.number_at(position) == number


def test_the_meaning_of_a_restart_is_the_key_there() -> None:
    refs = [branch(number, 100) for number in range(40)]
    found = list(Restarts(of_refs(refs)).children())
    assert [span.meaning for span in found] == [refs[0].name, refs[16].name, refs[32].name]
    assert not [span.error for span in found if span.error]
    assert [span.meaning for span in Restarts(of_refs(refs)).children(2)] == [refs[32].name]


@pytest.mark.parametrize(
    ("offset", "reason"),
    [
        (5, "middle of a record"),
        (3, "outside the records"),
        (2**24 - 1, "outside the records"),
    ],
)
def test_a_restart_that_leads_to_no_record_is_damaged(offset: int, reason: str) -> None:
    data = raw_record(0, b"a", 0, b"\0") + raw_record(0, b"b", 0, b"\0")
    sound, wrong = Restarts(contents(raw_block(REF, data, [4, offset]))).children()
    assert sound.error is None
    assert wrong.value == offset
    assert wrong.error is not None
    assert reason in wrong.error.reason
    assert wrong.error.offset == wrong.start


def test_a_restart_whose_key_is_not_whole_is_damaged() -> None:
    data = raw_record(0, b"a", 0, b"\0") + raw_record(1, b"b", 0, b"\0")
    _, wrong = Restarts(contents(raw_block(REF, data, [4, 8]))).children()
    assert wrong.error is not None
    assert "not whole" in wrong.error.reason


BROKEN: dict[str, tuple[int, bytes]] = {
    "a prefix longer than the key before": (REF, raw_record(9, b"x", 0, b"\0")),
    "an empty key": (REF, raw_record(0, b"", 0, b"\0")),
    "a type that does not exist": (REF, raw_record(0, b"x", 5, b"\0")),
    "a suffix that runs over the block": (REF, put_varint(0) + put_varint(500 << 3)),
    "a suffix beyond all bounds": (REF, put_varint(0) + put_varint(2**64 - 1)),
    "a varint that is too large": (REF, b"\xff" * 12),
    "a target that runs over the block": (REF, raw_record(0, b"x", 3, b"\0" + put_varint(2**63))),
    "a log key without an update index": (LOG, raw_record(0, b"name", 0, b"")),
    "a log key without a NUL": (LOG, raw_record(0, b"name-and-more", 0, b"")),
    "a log type that does not exist": (LOG, raw_record(0, log_key(b"x", 1), 2, b"")),
    "an update index above all": (REF, raw_record(0, b"x", 0, put_varint(2**64 - 100))),
    "offsets that do not ascend": (OBJ, raw_record(0, b"x", 2, b"\1\0")),
    "more offsets than bytes": (OBJ, raw_record(0, b"x", 0, put_varint(2**64 - 1))),
    "an index record with a type": (INDEX, raw_record(0, b"x", 1, b"\0")),
}
SOUND: dict[int, Callable[[bytes], bytes]] = {
    REF: lambda key: raw_record(0, key, 0, b"\0"),
    LOG: lambda key: raw_record(0, log_key(key, 1), 0, b""),
    OBJ: lambda key: raw_record(0, key, 1, b"\0"),
    INDEX: lambda key: raw_record(0, key, 0, b"\0"),
}


@pytest.mark.parametrize("damage", BROKEN)
def test_damage_ends_at_the_next_restart(damage: str) -> None:
    block_type, broken = BROKEN[damage]
    first, last = SOUND[block_type](b"a"), SOUND[block_type](b"z")
    middle = 4 + len(first)
    resumed = middle + len(broken)
    # Restarts out of order lead on all the same.
    inside = contents(raw_block(block_type, first + broken + last, [resumed, 4]))
    [before, wrong, after] = records(inside)
    base = inside.base
    assert isinstance(before, Record)
    assert isinstance(after, Record)
    assert after.key.startswith(b"z")
    assert wrong.error is not None
    assert wrong.error.offset == AT + (0 if inside.inflated else middle)
    assert (wrong.start, wrong.end) == (base + middle, base + resumed)
    assert inside.errors() == [wrong.error]
    assert inside.count() == 3
    assert inside.number_at(base + middle) == 1
    # The decoders see the same.
    decoders: dict[int, Callable[[], object]] = {
        REF: lambda: inside.block.refs(20, HEADER.min_update_index),
        LOG: lambda: inside.block.logs(20),
        OBJ: inside.block.objects,
        INDEX: inside.block.index,
    }
    with pytest.raises(FormatError):
        decoders[block_type]()


def test_behind_damage_a_record_has_to_have_a_whole_key() -> None:
    first, broken = raw_record(0, b"abc", 0, b"\0"), raw_record(9, b"b", 0, b"\0")
    resumed = 4 + len(first) + len(broken)
    data = first + broken + raw_record(2, b"z", 0, b"\0")
    inside = contents(raw_block(REF, data, [4, resumed]))
    assert keys(inside) == [b"abc", None, None]
    assert records(inside)[2].start == AT + resumed


def test_damage_without_a_restart_behind_it_ends_with_the_records() -> None:
    data = raw_record(0, b"a", 0, b"\0") + raw_record(9, b"b", 0, b"\0") + raw_record(0, b"c", 0, b"\0")
    inside = contents(raw_block(REF, data))
    assert keys(inside) == [b"a", None]
    assert records(inside)[1].end == inside.end


def test_a_last_record_that_runs_over_the_end_is_damaged() -> None:
    data = raw_record(0, b"a", 0, b"\0") + raw_record(0, b"b", 1, b"\0" + bytes(19))
    inside = contents(raw_block(REF, data))
    assert keys(inside) == [b"a", None]
    assert "1 bytes over the end" in inside.errors()[0].reason


def test_keys_that_share_a_lot_are_not_kept() -> None:
    name = b"n" * 500_000
    data = raw_record(0, name, 0, b"\0")
    data += b"".join(raw_record(len(name), b"%03d" % number, 0, b"\0") for number in range(300))
    inside = contents(raw_block(REF, data))
    tracemalloc.start()
    try:
        assert inside.count() == 301
        last = next(inside.children(300))
        assert tracemalloc.get_traced_memory()[1] < 10 * len(name)
    finally:
        tracemalloc.stop()
    assert last.value == name + b"299"

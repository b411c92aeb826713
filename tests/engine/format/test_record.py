"""Records and their codecs: what each kind looks like in bytes, and every way of not being one."""

from __future__ import annotations

import gc
import pickle
import weakref
from collections.abc import Callable, Iterator
from copy import copy
from functools import reduce
from itertools import chain
from typing import TypeVar

import pytest

from engine.errors import ApiError
from engine.format import (
    PART_BYTES,
    PART_KEYS,
    U64_MAX,
    IndexRecord,
    LogRecord,
    Malformed,
    ObjectRecord,
    RefRecord,
    log_key,
    split_logs,
    split_refs,
)
from engine.format.codec import (
    Part,
    decode_index,
    decode_logs,
    decode_objects,
    decode_refs,
    encode_head,
    encode_log,
    encode_ref,
)
from engine.format.raw_record import RawRefs, cut_refs
from engine.format.varint import put_varint
from tests.support.handmade import raw_record
from tests.support.stacks import same

T = TypeVar("T")

A, B = same(0xAA), same(0xBB)


def in_parts(
    decode: Callable[..., Part[T]], data: bytes, pos: int, end: int, *args: int | bytes
) -> Iterator[list[T]]:
    """The records of a block, in lists as they come."""
    key, spent = b"", 0
    while pos < end:
        records, pos, key, spent = decode(data, pos, end, key, spent, *args)
        yield records


def all_of(decode: Callable[..., Part[T]], data: bytes, pos: int, end: int, *args: int | bytes) -> list[T]:
    """The records of a block."""
    return list(chain.from_iterable(in_parts(decode, data, pos, end, *args)))


REFS = [
    (RefRecord(b"r", 7), "deletion", 0, b"\2"),
    (RefRecord(b"r", 5, value=A), "val1", 1, b"\0" + A),
    (RefRecord(b"r", 5, value=A, peeled=B), "val2", 2, b"\0" + A + B),
    (RefRecord(b"r", 5 + 128, target=b"t"), "symref", 3, b"\x80\0\x01t"),
]

UPDATE = LogRecord(b"r", 5, A, B, b"me", b"m@x", 1112911993, -700, b"hi\n")
UPDATE_TAIL = A + B + b"\2me" + b"\3m@x" + put_varint(1112911993) + b"\xfd\x44" + b"\3hi\n"


@pytest.mark.parametrize(("record", "name", "kind", "tail"), REFS)
def test_a_ref_record_in_bytes(record: RefRecord, name: str, kind: int, tail: bytes) -> None:
    assert record.type == name
    assert record.is_deletion is (name == "deletion")
    assert encode_ref(record, 5, 20) == (kind, tail)
    data = raw_record(0, b"r", kind, tail)
    assert all_of(decode_refs, data, 0, len(data), 20, 5) == [record]


@pytest.mark.parametrize(
    ("record", "name", "kind", "tail"),
    [(LogRecord(b"r", 5), "deletion", 0, b""), (UPDATE, "update", 1, UPDATE_TAIL)],
)
def test_a_log_record_in_bytes(record: LogRecord, name: str, kind: int, tail: bytes) -> None:
    assert record.type == name
    assert record.is_deletion is (name == "deletion")
    assert encode_log(record, 20) == (kind, tail)
    data = raw_record(0, log_key(b"r", 5), kind, tail)
    assert all_of(decode_logs, data, 0, len(data), 20) == [record]


def test_sha_256_ids_have_32_bytes() -> None:
    value = same(1, 32)
    ref, log = RefRecord(b"r", 0, value=value, peeled=value), LogRecord(b"r", 0, value, value)
    kind, tail = encode_ref(ref, 0, 32)
    data = raw_record(0, b"r", kind, tail)
    assert all_of(decode_refs, data, 0, len(data), 32, 0) == [ref]
    kind, tail = encode_log(log, 32)
    data = raw_record(0, log_key(b"r", 0), kind, tail)
    assert all_of(decode_logs, data, 0, len(data), 32) == [log]


def test_newer_log_entries_sort_first() -> None:
    assert log_key(b"r", 0) == b"r\0" + b"\xff" * 8
    assert log_key(b"r", U64_MAX) == b"r\0" + bytes(8)
    assert log_key(b"r", 2) < log_key(b"r", 1) < log_key(b"r\1", 2)


@pytest.mark.parametrize(
    ("record", "old", "new"),
    [(LogRecord(b"r", 1, old=A), A, bytes(20)), (LogRecord(b"r", 1, new=A), bytes(20), A)],
)
def test_a_missing_id_of_an_update_is_the_null_id(record: LogRecord, old: bytes, new: bytes) -> None:
    kind, tail = encode_log(record, 20)
    assert (kind, tail[:40]) == (1, old + new)


@pytest.mark.parametrize(
    "record",
    [
        RefRecord(b"r", 1, value=A, target=b"t"),
        RefRecord(b"r", 1, peeled=A, target=b"t"),
        RefRecord(b"r", 1, peeled=A),
        RefRecord(b"r", 1, value=A[:19]),
        RefRecord(b"r", 1, value=A, peeled=A + b"!"),
        RefRecord(b"r", 1, value=b""),
    ],
)
def test_a_ref_that_is_no_kind_of_ref_is_refused(record: RefRecord) -> None:
    with pytest.raises(ApiError):
        encode_ref(record, 0, 20)


@pytest.mark.parametrize(
    "record",
    [
        LogRecord(b"r", 1, A, B[:19]),
        LogRecord(b"r", 1, A, same(1, 32)),
        LogRecord(b"r", 1, A, B, time=-1),
        LogRecord(b"r", 1, A, B, time=2**64),
        LogRecord(b"r", 1, A, B, tz=2**15),
        LogRecord(b"r", 1, A, B, tz=-(2**15) - 1),
    ],
)
def test_a_log_entry_that_cannot_be_stored_is_refused(record: LogRecord) -> None:
    with pytest.raises(ApiError):
        encode_log(record, 20)


def test_the_extremes_of_time_and_zone_are_stored() -> None:
    for time, tz in [(0, -(2**15)), (U64_MAX, 2**15 - 1)]:
        record = LogRecord(b"r", 1, A, B, time=time, tz=tz)
        kind, tail = encode_log(record, 20)
        data = raw_record(0, log_key(b"r", 1), kind, tail)
        assert all_of(decode_logs, data, 0, len(data), 20) == [record]


def test_a_record_shares_the_beginning_of_its_key_with_the_one_before() -> None:
    long = b"x" * 200
    data = (
        raw_record(0, b"a" + long, 0, b"\0")
        + raw_record(201, b"/1", 0, b"\0")
        + raw_record(202, b"2", 0, b"\0")
        + raw_record(1, b"y", 0, b"\0")
    )
    names = [record.name for record in all_of(decode_refs, data, 0, len(data), 20, 0)]
    assert names == [b"a" + long, b"a" + long + b"/1", b"a" + long + b"/2", b"ay"]


def test_a_head_is_two_varints() -> None:
    assert encode_head(0, 5, 3) == bytes((0, 5 << 3 | 3))
    assert encode_head(128, 1, 0) == put_varint(128) + put_varint(8)
    assert encode_head(1, 16, 1) == put_varint(1) + put_varint(129)


def cut_out(data: bytes, hash_size: int, min_update_index: int, shift: int) -> Iterator[RawRefs]:
    """The refs of a block cut out, in columns as they come."""
    pos, key, spent = 0, b"", 0
    while pos < len(data):
        numbers = hash_size, min_update_index, shift
        refs, pos, key, spent = cut_refs(data, pos, len(data), key, spent, *numbers)
        yield refs


def all_cut_out(data: bytes, hash_size: int, min_update_index: int, shift: int) -> RawRefs:
    """The refs of a block cut out."""
    return reduce(RawRefs.followed_by, cut_out(data, hash_size, min_update_index, shift))


Decoder = Callable[[bytes], list[object]]
IN_LISTS: dict[str, Callable[[bytes], Iterator[list[object]]]] = {
    "refs": lambda data: in_parts(decode_refs, data, 0, len(data), 20, 0),
    "cut refs": lambda data: (list[object](refs.encoded) for refs in cut_out(data, 20, 0, 0)),
    "shifted refs": lambda data: (list[object](refs.encoded) for refs in cut_out(data, 20, 5, 1)),
    "logs": lambda data: in_parts(decode_logs, data, 0, len(data), 20),
    "split refs": lambda data: in_parts(split_refs, data, 0, len(data), 20, 0, 0),
    "split logs": lambda data: in_parts(split_logs, data, 0, len(data), 20),
    "objects": lambda data: in_parts(decode_objects, data, 0, len(data)),
    "index": lambda data: in_parts(decode_index, data, 0, len(data)),
}
DECODERS: dict[str, Decoder] = {
    name: lambda data, lists=lists: list(chain.from_iterable(lists(data)))  # type: ignore[misc]
    for name, lists in IN_LISTS.items()
}

LONG_NAME = b"s" * 150
SOUND = {
    "refs": b"".join(raw_record(0, b"r" * n, kind, tail) for n, (_, _, kind, tail) in enumerate(REFS, 1))
    + raw_record(0, LONG_NAME, 1, b"\0" + A),
    "logs": raw_record(0, log_key(b"a", 5), 0, b"")
    + raw_record(0, log_key(b"r", 5), 1, UPDATE_TAIL)
    + raw_record(0, log_key(LONG_NAME, 5), 1, UPDATE_TAIL),
    "objects": raw_record(0, b"\1\2", 2, b"\1\2") + raw_record(0, b"\1\3", 0, b"\3\1\2\3"),
    "index": raw_record(0, b"a", 0, b"\0") + raw_record(1, b"b", 0, put_varint(2**40)),
}


@pytest.mark.parametrize("name", DECODERS)
def test_records_cut_off_anywhere_are_malformed(name: str) -> None:
    decode = DECODERS[name]
    data = SOUND[name.rpartition(" ")[2]]
    boundaries = {0}
    for length in range(1, len(data) + 1):
        try:
            decode(data[:length])
        except (IndexError, ValueError):  # Malformed is a ValueError
            continue
        boundaries.add(length)
    count = len(decode(data))
    assert len(boundaries) == count + 1, "only whole records are records"


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("refs", raw_record(0, b"", 0, b"\0"), "empty key"),
        ("refs", raw_record(1, b"a", 0, b"\0"), "shares 1 "),
        ("refs", raw_record(200, b"a", 0, b"\0"), "shares 200 "),
        ("refs", raw_record(0, b"a", 4, b"\0"), "type 4"),
        ("refs", raw_record(0, b"a", 7, b"\0"), "type 7"),
        ("refs", raw_record(0, b"a", 3, b"\0" + put_varint(2**63)), "runs"),
        ("refs", put_varint(0) + put_varint(2**63) + b"a", "runs"),
        ("logs", raw_record(0, log_key(b"a", 1), 2, b""), "type 2"),
        ("logs", raw_record(0, b"a" * 10, 0, b""), "log key"),
        ("logs", raw_record(0, b"\0" + bytes(8), 0, b""), "log key"),
        ("logs", raw_record(0, b"", 0, b""), "empty key"),
        ("objects", raw_record(0, b"", 1, b"\0"), "empty key"),
        ("objects", raw_record(0, b"a", 0, put_varint(2**60) + b"\0"), "offsets"),
        ("objects", raw_record(0, b"a", 7, b"\0"), "offsets"),
        ("index", raw_record(0, b"", 0, b"\0"), "empty key"),
        ("index", raw_record(0, b"a", 1, b"\0"), "type 1"),
    ],
)
def test_malformed_records_say_what_is_wrong(name: str, data: bytes, reason: str) -> None:
    with pytest.raises(Malformed, match=reason):
        DECODERS[name](data)
    for decoder in ("cut refs", "split refs", "shifted refs") if name == "refs" else ("split logs",):
        if name in decoder:
            with pytest.raises(Malformed):
                DECODERS[decoder](data)


@pytest.mark.parametrize("second", [b"a", b"b"])
def test_records_that_are_cut_out_ascend(second: bytes) -> None:
    refs = raw_record(0, b"b", 0, b"\0") + raw_record(0, second, 0, b"\0")
    assert len(all_of(decode_refs, refs, 0, len(refs), 20, 0)) == 2
    with pytest.raises(Malformed, match="sort after"):
        all_cut_out(refs, 20, 0, 0)
    logs = raw_record(0, log_key(b"b", 1), 0, b"") + raw_record(0, log_key(second, 1), 0, b"")
    assert len(all_of(decode_logs, logs, 0, len(logs), 20)) == 2
    with pytest.raises(Malformed, match="sort after"):
        all_of(split_logs, logs, 0, len(logs), 20)


def test_records_that_are_cut_out_keep_their_bytes() -> None:
    """But for what they share with those in front of them, which restart points do not tell."""
    data = SOUND["refs"]
    refs = all_cut_out(data, 20, 0, 0)
    assert data.startswith(refs.encoded[0])
    expected = [
        encode_head(shared, len(key) - shared, kind) + key[shared:] + tail
        for key, shared, (_, _, kind, tail) in zip(refs.keys, range(len(REFS)), REFS, strict=False)
    ]
    assert refs.encoded == [*expected, data[-len(refs.encoded[-1]) :]]
    assert refs.ids == [None, A, A + B, b"", A]
    logs = SOUND["logs"]
    assert b"".join(item[5] for item in all_of(split_logs, logs, 0, len(logs), 20)) == logs


@pytest.mark.parametrize("shift", [1, 122, 2**40])
def test_records_that_are_cut_out_move_to_lower_limits(shift: int) -> None:
    data = SOUND["refs"]
    moved = b"".join(all_cut_out(data, 20, 5 + shift, shift).encoded)
    assert all_of(decode_refs, moved, 0, len(moved), 20, 5) == all_of(
        decode_refs, data, 0, len(data), 20, 5 + shift
    )


@pytest.mark.parametrize("delta", [1, 0x7F, 2**63])
def test_no_update_index_is_above_64_bits(delta: int) -> None:
    data = raw_record(0, b"a", 0, put_varint(delta))
    highest = U64_MAX - delta
    (record,) = all_of(decode_refs, data, 0, len(data), 20, highest)
    assert record.update_index == U64_MAX
    assert all_cut_out(data, 20, highest, 0).keys == [b"a"]
    with pytest.raises(Malformed, match="update index"):
        all_of(decode_refs, data, 0, len(data), 20, highest + 1)
    with pytest.raises(Malformed, match="update index"):
        all_cut_out(data, 20, highest + 1, 0)


def test_offsets_of_an_object_id_ascend() -> None:
    data = raw_record(0, b"a", 2, b"\5\0")
    with pytest.raises(Malformed, match="ascend"):
        all_of(decode_objects, data, 0, len(data))


@pytest.mark.parametrize("name", ["refs", "cut refs", "split refs", "logs", "split logs", "objects", "index"])
def test_keys_do_not_add_up_to_the_square_of_their_block(name: str) -> None:
    """A record of a few bytes may share all of a key as long as everything before it."""
    kind, tail = {"refs": (0, b"\0"), "logs": (0, b""), "objects": (1, b"\1"), "index": (0, b"\0")}[
        name.rpartition(" ")[2]
    ]
    first = b"a\0" + b"\1" * 100_000
    ending = b"\0" + b"\1" * 8
    data = raw_record(0, first + ending, kind, tail) + b"".join(
        raw_record(len(first) - 1, (0x200 + number).to_bytes(2, "big") + ending, kind, tail)
        for number in range(1, 6000)
    )
    sizes: list[int] = []
    with pytest.raises(Malformed, match="MiB"):
        sizes.extend(map(len, IN_LISTS[name](data)))
    assert len(sizes) > 50
    assert max(sizes) <= PART_KEYS // len(first) + 1


def test_the_lists_of_a_large_block_are_small_and_leave_nothing_out() -> None:
    refs = [raw_record(0, b"%06d" % number, 0, b"\0") for number in range(30_000)]
    data = b"".join(refs)
    lists = list(in_parts(decode_refs, data, 0, len(data), 20, 0))
    assert len(lists) == -(-len(data) // PART_BYTES) > 1
    assert [ref.name for ref in chain.from_iterable(lists)] == [b"%06d" % number for number in range(30_000)]
    moved = b"".join(all_cut_out(data, 20, 0, 0).encoded)
    assert all_of(decode_refs, moved, 0, len(moved), 20, 0) == list(chain.from_iterable(lists))
    # What a record shares with the one in front of it holds across lists, and so does the order.
    data += raw_record(6, b"x", 0, b"\0")
    assert all_of(decode_refs, data, 0, len(data), 20, 0)[-1].name == b"029999x"
    with pytest.raises(Malformed, match="sort after"):
        all_cut_out(data + refs[0], 20, 0, 0)


@pytest.mark.parametrize("name", ["cut refs", "split refs", "split logs"])
def test_errors_do_not_quote_keys_of_any_length(name: str) -> None:
    """A key may have 16 MiB, a line on a terminal should not."""
    data = raw_record(0, b"x" * 10_000, 0, b"\0") + raw_record(0, b"w" * 10_000, 0, b"\0")
    if name == "split logs":
        data = raw_record(0, log_key(b"x" * 10_000, 1), 0, b"") + raw_record(
            0, log_key(b"w" * 10_000, 1), 0, b""
        )
    with pytest.raises(Malformed) as caught:
        DECODERS[name](data)
    assert len(caught.value.reason) < 1000


@pytest.mark.parametrize("record", [*(row[0] for row in REFS), UPDATE, LogRecord(b"r", 5)])
def test_a_record_is_equal_and_hashed_by_all_its_fields_and_survives_pickling(
    record: RefRecord | LogRecord,
) -> None:
    twin = pickle.loads(pickle.dumps(record))  # noqa: S301 - what was dumped a moment ago
    assert twin == record
    assert len({record, twin, copy(record)}) == 1
    assert type(twin) is type(record)
    for field in record.__match_args__:
        other = copy(record)
        setattr(other, field, -1 if isinstance(getattr(record, field), int) else b"another")
        assert other != record
        assert hash(other) != hash(record)
        assert repr(getattr(record, field)) in repr(record)
    assert record != record.name


def test_a_record_of_one_kind_is_none_of_another() -> None:
    assert RefRecord(b"r", 5) != LogRecord(b"r", 5)
    assert hash(ObjectRecord(b"\1", [1, 2])) == hash(ObjectRecord(b"\1", [1, 2]))
    assert hash(IndexRecord(b"r", 1)) == hash(IndexRecord(b"r", 1))


def test_a_record_with_something_else_about_it_keeps_its_values() -> None:
    for record, *_ in REFS:
        other = record.replace(name=b"s", update_index=9)
        assert other == RefRecord(b"s", 9, record.value, record.peeled, record.target)
        assert record.replace() == record
    assert UPDATE.replace(committer=b"", time=0).replace(committer=b"me", time=UPDATE.time) == UPDATE
    assert UPDATE.replace(message=b"else\n") == LogRecord(
        b"r", 5, A, B, b"me", b"m@x", 1112911993, -700, b"else\n"
    )


@pytest.mark.parametrize(
    "record",
    [
        RefRecord(b"refs/heads/main", 1),
        LogRecord(b"refs/heads/main", 1),
        ObjectRecord(b"ab", []),
        IndexRecord(b"refs/heads/main", 0),
    ],
    ids=lambda record: type(record).__name__,
)
def test_a_record_has_its_fields_and_nothing_else(record: object) -> None:
    # A compiled class that has a place for weak references does not clear them: they would lead nowhere.
    with pytest.raises(TypeError, match="weak reference"):
        weakref.ref(record)
    assert not hasattr(record, "__dict__")


def test_what_is_malformed_can_be_referred_to_and_pickled() -> None:
    malformed = Malformed(7, "too short")
    reference = weakref.ref(malformed)
    copied = pickle.loads(pickle.dumps(malformed))  # noqa: S301 - our own
    assert (copied.pos, copied.reason, str(copied)) == (7, "too short", "too short")
    del malformed
    gc.collect()
    assert reference() is None

"""What a pass over a block says of it, and where it gives up."""

from __future__ import annotations

from operator import sub

import pytest

from engine.errors import FormatError
from engine.format import OBJ, REF, SYMREF, VAL1, VAL2, Block, put_varint
from engine.format.block import BlockWriter
from engine.fsck.passing import BlockWeights, SoundBlock, pass_objects, pass_refs
from tests.support.handmade import raw_block, raw_record
from tests.support.tables import oid

BLOCKS = {0: 3, 4096: 5, 8192: 7, 16_384: 11, 300_001: 13}
LONG = b"refs/heads/b".ljust(0x80 + 9, b"A")
"""Shared by the name behind it, its length is two bytes: the second of them like one in front of a suffix."""
REFS = [
    (b"HEAD", SYMREF, put_varint(15) + b"refs/heads/main"),
    (b"refs/heads/a", VAL1, oid(1)),
    (b"refs/heads/a-b", VAL1, oid(2)),
    (LONG, VAL1, oid(3)),
    (LONG + b"-fifteen-letter", VAL1, oid(1)),
    (LONG + b"y", VAL1, oid(4)),
    (b"refs/heads/c", VAL2, oid(5) + oid(6)),
    (b"refs/heads/d", VAL1, oid(7)),
    (b"refs/heads/e", VAL1, oid(8)),
    (b"refs/heads/z", VAL1, oid(9)),
]


def ref_block(interval: int) -> bytes:
    writer = BlockWriter(REF, 4096, 0, interval)
    for number, (name, kind, tail) in enumerate(REFS):
        assert writer.add(name, kind, put_varint(number) + tail)
    return writer.finish(b"")


def passed(data: bytes, *, tells: bool, most: int = 0x7F) -> tuple[object, ...] | None:
    """Everything that a pass says of a ref block, None if it gives up; with a witness, if it `tells` one."""
    try:
        block = Block.parse("x", data, 0, 0, 4096)
        witness = (lambda *_: None) if tells else None
        found = pass_refs(block.data, block.records_start, block.records_end, 20, most, 3, witness)
    except (FormatError, IndexError, OverflowError, ValueError):
        return None
    names = found.names
    assert names is not None
    kinds = [*map(type, names.keys)]
    return found.first, found.last, names.keys, kinds, names.are_plain, found.pairs, found.weight


def pass_object_block(records: bytes, step: int = 4096) -> SoundBlock:
    weights = BlockWeights(step)
    for offset, weight in BLOCKS.items():
        weights.add(offset, weight)
    data = raw_block(OBJ, records)
    block = Block.parse("x", data, 0, 0, 4096)
    return pass_objects(block.data, block.records_start, block.records_end, 2, weights)


@pytest.mark.parametrize("id_len", [0, 2, 20, 31])
def test_a_null_id_is_noticed_whatever_the_footer_says_of_ids(id_len: int) -> None:
    for value in (bytes(20), oid(1)):
        writer = BlockWriter(REF, 4096, 0, 16)
        for name, tail in ((b"refs/heads/a", oid(2)), (b"refs/heads/b", value), (b"refs/heads/c", oid(3))):
            assert writer.add(name, 1, b"\0" + tail)
        block = Block.parse("x", writer.finish(b""), 0, 0, 4096)
        found = pass_refs(block.data, block.records_start, block.records_end, 20, 0, id_len, None)
        assert found.may_have_null == (value == bytes(20))


@pytest.mark.parametrize("interval", [1, 4, 16])
def test_names_and_ids_of_a_sound_block_are_all_told(interval: int) -> None:
    found = passed(ref_block(interval), tells=False)
    assert found is not None
    first, last, names, _, _, pairs, weight = found
    assert (first, last, names) == (b"HEAD", b"refs/heads/z", [name for name, _, _ in REFS])
    assert (pairs, weight) == (9, sum(hash(oid(number)[:3]) for number in range(1, 10)))


@pytest.mark.parametrize("interval", [1, 4, 16])
def test_a_pass_that_tells_a_witness_gives_up_at_the_same_bytes(interval: int) -> None:
    """Without one, records are cut in another way where that is faster."""
    data = ref_block(interval)
    for position, byte in enumerate(data):
        for other in {byte ^ 1, byte ^ 8, byte ^ 0x80, byte + 1 & 0xFF, byte - 1 & 0xFF, 0, 9, 12}:
            altered = data[:position] + bytes((other,)) + data[position + 1 :]
            assert passed(altered, tells=False) == passed(altered, tells=True), (position, other)


@pytest.mark.parametrize(
    ("name", "is_plain"),
    [
        (b"refs/heads/b-z/0_9", True),
        (b"refs/tags/b/z", True),
        (b"refs/heads/b/", False),
        (b"refs/heads//b", False),
        (b"refs/heads/b//c", False),
        (b"refs/heads/b\nc", False),
        (b"refs/heads/bC", False),
        (b"/refs/heads/b", False),
        (b"zz/", False),
    ],
)
@pytest.mark.parametrize("interval", [1, 16])
def test_a_name_is_plain_without_unusual_letters_and_slashes(
    name: bytes, interval: int, *, is_plain: bool
) -> None:
    writer = BlockWriter(REF, 4096, 0, interval)
    for one in sorted((b"refs/heads/a", name)):
        assert writer.add(one, VAL1, b"\0" + oid(1))
    found = passed(writer.finish(b""), tells=False)
    assert found is not None
    assert found[4] == is_plain


def test_a_pass_gives_up_at_a_ref_above_the_limit_of_the_table() -> None:
    assert [passed(ref_block(16), tells=False, most=most) is None for most in (7, 8, 9)] == [
        True,
        True,
        False,
    ]


@pytest.mark.parametrize("step", [0, 1, 4096, 8192])
def test_the_weight_of_objects_is_that_of_their_blocks(step: int) -> None:
    """The blocks may be in equal steps, up to the first gap or not at all."""
    offsets = [*BLOCKS]
    differences = map(put_varint, map(sub, offsets, [0, *offsets]))
    records = raw_record(0, b"ab", len(offsets), b"".join(differences))
    records += raw_record(1, b"c", 0, put_varint(1) + put_varint(4096))
    found = pass_object_block(records, step)
    assert (found.first, found.last, found.doubtful) == (b"ab", b"ac", False)
    assert found.weight == hash(b"ab") * sum(BLOCKS.values()) + hash(b"ac") * BLOCKS[4096]
    for offset in (1, 4095, 4097, 12_288, 300_000, 2**63, 2**64 - 1):
        assert pass_object_block(raw_record(0, b"ab", 1, put_varint(offset)), step).doubtful


@pytest.mark.parametrize(
    ("count", "offsets", "doubtful"),
    [(1, b"\0", False), (1, b"\1", True), (2, b"\0\1", True), (0, b"\0", True)],
    ids=["known", "unknown", "one of two", "left to a scan"],
)
def test_an_object_whose_blocks_are_not_known_is_doubtful(
    count: int, offsets: bytes, *, doubtful: bool
) -> None:
    assert pass_object_block(raw_record(0, b"ab", count, offsets)).doubtful == doubtful


@pytest.mark.parametrize(
    "records",
    [
        raw_record(0, b"ab", 2, b"\0\0"),
        raw_record(0, b"ab", 2, b"\1\0"),
        raw_record(0, b"ab", 1, b"\0") + raw_record(1, b"b", 1, b"\0"),
        raw_record(0, b"ab", 1, b"\0") + raw_record(1, b"a", 1, b"\0"),
        raw_record(0, b"ab", 1, b"\0") + raw_record(2, b"", 1, b"\0"),
        raw_record(0, b"abc", 1, b"\0"),
        raw_record(0, b"ab", 0, put_varint(2**40)),
    ],
    ids=["twice", "twice, unknown", "equal", "descending", "empty suffix", "long", "huge count"],
)
def test_a_pass_gives_up_at_objects_that_no_writer_makes(records: bytes) -> None:
    with pytest.raises((IndexError, ValueError)):
        pass_object_block(records)

"""The numbers of git's tests of tables and of blocks (`u-reftable-table.c`, `u-reftable-block.c`)."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import FormatError
from engine.format import INDEX, LOG, OBJ, REF, U64_MAX, Block, LogRecord, RefRecord, log_key
from engine.format.codec import encode_log, encode_ref
from engine.format.search import find_index, find_log, find_object, find_ref
from engine.table import Table
from tests.support.handmade import Handmade, change_footer, raw_block, raw_record
from tests.support.stacks import same
from tests.support.tables import write_table

MAIN = RefRecord(b"refs/heads/main", 0, value=bytes((42,)) + bytes(19))


def test_a_table_can_be_scanned_again_and_again(tmp_path: Path) -> None:
    path = tmp_path / "name"
    write_table(path, [MAIN])
    with Table.open(path) as table:
        for _ in range(5):
            scan = table.refs()
            assert next(scan) == MAIN
            assert next(scan, None) is None


def test_five_hundred_refs_fill_blocks_as_gits_do(tmp_path: Path) -> None:
    path = tmp_path / "name"
    refs = [RefRecord(b"refs/heads/branch-%03d" % i, 0, value=bytes(20)) for i in range(500)]
    write_table(path, refs)
    count = {
        REF: lambda block: len(block.refs(20, 0)),
        INDEX: lambda block: len(block.index()),
        OBJ: lambda block: len(block.objects()),
    }
    with Table.open(path) as table:
        found = [
            (chr(block.type), block.records_start - 4, block.restart_count, count[block.type](block))
            for block in table.blocks()
        ]
    assert found == [
        ("r", 24, 10, 158),
        ("r", 0, 10, 159),
        ("r", 0, 10, 159),
        ("r", 0, 2, 24),
        ("i", 0, 1, 4),
        ("o", 0, 1, 1),
    ]


def test_a_log_section_past_the_end_is_no_empty_section(tmp_path: Path) -> None:
    path = tmp_path / "name"
    log = LogRecord(MAIN.name, 1, bytes(20), bytes(20), b"user", b"user@example.com", message=b"message\n")
    write_table(path, [MAIN], [log])
    change_footer(path, log_offset=U64_MAX)
    with Table.open(path) as table:
        assert table.read_ref(MAIN.name) == next(table.refs()) == MAIN
        with pytest.raises(FormatError):
            list(table.logs())
        with pytest.raises(FormatError):
            table.read_log(MAIN.name)


def test_a_table_cut_off_in_front_of_its_footer_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "name"
    write_table(path, [MAIN])
    path.write_bytes(path.read_bytes()[:67])
    with pytest.raises(FormatError):
        Table.open(path)


def one_ref_block() -> bytearray:
    table = Handmade(limits=(0, 0))
    table.data += bytes(24)  # as if it were not the first block, whose length counts the file header
    start = table.refs([MAIN])
    return table.data[start:]


def parse(data: bytes) -> Block:
    return Block.parse("name", bytes(data), 0, 0, 0)


def test_a_block_of_one_ref_has_47_bytes() -> None:
    block = parse(one_ref_block())
    assert block.block_len == len(one_ref_block()) == 47
    assert block.refs(20, 0) == [MAIN]


def test_a_block_longer_than_what_is_left_is_refused() -> None:
    data = one_ref_block()
    data[1:4] = (48).to_bytes(3, "big")
    with pytest.raises(FormatError):
        parse(data)


def test_more_restarts_than_fit_into_the_block_are_refused() -> None:
    data = one_ref_block()
    data[-2:] = b"\xff\xff"
    with pytest.raises(FormatError):
        parse(data)


def test_a_restart_outside_the_records_is_refused_by_a_lookup() -> None:
    data = one_ref_block()
    data[-5:-2] = b"\xff\xff\xff"
    block = parse(data)
    with pytest.raises(FormatError):
        block.seek(MAIN.name, find_ref, 20, 0)
    assert block.refs(20, 0) == [MAIN]


def test_a_log_block_shorter_than_its_own_header_is_refused() -> None:
    table = Handmade()
    table.data += bytes(24)
    start = table.logs([LogRecord(MAIN.name, 1, bytes(20), bytes(20))])
    data = table.data[start:]
    data[1:4] = (1).to_bytes(3, "big")
    with pytest.raises(FormatError):
        parse(data)


def block_of(block_type: int, items: list[tuple[bytes, int, bytes]]) -> Block:
    table = Handmade()
    table.data += bytes(24)
    start = table.block(block_type, items)
    return parse(table.data[start:])


def test_a_seek_in_a_block_of_refs_finds_the_first_name_at_or_behind_the_key() -> None:
    refs = [RefRecord(b"branch%02d" % i, 1, value=same(i)) for i in range(30)]
    block = block_of(REF, [(ref.name, *encode_ref(ref, 0, 20)) for ref in refs])
    assert block.refs(20, 0) == refs
    for number, ref in enumerate(refs):
        assert block.seek(ref.name, find_ref, 20, 0) == ref
        assert block.seek(ref.name[:-1], find_ref, 20, 0) == refs[10 * (number // 10)]
    assert block.seek(b"branch3", find_ref, 20, 0) is None
    assert block.seek(b"c", find_ref, 20, 0) is None


def test_a_seek_in_a_block_of_logs_finds_the_first_key_at_or_behind_the_key() -> None:
    logs = [LogRecord(b"branch%02d" % i, i, same(0), same(1)) for i in range(30)]
    block = block_of(LOG, [(log_key(log.name, log.update_index), *encode_log(log, 20)) for log in logs])
    assert block.logs(20) == logs
    for number, log in enumerate(logs):
        assert block.seek(log.name, find_log, 20) == log
        assert block.seek(log.name[:-1], find_log, 20) == logs[10 * (number // 10)]
    assert block.seek(b"branch3", find_log, 20) is None


def test_a_seek_in_a_block_of_object_ids_finds_each() -> None:
    prefixes = [bytes((i, i + 1, i + 2, i + 3, i + 5)) for i in range(30)]
    block = block_of(OBJ, [(prefix, 0, b"\0") for prefix in prefixes])
    assert [record.prefix for record in block.objects()] == prefixes
    for prefix in prefixes:
        found = block.seek(prefix, find_object)
        assert found is not None
        assert (found.prefix, found.offsets) == (prefix, [])


def test_a_seek_in_an_index_finds_the_block_that_may_hold_the_key() -> None:
    keys = [b"branch%02d" % i for i in range(30)]
    block = block_of(INDEX, [(key, 0, bytes((number,))) for number, key in enumerate(keys)])
    assert [(record.last_key, record.offset) for record in block.index()] == list(
        zip(keys, range(30), strict=True)
    )
    for number, key in enumerate(keys):
        for sought, expected in [(key, number), (key[:-1], 10 * (number // 10))]:
            assert block.seek(sought, find_index) == expected


def test_a_seek_that_finds_nothing_does_not_disturb_the_next() -> None:
    refs = [RefRecord(b"refs/heads/branch-%02d" % i, 0, value=same(i)) for i in range(20)]
    block = block_of(REF, [(ref.name, *encode_ref(ref, 0, 20)) for ref in refs])
    assert block.refs(20, 0) == refs
    assert block.seek(b"refs/heads/does-not-exist", find_ref, 20, 0) is None
    assert block.seek(b"refs/heads/branch-13", find_ref, 20, 0) == refs[13]


def test_an_unknown_ref_value_type_is_refused() -> None:
    block = parse(raw_block(REF, raw_record(0, b"a", 4, b"\0")))
    with pytest.raises(FormatError, match="value type"):
        block.refs(20, 0)

"""fsck on one table: header, footer, sections, blocks, records, restart points."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.format import INDEX, LOG, OBJ, REF, U64_MAX, HashId, LogRecord, RefRecord, log_key
from engine.format.codec import encode_ref
from engine.format.varint import put_u24, put_varint
from engine.fsck import Report, Severity
from engine.table import Table, WriteOptions
from tests.support.findings import codes, faults, findings, install, only, write_stack
from tests.support.handmade import (
    Handmade,
    blocks,
    change_byte,
    change_footer,
    change_header,
    overwrite,
    raw_block,
    raw_record,
)
from tests.support.stacks import entry
from tests.support.tables import oid

COUNT = 201
REFS = [RefRecord(b"refs/heads/branch-%03d" % i, 1, value=oid(i)) for i in range(COUNT)]
LOGS = [entry(ref.name, 1, new=ref.value) for ref in REFS]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The one table of a stack, with each kind of section and an index for each."""
    return write_stack(tmp_path, REFS, LOGS, WriteOptions(block_size=512, restart_interval=4))


def test_a_sound_table_has_no_findings(path: Path) -> None:
    assert faults(path.parent) == []
    assert all(blocks(path, block_type) for block_type in (REF, OBJ, LOG, INDEX))


# Header and footer


@pytest.mark.parametrize("size", [0, 1, 20])
def test_a_file_cut_to_next_to_nothing_is_no_table(path: Path, size: int) -> None:
    os.truncate(path, size)
    assert faults(path.parent) == ["cut-short" if size == 20 else "not-a-table"]


def test_a_file_without_footer_was_cut_short(path: Path) -> None:
    end = blocks(path, INDEX)[-1].next_offset
    os.truncate(path, end)
    assert faults(path.parent) == ["cut-short"]
    assert only(path.parent, "cut-short").offset == end


def test_of_a_file_cut_in_a_block_the_others_are_checked(path: Path) -> None:
    first, second, third, *_ = blocks(path, REF)
    os.truncate(path, third.offset + 100)
    change_byte(path, first.offset + first.records_end + 2, 0x02)
    assert faults(path.parent) == ["cut-short", "restart-offset", "block-damaged"]
    assert only(path.parent, "block-damaged").offset in range(third.offset, third.offset + 100)
    assert second.next_offset == third.offset


@pytest.mark.parametrize("offset", [0, 4, 5, 15, 23])
def test_a_damaged_header_is_told_from_its_copy(path: Path, offset: int) -> None:
    change_byte(path, offset)
    assert faults(path.parent) == ["header-damaged"]
    found = findings(path.parent)[0]
    assert found.offset is not None
    assert found.offset <= offset


def test_a_damaged_footer_shows_in_its_checksum(path: Path) -> None:
    end = path.stat().st_size
    change_byte(path, end - 68 + 15)
    assert faults(path.parent) == ["footer-damaged", "footer-checksum"]
    change_byte(path, end - 68 + 15)
    change_byte(path, end - 1)
    assert faults(path.parent) == ["footer-checksum"]
    change_byte(path, end - 1)
    change_byte(path, end - 20)
    assert "footer-checksum" in faults(path.parent)


def test_limits_that_are_no_range_are_an_error(tmp_path: Path) -> None:
    table = Handmade(limits=(2, 1))
    table.append(raw_block(REF, raw_record(0, b"a", 0, b"\0"), header=table.header.pack()))
    install(tmp_path, table)
    assert "limits-reversed" in faults(tmp_path)


@pytest.mark.parametrize(
    "field", ["ref_index_offset", "obj_offset", "obj_index_offset", "log_offset", "log_index_offset"]
)
@pytest.mark.parametrize("value", [0, 1, 700, 2**40])
def test_no_wrong_offset_in_a_valid_footer_passes(path: Path, field: str, value: int) -> None:
    change_footer(path, **{field: value})
    assert any(finding.severity is Severity.ERROR for finding in findings(path.parent))


def test_an_offset_out_of_the_file_is_named(path: Path) -> None:
    change_footer(path, log_index_offset=2**40)
    assert "section-offset" in codes(path.parent)


def test_a_log_section_that_the_footer_leaves_out_is_an_error(path: Path) -> None:
    with Table.open(path) as table:
        log_offset = table.footer.log_offset
    change_footer(path, log_offset=0, log_index_offset=0)
    found = findings(path.parent)
    assert {finding.code for finding in found} >= {"section-order"}
    assert log_offset in {finding.offset for finding in found}


def test_a_section_that_is_nowhere_is_an_error(tmp_path: Path) -> None:
    table = Handmade()
    table.refs([RefRecord(b"a", 1)])
    second = table.refs([RefRecord(b"b", 1)])
    install(tmp_path, table, log_offset=second)
    assert "section-order" in faults(tmp_path)


def test_a_section_that_is_said_to_be_where_another_one_is_is_an_error(tmp_path: Path) -> None:
    path = write_stack(tmp_path, REFS, options=WriteOptions(block_size=512))
    with Table.open(path) as table:
        footer = table.footer
    change_footer(path, log_offset=footer.obj_offset)
    assert faults(tmp_path) == ["section-offset"]
    change_footer(path, log_offset=0, log_index_offset=footer.ref_index_offset)
    assert faults(tmp_path) == ["index-damaged"]


def test_sections_in_another_order_are_an_error(tmp_path: Path) -> None:
    table = Handmade()
    refs = table.refs([RefRecord(b"a", 1, value=oid(1))])
    logs = table.logs([entry(b"a", 1)])
    objects = table.objects([(oid(1)[:2], [refs])])
    install(tmp_path, table, log_offset=logs, obj_offset=objects, object_id_len=2)
    assert faults(tmp_path) == ["section-order"]


@pytest.mark.parametrize("length", [0, 21, 31])
def test_an_object_id_length_without_sense_is_an_error(path: Path, length: int) -> None:
    change_footer(path, object_id_len=length)
    assert "object-id-length" in faults(path.parent)


def test_an_object_section_of_another_length_than_the_footer_says_is_an_error(path: Path) -> None:
    change_footer(path, object_id_len=5)
    assert faults(path.parent) == ["object-id-length"]


def test_a_table_without_records_is_mentioned(tmp_path: Path) -> None:
    install(tmp_path, Handmade())
    assert codes(tmp_path) == ["table-empty"]
    assert faults(tmp_path) == []


# Blocks


def test_a_block_that_cannot_be_read_is_named_and_the_others_are_checked(path: Path) -> None:
    _, second, _, fourth, *_ = blocks(path, REF)
    overwrite(path, second.offset, b"?")
    change_byte(path, fourth.offset + fourth.records_end + 2, 0x02)
    assert faults(path.parent) == ["block-damaged", "restart-offset"]
    assert only(path.parent, "block-damaged").offset == second.offset


@pytest.mark.parametrize("length", [0, 5, 600, 2**24 - 1])
def test_a_block_of_a_wrong_length_is_named(path: Path, length: int) -> None:
    block = blocks(path, REF)[2]
    overwrite(path, block.offset + 1, put_u24(length))
    found = findings(path.parent)[0]
    assert found.severity is Severity.ERROR
    assert found.offset is not None
    assert block.offset <= found.offset <= block.offset + max(length, 512)


def test_no_restart_points_at_all_are_an_error(path: Path) -> None:
    block = blocks(path, REF)[5]
    overwrite(path, block.offset + block.block_len - 2, b"\0\0")
    assert faults(path.parent) == ["block-damaged"]
    assert only(path.parent, "block-damaged").offset == block.offset + block.block_len - 2


def test_a_log_block_that_does_not_inflate_is_named(path: Path) -> None:
    block = blocks(path, LOG)[1]
    change_byte(path, block.offset + 20)
    assert faults(path.parent) == ["block-inflate"]
    assert only(path.parent, "block-inflate").offset == block.offset + 4


def test_a_log_block_that_inflates_to_another_size_is_named(path: Path) -> None:
    block = blocks(path, LOG)[1]
    overwrite(path, block.offset + 1, put_u24(block.block_len - 1))
    assert faults(path.parent) == ["block-inflate"]


def test_a_block_longer_than_the_block_size_is_an_error(path: Path) -> None:
    change_header(path, block_size=256)
    assert "block-too-long" in faults(path.parent)


def test_a_block_in_what_the_block_size_makes_padding_is_an_error(tmp_path: Path) -> None:
    path = write_stack(tmp_path, REFS[:20], options=WriteOptions(block_size=512))
    change_header(path, block_size=1024)
    assert faults(tmp_path) == ["block-hidden"]
    assert only(tmp_path, "block-hidden").offset == 512


def test_padding_that_is_not_zero_is_a_warning(path: Path) -> None:
    padded = next(block for block in blocks(path, REF) if block.padding > 1)
    change_byte(path, padded.next_offset - 1)
    assert faults(path.parent) == ["padding"]
    assert only(path.parent, "padding").offset == padded.next_offset - 1


# Records: ref blocks are in the file as they are, and log blocks inflated


def one_block(directory: Path, block_type: int, records: bytes, restarts: list[int] | None = None) -> Path:
    """Make a stack of one table of one block of these bytes."""
    table = Handmade()
    table.append(raw_block(block_type, records, restarts, table.header.pack()))
    return install(directory, table)


def ref(prefix: int, suffix: bytes, value: bytes = b"") -> bytes:
    return raw_record(prefix, suffix, 1 if value else 0, b"\0" + value)


@pytest.mark.parametrize(
    "record",
    [
        raw_record(0, b"a", 7, b"\0"),
        raw_record(1, b"a", 0, b"\0"),
        raw_record(0, b"", 0, b"\0"),
        raw_record(0, b"a", 1, b"\0" + bytes(19)),
        raw_record(0, b"a", 3, b"\0" + put_varint(2**60)),
        raw_record(0, b"a", 0, b"\xff" * 30),
        b"\0\xff",
        b"\0",
    ],
)
def test_a_damaged_ref_record_is_named(tmp_path: Path, record: bytes) -> None:
    one_block(tmp_path, REF, record)
    assert "record-damaged" in faults(tmp_path)
    assert all((finding.offset or 0) >= 24 for finding in findings(tmp_path))


@pytest.mark.parametrize(
    "record",
    [
        raw_record(0, log_key(b"a", 1), 5, b""),
        raw_record(0, b"a", 0, b""),
        raw_record(0, log_key(b"a", 1), 1, bytes(39)),
        raw_record(0, log_key(b"a", 1), 1, bytes(40) + put_varint(2**60)),
    ],
)
def test_a_damaged_log_record_is_named(tmp_path: Path, record: bytes) -> None:
    one_block(tmp_path, LOG, record)
    assert "record-damaged" in faults(tmp_path)


def test_behind_a_damaged_record_the_others_are_checked(tmp_path: Path) -> None:
    damaged = raw_record(0, b"b", 7, b"\0")
    records = ref(0, b"a") + damaged + ref(0, b"d") + ref(0, b"c")
    starts = [28, 28 + len(ref(0, b"a"))]
    starts += [starts[1] + len(damaged), starts[1] + len(damaged) + len(ref(0, b"d"))]
    one_block(tmp_path, REF, records, starts)
    assert faults(tmp_path) == ["record-damaged", "key-order"]
    assert only(tmp_path, "record-damaged").offset == starts[1]
    assert only(tmp_path, "key-order").offset == starts[3]


@pytest.mark.parametrize("second", [b"a", b"Z", b"\0"])
def test_keys_that_do_not_ascend_in_a_block_are_an_error(tmp_path: Path, second: bytes) -> None:
    one_block(tmp_path, REF, ref(0, b"a") + ref(0, second), [28, 32])
    assert only(tmp_path, "key-order").offset == 32


def test_keys_that_do_not_ascend_from_block_to_block_are_an_error(tmp_path: Path) -> None:
    table = Handmade()
    table.refs([RefRecord(b"b", 1)])
    second = table.refs([RefRecord(b"a", 1)])
    install(tmp_path, table)
    assert faults(tmp_path) == ["key-order"]
    assert only(tmp_path, "key-order").offset == second


def test_log_keys_that_do_not_ascend_are_an_error(tmp_path: Path) -> None:
    table = Handmade(limits=(1, 2))
    table.logs([entry(b"a", 1)])
    table.logs([entry(b"a", 2)])
    install(tmp_path, table)
    assert faults(tmp_path) == ["key-order"]


@pytest.mark.parametrize("records", [ref(0, b"aab") + ref(1, b"ac"), ref(0, b"aa") + ref(1, b"ab")])
def test_a_key_that_could_share_more_was_altered(tmp_path: Path, records: bytes) -> None:
    one_block(tmp_path, REF, records)
    assert faults(tmp_path) == ["key-encoding"]


def test_a_whole_key_that_is_no_restart_point_was_altered(tmp_path: Path) -> None:
    one_block(tmp_path, REF, ref(0, b"a") + ref(0, b"b"))
    assert faults(tmp_path) == ["key-encoding"]


@pytest.mark.parametrize(
    ("block_type", "record"), [(REF, ref(0, b"a\0b")), (LOG, raw_record(0, log_key(b"a\0b", 1), 0, b""))]
)
def test_a_nul_in_a_name_is_an_error(tmp_path: Path, block_type: int, record: bytes) -> None:
    one_block(tmp_path, block_type, record)
    assert "key-nul" in faults(tmp_path)


def test_a_ref_above_the_limits_of_its_table_is_an_error(tmp_path: Path) -> None:
    one_block(tmp_path, REF, raw_record(0, b"a", 0, b"\x01"))
    assert faults(tmp_path) == ["update-index"]


def test_a_log_entry_newer_than_its_table_is_an_error_and_a_tombstone_is_none(tmp_path: Path) -> None:
    table = Handmade()
    table.logs([LogRecord(b"a", 9)])
    install(tmp_path, table)
    assert faults(tmp_path) == []
    table = Handmade()
    table.logs([entry(b"a", 2)])
    install(tmp_path, table)
    assert faults(tmp_path) == ["update-index"]


def test_a_log_entry_older_than_its_table_is_sound(tmp_path: Path) -> None:
    table = Handmade(limits=(5, 5))
    table.logs([entry(b"a", 1)])
    install(tmp_path, table)
    assert faults(tmp_path) == []


@pytest.mark.parametrize(
    "restarts", [[0], [27], [2**24 - 1], [28, 0], [28, 28], [28, 29], [32, 28], [28, 32, 2**24 - 1]]
)
def test_restart_points_that_lead_nowhere_or_do_not_ascend_are_an_error(
    tmp_path: Path, restarts: list[int]
) -> None:
    one_block(tmp_path, REF, ref(0, b"a") + ref(0, b"b") + ref(0, b"c"), restarts)
    assert "restart-offset" in faults(tmp_path)


def test_a_restart_point_in_a_log_block_points_into_the_file(path: Path) -> None:
    records = raw_record(0, log_key(b"a", 1), 0, b"") + raw_record(0, log_key(b"b", 1), 0, b"")
    one_block(path.parent, LOG, records, [28, 29])
    assert "inflated" in only(path.parent, "restart-offset").message


def test_a_block_of_65535_restart_points_may_have_more_whole_keys(tmp_path: Path) -> None:
    """More than can be counted are not listed."""
    table = Handmade()
    table.refs([RefRecord(b"%07d" % number, 1) for number in range(65_600)], restart_interval=1)
    install(tmp_path, table)
    assert faults(tmp_path) == []


# Many findings, and hostile ones


def test_of_many_findings_of_one_kind_a_few_are_told_and_the_rest_counted(tmp_path: Path) -> None:
    records = b"".join(ref(0, b"%03d" % (999 - number)) for number in range(500))
    one_block(tmp_path, REF, records, [28 + 6 * number for number in range(500)])
    found = findings(tmp_path)
    assert [finding.code for finding in found] == ["key-order"] * (Report.MOST_ALIKE + 1)
    assert found[-1].message == f"and {499 - Report.MOST_ALIKE} more of this kind"


def test_a_block_with_too_many_faults_is_left(tmp_path: Path) -> None:
    records = ref(0, b"a") + b"".join(ref(1, b"%c" % (98 + number % 2)) for number in range(3000))
    one_block(tmp_path, REF, records)
    assert faults(tmp_path) == ["key-order", "table-given-up"]


@pytest.mark.parametrize(
    ("block_type", "behind_name", "tail"),
    [(REF, b"", b"\0"), (LOG, b"\0" + bytes(8), b"")],
    ids=["refs", "logs"],
)
def test_names_that_each_grow_by_a_byte_are_given_up(
    tmp_path: Path, block_type: int, behind_name: bytes, tail: bytes
) -> None:
    """A few bytes a record, and a square of them in all."""
    records = b"".join(raw_record(number, b"a" + behind_name, 0, tail) for number in range(60_000))
    one_block(tmp_path, block_type, records)
    assert "record-damaged" in faults(tmp_path)


def test_a_table_without_end_is_left_when_too_much_of_it_cannot_be_read(tmp_path: Path) -> None:
    table = Handmade(block_size=64)
    table.refs([RefRecord(b"a", 1)])
    table.append(b"?" * 64 * 5000)
    install(tmp_path, table)
    assert faults(tmp_path) == ["block-damaged", "table-given-up"]


# What other writers make


def test_tables_as_jgit_writes_them_are_sound(tmp_path: Path) -> None:
    """Unaligned, with a block size of 0, one large root of the index, logs with an index over two blocks."""
    table = Handmade(block_size=0)
    names = [b"refs/heads/%06d" % number for number in range(4000)]
    entries = []
    for start in range(0, len(names), 50):
        records = [RefRecord(name, 1, value=oid(1)) for name in names[start : start + 50]]
        entries.append((names[start + 49], table.refs(records, restart_interval=15)))
    ref_index = table.index(entries)
    objects = table.append(raw_block(OBJ, raw_record(0, oid(1)[:2], 0, b"\0")))
    logs = [table.logs([entry(name, 1, message=b"no newline")]) for name in names[:2]]
    keys = [log_key(name, 1) for name in names[:2]]
    log_index = table.index(list(zip(keys, logs, strict=True)))
    install(
        tmp_path,
        table,
        ref_index_offset=ref_index,
        obj_offset=objects,
        object_id_len=2,
        log_offset=logs[0],
        log_index_offset=log_index,
    )
    assert codes(tmp_path) == []


def test_an_aligned_index_may_be_longer_than_a_block(tmp_path: Path) -> None:
    table = Handmade(block_size=256)
    entries = []
    for number in range(100):
        name = b"refs/heads/%06d" % number
        entries.append((name, table.refs([RefRecord(name, 1)])))
        table.pad()
    install(tmp_path, table, ref_index_offset=table.index(entries))
    assert codes(tmp_path) == []


def test_version_2_with_sha1_is_sound(tmp_path: Path) -> None:
    table = Handmade(version=2)
    table.refs([RefRecord(b"a", 1, value=oid(1))])
    install(tmp_path, table)
    assert codes(tmp_path) == []


def test_logs_alone_are_sound(tmp_path: Path) -> None:
    write_stack(tmp_path, [], LOGS, WriteOptions(block_size=256))
    assert faults(tmp_path) == []


@pytest.mark.parametrize("index", [1, U64_MAX])
def test_the_highest_update_index_is_sound(tmp_path: Path, index: int) -> None:
    write_stack(tmp_path, [RefRecord(b"a", index, value=oid(1))], [entry(b"a", index, new=oid(1))])
    assert codes(tmp_path) == []


def test_a_table_by_dulwich_is_known_by_its_name(tmp_path: Path) -> None:
    path = write_stack(tmp_path, REFS[:2])
    name = "0x0000000000000002-0x0000000000000002-4e2328e7.ref"
    path.rename(tmp_path / name)
    (tmp_path / "tables.list").write_text(f"{name}\n")
    assert faults(tmp_path) == ["dulwich-table"]


def test_a_long_name_by_dulwich_is_an_error(tmp_path: Path) -> None:
    """Its prefix and suffix length come the other way round: low seven bits first."""
    name = b"refs/heads/a-name-that-is-a-little-longer"
    tail = encode_ref(RefRecord(name, 2, value=oid(1)), 2, HashId.SHA1.size)[1]
    second = len(name) << 3 | 1
    record = b"\0" + bytes((second & 0x7F | 0x80, second >> 7)) + name + tail
    path = one_block(tmp_path, REF, record)
    new = "0x000660f8c8b235fc-0x000660f8c8b235fc-831b31b5.ref"
    path.rename(tmp_path / new)
    (tmp_path / "tables.list").write_text(f"{new}\n")
    assert faults(tmp_path)[:2] == ["dulwich-table", "record-damaged"]

"""Damage that git's own checks and readers miss, or die of: what reading notices, and what it still reads.

The damages are those of a trial on real git. Some of it no reader can see (that is for fsck); but whatever a
table answers is what a whole one would have answered, or an error, and never silence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.errors import ChecksumError, FormatError, MissingTableError
from engine.format import INDEX, LOG, REF, Footer, RefRecord
from engine.merge import compact_tables
from engine.stack import Stack, StackOptions
from engine.table import Table, WriteOptions
from tests.support.handmade import blocks, change_byte, change_footer
from tests.support.stacks import add, entry, list_tables, make_stack, names
from tests.support.tables import oid, write_table

COUNT = 201
REFS = [RefRecord(b"refs/heads/branch-%03d" % i, 1, value=oid(i)) for i in range(COUNT)]
LOGS = [entry(ref.name, 1) for ref in REFS]
SAMPLE = [*range(0, COUNT, 13), COUNT - 1]
OPTIONS = StackOptions(auto_compact=False, block_size=512, restart_interval=4)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The one table of a stack, with each kind of section and an index for each."""
    with Stack.open(tmp_path, OPTIONS) as stack:
        add(stack, REFS, LOGS)
        return tmp_path / names(stack)[0]


def answer(read: Callable[..., object], *args: object) -> object:
    """What a read answers, iterators read to their end; the class of the error if it raises one."""
    try:
        found = read(*args)
        return list(found) if isinstance(found, Iterator) else found
    except FormatError:
        return FormatError


def check_logs(table: Table) -> None:
    """Each point lookup of a log gives its entry, or an error."""
    for log in (LOGS[number] for number in SAMPLE):
        assert answer(table.read_log, log.name) in (log, FormatError)
        assert answer(table.logs, log.name) in ([log], FormatError)


def check_lookups(table: Table) -> None:
    """Each point lookup gives the record, or an error."""
    for ref in (REFS[number] for number in SAMPLE):
        assert answer(table.read_ref, ref.name) in (ref, FormatError)
        assert answer(table.refs, ref.name) in ([ref], FormatError)
        assert answer(table.refs_for, ref.value) in ([ref], FormatError)
    check_logs(table)


def test_the_sound_table_answers(path: Path) -> None:
    with Table.open(path) as table:
        assert all(table.read_ref(ref.name) == ref for ref in REFS)
        assert all(table.read_log(log.name) == log for log in LOGS)
        footer = table.footer
        assert all([footer.ref_index_offset, footer.obj_offset, footer.log_offset, footer.log_index_offset])


def test_padding_that_is_not_zero_hides_nothing(path: Path) -> None:
    padded = next(block for block in blocks(path, REF) if block.padding > 1)
    change_byte(path, padded.next_offset - 1)
    with Table.open(path) as table:
        assert list(table.refs()) == REFS
        assert list(table.logs()) == LOGS


def test_a_restart_offset_inside_a_record_hides_nothing_from_a_scan(path: Path) -> None:
    for block in blocks(path, REF):
        change_byte(path, block.offset + block.records_end + 3 * (block.restart_count - 1) + 2, 0x02)
    with Table.open(path) as table:
        assert list(table.refs()) == REFS


def test_keys_in_disorder_are_not_compacted(path: Path) -> None:
    _, second, *_ = blocks(path, REF)
    change_byte(path, second.offset + second.records_start + 3, ord("r") ^ ord("z"))
    with Table.open(path) as table:
        assert len(list(table.refs())) == COUNT
        with pytest.raises(FormatError, match="zefs/heads"):
            compact_tables([table], len, WriteOptions(), drop_tombstones=True)


def test_no_restarts_at_all_are_an_error_and_no_early_end(path: Path) -> None:
    block = blocks(path, REF)[5]
    count_at = block.offset + block.block_len - 2
    data = bytearray(path.read_bytes())
    data[count_at : count_at + 2] = b"\0\0"
    path.write_bytes(data)
    with Table.open(path) as table:
        with pytest.raises(FormatError) as caught:
            list(table.refs())
        assert (caught.value.name, caught.value.offset) == (path.name, count_at)
        check_lookups(table)


def footer_of(path: Path) -> Footer:
    with Table.open(path) as table:
        return table.footer


PLACES: dict[str, Callable[[Path], int]] = {
    "inside the header": lambda _: 1,
    "inside a block": lambda path: blocks(path, REF)[2].offset + 9,
    "a ref block": lambda path: blocks(path, REF)[2].offset,
    "a lower level of the ref index": lambda path: blocks(path, INDEX)[0].offset,
    "the ref index": lambda path: footer_of(path).ref_index_offset,
    "the object section": lambda path: footer_of(path).obj_offset,
    "the object index": lambda path: footer_of(path).obj_index_offset,
    "a log block": lambda path: blocks(path, LOG)[1].offset,
    "the log index": lambda path: footer_of(path).log_index_offset,
    "the footer": lambda path: path.stat().st_size - 68,
    "past the end": lambda _: 2**40,
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("field", ["ref_index_offset", "obj_offset", "obj_index_offset", "log_index_offset"])
def test_a_wrong_offset_in_a_valid_footer_is_never_a_wrong_answer(path: Path, field: str, place: str) -> None:
    """The checksum is right: a faulty writer made it."""
    change_footer(path, **{field: PLACES[place](path)})
    with Table.open(path) as table:
        assert answer(table.refs) in (REFS, FormatError)
        assert answer(table.logs) in (LOGS, FormatError)
        check_lookups(table)


@pytest.mark.parametrize("place", [place for place in PLACES if place != "a log block"])
def test_a_wrong_log_offset_in_a_valid_footer_is_noticed(path: Path, place: str) -> None:
    change_footer(path, log_offset=PLACES[place](path))
    with Table.open(path) as table:
        with pytest.raises(FormatError):
            list(table.logs())
        check_lookups(table)


def test_a_log_block_that_does_not_inflate_hides_no_refs(path: Path) -> None:
    offset = blocks(path, LOG)[1].offset
    change_byte(path, offset + 20)
    with Table.open(path) as table:
        assert list(table.refs()) == REFS
        with pytest.raises(FormatError) as caught:
            list(table.logs())
        assert caught.value.offset == offset + 4
        check_lookups(table)


def test_a_damaged_log_block_right_behind_the_refs_hides_none_of_them(tmp_path: Path) -> None:
    """In small tables no index lies between."""
    write_table(tmp_path / "t.ref", REFS[:20], LOGS[:20])
    with Table.open(tmp_path / "t.ref") as table:
        log_offset = table.footer.log_offset
    change_byte(tmp_path / "t.ref", log_offset + 20)
    with Table.open(tmp_path / "t.ref") as table:
        with pytest.raises(FormatError):
            list(table.logs())
        assert list(table.refs()) == REFS[:20]
        assert table.read_ref(REFS[7].name) == REFS[7]
        assert table.read_ref(b"refs/heads/none") is None


@pytest.mark.parametrize("damage", [b"\0", b"\xff"])
def test_a_destroyed_index_hides_nothing(path: Path, damage: bytes) -> None:
    data = bytearray(path.read_bytes())
    for block in blocks(path, INDEX):
        data[block.offset + 4 : block.offset + block.block_len] = damage * (block.block_len - 4)
    path.write_bytes(data)
    with Table.open(path) as table:
        assert list(table.refs()) == REFS
        assert list(table.logs()) == LOGS
        for ref, log in ((REFS[number], LOGS[number]) for number in SAMPLE):
            assert table.read_ref(ref.name) == ref
            assert list(table.refs(ref.name)) == [ref]
            assert table.read_log(log.name) == log
            assert list(table.refs_for(ref.value or b"")) == [ref]


def test_whatever_an_index_says_scans_do_not_listen(path: Path) -> None:
    data = path.read_bytes()
    for block in blocks(path, INDEX):
        for position in range(block.records_start, block.records_end, 17):
            path.write_bytes(data)
            change_byte(path, block.offset + position)
            with Table.open(path) as table:
                assert list(table.refs()) == REFS
                assert list(table.logs()) == LOGS


def test_a_table_listed_twice_is_read_as_one(path: Path) -> None:
    list_tables(path.parent, [path.name, path.name])
    with Stack.open(path.parent) as stack:
        assert list(stack.refs()) == REFS
        assert list(stack.logs()) == LOGS


def test_a_wrong_footer_checksum_is_named(path: Path) -> None:
    change_byte(path, path.stat().st_size - 1)
    with pytest.raises(ChecksumError) as caught:
        Stack.open(path.parent)
    assert (caught.value.name, caught.value.offset) == (path.name, path.stat().st_size - 4)


def test_a_table_cut_to_nothing_is_named(path: Path) -> None:
    path.write_bytes(b"")
    with pytest.raises(FormatError) as caught:
        Stack.open(path.parent)
    assert caught.value.name == path.name


def test_a_missing_table_is_named(path: Path) -> None:
    path.unlink()
    with pytest.raises(MissingTableError) as caught:
        Stack.open(path.parent)
    assert caught.value.name == path.name


def test_a_list_without_its_last_newline_is_named(path: Path) -> None:
    (path.parent / "tables.list").write_text(path.name)
    with pytest.raises(FormatError) as caught:
        Stack.open(path.parent)
    assert (caught.value.name, caught.value.offset) == ("tables.list", len(path.name))


def test_a_stack_that_lost_its_list_keeps_its_tables(tmp_path: Path) -> None:
    """Without the list it is not known that a table is not needed any more."""
    tables = make_stack(tmp_path, 3)
    with Stack.open(tmp_path) as stack:
        (tmp_path / "tables.list").unlink()
        stack.reload()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(tables)


def test_closing_a_stack_that_lost_its_list_keeps_its_tables(tmp_path: Path) -> None:
    tables = make_stack(tmp_path, 3)
    with Stack.open(tmp_path):
        (tmp_path / "tables.list").unlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(tables)


def test_closing_a_stack_with_a_damaged_list_keeps_its_tables(tmp_path: Path) -> None:
    tables = make_stack(tmp_path, 3)
    with Stack.open(tmp_path):
        (tmp_path / "tables.list").write_text("cut short")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*tables, "tables.list"])

"""fsck on indexes and object sections: complete, right, and known writers' faults told from damage."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import engine.fsck.objects
from engine.format import INDEX, LOG, OBJ, REF, LogRecord, RefRecord, log_key
from engine.format.varint import put_varint
from engine.fsck import Severity
from engine.table import Table, WriteOptions
from tests.support.findings import codes, faults, findings, install, only, write_stack
from tests.support.handmade import Handmade, blocks, change_byte, change_footer, raw_block, raw_record
from tests.support.stacks import entry
from tests.support.tables import oid

NAMES = [b"refs/%03d" % number for number in range(40)]
LEVELS = WriteOptions(block_size=80, unpadded=True)


def many(count: int = 9) -> list[RefRecord]:
    """Return refs that fill a block each, when blocks are of 80 bytes."""
    return [RefRecord(b"refs/heads/%02d-branch" % number, 1, oid(number)) for number in range(count)]


class Parts:
    """A handmade table of ref blocks of one ref each, to be given an index."""

    def __init__(self, count: int) -> None:
        self.table = Handmade()
        self.refs = [(name, self.table.refs([RefRecord(name, 1)])) for name in NAMES[:count]]

    def install(self, directory: Path, root: int) -> Path:
        """Make a stack of it."""
        return install(directory, self.table, ref_index_offset=root)


def test_indexes_of_several_levels_are_sound(tmp_path: Path) -> None:
    path = write_stack(tmp_path, many(60), options=LEVELS)
    assert len(blocks(path, INDEX)) > 20
    assert faults(tmp_path) == []


def test_a_root_of_several_blocks_is_mentioned(tmp_path: Path) -> None:
    """JGit reads the first of them only."""
    table = Parts(4)
    root = table.table.index(table.refs[:2])
    table.table.index(table.refs[2:])
    table.install(tmp_path, root)
    assert only(tmp_path, "index-several-roots").severity is Severity.INFO
    assert codes(tmp_path) == ["index-several-roots"]
    path = write_stack(tmp_path, many(12), options=WriteOptions(block_size=100))
    with Table.open(path) as read:
        root = read.footer.ref_index_offset
        assert read.block_at(read.block_at(root).next_offset).type == INDEX
    assert "index-several-roots" in codes(tmp_path)
    assert faults(tmp_path) == []


def test_an_index_without_the_last_block_is_incomplete(tmp_path: Path) -> None:
    table = Parts(4)
    table.install(tmp_path, table.table.index(table.refs[:3]))
    assert faults(tmp_path) == ["index-incomplete"]
    assert f"1 block from {table.refs[3][1]} on" in only(tmp_path, "index-incomplete").message


@pytest.mark.parametrize("left_out", range(4))
def test_an_index_without_any_block_is_incomplete(tmp_path: Path, left_out: int) -> None:
    table = Parts(4)
    table.install(tmp_path, table.table.index(table.refs[:left_out] + table.refs[left_out + 1 :]))
    assert faults(tmp_path) == ["index-incomplete"]


def test_an_upper_level_without_the_last_block_is_incomplete(tmp_path: Path) -> None:
    """As git wrote indexes of several levels before it was corrected in 2024, and as the Go library does."""
    table = Parts(9)
    level = [(NAMES[at + 2], table.table.index(table.refs[at : at + 3])) for at in (0, 3, 6)]
    table.install(tmp_path, table.table.index(level[:2]))
    assert faults(tmp_path) == ["index-incomplete"]
    with Table.open(next(tmp_path.glob("*.ref"))) as read:
        assert read.read_ref(NAMES[8]) is not None


def test_each_level_without_its_last_block_is_told(tmp_path: Path) -> None:
    table = Parts(9)
    level = [(NAMES[at + 2], table.table.index(table.refs[at : at + 3])) for at in (0, 3)]
    upper = [(level[0][0], table.table.index(level[:1]))]
    table.install(tmp_path, table.table.index(upper))
    found = [finding.message for finding in findings(tmp_path) if finding.code == "index-incomplete"]
    assert len(found) == 2
    assert "3 blocks" in found[0]
    assert "1 block " in found[1]


def test_entries_out_of_order_are_an_error(tmp_path: Path) -> None:
    table = Parts(4)
    (one, at_one), (two, at_two), *rest = table.refs
    table.install(tmp_path, table.table.index([(one, at_two), (two, at_one), *rest]))
    assert "index-damaged" in faults(tmp_path)


@pytest.mark.parametrize("key", [b"refs/0005", b"refs/00"])
def test_an_entry_with_another_key_than_its_block_ends_with_is_an_error(tmp_path: Path, key: bytes) -> None:
    table = Parts(4)
    entries = [*table.refs[:1], (key, table.refs[1][1]), *table.refs[2:]]
    entries.sort(key=lambda entry: entry[1])
    table.table.append(
        raw_block(INDEX, b"".join(raw_record(0, key, 0, put_varint(at)) for key, at in entries))
    )
    table.install(tmp_path, table.refs[-1][1] + 30)
    assert any(finding.severity is Severity.ERROR for finding in findings(tmp_path))


def test_an_entry_that_leads_into_a_block_is_an_error(tmp_path: Path) -> None:
    table = Parts(4)
    entries = [*table.refs[:2], (NAMES[2], table.refs[2][1] + 1), table.refs[3]]
    table.install(tmp_path, table.table.index(entries))
    assert faults(tmp_path) == ["index-damaged", "index-incomplete"]


@pytest.mark.parametrize("step", [0, 5, 2**40])
def test_an_entry_that_leads_ahead_is_an_error(tmp_path: Path, step: int) -> None:
    table = Parts(4)
    table.install(tmp_path, table.table.index([*table.refs[:3], (NAMES[3], len(table.table.data) + step)]))
    assert "index-damaged" in faults(tmp_path)


def test_a_block_that_is_listed_twice_is_an_error(tmp_path: Path) -> None:
    table = Parts(4)
    table.install(tmp_path, table.table.index([*table.refs, (b"refs/999", table.refs[3][1])]))
    assert faults(tmp_path) == ["index-damaged"]


def test_a_root_that_is_not_where_the_footer_says_is_an_error(tmp_path: Path) -> None:
    table = Parts(9)
    level = [(NAMES[at + 2], table.table.index(table.refs[at : at + 3])) for at in (0, 3, 6)]
    table.table.index(level)
    table.install(tmp_path, level[0][1])
    assert "index-damaged" in faults(tmp_path)


def test_indexes_that_lead_to_each_other_are_an_error(tmp_path: Path) -> None:
    table = Parts(2)
    first = table.table.index([(NAMES[0], table.refs[0][1])])
    table.table.index([(b"z", first)])
    table.install(tmp_path, first)
    assert "index-incomplete" in faults(tmp_path)


def test_a_log_index_that_begins_with_the_ref_index_is_a_known_writers_fault(tmp_path: Path) -> None:
    """As git wrote it before it was corrected in 2024, whenever a table had another index in front."""
    table = Parts(4)
    refs = table.table.index(table.refs)
    logs = [(log_key(name, 1), table.table.logs([entry(name, 1)])) for name in NAMES[10:14]]
    root = table.table.index([(NAMES[3], refs), *logs])
    install(tmp_path, table.table, ref_index_offset=refs, log_offset=logs[0][1], log_index_offset=root)
    assert faults(tmp_path) == ["index-foreign"]


def test_a_log_index_that_repeats_the_entries_of_the_ref_index_is_a_known_writers_fault(
    tmp_path: Path,
) -> None:
    """As the Go library writes it."""
    table = Parts(4)
    refs = table.table.index(table.refs)
    logs = [(log_key(name, 1), table.table.logs([entry(name, 1)])) for name in NAMES[10:14]]
    root = table.table.index([*table.refs, *logs])
    install(tmp_path, table.table, ref_index_offset=refs, log_offset=logs[0][1], log_index_offset=root)
    assert faults(tmp_path) == ["index-foreign"]


def test_an_index_of_a_section_with_a_damaged_block_is_not_blamed(tmp_path: Path) -> None:
    path = write_stack(tmp_path, many(), options=LEVELS)
    change_byte(path, blocks(path, REF)[3].offset)
    assert faults(tmp_path) == ["block-damaged"]


def test_of_a_damaged_index_the_section_is_not_blamed(tmp_path: Path) -> None:
    path = write_stack(tmp_path, many(), options=LEVELS)
    offset = blocks(path, INDEX)[0].offset
    change_byte(path, offset)
    found = findings(tmp_path)
    assert found[0].code == "block-damaged"
    assert {finding.code for finding in found} <= {"block-damaged", "index-damaged", "index-incomplete"}
    assert {finding.offset for finding in found if finding.code == "block-damaged"} == {offset}


def test_an_index_that_the_footer_leaves_out_is_an_error(tmp_path: Path) -> None:
    path = write_stack(tmp_path, many(), options=LEVELS)
    change_footer(path, ref_index_offset=0)
    assert "section-order" in faults(tmp_path)


def test_a_log_index_of_several_levels_is_sound(tmp_path: Path) -> None:
    logs = [LogRecord(b"a/%02d" % (number // 3), number % 3 + 1) for number in range(90)]
    path = write_stack(tmp_path, [], logs, WriteOptions(block_size=60, unpadded=True))
    with Table.open(path) as table:
        assert table.footer.log_index_offset
    assert faults(tmp_path) == []


# The object section


def with_objects(
    directory: Path, change: Callable[[list[tuple[bytes, list[int]]]], object] = lambda _: None
) -> Path:
    """Make a stack of a table whose object section says what is so, but for a change."""
    table = Handmade()
    first = table.refs([RefRecord(b"a", 1, oid(1)), RefRecord(b"b", 1, oid(2), peeled=oid(3))])
    second = table.refs(
        [RefRecord(b"c", 1, oid(1)), RefRecord(b"d", 1), RefRecord(b"e", 1, target=b"refs/a")]
    )
    root = table.index([(b"b", first), (b"e", second)])
    entries = [(oid(1)[:2], [first, second]), (oid(2)[:2], [first]), (oid(3)[:2], [first])]
    change(entries)
    objects = table.objects(sorted(entries))
    return install(directory, table, ref_index_offset=root, obj_offset=objects, object_id_len=2)


def test_an_object_section_that_says_what_is_so_is_sound(tmp_path: Path) -> None:
    with_objects(tmp_path)
    assert faults(tmp_path) == []


def test_an_id_that_the_object_section_leaves_out_is_an_error(tmp_path: Path) -> None:
    with_objects(tmp_path, lambda entries: entries.pop())
    assert faults(tmp_path) == ["objects-incomplete"]
    assert oid(3)[:2].hex() in only(tmp_path, "objects-incomplete").message


def test_a_block_that_the_object_section_leaves_out_is_an_error(tmp_path: Path) -> None:
    with_objects(tmp_path, lambda entries: entries[0][1].pop())
    assert faults(tmp_path) == ["objects-incomplete"]
    assert only(tmp_path, "objects-incomplete").offset not in {0, None}


def test_an_id_that_no_ref_has_is_an_error(tmp_path: Path) -> None:
    with_objects(tmp_path, lambda entries: entries.append((oid(9)[:2], [0])))
    assert faults(tmp_path) == ["objects-wrong"]


def test_a_block_that_does_not_hold_the_id_is_an_error(tmp_path: Path) -> None:
    path = with_objects(tmp_path)
    second = blocks(path, REF)[1].offset
    with_objects(tmp_path, lambda entries: entries[1][1].append(second))
    assert faults(tmp_path) == ["objects-wrong"]


@pytest.mark.parametrize("offset", [7, 2**40])
def test_a_place_where_no_ref_block_is_is_an_error(tmp_path: Path, offset: int) -> None:
    with_objects(tmp_path, lambda entries: entries[2][1].append(offset))
    assert faults(tmp_path) == ["objects-wrong"]


def test_two_mistakes_do_not_make_up_for_each_other(tmp_path: Path) -> None:
    """The sums of offsets, and those of ids, stay the same."""
    path = with_objects(tmp_path)
    second = blocks(path, REF)[1].offset

    def swap(entries: list[tuple[bytes, list[int]]]) -> None:
        entries[0][1][:] = [0]
        entries[1][1][:] = [0, second]

    with_objects(tmp_path, swap)
    assert faults(tmp_path) == ["objects-wrong", "objects-incomplete"]


def test_a_record_that_leaves_its_places_to_a_scan_is_sound(tmp_path: Path) -> None:
    """The writer does so where an object is mentioned by more blocks than a block of the section can list."""
    refs = [RefRecord(b"refs/heads/%04d-branch" % number, 1, oid(number % 2)) for number in range(300)]
    path = write_stack(tmp_path, refs, options=WriteOptions(block_size=90))
    with Table.open(path) as table:
        assert [record.offsets for block in blocks(path, OBJ) for record in block.objects()] == [[], []]
        assert table.footer.obj_offset
    assert faults(tmp_path) == []


def test_beside_such_a_record_the_others_are_checked(tmp_path: Path) -> None:
    table = Handmade()
    first = table.refs([RefRecord(b"a", 1, oid(1)), RefRecord(b"b", 1, oid(2))])
    root = table.index([(b"b", first)])
    objects = table.append(raw_block(OBJ, raw_record(0, oid(1)[:2], 0, b"\0")))
    install(tmp_path, table, ref_index_offset=root, obj_offset=objects, object_id_len=2)
    assert faults(tmp_path) == ["objects-incomplete"]
    assert oid(2)[:2].hex() in only(tmp_path, "objects-incomplete").message


def test_pairs_are_compared_part_by_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.fsck.objects, "_PAIRS_AT_ONCE", 1)
    with_objects(tmp_path, lambda entries: entries.pop())
    assert faults(tmp_path) == ["objects-incomplete"]
    with_objects(tmp_path, lambda entries: entries.append((oid(9)[:2], [0])))
    assert faults(tmp_path) == ["objects-wrong"]


def test_objects_of_damaged_refs_are_not_blamed(tmp_path: Path) -> None:
    path = with_objects(tmp_path)
    change_byte(path, blocks(path, REF)[1].offset)
    assert faults(tmp_path) == ["block-damaged"]
    with_objects(tmp_path)
    change_byte(path, blocks(path, OBJ)[0].offset + 6)
    assert "objects-incomplete" not in faults(tmp_path)


def test_many_objects_in_many_blocks_are_sound(tmp_path: Path) -> None:
    refs = [
        RefRecord(b"refs/heads/%05d" % number, 1, oid(number % 700), oid(number) if number % 5 == 0 else None)
        for number in range(3000)
    ]
    path = write_stack(tmp_path, refs, options=WriteOptions(block_size=512))
    assert len(blocks(path, OBJ)) > 10
    assert len(blocks(path, LOG)) == 0
    assert faults(tmp_path) == []

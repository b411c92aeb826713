"""Writing a table: sections, indexes, padding, statistics, and refusing what must not be written."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import groupby
from pathlib import Path

import pytest

from engine.errors import ApiError, EntryTooBigError
from engine.format import INDEX, LOG, OBJ, REF, U64_MAX, HashId, LogRecord, RefRecord
from engine.table import Table, TableStats, TableWriter, WriteOptions
from engine.table.writer import SectionStats
from tests.support.stacks import branch, entry, same
from tests.support.tables import oid, write_table


def refs_of(count: int) -> list[RefRecord]:
    return [RefRecord(b"refs/heads/%05d" % number, 1, value=oid(number)) for number in range(count)]


def logs_of(count: int) -> list[LogRecord]:
    return [entry(b"refs/heads/%05d" % number, 1) for number in range(count)]


def write(
    path: Path, refs: Iterable[RefRecord] = (), logs: Iterable[LogRecord] = (), **options: object
) -> tuple[TableStats, str]:
    """Write a table, and return its statistics and the types of its blocks, one letter each."""
    stats = write_table(path, refs, logs, WriteOptions(**options), (1, 5))  # type: ignore[arg-type]
    with Table.open(path) as table:
        return stats, "".join(chr(block.type) for block in table.blocks())


def new(limits: tuple[int, int] = (1, 5), **options: object) -> tuple[TableWriter, bytearray]:
    written = bytearray()
    writer = TableWriter(written.extend, WriteOptions(**options))  # type: ignore[arg-type]
    writer.set_limits(*limits)
    return writer, written


@pytest.mark.parametrize("hash_id", HashId)
def test_sections_come_in_the_order_of_the_format(tmp_path: Path, hash_id: HashId) -> None:
    value = same(1, hash_id.size)
    refs = [RefRecord(b"refs/heads/%05d" % number, 1, value=value) for number in range(100)]
    logs = [LogRecord(ref.name, 1, value, value) for ref in refs]
    _, kinds = write(tmp_path / "t", refs, logs, block_size=256, hash_id=hash_id)
    assert [kind for kind, _ in groupby(kinds)] == ["r", "i", "o", "g", "i"]


def test_a_table_of_logs_begins_with_them(tmp_path: Path) -> None:
    stats, kinds = write(tmp_path / "t", logs=logs_of(30), block_size=4096)
    assert set(kinds) == {"g"}
    with Table.open(tmp_path / "t") as table:
        assert table.footer.log_offset == stats.log.offset == 0
        assert list(table.logs()) == logs_of(30)
        assert list(table.refs()) == []
        assert table.read_ref(b"refs/heads/00001") is None


def count_blocks(stats: SectionStats) -> tuple[int, int, int]:
    return stats.blocks, stats.index_blocks, stats.max_index_level


def write_blocks(path: Path, count: int, **options: object) -> TableStats:
    """Write as many refs as fill exactly `count` blocks, one each."""
    refs = [RefRecord(b"%03d" % number, 1, target=b"x" * 50) for number in range(count)]
    return write(path, refs, block_size=100, **options)[0]


@pytest.mark.parametrize(
    ("blocks", "unpadded", "index_blocks", "levels"),
    [(3, False, 0, 0), (4, False, 1, 1), (1, True, 0, 0), (2, True, 1, 1)],
)
def test_more_than_three_blocks_are_indexed_and_more_than_one_if_unpadded(
    tmp_path: Path, blocks: int, unpadded: bool, index_blocks: int, levels: int
) -> None:
    stats = write_blocks(tmp_path / "t", blocks, unpadded=unpadded)
    assert count_blocks(stats.ref) == (blocks, index_blocks, levels)
    with Table.open(tmp_path / "t") as table:
        assert (table.footer.ref_index_offset > 0) is (levels > 0)


@pytest.mark.parametrize(("unpadded", "root_blocks"), [(False, 3), (True, 1)])
def test_levels_are_added_while_too_many_blocks_remain(
    tmp_path: Path, unpadded: bool, root_blocks: int
) -> None:
    found = set()
    for count in range(2, 120, 4):
        stats = write_blocks(tmp_path / "t", count, unpadded=unpadded)
        with Table.open(tmp_path / "t") as table:
            index = [block for block in table.blocks() if block.type == INDEX]
            root = [block for block in index if block.offset >= table.footer.ref_index_offset]
            if not index:
                continue
            assert len(root) <= root_blocks
            found.add((stats.ref.max_index_level, len(root)))
            assert len(index) == stats.ref.index_blocks
            # The root leads to all of the level below it, and so on down to each ref block.
            level, levels = root, 1
            while True:
                below = [record.offset for block in level for record in block.index()]
                level = [table.block_at(offset) for offset in below]
                assert len({block.type for block in level}) == 1
                if level[0].type == REF:
                    break
                levels += 1
            assert levels == stats.ref.max_index_level
            assert below == [block.offset for block in table.blocks() if block.type == REF]
    assert max(found) >= (2, 1)
    assert {blocks for _, blocks in found} == set(range(1, root_blocks + 1))


def test_blocks_are_padded_except_the_last_of_the_file(tmp_path: Path) -> None:
    refs = refs_of(100)
    stats, _ = write(tmp_path / "t", refs, block_size=256)
    with Table.open(tmp_path / "t") as table:
        blocks = list(table.blocks())
        assert all(block.offset % 256 == 0 for block in blocks)
        assert blocks[-1].padding == 0
        assert any(block.padding for block in blocks)
        last = blocks[-1]
        assert stats.size == table.size == last.offset + last.block_len + 68
        assert {block.type for block in blocks} == {REF, INDEX, OBJ}


def test_there_is_no_padding_in_front_of_logs(tmp_path: Path) -> None:
    write(tmp_path / "t", refs_of(10), logs_of(10), block_size=4096)
    with Table.open(tmp_path / "t") as table:
        ref, log = table.blocks()
        assert (ref.padding, log.offset, log.type) == (0, ref.block_len, LOG)
        assert table.footer.log_offset == log.offset


def test_the_log_index_begins_where_the_logs_end(tmp_path: Path) -> None:
    write(tmp_path / "t", logs=logs_of(100), block_size=256)
    with Table.open(tmp_path / "t") as table:
        *_, last = (block for block in table.blocks() if block.type == LOG)
        first = next(block for block in table.blocks() if block.type == INDEX)
        assert first.offset == last.next_offset


def test_unpadded_tables_have_no_padding_but_state_their_block_size(tmp_path: Path) -> None:
    refs, logs = refs_of(100), logs_of(100)
    write(tmp_path / "t", refs, logs, block_size=256, unpadded=True)
    with Table.open(tmp_path / "t") as table:
        blocks = list(table.blocks())
        assert table.block_size == 256
        assert not any(block.padding for block in blocks)
        assert all(block.block_len <= 256 for block in blocks)
        assert blocks[-1].next_offset == table.size - 68
        assert list(table.refs()) == refs
        assert list(table.logs()) == logs
        assert all(table.read_ref(ref.name) == ref for ref in refs)


def test_statistics_are_those_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "t"
    stats, kinds = write(path, refs_of(150), logs_of(150), block_size=256, restart_interval=5)
    with Table.open(path) as table:
        blocks = list(table.blocks())
        footer = table.footer
    for section, kind in [(stats.ref, REF), (stats.obj, OBJ), (stats.log, LOG), (stats.idx, INDEX)]:
        mine = [block for block in blocks if block.type == kind]
        assert section.blocks == len(mine)
        assert section.restarts == sum(block.restart_count for block in mine)
        assert section.offset == mine[0].offset
    assert (stats.ref.entries, stats.log.entries) == (150, 150)
    assert stats.blocks == len(kinds)
    assert stats.idx.blocks == stats.ref.index_blocks + stats.obj.index_blocks + stats.log.index_blocks
    assert stats.size == path.stat().st_size
    assert not stats.is_empty
    assert (footer.ref_index_offset, footer.obj_index_offset, footer.log_index_offset) == (
        stats.ref.index_offset,
        stats.obj.index_offset,
        stats.log.index_offset,
    )
    assert (footer.obj_offset, footer.object_id_len) == (stats.obj.offset, stats.object_id_len)


def test_object_ids_are_only_indexed_beside_a_ref_index(tmp_path: Path) -> None:
    assert write(tmp_path / "t", refs_of(10))[1] == "r"
    assert set(write(tmp_path / "t", refs_of(100), block_size=256)[1]) == {"r", "i", "o"}
    assert set(write(tmp_path / "t", refs_of(100), block_size=256, skip_index_objects=True)[1]) == {"r", "i"}


def test_an_object_id_knows_each_block_that_mentions_it_once(tmp_path: Path) -> None:
    """Beside values, peeled values are mentioned; symrefs and deletions mention nothing."""
    refs = refs_of(100)
    for number, ref in enumerate(refs):
        if number % 5 == 1:
            ref.value, ref.peeled = same(1), same(number)
        elif number % 5 == 2:
            ref.value = same(2)
        elif number % 5 == 3:
            ref.value, ref.target = None, b"refs/heads/main"
        elif number % 5 == 4:
            ref.value = None
    write(tmp_path / "t", refs, block_size=150)
    expected: dict[bytes, list[int]] = {}
    with Table.open(tmp_path / "t") as table:
        indexed: dict[bytes, list[int]] = {}
        for block in table.blocks():
            if block.type == REF:
                for ref in block.refs(20, 1):
                    for value in (ref.value, ref.peeled):
                        offsets = expected.setdefault((value or b"")[: table.footer.object_id_len], [])
                        if value and block.offset not in offsets:
                            offsets.append(block.offset)
            elif block.type == OBJ:
                indexed.update({record.prefix: record.offsets for record in block.objects()})
        length = table.footer.object_id_len
    expected.pop(b"")
    assert indexed == expected
    assert len(indexed[same(2)[:length]]) > 7, "more than the type of an object record can count"


def test_an_object_id_in_too_many_blocks_is_looked_for_in_all(tmp_path: Path) -> None:
    refs = [RefRecord(b"%04d" % number, 1, value=same(7)) for number in range(400)]
    refs[200].value = oid(1)
    write(tmp_path / "t", refs, block_size=100)
    with Table.open(tmp_path / "t") as table:
        objects = [record for block in table.blocks() if block.type == OBJ for record in block.objects()]
        assert [record.offsets for record in objects if record.prefix == same(7)[:2]] == [[]]
        assert list(table.refs_for(oid(1))) == [refs[200]]
        assert list(table.refs_for(same(7))) == refs[:200] + refs[201:]


def test_object_ids_too_much_alike_are_not_indexed(tmp_path: Path) -> None:
    """Five bits of the footer hold the length of their beginnings."""
    alike = [same(1, 31) + bytes((last,)) for last in range(100)]
    refs = [RefRecord(b"refs/heads/%05d" % number, 1, value=value) for number, value in enumerate(alike)]
    stats, kinds = write(tmp_path / "t", refs, block_size=256, hash_id=HashId.SHA256)
    assert "o" not in kinds
    assert (stats.object_id_len, stats.obj.blocks) == (0, 0)
    with Table.open(tmp_path / "t") as table:
        assert list(table.refs_for(alike[42])) == [refs[42]]


@pytest.mark.parametrize(
    ("message", "stored"),
    [(b"", b""), (b"one", b"one\n"), (b"one\n", b"one\n"), (b"one\n\n\n", b"one\n"), (b"\n\n", b"\n")],
)
def test_messages_end_in_exactly_one_newline_if_there_is_one_at_all(
    tmp_path: Path, message: bytes, stored: bytes
) -> None:
    log = entry(b"HEAD", 1, message=message)
    write(tmp_path / "t", logs=[log])
    with Table.open(tmp_path / "t") as table:
        assert [found.message for found in table.logs()] == [stored]
    assert log.message == message, "the caller's record is the caller's"


@pytest.mark.parametrize("message", [b"", b"one", b"one\n\n", b"one\ntwo", b"\n"])
def test_exact_messages_are_stored_as_they_are(tmp_path: Path, message: bytes) -> None:
    write(tmp_path / "t", logs=[entry(b"HEAD", 1, message=message)], exact_log_message=True)
    with Table.open(tmp_path / "t") as table:
        assert [found.message for found in table.logs()] == [message]


@pytest.mark.parametrize("message", [b"one\ntwo", b"\none", b"one\n\ntwo\n"])
def test_messages_of_several_lines_are_refused(message: bytes) -> None:
    writer, _ = new()
    with pytest.raises(ApiError):
        writer.add_log(entry(b"HEAD", 1, message=message))


def test_a_log_tombstone_may_have_any_update_index() -> None:
    writer, _ = new()
    writer.add_log(LogRecord(b"a", U64_MAX))
    writer.add_log(LogRecord(b"a", 0))
    with pytest.raises(ApiError):
        writer.add_log(LogRecord(b"b", U64_MAX + 1))
    with pytest.raises(ApiError):
        writer.add_log(LogRecord(b"b", -1))
    assert writer.close().log.entries == 2


REFUSED: list[Callable[[TableWriter], object]] = [
    lambda writer: writer.add_ref(RefRecord(b"", 1)),
    lambda writer: writer.add_ref(RefRecord(b"a", 1)),
    lambda writer: writer.add_ref(RefRecord(b"m", 1)),
    lambda writer: writer.add_ref(RefRecord(b"n\0", 1)),
    lambda writer: writer.add_ref(RefRecord(b"n", 0)),
    lambda writer: writer.add_ref(RefRecord(b"n", 6)),
    lambda writer: writer.add_ref(RefRecord(b"n", 1, value=b"short")),
    lambda writer: writer.add_ref(RefRecord(b"n", 1, value=same(1, 32))),
    lambda writer: writer.add_ref(RefRecord(b"n", 1, value=same(1), target=b"t")),
    lambda writer: writer.add_log(entry(b"n", 6)),
    lambda writer: writer.add_log(entry(b"", 1)),
    lambda writer: writer.add_log(LogRecord(b"n", 1, same(1), same(1, 32))),
    lambda writer: writer.add_log(entry(b"n", 1, message=b"a\nb")),
    lambda writer: writer.set_limits(1, 5),
    lambda writer: writer.add_refs([RefRecord(b"a", 1)]),
]


@pytest.mark.parametrize("refused", range(len(REFUSED)))
def test_what_is_refused_leaves_no_trace(refused: int) -> None:
    writer, written = new()
    clean, expected = new()
    for each in (writer, clean):
        each.add_ref(RefRecord(b"m", 1, target=b"t"))
    with pytest.raises(ApiError):
        REFUSED[refused](writer)
    for each in (writer, clean):
        each.add_ref(RefRecord(b"o", 1, target=b"t"))
        each.add_log(entry(b"o", 1))
        each.close()
    assert written == expected


@pytest.mark.parametrize("name", [b"a\0b", b"\0"])
def test_a_log_of_a_name_with_a_nul_is_refused_and_leaves_no_trace(name: bytes) -> None:
    writer, written = new()
    with pytest.raises(ApiError):
        writer.add_log(entry(name, 1))
    writer.add_ref(branch(1))
    writer.close()
    clean, expected = new()
    clean.add_ref(branch(1))
    clean.close()
    assert written == expected


def test_refs_behind_logs_are_refused() -> None:
    writer, _ = new()
    writer.add_log(entry(b"a", 1))
    with pytest.raises(ApiError):
        writer.add_ref(branch(1))


@pytest.mark.parametrize("limits", [(2, 1), (-1, 1), (0, U64_MAX + 1)])
def test_limits_are_a_range(limits: tuple[int, int]) -> None:
    with pytest.raises(ApiError):
        new(limits)
    assert new((0, U64_MAX))[0].max_update_index == U64_MAX
    assert new((3, 3))[0].min_update_index == 3


def test_log_keys_ascend_newest_first() -> None:
    writer, _ = new()
    writer.add_log(entry(b"a", 3))
    writer.add_log(entry(b"a", 2))
    for name, index in [(b"a", 2), (b"a", 3)]:
        with pytest.raises(ApiError):
            writer.add_log(entry(name, index))
    writer.add_log(entry(b"b", 5))
    assert writer.close().log.entries == 3


def test_records_in_any_order_are_sorted(tmp_path: Path) -> None:
    refs, logs = refs_of(20), [*logs_of(5), entry(b"refs/heads/00000", 5), entry(b"refs/heads/00000", 3)]
    write(tmp_path / "t", reversed(refs), reversed(logs))
    with Table.open(tmp_path / "t") as table:
        assert list(table.refs()) == refs
        assert [log.update_index for log in table.logs(b"refs/heads/00000")] == [5, 3, 1]


def test_a_ref_that_fits_no_block_is_too_big() -> None:
    writer, written = new(block_size=100)
    writer.add_ref(RefRecord(b"a", 1, target=b"t"))
    with pytest.raises(EntryTooBigError):
        writer.add_ref(RefRecord(b"b", 1, target=b"t" * 100))
    assert writer.close().ref.entries == 1
    assert bytes(written).count(b"t") == 1


def test_a_reflog_entry_that_fits_no_block_is_named_by_its_ref() -> None:
    writer, _ = new(block_size=100)
    with pytest.raises(EntryTooBigError, match="an entry in the reflog of 'refs/heads/x' does not fit"):
        writer.add_log(LogRecord(b"refs/heads/x", 1, bytes(20), bytes(20), b"A", b"a@b", 1, 0, b"m" * 200))


def test_an_index_that_cannot_converge_is_an_error_and_no_endless_loop() -> None:
    writer, _ = new(block_size=100)
    for number in range(5):
        writer.add_ref(RefRecord(b"%d" % number + b"x" * 60, 1))
    with pytest.raises(EntryTooBigError):
        writer.close()


def test_the_first_block_shares_its_size_with_the_header(tmp_path: Path) -> None:
    write(tmp_path / "t", refs_of(3), block_size=85)
    with Table.open(tmp_path / "t") as table:
        assert [len(block.refs(20, 1)) for block in table.blocks()] == [1, 2]
        assert all(block.block_len <= 85 for block in table.blocks())


def test_bytes_are_handed_out_as_they_come() -> None:
    pieces: list[bytes] = []
    writer = TableWriter(pieces.append, WriteOptions(block_size=100))
    writer.set_limits(1, 1)
    seen = 0
    for ref in refs_of(20):
        writer.add_ref(ref)
        seen = max(seen, len(pieces))
    assert seen > 5, "memory does not grow with the table"
    stats = writer.close()
    assert stats.size == sum(map(len, pieces))

"""One table: lookups, scans and seeks, what each of them reads, files of other writers, damaged indexes."""

from __future__ import annotations

import copy
import os
import pickle
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, pairwise
from pathlib import Path

import pytest

from engine.errors import ApiError, FormatError
from engine.format import INDEX, LOG, REF, U64_MAX, HashId, LogRecord, RefRecord, log_key, put_u24, put_varint
from engine.layout import TableLayout
from engine.readable import open_table
from engine.table import Table, WriteOptions
from tests.support.handmade import Handmade, change_footer, change_header, raw_block, raw_record
from tests.support.stacks import branch, entry, same
from tests.support.tables import oid, write_table

COUNT = 300
REFS = [
    RefRecord(
        b"refs/heads/%c/%04d" % (97 + i % 26, i), 1, value=oid(i // 2), peeled=oid(i) if i % 9 == 0 else None
    )
    for i in range(COUNT)
]
REFS.sort(key=lambda ref: ref.name)
LOGS = [entry(ref.name, index) for ref in REFS[::3] for index in (9, 4, 2)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A table of many small blocks, indexed in two levels and more."""
    write_table(tmp_path / "x.ref", REFS, LOGS, WriteOptions(block_size=256, restart_interval=3), (1, 9))
    return tmp_path / "x.ref"


def sought_names() -> list[bytes]:
    """Names that are there, and names before, between and behind them."""
    there = [ref.name for ref in REFS]
    return [
        b"",
        b"a",
        *there,
        *(name[:-1] for name in there),
        *(name + b"!" for name in there),
        b"s",
        b"\xff" * 9,
    ]


def test_lookups_find_what_scans_find(path: Path) -> None:
    with Table.open(path) as table:
        assert table.footer.ref_index_offset
        refs, logs = list(table.refs()), list(table.logs())
        assert refs == REFS
        assert logs == LOGS
        known = {ref.name: ref for ref in refs}
        for name in sought_names():
            assert table.read_ref(name) == known.get(name)
            assert list(table.logs(name)) == [log for log in logs if log.name == name]
            assert table.read_log(name) == next((log for log in logs if log.name == name), None)


def test_scans_begin_with_the_block_that_holds_the_start(path: Path) -> None:
    with Table.open(path) as table:
        for name in sought_names()[::7]:
            found = list(chain.from_iterable(table.ref_blocks(name)))
            expected = [ref for ref in REFS if ref.name >= name]
            assert found[len(found) - len(expected) :] == expected
            assert len(found) - len(expected) < 20, "only records of the first block may lie in front"


@pytest.mark.parametrize(
    "prefix", [b"", b"r", b"refs/heads/c/", b"refs/heads/c/0002", b"refs/heads/z/0", b"x", b"refs/heads/zz"]
)
def test_refs_of_a_prefix(path: Path, prefix: bytes) -> None:
    with Table.open(path) as table:
        assert list(table.refs(prefix)) == [ref for ref in REFS if ref.name.startswith(prefix)]


@pytest.mark.parametrize("update_index", [0, 1, 2, 3, 4, 8, 9, 10, U64_MAX])
def test_a_log_is_sought_by_name_and_update_index(path: Path, update_index: int) -> None:
    with Table.open(path) as table:
        for ref in REFS[:60:5]:
            expected = [log for log in LOGS if log.name == ref.name and log.update_index <= update_index]
            assert table.read_log(ref.name, update_index) == (expected[0] if expected else None)
            found = list(chain.from_iterable(table.log_blocks(ref.name, update_index)))
            key = log_key(ref.name, update_index)
            rest = [log for log in LOGS if log_key(log.name, log.update_index) >= key]
            assert found[len(found) - len(rest) :] == rest


def test_refs_for_an_object_are_those_with_its_value_or_peeled_value(path: Path) -> None:
    with Table.open(path) as table:
        for number in range(0, COUNT, 7):
            expected = [ref for ref in REFS if oid(number) in (ref.value, ref.peeled)]
            assert list(table.refs_for(oid(number))) == expected
            assert list(table.refs_for(oid(number)[:-1] + b"?")) == []


def test_an_object_id_of_another_length_is_no_object_id(path: Path) -> None:
    with Table.open(path) as table, pytest.raises(ApiError):
        list(table.refs_for(oid(1, 32)))


def test_opening_reads_header_and_footer_and_nothing_else(path: Path) -> None:
    with Table.open(path) as table:
        assert table.reads == 2
        assert (table.name, table.path, table.size) == ("x.ref", str(path), path.stat().st_size)
        assert (table.version, table.hash_id, table.block_size) == (1, HashId.SHA1, 256)
        assert (table.min_update_index, table.max_update_index, table.has_logs) == (1, 9, True)
        assert table.reads == 2


def index_path(table: Table, root: int, key: bytes) -> int:
    """How many index blocks lie between the root and the block of a key, siblings in the root included."""
    count = 1
    block = table.block_at(root)
    while True:
        entry_of_key = next((record for record in block.index() if record.last_key >= key), None)
        block = table.block_at(entry_of_key.offset if entry_of_key else block.next_offset)
        if block.type != INDEX:
            return count
        count += 1


def test_a_first_lookup_reads_the_index_path_and_one_block(path: Path) -> None:
    lengths = set()
    for ref in REFS[::5]:
        with Table.open(path) as table:
            length = index_path(table, table.footer.ref_index_offset, ref.name)
            before = table.reads
            assert table.read_ref(ref.name) == ref
            assert table.reads - before == length + 1
            lengths.add(length)
    for log in LOGS[::5]:
        with Table.open(path) as table:
            length = index_path(table, table.footer.log_index_offset, log_key(log.name, U64_MAX))
            before = table.reads
            assert table.read_log(log.name) is not None
            assert table.reads - before == length + 1
    assert max(lengths) > 2, "levels and siblings both"


def test_a_scan_reads_each_block_once(path: Path) -> None:
    with Table.open(path) as table:
        count = sum(block.type == REF for block in table.blocks())
        before = table.reads
        assert len(list(table.refs())) == COUNT
        assert (
            count <= table.reads - before <= count + 1
        )  # and the block behind, to see that it is no ref block


def test_a_scan_reads_no_further_than_it_is_asked(path: Path) -> None:
    with Table.open(path) as table:
        before = table.reads
        next(table.refs())
        assert table.reads == before + 1


def test_a_scan_of_one_log_reads_no_further_than_its_end(path: Path) -> None:
    with Table.open(path) as table:
        everything = sum(block.type == LOG for block in table.blocks())
        length = index_path(table, table.footer.log_index_offset, log_key(LOGS[0].name, U64_MAX))
        before = table.reads
        assert len(list(table.logs(LOGS[0].name))) == 3
        assert table.reads - before <= length + 3 < everything


def test_refs_for_an_object_read_only_the_blocks_that_mention_it(path: Path) -> None:
    with Table.open(path) as table:
        everything = sum(block.type == REF for block in table.blocks())
        found = list(table.refs_for(oid(7)))
        blocks = {located[0] for ref in found if (located := table.locate_ref(ref.name))}
        before = table.reads
        assert list(table.refs_for(oid(7))) == found != []
        assert len(blocks) <= table.reads - before <= len(blocks) + 5 < everything


def test_a_record_is_located_by_the_block_it_lies_in(path: Path) -> None:
    with Table.open(path) as table:
        for ref in REFS[::17]:
            located = table.locate_ref(ref.name)
            assert located is not None
            offset, found = located
            assert found == ref
            assert ref in table.block_at(offset).refs(20, 1)
        assert table.locate_ref(b"refs/heads/none") is None


def test_tombstones_are_records_like_others(tmp_path: Path) -> None:
    refs, logs = [RefRecord(b"gone", 1)], [LogRecord(b"gone", 1)]
    write_table(tmp_path / "t", refs, logs)
    with Table.open(tmp_path / "t") as table:
        assert table.read_ref(b"gone") == refs[0]
        assert table.read_log(b"gone") == logs[0]
        assert list(table.refs()) == refs
        assert list(table.logs()) == logs


@pytest.mark.parametrize(("hash_id", "overhead"), [(HashId.SHA1, 23 + 68), (HashId.SHA256, 27 + 72)])
def test_the_size_for_policies_leaves_out_footer_and_header(
    tmp_path: Path, hash_id: HashId, overhead: int
) -> None:
    write_table(tmp_path / "t", [RefRecord(b"a", 1)], options=WriteOptions(hash_id=hash_id))
    with Table.open(tmp_path / "t") as table:
        assert table.policy_size == table.size - overhead > 0


def test_a_table_can_be_read_after_it_was_unlinked_until_it_is_closed(path: Path) -> None:
    table = Table.open(path)
    scan = table.refs()
    path.unlink()
    assert list(scan) == REFS
    table.close()
    table.close()
    with pytest.raises(ApiError, match="closed"):
        table.read_ref(REFS[0].name)


def test_a_read_that_a_close_overtakes_reads_the_same_file(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between taking the descriptor and reading from it, another file may get the same one."""
    (tmp_path / "other").write_bytes(b"x" * 100_000)
    table, whole, pread = Table.open(path), path.read_bytes(), os.pread
    others: list[int] = []

    def overtaken(fd: int, size: int, offset: int) -> bytes:
        table.close()
        others.append(os.open(tmp_path / "other", os.O_RDONLY))
        return pread(fd, size, offset)

    monkeypatch.setattr(os, "pread", overtaken)
    assert table.read(0, 100) == whole[:100]
    os.close(*others)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickle.dumps], ids=lambda one: one.__name__)
def test_a_table_can_be_neither_copied_nor_pickled(path: Path, copied: Callable[[object], object]) -> None:
    """The end of a copy would close the descriptor of the table, or another file's by then."""
    with Table.open(path) as table:
        with pytest.raises(TypeError, match="a Table holds files"):
            copied(table)
        assert list(table.refs()) == REFS


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts open files through /proc")
def test_no_file_stays_open_when_opening_fails_or_a_table_is_let_go(path: Path) -> None:
    before = open_files()
    data = path.read_bytes()
    for damaged in (b"", data[:100], data[:-1], b"TFER" + data[4:]):
        path.write_bytes(damaged)
        with pytest.raises(FormatError):
            Table.open(path)
    path.write_bytes(data)
    with Table.open(path):
        assert open_files() == before + 1
    assert open_files() == before
    scan = Table.open(path).refs()
    next(scan)
    assert open_files() == before + 1
    del scan
    assert open_files() == before


def test_a_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Table.open(tmp_path / "none.ref")


def test_what_is_no_file_is_no_table_and_nothing_hangs(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.ref")
    (tmp_path / "directory.ref").mkdir()
    for name in ("fifo.ref", "directory.ref"):
        with pytest.raises(FormatError) as caught:
            Table.open(tmp_path / name)
        assert caught.value.name == name


def test_a_table_that_is_cut_short_while_open_is_noticed(path: Path) -> None:
    with Table.open(path) as table:
        os.truncate(path, 5000)
        with pytest.raises(FormatError):
            list(table.refs())
        with pytest.raises(FormatError):
            list(table.logs())


def test_a_table_that_is_cut_short_while_it_is_opened_is_noticed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pread = os.pread
    monkeypatch.setattr(
        os, "pread", lambda fd, size, offset: pread(fd, size, offset)[: size if offset < 9 else 9]
    )
    with pytest.raises(FormatError, match="cut short"):
        Table.open(path)


def test_several_threads_read_one_table(path: Path) -> None:
    with Table.open(path) as table, ThreadPoolExecutor(8) as pool:
        assert list(pool.map(table.read_ref, [ref.name for ref in REFS])) == REFS
        assert all(found == REFS for found in pool.map(lambda _: list(table.refs()), range(8)))


def test_blocks_are_given_in_the_order_of_the_file(path: Path) -> None:
    with Table.open(path) as table:
        blocks = list(table.blocks())
        assert blocks[0].offset == 0
        for block, following in pairwise(blocks):
            assert block.offset + block.padding < block.next_offset == following.offset
        assert blocks[-1].next_offset == table.size - 68


@pytest.mark.parametrize("offset", [-1, 3, 5, 2**40])
def test_there_is_no_block_where_none_begins(path: Path, offset: int) -> None:
    with Table.open(path) as table, pytest.raises(FormatError):
        table.block_at(offset)


# Files of other writers.


def chunked(records: list[RefRecord], size: int = 20) -> list[list[RefRecord]]:
    return [records[first : first + size] for first in range(0, len(records), size)]


def check_refs(path: Path, refs: list[RefRecord]) -> None:
    with Table.open(path) as table:
        assert list(table.refs()) == refs
        for ref in refs:
            assert table.read_ref(ref.name) == ref
            assert next(table.refs(ref.name)) == ref
        assert table.read_ref(refs[0].name[:-1]) is None
        assert table.read_ref(refs[-1].name + b"!") is None


@pytest.mark.parametrize("hash_id", HashId)
def test_version_2_may_hold_either_hash(tmp_path: Path, hash_id: HashId) -> None:
    refs = [RefRecord(ref.name, 1, value=same(3, hash_id.size)) for ref in REFS]
    logs = [LogRecord(ref.name, 1, same(1, hash_id.size), same(2, hash_id.size)) for ref in REFS[:20]]
    table = Handmade(hash_id=hash_id, version=2)
    for chunk in chunked(refs):
        table.refs(chunk)
    path = table.write(tmp_path / "t.ref", log_offset=table.logs(logs))
    check_refs(path, refs)
    with Table.open(path) as opened:
        assert (opened.version, opened.hash_id) == (2, hash_id)
        assert list(opened.logs()) == logs
        assert list(opened.refs_for(same(3, hash_id.size))) == refs


def test_a_table_without_alignment(tmp_path: Path) -> None:
    """As JGit writes it for small tables: a block size of 0, blocks of any length one behind the other."""
    table = Handmade(block_size=0)
    index = [(chunk[-1].name, table.refs(chunk)) for chunk in chunked(REFS)]
    ref_index = table.index(index)
    objects = table.objects([(oid(9)[:4], [index[2][1]])])
    logs = table.logs(LOGS)
    path = table.write(
        tmp_path / "t.ref", ref_index_offset=ref_index, obj_offset=objects, object_id_len=4, log_offset=logs
    )
    check_refs(path, REFS)
    with Table.open(path) as opened:
        assert opened.block_size == 0
        assert list(opened.logs()) == LOGS


def test_one_index_block_larger_than_the_block_size(tmp_path: Path) -> None:
    """As JGit writes it when told to have one level."""
    table = Handmade(block_size=256)
    index = []
    for chunk in chunked(REFS, 3):
        index.append((chunk[-1].name, table.refs(chunk)))
        table.pad()
    ref_index = table.index(index)
    assert len(table.data) - ref_index > 3 * 256
    table.pad()
    log_block = table.logs(LOGS)
    assert len(table.data) - log_block > 256
    check_refs(table.write(tmp_path / "t.ref", ref_index_offset=ref_index, log_offset=log_block), REFS)
    with Table.open(tmp_path / "t.ref") as opened:
        assert list(opened.logs()) == LOGS
        assert [block.type for block in opened.blocks()][-2:] == [INDEX, LOG]


@pytest.mark.parametrize("count", [1, 20, 60])
def test_a_log_only_table_with_and_without_its_offset(tmp_path: Path, count: int) -> None:
    """By git, whose footer states no offset for logs that begin with the file."""
    table = Handmade()
    blocks = [(chunk, table.logs(chunk)) for chunk in (LOGS[i : i + 20] for i in range(0, count, 20))]
    assert blocks[0][1] == 0
    path = table.write(tmp_path / "t.log")
    with Table.open(path) as opened:
        logs = [log for chunk, _ in blocks for log in chunk]
        assert opened.has_logs
        assert list(opened.logs()) == logs
        assert list(opened.refs()) == []
        assert opened.read_ref(logs[0].name) is None
        for log in logs:
            assert opened.read_log(log.name, log.update_index) == log


def test_an_index_whose_root_is_several_blocks(tmp_path: Path) -> None:
    table = Handmade()
    index = [(chunk[-1].name, table.refs(chunk)) for chunk in chunked(REFS, 10)]
    roots = [table.index(index[first : first + 10]) for first in range(0, 30, 10)]
    path = table.write(tmp_path / "t.ref", ref_index_offset=roots[0])
    check_refs(path, REFS)
    with Table.open(path) as opened:
        before = opened.reads
        assert opened.read_ref(REFS[-1].name) == REFS[-1]
        assert opened.reads - before == 3 + 1


def test_padding_behind_the_last_block_is_accepted(tmp_path: Path) -> None:
    table = Handmade(block_size=4096)
    table.refs(REFS[:5])
    table.pad()
    check_refs(table.write(tmp_path / "t.ref"), REFS[:5])


def test_a_name_may_be_given_that_is_not_the_files(path: Path) -> None:
    with Table.open(path, "another") as table:
        assert table.name == "another"
        with pytest.raises(FormatError) as caught:
            table.block_at(3)
        assert caught.value.name == "another"


# Damaged indexes.


class TooManyReadsError(AssertionError):
    pass


@pytest.fixture
def few_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail where the engine would read for ever."""
    read = Table.read

    def counting(table: Table, offset: int, size: int) -> bytes:
        if table.reads > 30_000:
            raise TooManyReadsError
        return read(table, offset, size)

    monkeypatch.setattr(Table, "read", counting)


Damage = Callable[[Handmade, list[tuple[bytes, int]]], int]
"""Appends an index that is wrong, given the right entries, and returns its offset."""


def _points_to_itself(table: Handmade, index: list[tuple[bytes, int]]) -> int:
    return table.index([(index[-1][0], len(table.data))])


def _points_ahead(table: Handmade, index: list[tuple[bytes, int]]) -> int:
    root = table.index([(index[-1][0], len(table.data) + 100)])
    table.index(index)
    return root


def _siblings_in_a_loop(table: Handmade, index: list[tuple[bytes, int]]) -> int:
    first = table.index(index[:1])
    table.index([(index[-1][0], first)])
    return first


def _keys_too_large(table: Handmade, index: list[tuple[bytes, int]]) -> int:
    return table.index([(key + b"~", index[0][1]) for key, _ in index])


def _last_block_left_out(table: Handmade, index: list[tuple[bytes, int]]) -> int:
    """As by git's own library before 2024, in each level."""
    return table.index(index[:-1])


def _nothing_but_the_first(table: Handmade, index: list[tuple[bytes, int]]) -> int:
    return table.index(index[:1])


@pytest.mark.usefixtures("few_reads")
@pytest.mark.parametrize(
    "damage",
    [
        _points_to_itself,
        _points_ahead,
        _siblings_in_a_loop,
        _keys_too_large,
        _last_block_left_out,
        _nothing_but_the_first,
    ],
)
def test_behind_a_damaged_index_every_ref_is_found(tmp_path: Path, damage: Damage) -> None:
    table = Handmade()
    index = [(chunk[-1].name, table.refs(chunk)) for chunk in chunked(REFS)]
    path = table.write(tmp_path / "t.ref", ref_index_offset=damage(table, index))
    check_refs(path, REFS)


@pytest.mark.usefixtures("few_reads")
def test_an_index_that_repeats_the_entries_of_the_refs_hides_no_log(tmp_path: Path) -> None:
    """As by the Go library, in tables that have both indexes."""
    table = Handmade()
    ref_entries = [(chunk[-1].name, table.refs(chunk)) for chunk in chunked(REFS)]
    ref_index = table.index(ref_entries)
    log_entries = []
    first_log = len(table.data)
    for first in range(0, len(LOGS), 30):
        chunk = LOGS[first : first + 30]
        log_entries.append((log_key(chunk[-1].name, chunk[-1].update_index), table.logs(chunk)))
    for entries in (ref_entries + log_entries, ref_entries, [(REFS[-1].name, ref_index), *log_entries]):
        kept = len(table.data)
        log_index = table.index(entries)
        path = table.write(
            tmp_path / "t.ref",
            ref_index_offset=ref_index,
            log_offset=first_log,
            log_index_offset=log_index,
        )
        del table.data[kept:]
        with Table.open(path) as opened:
            assert list(opened.logs()) == LOGS
            for log in LOGS:
                assert opened.read_log(log.name, log.update_index) == log
            for name in {log.name for log in LOGS}:
                assert [log.update_index for log in opened.logs(name)] == [9, 4, 2]


@pytest.mark.usefixtures("few_reads")
def test_an_object_index_that_leads_elsewhere_hides_no_ref(tmp_path: Path) -> None:
    table = Handmade()
    index = [(chunk[-1].name, table.refs(chunk)) for chunk in chunked(REFS)]
    ref_index = table.index(index)
    objects = table.objects([(b"\1\2", [10**6])])
    path = table.write(
        tmp_path / "t.ref",
        ref_index_offset=ref_index,
        obj_offset=objects,
        object_id_len=2,
        obj_index_offset=ref_index,
    )
    with Table.open(path) as opened:
        assert list(opened.refs_for(b"\1\2" + bytes(18))) == []
        # Not in the object section, which is whole: that is an answer.
        assert list(opened.refs_for(oid(3))) == []


def test_a_wrong_block_size_is_no_reason_to_read_the_file_again_for_each_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else small blocks under a header that says 16 MiB would take the square of the file to scan."""
    path = tmp_path / "t.ref"
    refs = [branch(number) for number in range(5000)]
    write_table(path, refs, options=WriteOptions(block_size=256, unpadded=True))
    change_header(path, block_size=2**24 - 1)
    sizes: list[int] = []
    read = Table.read

    def measuring(table: Table, offset: int, size: int) -> bytes:
        data = read(table, offset, size)
        sizes.append(len(data))
        return data

    monkeypatch.setattr(Table, "read", measuring)
    with Table.open(path) as table:
        assert next(table.refs()) == refs[0]
    assert path.stat().st_size > 130_000
    assert max(sizes) < 100_000


def test_a_block_that_reaches_into_the_footer_is_refused(tmp_path: Path) -> None:
    table = Handmade()
    table.refs(REFS[:5])
    table.data[24 + 1 : 24 + 4] = (len(table.data) + 1).to_bytes(3, "big")
    path = table.write(tmp_path / "t.ref")
    with Table.open(path) as opened, pytest.raises(FormatError):
        list(opened.refs())


def test_a_block_of_an_unexpected_type_does_not_end_a_section_in_silence(tmp_path: Path) -> None:
    for kind in (INDEX, LOG):
        table = Handmade()
        table.refs(REFS[:20])
        damaged = table.refs(REFS[20:40])
        table.refs(REFS[40:60])
        table.data[damaged] = kind
        path = table.write(tmp_path / "t.ref")
        with Table.open(path) as opened, pytest.raises(FormatError):
            list(opened.refs())


@pytest.mark.parametrize("has_index", [True, False])
def test_records_in_front_of_the_first_restart_point_are_found(tmp_path: Path, has_index: bool) -> None:
    """Other writers need not make the first record of a block a restart point."""
    table = Handmade()
    records = b"".join(
        raw_record(0, b"refs/heads/" + letter, 1, b"\0" + oid(4)) for letter in (b"a", b"b", b"c")
    )
    size = len(records) // 3
    first = len(table.header.pack()) + 4
    table.append(raw_block(REF, records, [first + size, first + 2 * size], table.header.pack()))
    root = table.index([(b"refs/heads/c", 0)]) if has_index else 0
    path = table.write(tmp_path / "t.ref", ref_index_offset=root)
    with Table.open(path) as opened:
        refs = list(opened.refs())
        assert len(refs) == 3
        assert [opened.read_ref(ref.name) for ref in refs] == refs
        assert list(opened.refs(b"refs/heads/a")) == refs[:1]


def test_offsets_of_objects_that_are_no_ref_blocks_lead_to_a_scan(tmp_path: Path) -> None:
    table = Handmade()
    index = [(chunk[-1].name, table.refs(chunk)) for chunk in chunked(REFS)]
    ref_index = table.index(index)
    for offset in (ref_index, 7, 10**9):
        kept = len(table.data)
        objects = table.objects([(oid(4)[:2], [index[0][1], offset])])
        path = table.write(
            tmp_path / "t.ref", ref_index_offset=ref_index, obj_offset=objects, object_id_len=2
        )
        del table.data[kept:]
        with Table.open(path) as opened:
            assert list(opened.refs_for(oid(4))) == [ref for ref in REFS if oid(4) in (ref.value, ref.peeled)]


def test_a_footer_that_knows_no_objects_leads_to_a_scan(path: Path) -> None:
    change_footer(path, obj_offset=0)
    with Table.open(path) as table:
        assert list(table.refs_for(oid(4))) == [ref for ref in REFS if oid(4) in (ref.value, ref.peeled)]


def without_first_restart(raw: bytes, header_size: int = 0) -> bytes:
    """A block whose restart points begin with its second one, as foreign writers make them."""
    header, block_type, body = raw[:header_size], raw[header_size], raw[header_size + 4 :]
    if block_type == LOG:
        body = zlib.decompress(body)
    count = int.from_bytes(body[-2:], "big")
    assert count > 2
    body = body[: -2 - 3 * count] + body[-2 - 3 * (count - 1) : -2] + (count - 1).to_bytes(2, "big")
    length = put_u24(header_size + 4 + len(body))
    return header + bytes((block_type,)) + length + (zlib.compress(body, 9) if block_type == LOG else body)


def test_what_lies_before_the_first_restart_point_is_found_in_each_section(tmp_path: Path) -> None:
    refs = [RefRecord(b"refs/heads/%03d" % number, 1, oid(number)) for number in range(60)]
    entries = [entry(ref.name, index) for ref in refs for index in (9, 5, 1)]
    table = Handmade(limits=(1, 9))

    def foreign(add: Callable[[], int]) -> int:
        start = add()
        raw = without_first_restart(bytes(table.data[start:]), 0 if start else table.header.size)
        del table.data[start:]
        return table.append(raw)

    parts = [refs[at : at + 12] for at in range(0, 60, 12)]
    starts = [foreign(lambda part=part: table.refs(part, 2)) for part in parts]
    keys = [(part[-1].name, start) for part, start in zip(parts, starts, strict=True)]
    items = [(key, 0, put_varint(start)) for key, start in keys]
    ref_index = foreign(lambda: table.block(INDEX, items, 2))
    logs = foreign(lambda: table.logs(entries, 3))
    path = table.write(tmp_path / "x.ref", ref_index_offset=ref_index, log_offset=logs)
    with Table.open(path) as opened, open_table(os.fspath(path), "x.ref", HashId.SHA1) as readable:
        for one in (opened, readable):
            assert [one.read_ref(ref.name) for ref in refs] == refs
            for ref in refs:
                assert [found.update_index for found in one.logs(ref.name)] == [9, 5, 1]
                found = one.read_log(ref.name, 6)
                assert found is not None
                assert (found.name, found.update_index) == (ref.name, 5)
    layout = TableLayout("x.ref", path.stat().st_size, lambda at, size: path.read_bytes()[at : at + size])
    assert not [error for section in layout.sections for span in section.children() if (error := span.error)]

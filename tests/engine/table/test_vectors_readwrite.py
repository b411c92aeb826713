"""The numbers of git's tests of its table writer and reader (`u-reftable-readwrite.c`)."""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path

import pytest

from engine.errors import ApiError, EntryTooBigError, FormatError
from engine.format import HashId, LogRecord, RefRecord
from engine.table import Table, TableStats, TableWriter, WriteOptions
from tests.support.handmade import Handmade, change_byte
from tests.support.stacks import same
from tests.support.tables import write_table

HAN_WEN = {"committer": b"Han-Wen Nienhuys", "email": b"hanwen@google.com", "time": 0x5E430672, "tz": 100}


def first_byte(byte: int) -> bytes:
    return bytes((byte,)) + bytes(19)


def writer_of(written: bytearray, block_size: int = 4096, limits: tuple[int, int] = (1, 1)) -> TableWriter:
    writer = TableWriter(written.extend, WriteOptions(block_size=block_size))
    writer.set_limits(*limits)
    return writer


def write_branches(path: Path, count: int, block_size: int, hash_id: HashId = HashId.SHA1) -> list[RefRecord]:
    refs = [RefRecord(b"refs/heads/branch%02d" % i, 5, value=same(i, hash_id.size)) for i in range(count)]
    logs = [
        LogRecord(b"refs/heads/branch%02d" % i, 5, new=same(i, hash_id.size), message=b"message")
        for i in range(count)
    ]
    write_table(path, refs, logs, WriteOptions(block_size=block_size, hash_id=hash_id))
    return refs


def write_values(path: Path, values: Iterable[bytes], name: bytes, block_size: int) -> TableStats:
    refs = [RefRecord(name % i, 1, value=value) for i, value in enumerate(values)]
    return write_table(path, refs, options=WriteOptions(block_size=block_size))


@pytest.mark.parametrize(("hash_id", "size"), [(HashId.SHA1, 92), (HashId.SHA256, 100)])
def test_an_empty_table_is_header_and_footer(tmp_path: Path, hash_id: HashId, size: int) -> None:
    path = tmp_path / "empty.ref"
    stats = write_table(path, options=WriteOptions(hash_id=hash_id), limits=(1, 1))
    assert stats.is_empty
    assert stats.size == path.stat().st_size == size
    with Table.open(path) as table:
        assert list(table.refs()) == []
        assert list(table.logs()) == []
        assert list(table.blocks()) == []
        assert table.read_ref(b"HEAD") is None


def test_an_empty_key_is_refused() -> None:
    writer = writer_of(bytearray())
    with pytest.raises(ApiError):
        writer.add_ref(RefRecord(b"", 1))
    with pytest.raises(ApiError):
        writer.add_log(LogRecord(b"", 1, new=same(1)))
    assert writer.close().is_empty


def test_keys_ascend() -> None:
    writer = writer_of(bytearray())
    writer.add_ref(RefRecord(b"b", 1, target=b"target"))
    for name in (b"a", b"b"):
        with pytest.raises(ApiError):
            writer.add_ref(RefRecord(name, 1, target=b"target"))
    assert writer.close().ref.entries == 1


@pytest.mark.parametrize("update_index", [0, 2])
def test_a_ref_outside_the_limits_is_refused(update_index: int) -> None:
    writer = writer_of(bytearray())
    with pytest.raises(ApiError):
        writer.add_ref(RefRecord(b"b", update_index, target=b"target"))


def test_a_log_entry_may_be_older_than_the_limits_but_not_newer() -> None:
    writer = writer_of(bytearray())
    # Newest first, so each of these has a name of its own.
    writer.add_log(LogRecord(b"a", 0, new=same(2), **HAN_WEN))
    writer.add_log(LogRecord(b"b", 1, new=same(2), **HAN_WEN))
    with pytest.raises(ApiError):
        writer.add_log(LogRecord(b"c", 3, new=same(2), **HAN_WEN))
    assert writer.close().log.entries == 2


def test_a_log_block_that_does_not_compress_is_written_and_read(tmp_path: Path) -> None:
    noise = random.Random(1)
    log = LogRecord(
        b"refs/heads/master", 5, noise.randbytes(20), noise.randbytes(20), message=b"commit: 9\n", **HAN_WEN
    )
    path = tmp_path / "noise.log"
    write_table(path, logs=[log])
    with Table.open(path) as table:
        (block,) = table.blocks()
        assert block.next_offset - block.offset > block.block_len  # in the file it is larger than inflated
        assert list(table.logs()) == [log]


def test_a_log_entry_that_fits_no_block_is_too_big() -> None:
    writer = writer_of(bytearray(), 256, (5, 5))
    log = LogRecord(b"refs/heads/master", 5, same(1), same(2), message=b"x" * 255, **HAN_WEN)
    with pytest.raises(EntryTooBigError):
        writer.add_log(log)


def test_refs_and_log_entries_with_long_names_in_small_blocks(tmp_path: Path) -> None:
    names = [b"b%02d%0130d" % (i, 7) for i in range(2)]
    refs = [RefRecord(name, i) for i, name in enumerate(names)]
    logs = [LogRecord(name, i, same(i), same(i + 1)) for i, name in enumerate(names)]
    path = tmp_path / "file.log"
    stats = write_table(path, refs, logs, WriteOptions(block_size=256), (0, 2))
    assert stats.log.blocks > 0
    with Table.open(path) as table:
        assert list(table.refs(names[1])) == [refs[1]]
        assert [(log.name, log.update_index) for log in table.logs()] == [(names[0], 0), (names[1], 1)]


def test_a_flipped_byte_in_a_deflated_block_is_noticed(tmp_path: Path) -> None:
    noise = random.Random(2)
    message = bytes(noise.choices(range(0x20, 0x60), k=99))
    log = LogRecord(
        b"refname", 1, first_byte(2), first_byte(1), b"My Name", b"myname@invalid", message=message
    )
    path = tmp_path / "file.log"
    write_table(path, logs=[log], options=WriteOptions(block_size=256))
    change_byte(path, 50, 0x99)
    with Table.open(path) as table, pytest.raises(FormatError, match="inflate"):
        table.read_log(b"refname")


def test_fifty_refs_in_small_blocks_are_scanned_in_order(tmp_path: Path) -> None:
    refs = write_branches(tmp_path / "file.ref", 50, 256)
    with Table.open(tmp_path / "file.ref") as table:
        assert list(table.refs()) == refs
        assert {ref.update_index for ref in refs} == {5}


def test_a_table_of_one_ref_and_its_log_is_smaller_than_200_bytes(tmp_path: Path) -> None:
    write_branches(tmp_path / "file.ref", 1, 4096)
    assert (tmp_path / "file.ref").stat().st_size < 200


def write_blocks_without_index(path: Path, refs: list[RefRecord], hash_id: HashId) -> None:
    table = Handmade(limits=(5, 5), hash_id=hash_id)
    for first in range(0, len(refs), 7):
        table.refs(refs[first : first + 7])
    table.write(path)


@pytest.mark.parametrize("hash_id", HashId)
@pytest.mark.parametrize("indexed", [False, True])
def test_each_of_fifty_refs_is_found_with_and_without_an_index(
    tmp_path: Path, hash_id: HashId, indexed: bool
) -> None:
    path = tmp_path / "file.ref"
    refs = write_branches(path, 50, 256, hash_id)
    if not indexed:
        write_blocks_without_index(path, refs, hash_id)
    with Table.open(path) as table:
        assert table.hash_id is hash_id
        assert (table.footer.ref_index_offset > 0) is indexed
        for number, ref in enumerate(refs):
            assert table.read_ref(ref.name) == ref
            assert next(table.refs(ref.name)) == ref
            assert ref.value is not None
            assert ref.value[0] == number
        assert table.read_ref(refs[-1].name + b"/") is None
        assert list(table.refs(refs[-1].name + b"/")) == []


@pytest.mark.parametrize("indexed", [False, True])
def test_refs_for_an_object_are_the_same_with_and_without_the_object_section(
    tmp_path: Path, indexed: bool
) -> None:
    refs = [
        RefRecord((b"br%02d" % i + b"x" * 50)[:40], 0, value=same(i // 4), peeled=same(3 + i // 4))
        for i in range(50)
    ]
    path = tmp_path / "file.ref"
    write_table(path, refs, options=WriteOptions(block_size=256, skip_index_objects=not indexed))
    with Table.open(path) as table:
        assert (table.footer.obj_offset > 0) is indexed
        wanted = [ref for ref in refs if same(4) in (ref.value, ref.peeled)]
        assert len(wanted) == 8
        assert list(table.refs_for(same(4))) == wanted


def test_object_ids_are_stored_with_two_bytes_at_least(tmp_path: Path) -> None:
    stats = write_values(tmp_path / "a.ref", [first_byte(42)] * 256, b"ref%05d", 75)
    assert stats.object_id_len == 2


def test_object_ids_are_stored_as_far_as_they_need_to_differ(tmp_path: Path) -> None:
    values = [first_byte(42)[:15] + bytes((i,)) + bytes(4) for i in range(256)]
    stats = write_values(tmp_path / "a.ref", values, b"ref%05d", 75)
    assert stats.object_id_len == 16
    with Table.open(tmp_path / "a.ref") as table:
        assert table.footer.object_id_len == 16
        assert [ref.name for ref in table.refs_for(values[200])] == [b"ref00200"]


def test_each_section_gets_its_own_index(tmp_path: Path) -> None:
    path = tmp_path / "file.ref"
    refs = [RefRecord(b"refs/heads/%04d" % i, 1, value=first_byte(i)) for i in range(100)]
    logs = [LogRecord(b"refs/heads/%04d" % i, 1, first_byte(i), first_byte(i)) for i in range(100)]
    stats = write_table(path, refs, logs, WriteOptions(block_size=100))
    assert stats.ref.index_offset > 0
    assert stats.obj.index_offset > 0
    assert stats.log.index_offset > 0
    with Table.open(path) as table:
        for number in range(100):
            name = b"refs/heads/%04d" % number
            assert table.read_ref(name) == refs[number]
            found = table.read_log(name)
            assert found is not None
            assert (found.name, found.old) == (name, first_byte(number))
            assert [ref.name for ref in table.refs_for(first_byte(number))] == [name]


def test_an_index_over_many_blocks_has_two_levels(tmp_path: Path) -> None:
    path = tmp_path / "file.ref"
    stats = write_values(path, [first_byte(i) for i in range(200)], b"refs/heads/%03d", 100)
    assert stats.ref.max_index_level == 2
    with Table.open(path) as table:
        for number in range(200):
            found = table.read_ref(b"refs/heads/%03d" % number)
            assert found is not None
            assert found.value == first_byte(number)


@pytest.mark.parametrize("size", [0, 1024])
def test_a_file_of_zeros_is_no_table(tmp_path: Path, size: int) -> None:
    path = tmp_path / "file.log"
    path.write_bytes(bytes(size))
    with pytest.raises(FormatError):
        Table.open(path)

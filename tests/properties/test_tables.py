"""Any records, in any layout of a table: what was written is found again, on every way to it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain, takewhile, zip_longest
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from engine.errors import ApiError, EntryTooBigError
from engine.format import (
    INDEX,
    LOG,
    OBJ,
    REF,
    U64_MAX,
    Block,
    IndexRecord,
    LogRecord,
    ObjectRecord,
    RefRecord,
    log_key,
)
from engine.format.header import MIN_OBJECT_ID_LEN
from engine.merge import MergedTable, compact_tables
from engine.table import Table, TableStats, TableWriter
from tests.properties.strategies import NAMES, OIDS, Contents, contents
from tests.support.tables import oid, write_table


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where each example's table lies, in the place of the one before."""
    return tmp_path_factory.mktemp("tables") / "table.ref"


@contextmanager
def written(path: Path, contents: Contents) -> Iterator[tuple[Table, TableStats]]:
    """Write a table and open it; its blocks are made larger until every record fits."""
    while True:
        options = contents.options
        try:
            stats = write_table(path, contents.refs, contents.logs, options, contents.limits)
        except EntryTooBigError:
            # Where two records fit into a block, one does, and the levels of an index converge.
            assert options.block_size < 2 * contents.largest_record + 50
            contents.options = replace(options, block_size=2 * options.block_size)
        else:
            break
    with Table.open(path) as table:
        yield table, stats


def stretch(keys: Sequence[bytes], most: int = 12) -> Sequence[bytes]:
    """Return some of the keys, evenly spread."""
    return keys[:: len(keys) // most + 1]


def log_keys(logs: Sequence[LogRecord]) -> list[bytes]:
    return [log_key(log.name, log.update_index) for log in logs]


def around(keys: Sequence[bytes]) -> list[bytes]:
    """Return some of the keys, what lies right beside them, and what sorts before and behind all."""
    near = chain.from_iterable((key, key[:-1], key + b"\x01", key[:-1] + b"\xff") for key in stretch(keys))
    return sorted({b"\x01", b"\xff" * 301, *near} - {b""})


@given(contents=contents())
def test_scans_see_what_was_written(path: Path, contents: Contents) -> None:
    with written(path, contents) as (table, stats):
        assert list(table.refs()) == contents.refs
        assert list(table.logs()) == contents.logs
        assert table.size == stats.size
        assert (table.min_update_index, table.max_update_index) == contents.limits
        assert table.hash_id is contents.options.hash_id
        assert stats.is_empty is (not contents.refs and not contents.logs)


@given(contents=contents())
def test_blocks_lie_end_to_end_and_the_statistics_count_them(path: Path, contents: Contents) -> None:
    with written(path, contents) as (table, stats):
        blocks = list(table.blocks())
        offset = 0
        for block, following in zip_longest(blocks, blocks[1:]):
            assert block.offset == offset
            offset = block.next_offset
            assert block.block_len <= contents.options.block_size
            is_last = following is None or following.type == LOG
            if contents.options.unpadded or block.type == LOG or is_last:
                assert block.padding == 0
            else:
                assert block.block_len + block.padding == contents.options.block_size
        for block_type, counted in ((REF, stats.ref), (OBJ, stats.obj), (LOG, stats.log), (INDEX, stats.idx)):
            found = [block for block in blocks if block.type == block_type]
            assert counted.blocks == len(found)
            assert counted.restarts == sum(block.restart_count for block in found)
            if found and block_type != INDEX:
                assert counted.offset == found[0].offset
        assert stats.ref.entries == len(contents.refs)
        assert stats.log.entries == len(contents.logs)


@given(contents=contents(), more=st.sets(NAMES, max_size=5))
def test_every_name_is_found_and_no_other(path: Path, contents: Contents, more: set[bytes]) -> None:
    refs = {ref.name: ref for ref in contents.refs}
    newest: dict[bytes, LogRecord] = {}
    for log in contents.logs:
        newest.setdefault(log.name, log)
    with written(path, contents) as (table, _):
        for name in {*contents.names, *around(contents.names), *more}:
            assert table.read_ref(name) == refs.get(name)
            assert table.read_log(name) == newest.get(name)


@given(contents=contents())
def test_a_log_seek_finds_the_newest_entry_up_to_an_update_index(path: Path, contents: Contents) -> None:
    with written(path, contents) as (table, _):
        for name in stretch(contents.names):
            logs = [log for log in contents.logs if log.name == name]
            assert list(table.logs(name)) == logs
            near = {log.update_index + step for log in logs for step in (-1, 0, 1)}
            for update_index in sorted(near | {0, U64_MAX}):
                if not 0 <= update_index <= U64_MAX:
                    continue
                expected = next((log for log in logs if log.update_index <= update_index), None)
                assert table.read_log(name, update_index) == expected


@given(contents=contents())
def test_every_beginning_of_a_name_finds_the_names_that_begin_so(path: Path, contents: Contents) -> None:
    names = stretch(contents.names, 6)
    with written(path, contents) as (table, _):
        for prefix in {name[:size] for name in names for size in range(min(len(name), 30) + 1)}:
            expected = [ref for ref in contents.refs if ref.name.startswith(prefix)]
            assert list(table.refs(prefix)) == expected
            assert list(MergedTable([table]).refs(prefix, deletions=True)) == expected


@given(contents=contents())
def test_pages_of_refs_begin_at_any_name(path: Path, contents: Contents) -> None:
    names = [ref.name for ref in contents.refs]
    with written(path, contents) as (table, _):
        for start in [b"", *around(names)]:
            expected = contents.refs[bisect_left(names, start) :]
            pages = list(table.ref_blocks(start))
            assert all(pages)
            assert [ref for page in pages for ref in page if ref.name >= start] == expected
            merged = MergedTable([table]).ref_blocks(start, deletions=True)
            assert list(chain.from_iterable(merged)) == expected
            live = [ref for ref in expected if not ref.is_deletion]
            assert list(chain.from_iterable(MergedTable([table]).ref_blocks(start))) == live


@given(contents=contents(), update_index=st.integers(0, U64_MAX))
def test_pages_of_logs_begin_at_any_entry(path: Path, contents: Contents, update_index: int) -> None:
    keys = log_keys(contents.logs)
    starts = [(log.name, log.update_index) for log in contents.logs[:: len(contents.logs) // 10 + 1]]
    starts += [(name, update_index) for name in around(contents.names)]
    with written(path, contents) as (table, _):
        for start in starts:
            expected = contents.logs[bisect_left(keys, log_key(*start)) :]
            pages = table.log_blocks(*start)
            first = log_key(*start)
            found = [log for page in pages for log in page if log_key(log.name, log.update_index) >= first]
            assert found == expected
            merged = MergedTable([table]).log_blocks(*start, deletions=True)
            assert list(chain.from_iterable(merged)) == expected


@given(contents=contents())
def test_refs_are_found_by_object_id_with_and_without_an_object_section(
    path: Path, contents: Contents
) -> None:
    size = contents.options.hash_id.size if contents.options.hash_id else 20
    with written(path, contents) as (table, stats):
        has_objects = bool(stats.ref.index_blocks) and not contents.options.skip_index_objects
        mentions_ids = any(ref.value for ref in contents.refs)
        assert (stats.obj.blocks > 0) == (has_objects and mentions_ids)
        for number in range(OIDS + 1):
            wanted = oid(number, size)
            expected = [ref for ref in contents.refs if wanted in (ref.value, ref.peeled)]
            assert list(table.refs_for(wanted)) == expected
            assert list(MergedTable([table]).refs_for(wanted)) == expected


def index_entries(blocks: Sequence[Block], index_offset: int) -> list[IndexRecord]:
    """Walk an index from its root down to the entries for the blocks of its section."""
    at = {block.offset: number for number, block in enumerate(blocks)}
    level = list(takewhile(lambda block: block.type == INDEX, blocks[at[index_offset] :]))
    while True:
        entries = [entry for block in level for entry in block.index()]
        below = [blocks[at[entry.offset]] for entry in entries]
        if below[0].type != INDEX:
            return entries
        assert [block.index()[-1].last_key for block in below] == [entry.last_key for entry in entries]
        level = below


@given(contents=contents())
def test_an_index_leads_to_every_block_of_its_section_once_and_in_order(
    path: Path, contents: Contents
) -> None:
    with written(path, contents) as (table, stats):
        size, low = table.hash_id.size, table.min_update_index
        blocks = list(table.blocks())
        last_keys = {
            REF: lambda block: block.refs(size, low)[-1].name,
            LOG: lambda block: log_keys(block.logs(size))[-1],
            OBJ: lambda block: block.objects()[-1].prefix,
        }
        threshold = 1 if contents.options.unpadded else 3
        for block_type, counted in ((REF, stats.ref), (OBJ, stats.obj), (LOG, stats.log)):
            section = [block for block in blocks if block.type == block_type]
            assert (counted.index_blocks > 0) == (len(section) > threshold)
            if counted.index_blocks:
                expected = [IndexRecord(last_keys[block_type](block), block.offset) for block in section]
                assert index_entries(blocks, counted.index_offset) == expected


@given(contents=contents())
def test_the_object_section_names_the_blocks_of_every_id(path: Path, contents: Contents) -> None:
    with written(path, contents) as (table, stats):
        mentions: dict[bytes, list[int]] = {}
        records: list[ObjectRecord] = []
        for block in table.blocks():
            if block.type == OBJ:
                records += block.objects()
            if block.type == REF:
                for ref in block.refs(table.hash_id.size, table.min_update_index):
                    for value in filter(None, {ref.value, ref.peeled}):
                        offsets = mentions.setdefault(value, [])
                        if offsets[-1:] != [block.offset]:
                            offsets.append(block.offset)
        if not stats.obj.blocks:
            return
        length = stats.object_id_len
        assert [record.prefix for record in records] == [value[:length] for value in sorted(mentions)]
        shorter = {value[: length - 1] for value in mentions}
        assert length == MIN_OBJECT_ID_LEN or len(shorter) < len(mentions)
        for record, value in zip(records, sorted(mentions), strict=True):
            too_many = len(mentions[value]) > contents.options.block_size // 8
            assert record.offsets == mentions[value] or (too_many and not record.offsets)


@given(contents=contents())
def test_a_table_compacted_alone_is_the_same_bytes(path: Path, contents: Contents) -> None:
    with written(path, contents) as (table, _):
        compacted = bytearray()
        compact_tables([table], compacted.extend, contents.options, drop_tombstones=False)
        assert compacted == Path(table.path).read_bytes()


@pytest.mark.parametrize("update_index", [-1, U64_MAX + 1])
def test_records_out_of_range_are_refused(update_index: int) -> None:
    for add, record in (
        (TableWriter.add_refs, RefRecord(b"a", update_index)),
        (TableWriter.add_logs, LogRecord(b"a", update_index)),
        (TableWriter.add_logs, LogRecord(b"a", update_index, oid(1), oid(2))),
    ):
        with pytest.raises(ApiError):
            add(TableWriter(len), [record])


@pytest.mark.parametrize("update_index", [-1, U64_MAX + 1])
def test_seeks_out_of_range_are_refused(path: Path, update_index: int) -> None:
    write_table(path, logs=[LogRecord(b"a", 1)])
    with Table.open(path) as table:
        for seek in (table.read_log, table.log_blocks, MergedTable([table]).log_blocks):
            with pytest.raises(ApiError):
                list(seek(b"a", update_index) or ())

"""Many tables as one: which version wins, every version, earlier moments, and merging block by block."""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Iterator, Sequence
from itertools import chain
from operator import itemgetter
from pathlib import Path

import pytest

from engine.errors import ApiError
from engine.format import U64_MAX, LogRecord, RefRecord
from engine.merge import MergedTable, merge_blocks
from engine.table import Table, WriteOptions
from tests.support.stacks import entry, same
from tests.support.tables import oid, write_table

Item = tuple[int, str]
Merge = Callable[..., MergedTable]


def merged(*sources: list[list[Item]]) -> list[Item]:
    blocks = list(merge_blocks(sources, itemgetter(0)))
    assert all(blocks), "no list is empty"
    return list(chain.from_iterable(blocks))


def items(tag: str, *keys: int) -> list[Item]:
    return [(key, tag) for key in keys]


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        ([], []),
        ([[]], []),
        ([[], []], []),
        ([[[], []], [[]]], []),
        ([[items("a", 1, 2), [], items("a", 3)]], items("a", 1, 2, 3)),
        ([[items("a", 1, 3)], [items("b", 2, 4)]], [(1, "a"), (2, "b"), (3, "a"), (4, "b")]),
        ([[items("a", 1, 2)], [items("b", 3, 4)]], [*items("a", 1, 2), *items("b", 3, 4)]),
        ([[items("a", 3, 4)], [items("b", 1, 2)]], [*items("b", 1, 2), *items("a", 3, 4)]),
        ([[items("a", 1)], [items("b", 1)], [items("c", 1)]], items("c", 1)),
        ([[items("a", 1, 2, 3)], [items("b", 2)]], [(1, "a"), (2, "b"), (3, "a")]),
        ([[items("a", 2)], [items("b", 1, 2, 3)]], items("b", 1, 2, 3)),
        # Equal last keys, and blocks that end inside others.
        (
            [[items("a", 1, 5), items("a", 6)], [items("b", 5), items("b", 7)]],
            [(1, "a"), (5, "b"), (6, "a"), (7, "b")],
        ),
        ([[items("a", 1), items("a", 2), items("a", 3)], [items("b", 1, 2, 3)]], items("b", 1, 2, 3)),
    ],
)
def test_the_newest_of_equal_keys_remains(sources: list[list[list[Item]]], expected: list[Item]) -> None:
    assert merged(*sources) == expected


@pytest.mark.parametrize("seed", range(60))
def test_merging_by_blocks_is_merging(seed: int) -> None:
    """Tables of very different sizes, so that few are put among many as well as like among like."""
    dice = random.Random(seed)
    sources = []
    expected: dict[int, Item] = {}
    for position in range(dice.randint(1, 6)):
        size = dice.choice([0, 1, 3, 30, 300])
        keys = sorted(dice.sample(range(400), size))
        source: list[list[Item]] = []
        while keys:
            cut = dice.randint(1, 60)
            source.append(items(str(position), *keys[:cut]))
            expected.update((key, (key, str(position))) for key in keys[:cut])
            keys = keys[cut:]
        sources.append(source)
    assert merged(*sources) == [expected[key] for key in sorted(expected)]


def test_merging_takes_no_block_before_it_is_needed() -> None:
    taken: list[Item] = []

    def stream(tag: str, *blocks: Sequence[int]) -> Iterator[list[Item]]:
        for keys in blocks:
            taken.append((keys[0], tag))
            yield items(tag, *keys)

    blocks = merge_blocks([stream("a", [1, 2], [3, 4]), stream("b", [5, 6], [7, 8])], itemgetter(0))
    assert next(blocks) == items("a", 1, 2)
    assert taken == [(1, "a"), (5, "b")]
    assert next(blocks) == items("a", 3, 4)
    assert next(blocks) == items("b", 5, 6)
    assert taken == [(1, "a"), (5, "b"), (3, "a")]


def test_keys_in_disorder_end_all_the_same() -> None:
    found = merged([items("a", 5, 1, 9)], [items("b", 2, 8, 3)], [items("c", 4)])
    assert {key for key, _ in found} >= {9, 8}
    assert len(found) <= 7


@pytest.fixture
def merge(tmp_path: Path) -> Generator[Merge]:
    """A function that merges tables of these records, oldest first; each has small blocks of its own."""
    opened: list[Table] = []

    def make(*parts: Sequence[RefRecord | LogRecord]) -> MergedTable:
        first = len(opened)
        for part in parts:
            path = tmp_path / f"{len(opened)}.ref"
            refs = [record for record in part if isinstance(record, RefRecord)]
            logs = [record for record in part if isinstance(record, LogRecord)]
            write_table(path, refs, logs, WriteOptions(block_size=128), (1, 99))
            opened.append(Table.open(path))
        return MergedTable(opened[first:])

    yield make
    for table in opened:
        table.close()


def ref(name: str, index: int, value: int | None = 1, peeled: int | None = None) -> RefRecord:
    return RefRecord(
        name.encode(),
        index,
        value=None if value is None else oid(value),
        peeled=None if peeled is None else oid(peeled),
    )


def test_nothing_merged_is_empty() -> None:
    view = MergedTable(())
    assert (view.min_update_index, view.max_update_index) == (0, 0)
    assert list(view.refs()) == list(view.logs()) == list(view.refs_for(oid(1))) == []
    assert view.read_ref(b"HEAD") is view.read_log(b"HEAD") is view.find_ref(b"HEAD") is None
    assert view.versions(b"HEAD") == []


def test_a_lookup_stops_at_the_newest_table_that_answers(merge: Merge) -> None:
    view = merge([ref("a", 1)], [ref("a", 2)], [ref("b", 3)])
    before = [table.reads for table in view.tables]
    assert view.read_ref(b"a") == ref("a", 2)
    after = [table.reads for table in view.tables]
    assert [now - then for now, then in zip(after, before, strict=True)] == [0, 1, 1]


def test_a_tombstone_is_found_but_not_read(merge: Merge) -> None:
    view = merge([ref("a", 1)], [ref("a", 2, None)])
    assert view.read_ref(b"a") is None
    assert view.find_ref(b"a") == (view.tables[1], ref("a", 2, None))
    assert view.find_ref(b"b") is None


def test_a_deleted_ref_can_come_back(merge: Merge) -> None:
    view = merge([ref("a", 1)], [ref("a", 2, None)], [ref("a", 3, 7)])
    assert view.read_ref(b"a") == ref("a", 3, 7)
    assert list(view.refs()) == [ref("a", 3, 7)]


def test_versions_tell_each_record_of_a_name_and_which_counts(merge: Merge) -> None:
    filler = [ref(f"a{number:03}", 1) for number in range(20)]
    view = merge([*filler, ref("x", 1)], [ref("y", 2)], [ref("x", 3, None)], [ref("x", 4, 9)])
    found = view.versions(b"x")
    assert [(v.position, v.record, v.wins) for v in found] == [
        (3, ref("x", 4, 9), True),
        (2, ref("x", 3, None), False),
        (0, ref("x", 1), False),
    ]
    for version in found:
        assert version.table is view.tables[version.position]
        assert version.record in version.table.block_at(version.offset).refs(20, 1)
    assert found[2].offset > 0, "not in the first block"
    assert view.versions(b"z") == []


def test_a_tombstone_may_be_the_version_that_counts(merge: Merge) -> None:
    view = merge([ref("x", 1)], [ref("x", 2, None)])
    assert [(v.record.is_deletion, v.wins) for v in view.versions(b"x")] == [(True, True), (False, False)]


def test_an_earlier_moment_is_the_view_of_fewer_tables(merge: Merge) -> None:
    view = merge([ref("a", 1)], [ref("a", 2, None), ref("b", 2)], [ref("b", 3, 5)])
    assert [list(view.as_of(count).refs()) for count in range(4)] == [
        [],
        [ref("a", 1)],
        [ref("b", 2)],
        [ref("b", 3, 5)],
    ]
    assert view.as_of(2).tables == view.tables[:2]
    for count in (-1, 4):
        with pytest.raises(ApiError):
            view.as_of(count)


MANY = [ref(f"refs/heads/{number:03}", 1, number) for number in range(0, 90, 2)]
FEW = [ref(f"refs/heads/{number:03}", 2, None if number % 4 else 500) for number in range(0, 90, 7)]
BETWEEN = [ref(f"refs/heads/{number:03}", 3, 600) for number in (3, 44, 45)]


def expected_refs(deletions: bool) -> list[RefRecord]:
    newest = {record.name: record for record in [*MANY, *FEW, *BETWEEN]}
    return [newest[name] for name in sorted(newest) if deletions or not newest[name].is_deletion]


@pytest.mark.parametrize("deletions", [False, True])
def test_scans_can_show_tombstones(merge: Merge, deletions: bool) -> None:
    view = merge(MANY, FEW, BETWEEN)
    assert list(view.refs(deletions=deletions)) == expected_refs(deletions)
    assert list(chain.from_iterable(view.ref_blocks(deletions=deletions))) == expected_refs(deletions)
    origins = list(chain.from_iterable(view.ref_origins(deletions=deletions)))
    assert [record for record, _ in origins] == expected_refs(deletions)
    assert all(table is view.tables[record.update_index - 1] for record, table in origins)


@pytest.mark.parametrize("deletions", [False, True])
def test_scans_begin_exactly_at_the_start(merge: Merge, deletions: bool) -> None:
    view = merge(MANY, FEW, BETWEEN)
    everything = expected_refs(deletions)
    for start in [b"", b"a", b"s", *(b"refs/heads/%03d" % number for number in range(0, 92, 5))]:
        rest = [record for record in everything if record.name >= start]
        assert list(chain.from_iterable(view.ref_blocks(start, deletions=deletions))) == rest
        origins = chain.from_iterable(view.ref_origins(start, deletions=deletions))
        assert [record for record, _ in origins] == rest


@pytest.mark.parametrize("prefix", [b"refs/heads/04", b"refs/heads/044", b"refs", b"refs/heads/1", b"x", b""])
def test_refs_of_a_prefix(merge: Merge, prefix: bytes) -> None:
    view = merge(MANY, FEW, BETWEEN)
    for deletions in (False, True):
        found = list(view.refs(prefix, deletions=deletions))
        assert found == [record for record in expected_refs(deletions) if record.name.startswith(prefix)]


def test_a_scan_may_meet_only_tombstones(merge: Merge) -> None:
    view = merge(MANY, [RefRecord(record.name, 2) for record in MANY])
    assert list(view.refs()) == []
    assert list(view.ref_blocks()) == []
    assert list(view.ref_origins()) == []
    assert len(list(view.refs(deletions=True))) == len(MANY)


def test_symrefs_are_no_tombstones(merge: Merge) -> None:
    head = RefRecord(b"HEAD", 1, target=b"refs/heads/main")
    view = merge([head, ref("refs/heads/main", 1)], [ref("refs/heads/gone", 2, None)])
    assert list(view.refs()) == [head, ref("refs/heads/main", 1)]


def log(name: str, index: int, message: str = "m\n") -> LogRecord:
    return entry(name.encode(), index, message=message.encode())


OLD_LOGS = [log(f"b{number:02}", index) for number in range(12) for index in (5, 3, 1)]
NEW_LOGS = [
    LogRecord(b"b03", 3),  # deleted
    log("b04", 7),  # newer
    log("b05", 3, "rewritten\n"),
    log("b055", 1),  # of a ref between
    LogRecord(b"b11", 5),
    LogRecord(b"b11", 3),
    LogRecord(b"b11", 1),
]


def expected_logs(deletions: bool) -> list[LogRecord]:
    newest = {(record.name, -record.update_index): record for record in [*OLD_LOGS, *NEW_LOGS]}
    return [newest[key] for key in sorted(newest) if deletions or not newest[key].is_deletion]


@pytest.mark.parametrize("deletions", [False, True])
def test_logs_are_shown_by_name_and_newest_first(merge: Merge, deletions: bool) -> None:
    view = merge(OLD_LOGS, NEW_LOGS)
    everything = expected_logs(deletions)
    assert list(view.logs(deletions=deletions)) == everything
    for name in sorted({record.name for record in everything} | {b"b", b"b0", b"b11", b"c"}):
        mine = [record for record in everything if record.name == name]
        assert list(view.logs(name, deletions=deletions)) == mine
        origins = list(chain.from_iterable(view.log_origins(name, deletions=deletions)))
        assert [record for record, _ in origins] == [record for record in everything if record.name >= name]
        for record, table in origins:
            assert table is view.tables[1 if record in NEW_LOGS else 0]


def test_the_newest_log_entry_is_the_newest_that_was_not_deleted(merge: Merge) -> None:
    view = merge(OLD_LOGS, [LogRecord(b"b03", 5), *NEW_LOGS])
    assert view.read_log(b"b02") == log("b02", 5)
    assert view.read_log(b"b03") == log("b03", 1)
    assert view.read_log(b"b04") == log("b04", 7)
    assert view.read_log(b"b11") is None
    assert view.read_log(b"b1") is None


@pytest.mark.parametrize("index", [0, 1, 2, 3, 4, 5, 6, 7, U64_MAX])
def test_logs_begin_exactly_at_a_name_and_update_index(merge: Merge, index: int) -> None:
    view = merge(OLD_LOGS, NEW_LOGS)
    for name in (b"b03", b"b04", b"b05", b"b11", b"b99"):
        for deletions in (False, True):
            rest = [
                record
                for record in expected_logs(deletions)
                if (record.name, -record.update_index) >= (name, -index)
            ]
            assert list(chain.from_iterable(view.log_blocks(name, index, deletions=deletions))) == rest
            origins = chain.from_iterable(view.log_origins(name, index, deletions=deletions))
            assert [record for record, _ in origins] == rest


def test_refs_for_an_object_are_those_that_still_have_it(merge: Merge) -> None:
    view = merge(
        [ref("a", 1, 1), ref("b", 1, 1), ref("c", 1, 2, peeled=1), ref("d", 1, 1), ref("e", 1, 2)],
        [ref("b", 2, 2), ref("d", 2, None), ref("f", 2, 3, peeled=1)],
        [ref("e", 3, 1)],
    )
    assert [record.name for record in view.refs_for(oid(1))] == [b"a", b"c", b"e", b"f"]
    assert [record.name for record in view.refs_for(oid(2))] == [b"b", b"c"]
    assert list(view.refs_for(oid(99))) == []
    with pytest.raises(ApiError):
        list(view.refs_for(same(1, 32)))


def test_the_limits_are_those_of_all_tables(tmp_path: Path) -> None:
    for name, limits in (("a", (3, 4)), ("b", (1, 2)), ("c", (2, 9))):
        write_table(tmp_path / name, [RefRecord(b"x", limits[0])], limits=limits)
    with Table.open(tmp_path / "a") as a, Table.open(tmp_path / "b") as b, Table.open(tmp_path / "c") as c:
        view = MergedTable([a, b, c])
        assert (view.min_update_index, view.max_update_index) == (1, 9)

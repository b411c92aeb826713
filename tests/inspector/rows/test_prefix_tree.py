"""The tree of prefixes against one made by hand of all names, and what a level costs."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given, strategies as st

from engine.errors import Cancelled
from engine.format import RefRecord
from engine.merge import MergedTable
from engine.stack import Stack, StackOptions
from engine.table import Table
from inspector.rows import (
    ROOT,
    Level,
    PrefixRow,
    PrefixTree,
    RefRow,
    RefRows,
    behind,
    prefix_tree,
    prefixes_of,
    read_level,
)
from tests.support.screens import branches, make_stack
from tests.support.tables import oid, write_table

OPTIONS = StackOptions(auto_compact=False, skip_name_check=True, block_size=256)

NAMES = st.lists(st.sampled_from([b"a", b"b", b"/", b"0", b".", b"\xff", b"-"]), min_size=1, max_size=7).map(
    b"".join
)
TABLES = st.lists(st.dictionaries(NAMES, st.booleans(), max_size=30), min_size=1, max_size=3)


def expected(names: Sequence[bytes], prefix: bytes) -> list[tuple[bytes, int | None]]:
    """The children of a prefix: prefixes with how many names are below them, and names without a number."""
    found: dict[bytes, int | None] = {}
    for name in sorted(names):
        if name.startswith(prefix):
            cut = name.find(b"/", len(prefix))
            child = name if cut < 0 else name[: cut + 1]
            found[child] = None if cut < 0 else (found.get(child) or 0) + 1
    return list(found.items())


def children(level: Level) -> list[bytes]:
    assert level.rest is None
    return [row.name if isinstance(row, PrefixRow) else row.record.name for row in level.children]


@given(TABLES, st.booleans())
def test_levels_and_counts_are_those_of_all_names(tables: list[dict[bytes, bool]], deletions: bool) -> None:
    live: dict[bytes, bool] = {}
    with tempfile.TemporaryDirectory() as place:
        opened = []
        for number, refs in enumerate(tables, start=1):
            path = Path(place) / f"{number}.ref"
            records = [RefRecord(name, number, oid(1) if is_live else None) for name, is_live in refs.items()]
            write_table(path, records, limits=(number, number))
            opened.append(Table.open(path))
            live |= refs
        view = MergedTable(opened)
        names = [name for name, is_live in live.items() if is_live or deletions]
        rows = RefRows(view, deletions=deletions)
        while rows.read_page() or rows.scan():
            pass
        positions = {table.name: number for number, table in enumerate(opened)}
        for prefix in {ROOT, *(one for name in names for one in prefixes_of(name))}:
            level = read_level(view, prefix, positions, deletions=deletions)
            at_hand = expected(names, prefix)
            # A name that ends in a slash is a child of the prefix that is the same.
            assert sorted(children(level)) == sorted(child for child, _ in at_hand)
            for child, count in at_hand:
                if count is not None:
                    first, end = rows.rank(child), rows.rank(behind(child))
                    assert first is not None
                    assert end is not None
                    assert end - first == count
            assert all(
                row.depth == prefix.count(b"/") for row in level.children if isinstance(row, PrefixRow)
            )
        for table in opened:
            table.close()


def test_a_level_costs_a_seek_for_each_child_and_no_scan(tmp_path: Path) -> None:
    refs = [
        RefRecord(b"refs/%c/%05d" % (letter, number), 1, oid(1))
        for letter in b"abc"
        for number in range(5000)
    ]
    refs.append(RefRecord(b"HEAD", 1, target=b"refs/a/00000"))
    directory = make_stack(
        tmp_path / "reftable", (sorted(refs, key=lambda ref: ref.name), []), options=OPTIONS
    )
    with Stack.open(directory, read_only=True) as stack:
        blocks = sum(1 for _ in stack.tables[0].blocks())
        before = stack.tables[0].reads
        assert children(read_level(stack.merged, ROOT, stack_positions(stack))) == [b"HEAD", b"refs/"]
        assert children(read_level(stack.merged, b"refs/", stack_positions(stack))) == [
            b"refs/a/",
            b"refs/b/",
            b"refs/c/",
        ]
        assert stack.tables[0].reads - before < 60 < blocks


def test_a_level_of_tiny_prefixes_costs_no_more_than_a_scan(tmp_path: Path) -> None:
    refs = [RefRecord(b"refs/%05d/x" % number, 1, oid(1)) for number in range(2000)]
    directory = make_stack(tmp_path / "reftable", (refs, []), options=OPTIONS)
    with Stack.open(directory, read_only=True) as stack:
        before = stack.tables[0].reads
        assert len(children(read_level(stack.merged, b"refs/", stack_positions(stack)))) == 2000
        level = stack.tables[0].reads - before
        list(stack.merged.refs())
        assert level < 2 * (stack.tables[0].reads - before - level)


def stack_positions(stack: Stack) -> dict[str, int]:
    return {table.name: number for number, table in enumerate(stack.tables)}


def test_a_large_level_is_cut_and_says_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefix_tree, "MAX_CHILDREN", 3)
    directory = make_stack(tmp_path / "reftable", (branches(5), []), options=OPTIONS)
    with Stack.open(directory, read_only=True) as stack:
        level = read_level(stack.merged, b"refs/heads/", stack_positions(stack))
        assert len(level.children) == 3
        assert level.rest == b"refs/heads/branch-0000003"
        tree = PrefixTree([b"refs/heads/", b"refs/"])
        tree.put(
            {prefix: read_level(stack.merged, prefix, stack_positions(stack)) for prefix in tree.missing}
        )
        assert tree.rows[-1] == PrefixRow(b"refs/heads/branch-0000003", 2, is_rest=True)


def test_reading_can_be_stopped(tmp_path: Path) -> None:
    def check() -> None:
        raise Cancelled

    directory = make_stack(tmp_path / "reftable", (branches(5), []), options=OPTIONS)
    with Stack.open(directory, read_only=True) as stack, pytest.raises(Cancelled):
        read_level(stack.merged, ROOT, {}, check=check)


def test_names_in_disorder_end(tmp_path: Path) -> None:
    class Disorder:
        def ref_origins(
            self,
            start: bytes = b"",  # noqa: ARG002 - as a MergedTable has it
            *,
            deletions: bool = False,  # noqa: ARG002 - likewise
        ) -> Iterator[list[tuple[RefRecord, Table]]]:
            names = [b"b/x", b"a/x", b"c", b"a/y", b"b/z"]
            yield [(RefRecord(name, 1, oid(1)), stack.tables[0]) for name in names]

    directory = make_stack(tmp_path / "reftable", (branches(1), []), options=OPTIONS)
    with Stack.open(directory, read_only=True) as stack:
        level = read_level(cast("MergedTable", Disorder()), ROOT, stack_positions(stack))
        assert isinstance(level.children[0], PrefixRow | RefRow)


def test_what_is_open_is_laid_out_however_deep_it_is() -> None:
    deep = b"a/" * 3000
    tree = PrefixTree()
    tree.open_way(deep + b"x")
    levels = {b"a/" * depth: Level((PrefixRow(b"a/" * (depth + 1), depth),)) for depth in range(3000)}
    tree.put(levels | {deep: Level((RefRow(RefRecord(deep + b"x", 1, oid(1)), 0),))})
    assert len(tree.rows) == 3001
    assert tree.missing == []
    tree.toggle(b"a/a/")
    assert [row.name for row in tree.rows if isinstance(row, PrefixRow)] == [b"a/", b"a/a/"]
    tree.toggle(b"a/a/")
    assert tree.missing == [b"a/a/"], "what was closed is read again"


def test_a_count_is_known_when_both_its_ends_are() -> None:
    tree = PrefixTree()
    assert tree.count(b"a/") is None
    assert tree.count(b"b/") is None
    assert tree.asks
    assert tree.take_asked() == [b"a/", b"a0", b"b/", b"b0"]
    assert tree.take_asked() == []
    tree.found(b"a/", 3)
    assert tree.count(b"a/") is None
    tree.found(b"a0", 10)
    assert tree.count(b"a/") == 7
    assert not tree.asks

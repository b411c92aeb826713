"""A stack whose list has lost a table, or has tables in the wrong order, is repaired before it is changed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.errors import FormatError
from engine.format import TABLES_LIST
from engine.merge import Expiry
from engine.stack import Stack
from tests.support.handmade import change_header
from tests.support.repairs import errors
from tests.support.stacks import LOOSE, add, add_branches, branch, list_tables, listed, lock, make_stack

CHANGES: dict[str, Callable[[Stack], object]] = {
    "add": lambda stack: add(stack, [branch(9, stack.next_update_index)]),
    "compact": Stack.compact_all,
    "compact a range": lambda stack: stack.compact(0, 2),
    "expire": lambda stack: stack.compact_all(Expiry(time=5)),
    "plan": lambda stack: stack.plan_compaction(0, 2),
}

DAMAGE: dict[str, Callable[[Path, list[str]], object]] = {
    "a hole": lambda path, tables: list_tables(path, [*tables[:2], *tables[3:]]),
    "the oldest lost": lambda path, tables: list_tables(path, tables[1:]),
    "the newest two lost": lambda path, tables: list_tables(path, tables[:3]),
    "reversed": lambda path, tables: list_tables(path, tables[::-1]),
    "two exchanged": lambda path, tables: list_tables(path, [tables[1], tables[0], *tables[2:]]),
    "one again": lambda path, tables: list_tables(path, [*tables, tables[1]]),
    "a limit that was never set": lambda path, tables: change_header(
        path / tables[-1], max_update_index=2**64 - 1
    ),
    "an older list, on which others went on": lambda path, tables: go_on(path, tables[:3]),
}


def go_on(path: Path, tables: list[str]) -> None:
    """Put an older list back and commit to it, as git does that looks at nothing beside it."""
    list_tables(path, tables)
    later = [one for one in path.iterdir() if one.name not in {*tables, TABLES_LIST}]
    data = [one.read_bytes() for one in later]
    for one in later:
        one.unlink()
    with Stack.open(path, LOOSE) as stack:
        add_branches(stack, 2, first=50)
    for one, content in zip(later, data, strict=True):
        one.write_bytes(content)


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("change", CHANGES)
def test_nothing_is_built_on_a_list_that_is_to_be_repaired(tmp_path: Path, change: str, damage: str) -> None:
    tables = make_stack(tmp_path, 5)
    DAMAGE[damage](tmp_path, tables)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with (
        Stack.open(tmp_path, LOOSE) as stack,
        pytest.raises(
            FormatError, match=r"states update indexes|does not follow|is not listed|there are tables"
        ),
    ):
        CHANGES[change](stack)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_update_indexes_that_records_have_are_no_limit_that_was_never_set(tmp_path: Path) -> None:
    high = 2**62 + 5
    with Stack.open(tmp_path, LOOSE) as stack:
        with stack.addition() as addition, addition.table() as writer:
            writer.set_limits(high, high)
            writer.add_ref(branch(1, high))
        add(stack, [branch(2, stack.next_update_index)])
        stack.compact_all()
        add(stack, [branch(3, stack.next_update_index)])
        assert [ref.update_index for ref in stack.refs()] == [high, high + 1, high + 2]
    assert not errors(tmp_path)


def test_what_a_writer_that_died_has_left_stops_no_other(tmp_path: Path) -> None:
    """A table that follows the last one; and one that a compaction has replaced, locked or not."""
    tables = make_stack(tmp_path, 4)
    list_tables(tmp_path, tables[:3])
    with Stack.open(tmp_path, LOOSE) as stack:
        add_branches(stack, 2, first=7)
        old = {name: (tmp_path / name).read_bytes() for name in listed(tmp_path)}
        stack.compact_all()
        for name, data in old.items():
            (tmp_path / name).write_bytes(data)
        add_branches(stack, 1, first=9)
    assert len(listed(tmp_path)) == 2


def test_tables_that_are_locked_are_on_their_way_out(tmp_path: Path) -> None:
    """A compaction that leaves nothing has taken them from the list, and removes them before their locks."""
    tables = make_stack(tmp_path, 4)
    list_tables(tmp_path, tables[2:])
    for name in tables[:2]:
        lock(tmp_path, name)
    with Stack.open(tmp_path, LOOSE) as stack:
        add_branches(stack, 1, first=9)
    assert len(listed(tmp_path)) == 3
    assert os.path.lexists(tmp_path / tables[0])

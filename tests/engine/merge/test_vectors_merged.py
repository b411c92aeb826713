"""The numbers of git's tests of merged tables (`u-reftable-merged.c`)."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from itertools import chain
from pathlib import Path

import pytest

from engine.errors import FormatError
from engine.format import HashId, LogRecord, RefRecord
from engine.merge import MergedTable
from engine.stack import Stack, StackOptions
from engine.table import Table, WriteOptions
from tests.support.stacks import LOOSE, add
from tests.support.tables import write_table

Merge = Callable[..., MergedTable]

A1 = RefRecord(b"a", 1, value=bytes((1,)) + bytes(19))
B1 = RefRecord(b"b", 1, value=bytes((1,)) + bytes(19))
C1 = RefRecord(b"c", 1, value=bytes((1,)) + bytes(19))
DEL_A2 = RefRecord(b"a", 2)
C3 = RefRecord(b"c", 3, value=bytes((2,)) + bytes(19))
D3 = RefRecord(b"d", 3, value=bytes((1,)) + bytes(19))


@pytest.fixture
def merge(tmp_path: Path) -> Generator[Merge]:
    """A function that makes a merged table of lists of refs or of log entries, oldest first."""
    opened: list[Table] = []

    def make(*parts: Sequence[RefRecord | LogRecord]) -> MergedTable:
        for part in parts:
            path = tmp_path / f"{len(opened)}.ref"
            refs = [record for record in part if isinstance(record, RefRecord)]
            logs = [record for record in part if isinstance(record, LogRecord)]
            write_table(path, refs, logs, WriteOptions(block_size=256, exact_log_message=True))
            opened.append(Table.open(path))
        return MergedTable(opened)

    yield make
    for table in opened:
        table.close()


def test_the_newest_version_of_each_ref_is_seen(merge: Merge) -> None:
    merged = merge([A1, B1, C1], [DEL_A2], [C3, D3])
    assert (merged.min_update_index, merged.max_update_index) == (1, 3)
    assert list(merged.refs(deletions=True)) == [DEL_A2, B1, C3, D3]
    assert list(merged.refs()) == [B1, C3, D3]
    assert merged.read_ref(b"a") is None
    assert merged.read_ref(b"c") == C3


def test_a_scan_can_begin_anywhere_and_as_often_as_wanted(merge: Merge) -> None:
    a, c = RefRecord(b"a", 1, value=bytes(20)), RefRecord(b"c", 1, value=bytes(20))
    b, d = RefRecord(b"b", 2, value=bytes(20)), RefRecord(b"d", 2, value=bytes(20))
    merged = merge([a, c], [b, d])
    for _ in range(5):
        assert list(chain.from_iterable(merged.ref_blocks(b"c"))) == [c, d]


def test_a_new_scan_is_not_disturbed_by_one_that_was_left(merge: Merge) -> None:
    a, c = RefRecord(b"a", 1, value=bytes(20)), RefRecord(b"c", 1, value=bytes(20))
    b, d = RefRecord(b"b", 2, value=bytes(20)), RefRecord(b"d", 2, value=bytes(20))
    merged = merge([a, c], [b, d])
    left = chain.from_iterable(merged.ref_blocks(b"b"))
    assert next(left) == b
    assert next(chain.from_iterable(merged.ref_blocks(b"a"))) == a


def log(update_index: int, old: int, new: int, message: bytes) -> LogRecord:
    return LogRecord(
        b"a",
        update_index,
        bytes((old,)) + bytes(19),
        bytes((new,)) + bytes(19),
        b"jane doe",
        b"jane@invalid",
        message=message,
    )


def test_the_newest_version_of_each_log_entry_is_seen(merge: Merge) -> None:
    two, one, three = log(2, 2, 0, b"message2"), log(1, 1, 2, b"message1"), log(3, 0, 3, b"message3")
    deleted = LogRecord(b"a", 2)
    merged = merge([two, one], [three], [deleted])
    assert (merged.min_update_index, merged.max_update_index) == (1, 3)
    assert list(merged.logs(deletions=True)) == [three, deleted, one]
    assert list(merged.logs()) == [three, one]
    assert list(chain.from_iterable(merged.log_blocks(b"a", 2, deletions=True))) == [deleted, one]
    assert list(chain.from_iterable(merged.log_blocks(b"a", 2))) == [one]


def test_tables_of_another_hash_function_are_refused(tmp_path: Path) -> None:
    with Stack.open(tmp_path, LOOSE) as stack:
        add(stack, [RefRecord(b"master", 1)])
        assert stack.hash_id is HashId.SHA1
    with pytest.raises(FormatError):
        Stack.open(tmp_path, StackOptions(hash_id=HashId.SHA256))
    other = tmp_path / "other"
    write_table(other, [RefRecord(b"x", 2)], options=WriteOptions(hash_id=HashId.SHA256))
    with Stack.open(tmp_path) as stack, Table.open(other) as table, pytest.raises(FormatError):
        MergedTable([*stack.tables, table])

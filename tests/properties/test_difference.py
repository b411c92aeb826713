"""Any two moments of any history differ as two dicts do, whatever was compacted between them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given, strategies as st

from engine.format import LogRecord, RefRecord
from engine.merge import MergedTable, RefChange, log_changes, ref_changes
from engine.stack import Stack, StackOptions
from tests.support.tables import oid

NAMES = [b"HEAD", *(b"refs/heads/%02d" % number for number in range(30)), b"refs/tags/" + b"long" * 20]
OPTIONS = StackOptions(auto_compact=False, skip_name_check=True, block_size=256, restart_interval=2)

REFS = st.dictionaries(st.sampled_from(NAMES), st.integers(0, 7), max_size=8)
"""By name: what kind of record, and with which of two values."""

MANY_REFS = st.builds(
    lambda step, kind: dict.fromkeys(NAMES[::step], kind), st.integers(1, 3), st.integers(0, 7)
)
LOGS = st.dictionaries(
    st.tuples(st.sampled_from(NAMES[:4]), st.integers(0, 3)), st.none() | st.integers(0, 3)
)
ADDITION = st.tuples(REFS | MANY_REFS, LOGS)
COMPACTION = st.tuples(st.integers(0, 8), st.integers(2, 8))
HISTORIES = st.lists(ADDITION | ADDITION | COMPACTION, max_size=9)

LogKey = tuple[bytes, int]


@dataclass
class Moment:
    """A view, and the refs and log entries that it should show."""

    view: MergedTable
    refs: dict[bytes, RefRecord] = field(default_factory=dict)
    logs: dict[LogKey, LogRecord] = field(default_factory=dict)


def ref(name: bytes, index: int, number: int) -> RefRecord:
    kind, value = number % 4, oid(number // 4)
    match kind:
        case 0:
            return RefRecord(name, index)
        case 1:
            return RefRecord(name, index, value)
        case 2:
            return RefRecord(name, index, value, oid(9))
        case _:
            return RefRecord(name, index, target=NAMES[number])


def entry(name: bytes, index: int, number: int | None) -> LogRecord:
    if number is None:
        return LogRecord(name, index)
    return LogRecord(name, index, oid(1), oid(number), b"A", b"a@b", number, 0, b"message\n")


def play(stack: Stack, history: list[tuple[object, object]]) -> Iterator[Moment]:
    """Do what the history says, and yield the moment before it and after each step."""
    now = Moment(stack.merged)
    yield now
    for first, second in history:
        now = Moment(stack.merged, dict(now.refs), dict(now.logs))
        if isinstance(first, int) and isinstance(second, int):
            start = min(first, len(stack.tables))
            stack.compact(start, min(start + second, len(stack.tables)))
        elif isinstance(first, dict) and isinstance(second, dict):
            add(stack, now, first, second)
        now.view = stack.merged
        yield now


def add(stack: Stack, now: Moment, refs: dict[bytes, int], logs: dict[LogKey, int | None]) -> None:
    index = stack.next_update_index
    ref_records = [ref(name, index, number) for name, number in refs.items()]
    log_records = {
        (name, max(index - age, 0)): entry(name, max(index - age, 0), number)
        for (name, age), number in logs.items()
    }
    with stack.addition() as addition, addition.table() as writer:
        writer.add_refs(ref_records)
        writer.add_logs(log_records.values())
    for record in ref_records:
        now.refs[record.name] = record
        if record.is_deletion:
            del now.refs[record.name]
    for key, log in log_records.items():
        now.logs[key] = log
        if log.is_deletion:
            del now.logs[key]


def meaning(record: RefRecord | None) -> tuple[object, ...] | None:
    return None if record is None else (record.value, record.peeled, record.target)


def expected(old: Moment, new: Moment) -> list[RefChange]:
    return [
        RefChange(name, old.refs.get(name), new.refs.get(name))
        for name in sorted(old.refs.keys() | new.refs.keys())
        if meaning(old.refs.get(name)) != meaning(new.refs.get(name))
    ]


@contextmanager
def new_stack() -> Iterator[Stack]:
    directory = Path(tempfile.mkdtemp())
    try:
        # Only a power cut could tell the difference, and the disk's pace must not be the tests' pace.
        with mock.patch("os.fsync"), Stack.open(directory, OPTIONS) as stack:
            yield stack
    finally:
        shutil.rmtree(directory)


@pytest.mark.filterwarnings("error")
@given(HISTORIES, st.sampled_from([b"", *NAMES, b"refs/heads/", b"zz"]))
def test_any_two_moments_differ_as_their_dicts_do(history: list[tuple[object, object]], start: bytes) -> None:
    with new_stack() as stack:
        moments = list(play(stack, history))
        for old in moments:
            for new in moments:
                parts = list(ref_changes(old.view, new.view))
                changes = expected(old, new)
                assert [change for part in parts for change in part] == changes
                later = [change for part in ref_changes(old.view, new.view, start) for change in part]
                assert later == [change for change in changes if change.name >= start]
                counts = list(log_changes(old.view, new.view))
                both = {key for key, log in old.logs.items() if new.logs.get(key) == log}
                assert sum(count.added for count in counts) == len(new.logs.keys() - both)
                assert sum(count.dropped for count in counts) == len(old.logs.keys() - both)

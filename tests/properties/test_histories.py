"""Any history of a stack gives the refs of a dict and the logs of another, whatever was compacted when."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from itertools import chain, pairwise
from pathlib import Path
from unittest import mock

import hypothesis
import pytest
from hypothesis import given, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from engine.errors import Cancelled, LockError, OutdatedError
from engine.format import HashId, LogRecord, RefRecord, parse_table_name
from engine.merge import Expiry, MergedTable, merge_blocks
from engine.progress import Progress
from engine.stack import LockFile, Policy, Stack, StackOptions
from tests.properties.layers import (
    Layer,
    compacted,
    in_log_order,
    in_ref_order,
    live_logs,
    live_refs,
    merged,
)
from tests.support.tables import oid, stack_files, write_table

NAMES = [
    b"HEAD",
    b"refs/heads/a",
    b"refs/heads/a-b",
    b"refs/heads/a\x80",
    b"refs/heads/b\xff",
    b"refs/heads/" + b"long" * 40,
    b"refs/tags/v1",
]
OIDS = 5

REF_CHANGES = st.dictionaries(st.sampled_from(NAMES), st.integers(0, 4 * OIDS - 1), max_size=4)
"""By name: the kind of the new record, and what it holds."""

LOG_CHANGES = st.dictionaries(
    st.tuples(st.sampled_from(NAMES), st.integers(0, 3)), st.none() | st.integers(0, 4), max_size=3
)
"""By name and how many update indexes ago: the time of the entry, or None for a tombstone."""

Changes = list[tuple[dict[bytes, int], dict[tuple[bytes, int], int | None]]]
"""The tables of one transaction: changes of refs, and of logs."""

TABLES = st.lists(st.tuples(REF_CHANGES, LOG_CHANGES), min_size=1, max_size=4)
EXPIRIES = st.none() | st.tuples(st.integers(0, 4), st.integers(0, 12)).map(lambda limits: Expiry(*limits))
POLICIES = st.sampled_from([("log2", 2), ("geometric", 2), ("geometric", 5)])


class History(RuleBasedStateMachine):
    """One stack, two handles on it, and what both should show."""

    @initialize(
        hash_id=st.sampled_from(HashId),
        block_size=st.sampled_from([700, 4096]),
        restart_interval=st.sampled_from([1, 3, 16]),
        unpadded=st.booleans(),
    )
    def begin(self, hash_id: HashId, block_size: int, restart_interval: int, unpadded: bool) -> None:
        self.cleanup = ExitStack()
        # Only a power cut could tell the difference, and the disk's pace must not be the tests' pace.
        self.cleanup.enter_context(mock.patch("os.fsync"))
        self.directory = Path(tempfile.mkdtemp())
        self.cleanup.callback(shutil.rmtree, self.directory)
        self.scratch = self.directory.with_suffix(".ref")
        self.cleanup.callback(self.scratch.unlink, missing_ok=True)
        self.options = StackOptions(
            block_size=block_size,
            restart_interval=restart_interval,
            unpadded=unpadded,
            hash_id=hash_id,
            auto_compact=False,
        )
        self.stack = self.open()
        self.other = self.open()
        self.refs: dict[bytes, RefRecord] = {}
        self.layers: list[Layer] = []
        self.other_layers: list[Layer] = []
        self.views: list[tuple[MergedTable, list[Layer]]] = []

    def open(self, policy: Policy = "log2", factor: int = 2, *, auto_compact: bool = False) -> Stack:
        options = replace(self.options, policy=policy, factor=factor, auto_compact=auto_compact)
        return Stack.open(self.directory, options)

    def teardown(self) -> None:
        self.stack.close()
        self.other.close()
        self.cleanup.close()

    # Changes

    def change(self, stack: Stack, tables: Changes) -> None:
        """Add tables in one transaction, and do the same to the dicts."""
        with stack.addition() as addition:
            for ref_changes, log_changes in tables:
                index = addition.update_index
                layer = Layer(index, index)
                for name, number in ref_changes.items():
                    layer.refs[name] = self.ref(name, index, number)
                for (name, age), time in log_changes.items():
                    log = self.log(name, max(index - age, 0), time)
                    layer.logs[log.name, log.update_index] = log
                with addition.table() as writer:
                    writer.add_refs(layer.refs.values())
                    writer.add_logs(layer.logs.values())
                if layer.is_empty:
                    assert addition.update_index == index
                    continue
                self.layers.append(layer)
                for name, ref in layer.refs.items():
                    self.refs[name] = ref
                    if ref.is_deletion:
                        del self.refs[name]

    def ref(self, name: bytes, index: int, number: int) -> RefRecord:
        size = (self.options.hash_id or HashId.SHA1).size
        value = oid(number // 4, size)
        match number % 4:
            case 0:
                return RefRecord(name, index)
            case 1:
                return RefRecord(name, index, value=value)
            case 2:
                return RefRecord(name, index, value=value, peeled=oid(number // 4 + 1, size))
            case _:
                return RefRecord(name, index, target=NAMES[number % len(NAMES)])

    def log(self, name: bytes, index: int, time: int | None) -> LogRecord:
        if time is None:
            return LogRecord(name, index)
        size = (self.options.hash_id or HashId.SHA1).size
        message = b"message %d\n" % time
        return LogRecord(name, index, oid(time, size), oid(index, size), b"A", b"a@b", time, -130, message)

    @rule(tables=TABLES)
    def add(self, tables: Changes) -> None:
        self.change(self.stack, tables)

    @rule(tables=TABLES)
    def add_through_the_other_handle(self, tables: Changes) -> None:
        self.reload_the_other_handle()
        self.change(self.other, tables)
        self.other_layers = list(self.layers)
        self.stack.reload()

    @rule(tables=TABLES)
    def fail_in_a_transaction(self, tables: Changes) -> None:
        before, refs, layers = stack_files(self.directory), dict(self.refs), list(self.layers)
        with pytest.raises(RuntimeError, match="give up"):
            self.give_up(tables)
        assert stack_files(self.directory) == before
        assert (self.refs, self.layers) == (refs, layers)

    def give_up(self, tables: Changes) -> None:
        with self.stack.addition() as addition:
            for ref_changes, _ in tables:
                with addition.table() as writer:
                    writer.add_refs(self.ref(name, addition.update_index, 1) for name in ref_changes)
            raise RuntimeError("give up")

    @precondition(lambda self: len(self.layers) != len(self.other_layers))
    @rule()
    def be_refused_as_outdated(self) -> None:
        with pytest.raises(OutdatedError), self.other.addition():
            pass
        assert self.other.reload()
        self.other_layers = list(self.layers)

    # Compactions

    def compact_layers(
        self, first: int, end: int, expiry: Expiry | None, *, at_bottom: bool | None = None
    ) -> None:
        at_bottom = first == 0 if at_bottom is None else at_bottom
        layer, _ = compacted(self.layers[first:end], expiry, at_bottom=at_bottom)
        self.layers[first:end] = [] if layer.is_empty else [layer]

    @rule(data=st.data(), expiry=EXPIRIES)
    def compact_as_planned(self, data: st.DataObject, expiry: Expiry | None) -> None:
        count = len(self.layers)
        first = data.draw(st.integers(0, count), label="first")
        end = data.draw(st.integers(first, count), label="end")
        before = stack_files(self.directory)
        plan = self.stack.plan_compaction(first, end, expiry)
        assert stack_files(self.directory) == before
        assert list(plan.names) == [table.name for table in self.stack.tables]
        self.stack.apply(plan)
        files = stack_files(self.directory)
        if plan.is_noop:
            assert files == before
            return
        layer, dropped = compacted(self.layers[first:end], expiry, at_bottom=first == 0)
        assert plan.dropped == dropped
        assert [(table.size, table.min_update_index, table.max_update_index) for table in plan.after] == [
            (table.size, table.min_update_index, table.max_update_index) for table in self.stack.tables
        ]
        assert (plan.bytes == 0) == layer.is_empty
        if not layer.is_empty:
            # The bytes are those that a writer makes of the records, and as many as the plan said.
            written = files[self.stack.tables[first].name]
            assert plan.bytes == len(written)
            write_table(self.scratch, layer.refs.values(), layer.logs.values(), self.options, layer.limits)
            assert written == self.scratch.read_bytes()
        self.compact_layers(first, end, expiry)

    @rule(expiry=EXPIRIES)
    def compact_all(self, expiry: Expiry | None) -> None:
        self.stack.compact_all(expiry)
        if len(self.layers) > 1 or (self.layers and expiry is not None):
            self.compact_layers(0, len(self.layers), expiry)

    @rule(policy=POLICIES)
    def auto_compact(self, policy: tuple[Policy, int]) -> None:
        with self.open(*policy) as handle:
            segment = handle.suggestion()
            handle.auto_compact()
            if len(segment) > 1:
                self.compact_layers(segment.start, segment.end, None)
        self.stack.reload()

    @rule(tables=TABLES, policy=POLICIES)
    def add_with_auto_compaction(self, tables: Changes, policy: tuple[Policy, int]) -> None:
        with self.open(*policy, auto_compact=True) as handle:
            self.change(handle, tables)
            self.follow_compaction(handle)
        self.stack.reload()

    def follow_compaction(self, handle: Stack) -> None:
        """Compact the layers that the handle, by what is left of its tables, has compacted."""
        limits = [(table.min_update_index, table.max_update_index) for table in handle.tables]
        gone = [number for number, layer in enumerate(self.layers) if layer.limits not in limits]
        if gone:
            self.compact_layers(gone[0], gone[-1] + 1, None)

    @rule(data=st.data(), policy=POLICIES)
    def auto_compact_beside_a_locked_table(self, data: st.DataObject, policy: tuple[Policy, int]) -> None:
        with self.open(*policy) as handle:
            segment = handle.suggestion()
            if len(segment) < 2:
                return
            locked = data.draw(st.integers(segment.start, segment.end - 1), label="locked")
            with LockFile(f"{self.directory}/{handle.tables[locked].name}"):
                if segment.end - (locked + 1) < 2:
                    with pytest.raises(LockError):
                        handle.auto_compact()
                else:
                    handle.auto_compact()
                    self.compact_layers(locked + 1, segment.end, None)
        self.stack.reload()

    @rule(expiry=EXPIRIES)
    def stop_a_compaction(self, expiry: Expiry | None) -> None:
        def stop(_: Progress) -> None:
            raise Cancelled

        before = stack_files(self.directory)
        if len(self.layers) > 1:
            with pytest.raises(Cancelled):
                self.stack.compact_all(expiry, stop)
        assert stack_files(self.directory) == before

    @precondition(lambda self: len(self.layers) > 3)
    @rule(data=st.data(), expiry=EXPIRIES, tables=TABLES)
    def compact_while_others_compact_and_add(
        self, data: st.DataObject, expiry: Expiry | None, tables: Changes
    ) -> None:
        count = len(self.layers)
        first = data.draw(st.integers(2, count - 2), label="first")
        end = data.draw(st.integers(first + 2, count), label="end")
        front = data.draw(st.integers(0, first), label="front")
        self.compact_with_interference(first, end, expiry, front, tables)

    def compact_with_interference(
        self, first: int, end: int, expiry: Expiry | None, front: int, tables: Changes
    ) -> None:
        """Compact a range while another handle compacts the first `front` tables and adds some."""
        oldest = self.layers[first]
        chances = iter([True])

        def interfere(_: Progress) -> None:
            if next(chances, False):
                with self.open() as other:
                    other.compact(0, front)
                    if front > 1:
                        self.compact_layers(0, front, None)
                    self.change(other, tables)

        self.stack.compact(first, end, expiry, interfere)
        assert not next(chances, False)
        start = next(number for number, layer in enumerate(self.layers) if layer is oldest)
        self.compact_layers(start, start + end - first, expiry, at_bottom=False)

    # Handles and views

    @rule()
    def reload_the_other_handle(self) -> None:
        self.other.reload()
        self.other_layers = list(self.layers)

    @rule()
    def reopen(self) -> None:
        self.stack.close()
        self.stack = self.open()
        self.views.clear()

    @precondition(lambda self: len(self.views) < 2)
    @rule()
    def keep_a_view(self) -> None:
        self.views.append((self.stack.merged, list(self.layers)))

    # What must hold

    @invariant()
    def everything_agrees(self) -> None:
        self.refs_are_those_of_the_dict()
        self.tables_are_the_layers()
        self.lookups_agree_with_scans()
        self.refs_are_found_by_object_id()
        self.each_moment_can_be_seen_again()
        self.tombstones_are_shown_on_request()
        self.older_views_and_handles_stay_good()
        self.the_directory_holds_the_stack_and_nothing_else()

    def refs_are_those_of_the_dict(self) -> None:
        assert list(self.stack.refs()) == in_ref_order(self.refs)
        assert list(self.stack.logs()) == live_logs(self.layers)
        assert self.stack.next_update_index == max((layer.high for layer in self.layers), default=0) + 1

    def tables_are_the_layers(self) -> None:
        assert len(self.stack.tables) == len(self.layers)
        for table, layer in zip(self.stack.tables, self.layers, strict=True):
            name = parse_table_name(table.name)
            assert name is not None
            assert (name.min_update_index, name.max_update_index) == layer.limits
            assert (table.min_update_index, table.max_update_index) == layer.limits
            assert list(table.refs()) == in_ref_order(layer.refs)
            assert list(table.logs()) == in_log_order(layer.logs)
        for older, newer in pairwise(self.stack.tables):
            assert older.max_update_index < newer.min_update_index

    def lookups_agree_with_scans(self) -> None:
        logs = live_logs(self.layers)
        for name in [*NAMES, b"refs/heads/", b"refs/heads/a-", b"zz"]:
            assert self.stack.read_ref(name) == self.refs.get(name)
            entries = [log for log in logs if log.name == name]
            assert list(self.stack.logs(name)) == entries
            assert self.stack.read_log(name) == next(iter(entries), None)
            versions = [
                (position, layer.refs[name])
                for position, layer in reversed(list(enumerate(self.layers)))
                if name in layer.refs
            ]
            found = self.stack.merged.versions(name)
            assert [(version.position, version.record) for version in found] == versions
            assert [version.wins for version in found] == [number == 0 for number in range(len(found))]

    def refs_are_found_by_object_id(self) -> None:
        size = (self.options.hash_id or HashId.SHA1).size
        for number in range(OIDS + 2):
            wanted = oid(number, size)
            expected = [ref for ref in in_ref_order(self.refs) if wanted in (ref.value, ref.peeled)]
            assert list(self.stack.refs_for(wanted)) == expected

    def each_moment_can_be_seen_again(self) -> None:
        for count in range(len(self.layers) + 1):
            view = self.stack.merged.as_of(count)
            assert list(view.refs()) == live_refs(self.layers[:count])
            assert list(view.logs()) == live_logs(self.layers[:count])

    def tombstones_are_shown_on_request(self) -> None:
        everything = merged(self.layers) if self.layers else Layer(0, 0)
        assert list(self.stack.merged.refs(deletions=True)) == in_ref_order(everything.refs)
        assert list(self.stack.merged.logs(deletions=True)) == in_log_order(everything.logs)

    def older_views_and_handles_stay_good(self) -> None:
        for view, layers in [*self.views, (self.other.merged, self.other_layers)]:
            assert list(view.refs()) == live_refs(layers)
            assert list(view.logs()) == live_logs(layers)

    def the_directory_holds_the_stack_and_nothing_else(self) -> None:
        expected = {table.name for table in self.stack.tables}
        found = set(os.listdir(self.directory))
        assert found - {"tables.list"} == expected
        if "tables.list" in found:
            listed = (self.directory / "tables.list").read_text().splitlines()
            assert listed == [table.name for table in self.stack.tables]
        assert self.stack.plan_clean().removed == ()


History.TestCase.settings = hypothesis.settings(
    max_examples=hypothesis.settings.default.max_examples // 3,
    stateful_step_count=20,
)
TestHistories = pytest.mark.filterwarnings("error")(History.TestCase)


@pytest.mark.parametrize(("first", "end", "front"), [(2, 4, 0), (2, 4, 2), (2, 5, 2), (3, 5, 2), (3, 5, 3)])
def test_compactions_and_additions_at_the_same_time_lose_nothing(first: int, end: int, front: int) -> None:
    history = History()
    history.begin(HashId.SHA1, 4096, 16, unpadded=False)
    try:
        history.add([({name: 1}, {(name, 0): 1}) for name in NAMES[:5]])
        history.compact_with_interference(first, end, None, front, [({NAMES[5]: 1}, {}), ({NAMES[0]: 0}, {})])
        history.everything_agrees()
    finally:
        history.teardown()


Stream = list[list[tuple[int, str]]]

_FEW_KEYS = st.sets(st.integers(0, 60))
_MANY_KEYS = st.builds(lambda step: set(range(0, 120, step)), st.integers(1, 4))


@st.composite
def streams(draw: st.DrawFn) -> list[Stream]:
    """Draw streams of lists, each with its keys in order; an item knows the stream that it is of."""
    drawn: list[Stream] = []
    for number in range(draw(st.integers(0, 5))):
        keys = sorted(draw(_FEW_KEYS | _MANY_KEYS))
        cuts = sorted(draw(st.lists(st.integers(0, len(keys)), max_size=6)))
        parts = [keys[low:high] for low, high in pairwise([0, *cuts, len(keys)])]
        drawn.append([[(key, f"stream {number}") for key in part] for part in parts])
    return drawn


@given(streams())
def test_merge_blocks_keeps_the_newest_item_of_each_key(streams: list[Stream]) -> None:
    newest: dict[int, tuple[int, str]] = {}
    for stream in streams:
        newest.update((item[0], item) for item in chain.from_iterable(stream))
    lists = list(merge_blocks(streams, lambda item: b"%08d" % item[0]))
    assert all(lists)
    assert list(chain.from_iterable(lists)) == [newest[key] for key in sorted(newest)]

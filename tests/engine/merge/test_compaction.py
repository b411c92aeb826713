"""Merging tables into one: what stays, what drops out, what is counted, and dry runs that touch nothing."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from engine.errors import ApiError, Cancelled, FormatError
from engine.format import HashId, LogRecord, RefRecord, log_order
from engine.merge import Dropped, Expiry, Segment, compact_tables, plan_compaction
from engine.progress import Progress
from engine.stack import Stack, StackOptions
from engine.table import Table, WriteOptions
from tests.support.handmade import Handmade, change_byte, change_header
from tests.support.stacks import LOOSE, add, add_branches, branch, entry, names, same, traces
from tests.support.tables import oid, write_table

Part = Sequence[RefRecord | LogRecord]
Result = tuple[Dropped, list[RefRecord], list[LogRecord], bytes]
Compact = Callable[..., Result]


def split(part: Part) -> tuple[list[RefRecord], list[LogRecord]]:
    refs = [record for record in part if isinstance(record, RefRecord)]
    return refs, [record for record in part if isinstance(record, LogRecord)]


@pytest.fixture
def compact(tmp_path: Path) -> Generator[Compact]:
    """A function that writes tables of these records, oldest first, and merges them."""
    opened: list[Table] = []

    def make(
        *parts: Part,
        base: bool = True,
        expiry: Expiry | None = None,
        source: WriteOptions | None = None,
        **options: object,
    ) -> Result:
        first = len(opened)
        for part in parts:
            path = tmp_path / f"{len(opened)}.ref"
            exact = replace(source or WriteOptions(), exact_log_message=True)
            write_table(path, *split(part), exact)
            opened.append(Table.open(path))
        written = bytearray()
        compacted = compact_tables(
            opened[first:],
            written.extend,
            WriteOptions(**options),  # type: ignore[arg-type]
            drop_tombstones=base,
            expiry=expiry,
        )
        assert compacted.table.size == len(written)
        path = tmp_path / f"{len(opened)}.ref"
        path.write_bytes(written)
        opened.append(Table.open(path))
        refs, logs = list(opened[-1].refs()), list(opened[-1].logs())
        assert compacted.entries == len(refs) + len(logs)
        return compacted.dropped, refs, logs, bytes(written)

    yield make
    for table in opened:
        table.close()


def ref(name: bytes, index: int, value: int | None = 1) -> RefRecord:
    return RefRecord(name, index, value=None if value is None else oid(value))


def test_the_newest_version_of_each_key_stays(compact: Compact) -> None:
    dropped, refs, logs, _ = compact(
        [ref(b"a", 1), ref(b"b", 1), entry(b"a", 1, message=b"old\n")],
        [ref(b"a", 2, 5), entry(b"a", 1, message=b"new\n"), entry(b"a", 2)],
    )
    assert refs == [ref(b"a", 2, 5), ref(b"b", 1)]
    assert logs == [entry(b"a", 2), entry(b"a", 1, message=b"new\n")]
    assert dropped == Dropped(shadowed=2)


def test_compact_keeps_tombstones_above_the_base(compact: Compact) -> None:
    parts: list[Part] = [
        [ref(b"a", 1), ref(b"b", 1), entry(b"a", 1)],
        [ref(b"a", 2, None), ref(b"z", 2, None), LogRecord(b"a", 1)],
    ]
    dropped, refs, logs, _ = compact(*parts, base=False)
    assert refs == [ref(b"a", 2, None), ref(b"b", 1), ref(b"z", 2, None)]
    assert logs == [LogRecord(b"a", 1)]
    assert dropped == Dropped(shadowed=2)
    dropped, refs, logs, _ = compact(*parts, base=True)
    assert refs == [ref(b"b", 1)]
    assert logs == []
    assert dropped == Dropped(shadowed=2, tombstones=3)


def marker(name: bytes, update_index: int, message: bytes = b"\n") -> LogRecord:
    """What git leaves of a reflog without entries; a compaction gives every message a newline."""
    return LogRecord(name, update_index, bytes(20), bytes(20), message=message)


LOGS = [entry(b"HEAD", index, time=index * 10) for index in range(1, 8)]


@pytest.mark.parametrize(
    ("expiry", "kept"),
    [
        (None, [1, 2, 3, 4, 5, 6, 7]),
        (Expiry(), [1, 2, 3, 4, 5, 6, 7]),
        (Expiry(time=30), [3, 4, 5, 6, 7]),  # an entry of that very time stays
        (Expiry(time=31), [4, 5, 6, 7]),
        (Expiry(min_update_index=3), [3, 4, 5, 6, 7]),
        (Expiry(time=30, min_update_index=5), [5, 6, 7]),
        (Expiry(time=50, min_update_index=3), [5, 6, 7]),
        (Expiry(time=2**63), []),
        (Expiry(min_update_index=2**64 - 1), []),
    ],
)
def test_logs_expire_by_time_and_by_update_index(
    compact: Compact, expiry: Expiry | None, kept: list[int]
) -> None:
    dropped, refs, logs, _ = compact([ref(b"HEAD", 1)], LOGS, expiry=expiry)
    assert sorted(log.update_index for log in logs if not log.is_marker) == kept
    assert [log for log in logs if log.is_marker] == ([] if kept else [marker(b"HEAD", 7)])
    assert refs == [ref(b"HEAD", 1)], "refs never expire"
    assert dropped == Dropped(expired=7 - len(kept))


def test_a_log_tombstone_above_the_base_never_expires(compact: Compact) -> None:
    """It may hide an older entry, which would come back."""
    dropped, _, logs, _ = compact(
        [LogRecord(b"HEAD", 2), *LOGS[2:]], base=False, expiry=Expiry(min_update_index=99)
    )
    assert logs == [marker(b"HEAD", 7), LogRecord(b"HEAD", 2)]
    assert dropped == Dropped(expired=5)


def test_a_marker_takes_the_place_of_the_last_entry_of_each_reflog(compact: Compact) -> None:
    """Without it git would log no further update of a ref that gets no reflog by itself."""
    parts = [
        *(entry(name, index, time=index * 10) for name in (b"a", b"b", b"c") for index in (1, 2, 3)),
        marker(b"d", 4),
        marker(b"e", 5),
        entry(b"e", 1, time=10),
        entry(b"f", 1, time=90),  # a newer update that a clock put before an older one
        entry(b"f", 2, time=10),
    ]
    for message, exact in ((b"", True), (b"\n", False)):
        dropped, _, logs, _ = compact(
            sorted(parts, key=log_order), expiry=Expiry(time=50, spared=(b"b",)), exact_log_message=exact
        )
        assert logs == [
            marker(b"a", 3, message),
            *(entry(b"b", index, time=index * 10) for index in (3, 2, 1)),
            marker(b"c", 3, message),
            marker(b"d", 4),
            marker(b"e", 5),
            entry(b"f", 1, time=90),
        ]
        assert dropped == Dropped(expired=8)
    _, _, logs, _ = compact(sorted(parts, key=log_order), base=False)
    assert marker(b"d", 4) in logs, "a compaction without expiry leaves markers alone"


def test_tombstones_stay_behind_the_marker_that_waits_for_them(compact: Compact) -> None:
    tombstones = [LogRecord(b"HEAD", index) for index in (4, 2)]
    old, young = entry(b"HEAD", 5, time=10), entry(b"HEAD", 1, time=90)
    _, _, logs, _ = compact([old, *tombstones, young], base=False, expiry=Expiry(time=50))
    assert logs == [*tombstones, young]
    _, _, logs, _ = compact([old, *tombstones], base=False, expiry=Expiry(time=50))
    assert logs == [marker(b"HEAD", 5), *tombstones]


@pytest.mark.parametrize(
    ("expiry", "limits"),
    [
        (Expiry(5, 7), {b"refs/heads/x": (5, 7), b"refs/stash": (0, 0)}),
        (Expiry(5, only=(b"refs/*",)), {b"refs/heads/x": (5, 0), b"refs/stash": (0, 0), b"HEAD": (0, 0)}),
        (Expiry(5, only=(b"refs/stash",)), {b"refs/heads/x": (0, 0), b"refs/stash": (5, 0)}),
        (Expiry(5, 7, spared=(b"refs/heads/[^a]",)), {b"refs/heads/x": (0, 0), b"refs/heads/a": (5, 7)}),
        (Expiry(5, only=(b"*",), spared=(b"*/x",)), {b"refs/heads/x": (0, 0), b"HEAD": (5, 0)}),
        (
            Expiry(5, times=((b"refs/heads/*", 8), (b"refs/*", 9))),
            {b"refs/heads/a/b": (8, 0), b"refs/stash": (9, 0), b"HEAD": (5, 0)},
        ),
    ],
)
def test_which_limits_count_for_a_ref(expiry: Expiry, limits: dict[bytes, tuple[int, int]]) -> None:
    """The stash goes only if it is named: its reflog is all there is of older stashes."""
    assert {name: expiry.limits(name) for name in limits} == limits


def test_a_newer_version_expires_with_what_it_shadows(compact: Compact) -> None:
    _, _, logs, _ = compact(
        [entry(b"HEAD", 1, time=100)],
        [entry(b"HEAD", 1, time=5), entry(b"x", 2, time=100)],
        expiry=Expiry(time=50),
    )
    assert logs == [marker(b"HEAD", 1), entry(b"x", 2, time=100)], "the shadowed entry is not revived"


@pytest.mark.parametrize(
    ("message", "normalised"),
    [
        (b"one", b"one\n"),
        (b"", b"\n"),
        (b"\n", b"\n"),
        (b"one\n", b"one\n"),
        (b"one\n\n\n", b"one\n"),
        (b"x" * 127, b"x" * 127 + b"\n"),
        (b"one\ntwo", b"one\ntwo"),  # what git would refuse to compact stays as it is
        (b"one\ntwo\n", b"one\ntwo\n"),
    ],
)
def test_messages_are_normalised_unless_they_are_to_stay_exact(
    compact: Compact, message: bytes, normalised: bytes
) -> None:
    logs = [entry(b"HEAD", 1, message=message), entry(b"HEAD/x", 1), entry(b"Y", 1, message=message)]
    _, _, found, data = compact(logs)
    assert [log.message for log in found] == [normalised, b"message\n", normalised]
    assert data == compact(logs, source=WriteOptions(restart_interval=1))[3], (
        "as written, however it was stored"
    )
    _, _, found, _ = compact(logs, exact_log_message=True)
    assert [log.message for log in found] == [message, b"message\n", message]


@pytest.mark.parametrize("hash_id", HashId)
@pytest.mark.parametrize("block_size", [256, 4096])
@pytest.mark.parametrize("unpadded", [False, True])
@pytest.mark.parametrize("interval", [1, 5, 16])
def test_a_compaction_writes_what_a_writer_would(
    compact: Compact, tmp_path: Path, hash_id: HashId, block_size: int, unpadded: bool, interval: int
) -> None:
    """Whatever the layout of what it merges: prefixes, restarts, indexes and object ids are made anew."""
    size = hash_id.size
    old = [RefRecord(b"refs/heads/%03d" % i, 1, value=oid(i % 40, size)) for i in range(120)]
    new: list[RefRecord] = []
    for i in range(0, 130, 3):
        record = RefRecord(b"refs/heads/%03d" % i, 300)
        if i % 4 == 0:
            record.value, record.peeled = oid(i, size), oid(i + 1, size)
        elif i % 4 == 1:
            record.target = b"refs/heads/%03d" % (i + 1)
        elif i % 4 == 2:
            record.value = oid(i, size)
        new.append(record)
    old_logs = [LogRecord(r.name, 1, same(1, size), same(2, size), message=b"old\n") for r in old]
    new_logs = [LogRecord(r.name, 300, same(2, size), same(3, size), message=b"new\n") for r in new]
    deleted = [LogRecord(r.name, 1) for r in new[::5]]
    source = WriteOptions(hash_id=hash_id, block_size=512, restart_interval=7)
    options = {
        "block_size": block_size,
        "unpadded": unpadded,
        "restart_interval": interval,
        "hash_id": hash_id,
    }
    _, refs, logs, data = compact([*old, *old_logs], [*new, *new_logs, *deleted], source=source, **options)
    newest = {r.name: r for r in [*old, *new]}
    assert refs == [newest[name] for name in sorted(newest) if not newest[name].is_deletion]
    newest_logs = {(log.name, -log.update_index): log for log in [*old_logs, *new_logs, *deleted]}
    assert logs == [newest_logs[key] for key in sorted(newest_logs) if not newest_logs[key].is_deletion]
    write_table(tmp_path / "expected", refs, logs, WriteOptions(**options), (1, 300))  # type: ignore[arg-type]
    assert data == (tmp_path / "expected").read_bytes()


def test_update_indexes_survive_other_limits(compact: Compact) -> None:
    """They are stored as the distance from the table's lower limit, which is lower after the merge."""
    high = [ref(b"a", 1000), ref(b"c", 1200)]
    _, refs, _, _ = compact([ref(b"b", 3)], high)
    assert refs == [high[0], ref(b"b", 3), high[1]]


def test_nothing_left_is_an_empty_table(compact: Compact) -> None:
    dropped, refs, logs, data = compact([ref(b"a", 1)], [ref(b"a", 2, None)])
    assert (refs, logs, len(data)) == ([], [], 92)
    assert dropped == Dropped(shadowed=1, tombstones=1)


@pytest.mark.parametrize("offset", [-120, 28])
def test_a_damaged_table_is_not_compacted(tmp_path: Path, offset: int) -> None:
    path = tmp_path / "t"
    write_table(path, [branch(number) for number in range(9)], [entry(b"HEAD", 1)])
    change_byte(path, offset % path.stat().st_size, 0x30)
    with Table.open(path) as table, pytest.raises(FormatError):
        compact_tables([table], len, WriteOptions(), drop_tombstones=True)


@pytest.mark.parametrize("kind", [RefRecord, LogRecord])
def test_keys_that_go_back_from_block_to_block_are_not_compacted(tmp_path: Path, kind: type) -> None:
    table = Handmade()
    append = table.refs if kind is RefRecord else table.logs
    append([kind(b"b", 1)])
    append([kind(b"a", 1)])
    table.write(tmp_path / "t")
    with Table.open(tmp_path / "t") as opened, pytest.raises(FormatError, match="sort after"):
        compact_tables([opened], len, WriteOptions(), drop_tombstones=False)


def test_a_table_whose_limits_are_no_range_is_not_compacted(tmp_path: Path) -> None:
    write_table(tmp_path / "t", [branch(1, 5)])
    change_header(tmp_path / "t", min_update_index=5, max_update_index=4)
    with Table.open(tmp_path / "t") as table, pytest.raises(FormatError) as caught:
        compact_tables([table], len, WriteOptions(), drop_tombstones=True)
    assert (caught.value.name, caught.value.offset) == ("t", 8)


def fill(stack: Stack) -> None:
    add(
        stack,
        [branch(number, 1) for number in range(50)],
        [entry(branch(n).name, 1, time=n) for n in range(50)],
    )
    add(
        stack,
        [branch(number, 2) for number in range(10)],
        [entry(branch(n).name, 2, time=n) for n in range(10)],
    )
    add(stack, [RefRecord(branch(number).name, 3) for number in range(5)], [LogRecord(branch(1).name, 1)])
    add(stack, [branch(number, 4) for number in range(60, 62)])


@pytest.mark.parametrize("options", [LOOSE, replace(LOOSE, block_size=256), replace(LOOSE, unpadded=True)])
@pytest.mark.parametrize("expiry", [None, Expiry(time=7), Expiry(min_update_index=2)])
@pytest.mark.parametrize(("first", "end"), [(0, 4), (0, 2), (1, 3), (2, 4), (0, 1), (3, 4)])
def test_a_plan_says_exactly_what_its_application_does(
    tmp_path: Path, first: int, end: int, expiry: Expiry | None, options: StackOptions
) -> None:
    with Stack.open(tmp_path, options) as stack:
        fill(stack)
        tables = stack.tables
        untouched = traces(tmp_path)
        plan = stack.plan_compaction(first, end, expiry)
        assert traces(tmp_path) == untouched
        assert (plan.first, plan.end, plan.expiry) == (first, end, expiry)
        assert plan.names == tuple(names(stack)) == tuple(table.name for table in plan.before)
        assert [table.size for table in plan.before] == [table.size for table in tables]
        assert plan.is_noop is (end - first == 1 and expiry is None)
        read = sum(len(list(table.refs())) + len(list(table.logs())) for table in tables[first:end])
        refs, logs = list(stack.refs()), list(stack.logs())
        stack.apply(plan)
        after = [table.name for table in plan.after]
        if plan.is_noop:
            assert (stack.tables, plan.before, plan.bytes) == (tables, plan.after, 0)
            return
        assert after == [*plan.names[:first], None, *plan.names[end:]]
        assert [table.size for table in plan.after] == [table.size for table in stack.tables]
        merged = stack.tables[first]
        assert plan.bytes == merged.size
        summary = plan.after[first]
        assert (summary.min_update_index, summary.max_update_index) == (
            merged.min_update_index,
            merged.max_update_index,
        )
        kept = list(merged.logs())
        written = len(list(merged.refs())) + len(kept) - sum(log.is_marker for log in kept)
        dropped = plan.dropped
        assert read - written == dropped.shadowed + dropped.tombstones + dropped.expired
        assert sum(log.expired for log in plan.logs) == dropped.expired
        left = [log.name for log in kept if not (log.is_marker or log.is_deletion)]
        assert all(log.kept == left.count(log.name) for log in plan.logs)
        assert list(stack.refs()) == refs
        if expiry is None:
            assert list(stack.logs()) == logs


@pytest.mark.parametrize("hash_id", list(HashId))
def test_a_plan_needs_nothing_but_the_tables(tmp_path: Path, hash_id: HashId) -> None:
    """No handle, so that any thread can make it; and the tables say what their hash function is."""
    with Stack.open(tmp_path, replace(LOOSE, hash_id=hash_id)) as stack:
        for index in (1, 2):
            value = bytes([index]) * hash_id.size
            add(stack, [RefRecord(b"refs/heads/x", index, value)])
        plan = plan_compaction(stack.tables, 0, 2, WriteOptions())
        assert plan == stack.plan_compaction(0, 2)
        stack.apply(plan)
        assert [table.size for table in stack.tables] == [plan.bytes]


def test_a_plan_that_leaves_nothing_has_no_table(tmp_path: Path) -> None:
    with Stack.open(tmp_path, LOOSE) as stack:
        add(stack, [branch(1, 1)])
        add(stack, [RefRecord(branch(1).name, 2)])
        plan = stack.plan_compaction(0, 2)
        assert (plan.after, plan.bytes) == ((), 0)
        assert plan.dropped == Dropped(shadowed=1, tombstones=1)
        stack.apply(plan)
        assert stack.tables == ()


@pytest.mark.parametrize(("first", "end"), [(-1, 1), (0, 4), (2, 1), (4, 4)])
def test_a_range_outside_the_stack_is_refused(tmp_path: Path, first: int, end: int) -> None:
    with Stack.open(tmp_path, LOOSE) as stack:
        add_branches(stack, 3)
        with pytest.raises(ApiError):
            stack.plan_compaction(first, end)
        with pytest.raises(ApiError):
            stack.compact(first, end)
        assert len(stack.tables) == 3


def test_progress_tells_how_much_of_the_tables_was_read(tmp_path: Path) -> None:
    reports: list[Progress] = []
    with Stack.open(tmp_path, replace(LOOSE, block_size=256)) as stack:
        fill(stack)
        total = sum(table.size for table in stack.tables)
        stack.plan_compaction(0, 4, progress=reports.append)
        assert {report.total for report in reports} == {total}
        assert [report.done for report in reports] == sorted({report.done for report in reports})
        assert 0 < reports[0].done < total // 4
        assert total // 4 < reports[-1].done <= total
        phases = [report.phase for report in reports]
        assert phases == sorted(phases, key=["refs", "logs"].index)
        assert set(phases) == {"refs", "logs"}
        planned = list(reports)
        reports.clear()
        stack.compact_all(progress=reports.append)
        assert reports == planned


@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_cancelled_compaction_leaves_the_directory_as_it_was(tmp_path: Path, at: int) -> None:
    seen = 0

    def stop(_: Progress) -> None:
        nonlocal seen
        seen += 1
        if seen > at:
            raise Cancelled("enough")

    with Stack.open(tmp_path, replace(LOOSE, block_size=256)) as stack:
        fill(stack)
        before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        for operation in (
            lambda: stack.compact_all(progress=stop),
            lambda: stack.auto_compact(progress=stop),
            lambda: stack.compact(1, 4, progress=stop),
            lambda: stack.apply(stack.plan_compaction(0, 4), progress=stop),
            lambda: stack.plan_compaction(0, 4, progress=stop),
        ):
            seen = 0
            with pytest.raises(Cancelled):
                operation()
            assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
        assert len(stack.tables) == 4
        stack.compact_all()
        assert len(stack.tables) == 1


def test_a_segment_has_a_length() -> None:
    assert len(Segment(2, 7, 3, 59)) == 5
    assert len(Segment(0, 0, 0, 0)) == 0

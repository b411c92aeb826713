"""What the difference of two views reads, and what it calls a change."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import Cancelled
from engine.format import LogRecord, RefRecord
from engine.merge import LogChanges, MergedTable, RefChange, log_changes, ref_changes
from engine.progress import Progress
from engine.stack import Stack, StackOptions
from engine.table import Table
from tests.support.stacks import LOOSE, add, branch, entry
from tests.support.tables import oid, write_table


def table(path: Path, *records: RefRecord | LogRecord, options: StackOptions = LOOSE) -> Table:
    refs = [record for record in records if isinstance(record, RefRecord)]
    logs = [record for record in records if isinstance(record, LogRecord)]
    write_table(path, refs, logs, options)
    return Table.open(path)


def changes(old: MergedTable, new: MergedTable) -> list[RefChange]:
    return [change for part in ref_changes(old, new) for change in part]


def test_kinds_of_changes() -> None:
    one, two = RefRecord(b"x", 1, oid(1)), RefRecord(b"x", 2, oid(2))
    assert RefChange(b"x", None, one).kind == "created"
    assert RefChange(b"x", one, two).kind == "updated"
    assert RefChange(b"x", one, None).kind == "deleted"


def test_a_ref_that_comes_to_mean_something_else_is_updated_and_a_rewritten_one_is_not(
    tmp_path: Path,
) -> None:
    before = [
        RefRecord(b"peeled", 1, oid(1)),
        RefRecord(b"same", 1, oid(1)),
        RefRecord(b"symref", 1, target=b"a"),
        RefRecord(b"to-symref", 1, oid(1)),
    ]
    after = [
        RefRecord(b"peeled", 2, oid(1), oid(2)),
        RefRecord(b"same", 2, oid(1)),
        RefRecord(b"symref", 2, target=b"b"),
        RefRecord(b"to-symref", 2, target=b"a"),
    ]
    bottom, top = table(tmp_path / "1.ref", *before), table(tmp_path / "2.ref", *after)
    found = changes(MergedTable([bottom]), MergedTable([bottom, top]))
    assert [(change.name, change.kind) for change in found] == [
        (name, "updated") for name in (b"peeled", b"symref", b"to-symref")
    ]
    assert (found[1].before, found[1].after) == (before[2], after[2])


def test_deletions_of_what_was_not_there_are_no_changes(tmp_path: Path) -> None:
    bottom = table(tmp_path / "1.ref", RefRecord(b"gone", 1, oid(1)))
    top = table(tmp_path / "2.ref", RefRecord(b"gone", 2), RefRecord(b"never", 2))
    found = changes(MergedTable([bottom]), MergedTable([bottom, top]))
    assert [(change.name, change.kind) for change in found] == [(b"gone", "deleted")]


def test_the_same_file_opened_twice_is_the_same(tmp_path: Path) -> None:
    views = [
        MergedTable([table(tmp_path / "1.ref", *(branch(number) for number in range(300)))]) for _ in range(2)
    ]
    assert changes(*views) == []


def test_of_shared_tables_only_what_may_have_changed_is_read(tmp_path: Path) -> None:
    bottom = table(tmp_path / "1.ref", *(branch(number) for number in range(9000)))
    hidden = RefRecord(b"other/0005", 2, oid(5))
    middle = table(tmp_path / "2.ref", hidden, branch(17, 2), RefRecord(branch(8000).name, 2))
    top = table(tmp_path / "3.ref", *(RefRecord(b"other/%04d" % number, 3) for number in range(9000)))
    reads = bottom.reads, top.reads
    old, new = MergedTable([bottom, top]), MergedTable([bottom, middle, top])
    assert [change.kind for change in changes(old, new)] == ["deleted"]
    assert bottom.reads - reads[0] <= 10
    assert top.reads - reads[1] <= 6
    assert [change.kind for change in changes(new, old)] == ["created"]


@pytest.mark.parametrize("step", [1, 7, 100, 2000])
def test_neighbours_are_found_by_reading_on_and_distant_names_by_seeks(tmp_path: Path, step: int) -> None:
    bottom = table(tmp_path / "1.ref", *(branch(number) for number in range(9000)))
    numbers = range(0, 9900, step)
    top = table(tmp_path / "2.ref", *(RefRecord(branch(number).name, 2, oid(1)) for number in numbers))
    reads = bottom.reads
    found = changes(MergedTable([bottom]), MergedTable([bottom, top]))
    assert [change.name for change in found] == [branch(number).name for number in numbers]
    assert [change.before for change in found] == [branch(n) if n < 9000 else None for n in numbers]
    blocks = len(list(bottom.blocks()))
    # Reading on costs each block once; a seek three reads, and one block read on in vain before it.
    assert bottom.reads - reads - blocks <= min(4 * len(numbers), blocks) + 10


def test_a_compaction_changes_no_ref_and_no_log(tmp_path: Path) -> None:
    with Stack.open(tmp_path, LOOSE) as stack:
        for number in range(40):
            index = stack.next_update_index
            add(stack, [branch(number, index), RefRecord(b"refs/heads/gone", index)], [entry(b"HEAD", index)])
        before = stack.merged
        stack.compact_all()
        assert len(stack.tables) == 1
        assert changes(before, stack.merged) == []
        assert set(log_changes(before, stack.merged)) == {LogChanges(0, 0)}


def test_log_entries_that_come_go_and_are_replaced_are_counted(tmp_path: Path) -> None:
    logs = [entry(b"a", number) for number in range(1, 400)]
    bottom = table(tmp_path / "1.ref", *logs)
    replaced = entry(b"a", 399, time=1)
    top = table(tmp_path / "2.ref", LogRecord(b"a", 7), replaced, entry(b"b", 400), entry(b"b", 401))
    parts = list(log_changes(MergedTable([bottom]), MergedTable([bottom, top])))
    assert LogChanges(sum(part.added for part in parts), sum(part.dropped for part in parts)) == LogChanges(
        3, 2
    )


def test_progress_is_heard_where_nothing_changed_and_can_stop_it(tmp_path: Path) -> None:
    records = [branch(number) for number in range(2000)]
    old, new = (MergedTable([table(tmp_path / name, *records)]) for name in ("1.ref", "2.ref"))
    heard: list[int] = []

    def listen(progress: Progress) -> None:
        heard.append(progress.done)
        if len(heard) == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        list(ref_changes(old, new, progress=listen))
    assert 0 < heard[0] < heard[1] < heard[2] < 4000


def test_names_in_disorder_end_all_the_same(tmp_path: Path) -> None:
    options = StackOptions(block_size=256, restart_interval=1)  # every name stands in the file as it is
    records = [RefRecord(b"%03d" % number, 1, oid(number)) for number in range(60)]
    old = MergedTable([table(tmp_path / "1.ref", *records, options=options)])
    path = tmp_path / "2.ref"
    write_table(path, records, [], options)
    path.write_bytes(path.read_bytes().replace(b"059", b"000"))
    new = MergedTable([Table.open(path)])
    assert {change.name for change in changes(old, new)} >= {b"000", b"059"}
    assert {change.name for change in changes(new, old)} >= {b"000", b"059"}

"""The seed's stack tests, one for each of its cases and with its numbers.

A docstring names the case of `stack_test.c`, and says where git has moved on; then its rule of today holds.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import ApiError, FormatError, NameConflictError, OutdatedError
from engine.format import HashId, LogRecord, RefRecord, parse_table_list
from engine.merge import Expiry, fastlog2, sizes_to_segments, suggest_compaction_segment
from engine.stack import Stack, StackOptions
from engine.table import TableWriter
from tests.support.stacks import LOOSE, add, entries, list_tables, listed, make_stack, names, same


def symref(name: bytes, update_index: int) -> RefRecord:
    return RefRecord(name, update_index, target=b"master")


def identity_log(name: bytes, update_index: int, number: int, time: int = 0) -> LogRecord:
    return LogRecord(name, update_index, new=same(number), email=b"identity@invalid", time=time)


def add_symrefs(stack: Stack, count: int) -> None:
    for number in range(count):
        add(stack, [symref(b"branch%04d" % number, stack.next_update_index)])


def test_a_table_without_records_is_dropped(tmp_path: Path) -> None:
    """Seed: test_empty_add."""
    with Stack.open(tmp_path) as stack:
        stack.add(lambda writer: writer.set_limits(1, 1))
        assert stack.tables == ()
        with Stack.open(tmp_path) as other:
            assert other.tables == ()
    assert entries(tmp_path) == []


def test_the_magnitude_of_a_size_is_its_floored_logarithm() -> None:
    """Seed: test_log2."""
    assert fastlog2(3) == 1
    assert fastlog2(4) == 2
    assert fastlog2(5) == 2


@pytest.mark.parametrize(
    ("now", "same_stack"), [([0, 1, 2], True), ([0, 1], False), ([0, 2, 1], False), ([0, 1, 1], False)]
)
def test_lists_are_the_same_stack_if_they_hold_the_same_names(
    tmp_path: Path, now: list[int], same_stack: bool
) -> None:
    """Seed: test_names_equal; `reload` is where two lists are compared."""
    tables = make_stack(tmp_path, 3)
    with Stack.open(tmp_path, read_only=True) as stack:
        list_tables(tmp_path, [tables[position] for position in now])
        assert stack.reload() is not same_stack


def test_table_names_are_the_lines_of_the_list() -> None:
    """Seed: test_parse_names."""
    assert parse_table_list(b"line\n").require_names() == ["line"]


def test_empty_lines_are_dropped_and_a_missing_last_newline_is_refused(tmp_path: Path) -> None:
    """Seed: test_read_file; its last line had no newline, which git now refuses."""
    path = tmp_path / "tables.list"
    assert parse_table_list(b"line1\n\nline2\nline3\n").require_names() == ["line1", "line2", "line3"]
    path.write_bytes(b"line1\n\nline2\nline3")
    with pytest.raises(FormatError, match="newline"):
        Stack.open(tmp_path)


def test_expiry_drops_log_entries_by_time_and_by_update_index(tmp_path: Path) -> None:
    """Seed: test_reflog_expire; of a reflog without entries a marker stays now, as git leaves one."""
    with Stack.open(tmp_path) as stack:
        for number in range(1, 20):
            add(stack, logs=[identity_log(b"branch%02d" % number, number, number, time=number)])
        stack.compact_all()
        stack.compact_all(Expiry(time=10))
        assert stack.read_log(b"branch09").is_marker
        assert stack.read_log(b"branch10") == identity_log_read(10)
        assert stack.read_log(b"branch11") == identity_log_read(11)
        stack.compact_all(Expiry(time=10, min_update_index=15))
        assert stack.read_log(b"branch14").is_marker
        assert stack.read_log(b"branch15") == identity_log_read(15)
        assert stack.read_log(b"branch16") == identity_log_read(16)
        assert [log.update_index for log in stack.logs() if not log.is_marker] == [15, 16, 17, 18, 19]


def identity_log_read(number: int) -> LogRecord:
    log = identity_log(b"branch%02d" % number, number, number, time=number)
    log.old = bytes(20)
    log.message = b"\n"
    return log


def test_refs_and_logs_of_several_tables_survive_a_compaction(tmp_path: Path) -> None:
    """Seed: test_reftable_stack_add."""
    with Stack.open(tmp_path, StackOptions(exact_log_message=True, auto_compact=False)) as stack:
        refs = [RefRecord(b"branch%02d" % i, i + 1, value=same(i)) for i in range(2)]
        logs = [identity_log(b"branch%02d" % i, 2 + i + 1, i) for i in range(2)]
        for ref in refs:
            add(stack, [ref])
        for log in logs:
            assert log.update_index == stack.next_update_index
            add(stack, logs=[log])
        assert len(stack.tables) == 4
        stack.compact_all()
        assert len(stack.tables) == 1
        for ref, log in zip(refs, logs, strict=True):
            assert stack.read_ref(ref.name) == ref
            log.old = bytes(20)
            assert stack.read_log(log.name) == log


def test_an_added_ref_is_read_back_through_the_same_handle(tmp_path: Path) -> None:
    """Seed: test_reftable_stack_add_one."""
    with Stack.open(tmp_path) as stack:
        add(stack, [symref(b"HEAD", 1)])
        found = stack.read_ref(b"HEAD")
        assert found is not None
        assert found.target == b"master"


def test_auto_compaction_keeps_the_stack_logarithmic(tmp_path: Path) -> None:
    """Seed: test_reftable_stack_auto_compaction."""
    with Stack.open(tmp_path) as stack:
        for number in range(100):
            add(stack, [symref(b"branch%04d" % number, stack.next_update_index)])
            assert number < 3 or len(stack.tables) < 2 * fastlog2(number)
        assert stack.stats.entries_written < 100 * fastlog2(100)
        assert len(list(stack.refs())) == 100


def test_tables_compacted_by_another_handle_are_gone_once_both_are_closed(tmp_path: Path) -> None:
    """Seed: test_reftable_stack_compaction_concurrent."""
    with Stack.open(tmp_path, LOOSE) as first:
        add_symrefs(first, 3)
        with Stack.open(tmp_path) as second:
            first.compact_all()
            assert len(second.tables) == 3
    assert entries(tmp_path) == sorted(["tables.list", *listed(tmp_path)])
    assert len(entries(tmp_path)) == 2


def test_clean_removes_what_processes_left_that_never_closed(tmp_path: Path) -> None:
    """Seed: test_reftable_stack_compaction_concurrent_clean."""
    with Stack.open(tmp_path, LOOSE) as stack:
        add_symrefs(stack, 3)
        old = {name: (tmp_path / name).read_bytes() for name in names(stack)}
        stack.compact_all()
    for name, data in old.items():
        (tmp_path / name).write_bytes(data)
    with Stack.open(tmp_path) as stack:
        assert sorted(stack.clean()) == sorted(old)
        assert len(entries(tmp_path)) == 2
        assert len(list(stack.refs())) == 3


def test_a_stack_of_another_hash_function_is_refused(tmp_path: Path) -> None:
    """Seed: test_reftable_stack_hash_id."""
    ref = RefRecord(b"master", 1, target=b"target")
    with Stack.open(tmp_path) as stack:
        add(stack, [ref])
    with pytest.raises(FormatError, match="sha256"):
        Stack.open(tmp_path, StackOptions(hash_id=HashId.SHA256))
    with Stack.open(tmp_path) as stack:
        assert stack.read_ref(b"master") == ref


@pytest.mark.parametrize("error", [ApiError, OSError, KeyError, KeyboardInterrupt])
def test_an_error_while_writing_passes_through_and_leaves_nothing(
    tmp_path: Path, error: type[BaseException]
) -> None:
    """Seed: test_reftable_stack_lock_failure."""

    def write(writer: TableWriter) -> None:
        writer.add_ref(symref(b"HEAD", 1))
        raise error("on purpose")

    with Stack.open(tmp_path) as stack:
        with pytest.raises(error, match="on purpose"):
            stack.add(write)
        assert entries(tmp_path) == []
        add(stack, [symref(b"HEAD", 1)])
        assert len(stack.tables) == 1


def test_log_messages_are_one_line_that_ends_in_a_newline(tmp_path: Path) -> None:
    """Seed: test_reftable_stack_log_normalize."""
    with Stack.open(tmp_path) as stack:

        def log(message: bytes) -> None:
            record = LogRecord(b"branch", 1, old=b"\2" + bytes(19), new=b"\1" + bytes(19), message=message)
            add(stack, logs=[record])

        with pytest.raises(ApiError, match="message"):
            log(b"one\ntwo")
        log(b"one")
        assert message_of(stack) == b"one\n"
        log(b"two\n")
        assert message_of(stack) == b"two\n"


def message_of(stack: Stack) -> bytes:
    found = stack.read_log(b"branch")
    assert found is not None
    return found.message


def test_tombstones_hide_refs_and_log_entries_before_and_after_compaction(tmp_path: Path) -> None:
    """Seed: test_reftable_stack_tombstone; its log index 42 is above the limits, which git now refuses."""
    with Stack.open(tmp_path) as stack:
        add(stack, [RefRecord(b"branch", 1, value=same(0))])
        add(stack, [RefRecord(b"branch", 2)])
        with pytest.raises(ApiError, match="42"):
            add(stack, logs=[identity_log(b"branch", 42, 0)])
        add(stack, logs=[identity_log(b"branch", 1, 0)])
        assert stack.read_log(b"branch") is not None
        add(stack, logs=[LogRecord(b"branch", 1)])
        assert stack.read_ref(b"branch") is None
        assert stack.read_log(b"branch") is None
        stack.compact_all()
        assert stack.read_ref(b"branch") is None
        assert stack.read_log(b"branch") is None


def test_a_transaction_shows_when_it_is_committed(tmp_path: Path) -> None:
    """Seed: test_reftable_stack_transaction_api."""
    with Stack.open(tmp_path) as stack:
        with stack.addition() as addition:
            with addition.table() as writer:
                writer.add_ref(symref(b"HEAD", addition.update_index))
            assert stack.read_ref(b"HEAD") is None
        assert stack.read_ref(b"HEAD") == symref(b"HEAD", 1)


def test_an_update_index_cannot_be_used_twice(tmp_path: Path) -> None:
    """Seed: test_reftable_stack_update_index_check."""

    def write(writer: TableWriter) -> None:
        writer.set_limits(1, 1)
        writer.add_ref(symref(b"name2", 1))

    with Stack.open(tmp_path) as stack:
        add(stack, [symref(b"name1", 1)])
        with pytest.raises(ApiError, match="update index 1 "):
            stack.add(write)
        assert stack.read_ref(b"name2") is None
        assert len(entries(tmp_path)) == 2


def test_a_stale_handle_cannot_add_before_it_has_reloaded(tmp_path: Path) -> None:
    """Seed: test_reftable_stack_uptodate; its lock error is an error of its own now."""
    with Stack.open(tmp_path) as first, Stack.open(tmp_path) as second:
        add(first, [symref(b"HEAD", 1)])
        with pytest.raises(OutdatedError):
            add(second, [symref(b"branch2", 1)])
        second.reload()
        add(second, [symref(b"branch2", 2)])
        assert [ref.name for ref in second.refs()] == [b"HEAD", b"branch2"]


def test_a_ref_cannot_be_the_directory_of_another(tmp_path: Path) -> None:
    """Seed: test_reftable_stack_validate_refname."""
    with Stack.open(tmp_path) as stack:
        add(stack, [symref(b"a/b", 1)])
        for name in (b"a", b"a/b/c"):
            with pytest.raises(NameConflictError):
                add(stack, [symref(name, 2)])
        assert [ref.name for ref in stack.refs()] == [b"a/b"]
        assert len(entries(tmp_path)) == 2


def test_neighbours_of_like_magnitude_form_a_segment() -> None:
    """Seed: test_sizes_to_segments."""
    segments = sizes_to_segments([2, 3, 4, 5, 7, 9])
    assert [(s.start, s.end, s.log) for s in segments] == [(0, 2, 1), (2, 5, 2), (5, 6, 3)]
    assert [s.bytes for s in segments] == [5, 16, 9]


def test_tables_of_equal_size_form_one_segment() -> None:
    """Seed: test_sizes_to_segments_all_equal."""
    (segment,) = sizes_to_segments([5, 5])
    assert (segment.start, segment.end) == (0, 2)


def test_no_tables_have_no_segments() -> None:
    """Seed: test_sizes_to_segments_empty."""
    assert sizes_to_segments([]) == []


def test_the_smallest_repeated_magnitude_is_merged_with_what_it_would_outgrow() -> None:
    """Seed: test_suggest_compaction_segment."""
    suggestion = suggest_compaction_segment([128, 64, 17, 16, 9, 9, 9, 16, 16])
    assert (suggestion.start, suggestion.end) == (2, 7)


def test_a_sequence_of_halves_needs_no_compaction() -> None:
    """Seed: test_suggest_compaction_segment_nothing."""
    suggestion = suggest_compaction_segment([64, 32, 16, 8, 4, 2])
    assert suggestion.start == suggestion.end

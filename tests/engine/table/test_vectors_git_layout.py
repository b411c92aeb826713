"""What blocks git makes of the refs and reflogs of its own tests (`t0613-reftable-write-options.sh`).

Lengths are those of the records of each block, inflated; they depend on the names, and in logs on the
identity and the messages of git's test suite, which are repeated here.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from engine.errors import ApiError, EntryTooBigError
from engine.format import INDEX, LOG, OBJ, REF, LogRecord, RefRecord
from engine.stack import Stack, StackOptions
from engine.table import Table, WriteOptions
from tests.support.stacks import LOOSE, add
from tests.support.tables import oid, write_table

HEAD = RefRecord(b"HEAD", 1, target=b"refs/heads/master")
COMMIT = oid(1)


def ref(name: bytes) -> RefRecord:
    return RefRecord(name, 2, value=COMMIT)


def log(name: bytes, update_index: int, old: bytes, message: bytes) -> LogRecord:
    return LogRecord(
        name, update_index, old, COMMIT, b"C O Mitter", b"committer@example.com", 1112911993, -700, message
    )


INITIAL = [HEAD, ref(b"refs/heads/master"), ref(b"refs/tags/initial")]
INITIAL_LOGS = [
    log(name, 2, bytes(20), b"commit (initial): initial") for name in (b"HEAD", b"refs/heads/master")
]


def branches(count: int) -> list[RefRecord]:
    return [ref(b"refs/heads/branch-%d" % number) for number in range(1, count + 1)]


def layout(
    path: Path, refs: Iterable[RefRecord], logs: Iterable[LogRecord] = (), **options: int
) -> dict[str, list[tuple[int, int]]]:
    """Write a table, and return length and restarts of its blocks by their type."""
    write_table(path, refs, logs, WriteOptions(**options), (1, 5))
    found: dict[str, list[tuple[int, int]]] = {}
    sections = {REF: "ref", INDEX: "idx", OBJ: "obj", LOG: "log"}
    with Table.open(path) as table:
        assert table.block_size == options.get("block_size", 4096)
        for block in table.blocks():
            found.setdefault(sections[block.type], []).append((block.records_end, block.restart_count))
    return found


def test_one_commit_is_one_block_of_refs_and_one_of_logs(tmp_path: Path) -> None:
    assert layout(tmp_path / "t", INITIAL, INITIAL_LOGS) == {"ref": [(129, 2)], "log": [(262, 2)]}


def test_without_reflogs_there_is_no_log_block(tmp_path: Path) -> None:
    assert layout(tmp_path / "t", INITIAL) == {"ref": [(129, 2)]}


def test_many_refs_make_several_blocks_and_their_logs_an_index(tmp_path: Path) -> None:
    logs = [log(branch.name, 4, bytes(20), b"\n") for branch in branches(200)]
    assert layout(tmp_path / "t", INITIAL + branches(200), INITIAL_LOGS + logs) == {
        "ref": [(4049, 11), (1136, 3)],
        "log": [(4041, 4), (4015, 3), (4014, 3), (4012, 3), (3289, 3)],
        "idx": [(103, 1)],
    }


def test_small_blocks_hold_few_refs(tmp_path: Path) -> None:
    refs = [HEAD, ref(b"refs/heads/master"), ref(b"refs/tags/A"), ref(b"refs/tags/B")]
    assert layout(tmp_path / "t", refs, block_size=100) == {"ref": [(53, 1), (74, 1), (38, 1)]}


def test_each_record_is_a_restart_point_if_the_interval_says_so(tmp_path: Path) -> None:
    logs = [log(branch.name, 4, bytes(20), b"\n") for branch in branches(10)]
    assert layout(tmp_path / "t", INITIAL + branches(10), INITIAL_LOGS + logs, restart_interval=1) == {
        "ref": [(566, 13)],
        "log": [(1393, 12)],
    }


@pytest.mark.parametrize(("skip", "objects"), [(False, {"obj": [(11, 1)]}), (True, {})])
def test_object_ids_are_indexed_beside_a_ref_index_unless_told_not_to(
    tmp_path: Path, skip: bool, objects: dict[str, list[tuple[int, int]]]
) -> None:
    found = layout(tmp_path / "t", INITIAL + branches(5), block_size=100, skip_index_objects=skip)
    assert found == {"ref": [(53, 1), (95, 1), (71, 1), (80, 1)], "idx": [(55, 2)], **objects}


def test_a_compaction_into_blocks_too_small_for_a_record_fails_and_changes_nothing(tmp_path: Path) -> None:
    with Stack.open(tmp_path, LOOSE) as stack:
        add(stack, [HEAD])
        add(stack, [ref(b"refs/heads/master")])
    with Stack.open(tmp_path, StackOptions(block_size=50)) as stack:
        before = sorted(tmp_path.iterdir())
        with pytest.raises(EntryTooBigError):
            stack.compact_all()
        assert sorted(tmp_path.iterdir()) == before


def test_a_reflog_message_larger_than_a_block_is_too_big(tmp_path: Path) -> None:
    with Stack.open(tmp_path, StackOptions(block_size=100)) as stack:
        with pytest.raises(EntryTooBigError):
            add(stack, logs=[log(b"refs/heads/logme", 1, bytes(20), b"a" * 500)])
        assert stack.tables == ()
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "options",
    [{"block_size": 2**24}, {"block_size": 0}, {"restart_interval": 65536}, {"restart_interval": 0}],
)
def test_options_that_the_format_cannot_express_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(ApiError):
        WriteOptions(**options)
    with pytest.raises(ApiError):
        StackOptions(**options)


def test_the_largest_options_are_accepted(tmp_path: Path) -> None:
    largest = {"block_size": 2**24 - 1, "restart_interval": 65535}
    assert layout(tmp_path / "t", INITIAL, **largest) == {"ref": [(129, 2)]}

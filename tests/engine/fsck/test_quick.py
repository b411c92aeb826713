"""The quick check: every fault at the surface of a stack is seen, and no table is read for it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.format import RefRecord
from engine.fsck import QuickCheck, fsck, quick_check
from engine.stack import Stack, StackOptions
from engine.table import Table
from tests.support.damage import with_checksum
from tests.support.findings import NOW
from tests.support.stacks import LOOSE, add, add_branches, branch, list_tables, listed, lock, make_stack, same

GIT = StackOptions(policy="geometric", auto_compact=False)


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    make_stack(tmp_path / "stack", 3)
    return tmp_path / "stack"


def look(directory: Path) -> QuickCheck:
    """The quick check, which finds nothing that the whole one does not find of the same file."""
    found = quick_check(directory, GIT, NOW)
    wholly = {(one.file, one.severity) for one in fsck(directory, GIT, now=NOW)}
    for one in found.findings:
        assert (one.file, one.severity) in wholly or one.code == "orphan-doubtful", one
    return found


def codes(directory: Path) -> list[str]:
    return [one.code for one in look(directory).findings]


def test_a_sound_stack_has_no_findings_and_its_numbers(stack: Path) -> None:
    found = look(stack)
    assert found.findings == found.unlisted == ()
    assert found.tables == found.refs == 3
    assert found.bytes == sum((stack / name).stat().st_size for name in listed(stack))
    assert found.suggestion.positions == range(3)


def orphan(directory: Path) -> None:
    list_tables(directory, listed(directory)[:-1])


def hole(directory: Path) -> None:
    list_tables(directory, listed(directory)[::2])


def cut(directory: Path) -> None:
    os.truncate(directory / listed(directory)[1], 90)


def cut_much(directory: Path) -> None:
    os.truncate(directory / listed(directory)[1], 10)


def lose(directory: Path) -> None:
    (directory / listed(directory)[1]).unlink()


def zero_list(directory: Path) -> None:
    path = directory / "tables.list"
    path.write_bytes(bytes(path.stat().st_size))


def empty_list(directory: Path) -> None:
    (directory / "tables.list").write_bytes(b"")


def lose_list(directory: Path) -> None:
    (directory / "tables.list").unlink()


def pipe_for_list(directory: Path) -> None:
    lose_list(directory)
    os.mkfifo(directory / "tables.list")


def pipe_for_table(directory: Path) -> None:
    name = listed(directory)[1]
    (directory / name).unlink()
    os.mkfifo(directory / name)


def huge(directory: Path) -> None:
    os.truncate(directory / listed(directory)[1], 2**40)


def wrong_order(directory: Path) -> None:
    list_tables(directory, reversed(listed(directory)))


def repeat(directory: Path) -> None:
    with Stack.open(directory, LOOSE) as one:
        add(one, [RefRecord(branch(0).name, one.next_update_index, value=same(9))])
    list_tables(directory, [*listed(directory), listed(directory)[0]])


def repeat_at_once(directory: Path) -> None:
    list_tables(directory, [listed(directory)[0], *listed(directory)])


def flip_footer(directory: Path) -> None:
    path = directory / listed(directory)[1]
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes((data[-1] ^ 1,)))


def unset_limit(directory: Path) -> None:
    path = directory / listed(directory)[1]
    data = path.read_bytes()
    path.write_bytes(with_checksum(data[:16] + b"\xff" * 8 + data[24:]))


def old_lock(directory: Path) -> None:
    lock(directory, "tables.list")


def temporary(directory: Path) -> None:
    (directory / "0x000000000004-0x000000000004-00000001.ref.temp.abcdef").write_bytes(b"REFT")


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (orphan, "orphan-newer"),
        (hole, "table-unlisted-data"),
        (cut, "cut-short"),
        (cut_much, "cut-short"),
        (lose, "table-missing"),
        (zero_list, "list-nul"),
        (empty_list, "list-empty"),
        (lose_list, "list-missing"),
        (pipe_for_list, "list-unreadable"),
        (pipe_for_table, "not-a-file"),
        (huge, "cut-short"),
        (wrong_order, "tables-out-of-order"),
        (repeat, "list-repeats-older"),
        (repeat_at_once, "list-duplicate"),
        (flip_footer, "footer-checksum"),
        (unset_limit, "limits-beyond-records"),
        (old_lock, "lock-stale"),
        (temporary, "temporary-file"),
    ],
)
def test_faults_at_the_surface_are_found(stack: Path, fault: Callable[[Path], None], code: str) -> None:
    fault(stack)
    assert code in codes(stack)
    is_unknown = code.startswith(("list-", "table-m", "not-", "cut", "footer")) and code != "list-duplicate"
    assert (look(stack).refs is None) == is_unknown


def test_an_orphan_within_the_stack_is_not_compared(stack: Path) -> None:
    (name, *_), data = listed(stack), (stack / listed(stack)[0]).read_bytes()
    with Stack.open(stack, LOOSE) as one:
        one.compact_all()
    (stack / name).write_bytes(data)
    assert codes(stack) == ["orphan-doubtful"]


def test_locks_come_with_their_age(stack: Path) -> None:
    os.utime(lock(stack, "tables.list"), (NOW - 3600, NOW - 3600))
    [found] = look(stack).unlisted
    assert (found.name, found.age, found.in_use) == ("tables.list.lock", 3600.0, False)


def test_a_directory_that_is_gone_or_none_is_an_error_of_the_system(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name in ("missing", "file"):
        with pytest.raises(OSError, match=name):
            quick_check(tmp_path / name)


def test_what_is_estimated_of_tables_of_one_block_is_exact(tmp_path: Path) -> None:
    with Stack.open(tmp_path, LOOSE) as one:
        add(one, [branch(number, 1) for number in range(20)])
        add(one, [RefRecord(branch(number).name, 2, value=same(7)) for number in range(5)])
        add(one, [RefRecord(branch(number).name, 3) for number in range(3, 8)])
        found = quick_check(tmp_path, GIT, NOW)
        shown = sum(len(refs) for refs in one.merged.ref_blocks())
        one.compact_all()
        saved = found.bytes - one.tables[0].size
    assert found.refs == shown == 15
    assert found.dead_bytes is not None
    assert abs(found.dead_bytes - saved) < 0.25 * saved


def test_a_large_table_is_estimated_from_a_block_and_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 50_000
    with Stack.open(tmp_path, LOOSE) as one:
        add(one, [branch(number, 1) for number in range(count)])
        add_branches(one, 1)
    sizes: list[int] = []
    read = os.pread

    def counting(fd: int, size: int, offset: int) -> bytes:
        data = read(fd, size, offset)
        sizes.append(len(data))
        return data

    monkeypatch.setattr(os, "pread", counting)
    found = look_only(tmp_path)
    assert found.findings == ()
    assert found.bytes > 1_000_000
    assert sum(sizes) < 60_000
    assert found.refs is not None
    assert abs(found.refs - count) < count * 0.05


def look_only(directory: Path) -> QuickCheck:
    return quick_check(directory, GIT, NOW)


@pytest.mark.parametrize("block_size", [0, 512])
def test_of_large_tables_a_block_tells_how_many_refs_are_superseded(tmp_path: Path, block_size: int) -> None:
    options = StackOptions(auto_compact=False, block_size=block_size or 4096)
    with Stack.open(tmp_path, options) as one:
        add(one, [branch(number, 1) for number in range(9000)])
        add(one, [RefRecord(branch(number).name, 2, value=same(7)) for number in range(0, 12_000, 5)])
        add(one, [RefRecord(branch(number).name, 3) for number in range(0, 12_000, 50)])
        found = quick_check(tmp_path, GIT, NOW)
        shown = sum(len(refs) for refs in one.merged.ref_blocks())
        one.compact_all()
        saved = found.bytes - one.tables[0].size
    assert found.refs is not None
    assert found.dead_bytes is not None
    assert abs(found.refs - shown) < 0.1 * shown
    assert abs(found.dead_bytes - saved) < 0.5 * saved


def test_a_block_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    with Stack.open(tmp_path, StackOptions(block_size=2**24 - 1)) as one:
        add(one, [branch(number, 1) for number in range(9000)])
    found = look_only(tmp_path)
    assert (found.findings, found.refs, found.dead_bytes) == ((), None, None)


def test_a_sample_that_is_damaged_is_left_to_the_whole_check(stack: Path) -> None:
    path = stack / listed(stack)[0]
    data = bytearray(path.read_bytes())
    data[29] ^= 0xFF  # inside of the first record
    path.write_bytes(data)
    found = look_only(stack)
    assert (found.findings, found.refs) == ((), None)
    assert any(fsck(stack, GIT, now=NOW))


def test_a_table_without_refs_is_none_of_the_sample(tmp_path: Path) -> None:
    with Stack.open(tmp_path, LOOSE) as one:
        add(one)
        add(one, [branch(1, one.next_update_index)])
    assert look_only(tmp_path).refs == 1
    with Table.open(tmp_path / listed(tmp_path)[-1]) as table:
        assert table.has_logs is False

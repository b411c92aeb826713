"""What can be read of a stack whose files are damaged, missing or not listed, and where that leaves doubt."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from engine.errors import ChecksumError, FormatError, MissingTableError
from engine.format import REF, HashId, LogRecord, RefRecord
from engine.readable import ReadableStack, in_doubt, open_readable
from engine.salvage import builder
from engine.stack import Stack, StackOptions
from engine.table import Table
from tests.support.git import Git
from tests.support.handmade import Handmade, change_byte, overwrite
from tests.support.repairs import losses_of
from tests.support.stacks import LOOSE, add, entry, same
from tests.support.tables import contents_of, oid
from tests.support.thinning import thinned

SMALL = replace(LOOSE, block_size=256)


def ref(number: int, update_index: int, value: int | None = None) -> RefRecord:
    """Return a branch; without `value`, its tombstone."""
    name = b"refs/heads/branch-%04d" % number
    return RefRecord(name, update_index, None if value is None else oid(value))


@pytest.fixture
def names(tmp_path: Path) -> list[str]:
    """Make a stack of three tables of several blocks, and return their names."""
    with Stack.open(tmp_path, SMALL) as stack:
        add(stack, [ref(number, 1, number) for number in range(30)], [entry(b"HEAD", 1)])
        logs = [entry(b"refs/heads/branch-%04d" % number, 2, number) for number in range(5, 25)]
        add(stack, [ref(number, 2, 100 + number) for number in range(5, 25)], logs)
        add(stack, [ref(7, 3), ref(8, 3, 200)])
        return [table.name for table in stack.tables]


def contents(path: Path) -> tuple[list[RefRecord], list[LogRecord]]:
    """Return the records of a sound table."""
    with Table.open(path) as table:
        return contents_of(table)


def merged(*layers: list[RefRecord]) -> list[RefRecord]:
    """Return what refs of tables come to, oldest first."""
    newest = {one.name: one for layer in layers for one in layer}
    return [newest[name] for name in sorted(newest) if not newest[name].is_deletion]


def see_that_lookups_agree(stack: ReadableStack) -> None:
    """Look up every ref that is shown, in each table whose damage is known, and each that is not."""
    for table in stack.tables:
        refs = {one.name: one for one in table.refs()}
        for number in range(31):
            name = ref(number, 1).name
            # To read a list needs no restart points, so wrong ones show in lookups alone.
            if table.losses is not None:
                assert table.read_ref(name) == refs.get(name)
        for log in table.logs():
            if table.losses is not None:
                assert table.read_log(log.name, log.update_index) == log


@pytest.fixture
def unwritten(tmp_path: Path) -> Iterator[Callable[[], None]]:
    """Give what sees that nothing in the directory has changed since it was last called."""
    state: list[object] = []

    def look() -> None:
        now = [
            (one.name, one.stat().st_mtime_ns, one.stat().st_ino)
            for one in [tmp_path, *sorted(tmp_path.iterdir())]
        ]
        if state:
            assert state[-1] == now
        state.append(now)

    yield look
    look()


def test_a_sound_stack_is_shown_as_it_is(
    tmp_path: Path, names: list[str], unwritten: Callable[[], None]
) -> None:
    unwritten()
    with Stack.open(tmp_path, read_only=True) as sound, open_readable(tmp_path) as stack:
        assert [table.name for table in stack.tables] == names
        assert list(stack.merged.refs()) == list(sound.refs())
        assert list(stack.merged.logs()) == list(sound.logs())
        assert (stack.faults, stack.is_guessed) == ((), False)
        assert not any(in_doubt(stack.tables, -1, one.name) for one in sound.refs())
        assert all(table.losses is None for table in stack.tables)


def test_of_a_table_cut_off_anywhere_all_is_shown_that_can_be_salvaged(
    tmp_path: Path, names: list[str]
) -> None:
    path = tmp_path / names[1]
    data = path.read_bytes()
    sound = [contents(tmp_path / name) for name in names]
    for size in thinned(range(0, len(data), 7), 3):
        path.write_bytes(data[:size])
        losses = losses_of(path)
        with open_readable(tmp_path) as stack:
            table = stack.tables[1]
            refs, logs = list(table.refs()), list(table.logs())
            assert (len(refs), len(logs)) >= (losses.refs, 0)
            assert all(one in sound[1][0] for one in refs)
            assert all(one in sound[1][1] for one in logs)
            assert list(stack.merged.refs()) == merged(sound[0][0], refs, sound[2][0])
            assert list(stack.merged.logs()) == sorted(
                [*sound[0][1], *logs], key=lambda log: (log.name, -log.update_index)
            )
            assert [type(fault) for fault in stack.faults] == [FormatError]
            # Whatever is missing is in doubt, in the tables before it alone.
            for one in sound[1][0]:
                assert one in refs or in_doubt(stack.tables, 0, one.name)
                assert not in_doubt(stack.tables, 1, one.name)
            if size % 5 == 0:
                see_that_lookups_agree(stack)


def test_whatever_byte_of_a_table_is_wrong_nothing_is_raised_and_lookups_agree_with_lists(
    tmp_path: Path, names: list[str]
) -> None:
    path = tmp_path / names[1]
    data = path.read_bytes()
    for offset in thinned(range(0, len(data), 11), 3):
        path.write_bytes(data[:offset] + bytes((data[offset] ^ 0xFF,)) + data[offset + 1 :])
        with open_readable(tmp_path) as stack:
            see_that_lookups_agree(stack)
            shown = [one.name for one in stack.merged.refs(deletions=True)]
            assert shown == sorted(set(shown))


def test_a_missing_table_keeps_its_place_and_puts_older_ones_in_doubt(
    tmp_path: Path, names: list[str], unwritten: Callable[[], None]
) -> None:
    (tmp_path / names[1]).unlink()
    unwritten()
    with open_readable(tmp_path) as stack:
        missing = stack.tables[1]
        assert (missing.name, missing.size, missing.read(0, 9)) == (names[1], 0, b"")
        assert (missing.min_update_index, missing.max_update_index) == (2, 2)
        assert in_doubt(stack.tables, 0, b"anything")
        assert not in_doubt(stack.tables, 1, b"anything")
        assert [str(fault) for fault in stack.faults] == [str(MissingTableError(names[1]))]
        assert missing.read_ref(ref(9, 1).name) is None
        with pytest.raises(MissingTableError):
            missing.locate_ref(ref(9, 1).name)
        with pytest.raises(MissingTableError):
            missing.locate_log(b"HEAD")
        with pytest.raises(MissingTableError):
            missing.encoded_ref_blocks(1)
        found = stack.merged.read_ref(ref(9, 1).name)
        assert found is not None
        assert found.value == oid(9)


def damage_block(path: Path, number: int) -> tuple[bytes, bytes]:
    """Damage a block so that nothing of it is left, and return the names of its first and its last ref."""
    with Table.open(path) as table:
        block = list(table.blocks())[number]
        refs = block.refs(20, table.min_update_index)
    overwrite(path, block.offset, b"\xff" * block.block_len)
    return refs[0].name, refs[-1].name


def test_a_damaged_block_costs_its_own_records_and_no_others(tmp_path: Path, names: list[str]) -> None:
    before = contents(tmp_path / names[0])[0]
    first, last = damage_block(tmp_path / names[0], 2)
    with pytest.raises(FormatError), Table.open(tmp_path / names[0]) as strict:
        list(strict.refs())
    with open_readable(tmp_path, SMALL) as stack:
        table = stack.tables[0]
        left = [one for one in before if not first <= one.name <= last]
        assert 0 < len(left) < len(before)
        assert list(table.refs()) == left
        assert list(table.refs(left[-1].name)) == left[-1:]
        assert not in_doubt(stack.tables, -1, left[0].name)
        assert in_doubt(stack.tables, -1, first)
        assert in_doubt(stack.tables, -1, last)
        assert not in_doubt(stack.tables, 0, last)
        assert not in_doubt(stack.tables, -1, left[-1].name)
        with pytest.raises(FormatError, match=names[0]):
            table.locate_ref(first)
        assert table.locate_ref(b"refs/heads/zzz") is None
        assert list(table.refs_for(before[-1].value or b"")) == before[-1:]
        # A compaction must not lose silently what this table has lost.
        with pytest.raises(FormatError):
            list(table.encoded_ref_blocks(1))


def test_damage_behind_the_first_blocks_of_a_scan_is_passed_in_the_middle_of_it(
    tmp_path: Path, names: list[str]
) -> None:
    damage_block(tmp_path / names[0], 2)
    with open_readable(tmp_path, SMALL) as stack:
        blocks = stack.tables[0].ref_blocks()
        assert next(blocks)[0].name == ref(0, 1).name
        assert not in_doubt(stack.tables, -1, ref(10, 1).name)
        rest = [one for block in blocks for one in block]
        assert rest[-1] == ref(29, 1, 29)
        assert [one.name for one in rest] == sorted({one.name for one in rest})


def test_a_wrong_checksum_costs_nothing(tmp_path: Path, names: list[str]) -> None:
    sound = contents(tmp_path / names[1])
    with (tmp_path / names[1]).open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\x00")
    with open_readable(tmp_path) as stack:
        assert isinstance(stack.faults[0], ChecksumError)
        assert (list(stack.tables[1].refs()), list(stack.tables[1].logs())) == sound
        assert not in_doubt(stack.tables, 0, ref(9, 1).name)


def test_keys_in_disorder_inside_a_block_come_once_and_in_order(tmp_path: Path) -> None:
    table = Handmade(limits=(1, 9))
    table.refs([ref(number, 1, number) for number in (5, 6, 2, 3)], restart_interval=1)
    path = table.write(tmp_path / "0x000000000001-0x000000000009-00000001.ref")
    # Without header and footer, blocks are looked for.
    os.truncate(path, path.stat().st_size - 60)
    change_byte(path, 0)
    (tmp_path / "tables.list").write_text(f"{path.name}\n")
    with open_readable(tmp_path) as stack:
        assert list(stack.merged.refs()) == [ref(number, 1, number) for number in (2, 3, 5, 6)]
        see_that_lookups_agree(stack)


def test_blocks_in_disorder_are_brought_into_order(tmp_path: Path, names: list[str]) -> None:
    path = tmp_path / names[0]
    before = contents(path)[0]
    with Table.open(path) as table:
        second, third = list(table.blocks())[1:3]
    data = bytearray(path.read_bytes())
    assert second.next_offset - second.offset == third.next_offset - third.offset == 256
    data[second.offset : third.next_offset] = (
        data[third.offset : third.next_offset] + data[second.offset : third.offset]
    )
    path.write_bytes(data)
    with open_readable(tmp_path, SMALL) as stack:
        assert list(stack.tables[0].refs()) == before
        # Names between those that were moved may be missing as well, for all that can be told.
        assert in_doubt(stack.tables, -1, b"anything")
        located = stack.tables[0].locate_ref(third.refs(20, 1)[0].name)
        assert located is not None
        assert located[0] == second.offset


def test_what_is_out_of_order_is_sorted_outside_of_memory(
    tmp_path: Path, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builder, "KEPT_BYTES", 1)
    path = tmp_path / names[0]
    before = contents(path)
    with Table.open(path) as table:
        blocks = [block for block in table.blocks() if block.type == REF]
    data = path.read_bytes()
    moved = [data[block.offset : block.next_offset] for block in blocks[1:-1]]
    path.write_bytes(data[:256] + b"".join(reversed(moved)) + data[blocks[-1].offset :])
    with open_readable(tmp_path, SMALL) as stack:
        assert len(moved) > 1
        assert contents_of(stack.tables[0]) == before


def list_gone(directory: Path) -> None:
    (directory / "tables.list").unlink()


def list_empty(directory: Path) -> None:
    (directory / "tables.list").write_bytes(b"")


def list_a_directory(directory: Path) -> None:
    (directory / "tables.list").unlink()
    (directory / "tables.list").mkdir()


def list_of_nothing(directory: Path) -> None:
    (directory / "tables.list").write_bytes(b"../passwd\n\0\n" + bytes(300) + b"\n")


@pytest.mark.parametrize("damage", [list_gone, list_empty, list_a_directory, list_of_nothing])
def test_without_a_list_the_tables_come_in_the_order_of_their_update_indexes(
    tmp_path: Path, names: list[str], damage: Callable[[Path], None], unwritten: Callable[[], None]
) -> None:
    with Stack.open(tmp_path, read_only=True) as sound:
        refs = list(sound.refs())
    damage(tmp_path)
    unwritten()
    with open_readable(tmp_path) as stack:
        assert stack.is_guessed
        assert [table.name for table in stack.tables] == names
        assert list(stack.merged.refs()) == refs
        (fault,) = stack.faults
        assert isinstance(fault, FormatError)
        assert "the 3 table files of the directory are shown" in str(fault)


def test_a_list_that_names_none_of_the_tables_there_leaves_all_in_doubt(
    tmp_path: Path, names: list[str]
) -> None:
    (tmp_path / "tables.list").write_text("0x000000000004-0x000000000004-00000001.ref\n")
    with open_readable(tmp_path) as stack:
        assert [table.name for table in stack.tables[:3]] == names
        assert in_doubt(stack.tables, 2, ref(8, 1).name)
        assert stack.is_guessed


@pytest.mark.parametrize(
    ("text", "reason", "shown"),
    [
        ("{0}\n{1}\n{2}", "no newline at the end", [0, 1, 2]),
        ("{0}\n../{1}\n{2}\n", "no name of a table", [0, 2]),
        ("{0}\r\n{1}\0\0\n{2}\n", "ends in a carriage return", [0, 1, 2]),
    ],
)
def test_each_line_of_a_damaged_list_stands_for_itself(
    tmp_path: Path, names: list[str], text: str, reason: str, shown: list[int]
) -> None:
    (tmp_path / "tables.list").write_bytes(text.format(*names).encode())
    with open_readable(tmp_path) as stack:
        assert [table.name for table in stack.tables] == [names[number] for number in shown]
        assert reason in str(stack.faults[0])
        assert not stack.is_guessed


def test_a_table_that_is_listed_twice_is_read_twice_as_by_git(tmp_path: Path, names: list[str]) -> None:
    (tmp_path / "tables.list").write_text("".join(f"{names[number]}\n" for number in (0, 1, 1, 0)))
    with open_readable(tmp_path) as stack, Stack.open(tmp_path, read_only=True) as strict:
        assert list(stack.merged.refs()) == list(strict.refs())
        assert stack.merged.read_ref(ref(9, 1).name) == ref(9, 1, 9)


def test_a_table_of_another_hash_function_is_named_and_left_out(tmp_path: Path, names: list[str]) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with Stack.open(other, StackOptions(hash_id=HashId.SHA256)) as stack:
        add(stack, [RefRecord(b"refs/heads/x", 1, same(1, 32))])
        foreign = stack.tables[0].name
    (other / foreign).rename(tmp_path / names[1])
    with open_readable(tmp_path) as readable:
        assert readable.hash_id is HashId.SHA1
        assert "sha256" in str(readable.faults[0])
        assert list(readable.tables[1].refs()) == []
        assert in_doubt(readable.tables, 0, b"anything")


def test_what_is_no_file_is_never_waited_for(tmp_path: Path, names: list[str]) -> None:
    (tmp_path / names[1]).unlink()
    os.mkfifo(tmp_path / names[1])
    with open_readable(tmp_path) as stack:
        assert "no regular file" in str(stack.faults[0])
        assert list(stack.merged.refs())


def test_what_is_no_directory_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_readable(tmp_path / "none")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NotADirectoryError):
        open_readable(tmp_path / "file")
    (tmp_path / "file").unlink()
    with open_readable(tmp_path) as stack:
        assert (stack.tables, stack.faults) == ((), ())


def test_a_table_that_does_not_open_is_held_open_once(
    tmp_path: Path, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, held = tmp_path / names[1], set[int]()
    path.write_bytes(b"\xff" * 500)
    opens, closes = os.open, os.close

    def opening(file: str, flags: int, mode: int = 0o777) -> int:
        fd = opens(file, flags, mode)
        if file == str(path):
            held.add(fd)
        return fd

    def closing(fd: int) -> None:
        held.discard(fd)
        closes(fd)

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", opening)
        patched.setattr(os, "close", closing)
        with open_readable(tmp_path) as stack:
            assert stack.faults
            assert len(held) == 1


def test_a_stack_whose_directory_is_gone_is_an_error_each_time_until_it_is_back(
    tmp_path: Path, names: list[str]
) -> None:
    """Not the first time alone: what is shown is what was there before."""
    place = tmp_path / "stack"
    place.mkdir()
    for path in [tmp_path / "tables.list", *(tmp_path / name for name in names)]:
        path.rename(place / path.name)
    with open_readable(place) as stack:
        shown = stack.merged
        place.rename(tmp_path / "aside")
        for accept_broken in (False, True, False, True):
            with pytest.raises(FileNotFoundError):
                stack.reload(accept_broken=accept_broken)
            assert stack.merged is shown
        (tmp_path / "aside").rename(place)
        assert stack.reload(accept_broken=False)
        assert [table.name for table in stack.tables] == names
        assert not stack.reload()


def test_a_stack_that_loses_all_its_files_stays_as_it_was_until_that_is_accepted(
    git: Git, tmp_path: Path
) -> None:
    repo = git.init(tmp_path / "repo")
    repo.commit("one")
    with open_readable(repo.reftable) as stack:
        shown = stack.merged
        for path in repo.reftable.iterdir():
            path.unlink()
        for _ in range(2):
            with pytest.raises(FormatError, match="not even one with HEAD"):
                stack.reload(accept_broken=False)
            assert stack.merged is shown
            assert any(shown.refs()), "its files are open"
        assert stack.reload()
        assert (stack.tables, len(stack.faults)) == ((), 1)
        assert not stack.reload(accept_broken=False)

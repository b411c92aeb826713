"""What may be lost of a damaged table: one answer for viewer and repair, and the truth."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count, pairwise, product
from pathlib import Path

import pytest

from engine import salvage
from engine.format import REF, HashId, LogRecord, RefRecord
from engine.layout import Record
from engine.readable import ReadableTable, open_readable, open_table
from engine.repair import RepairPlan, log_outcomes, plan_repair, ref_outcomes, repair
from engine.salvage import Losses
from engine.stack import Stack, StackOptions
from engine.table import Table
from tests.support.damage import flipped, telling_places
from tests.support.findings import NOW
from tests.support.repairs import losses_of
from tests.support.spans import everything, layout_of
from tests.support.stacks import listed
from tests.support.tables import contents_of, oid, write_table
from tests.support.thinning import SHARES, thinned

ENTRIES = (b"refs/heads/b01", b"refs/heads/b12", b"refs/heads/b30")


@pytest.fixture
def directory(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Make a stack of three tables, of which the second has several blocks of refs and of logs.

    The parameter says how many refs there are, 40 without one.
    """
    refs = getattr(request, "param", 40)
    options = StackOptions(auto_compact=False, block_size=256, restart_interval=4, suffix=count(1).__next__)
    with Stack.open(tmp_path, options) as stack:
        for number in range(3):
            with stack.addition() as addition, addition.table() as writer:
                index = addition.update_index
                for at in range(number % 2, refs, 1 if number == 1 else 7):
                    writer.add_ref(RefRecord(b"refs/heads/b%02d" % at, index, oid(100 * number + at)))
                writer.add_logs(
                    LogRecord(name, older, oid(0), oid(older), b"A", b"a@b", 1, 0, oid(older).hex().encode())
                    for name in ENTRIES
                    for older in range(index, 0, -1)
                )
    return tmp_path


def damaged(data: bytes, kind: str, share: int) -> Iterator[tuple[int, bytes]]:
    """Do damage to each kind of byte; `test_scan` has every byte, for what is salvaged of it."""
    for at in thinned(telling_places(data, 7)[1 + share :: len(SHARES)], 17):
        if kind == "cut":
            yield at, data[:at]
        elif kind == "zeros":
            yield at, data[:at] + bytes(min(90, len(data) - at)) + data[at + 90 :]
        else:
            yield at, flipped(data, at, 0xFF if kind == "flipped" else 0x01)


def planned(plan: RepairPlan, name: str) -> Losses | None:
    """Return what the plan says is lost of a file."""
    inputs = [one for table in plan.tables for one in table.inputs if one.file == name]
    return inputs[0].losses if inputs else next(one.losses for one in plan.left_out if one.file == name)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("kind", ["cut", "zeros", "flipped", "off by one"])
@pytest.mark.parametrize("directory", [20], indirect=True)
def test_viewer_and_repair_give_one_answer_and_the_truth_bears_it_out(
    directory: Path, kind: str, share: int
) -> None:
    name = listed(directory)[1]
    path = directory / name
    data = path.read_bytes()
    with Table.open(path) as table:
        sound = contents_of(table)
    met = 0
    for at, broken in damaged(data, kind, share):
        path.write_bytes(broken)
        losses = planned(plan_repair(directory, now=NOW), name)
        with open_readable(directory) as stack:
            viewed = stack.tables[1]
            assert isinstance(viewed, ReadableTable)
            refs, logs = contents_of(viewed)
            if viewed.losses is not None:
                met += 1
                assert losses is None or viewed.losses == losses, at
            lost = [ref.name for ref in sound[0] if ref not in refs and not viewed.may_have_lost(ref.name)]
            # Of a byte inside a record, nothing shows that it is another one.
            altered = [ref for ref in refs if ref not in sound[0]]
            assert len(lost) <= len(altered), (at, lost)
            if not all(entry in logs for entry in sound[1]):
                assert viewed.losses is not None, at
                assert viewed.losses.lost_logs, at
    assert met


def test_doubt_is_where_the_damage_is_and_nowhere_else(directory: Path) -> None:
    path = directory / listed(directory)[1]
    data = bytearray(path.read_bytes())
    with Table.open(path) as table:
        blocks = [block for block in table.blocks() if block.type == ord("r")]
        sound, hash_size = contents_of(table), table.hash_id.size
        first, last = (blocks[number].refs(hash_size, table.min_update_index) for number in (1, 3))
    data[blocks[2].offset : blocks[2].offset + 250] = bytes(250)
    path.write_bytes(data)
    losses = losses_of(path)
    [gap] = losses.gaps
    assert (gap.low, gap.high) == (first[-1].name, last[0].name)
    # The block was one of refs, so that no log entry is lost.
    assert not losses.lost_logs
    assert losses.refs == len(sound[0]) - len(blocks[2].refs(hash_size, 2))
    assert losses.logs == len(sound[1])


@pytest.mark.parametrize("frame", [False, True])
def test_how_many_refs_may_be_lost_is_told_by_the_bytes_that_were_not_read(
    directory: Path, frame: bool
) -> None:
    """Not by the whole block: what lies in front of the damage, and behind the next restart, was read."""
    path = directory / listed(directory)[1]
    data = bytearray(path.read_bytes())
    with Table.open(path) as table:
        sound = contents_of(table)[0]
        block = [block for block in table.blocks() if block.type == ord("r")][2]
    at = block.offset + 180 if frame else block.offset + 60
    data[at : at + 20] = bytes(20)
    if frame:
        data[block.offset + 1] = 0xFF  # the length of the block
    path.write_bytes(data)
    losses = losses_of(path)
    [gap] = losses.gaps
    assert gap.about is not None
    assert abs(gap.about - (len(sound) - losses.refs)) <= 2 < losses.refs
    assert losses.first is not None
    assert block.offset + 20 < losses.first.start <= at + 20
    assert losses.size < 160


def test_a_damaged_table_is_salvaged_once_between_plan_and_repair(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = listed(directory)
    for name in names[:2]:
        os.truncate(directory / name, 300)
    passes: list[str] = []
    scan = salvage.salvage_table

    def counting(name: str, *arguments: object) -> object:
        passes.append(name)
        return scan(name, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(salvage, "salvage_table", counting)
    plan = plan_repair(directory, now=NOW)
    assert sum(map(len, ref_outcomes(plan)))
    log_outcomes(plan)
    repair(directory, plan, now=NOW)
    assert sorted(passes) == names[:2]


def test_a_footer_that_is_wrong_tells_not_where_logs_begin(directory: Path) -> None:
    """Its objects and its first log entries are zeros: by the layout alone these were all objects."""
    path = directory / listed(directory)[1]
    with Table.open(path) as sound:
        logs = sound.footer.log_offset
        assert sound.footer.obj_offset
        before = len(contents_of(sound)[1])
    data = bytearray(path.read_bytes())
    data[logs - 10 : logs + 10] = bytes(20)
    data[-4:] = bytes(4)
    path.write_bytes(data)
    losses = losses_of(path)
    assert losses.logs < before
    assert losses.lost_logs


def torn(path: Path) -> Iterator[bytes]:
    """Return the table with bytes overwritten from inside of each ref to inside of what follows it."""
    data = path.read_bytes()
    for record in everything(layout_of(data)):
        for before, behind in product((3, 8, 20), (1, 4, 30)):
            start, size = record.end - before, before + behind
            # Of zeros that end a value, nothing shows that they are none of it, unless all of it is.
            zeros = [bytes(size)] if before == 20 else []
            for fill in (*zeros, b"\xff" * size, (oid(record.end) + oid(start) + oid(0))[:size]):
                if isinstance(record, Record) and record.type == REF:
                    yield data[:start] + fill + data[start + size :]


@pytest.mark.parametrize("directory", [20], indirect=True)
def test_of_damage_that_begins_inside_of_a_ref_that_ref_is_doubtful(directory: Path) -> None:
    path = directory / listed(directory)[1]
    with Table.open(path) as table:
        sound = list(table.refs())
    met = 0
    for broken in thinned(list(torn(path)), 5):
        path.write_bytes(broken)
        salvaged = open_table(str(path), path.name, HashId.SHA1).salvaged()
        assert salvaged is not None
        refs = list(salvaged.table.refs())
        assert all(salvaged.losses.doubts(ref.name) for ref in refs if ref not in sound)
        assert all(salvaged.losses.may_have_lost(ref.name) for ref in sound if ref not in refs)
        met += sum(ref not in sound for ref in refs)
        # Doubt is where the damage is.
        assert sum(salvaged.losses.doubts(ref.name) for ref in refs) <= 3
    assert met


@pytest.mark.parametrize(("rest", "is_doubtful"), [(None, False), (b"\0y\1\2", True), (b"\xff" * 9, True)])
def test_where_a_file_ends_within_a_ref_the_one_before_is_certain_unless_other_bytes_follow_it(
    directory: Path, rest: bytes | None, is_doubtful: bool
) -> None:
    path = directory / listed(directory)[1]
    data = path.read_bytes()
    records = [one for one in everything(layout_of(data)) if isinstance(one, Record) and one.type == REF]
    for record, following in pairwise(records[:8]):
        size = following.start + 4 if following.start == record.end else record.end
        path.write_bytes(data[:size] if rest is None else data[: record.end] + rest)
        losses = losses_of(path)
        assert losses.refs == records.index(record) + 1
        assert losses.doubts(record.key) == is_doubtful


def test_a_name_that_damage_may_have_made_bounds_no_gap(directory: Path) -> None:
    """Its last digit is overwritten, and its block from the next record on."""
    path = directory / listed(directory)[1]
    data = bytearray(path.read_bytes())
    with Table.open(path) as table:
        sound = contents_of(table)[0]
        block = [block for block in table.blocks() if block.type == REF][2]
    records = [one for one in everything(layout_of(bytes(data))) if isinstance(one, Record)]
    before, record = [one for one in records if one.start > block.offset][2:4]
    made = record.key[:-1] + bytes([record.key[-1] + 2])
    data[data.index(record.key[-1:], record.start)] = made[-1]
    data[record.end : block.next_offset] = b"\xff" * (block.next_offset - record.end)
    path.write_bytes(data)
    losses = losses_of(path)
    salvaged = open_table(str(path), path.name, HashId.SHA1).salvaged()
    assert salvaged is not None
    names = {ref.name for ref in salvaged.table.refs()}
    assert made in names
    assert record.key not in names
    assert losses.doubts(made)
    [gap] = losses.gaps
    assert gap.low == before.key
    assert all(gap.holds(ref.name) for ref in sound if ref.name not in names)


def test_a_ref_may_be_lost_of_whose_block_damage_has_left_the_frame_alone(tmp_path: Path) -> None:
    """Zeros from within its name up to its restart point, so that what is read is a ref named by zeros."""
    path = tmp_path / "table.ref"
    name = b"refs/heads/main"
    write_table(path, [RefRecord(name, 1, oid(1))], [])
    data = path.read_bytes()
    at, end = data.index(name), data.index(oid(1)) + len(oid(1))
    path.write_bytes(data[: at + 5] + bytes(end + 3 - at - 5) + data[end + 3 :])
    losses = losses_of(path)
    assert losses.refs == 0
    assert losses.may_have_lost(name)
    assert losses.gaps

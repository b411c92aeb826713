"""What can be read of a damaged table is read, and nothing else is made of it."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from random import Random

import pytest

from engine.format import HashId, Header, LogRecord, RefRecord
from engine.layout import TableLayout
from engine.salvage import salvage
from engine.salvage.block_records import Readable, Unreadable
from engine.table import Table, WriteOptions
from tests.support.damage import flipped
from tests.support.tables import oid, write_table
from tests.support.thinning import thinned

REFS = [
    RefRecord(b"HEAD", 7, target=b"refs/heads/main"),
    *(RefRecord(b"refs/heads/b%03d" % number, 1 + number % 7, oid(number)) for number in range(16)),
    RefRecord(b"refs/heads/gone", 7),
    RefRecord(b"refs/tags/v1", 3, oid(1), oid(2)),
]
LOGS = [
    LogRecord(name, index, oid(index), oid(index + 1), b"A U Thor", b"a@b", 1_700_000_000, -330, b"moved\n")
    for name in (b"refs/heads/b001", b"refs/heads/main")
    for index in range(6, 0, -1)
]
OPTIONS = {
    "aligned": WriteOptions(block_size=200, restart_interval=4),
    "unpadded": WriteOptions(block_size=200, restart_interval=4, unpadded=True),
}


@pytest.fixture(params=OPTIONS)
def data(request: pytest.FixtureRequest, tmp_path: Path) -> bytes:
    path = tmp_path / "table.ref"
    write_table(path, REFS, LOGS, OPTIONS[request.param], limits=(1, 20))
    return path.read_bytes()


def header_of(data: bytes) -> Header:
    return Header.parse("table", data)


def salvaged(data: bytes, header: Header) -> list[Readable | Unreadable]:
    def read(offset: int, size: int) -> bytes:
        return data[offset : offset + size]

    return list(salvage(TableLayout("table", len(data), read), header))


def records(found: list[Readable | Unreadable]) -> tuple[list[RefRecord], list[LogRecord]]:
    readable = [one for one in found if isinstance(one, Readable)]
    return list(chain.from_iterable(one.refs for one in readable)), list(
        chain.from_iterable(one.logs for one in readable)
    )


def blocks(data: bytes, tmp_path: Path) -> Iterator[tuple[int, int, int]]:
    """Return type, offset and end of each block."""
    path = tmp_path / "sound.ref"
    path.write_bytes(data)
    with Table.open(path) as table:
        for block in table.blocks():
            yield block.type, block.offset, block.next_offset


def test_a_sound_table_is_read_whole(data: bytes, tmp_path: Path) -> None:
    """It has several blocks of records of either kind, and everything else that lies between them."""
    kinds = Counter(chr(kind) for kind, _, _ in blocks(data, tmp_path))
    assert kinds.keys() == {*"rogi"}
    assert kinds["r"] >= 4 <= kinds["g"]
    found = salvaged(data, header_of(data))
    assert records(found) == (REFS, LOGS)
    assert all(isinstance(one, Readable) and one.is_whole for one in found)


def test_a_table_cut_off_anywhere_keeps_every_record_in_front_of_the_cut(data: bytes) -> None:
    """Of a deflated block at the end, what inflates; of others each record that is whole."""
    header = header_of(data)
    most = (0, 0)
    for size in thinned(range(header.size, len(data)), 17):
        refs, logs = records(salvaged(data[:size], header))
        assert (refs, logs) == (REFS[: len(refs)], LOGS[: len(logs)])
        assert (len(refs), len(logs)) >= most, f"fewer records of {size} bytes than of less"
        most = len(refs), len(logs)
    assert most == (len(REFS), len(LOGS))


def test_a_lost_type_byte_costs_one_block_at_most(data: bytes, tmp_path: Path) -> None:
    for kind, offset, _ in blocks(data, tmp_path):
        at = offset or header_of(data).size
        broken = data[:at] + b"?" + data[at + 1 :]
        refs, logs = records(salvaged(broken, header_of(data)))
        lost = [one for one in [*REFS, *LOGS] if one not in refs and one not in logs]
        assert all(one in REFS or one in LOGS for one in [*refs, *logs])
        assert (not lost) == (chr(kind) in "oi")
        assert len(lost) < 8


def test_a_lost_frame_costs_no_record(data: bytes, tmp_path: Path) -> None:
    """Records are read from the beginning of their block when its length or restart count is wrong."""
    for kind, offset, end in blocks(data, tmp_path):
        if chr(kind) != "r":
            continue
        at = offset or header_of(data).size
        for broken in (
            data[: at + 1] + b"\xff\xff\xff" + data[at + 4 :],
            data[: at + 1] + b"\0\0\x05" + data[at + 4 :],
        ):
            refs, logs = records(salvaged(broken, header_of(data)))
            assert refs == REFS, (offset, end)
            assert logs == LOGS


def test_what_is_in_front_of_an_update_that_the_table_has_not_is_kept(data: bytes) -> None:
    """Where the frame of the block is lost, so that nothing behind it can be read."""
    at, start = data.index(b"refs/heads/b000") + 15, header_of(data).size
    broken = bytearray(data)
    broken[at], broken[start + 1] = 0x70, 0xFF
    found = salvaged(bytes(broken), header_of(data))
    assert records(found)[0][0] == REFS[0]
    assert REFS[1].name not in {ref.name for ref in records(found)[0]}


def test_a_damaged_record_costs_those_up_to_the_next_restart(data: bytes, tmp_path: Path) -> None:
    first = next(blocks(data, tmp_path))
    at = data.index(b"refs/heads/b000", first[1]) - 1
    broken = data[:at] + b"\xff" + data[at + 1 :]
    found = salvaged(broken, header_of(data))
    refs, logs = records(found)
    assert logs == LOGS
    assert 0 < len(REFS) - len(refs) <= 4
    assert [one for one in found if isinstance(one, Unreadable)]


def test_a_broken_deflate_stream_keeps_what_inflates_before_it(tmp_path: Path) -> None:
    path = tmp_path / "table.ref"
    logs = [
        LogRecord(
            b"refs/heads/main",
            index,
            oid(index),
            oid(index + 1),
            b"A",
            b"a@b",
            index,
            0,
            oid(index).hex().encode() + b"\n",
        )
        for index in range(200, 0, -1)
    ]
    write_table(path, [], logs, WriteOptions(block_size=2**16))
    data = path.read_bytes()
    broken = bytearray(data)
    broken[len(data) // 2] ^= 0xFF
    found = salvaged(bytes(broken), header_of(data))
    _, kept = records(found)
    assert [one.is_certain for one in found if isinstance(one, Readable)] == [False]
    assert [log.update_index for log in kept] == list(range(200, 200 - len(kept), -1))
    assert 20 < len(kept) < 200


def test_a_deflate_stream_without_end_is_not_certain_where_the_file_goes_on(
    data: bytes, tmp_path: Path
) -> None:
    """Damage may make of it one that has nothing else wrong: here, with other messages and empty blocks."""
    start, end = next((start + 4, end) for kind, start, end in blocks(data, tmp_path) if chr(kind) == "g")
    other = zlib.decompressobj().decompress(data[start:end]).replace(b"moved", b"MOVED")
    for size in range(len(other), 0, -1):
        deflate = zlib.compressobj(9)
        stream = deflate.compress(other[:size]) + deflate.flush(zlib.Z_SYNC_FLUSH)
        if len(stream) <= end - start and (end - start - len(stream)) % 5 == 0:
            break
    stream += b"\0\0\0\xff\xff" * ((end - start - len(stream)) // 5)
    found = salvaged(data[:start] + stream + data[end:], header_of(data))
    wrong = [one for one in found if isinstance(one, Readable) if any(log not in LOGS for log in one.logs)]
    assert [one.is_certain for one in wrong] == [False]


@pytest.mark.parametrize("rest", [b"", b"\xa5\x5a"])
def test_zeros_in_a_stream_that_the_file_ends_with_are_none_of_it(tmp_path: Path, rest: bytes) -> None:
    """They inflate to something, and so to entries that were never written."""
    path = tmp_path / "table.ref"
    ids = [Random(number).randbytes(20) for number in range(32)]
    logs = [
        LogRecord(b"refs/heads/main", index, ids[index], ids[index + 1], b"A", b"a@b", index, 0, b"m\n")
        for index in range(30, 0, -1)
    ]
    write_table(path, [], logs, WriteOptions(block_size=2**16))
    data = path.read_bytes()
    kept = 0
    for at in range(len(data) // 2, len(data) - 100):
        found = salvaged(data[:at] + bytes(100) + rest, header_of(data))
        certain = [log for one in found if isinstance(one, Readable) and one.is_certain for log in one.logs]
        assert certain == logs[: len(certain)], at
        kept += len(certain)
    assert kept or rest


def test_a_table_without_header_and_footer_is_read_by_a_header_made_up(data: bytes) -> None:
    header = header_of(data)
    broken = b"\0" * header.size + data[header.size : -68]
    refs, logs = records(salvaged(broken, header))
    assert (refs, logs) == (REFS, LOGS)


def test_blocks_behind_noise_are_found(data: bytes, tmp_path: Path) -> None:
    """Also where neither an index nor the block size tells where the next block is."""
    noise = bytes(range(256))
    at = next(offset for kind, offset, _ in blocks(data, tmp_path) if chr(kind) == "g")
    refs, logs = records(salvaged(data[:at] + noise + data[at:], header_of(data)))
    assert (refs, logs) == (REFS, LOGS)


@pytest.mark.parametrize("mask", [0x55, 0xFF])
def test_every_byte_may_be_wrong(data: bytes, mask: int) -> None:
    """Nothing raises, and what is found lies in order and inside the file."""
    header = header_of(data)
    for at in thinned(range(len(data)), 17):
        for one in salvaged(flipped(data, at, mask), header):
            if isinstance(one, Readable):
                names = [ref.name for ref in one.refs]
                assert names == sorted(names)
            else:
                assert 0 <= one.start < one.end <= len(data)


def test_noise_is_no_table() -> None:
    header = Header(1, 4096, 1, 9, HashId.SHA1)
    assert records(salvaged(zlib.compress(bytes(range(256)) * 40, 0), header)) == ([], [])
    assert salvaged(b"", header) == []

"""A table that was written wrong does not get into the stack."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from engine.errors import FormatError
from engine.format import LogRecord, RefRecord
from engine.progress import Progress
from engine.repair import plan_repair, repair
from engine.stack import Stack, StackOptions
from engine.table import Table
from tests.support.findings import NOW
from tests.support.repairs import mend
from tests.support.stacks import listed
from tests.support.tables import oid, stack_contents

REFS = [
    RefRecord(b"HEAD", 1, target=b"refs/heads/b01"),
    *(RefRecord(b"refs/heads/b%02d" % at, 1, oid(at)) for at in range(30)),
]
LOGS = [LogRecord(b"refs/heads/b01", 1, oid(0), oid(1), b"A", b"a@b", 1, 0, b"made\n")]


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """Make a stack of one table, whose first restart point is wrong: all of it can be read."""
    with (
        Stack.open(tmp_path, StackOptions(block_size=512)) as stack,
        stack.addition() as addition,
        addition.table() as writer,
    ):
        writer.add_refs(REFS)
        writer.add_logs(LOGS)
    path = tmp_path / listed(tmp_path)[0]
    with Table.open(path) as table:
        at = next(table.blocks()).records_end
    data = bytearray(path.read_bytes())
    data[at + 2] ^= 1
    path.write_bytes(data)
    return tmp_path


def swapped(data: bytes, one: bytes, other: bytes) -> bytes:
    assert one in data
    assert len(one) == len(other)
    return data.replace(one, other)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: swapped(data, oid(7), oid(8)),
        lambda data: swapped(data, b"refs/heads/b01", b"refs/heads/b02"),
        lambda data: swapped(data, b"refs/heads/b00", b"refs/heads/a00"),
        lambda data: data[:-1],
    ],
    ids=["id", "target", "name", "cut short"],
)
def test_what_does_not_read_back_as_it_was_written_is_refused(
    stack: Path, change: Callable[[bytes], bytes]
) -> None:
    plan = plan_repair(stack, now=NOW)
    before = stack_contents(stack)
    there = set(stack.iterdir())

    def spoil(progress: Progress) -> None:
        if progress.phase == "verify tables":
            [written] = [path for path in set(stack.iterdir()) - there if ".temp" in path.name]
            written.write_bytes(change(written.read_bytes()))

    with pytest.raises(FormatError, match="written wrong"):
        repair(stack, plan, now=NOW, progress=spoil)
    assert stack_contents(stack) == before
    mend(stack)

"""Each byte of a table wrong once, and the table cut in each kind of place: planned, repaired, checked.

Never a traceback; afterwards fsck has no error, and every record that can be read of the damaged table is
in the stack. By default some of the bytes, the same each time.
"""

from __future__ import annotations

import shutil
from itertools import chain, count
from pathlib import Path

import pytest

from engine.format import Header, LogRecord, RefRecord
from engine.layout import TableLayout
from engine.repair import Outcome, plan_repair, ref_outcomes, repair
from engine.salvage import salvage
from engine.salvage.scan import Readable
from engine.stack import Stack, StackOptions
from tests.support.damage import flipped, telling_places
from tests.support.findings import NOW, OF_VALUES
from tests.support.repairs import errors, state
from tests.support.stacks import listed
from tests.support.tables import oid, stack_contents
from tests.support.thinning import SHARES, THOROUGH, thinned

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three tables; the one in the middle has refs of each kind in several blocks, an index, and logs.

    The others are never damaged, but read each time: they have no more than it takes.
    """
    directory = tmp_path_factory.mktemp("source") / "reftable"
    directory.mkdir()
    options = StackOptions(auto_compact=False, block_size=128, restart_interval=3, suffix=count(1).__next__)
    with Stack.open(directory, options) as stack:
        for number in range(1, 4):
            with stack.addition() as addition, addition.table() as writer:
                index = addition.update_index
                names = [b"refs/heads/b%d" % at for at in range(7) if number == 2 or at % 3 == 0]
                writer.add_ref(RefRecord(b"HEAD", index, target=b"refs/heads/b0"))
                writer.add_refs(RefRecord(name, index, oid(number)) for name in names)
                writer.add_ref(RefRecord(b"refs/heads/gone%d" % number, index))
                writer.add_ref(RefRecord(b"refs/tags/v%d" % number, index, oid(number + 10), oid(number)))
                writer.add_logs(
                    LogRecord(name, index, oid(0), oid(number), b"A", b"a@b", 1, 0, b"m\n") for name in names
                )
    return directory


def damaged(data: bytes, kind: str) -> list[tuple[int, bytes]]:
    """Return the table cut at each telling place, or with each byte wrong once."""
    if kind == "cut":
        return [(at, data[:at]) for at in telling_places(data, 9)]
    if THOROUGH:
        return [(at, flipped(data, at, mask)) for at in range(len(data)) for mask in (0xFF, 0x01)]
    # All bits of a byte at once where it is even, off by one where it is odd: both are tried everywhere near.
    return [(at, flipped(data, at, 0x01 if at % 2 else 0xFF)) for at in range(len(data))]


def readable(path: Path) -> set[bytes]:
    """Return the names of the refs that can be salvaged of a table that has its header still."""
    data = path.read_bytes()
    layout = TableLayout(path.name, len(data), lambda offset, size: data[offset : offset + size])
    header: Header | None = layout.used_header
    found = salvage(layout, header) if header is not None else iter(())
    parts = (one.refs for one in found if isinstance(one, Readable))
    return {ref.name for ref in chain.from_iterable(parts) if not ref.is_deletion}


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("kind", ["cut", "wrong"])
def test_every_damage_of_a_table_is_repaired(source: Path, tmp_path: Path, kind: str, share: int) -> None:
    name = listed(source)[1]
    sound = {ref.name for ref in state(source)[0]}
    data = (source / name).read_bytes()
    tried = thinned(damaged(data, kind)[share :: len(SHARES)], 23 if kind == "cut" else 47)
    seen: dict[str, set[bytes]] = {}
    """Of the bytes of each repaired stack, the names of its refs: much damage is repaired to the same one."""
    repaired = 0
    for at, broken in tried:
        directory = tmp_path / "copy" / "reftable"
        shutil.copytree(source, directory)
        (directory / name).write_bytes(broken)
        plan = plan_repair(directory, now=NOW)
        told = [one for batch in ref_outcomes(plan) for one in batch]
        expected = readable(directory / name)

        # A plan without steps changes nothing: then there was no error before.
        repair(directory, plan, now=NOW)
        key = repr(stack_contents(directory))
        if key not in seen:
            assert OF_VALUES.issuperset(errors(directory)), at
            seen[key] = {ref.name for ref in state(directory)[0]}
        names = seen[key]
        lost = {one.name for one in told if one.outcome is Outcome.LOST}
        assert expected <= names | lost, at
        # What two sound tables hold is there in any case, and nothing that was there is lost in silence
        # unless nothing of it was left.
        assert {b"HEAD", b"refs/heads/b0", b"refs/tags/v1", b"refs/tags/v3"} <= names, at
        assert len(sound - names) <= 7
        repaired += bool(plan.steps)
        shutil.rmtree(tmp_path / "copy")
    assert repaired > len(tried) // 2

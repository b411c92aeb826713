"""Each byte of a table wrong once, and the table cut in each kind of place: planned, repaired, checked.

Never a traceback; afterwards fsck has no error, and every record that can be read of the damaged table is
in the stack. What is said to be kept has its value still, and what has not is told: by its name if its reflog
is left, or else as a gap. By default some of the bytes, the same each time.
"""

from __future__ import annotations

import shutil
from itertools import chain, count
from pathlib import Path

import pytest

from engine.format import REF, Header, LogRecord, RefRecord
from engine.layout import Record, TableLayout
from engine.repair import Outcome, damages, plan_repair, ref_outcomes, repair
from engine.salvage import salvage
from engine.salvage.block_records import Readable
from engine.stack import Stack, StackOptions
from tests.support.damage import flipped, telling_places
from tests.support.findings import NOW, OF_VALUES
from tests.support.repairs import errors, state
from tests.support.spans import everything, layout_of
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
                if number == 2:  # a ref that a log entry may tell of, but does not restore
                    names.append(b"refs/remotes/o/HEAD")
                    writer.add_ref(RefRecord(names[-1], index, oid(number)))
                if number < 3:  # one that moves without a log entry
                    writer.add_ref(RefRecord(b"refs/tags/moved", index, oid(number)))
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


def stretches(data: bytes) -> dict[int, set[bytes]]:
    """Return for each byte of a ref record the names of the refs between the restart points around it."""
    found: dict[int, set[bytes]] = {}
    names: set[bytes] = set()
    for record in everything(layout_of(data)):
        if isinstance(record, Record) and record.type == REF:
            shared = next(iter(record.children())).value
            names = names if shared else set()
            names.add(record.key)
            found.update(dict.fromkeys(range(record.start, record.end), names))
    return found


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("kind", ["cut", "wrong"])
def test_every_damage_of_a_table_is_repaired(source: Path, tmp_path: Path, kind: str, share: int) -> None:
    name = listed(source)[1]
    sound = {ref.name: ref for ref in state(source)[0]}
    data = (source / name).read_bytes()
    # The first byte of each block is among those that are wrong.
    tried = thinned(damaged(data, kind)[share :: len(SHARES)], 23 if kind == "cut" else 32)
    seen: dict[str, tuple[dict[bytes, RefRecord], set[bytes]]] = {}
    """Of the bytes of each repaired stack, its refs, and those with reflogs: much damage ends in the same."""
    near, repaired = stretches(data), 0
    for at, broken in tried:
        directory = tmp_path / "copy" / "reftable"
        shutil.copytree(source, directory)
        (directory / name).write_bytes(broken)
        plan = plan_repair(directory, now=NOW)
        told = [one for batch in ref_outcomes(plan, kept=True) for one in batch]
        expected = readable(directory / name)

        # A plan without steps changes nothing: then there was no error before.
        repair(directory, plan, now=NOW)
        key = repr(stack_contents(directory))
        if key not in seen:
            assert OF_VALUES.issuperset(errors(directory)), at
            shown, logs = state(directory)
            seen[key] = {ref.name: ref for ref in shown}, {log.name for log in logs}
        refs, logged = seen[key]
        lost = {one.name for one in told if one.outcome is Outcome.LOST}
        assert expected <= refs.keys() | lost, at
        # What two sound tables hold is there in any case.
        assert {b"HEAD", b"refs/heads/b0", b"refs/tags/v1", b"refs/tags/v3"} <= refs.keys(), at
        assert len(sound.keys() - refs) <= 9
        kept = {one.name for one in told if one.outcome is Outcome.KEPT}
        others = {one for one in sound if refs.get(one) != sound[one]}
        gaps = [gap for damage in damages(plan) for gap in damage.losses.gaps]
        untold = others.difference(one.name for one in told)
        untold -= {one for one in untold - logged if any(gap.holds(one) for gap in gaps)}
        # But for a byte inside of a record, of which nothing shows that it is another one.
        assert untold | (others & kept) <= (near.get(at, set()) if kind == "wrong" else set()), at
        repaired += bool(plan.steps)
        shutil.rmtree(tmp_path / "copy")
    assert repaired > len(tried) // 2

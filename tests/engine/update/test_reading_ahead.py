"""Many refs of one transaction are read in one walk, and few each by itself: the outcome is the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.errors import ExpectationError
from engine.format import U64_MAX, RefRecord
from engine.merge import MergedTable
from engine.stack import Stack
from engine.update import Identity, PreparedUpdates, prepare_updates, resolution
from engine.update.commands import RefUpdate
from tests.support.stacks import branch, make_stack, same

NULL = bytes(20)


def prepared(stack: Stack, updates: list[RefUpdate]) -> PreparedUpdates:
    return prepare_updates(
        updates, stack.hash_id, committer=Identity(b"C", b"c", 1, 0), autocreates_reflog=lambda _: True
    )


@pytest.fixture(params=[0, U64_MAX], ids=["each by itself", "in one walk"])
def lookups(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    monkeypatch.setattr(resolution, "_BYTES_A_LOOKUP", request.param)
    looked_up: list[bytes] = []
    read_ref = MergedTable.read_ref

    def counting(view: MergedTable, name: bytes) -> RefRecord | None:
        looked_up.append(name)
        return read_ref(view, name)

    monkeypatch.setattr(MergedTable, "read_ref", counting)
    yield looked_up
    assert (branch(1).name in looked_up) == (request.param == 0)


def test_however_refs_are_read_their_old_values_are_compared(tmp_path: Path, lookups: list[bytes]) -> None:
    make_stack(tmp_path, 5)
    with Stack.open(tmp_path) as stack:
        held = {number: stack.read_ref(branch(number).name) for number in range(1, 6)}
        lookups.clear()
        updates = [
            RefUpdate(branch(1).name, same(9), held[1].value if held[1] else NULL),
            RefUpdate(branch(77).name, same(9), NULL),
            RefUpdate(branch(3).name, NULL, held[3].value if held[3] else None),
            RefUpdate(branch(4).name, same(4), None),
        ]
        result = prepared(stack, updates).plan(stack).result
        assert [(ref.name, ref.value) for ref in result.refs] == [
            (branch(1).name, same(9)),
            (branch(3).name, None),
            (branch(77).name, same(9)),
        ]
        lookups.clear()
        with pytest.raises(ExpectationError):
            prepared(stack, [RefUpdate(branch(1).name, same(9), NULL)]).plan(stack)

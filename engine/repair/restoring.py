"""Refs whose records are lost or damaged, but whose reflogs tell the values."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from engine.format import MAX_BLOCK_SIZE, HashId, RefRecord, encode_log
from engine.repair.inputs import Input, LastEntry, Located, OpenInputs, logged_refs
from engine.repair.plan import Damage
from engine.salvage import Builder, ref_item
from engine.table import Table

_HEAD: Final = b"HEAD"


def restored_refs(directory: Path, inputs: Sequence[Input], others: Sequence[Damage]) -> dict[int, Table]:
    """The refs whose records are lost or wrong, but whose reflogs tell the values, by the inputs' numbers.

    `inputs` are those of the repaired stack, oldest first, `others` what may be lost of tables that are not
    in it. Raises as `ref_outcomes` does.
    """
    damaged = [
        Damage.of(one.file, number, one.limits[1], one.losses)
        for number, one in enumerate(inputs)
        if one.losses is not None
    ]
    if not damaged:
        return {}
    tells_all = not any(one.lost_logs for one in (*damaged, *others))
    head: tuple[int, LastEntry] | None = None
    targets: list[bytes] = []
    made: dict[int, Builder] = {}
    sources = [OpenInputs(directory, [one]) for one in inputs]
    with ExitStack() as opened:

        def add(at: int, ref: RefRecord) -> None:
            if at not in made:
                salvaged = inputs[at].salvaged
                hash_id = salvaged.header.hash_id if salvaged is not None else HashId.SHA1
                made[at] = opened.enter_context(Builder(inputs[at].file, hash_id, MAX_BLOCK_SIZE))
            made[at].add_refs([ref_item(ref, 0, made[at].hash_id.size)], 0)

        for name, located, log in logged_refs(sources):
            if head and name.startswith(b"refs/heads/") and log[1:] == head[1][1:]:
                targets.append(name)
            at = _place(inputs, [*damaged, *others], located, log)
            if at is None:
                continue
            if name == _HEAD:
                head = (at, log)
            else:
                add(at, RefRecord(name, log.update_index, log.new))
        # A commit writes the same entry for HEAD and for the branch that HEAD names.
        if head and tells_all and len(targets) == 1:
            add(head[0], RefRecord(_HEAD, head[1].update_index, target=targets[0]))
        return {at: builder.finish()[0] for at, builder in made.items()}


def _place(
    inputs: Sequence[Input], damages: Sequence[Damage], located: Located | None, log: LastEntry
) -> int | None:
    """The input that has lost the record of a ref whose newest log entry this is; None if that is not sure.

    The entry is of an update in the range of that table, newer than any record left, and no newer entry may
    be lost. Or a damaged table has both, and the record has another value: a checksum guards the entry
    alone. Symbolic refs, HEAD and its like, have no entries of their own; of HEAD, only the place is told.
    """
    if not any(log.new):
        return None
    if not log.name.startswith(b"refs/") and (log.name != _HEAD or located is not None):
        return None
    if log.name.endswith(b"/HEAD"):
        return None
    index = log.update_index
    if located is not None:
        _, record, at = located
        if record.update_index > index or record.target is not None:
            return None
        if record.update_index == index:
            salvaged = inputs[at].salvaged if record.value != log.new else None
            entry = salvaged.table.read_log(log.name, index) if salvaged is not None else None
            if salvaged is None or entry is None or entry.update_index != index:
                return None
            return at if encode_log(entry, salvaged.header.hash_id.size)[1] == log.tail else None
    holding = [one for one in damages if one.losses is None or one.losses.may_have_lost(log.name)]
    if any(one.lost_logs and one.high > index for one in holding):
        return None
    places = (one.position for one in holding if one.high >= index)
    return next((at for at in places if at is not None and inputs[at].limits[0] <= index), None)

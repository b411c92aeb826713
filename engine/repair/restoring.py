"""Refs whose records are lost, but whose reflogs tell the values."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from engine.format import MAX_BLOCK_SIZE, HashId, LogRecord, RefRecord
from engine.repair.inputs import Input, Located, OpenInputs, located_refs, newest_logs, side_by_side
from engine.repair.plan import Damage
from engine.salvage import Builder
from engine.table import Table


def restored_refs(directory: Path, inputs: Sequence[Input], others: Sequence[Damage]) -> dict[int, Table]:
    """The refs whose records are lost, but whose reflogs tell the values, by the damaged inputs' numbers.

    `inputs` are those of the repaired stack, oldest first, `others` what may be lost of tables that are not
    in it. Raises as `ref_outcomes` does.
    """
    damaged = [
        Damage.of(one.file, number, one.limits[1], one.losses)
        for number, one in enumerate(inputs)
        if one.losses is not None and one.losses.gaps
    ]
    if not damaged:
        return {}
    gaps = [gap for one in damaged for gap in one.gaps]
    low, ends = min(gap.low for gap in gaps), [gap.high for gap in gaps if gap.high is not None]
    end = max(ends) if len(ends) == len(gaps) else None
    made: dict[int, Builder] = {}
    sources = [OpenInputs(directory, [one]) for one in inputs]
    with ExitStack() as opened:
        for name, (located, log) in side_by_side(located_refs(sources, low), newest_logs(sources, low)):
            if end is not None and name >= end:
                break
            at = _place(inputs, [*damaged, *others], located, log)
            if at is None:
                continue
            if at not in made:
                salvaged = inputs[at].salvaged
                hash_id = salvaged.header.hash_id if salvaged is not None else HashId.SHA1
                made[at] = opened.enter_context(Builder(inputs[at].file, hash_id, MAX_BLOCK_SIZE))
            made[at].add_refs([RefRecord(name, log.update_index, log.new)], 0)
        return {at: builder.finish()[0] for at, builder in made.items()}


def _place(
    inputs: Sequence[Input], damages: Sequence[Damage], located: Located | None, log: LogRecord | None
) -> int | None:
    """The input that has lost the record of a ref whose newest log entry this is; None if that is not sure.

    The entry is of an update in the range of that table, newer than any record left, and no newer entry may
    be lost. Of HEAD and its like none tells, which are symbolic refs.
    """
    if log is None or not any(log.new or b""):
        return None
    if not log.name.startswith(b"refs/") or log.name.endswith(b"/HEAD"):
        return None
    index = log.update_index
    if located is not None and (located[0].update_index >= index or located[0].target is not None):
        return None
    holding = [one for one in damages if any(gap.holds(log.name) for gap in one.gaps)]
    if any(one.lost_logs and one.high > index for one in holding):
        return None
    places = (one.position for one in holding if one.high >= index)
    return next((at for at in places if at is not None and inputs[at].limits[0] <= index), None)

"""The tables that another one was made of, where a compaction has left them beside it.

A process that dies before it has removed what it merged leaves all of it. Then nothing of a damaged table is
needed: they have each of its records. And nothing of them is, where one of them is damaged, and the table is
sound. That they are these, and not tables of another history, is seen by what can still be read of both.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import attrgetter
from pathlib import Path

from engine.format import DELETION, LOG_KEY_TAIL, U64_MAX, Encoded, RefRecord, limits_in_name
from engine.merge import side_by_side
from engine.repair.choice import choose
from engine.repair.files import TableFile
from engine.repair.inputs import Input, Located, OpenInputs, all_logs, located_name, located_refs
from engine.repair.plan import Damage
from engine.salvage import UNKNOWN, item_key
from engine.stack import covers, merged_ranges


def originals(directory: Path, made: TableFile, beside: Sequence[TableFile]) -> list[TableFile]:
    """Those of some sound tables that `made`, which is damaged, was made of, oldest first.

    Empty if some of them are missing. Raises as `ref_outcomes` does.
    """
    low, high = made.readable.limits
    files = {file.file: file for file in beside if file.input is not None and not file.rewrites}
    within = [
        one
        for file in files.values()
        if low <= (one := file.candidate(is_listed=False)).low <= one.high <= high
    ]
    chosen = choose(within)[0]
    if not covers(merged_ranges((one.low, one.high) for one in chosen), low, high):
        return []
    found = [files[name] for one in chosen for name in one.files]
    return found if _hold_all(directory, [file.readable for file in found], made.readable) else []


def is_made_of(directory: Path, made: Input, beside: Sequence[TableFile]) -> bool:
    """Whether a sound table was made of all these tables, some of which are damaged.

    Raises as `ref_outcomes` does.
    """
    inputs = sorted((file.readable for file in beside if file.input is not None), key=attrgetter("limits"))
    ranges = [one.limits for one in inputs]
    damages = [Damage(one.file, None, *one.limits, one.losses) for one in inputs if one.losses is not None]
    for file in beside:
        if file.input is None and (stated := limits_in_name(file.file)):
            ranges.append(stated)
            damages.append(Damage(file.file, None, *stated, UNKNOWN))
    if not covers(merged_ranges(ranges), *made.limits):
        return False
    stack, one = ([OpenInputs(directory, [source]) for source in some] for some in (inputs, [made]))
    rows = side_by_side(located_refs(one), located_refs(stack), located_name)
    if not all(_explain(were, are, damages) for were, are in rows):
        return False
    lossy = [damage for damage in damages if damage.losses.lost_logs]
    entries = side_by_side(all_logs(one), all_logs(stack), item_key)
    return all(_have(are, [item for item in were if not _may_lie_in(item, lossy)]) for were, are in entries)


def lost_logs(directory: Path, made: Input, beside: Sequence[TableFile]) -> Iterator[list[Encoded]]:
    """The log entries that a damaged table may have lost, of those sound tables that it was made of.

    Of a ref that it has not, and has not lost either, the log was deleted. Raises as `ref_outcomes` does.
    """
    salvaged = made.salvaged
    if salvaged is None:
        return
    parts = [file.readable for file in beside if file.input is not None and not file.rewrites]
    parts = [one for one in sorted(parts, key=attrgetter("limits")) if _is_part(directory, one, made)]
    gaps, gone = salvaged.losses.log_gaps, dict[bytes, bool]()
    for items in all_logs([OpenInputs(directory, [one]) for one in parts]):
        kept: list[Encoded] = []
        for item in items:
            name = item[0][:-LOG_KEY_TAIL]
            if item[3] == DELETION or not any(gap.holds(item[0]) for gap in gaps):
                continue
            if name not in gone:
                record = salvaged.table.read_ref(name)
                is_lost = record is None and salvaged.losses.may_have_lost(name)
                # Of one name: they come by names.
                gone = {name: not is_lost and (record is None or record.is_deletion)}
            if not gone[name]:
                kept.append(item)
        if kept:
            yield kept


def _is_part(directory: Path, one: Input, made: Input) -> bool:
    """Whether a table has records of one that may be made of it and others, and none that contradicts it."""
    inputs, makes = ([OpenInputs(directory, [source])] for source in (one, made))
    found = False
    for were, are in side_by_side(located_refs(inputs), located_refs(makes), located_name):
        has = {name: record for name, record, _ in are}
        for name, record, _ in were:
            other = has.get(name)
            if other is None or other.update_index > record.update_index or _may_be_wrong(made, name, other):
                continue
            if other != record:
                return False
            found = True
    for entries, others in side_by_side(all_logs(inputs), all_logs(makes), item_key):
        tails = {item[0]: _tail(item) for item in others}
        for item in entries:
            tail = tails.get(item[0])
            if tail is not None and tail != _tail(item) and DELETION not in (tail[0], item[3]):
                return False
            found = found or tail is not None
    return found


def is_held(
    directory: Path, stack: Sequence[Sequence[Input]], one: Input, *, drops_deletions: bool = True
) -> bool:
    """Whether a stack of tables, each made of some inputs, has all records of another one, as new or newer.

    Of what is deleted it need have nothing where it `drops_deletions`, as no table is older. Raises as
    `ref_outcomes` does.
    """
    tables, own = [OpenInputs(directory, inputs) for inputs in stack], [OpenInputs(directory, [one])]
    for were, are in side_by_side(located_refs(own), located_refs(tables), located_name):
        has = {name: record for name, record, _ in are}
        for name, record, _ in were:
            other = has.get(name, record if record.is_deletion and drops_deletions else None)
            if other is None or (other != record and other.update_index <= record.update_index):
                return False
    for entries, others in side_by_side(all_logs(own), all_logs(tables), item_key):
        tails = {item[0]: _tail(item) for item in others}
        for item in entries:
            tail = tails.get(item[0])
            is_gone = item[3] == DELETION and (drops_deletions if tail is None else tail[0] == DELETION)
            if not is_gone and tail != _tail(item):
                return False
    return True


def _explain(made: Sequence[Located], inputs: Sequence[Located], damages: Sequence[Damage]) -> bool:
    """Whether records of a table are those of its inputs, but for newer ones that may be lost of these."""
    had, were = ({name: record for name, record, _ in located} for located in (made, inputs))
    for name in had.keys() | were.keys():
        has, was = had.get(name), were.get(name)
        if has == was or (has is None and was is not None and was.is_deletion):
            continue
        newer = has.update_index if has is not None else None
        if not any(
            damage.losses.may_have_lost(name)
            and (was is None or damage.high > was.update_index or damage.losses.doubts(name))
            and (newer is None or damage.low <= newer <= damage.high)
            for damage in damages
        ):
            return False
    return True


def _may_lie_in(item: Encoded, lossy: Sequence[Damage]) -> bool:
    index = U64_MAX - int.from_bytes(item[0][-8:], "big")
    return any(damage.low <= index <= damage.high for damage in lossy)


def _hold_all(directory: Path, inputs: Sequence[Input], made: Input) -> bool:
    """Whether tables, oldest first, agree with all that was read of the one that may be made of them."""
    stack = [OpenInputs(directory, inputs)]
    one = [OpenInputs(directory, [made])]
    rows = side_by_side(located_refs(one), located_refs(stack), located_name)
    entries = side_by_side(all_logs(one), all_logs(stack), item_key)
    if not all(_agree(were, are, made) for were, are in rows):
        return False
    return all(_have(are, were) for were, are in entries)


def _agree(made: Sequence[Located], inputs: Sequence[Located], one: Input) -> bool:
    """Whether refs of both differ in what may be lost or damaged, and in tombstones, alone."""
    had, were = ({name: record for name, record, _ in located} for located in (made, inputs))
    return all(
        had.get(name) == were.get(name) or _may_be_wrong(one, name, had.get(name))
        for name in had.keys() | were.keys()
        if name in had or not were[name].is_deletion
    )


def _may_be_wrong(one: Input, name: bytes, record: RefRecord | None) -> bool:
    """Whether the record that was read of a ref may be another one, or lost: a reflog may say so, too."""
    if one.salvaged is None:
        return False
    if one.salvaged.losses.may_have_lost(name):
        return True
    if record is None or record.target is not None:
        return False
    entry = one.salvaged.table.read_log(name, record.update_index)
    if entry is None or entry.update_index != record.update_index:
        return False
    return entry.new is not None and any(entry.new) and entry.new != record.value


def _have(inputs: Sequence[Encoded], made: Sequence[Encoded]) -> bool:
    """Whether the log entries of `inputs` are those of `made`, and perhaps some that have expired since."""
    tails = {item[0]: _tail(item) for item in inputs}
    return all(tails.get(item[0]) == _tail(item) for item in made)


def _tail(item: Encoded) -> tuple[int, bytes]:
    _, _, _, kind, tail_len, encoded = item
    return kind, encoded[len(encoded) - tail_len :]

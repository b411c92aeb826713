"""What doubtful refs hold: which values the repository has objects for, what can be none, what tags are of.

No damage makes of an object id that of another object.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from engine.format import RefRecord, is_refname, is_root_ref
from engine.fsck import target_below_refs
from engine.git import ObjectInfo, Repository
from engine.repair.inputs import Input, OpenInputs
from engine.repair.plan import RepairPlan

_WITNESSES: Final = 16
_MOST_ASKED: Final = 4096
"""Refs of damaged tables whose objects are asked for, though nothing else speaks against them."""

Value = tuple[bytes | None, bytes | None]
"""The object id that a ref holds, and what a tag of that id is said to point to."""


def present_values(plan: RepairPlan) -> set[Value]:
    """Those of refs that damage may have reached into. git is asked once, if the plan has a repository."""
    if plan.repository is None:
        return set()
    values: dict[Value, bytes] = {}
    inputs = [one for table in plan.tables if table.is_rewritten for one in table.inputs]
    for salvaged in [one.salvaged for one in inputs if one.salvaged is not None]:
        for name in salvaged.losses.doubtful or ():
            ref = salvaged.table.read_ref(name)
            if ref is not None and ref.value is not None:
                values[ref.value, ref.peeled] = ref.value
    found = plan.repository.objects(values.values()) if values else {}
    return {
        (value, peeled)
        for (value, peeled), oid in values.items()
        if oid in found and found[oid].type is not None and peeled in (None, found[oid].peeled)
    }


class Told(NamedTuple):
    """What is known of the refs of one input that damage may have reached into.

    `impossible` are the names of those that can be none: they have the null id, or a target that is no name,
    or the id of no object. `right` are others as they should be: tags that are said to be of another object
    than they are, and refs of which an entry out of a damaged block of the reflog has an object. Those that
    are `objectless` were read of sound bytes, as far as is known, but have the id of no object.
    """

    impossible: frozenset[bytes]
    right: tuple[RefRecord, ...]
    objectless: frozenset[bytes] = frozenset()


def told_by_objects(
    directory: Path, inputs: Sequence[Input], repository: Repository | None
) -> dict[int, Told]:
    """What the `repository` tells of doubtful refs, by the inputs' numbers; none of objects if there is none.

    Also if it lacks the objects of other refs as well. Of damaged tables, it is asked about all, if these are
    few: what tells of an altered id may be lost. Raises as `ref_outcomes` does.
    """
    doubtful = [
        (at, ref)
        for at, one in enumerate(inputs)
        if one.salvaged is not None
        for name in sorted(one.salvaged.losses.doubtful or ())
        if (ref := one.salvaged.table.read_ref(name)) is not None
    ]
    logged = {(at, ref.name): new for at, ref in doubtful if (new := _uncertain(inputs[at], ref)) is not None}
    asked = {ref.value for _, ref in doubtful if ref.value is not None and any(ref.value)}
    plain = _values_of_damaged(inputs, {(at, ref.name) for at, ref in doubtful}) if repository else {}
    missing: set[bytes] = set()
    found: Mapping[bytes, ObjectInfo] = {}
    if repository is not None and (asked or plain):
        names = {ref.name for _, ref in doubtful}
        others = {*islice(_values_of_others(directory, inputs, names), _WITNESSES)}
        asked |= {*plain.values()}
        found = repository.objects(asked | others | {*logged.values()})
        if not others or any(one.type is not None for one in found.values()):
            missing = {oid for oid in asked if oid in found and found[oid].type is None}
    left: dict[int, set[bytes]] = {}
    rights: dict[int, list[RefRecord]] = {}
    for at, ref in doubtful:
        is_none = ref.value in missing or _is_impossible(ref)
        new = logged.get((at, ref.name), b"")
        right = None if is_none else _peeled(ref, found)
        if is_none and new in found and found[new].type is not None:
            right = RefRecord(ref.name, ref.update_index, new, found[new].peeled)
        if right is not None:
            rights.setdefault(at, []).append(right)
        elif is_none:
            left.setdefault(at, set()).add(ref.name)
    objectless: dict[int, set[bytes]] = {}
    for (at, name), value in plain.items():
        if value in missing:
            objectless.setdefault(at, set()).add(name)
    return {
        at: Told(frozenset(left.get(at, ())), tuple(rights.get(at, ())), frozenset(objectless.get(at, ())))
        for at in left.keys() | rights.keys() | objectless.keys()
    }


def _values_of_damaged(
    inputs: Sequence[Input], doubtful: set[tuple[int, bytes]]
) -> dict[tuple[int, bytes], bytes]:
    """The ids of the refs of damaged inputs, but for those in doubt anyway; none if there are too many."""
    found: dict[tuple[int, bytes], bytes] = {}
    for at, one in enumerate(inputs):
        for refs in one.salvaged.table.ref_blocks() if one.salvaged is not None else ():
            for ref in refs:
                if ref.value is not None and (at, ref.name) not in doubtful:
                    found[at, ref.name] = ref.value
            if len(found) > _MOST_ASKED:
                return {}
    return found


def _uncertain(one: Input, ref: RefRecord) -> bytes | None:
    """What an entry out of a damaged block says that the update of a ref made it; None if there is none."""
    log = one.salvaged.uncertain.read_log(ref.name) if one.salvaged is not None else None
    return log.new if log is not None and log.update_index == ref.update_index else None


def _peeled(ref: RefRecord, found: Mapping[bytes, ObjectInfo]) -> RefRecord | None:
    """A ref with an object that peels to another one than it says, as it should be; None for others."""
    if ref.value is None or ref.peeled is None or ref.value not in found:
        return None
    kind, peeled = found[ref.value]
    # What a tag is of whose object is missing, nobody knows.
    if kind is None or peeled == ref.peeled or (kind == "tag" and peeled is None):
        return None
    return RefRecord(ref.name, ref.update_index, ref.value, peeled)


def _is_impossible(ref: RefRecord) -> bool:
    """Whether git makes no such ref."""
    if ref.target is not None:
        if target_below_refs(ref) is not None:
            return False
        return not is_root_ref(ref.target) and not (b"/" in ref.target and is_refname(ref.target))
    return ref.value is not None and not any(ref.value)


def _values_of_others(directory: Path, inputs: Sequence[Input], names: set[bytes]) -> Iterator[bytes]:
    """The values of refs that have other names than these."""
    for one in inputs:
        for ref in next(OpenInputs(directory, [one]).refs(), []):
            if ref.value is not None and ref.name not in names:
                yield ref.value
